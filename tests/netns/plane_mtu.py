#!/usr/bin/python3
"""Path MTU (RFC 4301 section 8): a datagram that may not be fragmented and doesn't fit the tunnel is
answered, and TCP finds its size; one that may be is carried. A smaller MTU on the way, told by ICMP,
is learnt.
"""

import re

from plane_common import INSIDE, OUTSIDE, expect, main, pinged, wait_for

# "Fragmentation needed, 68 octets" about an ESP packet from argv[2] to argv[1].
FORGE = """
import socket, struct, sys

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

about = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1400, 1, 0x4000, 60, 50, 0,
                    socket.inet_aton(sys.argv[2]), socket.inet_aton(sys.argv[1]))
about += struct.pack("!II", 0x12345678, 1)
icmp = struct.pack("!BBHHH", 3, 4, 0, 0, 68) + about
icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x43594701)
sender.sendto(icmp, (sys.argv[2], 0))
"""


def too_big(net, inner):
    """Our own ICMP error: the tunnel has less room than the link of 1500."""
    size = {4: 1500 - 28, 6: 1500 - 48}[inner]
    args = ["-s", str(size)] + (["-M", "do"] if inner == 4 else [])

    def told():
        """ICMP errors are limited in rate, and TCP may have had its share."""
        net.pings("alice", INSIDE["bob"][inner], *args)
        return "mtu 14" in net.run("alice", "ip", "-o", "route", "get", INSIDE["bob"][inner])

    wait_for(f"alice knows the tunnel's MTU over IPv{inner}", told)
    # The answers may not be fragmented either, so bob has to learn as well.
    wait_for(f"a fragmented ping over IPv{inner}",
             lambda: net.pings("alice", INSIDE["bob"][inner], "-s", str(size)))


def tcp(net, inner, octets="2M"):
    server = net.start("bob", "iperf3", "-s", "-1", "--forceflush")
    wait_for("iperf3", lambda: "listening" in server.stdout.readline().lower())
    net.run("alice", "iperf3", "-c", INSIDE["bob"][inner], "-n", octets)
    server.communicate(timeout=10)


def smaller_on_the_way(net):
    """gwb's end of the link is left alone; gwa's route says less, so sending there fails with it."""
    gwa = net.gateways["gwa"]
    net.run("gwa", "ip", "route", "replace", f"{OUTSIDE['gwb'][4]}/32", "dev", "outside",
            "src", OUTSIDE["gwa"][4], "mtu", "1300")
    output, _ = net.ping("alice", INSIDE["bob"][4], "-s", "1330", "-M", "do", count=3,
                         within=1).communicate()
    wait_for("news of a smaller MTU", lambda: gwa.counter("io_path_mtu_news") > 0)
    expect("mtu" in output.lower(), f"alice was not told of the smaller MTU:\n{output}")
    known = net.run("alice", "ip", "-o", "route", "get", INSIDE["bob"][4])
    expect("mtu 12" in known, f"alice did not learn the smaller MTU: {known}")
    tcp(net, 4)


def forged(net):
    """A stranger claims that the way to gwb carries next to nothing (RFC 4301 section 8.2.1): the
    tunnel gets smaller datagrams, but all that fits what its hosts were told still goes through."""
    gwa = net.gateways["gwa"]
    before = gwa.counter("io_path_mtu_news")
    net.run("gwb", "python3", "-c", FORGE, OUTSIDE["gwb"][4], OUTSIDE["gwa"][4])

    def told():
        output, _ = net.ping("alice", INSIDE["bob"][4], "-s", "1000", "-M", "do",
                             within=1).communicate()
        return re.search(r"mtu\s*=\s*(\d+)", output)

    mtu = int(wait_for("alice is told", told)[1])
    expect(gwa.counter("io_path_mtu_news") > before, "news of the forged MTU")
    expect(mtu > 500, f"alice was told of {mtu}")
    pinged(net.ping("alice", INSIDE["bob"][4], "-s", str(mtu - 28), "-M", "do", count=3),
           f"datagrams of {mtu} octets, which alice was told to send")
    tcp(net, 4, "200K")


def test(net):
    net.both()
    net.tunnel()
    net.encrypt_all()
    forged(net)
    net.ip("-n", net.names["alice"], "route", "flush", "cache")
    for host in ("gwa", "gwb"):
        net.gateways[host].quit()
        net.ip("-n", net.names[host], "route", "flush", "cache")
    net.both()
    net.tunnel()
    net.encrypt_all()
    for inner in (4, 6):
        too_big(net, inner)
        tcp(net, inner)
    smaller_on_the_way(net)


main(test)
