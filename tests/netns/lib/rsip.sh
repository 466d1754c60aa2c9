# Hosts behind an RSIP gateway, in namespaces of their own. Source it first.
#
#   x1 10.0.1.2 ---- 10.0.1.1 +---+
#                             | n | 203.0.113.1 ---- 203.0.113.2 y
#   x2 10.0.2.2 ---- 10.0.2.1 +---+
#
#   at HOST COMMAND...        in its namespace
#   client HOST LINE...       $SCRATCH/HOST.yaml, with these lines more
#   start HOST, stop HOST     its cygnet-rsipd
#   status HOST               `cygnet rsip status --json`
#   has_address HOST ADDRESS  leased
#
# What is in BACKGROUND is killed at the end; explain, if there is one, is called after a failure.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
BUILD=${CYGNET_BUILD:-$ROOT/build}
RSIPD=$BUILD/src/daemon/rsipd/cygnet-rsipd
CYGNET=$BUILD/src/cli/cygnet
LAB_SUFFIX=rsip$$ # as in the lab, so that a guest finds its namespace
TAG=cyg-$LAB_SUFFIX
SCRATCH=$(mktemp -d)
chmod 755 "$SCRATCH"
BACKGROUND=()
declare -A PIDS
USER_ID=65534

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

finish() {
    local code=$? pid host
    trap - EXIT
    set +e
    if [ $code -ne 0 ] && [ $code -ne 77 ]; then
        tail -n 20 "$SCRATCH"/*.log >&2
        [ "$(type -t explain)" != function ] || explain >&2
    fi
    for pid in "${BACKGROUND[@]}"; do kill "$pid" 2>/dev/null; done
    wait 2>/dev/null
    for host in x1 x2 n y; do ip netns del "$TAG-$host" 2>/dev/null; done
    rm -rf "$SCRATCH"
    exit $code
}
trap finish EXIT

[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }

at() {
    local host=$1
    shift
    ip netns exec "$TAG-$host" "$@"
}

# wait_for SECONDS WHAT COMMAND...
wait_for() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt "$deadline" ] || fail "$what: not within its deadline"
        sleep 0.05
    done
}

# link A ADDRESS_A B ADDRESS_B
link() {
    ip -n "$TAG-$1" link add name "$3" type veth peer name "$1" netns "$TAG-$3"
    ip -n "$TAG-$1" addr add "$2" dev "$3"
    ip -n "$TAG-$3" addr add "$4" dev "$1"
    ip -n "$TAG-$1" link set dev "$3" up
    ip -n "$TAG-$3" link set dev "$1" up
}

for host in x1 x2 n y; do
    ip netns add "$TAG-$host"
    ip -n "$TAG-$host" link set lo up
done
link x1 10.0.1.2/24 n 10.0.1.1/24
link x2 10.0.2.2/24 n 10.0.2.1/24
link y 203.0.113.2/24 n 203.0.113.1/24
ip -n "$TAG-x2" route add 10.0.1.0/24 via 10.0.2.1

# client HOST MORE...: a client's configuration
client() {
    local host=$1
    shift
    {
        echo "user: \"$USER_ID\""
        echo "control: $SCRATCH/$host.sock"
        echo "client:"
        echo "  server: 10.0.1.1"
        printf '  %s\n' "$@"
    } >"$SCRATCH/$host.yaml"
}

start() {
    "$RSIPD" --check --config "$SCRATCH/$1.yaml" || fail "$1: configuration refused"
    ip netns exec "$TAG-$1" "$RSIPD" --config "$SCRATCH/$1.yaml" 2>>"$SCRATCH/$1.log" &
    BACKGROUND+=($!)
    PIDS[$1]=$!
}

stop() {
    kill "${PIDS[$1]}"
    wait "${PIDS[$1]}" 2>/dev/null || true
}

status() {
    "$CYGNET" rsip status --json --socket "$SCRATCH/$1.sock"
}

has_address() {
    at "$1" ip -4 addr show dev rsip0 | grep -q "inet $2/32"
}
