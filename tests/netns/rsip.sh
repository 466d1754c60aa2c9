#!/bin/bash
# RSIP on real packets. RSIP-053, RSIP-054, RSIP-055, RSIP-058, RSIP-059, RSIP-064, RSIP-190, RSIP-191,
# RSIP-194, RSIP-200, RSIP-205, RSIP-211, RSIP-216
#
# n leases 203.0.113.10 (shared) and .11 (whole); x1 and x2 share the first by ports; y knows of nothing.
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
  pool:
    - addresses: 203.0.113.10
      use: shared
      ports: 20000-29999
    - addresses: 203.0.113.11
      use: whole
  hosts:
    - from: 10.0.0.0/8
      methods: [rsa-ip, rsap-ip, rsipsec]
      tunnels: [ip-ip, gre]
      lease: 60
  local: [10.0.0.0/8]
END

pinged() {
    at "$1" ping -n -c 3 -i 0.2 -W 2 203.0.113.2 >/dev/null || fail "$1: no ping to y"
}

# served HOST: a megabyte by TCP from y, and what y saw of us
served() {
    rm -f "$SCRATCH/seen"
    ip netns exec "$TAG-y" python3 "$ROOT/tests/netns/rsip_serve.py" 203.0.113.2 8080 >"$SCRATCH/seen" &
    BACKGROUND+=($!)
    local server=$!
    wait_for 5 "y's server" grep -q ready "$SCRATCH/seen"
    at "$1" python3 "$ROOT/tests/netns/rsip_fetch.py" 203.0.113.2 8080 || fail "$1: no TCP"
    wait "$server" || fail "y: what came was not what was sent"
}

start n
wait_for 5 "the server" test -S "$SCRATCH/n.sock"
client x1 "ports: 16"
client x2 "ports: 16" "transport: tcp" "tunnel: gre"
start x1
start x2
wait_for 5 "x1's lease" has_address x1 203.0.113.10
wait_for 5 "x2's lease" has_address x2 203.0.113.10

# two hosts behind one address, at the same time
for host in x1 x2; do
    pinged $host
    served $host
    read -r _ from port <"$SCRATCH/seen"
    [ "$from" = 203.0.113.10 ] || fail "$host: y saw $from"
    status $host | python3 -c 'import json, sys
low, high = json.load(sys.stdin)["ports"].split("-")
sys.exit(not int(low) <= int(sys.argv[1]) <= int(high))' "$port" || fail "$host: port $port is not leased"
done

# datagrams that have to be cut, both ways, with both tunnels (RSIP-192); a ping has no ports
for host in x1 x2; do
    at $host ping -n -c 2 -i 0.2 -W 2 -s 4000 203.0.113.2 >/dev/null || fail "$host: no large ping"
done

# nothing but what was leased: x1 can't send from x2's address space, nor from its own private one
before=$(status n | python3 -c 'import json, sys; print(json.load(sys.stdin)["counters"]["out_local_port"])')
at x1 python3 - <<'END' || fail "x1: can't send at all"
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("203.0.113.10", 9))
s.sendto(b"x", ("203.0.113.2", 9))
END
dropped() {
    status n | python3 -c 'import json, sys
sys.exit(json.load(sys.stdin)["counters"]["out_local_port"] <= int(sys.argv[1]))' "$before"
}
wait_for 5 "a drop of what x1 didn't lease" dropped
"$CYGNET" rsip status --socket "$SCRATCH/n.sock" | grep -q '^dropped .*[0-9] out_local_port' ||
    fail "n doesn't say what it dropped: $("$CYGNET" rsip status --socket "$SCRATCH/n.sock")"

# a leased address answers pings, by the gateway (RSIP-209)
at y ping -n -c 1 -W 2 203.0.113.10 >/dev/null || fail "y: no ping to the leased address"

# the server dies under traffic and comes back, and no host notices
at x1 ping -n -c 30 -i 0.1 -W 2 203.0.113.2 >"$SCRATCH/ping" &
ping=$!
sleep 0.5
binds() {
    status n | python3 -c 'import json, sys
print(sorted((b["host"], b["address"], b["ports"]) for b in json.load(sys.stdin)["binds"]))'
}
held=$(binds)
worker=$(pgrep -P "${PIDS[n]}")
kill -KILL "$worker"
wait "$ping" || true
[ "$(binds)" = "$held" ] || fail "the leases changed: $held, $(binds)"
pinged x1
pinged x2

# RSA-IP: an address of one's own
stop x1
gone() { ! has_address x1 203.0.113.10; }
wait_for 5 "the end of x1's lease" gone
client x1 "method: rsa-ip"
start x1
wait_for 5 "x1's own address" has_address x1 203.0.113.11
pinged x1
served x1
read -r _ from port <"$SCRATCH/seen"
[ "$from" = 203.0.113.11 ] || fail "x1: y saw $from"
pinged x2

# x2 gives up RSIP, and the same gateway translates for it, beside what x1 has leased (RSIP-194, RSIP-211)
stop x2
at n nft -f - <<'END' || fail "n: no NAPT"
table ip napt {
    chain postrouting {
        type nat hook postrouting priority srcnat
        oifname "y" ip saddr 10.0.0.0/8 masquerade
    }
}
END
ip -n "$TAG-x2" route add default via 10.0.2.1
for host in x2 x1 x2; do
    pinged $host
    served $host
    read -r _ from port <"$SCRATCH/seen"
    [ "$from" = "$([ $host = x1 ] && echo 203.0.113.11 || echo 203.0.113.1)" ] || fail "$host: y saw $from"
done
ip -n "$TAG-x2" route del default

# DSCP is that of the inner datagram, both ways, ECN is not (RSIP-205)
ip netns exec "$TAG-n" tcpdump --immediate-mode -l -i x1 -n "proto 4 and ip[1] = 0xb8" >"$SCRATCH/marked" 2>&1 &
BACKGROUND+=($!)
wait_for 5 "tcpdump" grep -q 'listening on' "$SCRATCH/marked"
at x1 ping -n -c 2 -i 0.2 -W 2 -Q 0xb9 203.0.113.2 >/dev/null || fail "x1: no marked ping"
marked() {
    grep -q "10.0.1.2 > 10.0.1.1: .*echo request" "$SCRATCH/marked" &&
        grep -q "10.0.1.1 > 10.0.1.2: .*echo reply" "$SCRATCH/marked"
}
wait_for 5 "marked datagrams in the tunnel, both ways" marked

# RSIPSEC: both with IKE on port 500, ESP and AH to the same peer, at the same time, by cookie and SPI
# (RSIP-010, RSIP-012, RSIP-016, RSIP-017, RFC 3104 appendix F)
stop x1
ip netns exec "$TAG-y" python3 "$ROOT/tests/netns/rsip_ipsec.py" peer >"$SCRATCH/peer" &
BACKGROUND+=($!)
wait_for 5 "the peer" grep -q ready "$SCRATCH/peer"
for host in x1 x2; do
    client $host "method: rsipsec" "ports: 0" "spis: 2" "address: 203.0.113.10"
    start $host
done
pids=()
for host in x1 x2; do
    wait_for 5 "$host's SPIs" has_address $host 203.0.113.10
    spi=$(status $host | python3 -c 'import json, sys; print(json.load(sys.stdin)["spis"][1])')
    at $host python3 "$ROOT/tests/netns/rsip_ipsec.py" host 203.0.113.2 "$spi" 2>"$SCRATCH/$host.ipsec.log" &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid" || fail "IPsec: $(cat "$SCRATCH"/*.ipsec.log)"
done

# all is given back
stop x1
stop x2
nothing() { [ "$(binds)" = "[]" ]; }
wait_for 5 "the end of all leases" nothing
echo "two hosts behind one address, over UDP and TCP, IP-IP and GRE; restart unnoticed; RSA-IP; NAPT beside it; IKE, ESP and AH"
