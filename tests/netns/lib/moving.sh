# Configured IKEv2 tunnels between sg-a and sg-b whose ends move under load. Source it after common.sh.
#
#   office [SG-A'S EXTRA LINES]      configures both ends; sg-a begins; $spi is its outbound SPI
#   tunnel HOST FIELD                of the tunnel that is up
#   at LOCAL PEER                    sg-a's pair of addresses, and sg-b's the other way round
#   under WHAT LOST MS SECONDS COMMAND...
#                                    a TCP transfer and 100 datagrams a second over UDP run for SECONDS, with
#                                    COMMAND in between; prints what was lost and the longest pause
#   two_uplinks [CONFIG]             a lab in which sg-a's configuration names a second uplink, and that line
#   second                           that uplink comes into being: 192.7.0.4, through carol (inside2, 192.7.0.1)
#   routes UPLINK                    its routes, "outside" before "second"
#   between HOST MS                  a link that takes MS each way, between HOST and the public net
#
# shellcheck shell=bash
# shellcheck disable=SC2154

bob=192.2.0.66
port=5300

explain() {
    for gateway in sg-a sg-b; do
        echo "--- $gateway"
        lab exec $gateway cygnet status
        lab exec $gateway cygnet trace | tail -n 40
    done
    lab exec sg-a ip address
    lab exec sg-a ip route
}

configure() {
    local file
    file=$(lab path "$1")/cygnet.yaml
    { echo; cat; } >>"$file"
    lab exec "$1" cygnet check "$file" >"$SCRATCH/check" || fail "$1: $(cat "$SCRATCH/check")"
    lab exec "$1" cygnet reload >/dev/null || fail "$1 refused its configuration"
}

tunnel() {
    lab exec "$1" cygnet status --json | python3 -c '
import json, sys
for c in json.load(sys.stdin)["connections"]:
    for t in c["tunnels"]:
        if t["state"] == "up":
            print(t.get(sys.argv[1], ""))
            sys.exit()
sys.exit(1)' "$2"
}

# addresses GATEWAY FIELD: of its only IKE SA.
addresses() {
    lab exec "$1" cygnet status --json | python3 -c '
import json, sys
for g in json.load(sys.stdin)["gateways"]:
    if "addresses" in g:
        print({"local": g["addresses"]["local"], "peer": g["peer"], "state": g["addresses"]["state"],
               "moves": g["addresses"]["moves"]}[sys.argv[1]])' "$2"
}

at() {
    [ "$(addresses sg-a local)" = "$1" ] && [ "$(addresses sg-a peer)" = "$2" ] &&
        [ "$(addresses sg-b local)" = "$2" ] && [ "$(addresses sg-b peer)" = "$1" ]
}

office() {
    install -m 600 /dev/null "$SCRATCH/secret"
    echo 'correct horse battery staple' >"$SCRATCH/secret"
    configure sg-b <<YAML
connections:
  - name: office
    version: 2
    local: {id: "@b.test", auth: psk}
    remote: {id: "@a.test", auth: psk}
    secret-file: $SCRATCH/secret
    children: [{name: lan, local: 192.2.0.0/24, remote: 192.1.0.0/24, start: never}]
YAML
    configure sg-a <<YAML
connections:
  - name: office
    version: 2
    local: {id: "@a.test", auth: psk}
    remote: {address: 192.1.1.5, id: "@b.test", auth: psk}
    secret-file: $SCRATCH/secret
    dpd: 2
    children: [{name: lan, local: 192.1.0.0/24, remote: 192.2.0.0/24, start: at-once}]
YAML
    wait_for 10 "the tunnel" tunnel sg-a spi_out
    spi=$(tunnel sg-a spi_out)
}

streams() {
    [ "$(lab exec bob ss -tnH state established "sport = :$port" | wc -l)" -gt 0 ]
}

under() {
    local what=$1 most=$2 most_ms=$3 seconds=$4 receiver sender
    shift 4
    port=$((port + 1))
    "$ROOT/lab/lab" exec bob python3 "$ROOT/tests/netns/stream.py" receive $bob $port >"$SCRATCH/received" &
    receiver=$!
    BACKGROUND+=("$receiver")
    wait_for 5 "the receiver" listens bob $port
    "$ROOT/lab/lab" exec alice timeout 60 python3 "$ROOT/tests/netns/stream.py" send $bob $port "$seconds" \
        >"$SCRATCH/sent" &
    sender=$!
    BACKGROUND+=("$sender")
    wait_for 5 "the stream" streams
    lab exec alice ping -n -c 3 -i 0.1 $bob >/dev/null || fail "$what: no stream to begin with"
    "$@"
    wait $sender || fail "$what: the sender did not end"
    wait $receiver || fail "$what: the receiver did not end"
    read -r sent lost pause octets digest <"$SCRATCH/received"
    echo "$what: $lost of $sent datagrams lost, longest pause $pause ms; $octets octets by TCP, checksum right"
    [ "$octets $digest" = "$(cat "$SCRATCH/sent")" ] || fail "$what: other octets came than were sent"
    [ "$lost" -le "$most" ] || fail "$what: $lost datagrams lost"
    [ "$pause" -le "$most_ms" ] || fail "$what: a pause of $pause ms"
    [ "$(tunnel sg-a spi_out)" = "$spi" ] || fail "$what: the tunnel was made anew"
}

# The relay sits between the host's port and the bridge.
between() {
    local inner=delay-$1
    lab exec wild sh -ec "ip link set $1 nomaster; ip link add $inner type veth peer name far-$1
        ip link set $inner up; ip link set far-$1 master wild; ip link set far-$1 up; ip link set $1 up"
    "$ROOT/lab/lab" exec wild "$CYGNET_BUILD/tests/netns/delay" "$1" "$inner" "$2" >"$SCRATCH/delay-$1" &
    BACKGROUND+=("$!")
    wait_for 5 "the slow link" grep -q ready "$SCRATCH/delay-$1"
}

routes() { # UPLINK: what a host's own configuration daemon would set with its address
    case $1 in
    outside) lab exec sg-a ip route replace 192.2.0.0/24 via 192.1.1.6 dev outside metric 10 ;;
    second)
        lab exec sg-a ip route replace 192.2.0.0/24 via 192.7.0.1 dev second metric 20
        lab exec sg-a ip route replace 192.1.1.0/24 via 192.7.0.1 dev second metric 20
        ;;
    esac
}

second() { # its link comes into being
    ip link add second netns "cyg-$LAB_SUFFIX-sg-a" type veth peer name inside2 netns "cyg-$LAB_SUFFIX-carol"
    lab exec carol sh -ec 'ip address add 192.7.0.1/24 dev inside2; ip link set inside2 up
        ip route replace 192.1.0.0/24 via 192.7.0.4'
    lab exec sg-a sh -ec 'ip address add 192.7.0.4/24 dev second; ip link set second up'
    routes second
}

# The second one is named before it is there.
two_uplinks() {
    sed '/^\[sg-a\]/a uplinks = second'"${1:+\\nconfig = $1}" "$ROOT/lab/topology.ini" >"$SCRATCH/topology.ini"
    export LAB_TOPOLOGY=$SCRATCH/topology.ini
    lab up --quiet
    lab exec carol sysctl -qw net.ipv4.ip_forward=1
    lab exec alice ip route add 192.7.0.0/24 via 192.1.0.1
    lab exec dns ip route add 192.7.0.0/24 via 192.1.1.67
    lab exec sg-b ip route replace 192.7.0.0/24 via 192.1.1.67
    for gateway in sg-a sg-b; do
        lab exec $gateway ip -6 address flush dev outside scope global
    done
    lab exec sg-a sysctl -qw net.ipv4.conf.all.ignore_routes_with_linkdown=1
    lab exec sg-b ip route replace 192.1.0.0/24 via 192.1.1.6
    routes outside
}
