#!/usr/bin/env python3
"""`cygnet model match` and `cygnet model check --verify` on toy models. Usage: test_model_traffic.py CYGNET"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

CYGNET = None

MODEL = """
model "Toy" {
    party client "Client" { text "It." }
    party server "Server" { text "The other." }
    trust client -> server "in nothing"
    trust server -> client "in nothing"
    message hello "Hello" client -> server { text "opens" carries nothing label "1" filter "%s" }
    message welcome "Welcome" server -> client { text "accepts" carries nothing label "2"
        filter "udp.length == 10" }
    message bye "Bye" client <-> server { text "ends" carries nothing label "3" filter "udp.length == 11" }
    problem { text "Toys." boxes b "Both" { text "Two." row client, server
        arrow client <-> server "toy" } }
    overview { text "Simple." ladder l "All of it" { text "Once."
        client -> server: hello server -> client: welcome client -> server: bye } %s }
}
"""
GOOD_FILTER = "udp.length == 9"
CLIENT = """machine c "The client" of client { text "It."
    state IDLE initial "Not yet." state WAIT "Asked." state OPEN "Speaks." state DONE final "No more."
    IDLE -> WAIT on local "wish" send hello
    WAIT -> OPEN on receive welcome
    %s }"""
SERVER = """machine s "The server" of server { text "It."
    state LISTEN initial final "Waits." state OPEN "Speaks."
    LISTEN -> OPEN on receive hello send welcome
    OPEN -> LISTEN on receive bye
    %s }"""
CLIENT_ENDS = 'OPEN -> DONE on local "enough" send bye '
ONE_PORT = 4000


def cygnet(*arguments, **more):
    done = subprocess.run([CYGNET, "model", *arguments], capture_output=True, text=True, timeout=60, **more)
    return done.returncode, done.stdout, done.stderr


def packet(server_sends, length, port=ONE_PORT):
    ends = [(b"\xc0\0\2\1", port), (b"\xc0\0\2\2", 53000)]
    (source, source_port), (to, to_port) = reversed(ends) if server_sends else ends
    udp = struct.pack("!HHHH", source_port, to_port, 8 + length, 0) + b"x" * length
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + source + to
    return ip + udp


def write_capture(path, packets):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for i, octets in enumerate(packets):
            file.write(struct.pack("<IIII", 1000, i * 1000, len(octets), len(octets)) + octets)


HELLO, WELCOME, BYE = packet(False, 1), packet(True, 2), packet(False, 3)


class Scratch(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.capture = os.path.join(self.scratch.name, "a.pcap")

    def tearDown(self):
        self.scratch.cleanup()

    def model(self, filter_=GOOD_FILTER, more="", first=""):
        path = os.path.join(self.scratch.name, "toy.model")
        with open(path, "w") as file:
            file.write((MODEL % (filter_, more)).replace('"Toy" {', '"Toy" {' + first))
        return path


class Traffic(Scratch):
    def match(self, packets, model=None):
        write_capture(self.capture, packets)
        status, out, error = cygnet("match", "--json", model or self.model(), self.capture)
        self.assertEqual(error, "")
        return status, [json.loads(line) for line in out.splitlines()]

    def leaves_at(self, packets, number, expected):
        status, found = self.match(packets)
        self.assertEqual((status, found[0]["verdict"], found[0].get("departure")), (1, "leaves", number))
        self.assertEqual(found[0]["expected"], expected)

    def test_follows(self):
        status, found = self.match([HELLO, WELCOME, BYE])
        self.assertEqual((status, found[0]["verdict"], found[0]["by"]), (0, "follows", "All of it"))

    def test_broken(self):
        self.leaves_at([WELCOME, BYE], 1, "Hello from Client")
        self.leaves_at([HELLO, BYE], 2, "Welcome from Server")
        self.leaves_at([HELLO, HELLO, WELCOME, BYE], 2, "Welcome from Server")
        self.leaves_at([HELLO, BYE, WELCOME], 2, "Welcome from Server")
        self.leaves_at([HELLO, WELCOME, packet(True, 3)], 3, "Bye from Client")
        status, found = self.match([HELLO, WELCOME])
        self.assertEqual((status, found[0]["verdict"], found[0]["expected"]), (1, "stops", "Bye from Client"))

    def test_drawn(self):
        write_capture(self.capture, [HELLO, BYE, WELCOME])
        status, out, _ = cygnet("match", self.model(), self.capture)
        self.assertEqual(status, 1)
        drawn = out.splitlines()
        mark = next(i for i, line in enumerate(drawn) if "leaves the model" in line and "- -" in line)
        self.assertIn("- Hello -", "".join(drawn[:mark]))
        self.assertIn("expected: Welcome from Server", out)
        self.assertIn("x Bye x", "".join(drawn[mark:]))

    def test_exchanges_by_ports_or_key(self):
        other = [packet(False, 1, 4001), packet(True, 2, 4001), packet(False, 3, 4001)]
        both = [HELLO, other[0], WELCOME, other[1], other[2], BYE]
        self.assertEqual([x["verdict"] for x in self.match(both)[1]], ["follows", "follows"])
        status, found = self.match(both, self.model(first=' key "udp.dstport" '))
        self.assertEqual((status, len(found)), (1, 3))  # a foolish key: each direction its own

    def test_a_side_may_move(self):
        moved = [HELLO, packet(True, 2, 4001), packet(False, 3, 4001)]
        status, found = self.match(moved, self.model(first=' key "ip.proto" '))
        self.assertEqual((status, len(found)), (0, 1))

    def test_machines_judge(self):
        machines = CLIENT % (CLIENT_ENDS + "WAIT -> WAIT on timer \"no answer\" send hello") + SERVER % (
            "OPEN -> OPEN on receive hello send welcome")
        status, found = self.match([HELLO, HELLO, WELCOME, BYE], self.model(more=machines))
        self.assertEqual(found[0]["verdict"], "leaves")  # the server owes an answer to each
        machines = machines.replace("receive hello send welcome\n    OPEN -> LISTEN",
                                    "receive hello send welcome LISTEN -> LISTEN on receive hello\n OPEN -> LISTEN")
        status, found = self.match([HELLO, HELLO, WELCOME, BYE], self.model(more=machines))
        self.assertEqual((status, found[0]["by"]), (0, "the state machines"))

    def trace(self, *records):
        path = os.path.join(self.scratch.name, "trace")
        with open(path, "w") as file:
            for i, (label, sent) in enumerate(records):
                ends = [{"party": "self"}, {"party": "address", "address": "192.0.2.9"}]
                file.write(json.dumps({
                    "serial": i, "at_ms": i, "room": "ike", "level": "info", "line": "clear", "label": label,
                    "from": ends[not sent], "to": ends[sent],
                    "flow": {"source": "192.0.2.1", "destination": "192.0.2.2"}}) + "\n")
        return path

    def test_trace(self):
        status, out, _ = cygnet("match", self.model(), self.trace(("1", True), ("2", False), ("3", True)))
        self.assertEqual(status, 0, out)
        status, out, _ = cygnet("match", self.model(), self.trace(("1", True), ("3", True)))
        self.assertEqual(status, 1)
        self.assertIn("leaves the model at 2; expected: Welcome from Server", out)

    def fails(self, words, *arguments, **more):
        status, out, error = cygnet("match", *arguments, **more)
        self.assertEqual((status, out), (1, ""))
        for word in words:
            self.assertIn(word, error)

    def test_mistakes(self):
        write_capture(self.capture, [HELLO])
        good = self.model()
        self.fails(["none", "No such file"], good, os.path.join(self.scratch.name, "none"))
        self.fails(["tshark is not there", "Debian package"], good, self.capture, env={"PATH": "/nowhere"})
        write_capture(self.capture, [packet(False, 77)])
        self.fails(["nothing in it is a message"], good, self.capture)
        with open(self.capture, "w") as file:
            file.write("no capture")
        self.fails(["a.pcap"], good, self.capture)
        with open(self.capture, "w") as file:
            file.write("{no trace\n")
        self.fails(["a.pcap:1:", "cygnet trace --json"], good, self.capture)
        write_capture(self.capture, [HELLO])
        self.fails(["toy.model:7:13: the filter of message 'hello'", "udp.nonsense"],
                   self.model("udp.nonsense == 1"), self.capture)
        self.fails(['key "no.field"'], self.model(first=' key "no.field" '), self.capture)
        self.assertEqual(cygnet("match", good)[0], 2)


class Verify(Scratch):
    def verify(self, client, server, first=""):
        return cygnet("check", "--verify", self.model(more=CLIENT % client + SERVER % server, first=first))

    def test_good(self):
        status, out, error = self.verify(CLIENT_ENDS, "")
        self.assertEqual(status, 0, out + error)
        self.assertIn("no deadlock and no unspecified reception in 2 state machines", out)

    def test_deadlock(self):
        status, out, _ = self.verify("OPEN -> DONE on receive bye", "")
        self.assertEqual(status, 1)
        self.assertIn("deadlock: nothing more can happen, Client is in state OPEN, Server is in", out)
        self.assertLess(out.index("- Hello -"), out.index("Welcome"))

    def test_unspecified_reception(self):
        status, out, _ = self.verify(CLIENT_ENDS + "OPEN -> DONE on receive bye",
                                     'OPEN -> LISTEN on local "enough" send bye')
        self.assertEqual(status, 1)
        self.assertIn("unspecified reception: ", out)
        self.assertIn("doesn't say what to do", out)
        self.assertIn("[OPEN]", out)

    def test_loss(self):
        status, out, _ = self.verify(CLIENT_ENDS, "", first=" lossy ")
        self.assertEqual(status, 1)
        self.assertIn("deadlock", out)
        self.assertIn("lost", out)

    def test_no_spin(self):
        path = self.model(more=CLIENT % CLIENT_ENDS + SERVER % "")
        status, _, error = cygnet("check", "--verify", path, env={"PATH": "/nowhere"})
        self.assertEqual(status, 1)
        self.assertIn("spin is not there", error)


if __name__ == "__main__":
    CYGNET = sys.argv.pop(1)
    unittest.main()
