"""From the loss of an uplink to the first packet on the other one, under a stream in both directions.

SG-A has two uplinks, one straight to the public net and one through carol; a relay before SG-B makes the way
as long as it is told. Each is lost in turn, the other one being there again. "sent" is SG-A's first packet of the
tunnel on the new path, "received" SG-B's first one there, which has to hear of the new address before; when
it hears of one for the first time it checks the address first ("unproved").
"""

import configparser
import fcntl
import json
import os
import secrets
import select
import socket
import statistics
import struct
import threading
import time

from .sites import ALICE, BOB, ROOT, NotMeasured, Site, wait_for

NEAR, FAR = ("outside", "192.1.1.4"), ("second", "192.7.0.4")
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
SO_TIMESTAMPNS = 35
ETH_P_ALL = 3  # others do not see what goes out
ESP = 50

SG_A = """\
connections:
  - name: office
    version: 2
    local: {{id: "@a.test", auth: psk}}
    remote: {{address: 192.1.1.5, id: "@b.test", auth: psk}}
    secret-file: {secret}
    children: [{{name: lan, local: 192.1.0.0/24, remote: 192.2.0.0/24, start: at-once}}]
"""
SG_B = """\
connections:
  - name: office
    version: 2
    local: {{id: "@b.test", auth: psk}}
    remote: {{id: "@a.test", auth: psk}}
    secret-file: {secret}
    children: [{{name: lan, local: 192.2.0.0/24, remote: 192.1.0.0/24, start: never}}]
"""
ROUTES = {
    "outside": ("ip route replace 192.2.0.0/24 via 192.1.1.6 dev outside metric 10",),
    "second": ("ip route replace 192.2.0.0/24 via 192.7.0.1 dev second metric 20",
               "ip route replace 192.1.1.0/24 via 192.7.0.1 dev second metric 20"),
}


def write_topology(path):
    drawing = configparser.ConfigParser()
    with open(os.path.join(ROOT, "lab", "topology.ini")) as file:
        drawing.read_file(file)
    drawing["sg-a"]["uplinks"] = "second"
    with open(path, "w") as file:
        drawing.write(file)


def set_link(name, up):
    """When it was done, by the clock of packets' timestamps."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", name.encode(), 0)
        flags, = struct.unpack_from("16xH", fcntl.ioctl(control, SIOCGIFFLAGS, request))
        flags = flags | IFF_UP if up else flags & ~IFF_UP
        begun = time.time_ns()
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), flags))
    return begun


def open_tap(name):
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    tap.bind((name, ETH_P_ALL))
    tap.setblocking(False)
    return tap


def first_packets(tap, since, within_s=20):
    """ms from `since` to the first ESP packet out, and to the first one in."""
    found = {}
    deadline = time.monotonic() + within_s
    while len(found) < 2:
        if time.monotonic() > deadline:
            raise NotMeasured("nothing went through the other uplink")
        if not select.select([tap], [], [], 0.5)[0]:
            continue
        try:
            octets, controls, _, origin = tap.recvmsg(64, 64)
        except OSError:
            continue
        if len(octets) < 20 or octets[9] != ESP:
            continue
        seconds, nanoseconds = struct.unpack("qq", controls[0][2])
        at = seconds * 10 ** 9 + nanoseconds
        if at > since:
            found.setdefault("sent" if origin[2] == socket.PACKET_OUTGOING else "received", (at - since) / 1e6)
    return found


def open_udp(address):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, 0))
    udp.settimeout(0.2)
    return udp


class Stream:
    """A thousand datagrams a second from alice to bob, and as many back."""

    def __init__(self, uplinks):
        self.ends = [uplinks.inside(host, open_udp, address) for host, address in (("alice", ALICE), ("bob", BOB))]
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.send, args=ends)
                        for ends in (self.ends, self.ends[::-1])]
        for thread in self.threads:
            thread.start()

    def send(self, source, target):
        name = target.getsockname()
        while not self.ended.wait(0.001):
            try:
                source.sendto(b"moving", name)
            except OSError:
                pass  # no route for the moment

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()
        for end in self.ends:
            end.close()


class Uplinks:
    def __init__(self, scratch):
        self.site = Site("uplinks", scratch)
        self.topology = os.path.join(scratch, "uplinks.ini")
        self.secret = os.path.join(scratch, "secret")
        self.relay = None

    def inside(self, host, function, *arguments):
        from parts.common import run_in_namespace
        return run_in_namespace(self.site.lab.namespace(host), function, *arguments)

    def connect(self):
        with open(os.open(self.secret, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        for host, text in (("sg-b", SG_B), ("sg-a", SG_A)):
            with open(self.site.lab.path(host, "cygnet.yaml"), "a") as file:
                file.write(text.format(secret=self.secret))
            self.site.run(host, "cygnet", "reload")

    def second(self):
        names = [self.site.lab.namespace(host) for host in ("sg-a", "carol")]
        self.site.run("carol", "sh", "-ec", f"""
            ip link add inside2 type veth peer name second netns {names[0]}
            ip address add 192.7.0.1/24 dev inside2; ip link set inside2 up
            sysctl -qw net.ipv4.ip_forward=1""")
        self.site.run("sg-a", "sh", "-ec", "ip address add 192.7.0.4/24 dev second; ip link set second up")
        self.site.run("sg-b", "ip", "route", "replace", "192.7.0.0/24", "via", "192.1.1.67")
        # by a next hop that stays: it never gets there, for it goes into the tunnel
        self.site.run("sg-b", "ip", "route", "replace", "192.1.0.0/24", "via", "192.1.1.6")
        # What is in flight when a link goes is lost, and nobody's address is asked for on the slow link.
        self.neighbour("carol", "192.7.0.4", "inside2", "sg-a", "second")
        self.neighbour("sg-b", "192.1.1.67", "outside", "carol", "outside")
        self.neighbour("carol", "192.1.1.5", "outside", "sg-b", "outside")
        for host in ("sg-a", "sg-b"):
            self.site.run(host, "ip", "-6", "address", "flush", "dev", "outside", "scope", "global")

    def neighbour(self, host, address, device, of, of_device):
        link, = json.loads(self.site.run(of, "ip", "-j", "link", "show", "dev", of_device))
        self.site.run(host, "ip", "neighbour", "replace", address, "lladdr", link["address"], "dev", device,
                      "nud", "permanent")

    def up(self):
        write_topology(self.topology)
        before = os.environ.get("LAB_TOPOLOGY")
        os.environ["LAB_TOPOLOGY"] = self.topology
        try:
            self.site.up()
        finally:
            if before is None:
                del os.environ["LAB_TOPOLOGY"]
            else:
                os.environ["LAB_TOPOLOGY"] = before
        self.second()
        for uplink in (NEAR, FAR):
            self.restore(uplink[0])
        self.connect()
        wait_for("the tunnel", lambda: self.path() == NEAR[1])

    def down(self):
        self.site.down()

    def restore(self, name):
        self.inside("sg-a", set_link, name, True)
        self.site.run("sg-a", "sh", "-ec", "\n".join(ROUTES[name]))

    def path(self):
        """Our end of the IKE SA; None: there is none."""
        for gateway in json.loads(self.site.run("sg-a", "cygnet", "status", "--json"))["gateways"]:
            if gateway.get("addresses"):
                return gateway["addresses"]["local"]
        return None

    def set_delay(self, ms):
        """The relay takes the place of the last one."""
        program = os.path.join(os.environ.get("CYGNET_BUILD", os.path.join(ROOT, "build")), "tests", "netns",
                               "delay")
        if not os.access(program, os.X_OK):
            raise NotMeasured(f"{program} is not built: make build")
        if self.relay is None:
            self.site.run("wild", "sh", "-ec", """
                ip link set sg-b nomaster; ip link add relay type veth peer name far
                ip link set relay up; ip link set far master wild; ip link set far up""")
        else:
            self.relay.terminate()
            self.relay.wait()
        self.relay = self.site.start("wild", program, "sg-b", "relay", str(ms))

    def round_trip(self):
        said = self.site.run("alice", "ping", "-n", "-c", "11", "-i", "0.05", "-W", "5", BOB)
        return statistics.median(float(line.split("time=")[1].split()[0])
                                 for line in said.splitlines() if "time=" in line)

    def lose(self, lost, other):
        tap = self.inside("sg-a", open_tap, other[0])
        try:
            found = first_packets(tap, self.inside("sg-a", set_link, lost[0], False))
        finally:
            tap.close()
        wait_for("the fail-over", lambda: self.path() == other[1])
        self.restore(lost[0])
        time.sleep(0.3)  # the peer hears of the address that is there again
        return found

    def samples(self, moves):
        stream = Stream(self)
        now, other = (NEAR, FAR) if self.path() == NEAR[1] else (FAR, NEAR)
        result = []
        try:
            time.sleep(0.5)
            for _ in range(moves):
                result.append(self.lose(now, other))
                now, other = other, now
        finally:
            stream.end()
        return result


def result(scratch, delays, moves):
    """By delay: the round trip, and samples of both."""
    uplinks = Uplinks(scratch)
    rows = []
    try:
        uplinks.up()
        unproved = None
        for ms in delays:
            uplinks.set_delay(ms)
            wait_for("the relay", lambda: uplinks.round_trip() >= 2 * ms)
            found = uplinks.samples(moves + (unproved is None))
            row = {"round_trip": uplinks.round_trip()}
            if unproved is None:
                unproved = row["unproved"] = found.pop(0)["received"]
            row["sent"] = [each["sent"] for each in found]
            row["received"] = [each["received"] for each in found]
            rows.append(row)
    finally:
        if uplinks.site.lab is not None:
            uplinks.down()
    return {"rows": rows}
