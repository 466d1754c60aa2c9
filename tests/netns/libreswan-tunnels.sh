#!/bin/bash
# libreswan with its kernel's own ESP, in a guest in the place of SG-B: configured connections of both
# versions. Each end begins once and ends once; traffic passes both ways. What is tried is the table at the end.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/guest.sh
. "$(dirname "$0")/lib/guest.sh"
# shellcheck source=lib/libreswan.sh
. "$(dirname "$0")/lib/libreswan.sh"
# shellcheck source=lib/connections.sh
. "$(dirname "$0")/lib/connections.sh"

explain() {
    echo "--- while trying: $trying"
    libreswan_explain
}

# configured NAME VERSION ID METHOD KIND LINE...: a configured connection; the lines are libreswan's.
configured() {
    trying=$1
    local version=$2 id=$3 method=$4 kind=$5
    shift 5
    {
        printf 'conn office\n    ikev2=%s\n' "$([ "$version" = 2 ] && echo insist || echo no)"
        printf '    %s\n' left=192.1.1.5 leftsubnet=$bob/32 right=192.1.1.4 rightsubnet=192.1.0.0/24 \
            "leftid=@b$id.test" "rightid=@a$id.test" leftupdown=/bin/true auto=add "$@"
    } >"$GUEST/shared/office.conf"
    libreswan_add office
    connect sg-a <<YAML
connections:
  - name: office
    version: $version
$(cygnet_auth "$method" "$kind")
    children:
      - {name: lan, local: 192.1.0.0/24, remote: $bob/32, start: on-traffic}
YAML
    sleep 1 # a question to the keeper that is just being replaced would be lost
    # Cygnet begins, and ends it.
    first
    tunnel_is sg-a lan up || fail "$trying: the tunnel is $(tunnel sg-a lan state)"
    talk
    lab exec sg-a cygnet down office >/dev/null
    wait_for 10 "$trying: libreswan to take the Delete" no_kernel_sa
    lab exec sg-a cygnet up office >/dev/null
    wait_for 10 "$trying: the tunnel to come up by command" tunnel_is sg-a lan up
    whack --name office --terminate >/dev/null || true
    wait_for 10 "$trying: Cygnet to take the Delete" tunnel_is sg-a lan idle
    # libreswan begins.
    whack --name office --initiate >"$SCRATCH/initiate" 2>&1 || true
    wait_for 20 "$trying: libreswan's tunnel" tunnel_is sg-a lan up
    talk
    whack --name office --delete >/dev/null || true
    wait_for 10 "$trying: Cygnet to take the last Delete" tunnel_is sg-a lan idle
    echo "libreswan, $trying: begun and ended from both ends, with traffic"
}

no_kernel_sa() {
    ! guest "ip xfrm state" | grep -q 192.1.1.4
}

trying=nothing
lab up --quiet
lab stop sg-b
credentials
libreswan_packages
guest_file /etc/ipsec.secrets <<SECRETS
@b.test @a.test : PSK "$(cat "$PKI/secret")"
SECRETS
guest_start sg-b 192.1.1.5/24 $bob/32
for kind in rsa ecdsa; do
    openssl pkcs12 -export -in "$PKI/b-$kind.crt" -inkey "$PKI/b-$kind.pem" -certfile "$PKI/ca.crt" -name $kind \
        -passout pass: -out "$GUEST/shared/$kind.p12"
done
libreswan_start rsa ecdsa

v1='ike=aes256-sha2_256-modp2048' v2='ike=aes_gcm256-sha2_256-dh31'
configured 'IKEv1, shared key' 1 '' psk rsa esp=aes_gcm256-null-modp2048 "$v1" authby=secret pfs=yes
configured 'IKEv1, RSA certificates' 1 -rsa certificate rsa esp=aes_gcm256-null-modp2048 "$v1" authby=rsasig pfs=yes \
    leftcert=rsa leftsendcert=always rightca=%same
configured 'IKEv2, shared key' 2 '' psk rsa esp=aes_gcm256 "$v2" authby=secret
configured 'IKEv2, raw RSA keys' 2 '' key rsa esp=aes_gcm256 "$v2" authby=rsa-sha2 leftcert=rsa leftsendcert=never \
    "rightrsasigkey=0s$(rfc3110 "$PKI/a-rsa.pem")"
configured 'IKEv2, ECDSA certificates' 2 -ecdsa certificate ecdsa esp=aes_gcm256 "$v2" authby=ecdsa \
    leftcert=ecdsa leftsendcert=always rightca=%same
