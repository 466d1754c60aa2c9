/*
 * Client puzzles (RFC 8019 section 4.4): four keys of equal length, with each of which the prf of a
 * cookie ends in enough zero bits. Checking costs four prfs; solving is work, so it is done in
 * slices and wants to be off the daemon's loop.
 */
#ifndef CYGNET_IKE_V2_PUZZLE_H
#define CYGNET_IKE_V2_PUZZLE_H

#include "crypto/hash.h"

enum {
    PUZZLE_KEYS = 4,
    PUZZLE_KEY_LEN = 4,    /* of the keys we find */
    PUZZLE_BITS_SANE = 24, /* more than that is not worth a tunnel: some minutes */
};

/* ERR_SYNTAX: no four keys of a length that the prf takes. ERR_AUTH: two keys are the same, or a
 * result has too few zero bits. */
MUST_USE enum err puzzle_check(enum hash_alg prf, struct view cookie, unsigned zero_bits,
                               struct view solution);

struct puzzle {
    enum hash_alg prf;
    unsigned zero_bits;
    uint32_t next; /* the key to be tried next */
    unsigned found;
    uint8_t solution[PUZZLE_KEYS * PUZZLE_KEY_LEN];
};
/* Tries up to `tries` keys from puzzle->next on. *ret_done: the solution is whole. ERR_LIMIT: no
 * keys are left. */
MUST_USE enum err puzzle_work(struct puzzle *puzzle, struct view cookie, uint32_t tries,
                              bool *ret_done);

#endif
