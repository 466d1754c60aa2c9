#include "esp/state.h"

#include "base/secret.h"
#include "wire/ip.h"

#include <stdlib.h>

enum {
    ESP_TRAILER = 2, /* pad length and next header */
    /* TCP's header with time stamps, and the length in front of the packet (RFC 9329 section 3.2): then one
     * packet goes into one segment, and what is inside chooses its MSS so that it does. */
    ESP_TCP_AROUND = 20 + 12 + 2,
};

const struct esp_backend *esp_backend_default(void)
{
#ifdef CYGNET_IPSEC_MB
    return &esp_backend_ipsec_mb;
#else
    return &esp_backend_libcrypto;
#endif
}

static bool params_fit(const struct sa_params *params)
{
    /* The ICV of AH covers what a NAT changes, so it never goes through one (RFC 3948 section 1). */
    bool translated = params->udp_src != 0 || params->udp_dst != 0;
    return esp_suite_valid(&params->suite) && !(params->suite.protocol == SA_AH && translated) &&
           params->cipher_key_len == esp_suite_cipher_key_len(&params->suite) &&
           params->auth_key_len == esp_suite_auth_key_len(&params->suite);
}

static void sa_take_params(struct esp_sa *sa, const struct sa_params *params)
{
    const struct esp_suite *suite = &params->suite;
    sa->spi = params->spi;
    sa->inbound = params->inbound;
    sa->ah = suite->protocol == SA_AH;
    sa->combined = esp_suite_combined(suite);
    sa->esn = suite->esn;
    sa->iv_len = (uint8_t)esp_suite_iv_len(suite);
    sa->block_len = (uint8_t)esp_suite_block_len(suite);
    sa->icv_len = (uint8_t)esp_suite_icv_len(suite);
    if (sa->combined)
        memcpy(sa->salt, params->cipher_key + params->cipher_key_len - sizeof(sa->salt),
               sizeof(sa->salt));
    sa->ah_len = sa->ah ? ah_header_len(sa, params->outer_dst.family) : 0;
    sa->outer = (struct packet_outer){.src = params->outer_src,
                                      .dst = params->outer_dst,
                                      .udp_src = params->udp_src,
                                      .udp_dst = params->udp_dst,
                                      .stream = params->stream,
                                      .ah = sa->ah};
}

enum err esp_sa_new_on(const struct esp_backend *backend, const struct sa_params *params,
                       struct esp_sa **ret)
{
    if (!params_fit(params))
        return ERR_UNSUPPORTED;
    struct esp_sa *sa = calloc(1, sizeof(*sa));
    if (sa == NULL)
        return ERR_MEMORY;
    sa->backend = backend;
    sa_take_params(sa, params);
    enum err err = backend->key_new(params, &sa->key);
    if (err == ERR_OK && sa->iv_len != 0 && !sa->combined && !sa->inbound)
        err = esp_ivs_new(params, &sa->ivs);
    if (err != ERR_OK) {
        esp_sa_free(sa);
        return err;
    }
    *ret = sa;
    return ERR_OK;
}

enum err esp_sa_new(const struct sa_params *params, struct esp_sa **ret)
{
    return esp_sa_new_on(esp_backend_default(), params, ret);
}

void esp_sa_free(struct esp_sa *sa)
{
    if (sa == NULL)
        return;
    if (sa->key != NULL)
        sa->backend->key_free(sa->key);
    esp_ivs_free(sa->ivs);
    secret_wipe(sa, sizeof(*sa));
    free(sa);
}

void esp_sa_move(struct esp_sa *sa, const struct ip_endpoint *src, const struct ip_endpoint *dst)
{
    sa->outer.src = src->addr;
    sa->outer.udp_src = src->port;
    sa->outer.dst = dst->addr;
    sa->outer.udp_dst = dst->port;
    sa->outer.stream = dst->stream;
    if (sa->ah)
        sa->ah_len = ah_header_len(sa, (enum ip_family)dst->addr.family);
}

uint32_t esp_inner_mtu(const struct esp_sa *sa, uint32_t mtu)
{
    if (sa->ah) {
        uint32_t around = (uint32_t)ip_header_len(sa->outer.src.family) + sa->ah_len;
        return mtu > around ? mtu - around : 0;
    }
    uint32_t overhead =
        (uint32_t)ip_header_len(sa->outer.src.family) + ESP_HEADER + sa->iv_len + sa->icv_len;
    if (sa->outer.stream != 0)
        overhead += ESP_TCP_AROUND;
    else if (sa->outer.udp_dst != 0)
        overhead += IP_UDP_HEADER;
    if (mtu < overhead + sa->block_len)
        return 0;
    uint32_t text_len = (mtu - overhead) / sa->block_len * sa->block_len;
    return text_len - ESP_TRAILER;
}

void esp_sa_counts(const struct esp_sa *sa, struct esp_counts *ret)
{
    *ret = sa->counts;
    ret->sequence = sa->inbound ? sa->replay.top : sa->sequence;
}

void esp_op_aad(const struct esp_sa *sa, uint64_t sequence, struct esp_op *op)
{
    esp_store32(op->aad, sa->spi.value);
    if (sa->esn)
        esp_store64(op->aad + 4, sequence);
    else
        esp_store32(op->aad + 4, (uint32_t)sequence);
    op->aad_len = sa->esn ? 12 : 8;
}
