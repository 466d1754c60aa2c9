#!/bin/bash
# Two Cygnets that speak the address management draft: hand-overs at either end under a TCP connection and a
# UDP stream of 100 datagrams a second, and one child of two that stays behind. The connection never notices;
# no SA is made anew.
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

spi_out() {
    lab exec sg-a cygnet status --json | python3 -c '
import json, sys
spis = [t["spi_out"] for c in json.load(sys.stdin)["connections"] for t in c["tunnels"] if t["state"] == "up"]
print(*sorted(spis))
sys.exit(len(spis) != 2)'
}

at() { # LOCAL PEER of sg-a, and sg-b's the other way round; both by the draft
    local gateway
    for gateway in sg-a sg-b; do
        lab exec $gateway cygnet status --json | python3 -c '
import json, sys
pairs = [(g["addresses"]["local"], g["peer"], g["addresses"]["by"], g["addresses"]["state"])
         for g in json.load(sys.stdin)["gateways"] if "addresses" in g]
sys.exit(pairs != [(sys.argv[1], sys.argv[2], "addrmgmt-06", "in use")])' "$1" "$2" || return 1
        set -- "$2" "$1"
    done
}

# Routes go with the address that they were found through; a host's own configuration daemon would do this.
replace() { # HOST OLD NEW: the new one first
    lab exec "$1" sh -ec "ip address add $3/24 dev outside; ip address del $2/24 dev outside"
}

hand_overs() {
    replace sg-a 192.1.1.4 192.1.1.14
    wait_for 3 "the first address" at 192.1.1.14 192.1.1.5
    replace sg-a 192.1.1.14 192.1.1.24 # and before that is through:
    replace sg-a 192.1.1.24 192.1.1.34
    wait_for 3 "the third address" at 192.1.1.34 192.1.1.5
    replace sg-b 192.1.1.5 192.1.1.15
    wait_for 3 "the peer's new address" at 192.1.1.34 192.1.1.15
}

lab up --quiet
for gateway in sg-a sg-b; do
    lab exec $gateway sysctl -qw net.ipv4.conf.outside.promote_secondaries=1
done
lab exec sg-a ip route replace 192.2.0.0/24 via 192.1.1.6
lab exec sg-b ip route replace 192.1.0.0/24 via 192.1.1.6
install -m 600 /dev/null "$SCRATCH/secret"
echo 'correct horse battery staple' >"$SCRATCH/secret"
configure sg-b <<YAML
connections:
  - name: office
    version: 2
    address-management: auto
    local: {id: "@b.test", auth: psk}
    remote: {id: "@a.test", auth: psk}
    secret-file: $SCRATCH/secret
    children:
      - {name: lan, local: 192.2.0.0/24, remote: 192.1.0.0/24, start: never}
      - {name: signalling, local: 10.9.2.0/24, remote: 10.9.1.0/24, start: never}
YAML
configure sg-a <<YAML
connections:
  - name: office
    version: 2
    address-management: draft
    local: {id: "@a.test", auth: psk}
    remote: {address: 192.1.1.5, id: "@b.test", auth: psk}
    secret-file: $SCRATCH/secret
    dpd: 2
    children:
      - {name: lan, local: 192.1.0.0/24, remote: 192.2.0.0/24, start: at-once}
      - {name: signalling, local: 10.9.1.0/24, remote: 10.9.2.0/24, start: at-once, moves: no}
YAML
wait_for 10 "both tunnels" spi_out
spis=$(spi_out)
at 192.1.1.4 192.1.1.5 || fail "it began elsewhere, or under MOBIKE"

"$ROOT/lab/lab" exec bob python3 "$ROOT/tests/netns/stream.py" receive $bob 5300 >"$SCRATCH/received" &
receiver=$!
BACKGROUND+=("$receiver")
wait_for 5 "the receiver" listens bob 5300
"$ROOT/lab/lab" exec alice timeout 60 python3 "$ROOT/tests/netns/stream.py" send $bob 5300 8 >"$SCRATCH/sent" &
sender=$!
BACKGROUND+=("$sender")
streams() { [ "$(lab exec bob ss -tnH state established "sport = :5300" | wc -l)" -gt 0 ]; }
wait_for 5 "the stream" streams
hand_overs
wait $sender || fail "the sender did not end"
wait $receiver || fail "the receiver did not end"
read -r sent lost pause octets digest <"$SCRATCH/received"
echo "four hand-overs: $lost of $sent datagrams lost, longest pause $pause ms"
[ "$octets $digest" = "$(cat "$SCRATCH/sent")" ] || fail "other octets came than were sent"
[ "$lost" -le 200 ] || fail "$lost datagrams lost"
[ "$pause" -le 2000 ] || fail "a pause of $pause ms"
[ "$(spi_out)" = "$spis" ] || fail "a tunnel was made anew"
lab exec sg-a cygnet status | grep -q 'by addrmgmt-06' || fail "status doesn't tell"
lab exec sg-b cygnet trace >"$SCRATCH/trace"
grep -q 'Update done' "$SCRATCH/trace" || fail "the trace doesn't tell"
grep -q 'PEER_ADDRESS_SOURCE MARK 192.1.1.34' "$SCRATCH/trace" || fail "the trace doesn't show addresses"
grep -q 'U(IKE) U(ESP 1 SPI)' "$SCRATCH/trace" || fail "the trace doesn't show what moved"
lab exec sg-b cygnet trace --ladder --flow 192.1.1.4,192.1.1.5 >"$SCRATCH/ladder"
for word in 'MARK 192.1.1.34' 'U(IKE) U(ESP 1 SPI)' RR_COOKIE 'U(all)'; do
    grep -qF "$word" "$SCRATCH/ladder" || fail "no $word in the ladder: $(cat "$SCRATCH/ladder")"
done
