#!/bin/bash
# libreswan with its kernel's own ESP, in a guest in the place of SG-B: IKEv1 by raw RSA keys, as an
# opportunistic gateway takes any peer whose key is in DNS. Each end begins once; traffic passes both ways.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/guest.sh
. "$(dirname "$0")/lib/guest.sh"

explain() {
    guest "tail -n 60 /tmp/pluto.log"
    lab exec sg-a cygnet trace | tail -n 40
    guest_explain
}

alice=192.1.0.65 bob=192.2.0.66

# rfc3110 PEM: a public key as DNS and libreswan write it.
rfc3110() {
    "$CYGNET_BUILD"/src/cli/cygnet keys dns --key "$1" --address 192.1.1.4 --client $alice |
        grep -o 'Aw[A-Za-z0-9+/]*=*\|AQ[A-Za-z0-9+/]*=*' | head -n 1
}

lab up --quiet
lab stop sg-b
guest_packages libreswan libnss3 libnss3-tools libnspr4 libcurl3-nss libldap-2.5-0 libldns3 libunbound8 \
    libevent-pthreads-2.1-7 dns-root-data iptables libip6tc2 libnetfilter-conntrack3 libnfnetlink0 libxtables12
guest_start sg-b 192.1.1.5/24 $bob/32
openssl req -x509 -key "$(lab path sg-b)/private.pem" -subj /CN=sg-b -days 2 -out "$SCRATCH/own.crt" 2>/dev/null
openssl pkcs12 -export -in "$SCRATCH/own.crt" -inkey "$(lab path sg-b)/private.pem" -name own -passout pass: \
    -out "$GUEST/shared/own.p12"
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
    ipsec pluto --config /mnt/ipsec.conf --logfile /tmp/pluto.log --rundir /run/pluto && sleep 2 &&
    ipsec addconn --config /mnt/ipsec.conf alice" >"$SCRATCH/start" 2>&1 || fail "libreswan: $(cat "$SCRATCH/start")"

talk() {
    lab exec alice ping -n -c 5 -i 0.2 -W 10 $bob >"$SCRATCH/ping" || fail "alice to bob: $(cat "$SCRATCH/ping")"
    grep -q ' 5 received' "$SCRATCH/ping" || fail "alice to bob: $(grep received "$SCRATCH/ping")"
    guest "ping -n -c 5 -i 0.2 -W 10 -I $bob $alice" >"$SCRATCH/ping" || fail "bob to alice: $(cat "$SCRATCH/ping")"
    guest "cat /proc/net/xfrm_stat" >/dev/null
}

tunnel_up() {
    lab exec sg-a cygnet status --json | grep -q '"Keyed"'
}

no_tunnel() {
    ! tunnel_up
}

# Cygnet begins; the first datagram is kept until libreswan has its SAs.
lab exec alice ping -n -c 1 -W 20 $bob >"$SCRATCH/ping" || fail "first datagram: $(cat "$SCRATCH/ping")"
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
echo "libreswan: tunnels begun from both ends carry traffic, Deletes are understood"
