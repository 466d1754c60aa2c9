/*
 * IKEv2 as tables: which payloads each message carries, and what each state does with each message
 * and each answer. The engine (v2/machine.c) reads them and is the only one who changes a state;
 * whatever has no row is dropped or refused, and counted.
 */
#ifndef CYGNET_IKE_V2_TABLE_H
#define CYGNET_IKE_V2_TABLE_H

#include "wire/ike2.h"

/* I: we are the exchange's initiator, R: its responder. */
#define V2_STATES(X)                                                                               \
    X(NONE, "none")                                                                                \
    X(I_START, "initiator: start")                                                                 \
    X(I_WAIT_INIT, "initiator: waiting for the answer to IKE_SA_INIT")                             \
    X(I_SOLVING, "initiator: solving a puzzle")                                                    \
    X(I_SOLVING_AUTH, "initiator: solving a puzzle for IKE_AUTH")                                  \
    X(S_I_START, "initiator: about to show a ticket")                                              \
    X(S_I_WAIT_REPLY, "initiator: waiting for the answer to IKE_SESSION_RESUME")                   \
    X(I_MEDIATING, "initiator: about to exchange more keys")                                       \
    X(I_WAIT_MEDIATE, "initiator: waiting for the answer to IKE_INTERMEDIATE")                     \
    X(I_WAIT_SPI, "initiator: asking for an SPI")                                                  \
    X(I_SIGNING_PLAIN, "initiator: signing for a peer without the PPK")                            \
    X(I_SIGNING, "initiator: signing")                                                             \
    X(I_WAIT_AUTH, "initiator: waiting for the answer to IKE_AUTH")                                \
    X(I_INSTALLING, "initiator: installing the first child")                                       \
    X(R_START, "responder: start")                                                                 \
    X(R_WAIT_AUTH, "responder: waiting for IKE_AUTH")                                              \
    X(R_WAIT_KEYS, "responder: asking for the initiator's keys")                                   \
    X(R_AUTHORIZING, "responder: asking whether the peer may have the tunnel")                     \
    X(R_WAIT_SPI, "responder: asking for an SPI")                                                  \
    X(R_INSTALLING, "responder: installing the first child")                                       \
    X(R_SIGNING, "responder: signing")                                                             \
    X(C_I_START, "new child, initiator: waiting for its turn")                                     \
    X(C_I_WAIT_SPI, "new child, initiator: asking for an SPI")                                     \
    X(C_I_WAIT_REPLY, "new child, initiator: waiting for the answer")                              \
    X(C_I_FOLLOWING, "new child, initiator: about to exchange more keys")                          \
    X(C_I_WAIT_FOLLOWUP, "new child, initiator: waiting for the answer to IKE_FOLLOWUP_KE")        \
    X(C_I_INSTALLING, "new child, initiator: installing both SAs")                                 \
    X(C_R_START, "new child, responder: start")                                                    \
    X(C_R_AUTHORIZING, "new child, responder: asking whether the peer may have the tunnel")        \
    X(C_R_WAIT_SPI, "new child, responder: asking for an SPI")                                     \
    X(C_R_PROMISING, "new child, responder: agreed, more keys are to come")                        \
    X(C_R_WAIT_FOLLOWUP, "new child, responder: waiting for IKE_FOLLOWUP_KE")                      \
    X(C_R_FOLLOWED, "new child, responder: another key exchange is done")                          \
    X(C_R_LAST, "new child, responder: installing both SAs after the last key exchange")           \
    X(C_R_INSTALLING, "new child, responder: installing both SAs")                                 \
    X(K_I_START, "new IKE SA, initiator: waiting for its turn")                                    \
    X(K_I_WAIT_REPLY, "new IKE SA, initiator: waiting for the answer")                             \
    X(K_I_FOLLOWING, "new IKE SA, initiator: about to exchange more keys")                         \
    X(K_I_WAIT_FOLLOWUP, "new IKE SA, initiator: waiting for the answer to IKE_FOLLOWUP_KE")       \
    X(K_I_FINISHING, "new IKE SA, initiator: all is there")                                        \
    X(K_R_START, "new IKE SA, responder: start")                                                   \
    X(K_R_ANSWERING, "new IKE SA, responder: agreed")                                              \
    X(K_R_PROMISING, "new IKE SA, responder: agreed, more keys are to come")                       \
    X(K_R_WAIT_FOLLOWUP, "new IKE SA, responder: waiting for IKE_FOLLOWUP_KE")                     \
    X(K_R_FOLLOWED, "new IKE SA, responder: another key exchange is done")                         \
    X(K_R_LAST, "new IKE SA, responder: the last key exchange is done")                            \
    X(F_R_START, "IKE_FOLLOWUP_KE, responder: to nothing that waits for it")                       \
    X(N_I_START, "informational, initiator: waiting for its turn")                                 \
    X(N_I_WAIT_REPLY, "informational, initiator: waiting for the answer")                          \
    X(N_R_START, "informational, responder: start")                                                \
    X(N_R_CHECKING, "informational, responder: asking the peer at its new address")                \
    X(O_I_START, "of a former life: about to be said again")                                       \
    X(O_I_WAIT_REPLY, "of a former life: waiting for the answer")                                  \
    X(DONE, "done")

enum v2_state {
#define V2_STATE_ENUM(name, text) V2_##name,
    V2_STATES(V2_STATE_ENUM)
#undef V2_STATE_ENUM
        V2_STATE_COUNT
};
const char *v2_state_name(enum v2_state state);

/* Answers of one exchange type differ by what is in them: see v2_message_kind_of(). */
enum v2_message_kind {
    V2_NO_MESSAGE = 0,
    V2_INIT_REQ,
    V2_INIT_RSP,
    V2_INIT_RETRY, /* COOKIE or INVALID_KE_PAYLOAD: the same again, with what they ask for */
    V2_INIT_ERROR, /* unprotected: only ever a hint (OE-064) */
    V2_RESUME_REQ,
    V2_RESUME_RSP,
    V2_RESUME_RETRY, /* COOKIE */
    V2_RESUME_NACK,
    V2_RESUME_ERROR, /* as V2_INIT_ERROR */
    V2_MEDIATE_REQ,
    V2_MEDIATE_RSP,
    V2_MEDIATE_ERROR,
    V2_AUTH_REQ,
    V2_AUTH_RSP,
    V2_AUTH_ERROR,
    V2_CHILD_REQ,
    V2_CHILD_RSP,
    V2_REKEY_REQ, /* of the IKE SA */
    V2_REKEY_RSP,
    V2_CREATE_ERROR, /* either of the two is refused */
    V2_FOLLOWUP_REQ,
    V2_FOLLOWUP_RSP,
    V2_FOLLOWUP_ERROR,
    V2_INFO_REQ,
    V2_INFO_RSP,
    V2_MESSAGE_COUNT
};

/* How often a payload may be there. Types without a rule are not allowed. */
struct v2_rule {
    uint8_t type;
    uint8_t min, max;
};
enum { V2_ANY = 255, V2_RULES = 13 };

struct v2_message {
    const char *label; /* of the ladder: the step of the OE draft's Figure 6 that it stands for */
    const char *name;
    uint8_t exchange;
    bool response;
    bool encrypted;
    struct v2_rule rules[V2_RULES];
};
const struct v2_message *v2_message(enum v2_message_kind kind);
/* V2_NO_MESSAGE: an exchange that we don't know. */
enum v2_message_kind v2_message_kind_of(uint8_t exchange, bool response,
                                        const struct ike2_payloads *payloads);
/* ERR_MISSING, ERR_REPEATED or ERR_UNEXPECTED. */
MUST_USE enum err v2_message_check(const struct v2_message *message,
                                   const struct ike2_payloads *payloads);

enum v2_trigger {
    V2_ON_START,     /* our side wants the exchange, and it is its turn */
    V2_ON_MESSAGE,   /* the message in `gets` */
    V2_ON_PEER_KEYS, /* answers to our questions */
    V2_ON_SIGNED,
    V2_ON_AUTHORIZED,
    V2_ON_SPI,
    V2_ON_INSTALLED,
    V2_ON_CHECKED,   /* the peer has answered from its new address, or has not */
};

/* What the exchange does while it stays in the row's next state. */
enum v2_timer {
    V2_TIMER_RESEND, /* send the request again, doubling the wait; in the end give up */
    V2_TIMER_WAIT,   /* give up if nothing comes */
    V2_TIMER_NONE,   /* it is over */
};

struct v2_step;

struct v2_row {
    enum v2_state state;
    enum v2_trigger on;
    enum v2_message_kind gets, sends;
    /* Checks, computes, sends and asks. On an error nothing of it may remain. */
    enum err (*handle)(struct v2_step *step);
    enum v2_state next;
    enum v2_state past;  /* where the handler may go instead, without the message */
    enum v2_timer timer;
    void (*then)(struct v2_step *step); /* runs in the new state; NULL: nothing */
    const char *story;
};

/* NULL: no row. `gets` is V2_NO_MESSAGE unless the trigger is a message. */
const struct v2_row *v2_row_find(enum v2_state state, enum v2_trigger on,
                                 enum v2_message_kind gets);
/* The row that goes on when our own side has answered; NULL: the state waits for no such thing. */
const struct v2_row *v2_row_answer(enum v2_state state);
/* For the tests and the pictures: `i` from 0 up; NULL: no more. */
const struct v2_row *v2_row_at(size_t i);

#endif
