#!/bin/bash
# A configured connection with strongSwan in SG-B's place, nets to nets by a shared secret: each end begins,
# traffic passes both ways, Deletes are heeded both ways, and either end renews the child.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/strongswan.sh
. "$(dirname "$0")/lib/strongswan.sh"

explain() {
    swan_explain sg-b
    lab exec sg-a cygnet status
    lab exec sg-a cygnet trace | tail -n 40
}

alice=192.1.0.65 bob=192.2.0.66
printf 'much entropy\n' >"$SCRATCH/secret"
chmod 600 "$SCRATCH/secret"

cygnet_side() {
    cat <<YAML
connections:
  - name: swan
    version: $1
    local: {address: 192.1.1.4, id: "@sg-a.example", auth: psk}
    remote: {address: 192.1.1.5, id: "@sg-b.example", auth: psk}
    secret-file: $SCRATCH/secret
    children: [{name: lan, local: 192.1.0.0/24, remote: 192.2.0.0/24}]
YAML
}

swan_side() {
    cat <<CONF
connections {
    lan {
        version = $1
        local_addrs = 192.1.1.5
        remote_addrs = 192.1.1.4
        proposals = aes256-sha256-modp2048,aes256gcm16-prfsha256-ecp256,aes256-sha256-ecp256
        local { auth = psk
            id = sg-b.example }
        remote { auth = psk
            id = sg-a.example }
        children {
            lan {
                local_ts = 192.2.0.0/24
                remote_ts = 192.1.0.0/24
                esp_proposals = aes256gcm16-ecp256,aes256gcm16-modp2048,aes256gcm16
            }
        }
    }
}
secrets {
    ike { id = sg-a.example
        secret = "much entropy" }
}
CONF
}

child() {
    lab exec sg-a cygnet status --json | python3 -c '
import json, sys
print(json.load(sys.stdin)["connections"][0]["tunnels"][0].get(sys.argv[1], ""))' "$1"
}

state_is() {
    [ "$(child state)" = "$1" ]
}

talk() {
    lab exec alice ping -n -c 5 -i 0.2 -W 10 $bob >"$SCRATCH/ping" || fail "alice to bob: $(cat "$SCRATCH/ping")"
    grep -q ' 5 received' "$SCRATCH/ping" || fail "alice to bob: $(grep received "$SCRATCH/ping")"
    lab exec sg-b ping -n -c 5 -i 0.2 -W 10 -I $bob $alice >"$SCRATCH/ping" || fail "bob to alice: $(cat "$SCRATCH/ping")"
    transfer 1000000 alice sg-b $bob
}

renewed() {
    [ "$(child spi_out)" != "$spi" ] && state_is up
}

no_child() {
    ! swan_has sg-b INSTALLED
}

run() {
    cygnet_side "$1" >"$SCRATCH/sg-a"
    lab up --quiet --policy "sg-a=$SCRATCH/sg-a"
    lab stop sg-b
    swan_prepare sg-b
    swan_side "$1" | swan_connections sg-b
    swan_address sg-b $bob/32
    swan_start sg-b
    capture sg-b "$SCRATCH/pcap" 65535
    # Cygnet begins. (What comes before strongSwan has its SAs is lost there.)
    lab exec alice ping -n -c 10 -i 0.2 -w 5 $bob >"$SCRATCH/ping" || fail "version $1: no first tunnel"
    state_is up || fail "version $1: the tunnel is $(child state)"
    talk
    # strongSwan renews the child, then ends it.
    spi=$(child spi_out)
    swan sg-b --rekey --child lan >/dev/null
    wait_for 10 "version $1: the child that strongSwan renews" renewed
    talk
    swan sg-b --terminate --ike lan --timeout 10 >/dev/null
    wait_for 5 "version $1: Cygnet to heed strongSwan's Deletes" state_is idle
    # strongSwan begins.
    swan sg-b --initiate --child lan --timeout 10 >"$SCRATCH/initiate" || fail "$(cat "$SCRATCH/initiate")"
    wait_for 5 "version $1: the tunnel that strongSwan makes" state_is up
    talk
    lab exec sg-a cygnet down swan >/dev/null
    wait_for 10 "version $1: strongSwan to heed Cygnet's Delete" no_child
    end_capture "$SCRATCH/pcap"
    only_protected "$SCRATCH/pcap"
    swan_stop sg-b
    lab down
}

for version in ${VERSIONS:-2}; do
    run "$version"
done
