#!/bin/bash
# RFC 3104 appendix F with a peer that was not made for RSIP: x1 and x2 share one leased address and have tunnels
# to the same peer at the same time, keyed by a Cygnet each that takes its SPIs from the lease. The peer is
# libreswan, then strongSwan, over a kernel's ESP and AH. ESP by IKEv2 and IKEv1; with strongSwan also AH beside
# ESP, new children begun by the peer, and the gateway's server killed and replaced under traffic; and IKE from
# leased ports, where the peer may begin IKE SAs too.
# RSIP-001, RSIP-003, RSIP-005, RSIP-006, RSIP-009, RSIP-014, RSIP-020, RSIP-050
set -euo pipefail
# shellcheck source=lib/rsip.sh
. "$(dirname "$0")/lib/rsip.sh"
# shellcheck source=lib/guest.sh
. "$(dirname "$0")/lib/guest.sh"
# shellcheck source=lib/rsip_keying.sh
. "$(dirname "$0")/lib/rsip_keying.sh"

trying=libreswan

explain() {
    local host
    echo "--- while trying: $trying"
    guest "tail -n 60 /tmp/*.log; ip xfrm state; ip xfrm policy"
    for host in x1 x2; do
        echo "--- $host"
        cygnet $host status
        cygnet $host trace | tail -n 30
    done
    guest_explain
}

# A public key as libreswan writes it, RFC 3110 in base64.
rfc3110() {
    "$CYGNET" keys dns --key "$SCRATCH/$1.pem" --address 203.0.113.2 --client 203.0.113.2 |
        grep -o 'Aw[A-Za-z0-9+/]*=*\|AQ[A-Za-z0-9+/]*=*' | head -n 1
}

# libreswan_connection HOST IKEV2
libreswan_connection() {
    cat <<CONF

conn $1
    ikev2=$2
    authby=rsasig
    left=203.0.113.2
    leftid=@y.test
    leftsubnet=$INNER_Y/32
    leftcert=own
    leftsendcert=never
    right=%any
    rightid=@$1.test
    rightsubnet=${INNER[$1]}/32
    rightrsasigkey=0s$(rfc3110 "$1")
    ike=aes256-sha2_256-modp2048
    esp=aes256-sha2_256
    pfs=yes
    auto=add
    leftupdown=/bin/true
CONF
}

libreswan_start() {
    openssl req -x509 -key "$SCRATCH/y.pem" -subj /CN=y -days 2 -out "$SCRATCH/own.crt" 2>/dev/null
    openssl pkcs12 -export -in "$SCRATCH/own.crt" -inkey "$SCRATCH/y.pem" -name own -passout pass: \
        -out "$GUEST/shared/own.p12"
    {
        printf 'config setup\n    logfile=/tmp/pluto.log\n    ikev1-policy=accept\n'
        libreswan_connection x1 yes
        libreswan_connection x2 no
    } >"$GUEST/shared/ipsec.conf"
    guest "mkdir -p /run/pluto && ipsec initnss && pk12util -i /mnt/own.p12 -d sql:/var/lib/ipsec/nss -W '' &&
        ipsec pluto --config /mnt/ipsec.conf --logfile /tmp/pluto.log --rundir /run/pluto && sleep 2 &&
        ipsec addconn --config /mnt/ipsec.conf x1 x2" >"$SCRATCH/start" 2>&1 ||
        fail "libreswan: $(cat "$SCRATCH/start")"
}

# strongswan_connection HOST VERSION PROTOCOL
strongswan_connection() {
    cat <<CONF
    $1 {
        version = $2
        mobike = no
        local_addrs = 203.0.113.2
        remote_addrs = %any
        proposals = aes256-sha256-modp2048
        local { auth = pubkey
            pubkeys = own
            id = y.test }
        remote { auth = pubkey
            pubkeys = $1
            id = $1.test }
        children { $3 {
            local_ts = $INNER_Y/32
            remote_ts = ${INNER[$1]}/32
            $([ "$3" = ah ] && echo ah_proposals = sha256-modp2048,sha256 ||
                echo esp_proposals = aes256-sha256-modp2048,aes256-sha256) } }
    }
CONF
}

# strongswan_connections PROTOCOL: of x2
strongswan_connections() {
    {
        echo "connections {"
        strongswan_connection x1 2 esp
        strongswan_connection x2 1 "$1"
        echo "}"
    } >"$GUEST/shared/swan/swanctl.conf"
}

strongswan_start() {
    local at=$GUEST/shared/swan host
    mkdir -p "$at"/{private,pubkey,x509,x509ca,rsa,ecdsa,pkcs8}
    cp "$SCRATCH/y.pem" "$at/private/own"
    cp "$SCRATCH/y.pub" "$at/pubkey/own"
    for host in x1 x2; do cp "$SCRATCH/$host.pub" "$at/pubkey/$host"; done
    strongswan_connections esp
    cat >"$at/strongswan.conf" <<CONF
charon-systemd {
    load = random nonce openssl pem pkcs1 pkcs8 pubkey x509 constraints hmac kdf kernel-netlink socket-default vici
    install_routes = no
    plugins { vici { socket = unix:///run/vici } }
    filelog { file { path = /tmp/charon.log
        flush_line = yes
        default = 1
        ike = 2 } }
}
swanctl { load = random openssl pem pkcs1 pkcs8 pubkey x509 }
CONF
    guest "export STRONGSWAN_CONF=/mnt/swan/strongswan.conf SWANCTL_DIR=/mnt/swan
        charon-systemd </dev/null >/tmp/charon.err 2>&1 &
        for i in 0 1 2 3 4 5 6 7 8 9; do [ -S /run/vici ] && break; sleep 0.3; done
        swanctl --load-all --noprompt --uri unix:///run/vici" >"$SCRATCH/start" 2>&1 ||
        fail "strongSwan: $(cat "$SCRATCH/start")"
}

swanctl() {
    local verb=$1
    shift
    guest "STRONGSWAN_CONF=/mnt/swan/strongswan.conf SWANCTL_DIR=/mnt/swan \
        swanctl $verb --uri unix:///run/vici $*" >"$SCRATCH/swanctl" 2>&1 ||
        fail "swanctl $verb $*: $(cat "$SCRATCH/swanctl")"
}

both_up() {
    local host
    for host in x1 x2; do wait_for 20 "$host's tunnel" tunnel_up $host; done
}

both_ping() {
    local host
    for host in x1 x2; do pings $host; done
}

# The port that the host's keyd says it uses is one that its lease has.
from_lease() {
    cygnet "$1" status --json >"$SCRATCH/said"
    status "$1" | python3 -c 'import json, sys
low, high = json.load(sys.stdin)["ports"].split("-")
sys.exit(not int(low) <= json.load(open(sys.argv[1]))["lease"]["ike_port"] <= int(high))' "$SCRATCH/said"
}

ike_sas() {
    cygnet "$1" trace | grep -c "Peer authenticated\|IKE SA replaced\|IKE SA.*new" || true
}

new_ike_sa() {
    [ "$(ike_sas $host)" != "$before" ]
}

new_child() {
    tunnel_up $host && [ "$(field $host spi_in)" != "$child" ]
}

guest_packages libreswan libnss3 libnss3-tools libnspr4 libcurl3-nss libldap-2.5-0 libldns3 libunbound8 \
    libevent-pthreads-2.1-7 dns-root-data iptables libip6tc2 libnetfilter-conntrack3 libnfnetlink0 libxtables12
gateway
keys
ip -n "$TAG-y" route add default via 203.0.113.1
capture
guest_start y 203.0.113.2/24 $INNER_Y/32
libreswan_start

start n
wait_for 5 "the server" test -S "$SCRATCH/n.sock"
for host in x1 x2; do
    client $host "method: rsipsec" "ports: 0" "spis: 4" "address: 203.0.113.10"
    start $host
    wait_for 5 "$host's lease" has_address $host 203.0.113.10
done
keying x1 2
keying x2 1
both_up
both_ping
for host in x1 x2; do renewed $host; done
both_ping
for host in x1 x2; do cygnet $host down home >/dev/null; done
guest "ipsec whack --rundir /run/pluto --shutdown" >/dev/null 2>&1 || true

trying="strongSwan with ESP"
strongswan_start
for host in x1 x2; do cygnet $host up home >/dev/null; done
both_up
both_ping

trying="strongSwan with ESP and AH"
strongswan_connections ah
swanctl --load-conns
rekeying x2 1 "protect-with: ah"
wait_for 20 "x2's tunnel" tunnel_up x2
both_ping
guest "ip xfrm state" >"$SCRATCH/xfrm"
for protocol in esp ah; do
    grep -q "proto $protocol" "$SCRATCH/xfrm" || fail "the kernel has no $protocol: $(cat "$SCRATCH/state")"
done

trying="strongSwan, which makes new children"
for host in x1 x2; do
    before=$(field $host spi_in)
    swanctl --rekey --ike $host --child "$([ $host = x1 ] && echo esp || echo ah)"
    other() { [ "$(field $host spi_in)" != "$before" ]; }
    wait_for 20 "$host's new child" other
done
both_ping

trying="a new server under traffic"
for host in x1 x2; do
    at $host ping -n -c 30 -i 0.1 -W 5 -I "${INNER[$host]}" $INNER_Y >"$SCRATCH/$host.ping" &
    BACKGROUND+=($!)
done
sleep 0.5
kill -KILL "$(pgrep -P "${PIDS[n]}")"
wait "${BACKGROUND[-1]}" "${BACKGROUND[-2]}" || true
for host in x1 x2; do # it is started again within a second
    got=$(sed -n 's/.* \([0-9]*\) received.*/\1/p' "$SCRATCH/$host.ping")
    [ "$got" -ge 15 ] || fail "$host: $(cat "$SCRATCH/$host.ping")"
done
both_ping
end_capture
only_leased
[ "$(packets 'ah and src 203.0.113.10')" -gt 10 ] || fail "no AH was seen"

# With leased ports IKE leaves from one of them, and the peer may begin what toward port 500 finds nobody
# (RFC 3104 appendix E): a new IKE SA, and what belongs to it after that.
trying="IKE from leased ports, which strongSwan keys anew"
for host in x1 x2; do
    end_daemon $host
    stop $host
    client $host "method: rsipsec" "ports: 4" "spis: 4" "address: 203.0.113.10" "set-port-range: no"
    start $host
done
capture
for host in x1 x2; do
    wait_for 10 "$host's lease" has_address $host 203.0.113.10
    daemon $host
    wait_for 10 "$host's port" from_lease $host
done
both_up
both_ping
for host in x1 x2; do
    before=$(ike_sas $host) child=$(field $host spi_in)
    swanctl --rekey --ike $host
    wait_for 20 "$host's new IKE SA" new_ike_sa
    swanctl --rekey --ike $host --child "$([ $host = x1 ] && echo esp || echo ah)"
    wait_for 20 "$host's new child" new_child
done
both_ping
end_capture
[ "$(packets 'udp src port 500 and src 203.0.113.10')" = 0 ] || fail "IKE from port 500"
[ "$(packets "udp dst port 500 and src 203.0.113.10")" -gt 8 ] || fail "no IKE"
echo "libreswan and strongSwan keep two hosts at one address apart: IKEv2 and IKEv1, ESP and AH, by leased SPIs only;" \
    "with leased ports the peer may key anew"
