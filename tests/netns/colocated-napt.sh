#!/bin/bash
# OE-160, OE-162: a gateway that translates the addresses of its clients itself. The classifier stands
# behind the translation, so the flows are the gateway's own. One gateway delegates to itself by its
# address, the other is known by a name alone.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
export LAB_TOPOLOGY=$ROOT/lab/topology-nat.ini

BOB=192.2.0.66

lab up --quiet
capture sg-b "$SCRATCH/wild.pcap"
for pair in sg-p:192.1.1.7:pia:192.1.1.7 sg-q:192.1.1.8:quin:@sg-q.example; do
    IFS=: read -r gateway address client identity <<<"$pair"
    lab exec "$client" ping -n -c 3 -i 0.2 -W 10 $BOB >"$SCRATCH/ping" ||
        fail "$client: $(cat "$SCRATCH/ping")"
    grep -q '3 received' "$SCRATCH/ping" || fail "$client: $(cat "$SCRATCH/ping")"
    wait_verdict "$gateway" $BOB encrypt
    [ "$(why_field "$gateway" $BOB source)" = "$address" ] || fail "$gateway: not its own flow"
    wait_verdict sg-b "$address" encrypt
    [ "$(why_field sg-b "$address" grade)" = authenticated ] || fail "$gateway is not authenticated"
    [ "$(gateway_field sg-b "$address" identity)" = "$identity" ] || fail "$gateway: another identity"
    transfer 2000000 "$client" bob $BOB
done
end_capture "$SCRATCH/wild.pcap"
only_protected "$SCRATCH/wild.pcap"
[ "$(packets "$SCRATCH/wild.pcap" 'net 10.0.0.0/8')" = 0 ] || fail "untranslated addresses outside"
