# strongSwan as a peer: charon-systemd in a namespace of the lab, with files and a vici socket of its own.
# Source it after common.sh. It encrypts in user space (kernel-libipsec), so it needs no kernel's ESP;
# that plugin runs everything inside UDP 4500 and claims a NAT where there is none, in both IKE versions.
#
#   swan_prepare HOST                an empty configuration; HOST is a host of the lab that runs no Cygnet
#                                    (lab stop sg-b), or a name in SWAN_NETNS that gives another namespace
#   swan_private HOST PEM            a private key; swan_public HOST NAME PEM: a public key under that NAME
#   swan_connections HOST <TEXT      its swanctl.conf: connections and secrets
#   swan_start HOST [SETTING...]     start it and load all of that; a SETTING is a line of its charon-systemd
#                                    section ("install_routes = no")
#   swan HOST --list-sas ...         any swanctl command
#   swan_has HOST TEXT               does --list-sas contain TEXT?
#   swan_logged HOST TEXT            does its log? (kept in $SCRATCH/swan/HOST/log)
#   swan_address HOST ADDRESS        give it an address. It wants one inside its local selector, or the SAs
#                                    fail: where that is a single client, strongSwan has to be that client
#   swan_stop HOST                   an orderly end, with Deletes; the test's end kills what still runs
#
# For instance, by raw RSA keys in IKEv1:
#
#   lab stop sg-b
#   swan_prepare sg-b
#   swan_private sg-b "$(lab path sg-b)/private.pem"
#   swan_public sg-b sg-a "$(lab path sg-a)/private.pem"
#   swan_connections sg-b <<'CONF'
#   connections { alice { version = 1 ... local { auth = pubkey pubkeys = own } remote { pubkeys = sg-a } } }
#   CONF
#   swan_start sg-b
# shellcheck shell=bash

declare -A SWAN_NETNS=() SWAN_PID=()
SWAN_PLUGINS='random nonce openssl pem pkcs1 pkcs8 pubkey x509 constraints revocation hmac kdf xcbc aes gcm'
SWAN_PLUGINS+=' curve25519 chapoly chacha20 sha1 sha2 md5 dnskey kernel-libipsec kernel-netlink socket-default vici updown counters'

swan_directory() {
    echo "$SCRATCH/swan/$1"
}

# swan_inside HOST COMMAND...: become it, in the host's namespace, so that it finds that host's strongSwan.
swan_inside() {
    local host=$1 directory
    directory=$(swan_directory "$host")
    shift
    exec ip netns exec "${SWAN_NETNS[$host]:-cyg-$LAB_SUFFIX-$host}" \
        env STRONGSWAN_CONF="$directory/strongswan.conf" SWANCTL_DIR="$directory" "$@"
}

swan_prepare() {
    local directory program
    for program in charon-systemd swanctl; do
        command -v $program >/dev/null || fail "$program is missing: sudo make deps"
    done
    directory=$(swan_directory "$1")
    mkdir -p "$directory"/{private,pubkey,x509,x509ca,rsa,ecdsa,pkcs8}
    : >"$directory/swanctl.conf"
}

# Both halves go in: the public one as 'own', for connections by raw key.
swan_private() {
    cp "$2" "$(swan_directory "$1")/private/own"
    swan_public "$1" own "$2"
}

# Takes a private key as well, for a test has both ends' files.
swan_public() {
    local to
    to=$(swan_directory "$1")/pubkey/$2
    openssl pkey -in "$3" -pubout -out "$to" 2>/dev/null ||
        openssl pkey -pubin -in "$3" -out "$to" || fail "no key in $3"
}

swan_connections() {
    cat >"$(swan_directory "$1")/swanctl.conf"
}

swan_write_settings() {
    local directory=$1 setting
    shift
    {
        echo "charon-systemd {"
        echo "    load = $SWAN_PLUGINS"
        echo "    threads = 16"
        for setting in "$@"; do echo "    $setting"; done
        echo "    plugins {"
        echo "        vici { socket = unix://$directory/vici }"
        # the tunnel's ends may be the gateways themselves
        echo "        kernel-libipsec { allow_peer_ts = yes }"
        echo "        kernel-netlink { fwmark = !0x42 }"
        echo "        socket-default { fwmark = 0x42 }"
        echo "    }"
        echo "    filelog { file { path = $directory/log"
        echo "        flush_line = yes"
        echo "        default = 1"
        echo "        ike = 2"
        echo "        cfg = 2"
        echo "    } }"
        echo "}"
        echo "swanctl { load = random openssl pem pkcs1 pkcs8 pubkey x509 }"
    } >"$directory/strongswan.conf"
}

swan_start() {
    local host=$1 directory
    directory=$(swan_directory "$host")
    shift
    swan_write_settings "$directory" "$@"
    rm -f "$directory/vici" # of one that ran before
    swan_inside "$host" charon-systemd >"$directory/stderr" 2>&1 &
    SWAN_PID[$host]=$!
    BACKGROUND+=("$!")
    wait_for 10 "strongSwan on $host" test -S "$directory/vici"
    swan "$host" --load-all --noprompt >"$directory/loaded" 2>&1 ||
        fail "strongSwan on $host did not load its configuration: $(cat "$directory/loaded")"
}

swan() {
    local host=$1 verb=$2
    shift 2
    (swan_inside "$host" swanctl "$verb" --uri "unix://$(swan_directory "$host")/vici" "$@")
}

swan_has() {
    swan "$1" --list-sas | grep -q -- "$2"
}

swan_logged() {
    grep -q -- "$2" "$(swan_directory "$1")/log"
}

swan_address() {
    (swan_inside "$1" ip address add "$2" dev lo)
}

swan_stop() {
    local pid=${SWAN_PID[$1]}
    kill -TERM "$pid"
    wait "$pid" || true
    unset "SWAN_PID[$1]"
}

# What a failing test shows of a host's strongSwan.
swan_explain() {
    echo "--- strongSwan on $1"
    swan "$1" --list-sas || true
    tail -n 40 "$(swan_directory "$1")/log"
}
