#include "ike/v1/table.h"

#include <assert.h>

#include "ike/v1/v1.h"

const char *v1_state_name(enum v1_state state)
{
    static const char *const names[] = {
#define V1_STATE_NAME(name, text) text,
        V1_STATES(V1_STATE_NAME)
#undef V1_STATE_NAME
    };
    assert(state < V1_STATE_COUNT);
    return names[state];
}

/*
 * The messages. Vendor IDs are welcome anywhere; certificates, requests for them and notifications
 * that ride along are skipped, and so are the original addresses of RFC 3947, which tunnel mode has no
 * use for. In Quick Mode KE makes perfect forward secrecy (OE-128), and the IDs
 * name the two hosts (OE-130, OE-134).
 *
 * The cookies of the model's messages are in the header of each (IKE-021, IKE-022, IKE-025, IKE-026).
 * Main Mode: IKE-020; what it offers, what was chosen of it, shares and nonces (IKE-027), then, under the
 * new keys, identities and proofs (IKE-015, IKE-031). Aggressive Mode: IKE-035. Quick Mode: IKE-018,
 * IKE-043, IKE-044, IKE-045, IKE-046.
 */
#define CLEAR(exchange) ISAKMP_##exchange, false, false, false
#define ENCRYPTED(exchange) ISAKMP_##exchange, true, false, false
#define EITHER(exchange) ISAKMP_##exchange, true, true, false
#define HASHED(exchange) ISAKMP_##exchange, true, false, true
#define ONE(type)                                                                                  \
    {                                                                                              \
        ISAKMP_P_##type, 1, 1                                                                      \
    }
#define MAYBE(type)                                                                                \
    {                                                                                              \
        ISAKMP_P_##type, 0, 1                                                                      \
    }
#define TWO(type)                                                                                  \
    {                                                                                              \
        ISAKMP_P_##type, 2, 2                                                                      \
    }
#define ANY(type)                                                                                  \
    {                                                                                              \
        ISAKMP_P_##type, 0, V1_ANY                                                                 \
    }

/* clang-format off */
static const struct v1_message messages[V1_MESSAGE_COUNT] = {
    [V1_MM1] = {"5D",  "Main Mode 1: SA", CLEAR(MAIN_MODE),
                {ONE(SA), ANY(VID)}},
    [V1_MM2] = {"5E1", "Main Mode 2: SA", CLEAR(MAIN_MODE),
                {ONE(SA), ANY(VID)}},
    [V1_MM3] = {"5E2", "Main Mode 3: KE, Ni", CLEAR(MAIN_MODE),
                {ONE(KE), ONE(NONCE), ANY(NAT_D), ANY(CR), ANY(VID)}},
    [V1_MM4] = {"5E3", "Main Mode 4: KE, Nr", CLEAR(MAIN_MODE),
                {ONE(KE), ONE(NONCE), ANY(NAT_D), ANY(CR), ANY(VID)}},
    [V1_MM5] = {"5E4", "Main Mode 5: IDii, SIG_I", ENCRYPTED(MAIN_MODE),
                {ONE(ID), ONE(SIG), ANY(CERT), ANY(CR), ANY(N), ANY(VID)}},
    [V1_MM6] = {"5E5", "Main Mode 6: IDir, SIG_R", ENCRYPTED(MAIN_MODE),
                {ONE(ID), ONE(SIG), ANY(CERT), ANY(CR), ANY(N), ANY(VID)}},
    [V1_MM5_PSK] = {"5E4", "Main Mode 5: IDii, HASH_I", ENCRYPTED(MAIN_MODE),
                {ONE(ID), ONE(HASH), ANY(N), ANY(VID)}},
    [V1_MM6_PSK] = {"5E5", "Main Mode 6: IDir, HASH_R", ENCRYPTED(MAIN_MODE),
                {ONE(ID), ONE(HASH), ANY(N), ANY(VID)}},

    [V1_MM3_ENC] = {"5E2", "Main Mode 3: KE, IDii and Ni encrypted", CLEAR(MAIN_MODE),
                {ONE(KE), ONE(NONCE), ONE(ID), MAYBE(HASH), ANY(NAT_D), ANY(VID)}},
    [V1_MM4_ENC] = {"5E3", "Main Mode 4: KE, IDir and Nr encrypted", CLEAR(MAIN_MODE),
                {ONE(KE), ONE(NONCE), ONE(ID), ANY(NAT_D), ANY(VID)}},
    [V1_MM5_ENC] = {"5E4", "Main Mode 5: HASH_I", ENCRYPTED(MAIN_MODE),
                {ONE(HASH), ANY(N), ANY(VID)}},
    [V1_MM6_ENC] = {"5E5", "Main Mode 6: HASH_R", ENCRYPTED(MAIN_MODE),
                {ONE(HASH), ANY(N), ANY(VID)}},

    [V1_AM1] = {"5D",  "Aggressive Mode 1: SA, KE, Ni, IDii", CLEAR(AGGRESSIVE_MODE),
                {ONE(SA), ONE(KE), ONE(NONCE), ONE(ID), MAYBE(HASH), ANY(CR), ANY(VID)}},
    [V1_AM2_ENC] = {"5E1", "Aggressive Mode 2: SA, KE, IDir and Nr encrypted, HASH_R", CLEAR(AGGRESSIVE_MODE),
                {ONE(SA), ONE(KE), ONE(NONCE), ONE(ID), ONE(HASH), ANY(NAT_D), ANY(VID)}},
    [V1_AM2] = {"5E1", "Aggressive Mode 2: SA, KE, Nr, IDir, SIG_R", CLEAR(AGGRESSIVE_MODE),
                {ONE(SA), ONE(KE), ONE(NONCE), ONE(ID), ONE(SIG), ANY(CERT), ANY(CR), ANY(NAT_D), ANY(VID)}},
    [V1_AM3] = {"5E4", "Aggressive Mode 3: SIG_I", EITHER(AGGRESSIVE_MODE),
                {ONE(SIG), ANY(CERT), ANY(NAT_D), ANY(N), ANY(VID)}},
    [V1_AM2_PSK] = {"5E1", "Aggressive Mode 2: SA, KE, Nr, IDir, HASH_R", CLEAR(AGGRESSIVE_MODE),
                {ONE(SA), ONE(KE), ONE(NONCE), ONE(ID), ONE(HASH), ANY(NAT_D), ANY(VID)}},
    [V1_AM3_PSK] = {"5E4", "Aggressive Mode 3: HASH_I", EITHER(AGGRESSIVE_MODE),
                {ONE(HASH), ANY(NAT_D), ANY(N), ANY(VID)}},

    [V1_QM1] = {"5G1", "Quick Mode 1: HASH(1), SA, Ni, KE, IDci, IDcr", HASHED(QUICK_MODE),
                {ONE(HASH), ONE(SA), ONE(NONCE), MAYBE(KE), TWO(ID), ANY(NAT_OA), ANY(N), ANY(VID)}},
    [V1_QM2] = {"5G2", "Quick Mode 2: HASH(2), SA, Nr, KE, IDci, IDcr", HASHED(QUICK_MODE),
                {ONE(HASH), ONE(SA), ONE(NONCE), MAYBE(KE), TWO(ID), ANY(NAT_OA), ANY(N), ANY(VID)}},
    [V1_QM3] = {"5G3", "Quick Mode 3: HASH(3)", HASHED(QUICK_MODE),
                {ONE(HASH), ANY(N)}},

    [V1_INFO] = {"", "Informational", HASHED(INFORMATIONAL),
                 {ONE(HASH), ANY(N), ANY(D), ANY(VID)}},
    [V1_INFO_CLEAR] = {"", "Informational, unprotected", CLEAR(INFORMATIONAL),
                       {ANY(N), ANY(D), ANY(VID)}},
};
/* clang-format on */

const struct v1_message *v1_message(enum v1_message_kind kind)
{
    assert(kind > V1_NO_MESSAGE && kind < V1_MESSAGE_COUNT);
    return &messages[kind];
}

static const struct v1_rule *rule_for(const struct v1_message *message, uint8_t type)
{
    for (size_t i = 0; i < V1_RULES && message->rules[i].type != ISAKMP_P_NONE; i++)
        if (message->rules[i].type == type)
            return &message->rules[i];
    return NULL;
}

enum err v1_message_check(const struct v1_message *message, const struct isakmp_payloads *payloads)
{
    for (size_t i = 0; i < payloads->count; i++)
        if (rule_for(message, payloads->list[i].type) == NULL)
            return ERR_UNEXPECTED;
    for (size_t i = 0; i < V1_RULES && message->rules[i].type != ISAKMP_P_NONE; i++) {
        const struct v1_rule *rule = &message->rules[i];
        size_t count = 0;
        while (isakmp_payload_find(payloads, rule->type, count) != NULL)
            count++;
        if (count < rule->min)
            return ERR_MISSING;
        if (count > rule->max)
            return ERR_REPEATED;
    }
    return ERR_OK;
}

/*
 * The exchanges, which are the RFCs' and know nothing of OE (OE-111). Each block shows the ladder, then the rows of either side. An exchange rests in a
 * row's state until the row's trigger comes: a message of the peer, or the answer of our own side
 * to a question. When the handler has done its work the exchange enters the next state.
 *
 *          state           trigger     sends       handler             next state      meanwhile
 */
#define ON_MESSAGE(from, message, reply, handler, to, clock, text, ...)                            \
    {                                                                                              \
        .state = V1_##from, .on = V1_ON_MESSAGE, .gets = V1_##message, .sends = V1_##reply,        \
        .handle = handler, .next = V1_##to, .timer = V1_TIMER_##clock, .story = text, __VA_ARGS__  \
    }
#define ON_ANSWER(from, answer, message, handler, to, clock, text, ...)                            \
    {                                                                                              \
        .state = V1_##from, .on = V1_ON_##answer, .sends = V1_##message, .handle = handler,        \
        .next = V1_##to, .timer = V1_TIMER_##clock, .story = text, __VA_ARGS__                     \
    }

/* clang-format off */
static const struct v1_row rows[] = {
    /*
     * Main Mode with signatures (RFC 2409 section 5.1), OE-118, OE-125
     *
     *      initiator                                     responder
     *
     *      MM_I_START
     *         -- 1: HDR, SA ---------------------------->  MM_R_START
     *      MM_I_WAIT_SA                                      cookie, half-open record
     *         <- 2: HDR, SA -----------------------------  MM_R_OFFERED
     *         -- 3: HDR, KE, Ni ------------------------>
     *      MM_I_WAIT_KE                                      cookie checked, then Diffie-Hellman
     *         <- 4: HDR, KE, Nr -------------------------  MM_R_WAIT_AUTH
     *      MM_I_SIGNING   (private key)
     *         ## 5: HDR*, IDii, SIG_I ##################>  from here on port 4500, if NAT was found
     *      MM_I_WAIT_AUTH                                  MM_R_WAIT_KEYS  (DNS)
     *                                                      MM_R_SIGNING    (private key)
     *         <# 6: HDR*, IDir, SIG_R ###################  ESTABLISHED
     *      ESTABLISHED
     */
    ON_ANSWER (MM_I_START,     START,     MM1,        main_i_start,  MM_I_WAIT_SA,   RESEND, "offer every suite we like"),
    ON_MESSAGE(MM_I_WAIT_SA,   MM2,       MM3,        main_i_choice, MM_I_WAIT_KE,   RESEND, "check the choice against the offer, send our public value and, for NAT, our addresses hashed",
               .way = V1_NOT_ENCRYPTION),
    ON_MESSAGE(MM_I_WAIT_KE,   MM4,       NO_MESSAGE, main_i_ke,     MM_I_SIGNING,   WAIT,   "derive the keys, have HASH_I signed",
               .way = V1_BY_SIGNATURE),
    ON_MESSAGE(MM_I_WAIT_KE,   MM4,       MM5_PSK,    main_i_psk,    MM_I_WAIT_AUTH, RESEND, "derive the keys; only who knows the shared key can (IKE-033)",
               .way = V1_BY_PSK),
    ON_ANSWER (MM_I_SIGNING,   SIGNED,    MM5,        main_i_signed, MM_I_WAIT_AUTH, RESEND, "say who we are and prove it, encrypted",
               .way = V1_BY_SIGNATURE),
    ON_MESSAGE(MM_I_WAIT_AUTH, MM6,       NO_MESSAGE, main_i_verify, ESTABLISHED,    LINGER, "verify SIG_R with the keys that DNS gave (OE-065)",
               .way = V1_BY_SIGNATURE, .refused = V1_MM_I_WAIT_AUTH, .then = main_established),
    ON_MESSAGE(MM_I_WAIT_AUTH, MM6_PSK,   NO_MESSAGE, main_i_verify_psk, ESTABLISHED, LINGER, "compare HASH_R",
               .way = V1_BY_PSK, .refused = V1_MM_I_WAIT_AUTH, .then = main_established),

    ON_MESSAGE(MM_R_START,     MM1,       MM2,        main_r_choose, MM_R_OFFERED,   WAIT,   "choose a suite, answer with a cookie, keep a small record (IKE-050)"),
    ON_MESSAGE(MM_R_OFFERED,   MM3,       MM4,        main_r_ke,     MM_R_WAIT_AUTH, WAIT,   "the cookie is right: send our public value, derive the keys (IKE-030)",
               .way = V1_NOT_ENCRYPTION),
    ON_MESSAGE(MM_R_WAIT_AUTH, MM5,       NO_MESSAGE, main_r_auth,   MM_R_WAIT_KEYS, WAIT,   "keep IDii and SIG_I, ask for the initiator's keys (OE-085)",
               .way = V1_BY_SIGNATURE, .refused = V1_MM_R_WAIT_AUTH, .then = auth_answer_self),
    ON_MESSAGE(MM_R_WAIT_AUTH, MM5_PSK,   MM6_PSK,    main_r_psk,    ESTABLISHED,    LINGER, "compare HASH_I, find the configured peer, answer",
               .way = V1_BY_PSK, .refused = V1_MM_R_WAIT_AUTH, .then = main_established),
    ON_ANSWER (MM_R_WAIT_KEYS, PEER_KEYS, NO_MESSAGE, main_r_verify, MM_R_SIGNING,   WAIT,   "any of them may verify SIG_I (OE-086, OE-137); only then reveal ourselves (IKE-016)",
               .way = V1_BY_SIGNATURE,
               .refused = V1_MM_R_WAIT_AUTH),
    ON_ANSWER (MM_R_SIGNING,   SIGNED,    MM6,        main_r_signed, ESTABLISHED,    LINGER, "say who we are and prove it",
               .way = V1_BY_SIGNATURE,
               .then = main_established),

    /*
     * Main Mode with public-key encryption (RFC 2409 sections 5.2, 5.3), IKE-014; <> is what is encrypted
     * with the other side's key, or in the revised form with one that its nonce makes
     *
     *      initiator                                            responder
     *
     *      MM_I_WAIT_SA                                         MM_R_OFFERED
     *         -- 3: HDR, KE, <IDii>, <Ni> --------------------->  cookie checked
     *      MM_I_WAIT_KE                                         MM_R_DECRYPTING  (private key)
     *         <- 4: HDR, KE, <IDir>, <Nr> ----------------------  MM_R_WAIT_AUTH
     *      MM_I_DECRYPTING  (private key)
     *         ## 5: HDR*, HASH_I ##############################>
     *      MM_I_WAIT_AUTH
     *         <# 6: HDR*, HASH_R ###############################  ESTABLISHED
     *      ESTABLISHED
     */
    ON_MESSAGE(MM_I_WAIT_SA,    MM2,       MM3_ENC,    encrypted_i_choice, MM_I_WAIT_KE,    RESEND, "check the choice, say who we are to nobody but the peer",
               .way = V1_BY_ENCRYPTION),
    ON_MESSAGE(MM_I_WAIT_KE,    MM4_ENC,   NO_MESSAGE, encrypted_i_share,  MM_I_DECRYPTING, WAIT,   "have the peer's nonce and name decrypted",
               .way = V1_BY_ENCRYPTION),
    ON_ANSWER (MM_I_DECRYPTING, DECRYPTED, MM5_ENC,    encrypted_i_keys,   MM_I_WAIT_AUTH,  RESEND, "derive the keys; only who could read our nonce can",
               .way = V1_BY_ENCRYPTION),
    ON_MESSAGE(MM_I_WAIT_AUTH,  MM6_ENC,   NO_MESSAGE, encrypted_i_verify, ESTABLISHED,     LINGER, "compare HASH_R",
               .way = V1_BY_ENCRYPTION, .refused = V1_MM_I_WAIT_AUTH, .then = main_established),

    ON_MESSAGE(MM_R_OFFERED,    MM3_ENC,   NO_MESSAGE, encrypted_r_share,  MM_R_DECRYPTING, WAIT,   "the cookie is right: have the peer's nonce and name decrypted (IKE-030)",
               .way = V1_BY_ENCRYPTION),
    ON_ANSWER (MM_R_DECRYPTING, DECRYPTED, MM4_ENC,    encrypted_r_keys,   MM_R_WAIT_AUTH,  WAIT,   "find the configured peer, answer under its key",
               .way = V1_BY_ENCRYPTION),
    ON_MESSAGE(MM_R_WAIT_AUTH,  MM5_ENC,   MM6_ENC,    encrypted_r_verify, ESTABLISHED,     LINGER, "compare HASH_I, answer",
               .way = V1_BY_ENCRYPTION, .refused = V1_MM_R_WAIT_AUTH, .then = main_established),

    /*
     * Aggressive Mode (RFC 2409 sections 5.1, 5.4), only with peers it was configured for (IKE-042)
     *
     *      initiator                                            responder
     *
     *      AM_I_START
     *         -- 1: HDR, SA, KE, Ni, IDii --------------------->  AM_R_START
     *      AM_I_WAIT_REPLY                                        AM_R_SIGNING  (private key)
     *         <- 2: HDR, SA, KE, Nr, IDir, SIG_R | HASH_R -----   AM_R_WAIT_AUTH
     *      AM_I_SIGNING  (private key)
     *         ## 3: HDR*, SIG_I | HASH_I ######################>  ESTABLISHED
     *      ESTABLISHED
     *
     * With public-key encryption IDii, IDir and both nonces are encrypted, the responder decrypts in
     * AM_R_SIGNING and the initiator, before it can tell whether HASH_R is right, in AM_I_DECRYPTING.
     */
    ON_ANSWER (AM_I_START,      START,  AM1,        aggressive_i_start,  AM_I_WAIT_REPLY, RESEND, "offer suites of one group, and all the responder needs (IKE-036)"),
    ON_MESSAGE(AM_I_WAIT_REPLY, AM2,    NO_MESSAGE, aggressive_i_reply,  AM_I_SIGNING,    WAIT,   "verify SIG_R, have HASH_I signed",
               .way = V1_BY_SIGNATURE),
    ON_ANSWER (AM_I_SIGNING,    SIGNED, AM3,        aggressive_i_signed, ESTABLISHED,     LINGER, "prove who we are (IKE-038)",
               .way = V1_BY_SIGNATURE,
               .then = main_established),
    ON_MESSAGE(AM_I_WAIT_REPLY, AM2_PSK, AM3_PSK,   aggressive_i_psk,    ESTABLISHED,     LINGER, "compare HASH_R, answer with HASH_I",
               .way = V1_BY_PSK, .then = main_established),
    ON_MESSAGE(AM_I_WAIT_REPLY, AM2_ENC, NO_MESSAGE, encrypted_i_reply,  AM_I_DECRYPTING, WAIT,   "have the peer's nonce and name decrypted",
               .way = V1_BY_ENCRYPTION),
    ON_ANSWER (AM_I_DECRYPTING, DECRYPTED, AM3_PSK, encrypted_i_prove,   ESTABLISHED,     LINGER, "compare HASH_R, answer with HASH_I",
               .way = V1_BY_ENCRYPTION,
               .refused = V1_AM_I_WAIT_REPLY, .then = main_established),

    ON_MESSAGE(AM_R_START,      AM1,    NO_MESSAGE, aggressive_r_offer,  AM_R_SIGNING,    WAIT,   "choose a suite, derive the keys, have HASH_R signed",
               .then = auth_sign_self),
    ON_ANSWER (AM_R_SIGNING,    SIGNED, AM2,        aggressive_r_signed, AM_R_WAIT_AUTH,  RESEND, "answer with all of it (IKE-037)",
               .way = V1_BY_SIGNATURE),
    ON_ANSWER (AM_R_SIGNING,    SIGNED, AM2_PSK,    aggressive_r_psk,    AM_R_WAIT_AUTH,  RESEND, "answer with all of it, HASH_R needs no private key",
               .way = V1_BY_PSK),
    ON_ANSWER (AM_R_SIGNING,    DECRYPTED, AM2_ENC, encrypted_r_reply,   AM_R_WAIT_AUTH,  RESEND, "find the configured peer, answer under its key",
               .way = V1_BY_ENCRYPTION),
    ON_MESSAGE(AM_R_WAIT_AUTH,  AM3,    NO_MESSAGE, aggressive_r_verify, ESTABLISHED,     LINGER, "verify SIG_I (IKE-039)",
               .way = V1_BY_SIGNATURE, .refused = V1_AM_R_WAIT_AUTH, .then = main_established),
    ON_MESSAGE(AM_R_WAIT_AUTH,  AM3_PSK, NO_MESSAGE, aggressive_r_verify_psk, ESTABLISHED, LINGER, "compare HASH_I",
               .way = V1_NOT_SIGNATURE, .refused = V1_AM_R_WAIT_AUTH, .then = main_established),

    /*
     * Quick Mode with perfect forward secrecy (RFC 2409 section 5.5), OE-128
     *
     *      initiator                                                   responder
     *
     *      QM_I_START, QM_I_WAIT_SPI
     *         ## 1: HDR*, HASH(1), SA, Ni, KE, IDci, IDcr ##########>  QM_R_START
     *      QM_I_WAIT_REPLY                                             QM_R_AUTHORIZING  (DNS)
     *                                                                  QM_R_WAIT_SPI
     *                                                                  QM_R_INSTALLING_IN
     *         <# 2: HDR*, HASH(2), SA, Nr, KE, IDci, IDcr ###########  QM_R_WAIT_CONFIRM
     *      QM_I_INSTALLING   (both SAs)
     *         ## 3: HDR*, HASH(3) ##################################>  QM_R_INSTALLING_OUT
     *      QM_DONE                                                     QM_DONE
     */
    ON_ANSWER (QM_I_START,          START,      NO_MESSAGE, quick_i_start,      QM_I_WAIT_SPI,       WAIT,   "ask for an inbound SPI"),
    ON_ANSWER (QM_I_WAIT_SPI,       SPI,        QM1,        quick_i_offer,      QM_I_WAIT_REPLY,     RESEND, "offer the tunnel for exactly one pair of hosts (OE-134)"),
    ON_MESSAGE(QM_I_WAIT_REPLY,     QM2,        NO_MESSAGE, quick_i_reply,      QM_I_INSTALLING,     WAIT,   "check the choice, derive the keys, install both SAs (OE-186)"),
    ON_ANSWER (QM_I_INSTALLING,     INSTALLED,  QM3,        quick_i_installed,  QM_DONE,             LINGER, "confirm; the tunnel is up",
               .then = quick_up),

    ON_MESSAGE(QM_R_START,          QM1,        NO_MESSAGE, quick_r_proposal,   QM_R_AUTHORIZING,    WAIT,   "choose a suite, ask whether the peer may speak for its host (OE-092)"),
    ON_ANSWER (QM_R_AUTHORIZING,    AUTHORIZED, NO_MESSAGE, quick_r_authorized, QM_R_WAIT_SPI,       WAIT,   "ask for an inbound SPI"),
    ON_ANSWER (QM_R_WAIT_SPI,       SPI,        NO_MESSAGE, quick_r_keys,       QM_R_INSTALLING_IN,  WAIT,   "derive the keys, install the inbound SA before answering (OE-185)"),
    ON_ANSWER (QM_R_INSTALLING_IN,  INSTALLED,  QM2,        quick_r_reply,      QM_R_WAIT_CONFIRM,   RESEND, "agree, and repeat it until it is confirmed"),
    ON_MESSAGE(QM_R_WAIT_CONFIRM,   QM3,        NO_MESSAGE, quick_r_confirmed,  QM_R_INSTALLING_OUT, WAIT,   "install the outbound SA (OE-186)"),
    ON_ANSWER (QM_R_INSTALLING_OUT, INSTALLED,  NO_MESSAGE, quick_r_installed,  QM_DONE,             LINGER, "the tunnel is up",
               .then = quick_up),
};
/* clang-format on */

const struct v1_row *v1_row_at(size_t i)
{
    return i < sizeof(rows) / sizeof(rows[0]) ? &rows[i] : NULL;
}

const struct v1_row *v1_row_find(enum v1_state state, enum v1_trigger on, enum v1_way way)
{
    const struct v1_row *row;
    for (size_t i = 0; (row = v1_row_at(i)) != NULL; i++)
        if (row->state == state && row->on == on && (row->way == 0 || (row->way & way) != 0))
            return row;
    return NULL;
}
