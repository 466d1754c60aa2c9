#!/bin/bash
# A configured connection protected with AH (RFC 4302) between SG-A and SG-B, negotiated by either version of
# IKE (IKE-008): Alice and Bob talk, the capture shows their datagrams inside AH and nowhere else, keyd's death
# and a Delete of AH leave things right, and where a NAT is found the reason for the refusal is told.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

bob=192.2.0.66

explain() {
    for gateway in sg-a sg-b; do
        echo "--- $gateway"
        lab exec $gateway cygnet status
        lab exec $gateway cygnet trace | tail -n 40
    done
}

# office GATEWAY VERSION: its half of the connection.
office() {
    local own=4 far=5 local=192.1.0.0/24 remote=192.2.0.0/24
    [ "$1" = sg-a ] || { own=5 far=4 local=192.2.0.0/24 remote=192.1.0.0/24; }
    cat <<YAML
connections:
  - name: office
    version: $2
    protect-with: ah
    local: {address: 192.1.1.$own, auth: psk}
    remote: {address: 192.1.1.$far, auth: psk}
    secret-file: $SCRATCH/secret
    children:
      - {name: lan, local: $local, remote: $remote, start: $([ "$1" = sg-a ] && echo on-traffic || echo never)}
YAML
}

tunnel() {
    lab exec "$1" cygnet status --json | python3 -c '
import json, sys
print(json.load(sys.stdin)["connections"][0]["tunnels"][0].get(sys.argv[1], ""))' "$2"
}

tunnel_is() {
    [ "$(tunnel "$1" state)" = "$2" ]
}

ping_ok() {
    lab exec "$1" ping -n -c 3 -i 0.2 -W 10 "$2" >"$SCRATCH/ping" || fail "$1 to $2: $(cat "$SCRATCH/ping")"
    grep -q ' 0% packet loss' "$SCRATCH/ping" || fail "$1 to $2: $(grep loss "$SCRATCH/ping")"
}

shown() {
    tshark -n -r "$SCRATCH/pcap" -Y "$1" 2>/dev/null | wc -l
}

run() {
    local version=$1 spi
    office sg-a "$version" >"$SCRATCH/sg-a"
    office sg-b "$version" >"$SCRATCH/sg-b"
    lab up --quiet --policy "sg-a=$SCRATCH/sg-a" --policy "sg-b=$SCRATCH/sg-b"
    capture sg-a "$SCRATCH/pcap" 65535
    ping_ok alice $bob
    ping_ok bob 192.1.0.65
    transfer 1000000 alice bob $bob
    lab exec sg-a cygnet trace | grep -q 'AH HMAC-SHA2-256-128' || fail "version $version: the trace shows no AH"

    spi=$(tunnel sg-a spi_out)
    kill -9 "$(status_field sg-a processes keyd pid)"
    knows() { [ "$(tunnel sg-a spi_out 2>/dev/null)" = "$spi" ]; }
    wait_for 5 "the new keyd to know the tunnel" knows
    ping_ok alice $bob
    knows || fail "version $version: it was made anew"
    lab exec sg-a cygnet down office >/dev/null
    wait_for 5 "sg-b to hear of it" tunnel_is sg-b idle
    [ "$(status_field sg-b plane sad)" = 0 ] || fail "version $version: sg-b's plane still has SAs"

    end_capture "$SCRATCH/pcap"
    [ "$(shown 'ah && icmp')" -ge 18 ] || fail "version $version: $(shown 'ah && icmp') pings in AH"
    [ "$(shown "ip.addr == $bob && !ah")" = 0 ] || fail "version $version: something of Bob's outside AH"
    [ "$(shown esp)" = 0 ] || fail "version $version: ESP"
    lab down
}

install -m 600 /dev/null "$SCRATCH/secret"
echo 'correct horse battery staple' >"$SCRATCH/secret"
run 2
run 1

# Never through a NAT: here there is none, but both say there is.
{ office sg-a 2; echo 'nat-traversal: force'; } >"$SCRATCH/sg-a"
office sg-b 2 >"$SCRATCH/sg-b"
lab up --quiet --policy "sg-a=$SCRATCH/sg-a" --policy "sg-b=$SCRATCH/sg-b"
lab exec alice ping -n -c 1 -W 2 $bob >/dev/null && fail "a tunnel of AH through a NAT"
told() { lab exec sg-a cygnet trace | grep -q "can't go through the NAT"; }
wait_for 5 "the reason" told
echo "AH: tunnels of both versions of IKE carry traffic, outlive keyd, are deleted, and don't meet a NAT"
