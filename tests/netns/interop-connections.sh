#!/bin/bash
# Configured connections with strongSwan, each begun once from either end, with traffic both ways and Deletes
# understood both ways. What is tried is the table at the end.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/strongswan.sh
. "$(dirname "$0")/lib/strongswan.sh"
# shellcheck source=lib/connections.sh
. "$(dirname "$0")/lib/connections.sh"

alice=192.1.0.65 bob=192.2.0.66

explain() {
    echo "--- while trying: $trying"
    lab exec sg-a cygnet status
    lab exec sg-a cygnet trace | tail -n 40
    swan_explain sg-b
}

# KIND is a kind of key, as in lib/connections.sh.
swan_auth() { # METHOD KIND
    case $1 in
    psk) echo 'local { auth = psk
        id = b.test }
        remote { auth = psk
        id = a.test }' ;;
    key) echo 'local { auth = pubkey
        pubkeys = own
        id = b.test }
        remote { auth = pubkey
        pubkeys = peer
        id = a.test }' ;;
    certificate) echo "local { auth = pubkey
        certs = own.crt
        id = b-$2.test }
        remote { auth = pubkey
        cacerts = ca.crt
        id = a-$2.test }" ;;
    esac
}

swan_files() { # KIND
    local directory
    directory=$(swan_directory sg-b)
    swan_prepare sg-b
    rm -f "$directory"/{private,pubkey,x509,x509ca}/*
    swan_private sg-b "$PKI/b-$1.pem"
    swan_public sg-b peer "$PKI/a-$1.pem"
    cp "$PKI/b-$1.crt" "$directory/x509/own.crt"
    cp "$PKI/ca.crt" "$directory/x509ca/ca.crt"
}

both_ways() {
    pings alice $bob
    (swan_inside sg-b ping -n -c 3 -i 0.2 -W 10 -I $bob $alice) >"$SCRATCH/ping" ||
        fail "bob to alice: $(cat "$SCRATCH/ping")"
}

gone() {
    ! swan_has sg-b INSTALLED && tunnel_is sg-a lan idle
}

# try NAME VERSION METHOD KIND CYGNET SWAN CHILD [SECRETS]: further lines for each side's connection, and for
# strongSwan's child and secrets.
try() {
    trying=$1
    local version=$2 method=$3 kind=$4
    swan_files "$kind"
    swan_connections sg-b <<CONF
connections { office {
    version = $version
    local_addrs = 192.1.1.5
    remote_addrs = 192.1.1.4
    $(swan_auth "$method" "$kind")
    $6
    children { lan {
        local_ts = $bob/32
        remote_ts = 192.1.0.0/24
        $7
    } }
} }
secrets { ike { secret = "$(cat "$PKI/secret")" }
    ${8-} }
CONF
    swan_start sg-b 'i_dont_care_about_security_and_use_aggressive_mode_psk = yes' 'dos_protection = no'
    connect sg-a <<YAML
connections:
  - name: office
    version: $version
$(cygnet_auth "$method" "$kind")
$5
    children:
      - {name: lan, local: 192.1.0.0/24, remote: $bob/32, start: on-traffic}
YAML
    sleep 1 # a question to the keeper that is just being replaced would be lost
    # Cygnet begins, at its first datagram. strongSwan installs its SAs on Quick Mode's last message, which
    # that datagram may overtake.
    lab exec alice ping -n -c 6 -i 0.5 -W 10 $bob >"$SCRATCH/ping" || fail "$1: $(cat "$SCRATCH/ping")"
    grep -q ' [456] received' "$SCRATCH/ping" || fail "$1: $(grep received "$SCRATCH/ping")"
    tunnel_is sg-a lan up || fail "$1: the tunnel is $(tunnel sg-a lan state)"
    both_ways
    lab exec sg-a cygnet down office >/dev/null
    wait_for 10 "$1: strongSwan to take the Delete" gone
    lab exec sg-a cygnet up office >/dev/null
    wait_for 10 "$1: the tunnel to come up by command" tunnel_is sg-a lan up
    swan sg-b --terminate --ike office >/dev/null
    wait_for 10 "$1: Cygnet to take the Delete" gone
    # strongSwan begins.
    swan sg-b --initiate --child lan >"$SCRATCH/initiate" 2>&1 || fail "$1: $(cat "$SCRATCH/initiate")"
    wait_for 10 "$1: strongSwan's tunnel" tunnel_is sg-a lan up
    both_ways
    swan_stop sg-b
    wait_for 10 "$1: Cygnet to take the last Delete" tunnel_is sg-a lan idle
    echo "strongSwan, $1: begun and ended from both ends, with traffic"
}

# only NAME ...: that case, or every case if no name was given.
only() {
    [ -z "${INTEROP_CASE-}" ] || [ "$INTEROP_CASE" = "$1" ] || return 0
    try "$@"
}

trying=nothing
lab up --quiet
lab stop sg-b
swan_prepare sg-b
swan_address sg-b $bob/32
credentials

main='proposals = aes256-sha256-ecp256'
pfs='esp_proposals = aes256gcm16-ecp256'
only 'IKEv1 Main Mode, shared key' 1 psk rsa '' "$main" "$pfs"
only 'IKEv1 Main Mode, raw RSA keys' 1 key rsa '' "$main" "$pfs"
only 'IKEv1 Main Mode, RSA certificates' 1 certificate rsa '' "$main" "$pfs"
only 'IKEv1 Main Mode, ECDSA certificates' 1 certificate ecdsa '' "$main" "$pfs"
only 'IKEv1 Aggressive Mode, shared key, no PFS' 1 psk rsa $'    mode: aggressive\n    pfs: none' \
    "aggressive = yes
    $main" 'esp_proposals = aes256gcm16'

main='proposals = aes256gcm16-prfsha256-x25519,aes256-sha256-ecp256'
child='esp_proposals = aes256gcm16-x25519,aes256gcm16'
only 'IKEv2, shared key' 2 psk rsa '' "$main" "$child"
only 'IKEv2, shared key and a PPK' 2 psk rsa "    ppk: {id: vault, file: $PKI/ppk}" "$main
    ppk_id = vault
    ppk_required = yes" "$child" "ppk-vault {
        id = vault
        secret = \"$(cat "$PKI/ppk")\" }"
only 'IKEv2, raw RSA keys' 2 key rsa '' "$main" "$child"
only 'IKEv2, raw ECDSA keys' 2 key ecdsa '' "$main" "$child"
only 'IKEv2, raw Ed25519 keys' 2 key ed25519 '' "$main" "$child"
only 'IKEv2, ECDSA certificates' 2 certificate ecdsa '' "$main" "$child"
only 'IKEv2, Ed25519 certificates' 2 certificate ed25519 '' "$main" "$child"
only 'IKEv2, RSA certificates of 4096 bits, in fragments' 2 certificate rsa4096 '' "$main
    fragmentation = force" "$child"
