/*
 * What outlives the engine: records of established phase 1 SAs and of children, in an encoding of
 * our own that begins with its version. They come back from a place we trust as much as our own
 * memory, yet nothing in them may break the engine: whatever doesn't hold together is dropped.
 */
#include <assert.h>

#include "ike/engine.h"
#include "ike/record.h"
#include "ike/v1/v1.h"
#include "ike/v2/v2.h"

/* Out */

void record_put_addr(struct builder *b, const struct ip_addr *addr)
{
    builder_u8(b, addr->family);
    builder_view(b, ip_addr_view(addr));
}

void record_put_endpoint(struct builder *b, const struct ip_endpoint *end)
{
    record_put_addr(b, &end->addr);
    builder_u16(b, end->port);
    builder_u32(b, end->stream);
}

void record_put_identity(struct builder *b, const struct identity *id)
{
    struct view octets =
        id->kind == IDENTITY_ADDR ? view_of(NULL, 0) : identity_octets(id);
    builder_u8(b, id->kind);
    record_put_addr(b, &id->addr);
    builder_u16(b, (uint16_t)octets.len);
    builder_view(b, octets);
}

struct builder record_begin(struct ike *ike, uint8_t kind)
{
    struct builder b = builder_on(span_of(ike->record, sizeof(ike->record)));
    builder_u8(&b, RECORD_VERSION);
    builder_u8(&b, kind);
    return b;
}

void record_save(struct ike *ike, const struct builder *b, uint64_t number)
{
    const struct ike_effect fx = {
        .kind = IKE_FX_SAVE, .serial = number, .bytes = builder_written(b)};
    assert(!b->bad);
    (void)ike_effect_push(ike, &fx);
    secret_wipe(ike->record, b->len);
}

/* Numbers are of one run; the name stays. */
static void put_profile(const struct ike *ike, struct builder *b, uint32_t number)
{
    const struct ike_profile *profile = ike_profile_numbered(ike, number);
    builder_u8(b, number != 0);
    if (number != 0)
        builder_bytes(b, profile != NULL ? profile->name : (const char[IKE_PROFILE_NAME]){0},
                      IKE_PROFILE_NAME);
}

void saved_sa(struct ike *ike, const struct ike_sa *sa)
{
    if (!ike_sa_established(sa) || sa->dying)
        return;
    struct builder b = record_begin(ike, RECORD_SA);
    builder_bytes(&b, sa->cookies, sizeof(sa->cookies));
    builder_u8(&b, sa->initiator);
    record_put_endpoint(&b, &sa->local);
    record_put_endpoint(&b, &sa->remote);
    record_put_endpoint(&b, &sa->path.local);
    record_put_endpoint(&b, &sa->path.remote);
    builder_u8(&b, sa->path.natt);
    builder_u8(&b, sa->nat.agreed);
    builder_u8(&b, sa->nat.here);
    builder_u8(&b, sa->nat.there);
    builder_u8(&b, sa->nat.udp);
    builder_u8(&b, sa->suite.cipher);
    builder_u8(&b, sa->suite.hash);
    builder_u16(&b, sa->suite.key_bits);
    builder_u16(&b, sa->suite.group);
    builder_u8(&b, (uint8_t)sa->auth);
    builder_u8(&b, sa->dpd);
    put_profile(ike, &b, sa->profile);
    builder_bytes(&b, sa->keys.d, sizeof(sa->keys.d));
    builder_bytes(&b, sa->keys.a, sizeof(sa->keys.a));
    builder_bytes(&b, sa->keys.cipher, sizeof(sa->keys.cipher));
    builder_bytes(&b, sa->keys.last_block, sizeof(sa->keys.last_block));
    record_put_identity(&b, &sa->peer_id);
    builder_u8(&b, sa->peer_key.alg);
    builder_u16(&b, sa->peer_key.len);
    builder_bytes(&b, sa->peer_key.octets, sa->peer_key.len);
    builder_u64(&b, (uint64_t)sa->since.ms);
    builder_u64(&b, (uint64_t)sa->expires.ms);
    builder_u16(&b, (uint16_t)sa->used_count);
    for (size_t i = 0; i < sa->used_count; i++)
        builder_u32(&b, sa->used_ids[i]);
    record_save(ike, &b, sa->number);
}

void saved_put_child_sas(struct builder *b, const struct ike_child *child)
{
    builder_u32(b, child->spi_in.value);
    builder_u32(b, child->spi_out.value);
    builder_u8(b, child->protocol);
    builder_u8(b, child->udp);
    builder_u8(b, child->follows);
    record_put_endpoint(b, &child->at);
}

void saved_put_child_state(struct builder *b, const struct ike_child *child)
{
    builder_bytes(b, child->peer_key, sizeof(child->peer_key));
    builder_u8(b, (uint8_t)child->state);
    builder_u8(b, child->replaced);
    builder_u8(b, child->inbound_gone);
}

void saved_child(struct ike *ike, const struct ike_child *child)
{
    if (child->v2_owner != 0) {
        v2_saved_child(ike, child);
        return;
    }
    struct builder b = record_begin(ike, RECORD_CHILD);
    builder_u64(&b, child->ticket != NULL ? child->ticket->number : 0);
    record_put_addr(&b, &child->local);
    record_put_addr(&b, &child->key.remote);
    record_put_addr(&b, &child->flow.src);
    record_put_addr(&b, &child->flow.dst);
    saved_put_child_sas(&b, child);
    saved_put_child_state(&b, child);
    builder_u8(&b, (uint8_t)child->tries);
    builder_u64(&b, (uint64_t)child->timer.node.at.ms);
    record_save(ike, &b, child->born);
}

void saved_forget(struct ike *ike, uint64_t number)
{
    const struct ike_effect fx = {.kind = IKE_FX_FORGET, .serial = number};
    (void)ike_effect_push(ike, &fx);
}

/* In */

struct ip_addr record_get_addr(struct cursor *cur)
{
    uint8_t family = cursor_u8(cur);
    size_t len = family == IP_V4 ? 4 : family == IP_V6 ? 16 : 0;
    struct ip_addr addr = ip_addr_from(cursor_take(cur, len));
    if (addr.family != family)
        cur->bad = true;
    return addr;
}

struct ip_endpoint record_get_endpoint(struct cursor *cur)
{
    struct ip_endpoint end = {.addr = record_get_addr(cur)};
    end.port = cursor_u16(cur);
    end.stream = cursor_u32(cur);
    return end;
}

static bool identity_holds(struct view octets, struct identity *id)
{
    switch (id->kind) {
    case IDENTITY_ADDR:
        return id->addr.family != IP_NONE && octets.len == 0;
    case IDENTITY_FQDN:
        return identity_of_fqdn(octets, id);
    case IDENTITY_EMAIL:
        return identity_of_email(octets, id);
    case IDENTITY_DN:
    case IDENTITY_KEY_ID:
        return identity_of_octets(id->kind, octets, id);
    default:
        return id->kind == IDENTITY_NULL && octets.len == 0;
    }
}

struct identity record_get_identity(struct cursor *cur)
{
    struct identity id = {.kind = cursor_u8(cur)};
    id.addr = record_get_addr(cur);
    struct view name = cursor_take(cur, cursor_u16(cur));
    if (!identity_holds(name, &id))
        cur->bad = true;
    return id;
}

mono_t record_get_time(struct cursor *cur)
{
    return (mono_t){(int64_t)cursor_u64(cur)};
}

/* One of those that could have been negotiated, so that nothing indexes past a table. */
static bool suite_known(const struct ike_suite *suite)
{
    size_t count;
    const struct ike_suite *all = phase1_offers(true, &count);
    for (size_t i = 0; i < count; i++)
        if (all[i].cipher == suite->cipher && all[i].hash == suite->hash &&
            all[i].key_bits == suite->key_bits && all[i].group == suite->group)
            return true;
    return false;
}

/* Everything of a phase 1 record but what ike_sa_new() asks for. */
struct sa_record {
    uint8_t cookies[2 * ISAKMP_COOKIE_LEN];
    bool initiator;
    struct ip_endpoint local, remote;
    struct ike_path path;
    struct v1_nat nat;
    struct ike_suite suite;
    enum phase1_auth auth;
    bool dpd, configured;
    char profile[IKE_PROFILE_NAME];
    struct v1_keys keys;
    struct identity peer_id;
    struct public_key peer_key;
    mono_t since, expires;
    size_t id_count;
    struct cursor ids;
};

static enum err parse_sa(struct cursor *cur, struct sa_record *r)
{
    cursor_copy(cur, r->cookies, sizeof(r->cookies));
    r->initiator = cursor_u8(cur) != 0;
    r->local = record_get_endpoint(cur);
    r->remote = record_get_endpoint(cur);
    r->path.local = record_get_endpoint(cur);
    r->path.remote = record_get_endpoint(cur);
    r->path.natt = cursor_u8(cur) != 0;
    r->nat.agreed = cursor_u8(cur) != 0;
    r->nat.here = cursor_u8(cur) != 0;
    r->nat.there = cursor_u8(cur) != 0;
    r->nat.udp = cursor_u8(cur) != 0;
    r->suite.cipher = cursor_u8(cur);
    r->suite.hash = cursor_u8(cur);
    r->suite.key_bits = cursor_u16(cur);
    r->suite.group = cursor_u16(cur);
    r->auth = (enum phase1_auth)cursor_u8(cur);
    r->dpd = cursor_u8(cur) != 0;
    r->configured = cursor_u8(cur) != 0;
    if (r->configured)
        cursor_copy(cur, (uint8_t *)r->profile, sizeof(r->profile));
    cursor_copy(cur, r->keys.d, sizeof(r->keys.d));
    cursor_copy(cur, r->keys.a, sizeof(r->keys.a));
    cursor_copy(cur, r->keys.cipher, sizeof(r->keys.cipher));
    cursor_copy(cur, r->keys.last_block, sizeof(r->keys.last_block));
    r->peer_id = record_get_identity(cur);
    enum key_alg alg = (enum key_alg)cursor_u8(cur);
    struct view key = cursor_take(cur, cursor_u16(cur));
    r->since = record_get_time(cur);
    r->expires = record_get_time(cur);
    r->id_count = cursor_u16(cur);
    r->ids = cursor_sub(cur, 4 * r->id_count);
    if (!cursor_done(cur) || r->local.addr.family == IP_NONE ||
        r->local.addr.family != r->remote.addr.family ||
        r->local.addr.family != r->path.local.addr.family ||
        r->local.addr.family != r->path.remote.addr.family || r->id_count > V1_USED_IDS ||
        !suite_known(&r->suite))
        return ERR_SYNTAX;
    return key.len == 0 && r->auth == PHASE1_PSK
               ? ERR_OK
               : public_key_from_octets(alg, key, &r->peer_key);
}

/* ERR_UNKNOWN: its configuration is gone, and so is its right to go on. */
static enum err find_profile(const struct ike *ike, const struct sa_record *r, uint32_t *ret)
{
    *ret = 0;
    for (size_t i = 0; r->configured && i < ike->config.profile_count; i++)
        if (memcmp(ike->config.profiles[i].name, r->profile, sizeof(r->profile)) == 0)
            *ret = ike->config.profiles[i].number;
    return r->configured && *ret == 0 ? ERR_UNKNOWN : ERR_OK;
}

/* From the state of a new SA into that of an established one. */
static enum err fill_sa(struct ike *ike, struct ike_sa *sa, struct sa_record *r)
{
    enum err err = find_profile(ike, r, &sa->profile);
    if (err != ERR_OK)
        return err;
    sa->used_ids = malloc((r->id_count + 1) * sizeof(*sa->used_ids));
    if (sa->used_ids == NULL)
        return ERR_MEMORY;
    sa->used_room = r->id_count + 1;
    while (sa->used_count < r->id_count)
        sa->used_ids[sa->used_count++] = cursor_u32(&r->ids);
    sa->peer_id = r->peer_id;
    sa->peer_key = r->peer_key;
    err = auth_digest(ike, sa, sa->peer_key_digest);
    if (err == ERR_OK)
        err = ike_sa_attach(ike, sa);
    if (err != ERR_OK)
        return err;
    sa->auth = r->auth;
    sa->dpd = r->dpd;
    sa->path = r->path;
    sa->nat = r->nat;
    sa->suite = r->suite;
    sa->keys = r->keys;
    sa->since = r->since;
    /* A clock that jumped must not lend it a longer life. */
    sa->ids_full = sa->used_count >= V1_USED_IDS;
    sa->worn_out = sa->used_count >= V1_WORN_IDS;
    if (sa->worn_out)
        r->expires = mono_min(r->expires, mono_add(ike->now, IKE_LINGER_MS));
    sa->expires =
        mono_min(r->expires, mono_add(ike->now, (int64_t)ike->config.ike_lifetime_s * 1000));
    v1_exchange_fini(ike, &sa->main);
    err = v1_exchange_init(ike, &sa->main, sa, V1_ESTABLISHED, (msgid_t){0}, r->initiator);
    if (err != ERR_OK)
        return err;
    main_handshake_free(sa->handshake);
    sa->handshake = NULL;
    ike_timer_set(ike, &sa->expiry, sa->expires);
    nat_keepalive_start(ike, sa);
    ike_sa_evictable(ike, sa);
    dpd_start(ike, sa);
    return ERR_OK;
}

static enum err restore_sa(struct ike *ike, uint64_t number, struct cursor *cur)
{
    struct sa_record r = {.initiator = false};
    struct ike_sa *sa;
    enum err err = parse_sa(cur, &r);
    if (err == ERR_OK && mono_reached(ike->now, r.expires))
        err = ERR_EXPIRED;
    if (err == ERR_OK && ike_sa_find(ike, r.cookies) != NULL)
        err = ERR_STATE;
    if (err == ERR_OK)
        err = ike_sa_new(ike, r.cookies, r.initiator, &r.local, &r.remote, r.path.natt, &sa);
    if (err != ERR_OK)
        goto out;
    err = fill_sa(ike, sa, &r);
    if (err != ERR_OK) {
        ike_sa_free(ike, sa);
        goto out;
    }
    sa->number = sa->proven = number;
    v1_trace(ike, sa, NULL, EVENT_INFO, "IKE SA resumed", "from before this keying daemon started");
    ike_peer_note(ike, sa->peer);
out:
    secret_wipe(&r, sizeof(r));
    return err;
}

void saved_get_child_sas(struct cursor *cur, struct ike_child *r)
{
    r->spi_in.value = cursor_u32(cur);
    r->spi_out.value = cursor_u32(cur);
    r->protocol = cursor_u8(cur);
    r->udp = cursor_u8(cur) != 0;
    r->follows = cursor_u8(cur) != 0;
    r->at = record_get_endpoint(cur);
    if (r->protocol > SA_AH || r->spi_in.value == 0 || r->spi_out.value == 0)
        cur->bad = true;
}

void saved_get_child_state(struct cursor *cur, struct ike_child *r)
{
    cursor_copy(cur, r->peer_key, sizeof(r->peer_key));
    uint8_t state = cursor_u8(cur);
    r->state = (enum ike_child_state)state;
    r->replaced = cursor_u8(cur) != 0;
    r->inbound_gone = cursor_u8(cur) != 0;
    if (state > IKE_CHILD_DELETING)
        cur->bad = true;
}

/* Of a child; the same type, so that nothing is forgotten. */
static enum err parse_child(struct cursor *cur, struct ike_child *r, uint64_t *ret_ticket)
{
    *ret_ticket = cursor_u64(cur);
    r->local = record_get_addr(cur);
    r->key.remote = record_get_addr(cur);
    r->flow.src = record_get_addr(cur);
    r->flow.dst = record_get_addr(cur);
    saved_get_child_sas(cur, r);
    saved_get_child_state(cur, r);
    r->tries = cursor_u8(cur);
    r->timer.node.at = record_get_time(cur);
    if (!cursor_done(cur) || r->local.family == IP_NONE ||
        r->local.family != r->key.remote.family || r->local.family != r->at.addr.family ||
        r->flow.src.family != r->flow.dst.family || r->tries > IKE_DELETE_TRIES)
        return ERR_SYNTAX;
    return ERR_OK;
}

enum err saved_child_revive(struct ike *ike, uint64_t number, const struct ike_child *r,
                            uint64_t ticket_number, struct ike_child **ret)
{
    struct ike_ticket *ticket = NULL;
    struct ike_child *child;

    if (ike_child_find(ike, &r->key.remote, r->spi_out) != NULL)
        return ERR_STATE;
    if (ticket_number != 0 && (ticket = ike_ticket_get(ike, ticket_number, true)) == NULL)
        return ERR_MEMORY;
    enum err err = ike_child_alloc(ike, &r->local, &r->key.remote, r->spi_out, &child);
    if (err != ERR_OK) {
        if (ticket != NULL)
            ike_ticket_put(ike, ticket);
        return err;
    }
    child->flow = r->flow;
    child->spi_in = r->spi_in;
    child->protocol = r->protocol;
    child->udp = r->udp;
    child->follows = r->follows;
    child->at = r->at;
    memcpy(child->peer_key, r->peer_key, sizeof(child->peer_key));
    child->state = r->state;
    child->replaced = r->replaced;
    child->inbound_gone = r->inbound_gone;
    child->born = number;
    if (ticket != NULL)
        ike_child_set_ticket(child, ticket);
    if (ticket_number > ike->restored_ticket)
        ike->restored_ticket = ticket_number;
    *ret = child;
    return ERR_OK;
}

static enum err restore_child(struct ike *ike, uint64_t number, struct cursor *cur)
{
    struct ike_child r = {.born = 0}, *child;
    uint64_t ticket;
    enum err err = parse_child(cur, &r, &ticket);
    if (err == ERR_OK)
        err = saved_child_revive(ike, number, &r, ticket, &child);
    if (err != ERR_OK)
        return err;
    child->tries = r.tries;
    ike_timer_set(ike, &child->timer, r.timer.node.at);
    ike_peer_note(ike, child->peer);
    return ERR_OK;
}

enum err saved_restore(struct ike *ike, const struct ike_event *event)
{
    struct cursor cur = cursor_of(event->bytes);
    uint8_t version = cursor_u8(&cur), kind = cursor_u8(&cur);
    enum err err = ERR_VERSION;

    if (event->serial > ike->last_serial)
        ike->last_serial = event->serial;
    if (version == RECORD_VERSION && kind == RECORD_SA)
        err = restore_sa(ike, event->serial, &cur);
    else if (version == RECORD_VERSION && kind == RECORD_CHILD)
        err = restore_child(ike, event->serial, &cur);
    else if (version == RECORD_VERSION && kind == RECORD_V2_SA)
        err = v2_saved_restore_sa(ike, event->serial, &cur);
    else if (version == RECORD_VERSION && kind == RECORD_V2_CHILD)
        err = v2_saved_restore_child(ike, event->serial, &cur);
    else if (version == RECORD_VERSION && kind == RECORD_V2_TICKET)
        err = resume_restore(ike, event->serial, &cur);
    if (err != ERR_OK) {
        ike_count(ike, IKE_COUNT_BAD_RECORD);
        saved_forget(ike, event->serial);
    }
    return err;
}

uint64_t ike_restored_ticket(const struct ike *ike)
{
    return ike->restored_ticket;
}

/* The Quick Mode that made it died with the former engine. The peer may have taken it for complete,
 * and would send into nothing. */
enum err saved_disown(struct ike *ike, const struct ike_event *event)
{
    struct ike_peer *peer = ike_peer_get(ike, &event->local.addr, &event->remote.addr, false);
    struct ike_sa *sa;
    struct v2_sa *v2_sa;
    bool told = false;

    if (peer == NULL)
        return ERR_UNKNOWN;
    LIST_FOREACH(v2_sa, &peer->v2_sas, of_peer) {
        if (!v2_sa->established || v2_sa->dying)
            continue;
        info_delete_spi(ike, v2_sa, event->protocol, event->spi);
        told = true;
    }
    LIST_FOREACH(sa, &peer->sas, of_peer) {
        if (!ike_sa_established(sa) || sa->dying)
            continue;
        info_send_delete_children(ike, sa, event->protocol, &event->spi, 1);
        told = true;
    }
    return told ? ERR_OK : ERR_UNKNOWN;
}
