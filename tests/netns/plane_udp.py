#!/usr/bin/python3
"""ESP in UDP 4500 and native ESP, over IPv4 and IPv6, with both kinds of suite; and what shares the
port: IKE with its marker goes to keyd and comes from it, keepalives go nowhere (RFC 3948).
"""

import signal

from plane_common import INSIDE, OUTSIDE, expect, main, pinged, wait_for

SEND = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
sender = socket.socket(family, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x43594701)
sender.bind((sys.argv[2], 4501))
for text in sys.argv[3:]:
    sender.sendto(bytes.fromhex(text), (sys.argv[1], 4500))
"""
FLOOD = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x43594701)
sender.bind((sys.argv[2], 4501))
for _ in range(int(sys.argv[3])):
    sender.sendto(bytes(4) + b"x" * 1000, (sys.argv[1], 4500))
"""
RECEIVE = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
receiver = socket.socket(family, socket.SOCK_DGRAM)
receiver.bind((sys.argv[1], 4501))
print("listening", flush=True)
data, sender = receiver.recvfrom(2000)
print(sender[0], sender[1], data.hex(), flush=True)
"""


def tunnels(net):
    spi = 0x1000
    for outer in (4, 6):
        for udp in (False, True):
            for suite in ("gcm", "cbc"):
                net.tunnel(outer, udp, suite, spi)
                net.encrypt_all(outer, spi)
                for inner in (4, 6):
                    pinged(net.ping("alice", INSIDE["bob"][inner], "-s", "1000", count=3),
                           f"IPv{inner} in {'UDP' if udp else 'ESP'} over IPv{outer}, {suite}")
                spi += 0x100


def shared_port(net, family):
    gwa, gwb = net.gateways["gwa"], net.gateways["gwb"]
    far, near = OUTSIDE["gwb"][family], OUTSIDE["gwa"][family]
    bracketed = far if family == 4 else f"[{far}]"
    before = gwb.counters()
    net.run("gwa", "python3", "-c", SEND, far, near, "ff", "00000000" + b"hello".hex(), "0102")
    gwb.wait(rf"^ike from \S*:4501 to {bracketed.replace('[', '.')}:4500 hello$".replace("]", "."))
    wait_for("the short datagram", lambda: gwb.counter("io_esp_in_malformed")
             == before.get("io_esp_in_malformed", 0) + 1)
    expect(gwb.counter("io_keepalive_in") == before.get("io_keepalive_in", 0) + 1, "a keepalive")

    receiver = net.start("gwb", "python3", "-c", RECEIVE, far)
    expect("listening" in receiver.stdout.readline(), "the receiver listens")
    gwa.tell("ike", near, 4500, far, 4501, "greetings")
    output, _ = receiver.communicate(timeout=10)
    expect(output == f"{near} 4500 00000000{b'greetings'.hex()}\n", f"IKE from keyd: {output}")


def busy_keyd(net):
    """A stranger sends more IKE than keyd reads: some is lost, but what comes later isn't."""
    gwb, far, near = net.gateways["gwb"], OUTSIDE["gwb"][4], OUTSIDE["gwa"][4]
    before = gwb.counter("io_ike_in")
    gwb.process.send_signal(signal.SIGSTOP)
    try:
        net.run("gwa", "python3", "-c", FLOOD, far, near, "3000")
    finally:
        gwb.process.send_signal(signal.SIGCONT)
    wait_for("the flood", lambda: gwb.counter("io_ike_in") > before + 1000)
    net.run("gwa", "python3", "-c", SEND, far, near, "00000000" + b"after".hex())
    gwb.wait(r"^ike from \S*:4501 to \S*:4500 after$")


def test(net):
    net.both()
    tunnels(net)
    shared_port(net, 4)
    shared_port(net, 6)
    busy_keyd(net)
    for host in ("gwa", "gwb"):
        lost = {name: value for name, value in net.gateways[host].counters().items()
                if "failed" in name or name in ("io_esp_out_full", "io_esp_out_no_socket")}
        expect(not lost, f"{host}: {lost}")


main(test)
