#!/bin/bash
# OE-157, OE-158, OE-163, OE-164: a gateway behind a NAT, known by a name, makes tunnels for a client
# that has an address of its own. ESP goes inside UDP; the mapping is kept alive; and when the NAT
# forgets it, traffic finds its way again. Nobody can be the first to reach that client.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
export LAB_TOPOLOGY=$ROOT/lab/topology-nat.ini

NORA=192.5.0.70 BOB=192.2.0.66 NAT=192.1.1.9

# forget_after SECONDS: how long the NAT remembers an idle mapping, from its next packet on.
forget_after() {
    lab exec nat sysctl -qw net.netfilter.nf_conntrack_udp_timeout="$1" \
        net.netfilter.nf_conntrack_udp_timeout_stream="$1"
}

# remap PORTS: the NAT maps new flows to other ports.
remap() {
    lab exec nat nft -f - <<NFT
flush table ip nat
add rule ip nat out ip saddr 10.9.0.0/16 oifname outside meta l4proto udp masquerade to :$1
add rule ip nat out ip saddr 10.9.0.0/16 oifname outside masquerade
NFT
}

lab up --quiet

# Nora's gateway makes a tunnel, and both directions use it.
capture nat "$SCRATCH/wild.pcap" 65535
lab exec nora ping -n -c 3 -i 0.2 -W 10 $BOB >"$SCRATCH/ping" || fail "nora: $(cat "$SCRATCH/ping")"
grep -q '3 received' "$SCRATCH/ping" || fail "nora: $(cat "$SCRATCH/ping")"
wait_verdict sg-n $BOB encrypt
wait_verdict sg-b $NORA encrypt
[ "$(why_field sg-b $NORA grade)" = authenticated ] || fail "sg-b does not take sg-n as authenticated"
[ "$(gateway_field sg-b $NAT identity)" = @sg-n.example ] || fail "sg-n came by another name"
[ "$(gateway_field sg-b $NAT nat)" = there ] || fail "sg-b does not know of the NAT"
[ "$(gateway_field sg-n 192.1.1.5 nat)" = here ] || fail "sg-n does not know of the NAT"
lab exec bob ping -n -c 1 -W 5 $NORA >/dev/null || fail "bob does not reach nora through the tunnel"

# RFC 3948 section 2.3: one octet 0xff, from the end behind the NAT, every 20 s.
keepalive_seen() {
    [ "$(packets "$SCRATCH/wild.pcap" "src host $NAT and udp port 4500 and udp[4:2] = 9 and udp[8] = 0xff")" -ge 1 ]
}
wait_for 25 "a NAT keepalive" keepalive_seen
end_capture "$SCRATCH/wild.pcap"
[ "$(packets "$SCRATCH/wild.pcap" 'ip proto 50')" = 0 ] || fail "native ESP through a NAT"
[ "$(packets "$SCRATCH/wild.pcap" 'udp port 4500 and udp[8:4] > 255')" -ge 8 ] || fail "no ESP inside UDP"
[ "$(packets "$SCRATCH/wild.pcap" "host $NORA or net 10.0.0.0/8")" = 0 ] || fail "inner addresses outside"
well_formed "$SCRATCH/wild.pcap"

transfer 2000000 nora bob $BOB

# The mapping is forgotten, and the next one is on another port.
[ "$(gateway_field sg-b $NAT port)" = 4500 ] || fail "sg-n does not come from port 4500"
remap 20000-30000
forget_after 1
lab exec nora ping -n -c 1 -W 5 $BOB >/dev/null || fail "the tunnel broke before the mapping did"
recovered() {
    lab exec nora ping -n -c 1 -W 1 $BOB && [ "$(gateway_field sg-b $NAT port)" -ge 20000 ]
}
forget_after 120
sleep 2.5 # the mapping's life; there is nothing to poll for, as asking would prolong it
wait_for 10 "traffic after the mapping changed" recovered
lab exec bob ping -n -c 2 -i 0.2 -W 5 $NORA >/dev/null || fail "bob does not find the new mapping"
lab exec sg-b cygnet trace | grep -q 'NAT mapping changed' || fail "the new mapping is not in the trace"

transfer 2000000 bob nora $NORA

# IKE went along: the teardown arrives at both ends.
lab stop sg-n
tunnel_gone() {
    [ "$(why_field sg-b $NORA verdict)" != encrypt ]
}
wait_for 10 "the end of the tunnel at sg-b" tunnel_gone

# Nora's gateway only forwards now, and Bob is first: his finds a name, contacts nobody, and policy lets
# the flow pass.
lab exec bob ping -n -c 1 -W 10 $NORA >/dev/null || fail "bob does not reach nora in clear"
expect_verdict sg-b $NORA pass
why_field sg-b $NORA reason | grep -q 'only initiates' || fail "sg-b gives another reason"

# The gateway itself has only a private address: no tunnel is made for it.
lab start sg-n
lab exec sg-n ping -n -c 1 -W 10 $BOB >/dev/null || fail "sg-n does not reach bob in clear"
expect_verdict sg-n $BOB pass
why_field sg-n $BOB reason | grep -q refuses || fail "sg-n's own tunnel was not refused"
lab exec sg-b cygnet trace | grep -q '10.9.0.4 is private' || fail "sg-b does not say why"
