"""Sends a megabyte and compares what comes back. rsip_fetch.py ADDR PORT"""
import os
import socket
import sys
import threading

SIZE = 1 << 20
data = os.urandom(SIZE)

with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20) as peer:
    sender = threading.Thread(target=peer.sendall, args=(data,))
    sender.start()
    back = b""
    while len(back) < SIZE:
        part = peer.recv(65536)
        if not part:
            break
        back += part
    sender.join()
sys.exit(back != data)
