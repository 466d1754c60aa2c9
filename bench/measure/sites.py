"""Labs to measure in: several stand side by side, so that cases can be measured in turns."""

import configparser
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "lab"))

from parts import daemons, net  # noqa: E402
from parts.common import Lab  # noqa: E402

ALICE, BOB, CAROL = "192.1.0.65", "192.2.0.66", "192.1.1.67"
# Nets of alice, bob and carol, and where the addresses begin that are used for one ping only.
FRESH = {"alice": "192.1.0", "bob": "192.2.0", "carol": "192.1.1"}
FRESH_FROM, FRESH_MOST = 101, 150


class NotMeasured(Exception):
    """Why a number is not there."""


def fresh(host, number):
    """An address of alice, bob or carol that has sent and received nothing yet."""
    return f"{FRESH[host]}.{FRESH_FROM + number}"


def write_topology(path, count):
    """The lab's drawing, with `count` more addresses for alice, bob and carol."""
    drawing = configparser.ConfigParser()
    with open(os.path.join(ROOT, "lab", "topology.ini")) as file:
        drawing.read_file(file)
    for host in FRESH:
        key = "outside" if host == "carol" else "address"
        drawing[host][key] += "".join(f" {fresh(host, i)}/24" for i in range(count))
    with open(path, "w") as file:
        drawing.write(file)


class Site:
    """One lab, and the programs that this run started in it."""

    def __init__(self, name, scratch, policy=None, daemon=True):
        self.name, self.policy, self.daemon = name, policy, daemon
        self.suffix = f"bench-{name}-{os.getpid()}"
        self.config = os.path.join(scratch, f"{name}.yaml")
        self.processes = []
        self.lab = None

    def control(self, verb, *arguments):
        command = [os.path.join(ROOT, "lab", "lab"), verb, "--suffix", self.suffix, *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True) as process:
            try:
                said, _ = process.communicate()
            except BaseException:
                process.terminate()  # it cleans up, and leaving this block waits for it
                raise
        if process.returncode != 0:
            first = said.strip().splitlines()[:1] or [f"exit {process.returncode}"]
            raise NotMeasured(f"lab {verb}: {first[0]}")

    def with_policy(self):
        if self.policy is None:
            return []
        with open(self.config, "w") as file:
            file.write(self.policy)
        return ["--policy", self.config]

    def up(self):
        self.control("up", "--quiet", *([] if self.daemon else ["--no-daemon"]), *self.with_policy())
        self.lab = Lab(self.suffix)
        self.wait_ready(*(gateway.name for gateway in self.lab.gateways()))

    def wait_ready(self, *gateways):
        """Before that, datagrams may still pass by Cygnet."""
        def ready(gateway):
            return json.loads(self.run(gateway, "cygnet", "status", "--json"))["ready"]

        for gateway in gateways if self.daemon else ():
            wait_for(f"Cygnet on {gateway}", lambda: ready(gateway))

    def down(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
        if self.lab is not None:
            self.control("down")

    def restart(self, *gateways):
        """Cygnet of these gateways begins anew and knows nobody."""
        for gateway in gateways:
            self.control("stop", gateway)
        for gateway in gateways:
            self.control("start", gateway, *self.with_policy())
        self.wait_ready(*gateways)

    def _command(self, host, words):
        env = {**net.environment(self.lab, host), "LAB_ETC": self.lab.path("dns", "etc")}
        return {"args": net.command_in(self.lab, host, words), "env": env}

    def run(self, host, *words, within_s=60, text=None):
        """What a command on a host printed."""
        try:
            done = subprocess.run(**self._command(host, words), capture_output=True, text=True,
                                  input=text, timeout=within_s)
        except subprocess.TimeoutExpired:
            raise NotMeasured(f"{words[0]} on {host} did not end in {within_s} s") from None
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise NotMeasured(f"{words[0]} on {host}: {said[-1] if said else done.returncode}")
        return done.stdout

    def start(self, host, *words):
        """A program that runs until the site goes down."""
        process = subprocess.Popen(**self._command(host, words), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def verdict(self, destination):
        """What sg-a does with the flow to a destination; None without Cygnet."""
        if not self.daemon:
            return None
        return json.loads(self.run("sg-a", "cygnet", "why", "--json", destination))["verdict"]

    def expect(self, destination, wanted):
        """A number is only worth its case if the flow was treated as that case says."""
        verdict = self.verdict(destination)
        if verdict != wanted:
            raise NotMeasured(f"sg-a says '{verdict}' of {destination}, not '{wanted}'")

    def processes_of(self, gateway):
        """(name, proportional share of memory in octets) of Cygnet's processes on a gateway."""
        for pid in daemons.group_members(daemons.noted(self.lab, gateway)[0]):
            with open(f"/proc/{pid}/comm") as comm, open(f"/proc/{pid}/smaps_rollup") as sizes:
                share = [line.split()[1] for line in sizes if line.startswith("Pss:")]
                yield comm.read().strip(), int(share[0]) * 1024


def wait_for(what, ready, within_s=10):
    deadline = time.monotonic() + within_s
    while not ready():
        if time.monotonic() > deadline:
            raise NotMeasured(f"{what}: not ready after {within_s} s")
        time.sleep(0.05)
