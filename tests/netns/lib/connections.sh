# Configured connections of a lab's gateway against another implementation in the place of SG-B: credentials
# for both ends, and Cygnet's side. Source it after common.sh.
#
#   credentials                      keys, certificates and a CA of each kind, in $SCRATCH/pki
#   cygnet_auth METHOD KIND          how both ends prove themselves: psk, key or certificate; rsa, ecdsa ...
#   connect HOST <YAML               the host's ordinary configuration and these connections, by a reload
#   tunnel HOST CHILD FIELD          of a connection's child, by `cygnet status`
#   tunnel_is HOST CHILD STATE
#   pings HOST ADDRESS               three, none lost
#
# shellcheck shell=bash

PKI=$SCRATCH/pki

# certify NAME: NAME.pem's certificate by the CA, with the name NAME.test.
certify() {
    openssl req -new -key "$PKI/$1.pem" -subj "/O=Lab/CN=$1" -out "$PKI/request" 2>/dev/null
    printf 'subjectAltName=DNS:%s.test\nkeyUsage=digitalSignature\n' "$1" >"$PKI/extensions"
    openssl x509 -req -in "$PKI/request" -CA "$PKI/ca.crt" -CAkey "$PKI/ca.pem" -days 2 -CAcreateserial \
        -extfile "$PKI/extensions" -out "$PKI/$1.crt" 2>/dev/null
}

credentials() {
    local end kind
    mkdir -p "$PKI"
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$PKI/ca.pem" 2>/dev/null
    openssl req -x509 -key "$PKI/ca.pem" -subj "/O=Lab/CN=ca" -days 2 -out "$PKI/ca.crt" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign,cRLSign 2>/dev/null
    for end in a b; do
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$PKI/$end-rsa.pem" 2>/dev/null
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out "$PKI/$end-rsa4096.pem" 2>/dev/null
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$PKI/$end-ecdsa.pem" 2>/dev/null
        openssl genpkey -algorithm ED25519 -out "$PKI/$end-ed25519.pem" 2>/dev/null
        for kind in rsa rsa4096 ecdsa ed25519; do
            openssl pkey -in "$PKI/$end-$kind.pem" -pubout -out "$PKI/$end-$kind.pub" 2>/dev/null
            certify "$end-$kind"
        done
    done
    echo 'correct horse battery staple' >"$PKI/secret"
    echo 'what no quantum computer learns' >"$PKI/ppk"
    chmod 600 "$PKI"/*.pem "$PKI/secret" "$PKI/ppk"
}

cygnet_auth() { # METHOD KIND
    case $1 in
    psk) cat <<YAML
    local: {address: 192.1.1.4, id: "@a.test", auth: psk}
    remote: {address: 192.1.1.5, id: "@b.test", auth: psk}
    secret-file: $PKI/secret
YAML
        ;;
    key) cat <<YAML
    local: {address: 192.1.1.4, id: "@a.test", auth: key, key: $PKI/a-$2.pem}
    remote: {address: 192.1.1.5, id: "@b.test", auth: key, key: $PKI/b-$2.pub}
YAML
        ;;
    certificate) cat <<YAML
    local: {address: 192.1.1.4, id: "@a-$2.test", auth: certificate, key: $PKI/a-$2.pem, certificate: $PKI/a-$2.crt}
    remote: {address: 192.1.1.5, id: "@b-$2.test", auth: certificate, ca: $PKI/ca.crt}
YAML
        ;;
    esac
}

connect() {
    local file
    file=$(lab path "$1")/cygnet.yaml
    [ -e "$file.plain" ] || cp "$file" "$file.plain"
    { cat "$file.plain"; echo; cat; } >"$file"
    lab exec "$1" cygnet check "$file" >"$SCRATCH/check" || fail "$1: $(cat "$SCRATCH/check")"
    lab exec "$1" cygnet reload >"$SCRATCH/check" || fail "$1 refused its configuration: $(cat "$SCRATCH/check")"
}

tunnel() {
    lab exec "$1" cygnet status --json | python3 -c '
import json, sys
for c in json.load(sys.stdin)["connections"]:
    for t in c["tunnels"]:
        if t["child"] == sys.argv[1]:
            print(t.get(sys.argv[2], ""))
            sys.exit()
sys.exit(1)' "$2" "$3"
}

tunnel_is() {
    [ "$(tunnel "$1" "$2" state)" = "$3" ]
}

pings() {
    lab exec "$1" ping -n -c 3 -i 0.2 -W 10 "$2" >"$SCRATCH/ping" || fail "$1 to $2: $(cat "$SCRATCH/ping")"
    grep -q ' 0% packet loss' "$SCRATCH/ping" || fail "$1 to $2: $(grep loss "$SCRATCH/ping")"
}
