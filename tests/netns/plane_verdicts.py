#!/usr/bin/python3
"""Pass and deny, over IPv4 and IPv6: a held ping goes on in clear once keyd says pass (OE-025), and
after that the classifier lets the flow pass without the plane; deny drops it there. A policy that is
taken back makes the flow unknown again. Neighbour discovery and multicast are never held. What comes
out of the put-back device goes past netfilter, which has seen it once: source NAT isn't done twice.
"""

from plane_common import INSIDE, OUTSIDE, expect, main, pinged, wait_for


def answer_passes(net, inner):
    net.gateways["gwb"].tell("policy", INSIDE["bob"][inner], INSIDE["alice"][inner], "pass")


def held_then_passed(net, inner):
    gwa = net.gateways["gwa"]
    alice, bob = INSIDE["alice"][inner], INSIDE["bob"][inner]
    before = gwa.counters()
    ping = net.ping("alice", bob)
    gwa.wait(f"^ACQUIRE .*flow {alice} -> {bob}")
    gwa.tell("policy", alice, bob, "pass")
    pinged(ping, f"the held ping over IPv{inner}, passed")
    pinged(net.ping("alice", bob, count=5), f"pings over IPv{inner} that the classifier passes")
    after = gwa.counters()
    for name, more in (("io_tun_in", 1), ("classifier_oe", 1), ("io_clear_out", 1),
                       ("classifier_put_back", 1), ("classifier_pass", 5)):
        expect(after.get(name, 0) - before.get(name, 0) == more, f"{name}: {before} {after}")


def denied(net, inner):
    gwa = net.gateways["gwa"]
    alice, bob = INSIDE["alice"][inner], INSIDE["bob"][inner]
    gwa.tell("policy", alice, bob, "deny")
    gwa.wait("^POLICY_SET .*error 0")
    before = gwa.counter("classifier_deny")
    expect(not net.pings("alice", bob), f"a denied ping over IPv{inner} came back")
    expect(gwa.counter("classifier_deny") == before + 1, "the classifier did not deny it")


def forgotten(net, inner):
    """The flow is asked for again."""
    gwa = net.gateways["gwa"]
    alice, bob = INSIDE["alice"][inner], INSIDE["bob"][inner]
    gwa.tell("forget", alice, bob)
    gwa.wait("^POLICY_DELETE .*error 0")
    expect(not net.pings("alice", bob), f"a forgotten flow over IPv{inner} was not held")
    gwa.wait(f"^ACQUIRE .*flow {alice} -> {bob}")


def link_scope(net):
    """Nothing but the outside link is asked: no acquire, no plane."""
    before = net.gateways["gwa"].counters()
    net.run("gwa", "ip", "neigh", "flush", "dev", "outside")
    answer = net.start("gwa", "ping", "-n", "-c", "1", "-W", "1", "-I", "outside", "ff02::1")
    answer.communicate()
    after = net.gateways["gwa"].counters()
    expect(after["classifier_link_scope"] > before.get("classifier_link_scope", 0), "multicast")
    expect(after.get("io_tun_in", 0) == before.get("io_tun_in", 0), "multicast went to the plane")


# IPv4 or IPv6 with argv[1] as its source, to argv[2]; UDP port 7777.
SPOOF = """
import socket, struct, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
udp = struct.pack("!HHHH", 7777, 7777, 12, 0) + b"leak"
src, dst = (socket.inet_pton(family, a) for a in sys.argv[1:3])
sender = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
sender.sendto(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 32, 0, 0, 64, 17, 0, src, dst) + udp,
              (sys.argv[2], 0))
"""
LOCAL = """
import socket, sys
sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sender.bind((sys.argv[1], 0, 0, socket.if_nametoindex("outside")))
sender.sendto(b"leak", (sys.argv[2], 7777))
"""


def no_way_around(net):
    """A link-local source doesn't make a far destination link-local (RFC 3927 section 2.7), and
    240/4 is no multicast: policy holds for them."""
    gwa = net.gateways["gwa"]
    before = gwa.counter("classifier_link_scope")
    net.run("alice", "python3", "-c", SPOOF, "169.254.9.9", INSIDE["bob"][4])
    wait_for("the datagram with a link-local source", lambda: gwa.counter("io_tun_in_link") > 0)
    expect(gwa.counter("classifier_link_scope") == before, "a link-local source went around policy")

    lines = net.run("gwa", "ip", "-o", "-6", "address", "show", "dev", "outside", "scope", "link")
    net.run("gwa", "python3", "-c", LOCAL, lines.split()[3].split("/")[0], OUTSIDE["gwb"][6])
    wait_for("the one of a local user", lambda: gwa.counter("io_tun_in_link") > 1)

    net.run("gwa", "ip", "route", "add", "240.0.0.0/8", "via", OUTSIDE["gwb"][4])
    expect(not net.pings("gwa", "240.1.2.3"), "240.1.2.3 answers")
    gwa.wait("^ACQUIRE .*flow 192.0.2.1 -> 240.1.2.3")


def source_nat(net):
    """The classifier sees addresses after source NAT, and a held datagram keeps its port."""
    gwa, gwb = net.gateways["gwa"], net.gateways["gwb"]
    near, bob = OUTSIDE["gwa"][4], INSIDE["bob"][4]
    net.run("gwa", "nft", "add table ip nat; add chain ip nat post"
            " { type nat hook postrouting priority srcnat; };"
            " add rule ip nat post oifname outside masquerade")
    gwb.tell("policy", bob, near, "pass")
    ping = net.ping("alice", bob)
    gwa.wait(f"^ACQUIRE .*flow {near} -> {bob}")
    gwa.tell("policy", near, bob, "pass")
    pinged(ping, "the held ping behind source NAT")


def test(net):
    gwa, _ = net.both()
    for inner in (4, 6):
        answer_passes(net, inner)
        held_then_passed(net, inner)
        denied(net, inner)
        forgotten(net, inner)
    link_scope(net)
    no_way_around(net)
    source_nat(net)
    gwa.quit()
    wait_for("traffic without Cygnet", lambda: net.pings("alice", INSIDE["bob"][6]))


main(test)
