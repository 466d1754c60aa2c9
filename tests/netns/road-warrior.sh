#!/bin/bash
# Virtual addresses under IKEv2 (RFC 7296 section 2.19): sg-n behind a NAT asks sg-b for an address, gets one out
# of its pool on vpn0 and reaches the net behind it by that; the renewed tunnel keeps it. Then strongSwan in
# the place of either end; as a client it also has to send back a cookie.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/strongswan.sh
. "$(dirname "$0")/lib/strongswan.sh"
# shellcheck source=lib/connections.sh
. "$(dirname "$0")/lib/connections.sh"
export LAB_TOPOLOGY=$ROOT/lab/topology-nat.ini

BOB=192.2.0.66 SWAN=
explain() {
    [ -z "$SWAN" ] || swan_explain "$SWAN"
    for host in sg-n sg-b; do
        echo "--- $host"
        lab exec $host cygnet status || true
        lab exec $host cygnet trace | tail -n 30 || true
        lab exec $host ip address show vpn0 || true
        lab exec $host ip route show table all | grep -v local || true
    done
}

client() {
    connect sg-n <<YAML
connections:
  - name: office
    version: 2
    virtual-address: yes
    local: {id: "@road.test", auth: psk}
    remote: {address: 192.1.1.5, id: "@office.test", auth: psk}
    secret-file: $PKI/secret
    children:
      - {name: lan, remote: 192.2.0.0/24, start: at-once}
YAML
}

gateway_yaml() {
    cat <<YAML
connections:
  - name: road
    version: 2
    pool: 10.99.0.0/24
    local: {address: 192.1.1.5, id: "@office.test", auth: psk}
    remote: {id: "@road.test", auth: psk}
    secret-file: $PKI/secret
    children:
      - {name: lan, local: 192.2.0.0/24, start: never}
YAML
}

has_address() {
    lab exec "$1" ip -4 -o address show vpn0 | grep -q " 10.99.0."
}

has_none() {
    ! has_address "$1"
}

# Bob sees who comes: nobody but the virtual address.
reaches_bob() {
    "$ROOT/lab/lab" exec bob tcpdump --immediate-mode -i any -n -U -Z root -w "$SCRATCH/bob" icmp 2>"$SCRATCH/bob.log" &
    local dump=$!
    BACKGROUND+=("$dump")
    wait_for 5 "tcpdump at bob" grep -q 'listening on' "$SCRATCH/bob.log"
    "$@" >"$SCRATCH/ping" || fail "no way to bob: $(cat "$SCRATCH/ping")"
    grep -q ' 0% packet loss' "$SCRATCH/ping" || fail "to bob: $(grep loss "$SCRATCH/ping")"
    sleep 0.3
    kill -INT $dump
    wait $dump || true
    [ "$(packets "$SCRATCH/bob" 'src net 10.99.0.0/24')" -ge 3 ] || fail "no ping from the pool"
    [ "$(packets "$SCRATCH/bob" "not net 10.99.0.0/24")" = 0 ] || fail "pings from other addresses"
}

from_swan() {
    (swan_inside sg-n ping -n -c 3 -i 0.2 -W 10 $BOB)
}

lab up --quiet
mkdir -p "$PKI"
echo 'correct horse battery staple' >"$PKI/secret"
chmod 600 "$PKI/secret"
lab exec bob ip route add 10.99.0.0/24 via 192.2.0.1
lab exec sg-b ip route add default via 192.1.1.9

# --- Cygnet at both ends, the client behind a NAT.
gateway_yaml | connect sg-b
client
wait_for 15 "the address" has_address sg-n
tunnel_is sg-n lan up || fail "the tunnel is $(tunnel sg-n lan state)"
capture nat "$SCRATCH/pcap" 65535
reaches_bob lab exec sg-n ping -n -c 5 -i 0.2 -W 10 $BOB
address=$(lab exec sg-n ip -4 -o address show vpn0 | sed -nE 's/.* (10\.99\.0\.[0-9]+)\/32.*/\1/p')
lab exec bob ping -n -c 3 -i 0.2 -W 10 "$address" >"$SCRATCH/ping" || fail "bob to $address: $(cat "$SCRATCH/ping")"
transfer 1000000 sg-n bob $BOB
end_capture "$SCRATCH/pcap"
[ "$(packets "$SCRATCH/pcap" 'net 10.99.0.0/24 or net 192.2.0.0/24')" = 0 ] || fail "inner addresses outside"
lab exec sg-n cygnet down office >/dev/null
wait_for 10 "the address to go" has_none sg-n
lab exec sg-n cygnet up office >/dev/null
wait_for 10 "the address again" has_address sg-n
reaches_bob lab exec sg-n ping -n -c 3 -i 0.2 -W 10 $BOB
echo "Cygnet to Cygnet: $address through the NAT"

# --- strongSwan is the gateway.
lab stop sg-b
swan_prepare sg-b
swan_connections sg-b <<CONF
connections { road {
    version = 2
    local_addrs = 192.1.1.5
    pools = road
    local { auth = psk
        id = office.test }
    remote { auth = psk
        id = road.test }
    children { lan { local_ts = 192.2.0.0/24 } }
} }
pools { road { addrs = 10.99.0.128/25 } }
secrets { ike { secret = "$(cat "$PKI/secret")" } }
CONF
SWAN=sg-b
swan_start sg-b
wait_for 30 "an address from strongSwan" swan_has sg-b INSTALLED
wait_for 10 "that address" has_address sg-n
lab exec sg-n ip -4 -o address show vpn0 | grep -q ' 10.99.0.1[2-9][0-9]/' || fail "not strongSwan's pool"
(swan_inside sg-b sysctl -q net.ipv4.ip_forward=1)
reaches_bob lab exec sg-n ping -n -c 3 -i 0.2 -W 10 $BOB
swan_stop sg-b
echo "Cygnet to strongSwan: an address of its pool"

# --- strongSwan is the client.
SWAN=
lab stop sg-n
lab start sg-b
{ gateway_yaml; echo 'limits: {cookies: yes}'; } | connect sg-b
swan_prepare sg-n
swan_connections sg-n <<CONF
connections { office {
    version = 2
    local_addrs = 10.9.0.4
    remote_addrs = 192.1.1.5
    vips = 0.0.0.0
    local { auth = psk
        id = road.test }
    remote { auth = psk
        id = office.test }
    children { lan { remote_ts = 192.2.0.0/24 } }
} }
secrets { ike { secret = "$(cat "$PKI/secret")" } }
CONF
SWAN=sg-n
swan_start sg-n
swan sg-n --initiate --child lan --timeout 10 >"$SCRATCH/initiate" || fail "$(cat "$SCRATCH/initiate")"
swan_has sg-n '10.99.0.' || fail "strongSwan has no address of the pool"
lab exec sg-b cygnet trace | grep -q 'N(COOKIE)' || fail "strongSwan was not asked for a cookie"
reaches_bob from_swan
swan_stop sg-n
echo "strongSwan to Cygnet: an address of the pool"
