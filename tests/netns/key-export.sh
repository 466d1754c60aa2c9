#!/bin/bash
# The keys of a run make its capture readable: tshark decrypts IKEv1, IKEv2 and ESP with what key-export has
# written, and none of them without it. They are not there unless asked for.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

bob=192.2.0.66

explain() {
    lab exec sg-a cygnet trace | tail -n 40
    ls -l "$SCRATCH/keys"*
}

# office OWN FAR LOCAL REMOTE: one gateway's half of the connection.
office() {
    cat <<YAML
connections:
  - name: office
    version: $version
    local: {address: 192.1.1.$1, auth: psk}
    remote: {address: 192.1.1.$2, auth: psk}
    secret-file: $SCRATCH/secret
    children:
      - {name: lan, local: $3, remote: $4, start: on-traffic}
YAML
}

# reads KEYS OPTION... FILTER: packets of the capture that match, for a dissector with those keys.
reads() {
    local keys=$1
    shift
    WIRESHARK_CONFIG_DIR=$keys tshark -n -r "$SCRATCH/pcap" "${@:1:$#-1}" -Y "${*: -1}" 2>/dev/null | wc -l
}

# In version 2 the dissector doesn't know the 64-bit sequence numbers that are agreed on, so it can't check
# the ICV.
reads_inner() {
    reads "$1" -o esp.enable_encryption_decode:TRUE \
        -o "esp.enable_authentication_check:$([ "$version" = 1 ] && echo TRUE || echo FALSE)" "ip.addr == $bob && icmp"
}

# The identities travel encrypted in both versions.
reads_ike() {
    reads "$1" 'isakmp.enc.decrypted || isakmp.id.type'
}

install -m 600 /dev/null "$SCRATCH/secret"
echo 'correct horse battery staple' >"$SCRATCH/secret"
mkdir "$SCRATCH/none"
for version in 1 2; do
    keys=$SCRATCH/keys$version
    { office 4 5 192.1.0.0/24 192.2.0.0/24; echo "key-export: $keys"; } >"$SCRATCH/sg-a"
    office 5 4 192.2.0.0/24 192.1.0.0/24 >"$SCRATCH/sg-b"
    lab up --quiet --policy "sg-a=$SCRATCH/sg-a" --policy "sg-b=$SCRATCH/sg-b"
    capture sg-a "$SCRATCH/pcap" 65535
    lab exec alice ping -n -c 3 -i 0.2 -W 10 $bob >"$SCRATCH/ping" || fail "$(cat "$SCRATCH/ping")"
    end_capture "$SCRATCH/pcap"
    [ "$(stat -c %a "$keys/esp_sa" "$keys/ikev${version}_decryption_table" | sort -u)" = 600 ] ||
        fail "others may read the keys"
    [ "$(reads_ike "$SCRATCH/none")" = 0 ] || fail "version $version: identities are readable without keys"
    [ "$(reads_inner "$SCRATCH/none")" = 0 ] || fail "version $version: ESP is readable without keys"
    [ "$(reads_ike "$keys")" -ge 2 ] || fail "version $version: the dissector read no identity with the keys"
    [ "$(reads_inner "$keys")" = 6 ] || fail "version $version: the dissector read $(reads_inner "$keys") of 6 pings"
    lab down
    echo "IKEv$version and its ESP: readable with the exported keys, and not without"
done

lab up --quiet
lab exec alice ping -n -c 1 -W 10 $bob >/dev/null || fail "no answer"
[ -z "$(find "$(lab path sg-a)" -name esp_sa)" ] || fail "keys without key-export"
