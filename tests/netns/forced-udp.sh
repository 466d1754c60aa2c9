#!/bin/bash
# nat-traversal: force at one end is enough to keep ESP inside UDP where there is no NAT, for networks
# that drop protocol 50; off at one end is enough to leave both alone.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

BOB=192.2.0.66
echo 'nat-traversal: force' >"$SCRATCH/force"
echo 'nat-traversal: off' >"$SCRATCH/off"

# run MODE: pings under a capture, sg-b in that mode.
run() {
    lab up --quiet --policy "sg-b=$SCRATCH/$1"
    capture sg-a "$SCRATCH/$1.pcap" 65535
    for bob in $BOB 2001:db8:2::66; do
        lab exec alice ping -n -c 2 -i 0.2 -W 10 "$bob" >"$SCRATCH/ping" || fail "$1: $(cat "$SCRATCH/ping")"
        wait_verdict sg-a "$bob" encrypt
    done
    end_capture "$SCRATCH/$1.pcap"
    only_protected "$SCRATCH/$1.pcap"
    well_formed "$SCRATCH/$1.pcap"
}

drop_protocol_50() {
    lab exec "$1" nft -f - <<'NFT'
table inet filter {
    chain arriving {
        type filter hook prerouting priority raw;
        meta l4proto 50 drop
    }
}
NFT
}

run off
[ "$(packets "$SCRATCH/off.pcap" 'ip proto 50 or ip6 proto 50')" -ge 8 ] || fail "off: no native ESP"
[ "$(packets "$SCRATCH/off.pcap" 'port 4500')" = 0 ] || fail "off: something on port 4500"
lab down
run force
[ "$(packets "$SCRATCH/force.pcap" 'ip proto 50 or ip6 proto 50')" = 0 ] || fail "force: native ESP"
[ "$(packets "$SCRATCH/force.pcap" 'udp port 4500')" -ge 8 ] || fail "force: no ESP inside UDP"
drop_protocol_50 sg-a
drop_protocol_50 sg-b
transfer 2000000 alice bob $BOB
