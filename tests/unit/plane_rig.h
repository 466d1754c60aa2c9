/*
 * A plane on a bench: what it sends, tells keyd and tells the classifier is kept for the test to
 * look at; time stands still unless the test moves it. The rig owns the plane.
 */
#ifndef CYGNET_TESTS_PLANE_RIG_H
#define CYGNET_TESTS_PLANE_RIG_H

#include "plane/plane.h"

enum { RIG_OUTS = 512, RIG_TOLD = 512, RIG_PID = 77, RIG_ARENA = 1 << 20 };
enum { RIG_BURST = 2 * LIMIT_BURST };

struct rig_out {
    enum plane_out kind;
    struct packet_outer outer;
    uint32_t len;
    uint8_t *octets; /* a copy, in the rig's arena: the rig allocates nothing, plane does */
};

struct rig {
    struct plane *plane;
    mono_t now;
    uint64_t random;
    uint32_t last_seq;
    size_t out_count, told_count;
    uint8_t arena[RIG_ARENA];
    size_t arena_used;
    struct rig_out outs[RIG_OUTS];
    struct pfkey_message told[RIG_TOLD];
    struct ip_pair verdict_flow; /* the last one told to the classifier */
    int verdict;                 /* -1: none since rig_clear() */
    unsigned verdict_count;
    int64_t classifier_idle_ms;
};

struct rig *rig_new(const struct plane_config *config);
void rig_free(struct rig *rig);
/* Forgets what was sent and told so far. */
void rig_clear(struct rig *rig);
void rig_advance(struct rig *rig, int64_t ms); /* and lets the plane's timers run */

struct ip_addr rig_addr(const char *text);
struct ip_pair rig_pair(const char *src, const char *dst);

/* An IP datagram of `len` octets whose payload is all `mark`. Returns its length. */
struct rig_datagram {
    struct ip_pair flow;
    uint32_t len;
    uint8_t mark;
    uint8_t tos;
    bool dont_fragment;
};
void rig_send(struct rig *rig, const struct rig_datagram *datagram);
void rig_send_mark(struct rig *rig, const struct ip_pair *flow, uint8_t mark); /* 60 octets */
/* Up to RIG_BURST of 60 octets at once, marked mark, mark + 1, ... */
void rig_send_burst(struct rig *rig, const struct ip_pair *flow, uint8_t mark, size_t count);
/* Any octets, out or in. */
void rig_send_octets(struct rig *rig, struct view octets);
void rig_receive(struct rig *rig, struct view octets, const struct packet_outer *outer);
/* Hands what `from` sent as ESP to `to`, and clears `from`. Returns how many packets. */
size_t rig_carry(struct rig *from, struct rig *to);
/* The last octet of what was sent: the mark of a datagram that is not ESP. */
uint8_t rig_mark(const struct rig *rig, size_t out);

/* Sends a request and returns its (last) answer. */
struct pfkey_message rig_ask(struct rig *rig, const struct pfkey_message *request);
size_t rig_told(const struct rig *rig, enum pfkey_type type);
/* The last message of that type. */
const struct pfkey_message *rig_last(const struct rig *rig, enum pfkey_type type);
size_t rig_traced(const struct rig *rig, enum pfkey_trace trace);
uint64_t rig_counter(const struct rig *rig, const char *name);

/* Requests */
struct pfkey_message rig_policy(struct rig *rig, const struct ip_pair *flow,
                                enum pfkey_verdict verdict, const struct sa_params *sa,
                                uint64_t ticket);
/* An SA from `flow.src`'s side to `flow.dst`'s, between gateways; keys come from the SPI. */
struct sa_params rig_sa(uint32_t spi, const struct ip_pair *flow, const struct ip_pair *gateways);
struct pfkey_message rig_install(struct rig *rig, enum pfkey_type type, const struct sa_params *sa);
spi_t rig_get_spi(struct rig *rig, const struct ip_pair *gateways);

#endif
