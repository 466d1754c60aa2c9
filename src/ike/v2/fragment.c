/*
 * Messages in fragments (RFC 7383). Each is decrypted and proven before it is kept, so nobody else
 * can fill our memory; pieces of one message at a time, of the one that is due.
 */
#include "crypto/hash.h"
#include "ike/v2/v2.h"

enum { FRAGMENTS_MAX = 64 };

struct v2_assembly {
    uint32_t id;
    bool response;
    uint8_t first; /* type of the first payload inside */
    uint16_t total, have;
    size_t octets;
    uint8_t digest[V2_DIGEST_LEN]; /* of the first fragment */
    struct blob pieces[FRAGMENTS_MAX];
};

void fragment_forget(struct v2_sa *sa)
{
    struct v2_assembly *a = sa->assembly;
    if (a == NULL)
        return;
    for (size_t i = 0; i < a->total; i++)
        blob_wipe(&a->pieces[i]);
    free(a);
    sa->assembly = NULL;
}

/* Section 2.6: a larger total begins anew, a smaller one is late. */
static enum err assembly_for(struct v2_sa *sa, const struct ike2_header *header,
                             const struct ike2_sk *sk)
{
    bool response = (header->flags & IKE2_FLAG_RESPONSE) != 0;
    struct v2_assembly *a = sa->assembly;
    if (a != NULL && a->id == header->message_id && a->response == response) {
        if (sk->total == a->total)
            return ERR_OK;
        if (sk->total < a->total)
            return ERR_DECRYPT;
    }
    fragment_forget(sa);
    sa->assembly = calloc(1, sizeof(*a));
    if (sa->assembly == NULL)
        return ERR_MEMORY;
    sa->assembly->id = header->message_id;
    sa->assembly->response = response;
    sa->assembly->total = sk->total;
    return ERR_OK;
}

static struct view join(struct ike *ike, const struct v2_assembly *a)
{
    struct builder b = builder_on(span_of(ike->text, sizeof(ike->text)));
    for (size_t i = 0; i < a->total; i++)
        builder_view(&b, blob_view(&a->pieces[i]));
    return builder_written(&b);
}

enum err fragment_take(struct ike *ike, struct v2_sa *sa, const struct ike2_header *header,
                       const struct ike2_sk *sk, struct view text, uint8_t *digest,
                       uint8_t *ret_first, struct view *ret_text)
{
    if (!sa->fragments || sk->total > FRAGMENTS_MAX || text.len == 0)
        return ERR_DECRYPT;
    enum err err = assembly_for(sa, header, sk);
    if (err != ERR_OK)
        return err;
    struct v2_assembly *a = sa->assembly;
    struct blob *piece = &a->pieces[sk->fragment - 1];
    if (piece->ptr != NULL || a->octets + text.len > sizeof(ike->text))
        return ERR_UNKNOWN; /* it was there already */
    if (!blob_set(piece, text))
        return ERR_MEMORY;
    a->octets += text.len;
    a->have++;
    if (sk->fragment == 1) {
        a->first = sk->first;
        memcpy(a->digest, digest, sizeof(a->digest));
    }
    if (a->have < a->total)
        return ERR_UNKNOWN;
    memcpy(digest, a->digest, sizeof(a->digest));
    *ret_first = a->first;
    *ret_text = join(ike, a);
    fragment_forget(sa);
    return ERR_OK;
}
