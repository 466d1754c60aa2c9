#!/bin/bash
# RSIP and IPv6 on real packets: addresses of either family through tunnels over either.
# RSIP-055, RSIP-064, RSIP-091, RSIP-190, RSIP-192, RSIP-209
#
# n leases 203.0.113.10, 2001:db8:1::10 (shared) and 2001:db8:1::11 (whole), first to hosts over IPv4, then over
# IPv6; y knows of nothing.
set -euo pipefail
# shellcheck source=lib/rsip.sh
. "$(dirname "$0")/lib/rsip.sh"

# server INSIDE HOSTS
server() {
    cat >"$SCRATCH/n.yaml" <<END
user: "$USER_ID"
control: $SCRATCH/n.sock
state: $SCRATCH/state
server:
  inside: "$1"
  outside: y
  pool:
    - {addresses: 203.0.113.10, ports: 20000-29999}
    - {addresses: "2001:db8:1::10", ports: 20000-29999}
    - {addresses: "2001:db8:1::11", use: whole}
  hosts: {from: "$2", methods: [rsa-ip, rsap-ip], tunnels: [ip-ip, gre, l2tp], lease: 60, hold: 0}
END
    sed -i '/hosts:/s/, hold: 0//; /outside:/a\  hold: 0' "$SCRATCH/n.yaml"
    gateway=$1
    start n
    wait_for 5 "the server" test -S "$SCRATCH/n.sock"
}

leased() {
    at "$1" ip addr show dev rsip0 | grep -q "inet6* $2/"
}
pinged() {
    at "$1" ping -n -c 2 -i 0.2 -W 2 "${@:3}" "$2" >/dev/null || fail "$1: no ping to $2 ${*:3}"
}

# lease HOST ADDRESS LINE...: leases it, uses it, and gives it back
lease() {
    local host=$1 address=$2 y=203.0.113.2
    [ "$2" = 203.0.113.10 ] || y=2001:db8:1::2
    shift 2
    client "$host" "$@"
    sed -i "s/server: 10.0.1.1/server: \"$gateway\"/" "$SCRATCH/$host.yaml"
    start "$host"
    wait_for 5 "$host's $address" leased "$host" "$address"
    wait_for 5 "$host's way to y" at "$host" ping -n -c 1 -W 1 $y
    pinged "$host" $y
    pinged "$host" $y -s 4000
    rm -f "$SCRATCH/seen"
    ip netns exec "$TAG-y" python3 "$ROOT/tests/netns/rsip_serve.py" $y 8080 >"$SCRATCH/seen" &
    BACKGROUND+=($!)
    local served=$! from
    wait_for 5 "y's server" grep -q ready "$SCRATCH/seen"
    at "$host" python3 "$ROOT/tests/netns/rsip_fetch.py" $y 8080 || fail "$host: no TCP to $y ($*)"
    wait "$served" || fail "y: what came was not what was sent"
    read -r _ from _ <"$SCRATCH/seen"
    [ "$from" = "$address" ] || fail "$host: y saw $from"
}

for host in x1 x2 n y; do
    at $host sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
done
six() {
    ip -n "$TAG-$1" addr add "$2" dev "$3" nodad
}
six x1 fd00:1::2/64 n
six n fd00:1::1/64 x1
six x2 fd00:2::2/64 n
six n fd00:2::1/64 x2
six y 2001:db8:1::2/64 n
six n 2001:db8:1::1/64 y
ip -n "$TAG-x2" route add fd00:1::/64 via fd00:2::1

server 10.0.1.1 10.0.0.0/8
lease x1 2001:db8:1::10 "family: ipv6" "ports: 16"
lease x2 2001:db8:1::10 "family: ipv6" "ports: 16" "tunnel: gre" "transport: tcp"
pinged x1 2001:db8:1::2
at y ping -n -c 1 -W 2 2001:db8:1::10 >/dev/null || fail "y: no ping to the leased address"
stop x1
lease x1 2001:db8:1::11 "address: \"2001:db8:1::11\"" "method: rsa-ip" "tunnel: l2tp"
pinged x2 2001:db8:1::2
[ "$(status x1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["l2tp"][0]["ipv6"])')" = True ]
stop x1
stop x2
stop n

server fd00:1::1 fd00::/8
lease x1 203.0.113.10 "ports: 16"
lease x2 2001:db8:1::10 "family: ipv6" "ports: 16" "transport: tcp"
stop x1
stop x2
lease x1 203.0.113.10 "ports: 16" "tunnel: gre"
lease x2 203.0.113.10 "ports: 16" "tunnel: l2tp"
pinged x1 203.0.113.2
stop x1
lease x1 2001:db8:1::11 "family: ipv6" "method: rsa-ip" "tunnel: l2tp"
echo "leases of IPv4 and IPv6, through IP-IP, GRE and L2TP, over IPv4 and IPv6"
