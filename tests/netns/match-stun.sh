#!/bin/bash
# MOD-031: STUN from coturn's server and client, held against the model; broken, it is caught.
#
#   turnutils_stunclient  192.0.2.65 --- 192.0.2.1, .2  turnserver --stun-only
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/match.sh
. "$(dirname "$0")/lib/match.sh"

cd "$SCRATCH"
match_join client 192.0.2.65/24 server 192.0.2.1/24
ip -n "$(net_name server)" address add 192.0.2.2/24 dev eth0
match_capture server eth0 stun.pcap udp port 3478 or udp port 3479
ip netns exec "$(net_name server)" turnserver --stun-only -n --no-cli --no-tls --no-dtls -L 192.0.2.1 -L 192.0.2.2 \
    --log-file stdout --pidfile "$SCRATCH/turn.pid" --db "$SCRATCH/turn.db" >turn.log 2>&1 &
BACKGROUND+=("$!")
serves() {
    [ "$(inside server ss -Hlun 'sport = :3478' | wc -l)" -ge 2 ]
}
wait_for 10 "the STUN server" serves
inside client timeout 10 turnutils_stunclient 192.0.2.1 >client.log 2>&1 || fail "no answer: $(cat client.log)"
grep -q "UDP reflexive addr: 192.0.2.65:" client.log || fail "not the address asked from: $(cat client.log)"
match_capture_end stun.pcap

# Two requests from one port, each a transaction of its own.
match_follows stun.model stun.pcap Binding 2
match_broken stun.model stun.pcap drop:1 drop:2 swap:1
match_broken stun.model stun.pcap -x 1 drop:1 drop:2 swap:1
