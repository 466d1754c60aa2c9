#!/bin/bash
# A configured connection between SG-A and SG-B, nets to nets, beside opportunistic encryption: it comes up
# by traffic or at once, what it is for never leaves in the clear (OE-004) and never goes to a stranger, it outlives
# keyd, comes back when the plane is lost, and a reload that doesn't concern it leaves it alone.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/connections.sh
. "$(dirname "$0")/lib/connections.sh"

bob=192.2.0.66 alice=192.1.0.65
version=${CONNECTION_VERSION:-2}

explain() {
    for gateway in sg-a sg-b; do
        echo "--- $gateway"
        lab exec $gateway cygnet status
        lab exec $gateway cygnet trace | tail -n 40
    done
}

secret() {
    install -m 600 /dev/null "$SCRATCH/$1"
    echo "$2" >"$SCRATCH/$1"
}

# office GATEWAY START SECRET: its half of the connection; sg-b has Bob's half of its net only in the table.
office() {
    local own=4 far=5 local=192.1.0.0/24 remote=192.2.0.0/24
    [ "$1" = sg-a ] || { own=5 far=4 local=192.2.0.0/24 remote=192.1.0.0/24; }
    cat <<YAML
connections:
  - name: office
    version: $version
    local: {address: 192.1.1.$own, auth: psk}
    remote: {address: 192.1.1.$far, auth: psk}
    secret-file: $SCRATCH/$3
    children:
      - {name: lan, local: $local, remote: $remote, start: $2}
YAML
}

lab up --quiet
secret right 'correct horse battery staple'
secret wrong 'incorrect horse'
capture sg-a "$SCRATCH/pcap"

# By traffic, which waits for it (IKE-054). Nothing of it is opportunistic.
office sg-a on-traffic right | connect sg-a
office sg-b never right | connect sg-b
tunnel_is sg-a lan idle || fail "a tunnel without traffic"
pings alice $bob
tunnel_is sg-a lan up || fail "the tunnel is $(tunnel sg-a lan state)"
tunnel_is sg-b lan up || fail "on sg-b the tunnel is $(tunnel sg-b lan state)"
[ "$(why_field sg-a $bob grade)" = configured ] || fail "why knows nothing of the connection"
[ "$(status_field sg-a flows encrypt)" = 0 ] || fail "an opportunistic flow as well"
[ "$(status_field sg-b plane in_opportunistic)" = 0 ] || fail "something came in through oe0"
pings bob $alice
pings alice 192.2.0.1
transfer 1000000 alice bob $bob

# IPv6 between the same hosts has no connection: that is opportunistic, as ever.
pings alice 2001:db8:2::66
[ "$(why_field sg-a 2001:db8:2::66 grade)" = authenticated ] || fail "no opportunistic tunnel beside it"

# keyd dies: the next one knows the tunnel.
spi=$(tunnel sg-a lan spi_out)
kill -9 "$(status_field sg-a processes keyd pid)"
knows() { [ "$(tunnel sg-a lan spi_out)" = "$spi" ]; }
wait_for 5 "the new keyd to know the tunnel" knows
pings alice $bob
knows || fail "it was made anew"

# Another connection comes, and this one stays.
{ office sg-a on-traffic right; cat <<YAML
  - name: other
    version: $version
    local: {auth: psk}
    remote: {address: 192.1.1.6, auth: psk}
    secret-file: $SCRATCH/wrong
    children: [{name: elsewhere, local: 192.1.0.0/24, remote: 192.3.0.0/24, start: never}]
YAML
} | connect sg-a
knows || fail "a reload that doesn't concern it has made it anew"
tunnel_is sg-a elsewhere idle || fail "the other connection isn't there"
lab exec alice ping -n -c 1 -W 1 192.3.0.68 >/dev/null && fail "what waits for a peer has left"

# The plane dies: it is made again for the next datagram.
kill -9 "$(status_field sg-a processes plane pid)"
remade() { [ "$(tunnel sg-a lan state)" = up ] && ! knows; }
ping_again() { lab exec alice ping -n -c 1 -W 1 $bob && remade; }
wait_for 15 "the tunnel after the plane was lost" ping_again
pings alice $bob

# Down means down, at both ends, and in the clear goes nothing.
lab exec sg-a cygnet down office >/dev/null
wait_for 5 "sg-b to hear of it" tunnel_is sg-b lan idle
lab exec alice ping -n -c 2 -i 0.2 -W 1 $bob >/dev/null && fail "it answers, though down"
lab exec bob ping -n -c 2 -i 0.2 -W 1 $alice >/dev/null && fail "the peer got through, though down"
lab exec sg-a cygnet up office >/dev/null
wait_for 5 "the tunnel to come up by command" tunnel_is sg-a lan up
pings alice $bob

# Not the right secret: no tunnel, and nothing else instead.
office sg-a on-traffic wrong | connect sg-a
wait_for 5 "the changed connection to go down" tunnel_is sg-b lan idle
lab exec alice ping -n -c 2 -i 0.2 -W 2 $bob >/dev/null && fail "a tunnel with the wrong secret"
tunnel_is sg-b lan idle || fail "sg-b took the wrong secret"
end_capture "$SCRATCH/pcap"
only_protected "$SCRATCH/pcap"
lab down

# Without waiting for traffic; and the table refuses what it doesn't hold (IKE-055).
lab up --quiet
office sg-b never right | sed 's#local: 192.2.0.0/24#local: 192.2.0.64/26#' | connect sg-b
office sg-a at-once right | sed 's#remote: 192.2.0.0/24#remote: 192.2.0.0/26#' | connect sg-a
refused() { lab exec sg-b cygnet trace | grep -q 'Proposal refused: office'; }
wait_for 10 "sg-b to refuse" refused
tunnel_is sg-a lan up && fail "sg-b let through what its table doesn't hold"
office sg-a at-once right | sed 's#remote: 192.2.0.0/24#remote: 192.2.0.64/26#' | connect sg-a
wait_for 10 "the tunnel that starts at once" tunnel_is sg-a lan up
pings bob $alice
lab down

# By raw keys of their own, not the gateways' (IKE-056); a third key proves nothing.
for key in a b c; do
    "$CYGNET_BUILD/src/cli/cygnet" keys new --out "$SCRATCH/$key.pem" >/dev/null
    openssl pkey -in "$SCRATCH/$key.pem" -pubout -out "$SCRATCH/$key.pub"
done
# by_key GATEWAY OWN PEER
by_key() {
    office "$1" on-traffic right | sed -e '/secret-file/d' \
        -e "/local: {a/s#auth: psk#auth: key, key: $SCRATCH/$2.pem#" \
        -e "/remote: {a/s#auth: psk#auth: key, key: $SCRATCH/$3.pub#"
}
lab up --quiet
by_key sg-a a b | connect sg-a
by_key sg-b c a | connect sg-b
lab exec alice ping -n -c 2 -i 0.2 -W 2 $bob >/dev/null && fail "a tunnel with another key than configured"
by_key sg-b b a | connect sg-b
lab exec sg-a cygnet up office >/dev/null
wait_for 10 "the tunnel by raw keys" tunnel_is sg-a lan up
pings alice $bob
