#!/bin/bash
# The L2TP client of the distribution, xl2tpd with pppd over a kernel's L2TP, as a host that leased an address:
# nothing there is made for us. RSIP-091
#
# x2 is a guest: it leases by plain octets, dials, and gets what it leased by IPCP.
set -euo pipefail
# shellcheck source=lib/rsip.sh
. "$(dirname "$0")/lib/rsip.sh"
# shellcheck source=lib/guest.sh
. "$(dirname "$0")/lib/guest.sh"

explain() {
    guest "tail -n 40 /tmp/xl2tpd.log /tmp/ppp.log; ip addr; lsmod; ls -l /dev/ppp"
    "$CYGNET" rsip trace --socket "$SCRATCH/n.sock" | tail -n 60
    status n
    guest_explain
}

cat >"$SCRATCH/n.yaml" <<END
user: "$USER_ID"
control: $SCRATCH/n.sock
state: $SCRATCH/state
server:
  inside: 10.0.1.1
  outside: y
  l2tp-secret: between-us
  pool: {addresses: 203.0.113.11, use: whole}
  hosts: {from: 10.0.0.0/8, methods: rsa-ip, tunnels: l2tp, lease: 600}
END

guest_packages xl2tpd ppp
ip -n "$TAG-x2" route add default via 10.0.2.1
start n
wait_for 5 "the server" test -S "$SCRATCH/n.sock"
guest_start x2 10.0.2.2/24
cp "$ROOT/tests/netns/rsip_lease.py" "$GUEST/shared/"
cat >"$GUEST/shared/xl2tpd.conf" <<'END'
[global]
auth file = /mnt/secrets
[lac n]
lns = 10.0.1.1
challenge = yes
require chap = no
require pap = no
refuse authentication = yes
pppoptfile = /mnt/options
autodial = yes
redial = yes
redial timeout = 1
END
printf '* * between-us\n' >"$GUEST/shared/secrets"
printf '%s\n' noauth noipdefault ipcp-accept-remote "logfile /tmp/ppp.log" debug "mtu 1400" "mru 1400" \
    "lcp-echo-interval 1" "lcp-echo-failure 2" >"$GUEST/shared/options"
cat >"$GUEST/shared/echo.py" <<'END'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 9000))
while True:
    data, sender = s.recvfrom(9000)
    s.sendto(data[:5] + str(len(data)).encode(), sender)
END

leased=$(guest "python3 /mnt/rsip_lease.py 10.0.1.1") || fail "no lease: $leased"
[ "$leased" = 203.0.113.11 ] || fail "leased: $leased"
guest "chmod 600 /mnt/secrets; mkdir -p /run/xl2tpd; [ -e /dev/ppp ] || mknod /dev/ppp c 108 0
    modprobe l2tp_ppp; (xl2tpd -D -c /mnt/xl2tpd.conf >/tmp/xl2tpd.log 2>&1 &)
    (python3 /mnt/echo.py >/dev/null 2>&1 &)"

tunnel() {
    status n | python3 -c 'import json, sys
print(*(t["tunnel"] for t in json.load(sys.stdin)["l2tp"] if t["ipv4"]))'
}
dialled() {
    local now
    now=$(tunnel)
    [ -n "$now" ] && [ "$now" != "${old:-}" ]
}
# pppd sets address and route a moment after IPCP is open
dial() {
    wait_for 20 "xl2tpd's link" dialled
    guest "until ip -4 addr show dev ppp0 | grep -q 'inet 203.0.113.11 '; do sleep 0.1; done
        ip route replace 203.0.113.0/24 dev ppp0 src 203.0.113.11"
}
pinged() {
    guest "ping -n -c 3 -i 0.2 -W 2 $* 203.0.113.2" >/dev/null || fail "x2: no ping to y $*"
}

dial
pinged
pinged -s 4000

# towards the host: cut to its MRU, or refused with the size that fits (RFC 1191)
at y python3 - <<'END' || fail "y: no datagram of each size to x2"
import socket
import sys
IP_MTU_DISCOVER, IP_MTU, IP_PMTUDISC_DONT, IP_PMTUDISC_DO = 10, 14, 0, 2
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
for discover, size in ((IP_PMTUDISC_DONT, 1450), (IP_PMTUDISC_DONT, 4000), (IP_PMTUDISC_DO, 1000)):
    s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, discover)
    s.sendto(b"x" * size, ("203.0.113.11", 9000))
    answer = s.recv(9000)
    assert answer == b"xxxxx" + str(size).encode(), answer
s.connect(("203.0.113.11", 9000))
s.send(b"x" * 1450)
try:
    s.recv(9000)
    sys.exit("a datagram with DF was cut")
except OSError:
    pass
mtu = s.getsockopt(socket.IPPROTO_IP, IP_MTU)
assert mtu == 1400, mtu
END

# the host dies and comes back: its new tunnel takes the place of the old one, with the same address
old=$(tunnel)
guest "kill -9 \$(pidof xl2tpd pppd); (xl2tpd -D -c /mnt/xl2tpd.conf >/tmp/xl2tpd.log 2>&1 &)"
dial
pinged
echo "xl2tpd and pppd as a host: authenticated tunnel, the leased address by IPCP, its MRU kept to, dialled again"
