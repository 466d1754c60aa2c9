#!/bin/sh
# The cryptography tests against the libcrypto of Debian 13, which has ML-KEM. The root directory is
# made with debootstrap, once. Needs root, and CYGNET_DEBIAN13_ROOT to name the directory; without it
# the test is skipped, because making one takes a minute and the network.
# usage: debian13.sh TEST-PROGRAM...
set -eu

root=${CYGNET_DEBIAN13_ROOT:-}
if [ -z "$root" ] || [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
    echo "skipped: CYGNET_DEBIAN13_ROOT is not set, or no debootstrap, or not root"
    exit 77
fi
if [ ! -e "$root/usr/lib/x86_64-linux-gnu/libcmocka.so.0" ]; then
    debootstrap --variant=minbase --include=libssl3t64,libcmocka0 trixie "$root"
fi

work=$(mktemp -d "$root/tmp/cygnet.XXXXXX")
trap 'rm -rf "$work"' EXIT
failed=0
for program; do
    cp "$program" "$work/"
    inside=${work#"$root"}/$(basename "$program")
    CYGNET_TEST_ML_KEM=1 chroot "$root" "$inside" || failed=1
done
exit $failed
