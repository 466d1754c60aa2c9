#!/bin/bash
# kill -9 of the keying daemon under a transfer: the transfer goes on, the parent starts a new one
# within a second, and it knows the tunnel.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# keyd GATEWAY: process id of the keying daemon, known by the user it runs as.
keyd() {
    pgrep -g "$(cut -d' ' -f1 "$(lab path "$1")/../pids/$1")" -u 61100
}

new_keyd() {
    local now
    now=$(keyd sg-a) && [ "$now" != "$old" ]
}

in_status() {
    lab exec sg-a cygnet status --json | grep -q '192\.2\.0\.66'
}

lab up --quiet
lab exec alice ping -n -c 1 -W 10 192.2.0.66 >/dev/null || fail "no tunnel to begin with"
old=$(keyd sg-a) || fail "no process runs as the keying daemon's user"
[ "$(wc -l <<<"$old")" = 1 ] || fail "more than one process runs as the keying daemon's user"

"$ROOT/lab/lab" exec bob iperf3 -s -1 >/dev/null 2>&1 &
BACKGROUND+=($!)
wait_for 5 "iperf3 on bob" listens bob 5201
lab exec alice timeout 60 iperf3 -c 192.2.0.66 -t 6 --json >"$SCRATCH/report" &
client=$!
BACKGROUND+=("$client")
carried() {
    [ "$(lab exec alice cat /sys/class/net/eth0/statistics/tx_bytes)" -gt 1000000 ]
}
wait_for 5 "the transfer" carried

kill -9 "$old"
begun=$(date +%s%N)
wait_for 3 "a new keying daemon" new_keyd
took=$((($(date +%s%N) - begun) / 1000000))
[ $took -le 1000 ] || fail "a new keying daemon took $took ms"
wait_for 5 "the tunnel in cygnet status" in_status
expect_verdict sg-a 192.2.0.66 encrypt

wait $client || fail "the transfer ended: $(grep error "$SCRATCH/report")"
python3 - "$SCRATCH/report" <<'CHECK' || fail "the transfer stood still for a second or more"
import json
import sys

report = json.load(open(sys.argv[1]))
sys.exit(any(i["sum"]["bytes"] == 0 for i in report["intervals"][:-1]))
CHECK
