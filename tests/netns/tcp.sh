#!/bin/bash
# A configured connection between SG-A and SG-B where nothing but TCP passes (RFC 9329): UDP is tried first, then
# the tunnel comes up through TCP and carries pings and a transfer. Connections are killed under traffic, by a reset
# and by silence, and made again; keyd dies; nothing of the tunnel is made anew. Strangers who connect get nowhere.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/connections.sh
. "$(dirname "$0")/lib/connections.sh"

bob=192.2.0.66 alice=192.1.0.65
EXPECTED="tcp port 4500 or $EXPECTED"

explain() {
    for gateway in sg-a sg-b; do
        echo "--- $gateway"
        lab exec $gateway cygnet status
        lab exec $gateway cygnet trace | tail -n 40
        lab exec $gateway ss -tnp state all 'sport = :4500 or dport = :4500'
    done
}

# office GATEWAY START TCP [MOBIKE]
office() {
    local own=4 far=5 local=192.1.0.0/24 remote=192.2.0.0/24
    [ "$1" = sg-a ] || { own=5 far=4 local=192.2.0.0/24 remote=192.1.0.0/24; }
    cat <<YAML
connections:
  - name: office
    local: {address: 192.1.1.$own, auth: psk}
    remote: {address: 192.1.1.$far, auth: psk}
    secret-file: $SCRATCH/secret
    tcp: $3
    mobike: ${4:-yes}
    children:
      - {name: lan, local: $local, remote: $remote, start: $2}
YAML
}

# transport GATEWAY: of its only IKE SA.
transport() {
    lab exec "$1" cygnet status --json | python3 -c '
import json, sys
print(*(g.get("transport", "none") for g in json.load(sys.stdin)["gateways"]))'
}

through_tcp() { [ "$(transport sg-a)" = tcp ] && [ "$(transport sg-b)" = tcp ]; }

connections() { lab exec sg-b ss -tnH state established 'sport = :4500' | wc -l; }

filter() { lab exec sg-b nft -f -; }

# The peer's end of the connection is somewhere else from one moment to the next.
port_of() { lab exec sg-b ss -tnH state established 'sport = :4500' | sed 's/.*://' | tr -d ' '; }

answers() { lab exec alice ping -n -c 1 -W 1 $bob >/dev/null; }

printf 'tcp-port: 4500\n' >"$SCRATCH/listen.yaml"
install -m 600 /dev/null "$SCRATCH/secret"
echo 'correct horse battery staple' >"$SCRATCH/secret"
lab up --quiet --policy "sg-b=$SCRATCH/listen.yaml"
office sg-a on-traffic auto | connect sg-a
office sg-b never auto | connect sg-b

# UDP is what this network drops.
filter <<NFT
table inet no_udp {
    chain in { type filter hook input priority 0; udp dport {500, 4500} counter drop; ip protocol esp drop; }
}
NFT
capture sg-a "$SCRATCH/pcap"
lab exec alice ping -n -c 1 -W 20 $bob >/dev/null || fail "no ping through TCP"
through_tcp || fail "it runs through $(transport sg-a)"
[ "$(connections)" = 1 ] || fail "$(connections) TCP connections for one IKE SA"
lab exec sg-a cygnet status | grep -q 'IKE and ESP in TCP to port 4500' || fail "the status doesn't say TCP"
lab exec sg-a cygnet trace | grep -q 'No answer through UDP' || fail "UDP was not tried first"
[ "$(lab exec sg-b nft list table inet no_udp | sed -n 's/.*packets \([0-9]*\).*/\1/p')" -ge 2 ] ||
    fail "UDP was tried less than twice"
pings alice $bob
pings bob $alice
# The largest datagram goes into one segment, and what is too large is told.
lab exec alice ping -n -c 1 -W 2 -M "do" -s 1472 $bob >"$SCRATCH/ping" && fail "too large, and it passed"
grep -q 'mtu = 1[34]' "$SCRATCH/ping" || fail "no word of the MTU: $(cat "$SCRATCH/ping")"
began=$(date +%s%N)
transfer 20000000 alice bob $bob
echo "20 MB through TCP in $((($(date +%s%N) - began) / 1000000)) ms"

# Reset under traffic: who began it begins it again, and no SA is made anew.
spi=$(tunnel sg-a lan spi_out)
unchanged() { [ "$(tunnel sg-a lan spi_out)" = "$spi" ] || fail "$1: the tunnel was made anew"; }
before=$(port_of)
filter <<NFT
table inet resets {
    chain in { type filter hook input priority 0; tcp dport 4500 tcp sport $before reject with tcp reset; }
}
NFT
answers || true # brings on the reset
moved() { [ "$(port_of)" != "$before" ] && [ "$(connections)" = 1 ]; }
wait_for 10 "another connection after the reset" moved
lab exec sg-b nft delete table inet resets
wait_for 10 "the tunnel after the reset" answers
unchanged "reset"
lab exec sg-a cygnet trace | grep -q 'TCP connection made again' || fail "the trace doesn't say so"

# Killed at the responder's end, in the midst of a transfer.
kill_it() { lab exec sg-b ss -K state established 'sport = :4500' >/dev/null 2>&1; }
{ sleep 0.3; kill_it; sleep 0.4; kill_it; } &
killer=$!
transfer 30000000 alice bob $bob
wait $killer
again() { [ "$(lab exec sg-a cygnet trace | grep -c 'TCP connection made again')" -ge 3 ]; }
wait_for 10 "the connection to be made again twice" again # which it is for what is sent, transfer or not
wait_for 10 "the tunnel after that" answers
unchanged "killed twice"

# Silence: nothing of this connection comes through any more, and nobody says so.
before=$(port_of)
filter <<NFT
table inet hush {
    chain in { type filter hook input priority 0; tcp sport $before drop; }
}
NFT
lab exec alice timeout 20 ping -n -i 0.2 $bob >/dev/null &
fresh() { port_of | grep -qvx "$before" && answers; }
wait_for 20 "another connection after silence" fresh
lab exec sg-b nft delete table inet hush
unchanged "silence"

# keyd dies at either end: the connection stays, and with it the tunnel.
before=$(port_of)
for gateway in sg-a sg-b; do
    kill -9 "$(status_field $gateway processes keyd pid)"
    wait_for 5 "the new keyd of $gateway" through_tcp
    pings alice $bob
done
unchanged "keyd died"
port_of | grep -qx "$before" || fail "keyd died and the connection is another"

# Strangers: no prefix, a length of 1, ESP of nobody, and too many of them. Each is shown the door.
cat >"$SCRATCH/stranger.py" <<'PY'
import socket, time
def ends(octets, seconds):
    with socket.create_connection(("192.1.1.5", 4500), timeout=seconds) as c:
        c.sendall(octets)
        begun = time.monotonic()
        try:
            assert c.recv(64) == b""
        except ConnectionResetError:
            pass
        return time.monotonic() - begun
assert ends(b"GET / HTTP/1.0\r\n\r\n", 3) < 1
assert ends(b"IKETCP\x00\x01", 3) < 1
assert ends(b"IKETCP" + 100 * b"\x00\x0a\x12\x34\x56\x78\x00\x00\x00\x01", 3) < 1
held = [socket.create_connection(("192.1.1.5", 4500)) for _ in range(40)]
time.sleep(0.5)
alive = 0
for c in held:
    c.setblocking(False)
    try:
        c.recv(1)
    except BlockingIOError:
        alive += 1
    except ConnectionResetError:
        pass
assert alive == 16, alive
PY
lab exec sg-d python3 "$SCRATCH/stranger.py" || fail "a stranger was not shown the door"
counted() { [ "$(status_field sg-b plane "$1")" -ge "$2" ]; } # keyd asks for them now and then
wait_for 15 "the count of bad prefixes" counted tcp_bad_prefix 1
pings alice $bob
unchanged "strangers"
end_capture "$SCRATCH/pcap"
only_protected "$SCRATCH/pcap"

# UDP passes again: a tunnel that begins now begins with it.
lab exec sg-b nft delete table inet no_udp
lab stop sg-a
none() { [ "$(connections)" = 0 ]; }
wait_for 10 "the end of the connection" none
lab start sg-a
sed 's/mobike: yes/&\n    dpd: 2/' <(office sg-a on-traffic auto) | connect sg-a
pings alice $bob
[ "$(connections)" = 0 ] || fail "TCP, though UDP passes"

# And with MOBIKE a tunnel that stands goes on in TCP where UDP begins to be dropped.
spi=$(tunnel sg-a lan spi_out)
filter <<NFT
table inet no_udp {
    chain in { type filter hook input priority 0; udp dport {500, 4500} drop; ip protocol esp drop; }
}
NFT
wait_for 30 "the tunnel through TCP" through_tcp
pings alice $bob
unchanged "UDP dropped"
