/* IKE SAs of version 2: birth, finding, death. */
#include <assert.h>

#include "ike/v2/v2.h"

/* 100,000 of them, each with a child, a peer and an answer that is kept, stay under 4 KiB each. */
_Static_assert(sizeof(struct v2_sa) + sizeof(struct ike_child) + sizeof(struct ike_peer) < 2048,
               "an idle IKE SA is small");

void v2_engine_init(struct ike *ike)
{
    struct v2_engine *v2 = &ike->v2;
    const struct rng *rng = &ike->env.rng;
    map_init(&v2->sas, MAP_KEY_OFFSET(struct v2_sa, by_spi, own_spi), IKE2_SPI_LEN, rng);
    map_init(&v2->inits, MAP_KEY_OFFSET(struct v2_sa, by_init, init_key),
             sizeof(struct v2_init_key), rng);
    map_init(&v2->questions, MAP_KEY_OFFSET(struct v2_exchange, by_serial, serial),
             sizeof(uint64_t), rng);
    TAILQ_INIT(&v2->unproven);
    rng_fill(rng, v2->cookie_secrets, sizeof(v2->cookie_secrets));
    ticket_engine_init(ike);
}

void v2_engine_fini(struct ike *ike)
{
    struct v2_engine *v2 = &ike->v2;
    while (v2->all_count != 0)
        v2_sa_free(ike, v2->all[0]);
    assert(v2->questions.count == 0 && v2->inits.count == 0);
    ticket_engine_fini(ike);
    map_fini(&v2->sas);
    map_fini(&v2->inits);
    map_fini(&v2->questions);
    free(v2->all);
}

const uint8_t *v2_spi_i(const struct v2_sa *sa)
{
    return sa->initiator ? sa->own_spi : sa->peer_spi;
}

const uint8_t *v2_spi_r(const struct v2_sa *sa)
{
    return sa->initiator ? sa->peer_spi : sa->own_spi;
}

const struct ike_profile *v2_profile(const struct ike *ike, uint32_t number)
{
    return number != 0 ? ike_profile_numbered(ike, number) : NULL;
}

static bool list_all(struct v2_engine *v2, struct v2_sa *sa)
{
    if (v2->all_count == v2->all_room) {
        size_t room = v2->all_room ? 2 * v2->all_room : 16;
        struct v2_sa **all = realloc(v2->all, room * sizeof(struct v2_sa *));
        if (all == NULL)
            return false;
        v2->all = all;
        v2->all_room = room;
    }
    sa->index = v2->all_count;
    v2->all[v2->all_count++] = sa;
    return true;
}

static void unlist_all(struct v2_engine *v2, struct v2_sa *sa)
{
    struct v2_sa *last = v2->all[--v2->all_count];
    v2->all[sa->index] = last;
    last->index = sa->index;
}

/* It is replaced while it still works; if that fails it ends with its lifetime. */
static void sa_expiry(struct ike *ike, struct ike_timer *timer)
{
    struct v2_sa *sa = (struct v2_sa *)(void *)((char *)timer - offsetof(struct v2_sa, expiry));
    if (!mono_reached(ike->now, sa->expires)) {
        ike_timer_set(ike, &sa->expiry, sa->expires);
        rekey_begin(ike, sa);
        return;
    }
    v2_trace(ike, sa, NULL, EVENT_INFO, "IKE SA expired", "its lifetime is over");
    v2_sa_end(ike, sa);
}

static int64_t liveness_ms(const struct ike *ike, const struct v2_sa *sa)
{
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    if (profile == NULL)
        return 0; /* opportunistic tunnels age by their traffic */
    return (profile->dpd_s != 0 ? profile->dpd_s : V2_LIVENESS_S) * INT64_C(1000);
}

/* Two clocks in one: when the last answer may be forgotten, and when to ask a silent peer. */
static void idle_timer(struct ike *ike, struct ike_timer *timer)
{
    struct v2_sa *sa = (struct v2_sa *)(void *)((char *)timer - offsetof(struct v2_sa, idle));
    int64_t liveness = liveness_ms(ike, sa), silent = mono_since(ike->now, sa->heard);
    mono_t again = MONO_NEVER;

    if (mono_reached(ike->now, mono_add(sa->answered_at, V2_ANSWER_MS)))
        v2_sent_wipe(&sa->answer);
    else
        again = mono_add(sa->answered_at, V2_ANSWER_MS);
    if (sa->established && liveness != 0)
        again = mono_min(again, mono_add(ike->now, silent >= liveness ? liveness : liveness - silent));
    ike_timer_set(ike, &sa->idle, again);
    if (sa->established && liveness != 0 && silent >= liveness)
        info_ask_alive(ike, sa);
}

/* What a full table makes room with: an established SA that nothing uses (OE-194). */
static struct v2_sa *oldest_unused(const struct v2_engine *v2)
{
    struct v2_sa *oldest = NULL;
    for (size_t i = 0; i < v2->all_count; i++) {
        struct v2_sa *sa = v2->all[i];
        if (sa->established && !sa->dying && sa->mine == NULL && sa->theirs == NULL &&
            LIST_EMPTY(&sa->children) && (oldest == NULL || sa->since.ms < oldest->since.ms))
            oldest = sa;
    }
    return oldest;
}

static enum err make_room(struct ike *ike)
{
    if (ike->v2.all_count + ike->all_count < ike->sa_limit)
        return ERR_OK;
    struct v2_sa *sa = oldest_unused(&ike->v2);
    if (sa == NULL)
        return ERR_LIMIT;
    v2_sa_end(ike, sa);
    return ERR_OK;
}

/* An SPI is never zero, nor in use. */
void v2_spi_new(struct ike *ike, uint8_t *ret)
{
    static const uint8_t zero[IKE2_SPI_LEN] = {0};
    do
        rng_fill(&ike->env.rng, ret, IKE2_SPI_LEN);
    while (memcmp(ret, zero, sizeof(zero)) == 0 || v2_sa_find(ike, ret) != NULL);
}

enum err v2_sa_new(struct ike *ike, bool initiator, const struct v2_path *path, struct v2_sa **ret)
{
    enum err err = make_room(ike);
    if (err != ERR_OK)
        return err;
    struct v2_sa *sa = calloc(1, sizeof(*sa));
    if (sa == NULL)
        return ERR_MEMORY;
    v2_spi_new(ike, sa->own_spi);
    sa->path = *path;
    sa->local = path->local;
    sa->remote = path->remote;
    sa->initiator = initiator;
    sa->number = ike_serial(ike);
    sa->since = sa->heard = ike->now;
    sa->expires = MONO_NEVER;
    TAILQ_INIT(&sa->waiting);
    LIST_INIT(&sa->children);
    sa->handshake = calloc(1, sizeof(*sa->handshake));
    if (sa->handshake == NULL)
        goto no_handshake;
    if (!ike_timer_add(ike, &sa->expiry, sa_expiry))
        goto no_expiry;
    if (!ike_timer_add(ike, &sa->idle, idle_timer))
        goto no_idle;
    if (!ike_timer_add(ike, &sa->keepalive, v2_nat_keepalive))
        goto no_keepalive;
    if (!list_all(&ike->v2, sa))
        goto no_list;
    if (!map_insert(&ike->v2.sas, &sa->by_spi))
        goto no_map;
    *ret = sa;
    return ERR_OK;

no_map:
    unlist_all(&ike->v2, sa);
no_list:
    ike_timer_drop(ike, &sa->keepalive);
no_keepalive:
    ike_timer_drop(ike, &sa->idle);
no_idle:
    ike_timer_drop(ike, &sa->expiry);
no_expiry:
    v2_handshake_free(sa->handshake);
no_handshake:
    free(sa);
    return ERR_MEMORY;
}

enum err v2_sa_attach(struct ike *ike, struct v2_sa *sa)
{
    struct ike_peer *peer = ike_peer_get(ike, &sa->local.addr, &sa->remote.addr, true);
    if (peer == NULL)
        return ERR_MEMORY;
    sa->peer = peer;
    LIST_INSERT_HEAD(&peer->v2_sas, sa, of_peer);
    return ERR_OK;
}

void v2_sa_take_spi(struct ike *ike, struct v2_sa *sa, const uint8_t *own_spi)
{
    map_remove(&ike->v2.sas, &sa->by_spi);
    memcpy(sa->own_spi, own_spi, IKE2_SPI_LEN);
    bool back = map_insert(&ike->v2.sas, &sa->by_spi);
    assert(back); /* the table is there already */
    (void)back;
}

struct v2_sa *v2_sa_find(const struct ike *ike, const uint8_t *own_spi)
{
    struct map_node *node = map_find(&ike->v2.sas, own_spi);
    return node ? MAP_OWNER(node, struct v2_sa, by_spi) : NULL;
}

/* Strangers */

static struct v2_init_key init_key(const struct ip_endpoint *remote, const uint8_t *spi_i,
                                   const uint8_t *digest)
{
    struct v2_init_key key = {.remote = remote->addr, .port = remote->port};
    memcpy(key.spi, spi_i, sizeof(key.spi));
    memcpy(key.digest, digest, sizeof(key.digest));
    return key;
}

struct v2_sa *v2_sa_find_init(const struct ike *ike, const struct ip_endpoint *remote,
                              const uint8_t *spi_i, const uint8_t *digest)
{
    struct v2_init_key key = init_key(remote, spi_i, digest);
    struct map_node *node = map_find(&ike->v2.inits, &key);
    return node ? MAP_OWNER(node, struct v2_sa, by_init) : NULL;
}

bool v2_sa_index_init(struct ike *ike, struct v2_sa *sa, const uint8_t *spi_i,
                      const uint8_t *digest)
{
    sa->init_key = init_key(&sa->remote, spi_i, digest);
    sa->in_inits = map_insert(&ike->v2.inits, &sa->by_init);
    return sa->in_inits;
}

static void unindex_init(struct ike *ike, struct v2_sa *sa)
{
    if (sa->in_inits)
        map_remove(&ike->v2.inits, &sa->by_init);
    sa->in_inits = false;
}

bool v2_unproven_many(const struct ike *ike, const struct ip_addr *remote)
{
    return ike_unproven_many(ike, remote);
}

void v2_sa_unproven_add(struct ike *ike, struct v2_sa *sa)
{
    struct v2_engine *v2 = &ike->v2;
    if (v2->unproven_count >= ike->config.half_open) {
        ike_count(ike, IKE_COUNT_UNPROVEN_EVICTED);
        v2_sa_free(ike, TAILQ_FIRST(&v2->unproven));
    }
    TAILQ_INSERT_TAIL(&v2->unproven, sa, of_unproven);
    v2->unproven_count++;
    sa->unproven_slot = ike_unproven_slot(ike, &sa->remote.addr);
    ike->unproven_from[sa->unproven_slot]++;
    sa->unproven = true;
}

static void unproven_remove(struct ike *ike, struct v2_sa *sa)
{
    if (!sa->unproven)
        return;
    TAILQ_REMOVE(&ike->v2.unproven, sa, of_unproven);
    ike->v2.unproven_count--;
    ike->unproven_from[sa->unproven_slot]--;
    sa->unproven = false;
}

/* Life and death */

static uint32_t lifetime_s(const struct ike *ike, const struct v2_sa *sa)
{
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    if (profile != NULL && profile->ike_lifetime_s != 0)
        return profile->ike_lifetime_s;
    return ike->config.ike_lifetime_s;
}

/* Its clocks run. */
static void wind_up(struct ike *ike, struct v2_sa *sa, mono_t expires)
{
    int64_t liveness = liveness_ms(ike, sa), ms = mono_since(expires, ike->now);
    unsigned percent = 90 - rng_u32(&ike->env.rng) % 10; /* section 2.8: jitter */

    sa->established = true;
    sa->heard = ike->now;
    sa->expires = expires;
    ike_timer_set(ike, &sa->expiry,
                  sa->replaced ? expires : mono_add(ike->now, ms * percent / 100));
    ike_timer_set(ike, &sa->idle, mono_add(ike->now, liveness != 0 ? liveness : V2_ANSWER_MS));
    v2_nat_keepalive_start(ike, sa);
    v2_tcp_keep(ike, sa);
}

/* A clock that jumped must not lend it a longer life. */
void v2_sa_resume(struct ike *ike, struct v2_sa *sa, mono_t expires)
{
    wind_up(ike, sa, mono_min(expires, mono_add(ike->now, (int64_t)lifetime_s(ike, sa) * 1000)));
    ike_peer_note(ike, sa->peer);
}

void v2_sa_established_now(struct ike *ike, struct v2_sa *sa)
{

    unproven_remove(ike, sa);
    if (sa->peer == NULL && v2_sa_attach(ike, sa) != ERR_OK)
        ike_count(ike, IKE_COUNT_MEMORY);
    sa->since = ike->now;
    wind_up(ike, sa, mono_add(ike->now, (int64_t)lifetime_s(ike, sa) * 1000));
    sa->proven = ike_serial(ike);
    v2_saved_sa(ike, sa);
    if (sa->peer != NULL)
        ike_peer_note(ike, sa->peer);
}

void v2_handshake_free(struct v2_handshake *hs)
{
    if (hs == NULL)
        return;
    struct blob *blobs[] = {&hs->cookie,   &hs->nonce_i, &hs->nonce_r, &hs->request,
                            &hs->response, &hs->id_own,  &hs->id_peer, &hs->auth,
                            &hs->certs,    &hs->plain_auth, &hs->puzzle_text};
    for (size_t i = 0; i < sizeof(blobs) / sizeof(blobs[0]); i++)
        blob_wipe(blobs[i]);
    kex_free(hs->kex);
    ticket_free(hs->ticket);
    free(hs->keys);
    secret_wipe(hs, sizeof(*hs));
    free(hs);
}

void v2_exchange_end(struct ike *ike, struct v2_exchange *x)
{
    struct v2_child *child = x->child;
    x->child = NULL;
    v2_exchange_free(ike, x);
    if (child != NULL)
        v2_request_child_failed(ike, child,
                                child->silent ? IKE_FAILURE_REFUSED : IKE_FAILURE_OTHER,
                                child->silent ? "no answer" : "its IKE SA ended");
}

static void detach_requests(struct v2_sa *sa)
{
    struct ike_request *request;
    LIST_FOREACH (request, &sa->peer->requests, of_peer)
        if (request->v2_sa == sa)
            request->v2_sa = NULL;
}

static void leave_peer(struct ike *ike, struct v2_sa *sa)
{
    if (sa->peer == NULL)
        return;
    detach_requests(sa);
    LIST_REMOVE(sa, of_peer);
    ike_peer_note(ike, sa->peer);
    ike_peer_put(ike, sa->peer);
}

void v2_sa_free(struct ike *ike, struct v2_sa *sa)
{
    sa->dying = true;
    while (sa->mine != NULL)
        v2_exchange_end(ike, sa->mine);
    while (sa->theirs != NULL)
        v2_exchange_end(ike, sa->theirs);
    while (sa->following != NULL)
        v2_exchange_end(ike, sa->following);
    while (!TAILQ_EMPTY(&sa->waiting))
        v2_exchange_end(ike, TAILQ_FIRST(&sa->waiting));
    made_finish_all(ike, sa);
    if (sa->established)
        saved_forget(ike, sa->number);
    rekey_forget(sa);
    unproven_remove(ike, sa);
    unindex_init(ike, sa);
    map_remove(&ike->v2.sas, &sa->by_spi);
    unlist_all(&ike->v2, sa);
    ike_timer_drop(ike, &sa->expiry);
    ike_timer_drop(ike, &sa->idle);
    ike_timer_drop(ike, &sa->keepalive);
    v2_sync_free(ike, sa);
    v2_mobike_free(ike, sa);
    resume_forget(ike, sa);
    resume_return(ike, sa);
    defence_stop(ike, sa->handshake);
    v2_tcp_drop(ike, sa, &sa->path);
    v2_handshake_free(sa->handshake);
    fragment_forget(sa);
    v2_sent_wipe(&sa->answer);
    blob_wipe(&sa->peer_key);
    leave_peer(ike, sa);
    secret_wipe(sa, sizeof(*sa));
    free(sa);
}

void v2_sa_end(struct ike *ike, struct v2_sa *sa)
{
    if (sa->established)
        v2_send_farewell(ike, sa, &(struct v2_exchange){.deletes_sa = true});
    v2_sa_free(ike, sa);
}

void v2_sa_close(struct ike *ike, struct v2_sa *sa, const char *why)
{
    if (sa->closing)
        return;
    v2_trace(ike, sa, NULL, EVENT_INFO, "IKE SA deleted", why);
    struct v2_exchange *x = v2_line_up(ike, sa, V2_N_I_START);
    sa->closing = true;
    if (x == NULL) { /* said once then, but not from in here: one of its exchanges may be running */
        sa->expires = ike->now;
        ike_timer_set(ike, &sa->expiry, ike->now);
        return;
    }
    x->deletes_sa = true;
    v2_line_go(ike, sa);
}

/* For status */

bool v2_sa_info(const struct ike *ike, size_t i, struct ike_sa_info *ret)
{
    const struct ike_child *child;
    if (i >= ike->v2.all_count)
        return false;
    const struct v2_sa *sa = ike->v2.all[i];
    const struct v2_exchange *x = sa->mine != NULL ? sa->mine : sa->theirs;
    *ret = (struct ike_sa_info){
        .version = IKE_VERSION_2,
        .profile = sa->profile,
        .local = sa->path.local,
        .remote = sa->path.remote,
        .nat_here = sa->nat.here,
        .nat_there = sa->nat.there,
        .udp = sa->nat.udp,
        .tcp = v2_path_is_tcp(&sa->path),
        .initiator = sa->initiator,
        .established = sa->established,
        .state = sa->established ? "established" : v2_state_name(x != NULL ? x->state : V2_NONE),
        .since = sa->since,
        .expires = sa->expires,
    };
    memcpy(ret->cookies, v2_spi_i(sa), IKE2_SPI_LEN);
    memcpy(ret->cookies + IKE2_SPI_LEN, v2_spi_r(sa), IKE2_SPI_LEN);
    if (sa->suite.method != 0)
        ike2_suite_format(&sa->suite, ret->suite);
    if (!sa->established)
        return true;
    ret->peer_id = sa->peer_id;
    ret->resumed = sa->resumed;
    ret->has_ticket = sa->ticket != NULL;
    v2_mobike_info(sa, ret);
    LIST_FOREACH (child, &sa->children, of_v2_sa)
        ret->children++;
    return true;
}
