#!/bin/bash
# IKEv1 by raw RSA keys with strongSwan through a NAT (nft masquerade), both roles: SG-N behind the NAT comes to
# strongSwan in the place of SG-B; then strongSwan in the place of SG-N comes to SG-B. OE-157 OE-163
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/strongswan.sh
. "$(dirname "$0")/lib/strongswan.sh"
export LAB_TOPOLOGY=$ROOT/lab/topology-nat.ini

NORA=192.5.0.70 BOB=192.2.0.66 NAT=192.1.1.9 SWAN=
explain() {
    [ -z "$SWAN" ] || swan_explain "$SWAN"
    lab exec sg-n cygnet trace | tail -n 30
    lab exec sg-b cygnet trace | tail -n 30
}

# connection LOCAL REMOTE LOCAL_ID REMOTE_ID PEER_KEY LOCAL_TS REMOTE_TS
connection() {
    cat <<CONF
connections {
    peer {
        version = 1
        local_addrs = $1
        remote_addrs = $2
        proposals = aes256-sha256-modp2048
        local { auth = pubkey
            pubkeys = own
            id = $3 }
        remote { auth = pubkey
            pubkeys = $5
            id = $4 }
        children {
            peer {
                local_ts = $6/32
                remote_ts = $7/32
                esp_proposals = aes256-sha256-modp2048,aes256gcm16-modp2048
            }
        }
    }
}
CONF
}

# both_ways A A_ADDRESS B B_ADDRESS
both_ways() {
    lab exec "$1" ping -n -c 5 -i 0.2 -W 10 -I "$2" "$4" >"$SCRATCH/ping" || fail "$1: $(cat "$SCRATCH/ping")"
    grep -q ' 5 received' "$SCRATCH/ping" || fail "$1 to $3: $(grep received "$SCRATCH/ping")"
    transfer 2000000 "$1" "$3" "$4"
    transfer 2000000 "$3" "$1" "$2"
}

# nothing_plain FILE: on the public side of the NAT all is inside UDP.
nothing_plain() {
    [ "$(packets "$1" 'ip proto 50')" = 0 ] || fail "native ESP through a NAT"
    [ "$(packets "$1" 'udp port 4500 and udp[8:4] > 255')" -ge 100 ] || fail "no ESP inside UDP"
    [ "$(packets "$1" "host $NORA or host $BOB or net 10.0.0.0/8")" = 0 ] || fail "inner addresses outside"
    well_formed "$1"
}

lab up --quiet

# --- Cygnet behind the NAT begins; strongSwan answers.
lab stop sg-b
SWAN=sg-b
swan_prepare sg-b
swan_private sg-b "$(lab path sg-b)/private.pem"
swan_public sg-b sg-n "$(lab path sg-n)/private.pem"
connection 192.1.1.5 %any 192.1.1.5 sg-n.example sg-n $BOB $NORA | swan_connections sg-b
swan_address sg-b $BOB/32
swan_start sg-b
capture nat "$SCRATCH/out.pcap" 65535
lab exec nora ping -n -c 10 -i 0.2 -w 5 $BOB >"$SCRATCH/ping" || fail "nora: $(cat "$SCRATCH/ping")"
expect_verdict sg-n $BOB encrypt
[ "$(gateway_field sg-n 192.1.1.5 nat)" != none ] || fail "sg-n does not know of the NAT"
swan_has sg-b "remote 'sg-n.example' @ $NAT" || fail "strongSwan knows sg-n by another name"
both_ways nora $NORA sg-b $BOB
lab stop sg-n
wait_for 5 "strongSwan to heed the Deletes" eval '! swan_has sg-b ESTABLISHED'
end_capture "$SCRATCH/out.pcap"
nothing_plain "$SCRATCH/out.pcap"
swan_stop sg-b

# --- strongSwan behind the NAT begins; Cygnet answers.
lab exec sg-b ip address del $BOB/32 dev lo
lab start sg-b
SWAN=sg-n
swan_prepare sg-n
swan_private sg-n "$(lab path sg-n)/private.pem"
swan_public sg-n sg-b "$(lab path sg-b)/private.pem"
connection 10.9.0.4 192.1.1.5 sg-n.example 192.1.1.5 sg-b $NORA $BOB | swan_connections sg-n
swan_address sg-n $NORA/32
swan_start sg-n
capture nat "$SCRATCH/in.pcap" 65535
swan sg-n --initiate --child peer --timeout 10 >"$SCRATCH/initiate" || fail "$(cat "$SCRATCH/initiate")"
wait_verdict sg-b $NORA encrypt
[ "$(why_field sg-b $NORA grade)" = authenticated ] || fail "sg-b does not take strongSwan as authenticated"
[ "$(gateway_field sg-b $NAT identity)" = @sg-n.example ] || fail "strongSwan came by another name"
[ "$(gateway_field sg-b $NAT nat)" != none ] || fail "sg-b does not know of the NAT"
both_ways sg-n $NORA bob $BOB
# Cygnet re-keys nothing here; strongSwan does, and traffic goes on.
swan sg-n --rekey --child peer >/dev/null
wait_for 5 "strongSwan's second child" swan_logged sg-n 'CHILD_SA peer{2} established'
both_ways sg-n $NORA bob $BOB
swan sg-n --terminate --ike peer --timeout 10 >/dev/null
tunnel_gone() {
    ! verdict_is sg-b $NORA encrypt
}
wait_for 10 "Cygnet to heed the Deletes" tunnel_gone
end_capture "$SCRATCH/in.pcap"
nothing_plain "$SCRATCH/in.pcap"
