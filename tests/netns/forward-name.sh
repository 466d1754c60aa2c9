#!/bin/bash
# A host whose owner controls only a forward zone is reached under encryption once her name was looked
# up; and a name that points at another's address brings that address nothing but itself.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

nina=192.1.1.78 carol=192.1.1.67 bob=192.2.0.66

# look_up NAME [OPTION...]: Alice asks her gateway's stub resolver.
look_up() {
    lab exec alice dig +time=3 +tries=1 @192.1.0.1 "${@:2}" "$1"
}

cat >"$SCRATCH/stub.yaml" <<CONF
stub: {listen: [127.0.0.1, 192.1.0.1]}
CONF
cat >"$SCRATCH/paranoid.yaml" <<CONF
stub: {listen: [127.0.0.1, 192.1.0.1]}
policy:
  - {class: OE-paranoid, destination: 0.0.0.0/0}
CONF
lab up --quiet --policy "sg-a=$SCRATCH/stub.yaml"

# Nobody is there for Nina yet, and nobody has asked for her name: her address alone says nothing.
lab exec alice ping -n -c 1 -W 5 $nina >/dev/null || fail "no ping to nina in clear"
expect_verdict sg-a $nina pass
lab stop sg-a
lab start sg-a --policy "sg-a=$SCRATCH/stub.yaml"
lab start nina
[ "$(look_up nina.example +short)" = $nina ] || fail "the stub does not know nina"
capture sg-a "$SCRATCH/wild.pcap"
lab exec alice ping -n -c 3 -i 0.2 -W 5 $nina >/dev/null || fail "no ping to nina"
end_capture "$SCRATCH/wild.pcap"
expect_verdict sg-a $nina encrypt
[ "$(why_field sg-a $nina grade)" = name ] || fail "grade of nina's tunnel: $(why_field sg-a $nina grade)"
[ "$(why_field sg-a $nina name)" = nina.example ] || fail "name of nina's tunnel"
lab exec sg-a cygnet why $nina | grep -q 'dnssec: secure (name nina.example)' || fail "what why says of nina"
leaked=$(packets "$SCRATCH/wild.pcap" "icmp and host $nina")
[ "$leaked" = 0 ] || fail "$leaked datagrams to nina in clear"

# The other way round: she comes known by her name, for her own address.
lab stop sg-a
lab start sg-a --policy "sg-a=$SCRATCH/stub.yaml"
wait_for 10 "nina's own tunnel" lab exec nina ping -n -c 1 -W 1 192.1.0.65
wait_for 10 "nina's own tunnel at sg-a" verdict_is sg-a $nina encrypt

# The stub: TCP, truncation, no such name, and what is bogus.
[ "$(look_up nina.example +short +tcp)" = $nina ] || fail "the stub does not answer over TCP"
lab zone "$(for i in $(seq 40); do echo "many.example. IN TXT \"$i $(printf '%060d' "$i")\""; done)"
look_up many.example +ignore +noedns txt | grep -q 'flags:.* tc' || fail "a long answer is not truncated"
[ "$(look_up many.example +short txt | wc -l)" = 40 ] || fail "not all of a long answer over TCP"
look_up nobody.example | grep -q 'status: NXDOMAIN' || fail "a name that does not exist"
look_up 99.1.1.192.in-addr.arpa txt | grep -q 'status: SERVFAIL' || fail "the stub gives out bogus data"
look_up bob.example +dnssec | grep -q RRSIG || fail "no signatures for who asks for them"
! look_up bob.example | grep -q RRSIG || fail "signatures for who did not ask"

# Mallory's names: one points at Bob and names her gateway, one at Carol with her key for Carol, one at
# Carol with her own gateway. None may move a single datagram.
key=$(cygnet_key=$(lab path sg-d)/private.pem; "$CYGNET_BUILD/src/cli/cygnet" keys dns --key "$cygnet_key" --forward x.example | sed 's/.*IPSECKEY//')
public=${key##* }
lab zone "evil1.example. IN A $bob" "evil1.example. IN IPSECKEY 10 1 2 192.1.1.6 $public" \
    "evil2.example. IN A $carol" "evil2.example. IN IPSECKEY 10 0 2 . $public" \
    "evil3.example. IN A $carol" "evil3.example. IN IPSECKEY 10 1 2 192.1.1.6 $public"
for name in evil1 evil2 evil3; do
    look_up $name.example +short | grep -q 192 || fail "$name has no address"
done
capture sg-d "$SCRATCH/thief.pcap"
lab exec alice ping -n -c 1 -W 10 $bob >/dev/null || fail "no ping to bob"
begun=$(date +%s%N)
lab exec alice ping -n -c 1 -W 10 $carol >/dev/null || fail "no ping to carol"
took=$((($(date +%s%N) - begun) / 1000000))
end_capture "$SCRATCH/thief.pcap"
[ $took -lt 4000 ] || fail "a hostile name held carol's flow for $took ms"
expect_verdict sg-a $bob encrypt
[ "$(why_field sg-a $bob gateway)" = 192.1.1.5 ] || fail "bob's gateway is $(why_field sg-a $bob gateway)"
[ "$(why_field sg-a $bob grade)" = authenticated ] || fail "bob's tunnel lost its grade"
expect_verdict sg-a $carol pass
stolen=$(packets "$SCRATCH/thief.pcap" "host 192.1.1.4 and host 192.1.1.6")
[ "$stolen" = 0 ] || fail "$stolen datagrams for the gateway that a hostile name points to"

# OE-paranoid asks whom the address belongs to: a name is no answer.
lab stop sg-a
lab start sg-a --policy "sg-a=$SCRATCH/paranoid.yaml"
look_up nina.example +short >/dev/null
! lab exec alice ping -n -c 1 -W 2 $nina >/dev/null || fail "nina is reached under OE-paranoid"
expect_verdict sg-a $nina deny

# Without the stub: what Unbound's ipsecmod would call. Its arguments are not believed.
lab stop sg-a
lab start sg-a
hook=$ROOT/packaging/unbound/unbound-hook
lab exec sg-a "$hook" nina.example 300 "$nina 2001:db8:ff::78" '10 0 2 . Tm90IGEga2V5' || fail "the hook failed"
lab exec sg-a "$hook" evil2.example 300 "$nina" '' || fail "the hook failed"
lab exec alice ping -n -c 1 -W 5 $nina >/dev/null || fail "no ping to nina after the hook"
expect_verdict sg-a $nina encrypt
[ "$(why_field sg-a $nina name)" = nina.example ] || fail "nina goes by the name $(why_field sg-a $nina name)"
