"""Takes one connection, reads a megabyte, sends it back, and says who came. rsip_serve.py ADDR PORT"""
import socket
import sys

SIZE = 1 << 20

FAMILY = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.create_server((sys.argv[1], int(sys.argv[2])), family=FAMILY) as server:
    server.settimeout(20)
    print("ready", flush=True)
    peer, address = server.accept()
    with peer:
        data = b""
        while len(data) < SIZE:
            part = peer.recv(65536)
            if not part:
                sys.exit(1)
            data += part
        peer.sendall(data)
    sys.stdout.seek(0)
    print("ready", address[0], address[1], flush=True)
