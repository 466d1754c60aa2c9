/*
 * NAT traversal (RFC 3947, 3948): who finds which NAT, what floats to port 4500, and whom a changed
 * mapping is believed of.
 */
#include "forge.h"

/* A NAT in front of one side, or of both. */
struct nat {
    bool in_front[PAIR_SIDES];
    struct ip_addr public[PAIR_SIDES];
    uint16_t shift; /* from inner to outer ports; 0: a one-to-one NAT */
    unsigned natt_seen, plain_seen;
    /* A message to be changed on the way, once. */
    enum v1_message_kind kind;
    void (*change)(struct forge *forge);
    bool changed;
};

static void to_outside(const struct nat *nat, unsigned side, struct ip_endpoint *end)
{
    end->addr = nat->public[side];
    end->port = (uint16_t)(end->port + nat->shift);
}

static enum v1_message_kind clear_kind(const struct pair_datagram *d)
{
    bool ke = d->octets[16] == ISAKMP_P_KE;
    if (!pair_is_exchange(d, ISAKMP_MAIN_MODE) || (d->octets[19] & ISAKMP_FLAG_ENCRYPTED) != 0)
        return V1_NO_MESSAGE;
    return d->from == PAIR_A ? (ke ? V1_MM3 : V1_MM1) : (ke ? V1_MM4 : V1_MM2);
}

static bool pass(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    static struct forge forge;
    struct nat *nat = ctx;
    unsigned to = !d->from;
    struct ip_endpoint outside = {pair->sides[to].addr.addr, d->natt ? 4500 : 500};

    nat->natt_seen += d->natt;
    nat->plain_seen += !d->natt;
    if (nat->change != NULL && !nat->changed && clear_kind(d) == nat->kind) {
        nat->changed = true;
        forge_open(pair, to, d, nat->kind, &forge);
        nat->change(&forge);
        forge_close(pair, to, &forge, d);
    }
    if (nat->in_front[d->from])
        to_outside(nat, d->from, &d->source);
    if (nat->in_front[to]) {
        struct ip_endpoint inside = outside;
        to_outside(nat, to, &outside);
        if (!ip_endpoint_equal(&d->target, &outside))
            return false; /* no such mapping (RSIP-008) */
        d->target = inside;
    }
    return ip_addr_equal(&d->target.addr, &pair->sides[to].addr.addr);
}

static struct pair *behind(struct nat *nat, const struct pair_options *options)
{
    struct pair *pair = pair_new(options);
    static const char *const publics[] = {"203.0.113.1", "203.0.113.2"};
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        assert_true(ip_addr_parse(publics[i], &nat->public[i]));
        if (!nat->in_front[i])
            continue;
        pair->sides[i].reached_at = nat->public[i];
        pair->sides[i].ike->config.id = identity_of_addr(&nat->public[i]);
    }
    pair->tap = pass;
    pair->tap_ctx = nat;
    return pair;
}

static void check_up(const struct pair *pair, unsigned tunnels, bool udp)
{
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        assert_int_equal(pair->sides[i].up, tunnels);
        assert_int_equal(pair_sad_count(pair, i), 2 * tunnels);
        for (size_t k = 0; k < PAIR_SAD_MAX; k++)
            if (pair->sides[i].sad[k].used)
                assert_true((pair->sides[i].sad[k].params.udp_src != 0) == udp &&
                            (pair->sides[i].sad[k].params.udp_dst != 0) == udp);
    }
    assert_int_equal(pair_check_keys(pair), 2 * tunnels);
}

static struct ike_sa_info info_of(const struct pair *pair, unsigned side)
{
    struct ike_sa_info info;
    assert_true(ike_sa_info(pair->sides[side].ike, 0, &info));
    return info;
}

static void check_found(const struct pair *pair, unsigned side, bool here, bool there)
{
    struct ike_sa_info info = info_of(pair, side);
    assert_int_equal(info.nat_here, here);
    assert_int_equal(info.nat_there, there);
}

static const struct sa_params *sa_of(const struct pair *pair, unsigned side, bool inbound)
{
    for (size_t i = 0; i < PAIR_SAD_MAX; i++)
        if (pair->sides[side].sad[i].used && pair->sides[side].sad[i].params.inbound == inbound)
            return &pair->sides[side].sad[i].params;
    fail_msg("no such SA");
    return NULL;
}

/* The payloads themselves */

static bool look(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    static struct forge forge;
    enum v1_message_kind kind = clear_kind(d);
    unsigned *seen = ctx;
    uint8_t md5[HASH_MAX], want[HASH_MAX];
    struct view name = view_of_text("RFC 3947");

    if (kind == V1_NO_MESSAGE)
        return true;
    forge_open(pair, !d->from, d, kind, &forge);
    if (kind == V1_MM1 || kind == V1_MM2) { /* section 3.1 */
        const struct forge_payload *vid = forge_find(&forge, ISAKMP_P_VID);
        assert_int_equal(hash_digest(HASH_MD5, &name, 1, md5), ERR_OK);
        assert_int_equal(vid->len, 16);
        assert_memory_equal(vid->body, md5, 16);
        ++*seen;
        return true;
    }
    /* Section 3.2: HASH(CKY-I | CKY-R | IP | Port), the receiver's end first, then the sender's. */
    const struct ip_endpoint *ends[2] = {&d->target, &d->source};
    size_t n = 0;
    for (size_t i = 0; i < forge.count; i++) {
        if (forge.payloads[i].type != ISAKMP_P_NAT_D)
            continue;
        uint8_t octets[22];
        memcpy(octets, d->octets, 16);
        memcpy(octets + 16, ends[n]->addr.octets, 4);
        octets[20] = (uint8_t)(ends[n]->port >> 8);
        octets[21] = (uint8_t)ends[n]->port;
        struct view all = view_of(octets, sizeof(octets));
        assert_int_equal(hash_digest(HASH_SHA2_256, &all, 1, want), ERR_OK);
        assert_int_equal(forge.payloads[i].len, 32);
        assert_memory_equal(forge.payloads[i].body, want, 32);
        assert_true(++n <= 2);
    }
    assert_int_equal(n, 2);
    ++*seen;
    return true;
}

static void test_payloads(void **state)
{
    struct pair *pair = pair_new(NULL);
    unsigned seen = 0;
    (void)state;
    pair->tap = look;
    pair->tap_ctx = &seen;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(seen, 4);
    check_up(pair, 1, false);
    pair_free(pair);
}

/* Finding */

static void test_no_nat(void **state)
{
    struct nat nat = {0};
    struct pair *pair = behind(&nat, NULL);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 100000);
    check_up(pair, 1, false);
    assert_int_equal(nat.natt_seen, 0);
    check_found(pair, PAIR_A, false, false);
    check_found(pair, PAIR_B, false, false);
    assert_int_equal(pair->sides[PAIR_A].keepalives + pair->sides[PAIR_B].keepalives, 0);
    pair_free(pair);
}

/* OE-163, ADR-004: the usual case. Messages 1 to 4 on port 500, the rest on 4500. */
static void test_initiator_behind(void **state)
{
    struct nat nat = {.in_front = {true, false}, .shift = 7000};
    struct pair *pair = behind(&nat, NULL);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 1, true);
    assert_int_equal(nat.plain_seen, 4);
    assert_int_equal(nat.natt_seen, 5);
    check_found(pair, PAIR_A, true, false);
    check_found(pair, PAIR_B, false, true);
    const struct sa_params *out = sa_of(pair, PAIR_B, false), *in = sa_of(pair, PAIR_B, true);
    assert_true(ip_addr_equal(&out->outer_dst, &nat.public[PAIR_A]));
    assert_int_equal(out->udp_src, 4500);
    assert_int_equal(out->udp_dst, 11500);
    assert_int_equal(in->udp_src, 11500);
    assert_int_equal(in->udp_dst, 4500);
    out = sa_of(pair, PAIR_A, false);
    assert_true(ip_addr_equal(&out->outer_src, &pair->sides[PAIR_A].addr.addr));
    assert_int_equal(out->udp_src, 4500);
    assert_int_equal(out->udp_dst, 4500);
    /* RFC 3948 section 4: one every 20 s, from the end that is behind it. */
    pair_run(pair, 100000);
    assert_int_equal(pair->sides[PAIR_A].keepalives, 5);
    assert_int_equal(pair->sides[PAIR_B].keepalives, 0);
    pair_free(pair);
}

static void test_responder_behind(void **state)
{
    struct nat nat = {.in_front = {false, true}};
    struct pair *pair = behind(&nat, NULL);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 50000);
    check_up(pair, 1, true);
    check_found(pair, PAIR_A, false, true);
    check_found(pair, PAIR_B, true, false);
    assert_int_equal(pair->sides[PAIR_A].keepalives, 0);
    assert_int_equal(pair->sides[PAIR_B].keepalives, 2);
    pair_free(pair);
}

static void test_both_behind(void **state)
{
    struct nat nat = {.in_front = {true, true}};
    struct pair *pair = behind(&nat, NULL);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 50000);
    check_up(pair, 1, true);
    check_found(pair, PAIR_A, true, true);
    check_found(pair, PAIR_B, true, true);
    assert_int_equal(pair->sides[PAIR_A].keepalives, 2);
    assert_int_equal(pair->sides[PAIR_B].keepalives, 2);
    pair_free(pair);
}

static void test_ipv6(void **state)
{
    const struct pair_options options = {.v6 = true, .config = {.nat = IKE_NAT_FORCE}};
    struct nat nat = {0};
    struct pair *pair = behind(&nat, &options);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 1, true);
    pair_free(pair);
}

/* `off` at one end is enough: nothing is announced, nothing floats. */
static void test_off(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct nat nat = {.in_front = {true, false}, .shift = 7000};
        struct pair *pair = behind(&nat, NULL);
        pair->sides[side].ike->config.nat = IKE_NAT_OFF;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 1000);
        check_up(pair, 1, false);
        assert_int_equal(nat.natt_seen, 0);
        pair_free(pair);
    }
}

/* `force` at either end is enough: both find a NAT that isn't there. */
static void test_force(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct nat nat = {0};
        struct pair *pair = behind(&nat, NULL);
        pair->sides[side].ike->config.nat = IKE_NAT_FORCE;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 30000);
        check_up(pair, 1, true);
        check_found(pair, side, false, false);
        check_found(pair, !side, false, true);
        assert_int_equal(pair->sides[side].keepalives, 1);
        assert_int_equal(pair->sides[!side].keepalives, 0);
        pair_free(pair);
    }
}

/* Section 4: another tunnel, also one that the responder asks for, uses the ports already found. */
static void test_later_tunnels(void **state)
{
    struct nat nat = {.in_front = {true, false}, .shift = 7000};
    struct pair *pair = behind(&nat, NULL);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 1, 0), ERR_OK);
    pair_run(pair, 1000);
    pair->sides[PAIR_A].ticket = 2;
    assert_int_equal(pair_initiate(pair, PAIR_B, 3, 1), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 2, true);
    assert_int_equal(nat.plain_seen, 4);
    assert_int_equal(nat.natt_seen, 5 + 3);
    pair_free(pair);
}

/* Tampering */

static void spoil(struct forge *forge, size_t which)
{
    for (size_t i = 0; i < forge->count; i++)
        if (forge->payloads[i].type == ISAKMP_P_NAT_D && which-- == 0)
            forge->payloads[i].body[5] ^= 1;
}

static void spoil_first(struct forge *forge)
{
    spoil(forge, 0);
}

static void spoil_second(struct forge *forge)
{
    spoil(forge, 1);
}

static void strip(struct forge *forge)
{
    for (size_t i = forge->count; i-- > 0;)
        if (forge->payloads[i].type == ISAKMP_P_NAT_D)
            forge_drop(forge, i);
}

static void strip_one(struct forge *forge)
{
    size_t i = 0;
    while (forge->payloads[i].type != ISAKMP_P_NAT_D)
        i++;
    forge_drop(forge, i);
}

static void shorten(struct forge *forge)
{
    forge_find(forge, ISAKMP_P_NAT_D)->len = 20;
}

static void strip_vendor(struct forge *forge)
{
    for (size_t i = forge->count; i-- > 0;)
        if (forge->payloads[i].type == ISAKMP_P_VID)
            forge_drop(forge, i);
}

/* Section 8: whatever is done to the unauthenticated payloads, at worst UDP is used where it need
 * not be, or not used; both ends always agree on which. */
static void test_tampered(void **state)
{
    static const struct {
        enum v1_message_kind kind;
        void (*change)(struct forge *forge);
        bool udp;
    } cases[] = {
        {V1_MM1, strip_vendor, false}, {V1_MM2, strip_vendor, false}, {V1_MM3, strip, false},
        {V1_MM4, strip, false},        {V1_MM3, spoil_first, false},  {V1_MM3, spoil_second, false},
        {V1_MM4, spoil_first, true},   {V1_MM4, spoil_second, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct nat nat = {.kind = cases[i].kind, .change = cases[i].change};
        struct pair *pair = behind(&nat, NULL);
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 3000);
        assert_true(nat.changed);
        check_up(pair, 1, cases[i].udp);
        pair_free(pair);
    }
}

/* Malformed ones are dropped; the repetition of the true message goes on. */
static void test_malformed(void **state)
{
    static void (*const changes[])(struct forge *) = {strip_one, shorten};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct nat nat = {.kind = i / 2 ? V1_MM4 : V1_MM3, .change = changes[i % 2]};
        struct pair *pair = behind(&nat, NULL);
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 3000);
        assert_int_equal(pair_counter(pair, i / 2 ? PAIR_A : PAIR_B, "bad-value"), 1);
        check_up(pair, 1, false);
        pair_free(pair);
    }
}

/* Mappings that change (section 7) */

static bool keep_last(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct pair_datagram *last = ctx;
    (void)pair;
    *last = *d;
    return false;
}

static struct pair *up_behind(struct nat *nat)
{
    struct pair *pair = behind(nat, NULL);
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 1, true);
    return pair;
}

static void test_rebinding(void **state)
{
    struct nat nat = {.in_front = {true, false}, .shift = 7000};
    struct pair *pair = up_behind(&nat);
    (void)state;
    nat.shift = 9000; /* the NAT has forgotten, and maps anew */
    assert_true(ip_addr_parse("203.0.113.77", &nat.public[PAIR_A]));
    pair->sides[PAIR_B].ticket = 1002;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 2, true);
    assert_int_equal(pair_counter(pair, PAIR_B, "nat-mapping-changed"), 1);
    assert_int_equal(pair_counter(pair, PAIR_A, "nat-mapping-changed"), 0);
    struct ike_sa_info info = info_of(pair, PAIR_B);
    assert_int_equal(info.remote.port, 13500);
    assert_int_equal(info.children, 2);
    for (size_t i = 0; i < PAIR_SAD_MAX; i++) { /* the old SAs and the new go there */
        if (!pair->sides[PAIR_B].sad[i].used)
            continue;
        const struct pair_sa *sa = &pair->sides[PAIR_B].sad[i];
        assert_int_equal(sa->moved.port, 13500);
        assert_true(ip_addr_equal(&sa->moved.addr, &nat.public[PAIR_A]));
    }
    /* Both ends still delete in good order, whoever begins. */
    assert_int_equal(pair_event(pair, PAIR_B, IKE_EV_DELETE_CHILD, 1001), ERR_OK);
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 8), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair_sad_count(pair, PAIR_A) + pair_sad_count(pair, PAIR_B), 0);
    pair_free(pair);
}

/* What isn't authentic moves nothing: replays, garbage under a known cookie, an answer in clear. */
static void test_unauthenticated_move(void **state)
{
    struct nat nat = {.in_front = {true, false}, .shift = 7000};
    static struct pair_datagram caught, changed;
    struct pair *pair = up_behind(&nat);
    (void)state;
    pair->tap = keep_last;
    pair->tap_ctx = &caught;
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    pair->tap = pass;
    pair->tap_ctx = &nat;
    to_outside(&nat, PAIR_A, &caught.source);
    caught.target = (struct ip_endpoint){pair->sides[PAIR_B].addr.addr, 4500};

    changed = caught; /* one octet of the cipher text is another */
    changed.octets[changed.len - 1] ^= 1;
    changed.source.port = 6666;
    assert_true(pair_give(pair, &changed) != ERR_OK);
    changed = caught; /* another message id: the hash covers it */
    changed.octets[20] ^= 1;
    changed.source.port = 6666;
    assert_true(pair_give(pair, &changed) != ERR_OK);
    assert_int_equal(pair_counter(pair, PAIR_B, "nat-mapping-changed"), 0);
    assert_int_equal(pair_give(pair, &caught), ERR_OK); /* the true one, the true way */
    caught.source.port = 6666;                          /* and again from elsewhere: a replay */
    assert_int_equal(pair_give(pair, &caught), ERR_REPLAY);
    assert_int_equal(pair_counter(pair, PAIR_B, "nat-mapping-changed"), 0);
    assert_int_equal(info_of(pair, PAIR_B).remote.port, 11500);
    pair_free(pair);
}

/* Nor does what is authentic but refused: its message id isn't spent, so anyone on the way who keeps
 * a copy could send it again from elsewhere. */
static void test_refused_move(void **state)
{
    static const enum v1_message_kind kinds[] = {V1_QM1, V1_INFO};
    static const enum err refusals[] = {ERR_MISSING, ERR_UNEXPECTED};
    static struct pair_datagram caught;
    static struct forge forge;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct nat nat = {.in_front = {true, false}, .shift = 7000};
        struct pair *pair = up_behind(&nat);
        pair->tap = keep_last;
        pair->tap_ctx = &caught;
        if (kinds[i] == V1_QM1)
            assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
        else
            assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
        forge_open(pair, PAIR_B, &caught, kinds[i], &forge);
        if (kinds[i] == V1_QM1)
            forge_drop(&forge, (size_t)(forge_find(&forge, ISAKMP_P_NONCE) - forge.payloads));
        else
            forge_add(&forge, ISAKMP_P_NONCE, view_of(&nat, 16));
        forge_close(pair, PAIR_B, &forge, &caught);
        to_outside(&nat, PAIR_A, &caught.source);
        caught.target = (struct ip_endpoint){pair->sides[PAIR_B].addr.addr, 4500};
        assert_int_equal(pair_give(pair, &caught), refusals[i]);
        caught.source.port = 6666;
        assert_true(pair_give(pair, &caught) != ERR_OK);
        assert_int_equal(pair_counter(pair, PAIR_B, "nat-mapping-changed"), 0);
        assert_int_equal(info_of(pair, PAIR_B).remote.port, 11500);
        pair_free(pair);
    }
}

/* Off port 4500, or to a peer that is behind no NAT: not even looked at. */
static void test_move_without_nat(void **state)
{
    struct nat nat = {.in_front = {true, false}, .shift = 7000};
    static struct pair_datagram caught;
    (void)state;
    for (unsigned from = 0; from < PAIR_SIDES; from++) {
        struct pair *pair = up_behind(&nat);
        pair->tap = keep_last;
        pair->tap_ctx = &caught;
        assert_int_equal(pair_event(pair, from, IKE_EV_DELETE_CHILD, from == PAIR_A ? 7 : 1001),
                         ERR_OK);
        if (from == PAIR_A)
            caught.natt = false; /* authentic, but on port 500 */
        caught.source.port = 6666;
        caught.target = pair->sides[!from].addr;
        assert_int_equal(pair_give(pair, &caught), ERR_SELECTOR);
        assert_int_equal(pair_counter(pair, !from, "wrong-address"), 1);
        assert_int_equal(pair_counter(pair, !from, "nat-mapping-changed"), 0);
        pair_free(pair);
    }
}

/* The plane saw authentic ESP from elsewhere. */
static enum err moved(struct pair *pair, unsigned side, spi_t spi, uint16_t port)
{
    const struct ike_event event = {.kind = IKE_EV_MOVED,
                                    .ticket = side == PAIR_A ? 7 : 1001,
                                    .spi = spi,
                                    .remote = {sa_of(pair, side, true)->outer_src, port}};
    enum err err = ike_input(pair->sides[side].ike, pair->now, &event);
    pair_drain(pair, side);
    return err;
}

static void test_esp_moves(void **state)
{
    struct nat nat = {.in_front = {true, false}, .shift = 7000};
    struct pair *pair = up_behind(&nat);
    spi_t spi = sa_of(pair, PAIR_B, true)->spi;
    (void)state;
    assert_int_equal(moved(pair, PAIR_B, spi, 15500), ERR_OK);
    assert_int_equal(pair->sides[PAIR_B].moves, 2); /* both SAs */
    assert_int_equal(info_of(pair, PAIR_B).remote.port, 15500);
    nat.shift = 11000;
    pair->sides[PAIR_A].ticket = 9;
    assert_int_equal(pair_initiate(pair, PAIR_B, 10, 1), ERR_OK); /* IKE goes there too */
    pair_run(pair, 1000);
    check_up(pair, 2, true);

    assert_int_equal(moved(pair, PAIR_B, (spi_t){4711}, 15501), ERR_POLICY);
    assert_int_equal(moved(pair, PAIR_B, spi, 0), ERR_POLICY);
    /* Who is behind a NAT follows nobody. */
    assert_int_equal(moved(pair, PAIR_A, sa_of(pair, PAIR_A, true)->spi, 4501), ERR_POLICY);
    assert_int_equal(pair->sides[PAIR_A].moves, 0);
    assert_int_equal(pair_counter(pair, PAIR_B, "nat-mapping-change-refused"), 2);
    pair_free(pair);
}

static void test_esp_moves_nothing_without_nat(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(moved(pair, PAIR_B, sa_of(pair, PAIR_B, true)->spi, 15500), ERR_POLICY);
    assert_int_equal(pair->sides[PAIR_B].moves, 0);
    pair_free(pair);
}

/* A keyd that comes back knows who is behind the NAT, where he was last, and goes on from there. */
static void test_resumed(void **state)
{
    struct nat nat = {.in_front = {true, false}, .shift = 7000};
    struct pair *pair = up_behind(&nat);
    (void)state;
    nat.shift = 11000;
    assert_int_equal(moved(pair, PAIR_B, sa_of(pair, PAIR_B, true)->spi, 15500), ERR_OK);
    pair_crash(pair, PAIR_A, true);
    pair_crash(pair, PAIR_B, true);
    unsigned moves = pair->sides[PAIR_B].moves, keepalives = pair->sides[PAIR_A].keepalives;
    check_found(pair, PAIR_A, true, false);
    check_found(pair, PAIR_B, false, true);
    assert_int_equal(info_of(pair, PAIR_B).remote.port, 15500);
    pair_run(pair, 50000);
    assert_int_equal(pair->sides[PAIR_A].keepalives, keepalives + 2);
    pair->sides[PAIR_A].ticket = 9;
    assert_int_equal(pair_initiate(pair, PAIR_B, 10, 1), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 2, true);
    assert_int_equal(nat.plain_seen, 4);
    /* Both children follow on. */
    nat.shift = 12000;
    assert_int_equal(moved(pair, PAIR_B, sa_of(pair, PAIR_B, true)->spi, 16500), ERR_OK);
    assert_int_equal(pair->sides[PAIR_B].moves, moves + 2 + 2);
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair_sad_count(pair, PAIR_B), 2);
    pair_free(pair);
}

/* The mapping changes between a request and its repetition: the answer finds the way. */
static void test_repeated_from_elsewhere(void **state)
{
    struct nat nat = {.in_front = {true, false}, .shift = 7000};
    struct pair *pair = up_behind(&nat);
    (void)state;
    pair->sides[PAIR_B].ticket = 1002;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, PAIR_LATENCY_MS); /* the request is there, its answer on its way */
    nat.shift = 9000;
    for (size_t i = 0; i < pair->wire_count; i++)
        assert_int_equal(pair->wire[i].from, PAIR_B);
    pair->wire_count = 0; /* to a mapping that is no more */
    pair_run(pair, 3000);
    check_up(pair, 2, true);
    assert_int_equal(pair_counter(pair, PAIR_B, "nat-mapping-changed"), 1); /* by message 3 */
    pair_free(pair);
}

/* OE-157: a name is for those we come to; who comes to us is shown the address he came to. */
static void test_name_for_initiators(void **state)
{
    struct pair *pair = pair_new(NULL);
    struct identity address = identity_of_addr(&pair->sides[PAIR_B].addr.addr);
    (void)state;
    for (unsigned i = 0; i < PAIR_SIDES; i++)
        assert_true(identity_of_fqdn(view_of_text(i ? "b.example.net" : "a.example.net"),
                                     &pair->sides[i].ike->config.id));
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 1, false);
    assert_true(identity_equal(&pair->sides[PAIR_A].last_up.peer_id, &address));
    assert_string_equal(pair->sides[PAIR_B].last_up.peer_id.fqdn, "a.example.net");
    pair_free(pair);
}

/* RSIP-006: what A begins leaves from a leased port. Nobody takes that for a NAT, and answers come there. */
enum { LEASED = 20001 };

static bool from_leased(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    unsigned *seen = ctx;
    (void)pair;
    assert_int_equal(d->source.port, d->from == PAIR_A ? LEASED : 500);
    assert_int_equal(d->target.port, d->from == PAIR_A ? 500 : LEASED);
    assert_false(d->natt);
    ++*seen;
    return true;
}

static void leased_port(enum ike_version version)
{
    const struct pair_options options = {.version = version};
    struct pair *pair = pair_new(&options);
    unsigned seen = 0;
    pair->sides[PAIR_A].ike->config.own_port = LEASED;
    pair->tap = from_leased;
    pair->tap_ctx = &seen;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 1, false);
    assert_true(seen >= 4);
    assert_int_equal(info_of(pair, PAIR_A).local.port, LEASED);
    assert_int_equal(info_of(pair, PAIR_B).remote.port, LEASED);
    check_found(pair, PAIR_A, false, false);
    check_found(pair, PAIR_B, false, false);
    pair_free(pair);
}

static void test_leased_port(void **state)
{
    (void)state;
    leased_port(IKE_VERSION_1);
    leased_port(IKE_VERSION_2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_no_nat),
        cmocka_unit_test(test_initiator_behind),
        cmocka_unit_test(test_responder_behind),
        cmocka_unit_test(test_both_behind),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_force),
        cmocka_unit_test(test_later_tunnels),
        cmocka_unit_test(test_tampered),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_rebinding),
        cmocka_unit_test(test_unauthenticated_move),
        cmocka_unit_test(test_refused_move),
        cmocka_unit_test(test_move_without_nat),
        cmocka_unit_test(test_esp_moves),
        cmocka_unit_test(test_esp_moves_nothing_without_nat),
        cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_repeated_from_elsewhere),
        cmocka_unit_test(test_name_for_initiators),
        cmocka_unit_test(test_leased_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
