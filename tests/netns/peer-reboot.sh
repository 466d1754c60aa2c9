#!/bin/bash
# All of a gateway is killed at once and started again: it remembers whom it had tunnels with and sends
# them INITIAL-CONTACT; they drop what leads nowhere, and traffic flows again within seconds, although
# nobody behind the rebooted gateway sends anything. OE-175 OE-176
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

said() {
    lab exec "$1" cygnet trace | grep -c "$2" || true
}

has_said() {
    [ "$(said "$1" "$2")" -ge 1 ]
}

lab up --quiet
lab exec alice ping -n -c 1 -W 10 192.2.0.66 >/dev/null || fail "no tunnel to begin with"
state=$(lab path sg-b)/state
sleep 1.5 # the list of peers is written a second after it changes
[ "$(stat -c '%a %u' "$state/peers.db")" = "600 61100" ] || fail "who may read the list of peers"
! grep -qi private "$state"/* || fail "a key on disk"

capture sg-b "$SCRATCH/pcap"
kill -9 -- "-$(cut -d' ' -f1 "$state/../../pids/sg-b")"
! lab exec alice ping -n -c 3 -i 0.2 -W 1 192.2.0.66 >/dev/null || fail "sg-b is still there"
expect_verdict sg-a 192.2.0.66 encrypt
lab start sg-b >/dev/null
begun=$(date +%s%N)
wait_for 10 "traffic through the rebooted gateway" lab exec alice ping -n -c 1 -W 1 192.2.0.66
took=$((($(date +%s%N) - begun) / 1000000))
[ $took -le 6000 ] || fail "it took $took ms until traffic flowed again"

has_said sg-b "Former partner" || fail "sg-b told nobody that it restarted"
has_said sg-a "INITIAL-CONTACT" || fail "sg-a heard nothing"
expect_verdict sg-a 192.2.0.66 encrypt
expect_verdict sg-b 192.1.0.65 encrypt
end_capture "$SCRATCH/pcap"
only_protected "$SCRATCH/pcap"

# An orderly stop leaves nobody to tell.
lab stop sg-b >/dev/null
lab start sg-b >/dev/null
lab exec alice ping -n -c 1 -W 10 192.2.0.66 >/dev/null || fail "no tunnel after an orderly restart"
sleep 2
[ "$(said sg-b 'Former partner')" = 0 ] || fail "sg-b told peers it had taken leave of"
