#!/bin/bash
# A configured IKEv2 tunnel whose ends change their addresses under a TCP connection and a UDP stream of 100
# datagrams a second: the connection inside never notices. How many datagrams were lost and how long nothing
# came is printed; no SA is made anew. ADR-001, ADR-003, ADR-014
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/moving.sh
. "$(dirname "$0")/lib/moving.sh"

# Routes go with the address that they were found through; a host's own configuration daemon would do this. The
# next hop is one that stays: what is sent to it goes into the tunnel.
routes() { # GATEWAY
    local net=192.2.0.0/24
    [ "$1" = sg-a ] || net=192.1.0.0/24
    lab exec "$1" ip route replace $net via 192.1.1.6
}

replace() { # HOST OLD NEW: the new one first
    lab exec "$1" sh -ec "ip address add $3/24 dev outside; ip address del $2/24 dev outside"
}

gap() { # HOST OLD NEW: for a quarter of a second there is none
    lab exec "$1" sh -ec "ip address del $2/24 dev outside; sleep 0.25; ip address add $3/24 dev outside
        ip route replace 192.2.0.0/24 via 192.1.1.6"
}

down_and_up() { # OLD NEW: the link goes, and comes back in another place
    lab exec sg-a sh -ec "ip link set outside down; ip address del $1/24 dev outside; sleep 0.25
        ip link set outside up; ip address add $2/24 dev outside
        ip route replace 192.2.0.0/24 via 192.1.1.6"
}

# Two hand-overs inside one round trip: the first update is overtaken, and its answer counts for nothing.
twice() {
    lab exec sg-a sh -ec "ip address add 192.1.1.44/24 dev outside; ip address del 192.1.1.34/24 dev outside
        sleep 0.03; ip address add 192.1.1.54/24 dev outside; ip address del 192.1.1.44/24 dev outside"
}

# Neither end can be reached where the other thinks it is: they meet at the addresses that both told and kept, or
# at the new ones if both hear of them in time.
both() {
    replace sg-a 192.1.1.64 192.1.1.74 &
    replace sg-b 192.1.1.15 192.1.1.25
    wait $!
}

lab up --quiet
for gateway in sg-a sg-b; do
    lab exec $gateway sysctl -qw net.ipv4.conf.outside.promote_secondaries=1
    lab exec $gateway ip -6 address flush dev outside scope global
    routes $gateway
done
office
at 192.1.1.4 192.1.1.5 || fail "it began elsewhere"

under 'address replaced' 20 500 2 replace sg-a 192.1.1.4 192.1.1.14
at 192.1.1.14 192.1.1.5 || fail "not at the new address"
under 'address gone, then another' 60 1500 2.5 gap sg-a 192.1.1.14 192.1.1.24
at 192.1.1.24 192.1.1.5 || fail "not at the new address"
under 'link down, then up elsewhere' 60 1500 2.5 down_and_up 192.1.1.24 192.1.1.34
at 192.1.1.34 192.1.1.5 || fail "not at the new address"
under 'the other end replaced' 100 1500 2.5 replace sg-b 192.1.1.5 192.1.1.15
at 192.1.1.34 192.1.1.15 || fail "not at the peer's new address"

between sg-b 50
under 'two hand-overs inside one round trip of 100 ms' 40 1000 2.5 twice
at 192.1.1.54 192.1.1.15 || fail "not at the new address"

# keyd dies and comes back; the next change is followed all the same.
kill -9 "$(status_field sg-a processes keyd pid)"
knows() { [ "$(tunnel sg-a spi_out)" = "$spi" ] && at 192.1.1.54 192.1.1.15; }
wait_for 5 "the new keyd to know the tunnel" knows
under 'replaced after keyd was, 100 ms away' 40 1000 2 replace sg-a 192.1.1.54 192.1.1.64
at 192.1.1.64 192.1.1.15 || fail "not at the new address"

lab exec sg-a ip address add 2001:db8:ff::4/64 dev outside nodad
lab exec sg-b ip address add 2001:db8:ff::5/64 dev outside nodad
told() { lab exec sg-a cygnet status | grep -q '2001:db8:ff::5'; }
wait_for 5 "the other address to be told" told
under 'both ends at once, 100 ms away' 400 5000 6 both
at 2001:db8:ff::4 2001:db8:ff::5 || at 192.1.1.74 192.1.1.25 || fail "they did not meet: $(addresses sg-a local) $(addresses sg-a peer)"
lab exec sg-a cygnet status | grep -q 'moved .* time' || fail "status doesn't tell"
lab exec sg-a cygnet trace | grep -q 'Addresses changed' || fail "the trace doesn't tell"

# A person asks, through the plane; and the plane asks itself where it can't send any more (SADB_X_ADDUPD, ADR-099).
lab exec sg-a ip address add 192.1.1.94/24 dev outside
owns() { lab exec sg-a cygnet move office 192.1.1.94 192.1.1.25 >/dev/null && at 192.1.1.94 192.1.1.25; }
wait_for 5 "the tunnel to move as asked" owns
lab exec sg-a cygnet move nowhere 192.1.1.94 2>"$SCRATCH/refused" && fail "a connection that isn't there moved"
grep -q 'no tunnel of that name is up' "$SCRATCH/refused" || fail "$(cat "$SCRATCH/refused")"
asked() { status_field sg-a plane address_updates_asked; }
before=$(asked)
keyd=$(status_field sg-a processes keyd pid)
kill -STOP "$keyd"
replace sg-a 192.1.1.94 192.1.1.84
lab exec alice ping -n -c 5 -i 0.1 -W 1 $bob >/dev/null || true # what tries to leave from the old address
kill -CONT "$keyd"
follows() { ! at 192.1.1.94 192.1.1.25; }
wait_for 5 "the tunnel to leave the address that is gone" follows
more() { [ "$(asked)" -gt "$before" ]; }
wait_for 5 "the plane's own question" more
lab exec alice ping -n -c 3 -i 0.1 $bob >/dev/null || fail "no way after the plane asked"
