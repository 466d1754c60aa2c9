#!/bin/bash
# refuse-clear: of a flow that has a tunnel, nothing is taken in clear (RFC 4301 section 5.2). Mallory forges
# datagrams of bob's to alice, and of the gateways to each other. Without the switch they arrive.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

forge() { # FROM TO [fragment]
    lab exec mallory python3 - "$@" <<'FORGE'
import ipaddress
import socket
import struct
import sys

src, dst = (ipaddress.ip_address(a) for a in sys.argv[1:3])
udp = struct.pack("!4H", 7777, 7778, 8 + 6, 0) + b"forged"
if src.version == 4:
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, src.packed, dst.packed)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as out:
        out.sendto(header + udp, (str(dst), 0))
else:
    body, following = (struct.pack("!BBHI", 17, 0, 0, 1) + udp, 44) if sys.argv[3:] else (udp, 17)
    header = struct.pack("!IHBB16s16s", 6 << 28, len(body), following, 64, src.packed, dst.packed)
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as out:
        out.sendto(header + body, (str(dst), 0, 0, 0))
FORGE
}

dropped() {
    [ "$(status_field sg-a plane classifier_clear_in)" = "$1" ]
}

# arrived: how many forged datagrams alice's interface has seen.
arrived() {
    lab exec alice nft list counter inet seen forged | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

watch_alice() {
    lab exec alice nft 'add table inet seen; add counter inet seen forged;
        add chain inet seen in { type filter hook prerouting priority 0; };
        add rule inet seen in udp dport 7778 counter name forged'
}

# own_delegation GATEWAY ADDRESS: the gateway is its own client too.
own_delegation() {
    lab zone "$("$CYGNET_BUILD/src/cli/cygnet" keys dns --key "$(lab path "$1")/private.pem" --address "$2" |
        grep ' IN TXT ')"
}

up() {
    echo "refuse-clear: $1" >"$SCRATCH/policy"
    lab up --quiet --policy "sg-a=$SCRATCH/policy"
    watch_alice
    own_delegation sg-a 192.1.1.4
    own_delegation sg-b 192.1.1.5
    for bob in 192.2.0.66 2001:db8:2::66; do
        lab exec alice ping -n -c 1 -W 10 $bob >/dev/null || fail "no tunnel to $bob"
    done
    lab exec sg-a ping -n -c 1 -W 10 192.1.1.5 >/dev/null || fail "no tunnel between the gateways themselves"
    lab exec mallory ip -6 route replace 2001:db8:1::/64 via 2001:db8:ff::4
}

seen() {
    [ "$(arrived)" = "$1" ]
}

up yes
expect_verdict sg-a 192.1.1.5 encrypt
forge 192.2.0.66 192.1.0.65
wait_for 5 "the first drop" dropped 1
forge 192.1.1.5 192.1.1.4
wait_for 5 "the drop of a datagram between the gateways" dropped 2
forge 2001:db8:2::66 2001:db8:1::65
forge 2001:db8:2::66 2001:db8:1::65 fragment
wait_for 5 "the drop of IPv6 datagrams, one as a fragment" dropped 4
seen 0 || fail "$(arrived) forged datagrams came to alice"
# A flow without a tunnel is nobody's to drop, and the tunnels go on, the gateways' own too.
forge 192.1.1.67 192.1.0.65
wait_for 5 "a datagram of another flow" seen 1
dropped 4 || fail "another flow's datagram was dropped"
for bob in 192.2.0.66 2001:db8:2::66; do
    lab exec alice ping -n -c 3 -i 0.2 -W 2 $bob >"$SCRATCH/ping" || fail "the tunnel to $bob ended"
    grep -q ' 3 received' "$SCRATCH/ping" || fail "the tunnel to $bob loses datagrams"
done
lab exec sg-a ping -n -c 3 -i 0.2 -W 2 192.1.1.5 >"$SCRATCH/ping" || fail "the gateways' own tunnel ended"
grep -q ' 3 received' "$SCRATCH/ping" || fail "the gateways' own tunnel loses datagrams"
dropped 4 || fail "datagrams of the tunnels were dropped"
lab stop sg-a
[ -z "$(lab exec sg-a tc filter show dev outside ingress)" ] || fail "the ingress program is still there"
lab down

up no
forge 192.2.0.66 192.1.0.65
wait_for 5 "a forged datagram that nobody was told to drop" seen 1
