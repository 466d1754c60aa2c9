#!/bin/bash
# IKEv1 between two strongSwans, Main Mode and Aggressive Mode, each with Quick Mode with and without PFS,
# held against the model; broken, it is caught. From message 5 on they speak on port 4500.
#
#   left 192.0.2.1 --- 192.0.2.2 right
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/match.sh
. "$(dirname "$0")/lib/match.sh"
# shellcheck source=lib/strongswan.sh
. "$(dirname "$0")/lib/strongswan.sh"

explain() {
    swan_explain left
    swan_explain right
}

# connections LOCAL REMOTE: one by Main Mode, one by Aggressive Mode; the names of the children tell which.
connections() {
    local mode aggressive pfs
    echo "connections {"
    for mode in main fast; do
        aggressive=no
        [ $mode = main ] || aggressive=yes
        cat <<CONF
    $mode {
        version = 1
        aggressive = $aggressive
        local_addrs = 192.0.2.$1
        remote_addrs = 192.0.2.$2
        proposals = aes256-sha256-modp2048
        local { auth = psk
            id = $mode-$1 }
        remote { auth = psk
            id = $mode-$2 }
        children {
CONF
        for pfs in "" -modp2048; do
            cat <<CONF
            $mode$pfs {
                local_ts = 10.0.$1.${#pfs}/32
                remote_ts = 10.0.$2.${#pfs}/32
                esp_proposals = aes256-sha256$pfs
            }
CONF
        done
        echo "        }"
        echo "    }"
    done
    echo "}"
    echo "secrets { ike { secret = \"not a secret\" } }"
}

match_join left 192.0.2.1/24 right 192.0.2.2/24
for host in left right; do
    SWAN_NETNS[$host]=$(net_name $host)
    swan_prepare $host
done
connections 1 2 | swan_connections left
connections 2 1 | swan_connections right
for address in 0 9; do
    swan_address left 10.0.1.$address/32
    swan_address right 10.0.2.$address/32
done
for host in left right; do
    swan_start $host 'i_dont_care_about_security_and_use_aggressive_mode_psk = yes' 'install_routes = no'
done

for mode in main fast; do
    match_capture right eth0 "$SCRATCH/$mode.pcap" udp port 500 or udp port 4500
    # both ends have the IKE SA before Quick Mode begins, or its first message is sent again
    swan left --initiate --ike $mode --timeout 20 >"$SCRATCH/initiated" 2>&1 ||
        fail "$mode: $(cat "$SCRATCH/initiated")"
    wait_for 5 "the IKE SA on the right" swan_has right "$mode: .*ESTABLISHED"
    for child in $mode $mode-modp2048; do
        swan left --initiate --child $child --timeout 20 >"$SCRATCH/initiated" 2>&1 ||
            fail "$child: $(cat "$SCRATCH/initiated")"
    done
    match_capture_end "$SCRATCH/$mode.pcap"
    swan left --terminate --ike $mode --timeout 20 >/dev/null 2>&1
done

quick='Quick Mode (Stage 2)'
match_follows ike.model "$SCRATCH/main.pcap" "Main Mode (Stage 1), $quick" 1
match_follows ike.model "$SCRATCH/fast.pcap" "Aggressive Mode (Stage 1), $quick" 1
match_broken ike.model "$SCRATCH/main.pcap" drop:1 drop:2 drop:3 drop:4 drop:5 drop:6 drop:7 drop:8 drop:12 \
    twice:1 twice:3 twice:6 twice:7 twice:8 swap:1 swap:2 swap:4 swap:6 swap:8
match_broken ike.model "$SCRATCH/fast.pcap" drop:1 drop:2 drop:3 drop:4 drop:9 twice:1 twice:2 swap:1 swap:2 swap:4
