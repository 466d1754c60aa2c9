"""Wireshark dissects our RSIP messages without complaint. Usage: test_rsip_tshark.py CORPUS

Each good message of the fuzzer's corpus goes into a capture as one datagram to UDP port 4555.
"""
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

SKIP = 77


def capture(messages):
    """A pcap of raw IPv4 datagrams (link type 101)."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for message in messages:
        udp = struct.pack(">HHHH", 40000, 4555, 8 + len(message), 0) + message
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                         bytes([10, 0, 0, 2]), bytes([10, 0, 0, 1]))
        out += struct.pack("<IIII", 0, 0, len(ip + udp), len(ip + udp)) + ip + udp
    return out


def main():
    if shutil.which("tshark") is None:
        print("no tshark here")
        return SKIP
    files = sorted(pathlib.Path(sys.argv[1]).glob("good-*"))
    assert len(files) == 19, files
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(capture([path.read_bytes() for path in files]))
        file.flush()
        lines = subprocess.run(
            ["tshark", "-r", file.name, "-T", "fields", "-e", "_ws.col.Protocol",
             "-e", "rsip.message_type", "-e", "_ws.expert.message", "-e", "_ws.malformed"],
            check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(lines) == len(files)
    bad = 0
    for path, line in zip(files, lines):
        protocol, message_type, expert, malformed = (line.split("\t") + [""] * 4)[:4]
        want = int(path.name.removeprefix("good-"))
        ok = protocol == "RSIP" and int(message_type or 0) == want and not expert and not malformed
        print("ok" if ok else "not ok", path.name, line)
        bad += not ok
    return 1 if bad else 0


sys.exit(main())
