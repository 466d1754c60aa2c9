"""Bounded load for the tests of floods: one datagram to each of many addresses that nobody has.

    scan.py FIRST COUNT RATE     UDP port 9, addresses of 198.18.0.0/16, at most RATE a second

Their last two octets have three digits, so that a packet filter can know the question about any of them.
"""

import socket
import sys
import time

THREE_DIGITS = 156  # numbers from 100 to 255


def main():
    first, count, rate = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if first + count > THREE_DIGITS * THREE_DIGITS:
        sys.exit("scan.py: too many")
    begun = time.monotonic()
    refused = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for i in range(count):
            ahead = i / rate - (time.monotonic() - begun)
            if ahead > 0.001:
                time.sleep(ahead)
            third, fourth = divmod(first + i, THREE_DIGITS)
            try:
                out.sendto(b"x" * 32, (f"198.18.{100 + third}.{100 + fourth}", 9))
            except OSError:
                refused += 1
    print(f"{count} datagrams in {time.monotonic() - begun:.2f} s, {refused} refused")
    sys.exit(refused > 0)


if __name__ == "__main__":
    main()
