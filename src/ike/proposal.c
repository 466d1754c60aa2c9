#include "ike/proposal.h"

#include <stdio.h>

#include "crypto/dh.h"

enum {
    DOI_IPSEC = 1,
    SITUATION_IDENTITY_ONLY = 1,
    PROTOCOL_ISAKMP = 1,
    PROTOCOL_AH = 2,
    PROTOCOL_ESP = 3,
    KEY_IKE = 1,
    LIFE_SECONDS = 1,
    LIFE_KILOBYTES = 2,
};

/* RFC 2409 appendix A */
enum {
    P1_ENCRYPTION = 1,
    P1_HASH,
    P1_AUTH,
    P1_GROUP,
    P1_GROUP_TYPE,
    P1_LIFE_TYPE = 11,
    P1_LIFE_DURATION,
    P1_KEY_LENGTH = 14
};
enum { P1_3DES_CBC = 5, P1_AES_CBC = 7 };
enum { P1_MD5 = 1, P1_SHA1 = 2, P1_SHA2_256 = 4, P1_SHA2_384, P1_SHA2_512 };
enum { P1_GROUP_MODP = 1, P1_GROUP_ECP = 2 };

/* RFC 2407 section 4.5, RFC 4304 */
enum {
    P2_LIFE_TYPE = 1,
    P2_LIFE_DURATION,
    P2_GROUP,
    P2_ENCAPSULATION,
    P2_AUTH,
    P2_KEY_LENGTH,
    P2_ESN = 11
};
enum { P2_TUNNEL = 1, P2_UDP_TUNNEL = 3 };
enum {
    P2_ESP_3DES = 3,
    P2_ESP_AES_CBC = 12,
    P2_ESP_AES_GCM_8 = 18,
    P2_ESP_AES_GCM_12 = 19,
    P2_ESP_AES_GCM_16 = 20
};

/*
 * The offers. The draft's own set comes last and only on request; nothing weaker than 3DES is ever
 * here or accepted (OE-119, OE-120, OE-121, OE-132). A dozen transforms of 40 octets keep message 1
 * far below any MTU (OE-122).
 */
static const struct ike_suite ike_suites[] = {
    {CBC_AES, HASH_SHA2_256, 256, 19}, {CBC_AES, HASH_SHA2_256, 128, 19},
    {CBC_AES, HASH_SHA2_384, 256, 20}, {CBC_AES, HASH_SHA2_256, 256, 14},
    {CBC_AES, HASH_SHA2_256, 128, 14}, {CBC_AES, HASH_SHA2_256, 256, 15},
    {CBC_AES, HASH_SHA2_512, 256, 16}, {CBC_3DES, HASH_SHA1, 192, 5},
    {CBC_3DES, HASH_MD5, 192, 5},      {CBC_3DES, HASH_SHA1, 192, 2},
    {CBC_3DES, HASH_MD5, 192, 2},
};
enum { IKE_SUITES_MODERN = 7 };

/* 64-bit sequence numbers are accepted but not offered: some peers refuse every transform beside one
 * with an attribute that they don't know. */
static const struct esp_suite esp_suites[] = {
    {ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 256, false},
    {ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 128, false},
    {ESP_CIPHER_AES_CBC, ESP_AUTH_HMAC_SHA2_256_128, 256, false},
    {ESP_CIPHER_AES_CBC, ESP_AUTH_HMAC_SHA2_256_128, 128, false},
    {ESP_CIPHER_3DES_CBC, ESP_AUTH_HMAC_SHA1_96, 192, false},
    {ESP_CIPHER_3DES_CBC, ESP_AUTH_HMAC_MD5_96, 192, false},
};
enum { ESP_SUITES_MODERN = 4 };

static const struct esp_suite ah_suites[] = {
    {.protocol = SA_AH, .auth = ESP_AUTH_HMAC_SHA2_256_128},
    {.protocol = SA_AH, .auth = ESP_AUTH_HMAC_SHA2_512_256},
    {.protocol = SA_AH, .auth = ESP_AUTH_HMAC_SHA2_384_192},
    {.protocol = SA_AH, .auth = ESP_AUTH_HMAC_SHA1_96},
    {.protocol = SA_AH, .auth = ESP_AUTH_HMAC_MD5_96},
};
enum { AH_SUITES_MODERN = 3 };

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

const struct ike_suite *phase1_offers(bool legacy, size_t *ret_count)
{
    *ret_count = legacy ? COUNT_OF(ike_suites) : IKE_SUITES_MODERN;
    return ike_suites;
}

const struct esp_suite *phase2_offers(bool legacy, size_t *ret_count)
{
    *ret_count = legacy ? COUNT_OF(esp_suites) : ESP_SUITES_MODERN;
    return esp_suites;
}

const struct esp_suite *phase2_ah_offers(bool legacy, size_t *ret_count)
{
    *ret_count = legacy ? COUNT_OF(ah_suites) : AH_SUITES_MODERN;
    return ah_suites;
}

char *ike_suite_format(const struct ike_suite *suite, char *ret)
{
    const char *group = dh_group_name(suite->group);
    if (suite->cipher == CBC_AES)
        snprintf(ret, IKE_SUITE_TEXT_MAX, "AES-CBC-%u %s %s", suite->key_bits,
                 hash_name(suite->hash), group ? group : "?");
    else
        snprintf(ret, IKE_SUITE_TEXT_MAX, "3DES-CBC %s %s", hash_name(suite->hash),
                 group ? group : "?");
    return ret;
}

/* Numbers on the wire against ours; `legacy` rows only count under the switch. */
struct code {
    uint16_t wire;
    uint16_t own;
    bool legacy;
};

static const struct code p1_ciphers[] = {{P1_AES_CBC, CBC_AES, false},
                                         {P1_3DES_CBC, CBC_3DES, true}};
static const struct code p1_hashes[] = {
    {P1_SHA2_256, HASH_SHA2_256, false},
    {P1_SHA2_384, HASH_SHA2_384, false},
    {P1_SHA2_512, HASH_SHA2_512, false},
    {P1_SHA1, HASH_SHA1, true},
    {P1_MD5, HASH_MD5, true},
};
/* Not 17 and 18: any number will do as a stranger's public value, and costs us 30 and 60 ms. */
static const struct code groups[] = {
    {19, 19, false}, {20, 20, false}, {21, 21, false}, {14, 14, false},
    {15, 15, false}, {16, 16, false}, {5, 5, true},    {2, 2, true},
};
static const struct code p2_ciphers[] = {
    {P2_ESP_AES_GCM_16, ESP_CIPHER_AES_GCM, false},
    {P2_ESP_AES_GCM_12, ESP_CIPHER_AES_GCM_12, false},
    {P2_ESP_AES_GCM_8, ESP_CIPHER_AES_GCM_8, false},
    {P2_ESP_AES_CBC, ESP_CIPHER_AES_CBC, false},
    {P2_ESP_3DES, ESP_CIPHER_3DES_CBC, true},
};
static const struct code p2_auths[] = {
    {5, ESP_AUTH_HMAC_SHA2_256_128, false}, {6, ESP_AUTH_HMAC_SHA2_384_192, false},
    {7, ESP_AUTH_HMAC_SHA2_512_256, false}, {2, ESP_AUTH_HMAC_SHA1_96, true},
    {1, ESP_AUTH_HMAC_MD5_96, true},
};

/* RFC 2407 section 4.4.3, RFC 4868 section 4: transforms of AH, each with the one algorithm it names. */
static const struct code ah_transforms[] = {
    {5, ESP_AUTH_HMAC_SHA2_256_128, false}, {6, ESP_AUTH_HMAC_SHA2_384_192, false},
    {7, ESP_AUTH_HMAC_SHA2_512_256, false}, {3, ESP_AUTH_HMAC_SHA1_96, true},
    {2, ESP_AUTH_HMAC_MD5_96, true},
};

static const struct code *code_of_wire(const struct code *codes, size_t count, uint64_t wire,
                                       bool legacy)
{
    for (size_t i = 0; i < count; i++)
        if (codes[i].wire == wire && (legacy || !codes[i].legacy))
            return &codes[i];
    return NULL;
}

static uint16_t wire_of_own(const struct code *codes, size_t count, uint16_t own)
{
    for (size_t i = 0; i < count; i++)
        if (codes[i].own == own)
            return codes[i].wire;
    return 0;
}

static bool aes_key_bits(uint64_t bits)
{
    return bits == 128 || bits == 192 || bits == 256;
}

/* Building */

static void put(struct isakmp_transform *transform, uint16_t type, uint64_t value)
{
    struct isakmp_attribute *attribute = &transform->attributes[transform->attribute_count++];
    *attribute =
        (struct isakmp_attribute){.type = type, .is_long = value > UINT16_MAX, .value = value};
}

/* The unit goes right before the number (RFC 2407 section 4.5). */
static void put_life(struct isakmp_transform *transform, uint16_t type, uint16_t unit,
                     uint64_t value)
{
    put(transform, type, unit);
    put(transform, type + 1, value);
}

static struct isakmp_proposal *start_sa(struct isakmp_sa *sa, uint8_t protocol)
{
    sa->doi = DOI_IPSEC;
    sa->situation = SITUATION_IDENTITY_ONLY;
    sa->proposal_count = 1;
    struct isakmp_proposal *proposal = &sa->proposals[0];
    proposal->number = 1;
    proposal->protocol = protocol;
    proposal->spi = view_of(NULL, 0);
    proposal->transform_count = 0;
    return proposal;
}

static struct isakmp_transform *next_transform(struct isakmp_proposal *proposal, uint8_t id)
{
    struct isakmp_transform *transform = &proposal->transforms[proposal->transform_count++];
    transform->number = (uint8_t)proposal->transform_count;
    transform->id = id;
    transform->attribute_count = 0;
    return transform;
}

/* IKE-063: one proposal, many transforms. */
void phase1_offer_build(struct builder *b, const struct phase1_offer *offer, struct isakmp_sa *work)
{
    struct isakmp_proposal *proposal = start_sa(work, PROTOCOL_ISAKMP);
    for (size_t i = 0; i < offer->count && i < LIMIT_IKE_TRANSFORMS; i++) {
        const struct ike_suite *suite = &offer->suites[i];
        struct isakmp_transform *transform = next_transform(proposal, KEY_IKE);
        put(transform, P1_ENCRYPTION, wire_of_own(p1_ciphers, COUNT_OF(p1_ciphers), suite->cipher));
        if (suite->cipher == CBC_AES)
            put(transform, P1_KEY_LENGTH, suite->key_bits);
        put(transform, P1_HASH, wire_of_own(p1_hashes, COUNT_OF(p1_hashes), suite->hash));
        put(transform, P1_AUTH, offer->auth != 0 ? offer->auth : PHASE1_RSA_SIGNATURES);
        put(transform, P1_GROUP, suite->group);
        put_life(transform, P1_LIFE_TYPE, LIFE_SECONDS, offer->seconds);
    }
    isakmp_sa_build(b, work);
}

static uint8_t phase2_transform(const struct esp_suite *suite)
{
    if (suite->protocol == SA_AH)
        return (uint8_t)wire_of_own(ah_transforms, COUNT_OF(ah_transforms), suite->auth);
    return (uint8_t)wire_of_own(p2_ciphers, COUNT_OF(p2_ciphers), suite->cipher);
}

/* ESP, or AH (IKE-008), and nothing beside it: compression is neither offered nor needed (OE-133). */
void phase2_offer_build(struct builder *b, const struct phase2_offer *offer, struct isakmp_sa *work)
{
    uint8_t spi[4] = {(uint8_t)(offer->spi.value >> 24), (uint8_t)(offer->spi.value >> 16),
                      (uint8_t)(offer->spi.value >> 8), (uint8_t)offer->spi.value};
    bool ah = offer->count > 0 && offer->suites[0].protocol == SA_AH;
    struct isakmp_proposal *proposal = start_sa(work, ah ? PROTOCOL_AH : PROTOCOL_ESP);
    proposal->spi = view_of(spi, sizeof(spi));
    for (size_t i = 0; i < offer->count && i < LIMIT_IKE_TRANSFORMS; i++) {
        const struct esp_suite *suite = &offer->suites[i];
        struct isakmp_transform *transform = next_transform(proposal, phase2_transform(suite));
        if (offer->group != 0)
            put(transform, P2_GROUP, offer->group); /* OE-128 */
        put(transform, P2_ENCAPSULATION, offer->udp ? P2_UDP_TUNNEL : P2_TUNNEL); /* OE-129 */
        put_life(transform, P2_LIFE_TYPE, LIFE_SECONDS, offer->seconds);
        if (offer->octets >= 1024)
            put_life(transform, P2_LIFE_TYPE, LIFE_KILOBYTES, offer->octets / 1024);
        if (!ah && suite->cipher != ESP_CIPHER_3DES_CBC)
            put(transform, P2_KEY_LENGTH, suite->key_bits);
        if (suite->auth != ESP_AUTH_NONE)
            put(transform, P2_AUTH, wire_of_own(p2_auths, COUNT_OF(p2_auths), suite->auth));
        if (suite->esn)
            put(transform, P2_ESN, 1); /* RFC 4304 */
    }
    isakmp_sa_build(b, work);
}

/* Reading */

/* A life type must be followed by its duration; the two may come once for each unit. */
struct life_reader {
    uint16_t unit; /* waiting for its duration; 0: none */
    uint64_t seconds, kilobytes;
};

static bool read_life(struct life_reader *life, bool is_type, uint64_t value)
{
    if (is_type) {
        bool fresh = (value == LIFE_SECONDS && life->seconds == 0) ||
                     (value == LIFE_KILOBYTES && life->kilobytes == 0);
        if (!fresh || life->unit != 0)
            return false;
        life->unit = (uint16_t)value;
        return true;
    }
    if (life->unit == 0 || value == 0)
        return false;
    *(life->unit == LIFE_SECONDS ? &life->seconds : &life->kilobytes) = value;
    life->unit = 0;
    return true;
}

/* A basic attribute's value that is in `codes`; false if not, or if it was set before. */
static bool read_code(const struct code *codes, size_t count, const struct isakmp_attribute *a,
                      bool legacy, uint32_t *seen, uint16_t *ret)
{
    const struct code *code = code_of_wire(codes, count, a->value, legacy);
    if (code == NULL || a->is_long || (*seen & 1u << a->type) != 0)
        return false;
    *seen |= 1u << a->type;
    *ret = code->own;
    return true;
}

static bool read_basic(const struct isakmp_attribute *a, uint32_t *seen, uint16_t *ret)
{
    if (a->is_long || (*seen & 1u << a->type) != 0)
        return false;
    *seen |= 1u << a->type;
    *ret = (uint16_t)a->value;
    return true;
}

struct phase1_reader {
    bool legacy;
    uint32_t auths;
    uint32_t seen; /* attribute types met, as bits */
    uint16_t cipher, hash, auth, group, group_type, key_bits;
    struct life_reader life;
};

static bool phase1_attribute(struct phase1_reader *r, const struct isakmp_attribute *a)
{
    switch (a->type) {
    case P1_ENCRYPTION:
        return read_code(p1_ciphers, COUNT_OF(p1_ciphers), a, r->legacy, &r->seen, &r->cipher);
    case P1_HASH:
        return read_code(p1_hashes, COUNT_OF(p1_hashes), a, r->legacy, &r->seen, &r->hash);
    case P1_AUTH:
        return read_basic(a, &r->seen, &r->auth) && r->auth < 32 &&
               (r->auths & 1u << r->auth) != 0; /* OE-125 */
    case P1_GROUP:
        return read_code(groups, COUNT_OF(groups), a, r->legacy, &r->seen, &r->group);
    case P1_GROUP_TYPE:
        return read_basic(a, &r->seen, &r->group_type);
    case P1_KEY_LENGTH:
        return read_basic(a, &r->seen, &r->key_bits);
    case P1_LIFE_TYPE:
        return !a->is_long && read_life(&r->life, true, a->value);
    case P1_LIFE_DURATION:
        return read_life(&r->life, false, a->value);
    default:
        return false;
    }
}

static bool group_type_fits(const struct phase1_reader *r)
{
    if ((r->seen & 1u << P1_GROUP_TYPE) == 0)
        return true;
    bool ecp = r->group >= 19 && r->group <= 21;
    return r->group_type == (ecp ? P1_GROUP_ECP : P1_GROUP_MODP);
}

static bool phase1_read(const struct isakmp_transform *transform, const struct phase1_terms *terms,
                        struct phase1_choice *ret)
{
    const uint32_t needed = 1u << P1_ENCRYPTION | 1u << P1_HASH | 1u << P1_AUTH | 1u << P1_GROUP;
    struct phase1_reader r = {
        .legacy = terms->legacy,
        .auths = terms->auths != 0 ? terms->auths : 1u << PHASE1_RSA_SIGNATURES,
    };
    if (transform->id != KEY_IKE)
        return false;
    for (size_t i = 0; i < transform->attribute_count; i++)
        if (!phase1_attribute(&r, &transform->attributes[i]))
            return false;
    bool sized = (r.seen & 1u << P1_KEY_LENGTH) != 0;
    bool aes = r.cipher == CBC_AES;
    if ((r.seen & needed) != needed || r.life.unit != 0 || !group_type_fits(&r) || sized != aes ||
        (aes && !aes_key_bits(r.key_bits)))
        return false;
    *ret = (struct phase1_choice){
        .suite = {(uint8_t)r.cipher, (uint8_t)r.hash, aes ? r.key_bits : 192, r.group},
        .auth = r.auth,
        .seconds = r.life.seconds,
        .kilobytes = r.life.kilobytes,
    };
    return true;
}

struct phase2_reader {
    bool legacy;
    uint32_t seen;
    uint16_t auth, group, mode, key_bits, esn;
    struct life_reader life;
};

static bool phase2_attribute(struct phase2_reader *r, const struct isakmp_attribute *a)
{
    switch (a->type) {
    case P2_LIFE_TYPE:
        return !a->is_long && read_life(&r->life, true, a->value);
    case P2_LIFE_DURATION:
        return read_life(&r->life, false, a->value);
    case P2_GROUP:
        return read_code(groups, COUNT_OF(groups), a, r->legacy, &r->seen, &r->group);
    case P2_ENCAPSULATION:
        /* OE-129 */
        return read_basic(a, &r->seen, &r->mode) &&
               (r->mode == P2_TUNNEL || r->mode == P2_UDP_TUNNEL);
    case P2_AUTH:
        return read_code(p2_auths, COUNT_OF(p2_auths), a, r->legacy, &r->seen, &r->auth);
    case P2_KEY_LENGTH:
        return read_basic(a, &r->seen, &r->key_bits);
    case P2_ESN:
        return read_basic(a, &r->seen, &r->esn) && r->esn == 1; /* RFC 4304 section 3 */
    default:
        return false;
    }
}

/* The suite of a transform whose attributes were read. */
static bool phase2_suite(const struct phase2_reader *r, bool ah, const struct code *named,
                         struct esp_suite *ret)
{
    bool sized = (r->seen & 1u << P2_KEY_LENGTH) != 0;
    if (ah) {
        *ret = (struct esp_suite){
            .protocol = SA_AH, .auth = (uint8_t)r->auth, .esn = r->esn == 1};
        return !sized && r->auth == named->own && esp_suite_valid(ret);
    }
    bool aes = named->own != ESP_CIPHER_3DES_CBC;
    *ret = (struct esp_suite){(uint8_t)named->own, (uint8_t)r->auth, aes ? r->key_bits : 192,
                              r->esn == 1};
    return sized == aes && esp_suite_valid(ret);
}

static bool phase2_read(const struct isakmp_transform *transform, bool ah, bool legacy,
                        struct child_choice *ret)
{
    const uint32_t needed = 1u << P2_ENCAPSULATION;
    struct phase2_reader r = {.legacy = legacy};
    struct esp_suite suite;
    const struct code *named =
        ah ? code_of_wire(ah_transforms, COUNT_OF(ah_transforms), transform->id, legacy)
           : code_of_wire(p2_ciphers, COUNT_OF(p2_ciphers), transform->id, legacy);
    if (named == NULL)
        return false;
    for (size_t i = 0; i < transform->attribute_count; i++)
        if (!phase2_attribute(&r, &transform->attributes[i]))
            return false;
    if ((r.seen & needed) != needed || r.life.unit != 0 || !phase2_suite(&r, ah, named, &suite))
        return false;
    *ret = (struct child_choice){.suite = suite,
                                 .group = r.group,
                                 .seconds = r.life.seconds,
                                 .kilobytes = r.life.kilobytes,
                                 .udp = r.mode == P2_UDP_TUNNEL};
    return true;
}

/* Choosing and checking */

static bool same_ike_suite(const struct ike_suite *a, const struct ike_suite *b)
{
    return a->cipher == b->cipher && a->hash == b->hash && a->key_bits == b->key_bits &&
           a->group == b->group;
}

static bool same_esp_suite(const struct esp_suite *a, const struct esp_suite *b)
{
    return a->cipher == b->cipher && a->auth == b->auth && a->key_bits == b->key_bits &&
           a->esn == b->esn && a->protocol == b->protocol;
}

static enum err sa_parse(struct view body, struct isakmp_sa *work)
{
    enum err err = isakmp_sa_parse(body, work);
    if (err != ERR_OK)
        return err;
    if (work->doi != DOI_IPSEC || work->situation != SITUATION_IDENTITY_ONLY)
        return ERR_UNSUPPORTED;
    return ERR_OK;
}

/* The answer: that one proposal with that one transform. */
static void reply_build(struct builder *b, struct isakmp_sa *reply,
                        const struct isakmp_proposal *proposal,
                        const struct isakmp_transform *transform, struct view spi)
{
    struct isakmp_proposal *out = start_sa(reply, proposal->protocol);
    out->number = proposal->number;
    out->spi = spi;
    out->transform_count = 1;
    out->transforms[0] = *transform;
    isakmp_sa_build(b, reply);
}

enum err phase1_choose(struct view offer, const struct phase1_terms *terms,
                       struct isakmp_sa *work, struct isakmp_sa *work_reply, struct phase1_choice *ret,
                       struct builder *reply)
{
    enum err err = sa_parse(offer, work);
    if (err != ERR_OK)
        return err;
    if (work->proposal_count != 1)
        return ERR_SYNTAX; /* IKE-063 */
    const struct isakmp_proposal *proposal = &work->proposals[0];
    if (proposal->protocol != PROTOCOL_ISAKMP)
        return ERR_NO_PROPOSAL;
    for (size_t i = 0; i < proposal->transform_count; i++) {
        struct phase1_choice choice;
        if (!phase1_read(&proposal->transforms[i], terms, &choice))
            continue;
        reply_build(reply, work_reply, proposal, &proposal->transforms[i], view_of(NULL, 0));
        if (reply->bad)
            return ERR_ROOM;
        *ret = choice;
        return ERR_OK;
    }
    return ERR_NO_PROPOSAL;
}

enum err phase1_check(struct view answer, const struct phase1_offer *offer, struct isakmp_sa *work,
                      struct phase1_choice *ret)
{
    const enum phase1_auth auth = offer->auth != 0 ? offer->auth : PHASE1_RSA_SIGNATURES;
    const struct phase1_terms terms = {.legacy = true, .auths = 1u << auth};
    struct phase1_choice choice;
    enum err err = sa_parse(answer, work);
    if (err != ERR_OK)
        return err;
    if (work->proposal_count != 1 || work->proposals[0].transform_count != 1 ||
        work->proposals[0].protocol != PROTOCOL_ISAKMP ||
        !phase1_read(&work->proposals[0].transforms[0], &terms, &choice))
        return ERR_NO_PROPOSAL;
    if (choice.seconds != offer->seconds || choice.kilobytes != 0)
        return ERR_NO_PROPOSAL;
    for (size_t i = 0; i < offer->count; i++) {
        if (same_ike_suite(&choice.suite, &offer->suites[i])) {
            *ret = choice;
            return ERR_OK;
        }
    }
    return ERR_NO_PROPOSAL;
}

/* Proposals of one number stand together: ESP or AH beside anything else is not what we make. */
static bool stands_alone(const struct isakmp_sa *sa, const struct isakmp_proposal *proposal)
{
    for (size_t i = 0; i < sa->proposal_count; i++)
        if (&sa->proposals[i] != proposal && sa->proposals[i].number == proposal->number)
            return false;
    return true;
}

static bool read_spi(const struct isakmp_proposal *proposal, bool ah, spi_t *ret)
{
    if (proposal->protocol != (ah ? PROTOCOL_AH : PROTOCOL_ESP) || proposal->spi.len != 4)
        return false;
    struct cursor cur = cursor_of(proposal->spi);
    ret->value = cursor_u32(&cur);
    return ret->value > 255; /* RFC 4303 section 2.1 */
}

/* OE-128: PFS unless our side can do without. */
static bool phase2_fits(const struct phase2_terms *terms, const struct child_choice *choice)
{
    bool group = choice->group == 0 ? terms->pfs_waived
                                    : terms->group == 0 || choice->group == terms->group;
    return group && choice->udp == terms->udp;
}

enum err phase2_choose(struct view offer, const struct phase2_terms *terms, struct isakmp_sa *work,
                       struct isakmp_sa *work_reply, struct child_choice *ret,
                       struct builder *reply)
{
    static const uint8_t zero_spi[4] = {0};
    enum err err = sa_parse(offer, work);
    if (err != ERR_OK)
        return err;
    for (size_t p = 0; p < work->proposal_count; p++) {
        const struct isakmp_proposal *proposal = &work->proposals[p];
        struct child_choice choice;
        spi_t spi;
        if (!read_spi(proposal, terms->ah, &spi) || !stands_alone(work, proposal))
            continue;
        for (size_t t = 0; t < proposal->transform_count; t++) {
            if (!phase2_read(&proposal->transforms[t], terms->ah, terms->legacy, &choice) ||
                !phase2_fits(terms, &choice))
                continue;
            choice.peer_spi = spi;
            reply_build(reply, work_reply, proposal, &proposal->transforms[t],
                        view_of(zero_spi, sizeof(zero_spi)));
            if (reply->bad)
                return ERR_ROOM;
            *ret = choice;
            return ERR_OK;
        }
    }
    return ERR_NO_PROPOSAL;
}

enum err phase2_check(struct view answer, const struct phase2_offer *offer, struct isakmp_sa *work,
                      struct child_choice *ret)
{
    struct child_choice choice;
    bool ah = offer->count > 0 && offer->suites[0].protocol == SA_AH;
    spi_t spi;
    enum err err = sa_parse(answer, work);
    if (err != ERR_OK)
        return err;
    if (work->proposal_count != 1 || work->proposals[0].transform_count != 1 ||
        !read_spi(&work->proposals[0], ah, &spi) ||
        !phase2_read(&work->proposals[0].transforms[0], ah, true, &choice))
        return ERR_NO_PROPOSAL;
    if (choice.group != offer->group || choice.seconds != offer->seconds ||
        choice.kilobytes != offer->octets / 1024 || choice.udp != offer->udp)
        return ERR_NO_PROPOSAL;
    choice.peer_spi = spi;
    for (size_t i = 0; i < offer->count; i++) {
        if (same_esp_suite(&choice.suite, &offer->suites[i])) {
            *ret = choice;
            return ERR_OK;
        }
    }
    return ERR_NO_PROPOSAL;
}
