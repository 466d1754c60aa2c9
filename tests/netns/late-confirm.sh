#!/bin/bash
# Quick Mode 3 is lost once, so ESP of the new tunnel reaches SG-B before it: what alice sends arrives, bob's
# replies wait for the repetition, and it stays at one tunnel that both ends agree on. OE-032 OE-185 OE-187
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

explain() {
    lab exec sg-b cygnet trace | tail -n 25
    lab exec sg-b nft list ruleset
}

said() {
    lab exec "$1" cygnet trace | grep -c -- "$2" || true
}

lab up --quiet
# The exchange type is octet 18 of the ISAKMP header: 32 is Quick Mode, and its message 3 the only short one.
lab exec sg-b nft 'add table ip late; add chain ip late in { type filter hook input priority 0; };
    add rule ip late in udp dport 500 udp length < 150 @th,208,8 32 quota until 150 bytes counter drop'
lab exec alice ping -n -c 20 -i 0.1 -W 3 192.2.0.66 >"$SCRATCH/ping" || fail "no answer: $(cat "$SCRATCH/ping")"
lab exec sg-b nft list ruleset | grep -q 'counter packets 1 ' || fail "not one Quick Mode 3 was lost"
expect_verdict sg-b 192.1.0.65 encrypt
for gateway in sg-a sg-b; do
    [ "$(said $gateway 'Tunnel up')" = 1 ] || fail "$gateway has made $(said $gateway 'Tunnel up') tunnels"
    [ "$(said $gateway 'Quick Mode failed')" = 0 ] || fail "a Quick Mode failed on $gateway"
    [ "$(status_field $gateway ike_sas established)" = 1 ] || fail "$gateway has more than one IKE SA"
done
received=$(sed -nE 's/.* ([0-9]+) received.*/\1/p' "$SCRATCH/ping")
# While bob's replies are held only the first and the last of them are kept (OE-022).
[ "$received" -ge 12 ] || fail "only $received of 20 answers came back"
echo "$received of 20 answers, with Quick Mode 3 lost once"
