#!/bin/bash
# The parent and its children: each runs as its own user without capabilities; each is started again
# within a second when it is killed, and finds its partners; a second daemon is refused; an orderly stop
# leaves nothing behind.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

status() {
    lab exec sg-a cygnet status --json
}

# process ROLE MEMBER: what status says of a process.
process() {
    status | python3 -c "import json, sys; print(json.load(sys.stdin)['processes']['$1']['$2'])"
}

all_connected() {
    [ "$(status | python3 -c '
import json, sys
print(all(p["connected"] and p["pid"] for p in json.load(sys.stdin)["processes"].values()))')" = True ]
}

restarted() {
    local now
    now=$(process "$1" pid) && [ "$now" != "$2" ] && [ "$now" != 0 ] && all_connected
}

# kill_role ROLE: kill it and wait for the next one.
kill_role() {
    local old
    old=$(process "$1" pid)
    kill -9 "$old"
    wait_for 2 "a new $1" restarted "$1" "$old"
    [ "$1" = keyd ] || [ "$(process "$1" restarts)" -ge 1 ] || fail "no restart of $1 was counted"
}

lab up --quiet
wait_for 5 "all processes" all_connected

users=""
for role in keyd plane keeper resolver; do
    of="/proc/$(process $role pid)"
    grep -q '^CapEff:[[:space:]]*0*$' "$of/status" || fail "$role has capabilities"
    grep -q '^NoNewPrivs:[[:space:]]*1$' "$of/status" || fail "$role may gain privilege"
    users+="$(awk '/^Uid:/ {print $2; print $3; print $4}' "$of/status" | sort -u)
"
done
[ "$(sort -u <<<"$users" | grep -c .)" = 4 ] || fail "users are not four: $users"
! grep -qx 0 <<<"$users" || fail "a child runs as root"

# Every role dies once; each time what needs it works again.
kill_role resolver
lab exec alice ping -n -c 1 -W 10 192.1.1.67 >/dev/null || fail "clear traffic after the resolver died"
kill_role keeper
lab exec alice ping -n -c 1 -W 10 192.2.0.66 >/dev/null || fail "a tunnel after the keeper died"
expect_verdict sg-a 192.2.0.66 encrypt
kill_role keyd
expect_verdict sg-a 192.2.0.66 encrypt
lab exec alice ping -n -c 1 -W 10 192.3.0.68 >/dev/null || fail "a tunnel after keyd died"
kill_role plane
lab exec alice ping -n -c 1 -W 10 2001:db8:3::68 >/dev/null || fail "a tunnel after the plane died"

# One daemon a control socket.
config="$(lab path sg-a)/cygnet.yaml"
! lab exec sg-a cygnetd --config "$config" 2>"$SCRATCH/second" || fail "a second daemon was started"
grep -q 'port 500 is taken\|another cygnetd answers' "$SCRATCH/second" ||
    fail "the second daemon says: $(cat "$SCRATCH/second")"
wait_for 5 "the first daemon" all_connected

lab stop sg-a >/dev/null
[ ! -e "$(lab path sg-a)/control.sock" ] || fail "the control socket is still there"
[ -z "$(lab exec sg-a tc filter show dev outside egress)" ] || fail "the classifier is still there"
! lab exec sg-a ip link show oe0 >/dev/null 2>&1 || fail "oe0 is still there"
lab start sg-a >/dev/null
wait_for 5 "all processes of the next daemon" all_connected
