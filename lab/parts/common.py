"""What the parts of the lab share: its description, its directories, running programs."""

import concurrent.futures
import configparser
import ctypes
import ipaddress
import os
import re
import shutil
import subprocess
import threading

HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
os.environ["PATH"] += ":/usr/sbin:/sbin"


class LabError(Exception):
    """Something the user can put right: what went wrong, and the remedy."""

    def __init__(self, what, remedy):
        super().__init__(what)
        self.what, self.remedy = what, remedy


def need_root():
    if os.geteuid() != 0:
        raise LabError("namespaces need root", "the same command with sudo")


def need_programs(*names):
    missing = [name for name in names if not shutil.which(name)]
    if missing:
        raise LabError("missing programs: " + " ".join(missing), "sudo make deps")


def run(*command, text=None):
    """Run a program to its end and return what it printed."""
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"{' '.join(command)}: exit {done.returncode}: {said}",
                       "the same command by hand")
    return done.stdout


def run_in_namespace(name, function, *args):
    """Call function in a thread that has entered a network namespace; the process stays put."""
    outcome = {}

    def body():
        try:
            with open(f"/run/netns/{name}") as namespace:
                clone_newnet = 0x40000000
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(namespace.fileno(), clone_newnet) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {name}")
            outcome["result"] = function(*args)
        except BaseException as error:  # handed to the caller's thread
            outcome["error"] = error

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]


class Host:
    """One section of topology.ini."""

    def __init__(self, name, section):
        def addresses(key):
            return [ipaddress.ip_interface(a) for a in section.get(key, "").split()]

        self.name = name
        self.outside = addresses("outside")
        self.inside = {key: addresses(key) for key in section if key.startswith("inside")}
        self.behind = section.get("behind", "").split()
        self.address = addresses("address")
        self.delegate = section.get("delegate", self.behind[0] if self.behind else None)
        self.tampered = section.get("tampered")
        self.name_of_gateway = section.get("fqdn")
        self.routes = [route.split("=") for route in section.get("routes", "").split()]
        self.nft = section.get("nft")
        self.config = section.get("config")
        self.uplinks = section.get("uplinks", "").split()
        self.runs_cygnet = bool(self.inside) and section.getboolean("cygnet", True)
        self.forward = section.getboolean("forward", False)

    def interface(self):
        """Name of the interface that leads to the rest of the network."""
        return "outside" if self.outside else "eth0"

    def own_addresses(self):
        """The addresses that the host's names stand for."""
        return self.address or self.outside

    def all_addresses(self):
        inner = [a for addresses in self.inside.values() for a in addresses]
        return self.address + self.outside + inner


class Lab:
    """A lab: the network drawn in topology.ini under one suffix."""

    def __init__(self, suffix):
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", suffix):
            raise LabError(f"bad suffix '{suffix}'", "up to 32 letters, digits, '_', '.', '-'")
        self.suffix = suffix
        self.run = os.path.join(os.environ.get("LAB_RUNDIR", "/run/cygnet-lab"), suffix)
        self.build = os.path.realpath(os.environ.get("CYGNET_BUILD", os.path.join(HERE, "../build")))
        drawing = configparser.ConfigParser()
        with open(os.environ.get("LAB_TOPOLOGY", os.path.join(HERE, "topology.ini"))) as file:
            drawing.read_file(file)
        self.signed_zones = drawing["zones"]["signed"].split()
        self.unsigned_zones = drawing["zones"]["unsigned"].split()
        self.users = dict(drawing["daemon"])
        self.hosts = {name: Host(name, drawing[name]) for name in drawing.sections()
                      if name not in ("zones", "daemon")}

    def gateways(self):
        return [host for host in self.hosts.values() if host.runs_cygnet]

    def daemon_hosts(self):
        """Hosts that can run Cygnet."""
        return [host for host in self.hosts.values() if host.inside or host.forward]

    def gateway(self, name):
        if name not in [host.name for host in self.daemon_hosts()]:
            raise LabError(f"'{name}' does not run Cygnet",
                           "one of " + " ".join(host.name for host in self.daemon_hosts()))
        return self.hosts[name]

    def namespace(self, host):
        return f"cyg-{self.suffix}-{host}"

    def namespaces(self):
        return [self.namespace(name) for name in list(self.hosts) + ["wild"]]

    def path(self, *parts):
        return os.path.join(self.run, *parts)

    def log(self, host):
        return self.path(host, "log")

    def trust_anchor(self):
        return self.path("dns", "root.key")

    def exists(self):
        return os.path.isdir(self.run)

    def need_up(self):
        if not self.exists():
            raise LabError(f"no lab '{self.suffix}' is up", f"lab/lab up --suffix {self.suffix}")

    def make_directories(self):
        for name in list(self.hosts) + ["pids"]:
            os.makedirs(self.path(name), mode=0o755)

    def remove_directories(self):
        shutil.rmtree(self.run, ignore_errors=True)

    @staticmethod
    def pool():
        return concurrent.futures.ThreadPoolExecutor(max_workers=16)
