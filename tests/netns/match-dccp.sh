#!/bin/bash
# MOD-036, MOD-056, MOD-058: DCCP from Linux's own implementation, in a User-Mode Linux guest, held against
# the model: connections closed by the client and by the server, with CCID-2, the only one that the guest's
# kernel knows. Broken, they are caught.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=lib/match.sh
. "$(dirname "$0")/lib/match.sh"

command -v linux.uml >/dev/null || fail "linux.uml is missing: sudo make deps"
command -v insmod >/dev/null || fail "insmod is missing: sudo make deps"
cp "$CYGNET_BUILD/tests/netns/dccp_talk" "$SCRATCH/"
cat >"$SCRATCH/init" <<GUEST
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t hostfs none /mnt -o $SCRATCH
exec >/mnt/guest.log 2>&1
ip link set lo up
for module in dccp dccp_ipv4; do
    insmod /usr/lib/uml/modules/\$(uname -r)/kernel/net/dccp/\$module.ko
done
tcpdump --immediate-mode -i lo -n -U -Z root -w /mnt/dccp.pcap &
until grep -q 'listening on' /mnt/guest.log; do sleep 0.05; done
/mnt/dccp_talk 5001 2 client && /mnt/dccp_talk 5002 2 client && /mnt/dccp_talk 5003 2 server && echo all well
sleep 0.5
kill -INT \$!
wait
sync
echo o >/proc/sysrq-trigger
sleep 10
GUEST
chmod +x "$SCRATCH/init"
TMPDIR=/dev/shm timeout 60 linux.uml mem=96M root=none rootfstype=hostfs rootflags=/ ro init="$SCRATCH/init" \
    con=null con0=null uml_dir="$SCRATCH/uml" </dev/null >/dev/null 2>&1 || true
grep -q '^all well' "$SCRATCH/guest.log" || fail "the guest: $(cat "$SCRATCH/guest.log")"
[ "$(grep -c '^5 datagrams' "$SCRATCH/guest.log")" = 3 ] || fail "not every datagram arrived"

capture=$SCRATCH/dccp.pcap
"$CYGNET" model match "$MODELS/dccp.model" "$capture" >"$SCRATCH/matched" || fail "$(cat "$SCRATCH/matched")"
grep -q '^3 exchanges: 3 follow' "$SCRATCH/matched" || fail "$(cat "$SCRATCH/matched")"
# Request, Response, Ack; data and their acknowledgements; Close, Reset.
last=$("$CYGNET" model match --json "$MODELS/dccp.model" "$capture" | head -n 1 |
    python3 -c 'import json, sys; print(len(json.loads(sys.stdin.readline())["messages"]))')
for which in 0 1; do
    match_broken dccp.model "$capture" -x $which drop:1 drop:2 twice:2 swap:1 swap:2 drop:$((last - 1)) drop:"$last" \
        swap:$((last - 1))
done
