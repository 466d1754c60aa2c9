#include "addr_rig.h"

#include "base/text.h"

static const char secret[] = "a secret that two gateways share";
static const char *const own[PAIR_SIDES] = {"192.1.1.4", "192.1.1.5"};

struct ip_addr rig_addr(const char *text)
{
    struct ip_addr ret;
    assert_true(ip_addr_parse(text, &ret));
    return ret;
}

/* The net */

static void note_payload(struct rig *rig, const struct forge_v2_payload *p)
{
    struct view body = view_of(p->body, p->len);
    struct addrmgmt_address a;
    struct addrmgmt_update u;
    struct ike2_notify n;
    char text[IP_ADDR_TEXT_MAX];
    if (p->type == ADDRMGMT_P_UPDATE && addrmgmt_update_parse(body, &u) == ERR_OK)
        text_add(rig->seen, RIG_TEXT, " U%s%s/%u/%u", u.all ? "A" : "", u.only ? "O" : "", u.protocol,
                 u.count);
    if (p->type == IKE2_P_N && ike2_notify_parse(body, &n) == ERR_OK) {
        const char *name = addrmgmt_notify_name(n.type);
        if (addrmgmt_address_parse(&n, &a) == ERR_OK)
            text_add(rig->seen, RIG_TEXT, " %s-%s-%s", name ? name : "?",
                     addrmgmt_operation_name(a.operation), ip_addr_format(&a.addr, text));
        else if (name != NULL)
            text_add(rig->seen, RIG_TEXT, " %s", name);
        else
            text_add(rig->seen, RIG_TEXT, " N(%u)", n.type);
    }
    if (p->type == IKE2_P_VID)
        text_add(rig->seen, RIG_TEXT, " VID");
}

static void note(struct rig *rig, const struct pair_datagram *d)
{
    static struct forge_v2 forge;
    char source[IP_ADDR_TEXT_MAX], target[IP_ADDR_TEXT_MAX];
    if (strlen(rig->seen) > RIG_TEXT - 600)
        rig->seen[0] = '\0';
    if (d->len < IKE2_HEADER_LEN || d->octets[18] != IKE2_INFORMATIONAL)
        return;
    forge_v2_open(rig->pair, d, &forge);
    text_add(rig->seen, RIG_TEXT, "%c%c %s>%s", d->from == PAIR_A ? 'A' : 'B',
             (forge.header.flags & IKE2_FLAG_RESPONSE) != 0 ? '-' : '+',
             ip_addr_format(&d->source.addr, source), ip_addr_format(&d->target.addr, target));
    for (size_t i = 0; i < forge.count; i++)
        note_payload(rig, &forge.payloads[i]);
    text_add(rig->seen, RIG_TEXT, ";\n");
}

static void translate(const struct rig *rig, struct pair_datagram *d)
{
    if (rig->nat_inside.family == IP_NONE)
        return;
    if (ip_addr_equal(&d->source.addr, &rig->nat_inside))
        d->source = (struct ip_endpoint){rig->nat_outside, (uint16_t)(d->source.port + 1000)};
    else if (ip_addr_equal(&d->target.addr, &rig->nat_outside))
        d->target = (struct ip_endpoint){rig->nat_inside, (uint16_t)(d->target.port - 1000)};
}

static bool is_dead(const struct rig *rig, const struct ip_addr *a)
{
    for (size_t i = 0; i < rig->dead_count; i++)
        if (ip_addr_equal(&rig->dead[i], a))
            return true;
    return false;
}

static bool carry(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct rig *rig = ctx;
    (void)pair;
    note(rig, d);
    if (rig->tap != NULL && !rig->tap(rig, d))
        return false;
    translate(rig, d);
    return !is_dead(rig, &d->source.addr) && !is_dead(rig, &d->target.addr);
}

/* The two ends */

static struct ike_profile profile_of(const char *name, const char *peer)
{
    struct ike_profile p = {.number = PROFILE,
                            .name = "office",
                            .version = IKE_VERSION_2,
                            .own_method = IKE_BY_PSK,
                            .peer_method = IKE_BY_PSK,
                            .psk = view_of_text(secret),
                            .addrmgmt = true,
                            .mobike_off = true,
                            .dpd_s = 10};
    assert_true(identity_of_fqdn(view_of_text(name), &p.own_id));
    assert_true(identity_of_fqdn(view_of_text(peer), &p.peer_id));
    return p;
}

struct rig *rig_new(const struct ike_config *config)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    rig->profiles[PAIR_A] = profile_of("a.example", "b.example");
    rig->profiles[PAIR_B] = profile_of("b.example", "a.example");
    for (unsigned s = 0; s < PAIR_SIDES; s++)
        rig->profiles[s].stays = &rig->stays[s]; /* of no family: none, until stay_count says so */
    struct pair_options options = {.profiles = {&rig->profiles[PAIR_A], &rig->profiles[PAIR_B]},
                                   .profile_count = 1};
    if (config != NULL)
        options.config = *config;
    rig->pair = pair_new(&options);
    rig->pair->tap = carry;
    rig->pair->tap_ctx = rig;
    return rig;
}

void rig_free(struct rig *rig)
{
    pair_free(rig->pair);
    free(rig);
}

void rig_have(struct rig *rig, unsigned side, const char *const *texts)
{
    struct ip_addr list[8];
    size_t count = 0;
    for (; texts[count] != NULL; count++)
        list[count] = rig_addr(texts[count]);
    pair_addresses(rig->pair, side, list, count);
}

struct traffic_pair rig_traffic(unsigned side, unsigned n)
{
    struct traffic t[PAIR_SIDES];
    char text[32];
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        t[s] = (struct traffic){.port_last = UINT16_MAX};
        TEXT_SET(text, "10.%u.0.0/16", 2 * n + 1 + s);
        assert_true(ip_prefix_parse(text, &t[s].net));
    }
    return (struct traffic_pair){t[side], t[!side]};
}

void rig_child(struct rig *rig, unsigned n)
{
    const struct traffic_pair traffic = rig_traffic(PAIR_A, n);
    unsigned up = rig->pair->sides[PAIR_A].up;
    rig->pair->sides[PAIR_B].ticket = TICKET + n;
    assert_int_equal(pair_initiate_profile(rig->pair, PAIR_A, TICKET + n, PROFILE, &traffic), ERR_OK);
    rig_run(rig, 1 * SECONDS);
    assert_int_equal(rig->pair->sides[PAIR_A].up, up + 1);
}

struct rig *rig_up(const struct ike_config *config)
{
    struct rig *rig = rig_new(config);
    RIG_HAVE(rig, PAIR_A, own[PAIR_A]);
    RIG_HAVE(rig, PAIR_B, own[PAIR_B]);
    rig_child(rig, 0);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        assert_non_null(rig_sa(rig, s)->mobike);
        assert_true(rig_sa(rig, s)->mobike->draft);
    }
    return rig;
}

struct v2_sa *rig_sa(const struct rig *rig, unsigned side)
{
    const struct v2_engine *v2 = &rig->pair->sides[side].ike->v2;
    assert_int_equal(v2->all_count, 1);
    return v2->all[0];
}

void rig_kill(struct rig *rig, const char *text)
{
    rig->dead[rig->dead_count++] = rig_addr(text);
}

void rig_run(struct rig *rig, int64_t ms)
{
    pair_run(rig->pair, ms);
}

/* What came of it */

struct pair_sa *rig_entry(const struct rig *rig, unsigned side, bool inbound, unsigned n)
{
    const struct traffic_pair traffic = rig_traffic(side, n);
    struct pair_side *s = &rig->pair->sides[side];
    for (size_t i = 0; i < PAIR_SAD_MAX; i++) {
        const struct sa_params *p = &s->sad[i].params;
        if (!s->sad[i].used || p->inbound != inbound)
            continue;
        struct traffic_pair its = sa_params_traffic(p);
        const struct ip_prefix *net = &its.local.net;
        if (ip_addr_equal(&net->addr, &traffic.local.net.addr))
            return &s->sad[i];
    }
    return NULL;
}

static bool entry_at(const struct pair_sa *entry, const char *here, const char *there)
{
    const struct ip_addr h = rig_addr(here), t = rig_addr(there);
    const struct sa_params *p = &entry->params;
    if (entry->here.addr.family != IP_NONE)
        return ip_addr_equal(&entry->here.addr, &h) && ip_addr_equal(&entry->moved.addr, &t);
    return ip_addr_equal(p->inbound ? &p->outer_dst : &p->outer_src, &h) &&
           ip_addr_equal(p->inbound ? &p->outer_src : &p->outer_dst, &t);
}

bool rig_child_at(const struct rig *rig, unsigned n, const char *a, const char *b)
{
    for (unsigned s = 0; s < PAIR_SIDES; s++)
        for (int inbound = 0; inbound < 2; inbound++) {
            const struct pair_sa *entry = rig_entry(rig, s, inbound, n);
            assert_non_null(entry);
            if (!entry_at(entry, s == PAIR_A ? a : b, s == PAIR_A ? b : a))
                return false;
        }
    return true;
}

void rig_assert_at(struct rig *rig, const char *a, const char *b)
{
    const char *const ends[PAIR_SIDES] = {a, b};
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        const struct ip_addr here = rig_addr(ends[s]), there = rig_addr(ends[!s]);
        const struct v2_sa *sa = rig_sa(rig, s);
        assert_true(ip_addr_equal(&sa->path.local.addr, &here));
        assert_true(ip_addr_equal(&sa->path.remote.addr, &there));
        assert_false(sa->mobike->checking);
        assert_null(sa->mine);
        assert_null(sa->theirs);
        assert_int_equal(rig->pair->sides[s].deleted, 0);
    }
    for (unsigned n = 0; n < 4; n++)
        if (rig_entry(rig, PAIR_A, true, n) != NULL)
            assert_true(rig_child_at(rig, n, a, b));
}

bool rig_knows(const struct rig *rig, unsigned side, const char *text)
{
    const struct ip_addr addr = rig_addr(text);
    return address_set_has(&rig_sa(rig, side)->mobike->peer, &addr);
}

bool rig_saw(const struct rig *rig, const char *text)
{
    return strstr(rig->seen, text) != NULL;
}

uint64_t rig_refused(const struct rig *rig, unsigned side)
{
    return pair_counter(rig->pair, side, "nat-mapping-change-refused");
}

/* By hand */

void rig_forge(struct rig *rig, unsigned from, struct rig_forged *ret)
{
    const struct v2_sa *to = rig_sa(rig, !from), *sa = rig_sa(rig, from);
    *ret = (struct rig_forged){.forge = {.sealed = true, .kind = V2_INFO_REQ}};
    struct ike2_header *h = &ret->forge.header;
    h->version = IKE2_VERSION;
    h->exchange = IKE2_INFORMATIONAL;
    h->flags = sa->initiator ? IKE2_FLAG_INITIATOR : 0;
    h->message_id = to->next_in;
    memcpy(h->spi_i, v2_spi_i(sa), IKE2_SPI_LEN);
    memcpy(h->spi_r, v2_spi_r(sa), IKE2_SPI_LEN);
    ret->d.from = from;
    ret->d.natt = to->path.natt;
    ret->d.source = to->path.remote;
    ret->d.target = to->path.local;
}

void rig_add_notify(struct rig_forged *f, uint16_t type, struct view data)
{
    uint8_t body[128];
    struct builder b = builder_on(span_of(body, sizeof(body)));
    ike2_notify_build(&b, &(struct ike2_notify){.type = type, .data = data});
    forge_v2_add(&f->forge, IKE2_P_N, builder_written(&b));
}

void rig_add_address(struct rig_forged *f, uint16_t type, uint16_t operation, const char *text)
{
    const struct ip_addr addr = rig_addr(text);
    uint8_t data[20] = {0, addr.family == IP_V4 ? 1 : 2, 0, (uint8_t)operation};
    struct view octets = ip_addr_view(&addr);
    memcpy(data + 4, octets.ptr, octets.len);
    rig_add_notify(f, type, view_of(data, 4 + octets.len));
}

void rig_add_update(struct rig_forged *f, const struct addrmgmt_update *u)
{
    uint8_t room[256];
    struct ike2_writer w;
    ike2_writer_start_inner(&w, span_of(room, sizeof(room)));
    addrmgmt_update_put(&w, u);
    struct view payload = ike2_writer_finish(&w);
    forge_v2_add(&f->forge, ADDRMGMT_P_UPDATE, view_of(payload.ptr + 4, payload.len - 4));
}

enum err rig_send(struct rig *rig, struct rig_forged *f, const char *source)
{
    if (source != NULL)
        f->d.source.addr = rig_addr(source);
    forge_v2_close(rig->pair, &f->forge, false, &f->d);
    rig->seen[0] = '\0';
    return pair_give(rig->pair, &f->d);
}
