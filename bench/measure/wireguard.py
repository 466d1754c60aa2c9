"""Debian's wireguard-go between sg-a and sg-b, to compare with another user-space tunnel."""

import os
import shutil
import subprocess

from .sites import NotMeasured, wait_for

PORT = 51820
SIDES = {
    "sg-a": {"outside": "192.1.1.4", "nets": ["192.1.0.0/24"]},
    "sg-b": {"outside": "192.1.1.5", "nets": ["192.2.0.0/24"]},
}


def missing():
    """Why it can't run, or None."""
    absent = [name for name in ("wireguard-go", "wg") if not shutil.which(name)]
    return f"{' and '.join(absent)} not installed" if absent else None


def interface(gateway):
    # its control socket lies in one directory for all namespaces, so the name is ours alone
    return f"wg{gateway[-1]}{os.getpid() % 10 ** 7}"


def make_key():
    private = subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True).stdout
    public = subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True,
                            check=True).stdout
    return private, public.strip()


def start(site):
    """A tunnel for everything between the nets of alice and bob."""
    reason = missing()
    if reason:
        raise NotMeasured(reason)
    keys = {gateway: make_key() for gateway in SIDES}
    for gateway in SIDES:
        name = interface(gateway)
        site.start(gateway, "wireguard-go", "--foreground", name)
        wait_for(f"wireguard-go on {gateway}",
                 lambda: os.path.exists(f"/run/wireguard/{name}.sock"))
    for gateway, peer in (("sg-a", "sg-b"), ("sg-b", "sg-a")):
        name = interface(gateway)
        site.run(gateway, "wg", "set", name, "listen-port", str(PORT),
                 "private-key", "/dev/stdin", "peer", keys[peer][1],
                 "endpoint", f"{SIDES[peer]['outside']}:{PORT}",
                 "allowed-ips", ",".join(SIDES[peer]["nets"]), text=keys[gateway][0])
        site.run(gateway, "ip", "link", "set", name, "mtu", "1420", "up")
        for net in SIDES[peer]["nets"]:
            site.run(gateway, "ip", "route", "replace", net, "dev", name)
