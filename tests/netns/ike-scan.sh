#!/bin/bash
# ike-scan, which finds and tells apart IKE implementations by their answers: what a stranger gets from
# Cygnet. An offer that will do is answered once, for a stranger's silence costs no repetition; one that won't
# do is refused with nothing kept; Aggressive Mode is not there unless configured.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/connections.sh
. "$(dirname "$0")/lib/connections.sh"

explain() {
    cat "$SCRATCH/scan"
    lab exec sg-a cygnet trace | tail -n 20
}

# AES-256, SHA2-256, group 14; its last part but one says by what the peers prove themselves.
rsa='(1=7,14=256,2=4,3=3,4=14)' psk='(1=7,14=256,2=4,3=1,4=14)'
aggressive=(--aggressive --dhgroup=14 --trans="$psk" --idtype=2 --id=b.test)

# answers WHAT PATTERN OPTION...
answers() {
    local what=$1 pattern=$2
    shift 2
    lab exec carol ike-scan --nodns --multiline --retry=3 --timeout=1000 "$@" 192.1.1.4 >"$SCRATCH/scan" 2>&1 ||
        fail "$what: $(cat "$SCRATCH/scan")"
    tr '\n\t' '  ' <"$SCRATCH/scan" | grep -q -- "$pattern" || fail "$what: not '$pattern'"
    echo "$what: as it should be"
}

lab up --quiet
answers 'Main Mode, weak suites alone' 'Notify message 14 (NO-PROPOSAL-CHOSEN).*0 returned handshake'
answers 'Main Mode, a suite that will do' \
    'Main Mode Handshake.*Hash=SHA2-256 Auth=RSA_Sig Group=14:modp2048.*Dead Peer Detection' --trans="$rsa"
answers 'Main Mode, our silence' 'Main Mode Handshake.* 192.1.1.4 1 [0-9.]* 0.000000 192.1.1.4 Impl' \
    --trans="$rsa" --showbackoff=3
answers 'Main Mode, shared keys from a stranger' 'Notify message 14.*0 returned handshake' --trans="$psk"
answers 'Aggressive Mode, not configured' '0 returned handshake; 0 returned notify' "${aggressive[@]}"
answers 'IKEv2, weak groups alone' 'Notify message 14 (NO_PROPOSAL_CHOSEN).*0 returned handshake' --ikev2

# For the peer at that address it is now, and not for others. Its KE is random, but in range.
mkdir -p "$PKI"
install -m 600 /dev/null "$PKI/secret"
echo 'correct horse battery staple' >"$PKI/secret"
connect sg-a <<YAML
connections:
  - name: office
    version: 1
    mode: aggressive
    local: {address: 192.1.1.4, id: "@a.test", auth: psk}
    remote: {address: 192.1.1.67, id: "@b.test", auth: psk}
    secret-file: $PKI/secret
    children:
      - {name: lan, local: 192.1.0.0/24, remote: 192.2.0.66/32, start: never}
YAML
answers 'Aggressive Mode, configured' 'Aggressive Mode Handshake.*Auth=PSK Group=14:modp2048.*Value=a.test' \
    "${aggressive[@]}"
lab exec nina ike-scan --nodns --retry=2 --timeout=500 "${aggressive[@]}" 192.1.1.4 >"$SCRATCH/scan"
grep -q '0 returned handshake; 0 returned notify' "$SCRATCH/scan" || fail "Aggressive Mode with another peer"
