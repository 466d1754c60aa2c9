#!/bin/bash
# The lab's DNS says what the other tests rely on: signed, unsigned, tampered with and signed absence
# are told apart by an independent validator.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

lab up --no-daemon --quiet
cat >"$SCRATCH/unbound.conf" <<CONF
server:
    trust-anchor-file: "$(lab path dns)/root.key"
    module-config: "validator iterator"
    unblock-lan-zones: yes
forward-zone:
    name: "."
    forward-addr: 192.1.1.53
CONF

# expect OUTCOME TYPE NAME
expect() {
    local said
    said=$(lab exec sg-a unbound-host -C "$SCRATCH/unbound.conf" -v -t "$2" "$3" 2>&1) || true
    grep -qi "$1" <<<"$said" || fail "$3 $2: expected '$1', got: $said"
}

reverse6() {
    python3 -c 'import ipaddress, sys; print(ipaddress.ip_address(sys.argv[1]).reverse_pointer)' "$1"
}

expect 'has TXT record "X-IPsec-Server(10)=192.1.1.5 .*(secure)' TXT 66.0.2.192.in-addr.arpa
expect 'has KEY record .*(secure)' KEY 5.1.1.192.in-addr.arpa
expect 'has IPSECKEY record .*(secure)' IPSECKEY 66.0.2.192.in-addr.arpa
expect 'has TXT record "X-IPsec-Server(10)=2001:db8:ff::5 .*(secure)' TXT "$(reverse6 2001:db8:2::66)"
expect 'has TXT record .*(insecure)' TXT 69.0.4.192.in-addr.arpa
expect 'has TXT record .*(insecure)' TXT "$(reverse6 2001:db8:4::69)"
expect 'BOGUS' TXT 99.1.1.192.in-addr.arpa
expect 'BOGUS' TXT "$(reverse6 2001:db8:ff::99)"
expect 'has no TXT record (secure)' TXT 67.1.1.192.in-addr.arpa
expect 'not found: 3(NXDOMAIN). (secure)' TXT 200.1.1.192.in-addr.arpa
expect 'has address 192.2.0.66 (secure)' A bob.example
