#!/bin/bash
# The life of a tunnel with lifespans of seconds, in the lab: out of use it is torn down, which both ends
# see; what one of them uses stays at both; and when both tear it down at once their Deletes cross.
# OE-075 OE-076 OE-081 OE-096 OE-097 OE-098 OE-103
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# On failure, what both did last.
explain() {
    lab exec sg-a cygnet trace | tail -n 15
    echo
    lab exec sg-b cygnet trace | tail -n 15
}

# told GATEWAY TEXT: how often its trace says so.
told() {
    lab exec "$1" cygnet trace | grep -c -- "$2" || true
}

flows() {
    status_field "$1" flows encrypt
}

# Neither a tunnel nor one that waits for its Delete. (When both ends began a tunnel together, the exchange
# that came second may still be waiting for its last message.)
no_flows() {
    local gateway
    for gateway in sg-a sg-b; do
        lab exec $gateway cygnet status --json | python3 -c '
import json, sys
states = [tunnel["state"] for tunnel in json.load(sys.stdin)["tunnels"]]
sys.exit(any(state in ("Keyed", "Expiring", "Expired") for state in states))' || return 1
    done
}

echo 'lifespans: {first: 6, normal: 8}' >"$SCRATCH/long.yaml"
echo 'lifespans: {first: 3, normal: 8}' >"$SCRATCH/short.yaml"

# --- Idle: SG-B looks first, finds it out of use and deletes; SG-A hears of it and answers.
lab up --quiet --policy "sg-a=$SCRATCH/long.yaml" --policy "sg-b=$SCRATCH/short.yaml"
lab exec alice ping -n -c 1 -W 10 192.2.0.66 >/dev/null || fail "no tunnel to begin with"
[ "$(flows sg-a)" = 1 ] && [ "$(flows sg-b)" = 1 ] || fail "not one tunnel at each end"
wait_for 8 "the end of an idle tunnel at both ends" no_flows
[ "$(told sg-b 'Expiring -> Expired')" = 1 ] || fail "SG-B did not find the tunnel out of use"
[ "$(told sg-a 'Keyed -> Expired: 192.1.1.5 has deleted')" = 1 ] || fail "SG-A was not told by SG-B"
for gateway in sg-a sg-b; do
    [ "$(told $gateway 'Delete of 1 ESP')" = 1 ] || fail "$gateway sent not one Delete"
done
[ "$(status_field sg-a ike_sas established)" = 1 ] || fail "phase 1 is gone too"

# --- One way: only alice speaks, UDP that nobody answers; SG-B's lifespan is the shorter and it only
# receives. The tunnel stays at both ends as long as she does, for three lifespans and more.
"$ROOT/lab/lab" exec alice timeout 14 python3 -c '
import socket, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
    for _ in range(120):
        out.sendto(b"one way", ("192.2.0.66", 9))
        time.sleep(0.1)' &
talk=$!
BACKGROUND+=("$talk")
lab exec bob nft 'add table ip quiet; add chain ip quiet out { type filter hook output priority 0; };
    add rule ip quiet out ip daddr 192.1.0.65 icmp type destination-unreachable drop'
tunnel_up() {
    [ "$(flows sg-a)" = 1 ] && [ "$(flows sg-b)" = 1 ]
}
wait_for 5 "the tunnel of one-way traffic" tunnel_up
first=$(lab exec sg-b cygnet status | grep -o 'SPI in [0-9a-f]*')
while kill -0 $talk 2>/dev/null; do
    tunnel_up || fail "one-way traffic did not keep the tunnel"
    sleep 0.5
done
[ "$(lab exec sg-b cygnet status | grep -o 'SPI in [0-9a-f]*')" = "$first" ] ||
    fail "one-way traffic did not keep the same tunnel"
wait_for 20 "the end of the tunnel when she falls silent" no_flows
lab down

# --- Both at once: both keying daemons stand still while the lifespan ends, then go on together. Sooner
# or later both find it over before they hear of each other.
ended() {
    told "$1" 'Expiring -> Expired'
}

crossed=no
keying_daemons() {
    echo "$(status_field sg-a processes keyd pid) $(status_field sg-b processes keyd pid)"
}

echo 'lifespans: {first: 2}' >"$SCRATCH/both.yaml"
lab up --quiet --policy "$SCRATCH/both.yaml"
keyds=$(keying_daemons)
for try in {1..12}; do
    at_a=$(ended sg-a) at_b=$(ended sg-b)
    lab exec alice ping -n -c 1 -W 10 192.2.0.66 >/dev/null || fail "no tunnel in try $try"
    # shellcheck disable=SC2086
    kill -STOP $keyds
    sleep 2.2
    # shellcheck disable=SC2086
    kill -CONT $keyds
    wait_for 8 "the end of the tunnel at both ends" no_flows
    [ "$(ended sg-a)" -le "$at_a" ] || [ "$(ended sg-b)" -le "$at_b" ] || crossed=yes
    [ $crossed = no ] || break
done
[ $crossed = yes ] || fail "in none of $try tries did both ends delete"
echo "Deletes crossed in try $try"
for gateway in sg-a sg-b; do
    [ "$(status_field $gateway counters gave-up)" = 0 ] ||
        fail "$gateway waited in vain for an answer to its Delete"
done
lab exec alice ping -n -c 1 -W 10 192.2.0.66 >/dev/null || fail "no tunnel after crossed Deletes"
