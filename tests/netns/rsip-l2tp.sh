#!/bin/bash
# RSIP through L2TP, between our own ends. RSIP-091, RSIP-192
#
# n leases 203.0.113.10 (shared); x1 and x2 have it through L2TP; y knows of nothing.
set -euo pipefail
# shellcheck source=lib/rsip.sh
. "$(dirname "$0")/lib/rsip.sh"

cat >"$SCRATCH/n.yaml" <<END
user: "$USER_ID"
control: $SCRATCH/n.sock
state: $SCRATCH/state
server:
  inside: 10.0.1.1
  outside: y
  l2tp-secret: between us
  pool:
    - addresses: 203.0.113.10
      use: shared
      ports: 20000-29999
  hosts:
    - from: 10.0.0.0/8
      methods: [rsa-ip, rsap-ip, rsipsec]
      tunnels: [ip-ip, l2tp]
      lease: 60
END

pinged() {
    at "$1" ping -n -c 3 -i 0.2 -W 2 "${@:2}" 203.0.113.2 >/dev/null || fail "$1: no ping to y"
}
link_up() {
    status "$1" | python3 -c 'import json, sys
sys.exit(not any(t["ipv4"] or t["ipv6"] for t in json.load(sys.stdin)["l2tp"]))'
}

start n
wait_for 5 "the server" test -S "$SCRATCH/n.sock"
ip netns exec "$TAG-n" tcpdump --immediate-mode -U -i x1 -w "$SCRATCH/l2tp.pcap" udp port 1701 2>"$SCRATCH/tcpdump" &
BACKGROUND+=($!)
tcpdump=$!
wait_for 5 "tcpdump" grep -q 'listening on' "$SCRATCH/tcpdump"
client x1 "ports: 16" "tunnel: l2tp" "l2tp-secret: between us"
client x2 "ports: 16" "tunnel: l2tp" "l2tp-secret: between us"
start x1
start x2
for host in x1 x2; do
    wait_for 5 "$host's lease" has_address $host 203.0.113.10
    wait_for 5 "$host's link" link_up $host
    pinged $host
    pinged $host -s 4000
done
status n
status x1
"$CYGNET" rsip trace --socket "$SCRATCH/x1.sock" | head -50
sleep 1
kill $tcpdump; wait $tcpdump || true
tshark -r "$SCRATCH/l2tp.pcap" | head -50
