"""Two streams at once for some seconds, while something happens to the way: 100 datagrams a second over UDP,
and a paced TCP connection whose every octet is checked. The receiver prints

    datagrams sent, lost, longest pause in ms; octets and SHA-256 of TCP

and the sender octets and SHA-256 as it sent them.

    stream.py receive ADDRESS PORT
    stream.py send ADDRESS PORT SECONDS
"""

import hashlib
import random
import socket
import struct
import sys
import threading
import time

RATE = 100
BLOCK = 64 * 1024


def receive_tcp(server, result):
    connection, _ = server.accept()
    count, digest = 0, hashlib.sha256()
    with connection:
        while octets := connection.recv(1 << 20):
            count += len(octets)
            digest.update(octets)
    result.append((count, digest.hexdigest()))


def receive(address, port):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, port))
    udp.settimeout(30)
    result = []
    with socket.create_server((address, port)) as server:
        tcp = threading.Thread(target=receive_tcp, args=(server, result))
        tcp.start()
        seen, total, last, pause = set(), 0, None, 0.0
        try:
            while len(seen) < total or total == 0:
                octets = udp.recv(100)
                now = time.monotonic()
                number, total = struct.unpack("!II", octets)
                seen.add(number)
                pause = max(pause, now - last if last is not None else 0.0)
                last = now
                udp.settimeout(5)
                if number == total - 1:
                    break
        except TimeoutError:
            pass
        tcp.join()
    print(total, total - len(seen), round(pause * 1000), *result[0])


def send_tcp(address, port, seconds):
    count, digest = 0, hashlib.sha256()
    block = random.Random(port).randbytes(BLOCK)
    end = time.monotonic() + seconds
    with socket.create_connection((address, port), timeout=60) as connection:
        while time.monotonic() < end:
            connection.sendall(block)
            count += len(block)
            digest.update(block)
            time.sleep(0.02)
    print(count, digest.hexdigest())


def send(address, port, seconds):
    tcp = threading.Thread(target=send_tcp, args=(address, port, seconds))
    tcp.start()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    total = round(seconds * RATE)
    begin = time.monotonic()
    for number in range(total):
        time.sleep(max(0.0, begin + number / RATE - time.monotonic()))
        try:
            udp.sendto(struct.pack("!II", number, total), (address, port))
        except OSError:
            pass  # no route for the moment: it counts as lost
    for _ in range(3):  # so that the receiver knows the end
        time.sleep(0.05)
        udp.sendto(struct.pack("!II", total - 1, total), (address, port))
    tcp.join()


def main():
    verb, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if verb == "receive":
        receive(address, port)
    else:
        send(address, port, float(sys.argv[4]))


if __name__ == "__main__":
    main()
