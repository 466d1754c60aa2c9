#!/bin/bash
# Cygnet's own first tunnel: its IKE on the wire held against the IKE model, and what the initiator's trace
# says, and both gateways' together, against the model of opportunistic encryption. A trace without one of
# its messages is caught at the next. (The responder's alone may have its plane's word of the first datagram
# before its keyd's of Quick Mode 3.)
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/match.sh
. "$(dirname "$0")/lib/match.sh"

lab up --quiet
capture sg-a "$SCRATCH/ike.pcap" 0
lab exec alice ping -n -c 3 -i 0.3 -W 10 192.2.0.66 >/dev/null || fail "no ping came through"
end_capture "$SCRATCH/ike.pcap"
match_follows ike.model "$SCRATCH/ike.pcap" "Main Mode (Stage 1), Quick Mode (Stage 2)" 1

lab exec sg-a cygnet trace --json >"$SCRATCH/sg-a.trace"
lab exec sg-a cygnet trace --json --socket "$(lab path sg-a)/control.sock" \
    --socket "$(lab path sg-b)/control.sock" >"$SCRATCH/both.trace"
for trace in sg-a both; do
    match_follows oe.model "$SCRATCH/$trace.trace" "A first tunnel between strangers" 1
done

grep -v '"label":"5E3"' "$SCRATCH/sg-a.trace" >"$SCRATCH/broken.trace"
at=$(grep -n '"label":"5E4"' "$SCRATCH/broken.trace" | cut -d: -f1)
"$CYGNET" model match "$MODELS/oe.model" "$SCRATCH/broken.trace" >"$SCRATCH/matched" && fail "nothing was found"
grep -q "leaves the model at $at; expected: Main Mode 4 from SG-B" "$SCRATCH/matched" ||
    fail "not at line $at: $(cat "$SCRATCH/matched")"
