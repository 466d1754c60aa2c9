# Keying daemons behind an RSIP gateway, and their peer. Source it after rsip.sh.
#
#   gateway [USE]             n's configuration: one address, $SHARED, and IPsec for all
#   keys                      a key pair each for x1, x2 and y
#   keying HOST VERSION [LINE...]    the host's cygnetd over rsip0, with a connection to y that asks for nothing
#   rekeying HOST VERSION [LINE...]  it gets another such connection, by a reload
#   peer_cygnet               y's
#   daemon HOST, end_daemon HOST
#   cygnet HOST COMMAND...
#   tunnel_up HOST, pings HOST, renewed HOST
#   capture, end_capture      what y's side of n sees
#   only_leased               of what was captured, every inbound SPI was leased to its host, nothing in clear
# shellcheck shell=bash

CYGNETD=$BUILD/src/daemon/cygnetd
INNER_Y=192.0.2.1
SHARED=203.0.113.10 # what the hosts have together
declare -A DAEMONS=() INNER=([x1]=198.51.100.1 [x2]=198.51.100.2)

gateway() {
    cat >"$SCRATCH/n.yaml" <<END
user: "$USER_ID"
control: $SCRATCH/n.sock
state: $SCRATCH/state
server:
  inside: 10.0.1.1
  outside: y
  pool:
    - {addresses: $SHARED, use: ${1:-shared}}
  hosts:
    - from: 10.0.0.0/8
      methods: [rsap-ip, rsipsec]
      lease: 60
  local: [10.0.0.0/8]
END
}

keys() {
    local host
    for host in x1 x2 y; do
        "$CYGNET" keys new --out "$SCRATCH/$host.pem" >/dev/null
        openssl pkey -in "$SCRATCH/$host.pem" -pubout -out "$SCRATCH/$host.pub"
        mkdir "$SCRATCH/$host.state"
        chown 64001 "$SCRATCH/$host.state"
    done
    ip -n "$TAG-y" addr add $INNER_Y/32 dev lo
    for host in x1 x2; do
        ip -n "$TAG-$host" addr add "${INNER[$host]}/32" dev lo
        ip -n "$TAG-y" route add "${INNER[$host]}/32" via 203.0.113.1
    done
}

# ordinary HOST OUTSIDE: what isn't about the connection
ordinary() {
    cat <<END
outside: $2
key: $SCRATCH/$1.pem
control: $SCRATCH/$1.cygnet
state: $SCRATCH/$1.state
dns: {forwarders: [127.0.0.1], trust-anchor: /dev/null}
users: {keyd: 64001, plane: 64002, resolver: 64003, keeper: 64004}
policy: [{class: always-clear-text}]
END
}

daemon() {
    at "$1" "$CYGNET" check "$SCRATCH/$1.cygnet.yaml" >"$SCRATCH/check" || fail "$1: $(cat "$SCRATCH/check")"
    ip netns exec "$TAG-$1" "$CYGNETD" --config "$SCRATCH/$1.cygnet.yaml" >"$SCRATCH/$1.cygnet.log" 2>&1 &
    BACKGROUND+=($!)
    DAEMONS[$1]=$!
    wait_for 10 "$1's Cygnet" ready "$1"
}

end_daemon() {
    kill "${DAEMONS[$1]}"
    wait "${DAEMONS[$1]}" 2>/dev/null || true
}

cygnet() {
    local host=$1 command=$2
    shift 2
    "$CYGNET" "$command" --socket "$SCRATCH/$host.cygnet" "$@"
}

ready() {
    cygnet "$1" status --json | grep -q '"ready": true'
}

# RSIP-014, RSIP-003: names as identities, at both ends, and nets of each host's own
home() {
    local host=$1 version=$2
    shift 2
    { ordinary "$host" rsip0; cat <<END
leased-spis: yes
connections:
  - name: home
    version: $version
    local: {auth: key, id: "@$host.test"}
    remote: {address: 203.0.113.2, auth: key, id: "@y.test", key: $SCRATCH/y.pub}
    lifetimes: {ike: 600, child: 300}
$(for line in "$@"; do echo "    $line"; done)
    children: [{local: ${INNER[$host]}/32, remote: $INNER_Y/32, start: at-once}]
END
    } >"$SCRATCH/$host.cygnet.yaml"
}

keying() {
    home "$@"
    daemon "$1"
}

# The same with other lines, while it runs.
rekeying() {
    home "$@"
    cygnet "$1" reload >"$SCRATCH/check" || fail "$1: $(cat "$SCRATCH/check")"
}

peer_cygnet() {
    local host
    { ordinary y n; echo "connections:"; for host in x1 x2; do cat <<END
  - name: $host
    local: {auth: key, id: "@y.test"}
    remote: {auth: key, id: "@$host.test", key: $SCRATCH/$host.pub}
    lifetimes: {ike: 3600, child: 3600}
    children: [{local: $INNER_Y/32, remote: ${INNER[$host]}/32, start: never}]
END
    done; } >"$SCRATCH/y.cygnet.yaml"
    daemon y
}

# of HOST's tunnel
field() {
    cygnet "$1" status --json | python3 -c '
import json, sys
print(json.load(sys.stdin)["connections"][0]["tunnels"][0].get(sys.argv[1], ""))' "$2"
}

tunnel_up() {
    [ "$(field "$1" state)" = up ]
}

pings() {
    at "$1" ping -n -c 5 -i 0.1 -W 5 -I "${INNER[$1]}" $INNER_Y >"$SCRATCH/ping" || fail "$1: $(cat "$SCRATCH/ping")"
    grep -q ' 0% packet loss' "$SCRATCH/ping" || fail "$1: $(grep loss "$SCRATCH/ping")"
}

# Down and up again: with other SPIs of the same lease.
renewed() {
    local before after
    before=$(field "$1" spi_in)
    cygnet "$1" down home >/dev/null
    cygnet "$1" up home >/dev/null
    wait_for 20 "$1's tunnel again" tunnel_up "$1"
    after=$(field "$1" spi_in)
    [ "$before" != "$after" ] || fail "$1: SPI $before again"
}

capture() {
    ip netns exec "$TAG-y" tcpdump --immediate-mode -i n -n -U -Z root -w "$SCRATCH/pcap" 2>"$SCRATCH/tcpdump" &
    CAPTURE=$!
    BACKGROUND+=("$CAPTURE")
    wait_for 5 "tcpdump" grep -q 'listening on' "$SCRATCH/tcpdump"
}

end_capture() {
    sleep 0.2 # what is still in its buffer
    kill "$CAPTURE"
    wait "$CAPTURE" || true
    [ "$(packets esp)" -gt 0 ] || fail "no ESP was captured"
}

packets() {
    tcpdump -n -r "$SCRATCH/pcap" "$1" 2>/dev/null | wc -l
}

only_leased() {
    local host spi
    tcpdump -n -r "$SCRATCH/pcap" "(esp or ah) and dst $SHARED" 2>/dev/null |
        grep -o 'spi=0x[0-9a-f]*' | sort -u | cut -d= -f2 >"$SCRATCH/used"
    for host in x1 x2; do
        status $host | python3 -c 'import json, sys; print(*json.load(sys.stdin)["spis"], sep="\n")'
    done | sort >"$SCRATCH/leased"
    [ "$(wc -l <"$SCRATCH/used")" -ge 4 ] || fail "y used only the SPIs $(tr '\n' ' ' <"$SCRATCH/used")"
    spi=$(comm -23 "$SCRATCH/used" "$SCRATCH/leased")
    [ -z "$spi" ] || fail "SPI $spi was not leased"
    [ "$(packets "icmp or udp and not (src port 500 and dst port 500)")" = 0 ] ||
        fail "between n and y: $(tcpdump -n -r "$SCRATCH/pcap" "not esp" 2>/dev/null | tail -n 5)"
    [ "$(packets "udp src port 500 and dst 203.0.113.2")" -gt 4 ] || fail "no IKE from port 500"
}
