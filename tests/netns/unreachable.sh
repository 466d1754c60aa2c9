#!/bin/bash
# OE-171: while SG-B's daemon is down its host answers every IKE message with "port unreachable", and
# then, with nothing at its address, the net says "host unreachable". SG-A takes neither for a failure:
# it goes on asking for as long as it waits for anybody, and the tunnel comes once the daemon is there.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
explain() {
    lab exec sg-a cygnet trace | tail -n 60
    echo
    lab exec sg-b cygnet trace | tail -n 30
}

bob=192.2.0.66

# told WHAT: how often the capture saw it.
told() {
    packets "$SCRATCH/wild.pcap" "$1"
}

port_unreachable() {
    [ "$(told 'icmp[0] == 3 and icmp[1] == 3 and src 192.1.1.5')" -ge 2 ]
}

still_keying() {
    [ "$(why_field sg-a $bob state)" = "Pending OE" ] || fail "$1: $(why_field sg-a $bob reason)"
    expect_verdict sg-a $bob hold
}

lab up --quiet
lab stop sg-b >/dev/null
capture sg-a "$SCRATCH/wild.pcap" 256
"$ROOT/lab/lab" exec alice ping -n -c 1 -W 30 $bob >"$SCRATCH/ping" &
ping=$!
BACKGROUND+=("$ping")
wait_for 10 "ICMP from SG-B's host" port_unreachable
still_keying "after 'port unreachable'"

lab exec sg-b ip link set outside arp off
lab exec sg-a ip neigh flush all
given_up_by_net() {
    lab exec sg-a ip neigh show 192.1.1.5 | grep -q FAILED
}
wait_for 10 "the net to give SG-B up" given_up_by_net
still_keying "after 'host unreachable'"

lab exec sg-b ip link set outside arp on
lab start sg-b >/dev/null
wait_for 20 "the tunnel" verdict_is sg-a $bob encrypt # message 1 goes again after 8 s and after 16
wait "$ping" || fail "the datagram held meanwhile was not delivered: $(cat "$SCRATCH/ping")"
[ "$(lab exec sg-a cygnet trace | grep -c 'Main Mode failed' || true)" = 0 ] ||
    fail "an attempt was given up"
