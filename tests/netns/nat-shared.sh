#!/bin/bash
# ADR-002: two gateways behind one NAT have one address and tell themselves apart by their keys. Only
# one of them can have port 4500; each is answered on its own.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
export LAB_TOPOLOGY=$ROOT/lab/topology-nat.ini

BOB=192.2.0.66

lab up --quiet
capture nat "$SCRATCH/wild.pcap"
for client in nora mia; do
    lab exec $client ping -n -c 5 -i 0.2 -W 10 $BOB >"$SCRATCH/$client" &
    BACKGROUND+=($!)
    pings+=($!)
done
for ping in "${pings[@]}"; do
    wait "$ping" || fail "a ping: $(cat "$SCRATCH/nora" "$SCRATCH/mia")"
done
for client in 192.5.0.70 192.6.0.71; do
    wait_verdict sg-b $client encrypt
    [ "$(why_field sg-b $client gateway)" = 192.1.1.9 ] || fail "$client: not by the NAT's address"
done
lab exec sg-b cygnet status --json | python3 -c 'import json, sys
peers = {g["identity"]: g for g in json.load(sys.stdin)["gateways"]}
ports = {peers[name]["port"] for name in ("@sg-n.example", "@sg-m.example")}
sys.exit(len(ports) != 2 or {peers[name]["peer"] for name in peers} != {"192.1.1.9"})' ||
    fail "sg-b does not tell the two gateways apart"
transfer 2000000 nora bob $BOB
transfer 2000000 bob mia 192.6.0.71

# One leaves; the other's tunnel stays.
lab stop sg-m
mia_gone() {
    [ "$(why_field sg-b 192.6.0.71 verdict)" != encrypt ]
}
wait_for 10 "the end of mia's tunnel" mia_gone
expect_verdict sg-b 192.5.0.70 encrypt
lab exec bob ping -n -c 2 -i 0.2 -W 5 192.5.0.70 >/dev/null || fail "bob lost nora with mia"
end_capture "$SCRATCH/wild.pcap"
[ "$(packets "$SCRATCH/wild.pcap" 'ip proto 50 or net 192.2.0.0/24 or net 192.5.0.0/24')" = 0 ] ||
    fail "something passed outside the tunnels"
