#!/bin/bash
# RFC 3104 appendix F, the road warrior and its reverse. The laptop, y, is in the Internet; n is the firewall of a
# company, and leases addresses of the company's net to it; x1 is its user's desktop in there. First the laptop begins,
# by a leased port and SPIs on an address that others share. Then the desktop does, toward an address that the
# laptop has leased for itself (appendix G). Both keyed by IKE and ESP, and the public side sees neither.
# RSIP-001, RSIP-006, RSIP-051
set -euo pipefail
# shellcheck source=lib/rsip.sh
. "$(dirname "$0")/lib/rsip.sh"
# shellcheck source=lib/rsip_keying.sh
. "$(dirname "$0")/lib/rsip_keying.sh"

explain() {
    local host
    for host in x1 y; do
        echo "--- $host"
        cygnet $host status
        cygnet $host trace | tail -n 30
    done
}

cat >"$SCRATCH/n.yaml" <<END
user: "$USER_ID"
control: $SCRATCH/n.sock
state: $SCRATCH/state
server:
  inside: 203.0.113.1
  outside: x1
  pool:
    - {addresses: 10.0.1.10, use: shared}
    - {addresses: 10.0.1.11, use: whole}
  hosts: [{from: 203.0.113.2/32, methods: [rsa-ip, rsipsec]}]
END

laptop() {
    {
        echo "user: \"$USER_ID\""
        echo "control: $SCRATCH/y.sock"
        printf 'client:\n  server: 203.0.113.1\n  routes: [10.0.0.0/8, %s/32]\n' "${INNER[x1]}"
        printf '  %s\n' "$@"
    } >"$SCRATCH/y.yaml"
    start y
}

# connection HOST OUTSIDE ID PEER REMOTE LOCAL_NET REMOTE_NET START [LINE...]
connection() {
    local host=$1 outside=$2 peer=$3 remote=$4 near=$5 far=$6 begins=$7
    shift 7
    { ordinary "$host" "$outside"; printf '%s\n' "$@"; cat <<END
connections:
  - name: home
    version: 2
    local: {auth: key, id: "@$host.test"}
    remote: {${remote:+address: $remote, }auth: key, id: "@$peer.test", key: $SCRATCH/$peer.pub}
    children: [{local: $near/32, remote: $far/32, start: $begins}]
END
    } >"$SCRATCH/$host.cygnet.yaml"
    daemon "$host"
}

talk() {
    at y ping -n -c 5 -i 0.1 -W 5 -I $INNER_Y "${INNER[x1]}" >"$SCRATCH/ping" || fail "y: $(cat "$SCRATCH/ping")"
    at x1 ping -n -c 5 -i 0.1 -W 5 -I "${INNER[x1]}" $INNER_Y >>"$SCRATCH/ping" || fail "x1: $(cat "$SCRATCH/ping")"
    [ "$(grep -c ' 0% packet loss' "$SCRATCH/ping")" = 2 ] || fail "$(cat "$SCRATCH/ping")"
}

keys
ip -n "$TAG-x1" route add $INNER_Y/32 via 10.0.1.1
capture
start n
wait_for 5 "the server" test -S "$SCRATCH/n.sock"

laptop "method: rsipsec" "ports: 4" "spis: 4" "set-port-range: no"
wait_for 5 "the laptop's lease" has_address y 10.0.1.10
connection x1 n y "" "${INNER[x1]}" $INNER_Y never
connection y rsip0 x1 10.0.1.2 $INNER_Y "${INNER[x1]}" at-once "leased-spis: yes"
wait_for 20 "the laptop's tunnel" tunnel_up y
talk
cygnet x1 status | grep -q 10.0.1.10 || fail "the desktop sees another address: $(cygnet x1 status)"

for host in x1 y; do end_daemon $host; done
stop y
laptop "method: rsa-ip"
wait_for 5 "the laptop's own address" has_address y 10.0.1.11
connection y rsip0 x1 "" $INNER_Y "${INNER[x1]}" never
connection x1 n y 10.0.1.11 "${INNER[x1]}" $INNER_Y at-once
wait_for 20 "the desktop's tunnel" tunnel_up x1
talk

end_daemon y
sleep 0.2 # what is still in tcpdump's buffer
kill "$CAPTURE"
wait "$CAPTURE" || true
[ "$(packets "proto 4")" -gt 40 ] || fail "no tunnel was captured"
[ "$(packets "ip and not proto 4 and not port 4555")" = 0 ] ||
    fail "on the public side: $(tcpdump -n -r "$SCRATCH/pcap" "ip and not proto 4 and not port 4555" 2>/dev/null | tail -n 5)"
echo "the road warrior begins by a leased port and SPIs; its desktop begins toward an address of its own"
