#include "crypto/library.h"

#include "crypto/dh.h"

#include "base/secret.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/*
 * MODP private values are random exponents of `exponent_len` octets with the top bit set: at least
 * twice the larger strength estimate of RFC 3526 section 8. The groups are safe primes, so a short
 * exponent costs no security.
 */
struct dh_group {
    uint16_t number;
    uint16_t value_len; /* octets of the prime, or of one coordinate */
    const char *name;
    BIGNUM *(*prime)(BIGNUM *ret); /* MODP */
    uint16_t exponent_len;         /* MODP */
    int curve;                     /* ECP: OpenSSL's number; 0 for MODP */
};

static const struct dh_group dh_groups[] = {
    {2, 128, "modp1024", BN_get_rfc2409_prime_1024, 32, 0},
    {5, 192, "modp1536", BN_get_rfc3526_prime_1536, 32, 0},
    {14, 256, "modp2048", BN_get_rfc3526_prime_2048, 40, 0},
    {15, 384, "modp3072", BN_get_rfc3526_prime_3072, 53, 0},
    {16, 512, "modp4096", BN_get_rfc3526_prime_4096, 60, 0},
    {17, 768, "modp6144", BN_get_rfc3526_prime_6144, 68, 0},
    {18, 1024, "modp8192", BN_get_rfc3526_prime_8192, 78, 0},
    {19, 32, "ecp256", NULL, 0, NID_X9_62_prime256v1},
    {20, 48, "ecp384", NULL, 0, NID_secp384r1},
    {21, 66, "ecp521", NULL, 0, NID_secp521r1},
};

enum { DH_GROUP_COUNT = sizeof(dh_groups) / sizeof(dh_groups[0]), DH_ECP_MAX = 66 };

/* What is slow to make: made once, only read afterwards. NULL members: out of memory then. */
struct dh_constants {
    BIGNUM *prime;       /* MODP */
    BIGNUM *prime_minus; /* MODP: prime - 1 */
    BN_MONT_CTX *mont;   /* MODP */
    EC_GROUP *curve;     /* ECP */
};

static struct dh_constants dh_cache[DH_GROUP_COUNT];
static pthread_once_t dh_once = PTHREAD_ONCE_INIT;

struct dh {
    const struct dh_group *group;
    const struct dh_constants *constants;
    BIGNUM *x; /* the private value */
    atomic_uint owners;
    uint8_t public_value[DH_MAX];
};

static bool modp_constants(const struct dh_group *group, BN_CTX *ctx, struct dh_constants *ret)
{
    struct dh_constants made = {.prime = group->prime(NULL), .mont = BN_MONT_CTX_new()};
    made.prime_minus = made.prime != NULL ? BN_dup(made.prime) : NULL;
    if (made.prime_minus != NULL && made.mont != NULL && BN_sub_word(made.prime_minus, 1) == 1 &&
        BN_MONT_CTX_set(made.mont, made.prime, ctx) == 1) {
        *ret = made;
        return true;
    }
    BN_free(made.prime);
    BN_free(made.prime_minus);
    BN_MONT_CTX_free(made.mont);
    return false;
}

static void dh_constants_all(void)
{
    BN_CTX *ctx = BN_CTX_new();
    for (size_t i = 0; ctx != NULL && i < DH_GROUP_COUNT; i++) {
        if (dh_groups[i].curve != 0)
            dh_cache[i].curve = EC_GROUP_new_by_curve_name(dh_groups[i].curve);
        else
            (void)modp_constants(&dh_groups[i], ctx, &dh_cache[i]);
    }
    BN_CTX_free(ctx);
    ERR_clear_error();
}

static const struct dh_group *dh_group_find(uint16_t number)
{
    for (size_t i = 0; i < DH_GROUP_COUNT; i++)
        if (dh_groups[i].number == number)
            return &dh_groups[i];
    return NULL;
}

bool dh_group_known(uint16_t group)
{
    return dh_group_find(group) != NULL;
}

const char *dh_group_name(uint16_t group)
{
    const struct dh_group *found = dh_group_find(group);
    return found != NULL ? found->name : NULL;
}

size_t dh_public_len(uint16_t group)
{
    const struct dh_group *found = dh_group_find(group);
    if (found == NULL)
        return 0;
    return found->curve != 0 ? 2 * (size_t)found->value_len : found->value_len;
}

size_t dh_secret_len(uint16_t group)
{
    const struct dh_group *found = dh_group_find(group);
    return found != NULL ? found->value_len : 0;
}

uint16_t dh_group(const struct dh *dh)
{
    return dh->group->number;
}

struct view dh_public(const struct dh *dh)
{
    return view_of(dh->public_value, dh_public_len(dh->group->number));
}

void dh_free(struct dh *dh)
{
    if (dh == NULL || atomic_fetch_sub(&dh->owners, 1) != 1)
        return;
    BN_clear_free(dh->x);
    secret_wipe(dh, sizeof(*dh));
    free(dh);
}

struct dh *dh_hold(struct dh *dh)
{
    atomic_fetch_add(&dh->owners, 1);
    return dh;
}

static enum err modp_private(struct dh *dh, const struct rng *rng)
{
    uint8_t octets[DH_MAX];
    size_t len = dh->group->exponent_len;
    rng_fill(rng, octets, len);
    octets[0] |= 0x80; /* all of one length, so that the length says nothing */
    bool good = BN_bin2bn(octets, (int)len, dh->x) != NULL;
    secret_wipe(octets, sizeof(octets));
    return good ? ERR_OK : ERR_MEMORY;
}

/* Uniform in [1, n-1]: candidates out of range are thrown away. */
static enum err ecp_private(struct dh *dh, const struct rng *rng)
{
    const BIGNUM *order = EC_GROUP_get0_order(dh->constants->curve);
    uint8_t octets[DH_ECP_MAX];
    size_t len = dh->group->value_len;
    unsigned spare_bits = (unsigned)(len * 8) - (unsigned)BN_num_bits(order);
    enum err err = ERR_CRYPTO;
    /* One candidate is refused with probability 2^-32 or less; 16 mean a broken generator. */
    for (int tries = 0; tries < 16; tries++) {
        rng_fill(rng, octets, len);
        octets[0] &= (uint8_t)(0xff >> spare_bits);
        if (BN_bin2bn(octets, (int)len, dh->x) == NULL) {
            err = ERR_MEMORY;
            break;
        }
        if (!BN_is_zero(dh->x) && BN_cmp(dh->x, order) < 0) {
            err = ERR_OK;
            break;
        }
    }
    secret_wipe(octets, sizeof(octets));
    return err;
}

/* base^x mod p, left-padded to the prime's length. */
static enum err modp_power(const struct dh *dh, const BIGNUM *base, uint8_t *ret)
{
    enum err err = ERR_MEMORY;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *power = BN_new();
    if (ctx == NULL || power == NULL)
        goto out;
    err = ERR_CRYPTO;
    if (BN_mod_exp_mont_consttime(power, base, dh->x, dh->constants->prime, ctx,
                                  dh->constants->mont) != 1)
        goto out;
    if (BN_bn2binpad(power, ret, dh->group->value_len) == dh->group->value_len)
        err = ERR_OK;
out:
    BN_clear_free(power);
    BN_CTX_free(ctx); /* wipes its numbers */
    return err;
}

static enum err modp_public(struct dh *dh)
{
    BIGNUM *generator = BN_new();
    enum err err = ERR_MEMORY;
    if (generator != NULL && BN_set_word(generator, 2) == 1)
        err = modp_power(dh, generator, dh->public_value);
    BN_free(generator);
    return err;
}

/* RFC 6989 section 2.1: 1 < y < p - 1. */
static enum err modp_shared(const struct dh *dh, struct view peer_public, uint8_t *ret_secret)
{
    BIGNUM *y = BN_bin2bn(peer_public.ptr, (int)peer_public.len, NULL);
    if (y == NULL)
        return ERR_MEMORY;
    enum err err = ERR_VALUE;
    if (BN_cmp(y, BN_value_one()) > 0 && BN_cmp(y, dh->constants->prime_minus) < 0)
        err = modp_power(dh, y, ret_secret);
    BN_free(y);
    return err;
}

/* x times `point`, or times the generator when point is NULL, as x|y. */
static enum err ecp_multiply(const struct dh *dh, const EC_POINT *point, uint8_t *ret)
{
    const EC_GROUP *curve = dh->constants->curve;
    size_t len = 1 + 2 * (size_t)dh->group->value_len;
    uint8_t octets[1 + 2 * DH_ECP_MAX];
    enum err err = ERR_MEMORY;
    BN_CTX *ctx = BN_CTX_new();
    EC_POINT *product = EC_POINT_new(curve);
    if (ctx == NULL || product == NULL)
        goto out;
    err = ERR_CRYPTO;
    if (EC_POINT_mul(curve, product, point == NULL ? dh->x : NULL, point,
                     point == NULL ? NULL : dh->x, ctx) != 1)
        goto out;
    /* The neutral element is one octet long and so refused. */
    if (EC_POINT_point2oct(curve, product, POINT_CONVERSION_UNCOMPRESSED, octets, sizeof(octets),
                           ctx) != len)
        goto out;
    memcpy(ret, octets + 1, len - 1);
    err = ERR_OK;
out:
    secret_wipe(octets, sizeof(octets));
    EC_POINT_clear_free(product);
    BN_CTX_free(ctx);
    return err;
}

/* EC_POINT_oct2point() checks that both coordinates are below p and that the point is on the curve
 * (RFC 6989 section 2.3). */
static enum err ecp_shared(const struct dh *dh, struct view peer_public, uint8_t *ret_secret)
{
    const EC_GROUP *curve = dh->constants->curve;
    uint8_t octets[1 + 2 * DH_ECP_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    uint8_t shared[2 * DH_ECP_MAX];
    EC_POINT *point = EC_POINT_new(curve);
    if (point == NULL)
        return ERR_MEMORY;
    memcpy(octets + 1, peer_public.ptr, peer_public.len);
    enum err err = ERR_VALUE;
    if (EC_POINT_oct2point(curve, point, octets, 1 + peer_public.len, NULL) == 1)
        err = ecp_multiply(dh, point, shared);
    if (err == ERR_OK)
        memcpy(ret_secret, shared, dh->group->value_len);
    secret_wipe(shared, sizeof(shared));
    EC_POINT_free(point);
    return err;
}

static bool dh_constants_ready(const struct dh_constants *constants)
{
    pthread_once(&dh_once, dh_constants_all);
    return constants->curve != NULL || constants->mont != NULL;
}

enum err dh_new(uint16_t group, const struct rng *rng, struct dh **ret)
{
    const struct dh_group *found = dh_group_find(group);
    if (found == NULL)
        return ERR_UNSUPPORTED;
    const struct dh_constants *constants = &dh_cache[found - dh_groups];
    if (!dh_constants_ready(constants))
        return ERR_CRYPTO;
    struct dh *dh = calloc(1, sizeof(*dh));
    if (dh == NULL)
        return ERR_MEMORY;
    atomic_init(&dh->owners, 1);
    dh->group = found;
    dh->constants = constants;
    dh->x = BN_secure_new();
    enum err err = ERR_MEMORY;
    if (dh->x != NULL) {
        BN_set_flags(dh->x, BN_FLG_CONSTTIME);
        err = found->curve != 0 ? ecp_private(dh, rng) : modp_private(dh, rng);
    }
    if (err == ERR_OK)
        err = found->curve != 0 ? ecp_multiply(dh, NULL, dh->public_value) : modp_public(dh);
    if (err != ERR_OK) {
        ERR_clear_error();
        dh_free(dh);
        return err;
    }
    *ret = dh;
    return ERR_OK;
}

enum err dh_shared(const struct dh *dh, struct view peer_public, uint8_t *ret_secret)
{
    if (peer_public.len != dh_public_len(dh->group->number))
        return ERR_VALUE;
    enum err err = dh->group->curve != 0 ? ecp_shared(dh, peer_public, ret_secret)
                                         : modp_shared(dh, peer_public, ret_secret);
    if (err != ERR_OK)
        ERR_clear_error();
    return err;
}
