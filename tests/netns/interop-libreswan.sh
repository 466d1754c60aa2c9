#!/bin/bash
# libreswan with its kernel's own ESP, in a guest in the place of SG-B: IKEv1 by raw RSA keys, as an
# opportunistic gateway takes any peer whose key is in DNS. Each end begins once; traffic passes both ways.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/guest.sh
. "$(dirname "$0")/lib/guest.sh"
# shellcheck source=lib/libreswan.sh
. "$(dirname "$0")/lib/libreswan.sh"

explain() {
    libreswan_explain
}

tunnel_up() {
    lab exec sg-a cygnet status --json | grep -q '"Keyed"'
}

no_tunnel() {
    ! tunnel_up
}

lab up --quiet
lab stop sg-b
libreswan_packages
guest_start sg-b 192.1.1.5/24 $bob/32
openssl req -x509 -key "$(lab path sg-b)/private.pem" -subj /CN=sg-b -days 2 -out "$SCRATCH/own.crt" 2>/dev/null
openssl pkcs12 -export -in "$SCRATCH/own.crt" -inkey "$(lab path sg-b)/private.pem" -name own -passout pass: \
    -out "$GUEST/shared/own.p12"
cat >"$GUEST/shared/alice.conf" <<CONF
conn alice
    ikev2=no
    authby=rsasig
    left=192.1.1.5
    leftid=192.1.1.5
    leftsubnet=$bob/32
    leftcert=own
    leftsendcert=never
    right=192.1.1.4
    rightid=192.1.1.4
    rightsubnet=$alice/32
    rightrsasigkey=0s$(rfc3110 "$(lab path sg-a)/private.pem")
    ike=aes256-sha2_256-modp2048
    esp=aes256-sha2_256-modp2048
    pfs=yes
    auto=add
    leftupdown=/bin/true
CONF
libreswan_start own
libreswan_add alice

first
tunnel_up || fail "answered, but not by a tunnel"
talk
guest "ip -s xfrm state" | grep -q 192.1.1.4 || fail "libreswan's kernel has no SA"

# libreswan ends it, and Cygnet understands.
whack --name alice --terminate >/dev/null || true
wait_for 20 "Cygnet takes the Delete" no_tunnel

# libreswan begins.
whack --name alice --initiate >"$SCRATCH/initiate" 2>&1 || true
wait_for 30 "libreswan's tunnel" tunnel_up
talk
echo "libreswan: tunnels begun from both ends carry traffic, Deletes are understood"
