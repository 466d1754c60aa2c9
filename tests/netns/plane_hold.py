#!/usr/bin/python3
"""A first ping is held, and delivered once keyd says encrypt, both ways, over IPv4 and IPv6 (OE-019).

Nothing that alice or bob says is seen between the gateways: a capture holds only ESP.
"""

from plane_common import INSIDE, expect, main, pinged, wait_for


def first_ping(net, inner):
    """keyd's answer comes after the datagram was held, as if it had to ask the world first."""
    alice, bob = INSIDE["alice"][inner], INSIDE["bob"][inner]
    ping = net.ping("alice", bob)
    net.gateways["gwa"].wait(f"^ACQUIRE .*flow {alice} -> {bob}")
    net.encrypt("gwa", inner=inner)
    net.gateways["gwb"].wait(f"^ACQUIRE .*flow {bob} -> {alice}")
    net.encrypt("gwb", inner=inner)
    pinged(ping, f"the first ping over IPv{inner}")


def test(net):
    # A system that checks return paths strictly must not drop what comes out of the tunnel.
    net.run("gwb", "sysctl", "-q", "net.ipv4.conf.all.rp_filter=1")
    gwa, gwb = net.both()
    capture = net.start("gwb", "tcpdump", "-l", "-n", "-i", "outside", "--immediate-mode",
                        "net 10.0.0.0/8 or net fd00::/8 or ip proto 50")
    wait_for("tcpdump", lambda: "listening" in capture.stdout.readline())
    net.tunnel()
    first_ping(net, 4)
    first_ping(net, 6)
    pinged(net.ping("alice", INSIDE["bob"][4], count=5), "more pings")
    expect(gwa.counter("io_esp_out") == 7, "seven ESP packets out of gwa")
    expect(gwb.counter("io_esp_in") == 7, "seven ESP packets into gwb")
    capture.terminate()
    seen, _ = capture.communicate()
    expect(seen.count("ESP(spi=") == 14, f"14 ESP packets between the gateways:\n{seen}")
    expect("10.1." not in seen and "fd01:" not in seen, f"an inner address was seen:\n{seen}")


main(test)
