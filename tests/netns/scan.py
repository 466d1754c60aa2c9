"""Bounded load for the tests of floods: one datagram to each of many addresses that nobody has.

    scan.py COUNT RATE     UDP port 9, COUNT addresses of 198.18.0.0/16, at most RATE a second

Their last two octets have three digits, so that a packet filter can know the question about any of them.
"""

import socket
import sys
import time

THREE_DIGITS = 156  # numbers from 100 to 255


def main():
    count, rate = int(sys.argv[1]), int(sys.argv[2])
    if count > THREE_DIGITS * THREE_DIGITS:
        sys.exit("scan.py: too many")
    begun = time.monotonic()
    refused = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for i in range(count):
            ahead = i / rate - (time.monotonic() - begun)
            if ahead > 0.001:
                time.sleep(ahead)
            try:
                out.sendto(b"x" * 32,
                           (f"198.18.{100 + i // THREE_DIGITS}.{100 + i % THREE_DIGITS}", 9))
            except OSError:
                refused += 1
    print(f"{count} datagrams in {time.monotonic() - begun:.2f} s, {refused} refused")
    sys.exit(refused > 0)


if __name__ == "__main__":
    main()
