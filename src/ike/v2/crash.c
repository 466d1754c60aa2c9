/*
 * A peer that lost an SA says so, and proves it with a token that it gave us when the SA was made
 * (RFC 6290): without one its unprotected word would count for nothing, and the SA would stay until
 * its silence is noticed. Ours are made of the SPIs and a secret that outlives us, so that we need
 * not remember them (section 5.1). Whoever still has an SA shows no token of it, or anyone could ask
 * for it.
 */
#include "ike/v2/v2.h"

enum { TOKEN_MIN = 16, TOKEN_MAX = 128, TOKENS_TRIED = 4 }; /* sections 5, 4.5 */

void crash_put_spis(struct ike *ike, const uint8_t *spi_i, const uint8_t *spi_r,
                    struct ike2_writer *w)
{
    const struct view parts[] = {view_of(spi_i, IKE2_SPI_LEN), view_of(spi_r, IKE2_SPI_LEN)};
    uint8_t token[HASH_MAX];
    if (ike->config.crash_secret.len == 0 ||
        hmac_digest(HASH_SHA2_256, ike->config.crash_secret, parts, 2, token) != ERR_OK)
        return;
    ike2_writer_open(w, IKE2_P_N);
    ike2_notify_build(&w->b, &(struct ike2_notify){.protocol = IKE2_PROTO_IKE,
                                                   .type = IKE2_N_QUICK_CRASH_DETECTION,
                                                   .data = view_of(token, V2_DIGEST_LEN)});
    ike2_writer_close(w);
    secret_wipe(token, sizeof(token));
}

void crash_put(struct ike *ike, const struct v2_sa *sa, struct ike2_writer *w)
{
    crash_put_spis(ike, v2_spi_i(sa), v2_spi_r(sa), w);
}

/* Only its digest is kept: who reads our memory can't end the peer's SAs elsewhere. */
enum err crash_token_read(const struct v2_step *step, bool *ret_has, uint8_t *ret_digest)
{
    struct ike2_notify n;
    if (!v2_notified(step, IKE2_N_QUICK_CRASH_DETECTION, &n) || n.data.len < TOKEN_MIN ||
        n.data.len > TOKEN_MAX)
        return ERR_OK;
    enum err err = hash_digest(HASH_SHA2_256, &n.data, 1, ret_digest);
    *ret_has = err == ERR_OK;
    return err;
}

enum err crash_read(const struct v2_step *step, struct v2_sa *sa)
{
    return crash_token_read(step, &sa->has_crash_token, sa->crash_token);
}

void crash_announce(struct ike *ike, struct v2_sa *sa)
{
    if (ike->config.crash_secret.len == 0)
        return;
    struct v2_exchange *x = v2_line_up(ike, sa, V2_N_I_START);
    if (x == NULL)
        return;
    x->notify = IKE2_N_QUICK_CRASH_DETECTION;
    v2_line_go(ike, sa);
}

void crash_complain(struct ike *ike, const struct ike_event *event,
                    const struct ike2_header *header)
{
    struct ike2_writer w;
    bool sealed = header->next_payload == IKE2_P_SK || header->next_payload == IKE2_P_SKF;
    if (!v2_may_complain(ike, header))
        return;
    v2_clear_start(ike, header, &w);
    ike2_writer_notify(&w, IKE2_N_INVALID_IKE_SPI, view_of(NULL, 0));
    if (sealed)
        crash_put_spis(ike, header->spi_i, header->spi_r, &w);
    v2_clear_send(ike, event, header, &w, IKE2_N_INVALID_IKE_SPI);
}

static bool matches(const struct v2_sa *sa, const struct ike2_payloads *payloads)
{
    const struct ike2_payload *payload;
    struct ike2_notify n;
    uint8_t digest[V2_DIGEST_LEN];
    unsigned tried = 0;
    for (size_t i = 0; (payload = ike2_payload_find(payloads, IKE2_P_N, i)) != NULL; i++) {
        if (ike2_notify_parse(payload->body, &n) != ERR_OK ||
            n.type != IKE2_N_QUICK_CRASH_DETECTION || n.data.len < TOKEN_MIN ||
            n.data.len > TOKEN_MAX)
            continue;
        if (hash_digest(HASH_SHA2_256, &n.data, 1, digest) == ERR_OK &&
            secret_equal(view_of(digest, sizeof(digest)),
                         view_of(sa->crash_token, sizeof(sa->crash_token))))
            return true;
        if (++tried == TOKENS_TRIED)
            return false;
    }
    return false;
}

/* Section 3: from wherever it comes. */
bool crash_proven(struct ike *ike, struct v2_sa *sa, const struct ike_event *event,
                  const struct ike2_header *header)
{
    struct view text =
        view_of(event->bytes.ptr + IKE2_HEADER_LEN, event->bytes.len - IKE2_HEADER_LEN);
    struct ike2_payloads payloads = {.count = 0};
    uint8_t critical;

    if (!sa->established || sa->dying || !sa->has_crash_token ||
        header->next_payload != IKE2_P_N || (header->flags & IKE2_FLAG_RESPONSE) == 0 ||
        ike2_payloads_parse(header->next_payload, text, &payloads, &critical) != ERR_OK ||
        !matches(sa, &payloads))
        return false;
    v2_trace(ike, sa, NULL, EVENT_WARNING, "Peer lost the SA", "it shows the token of RFC 6290");
    resume_lost(ike, sa);
    if (sa->mine != NULL && sa->mine->child != NULL)
        sa->mine->child->silent = true;
    v2_sa_free(ike, sa);
    return true;
}
