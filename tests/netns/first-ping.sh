#!/bin/bash
# The very first datagram to a host never spoken to is held, and delivered under encryption.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

lab up --quiet
capture sg-a "$SCRATCH/wild.pcap"
for bob in 192.2.0.66 2001:db8:2::66; do
    lab exec alice ping -n -c 1 -W 10 "$bob" >"$SCRATCH/ping" || fail "first ping to $bob: $(cat "$SCRATCH/ping")"
    expect_verdict sg-a "$bob" encrypt
done
end_capture "$SCRATCH/wild.pcap"
only_protected "$SCRATCH/wild.pcap"
[ "$(packets "$SCRATCH/wild.pcap" "$EXPECTED and not port 53 and not port 500")" -ge 4 ] ||
    fail "too few ESP packets for two pings and their replies"
