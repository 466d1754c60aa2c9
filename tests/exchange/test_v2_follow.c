/*
 * More key exchanges than one behind CREATE_CHILD_SA (RFC 9370 section 2.2.4): children and IKE SAs that
 * replace others, by either end and by both at once, and what is lost, forgotten or wrong on the way.
 */
#include "forge_v2.h"
#include "site.h"

enum { SECOND = 1000, P256 = IKE2_KE_ECP_256, P384 = IKE2_KE_ECP_384 };

struct watch {
    unsigned followups;          /* messages of IKE_FOLLOWUP_KE */
    enum v2_message_kind lose;   /* the first of these */
    enum v2_message_kind spoil;  /* the first of these gets ... */
    uint8_t type;                /* ... another last octet in this payload */
    bool forget;                 /* the responder does, before the first request comes */
    bool no_more;                /* no IKE_FOLLOWUP_KE request arrives */
};

static void spoil(struct pair *pair, struct watch *watch, struct forge_v2 *forge,
                  struct pair_datagram *d)
{
    watch->spoil = V2_NO_MESSAGE;
    for (size_t i = 0; i < forge->count; i++) {
        struct forge_v2_payload *p = &forge->payloads[i];
        if (p->type == watch->type)
            p->body[p->type == IKE2_P_KE ? 1 : p->len - 1] ^= 1; /* of KE the method */
    }
    forge_v2_close(pair, forge, false, d);
}

static bool tap(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    static struct forge_v2 forge;
    struct watch *watch = ctx;
    struct ike2_header header;
    assert_int_equal(ike2_header_parse(view_of(d->octets, d->len), &header), ERR_OK);
    bool request = (header.flags & IKE2_FLAG_RESPONSE) == 0;
    bool follows = header.exchange == IKE2_FOLLOWUP_KE;
    watch->followups += follows;
    if (follows && request && watch->forget) {
        struct ike *ike = pair->sides[!d->from].ike;
        watch->forget = false;
        for (size_t i = 0; i < ike->v2.all_count; i++)
            follow_give_up(ike, ike->v2.all[i], "a test");
        pair_drain(pair, !d->from);
    }
    if (follows && request && watch->no_more)
        return false;
    if ((!follows && header.exchange != IKE2_CREATE_CHILD_SA) ||
        (watch->lose == V2_NO_MESSAGE && watch->spoil == V2_NO_MESSAGE))
        return true;
    forge_v2_open(pair, d, &forge);
    if (watch->spoil != V2_NO_MESSAGE && forge.kind == watch->spoil)
        spoil(pair, watch, &forge, d);
    if (watch->lose != V2_NO_MESSAGE && forge.kind == watch->lose) {
        watch->lose = V2_NO_MESSAGE;
        return false;
    }
    return true;
}

static struct site *meet(struct watch *watch, const uint16_t *methods, size_t count)
{
    struct site *site = site_new(IKE_BY_PSK, false);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        struct ike_profile *p = &site->profiles[s][0];
        p->version = IKE_VERSION_2;
        p->dpd_s = 3600;
        memcpy(p->additional, methods, count * sizeof(methods[0]));
        site_reconfigure(site, s, 1);
    }
    site->pair->tap = tap;
    site->pair->tap_ctx = watch;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 5 * SECOND);
    site_check_up(site);
    assert_int_equal(watch->followups, 0);
    return site;
}

static struct v2_sa *sa_of(const struct site *site, unsigned side)
{
    assert_int_equal(site->pair->sides[side].ike->v2.all_count, 1);
    return site->pair->sides[side].ike->v2.all[0];
}

static void rekey_child(struct site *site, unsigned side)
{
    const struct ike_event event = {
        .kind = IKE_EV_INITIATE,
        .ticket = SITE_TICKET,
        .profile = SITE_PROFILE,
        .local = {.addr = site->pair->sides[side].addr.addr},
        .remote = {.addr = site->pair->sides[!side].addr.addr},
        .traffic = site_traffic(side),
    };
    assert_int_equal(ike_input(site->pair->sides[side].ike, site->pair->now, &event), ERR_OK);
    pair_drain(site->pair, side);
}

static void rekey_sa(struct site *site, unsigned side)
{
    site->pair->sides[side].ike->now = site->pair->now;
    rekey_begin(site->pair->sides[side].ike, sa_of(site, side));
    pair_drain(site->pair, side);
}

static void rekey(struct site *site, unsigned side, bool child)
{
    if (child)
        rekey_child(site, side);
    else
        rekey_sa(site, side);
}

/* One IKE SA, one tunnel, both ends agree on it, nothing is under way. */
static void assert_one(const struct site *site, const char *methods)
{
    const struct pair *pair = site->pair;
    assert_int_equal(pair_check_keys(pair), 2);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        const struct v2_sa *sa = sa_of(site, s);
        struct ike_sa_info info;
        assert_int_equal(pair_sad_count(pair, s), 2);
        assert_int_equal(pair->sides[s].deleted, 0);
        assert_true(sa->mine == NULL && sa->theirs == NULL && sa->following == NULL &&
                    TAILQ_EMPTY(&sa->waiting));
        const struct ike_child *child = LIST_FIRST(&sa->children);
        assert_non_null(child);
        assert_null(LIST_NEXT(child, of_v2_sa));
        assert_int_equal(child->state, IKE_CHILD_UP);
        assert_true(ike_sa_info(pair->sides[s].ike, 0, &info));
        assert_string_equal(strrchr(info.suite, ' ') + 1, methods);
    }
    const struct v2_sa *a = sa_of(site, PAIR_A), *b = sa_of(site, PAIR_B);
    assert_memory_equal(a->own_spi, b->peer_spi, IKE2_SPI_LEN);
    assert_memory_equal(a->keys.d, b->keys.d, sizeof(a->keys.d));
}

static const uint16_t two[] = {P256, P384}, one[] = {P256};
static const char all_of_two[] = "curve25519+ecp256+ecp384";

/* Either end, one and two more; then once more under the new one. */
static void test_rekeys(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct watch watch = {.followups = 0};
        size_t count = (i & 4) ? 1 : 2;
        struct site *site = meet(&watch, two, count);
        for (unsigned n = 1; n <= 3; n++) {
            rekey(site, n == 3 ? !(i & 1) : i & 1, (i & 2) != 0);
            pair_run(site->pair, 60 * SECOND);
            assert_int_equal(watch.followups, 2 * count * n);
            assert_one(site, count == 1 ? "curve25519+ecp256" : all_of_two);
        }
        site_free(site);
    }
}

/* A keying daemon that restarts in between still knows how its IKE SA was made. */
static void test_after_restart(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct watch watch = {.followups = 0};
        struct site *site = meet(&watch, two, 2);
        site->pair->sides[side].profiles = site->profiles[side];
        site->pair->sides[side].profile_count = 1;
        pair_crash(site->pair, side, true);
        rekey_sa(site, side);
        pair_run(site->pair, 60 * SECOND);
        assert_int_equal(watch.followups, 4);
        assert_one(site, all_of_two);
        site_free(site);
    }
}

/* Both ends at once, with messages lost on the way: one of the two new ones stays. */
static void test_both(void **state)
{
    static const enum v2_message_kind losses[] = {V2_NO_MESSAGE,   V2_CHILD_REQ,    V2_CHILD_RSP,
                                                  V2_REKEY_REQ,    V2_REKEY_RSP,    V2_FOLLOWUP_REQ,
                                                  V2_FOLLOWUP_RSP};
    (void)state;
    for (unsigned child = 0; child < 2; child++)
        for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
            for (unsigned late = 0; late < 100; late += 11) {
                struct watch watch = {.lose = losses[i]};
                struct site *site = meet(&watch, one, 1);
                rekey(site, PAIR_A, child != 0);
                pair_run(site->pair, late);
                if (site->pair->sides[PAIR_B].ike->v2.all_count == 1)
                    rekey(site, PAIR_B, child != 0);
                pair_run(site->pair, 120 * SECOND);
                assert_one(site, "curve25519+ecp256");
                site_free(site);
            }
}

/* Each message once; it is repeated. */
static void test_loss(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct watch watch = {.lose = (i & 1) ? V2_FOLLOWUP_RSP : V2_FOLLOWUP_REQ};
        struct site *site = meet(&watch, two, 2);
        rekey(site, PAIR_A, (i & 2) != 0);
        pair_run(site->pair, 60 * SECOND);
        assert_one(site, all_of_two);
        site_free(site);
    }
}

/* STATE_NOT_FOUND: the initiator begins anew. */
static void test_forgotten(void **state)
{
    (void)state;
    for (unsigned child = 0; child < 2; child++) {
        struct watch watch = {.followups = 0};
        struct site *site = meet(&watch, two, 2);
        watch.forget = true;
        rekey(site, PAIR_A, child != 0);
        pair_run(site->pair, 60 * SECOND);
        assert_int_equal(watch.followups, 2 + 4);
        assert_one(site, all_of_two);
        site_free(site);
    }
}

/* The initiator does not go on: what it began comes to nothing here, and nothing of it stays. */
static void test_abandoned(void **state)
{
    (void)state;
    for (unsigned child = 0; child < 2; child++) {
        struct watch watch = {.no_more = true};
        struct site *site = meet(&watch, two, 2);
        struct v2_sa *b = sa_of(site, PAIR_B);
        rekey(site, PAIR_A, child != 0);
        pair_run(site->pair, 5 * SECOND);
        assert_non_null(b->following);
        assert_ptr_equal(sa_of(site, PAIR_B), b); /* nothing is made before the last */
        assert_int_equal(pair_sad_count(site->pair, PAIR_B), 2);
        /* B may say what it likes meanwhile. */
        site->pair->sides[PAIR_B].ike->now = site->pair->now;
        info_ask_alive(site->pair->sides[PAIR_B].ike, b);
        pair_drain(site->pair, PAIR_B);
        pair_run(site->pair, 200);
        assert_null(b->mine);
        pair_run(site->pair, 14815); /* A is a little more patient */
        assert_null(b->following);
        assert_int_equal(pair_sad_count(site->pair, PAIR_B), 2);
        site_free(site);
    }
}

/* Another key exchange than was agreed on, by either end; a link that leads nowhere. */
static void test_wrong(void **state)
{
    static const struct {
        enum v2_message_kind spoil;
        uint8_t type;
        bool recovers;
    } cases[] = {
        {V2_FOLLOWUP_REQ, IKE2_P_KE, false},
        {V2_FOLLOWUP_RSP, IKE2_P_KE, false},
        {V2_FOLLOWUP_REQ, IKE2_P_N, true},
    };
    (void)state;
    for (unsigned child = 0; child < 2; child++)
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct watch watch = {.spoil = cases[i].spoil, .type = cases[i].type};
            struct site *site = meet(&watch, one, 1);
            const struct ike_child *old = LIST_FIRST(&sa_of(site, PAIR_A)->children);
            uint32_t spi = old->spi_in.value;
            rekey(site, PAIR_A, child != 0);
            pair_run(site->pair, 2 * SECOND);
            if (cases[i].recovers) {
                pair_run(site->pair, 60 * SECOND);
                assert_one(site, "curve25519+ecp256");
            } else if (cases[i].spoil == V2_FOLLOWUP_REQ) {
                /* INVALID_SYNTAX ends the IKE SA at both ends (RFC 7296 section 2.21.3). */
                assert_int_equal(pair_counter(site->pair, PAIR_B, "bad-value"), 1);
                assert_int_equal(site->pair->sides[PAIR_B].ike->v2.all_count, 0);
            } else {
                assert_int_equal(pair_counter(site->pair, PAIR_A, "bad-value"), 1);
                assert_int_equal(old->spi_in.value, spi);
            }
            site_free(site);
        }
}

/* An IKE_FOLLOWUP_KE out of nowhere, once the first is over. */
static bool repeat(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    static struct forge_v2 forge;
    struct ike2_header header;
    bool *done = ctx;
    assert_int_equal(ike2_header_parse(view_of(d->octets, d->len), &header), ERR_OK);
    if (header.exchange != IKE2_INFORMATIONAL || (header.flags & IKE2_FLAG_RESPONSE) != 0 || *done)
        return true;
    *done = true;
    forge_v2_open(pair, d, &forge);
    uint8_t ke[4 + 64] = {0, P256};
    static const uint8_t link[] = {0, 0, IKE2_N_ADDITIONAL_KEY_EXCHANGE >> 8,
                                   IKE2_N_ADDITIONAL_KEY_EXCHANGE & 0xff, 1, 2, 3, 4, 5, 6, 7, 8};
    forge.header.exchange = IKE2_FOLLOWUP_KE;
    forge_v2_add(&forge, IKE2_P_KE, view_of(ke, sizeof(ke)));
    forge_v2_add(&forge, IKE2_P_N, view_of(link, sizeof(link)));
    forge_v2_close(pair, &forge, false, d);
    return true;
}

static void test_out_of_nowhere(void **state)
{
    struct watch watch = {.followups = 0};
    struct site *site = meet(&watch, one, 1);
    bool done = false;
    (void)state;
    site->pair->tap = repeat;
    site->pair->tap_ctx = &done;
    site->pair->sides[PAIR_A].ike->now = site->pair->now;
    info_ask_alive(site->pair->sides[PAIR_A].ike, sa_of(site, PAIR_A));
    pair_drain(site->pair, PAIR_A);
    pair_run(site->pair, 100);
    assert_true(done);
    assert_int_equal(pair_counter(site->pair, PAIR_B, "bad-value"), 1);
    assert_int_equal(pair_sad_count(site->pair, PAIR_B), 2);
    assert_int_equal(sa_of(site, PAIR_B)->next_in, 4); /* IKE_INTERMEDIATE, IKE_AUTH, and this, answered */
    site_free(site);
}

/* A peer that has one key exchange only gets one. */
static void test_one_sided(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct watch watch = {.followups = 0};
        struct site *site = meet(&watch, two, 2);
        memset(site->profiles[side][0].additional, 0, sizeof(site->profiles[side][0].additional));
        site_reconfigure(site, side, 1);
        rekey_child(site, PAIR_A);
        pair_run(site->pair, 60 * SECOND);
        rekey_sa(site, PAIR_A);
        pair_run(site->pair, 60 * SECOND);
        assert_int_equal(watch.followups, 0);
        assert_one(site, "curve25519");
        site_free(site);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rekeys),    cmocka_unit_test(test_after_restart),
        cmocka_unit_test(test_both),      cmocka_unit_test(test_loss),
        cmocka_unit_test(test_forgotten), cmocka_unit_test(test_abandoned),
        cmocka_unit_test(test_wrong),     cmocka_unit_test(test_out_of_nowhere),
        cmocka_unit_test(test_one_sided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
