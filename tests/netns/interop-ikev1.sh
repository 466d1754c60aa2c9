#!/bin/bash
# strongSwan in the place of SG-B, IKEv1 by raw RSA keys as opportunistic gateways do it: each end begins
# once, traffic passes both ways, and Deletes are understood both ways.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/strongswan.sh
. "$(dirname "$0")/lib/strongswan.sh"

explain() {
    swan_explain sg-b
    lab exec sg-a cygnet trace | tail -n 30
}

alice=192.1.0.65 bob=192.2.0.66

lab up --quiet
lab stop sg-b
swan_prepare sg-b
swan_private sg-b "$(lab path sg-b)/private.pem"
swan_public sg-b sg-a "$(lab path sg-a)/private.pem"
swan_connections sg-b <<'CONF'
connections {
    alice {
        version = 1
        local_addrs = 192.1.1.5
        remote_addrs = 192.1.1.4
        proposals = aes256-sha256-modp2048
        local { auth = pubkey
            pubkeys = own
            id = 192.1.1.5 }
        remote { auth = pubkey
            pubkeys = sg-a
            id = 192.1.1.4 }
        children {
            alice {
                local_ts = 192.2.0.66/32
                remote_ts = 192.1.0.65/32
                esp_proposals = aes256-sha256-modp2048,aes256gcm16-modp2048
            }
        }
    }
}
CONF
swan_address sg-b $bob/32
swan_start sg-b

# Pings and transfers both ways.
talk() {
    lab exec alice ping -n -c 5 -i 0.2 -W 10 $bob >"$SCRATCH/ping" || fail "alice to bob: $(cat "$SCRATCH/ping")"
    grep -q ' 5 received' "$SCRATCH/ping" || fail "alice to bob: $(grep received "$SCRATCH/ping")"
    lab exec sg-b ping -n -c 5 -i 0.2 -W 10 -I $bob $alice >"$SCRATCH/ping" ||
        fail "bob to alice: $(cat "$SCRATCH/ping")"
    transfer 2000000 alice sg-b $bob
    transfer 2000000 sg-b alice $alice
}

no_tunnel() {
    ! lab exec sg-a cygnet status --json | grep -q '"Keyed"'
}

child_gone() {
    ! swan_has sg-b INSTALLED
}

capture sg-b "$SCRATCH/pcap" 65535
# Cygnet begins.
# (As responder strongSwan drops ESP that comes before it has seen Quick Mode 3; Cygnet sends both at once.)
lab exec alice ping -n -c 10 -i 0.2 -w 5 $bob >"$SCRATCH/ping" || fail "no first tunnel"
[ "$(sed -nE 's/.* ([0-9]+) received.*/\1/p' "$SCRATCH/ping")" -ge 9 ] || fail "$(grep received "$SCRATCH/ping")"
expect_verdict sg-a $bob encrypt
[ "$(why_field sg-a $bob grade)" = authenticated ] || fail "the tunnel is not authenticated"
wait_for 5 "strongSwan's child" swan_has sg-b INSTALLED
talk

# strongSwan ends the child: Cygnet hears of it. Then strongSwan begins one within the same phase 1.
swan sg-b --terminate --child alice >/dev/null
wait_for 5 "Cygnet to heed strongSwan's Delete" no_tunnel
swan sg-b --initiate --child alice --timeout 10 >"$SCRATCH/initiate" || fail "$(cat "$SCRATCH/initiate")"
wait_verdict sg-a $bob encrypt
talk

# All of it ends, and strongSwan begins with Main Mode.
swan sg-b --terminate --ike alice --timeout 10 >/dev/null
wait_for 5 "Cygnet to heed strongSwan's Deletes" no_tunnel
swan sg-b --initiate --child alice --timeout 10 >"$SCRATCH/initiate" || fail "$(cat "$SCRATCH/initiate")"
grep -q 'MAIN_MODE\|ID_PROT' "$SCRATCH/initiate" || fail "strongSwan made no phase 1"
wait_verdict sg-a $bob encrypt
talk

# Cygnet takes its leave, and strongSwan hears of it.
lab stop sg-a
wait_for 5 "strongSwan to heed Cygnet's Delete" child_gone
end_capture "$SCRATCH/pcap"
only_protected "$SCRATCH/pcap"
well_formed "$SCRATCH/pcap"
