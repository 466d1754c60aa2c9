"""Programs of bench/ that need no lab: memory and handshake, with the real control and plane objects in
one process; ike2 and pauses, with two keying engines; bench-rsip, with an RSIP server; and model, which draws."""

import os
import statistics
import subprocess

from .sites import NotMeasured

MEMORY_COLUMNS = ("initiator_keyd", "initiator_plane", "responder_keyd", "responder_plane")


def run(build, name, *arguments):
    path = os.path.join(build, "bench", name)
    if not os.access(path, os.X_OK):
        raise NotMeasured(f"{path} is not built: make build")
    done = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise NotMeasured(f"{name}: {said[-1] if said else f'exit {done.returncode}'}")
    return [line.split("\t") for line in done.stdout.splitlines() if not line.startswith("#")]


def memory(build, counts):
    """Octets of heap for each tunnel and clear flow."""
    return [{"kind": kind, "count": int(count), **dict(zip(MEMORY_COLUMNS, map(int, octets)))}
            for kind, count, *octets in run(build, "memory", *counts)]


def handshakes(build, repeats, count):
    """Medians over the repeats; each repeat measures tunnels and bare operations in turns."""
    runs = [dict(run(build, "handshake", count)) for _ in range(repeats)]
    words = {name: runs[0][name] for name in ("suite", "key")}
    return {**words, **{name: statistics.median(float(each[name]) for each in runs)
                        for name in runs[0] if name not in words},
            "samples": [{name: float(each[name]) for name in each if name not in words}
                        for each in runs]}


def ike2(build, repeats, count, at_once):
    """IKE SAs of version 2 a second, medians over the repeats, and octets of so many at once."""
    runs = [dict(run(build, "ike2", "speed", count)) for _ in range(repeats)]
    (_, held, *octets), = run(build, "ike2", "memory", at_once)
    return {**{name: statistics.median(float(each[name]) for each in runs) for name in runs[0]},
            "samples": [{name: float(each[name]) for name in each} for each in runs],
            "held": int(held), "octets": [int(each) for each in octets]}


def pauses(build, repeats, operations, milliseconds):
    """Medians over the repeats."""
    runs = [dict(run(build, "pauses", "strangers", milliseconds)) for _ in range(repeats)]
    return {**{name: float(value) for name, value in run(build, "pauses", "costs", operations)},
            **{name: statistics.median(float(each[name]) for each in runs) for name in runs[0]}}


def rsip(build, repeats):
    """Medians over the repeats."""
    runs = [dict(run(build, "bench-rsip")) for _ in range(repeats)]
    return {name: statistics.median(float(each[name]) for each in runs) for name in runs[0]}


def movers(build, peers):
    """Peers of one gateway that all move within a minute, by MOBIKE and by the draft; a rule that is broken ends the run."""
    ways = {"": (), "draft ": ("--draft",)}
    return {way + name: float(value) for way, option in ways.items()
            for name, value in run(build, "../tests/movers", "--peers", peers, *option)}


def models(build):
    """Milliseconds to draw a large ladder and a large state machine."""
    return {name: float(value) for name, value in run(build, "model")}
