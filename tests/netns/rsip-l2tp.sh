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

# what was said is shown: by the trace, and by a dissector of somebody else, who finds no fault
"$CYGNET" rsip trace --socket "$SCRATCH/x1.sock" >"$SCRATCH/trace"
for said in 'L2TP SCCRQ' 'L2TP ICCN' 'PPP LCP Configure-Ack' 'PPP IPCP Configure-Ack'; do
    grep -q "$said" "$SCRATCH/trace" || fail "x1: the trace says nothing of $said"
done
kill $tcpdump
wait $tcpdump || true
tshark -r "$SCRATCH/l2tp.pcap" >"$SCRATCH/dissected" 2>/dev/null
for said in 'SCCRQ' 'SCCRP' 'SCCCN' 'ICRQ' 'ICRP' 'ICCN' 'PPP LCP' 'PPP IPCP' 'ICMP'; do
    grep -q "$said" "$SCRATCH/dissected" || fail "tshark sees no $said"
done
tshark -r "$SCRATCH/l2tp.pcap" -Y '_ws.malformed or _ws.expert.severity >= "Warning"' >"$SCRATCH/faults" 2>/dev/null
[ ! -s "$SCRATCH/faults" ] || fail "tshark: $(cat "$SCRATCH/faults")"

# the gateway dies and comes back: the leases stay, and each host makes its link anew within seconds
kill -KILL "$(pgrep -P "${PIDS[n]}")"
gone() { ! status n | grep -q '"carrying"'; }
wait_for 5 "the new worker" gone
for host in x1 x2; do
    wait_for 10 "$host's link, again" at $host ping -n -c 1 -W 1 203.0.113.2
    has_address $host 203.0.113.10 || fail "$host: its lease is gone"
done

# a host that doesn't know the secret has no link; nor does one without a lease get an answer
stop x2
client x2 "ports: 16" "tunnel: l2tp" "l2tp-secret: guessed"
start x2
wait_for 5 "x2's lease" has_address x2 203.0.113.10
counted() {
    status "$1" | python3 -c 'import json, sys; sys.exit(json.load(sys.stdin)["counters"][sys.argv[1]] == 0)' "$2"
}
wait_for 5 "a refusal" counted x2 l2tp_bad_secret
! link_up x2 || fail "x2: a link without the secret"
stop x2
lease_gone() { status n | python3 -c 'import json, sys; sys.exit(len(json.load(sys.stdin)["binds"]) != 1)'; }
wait_for 5 "the end of x2's lease" lease_gone
at x2 python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(bytes.fromhex("c802003d0000000000000000" "800800000000" "0001" "800800000002" "0100" "800a00000003" "00000003"
    "80070000000778" "800800000009" "0007" "80080000000a" "0004"), ("10.0.1.1", 1701))'
wait_for 5 "a stranger's request" counted n l2tp_unknown_host
pinged x1
echo "L2TP with a secret, two hosts behind one address; traced and dissected; made anew after a restart"
