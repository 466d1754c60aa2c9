/*
 * IKEv2 messages as an attacker, or a peer gone wrong, would send them: opened with the receiver's
 * own keys, changed, and sealed again so that only the change is wrong.
 */
#ifndef CYGNET_TESTS_FORGE_V2_H
#define CYGNET_TESTS_FORGE_V2_H

#include "ike/v2/v2.h"
#include "pair.h"

enum { FORGE_V2_PAYLOADS = 40, FORGE_V2_BODY = 1500 };

struct forge_v2 {
    struct ike2_header header;
    bool sealed;
    enum v2_message_kind kind;
    bool critical_last; /* the last payload has the critical bit */
    size_t count;
    struct forge_v2_payload {
        uint8_t type;
        size_t len;
        uint8_t body[FORGE_V2_BODY];
    } payloads[FORGE_V2_PAYLOADS];
};

/* Reads a message that the side which didn't send it is about to get. */
void forge_v2_open(struct pair *pair, const struct pair_datagram *datagram, struct forge_v2 *ret);
/* Writes it again, for the same receiver; `clear`: without protection. */
void forge_v2_close(struct pair *pair, const struct forge_v2 *forge, bool clear,
                    struct pair_datagram *ret);
void forge_v2_drop(struct forge_v2 *forge, size_t i);
void forge_v2_add(struct forge_v2 *forge, uint8_t type, struct view body);

#endif
