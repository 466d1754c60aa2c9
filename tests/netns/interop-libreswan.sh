#!/bin/bash
# libreswan with its kernel's own ESP, in a guest in the place of SG-B: IKEv1 by raw RSA keys, as an
# opportunistic gateway takes any peer whose key is in DNS; then configured connections of both versions.
# Each end begins once and ends once; traffic passes both ways.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/guest.sh
. "$(dirname "$0")/lib/guest.sh"
# shellcheck source=lib/connections.sh
. "$(dirname "$0")/lib/connections.sh"

explain() {
    echo "--- while trying: $trying"
    guest "tail -n 60 /tmp/pluto.log"
    lab exec sg-a cygnet trace | tail -n 40
    guest_explain
}

alice=192.1.0.65 bob=192.2.0.66 trying='raw RSA keys from DNS'

# rfc3110 PEM: a public key as DNS and libreswan write it.
rfc3110() {
    "$CYGNET_BUILD"/src/cli/cygnet keys dns --key "$1" --address 192.1.1.4 --client $alice |
        grep -o 'Aw[A-Za-z0-9+/]*=*\|AQ[A-Za-z0-9+/]*=*' | head -n 1
}

whack() {
    guest "ipsec whack --rundir /run/pluto $*"
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
    guest "ipsec addconn --config /mnt/office.conf office" >"$SCRATCH/start" 2>&1 ||
        fail "$trying: $(cat "$SCRATCH/start")"
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

lab up --quiet
lab stop sg-b
credentials
guest_packages libreswan libnss3 libnss3-tools libnspr4 libcurl3-nss libldap-2.5-0 libldns3 libunbound8 \
    libevent-pthreads-2.1-7 dns-root-data iptables libip6tc2 libnetfilter-conntrack3 libnfnetlink0 libxtables12
guest_file /etc/ipsec.secrets <<SECRETS
@b.test @a.test : PSK "$(cat "$PKI/secret")"
SECRETS
guest_start sg-b 192.1.1.5/24 $bob/32
openssl req -x509 -key "$(lab path sg-b)/private.pem" -subj /CN=sg-b -days 2 -out "$SCRATCH/own.crt" 2>/dev/null
openssl pkcs12 -export -in "$SCRATCH/own.crt" -inkey "$(lab path sg-b)/private.pem" -name own -passout pass: \
    -out "$GUEST/shared/own.p12"
for kind in rsa ecdsa; do
    openssl pkcs12 -export -in "$PKI/b-$kind.crt" -inkey "$PKI/b-$kind.pem" -certfile "$PKI/ca.crt" -name $kind \
        -passout pass: -out "$GUEST/shared/$kind.p12"
done
cp "$PKI/ca.crt" "$GUEST/shared/ca.crt"
cat >"$GUEST/shared/ipsec.conf" <<CONF
config setup
    logfile=/tmp/pluto.log
    uniqueids=no
    ikev1-policy=accept

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
guest "mkdir -p /run/pluto && ipsec initnss && pk12util -i /mnt/own.p12 -d sql:/var/lib/ipsec/nss -W '' &&
    for kind in rsa ecdsa; do pk12util -i /mnt/\$kind.p12 -d sql:/var/lib/ipsec/nss -W '' || exit; done;
    certutil -M -n 'ca - Lab' -t CT,, -d sql:/var/lib/ipsec/nss &&
    ipsec pluto --config /mnt/ipsec.conf --logfile /tmp/pluto.log --rundir /run/pluto && sleep 2 &&
    ipsec addconn --config /mnt/ipsec.conf alice" >"$SCRATCH/start" 2>&1 || fail "libreswan: $(cat "$SCRATCH/start")"

talk() {
    lab exec alice ping -n -c 5 -i 0.2 -W 10 $bob >"$SCRATCH/ping" || fail "alice to bob: $(cat "$SCRATCH/ping")"
    grep -q ' 5 received' "$SCRATCH/ping" || fail "alice to bob: $(grep received "$SCRATCH/ping")"
    guest "ping -n -c 5 -i 0.2 -W 10 -I $bob $alice" >"$SCRATCH/ping" || fail "bob to alice: $(cat "$SCRATCH/ping")"
    guest "cat /proc/net/xfrm_stat" >/dev/null
}

# Cygnet begins, by traffic. libreswan installs its outbound SA on Quick Mode's last message, which the answer
# to the datagram that was held may overtake.
first() {
    wait_for 30 "$trying: an answer" lab exec alice ping -n -c 1 -W 2 $bob
}

tunnel_up() {
    lab exec sg-a cygnet status --json | grep -q '"Keyed"'
}

no_tunnel() {
    ! tunnel_up
}

first
tunnel_up || fail "answered, but not by a tunnel"
talk
guest "ip -s xfrm state" | grep -q 192.1.1.4 || fail "libreswan's kernel has no SA"

# libreswan ends it, and Cygnet understands.
guest "ipsec whack --rundir /run/pluto --name alice --terminate" >/dev/null || true
wait_for 20 "Cygnet takes the Delete" no_tunnel

# libreswan begins.
guest "ipsec whack --rundir /run/pluto --name alice --initiate" >"$SCRATCH/initiate" 2>&1 || true
wait_for 30 "libreswan's tunnel" tunnel_up
talk
whack --name alice --delete >/dev/null || true
wait_for 20 "Cygnet takes the last Delete" no_tunnel
echo "libreswan: tunnels begun from both ends carry traffic, Deletes are understood"

v1='ike=aes256-sha2_256-modp2048' v2='ike=aes_gcm256-sha2_256-dh31'
configured 'IKEv1, shared key' 1 '' psk rsa esp=aes_gcm256-null-modp2048 "$v1" authby=secret pfs=yes
configured 'IKEv1, RSA certificates' 1 -rsa certificate rsa esp=aes_gcm256-null-modp2048 "$v1" authby=rsasig pfs=yes \
    leftcert=rsa leftsendcert=always rightca=%same
configured 'IKEv2, shared key' 2 '' psk rsa esp=aes_gcm256 "$v2" authby=secret
configured 'IKEv2, raw RSA keys' 2 '' key rsa esp=aes_gcm256 "$v2" authby=rsasig leftcert=rsa leftsendcert=never \
    "rightrsasigkey=0s$(rfc3110 "$PKI/a-rsa.pem")"
configured 'IKEv2, ECDSA certificates' 2 -ecdsa certificate ecdsa esp=aes_gcm256 "$v2" authby=ecdsa \
    leftcert=ecdsa leftsendcert=always rightca=%same
