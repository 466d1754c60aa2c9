/*
 * What outlives the engine: records of IKEv2 SAs and their children (see ike/saved.c). A record is
 * saved before each message that uses up a message id, for an id used twice would be an IV used
 * twice; an SA that is resumed skips some IVs for good measure. Exchanges under way do not survive.
 * Yet the peer may wait for a request that it never got: what was out is repeated until it is
 * answered, and the answer is of no use.
 */
#include "ike/record.h"
#include "ike/v2/v2.h"

enum { IV_SKIP = 1 << 20 };
enum { NO_MOBIKE, BY_MOBIKE, BY_DRAFT };

/* Out */

static void put_traffic(struct builder *b, const struct traffic *t)
{
    record_put_addr(b, &t->net.addr);
    builder_u8(b, t->net.bits);
    builder_u8(b, t->protocol);
    builder_u16(b, t->port_first);
    builder_u16(b, t->port_last);
}

void v2_saved_put_suite(struct builder *b, const struct ike2_suite *suite)
{
    builder_u8(b, suite->protect.cipher);
    builder_u8(b, suite->protect.integ);
    builder_u16(b, suite->protect.key_bits);
    builder_u8(b, suite->prf);
    builder_u16(b, suite->method);
    for (size_t i = 0; i < IKE2_ADDITIONAL_MAX; i++)
        builder_u16(b, suite->additional[i]);
}

static void put_sent(struct builder *b, const struct v2_sent *sent)
{
    struct view datagrams = blob_view(&sent->datagrams);
    if (datagrams.len > IKE_RECORD_MAX / 4) /* whoever needs it repeated will have to do without */
        datagrams.len = 0;
    builder_u16(b, (uint16_t)datagrams.len);
    builder_view(b, datagrams);
}

/* What would be repeated. */
static void put_messages(struct builder *b, const struct v2_sa *sa)
{
    static const struct v2_sent nothing = {.datagrams = {0}};
    builder_u8(b, sa->answered_any);
    builder_bytes(b, sa->answered, sizeof(sa->answered));
    put_sent(b, &sa->answer);
    put_sent(b, sa->mine != NULL ? &sa->mine->out : &nothing);
}

static void put_addresses(struct builder *b, const struct address_set *set)
{
    builder_u8(b, (uint8_t)set->count);
    for (size_t i = 0; i < set->count; i++)
        record_put_addr(b, &set->list[i]);
}

static void put_mobike(struct builder *b, const struct v2_mobike *mobike)
{
    static const struct address_set none = {.count = 0};
    builder_u8(b, mobike == NULL ? NO_MOBIKE : mobike->draft ? BY_DRAFT : BY_MOBIKE);
    builder_u8(b, mobike != NULL && mobike->decides);
    builder_u8(b, mobike != NULL && mobike->moves != 0);
    put_addresses(b, mobike != NULL ? &mobike->peer : &none);
    if (mobike != NULL && mobike->draft)
        put_addresses(b, &mobike->told);
}

void v2_saved_sa(struct ike *ike, const struct v2_sa *sa)
{
    if (!sa->established || sa->dying)
        return;
    struct builder b = record_begin(ike, RECORD_V2_SA);
    builder_bytes(&b, sa->own_spi, IKE2_SPI_LEN);
    builder_bytes(&b, sa->peer_spi, IKE2_SPI_LEN);
    builder_u8(&b, sa->initiator);
    builder_u8(&b, sa->replaced);
    builder_u8(&b, (uint8_t)(sa->fragments | sa->sync_agreed << 1));
    record_put_endpoint(&b, &sa->local);
    record_put_endpoint(&b, &sa->remote);
    record_put_endpoint(&b, &sa->path.local);
    record_put_endpoint(&b, &sa->path.remote);
    builder_u8(&b, sa->path.natt);
    builder_u8(&b, sa->nat.agreed);
    builder_u8(&b, sa->nat.here);
    builder_u8(&b, sa->nat.there);
    builder_u8(&b, sa->nat.udp);
    builder_u32(&b, sa->profile);
    v2_saved_put_suite(&b, &sa->suite);
    builder_bytes(&b, &sa->keys, sizeof(sa->keys));
    builder_u64(&b, sa->iv);
    builder_u32(&b, sa->next_out);
    builder_u32(&b, sa->next_in);
    builder_u8(&b, sa->peer_method);
    record_put_identity(&b, &sa->peer_id);
    builder_u8(&b, sa->peer_key_alg);
    builder_u16(&b, (uint16_t)sa->peer_key.len);
    builder_view(&b, blob_view(&sa->peer_key));
    builder_bytes(&b, sa->peer_key_digest, sizeof(sa->peer_key_digest));
    builder_u8(&b, sa->has_crash_token);
    builder_bytes(&b, sa->crash_token, sizeof(sa->crash_token));
    builder_u64(&b, (uint64_t)sa->proved);
    builder_u8(&b, sa->resumed);
    builder_u64(&b, (uint64_t)sa->since.ms);
    builder_u64(&b, (uint64_t)sa->expires.ms);
    put_mobike(&b, sa->mobike);
    put_messages(&b, sa);
    record_save(ike, &b, sa->number);
}

void v2_saved_child(struct ike *ike, const struct ike_child *child)
{
    struct builder b = record_begin(ike, RECORD_V2_CHILD);
    builder_u64(&b, child->ticket != NULL ? child->ticket->number : 0);
    builder_u64(&b, child->v2_owner);
    record_put_addr(&b, &child->local);
    record_put_addr(&b, &child->key.remote);
    put_traffic(&b, &child->traffic.local);
    put_traffic(&b, &child->traffic.remote);
    saved_put_child_sas(&b, child);
    record_put_endpoint(&b, &child->here);
    record_put_endpoint(&b, &child->there);
    saved_put_child_state(&b, child);
    builder_u64(&b, (uint64_t)child->timer.node.at.ms);
    record_save(ike, &b, child->born);
}

/* In */

static struct traffic get_traffic(struct cursor *cur)
{
    struct traffic t = {.net = {.addr = record_get_addr(cur)}};
    t.net.bits = cursor_u8(cur);
    t.protocol = cursor_u8(cur);
    t.port_first = cursor_u16(cur);
    t.port_last = cursor_u16(cur);
    if (t.net.bits > ip_addr_bits(&t.net.addr))
        cur->bad = true;
    return t;
}

struct ike2_suite v2_saved_get_suite(struct cursor *cur)
{
    struct ike2_suite suite = {.protect = {.cipher = cursor_u8(cur)}};
    suite.protect.integ = cursor_u8(cur);
    suite.protect.key_bits = cursor_u16(cur);
    suite.prf = cursor_u8(cur);
    suite.method = cursor_u16(cur);
    for (size_t i = 0; i < IKE2_ADDITIONAL_MAX; i++) {
        suite.additional[i] = cursor_u16(cur);
        cur->bad |= suite.additional[i] != 0 && !kex_method_known(suite.additional[i]);
    }
    /* Nothing may index past a table. */
    if (!aead_valid(&suite.protect) || suite.prf >= HASH_COUNT || !kex_method_known(suite.method))
        cur->bad = true;
    return suite;
}

/* Of an SA; the same type, so that nothing is forgotten. The views point into the record. */
struct sa_record {
    struct v2_sa sa;
    struct view peer_key, answer, request;
    bool mobike, draft, decides, moved;
    struct address_set peer, told;
};

static void get_addresses(struct cursor *cur, struct address_set *ret)
{
    uint8_t count = cursor_u8(cur);
    for (uint8_t i = 0; i < count && !cur->bad; i++) {
        const struct ip_addr addr = record_get_addr(cur);
        if (address_set_add(ret, &addr) != ERR_OK)
            cur->bad = true;
    }
}

static void get_mobike(struct cursor *cur, struct sa_record *record)
{
    uint8_t kind = cursor_u8(cur);
    record->mobike = kind != NO_MOBIKE;
    record->draft = kind == BY_DRAFT;
    record->decides = cursor_u8(cur) != 0;
    record->moved = cursor_u8(cur) != 0;
    get_addresses(cur, &record->peer);
    if (record->draft)
        get_addresses(cur, &record->told);
}

static enum err parse_sa(struct cursor *cur, struct sa_record *record)
{
    struct v2_sa *r = &record->sa;
    cursor_copy(cur, r->own_spi, sizeof(r->own_spi));
    cursor_copy(cur, r->peer_spi, sizeof(r->peer_spi));
    r->initiator = cursor_u8(cur) != 0;
    r->replaced = cursor_u8(cur) != 0;
    uint8_t both_can = cursor_u8(cur);
    r->fragments = (both_can & 1) != 0;
    r->sync_agreed = (both_can & 2) != 0;
    r->local = record_get_endpoint(cur);
    r->remote = record_get_endpoint(cur);
    r->path.local = record_get_endpoint(cur);
    r->path.remote = record_get_endpoint(cur);
    r->path.natt = cursor_u8(cur) != 0;
    r->nat.agreed = cursor_u8(cur) != 0;
    r->nat.here = cursor_u8(cur) != 0;
    r->nat.there = cursor_u8(cur) != 0;
    r->nat.udp = cursor_u8(cur) != 0;
    r->profile = cursor_u32(cur);
    r->suite = v2_saved_get_suite(cur);
    cursor_copy(cur, &r->keys, sizeof(r->keys));
    r->iv = cursor_u64(cur);
    r->next_out = cursor_u32(cur);
    r->next_in = cursor_u32(cur);
    r->peer_method = cursor_u8(cur);
    r->peer_id = record_get_identity(cur);
    r->peer_key_alg = cursor_u8(cur);
    record->peer_key = cursor_take(cur, cursor_u16(cur));
    cursor_copy(cur, r->peer_key_digest, sizeof(r->peer_key_digest));
    r->has_crash_token = cursor_u8(cur) != 0;
    cursor_copy(cur, r->crash_token, sizeof(r->crash_token));
    r->proved = (int64_t)cursor_u64(cur);
    r->resumed = cursor_u8(cur) != 0;
    r->since = record_get_time(cur);
    r->expires = record_get_time(cur);
    get_mobike(cur, record);
    r->answered_any = cursor_u8(cur) != 0;
    cursor_copy(cur, r->answered, sizeof(r->answered));
    record->answer = cursor_take(cur, cursor_u16(cur));
    record->request = cursor_take(cur, cursor_u16(cur));
    uint8_t family = r->local.addr.family;
    if (!cursor_done(cur) || family == IP_NONE || family != r->remote.addr.family ||
        r->path.local.addr.family == IP_NONE ||
        r->path.local.addr.family != r->path.remote.addr.family ||
        record->peer_key.len > LIMIT_KEY_OCTETS || r->peer_key_alg >= KEY_ALG_COUNT)
        return ERR_SYNTAX;
    return ERR_OK;
}

static enum err repeat_request(struct ike *ike, struct v2_sa *sa, struct view request)
{
    if (request.len == 0 || sa->next_out == 0)
        return ERR_OK;
    enum err err = v2_exchange_new(ike, sa, V2_O_I_START, true, &sa->mine);
    if (err != ERR_OK)
        return err;
    sa->mine->id = sa->next_out - 1;
    if (!blob_set(&sa->mine->out.datagrams, request))
        return ERR_MEMORY;
    v2_start(ike, sa->mine);
    return ERR_OK;
}

/* Children that came before it. */
static void adopt(struct v2_sa *sa)
{
    struct ike_child *child;
    LIST_FOREACH (child, &sa->peer->children, of_peer)
        if (child->v2_sa == NULL && child->v2_owner == sa->number)
            made_join(child, sa);
}

static enum err fill_sa(struct ike *ike, struct v2_sa *sa, const struct sa_record *record)
{
    const struct v2_sa *r = &record->sa;
    sa->local = r->local; /* by which its peer is found, wherever its path leads */
    sa->remote = r->remote;
    enum err err = v2_sa_attach(ike, sa);
    if (err != ERR_OK)
        return err;
    if (!blob_set(&sa->peer_key, record->peer_key) ||
        !blob_set(&sa->answer.datagrams, record->answer))
        return ERR_MEMORY;
    v2_sa_take_spi(ike, sa, r->own_spi);
    memcpy(sa->peer_spi, r->peer_spi, sizeof(sa->peer_spi));
    memcpy(sa->peer_key_digest, r->peer_key_digest, sizeof(sa->peer_key_digest));
    sa->has_crash_token = r->has_crash_token;
    memcpy(sa->crash_token, r->crash_token, sizeof(sa->crash_token));
    memcpy(sa->answered, r->answered, sizeof(sa->answered));
    sa->path = r->path;
    sa->nat = r->nat;
    sa->replaced = r->replaced;
    sa->fragments = r->fragments;
    sa->sync_agreed = r->sync_agreed;
    sa->profile = r->profile;
    sa->suite = r->suite;
    sa->keys = r->keys;
    sa->iv = r->iv + IV_SKIP;
    sa->next_out = r->next_out;
    sa->next_in = r->next_in;
    sa->answered_any = r->answered_any;
    sa->answered_at = ike->now;
    sa->peer_method = r->peer_method;
    sa->peer_id = r->peer_id;
    sa->peer_key_alg = r->peer_key_alg;
    sa->proved = r->proved;
    sa->resumed = r->resumed;
    sa->since = r->since;
    v2_handshake_free(sa->handshake);
    sa->handshake = NULL;
    if (!record->mobike)
        return ERR_OK;
    err = v2_mobike_begin(ike, sa, &record->peer);
    if (err == ERR_OK) {
        sa->mobike->decides = record->decides;
        sa->mobike->draft = record->draft;
        sa->mobike->told = record->told;
        sa->mobike->moves = record->moved;
    }
    return err;
}

enum err v2_saved_restore_sa(struct ike *ike, uint64_t number, struct cursor *cur)
{
    struct sa_record r = {.sa = {.initiator = false}};
    struct v2_sa *sa;
    enum err err = parse_sa(cur, &r);
    if (err == ERR_OK && mono_reached(ike->now, r.sa.expires))
        err = ERR_EXPIRED;
    if (err == ERR_OK && v2_sa_find(ike, r.sa.own_spi) != NULL)
        err = ERR_STATE;
    if (err == ERR_OK)
        err = v2_sa_new(ike, r.sa.initiator, &r.sa.path, &sa);
    if (err != ERR_OK)
        goto out;
    err = fill_sa(ike, sa, &r);
    if (err != ERR_OK) {
        v2_sa_free(ike, sa);
        goto out;
    }
    sa->number = sa->proven = number;
    sa->restored = true;
    adopt(sa);
    resume_adopt(ike, sa);
    v2_sa_resume(ike, sa, r.sa.expires);
    err = repeat_request(ike, sa, r.request);
    if (err != ERR_OK) {
        v2_sa_free(ike, sa);
        goto out;
    }
    v2_trace(ike, sa, NULL, EVENT_INFO, "IKE SA resumed", "from before this keying daemon started");
out:
    secret_wipe(&r, sizeof(r));
    return err;
}

static enum err parse_child(struct cursor *cur, struct ike_child *r, uint64_t *ret_ticket)
{
    *ret_ticket = cursor_u64(cur);
    r->v2_owner = cursor_u64(cur);
    r->local = record_get_addr(cur);
    r->key.remote = record_get_addr(cur);
    r->traffic.local = get_traffic(cur);
    r->traffic.remote = get_traffic(cur);
    saved_get_child_sas(cur, r);
    r->here = record_get_endpoint(cur);
    r->there = record_get_endpoint(cur);
    saved_get_child_state(cur, r);
    r->timer.node.at = record_get_time(cur);
    if (!cursor_done(cur) || r->local.family == IP_NONE ||
        r->local.family != r->key.remote.family || r->at.addr.family == IP_NONE ||
        r->here.addr.family != r->there.addr.family ||
        r->traffic.local.net.addr.family != r->traffic.remote.net.addr.family ||
        r->v2_owner == 0)
        return ERR_SYNTAX;
    return ERR_OK;
}

static struct v2_sa *find_owner(const struct ike_child *child)
{
    struct v2_sa *sa;
    LIST_FOREACH (sa, &child->peer->v2_sas, of_peer)
        if (sa->number == child->v2_owner && sa->established && !sa->dying)
            return sa;
    return NULL;
}

/* What version 1 has no use for. */
static void fill_child(struct ike *ike, struct ike_child *child, const struct ike_child *r)
{
    child->traffic = r->traffic;
    child->here = r->here;
    child->there = r->there;
    child->v2_owner = r->v2_owner;
    struct v2_sa *owner = find_owner(child);
    if (owner != NULL)
        made_join(child, owner);
    /* The Delete that was out is said again. */
    mono_t at = r->state == IKE_CHILD_DELETING ? mono_add(ike->now, IKE_DRAIN_MS) : r->timer.node.at;
    ike_timer_set(ike, &child->timer, at);
}

enum err v2_saved_restore_child(struct ike *ike, uint64_t number, struct cursor *cur)
{
    struct ike_child r = {.born = 0}, *child;
    uint64_t ticket;
    enum err err = parse_child(cur, &r, &ticket);
    if (err != ERR_OK)
        return err;
    r.flow = traffic_flow(&r.traffic);
    err = saved_child_revive(ike, number, &r, ticket, &child);
    if (err != ERR_OK)
        return err;
    fill_child(ike, child, &r);
    ike_peer_note(ike, child->peer);
    return ERR_OK;
}
