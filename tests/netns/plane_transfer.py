#!/usr/bin/python3
"""TCP through the tunnel arrives octet for octet, in super-packets on both sides of the planes: in
native ESP and in UDP, over IPv4 and IPv6. Nothing is lost for want of room, and the receiver sees no
wrong checksum.
"""

import os

from plane_common import INSIDE, ROOT, expect, main, wait_for

PROGRAM = os.path.join(ROOT, "tests", "netns", "transfer.py")
OCTETS = 20_000_000


def listens(net):
    return net.run("bob", "ss", "-Hltn", "sport = :5202").strip()


def transfer(net, inner, what):
    bob = INSIDE["bob"][inner]
    receiver = net.start("bob", "python3", PROGRAM, "receive", bob, "5202")
    wait_for("the receiver", lambda: listens(net))
    sent = net.run("alice", "python3", PROGRAM, "send", bob, "5202", str(OCTETS))
    received, _ = receiver.communicate(timeout=30)
    expect(sent.startswith(str(OCTETS)) and received == sent, f"{what}: {sent} {received}")


def checksum_errors(net):
    lines = net.run("bob", "nstat", "-asz", "TcpInCsumErrors").splitlines()
    return int(lines[-1].split()[1])


def test(net):
    gwa, gwb = net.both()
    spi = 0x1000
    for outer in (4, 6):
        for udp in (False, True):
            net.tunnel(outer, udp, spi=spi)
            net.encrypt_all(outer, spi)
            for inner in (4, 6):
                transfer(net, inner, f"IPv{inner} over {'UDP' if udp else 'ESP'} over IPv{outer}")
            spi += 0x100
    sender, receiver = gwa.counters(), gwb.counters()
    expect(sender["io_tun_in_super"] > 0, "no super-packet came from alice")
    expect(sender["io_esp_out_joined"] > 0, "no joined datagrams were sent")
    expect(receiver["io_esp_in_joined"] > 0, "no joined datagrams were received")
    expect(receiver["io_tun_out_super"] > 0, "no super-packet went to bob")
    for counters in (sender, receiver):
        lost = {name: value for name, value in counters.items()
                if "failed" in name or "malformed" in name or name == "io_esp_out_no_socket"}
        expect(not lost, f"lost: {lost}")
    expect(checksum_errors(net) == 0, "bob saw wrong checksums")


main(test)
