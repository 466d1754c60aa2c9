#!/bin/sh
# The core does no IO: its archives reference no symbol that reads a clock, a socket, a file or the
# system's random numbers. Usage: core_no_io.sh ARCHIVE...
set -eu
forbidden='socket|bind|connect|accept4?|listen|send|sendto|sendmsg|sendmmsg|recv|recvfrom|recvmsg|recvmmsg|read|readv|write|writev|open|open64|openat|fopen|fopen64|fdopen|ioctl|poll|ppoll|select|epoll_[a-z0-9]+|clock_gettime|clock_nanosleep|gettimeofday|time|nanosleep|usleep|sleep|getrandom|getentropy|rand|random|arc4random[a-z_]*|RAND_bytes|RAND_priv_bytes|printf|__printf_chk|fprintf|__fprintf_chk|vprintf|puts|putchar|perror|syslog|getenv|secure_getenv|fork|vfork|execve?|system|popen|kill|pthread_create'
[ $# -gt 0 ] || { echo "no archives given" >&2; exit 2; }
bad=0
for archive; do
    undefined=$(nm -u "$archive" | awk '$1 == "U" {print $2}' | sed 's/@.*//' | sort -u)
    [ -n "$undefined" ] || { echo "$archive: nm shows nothing; is it an archive?" >&2; exit 2; }
    found=$(printf '%s\n' "$undefined" | grep -E "^($forbidden)\$" || true)
    if [ -n "$found" ]; then
        echo "$archive references $(echo $found)" >&2
        bad=1
    fi
done
exit $bad
