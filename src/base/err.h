/*
 * The core's results. An error's class says what the caller does with it: drop the input silently,
 * answer with a notify, end the SA it came in on, wait, refuse for a limit, or stop because the
 * fault is ours. On any error the outputs are untouched.
 */
#ifndef CYGNET_BASE_ERR_H
#define CYGNET_BASE_ERR_H

#include "base/view.h"

enum err_class {
    ERR_CLASS_NONE,
    ERR_CLASS_DROP,   /* count it, say nothing to the peer */
    ERR_CLASS_NOTIFY, /* the peer may be told */
    ERR_CLASS_KILL,   /* the SA it belongs to ends */
    ERR_CLASS_WAIT,   /* nothing is wrong: the same once more when what was asked for is there */
    ERR_CLASS_LIMIT,  /* one of base/limits.h was reached */
    ERR_CLASS_BUG,    /* our fault: out of memory, library failure, broken invariant */
};

#define ERR_LIST(X)                                                                                \
    X(OK, NONE, "no error")                                                                        \
    X(SHORT, DROP, "input ends too early")                                                         \
    X(TRAILING, DROP, "octets are left over")                                                      \
    X(SYNTAX, DROP, "malformed")                                                                   \
    X(VALUE, DROP, "a field has a value that is not allowed")                                      \
    X(VERSION, NOTIFY, "unsupported version")                                                      \
    X(UNSUPPORTED, NOTIFY, "not supported")                                                        \
    X(MISSING, NOTIFY, "a required payload is missing")                                            \
    X(REPEATED, NOTIFY, "a payload is repeated")                                                   \
    X(UNEXPECTED, DROP, "not allowed here")                                                        \
    X(UNKNOWN, DROP, "no such SA, exchange or entry")                                              \
    X(REPLAY, DROP, "seen before")                                                                 \
    X(AUTH, KILL, "authentication failed")                                                         \
    X(DECRYPT, DROP, "does not decrypt or fails its integrity check")                              \
    X(NO_PROPOSAL, NOTIFY, "no acceptable proposal")                                               \
    X(POLICY, NOTIFY, "policy forbids it")                                                         \
    X(SELECTOR, DROP, "addresses do not match what was negotiated")                                \
    X(EXPIRED, KILL, "lifetime is over")                                                           \
    X(LATER, WAIT, "waits for what was asked for")                                                 \
    X(LIMIT, LIMIT, "a limit was reached")                                                         \
    X(MEMORY, BUG, "out of memory")                                                                \
    X(CRYPTO, BUG, "the cryptographic library refused")                                            \
    X(ROOM, BUG, "output buffer too small")                                                        \
    X(STATE, BUG, "called in the wrong state")

enum err {
#define ERR_ENUM(name, class, text) ERR_##name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
        ERR_COUNT
};

enum err_class err_class(enum err err);
/* "malformed": for people; never NULL. */
const char *err_text(enum err err);
/* "SYNTAX": for counters and JSON; never NULL. */
const char *err_name(enum err err);

#endif
