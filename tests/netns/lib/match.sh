# Real traffic held against the models of docs/models. Source it after common.sh.
#
#   match_net NAME               a namespace of the test's own, with its loopback up
#   inside NAME COMMAND...       runs to its end; in the background, kill would miss the command
#   match_join A ADDRESS B ADDRESS   two namespaces, joined by their eth0
#   match_capture NAME IFACE FILE [FILTER]   record; match_capture_end FILE ends it when all is written
#   match_follows MODEL FILE BY COUNT        COUNT exchanges follow the model, by ladders (BY: their titles,
#                                            or "the state machines")
#   match_broken MODEL FILE BREAK...         breaks the capture and asks where it was seen: match_break.py
# shellcheck shell=bash

MATCH_NETS=()
MODELS=$ROOT/docs/models
CYGNET=$CYGNET_BUILD/src/cli/cygnet

match_finish() {
    local code=$? net pid
    set +e
    for pid in "${BACKGROUND[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    for net in "${MATCH_NETS[@]}"; do
        ip netns del "$net" 2>/dev/null || true
    done
    return $code
}
trap 'match_finish; finish' EXIT

net_name() {
    echo "match-$1-$$"
}

match_net() {
    ip netns add "$(net_name "$1")"
    MATCH_NETS+=("$(net_name "$1")")
    ip -n "$(net_name "$1")" link set lo up
}

# match_join A ADDRESS B ADDRESS: two namespaces with a link between them.
match_join() {
    match_net "$1"
    match_net "$3"
    ip -n "$(net_name "$1")" link add eth0 type veth peer name eth0 netns "$(net_name "$3")"
    ip -n "$(net_name "$1")" address add "$2" dev eth0
    ip -n "$(net_name "$3")" address add "$4" dev eth0
    ip -n "$(net_name "$1")" link set eth0 up
    ip -n "$(net_name "$3")" link set eth0 up
}

inside() {
    local net
    net=$(net_name "$1")
    shift
    ip netns exec "$net" "$@"
}

match_capture() {
    ip netns exec "$(net_name "$1")" tcpdump --immediate-mode -i "$2" -n -U -Z root -w "$3" "${@:4}" 2>"$3.log" &
    CAPTURE=$!
    BACKGROUND+=("$CAPTURE")
    wait_for 5 "tcpdump on $2" grep -q 'listening on' "$3.log"
}

# Loopback is seen once, but counted twice: what tcpdump wrote is all when the count stands still.
match_capture_end() {
    local before=-1 now=0
    while [ "$before" != "$now" ]; do
        before=$now
        sleep 0.3
        now=$(stat -c %s "$1")
    done
    kill -INT "$CAPTURE"
    wait "$CAPTURE" || true
    grep -q '^0 packets dropped by kernel' "$1.log" || fail "the capture missed packets"
}

match_follows() {
    local lines
    "$CYGNET" model match "$MODELS/$1" "$2" >"$SCRATCH/matched" || {
        cat "$SCRATCH/matched" >&2
        fail "$2 does not follow $1"
    }
    lines=$(grep -cF "follows $3, " "$SCRATCH/matched") || true
    [ "$lines" = "$4" ] || {
        cat "$SCRATCH/matched" >&2
        fail "$lines exchanges follow $1 by $3, not $4"
    }
}

match_broken() {
    "$ROOT/tests/netns/lib/match_break.py" "$CYGNET" "$MODELS/$1" "${@:2}" || fail "$1 was not held against"
}
