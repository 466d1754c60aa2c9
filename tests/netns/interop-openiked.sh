#!/bin/bash
# OpenIKED with a kernel's ESP, in a guest in the place of SG-B: configured connections of IKEv2. Each end
# begins once; traffic passes both ways, and each end's Delete is understood.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/guest.sh
. "$(dirname "$0")/lib/guest.sh"
# shellcheck source=lib/connections.sh
. "$(dirname "$0")/lib/connections.sh"

alice=192.1.0.65 bob=192.2.0.66 trying=nothing

explain() {
    echo "--- while trying: $trying"
    guest "tail -n 60 /tmp/iked.log"
    lab exec sg-a cygnet trace | tail -n 40
    guest_explain
}

# iked MODE ID AUTH KEY: start it anew, active or passive, with that key for itself.
iked() {
    install -m 600 /dev/stdin "$GUEST/shared/iked.conf" <<CONF
set nomobike
set fragmentation
ikev2 "office" $1 esp from $bob/32 to 192.1.0.0/24 local 192.1.1.5 peer 192.1.1.4 \\
    ikesa enc aes-256 auth hmac-sha2-256 prf hmac-sha2-256 group curve25519 \\
    srcid b$2.test dstid a$2.test $3
CONF
    guest "cp /mnt/$4.pem /etc/iked/private/local.key && cp /mnt/$4.pub /etc/iked/local.pub &&
        install -m 600 /mnt/iked.conf /etc/iked.conf && iked -n && { iked -dvv >/tmp/iked.log 2>&1 & }" \
        >"$SCRATCH/start" 2>&1 || fail "$trying: $(cat "$SCRATCH/start")"
    wait_for 10 "$trying: iked's start" guest "ikectl show sa"
}

stop_iked() {
    guest "ikectl reset sa; sleep 0.3; kill \$(pidof iked); while pidof iked; do sleep 0.1; done; ip xfrm state flush" \
        >/dev/null
}

no_kernel_sa() {
    ! guest "ip xfrm state" | grep -q 192.1.1.4
}

both_ways() {
    pings alice $bob
    guest "ping -n -c 3 -i 0.2 -W 10 -I $bob $alice" >"$SCRATCH/ping" || fail "bob to alice: $(cat "$SCRATCH/ping")"
}

# try NAME ID AUTH KEY METHOD KIND
try() {
    trying=$1
    iked passive "$2" "$3" "$4"
    connect sg-a <<YAML
connections:
  - name: office
    version: 2
    pfs: none
$(cygnet_auth "$5" "$6")
    children:
      - {name: lan, local: 192.1.0.0/24, remote: $bob/32, start: on-traffic}
YAML
    sleep 1 # a question to the keeper that is just being replaced would be lost
    # OpenIKED installs its SAs after it has answered, so the datagrams that were held may be lost; and while
    # it still reads its certificates it may swallow IKE_AUTH, which costs a try of 20 s.
    wait_for 50 "$1: an answer" lab exec alice ping -n -c 1 -W 2 $bob
    tunnel_is sg-a lan up || fail "$1: the tunnel is $(tunnel sg-a lan state)"
    both_ways
    lab exec sg-a cygnet down office >/dev/null
    wait_for 10 "$1: OpenIKED to take the Delete" no_kernel_sa
    lab exec sg-a cygnet up office >/dev/null
    wait_for 10 "$1: the tunnel to come up by command" tunnel_is sg-a lan up
    stop_iked
    wait_for 10 "$1: Cygnet to take the Delete" tunnel_is sg-a lan idle
    iked active "$2" "$3" "$4"
    wait_for 20 "$1: OpenIKED's tunnel" tunnel_is sg-a lan up
    wait_for 20 "$1: an answer through it" lab exec alice ping -n -c 1 -W 2 $bob
    both_ways
    stop_iked
    wait_for 10 "$1: Cygnet to take the last Delete" tunnel_is sg-a lan idle
    echo "OpenIKED, $1: begun and ended from both ends, with traffic"
}

lab up --quiet
lab stop sg-b
credentials
guest_packages openiked libevent-2.1-7
guest_start sg-b 192.1.1.5/24 $bob/32
cp "$PKI"/b-{rsa,ecdsa}.{pem,pub,crt} "$PKI/a-rsa.pub" "$PKI/ca.crt" "$GUEST/shared"
guest "useradd --system -d /var/empty _iked && for of in private certs ca crls pubkeys/fqdn; do mkdir -p /var/empty /etc/iked/\$of; done &&
    cp /mnt/b-*.crt /etc/iked/certs && cp /mnt/ca.crt /etc/iked/ca && cp /mnt/a-rsa.pub /etc/iked/pubkeys/fqdn/a.test" \
    >"$SCRATCH/start" 2>&1 || fail "OpenIKED: $(cat "$SCRATCH/start")"

try 'shared key' '' "psk \"$(cat "$PKI/secret")\"" b-rsa psk rsa
try 'raw RSA keys' '' rfc7427 b-rsa key rsa
try 'ECDSA certificates' -ecdsa ecdsa256 b-ecdsa certificate ecdsa
