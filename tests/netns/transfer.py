"""One TCP transfer whose every octet is checked: both ends print count and SHA-256 of what they saw.

    transfer.py receive ADDRESS PORT
    transfer.py send ADDRESS PORT OCTETS
"""

import hashlib
import random
import socket
import sys


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def receive(address, port):
    with socket.create_server((address, port), family=family(address)) as server:
        connection, _ = server.accept()
    count, digest = 0, hashlib.sha256()
    with connection:
        while octets := connection.recv(1 << 20):
            count += len(octets)
            digest.update(octets)
    return count, digest


def send(address, port, size):
    count, digest = 0, hashlib.sha256()
    block = random.Random(size).randbytes(1 << 20)
    with socket.create_connection((address, port), timeout=30) as connection:
        while count < size:
            octets = block[: size - count]
            connection.sendall(octets)
            count += len(octets)
            digest.update(octets)
    return count, digest


def main():
    verb, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if verb == "receive":
        count, digest = receive(address, port)
    else:
        count, digest = send(address, port, int(sys.argv[4]))
    print(count, digest.hexdigest())


if __name__ == "__main__":
    main()
