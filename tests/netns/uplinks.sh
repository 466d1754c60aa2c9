#!/bin/bash
# SG-A has two uplinks: "outside" straight on the public net, preferred, and "second" through a router (carol),
# which at the end does NAT. A TCP transfer and 100 datagrams a second run while links are lost and restored, and
# an interface goes and comes back: the connection inside never notices, and nothing leaves in clear. ADR-044
#
#   alice -- sg-a -- outside 192.1.1.4 --------------------- wild -- sg-b 192.1.1.5 -- bob
#                 \- second 192.7.0.4 -- carol 192.1.1.67 ---/
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/moving.sh
. "$(dirname "$0")/lib/moving.sh"

lose() { lab exec sg-a ip link set outside down; }
unplug() { lab exec wild ip link set sg-a down; } # its carrier goes

# Back comes the better uplink; it is taken once it has answered for a while, with the other one still live.
restore() {
    lab exec wild ip link set sg-a up
    lab exec sg-a ip link set outside up
    routes outside
    wait_for 8 "the fail-back" at 192.1.1.4 192.1.1.5
}

lose_and_wait() {
    "$1"
    wait_for 4 "the fail-over" at "$2" 192.1.1.5
}

reaches() { lab exec alice ping -n -c 1 -W 1 "$1"; }
log_says() { grep -q "$1" "$(lab path sg-a)/log"; }

two_uplinks
log_says 'there is no interface second yet' || fail "nobody says that an interface is missing"
office
at 192.1.1.4 192.1.1.5 || fail "it began elsewhere"
capture sg-a "$SCRATCH/outside.pcap"
second_capture() {
    "$ROOT/lab/lab" exec carol tcpdump --immediate-mode -i outside -n -s 128 -B 65536 -U -Z root -w "$SCRATCH/second.pcap" \
        2>"$SCRATCH/second.log" &
    BACKGROUND+=("$!")
    wait_for 5 "tcpdump on carol" grep -q 'listening on' "$SCRATCH/second.log"
}
second_capture
second
wait_for 3 "the classifier on the second uplink" log_says 'second has come; the classifier is on it'
lab exec sg-a cygnet status | grep -q 'uplinks .*outside live 192.1.1.4.*second live 192.7.0.4' ||
    fail "status doesn't tell"

under 'uplink lost: fail-over' 20 1000 2 lose_and_wait lose 192.7.0.4
under 'uplink restored: fail-back' 0 500 7 restore
# The kernel tells of carriers once a second at most.
under 'carrier lost: fail-over' 130 1700 3 lose_and_wait unplug 192.7.0.4
reaches 192.7.0.1 >/dev/null || fail "clear traffic does not leave by the second uplink"
expect_verdict sg-a 192.7.0.1 pass

# The only uplink left goes, and another one with its name comes while nobody is there to see it.
parent=$(cut -d' ' -f1 "$(lab path pids)/sg-a")
kill -STOP "$parent"
lab exec sg-a ip link del second
second
if reaches $bob >/dev/null; then fail "something left by an interface without a classifier"; fi
kill -CONT "$parent"
wait_for 5 "the tunnel by the new interface" reaches $bob
at 192.7.0.4 192.1.1.5 || fail "it is elsewhere"
[ "$(tunnel sg-a spi_out)" = "$spi" ] || fail "the tunnel was made anew"
restore

# And now with a NAT in the way.
lab exec carol nft 'table ip nat { chain out { type nat hook postrouting priority srcnat
    ip saddr 192.7.0.0/24 oifname "outside" masquerade; }; }'
behind_nat() { [ "$(addresses sg-a local)" = 192.7.0.4 ] && [ "$(addresses sg-b peer)" = 192.1.1.67 ]; }
into_nat() {
    lose
    wait_for 4 "the move behind the NAT" behind_nat
}
under 'moved behind a NAT' 50 1500 2.5 into_nat
under 'and out again' 0 500 7 restore

# Inner addresses are seen nowhere; the clear flow above is between others.
INNER='net 192.2.0.0/24'
end_capture "$SCRATCH/outside.pcap"
only_protected "$SCRATCH/outside.pcap"
[ "$(packets "$SCRATCH/second.pcap" "$INNER")" = 0 ] || fail "inner addresses beyond the second uplink"
[ "$(packets "$SCRATCH/second.pcap" 'ip proto 50')" -gt 0 ] || fail "the tunnel was never seen beyond the second uplink"
