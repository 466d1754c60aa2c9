"""strongSwan's user-space ESP (kernel-libipsec) between sg-a and sg-b: IPsec without a kernel's help."""

import os
import secrets
import shutil

from .sites import NotMeasured, wait_for

PLUGIN = "/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so"
SIDES = {"sg-a": ("192.1.1.4", "192.1.0.0/24"), "sg-b": ("192.1.1.5", "192.2.0.0/24")}

DAEMON = """\
charon-systemd {{
    load = random nonce openssl hmac kdf gcm aes sha1 sha2 kernel-libipsec kernel-netlink socket-default vici
    threads = 16
    plugins {{ vici {{ socket = unix://{socket} }} }}
}}
"""

CONNECTION = """\
connections {{ lab {{
    version = 2
    local_addrs = {here}
    remote_addrs = {there}
    proposals = aes256-sha256-ecp256
    local {{ auth = psk }}
    remote {{ auth = psk }}
    children {{ lab {{
        local_ts = {near}
        remote_ts = {far}
        esp_proposals = aes256gcm16
    }} }}
}} }}
secrets {{ ike {{ secret = {secret} }} }}
"""


def missing():
    """Why it can't run, or None."""
    absent = [name for name in ("charon-systemd", "swanctl") if not shutil.which(name)]
    if not os.path.exists(PLUGIN):
        absent.append("its kernel-libipsec plugin")
    return f"{' and '.join(absent)} not installed" if absent else None


class Side:
    """One gateway's files and daemon."""

    def __init__(self, site, gateway, peer, secret):
        self.site, self.gateway = site, gateway
        self.directory = site.lab.path(gateway)
        self.socket = os.path.join(self.directory, "vici.sock")
        here, near = SIDES[gateway]
        there, far = SIDES[peer]
        self.write("strongswan.conf", DAEMON.format(socket=self.socket))
        self.write("swanctl.conf", CONNECTION.format(here=here, there=there, near=near, far=far,
                                                     secret=secret))

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w") as file:
            file.write(text)

    def run_by(self, function, *words):
        return function(self.gateway, "env", f"STRONGSWAN_CONF={self.directory}/strongswan.conf",
                        f"SWANCTL_DIR={self.directory}", *words)

    def start(self):
        self.run_by(self.site.start, "charon-systemd")
        wait_for(f"strongSwan on {self.gateway}", lambda: os.path.exists(self.socket))
        self.control("--load-all")

    def control(self, *words):
        return self.run_by(self.site.run, "swanctl", *words, "--uri", f"unix://{self.socket}")


def start(site):
    """A tunnel for everything between the nets of alice and bob."""
    reason = missing()
    if reason:
        raise NotMeasured(reason)
    secret = secrets.token_hex(32)
    sides = [Side(site, "sg-a", "sg-b", secret), Side(site, "sg-b", "sg-a", secret)]
    for side in sides:
        side.start()
    sides[0].control("--initiate", "--child", "lab", "--timeout", "20")
