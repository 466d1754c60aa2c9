/*
 * Messages of strangers and from the past: values that can't be, reflections, replays, cookies, floods,
 * unprotected notifies. What is wrong in the shape of a message is in test_violations.c.
 */
#include "forge.h"

enum { MESSAGES = 9 };

static unsigned receiver_of(enum v1_message_kind kind)
{
    switch (kind) {
    case V1_MM2:
    case V1_MM4:
    case V1_MM6:
    case V1_QM2:
        return PAIR_A;
    default:
        return PAIR_B;
    }
}

static enum v1_message_kind kind_at(unsigned i)
{
    static const enum v1_message_kind kinds[MESSAGES] = {V1_MM1, V1_MM2, V1_MM3, V1_MM4, V1_MM5,
                                                         V1_MM6, V1_QM1, V1_QM2, V1_QM3};
    return kinds[i];
}

struct stop {
    unsigned at, seen;
    struct pair_datagram caught;
};

static bool stop_at(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct stop *stop = ctx;
    (void)pair;
    if (stop->seen == stop->at)
        stop->caught = *d;
    return stop->seen++ < stop->at;
}

/* An exchange that has come to just before its `at`th message. */
static struct pair *stopped(unsigned at, struct stop *stop)
{
    struct pair *pair = pair_new(NULL);
    *stop = (struct stop){.at = at};
    pair->tap = stop_at;
    pair->tap_ctx = stop;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 200);
    assert_true(stop->seen > at);
    return pair;
}

static enum err give(struct pair *pair, enum v1_message_kind kind, const struct pair_datagram *d)
{
    enum err err = pair_inject(pair, receiver_of(kind), view_of(d->octets, d->len));
    return err;
}

/* The right message still works: what came before it left no trace. */
static void check_goes_on(struct pair *pair, struct stop *stop, enum v1_message_kind kind)
{
    pair->tap = NULL;
    assert_int_equal(give(pair, kind, &stop->caught), ERR_OK);
    pair_run(pair, 3000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair->sides[PAIR_B].up, 1);
    assert_int_equal(pair_check_keys(pair), 2);
}

/* Vendor IDs, and what peers commonly add, are skipped. NAT-D payloads are read: see test_nat.c. */
static void test_payload_welcome(void **state)
{
    static struct forge forge;
    static struct stop stop;
    (void)state;
    for (unsigned at = 0; at < MESSAGES; at++) {
        const struct v1_message *message = v1_message(kind_at(at));
        struct pair *pair = stopped(at, &stop);
        unsigned receiver = receiver_of(kind_at(at));
        forge_open(pair, receiver, &stop.caught, kind_at(at), &forge);
        for (size_t i = 0; i < V1_RULES; i++)
            if (message->rules[i].max == V1_ANY && message->rules[i].type != ISAKMP_P_NAT_D)
                for (unsigned n = 0; n < 3; n++)
                    forge_add(&forge, message->rules[i].type, view_of_text("\0\0\0\0whatever"));
        struct pair_datagram d = stop.caught;
        forge_close(pair, receiver, &forge, &d);
        assert_int_equal(give(pair, kind_at(at), &d), ERR_OK);
        pair_free(pair);
    }
}

/* A nonce must have 8 to 256 octets, a public value exactly its group's (IKE-064, IKE-065), and be
 * one of the group (RFC 6989). */
static void test_bad_values(void **state)
{
    static struct forge forge;
    static struct stop stop;
    static const unsigned where[] = {2, 3, 6, 7};
    (void)state;
    for (unsigned w = 0; w < 4; w++) {
        for (unsigned variant = 0; variant < 5; variant++) {
            enum v1_message_kind kind = kind_at(where[w]);
            unsigned receiver = receiver_of(kind);
            struct pair *pair = stopped(where[w], &stop);
            struct pair_datagram d = stop.caught;
            forge_open(pair, receiver, &stop.caught, kind, &forge);
            struct forge_payload *ke = forge_find(&forge, ISAKMP_P_KE);
            struct forge_payload *nonce = forge_find(&forge, ISAKMP_P_NONCE);
            if (variant == 0)
                nonce->len = 7;
            else if (variant == 1)
                nonce->len = 257;
            else if (variant == 2)
                ke->len--;
            else if (variant == 3)
                ke->body[ke->len - 1] ^= 1; /* not on the curve */
            else
                memset(ke->body, 0, ke->len);
            forge_close(pair, receiver, &forge, &d);
            enum err err = give(pair, kind, &d);
            if (kind == V1_QM1 && variant >= 3) {
                /* Found out only when the shared secret is made; then the exchange ends. */
                assert_int_equal(err, pair->sides[receiver].late);
                pair->tap = NULL;
                pair_run(pair, 60000);
                assert_int_equal(pair->sides[PAIR_B].up, 0);
                assert_int_equal(pair_sad_count(pair, PAIR_B), 0);
            } else {
                assert_int_equal(err, ERR_VALUE);
                assert_int_equal(pair_counter(pair, receiver, "bad-value"), 1);
                check_goes_on(pair, &stop, kind);
            }
            pair_free(pair);
        }
    }
}

/* Each message sent back to whoever sent it. */
static bool reflect(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    (void)ctx;
    struct pair_datagram back = *d;
    back.from = !d->from;
    back.source = d->target;
    back.target = d->source;
    back.at = mono_add(pair->now, 1);
    pair->wire[pair->wire_count++] = back;
    return true;
}

static void test_reflection(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    pair->tap = reflect;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 5000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair->sides[PAIR_B].up, 1);
    assert_int_equal(pair->sent[PAIR_A] + pair->sent[PAIR_B], MESSAGES);
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    pair_run(pair, 5000);
    assert_int_equal(pair_sad_count(pair, PAIR_A) + pair_sad_count(pair, PAIR_B), 0);
    assert_int_equal(pair->sent[PAIR_A] + pair->sent[PAIR_B], MESSAGES + 2);
    assert_true(pair_counter(pair, PAIR_A, "reflected") >= 2);
    assert_true(pair_counter(pair, PAIR_A, "replayed") >= 1);
    pair_free(pair);
}

/* Everything that was ever sent, sent again later, does nothing. */
struct log {
    size_t count;
    struct pair_datagram entries[64];
};

static bool record(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct log *log = ctx;
    (void)pair;
    assert_true(log->count < 64);
    log->entries[log->count++] = *d;
    return true;
}

static void test_replay(void **state)
{
    static struct log log;
    struct pair *pair = pair_new(NULL);
    (void)state;
    log.count = 0;
    pair->tap = record;
    pair->tap_ctx = &log;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 5000);
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    pair_run(pair, 60000); /* past all lingering */
    size_t count = log.count;
    assert_int_equal(count, MESSAGES + 2);
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 5000);
    unsigned asked = pair->sides[PAIR_B].asked_authorization;
    size_t sent = log.count;
    for (size_t i = 1; i < count; i++) /* message 1 may begin something: the cookie stops it */
        assert_true(pair_inject(pair, !log.entries[i].from,
                                view_of(log.entries[i].octets, log.entries[i].len)) != ERR_OK);
    assert_int_equal(log.count, sent);
    assert_int_equal(pair->sides[PAIR_B].asked_authorization, asked);
    assert_int_equal(pair_sad_count(pair, PAIR_A), 2);
    assert_int_equal(pair_check_keys(pair), 2);
    pair_free(pair);
}

/* IKE-030, IKE-052: message 3 with a made-up cookie meets no Diffie-Hellman and no memory. */
static void test_cookie_before_dh(void **state)
{
    static struct stop stop;
    struct pair *pair = stopped(2, &stop);
    struct pair_side *b = &pair->sides[PAIR_B];
    struct pair_datagram d = stop.caught;
    (void)state;
    uint64_t rng = b->rng_state;
    for (unsigned i = 0; i < 64; i++) {
        d = stop.caught;
        d.octets[8 + i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(give(pair, V1_MM3, &d), ERR_AUTH);
    }
    assert_int_equal(pair_counter(pair, PAIR_B, "bad-responder-cookie"), 64);
    assert_int_equal(b->ike->all_count, 0);
    assert_true(b->rng_state == rng); /* no private value was drawn */
    check_goes_on(pair, &stop, V1_MM3);
    pair_free(pair);
}

/* The right cookie from another address or port is wrong too. */
static void test_cookie_binds_address(void **state)
{
    static struct stop stop;
    struct pair *pair = stopped(2, &stop);
    struct pair_side *b = &pair->sides[PAIR_B];
    (void)state;
    struct ike_event event = {.kind = IKE_EV_DATAGRAM,
                              .local = b->addr,
                              .remote = pair->sides[PAIR_A].addr,
                              .bytes = view_of(stop.caught.octets, stop.caught.len)};
    event.remote.port = 501;
    assert_int_equal(ike_input(b->ike, pair->now, &event), ERR_AUTH);
    event.remote = pair->sides[PAIR_A].addr;
    event.remote.addr.octets[3] ^= 1;
    assert_int_equal(ike_input(b->ike, pair->now, &event), ERR_AUTH);
    /* And with age (IKE-061): after two time slices it is refused, record or not. */
    pair->now = mono_add(pair->now, 2 * COOKIE_SLICE_MS);
    assert_int_equal(give(pair, V1_MM3, &stop.caught), ERR_AUTH);
    pair_free(pair);
}

static void first_message(struct pair *pair, const struct pair_datagram *model, uint32_t n)
{
    struct pair_datagram d = *model;
    memcpy(d.octets, &n, sizeof(n));
    assert_int_equal(give(pair, V1_MM1, &d), ERR_OK);
}

/* OE-194, IKE-050: first messages beyond the limit push the oldest out; nothing else grows. */
static void test_half_open_limit(void **state)
{
    const struct pair_options options = {.config = {.half_open = 10}};
    static struct stop stop;
    struct pair *pair = pair_new(&options);
    struct ike *b = pair->sides[PAIR_B].ike;
    (void)state;
    stop = (struct stop){.at = 0};
    pair->tap = stop_at;
    pair->tap_ctx = &stop;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    assert_int_equal(give(pair, V1_MM1, &stop.caught), ERR_OK);
    for (uint32_t n = 0; n < 25; n++)
        first_message(pair, &stop.caught, 0x01010101 + n);
    assert_int_equal(b->half_open.records.count, 10);
    assert_int_equal(pair_counter(pair, PAIR_B, "half-open-evicted"), 16);
    assert_int_equal(b->all_count, 0);
    /* The pushed out initiator just tries again. */
    pair->tap = NULL;
    pair_run(pair, 3000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    /* And all of it is forgotten in time. */
    pair_run(pair, HALF_OPEN_MS);
    assert_int_equal(b->half_open.records.count, 0);
    pair_free(pair);
}

/* OE-194: initiators that returned the cookie but never prove who they are. */
static void test_unproven_limit(void **state)
{
    const struct pair_options options = {.config = {.half_open = 2}};
    struct pair *pair = pair_new(&options);
    (void)state;
    pair->sides[PAIR_A].hold[IKE_FX_NEED_SIGNATURE] = true;
    for (unsigned n = 0; n < 3; n++) {
        pair->sides[PAIR_A].peer_keys[0] = n; /* a Main Mode of its own each time */
        assert_int_equal(pair_initiate(pair, PAIR_A, n + 1, n), ERR_OK);
        pair_run(pair, 100);
    }
    assert_int_equal(pair->sides[PAIR_B].ike->unproven_count, 2);
    assert_int_equal(pair_counter(pair, PAIR_B, "unauthenticated-evicted"), 1);
    pair_run(pair, 60000);
    assert_int_equal(pair->sides[PAIR_B].ike->all_count, 0);
    assert_int_equal(pair->sides[PAIR_A].failed, 3);
    pair_free(pair);
}

/* OE-064: whatever arrives unproven, during an exchange or after, is a hint and no more. */
static void test_unprotected_notify(void **state)
{
    static struct stop stop;
    (void)state;
    for (unsigned at = 1; at < MESSAGES; at++) {
        struct pair *pair = stopped(at, &stop);
        for (unsigned side = 0; side < PAIR_SIDES; side++) {
            struct pair_datagram d;
            struct isakmp_writer w;
            struct isakmp_header header;
            assert_int_equal(
                isakmp_header_parse(view_of(stop.caught.octets, stop.caught.len), &header), ERR_OK);
            header.exchange = ISAKMP_INFORMATIONAL;
            header.flags = 0;
            header.msgid.value = 77;
            header.next_payload = 0;
            isakmp_writer_start(&w, span_of(d.octets, sizeof(d.octets)), &header);
            const struct isakmp_notify n = {.doi = 1, .protocol = 1, .type = V1_NO_PROPOSAL_CHOSEN};
            const struct isakmp_delete del = {.doi = 1,
                                              .protocol = 1,
                                              .spi_len = 16,
                                              .count = 1,
                                              .spis = view_of(stop.caught.octets, 16)};
            isakmp_writer_open(&w, ISAKMP_P_N);
            isakmp_notify_build(&w.b, &n);
            isakmp_writer_close(&w);
            isakmp_writer_open(&w, ISAKMP_P_D);
            isakmp_delete_build(&w.b, &del);
            isakmp_writer_close(&w);
            struct view bytes = isakmp_writer_finish(&w, 1);
            assert_int_equal(pair_inject(pair, side, bytes), ERR_UNEXPECTED);
            assert_int_equal(pair_counter(pair, side, "unprotected-notify"), 1);
        }
        check_goes_on(pair, &stop, kind_at(at));
        pair_free(pair);
    }
}

/* Versions, exchanges and cookies that nobody knows. */
static void test_strangers(void **state)
{
    static struct stop stop;
    struct pair *pair = stopped(0, &stop);
    struct pair_datagram d = stop.caught;
    (void)state;
    d.octets[17] = 0x30;
    assert_int_equal(give(pair, V1_MM1, &d), ERR_VERSION);
    assert_int_equal(pair_counter(pair, PAIR_B, "unsupported-version"), 1);
    d = stop.caught;
    d.octets[18] = ISAKMP_AGGRESSIVE_MODE;
    assert_int_equal(give(pair, V1_MM1, &d), ERR_UNSUPPORTED);
    assert_int_equal(pair_counter(pair, PAIR_B, "unsupported-exchange"), 1);
    d = stop.caught;
    d.octets[18] = ISAKMP_QUICK_MODE;
    d.octets[15] = 1;
    assert_int_equal(give(pair, V1_MM1, &d), ERR_UNKNOWN);
    assert_int_equal(pair_counter(pair, PAIR_B, "unknown-cookies"), 1);
    d = stop.caught;
    memset(d.octets, 0, 8);
    assert_int_equal(give(pair, V1_MM1, &d), ERR_VALUE);
    d = stop.caught;
    d.octets[23] = 1; /* a message id in Main Mode */
    assert_int_equal(give(pair, V1_MM1, &d), ERR_VALUE);
    check_goes_on(pair, &stop, V1_MM1);
    pair_free(pair);
}

/* Answers with serials that were never asked, or were answered before. */
static void test_stale_answers(void **state)
{
    struct pair *pair = pair_new(NULL);
    struct pair_side *b = &pair->sides[PAIR_B];
    (void)state;
    b->hold[IKE_FX_NEED_AUTHORIZATION] = true;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 300);
    struct pair_question q = b->held;
    q.serial += 1000;
    assert_int_equal(pair_answer(pair, PAIR_B, &q), ERR_UNKNOWN);
    q.serial = 0;
    assert_int_equal(pair_answer(pair, PAIR_B, &q), ERR_UNKNOWN);
    q = b->held;
    q.kind = IKE_FX_NEED_SPI; /* the right serial for another question */
    assert_int_equal(pair_answer(pair, PAIR_B, &q), ERR_UNKNOWN);
    assert_int_equal(pair_answer(pair, PAIR_B, &b->held), ERR_OK);
    assert_int_equal(pair_answer(pair, PAIR_B, &b->held), ERR_UNKNOWN);
    pair_drain(pair, PAIR_B);
    assert_int_equal(pair_counter(pair, PAIR_B, "stale-answer"), 4);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payload_welcome),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_reflection),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_cookie_before_dh),
        cmocka_unit_test(test_cookie_binds_address),
        cmocka_unit_test(test_half_open_limit),
        cmocka_unit_test(test_unproven_limit),
        cmocka_unit_test(test_unprotected_notify),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_stale_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
