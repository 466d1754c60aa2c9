# A Linux kernel of its own as a peer, for daemons that need a kernel's ESP or PF_KEY: User-Mode Linux, an
# ordinary process that boots in a few seconds. Source it after common.sh.
#
# The guest sees this system's files and those of some packages that are unpacked for it alone; what it
# writes stays in its memory. It takes a lab host's place on the public net: same address, the host's
# namespace only bridges.
#
#   guest_packages PACKAGE...        fetch and unpack what isn't installed here; exits 77 if that's impossible
#   guest_file PATH <TEXT            a file that only the guest sees, before guest_start
#   guest_start HOST ADDRESS/BITS... take the place of the host, which runs no Cygnet (lab stop HOST)
#   guest COMMAND                    run a shell command in it; its output and exit code are the command's
#   guest_explain                    what its console said
#
# It ends with the test.
# shellcheck shell=bash

GUEST=$SCRATCH/guest
GUEST_MODULES=/usr/lib/uml/modules

guest_packages() {
    local package
    command -v linux.uml >/dev/null || fail "linux.uml is missing: sudo make deps"
    mkdir -p "$GUEST"/{fetched,files,shared}
    chmod 755 "$SCRATCH" "$GUEST" "$GUEST/fetched"
    (cd "$GUEST/fetched" && apt-get -qq -o APT::Sandbox::User=root download "$@" >/dev/null 2>"$GUEST/apt") || {
        echo "skip: $* can't be fetched: $(tail -n 1 "$GUEST/apt")"
        exit 77
    }
    for package in "$GUEST"/fetched/*.deb; do
        dpkg-deb -x "$package" "$GUEST/files"
    done
    for package in bin sbin lib; do # symbolic links on a merged system
        [ -d "$GUEST/files/$package" ] || continue
        mkdir -p "$GUEST/files/usr/$package"
        cp -a "$GUEST/files/$package/." "$GUEST/files/usr/$package"
        rm -r "$GUEST/files/$package"
    done
}

guest_file() {
    mkdir -p "$GUEST/files$(dirname "$1")"
    cat >"$GUEST/files$1"
}

# The first process of the guest: an agent that runs what appears in the shared directory.
guest_init() {
    cat <<INIT
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
for at in /run /tmp /dev/shm; do mkdir -p \$at; mount -t tmpfs tmpfs \$at; done
ln -sf /proc/self/fd /dev/fd
mount -t hostfs hostfs /mnt -o $GUEST/shared
ip link set lo up
$(printf 'ip addr add %s dev vec0\n' "$@")
ip link set vec0 up
ip route add default dev vec0
sysctl -qw net.ipv4.ip_forward=1
for module in esp4 esp6 ah4 xfrm_user af_key; do modprobe \$module; done
: >/mnt/ready
while :; do
    for job in /mnt/*.job; do
        [ -e "\$job" ] || continue
        mv "\$job" "\$job.taken"
        ( sh "\$job.taken" >"\$job.out" 2>&1 </dev/null; echo \$? >"\$job.part"; mv "\$job.part" "\$job.code" ) &
    done
    sleep 0.1
done
INIT
}

# Runs in a mount namespace of its own; everything below /mnt there goes away with it.
guest_boot() {
    mount --make-rprivate /
    mount -t tmpfs -o mode=755 tmpfs /mnt
    mkdir /mnt/upper /mnt/work /mnt/root
    cp -a "$GUEST/files" /mnt/files
    mkdir -p /mnt/files/usr/lib/modules /mnt/files/guest
    cp -a "$GUEST/init" /mnt/files/guest/init
    for modules in "$GUEST_MODULES"/*; do
        ln -s "$modules" "/mnt/files/usr/lib/modules/${modules##*/}"
    done
    mount -t overlay overlay -o lowerdir=/mnt/files:/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
    exec env TMPDIR=/dev/shm linux.uml mem=384M rootfstype=hostfs rootflags=/mnt/root rw init=/guest/init \
        "vec0:transport=tap,ifname=guest0,depth=128" con=null con0=null,fd:1 </dev/null
}

guest_start() {
    local host=$1 netns outside
    shift
    netns=cyg-$LAB_SUFFIX-$host
    outside=$(ip -n "$netns" -o route get 192.1.1.254 | sed -n 's/.* dev \([^ ]*\) .*/\1/p')
    ip -n "$netns" addr flush dev "$outside"
    ip -n "$netns" link add bridge0 type bridge
    ip -n "$netns" tuntap add guest0 mode tap
    ip -n "$netns" link set dev "$outside" master bridge0
    ip -n "$netns" link set guest0 master bridge0
    ip -n "$netns" link set guest0 up
    ip -n "$netns" link set bridge0 up
    guest_init "$@" >"$GUEST/init"
    chmod 755 "$GUEST/init"
    export GUEST GUEST_MODULES
    export -f guest_boot
    ip netns exec "$netns" unshare -m bash -c guest_boot >"$GUEST/console" 2>&1 &
    BACKGROUND+=($!)
    wait_for 60 "the guest's boot" test -e "$GUEST/shared/ready"
}

guest() {
    local job # no counter: it would stand still in a pipeline's subshell
    job=$(mktemp -u "$GUEST/shared/XXXXXXXX.job")
    printf '%s\n' "$*" >"$job.new"
    mv "$job.new" "$job"
    wait_for 60 "'$*' in the guest" test -e "$job.code"
    cat "$job.out"
    return "$(cat "$job.code")"
}

guest_explain() {
    echo "--- the guest's console"
    tail -n 20 "$GUEST/console"
}
