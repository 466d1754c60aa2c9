#!/bin/bash
# With strongSwan, sg-n behind a NAT (nft masquerade): new children and new IKE SAs from either end under
# traffic of which nothing is lost, cookies asked for at either end, and a peer that dies without a word
# and comes back, at either end. Its arguments say what is tried.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/strongswan.sh
. "$(dirname "$0")/lib/strongswan.sh"
# shellcheck source=lib/connections.sh
. "$(dirname "$0")/lib/connections.sh"
export LAB_TOPOLOGY=$ROOT/lab/topology-nat.ini

nora=192.5.0.70 bob=192.2.0.66 trying=nothing
explain() {
    echo "--- while trying: $trying"
    cat "$SCRATCH/ping" 2>/dev/null
    lab exec sg-n cygnet status
    lab exec sg-n cygnet trace | tail -n 40
    swan_explain sg-b
}

# swan_side VERSION KEY=VALUE... of the connection
swan_side() {
    local version=$1 line
    shift
    swan_connections sg-b <<CONF
connections { office {
    version = $version
    local_addrs = 192.1.1.5
    remote_addrs = %any
    $(for line in "$@"; do echo "    $line"; done)
    proposals = aes256-sha256-ecp256
    local { auth = pubkey
        pubkeys = own
        id = b.test }
    remote { auth = pubkey
        pubkeys = peer
        id = a.test }
    children { lan {
        local_ts = $bob/32
        remote_ts = 192.5.0.0/24
        esp_proposals = aes256gcm16-ecp256,aes256gcm16
    } }
} }
CONF
}

# cygnet_side VERSION [LINE...] of the connection
cygnet_side() {
    local version=$1
    shift
    connect sg-n <<YAML
connections:
  - name: office
    version: $version
    local: {id: "@a.test", auth: key, key: $PKI/a-rsa.pem}
    remote: {address: 192.1.1.5, id: "@b.test", auth: key, key: $PKI/b-rsa.pub}
$(printf '    %s\n' "$@")
    children:
      - {name: lan, local: 192.5.0.0/24, remote: $bob/32, start: at-once}
YAML
}

up() {
    swan_has sg-b INSTALLED && tunnel_is sg-n lan up
}

wait_up() {
    wait_for 20 "$trying: the tunnel" up
}

# steadily COMMAND...: nora pings all the time, and loses nothing; the last ones may still be on their way.
steadily() {
    local ping lost
    "$ROOT/lab/lab" exec nora ping -n -i 0.05 -W 2 $bob >"$SCRATCH/ping" &
    ping=$!
    BACKGROUND+=("$ping")
    sleep 0.3
    "$@"
    sleep 0.5
    kill -INT $ping
    wait $ping || true
    lost=$(awk '/ transmitted/ { print $1 - $4 }' "$SCRATCH/ping")
    [ "$(sed -nE 's/.*icmp_seq=([0-9]+) .*/\1/p' "$SCRATCH/ping" | sort -un | awk '$1 != ++n { print; exit }')" = "" ] ||
        fail "$trying: a ping is missing: $(grep loss "$SCRATCH/ping")"
    [ "$lost" -le 10 ] || fail "$trying: $(grep loss "$SCRATCH/ping")"
    sed -i '/icmp_seq/d' "$SCRATCH/ping"
}

spi_is_not() {
    [ "$(tunnel sg-n lan spi_out)" != "$1" ] && tunnel_is sg-n lan up
}

swan_ike() {
    swan sg-b --list-sas | sed -nE 's/^office: #([0-9]+), ESTABLISHED.*/\1/p' | tail -n 1
}

swan_ike_is_not() {
    [ -n "$(swan_ike)" ] && [ "$(swan_ike)" != "$1" ]
}

swan_rekeys_child() {
    local spi
    spi=$(tunnel sg-n lan spi_out)
    swan sg-b --rekey --child lan >/dev/null
    wait_for 5 "$trying: strongSwan's new child" spi_is_not "$spi"
}

swan_rekeys_ike() {
    local was
    was=$(swan_ike)
    swan sg-b --rekey --ike office >/dev/null
    wait_for 5 "$trying: strongSwan's new IKE SA" swan_ike_is_not "$was"
}

# By the lifetimes. Of version 1 the child alone: the IKE SA that strongSwan began lives as long as it offered.
cygnet_rekeys() { # VERSION
    local spi was
    spi=$(tunnel sg-n lan spi_out)
    was=$(swan_ike)
    wait_for 95 "$trying: Cygnet's new child" spi_is_not "$spi"
    [ "$1" = 1 ] || wait_for 5 "$trying: Cygnet's new IKE SA" swan_ike_is_not "$was"
}

rekeys() { # VERSION
    trying="IKEv$1, re-keys by strongSwan"
    swan_side "$1"
    swan_start sg-b
    cygnet_side "$1" 'lifetimes: {ike: 60, child: 75}'
    wait_up
    steadily swan_rekeys_child
    steadily swan_rekeys_ike
    trying="IKEv$1, re-keys by Cygnet"
    steadily cygnet_rekeys "$1"
    steadily swan_rekeys_child
    swan_stop sg-b
    echo "strongSwan, IKEv$1: re-keys by either end, nothing lost"
}

# strongSwan asks for cookies while another gateway's IKE_AUTH does not get through.
cookies() {
    trying='cookies by strongSwan'
    swan_side 2
    swan_start sg-b 'cookie_threshold = 1' 'cookie_threshold_ip = 1'
    lab exec nat nft 'add chain ip nat lost { type filter hook forward priority 0; }'
    lab exec nat nft 'add rule ip nat lost ip saddr 10.9.1.4 udp dport 4500 drop'
    connect sg-m <<YAML
connections:
  - name: half
    version: 2
    local: {auth: psk}
    remote: {address: 192.1.1.5, auth: psk}
    secret-file: $PKI/secret
    children: [{name: half, local: 192.6.0.0/24, remote: $bob/32, start: at-once}]
YAML
    half_open() { swan_logged sg-b 'sending packet: from 192.1.1.5.*to 192.1.1.9'; }
    wait_for 10 "$trying: a half-open IKE SA" half_open
    sleep 0.5
    cygnet_side 2
    wait_up
    lab exec sg-n cygnet trace | grep -q 'N(COOKIE)' || fail "strongSwan asked for no cookie"
    pings nora $bob
    echo 'strongSwan, IKEv2: its cookies'
    swan_stop sg-b
}

old_peer() {
    trying='a peer of version 1'
    swan_side 1
    swan_start sg-b
    cygnet_side any
    wait_up
    lab exec sg-n cygnet trace | grep -q 'No version 2 there' || fail "no second try"
    pings nora $bob
    swan_stop sg-b
    echo 'strongSwan, IKEv1 only: a connection for both versions falls back'
}

childless() {
    trying='an IKE SA without a child'
    swan_side 2 'childless = force'
    swan_start sg-b
    cygnet_side 2 'childless: yes'
    wait_up
    pings nora $bob
    swan_stop sg-b
    echo 'strongSwan, IKEv2: the first child after the IKE SA'
}

dead_peers() {
    trying='strongSwan dies'
    swan_side 2 'dpd_delay = 1s'
    swan_start sg-b 'retransmit_tries = 2' 'retransmit_timeout = 0.5'
    cygnet_side 2 'dpd: 1'
    wait_up
    local old=${SWAN_PID[sg-b]}
    kill -KILL "$old"
    wait "$old" || true
    not_up() { ! tunnel_is sg-n lan up; }
    wait_for 30 "$trying: Cygnet to notice" not_up
    swan_start sg-b 'retransmit_tries = 2' 'retransmit_timeout = 0.5'
    wait_up
    pings nora $bob
    trying='Cygnet dies'
    kill -9 -- "-$(cut -d' ' -f1 "$(lab path sg-n)/../pids/sg-n")"
    gone() { ! swan_has sg-b INSTALLED; }
    wait_for 15 "$trying: strongSwan to notice" gone
    lab start sg-n
    cygnet_side 2 'dpd: 1'
    wait_up
    pings nora $bob
    swan_stop sg-b
    echo 'strongSwan, IKEv2: dead peers are noticed and come back, at either end'
}

lab up --quiet
lab stop sg-b
swan_prepare sg-b
swan_address sg-b $bob/32
mkdir -p "$PKI"
for end in a b; do
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$PKI/$end-rsa.pem" 2>/dev/null
    openssl pkey -in "$PKI/$end-rsa.pem" -pubout -out "$PKI/$end-rsa.pub" 2>/dev/null
done
echo 'correct horse battery staple' >"$PKI/secret"
chmod 600 "$PKI"/*.pem "$PKI/secret"
swan_private sg-b "$PKI/b-rsa.pem"
swan_public sg-b peer "$PKI/a-rsa.pem"

[ $# -gt 0 ] || set -- old_peer childless cookies dead_peers 'rekeys 2'
for part in "$@"; do $part; done
