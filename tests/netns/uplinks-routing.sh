#!/bin/bash
# Two uplinks where eBPF is not used: rules by name stand for both, also for one that comes later or comes back.
# A lost uplink costs the streams through the tunnel little, and nothing leaves in clear. ADR-044
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/moving.sh
. "$(dirname "$0")/lib/moving.sh"

lose() {
    lab exec sg-a ip link set outside down
    wait_for 4 "the fail-over" at 192.7.0.4 192.1.1.5
}

again() {
    lab exec sg-a ip link del second
    second
}

two_uplinks 'classifier: routing'
grep -q 'the plane runs, with policy routing' "$(lab path sg-a)/log" || fail "eBPF is used"
office
capture carol "$SCRATCH/second.pcap"
second
under 'uplink lost, rules instead of eBPF' 20 1000 2 lose
under 'and the other one made anew' 150 2500 3 again
at 192.7.0.4 192.1.1.5 || fail "it is elsewhere"
end_capture "$SCRATCH/second.pcap"
only_protected "$SCRATCH/second.pcap"
[ "$(packets "$SCRATCH/second.pcap" 'ip proto 50')" -gt 0 ] || fail "the tunnel was never seen beyond the second uplink"
