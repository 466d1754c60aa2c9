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
                self.assertEqual(cygnet("check", path)[0], 0, cygnet("check", path)[1])

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


if __name__ == "__main__":
    CYGNET, REPOSITORY = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    WRITE = "--write" in sys.argv
    unittest.main(argv=sys.argv[:1])
