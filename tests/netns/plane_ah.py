#!/usr/bin/python3
"""Two gateways with AH between them (RFC 4302), over IPv4 and IPv6: pings and TCP get through in both
directions, with 32-bit and with 64-bit sequence numbers. A capture shows AH in the clear around the
inner datagrams, and the ICV in it is the one that this test computes for itself. A packet that is
changed on the way is dropped, and so is ESP with AH's SPI.
"""

import hashlib
import hmac
import os
import socket
import struct
import subprocess
import sys

from plane_common import INSIDE, OUTSIDE, ROOT, expect, main, wait_for

PROGRAM = os.path.join(ROOT, "tests", "netns", "transfer.py")
OCTETS = 3_000_000
AH = 51


def transfer(net, inner, what):
    bob = INSIDE["bob"][inner]
    receiver = net.start("bob", "python3", PROGRAM, "receive", bob, "5202")
    wait_for("the receiver", lambda: net.run("bob", "ss", "-Hltn", "sport = :5202").strip())
    sent = net.run("alice", "python3", PROGRAM, "send", bob, "5202", str(OCTETS))
    received, _ = receiver.communicate(timeout=30)
    expect(sent.startswith(str(OCTETS)) and received == sent, f"{what}: {sent} {received}")


class Capture:
    """tcpdump in gwb's namespace, what it saw, and tshark's reading of it."""

    def __init__(self, net):
        self.net = net
        self.file = f"/tmp/{net.names['gwb']}.pcap"
        self.process = subprocess.Popen(
            net.command("gwb", "tcpdump", "-i", "outside", "-U", "-w", self.file, "proto 51 or ip6 proto 51"),
            stderr=subprocess.PIPE, text=True)
        expect("listening" in self.process.stderr.readline(), "tcpdump does not start")

    def close(self):
        self.process.terminate()
        self.process.communicate(timeout=10)

    def fields(self, *names):
        words = [word for name in names for word in ("-e", name)]
        done = subprocess.run(["tshark", "-r", self.file, "-T", "fields", *words], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def packets(self):
        with open(self.file, "rb") as file:
            data = file.read()
        at = 24
        while at < len(data):
            length = struct.unpack_from("=I", data, at + 8)[0]
            yield data[at + 16 + 14:at + 16 + length]  # behind the Ethernet header
            at += 16 + length


def icv_is_right(packet, esn):
    """RFC 4302 section 3.3.3: mutable fields and the ICV count as zero."""
    data = bytearray(packet)
    if data[0] >> 4 == 4:
        at = 20
        for zero in (1, 6, 7, 8, 10, 11):
            data[zero] = 0
        length = struct.unpack_from("!H", data, 2)[0]
    else:
        at = 40
        data[0:4] = b"\x60\0\0\0"
        data[7] = 0
        length = 40 + struct.unpack_from("!H", data, 4)[0]
    spi = struct.unpack_from("!I", data, at + 4)[0]
    icv = bytes(data[at + 12:at + 28])
    data[at + 12:at + 28] = bytes(16)
    key = bytes([spi & 0x7f]) * 32  # as plane_gateway makes it
    covered = bytes(data[:length]) + (bytes(4) if esn else b"")
    return hmac.new(key, covered, hashlib.sha256).digest()[:16] == icv


def check_capture(capture, outer, esn):
    shown = capture.fields("frame.protocols", "ah.spi", "ah.sequence", "icmp.type", "icmpv6.type")
    expect(len(shown) > 8, "tshark shows too few packets")
    for protocols, spi, *_ in shown:
        expect(":ah:" in protocols and spi, f"not AH: {protocols}")
    expect(any(icmp or icmp6 for _, _, _, icmp, icmp6 in shown), "tshark sees no ping inside AH")
    checked = 0
    for packet in capture.packets():
        expect(icv_is_right(packet, esn), f"a wrong ICV over IPv{outer}")
        checked += 1
    expect(checked == len(shown), "not every packet was checked")


def captured(net, outer, esn):
    capture = Capture(net)
    try:
        for inner in (4, 6):
            net.run("alice", "ping", "-n", "-c", "3", "-i", "0.1", "-W", "2", INSIDE["bob"][inner])
        wait_for("12 packets", lambda: len(capture.fields("ah.spi")) >= 12)
    finally:
        capture.close()
    check_capture(capture, outer, esn)
    packet = next(capture.packets())
    os.unlink(capture.file)
    return packet


def inject(net, protocol, octets):
    """From gwa's namespace to gwb, as a raw packet of that protocol, with the mark that passes."""
    program = ("import socket,sys;s=socket.socket(socket.AF_INET,socket.SOCK_RAW,int(sys.argv[1]));"
               "s.setsockopt(socket.SOL_SOCKET,socket.SO_MARK,0x43594701);"
               "s.sendto(bytes.fromhex(sys.argv[2]),(sys.argv[3],0))")
    net.run("gwa", "python3", "-c", program, str(protocol), octets.hex(), OUTSIDE["gwb"][4])


def test(net):
    gwa, gwb = net.both()
    spi, packet = 0x1000, None
    for suite in ("ah-noesn", "ah"):
        for outer in (4, 6):
            net.tunnel(outer, suite=suite, spi=spi)
            net.encrypt_all(outer, spi)
            sample = captured(net, outer, suite == "ah")
            packet = packet or sample  # over IPv4, with 32-bit numbers
            for inner in (4, 6):
                transfer(net, inner, f"IPv{inner} in {suite} over IPv{outer}")
            spi += 0x100
    before = gwb.counters()
    body = bytearray(packet[20:])
    inject(net, AH, body)  # the same again: its number is known
    body[-1] ^= 1
    struct.pack_into("!I", body, 8, 0x7fffffff)
    inject(net, AH, body)  # changed, with a new number
    inject(net, socket.IPPROTO_ESP, bytes(body[4:12]) + bytes(32))  # AH's SPI in ESP
    for name in ("drop_replay", "drop_not_authentic", "drop_unknown_spi"):
        wait_for(name, lambda name=name: gwb.counter(name) == before.get(name, 0) + 1)
    for gateway in (gwa, gwb):
        lost = {name: value for name, value in gateway.counters().items()
                if "failed" in name or "malformed" in name or name == "io_esp_out_too_big"}
        expect(not lost, f"{gateway.host} lost: {lost}")


if not os.path.exists("/usr/bin/tshark"):
    print("skip: needs tshark")
    sys.exit(77)
main(test)
