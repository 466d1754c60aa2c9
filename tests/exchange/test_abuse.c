/*
 * What a peer that has proven itself, or a stranger, may try with messages that are well formed: to
 * end an SA under an exchange that is at work, to fill memory, to push out what is kept for others.
 */
#include "forge.h"

static struct pair *up(void)
{
    struct pair *pair = pair_new(NULL);
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair->sides[PAIR_B].up, 1);
    return pair;
}

static bool lose_all(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct pair_datagram *last = ctx;
    (void)pair;
    *last = *d;
    return false;
}

/* A refusal of whatever waits and a Delete of the IKE SA, in one message from B. */
static void refuse_and_delete(struct pair *pair, struct pair_datagram *ret)
{
    struct ike *b = pair->sides[PAIR_B].ike;
    struct ike_sa *sa = b->all[0];
    msgid_t msgid = v1_msgid_new(b, sa);
    const struct isakmp_notify n = {
        .doi = V1_DOI_IPSEC, .protocol = PROTOCOL_ESP, .type = V1_NO_PROPOSAL_CHOSEN};
    const struct isakmp_delete d = {.doi = V1_DOI_IPSEC,
                                    .protocol = PROTOCOL_ISAKMP,
                                    .spi_len = sizeof(sa->cookies),
                                    .count = 1,
                                    .spis = view_of(sa->cookies, sizeof(sa->cookies))};
    struct v1_out out;
    v1_out_start(b, &out, sa, V1_INFO, msgid);
    isakmp_writer_open(&out.w, ISAKMP_P_N);
    isakmp_notify_build(&out.w.b, &n);
    isakmp_writer_close(&out.w);
    isakmp_writer_open(&out.w, ISAKMP_P_D);
    isakmp_delete_build(&out.w.b, &d);
    isakmp_writer_close(&out.w);
    assert_int_equal(v1_out_send_info(b, sa, &out, msgid, ""), ERR_OK);
    pair->tap = lose_all;
    pair->tap_ctx = ret;
    pair_drain(pair, PAIR_B);
}

/* OE-063: a refusal that comes in the very moment the initiator would give up is a refusal, not
 * silence: the SA it came under stays until the message has been dealt with. */
static void test_refused_at_the_deadline(void **state)
{
    static struct pair_datagram info, lost;
    struct pair *pair = up();
    struct ike *a = pair->sides[PAIR_A].ike;
    (void)state;

    refuse_and_delete(pair, &info);
    pair->tap_ctx = &lost;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    const struct v1_quick *quick = LIST_FIRST(&a->all[0]->quicks);
    assert_int_equal(quick->x.state, V1_QM_I_WAIT_REPLY);
    pair->now = quick->x.give_up; /* its timer has not run yet */
    assert_int_equal(pair_inject(pair, PAIR_A, view_of(info.octets, info.len)), ERR_OK);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    assert_int_equal(pair->sides[PAIR_A].last_failed.failure, IKE_FAILURE_REFUSED);
    assert_int_equal(a->all_count, 0);
    pair_free(pair);
}

/* OE-194: an SA that is just ending is no room for what its end begins. */
static void test_full_while_ending(void **state)
{
    static struct pair_datagram lost;
    struct pair *pair = up();
    struct ike *a = pair->sides[PAIR_A].ike;
    (void)state;

    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    pair_run(pair, 60000);
    assert_true(LIST_EMPTY(&a->all[0]->quicks));
    a->sa_limit = 1;
    pair->tap = lose_all;
    pair->tap_ctx = &lost;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    ike_sa_end(a, a->all[0], NULL, 0);
    pair_drain(pair, PAIR_A);
    assert_int_equal(a->all_count, 0);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    pair_free(pair);
}

/* An offer that begins well and is `size` octets long. */
static size_t long_offer(struct isakmp_sa *work, uint8_t *room, size_t room_len, size_t size)
{
    static const uint8_t zeros[8192];
    size_t count;
    const struct ike_suite *suites = phase1_offers(false, &count);
    const struct phase1_offer offer = {suites, 2, 3600, 0};
    struct builder b = builder_on(span_of(room, room_len));

    phase1_offer_build(&b, &offer, work);
    struct isakmp_transform *last = &work->proposals[0].transforms[1];
    last->attributes[last->attribute_count++] = (struct isakmp_attribute){
        .type = 17, .is_long = true, .bytes = view_of(zeros, size - b.len - 4)};
    b = builder_on(span_of(room, room_len));
    isakmp_sa_build(&b, work);
    assert_int_equal(b.len, size);
    return b.len;
}

static enum err offer(struct pair *pair, size_t size)
{
    static struct isakmp_sa work;
    uint8_t body[16384], room[16384];
    struct isakmp_writer w;
    const struct isakmp_header header = {.version = ISAKMP_VERSION_1,
                                         .exchange = ISAKMP_MAIN_MODE,
                                         .cookie_i = {(uint8_t)(size >> 8), (uint8_t)size, 1}};
    size_t len = long_offer(&work, body, sizeof(body), size);
    isakmp_writer_start(&w, span_of(room, sizeof(room)), &header);
    isakmp_writer_payload(&w, ISAKMP_P_SA, view_of(body, len));
    return pair_inject(pair, PAIR_B, isakmp_writer_finish(&w, 1));
}

/* OE-194: what a stranger makes us keep for message 1 is small. */
static void test_long_offer(void **state)
{
    static struct pair_datagram lost;
    struct pair *pair = pair_new(NULL);
    struct ike *b = pair->sides[PAIR_B].ike;
    (void)state;
    pair->tap = lose_all;
    pair->tap_ctx = &lost;
    assert_int_equal(offer(pair, LIMIT_IKE_OFFER), ERR_OK);
    assert_int_equal(b->half_open.records.count, 1);
    assert_int_equal(offer(pair, LIMIT_IKE_OFFER + 1), ERR_LIMIT);
    assert_int_equal(b->half_open.records.count, 1);
    pair_free(pair);
}

static bool stop_at_5(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    (void)pair;
    *(struct pair_datagram *)ctx = *d;
    return (d->octets[19] & ISAKMP_FLAG_ENCRYPTED) == 0;
}

/* OE-194: a signature longer than any key's is not kept, nor are keys asked for. */
static void test_long_signature(void **state)
{
    static struct pair_datagram last;
    static struct forge forge;
    struct pair *pair = pair_new(NULL);
    (void)state;
    pair->tap = stop_at_5;
    pair->tap_ctx = &last;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 100);
    forge_open(pair, PAIR_B, &last, V1_MM5, &forge);
    forge_find(&forge, ISAKMP_P_SIG)->len = LIMIT_KEY_OCTETS + 1;
    forge_close(pair, PAIR_B, &forge, &last);
    assert_int_equal(pair_inject(pair, PAIR_B, view_of(last.octets, last.len)), ERR_VALUE);
    assert_int_equal(pair->sides[PAIR_B].asked_keys, 0);
    pair_free(pair);
}

struct first_messages {
    struct pair_datagram d[3], reply;
    size_t count;
};

static bool keep_first(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct first_messages *first = ctx;
    (void)pair;
    if (d->from == PAIR_B)
        first->reply = *d;
    if (first->count < 3)
        first->d[first->count++] = *d;
    return first->count < 3;
}

/* Messages 1 and 3 with a cookie of its own, from the nth address. */
static enum err knock(struct pair *pair, struct first_messages *first, uint8_t address, uint8_t n)
{
    struct ike *b = pair->sides[PAIR_B].ike;
    struct ike_event event = {.kind = IKE_EV_DATAGRAM,
                              .local = pair->sides[PAIR_B].addr,
                              .remote = pair->sides[PAIR_A].addr};
    event.remote.addr.octets[3] ^= address;
    first->d[0].octets[0] = first->d[2].octets[0] = n;
    event.bytes = view_of(first->d[0].octets, first->d[0].len);
    assert_int_equal(ike_input(b, pair->now, &event), ERR_OK);
    pair_drain(pair, PAIR_B);
    memcpy(first->d[2].octets + ISAKMP_COOKIE_LEN, first->reply.octets + ISAKMP_COOKIE_LEN,
           ISAKMP_COOKIE_LEN);
    event.bytes = view_of(first->d[2].octets, first->d[2].len);
    enum err err = ike_input(b, pair->now, &event);
    pair_drain(pair, PAIR_B);
    return err;
}

/* OE-194: from one address so many may be unauthenticated at a time, before any work is done. */
static void test_many_from_one_address(void **state)
{
    static struct first_messages first;
    struct pair *pair = pair_new(NULL);
    (void)state;
    pair->tap = keep_first;
    pair->tap_ctx = &first;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 100);
    assert_int_equal(first.count, 3);
    for (uint8_t n = 0; n < IKE_UNPROVEN_EACH; n++)
        assert_int_equal(knock(pair, &first, 0, n), ERR_OK);
    assert_int_equal(knock(pair, &first, 0, IKE_UNPROVEN_EACH), ERR_LIMIT);
    assert_int_equal(pair_counter(pair, PAIR_B, "limit"), 1);
    assert_int_equal(knock(pair, &first, 1, IKE_UNPROVEN_EACH), ERR_OK);
    pair_run(pair, 60000); /* they went silent */
    assert_int_equal(pair->sides[PAIR_B].ike->all_count, 0);
    assert_int_equal(knock(pair, &first, 0, IKE_UNPROVEN_EACH), ERR_OK);
    pair_free(pair);
}

/* OE-119: groups that we would not offer and that cost a stranger nothing, but us much, are refused. */
static void test_costly_groups(void **state)
{
    (void)state;
    for (uint16_t group = 17; group <= 18; group++) {
        static struct isakmp_sa work, reply;
        const struct ike_suite suite = {CBC_AES, HASH_SHA2_256, 128, group};
        const struct phase1_offer offered = {&suite, 1, 3600, 0};
        struct phase1_choice choice;
        uint8_t body[256], room[256];
        struct builder b = builder_on(span_of(body, sizeof(body)));
        struct builder out = builder_on(span_of(room, sizeof(room)));
        phase1_offer_build(&b, &offered, &work);
        assert_int_equal(phase1_choose(builder_written(&b), &(struct phase1_terms){.legacy = true}, &work, &reply, &choice, &out),
                         ERR_NO_PROPOSAL);
    }
}

/* Finished Quick Modes make room for new ones (OE-194), but only for those that are proven. */
static void test_unproven_makes_no_room(void **state)
{
    struct pair *pair = up();
    struct ike_sa *sa = pair->sides[PAIR_B].ike->all[0];
    uint8_t room[ISAKMP_HEADER_LEN + 64] = {0};
    struct isakmp_header header = {.version = ISAKMP_VERSION_1,
                                   .exchange = ISAKMP_QUICK_MODE,
                                   .flags = ISAKMP_FLAG_ENCRYPTED,
                                   .next_payload = ISAKMP_P_HASH,
                                   .msgid = {0x01020304}};
    struct isakmp_writer w;
    (void)state;

    for (unsigned i = 1; i < V1_QUICKS_MAX; i++) {
        assert_int_equal(pair_initiate(pair, PAIR_A, 100 + i, i), ERR_OK);
        pair_run(pair, 50);
    }
    assert_int_equal(sa->quick_count, V1_QUICKS_MAX);
    memcpy(header.cookie_i, sa->cookies, ISAKMP_COOKIE_LEN);
    memcpy(header.cookie_r, sa->cookies + ISAKMP_COOKIE_LEN, ISAKMP_COOKIE_LEN);
    isakmp_writer_start(&w, span_of(room, sizeof(room)), &header);
    builder_fill(&w.b, 0x5a, 64);
    assert_int_not_equal(pair_inject(pair, PAIR_B, isakmp_writer_finish(&w, 1)), ERR_OK);
    assert_int_equal(sa->quick_count, V1_QUICKS_MAX);
    assert_int_equal(pair_initiate(pair, PAIR_A, 1000, V1_QUICKS_MAX), ERR_OK);
    pair_run(pair, 50);
    assert_int_equal(sa->quick_count, V1_QUICKS_MAX);
    assert_int_equal(pair->sides[PAIR_B].up, V1_QUICKS_MAX + 1);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_at_the_deadline),
        cmocka_unit_test(test_full_while_ending),
        cmocka_unit_test(test_long_offer),
        cmocka_unit_test(test_long_signature),
        cmocka_unit_test(test_many_from_one_address),
        cmocka_unit_test(test_costly_groups),
        cmocka_unit_test(test_unproven_makes_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
