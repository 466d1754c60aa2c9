#include "seeds.h"

#include <stdio.h>

#include "wire/l2tp.h"

static uint8_t room[512];

static struct view build(const struct l2tp_message *m)
{
    const struct l2tp_header header = {.tunnel = 7, .session = 9, .ns = 3, .nr = 4};
    struct builder b = builder_on(span_of(room, sizeof(room)));
    l2tp_message_build(&b, &header, m);
    return builder_written(&b);
}

/* One message, and what each kind of peer does to it. */
void seeds_l2tp(const struct seed_sink *sink)
{
    static const uint8_t octets[L2TP_RESPONSE] = {1, 2, 3};
    struct l2tp_message m = {.present = (1 << 13) - 1,
                             .result = 2,
                             .error = 6,
                             .version = 0x0100,
                             .framing = 3,
                             .host_name = view_of_text("host"),
                             .tunnel = 77,
                             .window = 4,
                             .challenge = view_of(octets, sizeof(octets)),
                             .response = view_of(octets, sizeof(octets)),
                             .session = 88,
                             .serial = 1,
                             .speed = 1000000,
                             .call_framing = 1};
    static const uint8_t frame[] = {0x40, 2,    0,    18, 0, 7, 0, 9, 0xff,
                                    3,    0xc0, 0x21, 1,  1, 0, 4, 0, 0};
    static const uint8_t sequenced[] = {0x0a, 2, 0, 7, 0, 9, 0, 1, 0, 2, 0, 2, 0, 0, 0x21, 0x45};
    char name[40];

    for (m.type = 0; m.type < 18; m.type++) {
        snprintf(name, sizeof(name), "type-%02u", m.type);
        seed_put(sink, name, build(&m));
    }
    m.type = L2TP_SCCRQ;
    struct view whole = build(&m);
    seed_put(sink, "hostile-cut", view_of(whole.ptr, whole.len - 3));
    room[L2TP_CONTROL_HEADER] |= 0x40;
    seed_put(sink, "hostile-hidden-type", whole);
    room[L2TP_CONTROL_HEADER] &= 0xbf;
    room[L2TP_CONTROL_HEADER + 9] = 0xff; /* an attribute's length */
    seed_put(sink, "hostile-length", whole);
    room[L2TP_CONTROL_HEADER + 9] = 2;
    seed_put(sink, "hostile-short-attribute", whole);
    seed_put(sink, "frame", view_of(frame, sizeof(frame)));
    seed_put(sink, "frame-sequenced-with-offset", view_of(sequenced, sizeof(sequenced)));
}

/* fuzz_rsip_l2tp's operations: see there. */
#define PASS4 0, 0, 0, 0, 0, 0, 0, 0
#define PASS16 PASS4, PASS4, PASS4, PASS4
#define LCP(code, ...) 0xff, 3, 0xc0, 0x21, code, 1, __VA_ARGS__
void seeds_rsip_l2tp(const struct seed_sink *sink)
{
    static const uint8_t plain[] = {0, PASS16, PASS16, 5, 120, PASS16, 10, 0, PASS16};
    static const uint8_t secret[] = {3 | 8, PASS16, PASS16, PASS16, 5, 200, PASS4};
    static const uint8_t one_secret[] = {1, PASS16, 5, 200, PASS16};
    static const uint8_t lossy[] = {8,     0, 3, PASS4, 5,  40,     0,     2,
                                    PASS4, 0, 1, 5,     90, PASS16, PASS16};
    static const uint8_t restart[] = {0,   PASS16, PASS16, 11,  0,      5,
                                      120, PASS16, 5,      120, PASS16, PASS16};
    static const uint8_t lease[] = {8,   PASS16, PASS16, 9,      0, 9, 1,     5,
                                    250, 5,      250,    PASS16, 9, 2, PASS16};
    static const uint8_t forged[] = {0, PASS16, PASS16, 7 + 24, 0, 8, 0x80, 8, 0, 0, 0,  0,    0, 4,
                                     7, 16,     8,      0x80,   8, 0, 0,    0, 0, 0, 14, PASS4};
    static const uint8_t ppp[] = {0,
                                  PASS16,
                                  PASS16,
                                  8 + 12,
                                  0,
                                  10,
                                  LCP(5, 0, 4),
                                  0,
                                  0,
                                  8 + 24,
                                  0,
                                  12,
                                  LCP(1, 0, 8, 1, 4, 5, 220),
                                  8 + 24,
                                  0,
                                  14,
                                  LCP(9, 0, 8, 1, 2, 3, 4),
                                  0,
                                  0,
                                  PASS16};
#define PUT(name) seed_put(sink, #name, view_of(name, sizeof(name)))
    PUT(plain);
    PUT(secret);
    PUT(one_secret);
    PUT(lossy);
    PUT(restart);
    PUT(lease);
    PUT(forged);
    PUT(ppp);
#undef PUT
}
