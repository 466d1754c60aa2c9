#include "ike/v2/proposal.h"

#include "base/text.h"
#include "crypto/kex.h"

enum { OFFERED = 1, LEGACY = 2 };

enum { COMBINED, PLAIN }; /* the two kinds of proposal */

/* An algorithm on the wire and in our terms, in our order of preference. */
struct algorithm {
    uint16_t id;
    uint16_t key_bits; /* on the wire */
    uint16_t own;
    uint16_t own_bits;
    uint8_t flags; /* neither OFFERED nor LEGACY: taken if a peer offers it */
};

/* RFC 8247 section 2.1 */
static const struct algorithm ike_ciphers[] = {
    {IKE2_ENCR_AES_GCM_16, 256, AEAD_AES_GCM_16, 256, OFFERED},
    {IKE2_ENCR_AES_GCM_16, 128, AEAD_AES_GCM_16, 128, OFFERED},
    {IKE2_ENCR_CHACHA20_POLY1305, 0, AEAD_CHACHA20_POLY1305, 256, OFFERED},
    {IKE2_ENCR_AES_GCM_16, 192, AEAD_AES_GCM_16, 192, 0},
    {IKE2_ENCR_AES_CCM_16, 256, AEAD_AES_CCM_16, 256, 0},
    {IKE2_ENCR_AES_CCM_16, 128, AEAD_AES_CCM_16, 128, 0},
    {IKE2_ENCR_AES_CCM_8, 256, AEAD_AES_CCM_8, 256, 0},
    {IKE2_ENCR_AES_CCM_8, 128, AEAD_AES_CCM_8, 128, 0},
    {IKE2_ENCR_AES_CBC, 256, AEAD_AES_CBC, 256, OFFERED},
    {IKE2_ENCR_AES_CBC, 128, AEAD_AES_CBC, 128, OFFERED},
    {IKE2_ENCR_AES_CBC, 192, AEAD_AES_CBC, 192, 0},
    {IKE2_ENCR_3DES, 0, AEAD_3DES_CBC, 192, OFFERED | LEGACY},
};

/* RFC 8221 section 5 */
static const struct algorithm esp_ciphers[] = {
    {IKE2_ENCR_AES_GCM_16, 256, ESP_CIPHER_AES_GCM, 256, OFFERED},
    {IKE2_ENCR_AES_GCM_16, 128, ESP_CIPHER_AES_GCM, 128, OFFERED},
    {IKE2_ENCR_CHACHA20_POLY1305, 0, ESP_CIPHER_CHACHA20_POLY1305, 256, OFFERED},
    {IKE2_ENCR_AES_GCM_16, 192, ESP_CIPHER_AES_GCM, 192, 0},
    {IKE2_ENCR_AES_GCM_12, 256, ESP_CIPHER_AES_GCM_12, 256, 0},
    {IKE2_ENCR_AES_GCM_12, 192, ESP_CIPHER_AES_GCM_12, 192, 0},
    {IKE2_ENCR_AES_GCM_12, 128, ESP_CIPHER_AES_GCM_12, 128, 0},
    {IKE2_ENCR_AES_GCM_8, 256, ESP_CIPHER_AES_GCM_8, 256, 0},
    {IKE2_ENCR_AES_GCM_8, 192, ESP_CIPHER_AES_GCM_8, 192, 0},
    {IKE2_ENCR_AES_GCM_8, 128, ESP_CIPHER_AES_GCM_8, 128, 0},
    {IKE2_ENCR_AES_CBC, 256, ESP_CIPHER_AES_CBC, 256, OFFERED},
    {IKE2_ENCR_AES_CBC, 128, ESP_CIPHER_AES_CBC, 128, OFFERED},
    {IKE2_ENCR_AES_CBC, 192, ESP_CIPHER_AES_CBC, 192, 0},
    {IKE2_ENCR_3DES, 0, ESP_CIPHER_3DES_CBC, 192, OFFERED | LEGACY},
};

/* AH has none: one row, so that there is something to choose by. */
static const struct algorithm ah_ciphers[] = {{0, 0, ESP_CIPHER_NONE, 0, OFFERED}};

/* RFC 8247 section 2.2 */
static const struct algorithm prfs[] = {
    {IKE2_PRF_HMAC_SHA2_256, 0, HASH_SHA2_256, 0, OFFERED},
    {IKE2_PRF_HMAC_SHA2_384, 0, HASH_SHA2_384, 0, OFFERED},
    {IKE2_PRF_HMAC_SHA2_512, 0, HASH_SHA2_512, 0, OFFERED},
    {IKE2_PRF_HMAC_SHA1, 0, HASH_SHA1, 0, OFFERED | LEGACY},
};

/* RFC 8247 section 2.3, RFC 8221 section 6 */
static const struct algorithm ike_integs[] = {
    {IKE2_INTEG_HMAC_SHA2_256_128, 0, INTEG_HMAC_SHA2_256_128, 0, OFFERED},
    {IKE2_INTEG_HMAC_SHA2_384_192, 0, INTEG_HMAC_SHA2_384_192, 0, OFFERED},
    {IKE2_INTEG_HMAC_SHA2_512_256, 0, INTEG_HMAC_SHA2_512_256, 0, OFFERED},
    {IKE2_INTEG_HMAC_SHA1_96, 0, INTEG_HMAC_SHA1_96, 0, OFFERED | LEGACY},
};
static const struct algorithm esp_integs[] = {
    {IKE2_INTEG_HMAC_SHA2_256_128, 0, ESP_AUTH_HMAC_SHA2_256_128, 0, OFFERED},
    {IKE2_INTEG_HMAC_SHA2_384_192, 0, ESP_AUTH_HMAC_SHA2_384_192, 0, OFFERED},
    {IKE2_INTEG_HMAC_SHA2_512_256, 0, ESP_AUTH_HMAC_SHA2_512_256, 0, OFFERED},
    {IKE2_INTEG_HMAC_SHA1_96, 0, ESP_AUTH_HMAC_SHA1_96, 0, OFFERED | LEGACY},
};

/* RFC 8247 section 2.4, RFC 8031. Not 17 and 18: any number will do as a stranger's public value,
 * and costs us 30 and 60 ms. */
static const struct algorithm methods[] = {
    {IKE2_KE_CURVE25519, 0, 0, 0, OFFERED},
    {IKE2_KE_ECP_256, 0, 0, 0, OFFERED},
    {IKE2_KE_ECP_384, 0, 0, 0, OFFERED},
    {21, 0, 0, 0, OFFERED},
    {IKE2_KE_CURVE448, 0, 0, 0, 0},
    {IKE2_KE_MODP_2048, 0, 0, 0, OFFERED},
    {15, 0, 0, 0, OFFERED},
    {16, 0, 0, 0, OFFERED},
    {IKE2_KE_ML_KEM_768, 0, 0, 0, 0},
    {IKE2_KE_ML_KEM_1024, 0, 0, 0, 0},
    {5, 0, 0, 0, OFFERED | LEGACY},
    {2, 0, 0, 0, OFFERED | LEGACY},
};

/* As additional ones, encapsulations first: that is what they are for. */
static const struct algorithm additional_methods[] = {
    {IKE2_KE_ML_KEM_768, 0, 0, 0, 0},
    {IKE2_KE_ML_KEM_1024, 0, 0, 0, 0},
    {IKE2_KE_ML_KEM_512, 0, 0, 0, 0},
    {IKE2_KE_CURVE25519, 0, 0, 0, 0},
    {IKE2_KE_ECP_256, 0, 0, 0, 0},
    {IKE2_KE_ECP_384, 0, 0, 0, 0},
    {21, 0, 0, 0, 0},
    {IKE2_KE_CURVE448, 0, 0, 0, 0},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct algorithms {
    const struct algorithm *list;
    size_t count;
};
#define ALL(table) ((struct algorithms){(table), COUNT_OF(table)})

/* What tells a kind of SA from the other. */
struct kind {
    uint8_t protocol;
    struct algorithms ciphers, integs;
    bool has_cipher, has_prf, has_esn;
    bool (*combined)(uint16_t own_cipher);
};

static bool ike_combined(uint16_t own_cipher)
{
    return aead_is_combined((enum aead_cipher)own_cipher);
}

static bool esp_combined(uint16_t own_cipher)
{
    return esp_suite_combined(&(struct esp_suite){.cipher = (uint8_t)own_cipher});
}

static const struct kind kind_ike = {
    IKE2_PROTO_IKE, ALL(ike_ciphers), ALL(ike_integs), true, true, false, ike_combined};
static const struct kind kind_esp = {
    IKE2_PROTO_ESP, ALL(esp_ciphers), ALL(esp_integs), true, false, true, esp_combined};
/* Section 3.3.3: integrity and sequence numbers; integrity algorithms by RFC 8221 section 6. */
static const struct kind kind_ah = {
    IKE2_PROTO_AH, ALL(ah_ciphers), ALL(esp_integs), false, false, true, esp_combined};

static const struct kind *kind_child(const struct ike2_policy *policy)
{
    return policy->ah ? &kind_ah : &kind_esp;
}

/* Offers. */

static void add(struct ike2_proposal *p, uint8_t type, uint16_t id, uint16_t key_bits)
{
    if (p->transform_count < LIMIT_IKE2_TRANSFORMS)
        p->transforms[p->transform_count++] =
            (struct ike2_transform){.type = type, .id = id, .key_bits = key_bits};
}

static bool allowed(const struct algorithm *alg, const struct ike2_policy *policy)
{
    return policy->legacy || !(alg->flags & LEGACY);
}

static void add_all(struct ike2_proposal *p, uint8_t type, struct algorithms algs,
                    const struct ike2_policy *policy)
{
    for (size_t i = 0; i < algs.count; i++)
        if ((algs.list[i].flags & OFFERED) && allowed(&algs.list[i], policy))
            add(p, type, algs.list[i].id, algs.list[i].key_bits);
}

static void add_methods(struct ike2_proposal *p, const struct ike2_policy *policy)
{
    for (size_t i = 0; i < IKE2_METHODS_MAX && policy->methods[i] != 0; i++)
        if (kex_method_known(policy->methods[i]))
            add(p, IKE2_T_KE, policy->methods[i], 0);
    for (size_t i = 0; policy->methods[0] == 0 && i < COUNT_OF(methods); i++)
        if ((methods[i].flags & OFFERED) && allowed(&methods[i], policy) &&
            kex_method_known(methods[i].id))
            add(p, IKE2_T_KE, methods[i].id, 0);
}

static void proposal_fill(struct ike2_proposal *p, const struct kind *kind, int mode,
                          const struct ike2_policy *policy)
{
    for (size_t i = 0; i < kind->ciphers.count; i++) {
        const struct algorithm *alg = &kind->ciphers.list[i];
        if (kind->has_cipher && (alg->flags & OFFERED) && allowed(alg, policy) &&
            kind->combined(alg->own) == (mode == COMBINED))
            add(p, IKE2_T_ENCR, alg->id, alg->key_bits);
    }
    if (kind->has_prf)
        add_all(p, IKE2_T_PRF, ALL(prfs), policy);
    if (mode == PLAIN)
        add_all(p, IKE2_T_INTEG, kind->integs, policy);
    if (!policy->no_kex)
        add_methods(p, policy);
    if (kind->has_esn && !policy->no_esn)
        add(p, IKE2_T_ESN, IKE2_ESN_YES, 0);
    if (kind->has_esn)
        add(p, IKE2_T_ESN, IKE2_ESN_NO, 0);
}

/* RFC 9370 section 2.2.2: who doesn't know a transform type passes the whole proposal over, so the
 * additional ones are in proposals of their own, in front of the same ones without. */
static bool add_additional(struct ike2_proposal *p, const struct ike2_policy *policy)
{
    bool any = false;
    for (size_t i = 0; i < IKE2_ADDITIONAL_MAX && policy->additional[i] != 0; i++) {
        if (!kex_method_known(policy->additional[i]))
            continue;
        add(p, (uint8_t)(IKE2_T_ADDKE1 + i), policy->additional[i], 0);
        any = true;
    }
    return any && !policy->no_kex;
}

static int first_mode(const struct kind *kind)
{
    return kind->has_cipher ? COMBINED : PLAIN;
}

static void offer_fill(struct ike2_sa *sa, const struct kind *kind,
                       const struct ike2_policy *policy, struct view spi)
{
    sa->proposal_count = 0;
    sa->skipped = 0;
    for (int hybrid = 1; hybrid >= 0; hybrid--) {
        for (int mode = first_mode(kind); mode <= PLAIN; mode++) {
            struct ike2_proposal *p = &sa->proposals[sa->proposal_count];
            *p = (struct ike2_proposal){.number = (uint8_t)(sa->proposal_count + 1),
                                        .protocol = kind->protocol,
                                        .spi = spi};
            proposal_fill(p, kind, mode, policy);
            if (!hybrid || add_additional(p, policy))
                sa->proposal_count++;
        }
    }
}

void ike2_ike_offer_build(struct builder *b, const struct ike2_policy *policy, struct view spi,
                          struct ike2_sa *work)
{
    offer_fill(work, &kind_ike, policy, spi);
    ike2_sa_build(b, work);
}

void ike2_child_offer_build(struct builder *b, const struct ike2_policy *policy, spi_t spi,
                            struct ike2_sa *work)
{
    uint8_t octets[4];
    struct builder octets_b = builder_on(span_of(octets, sizeof(octets)));
    builder_u32(&octets_b, spi.value);
    offer_fill(work, kind_child(policy), policy, view_of(octets, sizeof(octets)));
    ike2_sa_build(b, work);
}

uint16_t ike2_first_method(const struct ike2_policy *policy)
{
    struct ike2_proposal p = {0};
    add_methods(&p, policy);
    return p.transform_count > 0 ? p.transforms[0].id : 0;
}

/* Choosing. */

/* What was found in one proposal. */
struct pick {
    const struct kind *kind;
    const struct ike2_policy *policy;
    const struct ike2_proposal *proposal;
    const struct algorithm *cipher, *integ, *prf;
    uint16_t method;
    uint16_t additional[IKE2_ADDITIONAL_MAX];
    bool esn;
    struct ike2_choice choice;
};

static const struct ike2_transform *find(const struct ike2_proposal *p, uint8_t type, uint16_t id,
                                         uint16_t key_bits)
{
    for (size_t i = 0; i < p->transform_count; i++) {
        const struct ike2_transform *t = &p->transforms[i];
        if (t->type == type && t->id == id && t->key_bits == key_bits && !t->unknown_attribute)
            return t;
    }
    return NULL;
}

static bool has_type(const struct ike2_proposal *p, uint8_t type)
{
    for (size_t i = 0; i < p->transform_count; i++)
        if (p->transforms[i].type == type)
            return true;
    return false;
}

static bool take(struct pick *pick, uint8_t type, uint16_t id, uint16_t key_bits)
{
    const struct ike2_transform *t = find(pick->proposal, type, id, key_bits);
    if (t == NULL || pick->choice.transform_count == COUNT_OF(pick->choice.transforms))
        return false;
    pick->choice.transforms[pick->choice.transform_count++] = *t;
    return true;
}

static const struct algorithm *take_best(struct pick *pick, uint8_t type, struct algorithms algs)
{
    for (size_t i = 0; i < algs.count; i++) {
        const struct algorithm *alg = &algs.list[i];
        if (allowed(alg, pick->policy) && take(pick, type, alg->id, alg->key_bits))
            return alg;
    }
    return NULL;
}

/* Section 3.3: a combined-mode cipher goes with no integrity algorithm, or with NONE alone. */
static bool take_integ(struct pick *pick)
{
    if (!pick->kind->combined(pick->cipher->own)) {
        pick->integ = take_best(pick, IKE2_T_INTEG, pick->kind->integs);
        return pick->integ != NULL;
    }
    return !has_type(pick->proposal, IKE2_T_INTEG) || take(pick, IKE2_T_INTEG, IKE2_INTEG_NONE, 0);
}

static bool method_allowed(const struct ike2_policy *policy, uint16_t method)
{
    if (!kex_method_known(method))
        return false;
    for (size_t i = 0; i < IKE2_METHODS_MAX && policy->methods[i] != 0; i++)
        if (policy->methods[i] == method)
            return true;
    for (size_t i = 0; policy->methods[0] == 0 && i < COUNT_OF(methods); i++)
        if (methods[i].id == method)
            return allowed(&methods[i], policy);
    return false;
}

/* The one sent already if it will do; else by our preference. */
static bool take_method(struct pick *pick, uint16_t sent)
{
    const struct ike2_policy *policy = pick->policy;
    bool required = pick->kind == &kind_ike;
    if (!has_type(pick->proposal, IKE2_T_KE))
        return !required;
    if (policy->no_kex)
        return take(pick, IKE2_T_KE, IKE2_KE_NONE, 0);
    if (sent != 0 && method_allowed(policy, sent) && take(pick, IKE2_T_KE, sent, 0)) {
        pick->method = sent;
        return true;
    }
    /* A child whose request has no KE payload asks for none, if it says so. */
    if (!required && sent == 0 && take(pick, IKE2_T_KE, IKE2_KE_NONE, 0))
        return true;
    for (size_t i = 0; i < COUNT_OF(methods) + IKE2_METHODS_MAX; i++) {
        uint16_t method =
            i < IKE2_METHODS_MAX ? policy->methods[i] : methods[i - IKE2_METHODS_MAX].id;
        if (method != 0 && method_allowed(policy, method) && take(pick, IKE2_T_KE, method, 0)) {
            pick->method = method;
            return true;
        }
    }
    return false;
}

static bool method_used(const struct pick *pick, uint16_t method)
{
    bool used = pick->method == method;
    for (size_t i = 0; i < IKE2_ADDITIONAL_MAX; i++)
        used |= pick->additional[i] == method;
    return used;
}

/* RFC 9370 section 2.2.2: one of every type that is there, and no method twice. */
static bool take_additional(struct pick *pick)
{
    bool wanted = pick->policy->additional[0] != 0 && pick->method != 0;
    for (uint8_t i = 0; i < IKE2_ADDITIONAL_MAX; i++) {
        uint8_t type = (uint8_t)(IKE2_T_ADDKE1 + i);
        bool done = !has_type(pick->proposal, type);
        for (size_t k = 0; wanted && !done && k < COUNT_OF(additional_methods); k++) {
            uint16_t method = additional_methods[k].id;
            if (!kex_method_known(method) || method_used(pick, method) ||
                !take(pick, type, method, 0))
                continue;
            pick->additional[i] = method;
            done = true;
        }
        if (!done && !take(pick, type, IKE2_KE_NONE, 0))
            return false;
    }
    return true;
}

static bool take_esn(struct pick *pick)
{
    if (!has_type(pick->proposal,
                  IKE2_T_ESN)) /* left out by some, though section 3.3.3 asks for it */
        return true;
    pick->esn = !pick->policy->no_esn && take(pick, IKE2_T_ESN, IKE2_ESN_YES, 0);
    return pick->esn || take(pick, IKE2_T_ESN, IKE2_ESN_NO, 0);
}

/* Section 3.3.6: with a type it doesn't understand, or that doesn't belong there, a proposal is
 * passed over whole. */
static bool types_known(const struct kind *kind, const struct ike2_proposal *p)
{
    for (size_t i = 0; i < p->transform_count; i++) {
        uint8_t type = p->transforms[i].type;
        bool known = (type == IKE2_T_ENCR && kind->has_cipher) || type == IKE2_T_INTEG || type == IKE2_T_KE ||
                     (type == IKE2_T_PRF && kind->has_prf) ||
                     (type == IKE2_T_ESN && kind->has_esn) ||
                     (type >= IKE2_T_ADDKE1 && type <= IKE2_T_ADDKE7);
        if (!known)
            return false;
    }
    return !p->incomplete;
}

/* An SPI of ESP or AH below 256 is reserved (RFC 4303 section 2.1). */
static bool spi_usable(const struct kind *kind, const struct ike2_proposal *p)
{
    struct cursor spi = cursor_of(p->spi);
    return kind == &kind_ike || cursor_u32(&spi) > 255;
}

static bool pick_from(struct pick *pick, const struct algorithm *cipher, uint16_t sent_method)
{
    const struct ike2_proposal *p = pick->proposal;
    pick->choice = (struct ike2_choice){
        .number = p->number, .protocol = p->protocol, .peer_spi_len = (uint8_t)p->spi.len};
    memcpy(pick->choice.peer_spi, p->spi.ptr != NULL ? p->spi.ptr : (const uint8_t *)"",
           p->spi.len);
    memset(pick->additional, 0, sizeof(pick->additional));
    pick->method = 0;
    pick->cipher = cipher;
    pick->integ = NULL;
    if (pick->kind->has_cipher && !take(pick, IKE2_T_ENCR, cipher->id, cipher->key_bits))
        return false;
    if (pick->kind->has_prf) {
        pick->prf = take_best(pick, IKE2_T_PRF, ALL(prfs));
        if (pick->prf == NULL)
            return false;
    }
    return take_integ(pick) && take_method(pick, sent_method) && take_additional(pick) &&
           (!pick->kind->has_esn || take_esn(pick));
}

/* Our best cipher wherever it is; with it the earliest proposal, which is the peer's best.
 * Additional key exchanges count for more than the cipher: they are there to make the whole safe.
 */
static bool pick_best(struct pick *pick, const struct ike2_sa *sa, uint16_t sent_method)
{
    for (int hybrid = 1; hybrid >= 0; hybrid--)
        for (size_t c = 0; c < pick->kind->ciphers.count; c++)
            for (size_t i = 0; i < sa->proposal_count; i++) {
                const struct algorithm *cipher = &pick->kind->ciphers.list[c];
                pick->proposal = &sa->proposals[i];
                if (pick->proposal->protocol == pick->kind->protocol &&
                    spi_usable(pick->kind, pick->proposal) && allowed(cipher, pick->policy) &&
                    types_known(pick->kind, pick->proposal) &&
                    pick_from(pick, cipher, sent_method) && (!hybrid || pick->additional[0] != 0))
                    return true;
            }
    return false;
}

static enum err choose(struct view offer, struct pick *pick, uint16_t sent_method,
                       struct ike2_sa *work)
{
    enum err err = ike2_sa_parse(offer, work);
    if (err != ERR_OK)
        return err;
    return pick_best(pick, work, sent_method) ? ERR_OK : ERR_NO_PROPOSAL;
}

static void ike_suite_of(const struct pick *pick, struct ike2_suite *ret)
{
    *ret = (struct ike2_suite){
        .protect = {.cipher = (uint8_t)pick->cipher->own,
                    .integ = pick->integ != NULL ? (uint8_t)pick->integ->own : INTEG_NONE,
                    .key_bits = pick->cipher->own_bits},
        .prf = (uint8_t)pick->prf->own,
        .method = pick->method,
    };
    memcpy(ret->additional, pick->additional, sizeof(ret->additional));
}

static void child_suite_of(const struct pick *pick, struct ike2_child_suite *ret)
{
    struct cursor spi = cursor_of(view_of(pick->choice.peer_spi, 4));
    *ret = (struct ike2_child_suite){
        .esp = {.cipher = (uint8_t)pick->cipher->own,
                .auth = pick->integ != NULL ? (uint8_t)pick->integ->own : ESP_AUTH_NONE,
                .key_bits = pick->cipher->own_bits,
                .esn = pick->esn,
                .protocol = pick->kind == &kind_ah ? SA_AH : SA_ESP},
        .method = pick->method,
        .peer_spi = {cursor_u32(&spi)},
    };
    memcpy(ret->additional, pick->additional, sizeof(ret->additional));
}

enum err ike2_ike_choose(struct view offer, const struct ike2_policy *policy, uint16_t sent_method,
                         struct ike2_sa *work, struct ike2_suite *ret,
                         struct ike2_choice *ret_choice)
{
    struct pick pick = {.kind = &kind_ike, .policy = policy};
    enum err err = choose(offer, &pick, sent_method, work);
    if (err != ERR_OK)
        return err;
    ike_suite_of(&pick, ret);
    *ret_choice = pick.choice;
    return ERR_OK;
}

enum err ike2_child_choose(struct view offer, const struct ike2_policy *policy,
                           uint16_t sent_method, struct ike2_sa *work, struct ike2_child_suite *ret,
                           struct ike2_choice *ret_choice)
{
    struct pick pick = {.kind = kind_child(policy), .policy = policy};
    enum err err = choose(offer, &pick, sent_method, work);
    if (err != ERR_OK)
        return err;
    child_suite_of(&pick, ret);
    *ret_choice = pick.choice;
    return ERR_OK;
}

/* Checking an answer. */

/* Exactly one of every type that our proposal has, and nothing else (section 3.3.6). INTEG NONE may
 * come back though it was not sent, as some do with combined-mode ciphers. */
static bool is_choice_from(const struct ike2_proposal *answer, const struct ike2_proposal *offer)
{
    for (size_t i = 0; i < answer->transform_count; i++) {
        const struct ike2_transform *t = &answer->transforms[i];
        bool none = t->type == IKE2_T_INTEG && t->id == IKE2_INTEG_NONE;
        if (!none && find(offer, t->type, t->id, t->key_bits) == NULL)
            return false;
        for (size_t k = 0; k < i; k++)
            if (answer->transforms[k].type == t->type)
                return false;
    }
    for (size_t i = 0; i < offer->transform_count; i++)
        if (!has_type(answer, offer->transforms[i].type))
            return false;
    return true;
}

/* The offer is made again rather than kept: it depends on nothing but the policy. */
static bool is_ours(const struct ike2_proposal *answer, const struct kind *kind,
                    const struct ike2_policy *policy)
{
    static const uint8_t no_spi[IKE2_SPI_LEN];
    for (int hybrid = 1, number = 1; hybrid >= 0; hybrid--) {
        for (int mode = first_mode(kind); mode <= PLAIN; mode++) {
            struct ike2_proposal p = {.spi = view_of(no_spi, answer->spi.len)};
            proposal_fill(&p, kind, mode, policy);
            if (hybrid && !add_additional(&p, policy))
                continue;
            if (answer->number == number++)
                return is_choice_from(answer, &p);
        }
    }
    return false;
}

static enum err check(struct view answer, struct pick *pick, struct ike2_sa *work)
{
    enum err err = ike2_sa_parse(answer, work);
    if (err != ERR_OK)
        return err;
    const struct ike2_proposal *p = &work->proposals[0];
    if (work->proposal_count != 1 || p->protocol != pick->kind->protocol ||
        !is_ours(p, pick->kind, pick->policy))
        return ERR_NO_PROPOSAL;
    return pick_best(pick, work, 0) ? ERR_OK : ERR_NO_PROPOSAL;
}

enum err ike2_ike_check(struct view answer, const struct ike2_policy *policy, struct ike2_sa *work,
                        struct ike2_suite *ret, struct ike2_choice *ret_choice)
{
    struct pick pick = {.kind = &kind_ike, .policy = policy};
    enum err err = check(answer, &pick, work);
    if (err != ERR_OK)
        return err;
    ike_suite_of(&pick, ret);
    *ret_choice = pick.choice;
    return ERR_OK;
}

enum err ike2_child_check(struct view answer, const struct ike2_policy *policy,
                          struct ike2_sa *work, struct ike2_child_suite *ret,
                          struct ike2_choice *ret_choice)
{
    struct pick pick = {.kind = kind_child(policy), .policy = policy};
    enum err err = check(answer, &pick, work);
    if (err != ERR_OK)
        return err;
    child_suite_of(&pick, ret);
    *ret_choice = pick.choice;
    return ERR_OK;
}

void ike2_choice_build(struct builder *b, const struct ike2_choice *choice, struct view spi)
{
    size_t start = b->len;
    builder_u16(b, 0);
    size_t field = builder_open_u16(b);
    builder_u8(b, choice->number);
    builder_u8(b, choice->protocol);
    builder_u8(b, (uint8_t)spi.len);
    builder_u8(b, choice->transform_count);
    builder_view(b, spi);
    for (size_t i = 0; i < choice->transform_count; i++)
        ike2_transform_build(b, &choice->transforms[i], i + 1 < choice->transform_count);
    builder_close_u16(b, field, start);
}

bool ike2_prf_hash(uint16_t transform_id, enum hash_alg *ret)
{
    for (size_t i = 0; i < COUNT_OF(prfs); i++) {
        if (prfs[i].id != transform_id)
            continue;
        *ret = (enum hash_alg)prfs[i].own;
        return true;
    }
    return false;
}

uint16_t ike2_prf_id(enum hash_alg hash)
{
    for (size_t i = 0; i < COUNT_OF(prfs); i++)
        if (prfs[i].own == hash)
            return prfs[i].id;
    return 0;
}

char *ike2_suite_format(const struct ike2_suite *suite, char *ret)
{
    char protect[AEAD_TEXT_MAX];
    const char *method = kex_method_name(suite->method);
    text_set(ret, IKE2_SUITE_TEXT_MAX, "%s prf %s %s", aead_format(&suite->protect, protect),
             hash_name(suite->prf), method != NULL ? method : "?");
    for (size_t i = 0; i < IKE2_ADDITIONAL_MAX; i++)
        if (suite->additional[i] != 0)
            text_add(ret, IKE2_SUITE_TEXT_MAX, "+%s", kex_method_name(suite->additional[i]));
    return ret;
}
