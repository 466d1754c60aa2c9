/*
 * What the wire does to IKEv2: loss, repetition, NAT, cookies, another key exchange, fragments, and
 * a keying daemon that ends and begins again.
 */
#include "ike/v2/v2.h"
#include "pair.h"

enum { SECONDS = 1000 };

static const struct pair_options v2 = {.version = IKE_VERSION_2};

static size_t ike_sas(const struct pair *pair, unsigned side)
{
    struct ike_sa_info info;
    size_t count = 0;
    while (ike_sa_info(pair->sides[side].ike, count, &info))
        count++;
    return count;
}

static void assert_up(const struct pair *pair, unsigned tunnels)
{
    assert_int_equal(pair_check_keys(pair), 2 * tunnels);
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        assert_int_equal(pair->sides[i].failed, 0);
        assert_int_equal(ike_sas(pair, i), 1);
    }
}

/* Each datagram in turn is lost, or comes twice, or later than its repetition. */
struct fate {
    unsigned at, seen;
    enum { LOST, TWICE, LATE } what;
};

static bool meet_fate(struct pair *pair, struct pair_datagram *datagram, void *ctx)
{
    struct fate *fate = ctx;
    if (fate->seen++ != fate->at)
        return true;
    if (fate->what == TWICE)
        pair->wire[pair->wire_count++] = *datagram;
    if (fate->what == LATE)
        datagram->at = mono_add(datagram->at, 1700);
    return fate->what != LOST;
}

static void test_each_datagram(void **state)
{
    (void)state;
    for (unsigned what = LOST; what <= LATE; what++) {
        for (unsigned at = 0; at < 8; at++) {
            struct fate fate = {.at = at, .what = what};
            struct pair *pair = pair_new(&v2);
            pair->tap = meet_fate;
            pair->tap_ctx = &fate;
            pair->sides[PAIR_A].ticket = 7;
            assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
            pair_run(pair, 5 * SECONDS);
            assert_int_equal(pair_initiate(pair, PAIR_B, 1001, 0), ERR_OK);
            pair_run(pair, 20 * SECONDS);
            assert_int_equal(pair->sides[PAIR_A].up, 2);
            assert_int_equal(pair->sides[PAIR_B].up, 2);
            assert_up(pair, 1);
            pair_free(pair);
        }
    }
}

static bool lose(struct pair *pair, struct pair_datagram *datagram, void *ctx)
{
    (void)pair;
    (void)datagram;
    (void)ctx;
    return false;
}

/* OE-060, OE-062: 20 seconds of silence; it is asked again in between, each time less often. */
static void test_silence(void **state)
{
    struct pair *pair = pair_new(&v2);
    (void)state;
    pair->tap = lose;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 19 * SECONDS);
    assert_int_equal(pair->sides[PAIR_A].failed, 0);
    pair_run(pair, 2 * SECONDS);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    assert_int_equal(pair->sides[PAIR_A].last_failed.failure, IKE_FAILURE_SILENT);
    assert_int_equal(pair->sent[PAIR_A], 6);
    assert_int_equal(ike_sas(pair, PAIR_A), 0);
    pair_free(pair);
}

/* A peer that has lost the IKE SA: another one is made for the request. */
static void test_forgotten(void **state)
{
    struct pair *pair = pair_new(&v2);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1 * SECONDS);
    pair_crash(pair, PAIR_B, false);
    pair->sides[PAIR_B].ticket = 1002;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 20 * SECONDS);
    assert_int_equal(pair->sides[PAIR_A].up, 2);
    assert_int_equal(pair->sides[PAIR_A].deleted, 1);
    assert_int_equal(pair->sides[PAIR_A].failed, 0);
    assert_true(pair_counter(pair, PAIR_A, "unprotected-notify") > 0);
    assert_up(pair, 1);
    pair_free(pair);
}

/* Section 2.6: nothing is kept for a stranger before the cookie comes back. */
static void test_cookie(void **state)
{
    struct pair_options options = v2;
    struct pair *pair;
    (void)state;
    options.config.cookies_always = true;
    pair = pair_new(&options);
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    assert_int_equal(pair->wire_count, 1);
    const struct pair_datagram first = pair->wire[0];
    assert_int_equal(pair_give(pair, &first), ERR_AUTH);
    assert_int_equal(ike_sas(pair, PAIR_B), 0);
    pair_run(pair, 1 * SECONDS);
    assert_up(pair, 1);
    assert_int_equal(pair->sent[PAIR_A], 3);
    /* for another address it is no good */
    struct pair_datagram moved = first;
    moved.source.addr.octets[3] ^= 7;
    assert_int_equal(pair_give(pair, &moved), ERR_AUTH);
    pair_free(pair);
}

/* The first from one address come without, then they have to show a cookie. */
static void test_cookie_pressure(void **state)
{
    struct pair *pair = pair_new(&v2);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    struct pair_datagram d = pair->wire[0];
    pair->wire_count = 0;
    for (unsigned i = 0; i < 10; i++) {
        d.octets[0]++;
        (void)pair_give(pair, &d);
    }
    assert_int_equal(ike_sas(pair, PAIR_B), 4);
    assert_int_equal(pair_counter(pair, PAIR_B, "bad-responder-cookie"), 6);
    pair->tap = lose;
    pair_run(pair, 60 * SECONDS);
    assert_int_equal(ike_sas(pair, PAIR_B), 0);
    pair_free(pair);
}

/* Section 1.3: the group that the responder wants; the offer is unchanged. */
static void test_other_group(void **state)
{
    struct pair *pair = pair_new(&v2);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    struct pair_datagram d = pair->wire[0];
    struct ike2_header header;
    uint8_t answer[128];
    struct ike2_writer w;
    pair->wire_count = 0;
    assert_int_equal(ike2_header_parse(view_of(d.octets, d.len), &header), ERR_OK);
    header.flags = IKE2_FLAG_RESPONSE;
    for (unsigned i = 0; i < 3; i++) {
        /* one that was not offered, then one that was, then it goes on as ever */
        static const uint8_t wish[3][2] = {{0, 1}, {0, IKE2_KE_ECP_256}, {0, IKE2_KE_ECP_384}};
        ike2_writer_start(&w, span_of(answer, sizeof(answer)), &header);
        ike2_writer_notify(&w, IKE2_N_INVALID_KE_PAYLOAD, view_of(wish[i], 2));
        enum err err = pair_inject(pair, PAIR_A, ike2_writer_finish(&w));
        assert_int_equal(err, i == 0 ? ERR_VALUE : ERR_OK);
        assert_int_equal(pair->wire_count, i);
    }
    pair_run(pair, 30 * SECONDS); /* what the requests before the last left has gone */
    assert_up(pair, 1);
    struct ike_sa_info info;
    assert_true(ike_sa_info(pair->sides[PAIR_A].ike, 0, &info));
    assert_non_null(strstr(info.suite, "ecp"));
    pair_free(pair);
}

/* Unprotected refusals are hints: the true answer still counts, and without one it ends soon. */
static void test_hint(void **state)
{
    (void)state;
    for (unsigned honest = 0; honest < 2; honest++) {
        struct pair *pair = pair_new(&v2);
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        struct ike2_header header;
        uint8_t answer[128];
        struct ike2_writer w;
        assert_int_equal(
            ike2_header_parse(view_of(pair->wire[0].octets, pair->wire[0].len), &header), ERR_OK);
        header.flags = IKE2_FLAG_RESPONSE;
        ike2_writer_start(&w, span_of(answer, sizeof(answer)), &header);
        ike2_writer_notify(&w, IKE2_N_NO_PROPOSAL_CHOSEN, view_of(NULL, 0));
        if (!honest) {
            pair->wire_count = 0;
            pair->tap = lose;
        }
        assert_int_equal(pair_inject(pair, PAIR_A, ike2_writer_finish(&w)), ERR_OK);
        pair_run(pair, 4 * SECONDS);
        assert_int_equal(pair->sides[PAIR_A].up, honest);
        assert_int_equal(pair->sides[PAIR_A].failed, !honest);
        if (!honest)
            assert_int_equal(pair->sides[PAIR_A].last_failed.failure, IKE_FAILURE_REFUSED);
        pair_free(pair);
    }
}

/* NAT */

struct nat {
    struct ip_endpoint inside, outside; /* of side A; ports by the port inside */
    uint16_t shift;
};

static bool translate(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct nat *nat = ctx;
    (void)pair;
    if (d->from == PAIR_A) {
        d->source.addr = nat->outside.addr;
        d->source.port = (uint16_t)(d->source.port + nat->shift);
    } else {
        d->target.addr = nat->inside.addr;
        d->target.port = d->natt ? IKE_NATT_PORT : IKE_PORT;
    }
    return true;
}

static struct pair *behind_nat(struct nat *nat)
{
    struct pair *pair = pair_new(&v2);
    *nat = (struct nat){.inside = pair->sides[PAIR_A].addr, .shift = 10000};
    assert_true(ip_addr_parse("203.0.113.9", &nat->outside.addr));
    pair->sides[PAIR_A].reached_at = nat->outside.addr;
    pair->tap = translate;
    pair->tap_ctx = nat;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1 * SECONDS);
    return pair;
}

/* Section 2.23: both find it, IKE_AUTH comes from port 4500, ESP goes inside UDP; the mapping is
 * kept alive, and followed when it changes. */
static void test_nat(void **state)
{
    struct nat nat;
    struct pair *pair = behind_nat(&nat);
    struct ike_sa_info info;
    (void)state;
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair->sides[PAIR_B].up, 1);
    assert_int_equal(pair_check_keys(pair), 2);
    assert_true(ike_sa_info(pair->sides[PAIR_A].ike, 0, &info));
    assert_true(info.nat_here && !info.nat_there && info.udp && info.local.port == 4500);
    assert_true(ike_sa_info(pair->sides[PAIR_B].ike, 0, &info));
    assert_true(!info.nat_here && info.nat_there && info.udp && info.remote.port == 14500);
    pair_run(pair, 61 * SECONDS);
    assert_int_equal(pair->sides[PAIR_A].keepalives, 3);
    assert_int_equal(pair->sides[PAIR_B].keepalives, 0);
    nat.shift = 20000;
    pair->sides[PAIR_B].ticket = 1002;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 1 * SECONDS);
    assert_true(ike_sa_info(pair->sides[PAIR_B].ike, 0, &info));
    assert_int_equal(info.remote.port, 24500);
    assert_int_equal(pair_counter(pair, PAIR_B, "nat-mapping-changed"), 1);
    assert_int_equal(pair_check_keys(pair), 4);
    pair_free(pair);
}

/* A recording of old messages moves nobody. */
static void test_nat_replay(void **state)
{
    struct nat nat;
    struct pair *pair = behind_nat(&nat);
    static struct pair_datagram kept;
    (void)state;
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    kept = pair->wire[0];
    pair_run(pair, 1 * SECONDS);
    kept.source.port = 31000;
    assert_int_equal(pair_give(pair, &kept), ERR_REPLAY);
    pair_run(pair, 5 * SECONDS);
    struct ike_sa_info info;
    assert_true(ike_sa_info(pair->sides[PAIR_B].ike, 0, &info));
    assert_int_equal(info.remote.port, 14500);
    pair_free(pair);
}

static void test_nat_forced(void **state)
{
    struct pair_options options = v2;
    (void)state;
    options.config.nat = IKE_NAT_FORCE;
    struct pair *pair = pair_new(&options);
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1 * SECONDS);
    assert_up(pair, 1);
    struct ike_sa_info info;
    assert_true(ike_sa_info(pair->sides[PAIR_B].ike, 0, &info));
    assert_true(info.udp);
    pair_free(pair);
}

/* Restart */

static void test_resumed(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        for (unsigned asks = 0; asks < PAIR_SIDES; asks++) {
            struct pair *pair = pair_new(&v2);
            pair->sides[PAIR_A].ticket = 7;
            assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
            pair_run(pair, 1 * SECONDS);
            assert_int_equal(pair_record_count(pair, side), 2);
            pair_crash(pair, side, true);
            assert_true(pair->sides[side].connected);
            /* a re-key and a Delete under what was resumed */
            uint64_t ticket = asks == PAIR_A ? 7 : 1001;
            assert_int_equal(pair_initiate(pair, asks, ticket, 0), ERR_OK);
            pair_run(pair, 10 * SECONDS);
            assert_int_equal(pair->sides[asks].up, asks == side ? 2 : 2);
            assert_up(pair, 1);
            assert_int_equal(pair->sides[PAIR_B].asked_keys, 1);
            pair_crash(pair, side, true);
            assert_int_equal(pair_event(pair, asks, IKE_EV_DELETE_CHILD, ticket), ERR_OK);
            pair_run(pair, 10 * SECONDS);
            for (unsigned i = 0; i < PAIR_SIDES; i++) {
                assert_int_equal(pair->sides[i].deleted, 1);
                assert_int_equal(pair_sad_count(pair, i), 0);
                assert_int_equal(pair_record_count(pair, i), 1);
            }
            pair_free(pair);
        }
    }
}

/* With a request out: it is said again, so that the peer's window opens. */
static void test_resumed_amid(void **state)
{
    (void)state;
    for (int64_t ms = 0; ms < 40; ms += 5) {
        for (unsigned side = 0; side < PAIR_SIDES; side++) {
            struct pair *pair = pair_new(&v2);
            pair->sides[PAIR_A].ticket = 7;
            assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
            pair_run(pair, 1 * SECONDS);
            pair->sides[PAIR_B].ticket = 1002;
            assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
            pair_run(pair, ms);
            if (ms < 10)
                pair->wire_count = 0; /* and it is lost */
            pair_crash(pair, side, true);
            pair_run(pair, 5 * SECONDS);
            assert_int_equal(pair_event(pair, side, IKE_EV_DELETE_CHILD, side ? 1001 : 7), ERR_OK);
            pair_run(pair, 5 * SECONDS);
            assert_int_equal(pair->sides[!side].deleted, 1);
            assert_int_equal(ike_sas(pair, PAIR_A), 1);
            assert_int_equal(ike_sas(pair, PAIR_B), 1);
            pair_free(pair);
        }
    }
}

/* OE-175, OE-176 */
static void test_initial_contact(void **state)
{
    (void)state;
    struct pair *pair = pair_new(&v2);
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1 * SECONDS);
    pair_crash(pair, PAIR_A, false);
    const struct ike_event former = {.kind = IKE_EV_FORMER_PEER,
                                     .local = pair->sides[PAIR_A].addr,
                                     .remote = pair->sides[PAIR_B].addr};
    assert_int_equal(ike_input(pair->sides[PAIR_A].ike, pair->now, &former), ERR_OK);
    pair->sides[PAIR_B].ticket = 1002;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 1 * SECONDS);
    assert_int_equal(pair->sides[PAIR_B].deleted, 1);
    assert_up(pair, 1);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_datagram),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_cookie),
        cmocka_unit_test(test_cookie_pressure),
        cmocka_unit_test(test_other_group),
        cmocka_unit_test(test_hint),
        cmocka_unit_test(test_nat),
        cmocka_unit_test(test_nat_replay),
        cmocka_unit_test(test_nat_forced),
        cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_resumed_amid),
        cmocka_unit_test(test_initial_contact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
