#include "seeds.h"

#include "wire/ip.h"

/* The first octet, as fuzz_esp.c reads it. */
enum { SEALED = 0x80, ESN = 0x40, CE = 0x20 };
enum { GCM_128 = 0, GCM_256 = 2, TRIPLE_DES = 5, AES_CBC = 9, CHACHA = 28, GCM_ICV_8 = 29, GCM_ICV_12 = 30 };

static uint8_t room[1 + 512];

/* A text as it is before sealing: a datagram, padding to whole blocks of 16, a trailer. */
static void put_text(const struct seed_sink *sink, const char *name, uint8_t choice, bool v6,
                     uint32_t len)
{
    struct ip_header header = {.total_len = len, .proto = IP_PROTO_UDP, .tos = IP_ECN_ECT0};
    (void)ip_addr_parse(v6 ? "2001:db8:1::65" : "192.1.0.65", &header.src);
    (void)ip_addr_parse(v6 ? "2001:db8:2::66" : "192.2.0.66", &header.dst);
    memset(room, 0, sizeof(room));
    room[0] = choice;
    ip_header_write(&header, room + 1);
    uint8_t *trailer = room + 1 + len;
    uint8_t pad_len = (uint8_t)((16 - (len + 2) % 16) % 16);
    for (uint8_t i = 0; i < pad_len; i++)
        trailer[i] = (uint8_t)(i + 1);
    trailer[pad_len] = pad_len;
    trailer[pad_len + 1] = v6 ? IP_PROTO_IPV6 : IP_PROTO_IPV4;
    seed_put(sink, name, view_of(room, 1 + len + pad_len + 2));
}

/* The right SPI and number one, and nothing else right. */
static void put_forgery(const struct seed_sink *sink, const char *name, uint8_t choice, size_t len)
{
    memset(room, 0x5a, sizeof(room));
    room[0] = choice;
    memcpy(room + 1, "\x10\x20\x30\x40\0\0\0\1", 8);
    seed_put(sink, name, view_of(room, 1 + len));
}

void seeds_esp(const struct seed_sink *sink)
{
    put_text(sink, "gcm-128-v4", SEALED | ESN | GCM_128, false, 84);
    put_text(sink, "gcm-256-v6", SEALED | GCM_256, true, 100);
    put_text(sink, "gcm-128-v4-marked", SEALED | CE | GCM_128, false, 61);
    put_text(sink, "chacha-v4", SEALED | CHACHA, false, 84);
    put_text(sink, "chacha-v6-esn", SEALED | ESN | CHACHA, true, 71);
    put_text(sink, "gcm-icv8-v4", SEALED | GCM_ICV_8, false, 84);
    put_text(sink, "gcm-icv12-v6", SEALED | GCM_ICV_12, true, 84);
    put_text(sink, "cbc-v4", SEALED | AES_CBC, false, 77);
    put_text(sink, "cbc-v6-esn", SEALED | ESN | AES_CBC, true, 48);
    put_text(sink, "3des-v4", SEALED | TRIPLE_DES, false, 90);
    room[1 + 94 + 1] = IP_PROTO_NONE;
    seed_put(sink, "3des-dummy", view_of(room, 1 + 96));
    put_forgery(sink, "hostile-gcm", GCM_128, 8 + 8 + 64 + 16);
    put_forgery(sink, "hostile-cbc", ESN | AES_CBC, 8 + 16 + 64 + 16);
    put_forgery(sink, "hostile-chacha", CHACHA, 8 + 8 + 64 + 16);
    put_forgery(sink, "hostile-short", GCM_128, 20);
}
