#include "ike/v2/table.h"

#include <assert.h>

#include "ike/v2/v2.h"

const char *v2_state_name(enum v2_state state)
{
    static const char *const names[] = {
#define V2_STATE_NAME(name, text) text,
        V2_STATES(V2_STATE_NAME)
#undef V2_STATE_NAME
    };
    assert(state < V2_STATE_COUNT);
    return names[state];
}

/*
 * The messages (RFC 7296 sections 1.2 to 1.4). Vendor IDs and notifies are welcome anywhere; what
 * they say is for those who understand them. Payloads that nobody here knows never come this far.
 */
#define CLEAR_REQ(exchange) IKE2_##exchange, false, false
#define CLEAR_RSP(exchange) IKE2_##exchange, true, false
#define SEALED_REQ(exchange) IKE2_##exchange, false, true
#define SEALED_RSP(exchange) IKE2_##exchange, true, true
#define ONE(type)                                                                                  \
    {                                                                                              \
        IKE2_P_##type, 1, 1                                                                        \
    }
#define MAY(type)                                                                                  \
    {                                                                                              \
        IKE2_P_##type, 0, 1                                                                        \
    }
#define ANY(type)                                                                                  \
    {                                                                                              \
        IKE2_P_##type, 0, V2_ANY                                                                   \
    }
#define SOME(type)                                                                                 \
    {                                                                                              \
        IKE2_P_##type, 1, V2_ANY                                                                   \
    }

/* clang-format off */
static const struct v2_message messages[V2_MESSAGE_COUNT] = {
    [V2_INIT_REQ]     = {"5D", "IKE_SA_INIT request", CLEAR_REQ(SA_INIT),
                         {ONE(SA), ONE(KE), ONE(NONCE), MAY(PS), ANY(N), ANY(VID)}},
    [V2_INIT_RSP]     = {"5E1", "IKE_SA_INIT response", CLEAR_RSP(SA_INIT),
                         {ONE(SA), ONE(KE), ONE(NONCE), ANY(CERTREQ), ANY(N), ANY(VID)}},
    [V2_INIT_RETRY]   = {"5E1", "IKE_SA_INIT response", CLEAR_RSP(SA_INIT),
                         {SOME(N), ANY(VID)}},
    [V2_INIT_ERROR]   = {"5E1", "IKE_SA_INIT response", CLEAR_RSP(SA_INIT),
                         {SOME(N), ANY(VID)}},
    [V2_RESUME_REQ]   = {"5D", "IKE_SESSION_RESUME request", CLEAR_REQ(SESSION_RESUME),
                         {ONE(NONCE), SOME(N), ANY(VID)}},
    [V2_RESUME_RSP]   = {"5E1", "IKE_SESSION_RESUME response", CLEAR_RSP(SESSION_RESUME),
                         {ONE(NONCE), ANY(N), ANY(VID)}},
    [V2_RESUME_RETRY] = {"5E1", "IKE_SESSION_RESUME response", CLEAR_RSP(SESSION_RESUME),
                         {SOME(N), ANY(VID)}},
    [V2_RESUME_NACK]  = {"5E1", "IKE_SESSION_RESUME response", CLEAR_RSP(SESSION_RESUME),
                         {SOME(N), ANY(VID)}},
    [V2_RESUME_ERROR] = {"5E1", "IKE_SESSION_RESUME response", CLEAR_RSP(SESSION_RESUME),
                         {SOME(N), ANY(VID)}},
    [V2_MEDIATE_REQ]  = {"", "IKE_INTERMEDIATE request", SEALED_REQ(INTERMEDIATE),
                         {ONE(KE), ANY(N), ANY(VID)}},
    [V2_MEDIATE_RSP]  = {"", "IKE_INTERMEDIATE response", SEALED_RSP(INTERMEDIATE),
                         {ONE(KE), ANY(N), ANY(VID)}},
    [V2_MEDIATE_ERROR] = {"", "IKE_INTERMEDIATE response", SEALED_RSP(INTERMEDIATE),
                         {ANY(N), ANY(VID)}},
    [V2_AUTH_REQ]     = {"5E2", "IKE_AUTH request", SEALED_REQ(AUTH),
                         {ONE(IDI), ANY(CERT), ANY(CERTREQ), MAY(IDR), ONE(AUTH), MAY(CP), MAY(SA),
                          MAY(TSI), MAY(TSR), ANY(N), ANY(VID)}},
    [V2_AUTH_RSP]     = {"5E3", "IKE_AUTH response", SEALED_RSP(AUTH),
                         {ONE(IDR), ANY(CERT), ONE(AUTH), MAY(CP), MAY(SA), MAY(TSI), MAY(TSR),
                          ANY(N), ANY(VID)}},
    [V2_AUTH_ERROR]   = {"5E3", "IKE_AUTH response", SEALED_RSP(AUTH),
                         {ANY(N), ANY(VID)}},
    [V2_CHILD_REQ]    = {"5G1", "CREATE_CHILD_SA request", SEALED_REQ(CREATE_CHILD_SA),
                         {ONE(SA), ONE(NONCE), MAY(KE), ONE(TSI), ONE(TSR), MAY(CP), ANY(N), ANY(VID)}},
    [V2_CHILD_RSP]    = {"5G2", "CREATE_CHILD_SA response", SEALED_RSP(CREATE_CHILD_SA),
                         {ONE(SA), ONE(NONCE), MAY(KE), ONE(TSI), ONE(TSR), MAY(CP), ANY(N), ANY(VID)}},
    [V2_REKEY_REQ]    = {"", "CREATE_CHILD_SA request", SEALED_REQ(CREATE_CHILD_SA),
                         {ONE(SA), ONE(NONCE), ONE(KE), ANY(N), ANY(VID)}},
    [V2_REKEY_RSP]    = {"", "CREATE_CHILD_SA response", SEALED_RSP(CREATE_CHILD_SA),
                         {ONE(SA), ONE(NONCE), ONE(KE), ANY(N), ANY(VID)}},
    [V2_CREATE_ERROR] = {"", "CREATE_CHILD_SA response", SEALED_RSP(CREATE_CHILD_SA),
                         {ANY(N), ANY(VID)}},
    [V2_FOLLOWUP_REQ] = {"", "IKE_FOLLOWUP_KE request", SEALED_REQ(FOLLOWUP_KE),
                         {ONE(KE), SOME(N), ANY(VID)}},
    [V2_FOLLOWUP_RSP] = {"", "IKE_FOLLOWUP_KE response", SEALED_RSP(FOLLOWUP_KE),
                         {ONE(KE), ANY(N), ANY(VID)}},
    [V2_FOLLOWUP_ERROR] = {"", "IKE_FOLLOWUP_KE response", SEALED_RSP(FOLLOWUP_KE),
                         {ANY(N), ANY(VID)}},
    /* U (addrmgmt-06) is known between ends that agreed on it, else it never comes this far. */
    [V2_INFO_REQ]     = {"", "INFORMATIONAL request", SEALED_REQ(INFORMATIONAL),
                         {ANY(N), ANY(D), MAY(CP), {ADDRMGMT_P_UPDATE, 0, V2_ANY}, ANY(VID)}},
    [V2_INFO_RSP]     = {"", "INFORMATIONAL response", SEALED_RSP(INFORMATIONAL),
                         {ANY(N), ANY(D), MAY(CP), {ADDRMGMT_P_UPDATE, 0, V2_ANY}, ANY(VID)}},
};
/* clang-format on */

const struct v2_message *v2_message(enum v2_message_kind kind)
{
    assert(kind > V2_NO_MESSAGE && kind < V2_MESSAGE_COUNT);
    return &messages[kind];
}

static bool has(const struct ike2_payloads *payloads, uint8_t type)
{
    return ike2_payload_find(payloads, type, 0) != NULL;
}

static enum v2_message_kind init_answer(const struct ike2_payloads *payloads)
{
    struct ike2_notify n;
    if (has(payloads, IKE2_P_SA) || has(payloads, IKE2_P_KE))
        return V2_INIT_RSP;
    if (ike2_notify_find(payloads, IKE2_N_COOKIE, &n) ||
        ike2_notify_find(payloads, IKE2_N_INVALID_KE_PAYLOAD, &n))
        return V2_INIT_RETRY;
    return V2_INIT_ERROR;
}

static enum v2_message_kind resume_answer(const struct ike2_payloads *payloads)
{
    struct ike2_notify n;
    if (has(payloads, IKE2_P_NONCE))
        return V2_RESUME_RSP;
    if (ike2_notify_find(payloads, IKE2_N_TICKET_NACK, &n))
        return V2_RESUME_NACK;
    return ike2_notify_find(payloads, IKE2_N_COOKIE, &n) ? V2_RESUME_RETRY : V2_RESUME_ERROR;
}

static enum v2_message_kind create_answer(const struct ike2_payloads *payloads)
{
    if (!has(payloads, IKE2_P_SA) && !has(payloads, IKE2_P_NONCE))
        return V2_CREATE_ERROR;
    return has(payloads, IKE2_P_TSI) || has(payloads, IKE2_P_TSR) ? V2_CHILD_RSP : V2_REKEY_RSP;
}

enum v2_message_kind v2_message_kind_of(uint8_t exchange, bool response,
                                        const struct ike2_payloads *payloads)
{
    bool selectors = has(payloads, IKE2_P_TSI) || has(payloads, IKE2_P_TSR);
    switch (exchange) {
    case IKE2_SA_INIT:
        return response ? init_answer(payloads) : V2_INIT_REQ;
    case IKE2_SESSION_RESUME:
        return response ? resume_answer(payloads) : V2_RESUME_REQ;
    case IKE2_INTERMEDIATE:
        if (!response)
            return V2_MEDIATE_REQ;
        return has(payloads, IKE2_P_KE) ? V2_MEDIATE_RSP : V2_MEDIATE_ERROR;
    case IKE2_AUTH:
        if (!response)
            return V2_AUTH_REQ;
        return has(payloads, IKE2_P_IDR) || has(payloads, IKE2_P_AUTH) ? V2_AUTH_RSP
                                                                       : V2_AUTH_ERROR;
    case IKE2_CREATE_CHILD_SA:
        if (response)
            return create_answer(payloads);
        return selectors ? V2_CHILD_REQ : V2_REKEY_REQ;
    case IKE2_FOLLOWUP_KE:
        if (!response)
            return V2_FOLLOWUP_REQ;
        return has(payloads, IKE2_P_KE) ? V2_FOLLOWUP_RSP : V2_FOLLOWUP_ERROR;
    case IKE2_INFORMATIONAL:
        return response ? V2_INFO_RSP : V2_INFO_REQ;
    default:
        return V2_NO_MESSAGE;
    }
}

static const struct v2_rule *rule_for(const struct v2_message *message, uint8_t type)
{
    for (size_t i = 0; i < V2_RULES && message->rules[i].type != IKE2_P_NONE; i++)
        if (message->rules[i].type == type)
            return &message->rules[i];
    return NULL;
}

enum err v2_message_check(const struct v2_message *message, const struct ike2_payloads *payloads)
{
    for (size_t i = 0; i < payloads->count; i++)
        if (rule_for(message, payloads->list[i].type) == NULL)
            return ERR_UNEXPECTED;
    for (size_t i = 0; i < V2_RULES && message->rules[i].type != IKE2_P_NONE; i++) {
        const struct v2_rule *rule = &message->rules[i];
        size_t count = ike2_payload_count(payloads, rule->type);
        if (count < rule->min)
            return ERR_MISSING;
        if (count > rule->max)
            return ERR_REPEATED;
    }
    return ERR_OK;
}

/*
 * The exchanges. Each block shows the ladder, then the rows of either side. An exchange rests in a
 * row's state until the row's trigger comes: a message of the peer, or the answer of our own side
 * to a question. Where nothing has to be asked (a shared secret needs no keeper, an IKE SA without
 * a child no SPI) the row runs at once.
 *
 *          state           trigger     sends       handler             next state      meanwhile
 */
#define ON_MESSAGE(from, message, reply, handler, to, clock, text, ...)                            \
    {                                                                                              \
        .state = V2_##from, .on = V2_ON_MESSAGE, .gets = V2_##message, .sends = V2_##reply,        \
        .handle = handler, .next = V2_##to, .timer = V2_TIMER_##clock, .story = text, __VA_ARGS__  \
    }
#define ON_ANSWER(from, answer, message, handler, to, clock, text, ...)                            \
    {                                                                                              \
        .state = V2_##from, .on = V2_ON_##answer, .sends = V2_##message, .handle = handler,        \
        .next = V2_##to, .timer = V2_TIMER_##clock, .story = text, __VA_ARGS__                     \
    }

/* clang-format off */
static const struct v2_row rows[] = {
    /*
     * The initial exchanges (section 1.2)
     *
     *      initiator                                          responder
     *
     *      I_START
     *         -- IKE_SA_INIT: SA, KE, Ni, N(NAT..) ---------->  R_START
     *      I_WAIT_INIT                                            cookie, if many are half open
     *         <- N(COOKIE), or N(INVALID_KE_PAYLOAD) ---------    nothing kept
     *      I_SOLVING  (with N(PUZZLE))
     *         -- IKE_SA_INIT again, as asked ---------------->
     *         <- IKE_SA_INIT: SA, KE, Nr, N(NAT..) -----------  R_WAIT_AUTH
     *      I_MEDIATING
     *         ## IKE_INTERMEDIATE: KE #######################>  for each key exchange beyond the first
     *      I_WAIT_MEDIATE                                     R_WAIT_AUTH
     *         <# IKE_INTERMEDIATE: KE ########################
     *      I_WAIT_SPI, I_SIGNING_PLAIN, I_SIGNING  (private key)
     *         ## IKE_AUTH: IDi, AUTH, SA, TSi, TSr ##########>  from here on port 4500, if NAT was found
     *      I_WAIT_AUTH                                        R_WAIT_KEYS    (DNS)
     *                                                         R_AUTHORIZING  (DNS)
     *                                                         R_WAIT_SPI, R_INSTALLING (both SAs)
     *                                                         R_SIGNING      (private key)
     *         <# IKE_AUTH: IDr, AUTH, SA, TSi, TSr ###########  DONE
     *      I_INSTALLING  (both SAs)
     *      DONE
     */
    ON_ANSWER (I_START,        START,      INIT_REQ,   init_i_start,       I_WAIT_INIT,    RESEND, "offer every suite we like"),
    ON_MESSAGE(I_WAIT_INIT,    INIT_RETRY, INIT_REQ,   init_i_again,       I_WAIT_INIT,    RESEND, "the same again, with the cookie or the group that was asked for",
               .past = V2_I_SOLVING),
    ON_ANSWER (I_SOLVING,      START,      INIT_REQ,   init_i_start,       I_WAIT_INIT,    RESEND, "with the puzzle's solution (RFC 8019), unless it took too long"),
    ON_MESSAGE(I_WAIT_INIT,    INIT_ERROR, NO_MESSAGE, init_i_hint,        I_WAIT_INIT,    RESEND, "nobody vouches for it: a better answer may still come"),
    ON_MESSAGE(I_WAIT_INIT,    INIT_RSP,   NO_MESSAGE, init_i_keys,        I_MEDIATING,    WAIT,   "check the choice against the offer, derive the keys",
               .past = V2_I_SOLVING_AUTH),
    ON_ANSWER (I_SOLVING_AUTH, START,      NO_MESSAGE, init_i_solved,      I_MEDIATING,    WAIT,   "the solution goes with IKE_AUTH"),
    ON_ANSWER (I_MEDIATING,    START,      MEDIATE_REQ, mediate_i_send,    I_WAIT_MEDIATE, RESEND, "the next of the additional key exchanges (RFC 9370); after the last, ask for an inbound SPI",
               .past = V2_I_WAIT_SPI),
    ON_MESSAGE(I_WAIT_MEDIATE, MEDIATE_ERROR, NO_MESSAGE, auth_i_refused,  DONE,           NONE,   "the peer doesn't want us"),
    ON_MESSAGE(I_WAIT_MEDIATE, MEDIATE_RSP, NO_MESSAGE, mediate_i_take,    I_MEDIATING,    WAIT,   "its secret goes into the keys"),
    ON_ANSWER (I_WAIT_SPI,     SPI,        NO_MESSAGE, auth_i_sign_plain,  I_SIGNING_PLAIN, WAIT,  "have what we sent signed as it is for a peer that lacks our PPK, if it may (RFC 8784)"),
    ON_ANSWER (I_SIGNING_PLAIN, SIGNED,    NO_MESSAGE, auth_i_sign,        I_SIGNING,      WAIT,   "have what we sent signed"),
    ON_ANSWER (I_SIGNING,      SIGNED,     AUTH_REQ,   auth_i_send,        I_WAIT_AUTH,    RESEND, "say who we are and prove it, and offer the first tunnel"),
    ON_MESSAGE(I_WAIT_AUTH,    AUTH_ERROR, NO_MESSAGE, auth_i_refused,     DONE,           NONE,   "the peer doesn't want us"),
    ON_MESSAGE(I_WAIT_AUTH,    AUTH_RSP,   NO_MESSAGE, auth_i_verify,      I_INSTALLING,   WAIT,   "verify the peer (OE-065), derive the tunnel's keys, install both SAs",
               .then = auth_established),
    ON_ANSWER (I_INSTALLING,   INSTALLED,  NO_MESSAGE, child_i_installed,  DONE,           NONE,   "the tunnel is up",
               .then = child_up),

    ON_MESSAGE(R_START,        INIT_REQ,   INIT_RSP,   init_r_choose,      R_WAIT_AUTH,    WAIT,   "choose a suite, send our public value, derive the keys"),
    ON_MESSAGE(R_WAIT_AUTH,    MEDIATE_REQ, MEDIATE_RSP, mediate_r_answer, R_WAIT_AUTH,    WAIT,   "an additional key exchange (RFC 9370): its secret goes into the keys"),
    ON_MESSAGE(R_WAIT_AUTH,    AUTH_REQ,   NO_MESSAGE, auth_r_claim,       R_WAIT_KEYS,    WAIT,   "find out who that may be and ask for the initiator's keys (OE-085)"),
    ON_ANSWER (R_WAIT_KEYS,    PEER_KEYS,  NO_MESSAGE, auth_r_verify,      R_AUTHORIZING,  WAIT,   "any of them may verify AUTH (OE-086, OE-137); ask whether the peer may have the tunnel (OE-092)"),
    ON_ANSWER (R_AUTHORIZING,  AUTHORIZED, NO_MESSAGE, child_r_authorized, R_WAIT_SPI,     WAIT,   "narrow the traffic, ask for an inbound SPI"),
    ON_ANSWER (R_WAIT_SPI,     SPI,        NO_MESSAGE, child_r_keys,       R_INSTALLING,   WAIT,   "derive the keys, install both SAs before answering (OE-185)"),
    ON_ANSWER (R_INSTALLING,   INSTALLED,  NO_MESSAGE, auth_r_sign,        R_SIGNING,      WAIT,   "only now reveal ourselves (IKE-016): have what we sent signed"),
    ON_ANSWER (R_SIGNING,      SIGNED,     AUTH_RSP,   auth_r_send,        DONE,           NONE,   "say who we are and prove it",
               .then = auth_established),

    /*
     * An IKE SA that was lost, resumed by a ticket (RFC 5723); IKE_AUTH follows as above
     *
     *      S_I_START
     *         -- IKE_SESSION_RESUME: Ni, N(TICKET_OPAQUE) ---->  R_START
     *      S_I_WAIT_REPLY                                          cookie, if many are half open
     *         <- IKE_SESSION_RESUME: Nr ----------------------  R_WAIT_AUTH
     *      I_MEDIATING
     *         <- or N(TICKET_NACK) ---------------------------    nothing kept
     *         -- IKE_SA_INIT -------------------------------->
     *      I_WAIT_INIT
     */
    ON_ANSWER (S_I_START,      START,        RESUME_REQ, resume_i_start,   S_I_WAIT_REPLY, RESEND, "show the ticket"),
    ON_MESSAGE(S_I_WAIT_REPLY, RESUME_RETRY, RESUME_REQ, resume_i_again,   S_I_WAIT_REPLY, RESEND, "the same again, with the cookie that was asked for"),
    ON_MESSAGE(S_I_WAIT_REPLY, RESUME_NACK,  INIT_REQ,   resume_i_refused, I_WAIT_INIT,    RESEND, "the ticket is of no use: a full exchange"),
    ON_MESSAGE(S_I_WAIT_REPLY, RESUME_ERROR, NO_MESSAGE, init_i_hint,      S_I_WAIT_REPLY, RESEND, "nobody vouches for it: a better answer may still come"),
    ON_MESSAGE(S_I_WAIT_REPLY, RESUME_RSP,   NO_MESSAGE, resume_i_keys,    I_MEDIATING,    WAIT,   "new keys from the old ones and both nonces"),
    ON_MESSAGE(R_START,        RESUME_REQ,   RESUME_RSP, resume_r_answer,  R_WAIT_AUTH,    WAIT,   "open the ticket, see whether it still holds, take its keys further"),

    /*
     * Another child, or one in place of one that grows old (sections 1.3.1, 1.3.3, 2.8)
     *
     *      initiator                                          responder
     *
     *      C_I_START, C_I_WAIT_SPI
     *         ## CREATE_CHILD_SA: [N(REKEY_SA)], SA, Ni, KE, TSi, TSr ##>  C_R_START
     *      C_I_WAIT_REPLY                                     C_R_AUTHORIZING (DNS)
     *                                                         C_R_WAIT_SPI, C_R_INSTALLING (both SAs)
     *         <# CREATE_CHILD_SA: SA, Nr, KE, TSi, TSr ##############  DONE
     *      C_I_FOLLOWING                                      C_R_WAIT_FOLLOWUP
     *         ## IKE_FOLLOWUP_KE: KE, N(ADDITIONAL_KEY_EXCHANGE) ####>  for each key exchange beyond the first
     *      C_I_WAIT_FOLLOWUP                                  C_R_FOLLOWED
     *         <# IKE_FOLLOWUP_KE: KE, N(ADDITIONAL_KEY_EXCHANGE) #####  C_R_LAST (both SAs)
     *      C_I_INSTALLING  (both SAs)
     *      DONE
     */
    ON_ANSWER (C_I_START,       START,        NO_MESSAGE, child_i_start,      C_I_WAIT_SPI,    WAIT,   "ask for an inbound SPI"),
    ON_ANSWER (C_I_WAIT_SPI,    SPI,          CHILD_REQ,  child_i_offer,      C_I_WAIT_REPLY,  RESEND, "offer the tunnel"),
    ON_MESSAGE(C_I_WAIT_REPLY,  CREATE_ERROR, NO_MESSAGE, child_i_refused,    C_I_START,       WAIT,   "another group, or later, if the peer says so; else it ends here",
               .then = v2_line_up_again),
    ON_MESSAGE(C_I_WAIT_REPLY,  CHILD_RSP,    NO_MESSAGE, child_i_reply,      C_I_FOLLOWING,   WAIT,   "check the choice"),
    ON_ANSWER (C_I_FOLLOWING,   START,        FOLLOWUP_REQ, follow_i_send,    C_I_WAIT_FOLLOWUP, RESEND, "the next of the additional key exchanges (RFC 9370); after the last, derive the keys, install both SAs (OE-186)",
               .past = V2_C_I_INSTALLING),
    ON_MESSAGE(C_I_WAIT_FOLLOWUP, FOLLOWUP_ERROR, NO_MESSAGE, child_i_refused, C_I_START,      WAIT,   "from the beginning, if the peer forgot it; else it ends here",
               .then = v2_line_up_again),
    ON_MESSAGE(C_I_WAIT_FOLLOWUP, FOLLOWUP_RSP, NO_MESSAGE, follow_i_take,    C_I_FOLLOWING,   WAIT,   "its secret goes into the keys"),
    ON_ANSWER (C_I_INSTALLING,  INSTALLED,    NO_MESSAGE, child_i_installed,  DONE,            NONE,   "the tunnel is up; the one that it replaces goes",
               .then = child_up),

    ON_MESSAGE(C_R_START,       CHILD_REQ,    NO_MESSAGE, child_r_proposal,   C_R_AUTHORIZING, WAIT,   "choose a suite, ask whether the peer may have the tunnel (OE-092)"),
    ON_ANSWER (C_R_AUTHORIZING, AUTHORIZED,   NO_MESSAGE, child_r_authorized, C_R_WAIT_SPI,    WAIT,   "narrow the traffic, ask for an inbound SPI"),
    ON_ANSWER (C_R_WAIT_SPI,    SPI,          NO_MESSAGE, child_r_keys,       C_R_INSTALLING,  WAIT,   "derive the keys, install both SAs before answering (OE-185)",
               .past = V2_C_R_PROMISING),
    ON_ANSWER (C_R_PROMISING,   START,        CHILD_RSP,  follow_r_promise_child, C_R_WAIT_FOLLOWUP, WAIT, "agree; more key exchanges come first (RFC 9370)",
               .then = follow_park),
    ON_MESSAGE(C_R_WAIT_FOLLOWUP, FOLLOWUP_REQ, NO_MESSAGE, follow_r_take,    C_R_FOLLOWED,    WAIT,   "its secret goes into the keys"),
    ON_ANSWER (C_R_FOLLOWED,    START,        FOLLOWUP_RSP, follow_r_share,   C_R_WAIT_FOLLOWUP, WAIT, "our value; after the last, derive the keys, install both SAs before answering",
               .past = V2_C_R_LAST, .then = follow_park),
    ON_ANSWER (C_R_LAST,        INSTALLED,    FOLLOWUP_RSP, follow_r_last,    DONE,            NONE,   "our value; the tunnel is up",
               .then = child_up),
    ON_ANSWER (C_R_INSTALLING,  INSTALLED,    CHILD_RSP,  child_r_reply,      DONE,            NONE,   "agree; the tunnel is up",
               .then = child_up),

    /*
     * A new IKE SA in place of one that grows old (sections 1.3.2, 2.8.2)
     *
     *      K_I_START
     *         ## CREATE_CHILD_SA: SA, Ni, KE #########################>  K_R_START
     *      K_I_WAIT_REPLY
     *         <# CREATE_CHILD_SA: SA, Nr, KE ##########################  DONE
     *      DONE                                                 the children belong to the new one
     */
    ON_ANSWER (K_I_START,      START,        REKEY_REQ,  rekey_i_offer,   K_I_WAIT_REPLY, RESEND, "offer what we like, with a new SPI"),
    ON_MESSAGE(K_I_WAIT_REPLY, CREATE_ERROR, NO_MESSAGE, rekey_i_refused, K_I_START,      WAIT,   "another group, or later, if the peer says so; else it ends here",
               .then = v2_line_up_again),
    ON_MESSAGE(K_I_WAIT_REPLY, REKEY_RSP,    NO_MESSAGE, rekey_i_reply,   K_I_FOLLOWING,  WAIT,   "check the choice"),
    ON_ANSWER (K_I_FOLLOWING,  START,        FOLLOWUP_REQ, follow_i_send, K_I_WAIT_FOLLOWUP, RESEND, "the next of the additional key exchanges (RFC 9370)",
               .past = V2_K_I_FINISHING),
    ON_MESSAGE(K_I_WAIT_FOLLOWUP, FOLLOWUP_ERROR, NO_MESSAGE, rekey_i_refused, K_I_START, WAIT,     "from the beginning, if the peer forgot it; else it ends here",
               .then = v2_line_up_again),
    ON_MESSAGE(K_I_WAIT_FOLLOWUP, FOLLOWUP_RSP, NO_MESSAGE, follow_i_take, K_I_FOLLOWING, WAIT,     "its secret goes into the keys"),
    ON_ANSWER (K_I_FINISHING,  START,        NO_MESSAGE, rekey_i_done,    DONE,           NONE,   "derive the new SA's keys; children move to it, the old one goes"),
    ON_MESSAGE(K_R_START,      REKEY_REQ,    NO_MESSAGE, rekey_r_choose,  K_R_ANSWERING,  WAIT,   "choose a suite, take the peer's value"),
    ON_ANSWER (K_R_ANSWERING,  START,        REKEY_RSP,  rekey_r_reply,   DONE,           NONE,   "agree; the initiator will delete the old one",
               .past = V2_K_R_PROMISING),
    ON_ANSWER (K_R_PROMISING,  START,        REKEY_RSP,  follow_r_promise_sa, K_R_WAIT_FOLLOWUP, WAIT, "agree; more key exchanges come first (RFC 9370)",
               .then = follow_park),
    ON_MESSAGE(K_R_WAIT_FOLLOWUP, FOLLOWUP_REQ, NO_MESSAGE, follow_r_take, K_R_FOLLOWED,  WAIT,   "its secret goes into the keys"),
    ON_ANSWER (K_R_FOLLOWED,   START,        FOLLOWUP_RSP, follow_r_share, K_R_WAIT_FOLLOWUP, WAIT, "our value, and where the next one belongs",
               .past = V2_K_R_LAST, .then = follow_park),
    ON_ANSWER (K_R_LAST,       START,        FOLLOWUP_RSP, rekey_r_last,  DONE,           NONE,   "our value; the initiator will delete the old one"),

    ON_MESSAGE(F_R_START,      FOLLOWUP_REQ, NO_MESSAGE, follow_r_unknown, DONE,          NONE,   "the peer goes on with what is not here: it has to begin anew"),

    /*
     * Deletes, notifies, and the question whether the peer is alive (sections 1.4, 2.4)
     */
    ON_ANSWER (N_I_START,      START,    INFO_REQ,   info_i_send,  N_I_WAIT_REPLY, RESEND, "say it"),
    ON_MESSAGE(N_I_WAIT_REPLY, INFO_RSP, NO_MESSAGE, info_i_reply, DONE,           NONE,   "the peer has heard it"),
    ON_MESSAGE(N_R_START,      INFO_REQ, INFO_RSP,   info_r_reply, DONE,           NONE,   "do what it says, and say so",
               .past = V2_N_R_CHECKING),
    ON_ANSWER (N_R_CHECKING,   CHECKED,  INFO_RSP,   info_r_checked, DONE,         NONE,   "the peer is where it says it is, or it is not (ADR-037)"),

    /*
     * After a restart: the peer's window stays shut until it has seen what was out (ike/v2/saved.c)
     */
    ON_ANSWER (O_I_START,      START,        NO_MESSAGE, info_o_again, O_I_WAIT_REPLY, RESEND, "say again what was out"),
    ON_MESSAGE(O_I_WAIT_REPLY, INFO_RSP,     NO_MESSAGE, info_o_reply, DONE,           NONE,   "whatever it was, the peer has heard it"),
    ON_MESSAGE(O_I_WAIT_REPLY, CREATE_ERROR, NO_MESSAGE, info_o_reply, DONE,           NONE,   "it would not"),
    ON_MESSAGE(O_I_WAIT_REPLY, CHILD_RSP,    NO_MESSAGE, info_o_child, DONE,           NONE,   "a child that nobody here knows: delete it"),
    ON_MESSAGE(O_I_WAIT_REPLY, FOLLOWUP_ERROR, NO_MESSAGE, info_o_reply, DONE,           NONE,   "it would not"),
    ON_MESSAGE(O_I_WAIT_REPLY, FOLLOWUP_RSP, NO_MESSAGE, info_o_rekey, DONE,           NONE,   "perhaps an IKE SA whose keys are gone: give up the old one too"),
    ON_MESSAGE(O_I_WAIT_REPLY, REKEY_RSP,    NO_MESSAGE, info_o_rekey, DONE,           NONE,   "an IKE SA whose keys are gone: give up the old one too"),
};
/* clang-format on */

const struct v2_row *v2_row_at(size_t i)
{
    return i < sizeof(rows) / sizeof(rows[0]) ? &rows[i] : NULL;
}

const struct v2_row *v2_row_find(enum v2_state state, enum v2_trigger on, enum v2_message_kind gets)
{
    const struct v2_row *row;
    for (size_t i = 0; (row = v2_row_at(i)) != NULL; i++)
        if (row->state == state && row->on == on && row->gets == gets)
            return row;
    return NULL;
}

const struct v2_row *v2_row_answer(enum v2_state state)
{
    const struct v2_row *row;
    for (size_t i = 0; (row = v2_row_at(i)) != NULL; i++)
        if (row->state == state && row->on != V2_ON_MESSAGE)
            return row;
    return NULL;
}
