#!/bin/bash
# on-stop: closed. While the daemon is stopped, flows that policy forbids in clear are dropped and the others go;
# the longest prefix decides as ever. When it is back it works as before, and a stop with on-stop: open opens.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

BOB=192.2.0.66 DAVE=192.3.0.68 CAROL=192.1.1.67

explain() {
    lab exec sg-a nft list ruleset
}

reaches() {
    lab exec alice ping -n -c 1 -W "${2:-2}" "$1" >/dev/null
}

cat >"$SCRATCH/closed.yaml" <<'POLICY'
on-stop: closed
policy:
  - {class: OE-permissive}
  - {class: OE-paranoid, destination: [192.2.0.0/24, "2001:db8:2::/64"]}
  - {class: deny, destination: 192.1.1.0/24}
  - {class: always-clear-text, destination: 192.1.1.67}
POLICY
lab up --quiet --policy "sg-a=$SCRATCH/closed.yaml"
reaches $BOB 10 || fail "no tunnel to bob"
expect_verdict sg-a $BOB encrypt

lab stop sg-d # it would look for a gateway of alice before it answers
lab stop sg-a
! lab exec sg-a ip link show oe0 >/dev/null 2>&1 || fail "oe0 is still there"
capture sg-a "$SCRATCH/pcap"
! reaches $BOB || fail "an OE-paranoid flow is answered while the daemon is stopped"
! reaches 2001:db8:2::66 || fail "an OE-paranoid IPv6 flow is answered while the daemon is stopped"
! reaches 192.1.1.5 || fail "a denied flow is answered while the daemon is stopped"
reaches $CAROL || fail "a clear flow within a denied prefix is dropped"
reaches $DAVE || fail "an OE-permissive flow is dropped"
reaches 2001:db8:3::68 || fail "an OE-permissive IPv6 flow is dropped"
end_capture "$SCRATCH/pcap"
[ "$(packets "$SCRATCH/pcap" "ip dst host $BOB or ip6 dst host 2001:db8:2::66 or ip dst host 192.1.1.5")" = 0 ] ||
    fail "forbidden flows left in clear"

lab start sg-a --policy "$SCRATCH/closed.yaml"
! lab exec sg-a nft list table inet cygnet-stopped >/dev/null 2>&1 || fail "the rules of the stop stay"
reaches $BOB 10 || fail "no tunnel to bob after the stop"
expect_verdict sg-a $BOB encrypt

sed -i 's/^on-stop: closed/on-stop: open/' "$(lab path sg-a)/cygnet.yaml"
lab exec sg-a cygnet reload >/dev/null || fail "sg-a can't reload"
lab stop sg-a
lab stop sg-b
reaches $BOB || fail "a stop with on-stop: open does not open"
