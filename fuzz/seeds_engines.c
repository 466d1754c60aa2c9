/* Event sequences for fuzz_control and forgeries for fuzz_ike: see there how octets are read. */
#include "seeds.h"

#include <stdio.h>

/* fuzz_control's operations */
enum {
    TIME,
    SEND,
    ALTER,
    LOSE,
    REPEAT,
    DATAGRAM,
    PFKEY,
    REPORT,
    SIGNATURE,
    ANSWER,
    STRAY,
    CRASH,
    SHUTDOWN,
    DNS,
};
/* indexes of op_time() */
enum { US_200, MS_1, MS_5, MS_20, MS_100, S_1, S_8, S_20, S_30, M_1, M_10, M_20, H_1 };
/* hosts: the first behind each gateway, then the others */
enum { ALICE, BOB, SAM, ANNA, BERT, STAN, ADA, BEN, SUE };
enum { SUBJECT, PEER, STRANGER, OWN = 0 };
/* op_report()'s types */
enum { ACQUIRE, EXPIRE, UNKNOWN_SPI, TRACE };

#define BEGIN SEND, ALICE, BOB, OWN

static const struct {
    const char *name;
    uint8_t octets[48];
    size_t len;
} control_seeds[] = {
#define SEED(name, ...)                                                                            \
    {                                                                                              \
        name, {__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})                                \
    }
    SEED("tunnel", BEGIN, TIME, S_1, SEND, BOB, ALICE, OWN, TIME, S_1, BEGIN, TIME, M_1),
    SEED("both-begin", BEGIN, SEND, BOB, ALICE, OWN, TIME, S_1, BEGIN, SEND, BOB, ALICE, OWN),
    SEED("key-lookup", SEND, BOB, ANNA, OWN, TIME, S_1),
    SEED("wrong-key", SEND, ALICE, BERT, OWN, TIME, S_30, TIME, M_20),
    SEED("absent", SEND, ALICE, BEN, OWN, TIME, S_30),
    SEED("malformed", SEND, ALICE, STAN, OWN, TIME, S_30),
    SEED("silent-then-good", SEND, ALICE, SUE, OWN, TIME, S_20, TIME, S_8),
    SEED("borrowed-client", SEND, ALICE, BOB, 200 + STRANGER, TIME, S_30),
    SEED("take-over", BEGIN, TIME, S_1, SEND, BOB, ALICE, 201 + STRANGER, TIME, S_1),
    SEED("rekey", BEGIN, TIME, S_20, REPORT, 1, 0, EXPIRE, 1, 0, 1, 1, TIME, S_1),
    SEED("hard-expiry", BEGIN, TIME, S_20, REPORT, 1, 0, EXPIRE, 3, 0, 1, 1, TIME, S_1),
    SEED("hint", BEGIN, TIME, S_1, REPORT, 1, 0, UNKNOWN_SPI, 0, 0, 1, 1, TIME, S_1),
    SEED("acquire-again", BEGIN, REPORT, 1, 0, ACQUIRE, 0, ALICE, BOB, 1, TIME, S_1),
    SEED("stray-esp", BEGIN, TIME, S_1, STRAY, PEER, SUBJECT, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
         12, TIME, S_1),
    SEED("keyd-crash", BEGIN, TIME, S_1, CRASH, 0, SUBJECT, TIME, S_1, BEGIN, TIME, S_1),
    SEED("plane-crash", BEGIN, TIME, S_1, CRASH, 1, SUBJECT, TIME, S_1, BEGIN, TIME, S_1),
    SEED("crash-while-keying", BEGIN, TIME, MS_20, CRASH, 0, SUBJECT, TIME, S_1),
    SEED("responder-crash-while-keying", BEGIN, TIME, MS_20, CRASH, 0, PEER, TIME, S_30),
    SEED("shutdown", BEGIN, TIME, S_1, SHUTDOWN, 0, SUBJECT, TIME, S_1, BEGIN, TIME, S_30),
    SEED("shutdown-while-keying", BEGIN, TIME, MS_20, SHUTDOWN, 0, SUBJECT, TIME, S_30),
    SEED("dns-silent", DNS, 1, BEGIN, TIME, S_8, TIME, S_30, DNS, 0, BEGIN, TIME, M_1),
    SEED("answer-bogus", ANSWER, 1, 0, 2, BEGIN, TIME, S_30),
    SEED("answer-unsigned", ANSWER, 2, 0, 0, BEGIN, TIME, S_30),
    SEED("answer-altered", ANSWER, 4, 40, 1, BEGIN, TIME, S_30),
    SEED("answer-lost", BEGIN, TIME, MS_1, LOSE, 0, TIME, S_30),
    SEED("answer-twice", BEGIN, TIME, MS_1, REPEAT, 0, 1, TIME, S_30),
    SEED("datagram-altered", BEGIN, TIME, MS_5, ALTER, 0, 0, 0, 40, 1, TIME, S_30),
    SEED("datagrams-repeated", BEGIN, TIME, MS_5, REPEAT, 0, 1, TIME, MS_5, REPEAT, 0, 9, TIME,
         MS_5, REPEAT, 0, 3, TIME, S_1),
    SEED("datagram-made-up", DATAGRAM, PEER, SUBJECT, 0, 14, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0,
         0, 0, 0, 1, 0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 28),
    SEED("datagram-borrowed-cookies", BEGIN, TIME, MS_20, DATAGRAM, PEER, SUBJECT, 1, 14, 0, 0, 0,
         0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x10, 5, 1, 0, 0, 0, 0, 0, 0, 0, 28, 0),
    SEED("signature-wrong", BEGIN, TIME, MS_20, SIGNATURE, SUBJECT, 4, 4, 1, 2, 3, 4, TIME, S_1),
    SEED("pfkey-garbage", BEGIN, PFKEY, 16, 2, 5, 0, 3, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, TIME,
         S_30),
    SEED("idle", BEGIN, TIME, M_10, TIME, H_1, BEGIN, TIME, S_1),
#undef SEED
};

void seeds_control(const struct seed_sink *sink)
{
    for (size_t i = 0; i < sizeof(control_seeds) / sizeof(control_seeds[0]); i++)
        seed_put(sink, control_seeds[i].name,
                 view_of(control_seeds[i].octets, control_seeds[i].len));
}

/* Which datagram, then a forgery: altered in four places, or 28, 16, 8 or no octets of the honest
 * one with zeros after them. */
void seeds_ike(const struct seed_sink *sink)
{
    static const char *const datagrams[] = {"mm1", "mm2", "mm3", "mm4", "mm5",
                                            "mm6", "qm1", "qm2", "qm3"};
    static const struct {
        const char *name;
        uint8_t octets[13];
    } forgeries[] = {
        {"early-octets", {0, 0, 8, 1, 0, 16, 2, 0, 17, 1, 0, 19, 1}},
        {"late-octets", {0, 0, 40, 1, 0, 60, 2, 0, 90, 4, 1, 4, 8}},
        {"header", {3, 32}},
        {"cookies", {5, 32}},
        {"initiator-cookie", {9, 32}},
        {"nothing", {1, 32}},
    };
    char name[64];
    uint8_t octets[160];

    for (uint8_t d = 0; d < sizeof(datagrams) / sizeof(datagrams[0]); d++)
        for (size_t f = 0; f < sizeof(forgeries) / sizeof(forgeries[0]); f++) {
            memset(octets, 0, sizeof(octets));
            octets[0] = d;
            memcpy(octets + 1, forgeries[f].octets, sizeof(forgeries[f].octets));
            snprintf(name, sizeof(name), "%s-%s", datagrams[d], forgeries[f].name);
            seed_put(sink, name, view_of(octets, f < 2 ? 14 : sizeof(octets)));
        }
}

/* Which way, which datagram, then a forgery: altered, made up with its cookies, or altered inside. */
void seeds_ike_peers(const struct seed_sink *sink)
{
    static const char *const ways[] = {"psk", "psk-aggressive", "key", "key-aggressive",
                                       "certificate", "certificate-aggressive", "encryption",
                                       "encryption-aggressive", "revised", "revised-aggressive"};
    static const struct {
        const char *name;
        uint8_t octets[14];
    } forgeries[] = {
        {"altered", {0, 3, 0, 16, 2, 0, 19, 1, 0, 40, 1, 0, 70, 8}},
        {"cookies", {1, 2, 12}},
        {"inside", {2, 3, 0, 0, 1, 0, 3, 4, 0, 40, 1, 0, 60, 2}},
    };
    char name[64];
    uint8_t octets[80];

    for (uint8_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++)
        for (uint8_t d = 0; d < 12; d++) {
            const unsigned f = (way + d) % 3u;
            memset(octets, 0, sizeof(octets));
            octets[0] = way;
            octets[1] = d;
            memcpy(octets + 2, forgeries[f].octets, sizeof(forgeries[f].octets));
            snprintf(name, sizeof(name), "%s-%u-%s", ways[way], d + 1u, forgeries[f].name);
            seed_put(sink, name, view_of(octets, f == 1 ? sizeof(octets) : 16));
        }
}

/* Two end points, then the datagram. */
void seeds_ike_relay(const struct seed_sink *sink)
{
    static const uint8_t v4[] = {4, 0, 0x11, 0x94, 192, 1, 1, 4,    0,    0,   0,   0,   0,  0, 0,
                                 0, 0, 0,    0,    0,   4, 0, 0x11, 0x94, 192, 1,   1,   5,  0, 0,
                                 0, 0, 0,    0,    0,   0, 0, 0,    0,    0,   0x80, 0, 0,  7, 'I',
                                 'K', 'E'};
    uint8_t octets[sizeof(v4)];

    seed_put(sink, "ipv4", view_of(v4, sizeof(v4)));
    seed_put(sink, "empty-datagram", view_of(v4, 44));
    seed_put(sink, "hostile-short", view_of(v4, 43));
    memcpy(octets, v4, sizeof(v4));
    octets[1] = 2;
    seed_put(sink, "note", view_of(octets, 44));
    seed_put(sink, "hostile-note-with-datagram", view_of(octets, sizeof(octets)));
    octets[1] = 0;
    octets[0] = octets[20] = 6;
    seed_put(sink, "ipv6", view_of(octets, sizeof(octets)));
    octets[20] = 4;
    seed_put(sink, "hostile-families-differ", view_of(octets, sizeof(octets)));
    octets[0] = octets[20] = 9;
    seed_put(sink, "hostile-family", view_of(octets, sizeof(octets)));
}

void seeds_ike_stream(const struct seed_sink *sink)
{
    static const uint8_t head[] = {'I', 'K', 'E', 'T', 'C', 'P'};
    uint8_t octets[sizeof(head) + 34 + 3 + 2 + 18] = {0};
    uint8_t *at = octets + sizeof(head);

    memcpy(octets, head, sizeof(head));
    at[1] = 34; /* IKE: the marker and a header */
    at[6] = 1;
    at[23] = 0x20;
    at[35] = 3; /* a keepalive */
    at[36] = 0xff;
    at[38] = 2; /* empty */
    at[40] = 18; /* ESP */
    at[44] = 7;
    seed_put(sink, "every-kind", view_of(octets, sizeof(octets)));
    seed_put(sink, "from-the-responder", view_of(at, sizeof(octets) - sizeof(head)));
    seed_put(sink, "cut", view_of(octets, sizeof(octets) - 1));
    seed_put(sink, "half-a-prefix", view_of(octets, 3));
    at[38] = 1;
    seed_put(sink, "hostile-length-1", view_of(octets, sizeof(octets)));
    at[38] = 0;
    seed_put(sink, "hostile-length-0", view_of(octets, sizeof(octets)));
    at[38] = 5;
    seed_put(sink, "hostile-three-octets", view_of(octets, sizeof(octets)));
    at[0] = 0xff;
    seed_put(sink, "hostile-giant", view_of(octets, sizeof(octets)));
    octets[5] = 'p';
    seed_put(sink, "hostile-prefix", view_of(octets, sizeof(octets)));
    seed_put(sink, "hostile-http", view_of("GET / HTTP/1.0\r\n\r\n", 18));
}
