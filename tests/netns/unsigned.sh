#!/bin/bash
# A delegation in a zone that isn't signed: the encryption is anonymous and shown as such everywhere;
# a class that takes authenticated encryption only treats it as absent.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

expect_field() {
    local got
    got=$(why_field sg-a 192.4.0.69 "$1") || fail "cygnet why gave no answer"
    [ "$got" = "$2" ] || fail "$1 is '$got', not '$2'"
}

cat >"$SCRATCH/policy" <<'POLICY'
policy:
  - {class: OE-permissive}
POLICY
lab up --quiet --policy "$SCRATCH/policy"
for gateway in sg-a sg-d; do
    sed -i 's/^dns:/&\n  unsigned-only-to-self: no/' "$(lab path $gateway)/cygnet.yaml"
    lab exec $gateway cygnet reload >/dev/null || fail "$gateway can't reload"
done
lab exec alice ping -n -c 1 -W 10 192.4.0.69 >/dev/null || fail "no tunnel to erin"
expect_field verdict encrypt
expect_field grade anonymous
expect_field dnssec insecure
lab exec sg-a cygnet why 192.4.0.69 | grep -q 'encryption is anonymous' || fail "cygnet why doesn't say it"
lab exec sg-a cygnet status | grep -q 'anonymous' || fail "cygnet status doesn't say it"

sed -i 's/{class: OE-permissive}/{class: OE-permissive, accept: authenticated}/' \
    "$(lab path sg-a)/cygnet.yaml"
lab exec sg-a cygnet reload >/dev/null || fail "sg-a can't reload"
settled() {
    [ "$(why_field sg-a 192.4.0.69 verdict)" = pass ]
}
wait_for 10 "the flow in clear" settled
expect_field grade none
lab exec sg-a cygnet why 192.4.0.69 | grep -q 'not signed' || fail "cygnet why doesn't say why"
