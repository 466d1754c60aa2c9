#!/bin/bash
# A configured IKEv2 tunnel whose ends change their addresses under a TCP connection and a UDP stream of 100
# datagrams a second: the connection inside never notices. How many datagrams were lost and how long nothing
# came is printed; no SA is made anew.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

bob=192.2.0.66

explain() {
    for gateway in sg-a sg-b; do
        echo "--- $gateway"
        lab exec $gateway cygnet status
        lab exec $gateway cygnet trace | tail -n 40
    done
}

configure() {
    local file
    file=$(lab path "$1")/cygnet.yaml
    { echo; cat; } >>"$file"
    lab exec "$1" cygnet check "$file" >"$SCRATCH/check" || fail "$1: $(cat "$SCRATCH/check")"
    lab exec "$1" cygnet reload >/dev/null || fail "$1 refused its configuration"
}

tunnel() {
    lab exec "$1" cygnet status --json | python3 -c '
import json, sys
for c in json.load(sys.stdin)["connections"]:
    for t in c["tunnels"]:
        if t["state"] == "up":
            print(t.get(sys.argv[1], ""))
            sys.exit()
sys.exit(1)' "$2"
}

# addresses GATEWAY FIELD: of its only IKE SA.
addresses() {
    lab exec "$1" cygnet status --json | python3 -c '
import json, sys
for g in json.load(sys.stdin)["gateways"]:
    if "addresses" in g:
        print({"local": g["addresses"]["local"], "peer": g["peer"], "state": g["addresses"]["state"],
               "moves": g["addresses"]["moves"]}[sys.argv[1]])' "$2"
}

at() { # LOCAL PEER: sg-a's pair, and sg-b's the other way round
    [ "$(addresses sg-a local)" = "$1" ] && [ "$(addresses sg-a peer)" = "$2" ] &&
        [ "$(addresses sg-b local)" = "$2" ] && [ "$(addresses sg-b peer)" = "$1" ]
}

# Routes go with the address that they were found through; a host's own configuration daemon would do this. The
# next hop is one that stays: what is sent to it goes into the tunnel.
routes() { # GATEWAY
    local net=192.2.0.0/24
    [ "$1" = sg-a ] || net=192.1.0.0/24
    lab exec "$1" ip route replace $net via 192.1.1.6
}

# under WHAT LOST PAUSE COMMAND...: the streams run while COMMAND does; at most so many lost, at most such a pause.
under() {
    local what=$1 most=$2 most_ms=$3 receiver sender
    shift 3
    port=$((port + 1))
    "$ROOT/lab/lab" exec bob python3 "$ROOT/tests/netns/stream.py" receive $bob $port >"$SCRATCH/received" &
    receiver=$!
    BACKGROUND+=("$receiver")
    wait_for 5 "the receiver" listens bob $port
    "$ROOT/lab/lab" exec alice timeout 60 python3 "$ROOT/tests/netns/stream.py" send $bob $port 6 >"$SCRATCH/sent" &
    sender=$!
    BACKGROUND+=("$sender")
    streams() { [ "$(lab exec bob ss -tnH state established "sport = :$port" | wc -l)" -gt 0 ]; }
    wait_for 5 "the stream" streams
    lab exec alice ping -n -c 10 -i 0.1 $bob >/dev/null || fail "$what: no stream to begin with"
    "$@"
    wait $sender || fail "$what: the sender did not end"
    wait $receiver || fail "$what: the receiver did not end"
    read -r sent lost pause octets digest <"$SCRATCH/received"
    echo "$what: $lost of $sent datagrams lost, longest pause $pause ms"
    [ "$octets $digest" = "$(cat "$SCRATCH/sent")" ] || fail "$what: other octets came than were sent"
    [ "$lost" -le "$most" ] || fail "$what: $lost datagrams lost"
    [ "$pause" -le "$most_ms" ] || fail "$what: a pause of $pause ms"
    [ "$(tunnel sg-a spi_out)" = "$spi" ] || fail "$what: the tunnel was made anew"
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

twice() { # two hand-overs before the first is through
    replace sg-a 192.1.1.34 192.1.1.44
    replace sg-a 192.1.1.44 192.1.1.54
}


port=5300
lab up --quiet
for gateway in sg-a sg-b; do
    lab exec $gateway sysctl -qw net.ipv4.conf.outside.promote_secondaries=1
    routes $gateway
done
install -m 600 /dev/null "$SCRATCH/secret"
echo 'correct horse battery staple' >"$SCRATCH/secret"
configure sg-b <<YAML
connections:
  - name: office
    version: 2
    local: {id: "@b.test", auth: psk}
    remote: {id: "@a.test", auth: psk}
    secret-file: $SCRATCH/secret
    children: [{name: lan, local: 192.2.0.0/24, remote: 192.1.0.0/24, start: never}]
YAML
configure sg-a <<YAML
connections:
  - name: office
    version: 2
    local: {id: "@a.test", auth: psk}
    remote: {address: 192.1.1.5, id: "@b.test", auth: psk}
    secret-file: $SCRATCH/secret
    dpd: 2
    children: [{name: lan, local: 192.1.0.0/24, remote: 192.2.0.0/24, start: at-once}]
YAML
wait_for 10 "the tunnel" tunnel sg-a spi_out
spi=$(tunnel sg-a spi_out)
at 192.1.1.4 192.1.1.5 || fail "it began elsewhere"

under 'address replaced' 50 1000 replace sg-a 192.1.1.4 192.1.1.14
at 192.1.1.14 192.1.1.5 || fail "not at the new address"
under 'address gone, then another' 200 3000 gap sg-a 192.1.1.14 192.1.1.24
at 192.1.1.24 192.1.1.5 || fail "not at the new address"
under 'link down, then up elsewhere' 250 3500 down_and_up 192.1.1.24 192.1.1.34
at 192.1.1.34 192.1.1.5 || fail "not at the new address"
under 'two hand-overs at once' 40 1000 twice
at 192.1.1.54 192.1.1.5 || fail "not at the new address"
under 'the other end replaced' 300 3500 replace sg-b 192.1.1.5 192.1.1.15
at 192.1.1.54 192.1.1.15 || fail "not at the peer's new address"

# keyd dies and comes back; the next change is followed all the same.
kill -9 "$(status_field sg-a processes keyd pid)"
knows() { [ "$(tunnel sg-a spi_out)" = "$spi" ] && at 192.1.1.54 192.1.1.15; }
wait_for 5 "the new keyd to know the tunnel" knows
under 'replaced after keyd was' 50 1000 replace sg-a 192.1.1.54 192.1.1.64
at 192.1.1.64 192.1.1.15 || fail "not at the new address"
lab exec sg-a cygnet status | grep -q 'moved .* time' || fail "status doesn't tell"
lab exec sg-a cygnet trace | grep -q 'Addresses changed' || fail "the trace doesn't tell"

# A person asks, through the plane; and the plane asks itself where it can't send any more (SADB_X_ADDUPD, ADR-099).
lab exec sg-a ip address add 192.1.1.74/24 dev outside
owns() { lab exec sg-a cygnet move office 192.1.1.74 >/dev/null && at 192.1.1.74 192.1.1.15; }
wait_for 5 "the tunnel to move as asked" owns
lab exec sg-a cygnet move nowhere 192.1.1.74 2>"$SCRATCH/refused" && fail "a connection that isn't there moved"
grep -q 'no tunnel of that name is up' "$SCRATCH/refused" || fail "$(cat "$SCRATCH/refused")"
asked() { status_field sg-a plane address_updates_asked; }
before=$(asked)
keyd=$(status_field sg-a processes keyd pid)
kill -STOP "$keyd"
replace sg-a 192.1.1.74 192.1.1.84
lab exec alice ping -n -c 5 -i 0.1 -W 1 $bob >/dev/null || true # what tries to leave from the old address
kill -CONT "$keyd"
follows() { at 192.1.1.84 192.1.1.15 || at 192.1.1.64 192.1.1.15; }
wait_for 5 "the tunnel to leave the address that is gone" follows
more() { [ "$(asked)" -gt "$before" ]; }
wait_for 5 "the plane's own question" more
lab exec alice ping -n -c 3 -i 0.1 $bob >/dev/null || fail "no way after the plane asked"
