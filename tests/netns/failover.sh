#!/bin/bash
# Alice is behind two gateways (section 8 of the draft): SG-A, preferred, and SG-D. SG-A dies without a word
# while Alice and Bob talk, and again while only Bob does; both flows go on through SG-D. What was lost and
# how long nothing got through is printed. OE-059 OE-143 OE-166 OE-167 OE-168
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

ALICE=192.1.0.65 BOB=192.2.0.66 SG_A=192.1.1.4 SG_D=192.1.1.6
cygnet=$CYGNET_BUILD/src/cli/cygnet

explain() {
    lab exec sg-b cygnet trace | tail -n 40
    lab exec sg-b cygnet status
    lab exec sg-d cygnet status
}

ns() {
    echo "cyg-$LAB_SUFFIX-$1"
}

# Alice's net has a second way out: a link to SG-D, which forwards for her like SG-A.
second_gateway() {
    ip link add second netns "$(ns alice)" type veth peer name third netns "$(ns sg-d)"
    lab exec sg-d ip route del 192.1.0.0/24
    lab exec sg-d ip address add 192.1.0.2/24 dev third
    lab exec sg-d ip link set third up
    lab exec alice ip link set second up
    lab exec alice ip route add 192.1.0.2/32 dev second
    local lines=() line
    while IFS= read -r line; do
        [[ $line == 65.0.1.192.* ]] && lines+=("$line")
    done < <("$cygnet" keys dns --key "$(lab path sg-d)/private.pem" --address $SG_D --client $ALICE \
        --precedence 20)
    [ ${#lines[@]} = 1 ] || fail "SG-D's delegation has ${#lines[@]} records"
    lab zone "${lines[@]}"
}

# kill_sg_a: the whole machine, as a power cut does it: no Delete, no ICMP, no ARP.
kill_sg_a() {
    lab exec sg-a ip link set outside down
    lab exec sg-a ip link set inside down
    kill -9 -- "-$(cut -d' ' -f1 "$(lab path sg-a)/../pids/sg-a")"
}

# What VRRP or a routing protocol does inside Alice's site.
alice_leaves_by() {
    lab exec alice ip route replace 192.2.0.0/24 via "$1" src $ALICE
}

# report_ping FILE WHAT: of a ping -D log, what was lost, and the longest time without an answer, alone again
# in a second line.
report_ping() {
    python3 - "$1" "$2" <<'REPORT'
import re
import sys

seen = [(int(s), float(t)) for t, s in re.findall(r"^\[([\d.]+)\].*icmp_seq=(\d+) .*time=", open(sys.argv[1]).read(), re.M)]
numbers = {s for s, _ in seen}
lost = max(numbers) - len(numbers)
gap = max(b[1] - a[1] for a, b in zip(seen, seen[1:])) if len(seen) > 1 else -1
print(f"{sys.argv[2]}: {lost} of {max(numbers)} lost, {gap * 1000:.0f} ms without an answer")
print(int(gap * 1000))
REPORT
}

# talk FROM TO FILE: pings in the background until told to end.
talk() {
    "$ROOT/lab/lab" exec "$1" timeout 100 ping -n -D -i 0.05 "$2" >"$3" &
    TALK=$!
    BACKGROUND+=("$TALK")
    wait_for 10 "answers to $1" grep -q 'icmp_seq=20 ' "$3"
}

talked() {
    pkill -INT -P "$TALK" -x ping || kill -INT "$TALK"
    wait "$TALK" || true
}

carried_by() {
    [ "$(why_field sg-b $ALICE gateway)" = "$1" ] && verdict_is sg-b $ALICE encrypt
}

echo 'wait: 3' >"$SCRATCH/wait.yaml"
lab up --quiet --policy "$SCRATCH/wait.yaml"
second_gateway
capture sg-b "$SCRATCH/pcap"

# --- Bob begins: of the two gateways the preferred one, whichever came first in the answer.
lab exec bob ping -n -c 1 -W 10 $ALICE >/dev/null || fail "bob does not reach alice"
carried_by $SG_A || fail "bob's gateway chose $(why_field sg-b $ALICE gateway)"

# --- Alice talks to Bob; SG-A dies, and her site sends by SG-D.
talk alice $BOB "$SCRATCH/alice"
kill_sg_a
alice_leaves_by 192.1.0.2
wait_for 10 "alice's flow through SG-D" verdict_is sg-d $BOB encrypt
wait_for 5 "bob's replies through SG-D" carried_by $SG_D
sleep 1
talked
mapfile -t told < <(report_ping "$SCRATCH/alice" "alice to bob, SG-A to SG-D")
echo "${told[0]}"
[ "${told[1]}" -le 3000 ] || fail "it took too long: ${told[0]}"
[ "$(lab exec sg-b cygnet why $ALICE | grep -c "$SG_D")" -ge 1 ] || fail "cygnet why does not name SG-D"

# --- SG-A is back. Bob talks to Alice, who is silent but for what goes back through the tunnel.
lab stop sg-d
lab exec sg-a ip link set outside up
lab exec sg-a ip link set inside up
lab exec sg-a ip route replace 192.2.0.0/24 via 192.1.1.5
lab exec sg-a ip route replace 192.3.0.0/24 via 192.1.1.6
lab stop sg-a
lab start sg-a --policy "$SCRATCH/wait.yaml" >/dev/null
lab start sg-d --policy "$SCRATCH/wait.yaml" >/dev/null
alice_leaves_by 192.1.0.1
talk bob $ALICE "$SCRATCH/bob"
wait_for 5 "bob's flow through SG-A" carried_by $SG_A
kill_sg_a
alice_leaves_by 192.1.0.2
lab exec sg-b ip route replace 192.1.0.0/24 via $SG_D # the public net's routing knows too
wait_for 60 "bob's flow through SG-D" carried_by $SG_D
wait_for 5 "the tunnel at SG-D" verdict_is sg-d $BOB encrypt
sleep 1
talked
mapfile -t told < <(report_ping "$SCRATCH/bob" "bob to alice, SG-A to SG-D")
echo "${told[0]}"
[ "${told[1]}" -le 35000 ] || fail "it took too long: ${told[0]}"
end_capture "$SCRATCH/pcap"
only_protected "$SCRATCH/pcap"
