#!/usr/bin/env python3
"""Does what docs/models/tutorial.md says, and compares what is printed. An indented block behind a
"file:" comment is written to that file; the lines of another one that begin with "$ " are run, and what
follows them is what they print. Usage: test_tutorial.py CYGNET TUTORIAL"""

import os
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"(?:<!-- file: (\S+) -->\n\n)?((?:^(?:    .*)?\n)*^    .*\n(?:^(?:    .*)?\n)*)", re.M)


def commands(block):
    """Pairs of a command and what it prints."""
    found = []
    for line in block:
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return [(command, "\n".join(output).strip("\n")) for command, output in found]


def main():
    cygnet, tutorial = map(os.path.abspath, sys.argv[1:3])
    with open(tutorial) as file:
        text = file.read()
    ran = failed = 0
    with tempfile.TemporaryDirectory() as home:
        path = os.path.dirname(cygnet) + ":" + os.environ["PATH"]
        for match in BLOCK.finditer(text):
            block = [line[4:] for line in match[2].strip("\n").split("\n")]
            if match[1]:
                with open(os.path.join(home, match[1]), "w") as file:
                    file.write("\n".join(block) + "\n")
                continue
            for command, wanted in commands(block):
                done = subprocess.run(command, shell=True, cwd=home, env={**os.environ, "PATH": path},
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      timeout=60)
                ran += 1
                if done.stdout.strip("\n") != wanted:
                    failed += 1
                    print(f"$ {command}\nprinted:\n{done.stdout}\ninstead of:\n{wanted}\n")
    print(f"{ran} commands, {failed} failed")
    sys.exit(failed > 0 or ran < 5)


if __name__ == "__main__":
    main()
