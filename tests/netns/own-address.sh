#!/bin/bash
# The gateway's outside address changes while it runs: new tunnels begin at the new one, without a reload, and
# peers reach it there.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

ALICE=192.1.0.65 NEW=192.1.1.14

explain() {
    lab exec sg-a cygnet trace | tail -n 20
}

noticed() {
    grep -q 'outside has 2 usable addresses now' "$(lab path sg-a)/log"
}

lab up --quiet --ttl 2
lab exec alice ping -n -c 1 -W 10 192.2.0.66 >/dev/null || fail "no tunnel to begin with"
[ "$(why_field sg-b $ALICE gateway)" = 192.1.1.4 ] || fail "sg-a has another address"

lab exec sg-a ip address add $NEW/24 dev outside
lab exec sg-a sysctl -qw net.ipv4.conf.outside.promote_secondaries=1
lab exec sg-a ip address del 192.1.1.4/24 dev outside
for net in "192.2.0.0/24 via 192.1.1.5" "192.3.0.0/24 via 192.1.1.6"; do
    # shellcheck disable=SC2086
    lab exec sg-a ip route replace $net
done
for gateway in sg-b sg-d; do
    lab exec $gateway ip route replace 192.1.0.0/24 via $NEW
done
lab zone --remove '65.0.1.192.in-addr.arpa. TXT' --remove '65.0.1.192.in-addr.arpa. IPSECKEY' \
    "$("$CYGNET_BUILD/src/cli/cygnet" keys dns --key "$(lab path sg-a)/private.pem" --address $NEW \
        --client $ALICE)"
wait_for 5 "sg-a to notice" noticed

# She begins a new flow; and dave, whose gateway knows nobody yet, reaches her.
lab exec alice ping -n -c 1 -W 10 192.3.0.68 >/dev/null || fail "no flow from the new address"
expect_verdict sg-a 192.3.0.68 encrypt
[ "$(why_field sg-d $ALICE gateway)" = $NEW ] || fail "sg-d's tunnel is with $(why_field sg-d $ALICE gateway)"
