#!/usr/bin/env python3
"""What a person types: cygnet and cygnetd run as programs, without root. A stand-in for the daemon
answers on a control socket. Usage: test_cli.py CYGNET CYGNETD"""

import json
import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import unittest

CYGNET = CYGNETD = None
COMMANDS = [["status"], ["why"], ["trace"], ["keys"], ["keys", "new"], ["keys", "show"],
            ["keys", "dns"], ["check"], ["reload"], ["model"],
            ["model", "render"], ["model", "check"]]

STATUS = {
    "version": "9.9", "pid": 1, "uptime_ms": 125000, "outside": "eth7", "ready": True,
    "processes": {"keyd": {"pid": 11, "restarts": 0, "connected": True},
                  "plane": {"pid": 12, "restarts": 3, "connected": False}},
    "gateways": [{"peer": "192.1.1.5", "identity": "@gw.example.net", "state": "established",
                  "suite": "AES-GCM-256", "established": True, "since_ms": 4000, "children": 1}],
    "flows": {"encrypt": 1, "pass": 2, "deny": 3, "hold": 4},
    "ike_sas": {"established": 1, "unfinished": 0},
    "summary": [{"verdict": "hold", "reason": "asking DNS who acts for *", "count": 4},
                *({"verdict": "deny", "reason": f"reason {n}", "count": 1} for n in range(12))],
    "tunnels": [{"source": "192.1.0.65", "destination": "192.2.0.66", "verdict": "encrypt",
                 "grade": "authenticated", "state": "Keyed", "class": "OE-permissive",
                 "gateway": "192.1.1.5", "suite": "AES-GCM-256 ESN", "spi_in": "00000101",
                 "spi_out": "00000202", "dnssec": "secure", "reason": "tunnel with 192.1.1.5",
                 "since_ms": 7200000}],
    "counters": {}, "reload": {"count": 3, "ok": True, "text": ""},
}


def record(serial, at_ms, title, **more):
    return {"serial": serial, "at_ms": at_ms, "room": "ike", "level": "info", "line": "none",
            "title": title, **more}


FLOW = {"source": "192.1.0.65", "destination": "192.2.0.66"}
SELF, PEER = {"party": "self"}, {"party": "address", "address": "192.1.1.5"}
TRACE = [
    record(1, 1000, "first datagram, held", room="plane", line="clear", label="5", flow=FLOW,
           **{"from": {"party": "source"}, "to": SELF}),
    record(2, 3000, "Main Mode 1: SA", line="clear", label="5D", peer="192.1.1.5",
           **{"from": SELF, "to": PEER}),
    record(3, 5000, "Tunnel up", flow=FLOW, peer="192.1.1.5", detail="a tunnel"),
    record(4, 6000, "of another flow",
           flow={"source": "192.1.0.65", "destination": "192.9.9.9"}),
]
WHY = {**STATUS["tunnels"][0], "record": "delegation of 192.2.0.66 to 1 gateway (secure)",
       "ike": "tunnel up with 192.1.1.5",
       "next": {"what": "if the tunnel is no longer in use, it is closed", "in_ms": 60000}, "history": TRACE[:1]}


class Daemon:
    """Answers each request line with replies[cmd]; remembers the requests."""

    def __init__(self, directory, name, replies, then=()):
        self.path = os.path.join(directory, name, "control.sock")
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self.replies, self.then, self.requests = replies, then, []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(4)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rw") as stream:
                for line in stream:
                    request = json.loads(line)
                    self.requests.append(request)
                    stream.write(json.dumps(self.replies[request["cmd"]]) + "\n")
                    stream.flush()
                    if request.get("follow"):
                        stream.writelines(json.dumps(more) + "\n" for more in self.then)
                        stream.flush()
                        break

    def close(self):
        # the thread must be gone before the descriptor's number can be somebody else's
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


def run(*arguments, program=None, env=None):
    environment = {k: v for k, v in os.environ.items() if k != "CYGNET_CONTROL"}
    return subprocess.run([program or CYGNET, *arguments], capture_output=True, text=True,
                          timeout=60, env={**environment, **(env or {})}, stdin=subprocess.DEVNULL)


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def path(self, *parts):
        return os.path.join(self.directory.name, *parts)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def daemon(self, name="gw", then=(), **replies):
        daemon = Daemon(self.directory.name, name, replies, then)
        self.addCleanup(daemon.close)
        return daemon

    def good(self, *arguments, **more):
        done = run(*arguments, **more)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def bad(self, status, wanted, *arguments, **more):
        done = run(*arguments, **more)
        self.assertEqual(done.returncode, status, done)
        self.assertIn(wanted, done.stderr)
        return done


class Help(Case):
    def test_every_command(self):
        overview = self.good("--help")
        self.assertEqual(self.good("help"), overview)
        for command in COMMANDS:
            text = self.good(*command, "--help")
            self.assertTrue(text.startswith("usage: cygnet " + " ".join(command)), text)
            self.assertLessEqual(max(map(len, text.splitlines())), 100)
            if len(command) == 1:
                self.assertIn("\n  " + command[0] + " ", overview)
                self.assertEqual(self.good("help", *command), text)
            if command not in (["keys"], ["model"], ["model", "render"]):
                self.assertIn("--json", text)

    def test_mistakes(self):
        self.bad(2, "usage: cygnet COMMAND")
        self.bad(2, "there is no command 'stauts'", "stauts")
        self.bad(2, "there is no command 'x'", "help", "x")
        for command in COMMANDS:
            if command != ["keys"]:
                self.bad(2, "--help", *command, "--no-such-option")
        self.bad(2, "new, show or dns", "keys")
        self.bad(2, "unexpected 'now'", "status", "now")
        self.bad(2, "needs one address", "why")
        self.bad(2, "needs one address", "why", "1.1.1.1", "1.1.1.2", "1.1.1.3")
        self.bad(2, "'bob' is not an IP address", "why", "bob")
        self.bad(2, "'1.1.1.1' is not SOURCE,DESTINATION", "trace", "--flow", "1.1.1.1")
        self.bad(2, "'x=y' is not ADDRESS=NAME", "trace", "--name", "x=y")
        self.bad(2, "neither --json nor --follow", "trace", "--ladder", "--json")
        self.bad(2, "neither --json nor --follow", "trace", "--html", "--follow")

    def test_version(self):
        version = self.good("version")
        self.assertRegex(version, r"^cygnet \d+\.\d+\.\d+\n$")
        self.assertEqual(self.good("--version"), version)
        self.assertEqual(json.loads(self.good("version", "--json"))["version"], version.split()[1])


class NoDaemon(Case):
    def test_remedy(self):
        missing = self.path("control.sock")
        for command in (["status"], ["why", "192.0.2.1"], ["trace"]):
            done = self.bad(1, f"no daemon answers at {missing}; start cygnetd", *command,
                            "--socket", missing)
            self.assertEqual(done.stdout, "")
            self.bad(1, missing, *command, env={"CYGNET_CONTROL": missing})
        self.bad(1, "too long", "status", "--socket", "/" + "x" * 200)

    def test_daemon_says_no(self):
        daemon = self.daemon(status={"error": "not now; try later"}, why=[])
        self.bad(1, "cygnet: not now; try later", "status", "--socket", daemon.path)
        self.bad(1, "no JSON object", "why", "192.0.2.1", "--socket", daemon.path)


class Status(Case):
    def test_json_is_the_reply(self):
        daemon = self.daemon(status=STATUS)
        self.assertEqual(json.loads(self.good("status", "--json", "--socket", daemon.path)), STATUS)
        self.assertEqual(daemon.requests, [{"cmd": "status"}])

    def test_text(self):
        daemon = self.daemon(status=STATUS)
        text = self.good("status", env={"CYGNET_CONTROL": daemon.path})
        for wanted in ("cygnet 9.9 on eth7, up 2m", "1 encrypted, 2 clear, 3 denied, 4 held",
                       "keyd 11  plane 12 (gone) (restarted 3 times)", "@gw.example.net",
                       "192.1.0.65 -> 192.2.0.66", "by 192.1.1.5, AES-GCM-256 ESN, SPI in 00000101"
                       " out 00000202, authenticated", "tunnel with 192.1.1.5"):
            self.assertIn(wanted, text)
        self.assertNotIn("waiting", text)
        self.assertEqual(daemon.requests, [{"cmd": "status", "rows": 20}])

    def test_many(self):
        daemon = self.daemon(status=STATUS)
        text = self.good("status", "--socket", daemon.path)
        self.assertIn("  1 of 10 shown; --all shows every one\n", text)
        self.assertRegex(text, r"\n4 +hold +asking DNS who acts for \*\n")
        self.assertIn("reason 8", text)
        self.assertNotIn("reason 9", text)
        self.assertIn("  and 3 reasons more\n", text)

    def test_all(self):
        flows = {"encrypt": 1, "pass": 0, "deny": 0, "hold": 0}
        daemon = self.daemon(status={**STATUS, "flows": flows})
        text = self.good("status", "--all", "--socket", daemon.path)
        self.assertEqual(daemon.requests, [{"cmd": "status"}])
        self.assertNotIn("shown", text)
        self.assertNotIn("REASON", text)

    def test_anonymous(self):  # OE-006
        flows = {**STATUS["flows"], "encrypt": 5, "anonymous": 2}
        daemon = self.daemon(status={**STATUS, "flows": flows})
        self.assertIn("5 encrypted (2 anonymous), 2 clear",
                      self.good("status", "--socket", daemon.path))

    def test_empty(self):
        daemon = self.daemon(status={**STATUS, "ready": False, "gateways": [], "tunnels": [],
                                     "ike_sas": {}, "flows": {}, "summary": []})
        text = self.good("status", "--socket", daemon.path)
        self.assertIn("waiting for the plane", text)
        self.assertEqual(len(text.splitlines()), 3)


class Why(Case):
    def test_requests(self):
        daemon = self.daemon(why=WHY)
        self.good("why", "192.2.0.66", "--socket", daemon.path)
        self.good("why", "2001:db8::1", "2001:db8::2", "--json", "--socket", daemon.path)
        self.assertEqual(daemon.requests, [
            {"cmd": "why", "destination": "192.2.0.66"},
            {"cmd": "why", "source": "2001:db8::1", "destination": "2001:db8::2"}])

    def test_text(self):
        daemon = self.daemon(why=WHY)
        text = self.good("why", "192.2.0.66", "--socket", daemon.path)
        for wanted in ("192.1.0.65 -> 192.2.0.66 is encrypted, since 2h: tunnel with 192.1.1.5.",
                       "Class OE-permissive, state Keyed.", "DNSSEC vouches for it",
                       "Its tunnel ends at 192.1.1.5 and uses AES-GCM-256 ESN.",
                       "Record: delegation of 192.2.0.66 to 1 gateway (secure).",
                       "Negotiation: tunnel up with 192.1.1.5.",
                       "Next: if the tunnel is no longer in use, it is closed, in 60s.",
                       "(5) 192.1.0.65 --> here: first datagram, held"):
            self.assertIn(wanted, text)

    def test_anonymous(self):  # OE-006
        daemon = self.daemon(why={**WHY, "grade": "anonymous", "dnssec": "insecure"})
        text = self.good("why", "192.2.0.66", "--socket", daemon.path)
        self.assertIn("The encryption is anonymous", text)
        self.assertNotIn("authenticated", text)
        self.assertIn("DNSSEC doesn't vouch for it", text)

    def test_never_seen(self):
        daemon = self.daemon(why={**WHY, "verdict": "none", "record": "", "ike": "",
                                  "next": {"what": "its first datagram begins it", "in_ms": None}})
        text = self.good("why", "192.2.0.66", "--socket", daemon.path)
        self.assertIn("Next: its first datagram begins it.\n", text)
        self.assertNotIn("Record:", text)
        self.assertNotIn("Negotiation:", text)

    def test_verdicts(self):
        for verdict, words in (("pass", "goes in clear"), ("deny", "is denied"),
                               ("hold", "is held"), ("none", "has not been seen")):
            daemon = self.daemon(name=verdict, why={**WHY, "verdict": verdict})
            text = self.good("why", "192.2.0.66", "--socket", daemon.path)
            self.assertIn("192.1.0.65 -> 192.2.0.66 " + words, text)
            self.assertNotIn("Its tunnel", text)


class Reload(Case):
    def test_taken(self):
        daemon = self.daemon(reload={"reloads": 2}, status=STATUS)
        self.assertEqual(self.good("reload", "--socket", daemon.path),
                         "the new configuration is in force\n")
        self.assertEqual([r["cmd"] for r in daemon.requests], ["reload", "status"])
        self.assertEqual(json.loads(self.good("reload", "--json", "--socket", daemon.path)),
                         STATUS["reload"])

    def test_refused(self):
        mistake = {"count": 3, "ok": False, "text": "/etc/c.yaml:2:1: unknown key 'kee'"}
        daemon = self.daemon(reload={"reloads": 2}, status={**STATUS, "reload": mistake})
        self.bad(1, "/etc/c.yaml:2:1: unknown key 'kee'; the old configuration stays in force",
                 "reload", "--socket", daemon.path)

    def test_no_result(self):
        daemon = self.daemon(reload={"reloads": 3}, status=STATUS)
        self.bad(1, "no result after 5 s", "reload", "--socket", daemon.path)
        daemon = self.daemon(name="no-parent", reload={"error": "the parent process can't be reached"})
        self.bad(1, "can't be reached", "reload", "--socket", daemon.path)


class Trace(Case):
    def test_lines(self):
        daemon = self.daemon(trace={"records": TRACE})
        lines = self.good("trace", "--socket", daemon.path).splitlines()
        self.assertEqual(len(lines), 4)
        self.assertIn("1.000 plane    (5) 192.1.0.65 --> here: first datagram, held", lines[0])
        self.assertIn("3.000 ike      (5D) here --> 192.1.1.5: Main Mode 1: SA", lines[1])
        self.assertIn("Tunnel up: a tunnel", lines[2])

    def test_flow_either_way_with_its_phase_1(self):
        daemon = self.daemon(trace={"records": TRACE})
        for flow in ("192.1.0.65,192.2.0.66", "192.2.0.66,192.1.0.65"):
            lines = self.good("trace", "--json", "--flow", flow, "--socket", daemon.path).splitlines()
            self.assertEqual([json.loads(line)["serial"] for line in lines], [1, 2, 3])
        self.assertEqual(self.good("trace", "--flow", "10.0.0.1,10.0.0.2", "--socket", daemon.path),
                         "")

    def test_merged_by_time(self):
        a = self.daemon(name="sg-a", trace={"records": TRACE})
        b = self.daemon(name="sg-b", trace={"records": [record(1, 4000, "between")]})
        lines = self.good("trace", "--json", "--socket", a.path, "--socket", b.path).splitlines()
        told = [(json.loads(line)["gateway"], json.loads(line)["at_ms"]) for line in lines]
        self.assertEqual(told, [("sg-a", 1000), ("sg-a", 3000), ("sg-b", 4000), ("sg-a", 5000),
                                ("sg-a", 6000)])
        text = self.good("trace", "--socket", a.path, "--socket", b.path)
        self.assertRegex(text.splitlines()[2], r"^sg-b +4\.000 ike +between$")

    def test_records_survive_unchanged(self):
        daemon = self.daemon(trace={"records": TRACE})
        lines = self.good("trace", "--json", "--socket", daemon.path).splitlines()
        self.assertEqual([json.loads(line) for line in lines], TRACE)

    def test_follow(self):
        more = [record(5, 7000, "later"), {"gap": 2}, {"unknown": "line"}, record(8, 8000, "last")]
        daemon = self.daemon(trace={"records": TRACE[:1]}, then=more)
        done = self.bad(1, "the daemon has gone", "trace", "--follow", "--socket", daemon.path)
        lines = done.stdout.splitlines()
        self.assertEqual(daemon.requests, [{"cmd": "trace", "follow": True}])
        self.assertEqual(len(lines), 4, lines)
        self.assertIn("later", lines[1])
        self.assertEqual(lines[2], "gw: 2 records missed, this end was too slow")
        self.assertIn("last", lines[3])

    def test_ladder(self):
        named = [{**r, "flow": FLOW, "connection": 1} if r["label"] == "5D" else r
                 for r in TRACE if "label" in r] + TRACE[2:]
        daemon = self.daemon(trace={"records": named})
        text = self.good("trace", "--ladder", "--flow", "192.1.0.65,192.2.0.66", "--name",
                         "192.1.0.65=Alice", "--socket", daemon.path)
        for wanted in ("Alice", "(5D)", "Main Mode 1: SA", "first datagram, held"):
            self.assertIn(wanted, text)
        self.assertNotIn("another flow", text)
        page = self.good("trace", "--html", "--name", "192.1.0.65=Alice", "--flow",
                         "192.1.0.65,192.2.0.66", "--socket", daemon.path)
        self.assertTrue(page.startswith("<!DOCTYPE html>"), page[:40])
        for wanted in (">Alice</text>", ">(5D)</text>", "Main Mode 1: SA", "</html>"):
            self.assertIn(wanted, page)
        self.assertNotIn("another flow", page)
        self.assertEqual(page.count("<svg"), 1)
        empty = self.daemon(name="empty", trace={"records": []})
        self.bad(1, "nothing to draw", "trace", "--ladder", "--socket", empty.path)


class Model(Case):
    def test_mistakes_in_arguments(self):
        for arguments in (["model", "frobnicate"], ["model", "render", "-"],
                          ["model", "render", "--to", "pdf", "-"], ["model", "check"],
                          ["model", "render", "--to", "html", "--only", "x", "-"],
                          ["model", "render", "--to", "text", "--bare", "-"]):
            self.bad(2, "--help", *arguments)

    def test_mistakes_in_files(self):
        path = self.write("bad.model", 'model "M" {\n  party a "A"\n  trust a -> b "all"\n}\n')
        wanted = f"{path}:3:14: no party is called 'b'; declare it above, or correct its id"
        self.bad(1, wanted, "model", "check", path)
        self.bad(1, "No such file", "model", "render", "--to", "text", path + ".none")
        self.write("bad.model", 'model "M" { }')
        line = json.loads(run("model", "check", "--json", path).stdout.split("\n")[0])
        self.assertEqual((line["line"], line["column"], line["rule"]), (1, 1, "parts"))
        self.bad(1, "no diagram", "model", "render", "--to", "svg", path)
        self.bad(1, "no diagram is called 'x'", "model", "render", "--to", "svg", "--only", "x", path)


class Keys(Case):
    def make(self):
        path = self.path("private.pem")
        self.good("keys", "new", "--out", path)
        return path

    def test_new(self):
        path = self.make()
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with open(path) as file:
            before = file.read()
        self.assertTrue(before.startswith("-----BEGIN PRIVATE KEY-----\n"))
        self.bad(1, "won't be overwritten", "keys", "new", "--out", path)
        with open(path) as file:
            self.assertEqual(file.read(), before)
        self.bad(1, "can't write", "keys", "new", "--out", self.path("no", "such", "key.pem"))
        for bits in ("1024", "9000", "x", "2048x", ""):
            self.bad(2, "use 2048 to 8192 bits", "keys", "new", "--bits", bits, "--out",
                     self.path("new.pem"))
        self.assertFalse(os.path.exists(self.path("new.pem")))

    def test_show(self):
        path = self.make()
        shown = json.loads(self.good("keys", "show", "--json", "--key", path))
        self.assertEqual((shown["algorithm"], shown["bits"], shown["file"]), ("RSA", 2048, path))
        self.assertRegex(shown["id"], r"^RSA-2048 [0-9a-f]{8}$")
        self.assertTrue(shown["public"].startswith("AwEAA"))
        self.assertEqual(self.good("keys", "show", "--key", path).splitlines(),
                         [shown["id"], shown["public"]])
        self.bad(1, "make a key with 'cygnet keys new", "keys", "show", "--key", self.path("none"))
        self.bad(1, "no usable RSA private key", "keys", "show", "--key", self.write("x", "junk"))

    def test_dns(self):  # OE-126, OE-140
        path = self.make()
        public = json.loads(self.good("keys", "show", "--json", "--key", path))["public"]
        text = self.good("keys", "dns", "--key", path, "--address", "192.1.1.4", "--client",
                         "192.1.0.65", "--client", "2001:db8::1", "--precedence", "7")
        lines = text.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertEqual(lines[0], f"4.1.1.192.in-addr.arpa. IN KEY 16896 4 1 {public}")
        owner, data = lines[1].split(" IN TXT ")
        self.assertEqual(owner, "65.0.1.192.in-addr.arpa.")
        strings = re.findall(r'"([^"]*)"', data)
        self.assertEqual("".join(strings), f"X-IPsec-Server(7)=192.1.1.4 {public}")
        self.assertLessEqual(max(map(len, strings)), 255)
        self.assertEqual(lines[2].split()[0],
                         "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa.")

    def test_dns_for_itself_by_name(self):  # OE-157, OE-159
        path = self.make()
        records = json.loads(self.good("keys", "dns", "--json", "--key", path, "--address",
                                       "192.1.1.4", "--name", "GW.example.net", "--ipseckey"))
        self.assertEqual([(r["name"], r["type"]) for r in records],
                         [("gw.example.net.", "KEY"), ("4.1.1.192.in-addr.arpa.", "TXT"),
                          ("4.1.1.192.in-addr.arpa.", "IPSECKEY")])
        self.assertIn("X-IPsec-Server(10)=@gw.example.net ", records[1]["rdata"])
        self.assertTrue(records[2]["rdata"].startswith("10 3 2 gw.example.net. AwEAA"),
                        records[2]["rdata"])

    def test_dns_mistakes(self):
        self.bad(2, "with --address", "keys", "dns")
        for option, value in (("--address", "gw"), ("--client", "1.2.3"), ("--precedence", "65536"),
                              ("--precedence", "-1"), ("--name", "a..b")):
            self.bad(2, f"'{value}' doesn't fit", "keys", "dns", option, value)


class Check(Case):
    def test_mistake_with_place_and_remedy(self):
        path = self.write("c.yaml", "outside: eth0\nclasifier: ebpf\n")
        line = f"{path}:2:1: unknown key 'clasifier'; did you mean 'classifier'?"
        done = run("check", path)
        self.assertEqual((done.returncode, done.stdout), (1, line + "\n"))
        found = json.loads(run("check", "--json", path).stdout)
        self.assertEqual(found, [{"severity": "error", "text": line}])
        done = run("--check", "--config", path, program=CYGNETD)
        self.assertEqual((done.returncode, done.stderr), (1, line + "\n"))
        self.bad(1, "can't read", "check", self.path("none"))

    def config(self, **changes):
        key = self.path("key.pem")
        if not os.path.exists(key):
            self.good("keys", "new", "--out", key)
        anchor = self.write("anchor", ". IN DS 1 8 2 00\n")
        values = {"outside": "lo", "key": key, "anchor": anchor, "user": 64000, **changes}
        return self.write("good.yaml", "outside: {outside}\nkey: {key}\n"
                          "dns: {{trust-anchor: {anchor}}}\nusers:\n  {{keyd: {user}, plane: 64003,"
                          " resolver: 64001, keeper: 64002}}\n".format(**values))

    def test_this_machine(self):
        path = self.config()
        self.assertEqual(self.good("check", path), f"{path} is fine\n")
        self.assertEqual(run("--check", "--config", path, program=CYGNETD).returncode, 0)
        for changes, words in (
                ({"outside": "none7"}, "there is no interface none7; see 'ip link'"),
                ({"user": "nobody-here"}, "there is no user nobody-here for keyd; run"),
                ({"key": self.path("gone")}, "run 'cygnet keys new --out"),
                ({"anchor": self.path("gone")}, "correct 'trust-anchor'")):
            done = run("check", self.config(**changes))
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(words, done.stdout)
            self.assertIn("error: ", done.stdout)

    def test_open_key_is_a_warning(self):
        path = self.config()
        os.chmod(self.path("key.pem"), 0o644)
        done = run("check", path)
        self.assertEqual(done.returncode, 0)
        self.assertIn("warning: others can reach the private key; run 'chmod 600", done.stdout)


class Daemonish(Case):
    def test_arguments(self):
        text = self.good("--help", program=CYGNETD)
        self.assertTrue(text.startswith("usage: cygnetd "))
        self.assertRegex(self.good("--version", program=CYGNETD), r"^cygnetd \d+\.\d+\.\d+\n$")
        self.bad(2, "cygnetd --help", "--nonsense", program=CYGNETD)
        self.bad(2, "unexpected 'start'", "start", program=CYGNETD)
        self.bad(2, "--role is for cygnetd's own use", "--role", "keyd", program=CYGNETD)
        self.bad(2, "--role is for cygnetd's own use", "--role", "king", program=CYGNETD)
        self.bad(1, "can't read /no/such/file", "--config", "/no/such/file", program=CYGNETD)


if __name__ == "__main__":
    CYGNET, CYGNETD = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
