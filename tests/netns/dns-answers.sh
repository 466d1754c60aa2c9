#!/bin/bash
# OE-009, OE-051, OE-055, OE-078, OE-150: what comes from the name server as large, split,
# bogus, unsigned or absent answers, and what becomes of the flow.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

bob=192.2.0.66 erin=192.4.0.69 carol=192.1.1.67 mallory=192.1.1.99
cygnet=$CYGNET_BUILD/src/cli/cygnet

# expect_dnssec DESTINATION WORD
expect_dnssec() {
    local word
    word=$(why_field sg-a "$1" dnssec)
    [ "$word" = "$2" ] || fail "DNS about $1: '$word', not '$2'"
}

# ping_from HOST ADDRESS...: one datagram, whatever becomes of it.
ping_from() {
    lab exec "$1" ping -n -c 1 -W 2 "${@:2}" >/dev/null
}

# asked GATEWAY NAME: how often it has sent a question about that name to DNS.
asked() {
    lab exec "$1" cygnet trace | grep -c "here --> DNS: TXT $2" || true
}

lab up --quiet --ttl 10

# Bob's reverse name grows: keys of 4096 bits, each split over strings of 255 octets, for gateways
# nobody would take first. The answer is longer than any datagram, and comes over TCP.
records=()
for host in 21 22 23 24; do
    "$cygnet" keys new --bits 4096 --out "$SCRATCH/$host.pem" >/dev/null
    while IFS= read -r line; do
        [[ $line == 66.0.2.192.* ]] && records+=("$line")
    done < <("$cygnet" keys dns --key "$SCRATCH/$host.pem" --address 192.1.1.$host --client $bob \
        --precedence $host)
done
[ ${#records[@]} = 4 ] || fail "keys dns printed ${#records[@]} delegations"
grep -qE '(" "[^"]*){2}' <<<"${records[0]}" || fail "a key of 4096 bits is not split into strings"
lab zone "${records[@]}"
capture dns "$SCRATCH/dns.pcap"
ping_from alice $bob || fail "no ping to bob"
end_capture "$SCRATCH/dns.pcap"
expect_verdict sg-a $bob encrypt
[ "$(why_field sg-a $bob gateway)" = 192.1.1.5 ] || fail "bob's gateway is not the strongest"
[ "$(packets "$SCRATCH/dns.pcap" 'tcp dst port 53 and host 192.1.1.4')" -gt 2 ] ||
    fail "the long answer did not come over TCP"

# Bogus: denied even where clear would do. Unsigned: known, but only the address itself may be named.
! ping_from alice $mallory || fail "a flow went on a bogus delegation"
expect_verdict sg-a $mallory deny
expect_dnssec $mallory bogus
ping_from alice $erin || fail "no ping to erin"
expect_verdict sg-a $erin pass
expect_dnssec $erin absent
lab exec sg-a cygnet why $erin | grep -q 'may only name' || fail "what why says of erin"

# OE-078: an absence holds for the zone's SOA MINIMUM, ten seconds here, and no longer. Each address
# of the gateway makes a flow of its own, and so a lookup of its own.
ping_from alice $carol || fail "no ping to carol"
ping_from sg-a -I 192.1.0.1 $carol || fail "no ping to carol from inside"
before=$(asked sg-a 67.1.1.192)
[ "$before" = 1 ] || fail "an absence that still holds was asked for again"
expect_verdict sg-a $carol pass
expect_dnssec $carol absent
sleep 11
ping_from sg-a -I 192.1.1.4 $carol || fail "no ping to carol from outside"
[ "$(asked sg-a 67.1.1.192)" = $((before + 1)) ] || fail "an absence was believed beyond its time"
