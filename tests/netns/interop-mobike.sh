#!/bin/bash
# MOBIKE with strongSwan in both roles: an address is replaced, and one is removed so that another has to do, at the
# end that decides, which is the one that began the IKE SA, and at the other; and either end that decides moves
# behind a NAT (carol's), which was not there before. strongSwan's user-space ESP can't move an SA, so it makes a new child afterwards;
# the IKE SA stays the same. It claims a NAT in any case, so ESP goes in UDP.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/strongswan.sh
. "$(dirname "$0")/lib/strongswan.sh"
# shellcheck source=lib/connections.sh
. "$(dirname "$0")/lib/connections.sh"

alice=192.1.0.65 bob=192.2.0.66

explain() {
    lab exec sg-a cygnet status
    lab exec sg-a cygnet trace | tail -n 60
    swan_explain sg-b
}

second() { # HOST NET: another link of that host, to carol, who masquerades what comes from there
    local port="inside-$1"
    ip link add second netns "cyg-$LAB_SUFFIX-$1" type veth peer name "$port" netns "cyg-$LAB_SUFFIX-carol"
    lab exec carol sh -ec "ip address add $2.1/24 dev $port; ip link set $port up; sysctl -qw net.ipv4.ip_forward=1
        nft add table ip nat; nft 'add chain ip nat out { type nat hook postrouting priority srcnat; }'
        nft add rule ip nat out ip saddr $2.0/24 oifname outside masquerade"
    (swan_inside "$1" sh -ec "ip address add $2.4/24 dev second; ip link set second up")
}

changed() { lab exec sg-a cygnet trace | grep -qE "Addresses changed: $1:4500 to $2:[0-9]+\$"; }

routes() {
    lab exec sg-a ip route replace 192.2.0.0/24 via 192.1.1.6
    (swan_inside sg-b ip route replace 192.1.0.0/24 via 192.1.1.6)
}

replace() { # HOST OLD NEW
    (swan_inside "$1" ip address add "$3/24" dev outside)
    (swan_inside "$1" ip address del "$2/24" dev outside)
    routes
}

reaches() {
    lab exec alice ping -n -c 1 -W 1 $bob
}

# again WHAT: how long until pings go through again, and that they do.
again() {
    local begin
    begin=$(date +%s%N)
    wait_for 20 "$1: the tunnel at its new address" reaches
    echo "$1: through again after $((($(date +%s%N) - begin) / 1000000)) ms"
    pings alice $bob
}

ike_spi() {
    swan sg-b --list-sas | sed -n 's/.*ESTABLISHED, IKEv2, \([0-9a-f]*\)_i.*/\1/p' | head -n 1
}

begin() { # what strongSwan and Cygnet say of the other's address, and START of Cygnet's child
    swan_connections sg-b <<CONF
connections { office {
    version = 2
    mobike = yes
    $1
    local { auth = psk
        id = b.test }
    remote { auth = psk
        id = a.test }
    children { lan {
        local_ts = $bob/32
        remote_ts = 192.1.0.0/24
    } }
} }
secrets { ike { secret = "$(cat "$PKI/secret")" } }
CONF
    swan_start sg-b 'dos_protection = no'
    connect sg-a <<YAML
connections:
  - name: office
    version: 2
    local: {id: "@a.test", auth: psk}
    remote: {$2 id: "@b.test", auth: psk}
    secret-file: $PKI/secret
    children:
      - {name: lan, local: 192.1.0.0/24, remote: $bob/32, start: $3}
YAML
}

sed '/^\[sg-a\]/a uplinks = second' "$ROOT/lab/topology.ini" >"$SCRATCH/topology.ini"
export LAB_TOPOLOGY=$SCRATCH/topology.ini
lab up --quiet
lab stop sg-b
swan_prepare sg-b
swan_address sg-b $bob/32
credentials
for host in sg-a sg-b; do
    (swan_inside $host sysctl -qw net.ipv4.conf.outside.promote_secondaries=1)
done
routes

# Cygnet decides.
begin '' 'address: 192.1.1.5,' at-once
wait_for 10 "Cygnet's tunnel" tunnel_is sg-a lan up
pings alice $bob
spi=$(ike_spi)
[ -n "$spi" ] || fail "strongSwan has no IKE SA"
replace sg-a 192.1.1.4 192.1.1.14
again 'Cygnet decides, and moves'
swan_has sg-b 192.1.1.14 || fail "strongSwan did not follow"
replace sg-b 192.1.1.5 192.1.1.15
again 'Cygnet decides, and strongSwan moves'
lab exec sg-a ip address del 192.1.1.14/24 dev outside # and no other of that family takes its place
lab exec sg-a sh -ec 'ip neighbour replace 192.1.1.6 lladdr 02:00:00:00:00:06 dev outside nud permanent
    ip route replace 192.2.0.0/24 via 192.1.1.6 dev outside onlink'
again "Cygnet decides, and its address is removed"
changed '\[2001:db8:ff::4\]' '\[2001:db8:ff::5\]' || fail "Cygnet is not at its other address"
lab exec sg-a ip address add 192.1.1.14/24 dev outside
routes
second sg-a 192.7.0
lab exec sg-a ip route replace 192.1.1.0/24 via 192.7.0.1 dev second metric 20
lab exec sg-a ip route replace 192.2.0.0/24 via 192.7.0.1 dev second metric 20
lab exec sg-a ip link set outside down
again "Cygnet decides, and moves behind a NAT"
swan_has sg-b 192.1.1.67 || fail "strongSwan does not see the NAT"
[ "$(ike_spi)" = "$spi" ] || fail "another IKE SA"
lab exec sg-a ip link del second
lab exec sg-a sh -ec 'ip link set outside up; ip address add 2001:db8:ff::4/64 dev outside nodad'
routes
lab exec sg-a cygnet down office >/dev/null
wait_for 10 "Cygnet's tunnel to end" tunnel_is sg-a lan idle
swan_stop sg-b

# strongSwan decides.
begin 'remote_addrs = 192.1.1.14' '' never
swan sg-b --initiate --child lan >"$SCRATCH/initiate" 2>&1 || fail "$(cat "$SCRATCH/initiate")"
reaches_either() { (swan_inside sg-b ping -n -c 1 -W 1 -I $bob $alice); }
wait_for 10 "strongSwan's tunnel" reaches_either
pings alice $bob
spi=$(ike_spi)
(swan_inside sg-b ip address del 192.1.1.15/24 dev outside)
again 'strongSwan decides, and its address is removed'
changed '\[2001:db8:ff::4\]' '\[2001:db8:ff::5\]' || fail "Cygnet did not follow"
(swan_inside sg-b ip address add 192.1.1.25/24 dev outside)
(swan_inside sg-b ip address del 2001:db8:ff::5/64 dev outside)
routes
wait_for 10 "Cygnet to follow back to IPv4" changed 192.1.1.14 192.1.1.25
again 'strongSwan decides, and moves to IPv4'
replace sg-a 192.1.1.14 192.1.1.24
again 'strongSwan decides, and Cygnet moves'
[ "$(ike_spi)" = "$spi" ] || fail "another IKE SA"

second sg-b 192.8.0
(swan_inside sg-b ip route replace 192.1.1.24/32 via 192.8.0.1 dev second)
(swan_inside sg-b ip address del 192.1.1.25/24 dev outside)
wait_for 10 "Cygnet to follow strongSwan behind the NAT" changed 192.1.1.24 192.1.1.67
again 'strongSwan decides, and moves behind a NAT'
[ "$(ike_spi)" = "$spi" ] || fail "another IKE SA"
