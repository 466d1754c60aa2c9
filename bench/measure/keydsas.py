"""IKE SAs a second between two whole Cygnets: processor time of all their processes, as for strongSwan's daemons.

Each of COUNT configured connections between sg-a and sg-b has identities of its own, so each needs an IKE SA
of its own; its child is made and installed with it. Reading the configuration is counted too.
"""

import json
import os
import secrets
import statistics
import subprocess
import time

from parts import daemons

from .sites import NotMeasured, wait_for

ENDS = {"sg-a": ("192.1.1.4", "a", 1), "sg-b": ("192.1.1.5", "b", 2)}
METHODS = ("psk", "ecdsa")
TICKS = os.sysconf("SC_CLK_TCK")
READY_S, LOOK_S = 60, 0.2

CONNECTION = """\
  - name: {name}
    version: 2
    mobike: no
    local: {{address: {here}, id: "@{me}{number}.test", {own}}}
    remote: {{address: {there}, id: "@{you}{number}.test", {peer}}}
    {secret}
    children: [{{local: 10.{mine}.{high}.{low}/32, remote: 10.{yours}.{high}.{low}/32, start: {start}}}]
"""


def write(path, text):
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)


def openssl(*words):
    subprocess.run(["openssl", *words], capture_output=True, check=True)


class Ends:
    def __init__(self, site, count):
        self.site, self.count = site, count
        self.files = site.lab.path("sg-a", "keydsas")
        os.makedirs(self.files, exist_ok=True)
        write(os.path.join(self.files, "secret"), secrets.token_hex(32))
        for _, letter, _ in ENDS.values():
            key = os.path.join(self.files, letter)
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{key}.pem")
            os.chmod(f"{key}.pem", 0o600)
            openssl("pkey", "-in", f"{key}.pem", "-pubout", "-out", f"{key}.pub")
        self.config = {host: site.lab.path(host, "cygnet.yaml") for host in ENDS}
        self.plain = {}
        for host, path in self.config.items():
            with open(path) as file:
                self.plain[host] = file.read()

    def connections(self, host, method, start):
        (here, me, mine), (there, you, yours) = sorted(ENDS.values(), key=lambda end: end != ENDS[host])
        words = {"here": here, "there": there, "me": me, "you": you, "mine": mine, "yours": yours, "start": start}
        if method == "psk":
            words.update(own="auth: psk", peer="auth: psk", secret=f"secret-file: {self.files}/secret")
        else:
            words.update(own=f"auth: key, key: {self.files}/{me}.pem", peer=f"auth: key, key: {self.files}/{you}.pub",
                         secret="dpd: 3600")
        return "connections:\n" + "".join(
            CONNECTION.format(name=f"c{i}", number=i, high=i // 256, low=i % 256, **words)
            for i in range(self.count))

    def configure(self, host, text):
        write(self.config[host], f"{self.plain[host]}\n{text}")
        self.site.run(host, "cygnet", "reload")

    def up(self, host):
        status = json.loads(self.site.run(host, "cygnet", "status", "--json"))
        return sum(tunnel["state"] == "up" for each in status["connections"] for tunnel in each["tunnels"])

    def spent(self):
        """Seconds of processor time of all processes of both gateways so far."""
        total = 0
        for host in ENDS:
            for pid in daemons.group_members(daemons.noted(self.site.lab, host)[0]):
                with open(f"/proc/{pid}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def once(self, method):
        """IKE SAs a second of processor time, and of the clock."""
        self.configure("sg-b", self.connections("sg-b", method, "never"))
        before, begun = self.spent(), time.monotonic()
        self.configure("sg-a", self.connections("sg-a", method, "at-once"))

        def all_up():
            time.sleep(LOOK_S)
            return self.up("sg-a") == self.count

        wait_for(f"{self.count} IKE SAs", all_up, within_s=READY_S)
        clock, spent = time.monotonic() - begun, self.spent() - before
        for host in ENDS:
            self.configure(host, "")
        return self.count / max(spent, 1 / TICKS), self.count / clock


def result(site, repeats, count):
    """Medians by method, as ikesas has them."""
    if site.lab is None:
        raise NotMeasured("its lab did not come up")
    ends = Ends(site, count)
    samples = {method: [] for method in METHODS}
    for method in METHODS:
        ends.once(method)
    for _ in range(repeats):
        for method in METHODS:
            samples[method].append(ends.once(method))
    return {"samples": samples, "count": count,
            **{method: statistics.median(spent for spent, _ in samples[method]) for method in METHODS},
            **{f"{method}_clock": statistics.median(clock for _, clock in samples[method])
               for method in METHODS}}
