#!/usr/bin/python3
"""Path MTU (RFC 4301 section 8): a datagram that may not be fragmented and doesn't fit the tunnel is
answered, and TCP finds its size; one that may be is carried. A smaller MTU on the way, told by ICMP,
is learnt.
"""

from plane_common import INSIDE, OUTSIDE, expect, main, pinged, wait_for


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


def test(net):
    net.both()
    net.tunnel()
    net.encrypt_all()
    for inner in (4, 6):
        too_big(net, inner)
        tcp(net, inner)
    smaller_on_the_way(net)


main(test)
