#!/bin/bash
# A delegation changes under a tunnel that is in use. When the answer it stands on has ended, the gateway
# asks again: it finds that nothing has changed, finds another gateway and keys with it, or finds that nobody
# acts for the address any more. OE-013 OE-077 OE-080
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

BOB=192.2.0.66 SG_B=192.1.1.5 SG_D=192.1.1.6 ttl=2
cygnet=$CYGNET_BUILD/src/cli/cygnet

explain() {
    lab exec sg-a cygnet trace | tail -n 40
}

# delegate_bob [GATEWAY ADDRESS]: to nobody else, or to nobody.
delegate_bob() {
    local lines=() line
    if [ $# -gt 0 ]; then
        while IFS= read -r line; do
            [[ $line == 66.0.2.192.* ]] && lines+=("$line")
        done < <("$cygnet" keys dns --key "$(lab path "$1")/private.pem" --address "$2" --client $BOB)
        [ ${#lines[@]} = 1 ] || fail "$1's delegation has ${#lines[@]} records"
    fi
    lab zone --remove '66.0.2.192.in-addr.arpa. TXT' "${lines[@]}"
}

told() {
    lab exec sg-a cygnet trace | grep -c -- "$1" || true
}

looked_again() {
    [ "$(told 'Expiring -> Keyed')" -gt "$1" ]
}

through() {
    [ "$(why_field sg-a $BOB gateway)" = "$1" ] && verdict_is sg-a $BOB encrypt
}

echo 'lifespans: {first: 3, normal: 3, low: 3}' >"$SCRATCH/short.yaml"
lab up --quiet --ttl $ttl --policy "sg-a=$SCRATCH/short.yaml"
lab zone --remove '66.0.2.192.in-addr.arpa. IPSECKEY'
# Bob can be reached by SG-D too.
ns=cyg-$LAB_SUFFIX
ip link add second netns "$ns-bob" type veth peer name third netns "$ns-sg-d"
lab exec sg-d ip route del 192.2.0.0/24
lab exec sg-d ip address add 192.2.0.2/24 dev third
lab exec sg-d ip link set third up
lab exec bob ip link set second up
lab exec bob ip route add 192.2.0.2/32 dev second

capture sg-a "$SCRATCH/pcap"
lab exec alice ping -n -c 1 -W 10 $BOB >/dev/null || fail "alice does not reach bob"
through $SG_B || fail "bob's first gateway is $(why_field sg-a $BOB gateway)"
"$ROOT/lab/lab" exec alice ping -n -i 0.05 -w 100 $BOB >"$SCRATCH/ping" &
ping=$!
BACKGROUND+=("$ping")

# Unchanged, and the tunnel with it.
first=$(why_field sg-a $BOB spi_out)
asked=$(told 'here --> DNS: TXT 66.0.2.192')
wait_for 15 "another look at an answer that has not changed" looked_again 0
[ "$(told 'here --> DNS: TXT 66.0.2.192')" -gt "$asked" ] || fail "a stale answer was not asked for again"
[ "$(why_field sg-a $BOB spi_out)" = "$first" ] || fail "a look again changed the tunnel"

# Another gateway: the old tunnel carries the flow until the new one does.
delegate_bob sg-d $SG_D
wait_for 20 "a tunnel with bob's new gateway" through $SG_D
lab exec bob ip route replace 192.1.0.0/24 via 192.2.0.2
sleep 1
kill -INT "$ping"
wait "$ping" || true
read -r sent received < <(sed -nE \
    's/^([0-9]+) packets transmitted, ([0-9]+) received.*/\1 \2/p' "$SCRATCH/ping")
echo "SG-B to SG-D by DNS: $((sent - received)) of $sent packets lost"
end_capture "$SCRATCH/pcap"
only_protected "$SCRATCH/pcap"

# Nobody: policy lets the flow go on in clear, and why says so.
lab exec alice ping -n -i 0.2 -w 60 $BOB >"$SCRATCH/ping" &
ping=$!
BACKGROUND+=("$ping")
delegate_bob
wait_for 20 "clear text after the delegation was withdrawn" verdict_is sg-a $BOB pass
[ "$(why_field sg-a $BOB dnssec)" = absent ] || fail "DNS about bob: $(why_field sg-a $BOB dnssec)"
kill -INT "$ping"
wait "$ping" || true
