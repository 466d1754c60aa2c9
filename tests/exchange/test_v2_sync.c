/*
 * Message ids after a fail-over (RFC 6311): an engine that goes on from records that are not the last ones, at either
 * end of the SA, and those who would use the question to shut an SA's window.
 */
#include "forge_v2.h"
#include "pair.h"

#include "wire/ike2_numbers.h"

enum { SECONDS = 1000, PROFILE = 5, TICKET = 7, DATA_LEN = 12 };

static const char secret[] = "a secret that two gateways share";

struct site {
    struct pair *pair;
    struct ike_profile profiles[PAIR_SIDES];
    struct pair_record kept[PAIR_RECORDS]; /* copied at some time */
    struct pair_datagram request, answer;  /* the last messages with id zero after IKE_SA_INIT */
    unsigned requests, answers;
    bool lose_answer, silent; /* the next one; everything */
    unsigned spoil;           /* which number of the answer is changed: 0 none, 1 nonce, 2, 3 */
};

static struct ike_profile profile_of(const char *own, const char *peer)
{
    struct ike_profile p = {.number = PROFILE,
                            .name = "office",
                            .version = IKE_VERSION_2,
                            .own_method = IKE_BY_PSK,
                            .peer_method = IKE_BY_PSK,
                            .psk = view_of_text(secret),
                            .dpd_s = 10};
    assert_true(identity_of_fqdn(view_of_text(own), &p.own_id));
    assert_true(identity_of_fqdn(view_of_text(peer), &p.peer_id));
    return p;
}

/* A responder's first request has that id too. */
static bool is_sync(struct pair *pair, const struct pair_datagram *d, bool response)
{
    struct ike2_header header;
    struct forge_v2 forge;
    if (ike2_header_parse(view_of(d->octets, d->len), &header) != ERR_OK ||
        header.exchange != IKE2_INFORMATIONAL || header.message_id != 0 ||
        ((header.flags & IKE2_FLAG_RESPONSE) != 0) != response)
        return false;
    forge_v2_open(pair, d, &forge);
    return forge.count == 1 && forge.payloads[0].type == IKE2_P_N &&
           forge.payloads[0].len == 4 + DATA_LEN &&
           forge.payloads[0].body[2] == IKE2_N_IKEV2_MESSAGE_ID_SYNC >> 8 &&
           forge.payloads[0].body[3] == (IKE2_N_IKEV2_MESSAGE_ID_SYNC & 0xff);
}

static void spoil(struct site *site, struct pair_datagram *d)
{
    struct forge_v2 forge;
    forge_v2_open(site->pair, d, &forge);
    assert_int_equal(forge.count, 1);
    uint8_t *data = forge.payloads[0].body + forge.payloads[0].len - DATA_LEN;
    if (site->spoil == 1)
        data[0] ^= 1;
    else
        memset(data + 4 * (site->spoil - 1), 0, 4); /* lower than what was asked for */
    forge_v2_close(site->pair, &forge, false, d);
}

static bool watch(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct site *site = ctx;
    if (is_sync(pair, d, false)) {
        site->requests++;
        site->request = *d;
    } else if (is_sync(pair, d, true)) {
        site->answers++;
        site->answer = *d;
        bool lost = site->lose_answer;
        site->lose_answer = false;
        if (site->spoil != 0)
            spoil(site, d);
        if (lost)
            return false;
    }
    return !site->silent;
}

static struct traffic net_of(const char *text)
{
    struct traffic t = {.port_last = UINT16_MAX};
    assert_true(ip_prefix_parse(text, &t.net));
    return t;
}

static struct site *site_up(void)
{
    const struct traffic_pair traffic = {net_of("10.1.0.0/16"), net_of("10.2.0.0/16")};
    struct site *site = calloc(1, sizeof(*site));
    assert_non_null(site);
    site->profiles[PAIR_A] = profile_of("a.example", "b.example");
    site->profiles[PAIR_B] = profile_of("b.example", "a.example");
    const struct pair_options options = {.profiles = {&site->profiles[PAIR_A], &site->profiles[PAIR_B]},
                                         .profile_count = 1};
    site->pair = pair_new(&options);
    site->pair->sides[PAIR_B].ticket = TICKET;
    site->pair->tap = watch;
    site->pair->tap_ctx = site;
    assert_int_equal(pair_initiate_profile(site->pair, PAIR_A, TICKET, PROFILE, &traffic), ERR_OK);
    pair_run(site->pair, 1 * SECONDS);
    assert_int_equal(pair_check_keys(site->pair), 2);
    assert_int_equal(site->requests, 0);
    return site;
}

static void drop_copy(struct site *site)
{
    for (size_t i = 0; i < PAIR_RECORDS; i++)
        free(site->kept[i].octets);
    memset(site->kept, 0, sizeof(site->kept));
}

static void site_free(struct site *site)
{
    drop_copy(site);
    pair_free(site->pair);
    free(site);
}

static void copy_records(struct pair_record *to, const struct pair_record *from)
{
    for (size_t i = 0; i < PAIR_RECORDS; i++) {
        to[i] = from[i];
        if (from[i].octets == NULL)
            continue;
        to[i].octets = malloc(from[i].len);
        assert_non_null(to[i].octets);
        memcpy(to[i].octets, from[i].octets, from[i].len);
    }
}

static struct v2_sa *sa_of(const struct site *site, unsigned side)
{
    const struct v2_engine *v2 = &site->pair->sides[side].ike->v2;
    assert_int_equal(v2->all_count, 1);
    return v2->all[0];
}

/* The side goes on from what was saved some exchanges ago. */
static void fail_over(struct site *site, unsigned side)
{
    drop_copy(site);
    copy_records(site->kept, site->pair->sides[side].kept);
    uint32_t out = sa_of(site, side)->next_out, in = sa_of(site, side)->next_in;
    pair_run(site->pair, 60 * SECONDS);
    assert_true(sa_of(site, side)->next_out > out + 2 || sa_of(site, side)->next_in > in + 2);
    struct pair_record *kept = site->pair->sides[side].kept;
    for (size_t i = 0; i < PAIR_RECORDS; i++)
        free(kept[i].octets);
    copy_records(kept, site->kept);
    pair_crash(site->pair, side, true);
    assert_int_equal(sa_of(site, side)->next_out, out);
    assert_int_equal(sa_of(site, side)->next_in, in);
}

static uint64_t count(const struct site *site, const char *name)
{
    return pair_counter(site->pair, PAIR_A, name) + pair_counter(site->pair, PAIR_B, name);
}

/* Each end's next request is the one that the other waits for. */
static void assert_in_step(const struct site *site)
{
    const struct v2_sa *a = sa_of(site, PAIR_A), *b = sa_of(site, PAIR_B);
    assert_null(a->sync);
    assert_null(b->sync);
    assert_int_equal(a->next_out - (a->mine != NULL), b->next_in);
    assert_int_equal(b->next_out - (b->mine != NULL), a->next_in);
    assert_int_equal(site->pair->sides[PAIR_A].deleted + site->pair->sides[PAIR_B].deleted, 0);
    assert_int_equal(pair_check_keys(site->pair), 2);
}

/* Section 9: the SA lives on, whichever end it was, and so does what begins under it afterwards. */
static void test_either_end(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct site *site = site_up();
        fail_over(site, side);
        pair_run(site->pair, 40 * SECONDS);
        assert_int_equal(site->requests, 1);
        assert_int_equal(site->answers, 1);
        assert_int_equal(count(site, "message-ids-synchronized"), 2);
        assert_in_step(site);
        pair_run(site->pair, 120 * SECONDS);
        assert_int_equal(site->requests, 1);
        assert_in_step(site);
        assert_int_equal(pair_event(site->pair, side, IKE_EV_DELETE_CHILD, TICKET), ERR_OK);
        pair_run(site->pair, 2 * SECONDS);
        assert_int_equal(pair_sad_count(site->pair, PAIR_A) + pair_sad_count(site->pair, PAIR_B), 0);
        site_free(site);
    }
}

/* From the last records nobody asks for anything. */
static void test_nothing_lost(void **state)
{
    struct site *site = site_up();
    (void)state;
    pair_run(site->pair, 60 * SECONDS);
    pair_crash(site->pair, PAIR_A, true);
    pair_run(site->pair, 60 * SECONDS);
    pair_crash(site->pair, PAIR_B, true);
    pair_run(site->pair, 60 * SECONDS);
    assert_int_equal(site->requests, 0);
    assert_in_step(site);
    site_free(site);
}

/* Section 7: once for a fail-over, and again after another one, with later numbers than before. */
static void test_twice(void **state)
{
    struct site *site = site_up();
    (void)state;
    fail_over(site, PAIR_A);
    pair_run(site->pair, 40 * SECONDS);
    fail_over(site, PAIR_A);
    pair_run(site->pair, 40 * SECONDS);
    assert_int_equal(site->requests, 2);
    assert_int_equal(site->answers, 2);
    assert_in_step(site);
    site_free(site);
}

/* The question is repeated, and the same answer is given. */
static void test_answer_lost(void **state)
{
    struct site *site = site_up();
    (void)state;
    fail_over(site, PAIR_A);
    site->lose_answer = true;
    pair_run(site->pair, 40 * SECONDS);
    assert_int_equal(site->requests, 2);
    assert_int_equal(site->answers, 2);
    assert_int_equal(count(site, "message-ids-synchronized"), 2);
    assert_in_step(site);
    site_free(site);
}

/* Section 5: a peer that did not say so is not asked, and asking it is of no use. */
static void test_not_agreed(void **state)
{
    struct site *site = site_up();
    (void)state;
    sa_of(site, PAIR_A)->sync_agreed = false;
    fail_over(site, PAIR_B); /* asks */
    pair_run(site->pair, 9 * SECONDS);
    assert_int_equal(count(site, "message-ids-synchronized"), 0);
    assert_int_equal(site->answers, 0);
    site_free(site);
}

/* Hostile cases */

/* Section 5.1: an answer with another nonce, or with numbers below those that were asked for, counts for nothing; the
 * true one comes when the question is repeated. */
static void test_spoilt_answer(void **state)
{
    (void)state;
    for (unsigned what = 1; what <= 3; what++) {
        struct site *site = site_up();
        pair_run(site->pair, 60 * SECONDS); /* so that there are numbers below */
        fail_over(site, PAIR_A);
        site->spoil = what;
        while (site->answers == 0)
            pair_run(site->pair, 1);
        pair_run(site->pair, PAIR_LATENCY_MS + 1);
        const struct v2_sa *sa = sa_of(site, PAIR_A);
        assert_non_null(sa->sync);
        assert_int_equal(pair_counter(site->pair, PAIR_A, "message-id-sync-refused"), 1);
        assert_int_equal(pair_counter(site->pair, PAIR_A, "message-ids-synchronized"), 0);
        site->spoil = 0;
        pair_run(site->pair, 40 * SECONDS);
        assert_int_equal(pair_counter(site->pair, PAIR_A, "message-ids-synchronized"), 1);
        assert_in_step(site);
        site_free(site);
    }
}

static void assert_refused(struct site *site, const struct pair_datagram *d, unsigned receiver,
                           const char *counter)
{
    const struct v2_sa *sa = sa_of(site, receiver);
    uint32_t out = sa->next_out, in = sa->next_in;
    uint64_t before = pair_counter(site->pair, receiver, counter);
    unsigned sent = site->pair->sent[receiver];
    assert_int_not_equal(pair_give(site->pair, d), ERR_OK);
    pair_drain(site->pair, receiver);
    assert_int_equal(pair_counter(site->pair, receiver, counter), before + 1);
    assert_int_equal(sa->next_out, out);
    assert_int_equal(sa->next_in, in);
    assert_int_equal(site->pair->sent[receiver], sent);
}

/* Section 5.1: said again after other messages, the question is behind the window; and so is the answer. */
static void test_replayed(void **state)
{
    struct site *site = site_up();
    (void)state;
    fail_over(site, PAIR_A);
    pair_run(site->pair, 60 * SECONDS);
    assert_int_equal(site->answers, 1);
    const struct pair_datagram request = site->request, answer = site->answer;
    assert_refused(site, &request, PAIR_B, "message-id-sync-refused");
    assert_refused(site, &answer, PAIR_A, "duplicate");
    pair_run(site->pair, 60 * SECONDS);
    assert_in_step(site);
    site_free(site);
}

/* Numbers that the peer has seen, too much in the message, too little of it, and all of it in clear. */
static void test_bad_request(void **state)
{
    static const uint8_t nothing[4 + DATA_LEN] = {0, 0, 0x40, 0x26};
    struct site *site = site_up();
    struct pair_datagram d;
    struct forge_v2 forge, changed;
    (void)state;
    fail_over(site, PAIR_A);
    while (site->requests == 0)
        pair_run(site->pair, 1);
    forge_v2_open(site->pair, &site->request, &forge);
    assert_int_equal(forge.count, 1);
    d = site->request; /* the same way */
    uint8_t *m1 = changed.payloads[0].body + forge.payloads[0].len - DATA_LEN + 4;

    changed = forge;
    memset(m1, 0, 4); /* lower than what was seen */
    forge_v2_close(site->pair, &changed, false, &d);
    assert_refused(site, &d, PAIR_B, "message-id-sync-refused");
    changed = forge;
    memset(m1, 0xff, 4); /* nothing would be left */
    forge_v2_close(site->pair, &changed, false, &d);
    assert_refused(site, &d, PAIR_B, "message-id-sync-refused");
    changed = forge;
    changed.payloads[0].len--;
    forge_v2_close(site->pair, &changed, false, &d);
    assert_refused(site, &d, PAIR_B, "message-id-sync-refused");
    changed = forge;
    forge_v2_add(&changed, IKE2_P_N, view_of(nothing, sizeof(nothing))); /* twice */
    forge_v2_close(site->pair, &changed, false, &d);
    assert_refused(site, &d, PAIR_B, "message-id-sync-refused");
    changed = forge;
    changed.count = 0; /* nothing in it */
    forge_v2_close(site->pair, &changed, false, &d);
    assert_refused(site, &d, PAIR_B, "message-id-sync-refused");
    forge_v2_close(site->pair, &forge, true, &d);
    assert_refused(site, &d, PAIR_B, "unprotected-notify");
    pair_run(site->pair, 60 * SECONDS);
    assert_int_equal(count(site, "message-ids-synchronized"), 2);
    assert_in_step(site);
    site_free(site);
}

/* Nobody answers at all: the SA ends as any other whose peer is silent. */
static void test_silence(void **state)
{
    struct site *site = site_up();
    (void)state;
    sa_of(site, PAIR_A)->mobike->decides = true;
    fail_over(site, PAIR_A);
    site->silent = true;
    pair_run(site->pair, 120 * SECONDS);
    assert_int_equal(site->pair->sides[PAIR_A].ike->v2.all_count, 0);
    assert_in_range(site->requests, 1, 10);
    site_free(site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_either_end),  cmocka_unit_test(test_nothing_lost),
        cmocka_unit_test(test_twice),       cmocka_unit_test(test_answer_lost),
        cmocka_unit_test(test_not_agreed),  cmocka_unit_test(test_spoilt_answer),
        cmocka_unit_test(test_replayed),    cmocka_unit_test(test_bad_request),
        cmocka_unit_test(test_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
