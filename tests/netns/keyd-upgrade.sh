#!/bin/bash
# A newer cygnetd is put in place under transfers: keyd at both ends leaves to it and it resumes what
# was saved. No TCP connection ends or stands still, no phase 1 is made anew, Deletes are understood.
# A program that can't run does not replace one that can.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# The lab runs copies, so that they can be replaced.
cp --parents -t "$SCRATCH" -r "$CYGNET_BUILD/src/daemon/cygnetd" "$CYGNET_BUILD/src/cli/cygnet"
CYGNET_BUILD=$SCRATCH$CYGNET_BUILD
chmod 755 "$SCRATCH"

# parent GATEWAY, keyd GATEWAY: process ids.
parent() {
    cut -d' ' -f1 "$(lab path "$1")/../pids/$1"
}
keyd() {
    pgrep -g "$(parent "$1")" -u 61100
}

# program PID: which file a process runs.
program() {
    stat -L -c %i "/proc/$1/exe"
}

# replace FILE: as a package does it, by a rename.
replace() {
    cp "$1" "$CYGNET_BUILD/src/daemon/cygnetd.new"
    chmod 755 "$CYGNET_BUILD/src/daemon/cygnetd.new"
    mv "$CYGNET_BUILD/src/daemon/cygnetd.new" "$CYGNET_BUILD/src/daemon/cygnetd"
}

# renewed GATEWAY OLD INODE: another keyd runs, of that file.
renewed() {
    local now
    now=$(keyd "$1") && [ "$now" != "$2" ] && [ "$(program "$now")" = "$3" ]
}

# said GATEWAY TEXT: how many records of the running keyd's trace contain it.
said() {
    lab exec "$1" cygnet trace | grep -c "$2" || true
}

in_status() {
    lab exec "$1" cygnet status --json | grep -q '192\.2\.0\.66'
}

# upgrade GATEWAY: to the file that is in place now.
upgrade() {
    local old
    old=$(keyd "$1")
    kill -USR1 "$(parent "$1")"
    wait_for 3 "a new keying daemon on $1" renewed "$1" "$old" "$new_file"
    wait_for 5 "the tunnel in cygnet status on $1" in_status "$1"
}

lab up --quiet
lab exec alice ping -n -c 1 -W 10 192.2.0.66 >/dev/null || fail "no tunnel to begin with"
old_file=$(program "$(parent sg-a)")

"$ROOT/lab/lab" exec bob iperf3 -s -1 >/dev/null 2>&1 &
BACKGROUND+=($!)
wait_for 5 "iperf3 on bob" listens bob 5201
lab exec alice timeout 60 iperf3 -c 192.2.0.66 -P 8 -t 8 --json >"$SCRATCH/report" &
client=$!
BACKGROUND+=("$client")
carried() {
    [ "$(lab exec alice cat /sys/class/net/eth0/statistics/tx_bytes)" -gt 1000000 ]
}
wait_for 5 "the transfers" carried

cp "$CYGNET_BUILD/src/daemon/cygnetd" "$SCRATCH/newer"
echo "newer" >>"$SCRATCH/newer"
replace "$SCRATCH/newer"
new_file=$(stat -c %i "$CYGNET_BUILD/src/daemon/cygnetd")
[ "$new_file" != "$old_file" ] || fail "nothing was replaced"
upgrade sg-a
upgrade sg-b
[ "$(program "$(parent sg-a)")" = "$old_file" ] || fail "the parent is another program"

# A new tunnel between the two gateways needs Quick Mode only, whoever begins.
lab exec sg-a ping -n -c 1 -W 5 192.2.0.66 >/dev/null || fail "no second tunnel after the upgrade"
lab exec sg-b ping -n -c 1 -W 5 192.1.0.65 >/dev/null || fail "no third tunnel after the upgrade"
for gateway in sg-a sg-b; do
    expect_verdict $gateway "$([ $gateway = sg-a ] && echo 192.2.0.66 || echo 192.1.0.65)" encrypt
    [ "$(said $gateway 'IKE SA resumed')" = 1 ] || fail "$gateway resumed no phase 1 SA"
    [ "$(said $gateway 'Main Mode')" = 0 ] || fail "$gateway made phase 1 anew"
    [ "$(said $gateway 'Tunnel up')" = 2 ] || fail "$gateway made other tunnels than two"
done

wait $client || fail "a transfer ended: $(grep error "$SCRATCH/report")"
python3 - "$SCRATCH/report" <<'CHECK' || fail "a connection was lost, or all stood still for a second"
import json
import sys

report = json.load(open(sys.argv[1]))
streams = report["end"]["streams"]
still = any(i["sum"]["bytes"] == 0 for i in report["intervals"][:-1])
sys.exit(still or len(streams) != 8 or any(s["receiver"]["bytes"] == 0 for s in streams))
CHECK

# A crash of the new one is no reason to distrust it; a new one that ends at once is.
old=$(keyd sg-a)
wait_for 5 "three seconds of the new keying daemon" test \
    "$(($(date +%s) - $(stat -c %Y "/proc/$old")))" -ge 3
kill -9 "$old"
wait_for 3 "the new keying daemon again" renewed sg-a "$old" "$new_file"
replace /bin/false
old=$(keyd sg-a)
kill -USR1 "$(parent sg-a)"
wait_for 3 "the former keying daemon" renewed sg-a "$old" "$old_file"
wait_for 5 "the tunnel in cygnet status" in_status sg-a
lab exec alice ping -n -c 3 -i 0.2 -W 2 192.2.0.66 >/dev/null || fail "the tunnel ended"
[ "$(said sg-a 'Main Mode')" = 0 ] || fail "phase 1 was made anew"
