/*
 * Messages as an attacker, or a peer gone wrong, would send them: opened with the receiver's own
 * keys, changed, and sealed again so that only the change is wrong.
 */
#ifndef CYGNET_TESTS_FORGE_H
#define CYGNET_TESTS_FORGE_H

#include "ike/v1/v1.h"
#include "pair.h"

enum { FORGE_PAYLOADS = 40, FORGE_BODY = 1536 };

struct forge {
    enum v1_message_kind kind;
    struct isakmp_header header;
    size_t count;
    struct forge_payload {
        uint8_t type;
        size_t len;
        uint8_t body[FORGE_BODY];
    } payloads[FORGE_PAYLOADS];
    bool bad_hash;
};

/* Reads a message that `receiver` is about to get. */
void forge_open(struct pair *pair, unsigned receiver, const struct pair_datagram *datagram,
                enum v1_message_kind kind, struct forge *ret);
/* Writes it again, sealed for `receiver`. */
void forge_close(struct pair *pair, unsigned receiver, const struct forge *forge,
                 struct pair_datagram *ret);
void forge_drop(struct forge *forge, size_t i);
void forge_add(struct forge *forge, uint8_t type, struct view body);
struct forge_payload *forge_find(struct forge *forge, uint8_t type);

#endif
