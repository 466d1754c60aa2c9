"""IKE on port 500, ESP and AH between hosts that share an address and a peer who knows of nothing.

rsip_ipsec.py peer            answers: IKE as it came; ESP and AH under the SPI that the packet asks for
rsip_ipsec.py host PEER SPI   sends some of each and wants every answer, and none under another SPI
"""
import os
import socket
import struct
import sys
import time

ESP, AH, ROUNDS = 50, 51, 20


def raw(protocol):
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)


def packet(protocol, spi, data):
    """SPI, sequence number and data; AH has a header of its own around a payload of none."""
    if protocol == ESP:
        return struct.pack(">II", spi, 1) + data
    return struct.pack(">BBHII", 59, 4, 0, spi, 1) + bytes(12) + data


def parse(protocol, datagram):
    body = datagram[(datagram[0] & 15) * 4:]
    if protocol == ESP:
        return struct.unpack(">I", body[:4])[0], body[8:]
    return struct.unpack(">I", body[4:8])[0], body[24:]


def peer():
    import selectors
    ike = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ike.bind(("", 500))
    wait = selectors.DefaultSelector()
    wait.register(ike, selectors.EVENT_READ, 0)
    for protocol in ESP, AH:
        wait.register(raw(protocol), selectors.EVENT_READ, protocol)
    print("ready", flush=True)
    while True:
        for key, _ in wait.select():
            data, address = key.fileobj.recvfrom(2048)
            if key.data == 0:
                key.fileobj.sendto(data, address)
                continue
            _, asked = parse(key.data, data)
            spi = struct.unpack(">I", asked[:4])[0]
            key.fileobj.sendto(packet(key.data, spi, asked[4:]), address)


def exchange(sock, protocol, address, spi):
    mark = os.urandom(16)
    sock.sendto(packet(protocol, 0x7000, struct.pack(">I", spi) + mark), (address, 0))
    while True:
        got, data = parse(protocol, sock.recv(2048))
        assert got == spi, f"protocol {protocol}: SPI {got:#x} is not ours"
        if data == mark:
            return


def host(address, spi):
    ike = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ike.bind(("", 500))
    ike.settimeout(3)
    socks = {protocol: raw(protocol) for protocol in (ESP, AH)}
    for sock in socks.values():
        sock.settimeout(3)
    cookie = os.urandom(8)
    for _ in range(ROUNDS):
        message = cookie + os.urandom(20)
        ike.sendto(message, (address, 500))
        assert ike.recv(2048) == message, "IKE of somebody else"
        for protocol, sock in socks.items():
            exchange(sock, protocol, address, spi)
        time.sleep(0.02)


if sys.argv[1] == "peer":
    peer()
else:
    host(sys.argv[2], int(sys.argv[3], 16))
