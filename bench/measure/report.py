"""The results as tables for people; the range of the samples stands behind each median.

Where every case has a sample of each turn, a ratio is the median of the ratios within one turn, so
that a machine which is busy now and then does not bend it. Otherwise it is the ratio of medians.
"""

import statistics

KINDS = {
    "stranger": "tunnel to a gateway of its own",
    "known": "further tunnel, known gateway",
    "clear": "clear flow (no delegation)",
}


def median(case, key):
    samples = case["samples"].get(key)
    return statistics.median(samples) if samples else None


def spread(samples, form):
    return f"({format(min(samples), form)} to {format(max(samples), form)})" if samples else ""


def number(value, form):
    return "-" if value is None else format(value, form)


def ratio(case, base, key):
    samples, against = case["samples"].get(key), base["samples"].get(key)
    if not samples or not against:
        return "-"
    if len(samples) == len(against):
        return f"{statistics.median(a / b for a, b in zip(samples, against)):.3g}"
    return f"{statistics.median(samples) / statistics.median(against):.3g}"


def by_name(cases):
    return {case["case"]: case for case in cases}


def why_not(cases):
    for case in cases:
        if case["not_measured"]:
            yield f"  {case['case']}: not measured: {case['not_measured']}"
        for reason, count in case["left_out"].items():
            yield f"  {case['case']}: {count} not counted: {reason}"


def heading(result):
    machine = result["machine"]
    return (f"Cygnet benchmark: {machine['processor']}, {machine['cores']} cores, "
            f"Linux {machine['kernel']}, load {machine['load']:.1f} at the start")


def throughput(section, size):
    cases = section["cases"]
    base = by_name(cases)["absent"]
    clear = by_name(cases)["clear through Cygnet"]
    yield (f"TCP alice to bob, Gbit/s received: medians of {size['repeats']} transfers of "
           f"{size['seconds']} s, the cases in turns")
    for streams in ("1", "4"):
        yield f"  {streams + ' stream' + 's' * (streams != '1'):25}{'median':>9}  {'/ absent':>9}" \
              f"{'/ clear':>9}   range"
        for case in cases:
            yield (f"    {case['case']:23}{number(median(case, streams), '.2f'):>9}  "
                   f"{ratio(case, base, streams):>9}{ratio(case, clear, streams):>9}"
                   f"   {spread(case['samples'].get(streams), '.2f')}")
    yield from why_not(cases)


def round_trips(section, size):
    yield (f"Round trip of a flow that is there, ms: medians of {size['repeats']} times "
           f"{size['pings']} pings")
    yield f"  {'':43}{'median':>9}  {'/ absent':>9}   range"
    base = by_name(section["cases"])["absent"]
    for case in section["cases"]:
        yield (f"    {case['case']:41}{number(median(case, 'ms'), '.3f'):>9}  "
               f"{ratio(case, base, 'ms'):>9}   {spread(case['samples'].get('ms'), '.3f')}")
    yield from why_not(section["cases"])


def first_reply(section, size, plain):
    """plain: the median round trip without Cygnet, in ms."""
    yield (f"First ping of two addresses that never met, ms until its reply: medians of "
           f"{size['pairs']} pairs ({size['contacts']} first contacts)")
    yield f"  {'':43}{'median':>9}  {'/ absent':>9}{'round trips':>13}   range"
    base = by_name(section["cases"])["absent"]
    for case in section["cases"]:
        value = median(case, "ms")
        trips = "-" if value is None or not plain else f"{value / plain:.0f}"
        yield (f"    {case['case']:41}{number(value, '.2f'):>9}  {ratio(case, base, 'ms'):>9}"
               f"{trips:>13}   {spread(case['samples'].get('ms'), '.2f')}")
    yield from why_not(section["cases"])


def memory(section):
    yield "Heap, octets each (DNS answers cached for it included; the kernel's verdict map is not)"
    if section.get("not_measured"):
        yield f"  not measured: {section['not_measured']}"
        return
    yield f"  {'':41}{'initiator':>16}{'responder':>18}"
    yield f"  {'':32}{'count':>8}{'keyd':>9}{'plane':>8}{'keyd':>10}{'plane':>8}"
    for row in section["rows"]:
        yield (f"    {KINDS[row['kind']]:30}{row['count']:>8}{row['initiator_keyd']:>9}"
               f"{row['initiator_plane']:>8}{row['responder_keyd']:>10}{row['responder_plane']:>8}")


def processes(section):
    yield "Whole processes of sg-a after these runs, MiB (shared pages counted by share)"
    if section.get("not_measured"):
        yield f"  not measured: {section['not_measured']}"
        return
    for name, octets in section["rows"]:
        yield f"    {name:30}{octets / 2 ** 20:8.1f}"


def handshakes(section):
    yield "Tunnels a second, both gateways in one process on one core"
    if section.get("not_measured"):
        yield f"  not measured: {section['not_measured']}"
        return
    yield f"  {section['suite']}, {section['key']}: medians of {len(section['samples'])} runs"
    yield f"  {'':32}{'a second':>10}{'keys alone':>12}{'share':>8}"
    for name, words in (("full", "phase 1 and phase 2"), ("quick", "phase 2 alone")):
        yield (f"    {words:30}{section[name]:>10.0f}{section[name + '_bare']:>12.0f}"
               f"{section[name] / section[name + '_bare']:>8.2f}")
    yield (f"    us each: sign {section['sign_us']:.0f}, verify {section['verify_us']:.0f}, "
           f"DH value {section['dh_new_us']:.0f}, DH secret {section['dh_shared_us']:.0f}")


def ike2(section, whole, swan):
    """whole, swan: what two Cygnets and two strongSwan daemons did in the same run."""
    yield "IKE SAs of version 2 a second of processor time, X25519, both ends together"
    if section.get("not_measured"):
        yield f"  not measured: {section['not_measured']}"
        return
    yield (f"  {'':22}{'keys alone':>12}{'engines':>10}{'share':>8}{'Cygnet':>10}{'strongSwan':>12}"
           f"{'ratio':>8}")
    for name, words in (("psk", "shared key"), ("ecdsa", "ECDSA P-256 keys")):
        ours, theirs = whole.get(name), swan.get(name)
        yield (f"    {words:20}{section[name + '_bare']:>12.0f}{section[name]:>10.0f}"
               f"{section[name] / section[name + '_bare']:>8.2f}{number(ours, '.0f'):>10}"
               f"{number(theirs, '.0f'):>12}{number(ours and theirs and ours / theirs, '.2f'):>8}")
    yield ("    (engines: no sockets or processes. Cygnet and strongSwan: all their processes, on the wire; "
           "Cygnet")
    yield "    and its engines with a child each, which Cygnet installs; strongSwan without)"
    for name, each in (("Cygnet", whole), ("strongSwan", swan)):
        if each.get("not_measured"):
            yield f"    {name}: not measured: {each['not_measured']}"
        else:
            yield (f"    {name} by the clock, on all cores: {each['psk_clock']:.0f} and "
                   f"{each['ecdsa_clock']:.0f} a second")
    yield (f"    us each: sign {section['sign_us']:.0f}, verify {section['verify_us']:.0f}, "
           f"DH value {section['dh_new_us']:.0f}, DH secret {section['dh_shared_us']:.0f}")
    yield (f"    {section['held']} idle at once, heap of each with its child: initiator "
           f"{section['octets'][0]} octets, responder {section['octets'][1]}")


def pauses(section):
    yield "An established peer while strangers begin IKE SAs with MODP-4096: public-key work in the loop, in threads"
    if section.get("not_measured"):
        yield f"  not measured: {section['not_measured']}"
        return
    yield f"  {'':56}{'loop':>9}{'threads':>9}{'ratio':>8}"
    for load, words in (("half", "half a processor's worth"), ("double", "two processors' worth")):
        for name, what in (("turn", "longest turn, processor ms"), ("median", "answer, ms"),
                           ("late", "99th percentile, ms"), ("answered", "strangers answered")):
            loop, threads = (section[f"{load}_{how}_{name}"] for how in ("loop", "threads"))
            yield (f"    {words if name == 'turn' else '':26}{what:28}"[:58].ljust(58)
                   + f"{loop:>9.2f}{threads:>9.2f}{number(threads and loop / threads, '.2f'):>8}")
    yield "    us each: " + ", ".join(
        f"{name.split('_', 1)[1]} {value:.0f}" for name, value in section.items()
        if name.startswith(("respond_", "verify_")))


def uplinks(section):
    yield "An uplink is lost: ms until the tunnel's first packet on the other, and as round trips"
    if section.get("not_measured"):
        yield f"  not measured: {section['not_measured']}"
        return
    yield f"  {'round trip, ms':16}{'sent':>10}{'trips':>8}{'received':>12}{'trips':>8}   range"
    for row in section["rows"]:
        sent, received = statistics.median(row["sent"]), statistics.median(row["received"])
        yield (f"    {row['round_trip']:<14.2f}{sent:>10.2f}{sent / row['round_trip']:>8.2f}{received:>12.2f}"
               f"{received / row['round_trip']:>8.2f}   {spread(row['received'], '.2f')}")
    for row in section["rows"]:
        if "unproved" in row:
            yield (f"    received at an address that the peer has to check first, {row['round_trip']:.2f} ms "
                   f"away: {row['unproved']:.2f} ms, {row['unproved'] / row['round_trip']:.2f} trips")


def rsip(section):
    yield "RSIP server alone"
    if section.get("not_measured"):
        yield f"  not measured: {section['not_measured']}"
        return
    yield (f"    {section['registrations']:.0f} registrations and {section['assignments']:.0f} assignments a "
           f"second; {section['host_octets']:.0f} octets of heap for a host, {section['lease_octets']:.0f} more "
           "for its lease")
    ratio = section["forward_ns"] / section["forward_few_ns"]
    yield (f"    a datagram in and one out: {section['forward_few_ns']:.0f} ns through {section['few']:.0f} "
           f"leases, {section['forward_ns']:.0f} ns through {section['leases']:.0f}: {ratio:.1f} times as much")


def movers(section):
    yield "Peers that move within a minute"
    if section.get("not_measured"):
        yield f"  not measured: {section['not_measured']}"
        return
    for way, name in (("", "MOBIKE"), ("draft ", "draft-dupont-ikev2-addrmgmt-06")):
        yield (f"    {name}: {section[way + 'peers']:.0f} peers, {section[way + 'hand_overs']:.0f} hand-overs: "
               f"{section[way + 'hand_over_us']:.0f} us each, {section[way + 'octets_a_peer']:.0f} octets of heap a peer")


def models(section):
    yield "Drawing a protocol model, ms from the file's octets"
    if section.get("not_measured"):
        yield f"  not measured: {section['not_measured']}"
        return
    yield f"  {'':32}{'text':>10}{'SVG':>10}"
    yield (f"    {section['messages']:.0f} messages in a ladder".ljust(34)
           + f"{section['ladder text']:>10.2f}{section['ladder svg']:>10.2f}")
    yield (f"    {section['states']:.0f} states in a machine".ljust(34)
           + f"{section['machine text']:>10.2f}{section['machine svg']:>10.2f}")


def text(result):
    yield heading(result)
    plain = median(by_name(result["round_trips"]["cases"])["absent"], "ms")
    size = result["size"]
    for lines in (throughput(result["throughput"], size), round_trips(result["round_trips"], size),
                  first_reply(result["first_reply"], size, plain),
                  handshakes(result["handshakes"]), ike2(result["ike2"], result["keyd_ike"], result["swan_ike"]),
                  pauses(result["pauses"]), memory(result["memory"]),
                  processes(result["processes"]), uplinks(result["uplinks"]), rsip(result["rsip"]),
                  movers(result["movers"]), models(result["models"])):
        yield ""
        yield from lines
