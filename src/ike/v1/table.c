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
 * The messages. Vendor IDs are welcome anywhere before encryption ends the first exchange;
 * certificates and requests for them, and notifies that ride along, are skipped.
 */
static const struct v1_message messages[V1_MESSAGE_COUNT] = {
    [V1_MM1] = {"5D", "Main Mode 1: SA", ISAKMP_MAIN_MODE, false, false,
                {{ISAKMP_P_SA, 1, 1}, {ISAKMP_P_VID, 0, V1_ANY}}},
    [V1_MM2] = {"5E1", "Main Mode 2: SA", ISAKMP_MAIN_MODE, false, false,
                {{ISAKMP_P_SA, 1, 1}, {ISAKMP_P_VID, 0, V1_ANY}}},
    [V1_MM3] = {"5E2", "Main Mode 3: KE, Ni", ISAKMP_MAIN_MODE, false, false,
                {{ISAKMP_P_KE, 1, 1}, {ISAKMP_P_NONCE, 1, 1}, {ISAKMP_P_CR, 0, V1_ANY},
                 {ISAKMP_P_VID, 0, V1_ANY}}},
    [V1_MM4] = {"5E3", "Main Mode 4: KE, Nr", ISAKMP_MAIN_MODE, false, false,
                {{ISAKMP_P_KE, 1, 1}, {ISAKMP_P_NONCE, 1, 1}, {ISAKMP_P_CR, 0, V1_ANY},
                 {ISAKMP_P_VID, 0, V1_ANY}}},
    [V1_MM5] = {"5E4", "Main Mode 5: IDii, SIG_I", ISAKMP_MAIN_MODE, true, false,
                {{ISAKMP_P_ID, 1, 1}, {ISAKMP_P_SIG, 1, 1}, {ISAKMP_P_CERT, 0, V1_ANY},
                 {ISAKMP_P_CR, 0, V1_ANY}, {ISAKMP_P_N, 0, V1_ANY}, {ISAKMP_P_VID, 0, V1_ANY}}},
    [V1_MM6] = {"5E5", "Main Mode 6: IDir, SIG_R", ISAKMP_MAIN_MODE, true, false,
                {{ISAKMP_P_ID, 1, 1}, {ISAKMP_P_SIG, 1, 1}, {ISAKMP_P_CERT, 0, V1_ANY},
                 {ISAKMP_P_CR, 0, V1_ANY}, {ISAKMP_P_N, 0, V1_ANY}, {ISAKMP_P_VID, 0, V1_ANY}}},
    /* KE makes perfect forward secrecy (OE-128), the IDs name the two hosts (OE-130, OE-134). */
    [V1_QM1] = {"5G1", "Quick Mode 1: HASH(1), SA, Ni, KE, IDci, IDcr", ISAKMP_QUICK_MODE, true,
                true,
                {{ISAKMP_P_HASH, 1, 1}, {ISAKMP_P_SA, 1, 1}, {ISAKMP_P_NONCE, 1, 1},
                 {ISAKMP_P_KE, 1, 1}, {ISAKMP_P_ID, 2, 2}, {ISAKMP_P_N, 0, V1_ANY},
                 {ISAKMP_P_VID, 0, V1_ANY}}},
    [V1_QM2] = {"5G2", "Quick Mode 2: HASH(2), SA, Nr, KE, IDci, IDcr", ISAKMP_QUICK_MODE, true,
                true,
                {{ISAKMP_P_HASH, 1, 1}, {ISAKMP_P_SA, 1, 1}, {ISAKMP_P_NONCE, 1, 1},
                 {ISAKMP_P_KE, 1, 1}, {ISAKMP_P_ID, 2, 2}, {ISAKMP_P_N, 0, V1_ANY},
                 {ISAKMP_P_VID, 0, V1_ANY}}},
    [V1_QM3] = {"5G3", "Quick Mode 3: HASH(3)", ISAKMP_QUICK_MODE, true, true,
                {{ISAKMP_P_HASH, 1, 1}, {ISAKMP_P_N, 0, V1_ANY}}},
    [V1_INFO] = {"", "Informational", ISAKMP_INFORMATIONAL, true, true,
                 {{ISAKMP_P_HASH, 1, 1}, {ISAKMP_P_N, 0, V1_ANY}, {ISAKMP_P_D, 0, V1_ANY},
                  {ISAKMP_P_VID, 0, V1_ANY}}},
    [V1_INFO_CLEAR] = {"", "Informational, unprotected", ISAKMP_INFORMATIONAL, false, false,
                       {{ISAKMP_P_N, 0, V1_ANY}, {ISAKMP_P_D, 0, V1_ANY},
                        {ISAKMP_P_VID, 0, V1_ANY}}},
};

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
 * The exchanges. Each block shows the ladder, then its rows for one side. An exchange rests in a
 * row's state until the row's trigger comes; the handler's work done, it enters `next`.
 */
static const struct v1_row rows[] = {
    /*
     * Main Mode with signatures (RFC 2409 section 5.1), OE-118, OE-125
     *
     *      initiator                                   responder
     *      MM_I_START
     *         --- 1: HDR, SA ----------------------------->         MM_R_START
     *      MM_I_WAIT_SA                      cookie, half-open record
     *         <-- 2: HDR, SA ------------------------------         MM_R_OFFERED
     *         --- 3: HDR, KE, Ni ------------------------->
     *      MM_I_WAIT_KE                      cookie checked, then Diffie-Hellman
     *         <-- 4: HDR, KE, Nr --------------------------         MM_R_WAIT_AUTH
     *      MM_I_SIGNING (private key)
     *         ### 5: HDR*, IDii, SIG_I ###################>
     *      MM_I_WAIT_AUTH                                           MM_R_WAIT_KEYS (DNS)
     *                                                               MM_R_SIGNING (private key)
     *         <## 6: HDR*, IDir, SIG_R ####################         ESTABLISHED
     *      ESTABLISHED
     */
    {V1_MM_I_START, V1_ON_START, V1_NO_MESSAGE, V1_MM1, main_i_start, V1_MM_I_WAIT_SA, V1_NONE,
     V1_TIMER_RESEND, NULL, "offer every suite we accept"},
    {V1_MM_I_WAIT_SA, V1_ON_MESSAGE, V1_MM2, V1_MM3, main_i_choice, V1_MM_I_WAIT_KE, V1_NONE,
     V1_TIMER_RESEND, NULL, "check the choice against the offer, send our public value"},
    {V1_MM_I_WAIT_KE, V1_ON_MESSAGE, V1_MM4, V1_NO_MESSAGE, main_i_ke, V1_MM_I_SIGNING, V1_NONE,
     V1_TIMER_WAIT, NULL, "derive the keys, have HASH_I signed"},
    {V1_MM_I_SIGNING, V1_ON_SIGNED, V1_NO_MESSAGE, V1_MM5, main_i_signed, V1_MM_I_WAIT_AUTH,
     V1_NONE, V1_TIMER_RESEND, NULL, "say who we are and prove it, encrypted"},
    {V1_MM_I_WAIT_AUTH, V1_ON_MESSAGE, V1_MM6, V1_NO_MESSAGE, main_i_verify, V1_ESTABLISHED,
     V1_NONE, V1_TIMER_LINGER, main_established, "verify SIG_R with the keys DNS gave (OE-065)"},

    {V1_MM_R_START, V1_ON_MESSAGE, V1_MM1, V1_MM2, main_r_choose, V1_MM_R_OFFERED, V1_NONE,
     V1_TIMER_WAIT, NULL, "choose a suite, answer with a cookie, keep a half-open record (IKE-050)"},
    {V1_MM_R_OFFERED, V1_ON_MESSAGE, V1_MM3, V1_MM4, main_r_ke, V1_MM_R_WAIT_AUTH, V1_NONE,
     V1_TIMER_WAIT, NULL, "cookie proven: send our public value and derive the keys (IKE-030)"},
    {V1_MM_R_WAIT_AUTH, V1_ON_MESSAGE, V1_MM5, V1_NO_MESSAGE, main_r_auth, V1_MM_R_WAIT_KEYS,
     V1_NONE, V1_TIMER_WAIT, NULL, "keep IDii and SIG_I, ask for the initiator's keys (OE-085)"},
    {V1_MM_R_WAIT_KEYS, V1_ON_PEER_KEYS, V1_NO_MESSAGE, V1_NO_MESSAGE, main_r_verify,
     V1_MM_R_SIGNING, V1_MM_R_WAIT_AUTH, V1_TIMER_WAIT, NULL,
     "any of the keys may verify SIG_I (OE-086, OE-137); only then reveal ourselves (IKE-016)"},
    {V1_MM_R_SIGNING, V1_ON_SIGNED, V1_NO_MESSAGE, V1_MM6, main_r_signed, V1_ESTABLISHED, V1_NONE,
     V1_TIMER_LINGER, main_established, "say who we are and prove it"},

    /*
     * Quick Mode with perfect forward secrecy (RFC 2409 section 5.5), OE-128
     *
     *      initiator                                   responder
     *      QM_I_START, QM_I_WAIT_SPI
     *         ### 1: HDR*, HASH(1), SA, Ni, KE, IDci, IDcr ####>    QM_R_START
     *      QM_I_WAIT_REPLY                                          QM_R_AUTHORIZING (DNS)
     *                                                               QM_R_WAIT_SPI
     *                                        inbound SA             QM_R_INSTALLING_IN
     *         <## 2: HDR*, HASH(2), SA, Nr, KE, IDci, IDcr #####    QM_R_WAIT_CONFIRM
     *      QM_I_INSTALLING   both SAs
     *         ### 3: HDR*, HASH(3) ############################>
     *      QM_DONE                           outbound SA            QM_R_INSTALLING_OUT
     *                                                               QM_DONE
     */
    {V1_QM_I_START, V1_ON_START, V1_NO_MESSAGE, V1_NO_MESSAGE, quick_i_start, V1_QM_I_WAIT_SPI,
     V1_NONE, V1_TIMER_WAIT, NULL, "ask for an inbound SPI"},
    {V1_QM_I_WAIT_SPI, V1_ON_SPI, V1_NO_MESSAGE, V1_QM1, quick_i_offer, V1_QM_I_WAIT_REPLY, V1_NONE,
     V1_TIMER_RESEND, NULL, "offer the tunnel for exactly one pair of hosts (OE-134)"},
    {V1_QM_I_WAIT_REPLY, V1_ON_MESSAGE, V1_QM2, V1_NO_MESSAGE, quick_i_reply, V1_QM_I_INSTALLING,
     V1_NONE, V1_TIMER_WAIT, NULL, "check the choice, derive the keys, install both SAs (OE-186)"},
    {V1_QM_I_INSTALLING, V1_ON_INSTALLED, V1_NO_MESSAGE, V1_QM3, quick_i_installed, V1_QM_DONE,
     V1_NONE, V1_TIMER_LINGER, quick_up, "confirm; the tunnel is up"},

    {V1_QM_R_START, V1_ON_MESSAGE, V1_QM1, V1_NO_MESSAGE, quick_r_proposal, V1_QM_R_AUTHORIZING,
     V1_NONE, V1_TIMER_WAIT, NULL, "choose a suite, ask whether the peer may speak for its host (OE-092)"},
    {V1_QM_R_AUTHORIZING, V1_ON_AUTHORIZED, V1_NO_MESSAGE, V1_NO_MESSAGE, quick_r_authorized,
     V1_QM_R_WAIT_SPI, V1_NONE, V1_TIMER_WAIT, NULL, "ask for an inbound SPI"},
    {V1_QM_R_WAIT_SPI, V1_ON_SPI, V1_NO_MESSAGE, V1_NO_MESSAGE, quick_r_keys,
     V1_QM_R_INSTALLING_IN, V1_NONE, V1_TIMER_WAIT, NULL,
     "derive the keys, install the inbound SA before answering (OE-185)"},
    {V1_QM_R_INSTALLING_IN, V1_ON_INSTALLED, V1_NO_MESSAGE, V1_QM2, quick_r_reply,
     V1_QM_R_WAIT_CONFIRM, V1_NONE, V1_TIMER_RESEND, NULL, "agree; repeated until confirmed"},
    {V1_QM_R_WAIT_CONFIRM, V1_ON_MESSAGE, V1_QM3, V1_NO_MESSAGE, quick_r_confirmed,
     V1_QM_R_INSTALLING_OUT, V1_NONE, V1_TIMER_WAIT, NULL, "install the outbound SA (OE-186)"},
    {V1_QM_R_INSTALLING_OUT, V1_ON_INSTALLED, V1_NO_MESSAGE, V1_NO_MESSAGE, quick_r_installed,
     V1_QM_DONE, V1_NONE, V1_TIMER_LINGER, quick_up, "the tunnel is up"},
};

const struct v1_row *v1_row_at(size_t i)
{
    return i < sizeof(rows) / sizeof(rows[0]) ? &rows[i] : NULL;
}

const struct v1_row *v1_row_find(enum v1_state state, enum v1_trigger on)
{
    const struct v1_row *row;
    for (size_t i = 0; (row = v1_row_at(i)) != NULL; i++)
        if (row->state == state && row->on == on)
            return row;
    return NULL;
}
