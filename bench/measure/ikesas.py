"""IKE SAs a second between two strongSwan daemons: processor time of both, as for Cygnet's two engines."""

import os
import secrets
import socket
import statistics
import struct
import subprocess
import time

from . import strongswan
from .sites import NotMeasured, wait_for

HOSTS = {"carol": "192.1.1.67", "nina": "192.1.1.78"}
METHODS = ("psk", "ecdsa")
TICKS = os.sysconf("SC_CLK_TCK")

DAEMON = """\
charon-systemd {{
    load = random nonce openssl pem pkcs1 pkcs8 pubkey hmac kdf gcm aes sha1 sha2 kernel-libipsec kernel-netlink \
socket-default vici counters
    threads = 16
    reuse_ikesa = no
    dos_protection = no
    plugins {{ vici {{ socket = unix://{directory}/vici }} }}
}}
swanctl {{ load = random openssl pem pkcs1 pkcs8 pubkey }}
"""

CONNECTION = """\
connections {{
    psk {{
        {common}
        local {{ auth = psk }}
        remote {{ auth = psk }}
    }}
    ecdsa {{
        {common}
        local {{ auth = pubkey
            pubkeys = own }}
        remote {{ auth = pubkey
            pubkeys = peer }}
    }}
}}
secrets {{ ike {{ secret = {secret} }} }}
"""

COMMON = """version = 2
        local_addrs = {here}
        remote_addrs = {there}
        proposals = aes256gcm16-prfsha256-x25519
        unique = never
        childless = {childless}"""


class Vici:
    """As much of strongSwan's control protocol as is needed: commands with plain values."""

    REQUEST, RESPONSE, SECTION, VALUE = 0, 1, 1, 3

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)

    def receive(self, count):
        got = b""
        while len(got) < count:
            more = self.socket.recv(count - len(got))
            if not more:
                raise NotMeasured("strongSwan closed its control socket")
            got += more
        return got

    def ask(self, command, **values):
        packet = struct.pack("BB", self.REQUEST, len(command)) + command.encode()
        for key, value in values.items():
            packet += struct.pack("BB", self.VALUE, len(key)) + key.encode()
            packet += struct.pack(">H", len(value)) + value.encode()
        self.socket.sendall(struct.pack(">I", len(packet)) + packet)
        answer = self.receive(*struct.unpack(">I", self.receive(4)))
        if answer[0] != self.RESPONSE:
            raise NotMeasured(f"strongSwan does not know '{command}'")
        return answer[1:]

    def number(self, answer, section, key):
        """The first value of that key behind the beginning of the section."""
        at = answer.index(struct.pack("BB", self.SECTION, len(section)) + section.encode())
        mark = struct.pack("BB", self.VALUE, len(key)) + key.encode()
        at = answer.index(mark, at) + len(mark)
        length, = struct.unpack_from(">H", answer, at)
        return int(answer[at + 2:at + 2 + length])

    def established(self):
        answer = self.ask("stats")
        return self.number(answer, "ikesas", "total") - self.number(answer, "ikesas", "half-open")


class Daemon:
    def __init__(self, site, host, peer, secret, keys):
        self.directory = os.path.join(site.lab.path(host), "ikesas")
        for name in ("private", "pubkey"):
            os.makedirs(os.path.join(self.directory, name))
        common = COMMON.format(here=HOSTS[host], there=HOSTS[peer],
                               childless="force" if host == "carol" else "allow")
        self.write("strongswan.conf", DAEMON.format(directory=self.directory))
        self.write("swanctl.conf", CONNECTION.format(common=common, secret=secret))
        self.write("private/own", keys[host])
        for name, of in (("own", host), ("peer", peer)):
            self.write(f"pubkey/{name}", subprocess.run(
                ["openssl", "pkey", "-pubout"], input=keys[of], capture_output=True, text=True,
                check=True).stdout)
        words = ("env", f"STRONGSWAN_CONF={self.directory}/strongswan.conf",
                 f"SWANCTL_DIR={self.directory}")
        self.process = site.start(host, *words, "charon-systemd")
        path = os.path.join(self.directory, "vici")
        wait_for(f"strongSwan on {host}", lambda: os.path.exists(path))
        site.run(host, *words, "swanctl", "--load-all", "--noprompt", "--uri", f"unix://{path}")
        self.vici = Vici(path)

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w") as file:
            file.write(text)

    def spent(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def once(daemons, method, count):
    """IKE SAs a second of both daemons' processor time, and of the clock."""
    initiator = daemons[0]
    before, wanted = sum(each.spent() for each in daemons), initiator.vici.established() + count
    begun = time.monotonic()
    for _ in range(count):
        initiator.vici.ask("initiate", ike=method, timeout="-1")
    wait_for(f"{count} IKE SAs", lambda: initiator.vici.established() >= wanted, within_s=60)
    clock = time.monotonic() - begun
    spent = sum(each.spent() for each in daemons) - before
    return count / max(spent, 1 / TICKS), count / clock


def measure(site, repeats, count):
    """By method: samples of both rates."""
    reason = strongswan.missing()
    if reason:
        raise NotMeasured(reason)
    keys = {host: subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                                 capture_output=True, text=True, check=True).stdout for host in HOSTS}
    secret = secrets.token_hex(32)
    daemons = [Daemon(site, "carol", "nina", secret, keys), Daemon(site, "nina", "carol", secret, keys)]
    samples = {method: [] for method in METHODS}
    for method in METHODS:
        once(daemons, method, 1)
    for _ in range(repeats):
        for method in METHODS:
            samples[method].append(once(daemons, method, count))
    return samples


def result(site, repeats, count):
    """Medians: IKE SAs a second of processor time, and by the clock."""
    if site.lab is None:
        raise NotMeasured("its lab did not come up")
    samples = measure(site, repeats, count)
    return {"samples": samples,
            **{method: statistics.median(spent for spent, _ in samples[method]) for method in METHODS},
            **{f"{method}_clock": statistics.median(clock for _, clock in samples[method])
               for method in METHODS}}
