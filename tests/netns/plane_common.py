"""Two gateways with planes and no keyd, for the tests of the plane's process and its IO.

    alice 10.1.0.2 --- gwa 192.0.2.1 ======= 192.0.2.2 gwb --- bob 10.2.0.2
          fd01::2          2001:db8::1       2001:db8::2       fd02::2

The test is keyd: it sends each plane PF_KEY messages through plane_gateway and reads what the plane
says. Namespaces are named after the test and its process, and vanish with it.
"""

import atexit
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
PROGRAM = os.path.join(os.environ.get("CYGNET_BUILD", os.path.join(ROOT, "build")),
                       "tests", "netns", "plane_gateway")
WITHIN_S = 10
HOSTS = ("alice", "gwa", "gwb", "bob")
OUTSIDE = {"gwa": {4: "192.0.2.1", 6: "2001:db8::1"}, "gwb": {4: "192.0.2.2", 6: "2001:db8::2"}}
INSIDE = {"alice": {4: "10.1.0.2", 6: "fd01::2"}, "bob": {4: "10.2.0.2", 6: "fd02::2"}}
OTHER = {"gwa": "gwb", "gwb": "gwa"}
LINKS = """
link add name eth0 netns {alice} type veth peer name inside netns {gwa}
link add name outside netns {gwa} type veth peer name outside netns {gwb}
link add name inside netns {gwb} type veth peer name eth0 netns {bob}
"""
CONFIGURE = {
    "alice": ["address add 10.1.0.2/24 dev eth0", "address add fd01::2/64 dev eth0 nodad",
              "link set eth0 up", "route add default via 10.1.0.1", "route add default via fd01::1"],
    "gwa": ["address add 10.1.0.1/24 dev inside", "address add fd01::1/64 dev inside nodad",
            "address add 192.0.2.1/24 dev outside", "address add 2001:db8::1/64 dev outside nodad",
            "link set inside up", "link set outside up",
            "route add 10.2.0.0/24 via 192.0.2.2", "route add fd02::/64 via 2001:db8::2"],
    "gwb": ["address add 10.2.0.1/24 dev inside", "address add fd02::1/64 dev inside nodad",
            "address add 192.0.2.2/24 dev outside", "address add 2001:db8::2/64 dev outside nodad",
            "link set inside up", "link set outside up",
            "route add 10.1.0.0/24 via 192.0.2.1", "route add fd01::/64 via 2001:db8::1"],
    "bob": ["address add 10.2.0.2/24 dev eth0", "address add fd02::2/64 dev eth0 nodad",
            "link set eth0 up", "route add default via 10.2.0.1", "route add default via fd02::1"],
}
SYSCTLS = ["net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
           "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"]
FORWARDING = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]


class Failed(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failed(what)


def wait_for(what, function, within=WITHIN_S):
    """Poll until function() is true; its value."""
    deadline = time.monotonic() + within
    while True:
        value = function()
        if value:
            return value
        expect(time.monotonic() < deadline, f"{what}: not within {within} s")
        time.sleep(0.02)


class Gateway:
    """plane_gateway in a namespace, and the lines that it has said."""

    def __init__(self, net, host, classifier="ebpf", options=()):
        self.host, self.lines, self.partial = host, [], b""
        addresses = OUTSIDE[host]
        self.process = subprocess.Popen(
            net.command(host, PROGRAM, "outside", classifier, "nobody", addresses[4], addresses[6],
                        *options),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.wait("ready")

    def tell(self, *words):
        self.process.stdin.write((" ".join(str(word) for word in words) + "\n").encode())

    def read(self):
        data = self.process.stdout.read()
        if data:
            *lines, self.partial = (self.partial + data).split(b"\n")
            self.lines += [line.decode() for line in lines]
            for line in self.lines:
                expect(not line.startswith("error"), f"{self.host}: {line}")

    def find(self, pattern):
        self.read()
        return next((m for m in (re.search(pattern, line) for line in self.lines) if m), None)

    def wait(self, pattern):
        """The first line that matches; it and those before it are used up."""
        match = wait_for(f"{self.host}: a line with '{pattern}'", lambda: self.find(pattern))
        self.lines = self.lines[self.lines.index(match.string) + 1:]
        return match

    def counters(self):
        """All counters by name; those that are zero are left out."""
        self.read()
        self.lines = []
        self.tell("counters")
        wait_for("the end of the counters", lambda: self.find("^counters end"))
        found = (line.split() for line in self.lines if line.startswith("counter "))
        self.lines = []
        return {name: int(value) for _, name, value in found}

    def counter(self, name):
        return self.counters().get(name, 0)

    def quit(self):
        if self.process.poll() is None:
            self.tell("quit")
        expect(self.process.wait(timeout=WITHIN_S) == 0, f"{self.host}: plane_gateway failed")


class Net:
    def __init__(self):
        name = os.path.splitext(os.path.basename(sys.argv[0]))[0].replace("_", "-")
        self.names = {host: f"cyg-{name}-{os.getpid()}-{host}" for host in HOSTS}
        self.gateways, self.others = {}, []
        atexit.register(self.close)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        for host in HOSTS:
            self.ip("netns", "add", self.names[host])
            self.run(host, "sysctl", "-q", *SYSCTLS, *(FORWARDING if host in OTHER else []))
        self.batch([], LINKS.format(**self.names))
        for host, lines in CONFIGURE.items():
            self.batch(["-n", self.names[host]], "\n".join(["link set lo up", *lines]) + "\n")

    def ip(self, *args):
        subprocess.run(["ip", *args], check=True)

    def batch(self, args, lines):
        subprocess.run(["ip", *args, "-batch", "-"], input=lines, text=True, check=True)

    def command(self, host, *args):
        return ["ip", "netns", "exec", self.names[host], *args]

    def run(self, host, *args):
        """Run to the end; must succeed. Its output."""
        done = subprocess.run(self.command(host, *args), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)
        expect(done.returncode == 0, f"{host}: {' '.join(args)}:\n{done.stdout}")
        return done.stdout

    def start(self, host, *args):
        """Run beside the test; ended with it at the latest."""
        process = subprocess.Popen(self.command(host, *args), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        self.others.append(process)
        return process

    def gateway(self, host, *args, **kwargs):
        self.gateways[host] = Gateway(self, host, *args, **kwargs)
        return self.gateways[host]

    def both(self, *args, **kwargs):
        return self.gateway("gwa", *args, **kwargs), self.gateway("gwb", *args, **kwargs)

    def tunnel(self, outer=4, udp=False, suite="gcm", spi=0x1000):
        """SAs of both directions at both gateways, for both families inside."""
        port = 4500 if udp else 0
        for inner, bits in ((4, 32), (6, 128)):
            for host, near, far in (("gwa", "alice", "bob"), ("gwb", "bob", "alice")):
                number = spi + inner * 16 + (host == "gwa")
                words = (number, OUTSIDE[host][outer], OUTSIDE[OTHER[host]][outer], port, port,
                         f"{INSIDE[near][inner]}/{bits}", f"{INSIDE[far][inner]}/{bits}", suite)
                self.gateways[OTHER[host]].tell("sa", "in", *words)
                self.gateways[host].tell("sa", "out", *words)
        # The last of each is in place, and so are all: nobody sends what the other can't read yet.
        for host in OTHER:
            self.gateways[host].wait(f"^ADD .*error 0 .*spi {spi + 6 * 16 + (host == 'gwb'):#x}$")

    def encrypt(self, host, outer=4, inner=4, spi=0x1000):
        """The policy of one direction, from the host behind this gateway to the other."""
        near, far = ("alice", "bob") if host == "gwa" else ("bob", "alice")
        self.gateways[host].tell("policy", INSIDE[near][inner], INSIDE[far][inner], "encrypt",
                                 spi + inner * 16 + (host == "gwa"), OUTSIDE[OTHER[host]][outer])
        self.gateways[host].wait("^POLICY_SET .*error 0 "
                                 f"flow {INSIDE[near][inner]} -> {INSIDE[far][inner]}")

    def encrypt_all(self, outer=4, spi=0x1000):
        """gwb first, so that what alice sends at once finds its way back."""
        for host in reversed(OTHER):
            for inner in (4, 6):
                self.encrypt(host, outer, inner, spi)

    def ping(self, host, address, *args, count=1, within=5):
        """Start pinging; finish with pinged()."""
        return self.start(host, "ping", "-n", "-c", str(count), "-W", str(within), "-i", "0.2",
                          *args, address)

    def pings(self, host, address, *args):
        """Does one ping come back within a second?"""
        done = subprocess.run(self.command(host, "ping", "-n", "-c", "1", "-W", "1", *args, address),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return done.returncode == 0

    def close(self):
        for process in [gateway.process for gateway in self.gateways.values()] + self.others:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=2)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)


def pinged(process, what):
    output, _ = process.communicate(timeout=30)
    expect(process.returncode == 0 and " 0% packet loss" in output, f"{what}:\n{output}")


def main(test):
    """Run test(net) and say whether it passed."""
    if os.geteuid() != 0:
        print("skip: needs root")
        sys.exit(77)
    net = Net()
    try:
        test(net)
        for gateway in net.gateways.values():
            gateway.quit()
    except (Failed, subprocess.SubprocessError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
