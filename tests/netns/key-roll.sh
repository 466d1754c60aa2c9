#!/bin/bash
# OE-153, OE-154, OE-155, OE-156: SG-B rolls its key over without a lost packet. The second key is
# published beside the first, the gateway changes to it when every cache can have seen it, and then
# the first is withdrawn. Alice pings Bob all the time; each phase makes new gateways key anew.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

ttl=2 sg_b=192.1.1.5 bob=192.2.0.66
cygnet=$CYGNET_BUILD/src/cli/cygnet

# records KEYFILE: what SG-B publishes of a key, for its IPv4 client.
records() {
    "$cygnet" keys dns --key "$1" --address $sg_b --client $bob --ipseckey
}

# publish KEYFILE...: these keys and no others.
publish() {
    local lines=() line file
    for file in "$@"; do
        while IFS= read -r line; do lines+=("$line"); done < <(records "$file")
    done
    lab zone --remove '5.1.1.192.in-addr.arpa. KEY' --remove '66.0.2.192.in-addr.arpa. TXT' \
        --remove '66.0.2.192.in-addr.arpa. IPSECKEY' "${lines[@]}"
    sleep $((ttl + 1)) # what the caches hold has ended: this is the wait that a roll-over is made of
}

key_name() {
    "$cygnet" keys show --key "$1" | grep -oE 'RSA-[0-9]+ [0-9a-f]{8}' | head -n 1
}

# keyed_anew KEYFILE: SG-D, which remembers nothing, reaches Bob, and SG-B proves this key.
keyed_anew() {
    lab stop sg-d
    lab start sg-d
    lab exec dave ping -n -c 1 -W 10 $bob >/dev/null || fail "dave does not reach bob"
    expect_verdict sg-d $bob encrypt
    lab exec sg-d cygnet trace | grep -q "Peer authenticated:.*$(key_name "$1")" ||
        fail "sg-b did not prove the key $(key_name "$1")"
}

# keeper_is_new COUNT: has the keeper started again, so often?
keeper_is_new() {
    [ "$(lab exec sg-b cygnet status --json |
        python3 -c 'import json, sys; k = json.load(sys.stdin)["processes"]["keeper"]; print(k["restarts"], k["connected"])')" = "$1 True" ]
}

echo 'lifespans: {first: 4, normal: 4}' >"$SCRATCH/short.yaml"
lab up --quiet --ttl $ttl --policy "sg-a=$SCRATCH/short.yaml"
old=$SCRATCH/old.pem new=$SCRATCH/new.pem file=$(lab path sg-b)/private.pem
cp "$file" "$old"
"$cygnet" keys new --out "$new" >/dev/null

lab exec alice ping -n -c 1 -W 10 $bob >/dev/null || fail "alice does not reach bob"
"$ROOT/lab/lab" exec alice ping -n -i 0.05 -W 2 -w 100 $bob >"$SCRATCH/ping" &
ping=$!
BACKGROUND+=("$ping")

keyed_anew "$old"
publish "$old" "$new"
keyed_anew "$old"

# A file that is no key is refused, and the old key signs on, in a keeper that has to start again too.
echo 'not a key' >"$file"
! lab exec sg-b cygnet reload >"$SCRATCH/reload" 2>&1 || fail "a broken key was accepted"
grep -q 'not a usable private key' "$SCRATCH/reload" || fail "the broken key isn't told: $(cat "$SCRATCH/reload")"
[ "$(status_field sg-b processes keeper restarts)" = 0 ] || fail "the keeper was started for a broken key"
kill -9 "$(status_field sg-b processes keeper pid)"
wait_for 10 "a keeper with the old key" keeper_is_new 1
keyed_anew "$old"

cat "$new" >"$file"
kill -HUP "$(lab status | sed -n 's/^  sg-b *pid *\([0-9]*\).*/\1/p')"
wait_for 10 "a keeper with the new key" keeper_is_new 2
keyed_anew "$new"
publish "$new"
keyed_anew "$new"

kill -INT "$ping"
wait "$ping" || true
read -r sent received < <(sed -nE \
    's/^([0-9]+) packets transmitted, ([0-9]+) received.*/\1 \2/p' "$SCRATCH/ping")
[ "$sent" -gt 100 ] || fail "only $sent pings"
[ "$sent" = "$received" ] || fail "of $sent pings $((sent - received)) were lost"
expect_verdict sg-a $bob encrypt
# Meanwhile sg-a has looked again at who acts for bob, and found the gateway with another key.
[ "$(lab exec sg-a cygnet trace | grep -c 'Expiring -> Keyed')" -ge 2 ] || fail "sg-a did not look again"

lab stop sg-a
lab start sg-a
lab exec alice ping -n -c 1 -W 10 $bob >/dev/null || fail "alice does not reach bob under the new key"
lab exec sg-a cygnet trace | grep -q "Peer authenticated:.*$(key_name "$new")" ||
    fail "sg-a does not know the new key"
