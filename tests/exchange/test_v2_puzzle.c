/*
 * Puzzles (RFC 8019): when strangers get them, that they are solved in slices and not beyond reason, and
 * what becomes of those who solve them wrongly, not at all, or once for many times.
 */
#include "forge_v2.h"
#include "ike/v2/puzzle.h"
#include "site.h"

enum { SECOND = 1000, BITS = 6 };

struct watch {
    unsigned asked, solved;        /* PUZZLE notifies and PS payloads in IKE_SA_INIT */
    unsigned asked_auth, solved_auth;
    unsigned bits;                 /* of the last puzzle */
    struct pair_datagram offer;    /* the last IKE_SA_INIT request ... */
    struct pair_datagram solution; /* ... and the last one with a PS */
    struct pair_datagram auth;     /* the last IKE_AUTH request */
    uint8_t set_bits;              /* the next puzzle says so instead; 0: no change */
    bool drop_cookie;              /* a puzzle comes without its cookie */
    bool strip;                    /* PS is taken out of IKE_SA_INIT, as by who knows none */
    bool hold_auth;
};

static size_t find_notify(const struct forge_v2 *forge, uint16_t type)
{
    for (size_t i = 0; i < forge->count; i++)
        if (forge->payloads[i].type == IKE2_P_N &&
            (forge->payloads[i].body[2] << 8 | forge->payloads[i].body[3]) == type)
            return i;
    return FORGE_V2_PAYLOADS;
}

static size_t find_solution(const struct forge_v2 *forge)
{
    for (size_t i = 0; i < forge->count; i++)
        if (forge->payloads[i].type == IKE2_P_PS)
            return i;
    return FORGE_V2_PAYLOADS;
}

static void see_answer(struct pair *pair, struct watch *watch, struct forge_v2 *forge,
                       struct pair_datagram *d)
{
    size_t at = find_notify(forge, IKE2_N_PUZZLE);
    if (at == FORGE_V2_PAYLOADS)
        return;
    unsigned *count = forge->kind == V2_INIT_RETRY ? &watch->asked : &watch->asked_auth;
    ++*count;
    assert_int_equal(forge->payloads[at].len, 4 + 3);
    watch->bits = forge->payloads[at].body[6];
    if (watch->set_bits != 0) {
        forge->payloads[at].body[6] = watch->set_bits;
        watch->set_bits = 0;
        forge_v2_close(pair, forge, true, d);
    }
    if (watch->drop_cookie && forge->kind == V2_INIT_RETRY) {
        watch->drop_cookie = false;
        forge_v2_drop(forge, find_notify(forge, IKE2_N_COOKIE));
        forge_v2_close(pair, forge, true, d);
    }
}

static bool tap(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    static struct forge_v2 forge;
    struct watch *watch = ctx;
    struct ike2_header header;
    assert_int_equal(ike2_header_parse(view_of(d->octets, d->len), &header), ERR_OK);
    if (header.exchange == IKE2_AUTH && (header.flags & IKE2_FLAG_RESPONSE) == 0) {
        watch->solved_auth += header.next_payload == IKE2_P_PS;
        watch->auth = *d;
        return !watch->hold_auth;
    }
    if (header.exchange != IKE2_SA_INIT)
        return true;
    forge_v2_open(pair, d, &forge);
    if (forge.kind != V2_INIT_REQ) {
        see_answer(pair, watch, &forge, d);
        return true;
    }
    watch->offer = *d;
    size_t at = find_solution(&forge);
    if (at == FORGE_V2_PAYLOADS)
        return true;
    watch->solved++;
    watch->solution = *d;
    if (watch->strip) {
        forge_v2_drop(&forge, at);
        forge_v2_close(pair, &forge, true, d);
    }
    return true;
}

static struct pair *new_pair(struct watch *watch, enum ike_puzzles puzzles)
{
    struct pair_options options = {.version = IKE_VERSION_2};
    options.config.puzzles = puzzles;
    options.config.puzzle_bits = BITS;
    struct pair *pair = pair_new(&options);
    pair->tap = tap;
    pair->tap_ctx = watch;
    return pair;
}

static size_t ike_sas(const struct pair *pair, unsigned side)
{
    return pair->sides[side].ike->v2.all_count;
}

static void assert_up(const struct pair *pair)
{
    assert_int_equal(pair_check_keys(pair), 2);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        assert_int_equal(pair->sides[s].up, 1);
        assert_int_equal(ike_sas(pair, s), 1);
    }
    assert_int_equal(pair->sides[PAIR_A].ike->v2.solving, 0);
}

/* One for IKE_SA_INIT, one for IKE_AUTH. */
static void test_always(void **state)
{
    struct watch watch = {.asked = 0};
    struct pair *pair = new_pair(&watch, IKE_PUZZLES_ALWAYS);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 5 * SECOND);
    assert_up(pair);
    assert_int_equal(watch.asked, 1);
    assert_int_equal(watch.solved, 1);
    assert_int_equal(watch.asked_auth, 1);
    assert_int_equal(watch.solved_auth, 1);
    assert_int_equal(watch.bits, BITS);
    assert_int_equal(pair_counter(pair, PAIR_B, "puzzle-not-solved"), 0);
    pair_free(pair);
}

struct fragments {
    unsigned count, with_solution;
};

static bool see_fragments(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct fragments *seen = ctx;
    (void)pair;
    assert_true(d->len <= V2_DATAGRAM);
    if (d->octets[18] != IKE2_AUTH || (d->octets[19] & IKE2_FLAG_RESPONSE) != 0)
        return true;
    bool solution = d->octets[16] == IKE2_P_PS;
    assert_int_equal(solution ? d->octets[IKE2_HEADER_LEN] : d->octets[16], IKE2_P_SKF);
    assert_int_equal(solution, seen->count == 0);
    seen->count++;
    seen->with_solution += solution;
    return true;
}

/* With a certificate IKE_AUTH goes in fragments; the first of them has the solution. */
static void test_fragments(void **state)
{
    struct site *site = site_certified(false, false, site_alt_names[PAIR_B], 0);
    struct fragments seen = {.count = 0};
    const struct view chain[] = {site->chain[PAIR_A], site->chain[PAIR_A], site->chain[PAIR_A]};
    (void)state;
    site->profiles[PAIR_A][0].own_chain = chain; /* more than goes into one */
    site->profiles[PAIR_A][0].own_chain_count = 3;
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        site->profiles[s][0].version = IKE_VERSION_2;
        site_reconfigure(site, s, 1);
        site->config[s].puzzles = IKE_PUZZLES_ALWAYS;
        site->config[s].puzzle_bits = BITS;
        ike_reconfigure(site->pair->sides[s].ike, &site->config[s]);
    }
    site->pair->tap = see_fragments;
    site->pair->tap_ctx = &seen;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 5 * SECOND);
    site_check_up(site);
    assert_true(seen.count > 1);
    assert_int_equal(seen.with_solution, 1);
    site_free(site);
}

/* The worker gets its turn in slices: others are served while it works. */
static void test_slices(void **state)
{
    struct watch watch = {.set_bits = 14};
    struct pair *pair = new_pair(&watch, IKE_PUZZLES_ALWAYS);
    struct ike *ike = pair->sides[PAIR_A].ike;
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    while (ike->v2.solving == 0)
        pair_run(pair, 1);
    unsigned turns = 0;
    for (; ike->v2.solving != 0 && watch.asked_auth == 0; turns++) {
        struct ike_sa_info info;
        assert_true(ike_sa_info(ike, 0, &info));
        assert_string_equal(info.state, "initiator: solving a puzzle");
        ike_timer(ike, pair->now); /* one slice, not all of them */
        mono_t next = ike_next_deadline(ike);
        assert_true(next.ms > pair->now.ms);
        pair_run(pair, next.ms - pair->now.ms);
    }
    assert_in_range(turns, 5, 1000);
    pair_run(pair, 5 * SECOND);
    assert_up(pair);
    pair_free(pair);
}

/* Beyond what a tunnel is worth only the cookie goes back, and who demands work does not serve that. */
static void test_too_hard(void **state)
{
    static const uint8_t bits[] = {21, 64, 255};
    (void)state;
    for (size_t i = 0; i < sizeof(bits); i++) {
        struct watch watch = {.set_bits = bits[i]};
        struct pair *pair = new_pair(&watch, IKE_PUZZLES_ALWAYS);
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 15);
        assert_int_equal(pair->sides[PAIR_A].ike->v2.solving, 0);
        pair_run(pair, 5 * SECOND); /* asked again, with another puzzle */
        assert_up(pair);
        assert_int_equal(watch.asked, 2);
        pair_free(pair);
    }
}

/* One that would never end: after the time that a silent peer has, the cookie goes alone. */
static void test_gives_up(void **state)
{
    struct watch watch = {.set_bits = 20};
    struct pair *pair = new_pair(&watch, IKE_PUZZLES_ALWAYS);
    struct v2_sa *sa;
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 22);
    sa = pair->sides[PAIR_A].ike->v2.all[0];
    assert_true(sa->handshake->solves);
    sa->handshake->puzzle.next = UINT32_MAX; /* no keys are left */
    pair_run(pair, 10);
    assert_false(sa->handshake->solves);
    pair_run(pair, 5 * SECOND);
    assert_up(pair);
    assert_int_equal(watch.asked, 2);
    pair_free(pair);
}

/* Cancelled in the middle of it, and the engine freed: nobody works on. */
static void test_cancelled(void **state)
{
    struct watch watch = {.set_bits = 20};
    struct pair *pair = new_pair(&watch, IKE_PUZZLES_ALWAYS);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 22);
    assert_int_equal(pair->sides[PAIR_A].ike->v2.solving, 1);
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_CANCEL, 7), ERR_OK);
    assert_int_equal(pair->sides[PAIR_A].ike->v2.solving, 0);
    assert_int_equal(ike_sas(pair, PAIR_A), 0);
    pair_free(pair);
}

/* Section 7.1.2: no cookie, no puzzle. The true answer is waited for. */
static void test_without_cookie(void **state)
{
    struct watch watch = {.drop_cookie = true};
    struct pair *pair = new_pair(&watch, IKE_PUZZLES_ALWAYS);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 10 * SECOND);
    assert_up(pair);
    assert_int_equal(watch.asked, 2);
    assert_int_equal(watch.solved, 1);
    pair_free(pair);
}

/* A solved request, as it was just before it arrives at B. */
static struct pair *solved(struct watch *watch)
{
    *watch = (struct watch){.hold_auth = true};
    struct pair *pair = new_pair(watch, IKE_PUZZLES_ALWAYS);
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    while (watch->solved == 0)
        pair_run(pair, 1);
    pair->wire_count = 0;
    assert_int_equal(ike_sas(pair, PAIR_B), 0);
    return pair;
}

/* Changed keys, the same key twice, a key too few, keys too long, an empty payload, another cookie. */
static void test_wrong(void **state)
{
    static struct forge_v2 forge;
    (void)state;
    for (unsigned how = 0; how < 7; how++) {
        struct watch watch;
        struct pair *pair = solved(&watch);
        struct pair_datagram d = watch.solution;
        forge_v2_open(pair, &d, &forge);
        struct forge_v2_payload *ps = &forge.payloads[find_solution(&forge)];
        struct forge_v2_payload *cookie = &forge.payloads[find_notify(&forge, IKE2_N_COOKIE)];
        if (how == 0)
            memset(ps->body, 0x77, ps->len);
        else if (how == 1)
            memcpy(ps->body, ps->body + PUZZLE_KEY_LEN, PUZZLE_KEY_LEN);
        else if (how == 2)
            ps->len -= PUZZLE_KEY_LEN;
        else if (how == 3)
            ps->len = PUZZLE_KEYS * 65;
        else if (how == 4)
            ps->len = 0;
        else if (how == 5)
            cookie->body[4 + 10] ^= 1; /* it says that the puzzle was easier */
        else
            cookie->body[4 + 7] ^= 1; /* or given later */
        forge_v2_close(pair, &forge, true, &d);
        unsigned asked = pair->sent[PAIR_B];
        assert_int_equal(pair_give(pair, &d), ERR_AUTH);
        assert_int_equal(ike_sas(pair, PAIR_B), 0);
        assert_int_equal(pair->sent[PAIR_B], asked + 1); /* another puzzle */
        assert_int_equal(pair_counter(pair, PAIR_B, "puzzle-not-solved"), how < 5);
        pair_free(pair);
    }
}

/* The cookie alone, the puzzle being passed over: not where all must solve one. */
static void test_ignored(void **state)
{
    struct watch watch = {.strip = true};
    struct pair *pair = new_pair(&watch, IKE_PUZZLES_ALWAYS);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 60 * SECOND);
    assert_int_equal(pair->sides[PAIR_A].up, 0);
    assert_int_equal(ike_sas(pair, PAIR_B), 0);
    pair_free(pair);
}

/* A solution is for one nonce, one SPI and one address, and for not longer than an SA is half open. */
static void test_reused(void **state)
{
    static struct forge_v2 forge;
    (void)state;
    for (unsigned how = 0; how < 4; how++) {
        struct watch watch;
        struct pair *pair = solved(&watch);
        struct pair_datagram d = watch.solution;
        forge_v2_open(pair, &d, &forge);
        if (how == 0)
            forge.header.spi_i[0] ^= 1;
        for (size_t i = 0; i < forge.count && how == 1; i++)
            if (forge.payloads[i].type == IKE2_P_NONCE)
                forge.payloads[i].body[0] ^= 1;
        forge_v2_close(pair, &forge, true, &d);
        if (how == 2)
            assert_true(ip_addr_parse("192.0.2.66", &d.source.addr));
        if (how == 3) {
            pair_run(pair, 21 * SECOND);
            pair->wire_count = 0;
        }
        assert_int_equal(pair_give(pair, &d), ERR_AUTH);
        assert_int_equal(ike_sas(pair, PAIR_B), 0);
        pair_free(pair);
    }
    /* Given twice at once it makes one SA. */
    struct watch watch;
    struct pair *pair = solved(&watch);
    struct pair_datagram d = watch.solution;
    assert_int_equal(pair_give(pair, &d), ERR_OK);
    assert_int_equal(pair_give(pair, &d), ERR_REPLAY);
    assert_int_equal(ike_sas(pair, PAIR_B), 1);
    pair_run(pair, 21 * SECOND); /* nor another one when that is gone */
    assert_int_equal(ike_sas(pair, PAIR_B), 0);
    pair->wire_count = 0;
    assert_int_equal(pair_give(pair, &d), ERR_AUTH);
    assert_int_equal(ike_sas(pair, PAIR_B), 0);
    pair_free(pair);
}

/* IKE_AUTH: without the solution, with a wrong one; nothing is computed for either, and nothing said. */
static void test_auth(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        struct watch watch = {.hold_auth = true};
        struct pair *pair = new_pair(&watch, IKE_PUZZLES_ALWAYS);
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 200);
        assert_int_equal(watch.solved_auth, 1);
        struct pair_datagram d = watch.auth;
        const size_t solution = 4 + PUZZLE_KEYS * PUZZLE_KEY_LEN;
        if (how == 0) { /* taken out */
            d.octets[16] = d.octets[IKE2_HEADER_LEN];
            memmove(d.octets + IKE2_HEADER_LEN, d.octets + IKE2_HEADER_LEN + solution,
                    d.len - IKE2_HEADER_LEN - solution);
            d.len -= solution;
            d.octets[26] = (uint8_t)(d.len >> 8);
            d.octets[27] = (uint8_t)d.len;
        } else if (how == 1) {
            memset(d.octets + IKE2_HEADER_LEN + 4, 0x33, solution - 4);
        } else {
            memcpy(d.octets + IKE2_HEADER_LEN + 4, d.octets + IKE2_HEADER_LEN + 8, PUZZLE_KEY_LEN);
        }
        unsigned sent = pair->sent[PAIR_B];
        assert_int_equal(pair_give(pair, &d), ERR_AUTH);
        assert_int_equal(pair->sent[PAIR_B], sent);
        assert_int_equal(pair_counter(pair, PAIR_B, "puzzle-not-solved"), 1);
        assert_int_equal(pair_counter(pair, PAIR_B, "undecryptable"), 0);
        watch.hold_auth = false;
        pair_run(pair, 5 * SECOND);
        assert_up(pair);
        pair_free(pair);
    }
}

/* Outside of IKE_AUTH nothing may stand in front of the encrypted payload. */
static bool put_in_front(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    unsigned *count = ctx;
    (void)pair;
    if (d->octets[18] != IKE2_CREATE_CHILD_SA || *count != 0)
        return true;
    ++*count;
    memmove(d->octets + IKE2_HEADER_LEN + 8, d->octets + IKE2_HEADER_LEN, d->len - IKE2_HEADER_LEN);
    memcpy(d->octets + IKE2_HEADER_LEN, (const uint8_t[]){IKE2_P_SK, 0, 0, 8, 1, 2, 3, 4}, 8);
    d->octets[16] = IKE2_P_PS;
    d->len += 8;
    d->octets[26] = (uint8_t)(d->len >> 8);
    d->octets[27] = (uint8_t)d->len;
    return true;
}

static void test_elsewhere(void **state)
{
    struct watch watch = {.asked = 0};
    struct pair *pair = new_pair(&watch, IKE_PUZZLES_NEVER);
    unsigned count = 0;
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1 * SECOND);
    pair->tap = put_in_front;
    pair->tap_ctx = &count;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 5 * SECOND);
    assert_int_equal(count, 1);
    assert_int_equal(pair_counter(pair, PAIR_B, "not-encrypted"), 1);
    assert_int_equal(pair->sides[PAIR_A].up, 2); /* it was repeated */
    pair_free(pair);
}

/* Strangers at B, by number and address. */
static enum err knock(struct pair *pair, const struct pair_datagram *offer, unsigned n, bool one)
{
    struct pair_datagram d = *offer;
    pair->wire_count = 0;
    d.octets[0] = (uint8_t)(n >> 8);
    d.octets[1] = (uint8_t)n;
    d.octets[2] = 0xee;
    if (!one) {
        d.source.addr.octets[1] = (uint8_t)(n >> 8);
        d.source.addr.octets[2] = (uint8_t)n;
    }
    return pair_give(pair, &d);
}

/* Nothing, then cookies, then puzzles, then harder ones, as more SAs are half open. */
static void test_levels(void **state)
{
    struct watch watch = {.asked = 0};
    struct pair *pair = new_pair(&watch, IKE_PUZZLES_BY_PRESSURE);
    struct ike *b = pair->sides[PAIR_B].ike;
    (void)state;
    b->config.half_open = 400;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    assert_int_equal(pair->wire_count, 1);
    const struct pair_datagram offer = pair->wire[0];
    pair->wire_count = 0;

    assert_int_equal(knock(pair, &offer, 1, false), ERR_OK);
    assert_int_equal(knock(pair, &offer, 2, false), ERR_OK);
    static const struct {
        size_t open;
        unsigned asked, bits;
    } levels[] = {{100, 0, 0}, {199, 0, 0}, {200, 1, BITS}, {299, 1, BITS}, {300, 1, BITS + 2}};
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        size_t really = b->v2.unproven_count;
        watch.asked = watch.bits = 0;
        b->v2.unproven_count = levels[i].open;
        assert_int_equal(knock(pair, &offer, 100 + (unsigned)i, false), ERR_AUTH);
        b->v2.unproven_count = really;
        assert_int_equal(watch.asked, levels[i].asked);
        assert_int_equal(watch.bits, levels[i].bits);
        assert_int_equal(pair_counter(pair, PAIR_B, "bad-responder-cookie"), i + 1);
    }
    pair->tap = NULL;
    pair_run(pair, 60 * SECOND);
    pair_free(pair);
}

/* Many from one address: that one has to work, another one has not. */
static void test_one_address(void **state)
{
    struct watch watch = {.asked = 0};
    struct pair *pair = new_pair(&watch, IKE_PUZZLES_BY_PRESSURE);
    struct ike *b = pair->sides[PAIR_B].ike;
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    assert_int_equal(pair->wire_count, 1);
    const struct pair_datagram offer = pair->wire[0];
    uint16_t *from = &b->unproven_from[ike_unproven_slot(b, &offer.source.addr)];
    *from = 12;
    assert_int_equal(knock(pair, &offer, 1, true), ERR_AUTH);
    assert_int_equal(watch.asked, 1);
    assert_int_equal(knock(pair, &offer, 2, false), ERR_OK);
    assert_int_equal(watch.asked, 1);

    /* Some of those who know no puzzles are let through, once their cookie is back. */
    unsigned served = 0;
    watch.strip = true;
    for (unsigned n = 0; n < 40; n++) {
        static struct forge_v2 forge, request;
        assert_int_equal(knock(pair, &offer, 1000 + n, true), ERR_AUTH);
        struct pair_datagram answer = pair->wire[0], again = offer;
        forge_v2_open(pair, &answer, &forge);
        again.octets[0] = (uint8_t)((1000 + n) >> 8);
        again.octets[1] = (uint8_t)(1000 + n);
        again.octets[2] = 0xee;
        forge_v2_open(pair, &again, &request);
        struct forge_v2_payload *cookie = &forge.payloads[find_notify(&forge, IKE2_N_COOKIE)];
        forge_v2_add(&request, IKE2_P_N, view_of(cookie->body, cookie->len));
        forge_v2_close(pair, &request, true, &again);
        *from = 12;
        served += pair_give(pair, &again) == ERR_OK;
    }
    assert_in_range(served, 1, 25);
    *from = 0;
    for (size_t i = 0; i < b->v2.all_count; i++)
        *from += b->v2.all[i]->unproven &&
                 b->v2.all[i]->unproven_slot == ike_unproven_slot(b, &offer.source.addr);
    pair->tap = NULL;
    pair->wire_count = 0;
    pair_run(pair, 60 * SECOND);
    pair_free(pair);
}

/* IKE_AUTH puzzles come with much that can't be decrypted, and only for who solved one before. */
static void test_junk(void **state)
{
    (void)state;
    for (unsigned much = 0; much < 2; much++)
        for (unsigned worked = 0; worked < 2; worked++) {
            struct watch watch = {.asked = 0};
            struct pair *pair = new_pair(&watch, IKE_PUZZLES_BY_PRESSURE);
            struct ike *b = pair->sides[PAIR_B].ike;
            uint16_t *from =
                &b->unproven_from[ike_unproven_slot(b, &pair->sides[PAIR_A].addr.addr)];
            b->now = pair->now;
            for (unsigned i = 0; i < (much ? 16 : 15); i++)
                defence_junk(b);
            *from = worked ? 12 : 0;
            assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
            pair_run(pair, 35);
            *from = (uint16_t)(*from - (worked ? 12 : 0));
            pair_run(pair, 5 * SECOND);
            assert_up(pair);
            assert_int_equal(watch.asked, worked);
            assert_int_equal(watch.asked_auth, much && worked);
            assert_int_equal(watch.solved_auth, much && worked);
            pair_free(pair);
        }
}

/* What really comes in is what is counted. */
static void test_junk_counts(void **state)
{
    struct watch watch = {.hold_auth = true};
    struct pair *pair = new_pair(&watch, IKE_PUZZLES_NEVER);
    struct ike *b = pair->sides[PAIR_B].ike;
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 100);
    struct pair_datagram d = watch.auth;
    d.octets[d.len - 1] ^= 1;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pair_give(pair, &d), ERR_DECRYPT);
    assert_int_equal(b->v2.junk, 3);
    watch.hold_auth = false;
    pair_run(pair, 20 * SECOND);
    assert_up(pair);
    b->now = pair->now;
    defence_junk(b); /* the time is over: counted anew */
    assert_int_equal(b->v2.junk, 1);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_always),      cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_slices),      cmocka_unit_test(test_too_hard),
        cmocka_unit_test(test_gives_up),    cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_without_cookie), cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_ignored),     cmocka_unit_test(test_reused),
        cmocka_unit_test(test_auth),        cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_levels),      cmocka_unit_test(test_one_address),
        cmocka_unit_test(test_junk),        cmocka_unit_test(test_junk_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
