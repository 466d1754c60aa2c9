#include "crypto/library.h"

#include "crypto/aead.h"

#include "base/secret.h"
#include "base/text.h"
#include "crypto/cbc.h"
#include "crypto/hash.h"

#include <limits.h>
#include <pthread.h>

enum { NONCE_MAX = 12, TAG_MAX = 16 };

enum aead_mode { MODE_NONE, MODE_GCM, MODE_CCM, MODE_POLY1305, MODE_CBC };

/* RFC 4106, RFC 5282 section 7.1, RFC 7634 section 2, RFC 3602, RFC 2451 */
static const struct cipher_row {
    const char *name;
    uint8_t mode;
    uint8_t salt_len;
    uint8_t iv_len;
    uint8_t icv_len;
    uint8_t block_len;
} cipher_rows[AEAD_CIPHER_COUNT] = {
    [AEAD_NONE] = {"none", MODE_NONE, 0, 0, 0, 1},
    [AEAD_AES_GCM_16] = {"AES-GCM", MODE_GCM, 4, 8, 16, 1},
    [AEAD_AES_GCM_12] = {"AES-GCM-12", MODE_GCM, 4, 8, 12, 1},
    [AEAD_AES_GCM_8] = {"AES-GCM-8", MODE_GCM, 4, 8, 8, 1},
    [AEAD_AES_CCM_16] = {"AES-CCM", MODE_CCM, 3, 8, 16, 1},
    [AEAD_AES_CCM_12] = {"AES-CCM-12", MODE_CCM, 3, 8, 12, 1},
    [AEAD_AES_CCM_8] = {"AES-CCM-8", MODE_CCM, 3, 8, 8, 1},
    [AEAD_CHACHA20_POLY1305] = {"ChaCha20-Poly1305", MODE_POLY1305, 4, 8, 16, 1},
    [AEAD_AES_CBC] = {"AES-CBC", MODE_CBC, 0, 16, 0, 16},
    [AEAD_3DES_CBC] = {"3DES-CBC", MODE_CBC, 0, 8, 0, 8},
};

/* RFC 4868 section 2.6, RFC 2404, RFC 2403 */
static const struct integ_row {
    const char *name;
    uint8_t hash;
    uint8_t icv_len;
} integ_rows[INTEG_COUNT] = {
    [INTEG_NONE] = {"", 0, 0},
    [INTEG_HMAC_SHA1_96] = {" HMAC-SHA1-96", HASH_SHA1, 12},
    [INTEG_HMAC_SHA2_256_128] = {" HMAC-SHA2-256-128", HASH_SHA2_256, 16},
    [INTEG_HMAC_SHA2_384_192] = {" HMAC-SHA2-384-192", HASH_SHA2_384, 24},
    [INTEG_HMAC_SHA2_512_256] = {" HMAC-SHA2-512-256", HASH_SHA2_512, 32},
    [INTEG_HMAC_MD5_96] = {" HMAC-MD5-96", HASH_MD5, 12},
};

/* Fetched once, only read afterwards. NULL: the library refused that one. */
static struct {
    const char *const name;
    EVP_CIPHER *cipher;
} library_ciphers[] = {
    {"AES-128-GCM", NULL},       {"AES-192-GCM", NULL}, {"AES-256-GCM", NULL},
    {"AES-128-CCM", NULL},       {"AES-192-CCM", NULL}, {"AES-256-CCM", NULL},
    {"ChaCha20-Poly1305", NULL},
};
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_fetch_all(void)
{
    for (size_t i = 0; i < sizeof(library_ciphers) / sizeof(library_ciphers[0]); i++)
        library_ciphers[i].cipher = EVP_CIPHER_fetch(NULL, library_ciphers[i].name, NULL);
    ERR_clear_error();
}

static const struct cipher_row *cipher_row(const struct aead_suite *suite)
{
    return &cipher_rows[suite->cipher < AEAD_CIPHER_COUNT ? suite->cipher : AEAD_NONE];
}

static const struct integ_row *integ_row(const struct aead_suite *suite)
{
    return &integ_rows[suite->integ < INTEG_COUNT ? suite->integ : INTEG_NONE];
}

bool aead_is_combined(enum aead_cipher cipher)
{
    return (unsigned)cipher < AEAD_CIPHER_COUNT && cipher != AEAD_NONE &&
           cipher_rows[cipher].mode != MODE_CBC;
}

bool aead_valid(const struct aead_suite *suite)
{
    bool aes_key = suite->key_bits == 128 || suite->key_bits == 192 || suite->key_bits == 256;
    bool has_integ = suite->integ != INTEG_NONE && suite->integ < INTEG_COUNT;
    switch (cipher_row(suite)->mode) {
    case MODE_GCM:
    case MODE_CCM:
        return aes_key && suite->integ == INTEG_NONE;
    case MODE_POLY1305:
        return suite->key_bits == 256 && suite->integ == INTEG_NONE;
    case MODE_CBC:
        return has_integ && (suite->cipher == AEAD_AES_CBC ? aes_key : suite->key_bits == 192);
    default:
        return false;
    }
}

size_t aead_key_len(const struct aead_suite *suite)
{
    return suite->key_bits / 8 + cipher_row(suite)->salt_len;
}

size_t aead_integ_key_len(const struct aead_suite *suite)
{
    const struct integ_row *integ = integ_row(suite);
    return integ->icv_len != 0 ? hash_len(integ->hash) : 0;
}

size_t aead_iv_len(const struct aead_suite *suite)
{
    return cipher_row(suite)->iv_len;
}

size_t aead_icv_len(const struct aead_suite *suite)
{
    const struct cipher_row *cipher = cipher_row(suite);
    return cipher->mode == MODE_CBC ? integ_row(suite)->icv_len : cipher->icv_len;
}

size_t aead_block_len(const struct aead_suite *suite)
{
    return cipher_row(suite)->block_len;
}

bool aead_iv_is_counter(const struct aead_suite *suite)
{
    return aead_is_combined(suite->cipher);
}

char *aead_format(const struct aead_suite *suite, char *ret)
{
    char bits[8] = "";
    if (suite->cipher != AEAD_CHACHA20_POLY1305 && suite->cipher != AEAD_3DES_CBC)
        TEXT_SET(bits, "-%u", suite->key_bits);
    text_set(ret, AEAD_TEXT_MAX, "%s%s%s", cipher_row(suite)->name, bits, integ_row(suite)->name);
    return ret;
}

static const EVP_CIPHER *combined_cipher(const struct aead_suite *suite)
{
    pthread_once(&library_once, library_fetch_all);
    size_t size = suite->key_bits / 64 - 2; /* 128, 192, 256 */
    switch (cipher_row(suite)->mode) {
    case MODE_GCM:
        return library_ciphers[size].cipher;
    case MODE_CCM:
        return library_ciphers[3 + size].cipher;
    default:
        return library_ciphers[6].cipher;
    }
}

struct combined {
    const struct cipher_row *row;
    const struct aead_keys *keys;
    struct view aad;
    struct span text;
    uint8_t nonce[NONCE_MAX]; /* salt, then the IV as sent */
    size_t nonce_len;
    uint8_t *tag; /* made, or as received */
    bool seal;
};

/* CCM wants tag length and text length told before anything else, and hands over no text before the
 * tag is right. */
static bool combined_start(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher,
                           const struct combined *run)
{
    int icv_len = run->row->icv_len, len = 0;
    bool tell_tag = !run->seal || run->row->mode == MODE_CCM;
    return EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, run->seal, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)run->nonce_len, NULL) == 1 &&
           (!tell_tag || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, icv_len,
                                             run->seal ? NULL : run->tag) == 1) &&
           EVP_CipherInit_ex2(ctx, NULL, run->keys->cipher.ptr, run->nonce, run->seal, NULL) == 1 &&
           (run->row->mode != MODE_CCM ||
            EVP_CipherUpdate(ctx, NULL, &len, NULL, (int)run->text.len) == 1);
}

static bool combined_text(EVP_CIPHER_CTX *ctx, const struct combined *run, uint8_t *out)
{
    uint8_t nothing[TAG_MAX] = {0};
    bool is_ccm = run->row->mode == MODE_CCM;
    const uint8_t *text = run->text.len != 0 ? run->text.ptr : nothing;
    uint8_t *to = out != NULL ? out : nothing; /* NULL would tell a length once more */
    int len = 0;
    if (EVP_CipherUpdate(ctx, NULL, &len, run->aad.ptr, (int)run->aad.len) != 1)
        return false;
    /* CCM makes and checks its tag here, so it is told of an empty text, too. */
    if ((run->text.len != 0 || is_ccm) &&
        (EVP_CipherUpdate(ctx, to, &len, text, (int)run->text.len) != 1 ||
         (size_t)len != run->text.len))
        return false;
    return (is_ccm && !run->seal) || EVP_CipherFinal_ex(ctx, nothing, &len) == 1;
}

static enum err combined_run(const struct aead_suite *suite, const struct combined *run,
                             uint8_t *out)
{
    const EVP_CIPHER *cipher = combined_cipher(suite);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    enum err err = ERR_CRYPTO;
    if (ctx == NULL)
        return ERR_MEMORY;
    if (cipher != NULL && combined_start(ctx, cipher, run)) {
        if (!combined_text(ctx, run, out))
            err = run->seal ? ERR_CRYPTO : ERR_DECRYPT;
        else if (!run->seal ||
                 EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, run->row->icv_len, run->tag) == 1)
            err = ERR_OK;
    }
    EVP_CIPHER_CTX_free(ctx); /* wipes the key schedule */
    if (err != ERR_OK)
        ERR_clear_error();
    return err;
}

static struct combined combined_of(const struct aead_suite *suite, const struct aead_keys *keys,
                                   struct view aad, const uint8_t *iv, struct span text)
{
    struct combined run = {.row = cipher_row(suite), .keys = keys, .aad = aad, .text = text};
    size_t salt_len = run.row->salt_len;
    memcpy(run.nonce, keys->cipher.ptr + keys->cipher.len - salt_len, salt_len);
    memcpy(run.nonce + salt_len, iv, run.row->iv_len);
    run.nonce_len = salt_len + run.row->iv_len;
    return run;
}

static enum err combined_seal(const struct aead_suite *suite, const struct aead_keys *keys,
                              struct view aad, const uint8_t *iv, struct span text,
                              uint8_t *ret_icv)
{
    struct combined run = combined_of(suite, keys, aad, iv, text);
    run.seal = true;
    run.tag = ret_icv;
    return combined_run(suite, &run, text.ptr);
}

/* Decrypts aside, because what is forged must not have touched the text. */
static enum err combined_open(const struct aead_suite *suite, const struct aead_keys *keys,
                              struct view aad, const uint8_t *iv, struct span text,
                              const uint8_t *icv)
{
    uint8_t tag[TAG_MAX];
    struct combined run = combined_of(suite, keys, aad, iv, text);
    uint8_t *out = OPENSSL_malloc(text.len + 1);
    if (out == NULL)
        return ERR_MEMORY;
    memcpy(tag, icv, run.row->icv_len);
    run.tag = tag;
    enum err err = combined_run(suite, &run, out);
    if (err == ERR_OK && text.len != 0)
        memcpy(text.ptr, out, text.len);
    OPENSSL_clear_free(out, text.len + 1);
    secret_wipe(run.nonce, sizeof(run.nonce));
    return err;
}

static enum cbc_alg cbc_of(const struct aead_suite *suite)
{
    return suite->cipher == AEAD_3DES_CBC ? CBC_3DES : CBC_AES;
}

/* RFC 7296 section 3.14: from the first octet of the message to the end of the ciphertext. */
static enum err cbc_icv(const struct aead_suite *suite, const struct aead_keys *keys,
                        struct view aad, const uint8_t *iv, struct span text, uint8_t *ret)
{
    const struct view parts[] = {aad, view_of(iv, aead_iv_len(suite)), view_of(text.ptr, text.len)};
    return hmac_digest(integ_row(suite)->hash, keys->integ, parts, 3, ret);
}

static enum err cbc_seal(const struct aead_suite *suite, const struct aead_keys *keys,
                         struct view aad, const uint8_t *iv, struct span text, uint8_t *ret_icv)
{
    uint8_t chain[AEAD_IV_MAX], digest[HASH_MAX];
    memcpy(chain, iv, aead_iv_len(suite));
    enum err err = cbc_encrypt(cbc_of(suite), keys->cipher, chain, text);
    if (err == ERR_OK)
        err = cbc_icv(suite, keys, aad, iv, text, digest);
    if (err == ERR_OK)
        memcpy(ret_icv, digest, aead_icv_len(suite));
    return err;
}

static enum err cbc_open(const struct aead_suite *suite, const struct aead_keys *keys,
                         struct view aad, const uint8_t *iv, struct span text, const uint8_t *icv)
{
    uint8_t chain[AEAD_IV_MAX], digest[HASH_MAX];
    size_t icv_len = aead_icv_len(suite);
    enum err err = cbc_icv(suite, keys, aad, iv, text, digest);
    if (err != ERR_OK)
        return err;
    if (!secret_equal(view_of(digest, icv_len), view_of(icv, icv_len)))
        return ERR_DECRYPT;
    memcpy(chain, iv, aead_iv_len(suite));
    return cbc_decrypt(cbc_of(suite), keys->cipher, chain, text);
}

static enum err check_arguments(const struct aead_suite *suite, const struct aead_keys *keys,
                                struct view aad, struct span text)
{
    if (!aead_valid(suite) || keys->cipher.len != aead_key_len(suite) ||
        keys->integ.len != aead_integ_key_len(suite) || text.len % aead_block_len(suite) != 0 ||
        text.len > INT_MAX - TAG_MAX || aad.len > INT_MAX)
        return ERR_VALUE;
    return ERR_OK;
}

enum err aead_seal(const struct aead_suite *suite, const struct aead_keys *keys, struct view aad,
                   const uint8_t *iv, struct span text, uint8_t *ret_icv)
{
    enum err err = check_arguments(suite, keys, aad, text);
    if (err != ERR_OK)
        return err;
    return aead_is_combined(suite->cipher) ? combined_seal(suite, keys, aad, iv, text, ret_icv)
                                           : cbc_seal(suite, keys, aad, iv, text, ret_icv);
}

enum err aead_open(const struct aead_suite *suite, const struct aead_keys *keys, struct view aad,
                   const uint8_t *iv, struct span text, const uint8_t *icv)
{
    enum err err = check_arguments(suite, keys, aad, text);
    if (err != ERR_OK)
        return err;
    return aead_is_combined(suite->cipher) ? combined_open(suite, keys, aad, iv, text, icv)
                                           : cbc_open(suite, keys, aad, iv, text, icv);
}
