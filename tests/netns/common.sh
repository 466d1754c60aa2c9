# What the namespace tests share. Each test brings up a lab of its own and takes it down on every exit.
# shellcheck shell=bash
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export CYGNET_BUILD=${CYGNET_BUILD:-$ROOT/build}
LAB_SUFFIX=$(basename "$0" | cut -d. -f1)-$$
export LAB_SUFFIX
SCRATCH=$(mktemp -d)
BACKGROUND=()

# Inner addresses: none of them may be seen between the gateways.
INNER='net 192.1.0.0/24 or net 192.2.0.0/24 or net 2001:db8:1::/64 or net 2001:db8:2::/64'
# What may pass between gateways: IKE, ESP (native or in UDP), DNS; and what finds link addresses.
EXPECTED='udp port 500 or udp port 4500 or ip proto 50 or ip6 proto 50 or port 53'
LINK='arp or icmp6 or (ip6 and ip6[6] == 0 and ip6[40] == 58)'

lab() {
    "$ROOT/lab/lab" "$@"
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

finish() {
    local code=$? pid name
    trap - EXIT
    trap '' INT TERM PIPE # whoever read our words may have gone; the lab goes all the same
    set +e
    if [ $code -ne 0 ] && [ $code -ne 77 ]; then
        if declare -F explain >/dev/null; then explain >&2 || true; fi
        for name in $(lab hosts | cut -d' ' -f1); do
            [ -e "$(lab path "$name")/log" ] || continue
            echo "--- last lines of $name's log" >&2
            tail -n 15 "$(lab path $name)/log" >&2 || true
        done
    fi
    for pid in "${BACKGROUND[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    lab down >/dev/null 2>&1 || true
    rm -rf "$SCRATCH"
    exit $code
}
trap finish EXIT
trap 'exit 1' INT TERM

# wait_for SECONDS WHAT COMMAND...: poll until the command succeeds.
wait_for() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt "$deadline" ] || fail "$what: not within its deadline"
        sleep 0.05
    done
}

# capture PORT FILE [OCTETS]: record what passes one port of the public net, headers only if not told.
capture() {
    : >"$2.log" # of a capture before
    "$ROOT/lab/lab" exec wild tcpdump --immediate-mode -i "$1" -n -s "${3:-128}" -B 65536 \
        -U -Z root -w "$2" 2>"$2.log" &
    CAPTURE=$!
    BACKGROUND+=("$CAPTURE")
    wait_for 5 "tcpdump on $1" grep -q 'listening on' "$2.log"
}

# all_written LOG: has tcpdump written every packet that its filter took? (SIGUSR1 makes it say.)
all_written() {
    local captured received
    kill -USR1 "$CAPTURE"
    sleep 0.05
    read -r captured received < <(sed -nE \
        's/^tcpdump: ([0-9]+) packets? captured, ([0-9]+) packets? received.*/\1 \2/p' "$1" | tail -n 1)
    [ -n "$captured" ] && [ "$captured" = "$received" ]
}

# end_capture FILE: stop it once all is written, and check that nothing was missed.
end_capture() {
    wait_for 10 "the end of the capture" all_written "$1.log"
    kill -INT "$CAPTURE"
    wait "$CAPTURE" || true
    grep -q '^0 packets dropped by kernel' "$1.log" ||
        fail "the capture missed packets: $(grep dropped "$1.log")"
}

# packets FILE FILTER: how many packets of a capture match.
packets() {
    tcpdump -n -r "$1" "$2" 2>/dev/null | wc -l
}

# only_protected FILE: a capture that holds nothing but IKE, ESP and DNS, and no inner address.
only_protected() {
    local leaked other
    leaked=$(packets "$1" "$INNER")
    [ "$leaked" = 0 ] || {
        tcpdump -n -r "$1" -c 5 "$INNER" >&2 2>/dev/null || true
        fail "$leaked packets with an inner address between the gateways"
    }
    other=$(packets "$1" "not ($EXPECTED or $LINK)")
    [ "$other" = 0 ] || {
        tcpdump -n -r "$1" -c 5 "not ($EXPECTED or $LINK)" >&2 2>/dev/null || true
        fail "$other packets between the gateways are neither IKE, ESP nor DNS"
    }
}

# why_field GATEWAY DESTINATION FIELD: one field of what the gateway says about a flow.
why_field() {
    lab exec "$1" cygnet why --json "$2" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$3"
}

# gateway_field GATEWAY PEER FIELD: one field of what the gateway says about another.
gateway_field() {
    lab exec "$1" cygnet status --json |
        python3 -c 'import json, sys
print(next(g[sys.argv[2]] for g in json.load(sys.stdin)["gateways"] if g["peer"] == sys.argv[1]))' \
            "$2" "$3"
}

# well_formed FILE: an independent dissector finds nothing wrong with the packets of a full capture.
well_formed() {
    local wrong
    wrong=$(tshark -n -r "$1" -Y '_ws.malformed || _ws.expert.severity == error' 2>/dev/null)
    [ -z "$wrong" ] || fail "malformed packets: $wrong"
    tshark -n -r "$1" -Y isakmp -T fields -e frame.number 2>/dev/null | grep -q . ||
        fail "the dissector saw no IKE"
}

# wait_verdict GATEWAY DESTINATION VERDICT: a tunnel of the peer's may still be taking over.
wait_verdict() {
    wait_for 5 "$1: verdict $3 for $2" verdict_is "$@"
}

expect_verdict() {
    local verdict
    verdict=$(why_field "$1" "$2" verdict) || fail "$1: cygnet why $2 gave no answer"
    [ "$verdict" = "$3" ] || fail "$1 says '$verdict' of $2, not '$3'"
}

verdict_is() {
    [ "$(why_field "$1" "$2" verdict)" = "$3" ]
}

listens() {
    lab exec "$1" ss -Hltn "sport = :$2" | grep -q .
}

# transfer OCTETS FROM TO ADDRESS: send over TCP port 5202 and check that every octet arrived.
transfer() {
    local program=$ROOT/tests/netns/transfer.py receiver
    "$ROOT/lab/lab" exec "$3" python3 "$program" receive "$4" 5202 >"$SCRATCH/received" &
    receiver=$!
    BACKGROUND+=("$receiver")
    wait_for 5 "the receiver on $3" listens "$3" 5202
    lab exec "$2" timeout 90 python3 "$program" send "$4" 5202 "$1" >"$SCRATCH/sent" ||
        fail "sending $1 octets from $2 to $3 did not end in 90 s"
    wait_for 10 "the end of the transfer on $3" test -s "$SCRATCH/received"
    [ "$(cut -d' ' -f1 "$SCRATCH/sent")" = "$1" ] || fail "sent less than $1 octets"
    cmp "$SCRATCH/sent" "$SCRATCH/received" || fail "$3 received other octets than $2 sent"
}

# median_rtt FROM ADDRESS COUNT: median round trip of COUNT pings 10 ms apart, in microseconds. None
# may be lost. It runs before others: what is measured is the gateways, not this machine's other work.
median_rtt() {
    lab exec "$1" nice -n -15 ping -n -c "$3" -i 0.01 -W 5 "$2" >"$SCRATCH/rtt" ||
        fail "pings from $1 to $2 went unanswered: $(tail -n 2 "$SCRATCH/rtt")"
    grep -q ' 0% packet loss' "$SCRATCH/rtt" ||
        fail "$1 lost pings to $2: $(grep loss "$SCRATCH/rtt")"
    sed -n 's/.*time=\([0-9.]*\) ms/\1/p' "$SCRATCH/rtt" | sort -n |
        awk '{ rtt[NR] = $1 } END { printf "%d\n", rtt[int((NR + 1) / 2)] * 1000 }'
}

# tell_rtt WHAT DURING BEFORE AFTER; steady_rtt the same: under load the median may be this many times that of quiet.
LOADED=6
tell_rtt() {
    echo "median round trip: $3 us before, $2 us during $1, $4 us after"
}

steady_rtt() {
    local quiet=$(($3 > $4 ? $3 : $4))
    tell_rtt "$@"
    [ "$2" -le $((LOADED * quiet)) ]
}

# status_field GATEWAY MEMBER...: a member of what status says, 0 if it isn't there.
status_field() {
    local gateway=$1
    shift
    lab exec "$gateway" cygnet status --json | python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1:]:
    value = value.get(name, 0) if isinstance(value, dict) else 0
print(value)' "$@"
}

# peak_kb GATEWAY PROCESS: the most memory it ever had.
peak_kb() {
    awk '/^VmHWM:/ { print $2 }' "/proc/$(status_field "$1" processes "$2" pid)/status"
}
