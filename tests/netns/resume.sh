#!/bin/bash
# Session resumption (RFC 5723): a gateway dies with all it knew but the secret of its tickets. The other one finds
# it silent and resumes the IKE SA by a ticket: no signature, no key exchange, traffic flows again. Then the same
# after its secret is another: the ticket is refused, and the full exchange follows, with the puzzles (RFC 8019)
# that this gateway gives to whoever has no ticket.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/connections.sh
. "$(dirname "$0")/lib/connections.sh"

BOB=192.2.0.66

explain() {
    for host in sg-a sg-b; do
        echo "--- $host"
        lab exec $host cygnet status || true
        lab exec $host cygnet trace | tail -n 40 || true
    done
}

secret() {
    head -c 32 /dev/urandom | base64 | install -m 600 /dev/stdin "$SCRATCH/tickets"
}

side() { # HOST OWN-ADDRESS OWN-NAME PEER-ADDRESS PEER-NAME LOCAL REMOTE START
    connect "$1" <<YAML
wait: 2
limits: {puzzles: always, puzzle-bits: 12}
ticket-secret-file: $SCRATCH/tickets
connections:
  - name: office
    version: 2
    resumption: yes
    dpd: 1
    local: {address: $2, id: "@$3.test", auth: psk}
    remote: {address: $4, id: "@$5.test", auth: psk}
    secret-file: $PKI/secret
    children:
      - {name: lan, local: $6, remote: $7, start: $8}
YAML
}

gateway_says() { # FIELD: of sg-a's SA with sg-b
    lab exec sg-a cygnet status --json | python3 -c '
import json, sys
for g in json.load(sys.stdin)["gateways"]:
    if g["established"] and g.get(sys.argv[1]):
        sys.exit()
sys.exit(1)' "$1"
}

said() { # HOST WORDS
    lab exec "$1" cygnet trace | grep -q "$2"
}

responder() {
    side sg-b 192.1.1.5 b 192.1.1.4 a 192.2.0.0/24 192.1.0.0/24 never
}

# It has its connections again before the other one has given up.
dies_and_comes_back() {
    kill -9 -- "-$(cut -d' ' -f1 "$(lab path sg-b)/state/../../pids/sg-b")"
    wait_for 5 "sg-b to be gone, and begin" lab start sg-b
    responder
}

lab up --quiet
credentials
secret
responder
side sg-a 192.1.1.4 a 192.1.1.5 b 192.1.0.0/24 192.2.0.0/24 at-once
wait_for 10 "the tunnel" tunnel_is sg-a lan up
pings alice $BOB
said sg-a "Puzzle: solved" || fail "no puzzle was solved"
gateway_says ticket || fail "sg-a has no ticket"
! gateway_says resumed || fail "resumed before it was lost"

dies_and_comes_back
wait_for 15 "the session to be resumed" gateway_says resumed
pings alice $BOB
said sg-b "Session resumed" || fail "sg-b does not know"
! said sg-a "Ticket refused" || fail "the ticket was refused"

secret
dies_and_comes_back
wait_for 15 "a full exchange" said sg-a "Ticket refused"
wait_for 5 "the tunnel" tunnel_is sg-a lan up
pings alice $BOB
! gateway_says resumed || fail "resumed with a ticket of another secret"
echo "a lost IKE SA is resumed by a ticket, and made anew where the ticket is not known"
