/*
 * What an IKE SA can be resumed from (RFC 5723 sections 5, 6): the session, as a record of ours and as a
 * ticket, which is the same sealed by value under a key that only this gateway has. The key is made of
 * a secret and of the time, so it changes by itself, and two gateways, or two lives of one, that have
 * the same secret open each other's tickets.
 */
#include <assert.h>

#include "crypto/prf.h"
#include "ike/record.h"
#include "ike/v2/v2.h"

enum {
    TICKET_FORM = 1,
    TICKET_ID_LEN = TICKET_ID,
    TICKET_HEAD = 1 + 4 + TICKET_ID_LEN, /* form, which key, which ticket */
    TICKET_KEY_S = 8 * 24 * 3600,        /* a key's time; a ticket may be of the one before */
    TICKET_PROOF_S = 24 * 3600, /* so long after a peer proved itself in full it has to do so again */
    TICKET_LIFE_MIN_S = 60,
    TICKETS_USED_MAX = 1 << 16,
};

static const struct aead_suite seal = {.cipher = AEAD_AES_GCM_16, .key_bits = 256};

/* A ticket that has served its purpose. */
struct v2_used {
    struct map_node by_id;
    uint8_t id[TICKET_ID_LEN];
    TAILQ_ENTRY(v2_used) of_used;
    int64_t until;
};

static bool wall(const struct ike *ike, int64_t *ret)
{
    if (ike->env.wall.seconds == NULL)
        return false;
    *ret = ike->env.wall.seconds(ike->env.wall.ctx);
    return *ret > 0;
}

int64_t ticket_wall(const struct ike *ike)
{
    int64_t now = 0;
    return wall(ike, &now) ? now : 0;
}

/* Records */

void session_put(struct builder *b, const struct v2_session *s)
{
    builder_u32(b, s->profile);
    builder_u8(b, s->peer_method);
    record_put_identity(b, &s->own_id);
    record_put_identity(b, &s->peer_id);
    builder_u8(b, s->peer_key_alg);
    builder_bytes(b, s->peer_key_digest, sizeof(s->peer_key_digest));
    builder_u16(b, (uint16_t)s->peer_key.len);
    builder_view(b, blob_view(&s->peer_key));
    v2_saved_put_suite(b, &s->suite);
    builder_bytes(b, s->d, hash_len(s->suite.prf));
    builder_bytes(b, s->own_spi, sizeof(s->own_spi));
    builder_u64(b, (uint64_t)s->proved);
}

enum err session_get(struct cursor *cur, struct v2_session *ret)
{
    struct v2_session s = {.profile = cursor_u32(cur)};
    s.peer_method = cursor_u8(cur);
    s.own_id = record_get_identity(cur);
    s.peer_id = record_get_identity(cur);
    s.peer_key_alg = cursor_u8(cur);
    cursor_copy(cur, s.peer_key_digest, sizeof(s.peer_key_digest));
    struct view key = cursor_take(cur, cursor_u16(cur));
    s.suite = v2_saved_get_suite(cur);
    if (!cur->bad)
        cursor_copy(cur, s.d, hash_len(s.suite.prf));
    cursor_copy(cur, s.own_spi, sizeof(s.own_spi));
    s.proved = (int64_t)cursor_u64(cur);
    enum err err = ERR_OK;
    if (cur->bad || s.profile == 0 || key.len > LIMIT_KEY_OCTETS || s.peer_key_alg >= KEY_ALG_COUNT)
        err = ERR_SYNTAX;
    else if (!blob_set(&s.peer_key, key))
        err = ERR_MEMORY;
    if (err == ERR_OK)
        *ret = s;
    secret_wipe(&s, sizeof(s));
    return err;
}

enum err session_of(const struct v2_sa *sa, const struct identity *own_id, struct v2_session *ret)
{
    struct v2_session s = {.profile = sa->profile,
                           .peer_method = sa->peer_method,
                           .own_id = *own_id,
                           .peer_id = sa->peer_id,
                           .peer_key_alg = sa->peer_key_alg,
                           .suite = sa->suite,
                           .proved = sa->proved};
    if (!blob_set(&s.peer_key, blob_view(&sa->peer_key)))
        return ERR_MEMORY;
    memcpy(s.peer_key_digest, sa->peer_key_digest, sizeof(s.peer_key_digest));
    memcpy(s.d, sa->keys.d, hash_len(sa->suite.prf));
    memcpy(s.own_spi, sa->own_spi, sizeof(s.own_spi));
    *ret = s;
    secret_wipe(&s, sizeof(s));
    return ERR_OK;
}

void session_wipe(struct v2_session *s)
{
    blob_wipe(&s->peer_key);
    secret_wipe(s, sizeof(*s));
}

/* Sealing */

/* Section 6.1: by the number of the time it is from, and another for each ticket. */
static enum err key_of(const struct ike *ike, uint32_t epoch, struct view id, uint8_t *ret)
{
    const uint8_t when[4] = {(uint8_t)(epoch >> 24), (uint8_t)(epoch >> 16), (uint8_t)(epoch >> 8),
                             (uint8_t)epoch};
    const struct view parts[] = {view_of_text("session resumption"), view_of(when, sizeof(when))};
    struct view secret = ike->config.ticket_secret;
    uint8_t root[HASH_MAX];
    if (secret.len == 0)
        secret = view_of(ike->v2.ticket_secret, sizeof(ike->v2.ticket_secret));
    enum err err = hmac_digest(HASH_SHA2_256, secret, parts, 2, root);
    if (err == ERR_OK)
        err = prf_plus(HASH_SHA2_256, view_of(root, hash_len(HASH_SHA2_256)), &id, 1,
                       span_of(ret, aead_key_len(&seal)));
    secret_wipe(root, sizeof(root));
    return err;
}

static const uint8_t zero_iv[AEAD_IV_MAX]; /* each key seals once */

static enum err ticket_seal(struct ike *ike, const struct v2_session *s, int64_t now,
                            int64_t expires, struct builder *ret)
{
    uint8_t text[TICKET_MAX], key[AEAD_KEY_MAX], icv[AEAD_ICV_MAX], id[TICKET_ID_LEN];
    struct builder b = builder_on(span_of(text, sizeof(text)));
    uint32_t epoch = (uint32_t)(now / TICKET_KEY_S);
    size_t head = ret->len;

    rng_fill(&ike->env.rng, id, sizeof(id));
    builder_u8(ret, TICKET_FORM);
    builder_u32(ret, epoch);
    builder_bytes(ret, id, sizeof(id));
    builder_u64(&b, (uint64_t)expires);
    session_put(&b, s);
    if (b.bad || ret->bad) {
        secret_wipe(text, sizeof(text));
        return ERR_ROOM;
    }
    enum err err = key_of(ike, epoch, view_of(id, sizeof(id)), key);
    if (err == ERR_OK) {
        const struct aead_keys keys = {.cipher = view_of(key, aead_key_len(&seal))};
        err = aead_seal(&seal, &keys, view_of(ret->base + head, TICKET_HEAD), zero_iv,
                        span_of(text, b.len), icv);
    }
    if (err == ERR_OK) {
        builder_bytes(ret, text, b.len);
        builder_bytes(ret, icv, aead_icv_len(&seal));
    }
    secret_wipe(key, sizeof(key));
    secret_wipe(text, sizeof(text));
    return err == ERR_OK && ret->bad ? ERR_ROOM : err;
}

static enum err unseal(struct ike *ike, struct view ticket, int64_t now, uint8_t *text,
                       struct view *ret_text, uint8_t *ret_id)
{
    struct cursor cur = cursor_of(ticket);
    uint8_t key[AEAD_KEY_MAX];
    uint8_t form = cursor_u8(&cur);
    uint32_t epoch = cursor_u32(&cur);
    struct view id = cursor_take(&cur, TICKET_ID_LEN);
    if (cur.bad || form != TICKET_FORM || cursor_left(&cur) <= aead_icv_len(&seal) ||
        cursor_left(&cur) > TICKET_MAX)
        return ERR_SYNTAX;
    struct view sealed = cursor_take(&cur, cursor_left(&cur) - aead_icv_len(&seal));
    struct view icv = cursor_take(&cur, aead_icv_len(&seal));
    if ((uint32_t)(now / TICKET_KEY_S) - epoch > 1)
        return ERR_EXPIRED;
    enum err err = key_of(ike, epoch, id, key);
    if (err == ERR_OK) {
        const struct aead_keys keys = {.cipher = view_of(key, aead_key_len(&seal))};
        memcpy(text, sealed.ptr, sealed.len);
        err = aead_open(&seal, &keys, view_of(ticket.ptr, TICKET_HEAD), zero_iv,
                        span_of(text, sealed.len), icv.ptr);
    }
    secret_wipe(key, sizeof(key));
    if (err != ERR_OK)
        return err;
    *ret_text = view_of(text, sealed.len);
    memcpy(ret_id, id.ptr, TICKET_ID_LEN);
    return ERR_OK;
}

/* Used ones */

static struct v2_used *find_used(const struct ike *ike, const uint8_t *id)
{
    struct map_node *node = map_find(&ike->v2.used_tickets, id);
    return node != NULL ? MAP_OWNER(node, struct v2_used, by_id) : NULL;
}

static void forget_used(struct v2_engine *v2, struct v2_used *used)
{
    map_remove(&v2->used_tickets, &used->by_id);
    TAILQ_REMOVE(&v2->used, used, of_used);
    free(used);
}

/* A ticket that can't be remembered as used must not be taken. */
static bool room_for_used(struct ike *ike, int64_t now)
{
    struct v2_engine *v2 = &ike->v2;
    struct v2_used *oldest;
    while ((oldest = TAILQ_FIRST(&v2->used)) != NULL && oldest->until <= now)
        forget_used(v2, oldest);
    return v2->used_tickets.count < TICKETS_USED_MAX;
}

bool ticket_use(struct ike *ike, const struct v2_ticket *ticket)
{
    struct v2_used *used = find_used(ike, ticket->id) == NULL ? calloc(1, sizeof(*used)) : NULL;
    if (used == NULL)
        return false;
    memcpy(used->id, ticket->id, sizeof(used->id));
    used->until = ticket->until;
    if (!map_insert(&ike->v2.used_tickets, &used->by_id)) {
        free(used);
        return false;
    }
    TAILQ_INSERT_TAIL(&ike->v2.used, used, of_used);
    return true;
}

void ticket_engine_init(struct ike *ike)
{
    struct v2_engine *v2 = &ike->v2;
    map_init(&v2->used_tickets, MAP_KEY_OFFSET(struct v2_used, by_id, id), TICKET_ID_LEN,
             &ike->env.rng);
    TAILQ_INIT(&v2->used);
    LIST_INIT(&v2->tickets);
    rng_fill(&ike->env.rng, v2->ticket_secret, sizeof(v2->ticket_secret));
}

void ticket_engine_fini(struct ike *ike)
{
    struct v2_engine *v2 = &ike->v2;
    while (!TAILQ_EMPTY(&v2->used))
        forget_used(v2, TAILQ_FIRST(&v2->used));
    map_fini(&v2->used_tickets);
    while (!LIST_EMPTY(&v2->tickets)) {
        struct v2_ticket *ticket = LIST_FIRST(&v2->tickets);
        LIST_REMOVE(ticket, of_all);
        ticket_free(ticket);
    }
}

void ticket_free(struct v2_ticket *ticket)
{
    if (ticket == NULL)
        return;
    session_wipe(&ticket->session);
    blob_wipe(&ticket->opaque);
    secret_wipe(ticket, sizeof(*ticket));
    free(ticket);
}

/* A responder's */

static int64_t lifetime(const struct ike *ike, const struct v2_sa *sa,
                        const struct ike_profile *profile, int64_t now)
{
    int64_t life = profile->ike_lifetime_s != 0 ? profile->ike_lifetime_s
                                                : ike->config.ike_lifetime_s;
    int64_t left = sa->proved + TICKET_PROOF_S - now;
    return left < life ? left : life;
}

void ticket_put(const struct v2_step *step, const struct identity *own_id, struct ike2_writer *w)
{
    struct ike *ike = step->ike;
    const struct v2_sa *sa = step->sa;
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    uint8_t room[TICKET_MAX];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    struct v2_session session = {.profile = 0};
    int64_t now, life = 0;

    if (profile != NULL && profile->resumption && sa->peer_method != IKE_BY_NULL &&
        wall(ike, &now))
        life = lifetime(ike, sa, profile, now);
    builder_u32(&b, (uint32_t)life);
    if (life < TICKET_LIFE_MIN_S || session_of(sa, own_id, &session) != ERR_OK ||
        ticket_seal(ike, &session, now, now + life, &b) != ERR_OK)
        ike2_writer_notify(w, IKE2_N_TICKET_NACK, view_of(NULL, 0));
    else
        ike2_writer_notify(w, IKE2_N_TICKET_LT_OPAQUE, builder_written(&b));
    session_wipe(&session);
    secret_wipe(room, sizeof(room));
}

/* What it says is true, for we wrote it; but things may have changed since. */
static const char *why_not(struct ike *ike, const struct v2_sa *sa, const struct v2_ticket *ticket,
                           int64_t now)
{
    const struct ike_profile *profile = NULL;
    if (ticket->until <= now)
        return "a ticket that has expired";
    if (!room_for_used(ike, now))
        return "too many tickets have been used";
    if (find_used(ike, ticket->id) != NULL)
        return "a ticket that has been used";
    while ((profile = ike_profile_next(ike, profile, IKE_VERSION_2, &sa->local.addr,
                                       &sa->remote.addr)) != NULL)
        if (profile->number == ticket->session.profile)
            break;
    if (profile == NULL || !profile->resumption)
        return "a ticket of a connection that is not configured any more, or not from there";
    return ike_profile_is_for(profile, &ticket->session.peer_id) ? NULL
                                                                 : "a ticket of somebody else";
}

enum err ticket_open(struct v2_step *step, struct view opaque, struct v2_ticket **ret)
{
    uint8_t text[TICKET_MAX];
    struct v2_ticket *ticket;
    struct view opened;
    int64_t now;

    if (!wall(step->ike, &now))
        return v2_refuse(step, ERR_STATE, IKE2_N_TICKET_NACK, "no clock to hold a ticket against");
    ticket = calloc(1, sizeof(*ticket));
    if (ticket == NULL)
        return ERR_MEMORY;
    enum err err = unseal(step->ike, opaque, now, text, &opened, ticket->id);
    if (err == ERR_OK) {
        struct cursor cur = cursor_of(opened);
        ticket->until = (int64_t)cursor_u64(&cur);
        err = session_get(&cur, &ticket->session);
    }
    secret_wipe(text, sizeof(text));
    const char *why = err == ERR_OK ? why_not(step->ike, step->sa, ticket, now)
                                    : "a ticket that is not ours, or under a key of before";
    if (why != NULL) {
        ticket_free(ticket);
        return v2_refuse(step, err == ERR_MEMORY ? err : ERR_POLICY, IKE2_N_TICKET_NACK, why);
    }
    *ret = ticket;
    return ERR_OK;
}

bool ticket_still_good(struct ike *ike, const struct v2_sa *sa, const struct v2_ticket *ticket)
{
    int64_t now;
    return wall(ike, &now) && why_not(ike, sa, ticket, now) == NULL;
}
