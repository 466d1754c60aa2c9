#include "seeds.h"

#include "wire/ip.h"

static uint8_t room[2 + 4096];

static struct ip_addr addr(const char *text)
{
    struct ip_addr parsed = {0};
    (void)ip_addr_parse(text, &parsed);
    return parsed;
}

/* A datagram behind an MTU of 576; returns the length of both. */
static size_t make(bool v6, uint8_t proto, uint32_t total_len, bool dont_fragment)
{
    struct ip_header header = {
        .src = addr(v6 ? "2001:db8:1::65" : "192.1.0.65"),
        .dst = addr(v6 ? "2001:db8:2::66" : "192.2.0.66"),
        .total_len = total_len,
        .id = v6 ? 0 : 0x1234,
        .proto = proto,
        .tos = 0xb8 | IP_ECN_ECT0,
        .ttl = 64,
        .dont_fragment = dont_fragment,
    };
    memset(room, 0, sizeof(room));
    room[0] = 576 >> 8;
    room[1] = 576 & 0xff;
    ip_header_write(&header, room + 2);
    return 2 + total_len;
}

static void put_v6_extensions(const struct seed_sink *sink)
{
    static const uint8_t chain[] = {
        60,           0,    1,    4,    0, 0, 0, 0, /* hop by hop */
        44,           0,    1,    4,    0, 0, 0, 0, /* destination options */
        IP_PROTO_UDP, 0,    0,    1,    0, 0, 0, 9, /* a first fragment */
        0x11,         0x94, 0x11, 0x94, 0, 8, 0, 0};
    size_t len = make(true, 0, IP_V6_HEADER + sizeof(chain), true);
    memcpy(room + 2 + IP_V6_HEADER, chain, sizeof(chain));
    seed_put(sink, "v6-extensions", view_of(room, len));
    room[2 + IP_V6_HEADER + 19] = 9; /* a later one */
    seed_put(sink, "v6-later-fragment", view_of(room, len));
    room[2 + IP_V6_HEADER + 1] = 0xff; /* an option header longer than the datagram */
    seed_put(sink, "v6-hostile-extension", view_of(room, len));
}

void seeds_ip(const struct seed_sink *sink)
{
    seed_put(sink, "v4-tcp", view_of(room, make(false, IP_PROTO_TCP, 40, true)));
    seed_put(sink, "v4-to-cut", view_of(room, make(false, IP_PROTO_UDP, 2000, false)));
    seed_put(sink, "v4-icmp", view_of(room, make(false, IP_PROTO_ICMP, 28, false)));
    seed_put(sink, "v6-udp", view_of(room, make(true, IP_PROTO_UDP, 1400, true)));
    seed_put(sink, "v6-icmp", view_of(room, make(true, IP_PROTO_ICMPV6, 48, true)));
    seed_put(sink, "v4-hostile-short", view_of(room, make(false, IP_PROTO_UDP, 60, false) - 9));
    put_v6_extensions(sink);
}
