/*
 * Dead peer detection (RFC 3706): a configured peer that has been silent is asked whether it is
 * there; one that doesn't answer several times is given up with everything that was shared with it.
 * Whoever asks is answered. Both messages are protected and numbered, so neither can be forged or
 * replayed (section 6.2).
 */
#include "ike/v1/v1.h"

enum { DPD_DEFAULT_S = 30, DPD_TRIES = 5, DPD_SPACING_MS = 2000 };

static int64_t interval_ms(const struct ike *ike, const struct ike_sa *sa)
{
    const struct ike_profile *profile = ike_profile_numbered(ike, sa->profile);
    uint32_t seconds = profile != NULL && profile->dpd_s != 0 ? profile->dpd_s : DPD_DEFAULT_S;
    return (int64_t)seconds * 1000;
}

void dpd_start(struct ike *ike, struct ike_sa *sa)
{
    sa->dpd_unanswered = 0;
    if (sa->dpd && sa->profile != 0)
        ike_timer_set(ike, &sa->dpd_timer, mono_add(ike->now, interval_ms(ike, sa)));
}

/* Everything with that peer that no other IKE SA of it takes care of. */
static void give_up_peer(struct ike *ike, struct ike_sa *sa)
{
    struct ike_peer *peer = sa->peer;
    uint8_t digest[IKE_DIGEST_LEN];
    struct ike_child *child, *next;

    v1_trace(ike, sa, NULL, EVENT_WARNING, "Peer is dead", "it answers nothing any more");
    ike_count(ike, IKE_COUNT_DEAD_PEER);
    memcpy(digest, sa->peer_key_digest, sizeof(digest));
    sa->dying = true;
    bool alone = peer != NULL && ike_peer_sa(peer, digest) == NULL;
    /* The SA keeps its peer while the children go. */
    for (child = alone ? LIST_FIRST(&peer->children) : NULL; child != NULL; child = next) {
        next = LIST_NEXT(child, of_peer);
        if (memcmp(child->peer_key, digest, sizeof(digest)) == 0)
            ike_child_finish(ike, child);
    }
    ike_sa_free(ike, sa);
}

void dpd_timer(struct ike *ike, struct ike_timer *timer)
{
    struct ike_sa *sa =
        (struct ike_sa *)(void *)((char *)timer - offsetof(struct ike_sa, dpd_timer));

    if (!ike_sa_established(sa))
        return;
    if (sa->dpd_unanswered == DPD_TRIES) {
        give_up_peer(ike, sa);
        return;
    }
    /* The same number again, so that any answer to it will do (section 5.4). */
    if (sa->dpd_unanswered++ == 0)
        sa->dpd_sequence = sa->dpd_sequence == 0 ? rng_u32(&ike->env.rng) >> 1 : sa->dpd_sequence + 1;
    ike_timer_set(ike, &sa->dpd_timer, mono_add(ike->now, DPD_SPACING_MS));
    info_send_dpd(ike, sa, V1_R_U_THERE, sa->dpd_sequence);
}

void dpd_receive(struct ike *ike, struct ike_sa *sa, const struct isakmp_notify *n)
{
    struct cursor cur = cursor_of(n->data);
    uint32_t sequence = cursor_u32(&cur);

    if (!cursor_done(&cur) || !view_equal(n->spi, view_of(sa->cookies, sizeof(sa->cookies)))) {
        ike_count(ike, IKE_COUNT_MALFORMED);
        return;
    }
    if (n->type == V1_R_U_THERE)
        info_send_dpd(ike, sa, V1_R_U_THERE_ACK, sequence);
    else if (sa->dpd_unanswered == 0 || sequence != sa->dpd_sequence)
        ike_count(ike, IKE_COUNT_STALE);
    else
        dpd_start(ike, sa);
}
