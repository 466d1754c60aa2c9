"""The programs a lab runs: NSD on dns, cygnetd on the gateways. Each is stopped by the id it began with."""

import json
import os
import pwd
import signal
import socket
import struct
import subprocess
import time

from . import net, zones
from .common import LabError, run, run_in_namespace

READY_WITHIN_S = 20
STOP_WITHIN_S = 5

NSD_CONF = """\
server:
    {addresses}
    username: {user}
    server-count: 1
    zonesdir: "{directory}/zones"
    database: ""
    pidfile: "{directory}/nsd.pid"
    xfrdfile: "{directory}/xfrd.state"
    xfrdir: "{directory}"
    zonelistfile: "{directory}/zone.list"
    rrl-ratelimit: 0
remote-control:
    control-enable: no
"""


def program(lab, part, name):
    return os.path.join(lab.build, "src", part, name)


def is_built(lab):
    return all(os.access(program(lab, *which), os.X_OK)
               for which in (("daemon", "cygnetd"), ("cli", "cygnet")))


def need_built(lab):
    if not is_built(lab):
        raise LabError(f"no cygnetd and cygnet under {lab.build}",
                       "make build, or CYGNET_BUILD=DIR, or up --no-daemon")


# Which process is which: a process id and when it started, so that a reused id is never signalled.

def started_at(pid):
    """Start time of a process in clock ticks, or None if it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def launch(lab, name, command, **options):
    """Start a program on a host as leader of a process group of its own, and note its id."""
    with open(lab.log(name), "a") as log:
        process = subprocess.Popen(["ip", "netns", "exec", lab.namespace(name), *command],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True, **options)
    with open(lab.path("pids", name), "w") as file:
        file.write(f"{process.pid} {started_at(process.pid)}\n")
    return process


def noted(lab, name):
    """The id a program was started with and whether it still runs."""
    with open(lab.path("pids", name)) as file:
        pid, start = file.read().split()
    return int(pid), started_at(int(pid)) == start


def list_all(lab):
    for name in sorted(os.listdir(lab.path("pids"))):
        yield name, *noted(lab, name)


def group_members(group):
    """Live processes of the process group that a program was started as."""
    members = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[2]) == group and fields[0] not in "ZX":
                members.append(int(entry))
    return members


def wait_gone(group, within_s):
    deadline = time.monotonic() + within_s
    while group_members(group):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def stop(lab, name):
    """Ask a program to end, then insist; its children share its process group."""
    pid, alive = noted(lab, name)
    if alive:
        os.kill(pid, signal.SIGTERM)
    if not wait_gone(pid, STOP_WITHIN_S if alive else 0):
        for member in group_members(pid):
            try:
                os.kill(member, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_gone(pid, STOP_WITHIN_S)
    os.unlink(lab.path("pids", name))


def stop_all(lab):
    if os.path.isdir(lab.path("pids")):
        with lab.pool() as pool:
            list(pool.map(lambda name: stop(lab, name), os.listdir(lab.path("pids"))))


def wait_ready(lab, name, process, ready):
    deadline = time.monotonic() + READY_WITHIN_S
    while not ready():
        if process.poll() is not None:
            fail(lab, name, f"ended at once with exit code {process.returncode}")
        if time.monotonic() > deadline:
            fail(lab, name, f"not ready after {READY_WITHIN_S} s")
        time.sleep(0.02)


def fail(lab, name, what):
    with open(lab.log(name)) as file:
        tail = "".join(file.readlines()[-20:])
    raise LabError(f"{name}: {what}; its log ends:\n{tail}", "correct what the log names, then up again")


# The name server

def answers(address):
    """Does the server at address answer a query for the root's SOA record?"""
    query = struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\0" + struct.pack("!2H", 6, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.2)
        try:
            probe.connect((address, 53))
            probe.send(query)
            reply = probe.recv(4096)
        except OSError:
            return False
    return reply[:2] == query[:2] and reply[3] & 15 == 0


def start_dns(lab):
    directory = lab.path("dns")
    host = lab.hosts["dns"]
    conf = lab.path("dns", "nsd.conf")
    user = "nsd"
    try:
        os.chown(directory, pwd.getpwnam(user).pw_uid, -1)
    except KeyError:
        raise LabError("no user 'nsd' on this system", "sudo make deps") from None
    with open(conf, "w") as file:
        file.write(NSD_CONF.format(
            directory=directory, user=user,
            addresses="\n    ".join(f"ip-address: {a.ip}" for a in host.outside)))
        for zone in [".", *lab.signed_zones, *lab.unsigned_zones]:
            file.write(f'zone:\n    name: "{zone}"\n    zonefile: "{zones.file_of(lab, zone)}"\n')
    process = launch(lab, "dns", ["nsd", "-d", "-c", conf])
    address = str(host.outside[0].ip)
    wait_ready(lab, "dns", process,
               lambda: run_in_namespace(lab.namespace("dns"), answers, address))
    with open(lab.log("dns")) as log:
        if "error" in log.read():
            fail(lab, "dns", "did not load every zone")


def serves(address, zone, serial):
    """Does the server at address answer with this serial of the zone?"""
    name = b"".join(bytes([len(label)]) + label.encode() for label in zone.split(".") if label)
    query = struct.pack("!6H", 2, 0, 1, 0, 0, 0) + name + b"\0" + struct.pack("!2H", 6, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.2)
        try:
            probe.connect((address, 53))
            probe.send(query)
            reply = probe.recv(4096)
        except OSError:
            return False
    return struct.pack("!2I", serial, zones.REFRESH) in reply


def reload_zone(lab, zone, serial):
    """Have the server read a zone file that has changed, and wait until it has."""
    pid, alive = noted(lab, "dns")
    if not alive:
        return
    os.kill(pid, signal.SIGHUP)
    address = str(lab.hosts["dns"].outside[0].ip)
    deadline = time.monotonic() + READY_WITHIN_S
    while not run_in_namespace(lab.namespace("dns"), serves, address, zone, serial):
        if time.monotonic() > deadline:
            fail(lab, "dns", f"does not serve serial {serial} of {zone}")
        time.sleep(0.05)


# The gateways

def make_key(lab, host):
    """A gateway's private key and the records to publish: its own KEY, a delegation for each client."""
    cygnet, key = program(lab, "cli", "cygnet"), lab.path(host.name, "private.pem")
    run(cygnet, "keys", "new", "--out", key)
    if host.forward:
        return run(cygnet, "keys", "dns", "--key", key, "--forward", f"{host.name}.example")
    text = ""
    for outside in host.outside:
        clients = [str(address.ip) for h in lab.hosts.values() if h.delegate == host.name
                   for address in h.own_addresses() if address.version == outside.version]
        name = ["--name", host.name_of_gateway] if host.name_of_gateway else []
        records = run(cygnet, "keys", "dns", "--key", key, "--address", str(outside.ip), *name,
                      "--ipseckey", *[word for client in clients for word in ("--client", client)])
        # without clients it would print a delegation to itself, which the drawing has not asked for
        text += records if clients else "".join(
            record + "\n" for _, record in zones.split_records(records) if " IN KEY " in record)
    return text


def make_keys(lab, pool):
    """Futures of the gateways' records."""
    return [pool.submit(make_key, lab, host) for host in lab.daemon_hosts()]


def read_policies(lab, arguments):
    """--policy [GATEWAY=]FILE: configuration text by gateway name; None stands for all."""
    policies = {}
    for argument in arguments:
        name, equals, path = argument.rpartition("=")
        if equals:
            lab.gateway(name)
        try:
            with open(path) as file:
                policies.setdefault(name or None, []).append(file.read())
        except OSError as error:
            raise LabError(f"{path}: {error.strerror}", "--policy with a readable file") from None
    return policies


def write_config(lab, host, policies):
    lines = [
        f"outside: [{', '.join(['outside', *host.uplinks])}]",
        f"key: {lab.path(host.name, 'private.pem')}",
        f"control: {lab.path(host.name, 'control.sock')}",
        f"state: {lab.path(host.name, 'state')}",
        "dns:",
        f"  forwarders: [{lab.hosts['dns'].outside[0].ip}]",
        f"  trust-anchor: {lab.trust_anchor()}",
        "users: {" + ", ".join(f"{role}: {uid}" for role, uid in lab.users.items()) + "}",
        *([host.config] if host.config else []),
        *([f'identity: "@{host.name}.example"'] if host.forward else []),
        *policies.get(None, []), *policies.get(host.name, []),
    ]
    path = lab.path(host.name, "cygnet.yaml")
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")
    return path


def make_state_directory(lab, host):
    """As a package would: kept over restarts, owned by the keying daemon's user."""
    state = lab.path(host.name, "state")
    os.makedirs(state, mode=0o750, exist_ok=True)
    os.chown(state, int(lab.users["keyd"]), -1)


def handles_flows(path):
    """Whether the daemon behind that control socket says that it is ready for new flows."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(READY_WITHIN_S)
        try:
            probe.connect(path)
            probe.sendall(b'{"cmd": "status"}\n')
            with probe.makefile() as answers:
                return json.loads(answers.readline()).get("ready", False)
        except (OSError, json.JSONDecodeError):
            return False


def start_gateway(lab, host, policies):
    if os.path.exists(lab.path("pids", host.name)) and noted(lab, host.name)[1]:
        raise LabError(f"Cygnet already runs on {host.name}", f"lab/lab stop {host.name}")
    make_state_directory(lab, host)
    config = write_config(lab, host, policies)
    process = launch(lab, host.name, [program(lab, "daemon", "cygnetd"), "--config", config],
                     env=net.environment(lab, host.name))
    control = lab.path(host.name, "control.sock")
    wait_ready(lab, host.name, process, lambda: handles_flows(control))
