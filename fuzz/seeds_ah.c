#include "seeds.h"

#include "wire/ip.h"

/* The first octet, as fuzz_ah.c reads it. */
enum { SEALED = 0x80, ESN = 0x40, SHA2_256 = 0, SHA2_512 = 2 };

static uint8_t room[1 + 256];

static void put_sum(uint8_t *header, size_t len)
{
    uint16_t sum = ip_sum_fold(ip_sum_add(0, view_of(header, len)));
    header[10] = (uint8_t)(sum >> 8);
    header[11] = (uint8_t)sum;
}

/* AH of `ah_len` octets and an inner datagram of 40 behind `front`. */
static void put_packet(const struct seed_sink *sink, const char *name, uint8_t choice,
                       struct view front, size_t ah_len)
{
    struct ip_header inner = {.total_len = 40, .proto = IP_PROTO_UDP, .ttl = 9};
    uint8_t *packet = room + 1, *ah = packet + front.len;
    memset(room, 0, sizeof(room));
    room[0] = choice;
    memcpy(packet, front.ptr, front.len);
    size_t len = front.len + ah_len + 40;
    if (packet[0] >> 4 == 4) {
        packet[3] = (uint8_t)len;
        put_sum(packet, front.len);
    } else {
        packet[5] = (uint8_t)(len - IP_V6_HEADER);
    }
    ah[0] = IP_PROTO_IPV4;
    (void)ip_addr_parse("192.1.0.65", &inner.src);
    (void)ip_addr_parse("192.2.0.66", &inner.dst);
    ip_header_write(&inner, ah + ah_len);
    seed_put(sink, name, view_of(room, 1 + len));
}

void seeds_ah(const struct seed_sink *sink)
{
    static const uint8_t v4[] = {0x45, 3, 0, 0, 0, 1, 0x40, 0, 64, 51, 0, 0, 192, 0, 2, 1, 192, 0, 2, 1};
    static const uint8_t options[] = {0x48, 0, 0, 0, 0, 1,    0,    0, 64, 51, 0, 0, 192, 0, 2,    1,
                                      192,  0, 2, 1, 7, 3,    4,    1, 0x94, 4, 0, 0, 0x44, 4, 5, 0};
    static const uint8_t bad[] = {0x46, 0, 0, 0, 0, 1, 0, 0, 64, 51, 0,  0,
                                  192,  0, 2, 1, 192, 0, 2, 1, 7, 60, 4, 1};
    uint8_t v6[IP_V6_HEADER + 16] = {0x6b, 1, 2, 3, 0, 0, IP_PROTO_AH, 64, 0x20, 1, 0xd, 0xb8};
    memcpy(v6 + 24, v6 + 8, 4);
    put_packet(sink, "v4", SEALED | SHA2_256, view_of(v4, sizeof(v4)), 28);
    put_packet(sink, "v4-esn-512", SEALED | ESN | SHA2_512, view_of(v4, sizeof(v4)), 44);
    put_packet(sink, "v4-options", SEALED | SHA2_256, view_of(options, sizeof(options)), 28);
    put_packet(sink, "v4-hostile-option", SEALED | SHA2_256, view_of(bad, sizeof(bad)), 28);
    put_packet(sink, "v4-not-sealed", SHA2_256, view_of(v4, sizeof(v4)), 28);
    put_packet(sink, "v6", SEALED | SHA2_256, view_of(v6, IP_V6_HEADER), 32);
    v6[6] = 0; /* hop by hop, with an option that may change; then destination options */
    memcpy(v6 + IP_V6_HEADER, "\x3c\0\x3e\4\1\2\3\4\x33\0\x1e\4\1\2\3\4", 16);
    put_packet(sink, "v6-extensions", SEALED | ESN | SHA2_256, view_of(v6, sizeof(v6)), 32);
    v6[IP_V6_HEADER + 3] = 9;
    put_packet(sink, "v6-hostile-option", SEALED | SHA2_256, view_of(v6, sizeof(v6)), 32);
}
