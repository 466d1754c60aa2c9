#!/bin/bash
# OE-170: the name server falls silent and comes back. Flows that policy lets go in clear go on,
# those that it doesn't stop, and a tunnel that stands stays.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

bob=192.2.0.66 dave=192.3.0.68 carol=192.1.1.67

# ping_from HOST ADDRESS: one datagram, whatever becomes of it.
ping_from() {
    lab exec "$1" ping -n -c 1 -W 12 "$2" >/dev/null
}

echo 'policy: [{class: OE-paranoid, destination: 192.1.1.67}]' >"$SCRATCH/paranoid.yaml"
echo 'stub: {listen: 192.1.0.1}' >"$SCRATCH/stub.yaml"
lab up --quiet --ttl 10 --policy "sg-a=$SCRATCH/stub.yaml" --policy "sg-d=$SCRATCH/paranoid.yaml"
ping_from alice $bob || fail "no ping to bob"
expect_verdict sg-a $bob encrypt

lab stop dns
ping_from dave $carol &
paranoid=$!
begun=$SECONDS
ping_from alice $dave || fail "no ping to dave without DNS"
[ $((SECONDS - begun)) -le 12 ] || fail "dave's flow waited $((SECONDS - begun)) s for a dead server"
expect_verdict sg-a $dave pass
[ "$(why_field sg-a $dave dnssec)" = timeout ] || fail "DNS about dave: $(why_field sg-a $dave dnssec)"
ping_from alice $bob || fail "bob's tunnel fell with the name server"
expect_verdict sg-a $bob encrypt
! wait $paranoid || fail "OE-paranoid let a flow go without DNS"
expect_verdict sg-d $carol deny

# It comes back, and is used again. The stub resolver shows when: it asks through the same cache of
# servers.
lab start dns
again() {
    lab exec alice dig +time=2 +tries=1 +short @192.1.0.1 bob.example | grep -q $bob
}
wait_for 60 "an answer after the outage" again
ping_from alice 2001:db8:3::68 || fail "no ping to dave after the outage"
expect_verdict sg-a 2001:db8:3::68 encrypt
