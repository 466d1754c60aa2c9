#!/bin/bash
# SG-B has an ordinary firewall: what it forwards is listed, all else is dropped. A datagram that came
# through an opportunistic tunnel meets the same rules as one that came in clear, and a rule may tell
# the two apart by their interface.
# OE-191 OE-192 OE-193
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

bob=192.2.0.66

# nft_on_sg_b COMMAND...: its output, nothing else of the lab is touched.
nft_on_sg_b() {
    lab exec sg-b nft "$@"
}

counted() {
    nft_on_sg_b list counter inet filter "$1" | sed -nE 's/.*packets ([0-9]+).*/\1/p'
}

# reaches FROM PORT
reaches() {
    lab exec "$1" timeout 2 bash -c "exec 3<>/dev/tcp/$bob/$2" 2>/dev/null
}

serve() {
    "$ROOT/lab/lab" exec bob python3 -c "
import socket, sys
server = socket.create_server(('', int(sys.argv[1])))
while True:
    server.accept()[0].close()" "$1" &
    BACKGROUND+=($!)
    wait_for 5 "the server on port $1" listens bob "$1"
}

lab up --quiet
serve 7001
serve 7002
lab exec alice ping -n -c 1 -W 10 $bob >/dev/null || fail "no tunnel to bob"
expect_verdict sg-a $bob encrypt
# Carol has no gateway; what she sends comes in clear. She knows the way.
lab exec carol ip route replace 192.2.0.0/24 via 192.1.1.5
lab exec carol ping -n -c 1 -W 5 $bob >/dev/null || fail "carol can't reach bob in clear"
for port in 7001 7002; do
    reaches alice $port || fail "without a firewall alice can't reach port $port"
    reaches carol $port || fail "without a firewall carol can't reach port $port"
done

nft_on_sg_b -f - <<'RULES'
table inet filter {
    counter dropped_oe {}
    counter dropped_clear {}
    counter passed_oe {}
    counter passed_clear {}
    chain forward {
        type filter hook forward priority 0; policy drop;
        iifname "inside" accept
        tcp dport 7001 iifname "oe0" counter name passed_oe
        tcp dport 7001 iifname "outside" counter name passed_clear
        tcp dport 7001 accept
        tcp dport 7002 iifname "oe0" counter name dropped_oe
        tcp dport 7002 iifname "outside" counter name dropped_clear
    }
}
RULES
for host in alice carol; do
    reaches $host 7001 || fail "$host can't reach the port that the firewall opens"
    ! reaches $host 7002 || fail "$host reaches a port that the firewall closes"
    ! lab exec $host ping -n -c 1 -W 1 $bob >/dev/null || fail "$host's ping passes the firewall"
done
for counter in passed_oe passed_clear dropped_oe dropped_clear; do
    [ "$(counted $counter)" -gt 0 ] || fail "the firewall did not see: $counter"
done

# The same port, closed to what came through opportunistic tunnels only.
nft_on_sg_b insert rule inet filter forward iifname "oe0" tcp dport 7001 drop
reaches carol 7001 || fail "a rule for oe0 stops what came in clear"
! reaches alice 7001 || fail "a rule for oe0 doesn't stop what came through a tunnel"
expect_verdict sg-a $bob encrypt
