#!/usr/bin/env python3
"""The keeper and the resolver as processes: this test plays their parent and keyd, and a DNS server on
the loopback. Usage: test_children.py CYGNET CYGNETD"""

import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

CYGNET = CYGNETD = None
QUERY, CANCEL, ANSWER, HELLO, SIGN, SIGNED = range(1, 7)
FOUND, ABSENT, BOGUS, TIMEOUT = range(4)
TXT, KEY = 16, 25
MESSAGE_MAX = 66000


class DnsServer:
    """Answers by the first label: nx, nodata, servfail, silent, big, alias, or a TXT record."""

    SOA = struct.pack("!2HIH", 6, 1, 3600, 22) + b"\0\0" + struct.pack("!5I", 1, 2, 3, 4, 77)

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.held = []
        self.hold = False
        threading.Thread(target=self.serve, daemon=True).start()

    @staticmethod
    def encode(name):
        labels = [label.encode() for label in name.split(".") if label]
        return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"

    @staticmethod
    def question(packet):
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode().lower())
            at += 1 + packet[at]
        return labels, packet[12:at + 5], struct.unpack("!H", packet[at + 1:at + 3])[0]

    def reply(self, packet):
        labels, question, kind = self.question(packet)
        first, rcode, answers, authority = labels[0] if labels else "", 0, [], []
        owner = b"\xc0\x0c"
        if first == "silent":
            return None
        if first == "servfail":
            rcode = 2
        elif first == "nx" or not labels:
            rcode, authority = 3, [b"\0" + self.SOA]
        elif first == "nodata" or kind != TXT:
            authority = [b"\0" + self.SOA]
        elif first == "alias":
            target = self.encode("one." + ".".join(labels[1:]))
            answers.append(owner + struct.pack("!2HIH", 5, 1, 300, len(target)) + target)
            text = b"\x03one"
            answers.append(target + struct.pack("!2HIH", TXT, 1, 300, len(text)) + text)
        else:
            text = bytes([len(first)]) + first.encode()
            answers.append(owner + struct.pack("!2HIH", TXT, 1, 600, len(text)) + text)
        header = packet[:2] + struct.pack("!5H", 0x8180 | rcode, 1, len(answers), len(authority), 0)
        return header + question + b"".join(answers + authority)

    def serve(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            reply = self.reply(packet)
            if reply is None:
                continue
            if self.hold:
                self.held.append((reply, peer))
            else:
                self.socket.sendto(reply, peer)

    def release(self):
        self.hold = False
        for reply, peer in self.held:
            self.socket.sendto(reply, peer)
        self.held = []


class Child:
    """A role of cygnetd, and a channel to it."""

    def __init__(self, role, letter, config, extra):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        memory = os.memfd_create("config")
        os.write(memory, config.encode())
        sources = [theirs.fileno(), memory, extra]

        def place():
            aside = [os.dup(fd) for fd in sources]
            for number, fd in enumerate(aside, 3):
                os.dup2(fd, number)
            os.closerange(3 + len(aside), 256)

        # The leak checker needs /proc and ptrace, which a confined process has given up.
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        self.process = subprocess.Popen([CYGNETD, "--role", role], preexec_fn=place,
                                        close_fds=False, stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "ASAN_OPTIONS": sanitizer})
        theirs.close()
        os.close(memory)
        self.parent, self.letter = ours, letter

    def open_channel(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        message = self.letter.encode() + struct.pack("!BII", 0, 0, 0)
        socket.send_fds(self.parent, [message], [theirs.fileno()])
        theirs.close()
        ours.settimeout(15)
        return ours

    def end(self):
        """Closes the parent's end, upon which a child exits."""
        self.parent.close()
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.stderr.close()


def query(serial, name, kind=TXT):
    return struct.pack("!BQH", QUERY, serial, kind) + name.encode()


def read_answer(message):
    kind, serial, status, secure, ttl, why_len = struct.unpack_from("!BQBBIB", message)
    assert kind == ANSWER
    at = 16
    why = message[at:at + why_len].decode()
    at += why_len
    count = message[at]
    at += 1
    records = []
    for _ in range(count):
        length, = struct.unpack_from("!H", message, at)
        records.append(message[at + 2:at + 2 + length])
        at += 2 + length
    assert at == len(message)
    return serial, status, secure, ttl, why, records


class Resolver(unittest.TestCase):
    def setUp(self):
        self.dns = DnsServer()
        self.addCleanup(self.dns.socket.close)
        null = os.open("/dev/null", os.O_RDWR)
        self.child = Child("resolver", "d", "outside: lo\nusers: {resolver: 64990}\n"
                           f"dns: {{forwarders: '127.0.0.1:{self.dns.port}'}}\n"
                           "limits: {lookups: 1000}\n", null)
        os.close(null)
        self.channel = self.child.open_channel()

    def tearDown(self):
        self.channel.close()
        self.assertEqual(self.child.end(), 0)

    def answer(self):
        return read_answer(self.channel.recv(MESSAGE_MAX))

    def ask(self, name, kind=TXT):
        self.channel.send(query(9999, name, kind))
        serial, *rest = self.answer()
        self.assertEqual(serial, 9999)
        return rest

    def test_statuses(self):
        self.assertEqual(self.ask("hello.2.0.192.in-addr.arpa."),
                         [FOUND, 0, 600, "", [b"\x05hello"]])
        status, secure, ttl, why, records = self.ask("nx.2.0.192.in-addr.arpa.")
        self.assertEqual((status, secure, records), (ABSENT, 0, []))
        self.assertLessEqual(ttl, 77)  # OE-078: the SOA's MINIMUM
        self.assertGreater(ttl, 70)
        self.assertEqual(self.ask("nodata.example.net.")[0], ABSENT)
        self.assertEqual(self.ask("hello.example.net.", KEY)[0], ABSENT)
        status, _, ttl, why, _ = self.ask("servfail.example.net.")
        self.assertEqual((status, ttl, why), (TIMEOUT, 0, "no DNS server answered (SERVFAIL)"))

    def test_follows_aliases(self):  # RFC 2317
        status, _, ttl, _, records = self.ask("alias.2.0.192.in-addr.arpa.")
        self.assertEqual((status, ttl, records), (FOUND, 300, [b"\x03one"]))

    def test_names_of_local_networks(self):
        for name in ("a.1.168.192.in-addr.arpa.", "b.0.10.in-addr.arpa.", "c.example.test.",
                     "d.0.0.2.ip6.arpa.", "e.8.b.d.0.1.0.0.2.ip6.arpa.", "f.home.arpa."):
            self.assertEqual(self.ask(name)[4], [b"\x01" + name[:1].encode()], name)

    def test_a_thousand_at_once(self):
        self.dns.hold = True
        for serial in range(1000):
            self.channel.send(query(serial, f"n{serial}.example.net."))
        deadline = time.monotonic() + 10
        while len(self.dns.held) < 1000 and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertGreaterEqual(len(self.dns.held), 1000)
        self.dns.release()
        got = {}
        for _ in range(1000):
            serial, status, _, _, _, records = self.answer()
            got[serial] = (status, records[0][1:].decode())
        self.assertEqual(got, {n: (FOUND, f"n{n}") for n in range(1000)})

    def test_cancel_and_limit(self):  # OE-194
        for serial in range(1000):
            self.channel.send(query(serial, f"silent.s{serial}.example.net."))
        self.assertEqual(self.ask("late.example.net.")[0], FOUND)
        # The oldest made room: its serial is free again, while the youngest's is still taken.
        self.channel.send(query(999, "taken.example.net."))
        self.channel.send(query(0, "free.example.net."))
        self.assertEqual(self.answer()[5], [b"\x04free"])
        for serial in range(1000):
            self.channel.send(struct.pack("!BQ", CANCEL, serial))
        self.assertEqual(self.ask("late.example.net.")[0], FOUND)

    def test_nonsense(self):
        for message in (b"?", b"\x01", struct.pack("!BQ", CANCEL, 5), b"\x05" + b"x" * 40,
                        query(3, ""), query(4, "x" * 300)):
            self.channel.send(message)
        self.assertEqual(self.ask("still.example.net.")[0], FOUND)

    def test_another_keyd(self):
        self.channel.send(query(1, "silent.example.net."))
        self.channel.close()
        self.channel = self.child.open_channel()
        self.channel.send(query(1, "again.example.net."))
        self.assertEqual(self.answer()[5], [b"\x05again"])


class Keeper(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.key = os.path.join(self.directory.name, "key.pem")
        subprocess.run([CYGNET, "keys", "new", "--out", self.key], check=True,
                       stdout=subprocess.DEVNULL)

    def start(self):
        fd = os.open(self.key, os.O_RDONLY)
        child = Child("keeper", "s", "outside: lo\nusers: {keeper: 64991}\n", fd)
        os.close(fd)
        return child

    def test_signs_for_one_keyd_after_another(self):
        child = self.start()
        for _ in range(3):
            channel = child.open_channel()
            hello = channel.recv(MESSAGE_MAX)
            self.assertEqual(hello[:5], struct.pack("!BBBH", HELLO, 1, 1, 260))
            # scheme 0 signs hashes as version 1 of IKE does, 3 is RSA with SHA-256 over what comes
            for serial, scheme, length, ok in ((1, 0, 20, 1), (2, 0, 32, 1), (3, 0, 100, 0),
                                               (4, 0, 0, 0), (6, 3, 100, 1), (7, 99, 32, 0)):
                channel.send(struct.pack("!BQBB", SIGN, serial, 0, scheme) + b"h" * length)
                reply = channel.recv(MESSAGE_MAX)
                self.assertEqual(reply[:10], struct.pack("!BQB", SIGNED, serial, ok))
                self.assertEqual(len(reply) - 10, 256 if ok else 0)
            channel.send(b"nonsense")
            channel.send(struct.pack("!BQBB", SIGN, 5, 9, 0) + b"h" * 20)
            self.assertEqual(channel.recv(MESSAGE_MAX), struct.pack("!BQB", SIGNED, 5, 0))
            channel.close()
        self.assertEqual(child.end(), 0)

    def test_holds_no_files_and_little_else(self):
        child = self.start()
        channel = child.open_channel()
        channel.recv(MESSAGE_MAX)
        process = f"/proc/{child.process.pid}"
        with open(process + "/status") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["CapEff"], "0" * 16 if os.geteuid() == 0 else status["CapEff"])
        self.assertEqual(status["Seccomp"], "2")
        if os.geteuid() == 0:
            self.assertEqual(status["Uid"].split(), ["64991"] * 4)
            fds = sorted(map(int, os.listdir(process + "/fd")))
            self.assertEqual(fds[:4], [0, 1, 2, 3])
            for fd in fds[3:]:
                self.assertTrue(os.readlink(f"{process}/fd/{fd}").startswith("socket:"), fd)
        channel.close()
        self.assertEqual(child.end(), 0)

    def test_unusable_key(self):
        with open(self.key, "w") as file:
            file.write("no key\n")
        child = self.start()
        said = child.process.stderr.read()
        self.assertEqual(child.end(), 1)
        self.assertIn("make one with 'cygnet keys new'", said)


if __name__ == "__main__":
    CYGNET, CYGNETD = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
