"""The lab's DNS contents: zones, their keys, their signatures, and the one record that lies.

Each zone has one ECDSA P-256 key and its DS in the root zone; the root's key is the trust anchor.
"""

import glob
import os
import re

from .common import LabError, run

TTL = 300
NEGATIVE_TTL = 60
REFRESH = 3600


def header(zone, serial, ttl):
    yield f"$TTL {ttl}"
    yield (f"{zone} IN SOA dns.example. hostmaster.example. {serial} {REFRESH} 900 86400 "
           f"{min(ttl, NEGATIVE_TTL)}")
    yield f"{zone} IN NS dns.example."


def host_records(lab):
    """Names and reverse names of all hosts, as (owner, record)."""
    for host in lab.hosts.values():
        for address in host.own_addresses():
            name = f"{host.name}.example."
            kind = "AAAA" if address.version == 6 else "A"
            yield name, f"{name} IN {kind} {address.ip}"
        for address in host.all_addresses():
            owner = address.ip.reverse_pointer + "."
            yield owner, f"{owner} IN PTR {host.name}.example."


def split_records(text):
    """Cut master file text into (owner, record); a record in parentheses may span lines."""
    record, depth = "", 0
    for line in text.splitlines():
        bare = re.sub(r'"[^"]*"', "", line)
        depth += bare.count("(") - bare.count(")")
        record += line + "\n"
        if depth == 0:
            if record.strip() and not record.lstrip().startswith(";"):
                yield record.split()[0].lower(), record.rstrip("\n")
            record = ""


def zone_of(zones, owner):
    """The zone a record belongs to: the longest one that is a suffix of its owner."""
    fitting = [z for z in zones if owner == z or owner.endswith("." + z)]
    return max(fitting, key=len, default=".")


def make_zone_key(lab, zone):
    """Returns the base name of the key's files."""
    return run("dnssec-keygen", "-q", "-K", lab.path("dns", "keys"), "-a", "ECDSAP256SHA256",
               "-f", "KSK", zone).strip()


def key_record(lab, key):
    with open(lab.path("dns", "keys", key + ".key")) as file:
        return "".join(line for line in file if not line.startswith(";")).strip()


def delegation(lab, zone, key):
    """What the root says about a zone; key is None for an unsigned one."""
    yield f"{zone} IN NS dns.example."
    if key:
        yield run("dnssec-dsfromkey", "-2", lab.path("dns", "keys", key + ".key")).strip()


def file_of(lab, zone):
    return lab.path("dns", "zones", zone.rstrip(".") or "root")


def write_zone(lab, zone, lines, key, serial=1, ttl=TTL):
    """Write a zone file; with a key, sign it in place, one record a line. The lines are kept."""
    path = file_of(lab, zone)
    with open(path + ".lines", "w") as file:
        file.write(f"; {serial} {ttl}\n" + "".join(f"{line}\n" for line in lines))
    with open(path, "w") as file:
        file.write("\n".join([*header(zone, serial, ttl), *lines, *([key_record(lab, key)] if key else [])]) + "\n")
    if key:
        # -z: the one key signs everything, -P: no second look at the result
        run("dnssec-signzone", "-z", "-P", "-o", zone, "-O", "full", "-d", lab.path("dns", "keys"),
            "-f", path + ".signed", path, lab.path("dns", "keys", key))
        os.rename(path + ".signed", path)


def tamper(lab, host):
    """After signing: the host's delegations name another gateway than the one that was signed."""
    signed, liar = lab.hosts[host.delegate].outside, lab.hosts[host.tampered].outside
    for address, old, new in zip(host.own_addresses(), signed, liar):
        owner = address.ip.reverse_pointer + "."
        path = file_of(lab, zone_of(lab.signed_zones, owner))
        with open(path) as file:
            lines = file.readlines()
        for number, line in enumerate(lines):
            fields = line.split()
            if len(fields) > 3 and fields[0] == owner and fields[3] in ("TXT", "IPSECKEY"):
                lines[number] = re.sub(rf"(?<![0-9a-f:.]){re.escape(str(old.ip))}(?![0-9a-f:.])",
                                       str(new.ip), line)
        with open(path, "w") as file:
            file.writelines(lines)


def read_lines(lab, zone):
    """A zone's unsigned records, and the serial and TTL they were last written with."""
    with open(file_of(lab, zone) + ".lines") as file:
        serial, ttl = file.readline().split()[1:]
        return [record for _, record in split_records(file.read())], int(serial), int(ttl)


def key_of(lab, zone):
    found = glob.glob(lab.path("dns", "keys", f"K{glob.escape(zone)}+*.key"))
    return os.path.basename(found[0])[:-len(".key")] if found else None


def is_about(record, owner, kind):
    fields = record.split()
    return fields[0].lower() == owner and (kind is None or kind in fields[1:5])


def change(lab, additions, removals):
    """Add records, after removing others by (owner, type or None). Yields (zone, new serial)."""
    all_zones = [".", *lab.signed_zones, *lab.unsigned_zones]
    additions = [pair for text in additions for pair in split_records(text)]
    touched = {zone_of(all_zones, owner) for owner in
               [owner for owner, _ in additions] + [owner for owner, _ in removals]}
    for zone in sorted(touched):
        lines, serial, ttl = read_lines(lab, zone)
        for owner, kind in removals:
            left = [line for line in lines if not is_about(line, owner, kind)]
            if zone_of(all_zones, owner) == zone and len(left) == len(lines):
                raise LabError(f"{zone} holds no such record of {owner}", f"look into {zone}'s .lines")
            lines = left
        lines += [record for owner, record in additions if zone_of(all_zones, owner) == zone]
        write_zone(lab, zone, lines, key_of(lab, zone), serial + 1, ttl)
        for host in lab.hosts.values():
            if host.tampered:
                tamper(lab, host)
        yield zone, serial + 1


def write_etc(lab):
    """What commands on the lab's hosts see as /etc/hosts and /etc/resolv.conf."""
    os.makedirs(lab.path("dns", "etc"), exist_ok=True)
    with open(lab.path("dns", "etc", "hosts"), "w") as file:
        file.write("127.0.0.1 localhost\n::1 localhost\n")
        for host in lab.hosts.values():
            for address in host.own_addresses():
                file.write(f"{address.ip} {host.name} {host.name}.example\n")
    with open(lab.path("dns", "etc", "resolv.conf"), "w") as file:
        file.write(f"nameserver {lab.hosts['dns'].outside[0].ip}\nsearch example\n")


def create(lab, pool, gateway_records, ttl=TTL):
    """Make all zone files. gateway_records: iterable of texts in master file syntax (or futures)."""
    for directory in ("keys", "zones"):
        os.makedirs(lab.path("dns", directory))
    write_etc(lab)
    zones = [".", *lab.signed_zones, *lab.unsigned_zones]
    keys = dict(zip([".", *lab.signed_zones],
                    pool.map(lambda zone: make_zone_key(lab, zone), [".", *lab.signed_zones])))
    contents = {zone: [] for zone in zones}
    delegations = pool.map(lambda zone: list(delegation(lab, zone, keys.get(zone))), zones[1:])
    contents["."] = [line for lines in delegations for line in lines]
    contents["."] += [f"dns.example. IN {'AAAA' if a.version == 6 else 'A'} {a.ip}"
                      for a in lab.hosts["dns"].outside]
    for owner, record in host_records(lab):
        contents[zone_of(zones, owner)].append(record)
    for text in gateway_records:
        for owner, record in split_records(text.result()):
            contents[zone_of(zones, owner)].append(record)
    list(pool.map(lambda zone: write_zone(lab, zone, contents[zone], keys.get(zone),
                                          ttl=ttl), zones))
    for host in lab.hosts.values():
        if host.tampered:
            tamper(lab, host)
    with open(lab.trust_anchor(), "w") as file:
        file.write(key_record(lab, keys["."]) + "\n")
