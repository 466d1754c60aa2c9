"""TCP throughput and round trips between alice and bob, the cases measured in turns."""

import json
import re
import statistics

from .sites import ALICE, BOB, CAROL, NotMeasured, fresh, wait_for

STREAMS = (1, 4)
PING_WITHIN_S = 15


def serve(site):
    site.start("bob", "iperf3", "-s")
    wait_for("iperf3 on bob", lambda: site.run("bob", "ss", "-Hltn", "sport = :5201").strip())


def transfer(site, streams, seconds):
    """Gbit/s that bob received, after a first second for the window to open."""
    said = site.run("alice", "iperf3", "-J", "-c", BOB, "-P", str(streams), "-O", "1",
                    "-t", str(seconds), within_s=seconds + 30)
    return json.loads(said)["end"]["sum_received"]["bits_per_second"] / 1e9


def ping_times(site, source, destination, count=1):
    """Round trips in ms; a datagram without a reply is missing."""
    try:
        said = site.run("alice", "ping", "-n", "-c", str(count), "-i", "0.005",
                        "-W", str(PING_WITHIN_S), "-I", source, destination)
    except NotMeasured:
        return []
    return [float(ms) for ms in re.findall(r"time=([0-9.]+) ms", said)]


class Series:
    """Samples of one case, or why there are none. `verdict`: how sg-a must treat its flows."""

    def __init__(self, site, name, verdict=None):
        self.site, self.name, self.verdict = site, name, verdict
        self.samples, self.why_not = {}, None
        self.left_out = {}  # why a sample is not among them -> how often

    def attempt(self, function, *arguments):
        """What function returns; after a first failure nothing more is tried."""
        if self.why_not is None:
            try:
                return function(*arguments)
            except NotMeasured as reason:
                self.why_not = str(reason)
        return None

    def take(self, key, function, *arguments):
        value = self.attempt(function, self.site, *arguments)
        if value is not None:
            self.samples.setdefault(str(key), []).append(value)

    def leave_out(self, reason):
        self.left_out[reason] = self.left_out.get(reason, 0) + 1

    def as_dict(self):
        return {"case": self.name, "not_measured": self.why_not, "left_out": self.left_out,
                "samples": self.samples}


def meet(case):
    """Alice and bob have spoken, and their flow is treated as the case says."""
    if not ping_times(case.site, ALICE, BOB):
        raise NotMeasured(f"bob did not answer the first ping in {PING_WITHIN_S} s")
    case.site.expect(BOB, case.verdict)


def throughput(cases, repeats, seconds):
    """In turns, so that what else the machine does meets every case alike."""
    for case in cases:
        case.attempt(meet, case)
        case.attempt(serve, case.site)
    for _ in range(repeats):
        for streams in STREAMS:
            for case in cases:
                case.take(streams, transfer, streams, seconds)
    for case in cases:
        case.attempt(case.site.expect, BOB, case.verdict)
    return [case.as_dict() for case in cases]


def median_ping(site, count):
    times = ping_times(site, ALICE, BOB, count)
    if len(times) < count:
        raise NotMeasured(f"{count - len(times)} of {count} pings without a reply")
    return statistics.median(times)


def round_trips(cases, repeats, count):
    """Round trips of a flow that is there already: the median of each repeat, in ms."""
    for case in cases:
        case.attempt(meet, case)
    for _ in range(repeats):
        for case in cases:
            case.take("ms", median_ping, count)
    return [case.as_dict() for case in cases]


def first_ping(case, to, number):
    """The first datagram between two addresses that have not met."""
    destination = fresh(to, number)
    times = ping_times(case.site, fresh("alice", number), destination)
    verdict = case.attempt(case.site.verdict, destination)
    if not times:
        case.leave_out("no reply")
    elif verdict != case.verdict:
        case.leave_out(f"sg-a says '{verdict}' of the flow, not '{case.verdict}'")
    else:
        case.samples.setdefault("ms", []).append(times[0])


def first_replies(cases, count):
    """cases: (Series, whose addresses are pinged). Each pair of addresses is used once."""
    for case, _ in cases:
        case.attempt(meet_anyhow, case)
    for number in range(count):
        for case, to in cases:
            if case.why_not is None:
                first_ping(case, to, number)
    return [case.as_dict() for case, _ in cases]


def meet_anyhow(case):
    """Links and gateways are awake: only the pair of addresses is new afterwards."""
    for address in (BOB, CAROL):
        if not ping_times(case.site, ALICE, address):
            raise NotMeasured(f"{address} did not answer a ping in {PING_WITHIN_S} s")


def first_contacts(case, first_number, count):
    """As first_replies, but both gateways begin anew before each: no answer, no IKE SA is there."""
    for number in range(first_number, first_number + count):
        case.attempt(case.site.restart, "sg-a", "sg-b")
        if case.why_not is None:
            first_ping(case, "bob", number)
    return case.as_dict()
