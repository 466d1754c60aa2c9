#include "crypto/library.h"

#include "crypto/cbc.h"

#include "base/secret.h"

#include <limits.h>
#include <pthread.h>

static const struct {
    enum cbc_alg alg;
    size_t key_len;
    const char *library_name;
} cbc_table[] = {
    {CBC_3DES, 24, "DES-EDE3-CBC"},
    {CBC_AES, 16, "AES-128-CBC"},
    {CBC_AES, 24, "AES-192-CBC"},
    {CBC_AES, 32, "AES-256-CBC"},
};

enum { CBC_TABLE_COUNT = sizeof(cbc_table) / sizeof(cbc_table[0]) };

/* Fetched once, only read afterwards. NULL: the library refused that one. */
static EVP_CIPHER *cbc_ciphers[CBC_TABLE_COUNT];
static pthread_once_t cbc_once = PTHREAD_ONCE_INIT;

static void cbc_fetch_all(void)
{
    for (size_t i = 0; i < CBC_TABLE_COUNT; i++)
        cbc_ciphers[i] = EVP_CIPHER_fetch(NULL, cbc_table[i].library_name, NULL);
    ERR_clear_error();
}

size_t cbc_block_len(enum cbc_alg alg)
{
    return alg == CBC_3DES ? 8 : 16;
}

static enum err cbc_cipher(enum cbc_alg alg, size_t key_len, const EVP_CIPHER **ret)
{
    pthread_once(&cbc_once, cbc_fetch_all);
    for (size_t i = 0; i < CBC_TABLE_COUNT; i++) {
        if (cbc_table[i].alg != alg || cbc_table[i].key_len != key_len)
            continue;
        if (cbc_ciphers[i] == NULL)
            return ERR_CRYPTO;
        *ret = cbc_ciphers[i];
        return ERR_OK;
    }
    return ERR_VALUE;
}

static bool cbc_run(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, struct view key,
                    const uint8_t *iv, struct span text, bool encrypt)
{
    int len = 0;
    return EVP_CipherInit_ex2(ctx, cipher, key.ptr, iv, encrypt, NULL) == 1 &&
           EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
           EVP_CipherUpdate(ctx, text.ptr, &len, text.ptr, (int)text.len) == 1 &&
           (size_t)len == text.len;
}

static enum err cbc_crypt(enum cbc_alg alg, struct view key, uint8_t *iv, struct span text,
                          bool encrypt)
{
    size_t block = cbc_block_len(alg);
    const EVP_CIPHER *cipher = NULL;
    enum err err = cbc_cipher(alg, key.len, &cipher);
    if (err != ERR_OK)
        return err;
    if (text.len % block != 0 || text.len > INT_MAX)
        return ERR_VALUE;
    if (text.len == 0)
        return ERR_OK;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL)
        return ERR_MEMORY;
    uint8_t next_iv[CBC_BLOCK_MAX];
    const uint8_t *last = text.ptr + text.len - block;
    memcpy(next_iv, last, block);
    if (!cbc_run(ctx, cipher, key, iv, text, encrypt)) {
        ERR_clear_error();
        err = ERR_CRYPTO;
    } else {
        memcpy(iv, encrypt ? last : next_iv, block);
    }
    EVP_CIPHER_CTX_free(ctx); /* wipes the key schedule */
    secret_wipe(next_iv, sizeof(next_iv));
    return err;
}

enum err cbc_encrypt(enum cbc_alg alg, struct view key, uint8_t *iv, struct span text)
{
    return cbc_crypt(alg, key, iv, text, true);
}

enum err cbc_decrypt(enum cbc_alg alg, struct view key, uint8_t *iv, struct span text)
{
    return cbc_crypt(alg, key, iv, text, false);
}
