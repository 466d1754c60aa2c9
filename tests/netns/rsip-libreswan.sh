#!/bin/bash
# As rsip-keying.sh, and the peer is libreswan over a kernel's ESP: nothing there is made for RSIP (appendix F).
# RSIP-001, RSIP-003, RSIP-005, RSIP-008, RSIP-009, RSIP-014
set -euo pipefail
# shellcheck source=lib/rsip.sh
. "$(dirname "$0")/lib/rsip.sh"
# shellcheck source=lib/guest.sh
. "$(dirname "$0")/lib/guest.sh"
# shellcheck source=lib/rsip_keying.sh
. "$(dirname "$0")/lib/rsip_keying.sh"

explain() {
    local host
    guest "tail -n 60 /tmp/pluto.log; ip xfrm state; ip xfrm policy"
    for host in x1 x2; do
        echo "--- $host"
        cygnet $host status
        cygnet $host trace | tail -n 30
    done
    guest_explain
}

# A public key as libreswan writes it, RFC 3110 in base64.
rfc3110() {
    "$CYGNET" keys dns --key "$SCRATCH/$1.pem" --address 203.0.113.2 --client 203.0.113.2 |
        grep -o 'Aw[A-Za-z0-9+/]*=*\|AQ[A-Za-z0-9+/]*=*' | head -n 1
}

# connection HOST IKEV2
connection() {
    cat <<CONF

conn $1
    ikev2=$2
    authby=rsasig
    left=203.0.113.2
    leftid=@y.test
    leftsubnet=$INNER_Y/32
    leftcert=own
    leftsendcert=never
    right=%any
    rightid=@$1.test
    rightsubnet=${INNER[$1]}/32
    rightrsasigkey=0s$(rfc3110 "$1")
    ike=aes256-sha2_256-modp2048
    esp=aes256-sha2_256
    pfs=yes
    auto=add
    leftupdown=/bin/true
CONF
}

guest_packages libreswan libnss3 libnss3-tools libnspr4 libcurl3-nss libldap-2.5-0 libldns3 libunbound8 \
    libevent-pthreads-2.1-7 dns-root-data iptables libip6tc2 libnetfilter-conntrack3 libnfnetlink0 libxtables12
gateway
keys
ip -n "$TAG-y" route add default via 203.0.113.1
capture
guest_start y 203.0.113.2/24 $INNER_Y/32
openssl req -x509 -key "$SCRATCH/y.pem" -subj /CN=y -days 2 -out "$SCRATCH/own.crt" 2>/dev/null
openssl pkcs12 -export -in "$SCRATCH/own.crt" -inkey "$SCRATCH/y.pem" -name own -passout pass: \
    -out "$GUEST/shared/own.p12"
{
    printf 'config setup\n    logfile=/tmp/pluto.log\n    ikev1-policy=accept\n'
    connection x1 yes
    connection x2 no
} >"$GUEST/shared/ipsec.conf"
guest "mkdir -p /run/pluto && ipsec initnss && pk12util -i /mnt/own.p12 -d sql:/var/lib/ipsec/nss -W '' &&
    ipsec pluto --config /mnt/ipsec.conf --logfile /tmp/pluto.log --rundir /run/pluto && sleep 2 &&
    ipsec addconn --config /mnt/ipsec.conf x1 x2" >"$SCRATCH/start" 2>&1 || fail "libreswan: $(cat "$SCRATCH/start")"

start n
wait_for 5 "the server" test -S "$SCRATCH/n.sock"
for host in x1 x2; do
    client $host "method: rsipsec" "ports: 0" "spis: 8" "address: 203.0.113.10"
    start $host
    wait_for 5 "$host's lease" has_address $host 203.0.113.10
done
keying x1 2
keying x2 1
for host in x1 x2; do
    wait_for 20 "$host's tunnel" tunnel_up $host
done
for host in x1 x2; do
    pings $host
    renewed $host
done
for host in x1 x2; do
    pings $host
done
end_capture
only_leased
echo "libreswan keeps two hosts at one address apart: IKEv2 and IKEv1, ESP both ways, by leased SPIs only"
