/*
 * What draft-dupont-ikev2-addrmgmt-06 says of addresses: the capability in IKE_AUTH, notifications and
 * Update payloads in INFORMATIONAL messages (ADR-028, ADR-042), NAT_PREVENTION in IKE_SA_INIT.
 *
 * Each message of ours that is about addresses marks the two of its own header, so that what was changed
 * on the way is noticed. Answers carry none of these notifications: they go to wherever a copy of their
 * request came from.
 */
#include "crypto/hash.h"
#include "ike/v2/v2.h"

/* NAT_PREVENTION */

/* ADR-092: what the sender sees of source and destination, with both SPIs. */
static enum err ends_hash(const uint8_t *spi_i, const uint8_t *spi_r,
                          const struct ip_endpoint *source, const struct ip_endpoint *destination,
                          uint8_t *ret)
{
    const uint8_t ports[4] = {(uint8_t)(source->port >> 8), (uint8_t)source->port,
                              (uint8_t)(destination->port >> 8), (uint8_t)destination->port};
    const struct view parts[] = {view_of(spi_i, IKE2_SPI_LEN), view_of(spi_r, IKE2_SPI_LEN),
                                 ip_addr_view(&source->addr), ip_addr_view(&destination->addr),
                                 view_of(ports, sizeof(ports))};
    return hash_digest(HASH_SHA1, parts, 5, ret);
}

/* ADR-022, ADR-088, ADR-089: where NAT traversal is ruled out, and the peer is not known by its address as
 * strangers are. The Vendor ID says whose number it is. */
enum err v2_addrmgmt_put_prevention(const struct v2_step *step, struct ike2_writer *w)
{
    static const uint8_t zero[IKE2_SPI_LEN] = {0};
    const struct v2_sa *sa = step->sa;
    uint8_t hash[HASH_MAX];
    bool wanted = sa->initiator ? sa->profile != 0 : addrmgmt_vendor_shown(step->payloads);
    if (step->ike->config.nat != IKE_NAT_OFF || !wanted)
        return ERR_OK;
    enum err err = ends_hash(v2_spi_i(sa), sa->initiator ? zero : v2_spi_r(sa), &sa->path.local,
                             &sa->path.remote, hash);
    if (err != ERR_OK)
        return err;
    addrmgmt_vendor_put(w);
    ike2_writer_notify(w, ADDRMGMT_N_NAT_PREVENTION, view_of(hash, ADDRMGMT_HASH_LEN)); /* ADR-091 */
    return ERR_OK;
}

/* ADR-093: nothing comes of a message that was changed on the way. */
enum err v2_addrmgmt_read_prevention(struct v2_step *step)
{
    uint8_t hash[HASH_MAX];
    struct ike2_notify n;
    if (!addrmgmt_vendor_shown(step->payloads) ||
        !v2_notified(step, ADDRMGMT_N_NAT_PREVENTION, &n))
        return ERR_OK;
    enum err err =
        ends_hash(step->header->spi_i, step->header->spi_r, &step->event->remote, &step->event->local, hash);
    if (err != ERR_OK || (addrmgmt_notify_check(&n) == ERR_OK &&
                          view_equal(n.data, view_of(hash, ADDRMGMT_HASH_LEN))))
        return err;
    return v2_refuse(step, ERR_SELECTOR, 0, "NAT_PREVENTION: addresses were changed on the way");
}

/* Notifications of ours */

static void put(struct ike2_writer *w, uint16_t type, uint16_t operation, const struct ip_addr *addr)
{
    addrmgmt_address_put(w, type, &(struct addrmgmt_address){operation, *addr});
}

/* ADR-027 */
static void put_marks(const struct v2_path *path, struct ike2_writer *w)
{
    put(w, ADDRMGMT_N_PEER_ADDRESS_SOURCE, ADDRMGMT_MARK, &path->local.addr);
    put(w, ADDRMGMT_N_PEER_ADDRESS_DESTINATION, ADDRMGMT_MARK, &path->remote.addr);
}

/* Where we can be reached, first there. ADR-034: what means nothing elsewhere is never said. */
static struct address_set said(const struct ike *ike, const struct ip_addr *first)
{
    struct address_set set = {.list = {*first}, .count = 1};
    for (size_t i = 0; i < ike->own.count; i++) {
        const struct ip_addr *addr = &ike->own.list[i];
        if (!address_is_global(addr) || address_set_has(&set, addr))
            continue;
        if (address_set_add(&set, addr) != ERR_OK)
            break; /* as many as a set holds */
    }
    return set;
}

/* ADR-061, ADR-062: what the peer has to add to what it was told, and to take out. The first address is
 * named by the mark. */
static void put_changes(const struct address_set *told, const struct address_set *now,
                        struct ike2_writer *w)
{
    for (size_t i = 1; i < now->count; i++)
        if (!address_set_has(told, &now->list[i]))
            put(w, ADDRMGMT_N_PEER_ADDRESS_SOURCE, ADDRMGMT_ADD, &now->list[i]);
    for (size_t i = 0; i < told->count; i++)
        if (!address_set_has(now, &told->list[i]))
            put(w, ADDRMGMT_N_PEER_ADDRESS_SOURCE, ADDRMGMT_DELETE, &told->list[i]);
}

/* IKE_AUTH */

void v2_addrmgmt_put_support(const struct v2_step *step, struct ike2_writer *w)
{
    struct v2_sa *sa = step->sa;
    struct v2_handshake *hs = sa->handshake;
    const struct address_set first = {.list = {sa->path.local.addr}, .count = 1};
    if (!v2_addrmgmt_wanted(step->ike, sa) || (!sa->initiator && !hs->draft))
        return;
    hs->told = said(step->ike, &sa->path.local.addr);
    addrmgmt_vendor_put(w);
    put_marks(&sa->path, w);
    put_changes(&first, &hs->told, w);
}

/* ADR-031, ADR-032: a peer that shows no Vendor ID, or is seen elsewhere than it says, has what every
 * peer has. */
void v2_addrmgmt_read_support(struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    struct v2_update update = {.count = 0};
    hs->draft = false;
    if (!addrmgmt_vendor_shown(step->payloads) || !v2_addrmgmt_wanted(step->ike, step->sa) ||
        !v2_addrmgmt_read(step, &update) || !update.about_addresses)
        return;
    hs->draft = true;
    hs->addresses = (struct address_set){.list = {step->event->remote.addr}, .count = 1};
    for (size_t i = 0; i < update.adds.count; i++)
        if (address_set_add(&hs->addresses, &update.adds.list[i]) == ERR_LIMIT)
            ike_count(step->ike, IKE_COUNT_LIMIT);
}

/* CREATE_CHILD_SA */

static bool is_away(const struct v2_sa *sa)
{
    return sa->mobike != NULL && sa->mobike->draft && sa->mobike->moves != 0;
}

void v2_addrmgmt_put_ends(const struct v2_step *step, struct ike2_writer *w)
{
    if (is_away(step->sa))
        put_marks(&step->sa->path, w);
}

/* ADR-005: the header's addresses prove nothing; children are where their IKE SA is. */
enum err v2_addrmgmt_read_ends(struct v2_step *step)
{
    struct v2_update update = {.count = 0};
    if (step->sa->mobike == NULL || !step->sa->mobike->draft || v2_addrmgmt_read(step, &update))
        return ERR_OK;
    ike_count(step->ike, IKE_COUNT_MOVE_REFUSED);
    return v2_refuse(step, ERR_SELECTOR, ADDRMGMT_N_ADDRESS_REFUSED, "other addresses than it names");
}

/* INFORMATIONAL, ours */

static void put_update(struct ike2_writer *w, uint8_t protocol, bool only, const uint8_t *spis,
                       size_t count)
{
    addrmgmt_update_put(w, &(struct addrmgmt_update){.only = only,
                                                     .protocol = protocol,
                                                     .count = (uint16_t)count,
                                                     .spis = view_of(spis, 4 * count)});
}

/* One payload a protocol (ADR-066, ADR-067), with our inbound SPIs of those children that move. */
static void put_children(const struct ike *ike, const struct v2_sa *sa, bool only,
                         struct ike2_writer *w)
{
    static const uint8_t numbers[] = {[SA_ESP] = ADDRMGMT_ESP, [SA_AH] = ADDRMGMT_AH}; /* ADR-070 */
    uint8_t room[4 * V2_UPDATE_SAS];
    const struct ike_child *child;
    for (uint8_t protocol = SA_ESP; protocol <= SA_AH; protocol++) {
        struct builder b = builder_on(span_of(room, sizeof(room)));
        LIST_FOREACH (child, &sa->children, of_v2_sa)
            if (child->protocol == protocol && !v2_addrmgmt_stays(ike, sa, child))
                builder_u32(&b, child->spi_in.value);
        if (b.len != 0)
            put_update(w, numbers[protocol], only, room, b.len / 4);
    }
}

static bool any_stays(const struct ike *ike, const struct v2_sa *sa)
{
    const struct ike_child *child;
    LIST_FOREACH (child, &sa->children, of_v2_sa)
        if (v2_addrmgmt_stays(ike, sa, child))
            return true;
    return false;
}

/* ADR-073, ADR-074, ADR-083: all SAs, or the IKE SA and each child that goes with it (ADR-015). */
static void put_moves(const struct ike *ike, const struct v2_sa *sa, bool only,
                      struct ike2_writer *w)
{
    if (!any_stays(ike, sa)) {
        addrmgmt_update_put(w, &(struct addrmgmt_update){.all = true, .only = only});
        return;
    }
    put_update(w, ADDRMGMT_IKE, only, NULL, 0);
    put_children(ike, sa, only, w);
}

void v2_addrmgmt_put(struct v2_step *step, struct ike2_writer *w)
{
    struct v2_mobike *mobike = step->sa->mobike;
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    const struct v2_path *path = step->x->has_via ? &step->x->via : &step->sa->path;
    switch (step->x->says) {
    case V2_SAYS_UPDATE:
    case V2_SAYS_ADDRESSES:
        mobike->saying = said(step->ike, &path->local.addr);
        put_marks(path, w);
        put_changes(&mobike->told, &mobike->saying, w);
        if (step->x->says == V2_SAYS_ADDRESSES)
            break;
        put_moves(step->ike, step->sa, profile != NULL && profile->policy_stays, w); /* ADR-075 */
        v2_mobike_put_cookie(step, w, ADDRMGMT_N_RR_COOKIE);
        break;
    case V2_SAYS_CHECK: /* ADR-025 */
    case V2_SAYS_PROBE:
        v2_mobike_put_cookie(step, w, ADDRMGMT_N_RR_COOKIE);
        break;
    case V2_SAYS_ALIVE:
    case V2_SAYS_LITTLE:
        break;
    }
}

/* INFORMATIONAL, the peer's */

bool v2_addrmgmt_find(const struct v2_step *step, uint16_t type, struct addrmgmt_address *ret)
{
    struct ike2_notify n;
    return v2_notified(step, type, &n) && addrmgmt_address_parse(&n, ret) == ERR_OK;
}

/* What the notifications of one message say, by end. */
struct named {
    struct addrmgmt_address source, destination; /* the marks; operation 0: none */
    bool about_source, about_destination;
};

static bool refuse(struct v2_update *update, uint16_t operation, const struct ip_addr *addr)
{
    update->refused = true;
    update->what = (struct addrmgmt_address){operation, *addr};
    return false;
}

static bool take_source(const struct addrmgmt_address *a, struct v2_update *update,
                        struct named *named)
{
    enum err err = ERR_OK;
    named->about_source = true;
    if (a->operation == ADDRMGMT_ADD)
        err = address_set_add(&update->adds, &a->addr);
    else if (a->operation == ADDRMGMT_DELETE)
        err = address_set_add(&update->deletes, &a->addr);
    else if (named->source.operation == 0)
        named->source = *a;
    else if (!ip_addr_equal(&named->source.addr, &a->addr))
        err = ERR_REPEATED; /* two primaries */
    return err == ERR_OK || refuse(update, a->operation, &a->addr);
}

/* ADR-033, ADR-034, ADR-058: an address that nobody can use, or an operation on a set that isn't the sender's. */
static bool take_address(const struct ike2_notify *n, struct v2_update *update, struct named *named)
{
    struct addrmgmt_address a;
    if (addrmgmt_address_parse(n, &a) != ERR_OK) {
        update->refused = true;
        return false;
    }
    update->about_addresses = true;
    if (!address_is_global(&a.addr))
        return refuse(update, a.operation, &a.addr);
    if (n->type == ADDRMGMT_N_PEER_ADDRESS_SOURCE)
        return take_source(&a, update, named);
    if (a.operation != ADDRMGMT_MARK ||
        (named->about_destination && !ip_addr_equal(&named->destination.addr, &a.addr)))
        return refuse(update, a.operation, &a.addr);
    named->about_destination = true;
    named->destination = a;
    return true;
}

static bool take_notifies(const struct v2_step *step, struct v2_update *update, struct named *named)
{
    const struct ike2_payload *payload;
    struct ike2_notify n;
    struct view cookie;
    for (size_t i = 0; (payload = ike2_payload_find(step->payloads, IKE2_P_N, i)) != NULL; i++) {
        if (ike2_notify_parse(payload->body, &n) != ERR_OK)
            continue;
        if ((n.type == ADDRMGMT_N_PEER_ADDRESS_SOURCE ||
             n.type == ADDRMGMT_N_PEER_ADDRESS_DESTINATION) &&
            !take_address(&n, update, named))
            return false;
        if (n.type != ADDRMGMT_N_RR_COOKIE)
            continue;
        update->refused = addrmgmt_cookie_parse(&n, &cookie) != ERR_OK;
        if (update->refused)
            return false;
        memcpy(update->cookie, cookie.ptr, cookie.len); /* ADR-098 */
        update->cookie_len = cookie.len;
    }
    return true;
}

static bool take_payload(struct view body, struct v2_update *update)
{
    struct addrmgmt_update u;
    if (addrmgmt_update_parse(body, &u) != ERR_OK || update->count + u.count > V2_UPDATE_SAS)
        return false;
    struct cursor cur = cursor_of(u.spis);
    update->moves = true;
    update->all |= u.all;
    update->only |= u.only;
    update->ike |= u.protocol == ADDRMGMT_IKE;
    for (size_t i = 0; i < u.count; i++) {
        update->sas[update->count].protocol = u.protocol == ADDRMGMT_AH ? SA_AH : SA_ESP;
        update->sas[update->count++].spi = (spi_t){cursor_u32(&cur)};
    }
    return true;
}

/* ADR-083; ADR-073: with all of them no other is named. */
static bool take_payloads(const struct v2_step *step, struct v2_update *update,
                          const struct named *named)
{
    const struct ike2_payload *payload;
    size_t i = 0;
    bool good = true;
    while (good && (payload = ike2_payload_find(step->payloads, ADDRMGMT_P_UPDATE, i)) != NULL) {
        good = take_payload(payload->body, update);
        i++;
    }
    good = good && !(update->all && i > 1) && (i == 0 || named->source.operation != 0);
    if (!good)
        update->refused = true;
    return good;
}

/* Where the peer can be reached, as it would have us know it. */
static bool is_known(const struct v2_step *step, const struct v2_update *update)
{
    const struct v2_mobike *mobike = step->sa->mobike;
    const struct ip_addr *from = &step->event->remote.addr;
    return address_set_has(&update->adds, from) ||
           (mobike != NULL && address_set_has(&mobike->peer, from) &&
            !address_set_has(&update->deletes, from));
}

/*
 * ADR-029, ADR-030: the header has to agree with what the message names. ADR-048: only where addresses are
 * added by a message from an unknown one the claim is tried instead.
 */
static bool agrees(const struct v2_step *step, struct v2_update *update, const struct named *named)
{
    const struct ip_addr *from = &step->event->remote.addr, *to = &step->event->local.addr;
    const struct ip_addr *claimed = named->source.operation != 0 ? &named->source.addr
                                    : update->adds.count != 0    ? &update->adds.list[0]
                                                                 : from;
    if (!ip_addr_equal(&named->destination.addr, to))
        return refuse(update, ADDRMGMT_MARK, to);
    bool same = named->source.operation != 0 ? ip_addr_equal(claimed, from) : is_known(step, update);
    if (!same && (update->adds.count == 0 || is_known(step, update) || step->sa->mobike == NULL))
        return refuse(update, ADDRMGMT_MARK, from);
    update->required = !same;
    if (!same)
        update->to.remote.addr = *claimed;
    return true;
}

/* ADR-046: the set never loses the address that is in use. */
static bool keeps_primary(const struct v2_step *step, struct v2_update *update)
{
    bool replaced = update->moves && (update->all || update->ike);
    const struct ip_addr *primary =
        replaced ? &update->to.remote.addr : &step->sa->path.remote.addr;
    return !address_set_has(&update->deletes, primary) ||
           refuse(update, ADDRMGMT_DELETE, primary);
}

bool v2_addrmgmt_read(struct v2_step *step, struct v2_update *ret)
{
    struct named named = {.about_source = false};
    const struct v2_path from = {step->event->local, step->event->remote, step->event->natt};
    *ret = (struct v2_update){.to = from, .source = from};
    if (!take_notifies(step, ret, &named) || !take_payloads(step, ret, &named))
        return false;
    if (!ret->about_addresses && !ret->moves)
        return true;
    if (!named.about_source || !named.about_destination) { /* ADR-027 */
        ret->refused = true;
        return false;
    }
    return agrees(step, ret, &named) && keeps_primary(step, ret);
}

/* The answer */

/* ADR-085: the SAs of the other direction, as far as they were found. */
static void put_pairs(const struct v2_sa *sa, const struct v2_update *update, struct ike2_writer *w)
{
    uint8_t room[4 * V2_UPDATE_SAS];
    for (uint8_t protocol = SA_ESP; protocol <= SA_AH; protocol++) {
        struct builder b = builder_on(span_of(room, sizeof(room)));
        for (size_t i = 0; i < update->count; i++) {
            const struct ike_child *child = made_find_out(sa, update->sas[i].spi);
            if (child != NULL && child->protocol == protocol && update->sas[i].protocol == protocol)
                builder_u32(&b, child->spi_in.value);
        }
        if (b.len != 0)
            put_update(w, protocol == SA_AH ? ADDRMGMT_AH : ADDRMGMT_ESP, update->only, room,
                       b.len / 4);
    }
}

void v2_addrmgmt_put_answer(const struct ike *ike, const struct v2_sa *sa, struct ike2_writer *w)
{
    const struct v2_update *update = sa->mobike != NULL ? sa->mobike->latest : NULL;
    if (update == NULL)
        return;
    if (update->refused) { /* ADR-047 */
        if (update->what.operation != 0)
            addrmgmt_address_put(w, ADDRMGMT_N_ADDRESS_REFUSED, &update->what);
        else
            ike2_writer_notify(w, ADDRMGMT_N_ADDRESS_REFUSED, view_of(NULL, 0));
    } else if (update->all) {
        put_moves(ike, sa, update->only, w);
    } else if (update->moves) {
        if (update->ike)
            put_update(w, ADDRMGMT_IKE, update->only, NULL, 0);
        put_pairs(sa, update, w);
    }
    if (update->cookie_len != 0)
        ike2_writer_notify(w, ADDRMGMT_N_RR_COOKIE, view_of(update->cookie, update->cookie_len));
}
