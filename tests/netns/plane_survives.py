#!/usr/bin/python3
"""keyd dies: tunnels go on, and it is asked again when it is back. The plane dies: what the
classifier knows passes, what it doesn't goes nowhere, until a new plane has started with an empty map.
The parent dies as well: it stays closed. The plane runs without privilege all the time.
"""

from plane_common import INSIDE, expect, main, pinged, wait_for


def without_privilege(net):
    pids = net.run("gwa", "pgrep", "-P", str(net.gateways["gwa"].process.pid)).split()
    expect(len(pids) == 1, f"one plane: {pids}")
    with open(f"/proc/{pids[0]}/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    expect(set(status["Uid"].split()) == {"65534"}, f"user {status['Uid']}")
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        expect(int(status[name], 16) == 0, f"{name} {status[name]}")
    expect(status["NoNewPrivs"] == "1", "it may gain privileges")


def keyd_dies(net):
    gwa = net.gateways["gwa"]
    alice, bob = INSIDE["alice"], INSIDE["bob"]
    gwa.tell("keyd", "gone")
    pinged(net.ping("alice", bob[4], count=3), "pings while keyd is away")
    ping = net.ping("alice", bob[6], within=10)
    wait_for("the ping in hold", lambda: ping.poll() is None)
    gwa.tell("keyd", "back")
    gwa.wait(f"^ACQUIRE .*flow {alice[6]} -> {bob[6]}")
    net.encrypt("gwa", inner=6)
    pinged(ping, "the ping held while keyd was away")


def plane_dies(net):
    gwa = net.gateways["gwa"]
    alice, bob = INSIDE["alice"][4], INSIDE["bob"][4]
    near = "192.0.2.1"
    gwa.tell("policy", near, "192.0.2.2", "pass")
    net.gateways["gwb"].tell("policy", "192.0.2.2", near, "pass")
    gwa.wait("^POLICY_SET .*error 0")
    wait_for("clear pings between gateways", lambda: net.pings("gwa", "192.0.2.2"))
    gwa.tell("crash")
    wait_for("the plane's end", lambda: not net.pings("alice", bob))
    expect(net.pings("gwa", "192.0.2.2"), "what the classifier knows does not pass")
    gwa.tell("restart")
    ping = net.ping("alice", bob)
    gwa.wait(f"^ACQUIRE .*flow {alice} -> {bob}")
    net.tunnel(spi=0x2000)
    net.encrypt_all(spi=0x2000)
    pinged(ping, "the first ping through a new plane")
    expect(not net.pings("gwa", "192.0.2.2"), "the new plane began with an old verdict")


def all_die(net):
    gwa = net.gateways["gwa"]
    gwa.process.kill()
    gwa.process.wait()
    del net.gateways["gwa"]
    expect(not net.pings("alice", INSIDE["bob"][4]), "a ping left in clear")
    expect(not net.pings("alice", INSIDE["bob"][6]), "a ping left in clear over IPv6")
    net.gateway("gwa")
    net.tunnel(spi=0x3000)
    net.encrypt_all(spi=0x3000)
    pinged(net.ping("alice", INSIDE["bob"][4], count=3), "pings after a new start")


def test(net):
    net.both()
    without_privilege(net)
    net.tunnel()
    for host in ("gwa", "gwb"):
        net.encrypt(host, inner=4)
    net.encrypt("gwb", inner=6)
    pinged(net.ping("alice", INSIDE["bob"][4], count=3), "pings")
    keyd_dies(net)
    plane_dies(net)
    all_die(net)


main(test)
