"""Namespaces, links, addresses and routes. Called once a lab; everything goes when its namespaces go."""

import fcntl
import ipaddress
import os
import socket
import struct
import time

from .common import LabError, run, run_in_namespace

PRIVATE = ipaddress.ip_network("10.0.0.0/8")

# "default" is set while a namespace has no interface, so that each one inherits it. No duplicate
# address detection: nothing here can collide, and it would hold addresses back for a second.
SYSCTLS = {
    "ipv4/conf/all/rp_filter": 0,
    "ipv4/conf/default/rp_filter": 0,
    "ipv4/conf/all/send_redirects": 0,
    "ipv4/conf/default/send_redirects": 0,
    "ipv6/conf/all/accept_dad": 0,
    "ipv6/conf/default/accept_dad": 0,
    "ipv6/conf/default/accept_ra": 0,
}
GATEWAY_SYSCTLS = {"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1}
LINKS_WITHIN_S = 10
WILD_SYSCTLS = {"ipv6/conf/default/disable_ipv6": 1}


def set_sysctls(settings):
    for key, value in settings.items():
        with open(f"/proc/sys/net/{key}", "w") as file:
            file.write(str(value))


def link_lines(lab):
    """One veth pair for each host: to its gateway, or to a port of the public net."""
    for host in lab.hosts.values():
        if host.behind:
            far, port = lab.namespace(host.behind[0]), host.behind[1]
        else:
            far, port = lab.namespace("wild"), host.name
        yield (f"link add name {host.interface()} netns {lab.namespace(host.name)}"
               f" type veth peer name {port} netns {far}")


def address_lines(host):
    devices = {host.interface(): host.address or host.outside, **host.inside}
    for device, addresses in devices.items():
        for address in addresses:
            nodad = " nodad" if address.version == 6 else ""
            yield f"address add {address} dev {device}{nodad}"
        yield f"link set {device} up"


def is_seen(lab, gateway, network):
    """Does the public net have a route to a net behind a gateway? Not to private ones, nor through a NAT."""
    return not gateway.behind and (network.version == 6 or not network.subnet_of(PRIVATE))


def route_lines(lab, host):
    """A route to each net behind a gateway, and to the public net from behind one. No default route."""
    for prefix, hop in host.routes:
        yield f"route add {prefix} via {hop}"
    near = lab.hosts[host.behind[0]].inside[host.behind[1]] if host.behind else []
    connected = {address.network for address in host.all_addresses()}
    if host.behind:
        for network, hop in zip((a.network for a in lab.hosts[host.behind[0]].outside), near):
            yield f"route add {network} via {hop.ip}"
    for gateway in lab.gateways():
        for addresses in gateway.inside.values():
            for number, address in enumerate(addresses):
                if address.network not in connected and is_seen(lab, gateway, address.network):
                    hop = (near or gateway.outside)[number]
                    yield f"route add {address.network} via {hop.ip}"


def wild_lines(lab):
    yield "link add name wild type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
    yield "link set wild up"
    for host in lab.hosts.values():
        if not host.behind:
            yield f"link set {host.name} master wild up"


def configure(namespace, lines):
    run("ip", "-n", namespace, "-batch", "-", text="\n".join(["link set lo up", *lines]) + "\n")


def links_run():
    """Is each interface of this namespace running? The kernel may take a second after "up"."""
    siocgifflags, iff_running = 0x8913, 0x40
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("16sH14x", name.encode(), 0)
            flags = struct.unpack("16sH14x", fcntl.ioctl(probe, siocgifflags, request))[1]
            if not flags & iff_running:
                return False
    return True


def wait_links(lab):
    deadline = time.monotonic() + LINKS_WITHIN_S
    for namespace in lab.namespaces():
        while not run_in_namespace(namespace, links_run):
            if time.monotonic() > deadline:
                raise LabError(f"an interface in {namespace} does not come up",
                               f"ip -n {namespace} link")
            time.sleep(0.02)


def create(lab):
    run("ip", "-batch", "-", text="".join(f"netns add {name}\n" for name in lab.namespaces()))
    for host in lab.hosts.values():
        settings = {**SYSCTLS, **(GATEWAY_SYSCTLS if host.inside else {})}
        run_in_namespace(lab.namespace(host.name), set_sysctls, settings)
    run_in_namespace(lab.namespace("wild"), set_sysctls, WILD_SYSCTLS)
    run("ip", "-batch", "-", text="\n".join(link_lines(lab)) + "\n")
    with lab.pool() as pool:
        jobs = [pool.submit(configure, lab.namespace("wild"), list(wild_lines(lab)))]
        for host in lab.hosts.values():
            lines = [*address_lines(host), *route_lines(lab, host)]
            jobs.append(pool.submit(configure, lab.namespace(host.name), lines))
        for job in jobs:
            job.result()
    for host in lab.hosts.values():
        if host.nft:
            run("ip", "netns", "exec", lab.namespace(host.name), "nft", "-f", "-", text=host.nft)
    wait_links(lab)


def present(lab):
    """The lab's namespaces that exist."""
    return [name for name in lab.namespaces() if os.path.exists(f"/run/netns/{name}")]


def remove(lab):
    names = present(lab)
    if names:
        run("ip", "-batch", "-", text="".join(f"netns del {name}\n" for name in names))


def environment(lab, host):
    """What a command on a host finds: Cygnet's programs in PATH, and that host's control socket."""
    programs = [os.path.join(lab.build, "src", part) for part in ("cli", "daemon")]
    return {**os.environ,
            "PATH": ":".join([*programs, os.environ["PATH"]]),
            "CYGNET_CONTROL": lab.path(host, "control.sock"),
            "LAB_SUFFIX": lab.suffix}


# The lab's names and server, in the mount namespace that `ip netns exec` makes for the command.
ENTER = """
for file in hosts resolv.conf; do
    [ ! -e /etc/$file ] || mount --bind "$LAB_ETC/$file" /etc/$file || exit 1
done
unset LAB_ETC
exec "$@"
"""


def command_in(lab, host, command):
    return ["ip", "netns", "exec", lab.namespace(host), "/bin/sh", "-c", ENTER, "lab", *command]


def exec_in(lab, host, command):
    """Become a command on a host."""
    if host != "wild" and host not in lab.hosts:
        raise LabError(f"no host '{host}'", "one of wild " + " ".join(lab.hosts))
    env = {**environment(lab, host), "LAB_ETC": lab.path("dns", "etc")}
    os.execvpe("ip", command_in(lab, host, command), env)
