#!/bin/bash
# A new configuration under a transfer: the transfer goes on, a flow whose policy changed changes at
# once, a flow whose policy did not is left alone, and a mistake is refused with its place.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# policy LINES: rewrite sg-a's configuration with other policy lines.
policy() {
    local config
    config=$(lab path sg-a)/cygnet.yaml
    sed -i '/^policy:/,$d' "$config"
    printf 'policy:\n%s\n' "$1" >>"$config"
}

reload() {
    lab exec sg-a cygnet reload >"$SCRATCH/reload" 2>&1
}

spi_of() {
    why_field sg-a "$1" spi_out
}

lab up --quiet
policy '  - {class: OE-permissive}'
reload || fail "the first reload: $(cat "$SCRATCH/reload")"
lab exec alice ping -n -c 1 -W 10 192.2.0.66 >/dev/null || fail "no tunnel to bob"
lab exec alice ping -n -c 1 -W 10 192.3.0.68 >/dev/null || fail "no tunnel to dave"
before=$(spi_of 192.2.0.66)

"$ROOT/lab/lab" exec bob iperf3 -s -1 >/dev/null 2>&1 &
BACKGROUND+=($!)
wait_for 5 "iperf3 on bob" listens bob 5201
lab exec alice timeout 60 iperf3 -c 192.2.0.66 -t 5 --json >"$SCRATCH/report" &
client=$!
BACKGROUND+=("$client")
carried() {
    [ "$(lab exec alice cat /sys/class/net/eth0/statistics/tx_bytes)" -gt 1000000 ]
}
wait_for 5 "the transfer" carried

# Dave's flow becomes denied, Bob's keeps its class under another name.
policy '  - {class: OE-permissive, name: renamed}
  - {class: deny, destination: 192.3.0.0/24}'
reload || fail "the second reload: $(cat "$SCRATCH/reload")"
expect_verdict sg-a 192.3.0.68 deny
! lab exec alice ping -n -c 1 -W 1 192.3.0.68 >/dev/null || fail "a denied flow passes"
[ "$(why_field sg-a 192.2.0.66 class)" = renamed ] || fail "bob's flow doesn't know its class"

# A mistake: told with file and line, and nothing changes.
policy '  - {class: OE-permisive}'
! reload || fail "a mistake was accepted"
grep -q 'cygnet.yaml:[0-9]*:[0-9]*: .*did you mean' "$SCRATCH/reload" ||
    fail "the mistake isn't told: $(cat "$SCRATCH/reload")"
expect_verdict sg-a 192.3.0.68 deny

# The same by SIGHUP: Dave's flow is let go in clear.
policy '  - {class: OE-permissive}
  - {class: always-clear-text, destination: 192.3.0.0/24}'
kill -HUP "$(cut -d' ' -f1 "$(lab path sg-a)/../pids/sg-a")"
let_go() {
    [ "$(why_field sg-a 192.3.0.68 verdict)" = pass ]
}
wait_for 5 "the flow to dave in clear" let_go

wait $client || fail "the transfer ended: $(grep error "$SCRATCH/report")"
python3 - "$SCRATCH/report" <<'CHECK' || fail "the transfer stood still for a second or more"
import json
import sys

report = json.load(open(sys.argv[1]))
sys.exit(any(i["sum"]["bytes"] == 0 for i in report["intervals"][:-1]))
CHECK
[ "$(spi_of 192.2.0.66)" = "$before" ] || fail "bob's tunnel was made anew"
