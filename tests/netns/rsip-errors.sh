#!/bin/bash
# What a gateway refuses, on real packets and as its hosts see it: IPsec for who may not (401), more SPIs than there
# are for a host (402), an SPI that another has (403). A host that vanishes without a word frees what it had.
# tshark finds nothing wrong with any message of all that. RSIP-033, RSIP-040, RSIP-041, RSIP-042, RSIP-069
set -euo pipefail
# shellcheck source=lib/rsip.sh
. "$(dirname "$0")/lib/rsip.sh"

explain() {
    local host
    for host in n x1 x2; do "$CYGNET" rsip trace --socket "$SCRATCH/$host.sock" | tail -n 20; done
}

# gateway METHODS_X1 SPIS_X2 [REMOTE_FLOW_X2]
gateway() {
    cat >"$SCRATCH/n.yaml" <<END
user: "$USER_ID"
control: $SCRATCH/n.sock
state: $SCRATCH/state
server:
  inside: 10.0.1.1
  outside: y
  hold: 1
  pool: [addresses: 203.0.113.10]
  hosts:
    - {from: 10.0.1.0/24, methods: [$1], lease: 10}
    - {from: 10.0.2.0/24, methods: [rsap-ip, rsipsec], spis: $2, remote-flow: ${3:-none}}
  dns: [203.0.113.2]
END
    start n
    wait_for 5 "the server" test -S "$SCRATCH/n.sock"
}

# refused HOST ERROR: so it says, and so the messages were, at both ends
refused() {
    local end
    wait_for 10 "$1: $2" says "$1" "$2"
    for end in "$1" n; do
        "$CYGNET" rsip trace --socket "$SCRATCH/$end.sock" >"$SCRATCH/said"
        grep -q "ERROR_RESPONSE.*$2" "$SCRATCH/said" || fail "$end: no $2 in $(cat "$SCRATCH/said")"
    done
    ! has_address "$1" 203.0.113.10 || fail "$1 has the address all the same"
}

says() {
    "$CYGNET" rsip status --socket "$SCRATCH/$1.sock" | grep -q "$2"
}

held() {
    status n | python3 -c 'import json, sys
print([(b["host"], b["spis"]) for b in json.load(sys.stdin)["binds"]])'
}

ip netns exec "$TAG-n" tcpdump --immediate-mode -i any -n -U -Z root -w "$SCRATCH/pcap" port 4555 2>"$SCRATCH/tcpdump" &
capture=$!
BACKGROUND+=($capture)
wait_for 5 "tcpdump" grep -q 'listening on' "$SCRATCH/tcpdump"

gateway rsap-ip 4
client x1 "method: rsipsec" "ports: 0" "spis: 2" "first-spi: 0x5000"
client x2 "method: rsipsec" "ports: 0" "spis: 8" "transport: tcp"
start x1
start x2
refused x1 IPSEC_UNALLOWED
refused x2 IPSEC_SPI_UNAVAILABLE

# x1 may now; x2 wants one of what it got
stop n
stop x2
gateway "rsap-ip, rsipsec" 4
wait_for 10 "x1's lease" has_address x1 203.0.113.10
client x2 "method: rsipsec" "ports: 0" "spis: 2" "first-spi: 0x5001"
start x2
refused x2 IPSEC_SPI_INUSE

# x1 is gone, and nobody says so; when its lease is over x2 gets what it asked for
kill -KILL "$(pgrep -P "${PIDS[x1]}")" "${PIDS[x1]}"
[ "$(held)" = "[('10.0.1.2', ['0x00005000', '0x00005001'])]" ] || fail "before: $(held)"
wait_for 20 "x2's lease" has_address x2 203.0.113.10
[ "$(held)" = "[('10.0.2.2', ['0x00005001', '0x00005002'])]" ] || fail "after: $(held)"
stop x2

# Under a remote flow policy the remote host may be given by its name, which the gateway looks up (RSIP-079).
cat >"$SCRATCH/test.zone" <<'END'
$ORIGIN test.
@ 60 IN SOA y.test. y.test. 1 60 60 60 60
@ 60 IN NS y
y 60 IN A 203.0.113.2
END
cat >"$SCRATCH/nsd.conf" <<END
server:
    ip-address: 203.0.113.2
    username: ""
    database: ""
    zonesdir: "$SCRATCH"
    pidfile: ""
    xfrdfile: "$SCRATCH/xfrd"
    xfrdir: "$SCRATCH"
    zonelistfile: "$SCRATCH/zones"
    logfile: "$SCRATCH/nsd.log"
    server-count: 1
zone:
    name: test
    zonefile: test.zone
END
ip netns exec "$TAG-y" nsd -d -c "$SCRATCH/nsd.conf" 2>"$SCRATCH/nsd.err" &
BACKGROUND+=($!)
asked() { at n dig +short +tries=1 +time=1 @203.0.113.2 y.test | grep -q 203.0.113.2; }
wait_for 5 "y's nameserver" asked
stop n
gateway rsap-ip 4 macro
client x2 "ports: 16" "remote: nowhere.test"
start x2
refused x2 REMOTE_ADDR_UNALLOWED
stop x2
client x2 "ports: 16" "remote: y.test"
start x2
wait_for 10 "x2's lease" has_address x2 203.0.113.10
status n | python3 -c 'import json, sys
sys.exit(json.load(sys.stdin)["binds"][0]["remotes"] != ["203.0.113.2"])' || fail "the name leads to: $(status n)"
at x2 ping -n -c 1 -W 2 203.0.113.2 >/dev/null || fail "x2: no ping to y"
! at x2 ping -n -c 1 -W 1 203.0.113.1 >/dev/null || fail "x2 reaches another than y"
stop x2

sleep 0.2 # what is still in tcpdump's buffer
kill "$capture"
wait "$capture" || true
tshark -n -r "$SCRATCH/pcap" -Y rsip -T fields -e rsip.message_type -e _ws.expert.message -e _ws.malformed \
    >"$SCRATCH/dissected" 2>/dev/null
[ "$(wc -l <"$SCRATCH/dissected")" -gt 20 ] || fail "tshark sees only $(wc -l <"$SCRATCH/dissected") messages"
if grep -q "$(printf '\t.*[a-zA-Z]')" "$SCRATCH/dissected"; then
    fail "tshark complains: $(grep "$(printf '\t.*[a-zA-Z]')" "$SCRATCH/dissected")"
fi
echo "401, 402 and 403 as they are meant; a host that vanished holds nothing; remote hosts by name; $(wc -l <"$SCRATCH/dissected") messages without complaint"
