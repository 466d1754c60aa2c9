#!/bin/bash
# RFC 3104 appendix F, small office: x1 and x2 share the only address that their gateway has, which translates (NAPT)
# beside that for what they don't send by RSIP, and have IPsec tunnels to the same peer at the same time, each keyed by a Cygnet that takes address and inbound SPIs from its lease; x1 keys
# by IKEv2, x2 by IKEv1, both from port 500. The peer, a Cygnet, knows of no RSIP.
# RSIP-001, RSIP-003, RSIP-005, RSIP-009, RSIP-014
set -euo pipefail
# shellcheck source=lib/rsip.sh
. "$(dirname "$0")/lib/rsip.sh"
# shellcheck source=lib/rsip_keying.sh
. "$(dirname "$0")/lib/rsip_keying.sh"

explain() {
    local host
    for host in x1 x2 y; do
        echo "--- $host"
        cygnet $host status
        cygnet $host trace | tail -n 30
    done
}

SHARED=203.0.113.1
gateway "own, ports: 20000-29999"
keys
start n
wait_for 5 "the server" test -S "$SCRATCH/n.sock"
for host in x1 x2; do
    client $host "method: rsipsec" "ports: 0" "spis: 8" "address: $SHARED" "routes: [203.0.113.0/24, $INNER_Y/32]"
    start $host
    wait_for 5 "$host's lease" has_address $host $SHARED
done
peer_cygnet
keying x1 2
keying x2 1

# What is to be seen of it: the lease beside the connection, and how it was had, as its gateway has it too
for host in x1 x2; do
    wait_for 20 "$host's tunnel" tunnel_up $host
    spi=$(status $host | python3 -c 'import json, sys; print(json.load(sys.stdin)["spis"][0])')
    for command in status "why $INNER_Y"; do
        # shellcheck disable=SC2086
        cygnet $host $command >"$SCRATCH/said"
        grep -q "^RSIP lease $SHARED with the inbound SPIs .*$spi" "$SCRATCH/said" ||
            fail "$host: $command knows nothing of the lease: $(cat "$SCRATCH/said")"
    done
    "$CYGNET" rsip trace --ladder --socket "$SCRATCH/$host.sock" --socket "$SCRATCH/n.sock" >"$SCRATCH/ladder" ||
        fail "$host: no ladder"
    "$CYGNET" rsip trace --socket "$SCRATCH/$host.sock" >"$SCRATCH/said"
    for message in REGISTER_REQUEST REGISTER_RESPONSE ASSIGN_REQUEST_RSIPSEC ASSIGN_RESPONSE_RSIPSEC; do
        grep -q "$message" "$SCRATCH/ladder" || fail "$host: no $message in $(cat "$SCRATCH/ladder")"
        grep -q "$message" "$SCRATCH/said" || fail "$host: no $message in $(cat "$SCRATCH/said")"
    done
    grep -q "SPI $spi" "$SCRATCH/said" || fail "$host: the trace names no SPI: $(cat "$SCRATCH/said")"
done

capture
for round in 1 2; do
    for host in x1 x2; do
        pings $host
    done
    [ $round = 1 ] || break
    # new SAs, begun by the hosts
    for host in x1 x2; do
        renewed $host
    done
done
end_capture
only_leased

# The gateway itself, and NAPT, at that same address
at n nft -f - <<'END' || fail "n: no NAPT"
table ip napt {
    chain postrouting {
        type nat hook postrouting priority srcnat
        oifname "y" ip saddr 10.0.0.0/8 meta l4proto { tcp, udp } masquerade to :1024-19999
        oifname "y" ip saddr 10.0.0.0/8 masquerade
    }
}
END
ip -n "$TAG-y" addr add 198.18.0.1/32 dev lo
ip -n "$TAG-n" route add 198.18.0.0/24 via 203.0.113.2
ip -n "$TAG-x1" route add 198.18.0.0/24 via 10.0.1.1
ip -n "$TAG-x2" route add 198.18.0.0/24 via 10.0.2.1
reaches() {
    at "$1" ping -n -c 2 -i 0.2 -W 2 "$2" >/dev/null || fail "$1: no ping to $2"
}
fetched() {
    rm -f "$SCRATCH/seen"
    ip netns exec "$TAG-y" python3 "$ROOT/tests/netns/rsip_serve.py" 198.18.0.1 8080 >"$SCRATCH/seen" &
    BACKGROUND+=($!)
    wait_for 5 "y's server" grep -q ready "$SCRATCH/seen"
    at "$1" python3 "$ROOT/tests/netns/rsip_fetch.py" 198.18.0.1 8080 || fail "$1: no TCP"
    wait "${BACKGROUND[-1]}"
    grep -q "^ready $SHARED " "$SCRATCH/seen" || fail "$1: y saw $(cat "$SCRATCH/seen")"
}
reaches n 203.0.113.2
reaches y $SHARED
for host in x1 x2 n; do
    reaches $host 198.18.0.1
    fetched $host
done
for host in x1 x2; do pings $host; done

# x1's client dies without a word and is started again: its device stays, the lease is another one, and so are
# the SPIs of the tunnel (RSIP-116).
before=$(field x1 spi_in)
index=$(at x1 cat /sys/class/net/rsip0/ifindex)
kill -KILL "$(pgrep -P "${PIDS[x1]}")" "${PIDS[x1]}"
start x1
renewed_lease() {
    has_address x1 $SHARED && tunnel_up x1 && [ "$(field x1 spi_in)" != "$before" ]
}
wait_for 20 "x1's tunnel under its next lease" renewed_lease
[ "$(at x1 cat /sys/class/net/rsip0/ifindex)" = "$index" ] || fail "x1 has another device"
status x1 | grep -q "$(field x1 spi_in)" || fail "x1: SPI $(field x1 spi_in) is not leased"
for host in x1 x2; do pings $host; done

# The gateway's routing is what it was
stop n
[ "$(at n ip -4 rule | awk '{print $1, $NF}' | xargs)" = "0: local 32766: main 32767: default" ] ||
    fail "left behind: $(at n ip -4 rule)"
reaches n 203.0.113.2
echo "two hosts behind their gateway's only address: IKEv2 and IKEv1 from port 500, ESP both ways, by leased SPIs only"
