#!/usr/bin/env python3
"""The models in docs/models: each is good, its text is the reviewed one, its page stands alone, and
the figures of the other documents are drawn from them. Usage: test_models.py CYGNET REPOSITORY

To review changed drawings: test_models.py CYGNET REPOSITORY --write, then look at the difference."""
# MOD-025 MOD-027 MOD-029

import glob
import os
import re
import subprocess
import sys
import unittest
import xml.etree.ElementTree as ElementTree

CYGNET = REPOSITORY = None
WRITE = False
FIGURE = re.compile(r"<!-- figure: (\S+) (\S+) -->\n\n((?:(?:    .*)?\n)*)")


def cygnet(*arguments):
    done = subprocess.run([CYGNET, "model", *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def render(*arguments):
    status, out, error = cygnet("render", *arguments)
    assert status == 0, error
    return out


def models():
    found = sorted(glob.glob(os.path.join(REPOSITORY, "docs/models/*.model")))
    assert len(found) >= 8, found
    return found


def diagrams(path):
    with open(path) as file:
        return re.findall(r"^\s*(?:boxes|ladder|machine) (\w+) ", file.read(), re.M)


def documents():
    names = subprocess.run(["git", "-C", REPOSITORY, "ls-files", "*.md"], capture_output=True,
                           text=True).stdout.split()
    names = names or [os.path.relpath(name, REPOSITORY) for pattern in ("*.md", "docs/**/*.md")
                      for name in glob.glob(os.path.join(REPOSITORY, pattern), recursive=True)]
    return [os.path.join(REPOSITORY, name) for name in names]


def indented(text):
    return "".join("    " + line + "\n" if line else "\n" for line in text.rstrip("\n").split("\n"))


class Models(unittest.TestCase):
    def test_good(self):
        for path in models():
            with self.subTest(os.path.basename(path)):
                status, out, error = cygnet("check", "--verify", path)
                self.assertEqual(status, 0, out + error)
                self.assertRegex(out, "no deadlock and no unspecified reception")

    def test_text_is_the_reviewed_one(self):
        for path in models():
            with self.subTest(os.path.basename(path)):
                text, reviewed = render("--to", "text", path), path[:-len("model")] + "txt"
                if WRITE:
                    with open(reviewed, "w") as file:
                        file.write(text)
                with open(reviewed) as file:
                    self.assertEqual(text, file.read())

    def test_text_is_plain(self):
        for path in models():
            with self.subTest(os.path.basename(path)):
                for line in render("--to", "text", path).split("\n"):
                    self.assertRegex(line, r"^[ -~]{0,72}$")
                    self.assertEqual(line, line.rstrip())

    def test_svg_is_xml_and_has_light_and_dark(self):
        for path in models():
            with self.subTest(os.path.basename(path)):
                for name in diagrams(path):
                    svg = render("--to", "svg", "--only", name, path)
                    self.assertTrue(ElementTree.fromstring(svg).tag.endswith("svg"))
                    self.assertIn("prefers-color-scheme:dark", svg)

    def test_page_stands_alone(self):
        for path in models():
            with self.subTest(os.path.basename(path)):
                page = render("--to", "html", path)
                self.assertNotRegex(page, r"<(script|link|img|iframe|object)|@import|url\(|src=")
                self.assertEqual(page.count("<svg"), len(diagrams(path)))

    def test_figures_in_documents(self):
        count = 0
        for path in documents():
            with open(path) as file:
                text = file.read()

            def draw(match):
                picture = render("--to", "text", "--only", match[2], "--bare",
                                 os.path.join(REPOSITORY, match[1]))
                return f"<!-- figure: {match[1]} {match[2]} -->\n\n{indented(picture)}\n"

            drawn, here = FIGURE.subn(draw, text)
            count += here
            if WRITE and drawn != text:
                with open(path, "w") as file:
                    file.write(drawn)
                text = drawn
            with self.subTest(os.path.relpath(path, REPOSITORY)):
                self.assertEqual(text, drawn)
        self.assertGreaterEqual(count, 3)


def words(model):
    """The whole text in one line, so that a sentence can be looked for."""
    return " ".join(render("--to", "text", os.path.join(REPOSITORY, "docs/models", model)).split())


def arrows(model, diagram):
    """A ladder's messages in order: "> name" from left to right, "< name" back."""
    drawn = render("--to", "text", "--only", diagram, "--bare",
                   os.path.join(REPOSITORY, "docs/models", model))
    found = []
    for line in drawn.split("\n"):
        match = re.search(r"\|(<?)[-#=]+ ?(.*?) ?[-#=]+(>?)\|", line)
        if match:
            found.append(("<" if match[1] else ">") + " " + match[2])
    return found


class DraftFacts(unittest.TestCase):
    """What the drafts say of their examples is what the models say."""

    def says(self, model, *sentences):
        text = words(model)
        for sentence in sentences:
            with self.subTest(sentence):
                self.assertIn(sentence, text)

    def test_stun(self):
        self.says(
            "stun.model",
            "FROM: 198.203.2.1:8954 | MSG: SEND MEDIA TO 10.0.10.5:6791",  # MOD-030 MOD-034
            "The header is translated, the body is not.",
            "Says from which address and port the question's IP header came",  # MOD-031
            "On the way back the NAT translates the header again and leaves the body.",  # MOD-032
            "so there is a NAT, and writes this address into its SIP messages")  # MOD-033
        self.assertEqual(arrows("stun.model", "binding"), ["> Binding Request", "< Binding Response"])

    def test_dccp_initiation(self):
        self.assertEqual(arrows("dccp.model", "handshake"),
                         ["> DCCP-Request", "< DCCP-Response", "> DCCP-Ack"])  # MOD-036 MOD-060
        self.says(
            "dccp.model",
            "four phases: initiation, feature negotiation, data transfer and termination",  # MOD-035
            "Names the service and the ports, and begins feature negotiation.",  # MOD-037
            "the same service may be had at any port",  # MOD-038
            "Accepts the connection and goes on with feature negotiation.",  # MOD-039
            "so the server keeps none until the Ack has returned it",  # MOD-040
            "returns the cookie as it was; without it, or with another one, there is no connection")  # MOD-041

    def test_dccp_negotiation(self):
        self.assertEqual(arrows("dccp.model", "negotiation"), [
            "> Change(CC, 2)", "< Confirm(CC, 2)",  # MOD-046
            "> Change(CC, 3, 4)", "< Prefer(CC, 1, 2, 5)", "> Change(CC, 5)", "< Confirm(CC, 5)",  # MOD-047
            "> Prefer(CC, 3, 4)", "< Change(CC, 3)", "> Confirm(CC, 3)"])  # MOD-048
        self.says(
            "dccp.model",
            "Options on any packet, during initiation or data transfer, negotiate features.",  # MOD-042
            "A feature is one-sided: each direction may have a value of its own",  # MOD-043
            "Asks the peer to set a feature on its side",  # MOD-044
            "An answer to Change, or a wish of its own.",  # MOD-045
            "a Prefer that nobody asked for is Change L, one that answers is Confirm L with a list")  # MOD-049

    def test_dccp_data_and_termination(self):
        self.says(
            "dccp.model",
            "CCID-2 for those who want throughput, CCID-3 for those who want a smooth rate",  # MOD-050
            "the sender keeps a window and sends until it is full",  # MOD-051
            "A packet lost or marked by ECN halves the window.",  # MOD-052
            "Lists every packet that came within a window, not the highest number only.",  # MOD-053
            "computes it anew from the loss that the receiver reports",  # MOD-054
            "in the long run both share fairly with TCP",  # MOD-055
            "Either side may send it.",  # MOD-056
            "two maximum segment lifetimes (2MSL, 4 minutes)",  # MOD-057 MOD-059
            "Asks the client to send Close, so that TIMEWAIT is the client's.")  # MOD-058
        self.assertEqual(arrows("dccp.model", "termination"),
                         ["< DCCP-CloseReq", "> DCCP-Close", "< DCCP-Reset",
                          "< DCCP-Close", "> DCCP-Reset"])  # MOD-028

    def test_webdav(self):
        self.says(
            "webdav.model",
            "One step: there never are two resources.",  # MOD-061
            "MOVE creates no second resource and succeeds.",  # MOD-062
            "Such a user can MOVE and can't COPY.",  # MOD-063
            "may set its creation date to the time of the copy",  # MOD-064
            "the same properties as the original, its creation date included")  # MOD-065 MOD-066

    def test_ike(self):
        self.assertEqual(arrows("ike.model", "main"),
                         ["> Main 1", "< Main 2", "> Main 3", "< Main 4", "> Main 5", "< Main 6"])
        self.assertEqual(arrows("ike.model", "aggressive"),
                         ["> Aggressive 1", "< Aggressive 2", "> Aggressive 3"])
        self.assertEqual(arrows("ike.model", "quick"),
                         ["> Quick 1", "< Quick 2", "> Quick 1 with PFS", "< Quick 2 with PFS", "> Quick 3"])
        text = words("ike.model")
        order = [text.index(title) for title in ("1. The Problem", "2. Protocol Overview",
                                                 "3. Important Features")]  # MOD-029
        self.assertEqual(order, sorted(order))


if __name__ == "__main__":
    CYGNET, REPOSITORY = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    WRITE = "--write" in sys.argv
    unittest.main(argv=sys.argv[:1])
