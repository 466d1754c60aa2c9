#!/bin/bash
# While alice sends bob 100 MB over TCP, the net between the gateways carries only IKE, ESP and DNS.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

size=100000000
lab up --quiet
capture sg-a "$SCRATCH/wild.pcap"
transfer $size alice bob 192.2.0.66
end_capture "$SCRATCH/wild.pcap"

only_protected "$SCRATCH/wild.pcap"
tcpdump -n -r "$SCRATCH/wild.pcap" -w "$SCRATCH/esp.pcap" \
    'ip proto 50 or udp port 4500' 2>/dev/null
carried=$(capinfos -Mrd -T "$SCRATCH/esp.pcap" | cut -f2)
[ "$carried" -ge $size ] || fail "ESP carried $carried octets, less than was sent"
expect_verdict sg-a 192.2.0.66 encrypt
