#!/bin/bash
# OE-194: a flood of forged IKE and ESP, 20,000 datagrams a second from 131,072 addresses, leaves tunnels
# and new honest ones working; every datagram dropped is counted under a name; memory stays bounded, and
# what led to a tunnel is still told.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

sent=120000
kind=$((sent / 6))
echo 'limits: {half-open: 1000}' >"$SCRATCH/sg-b.yaml"

# counted MEMBER NAME LEAST
counted() {
    local value
    value=$(status_field sg-b "$1" "$2")
    echo "$2: $value"
    [ "$value" -ge "$3" ] || fail "$2 is $value, less than $3"
}

lab up --quiet --policy "sg-b=$SCRATCH/sg-b.yaml"
lab exec sg-b ip route add 198.18.0.0/15 via 192.1.1.99
lab exec alice ping -n -c 1 -W 10 192.2.0.66 >/dev/null || fail "no tunnel to begin with"
before=$(median_rtt alice 192.2.0.66 200)
keyd=$(status_field sg-b processes keyd pid)
peak=$(peak_kb sg-b keyd)

"$ROOT/lab/lab" exec mallory timeout 60 "$CYGNET_BUILD/tests/netns/flood" 192.1.1.5 $sent 20000 \
    >"$SCRATCH/flood" &
flood=$!
BACKGROUND+=("$flood")
during=$(median_rtt alice 192.2.0.66 200)
lab exec dave ping -n -c 1 -W 10 192.2.0.66 >/dev/null || fail "no new flow during the flood"
wait_for 10 "an encrypted flow from dave" verdict_is sg-b 192.3.0.68 encrypt
transfer 10000000 alice bob 192.2.0.66
wait $flood || fail "the flood was cut short: $(cat "$SCRATCH/flood")"
cat "$SCRATCH/flood"
after=$(median_rtt alice 192.2.0.66 200)
tell_rtt "the flood" "$during" "$before" "$after"

sleep 3 # keyd asks for the plane's counters every two
counted work done 1 # public-key operations, by keyd's threads
# A socket's buffer may overflow, in the kernel: three quarters must have been seen.
counted counters half-open-evicted $((kind * 3 / 4 - 1000))
counted counters bad-responder-cookie $((kind * 3 / 4))
counted counters unsupported-version $((kind * 3 / 4))
counted plane drop_unknown_spi $((2 * kind * 3 / 4))
counted plane io_ike_in $((kind * 3 / 4))
[ "$(status_field sg-b ike_sas unfinished)" = 0 ] || fail "IKE SAs of the flood are left"
[ "$(status_field sg-b plane unknown_spi_reports)" -le 2000 ] || fail "keyd was told of every SPI"
[ "$(status_field sg-b processes keyd pid)" = "$keyd" ] || fail "keyd did not survive"
grown=$(($(peak_kb sg-b keyd) - peak))
echo "keyd grew by $grown kB"
[ $grown -lt 65536 ] || fail "keyd took $grown kB more"
lab exec sg-b cygnet why 192.1.0.65 | grep -q 'Tunnel up' || fail "what led to the tunnel is forgotten"
