#!/bin/bash
# `cygnet why` of a flow in clear, held, denied, encrypted, anonymous and failed: each time the record,
# whether DNSSEC vouches for it, how the negotiation stands or ended, what comes next and when.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

bob=192.2.0.66 dave=192.3.0.68 erin=192.4.0.69 carol=192.1.1.67 nina=192.1.1.78 nobody=192.3.0.77
cygnet=$CYGNET_BUILD/src/cli/cygnet

explain() {
    cat "$SCRATCH/why"
}

# says ADDRESS PATTERN...: each pattern is in a line of what `cygnet why` says.
says() {
    local pattern address=$1
    shift
    lab exec sg-a cygnet why "$address" >"$SCRATCH/why" || fail "cygnet why $address gave no answer"
    for pattern in "$@"; do
        grep -qE -- "$pattern" "$SCRATCH/why" || fail "cygnet why $address doesn't say: $pattern"
    done
}

says_not() {
    ! grep -qE -- "$1" "$SCRATCH/why" || fail "cygnet why says: $1"
}

# txt CLIENT GATEWAY: a delegation with a key that no gateway here has.
txt() {
    "$cygnet" keys dns --key "$SCRATCH/other.pem" --address "$2" --client "$1" | grep ' IN TXT '
}

ping_from_alice() {
    lab exec alice ping -n -c 1 -W "$2" "$1" >/dev/null
}

cat >"$SCRATCH/policy" <<POLICY
policy:
  - {class: OE-permissive}
  - {class: OE-paranoid, destination: $carol/32}
POLICY
lab up --quiet --policy "$SCRATCH/policy"
for gateway in sg-a sg-d; do
    sed -i 's/^dns:/&\n  unsigned-only-to-self: no/' "$(lab path $gateway)/cygnet.yaml"
    lab exec $gateway cygnet reload >/dev/null || fail "$gateway can't reload"
done
"$cygnet" keys new --out "$SCRATCH/other.pem" >/dev/null
lab zone --remove '68.0.3.192.in-addr.arpa. TXT' --remove '68.0.3.192.in-addr.arpa. IPSECKEY' \
    "$(txt $dave 192.1.1.6)" "$(txt $nobody 192.1.1.21)"

says $bob 'has not been seen' 'Next: its first datagram begins it'

ping_from_alice $bob 10 || fail "no tunnel to bob"
says $bob "^192.1.0.65 -> $bob is encrypted, since [0-9]+s: tunnel with 192.1.1.5, authenticated" \
    'DNSSEC vouches for it' 'Its tunnel ends at 192.1.1.5 and uses AES-GCM' '^The peer is authenticated' \
    "^Record: delegation of $bob to 1 gateway \(secure\)" '^Negotiation: tunnel up with 192.1.1.5' \
    '^Next: if the tunnel is no longer in use, it is closed, in [0-9]+s' 'DNS --> here: TXT' 'Main Mode 6'

ping_from_alice $erin 10 || fail "no tunnel to erin"
says $erin 'is encrypted' "DNSSEC doesn't vouch for it" 'The encryption is anonymous' \
    '^Record: .*not signed|^Record: .*insecure' '^Negotiation: tunnel up with 192.1.1.6' '^Next: .*, in [0-9]+s'
says_not '^The peer is authenticated'

ping_from_alice $nina 5 || fail "nina is not reached in clear"
says $nina 'goes in clear' 'DNS holds no delegation' '^Record: no delegation' \
    '^Negotiation: none' '^Next: .*forgotten, in [0-9]+'

! ping_from_alice $carol 2 || fail "policy forbids clear, and carol was reached"
says $carol 'is denied' 'Class OE-paranoid' 'DNS holds no delegation' '^Record: no delegation' \
    '^Negotiation: none' '^Next: .*forgotten, in [0-9]+'

! ping_from_alice $nobody 1 || fail "somebody answers at $nobody"
says $nobody 'is held' 'DNSSEC vouches for it' '^Record: delegation' '^Negotiation: keying with 192.1.1.21' \
    '^Next: if the gateway stays silent, the flow goes in clear, in 1?[0-9]s'

ping_from_alice $dave 15 || fail "after the failure dave is not reached in clear"
says $dave 'goes in clear' "can't prove its key" 'DNSSEC vouches for it' '^Record: delegation' \
    "^Negotiation: .*(prove|key)" '^Next: .*DNS is asked again.*, in [0-9]+' 'Refused'

silence() {
    verdict_is sg-a $nobody pass
}
wait_for 30 "the end of the wait for a gateway" silence
says $nobody 'goes in clear' '192.1.1.21 does not answer' '^Negotiation: .*does not answer' \
    '^Next: .*DNS is asked again.*, in [0-9]+s'
