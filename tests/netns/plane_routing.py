#!/usr/bin/python3
"""Without eBPF: marks and a routing rule send everything through the plane, which encrypts, puts back
in clear, or drops, for forwarded and local traffic, over IPv4 and IPv6; source NAT works on clear
traffic that was held before.
"""

from plane_common import INSIDE, OUTSIDE, expect, main, pinged, wait_for


def held_then_passed(net, host, inner):
    gwa, gwb = net.gateways["gwa"], net.gateways["gwb"]
    source = (INSIDE if host == "alice" else OUTSIDE)[host][inner]
    bob = INSIDE["bob"][inner]
    gwb.tell("policy", bob, source, "pass")
    ping = net.ping(host, bob)
    gwa.wait(f"^ACQUIRE .*flow {source} -> {bob}")
    gwa.tell("policy", source, bob, "pass")
    pinged(ping, f"{host}'s held ping over IPv{inner}, passed")
    before = gwa.counter("io_clear_out")
    pinged(net.ping(host, bob, count=3), f"{host}'s clear pings over IPv{inner}")
    expect(gwa.counter("io_clear_out") == before + 3, "clear pings did not go through the plane")


def denied(net, inner):
    alice, bob = INSIDE["alice"][inner], INSIDE["bob"][inner]
    net.gateways["gwa"].tell("policy", alice, bob, "deny")
    wait_for(f"deny over IPv{inner}", lambda: not net.pings("alice", bob))


def encrypted(net, inner):
    gwa = net.gateways["gwa"]
    net.encrypt("gwa", inner=inner)
    net.encrypt("gwb", inner=inner)
    wait_for("the tunnel", lambda: net.pings("alice", INSIDE["bob"][inner]))
    before = gwa.counter("io_esp_out")
    pinged(net.ping("alice", INSIDE["bob"][inner], count=3), f"encrypted pings over IPv{inner}")
    expect(gwa.counter("io_esp_out") == before + 3, "three ESP packets out of gwa")


def source_nat(net):
    gwa, bob = net.gateways["gwa"], INSIDE["bob"][4]
    net.run("gwa", "nft", "add table ip nat; add chain ip nat post"
            " { type nat hook postrouting priority srcnat; };"
            " add rule ip nat post oifname outside masquerade")
    gwa.tell("policy", INSIDE["alice"][4], bob, "pass")
    net.gateways["gwb"].tell("policy", bob, OUTSIDE["gwa"][4], "pass")
    capture = net.start("bob", "tcpdump", "-l", "-n", "-i", "eth0", "--immediate-mode", "-c", "1",
                        "icmp", "and", "src", OUTSIDE["gwa"][4])
    wait_for("tcpdump", lambda: "listening" in capture.stdout.readline())
    pinged(net.ping("alice", bob, count=2), "clear pings behind source NAT")
    expect(capture.wait(timeout=10) == 0, "bob saw the gateway's address")


def after_a_crash(net):
    """Each kind of interception takes away what a killed one of the other kind has left."""
    for killed, next_one in (("ebpf", "routing"), ("routing", "ebpf"), ("ebpf", "routing")):
        gateway = net.gateway("gwa", killed)
        gateway.process.kill()
        gateway.process.wait()
        gateway = net.gateway("gwa", next_one)
        ping = net.ping("alice", INSIDE["bob"][4], within=1)
        gateway.wait("^ACQUIRE")
        ping.communicate()
        expect(gateway.counter("io_tun_in") == 1, f"{next_one} after {killed}")
        gateway.quit()


def test(net):
    after_a_crash(net)
    gwa, _ = net.both("routing")
    for inner in (4, 6):
        held_then_passed(net, "alice", inner)
        held_then_passed(net, "gwa", inner)
        denied(net, inner)
    net.tunnel()
    for inner in (4, 6):
        encrypted(net, inner)
    source_nat(net)
    gwa.quit()
    rules = net.run("gwa", "ip", "rule") + net.run("gwa", "nft", "list", "ruleset")
    expect("cygnet" not in rules and "17241" not in rules, f"something is left behind:\n{rules}")


main(test)
