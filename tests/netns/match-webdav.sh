#!/bin/bash
# WebDAV COPY and MOVE by curl at Apache's mod_dav, held against the model; broken, they are caught.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/match.sh
. "$(dirname "$0")/lib/match.sh"

command -v apache2 >/dev/null || fail "apache2 is missing: sudo make deps"
chmod 755 "$SCRATCH"
cd "$SCRATCH"
mkdir dav
echo "a resource" >dav/first
chown -R nobody:nogroup dav
modules=/usr/lib/apache2/modules
cat >httpd.conf <<CONF
ServerRoot $SCRATCH
PidFile $SCRATCH/httpd.pid
ErrorLog $SCRATCH/httpd.log
ServerName localhost
Listen 127.0.0.1:8008
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule dav_module $modules/mod_dav.so
LoadModule dav_fs_module $modules/mod_dav_fs.so
DavLockDB $SCRATCH/dav/.locks
DocumentRoot $SCRATCH/dav
User nobody
Group nogroup
Mutex file:$SCRATCH/dav
<Directory $SCRATCH/dav>
    Dav On
    Require all granted
</Directory>
CONF
url=http://127.0.0.1:8008

# request CODE METHOD NAME [HEADER]..., a connection each.
request() {
    local code wanted=$1 method=$2 name=$3 headers=() header
    shift 3
    for header in "$@"; do headers+=(-H "$header"); done
    code=$(inside dav curl -s -o /dev/null -w '%{http_code}' -m 10 -X "$method" "${headers[@]}" "$url/$name")
    [ "$code" = "$wanted" ] || fail "$method $name: $code, not $wanted: $(cat httpd.log)"
}

serves() {
    inside dav ss -Hltn 'sport = :8008' | grep -q .
}

match_net dav
ip netns exec "$(net_name dav)" apache2 -X -f "$SCRATCH/httpd.conf" 2>httpd.err &
BACKGROUND+=("$!")
wait_for 10 "the WebDAV server" serves
match_capture dav lo dav.pcap tcp port 8008

# Renamed in one step, in two steps over one connection, and refused as there is such a name already.
request 201 MOVE first "Destination: $url/second"
inside dav curl -s -m 10 -X COPY -H "Destination: $url/third" "$url/second" \
    --next -s -m 10 -X DELETE "$url/second" >/dev/null
[ ! -e dav/second ] || fail "second is still there"
echo "in the way" >dav/fourth
request 412 MOVE third "Destination: $url/fourth" "Overwrite: F"
request 412 COPY third "Destination: $url/fourth" "Overwrite: F"
match_capture_end dav.pcap

match_follows webdav.model dav.pcap "Renaming with MOVE" 2
match_follows webdav.model dav.pcap "Renaming with COPY and DELETE" 2
match_broken webdav.model dav.pcap -x 0 drop:1 drop:2
match_broken webdav.model dav.pcap -x 1 drop:1 drop:2 drop:3 drop:4
