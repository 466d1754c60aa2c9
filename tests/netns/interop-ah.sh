#!/bin/bash
# AH with a Linux kernel (ah4) in a guest in the place of SG-B, keyed by libreswan: a connection with
# protect-with: ah, under either version of IKE, begun by Cygnet. Traffic passes both ways, and the kernel counts no
# packet that it could not authenticate.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/guest.sh
. "$(dirname "$0")/lib/guest.sh"

alice=192.1.0.65 bob=192.2.0.66

explain() {
    guest "tail -n 60 /tmp/pluto.log; ip -s xfrm state; cat /proc/net/xfrm_stat"
    lab exec sg-a cygnet trace | tail -n 40
    guest_explain
}

office() {
    cat <<YAML
connections:
  - name: office
    version: $1
    protect-with: ah
    local: {address: 192.1.1.4, auth: psk}
    remote: {address: 192.1.1.5, auth: psk}
    secret-file: $SCRATCH/secret
    children: [{name: lan, local: 192.1.0.0/24, remote: $bob/32, start: on-traffic}]
YAML
}

libreswan() {
    cat <<CONF
config setup
    logfile=/tmp/pluto.log
    ikev1-policy=accept

conn ah$1
    ikev2=$([ "$1" = 2 ] && echo insist || echo no)
    authby=secret
    left=192.1.1.5
    leftid=192.1.1.5
    leftsubnet=$bob/32
    right=192.1.1.4
    rightid=192.1.1.4
    rightsubnet=192.1.0.0/24
    ike=aes256-sha2_256-modp2048
    type=tunnel
    phase2=ah
    phase2alg=sha2_256
    pfs=yes
    auto=add
    leftupdown=/bin/true
CONF
}

ping_ok() {
    "$@" >"$SCRATCH/ping" || fail "$*: $(cat "$SCRATCH/ping")"
    grep -q ' 0% packet loss' "$SCRATCH/ping" || fail "$*: $(grep loss "$SCRATCH/ping")"
}

install -m 600 /dev/null "$SCRATCH/secret"
echo 'correct horse battery staple' >"$SCRATCH/secret"
office 2 >"$SCRATCH/sg-a"
lab up --quiet --policy "sg-a=$SCRATCH/sg-a"
lab stop sg-b
guest_packages libreswan libnss3 libnss3-tools libnspr4 libcurl3-nss libldap-2.5-0 libldns3 libunbound8 \
    libevent-pthreads-2.1-7 dns-root-data iptables libip6tc2 libnetfilter-conntrack3 libnfnetlink0 libxtables12
guest_start sg-b 192.1.1.5/24 $bob/32
echo '192.1.1.5 192.1.1.4 : PSK "correct horse battery staple"' >"$GUEST/shared/ipsec.secrets"
for version in 1 2; do
    libreswan $version >"$GUEST/shared/ah$version.conf"
done
guest "mkdir -p /run/pluto && ipsec initnss && cp /mnt/ipsec.secrets /etc/ipsec.secrets && chmod 600 /etc/ipsec.secrets &&
    ipsec pluto --config /mnt/ah2.conf --logfile /tmp/pluto.log --rundir /run/pluto && sleep 2 &&
    ipsec whack --rundir /run/pluto --listen" >"$SCRATCH/start" 2>&1 || fail "libreswan: $(cat "$SCRATCH/start")"

for version in 2 1; do
    guest "ipsec addconn --config /mnt/ah$version.conf ah$version" >"$SCRATCH/add" 2>&1 ||
        fail "libreswan: $(cat "$SCRATCH/add")"
    file=$(lab path sg-a)/cygnet.yaml
    sed -i "s/^    version: .*/    version: $version/" "$file"
    lab exec sg-a cygnet reload >/dev/null || fail "sg-a refused its configuration"
    capture sg-a "$SCRATCH/pcap" 65535
    # libreswan may take a while for its outbound SA, and answer in the clear before.
    wait_for 30 "an answer through AH" lab exec alice ping -n -c 1 -W 1 $bob
    ping_ok lab exec alice ping -n -c 5 -i 0.2 -W 10 $bob
    ping_ok guest "ping -n -c 5 -i 0.2 -W 10 -I $bob $alice"
    guest "ip xfrm state" >"$SCRATCH/state"
    grep -q 'proto ah' "$SCRATCH/state" || fail "the kernel has no AH: $(cat "$SCRATCH/state")"
    end_capture "$SCRATCH/pcap"
    shown=$(tshark -n -r "$SCRATCH/pcap" -Y 'ah && icmp' 2>/dev/null | wc -l)
    [ "$shown" -ge 20 ] || fail "version $version: $shown pings in AH"
    lab exec sg-a cygnet down office >/dev/null
    gone() { ! guest "ip xfrm state" | grep -q 'proto ah'; }
    wait_for 20 "libreswan takes the Delete" gone
    guest "ipsec whack --rundir /run/pluto --name ah$version --delete" >/dev/null 2>&1 || true
    lab exec sg-a cygnet up office >/dev/null || true
done
echo "AH with libreswan and its kernel: traffic both ways under both versions of IKE, Deletes are understood"
