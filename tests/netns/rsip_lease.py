"""Leases an address of its own (RSA-IP) from an RSIP gateway for an L2TP tunnel, in plain octets, as RFC 3103
has it: python3 rsip_lease.py GATEWAY. Prints the address."""
import socket
import struct
import sys


def parameter(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def message(kind, *parameters):
    body = b"".join(parameters)
    return struct.pack("!BBH", 1, kind, 4 + len(body)) + body


def parameters(answer, kind):
    assert answer[1] == kind, f"message type {answer[1]}: {answer.hex()}"
    found, at = {}, 4
    while at < len(answer):
        of, size = struct.unpack_from("!BH", answer, at)
        found.setdefault(of, answer[at + 3:at + 3 + size])
        at += 3 + size
    return found


def ask(request):
    for _ in range(5):
        s.send(request)
        try:
            return s.recv(4096)
        except TimeoutError:
            continue
    sys.exit("no answer")


s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
s.connect((sys.argv[1], 4555))
ADDRESS, PORTS, CLIENT, TUNNEL, COUNTER = 1, 2, 4, 6, 11
client = parameters(ask(message(2, parameter(COUNTER, struct.pack("!I", 1)))), 3)[CLIENT]
granted = parameters(ask(message(
    6, parameter(CLIENT, client), parameter(ADDRESS, b"\x01"), parameter(ADDRESS, b"\x01"), parameter(PORTS, b"\x01"),
    parameter(COUNTER, struct.pack("!I", 2)), parameter(TUNNEL, b"\x03"))), 7)
assert granted[TUNNEL] == b"\x03", granted
print(socket.inet_ntoa(granted[ADDRESS][1:]))
