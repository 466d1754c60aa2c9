/* Public keys as values: nothing here asks libcrypto but for a fingerprint and a point's check. */
#include "crypto/key_pkey.h"

#include "base/cursor.h"
#include "base/text.h"
#include "crypto/hash.h"

/* The two numbers of an RSA public key, as views into its RFC 3110 form. */
struct rsa_parts {
    struct view exponent;
    struct view modulus;
};

static const struct {
    const char *name;
    uint16_t bits;
    uint8_t len; /* of a coordinate, or of the whole for EdDSA */
    bool point;
} alg_rows[KEY_ALG_COUNT] = {
    [KEY_ECDSA_P256] = {"ECDSA-P256", 256, 32, true},
    [KEY_ECDSA_P384] = {"ECDSA-P384", 384, 48, true},
    [KEY_ECDSA_P521] = {"ECDSA-P521", 521, 66, true},
    [KEY_ED25519] = {"Ed25519", 256, 32, false},
    [KEY_ED448] = {"Ed448", 456, 57, false},
};

size_t key_alg_len(enum key_alg alg)
{
    return (unsigned)alg < KEY_ALG_COUNT ? alg_rows[alg].len : 0;
}

static unsigned view_bits(struct view number)
{
    unsigned bits = (unsigned)(number.len * 8);
    for (unsigned top = number.len != 0 ? number.ptr[0] : 0; top != 0 && top < 0x80; top <<= 1)
        bits--;
    return bits;
}

/*
 * RFC 3110 section 2: a length of one octet, or of three when it doesn't fit; no leading zeros. So
 * each key has exactly one form.
 */
static enum err rsa_parts_parse(struct view octets, struct rsa_parts *ret)
{
    struct cursor cur = cursor_of(octets);
    size_t exponent_len = cursor_u8(&cur);
    bool long_form = exponent_len == 0;
    if (long_form)
        exponent_len = cursor_u16(&cur);
    struct view exponent = cursor_take(&cur, exponent_len);
    struct view modulus = cursor_rest(&cur);
    if (cur.bad || exponent.len == 0 || modulus.len == 0 || (long_form && exponent_len <= 255) ||
        exponent.ptr[0] == 0 || modulus.ptr[0] == 0)
        return ERR_VALUE;
    *ret = (struct rsa_parts){exponent, modulus};
    return ERR_OK;
}

static enum err rsa_parts_check(const struct rsa_parts *rsa)
{
    unsigned bits = view_bits(rsa->modulus);
    bool exponent_odd = (rsa->exponent.ptr[rsa->exponent.len - 1] & 1) != 0;
    bool exponent_one = rsa->exponent.len == 1 && rsa->exponent.ptr[0] == 1;
    bool modulus_odd = (rsa->modulus.ptr[rsa->modulus.len - 1] & 1) != 0;
    if (bits < KEY_BITS_MIN || bits > KEY_BITS_MAX || !modulus_odd || !exponent_odd ||
        exponent_one || rsa->exponent.len > rsa->modulus.len)
        return ERR_VALUE;
    return ERR_OK;
}

enum err public_key_from_rfc3110(struct view octets, struct public_key *ret)
{
    struct rsa_parts rsa;
    if (octets.len > LIMIT_KEY_OCTETS)
        return ERR_VALUE;
    enum err err = rsa_parts_parse(octets, &rsa);
    if (err == ERR_OK)
        err = rsa_parts_check(&rsa);
    if (err != ERR_OK)
        return err;
    struct public_key key = {.alg = KEY_RSA, .len = (uint16_t)octets.len};
    memcpy(key.octets, octets.ptr, octets.len);
    *ret = key;
    return ERR_OK;
}

/* Making libcrypto's key of it is the check that the point is on the curve. */
enum err public_key_from_octets(enum key_alg alg, struct view octets, struct public_key *ret)
{
    if (alg == KEY_RSA)
        return public_key_from_rfc3110(octets, ret);
    size_t len = key_alg_len(alg);
    if (len == 0)
        return ERR_UNSUPPORTED;
    if (octets.len != (alg_rows[alg].point ? 2 * len : len))
        return ERR_VALUE;
    struct public_key key = {.alg = (uint8_t)alg, .len = (uint16_t)octets.len};
    memcpy(key.octets, octets.ptr, octets.len);
    EVP_PKEY *pkey = public_key_to_pkey(&key);
    if (pkey == NULL) {
        ERR_clear_error();
        return ERR_VALUE;
    }
    EVP_PKEY_free(pkey);
    *ret = key;
    return ERR_OK;
}

bool public_key_equal(const struct public_key *a, const struct public_key *b)
{
    return a->alg == b->alg && view_equal(view_of(a->octets, a->len), view_of(b->octets, b->len));
}

static unsigned rsa_bits(const struct public_key *key)
{
    struct rsa_parts rsa;
    if (key->len > sizeof(key->octets) ||
        rsa_parts_parse(view_of(key->octets, key->len), &rsa) != ERR_OK)
        return 0;
    return view_bits(rsa.modulus);
}

unsigned public_key_bits(const struct public_key *key)
{
    if (key->alg == KEY_RSA)
        return rsa_bits(key);
    return key->alg < KEY_ALG_COUNT ? alg_rows[key->alg].bits : 0;
}

char *public_key_format(const struct public_key *key, char *ret)
{
    uint8_t digest[HASH_MAX] = {0};
    struct view octets = view_of(key->octets, key->len);
    if (key->alg == KEY_NONE || key->alg >= KEY_ALG_COUNT ||
        hash_digest(HASH_SHA2_256, &octets, 1, digest) != ERR_OK) {
        text_set(ret, PUBLIC_KEY_TEXT_MAX, "no key");
        return ret;
    }
    if (key->alg == KEY_RSA)
        text_set(ret, PUBLIC_KEY_TEXT_MAX, "RSA-%u", public_key_bits(key));
    else
        text_set(ret, PUBLIC_KEY_TEXT_MAX, "%s", alg_rows[key->alg].name);
    text_add(ret, PUBLIC_KEY_TEXT_MAX, " %02x%02x%02x%02x", digest[0], digest[1], digest[2],
             digest[3]);
    return ret;
}
