#include "esp/backend.h"

#include "base/limits.h"
#include "base/secret.h"

#include <intel-ipsec-mb.h>
#include <pthread.h>
#include <stdlib.h>

/*
 * GCM and ChaCha20 go packet by packet through the direct API, which is the fastest way there is; CBC with
 * HMAC goes through the job API, which works on many packets at once. The burst API isn't used:
 * mixed with GCM on one manager it crashes version 1.3.
 */

enum { AES_SCHEDULE = 15 * 4, DES_SCHEDULE = 16, HMAC_STATE_MAX = 64, HMAC_BLOCK_MAX = 128 };

struct gcm_key {
    struct gcm_key_data data;
    unsigned bits;
};

struct cbc_key {
    _Alignas(64) uint32_t aes_encrypt[AES_SCHEDULE];
    _Alignas(64) uint32_t aes_decrypt[AES_SCHEDULE];
    _Alignas(64) uint64_t des[3][DES_SCHEDULE];
    const void *des_schedules[3];
    _Alignas(16) uint8_t inner[HMAC_STATE_MAX]; /* the hash state after key ^ ipad, key ^ opad */
    _Alignas(16) uint8_t outer[HMAC_STATE_MAX];
    IMB_JOB job; /* what all packets' jobs have in common; of AH too, with no cipher */
};

struct chacha_key {
    uint8_t key[32];
    struct chacha20_poly1305_context_data context; /* here, so that it is wiped with the key */
};

enum key_kind { KEY_CBC, KEY_GCM, KEY_CHACHA, KEY_MAC };

struct esp_key {
    enum key_kind kind;
    size_t icv_len;
    union {
        struct gcm_key gcm_key;
        struct chacha_key chacha_key;
        struct cbc_key cbc_key;
    };
};

static _Thread_local IMB_MGR *thread_manager;
static pthread_key_t manager_at_exit;
static pthread_once_t manager_once = PTHREAD_ONCE_INIT;

static void manager_free(void *manager)
{
    thread_manager = NULL;
    free_mb_mgr(manager);
}

static void manager_register(void)
{
    if (pthread_key_create(&manager_at_exit, manager_free) != 0)
        abort(); /* no keys left this early: a broken program */
}

/* This thread's manager; NULL: out of memory. */
static IMB_MGR *manager_get(void)
{
    if (thread_manager != NULL)
        return thread_manager;
    pthread_once(&manager_once, manager_register);
    IMB_MGR *manager = alloc_mb_mgr(0);
    if (manager == NULL)
        return NULL;
    init_mb_mgr_auto(manager, NULL);
    if (imb_get_errno(manager) != 0 || pthread_setspecific(manager_at_exit, manager) != 0) {
        free_mb_mgr(manager);
        return NULL;
    }
    thread_manager = manager;
    return manager;
}

static void gcm_expand(IMB_MGR *manager, const struct sa_params *params, struct gcm_key *ret)
{
    ret->bits = params->suite.key_bits;
    switch (ret->bits) {
    case 128:
        IMB_AES128_GCM_PRE(manager, params->cipher_key, &ret->data);
        break;
    case 192:
        IMB_AES192_GCM_PRE(manager, params->cipher_key, &ret->data);
        break;
    default:
        IMB_AES256_GCM_PRE(manager, params->cipher_key, &ret->data);
        break;
    }
}

static void cipher_expand(IMB_MGR *manager, const struct sa_params *params, struct cbc_key *ret)
{
    const uint8_t *key = params->cipher_key;
    ret->job.cipher_mode = IMB_CIPHER_CBC;
    ret->job.key_len_in_bytes = params->suite.key_bits / 8;
    ret->job.iv_len_in_bytes = esp_suite_iv_len(&params->suite);
    ret->job.enc_keys = ret->aes_encrypt;
    ret->job.dec_keys = ret->aes_decrypt;
    if (params->suite.cipher == ESP_CIPHER_3DES_CBC) {
        for (size_t i = 0; i < 3; i++) {
            IMB_DES_KEYSCHED(manager, ret->des[i], key + 8 * i);
            ret->des_schedules[i] = ret->des[i];
        }
        ret->job.cipher_mode = IMB_CIPHER_DES3;
        ret->job.enc_keys = ret->des_schedules;
        ret->job.dec_keys = ret->des_schedules;
    } else if (params->suite.key_bits == 128) {
        IMB_AES_KEYEXP_128(manager, key, ret->aes_encrypt, ret->aes_decrypt);
    } else if (params->suite.key_bits == 192) {
        IMB_AES_KEYEXP_192(manager, key, ret->aes_encrypt, ret->aes_decrypt);
    } else {
        IMB_AES_KEYEXP_256(manager, key, ret->aes_encrypt, ret->aes_decrypt);
    }
}

struct hmac_row {
    IMB_HASH_ALG alg;
    hash_one_block_t one_block;
    size_t block_len;
};

static struct hmac_row hmac_row(const IMB_MGR *manager, uint8_t auth)
{
    switch (auth) {
    case ESP_AUTH_HMAC_SHA2_256_128:
        return (struct hmac_row){IMB_AUTH_HMAC_SHA_256, manager->sha256_one_block, 64};
    case ESP_AUTH_HMAC_SHA2_384_192:
        return (struct hmac_row){IMB_AUTH_HMAC_SHA_384, manager->sha384_one_block, 128};
    case ESP_AUTH_HMAC_SHA2_512_256:
        return (struct hmac_row){IMB_AUTH_HMAC_SHA_512, manager->sha512_one_block, 128};
    case ESP_AUTH_HMAC_SHA1_96:
        return (struct hmac_row){IMB_AUTH_HMAC_SHA_1, manager->sha1_one_block, 64};
    default:
        return (struct hmac_row){IMB_AUTH_MD5, manager->md5_one_block, 64};
    }
}

static void hmac_half(const struct hmac_row *row, const struct sa_params *params, uint8_t pad,
                      uint8_t *ret)
{
    uint8_t block[HMAC_BLOCK_MAX];
    memset(block, pad, sizeof(block));
    for (size_t i = 0; i < params->auth_key_len; i++)
        block[i] ^= params->auth_key[i];
    row->one_block(block, ret);
    secret_wipe(block, sizeof(block));
}

static void cbc_expand(IMB_MGR *manager, const struct sa_params *params, struct cbc_key *ret)
{
    struct hmac_row row = hmac_row(manager, params->suite.auth);
    if (params->suite.protocol == SA_AH)
        ret->job.cipher_mode = IMB_CIPHER_NULL;
    else
        cipher_expand(manager, params, ret);
    hmac_half(&row, params, 0x36, ret->inner);
    hmac_half(&row, params, 0x5c, ret->outer);
    ret->job.hash_alg = row.alg;
    ret->job.auth_tag_output_len_in_bytes = esp_suite_icv_len(&params->suite);
    ret->job.u.HMAC._hashed_auth_key_xor_ipad = ret->inner;
    ret->job.u.HMAC._hashed_auth_key_xor_opad = ret->outer;
    ret->job.cipher_direction = params->inbound ? IMB_DIR_DECRYPT : IMB_DIR_ENCRYPT;
    ret->job.chain_order = params->inbound ? IMB_ORDER_HASH_CIPHER : IMB_ORDER_CIPHER_HASH;
}

static enum key_kind kind_of(const struct esp_suite *suite)
{
    if (suite->protocol == SA_AH)
        return KEY_MAC;
    if (suite->cipher == ESP_CIPHER_CHACHA20_POLY1305)
        return KEY_CHACHA;
    return esp_suite_combined(suite) ? KEY_GCM : KEY_CBC;
}

static enum err key_new(const struct sa_params *params, struct esp_key **ret)
{
    IMB_MGR *manager = manager_get();
    struct esp_key *key = aligned_alloc(64, (sizeof(*key) + 63) / 64 * 64);
    if (manager == NULL || key == NULL) {
        free(key);
        return ERR_MEMORY;
    }
    memset(key, 0, sizeof(*key));
    key->kind = kind_of(&params->suite);
    key->icv_len = esp_suite_icv_len(&params->suite);
    if (key->kind == KEY_GCM)
        gcm_expand(manager, params, &key->gcm_key);
    else if (key->kind == KEY_CHACHA)
        memcpy(key->chacha_key.key, params->cipher_key, sizeof(key->chacha_key.key));
    else
        cbc_expand(manager, params, &key->cbc_key);
    *ret = key;
    return ERR_OK;
}

static void key_free(struct esp_key *key)
{
    secret_wipe(key, sizeof(*key));
    free(key);
}

static void gcm_run(const struct esp_key *key, aes_gcm_enc_dec_t run, struct esp_op *op,
                    uint8_t *ret_icv)
{
    struct gcm_context_data context;
    uint8_t *text = op->packet + op->text_at;
    run(&key->gcm_key.data, &context, text, text, op->text_len, op->iv, op->aad, op->aad_len,
        ret_icv, key->icv_len);
}

static void gcm_seal(IMB_MGR *manager, struct esp_key *key, struct esp_op *ops, size_t count)
{
    unsigned bits = key->gcm_key.bits;
    aes_gcm_enc_dec_t run = bits == 128   ? manager->gcm128_enc
                            : bits == 192 ? manager->gcm192_enc
                                          : manager->gcm256_enc;
    for (size_t i = 0; i < count; i++) {
        gcm_run(key, run, &ops[i], ops[i].icv);
        ops[i].good = true;
    }
}

static void gcm_open(IMB_MGR *manager, struct esp_key *key, struct esp_op *ops, size_t count)
{
    unsigned bits = key->gcm_key.bits;
    aes_gcm_enc_dec_t run = bits == 128   ? manager->gcm128_dec
                            : bits == 192 ? manager->gcm192_dec
                                          : manager->gcm256_dec;
    for (size_t i = 0; i < count; i++) {
        uint8_t icv[ESP_ICV_MAX];
        gcm_run(key, run, &ops[i], icv);
        ops[i].good = esp_icv_equal(icv, ops[i].icv, key->icv_len);
    }
}

static void chacha_run(IMB_MGR *manager, struct chacha_key *key, chacha_poly_enc_dec_update_t run,
                       struct esp_op *op, uint8_t *ret_icv, size_t icv_len)
{
    uint8_t *text = op->packet + op->text_at;
    IMB_CHACHA20_POLY1305_INIT(manager, key->key, &key->context, op->iv, op->aad, op->aad_len);
    run(key->key, &key->context, text, text, op->text_len);
    IMB_CHACHA20_POLY1305_ENC_FINALIZE(manager, &key->context, ret_icv, icv_len);
}

static void chacha_seal(IMB_MGR *manager, struct esp_key *key, struct esp_op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        chacha_run(manager, &key->chacha_key, manager->chacha20_poly1305_enc_update, &ops[i],
                   ops[i].icv, key->icv_len);
        ops[i].good = true;
    }
}

static void chacha_open(IMB_MGR *manager, struct esp_key *key, struct esp_op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t icv[ESP_ICV_MAX];
        chacha_run(manager, &key->chacha_key, manager->chacha20_poly1305_dec_update, &ops[i], icv,
                   key->icv_len);
        ops[i].good = esp_icv_equal(icv, ops[i].icv, key->icv_len);
    }
}

static void job_done(const IMB_JOB *job)
{
    struct esp_op *op = job != NULL ? job->user_data : NULL;
    if (op != NULL)
        op->good = job->status == IMB_STATUS_COMPLETED;
}

/* Fills and submits one job; an older one may come back. */
static void job_submit(IMB_MGR *manager, const struct esp_key *key, struct esp_op *op,
                       uint8_t *ret_icv)
{
    IMB_JOB *job = IMB_GET_NEXT_JOB(manager);
    *job = key->cbc_key.job;
    job->src = op->packet;
    job->dst = op->packet + op->text_at;
    job->cipher_start_src_offset_in_bytes = op->text_at;
    job->msg_len_to_cipher_in_bytes = key->kind == KEY_MAC ? 0 : op->text_len;
    job->hash_start_src_offset_in_bytes = 0;
    job->msg_len_to_hash_in_bytes = op->hash_len;
    job->iv = op->iv;
    job->auth_tag_output = ret_icv;
    job->user_data = op;
    op->good = false;
    job_done(IMB_SUBMIT_JOB(manager));
}

static void cbc_run(IMB_MGR *manager, struct esp_key *key, struct esp_op *ops, size_t count,
                    uint8_t (*ret_icvs)[ESP_ICV_MAX])
{
    for (size_t i = 0; i < count; i++)
        job_submit(manager, key, &ops[i], ret_icvs[i]);
    for (IMB_JOB *job; (job = IMB_FLUSH_JOB(manager)) != NULL;)
        job_done(job);
}

static void refuse_all(struct esp_op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ops[i].good = false;
}

static void seal(struct esp_key *key, struct esp_op *ops, size_t count)
{
    uint8_t icvs[LIMIT_BURST][ESP_ICV_MAX];
    IMB_MGR *manager = manager_get();
    if (manager == NULL) {
        refuse_all(ops, count);
        return;
    }
    if (key->kind == KEY_GCM || key->kind == KEY_CHACHA) {
        (key->kind == KEY_GCM ? gcm_seal : chacha_seal)(manager, key, ops, count);
        return;
    }
    cbc_run(manager, key, ops, count, icvs);
    for (size_t i = 0; i < count; i++)
        memcpy(ops[i].icv, icvs[i], key->icv_len);
}

static void open_ops(struct esp_key *key, struct esp_op *ops, size_t count)
{
    uint8_t icvs[LIMIT_BURST][ESP_ICV_MAX];
    IMB_MGR *manager = manager_get();
    if (manager == NULL) {
        refuse_all(ops, count);
        return;
    }
    if (key->kind == KEY_GCM || key->kind == KEY_CHACHA) {
        (key->kind == KEY_GCM ? gcm_open : chacha_open)(manager, key, ops, count);
        return;
    }
    cbc_run(manager, key, ops, count, icvs);
    for (size_t i = 0; i < count; i++)
        ops[i].good = ops[i].good && esp_icv_equal(icvs[i], ops[i].icv, key->icv_len);
}

const struct esp_backend esp_backend_ipsec_mb = {
    .name = "ipsec-mb",
    .key_new = key_new,
    .key_free = key_free,
    .seal = seal,
    .open = open_ops,
};
