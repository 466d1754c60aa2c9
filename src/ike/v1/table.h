/*
 * IKEv1 as tables: which payloads each message carries, and what each state does with each message
 * and each answer. The engine (v1/machine.c) reads them and is the only one who changes a state;
 * whatever has no row is dropped and counted.
 */
#ifndef CYGNET_IKE_V1_TABLE_H
#define CYGNET_IKE_V1_TABLE_H

#include "wire/isakmp.h"

/* I: we are the exchange's initiator, R: its responder. */
#define V1_STATES(X)                                                                               \
    X(NONE, "none")                                                                                \
    X(MM_I_START, "main mode, initiator: start")                                                   \
    X(MM_I_WAIT_SA, "main mode, initiator: offered, waiting for message 2")                        \
    X(MM_I_WAIT_KE, "main mode, initiator: waiting for message 4")                                 \
    X(MM_I_SIGNING, "main mode, initiator: signing")                                               \
    X(MM_I_DECRYPTING, "main mode, initiator: decrypting")                                         \
    X(MM_I_WAIT_AUTH, "main mode, initiator: waiting for message 6")                               \
    X(MM_R_START, "main mode, responder: start")                                                   \
    X(MM_R_OFFERED, "main mode, responder: half open, waiting for message 3")                      \
    X(MM_R_DECRYPTING, "main mode, responder: decrypting")                                         \
    X(MM_R_WAIT_AUTH, "main mode, responder: waiting for message 5")                               \
    X(MM_R_WAIT_KEYS, "main mode, responder: asking for the initiator's keys")                     \
    X(MM_R_SIGNING, "main mode, responder: signing")                                               \
    X(AM_I_START, "aggressive mode, initiator: start")                                             \
    X(AM_I_WAIT_REPLY, "aggressive mode, initiator: waiting for message 2")                        \
    X(AM_I_SIGNING, "aggressive mode, initiator: signing")                                         \
    X(AM_I_DECRYPTING, "aggressive mode, initiator: decrypting")                                   \
    X(AM_R_START, "aggressive mode, responder: start")                                             \
    X(AM_R_SIGNING, "aggressive mode, responder: signing or decrypting")                           \
    X(AM_R_WAIT_AUTH, "aggressive mode, responder: waiting for message 3")                         \
    X(ESTABLISHED, "established")                                                                  \
    X(QM_I_START, "quick mode, initiator: start")                                                  \
    X(QM_I_WAIT_SPI, "quick mode, initiator: asking for an SPI")                                   \
    X(QM_I_WAIT_REPLY, "quick mode, initiator: waiting for message 2")                             \
    X(QM_I_INSTALLING, "quick mode, initiator: installing both SAs")                               \
    X(QM_R_START, "quick mode, responder: start")                                                  \
    X(QM_R_AUTHORIZING, "quick mode, responder: asking whether the peer may have the tunnel")      \
    X(QM_R_WAIT_SPI, "quick mode, responder: asking for an SPI")                                   \
    X(QM_R_INSTALLING_IN, "quick mode, responder: installing the inbound SA")                      \
    X(QM_R_WAIT_CONFIRM, "quick mode, responder: waiting for message 3")                           \
    X(QM_R_INSTALLING_OUT, "quick mode, responder: installing the outbound SA")                    \
    X(QM_DONE, "quick mode: done, kept for duplicates")

enum v1_state {
#define V1_STATE_ENUM(name, text) V1_##name,
    V1_STATES(V1_STATE_ENUM)
#undef V1_STATE_ENUM
        V1_STATE_COUNT
};
const char *v1_state_name(enum v1_state state);

enum v1_message_kind {
    V1_NO_MESSAGE = 0,
    V1_MM1,
    V1_MM2,
    V1_MM3,
    V1_MM4,
    V1_MM5,
    V1_MM6,
    V1_MM5_PSK,
    V1_MM6_PSK,
    V1_MM3_ENC,
    V1_MM4_ENC,
    V1_MM5_ENC,
    V1_MM6_ENC,
    V1_AM1,
    V1_AM2,
    V1_AM3,
    V1_AM2_PSK,
    V1_AM3_PSK,
    V1_AM2_ENC,
    V1_QM1,
    V1_QM2,
    V1_QM3,
    V1_INFO,       /* under an established SA */
    V1_INFO_CLEAR, /* unprotected: only ever a hint (OE-064) */
    V1_MESSAGE_COUNT
};

/* How often a payload may be there. Types without a rule are not allowed. */
struct v1_rule {
    uint8_t type;
    uint8_t min, max;
};
enum { V1_ANY = 255, V1_RULES = 10 };

struct v1_message {
    const char *label; /* the step in Figure 6 of the OE draft */
    const char *title;
    uint8_t exchange;
    bool encrypted;
    bool may_be_clear; /* Aggressive Mode's last may come either way (RFC 2409 section 5) */
    bool hashed; /* begins with a HASH payload over the rest */
    struct v1_rule rules[V1_RULES];
};
const struct v1_message *v1_message(enum v1_message_kind kind);
/* ERR_MISSING, ERR_REPEATED or ERR_UNEXPECTED. */
MUST_USE enum err v1_message_check(const struct v1_message *message,
                                   const struct isakmp_payloads *payloads);

/* How the two prove themselves to each other: with some messages it makes another row. */
enum v1_way {
    V1_BY_SIGNATURE = 1,
    V1_BY_PSK = 2,
    V1_BY_ENCRYPTION = 4, /* either form */
    V1_NOT_ENCRYPTION = V1_BY_SIGNATURE | V1_BY_PSK,
    V1_NOT_SIGNATURE = V1_BY_PSK | V1_BY_ENCRYPTION,
    V1_ANY_WAY = V1_NOT_SIGNATURE | V1_BY_SIGNATURE,
};

enum v1_trigger {
    V1_ON_START,     /* our side wants the exchange */
    V1_ON_MESSAGE,   /* the message in `gets` */
    V1_ON_PEER_KEYS, /* answers to our questions */
    V1_ON_SIGNED,
    V1_ON_DECRYPTED,
    V1_ON_AUTHORIZED,
    V1_ON_SPI,
    V1_ON_INSTALLED,
};

/* What the exchange does while it stays in the row's next state. */
enum v1_timer {
    V1_TIMER_RESEND, /* send the last message again, doubling the wait; in the end give up */
    V1_TIMER_WAIT,   /* give up if nothing comes */
    V1_TIMER_LINGER, /* answer duplicates for a while, then forget */
};

struct v1_step;

struct v1_row {
    enum v1_state state;
    enum v1_trigger on;
    enum v1_way way;
    enum v1_message_kind gets, sends;
    /* Checks, computes, sends and asks. On an error nothing of it may remain. */
    enum err (*handle)(struct v1_step *step);
    enum v1_state next;
    /* Where an ERR_AUTH from the handler leads; V1_NONE: the exchange ends. */
    enum v1_state refused;
    enum v1_timer timer;
    void (*then)(struct v1_step *step); /* runs in the new state; NULL: nothing */
    const char *story;
};

/* NULL: no row. `gets` is V1_NO_MESSAGE unless the trigger is a message. */
const struct v1_row *v1_row_find(enum v1_state state, enum v1_trigger on, enum v1_way way);
/* For the tests and the pictures: `i` from 0 up; NULL: no more. */
const struct v1_row *v1_row_at(size_t i);

#endif
