/* Making, reading and writing private keys. */
#include "crypto/key_pkey.h"

#include "crypto/signature.h"

#include <stdlib.h>

/* Takes pkey over, also on failure. */
static enum err private_key_wrap(EVP_PKEY *pkey, struct private_key **ret)
{
    struct private_key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return ERR_MEMORY;
    }
    key->pkey = pkey;
    enum err err = public_key_of_pkey(pkey, &key->public_key);
    if (err != ERR_OK) {
        private_key_free(key);
        return err;
    }
    *ret = key;
    return ERR_OK;
}

static EVP_PKEY *pkey_generate(enum key_alg alg, unsigned bits)
{
    switch (alg) {
    case KEY_RSA:
        return EVP_RSA_gen(bits);
    case KEY_ECDSA_P256:
        return EVP_EC_gen(SN_X9_62_prime256v1);
    case KEY_ECDSA_P384:
        return EVP_EC_gen(SN_secp384r1);
    case KEY_ECDSA_P521:
        return EVP_EC_gen(SN_secp521r1);
    case KEY_ED25519:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    case KEY_ED448:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
    default:
        return NULL;
    }
}

enum err private_key_generate_alg(enum key_alg alg, unsigned bits, struct private_key **ret)
{
    bool known = alg > KEY_NONE && alg < KEY_ALG_COUNT;
    if (!known || (alg == KEY_RSA && (bits < KEY_BITS_NEW || bits > KEY_BITS_MAX)))
        return ERR_VALUE;
    EVP_PKEY *pkey = pkey_generate(alg, bits);
    if (pkey == NULL) {
        ERR_clear_error();
        return ERR_CRYPTO;
    }
    return private_key_wrap(pkey, ret);
}

enum err private_key_generate(unsigned bits, struct private_key **ret)
{
    return private_key_generate_alg(KEY_RSA, bits, ret);
}

/* Without this the library would ask the terminal for a pass phrase. */
static int no_passphrase(char *buf, int size, int rwflag, void *ctx)
{
    (void)buf, (void)size, (void)rwflag, (void)ctx;
    return -1;
}

/* Finds a private half that doesn't belong to the public one before a peer does. */
static enum err private_key_self_test(const struct private_key *key)
{
    static const uint8_t sample[20] = "is this key whole?";
    struct view message = view_of(sample, sizeof(sample));
    uint8_t signature[SIGNATURE_MAX];
    size_t len = 0;
    unsigned any_hash = 1u << SIGNATURE_HASH_SHA2_256 | 1u << SIGNATURE_HASH_IDENTITY;
    enum signature_scheme scheme = signature_scheme_choose(&key->public_key, any_hash, false);
    enum err err = private_key_sign(key, scheme, message, signature, &len);
    if (err == ERR_OK)
        err = public_key_verify(&key->public_key, scheme, message, view_of(signature, len));
    return err == ERR_OK ? ERR_OK : ERR_VALUE;
}

enum err private_key_from_pem(struct view pem, struct private_key **ret)
{
    if (pem.len > 65536)
        return ERR_VALUE;
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    if (bio == NULL)
        return ERR_MEMORY;
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    struct private_key *key = NULL;
    enum err err = pkey != NULL ? private_key_wrap(pkey, &key) : ERR_VALUE;
    if (err == ERR_UNSUPPORTED)
        err = ERR_VALUE;
    if (err == ERR_OK)
        err = private_key_self_test(key);
    if (err != ERR_OK) {
        ERR_clear_error();
        private_key_free(key);
        return err;
    }
    *ret = key;
    return ERR_OK;
}

enum err private_key_to_pem(const struct private_key *key, char **ret_pem)
{
    BIO *bio = BIO_new(BIO_s_mem()); /* wipes its buffer when freed */
    if (bio == NULL)
        return ERR_MEMORY;
    enum err err = ERR_CRYPTO;
    char *text = NULL;
    if (PEM_write_bio_PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1) {
        char *data = NULL;
        long len = BIO_get_mem_data(bio, &data);
        text = calloc(1, (size_t)len + 1);
        err = text != NULL ? ERR_OK : ERR_MEMORY;
        if (text != NULL)
            memcpy(text, data, (size_t)len);
    }
    BIO_free(bio);
    if (err == ERR_OK)
        *ret_pem = text;
    else
        ERR_clear_error();
    return err;
}

void private_key_free(struct private_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey); /* wipes its numbers */
    free(key);
}

void private_key_public(const struct private_key *key, struct public_key *ret)
{
    *ret = key->public_key;
}
