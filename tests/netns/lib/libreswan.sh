# libreswan as a peer, with its kernel's ESP, in a guest in the place of SG-B (guest.sh). Source it after guest.sh.
#
#   libreswan_packages               fetch it, before guest_start
#   libreswan_start NAME...          start it with the keys and certificates of NAME.p12 in the guest's
#                                    shared directory
#   libreswan_add NAME               the connection of NAME.conf there
#   whack WORD...                    its control
#   rfc3110 PEM                      a public key as DNS and libreswan write it
#   first, talk                      alice hears from bob at last; both hear from each other, nothing lost
# shellcheck shell=bash

alice=192.1.0.65 bob=192.2.0.66

rfc3110() {
    "$CYGNET_BUILD"/src/cli/cygnet keys dns --key "$1" --address 192.1.1.4 --client $alice |
        grep -o 'Aw[A-Za-z0-9+/]*=*\|AQ[A-Za-z0-9+/]*=*' | head -n 1
}

whack() {
    guest "ipsec whack --rundir /run/pluto $*"
}

libreswan_packages() {
    guest_packages libreswan libnss3 libnss3-tools libnspr4 libcurl3-nss libldap-2.5-0 libldns3 libunbound8 \
        libevent-pthreads-2.1-7 dns-root-data iptables libip6tc2 libnetfilter-conntrack3 libnfnetlink0 libxtables12
}

libreswan_start() {
    cat >"$GUEST/shared/ipsec.conf" <<CONF
config setup
    logfile=/tmp/pluto.log
    uniqueids=no
    ikev1-policy=accept
CONF
    guest "mkdir -p /run/pluto && ipsec initnss &&
        for name in $*; do pk12util -i /mnt/\$name.p12 -d sql:/var/lib/ipsec/nss -W '' || exit; done;
        certutil -M -n 'ca - Lab' -t CT,, -d sql:/var/lib/ipsec/nss;
        ipsec pluto --config /mnt/ipsec.conf --logfile /tmp/pluto.log --rundir /run/pluto && sleep 2" \
        >"$SCRATCH/start" 2>&1 || fail "libreswan: $(cat "$SCRATCH/start")"
}

libreswan_add() {
    guest "ipsec addconn --config /mnt/$1.conf $1" >"$SCRATCH/start" 2>&1 || fail "$1: $(cat "$SCRATCH/start")"
}

talk() {
    lab exec alice ping -n -c 5 -i 0.2 -W 10 $bob >"$SCRATCH/ping" || fail "alice to bob: $(cat "$SCRATCH/ping")"
    grep -q ' 5 received' "$SCRATCH/ping" || fail "alice to bob: $(grep received "$SCRATCH/ping")"
    guest "ping -n -c 5 -i 0.2 -W 10 -I $bob $alice" >"$SCRATCH/ping" || fail "bob to alice: $(cat "$SCRATCH/ping")"
}

# Cygnet begins, by traffic. libreswan installs its outbound SA on Quick Mode's last message, which the answer
# to the datagram that was held may overtake.
first() {
    wait_for 30 "an answer" lab exec alice ping -n -c 1 -W 2 $bob
}

libreswan_explain() {
    guest "tail -n 60 /tmp/pluto.log"
    lab exec sg-a cygnet trace | tail -n 40
    guest_explain
}
