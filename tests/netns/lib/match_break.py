#!/usr/bin/python3
"""Break a good exchange on purpose, and check that `cygnet model match` sees where.

    match_break.py CYGNET MODEL CAPTURE [-x EXCHANGE] BREAK...

EXCHANGE counts from 0. A BREAK is one of the following; N counts the exchange's messages from 1:
    drop:N   without message N, the exchange leaves the model at the message behind it, or stops
    twice:N  with message N twice, it leaves at the second one
    swap:N   with message N behind the one that follows it, it leaves at that one
    late:N   the same, but seen only at the message behind the two
"""

import json
import os
import subprocess
import sys
import tempfile


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout


def exchanges(cygnet, model, capture):
    done = subprocess.run([cygnet, "model", "match", "--json", model, capture],
                          stdout=subprocess.PIPE, text=True)
    assert done.returncode in (0, 1), f"exit status {done.returncode}"
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def build(capture, frames, path):
    """A capture of these frames in this order."""
    with tempfile.TemporaryDirectory() as scratch:
        pieces = []
        for i, frame in enumerate(frames):
            pieces.append(os.path.join(scratch, str(i)))
            run("editcap", "-r", capture, pieces[-1], str(frame))
        run("mergecap", "-a", "-w", path, *pieces)


def broken(kind, n, frames):
    """The frames of the broken exchange, and the place of the message at which it is seen."""
    i = n - 1
    if kind == "drop":
        return frames[:i] + frames[i + 1:], i
    if kind == "twice":
        return frames[:i + 1] + frames[i:], i + 1
    swapped = frames[:i] + [frames[i + 1], frames[i]] + frames[i + 2:]
    return swapped, {"swap": i, "late": i + 2}[kind]


def check(cygnet, model, capture, frames, what):
    kind, n = what.split(":")
    after, place = broken(kind, int(n), frames)
    with tempfile.NamedTemporaryFile(suffix=".pcapng") as file:
        build(capture, after, file.name)
        code, found = exchanges(cygnet, model, file.name)
        assert code == 1, f"{what}: nothing was found: {found}"
        bad = [x for x in found if x["verdict"] != "follows"]
        if place >= len(after):
            assert bad[0]["verdict"] == "stops", f"{what}: {bad[0]}"
        else:
            assert bad[0]["verdict"] == "leaves", f"{what}: {bad[0]}"
            assert bad[0]["departure"] == place + 1, f"{what}: not at {place + 1}: {bad[0]}"
        drawn = subprocess.run([cygnet, "model", "match", model, file.name],
                               stdout=subprocess.PIPE, text=True).stdout
        mark = " stops " if place >= len(after) else " leaves the model "
        assert mark in drawn and "expected: " in drawn, drawn
        assert max(map(len, drawn[drawn.index("\n"):].splitlines()[:-1])) <= 72, drawn


def main():
    cygnet, model, capture, *breaks = sys.argv[1:]
    which = 0
    if breaks[0] == "-x":
        which, breaks = int(breaks[1]), breaks[2:]
    _, found = exchanges(cygnet, model, capture)
    frames = [m["number"] for m in found[which]["messages"]]
    for what in breaks:
        check(cygnet, model, capture, frames, what)
    print(f"{len(breaks)} ways to break {os.path.basename(model)}'s exchange of "
          f"{len(frames)} messages: each seen where it is")


if __name__ == "__main__":
    main()
