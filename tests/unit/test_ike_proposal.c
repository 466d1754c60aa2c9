/*
 * Offers, choices and their checks (OE-119 to OE-123, OE-127 to OE-129, OE-132; IKE-063, IKE-066).
 */
#include "ike/proposal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct isakmp_sa work, work_reply;
static uint8_t offer_room[4096], reply_room[1024];

/* Attributes of a phase 1 and a phase 2 transform that will do; a test changes one of them. */
struct change {
    uint16_t type;
    uint64_t value;
    bool drop, is_long;
};

static void put(struct isakmp_transform *t, uint16_t type, uint64_t value,
                const struct change *change)
{
    bool hit = change != NULL && change->type == type;
    if (hit && change->drop)
        return;
    t->attributes[t->attribute_count++] = (struct isakmp_attribute){
        .type = type,
        .value = hit ? change->value : value,
        .is_long = hit && change->is_long,
    };
}

static struct view build(uint8_t protocol, uint8_t id, const uint16_t (*attributes)[2],
                         size_t count, const struct change *change, const struct change *extra)
{
    static const uint8_t spi[4] = {0, 0, 0x12, 0x34};
    struct builder b = builder_on(span_of(offer_room, sizeof(offer_room)));
    struct isakmp_transform *t = &work.proposals[0].transforms[0];
    work.doi = 1;
    work.situation = 1;
    work.proposal_count = 1;
    work.proposals[0].number = 1;
    work.proposals[0].protocol = protocol;
    work.proposals[0].spi = view_of(spi, protocol == 3 ? 4 : 0);
    work.proposals[0].transform_count = 1;
    *t = (struct isakmp_transform){.number = 1, .id = id};
    for (size_t i = 0; i < count; i++)
        put(t, attributes[i][0], attributes[i][1], change);
    if (extra != NULL)
        put(t, extra->type, extra->value, NULL);
    isakmp_sa_build(&b, &work);
    assert_false(b.bad);
    return builder_written(&b);
}

static enum err choose1(const struct change *change, const struct change *extra, bool legacy)
{
    static const uint16_t good[][2] = {{1, 7},  {14, 128}, {2, 4},    {3, 3},
                                       {4, 14}, {11, 1},   {12, 3600}};
    struct builder reply = builder_on(span_of(reply_room, sizeof(reply_room)));
    struct phase1_choice choice;
    struct view offer = build(1, 1, good, 7, change, extra);
    enum err err = phase1_choose(offer, &(struct phase1_terms){.legacy = legacy}, &work, &work_reply, &choice, &reply);
    if (err == ERR_OK) /* the only transform is repeated word for word */
        assert_true(view_equal(builder_written(&reply), offer));
    return err;
}

static enum err choose2(uint8_t id, const struct change *change, const struct change *extra,
                        bool legacy)
{
    static const uint16_t good[][2] = {{3, 14}, {4, 1}, {1, 1}, {2, 3600}, {6, 128}, {5, 5}};
    struct builder reply = builder_on(span_of(reply_room, sizeof(reply_room)));
    struct child_choice choice;
    struct view offer = build(3, id, good, 6, change, extra);
    enum err err = phase2_choose(offer, &(struct phase2_terms){.legacy = legacy, .udp = false}, &work, &work_reply, &choice, &reply);
    if (err == ERR_OK) {
        assert_int_equal(choice.peer_spi.value, 0x1234);
        assert_memory_equal(reply_room + PHASE2_SPI_AT, "\0\0\0", 4);
    }
    return err;
}

static void test_phase1_values(void **state)
{
    static const struct {
        struct change change;
        bool plain, legacy; /* acceptable without and with the switch */
    } cases[] = {
        {{.type = 1, .value = 1}, false, false}, /* DES */
        {{.type = 1, .value = 3}, false, false}, /* Blowfish */
        {{.type = 1, .drop = true}, false, false},
        {{.type = 14, .value = 192}, true, true},
        {{.type = 14, .value = 256}, true, true},
        {{.type = 14, .value = 64}, false, false},
        {{.type = 14, .drop = true}, false, false},
        {{.type = 2, .value = 1}, false, true},  /* MD5 */
        {{.type = 2, .value = 2}, false, true},  /* SHA-1 */
        {{.type = 2, .value = 3}, false, false}, /* Tiger */
        {{.type = 2, .value = 5}, true, true},
        {{.type = 2, .value = 6}, true, true},
        {{.type = 2, .drop = true}, false, false},
        {{.type = 3, .value = 1}, false, false}, /* pre-shared key */
        {{.type = 3, .value = 2}, false, false}, /* DSS */
        {{.type = 3, .drop = true}, false, false},
        {{.type = 4, .value = 1}, false, false}, /* 768 bits */
        {{.type = 4, .value = 2}, false, true},
        {{.type = 4, .value = 5}, false, true},
        {{.type = 4, .value = 19}, true, true},
        {{.type = 4, .value = 22}, false, false},
        {{.type = 4, .drop = true}, false, false},
        {{.type = 11, .value = 3}, false, false},   /* an unknown unit */
        {{.type = 11, .drop = true}, false, false}, /* a duration of nothing */
        {{.type = 12, .drop = true}, false, false},
        {{.type = 12, .value = 0}, false, false},
        {{.type = 12, .value = 86400, .is_long = true}, true, true},
    };
    (void)state;
    assert_int_equal(choose1(NULL, NULL, false), ERR_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(choose1(&cases[i].change, NULL, false),
                         cases[i].plain ? ERR_OK : ERR_NO_PROPOSAL);
        assert_int_equal(choose1(&cases[i].change, NULL, true),
                         cases[i].legacy ? ERR_OK : ERR_NO_PROPOSAL);
    }
}

static void test_phase1_extras(void **state)
{
    (void)state;
    assert_int_equal(choose1(NULL, &(struct change){.type = 5, .value = 1}, false), ERR_OK);
    assert_int_equal(choose1(NULL, &(struct change){.type = 5, .value = 2}, false),
                     ERR_NO_PROPOSAL); /* group 14 is MODP */
    assert_int_equal(choose1(NULL, &(struct change){.type = 2, .value = 4}, false),
                     ERR_NO_PROPOSAL); /* twice */
    assert_int_equal(choose1(NULL, &(struct change){.type = 13, .value = 1}, false),
                     ERR_NO_PROPOSAL); /* a PRF */
    assert_int_equal(choose1(NULL, &(struct change){.type = 77, .value = 1}, false),
                     ERR_NO_PROPOSAL);
    assert_int_equal(choose1(NULL, &(struct change){.type = 11, .value = 2}, false),
                     ERR_NO_PROPOSAL); /* a unit without its duration */
}

static void test_phase2_values(void **state)
{
    static const struct {
        uint8_t id;
        struct change change;
        bool plain, legacy;
    } cases[] = {
        {12, {.type = 6, .value = 256}, true, true},
        {12, {.type = 6, .value = 100}, false, false},
        {12, {.type = 6, .drop = true}, false, false},
        {12, {.type = 5, .value = 6}, true, true},
        {12, {.type = 5, .value = 1}, false, true},    /* MD5 */
        {12, {.type = 5, .value = 2}, false, true},    /* SHA-1 */
        {12, {.type = 5, .value = 3}, false, false},   /* DES-MAC */
        {12, {.type = 5, .drop = true}, false, false}, /* no integrity */
        {12, {.type = 3, .drop = true}, false, false}, /* no PFS (OE-128) */
        {12, {.type = 3, .value = 2}, false, true},
        {12, {.type = 4, .value = 2}, false, false}, /* transport (OE-129) */
        {12, {.type = 4, .drop = true}, false, false},
        {20, {.type = 5, .drop = true}, true, true},   /* GCM */
        {20, {0}, false, false},                       /* GCM with an HMAC */
        {3, {.type = 6, .drop = true}, false, true},   /* 3DES */
        {3, {0}, false, false},                        /* 3DES with a key length */
        {2, {.type = 6, .drop = true}, false, false},  /* DES (OE-121) */
        {11, {.type = 6, .drop = true}, false, false}, /* NULL (OE-121) */
    };
    (void)state;
    assert_int_equal(choose2(12, NULL, NULL, false), ERR_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(choose2(cases[i].id, &cases[i].change, NULL, false),
                         cases[i].plain ? ERR_OK : ERR_NO_PROPOSAL);
        assert_int_equal(choose2(cases[i].id, &cases[i].change, NULL, true),
                         cases[i].legacy ? ERR_OK : ERR_NO_PROPOSAL);
    }
    /* RFC 4304 */
    assert_int_equal(choose2(12, NULL, &(struct change){.type = 11, .value = 1}, false), ERR_OK);
    assert_int_equal(choose2(12, NULL, &(struct change){.type = 11, .value = 0}, false),
                     ERR_NO_PROPOSAL);
    assert_int_equal(choose2(12, NULL, &(struct change){.type = 11, .value = 2}, false),
                     ERR_NO_PROPOSAL);
}

/* RFC 3947 section 5.1: inside UDP if and only if phase 1 found a NAT; never in transport mode. */
static void test_udp_encapsulation(void **state)
{
    struct phase2_offer offer = {.group = 19, .seconds = 3600, .spi = {0x1234}};
    struct child_choice choice;
    (void)state;
    offer.suites = phase2_offers(false, &offer.count);
    for (unsigned udp = 0; udp < 2; udp++) {
        struct builder b = builder_on(span_of(offer_room, sizeof(offer_room)));
        struct builder reply = builder_on(span_of(reply_room, sizeof(reply_room)));
        offer.udp = udp;
        phase2_offer_build(&b, &offer, &work);
        struct view body = builder_written(&b);
        assert_int_equal(phase2_choose(body, &(struct phase2_terms){.legacy = false, .udp = !udp}, &work, &work_reply, &choice, &reply),
                         ERR_NO_PROPOSAL);
        assert_int_equal(phase2_choose(body, &(struct phase2_terms){.legacy = false, .udp = udp}, &work, &work_reply, &choice, &reply),
                         ERR_OK);
        assert_int_equal(choice.udp, udp);
        assert_int_equal(work_reply.proposals[0].transforms[0].attributes[1].type, 4);
        assert_int_equal(work_reply.proposals[0].transforms[0].attributes[1].value, udp ? 3 : 1);
        struct view answer = builder_written(&reply);
        reply_room[PHASE2_SPI_AT] = 1; /* any SPI but a reserved one */
        assert_int_equal(phase2_check(answer, &offer, &work, &choice), ERR_OK);
        offer.udp = !udp;
        assert_int_equal(phase2_check(answer, &offer, &work, &choice), ERR_NO_PROPOSAL);
    }
    assert_int_equal(choose2(12, &(struct change){.type = 4, .value = 3}, NULL, false),
                     ERR_NO_PROPOSAL);
    assert_int_equal(choose2(12, &(struct change){.type = 4, .value = 4}, NULL, false),
                     ERR_NO_PROPOSAL);
}

/* OE-122: far below any MTU; OE-120, OE-121: what is never there, and what comes first. */
static void test_own_offers(void **state)
{
    (void)state;
    for (unsigned legacy = 0; legacy < 2; legacy++) {
        struct builder b = builder_on(span_of(offer_room, sizeof(offer_room)));
        struct phase1_offer offer = {.seconds = 10800};
        offer.suites = phase1_offers(legacy, &offer.count);
        assert_true(offer.count <= LIMIT_IKE_TRANSFORMS);
        phase1_offer_build(&b, &offer, &work);
        assert_in_range(builder_written(&b).len, 100, 700);
        unsigned first_old = 0;
        for (size_t i = 0; i < offer.count; i++) {
            uint16_t group = offer.suites[i].group;
            assert_true(legacy || (group >= 14 && offer.suites[i].cipher == CBC_AES));
            if (group < 14 && first_old == 0)
                first_old = group;
        }
        assert_int_equal(first_old, legacy ? 5 : 0);

        struct phase2_offer child = {.group = 19, .seconds = 3600, .octets = 1 << 30, .spi = {999}};
        child.suites = phase2_offers(legacy, &child.count);
        b = builder_on(span_of(offer_room, sizeof(offer_room)));
        phase2_offer_build(&b, &child, &work);
        assert_in_range(builder_written(&b).len, 100, 700);
    }
}

/* OE-123: the initiator's order counts; its first acceptable one is repeated. */
static void test_first_acceptable(void **state)
{
    static const struct ike_suite suites[] = {{CBC_3DES, HASH_MD5, 192, 2},
                                              {CBC_AES, HASH_SHA2_512, 192, 16},
                                              {CBC_AES, HASH_SHA2_256, 256, 19}};
    const struct phase1_offer offer = {suites, 3, 10800, 0};
    struct builder b = builder_on(span_of(offer_room, sizeof(offer_room)));
    struct builder reply = builder_on(span_of(reply_room, sizeof(reply_room)));
    struct phase1_choice choice, checked;
    (void)state;
    phase1_offer_build(&b, &offer, &work);
    assert_int_equal(phase1_choose(builder_written(&b), &(struct phase1_terms){.legacy = false}, &work, &work_reply, &choice, &reply),
                     ERR_OK);
    assert_memory_equal(&choice.suite, &suites[1], sizeof(suites[1]));
    assert_int_equal(choice.seconds, 10800);
    assert_int_equal(phase1_check(builder_written(&reply), &offer, &work, &checked), ERR_OK);
    assert_memory_equal(&checked.suite, &suites[1], sizeof(suites[1]));
    /* IKE-066: the same answer to another offer is refused, by suite and by lifetime. */
    const struct phase1_offer other = {suites, 1, 10800, 0}, longer = {suites, 3, 10801, 0};
    assert_int_equal(phase1_check(builder_written(&reply), &other, &work, &checked),
                     ERR_NO_PROPOSAL);
    assert_int_equal(phase1_check(builder_written(&reply), &longer, &work, &checked),
                     ERR_NO_PROPOSAL);
    /* And so is a whole offer for an answer. */
    assert_int_equal(phase1_check(builder_written(&b), &offer, &work, &checked), ERR_NO_PROPOSAL);
}

/* IKE-008: AH is offered alone, every transform with the algorithm that it names, and taken by who wants AH. */
static void test_phase2_ah(void **state)
{
    (void)state;
    const struct phase2_terms ah = {.ah = true}, esp = {.legacy = true};
    struct phase2_offer offer = {.group = 19, .seconds = 3600, .spi = {0x1234}};
    struct builder b = builder_on(span_of(offer_room, sizeof(offer_room)));
    struct builder reply = builder_on(span_of(reply_room, sizeof(reply_room)));
    struct child_choice choice;
    offer.suites = phase2_ah_offers(true, &offer.count);
    assert_int_equal(offer.count, 5);
    phase2_offer_build(&b, &offer, &work);
    struct view body = builder_written(&b);
    assert_int_equal(isakmp_sa_parse(body, &work), ERR_OK);
    assert_int_equal(work.proposals[0].protocol, 2);
    assert_int_equal(work.proposals[0].transforms[0].id, 5); /* AH_SHA2_256 */
    assert_int_equal(phase2_choose(body, &esp, &work, &work_reply, &choice, &reply), ERR_NO_PROPOSAL);
    assert_int_equal(phase2_choose(body, &ah, &work, &work_reply, &choice, &reply), ERR_OK);
    assert_int_equal(choice.suite.protocol, SA_AH);
    assert_int_equal(choice.suite.auth, ESP_AUTH_HMAC_SHA2_256_128);
    /* The answer with our SPI in it, and the same to an offer of ESP. */
    uint8_t answer[512];
    size_t len = builder_written(&reply).len;
    memcpy(answer, builder_written(&reply).ptr, len);
    answer[PHASE2_SPI_AT + 2] = 0x77;
    assert_int_equal(phase2_check(view_of(answer, len), &offer, &work, &choice), ERR_OK);
    assert_int_equal(choice.peer_spi.value, 0x7700);
    offer.suites = phase2_offers(true, &offer.count);
    assert_int_equal(phase2_check(view_of(answer, len), &offer, &work, &choice), ERR_NO_PROPOSAL);
    /* AH_SHA2_512 beside HMAC-SHA2-256, and an algorithm without a transform that names one of ours. */
    for (unsigned id = 0; id < 16; id++) {
        uint8_t changed[512];
        reply = builder_on(span_of(changed, sizeof(changed)));
        assert_int_equal(isakmp_sa_parse(view_of(answer, len), &work), ERR_OK);
        work.proposals[0].transforms[0].id = (uint8_t)id;
        isakmp_sa_build(&reply, &work);
        struct builder again = builder_on(span_of(reply_room, sizeof(reply_room)));
        assert_int_equal(phase2_choose(builder_written(&reply), &ah, &work, &work_reply, &choice, &again),
                         id == 5 ? ERR_OK : ERR_NO_PROPOSAL);
    }
}

/* The answer keeps the proposal's number; an ESP proposal bound to another by its number won't do.
 */
static void test_phase2_proposals(void **state)
{
    struct phase2_offer offer = {.group = 19, .seconds = 3600, .spi = {0x1234}};
    struct builder b = builder_on(span_of(offer_room, sizeof(offer_room)));
    struct builder reply = builder_on(span_of(reply_room, sizeof(reply_room)));
    static const uint8_t spi[4] = {0, 0, 0x56, 0x78};
    struct child_choice choice;
    (void)state;
    offer.suites = phase2_offers(false, &offer.count);
    for (size_t i = 0; i < offer.count; i++)
        assert_false(offer.suites[i].esn); /* libreswan 4.10 refuses a proposal that has it */
    phase2_offer_build(&b, &offer, &work);
    assert_int_equal(isakmp_sa_parse(builder_written(&b), &work), ERR_OK);
    work.proposal_count = 3;
    work.proposals[1] = work.proposals[0];
    work.proposals[1].protocol = 2; /* AH and ESP together */
    work.proposals[2] = work.proposals[0];
    work.proposals[2].number = 2;
    work.proposals[2].spi = view_of(spi, 4);
    uint8_t room[4096];
    struct builder three = builder_on(span_of(room, sizeof(room)));
    isakmp_sa_build(&three, &work);
    assert_int_equal(
        phase2_choose(builder_written(&three), &(struct phase2_terms){.legacy = false, .udp = false}, &work, &work_reply, &choice, &reply),
        ERR_OK);
    assert_int_equal(choice.peer_spi.value, 0x5678);
    assert_int_equal(isakmp_sa_parse(builder_written(&reply), &work), ERR_OK);
    assert_int_equal(work.proposals[0].number, 2);
    assert_int_equal(work.proposals[0].transform_count, 1);
    assert_true(!choice.suite.esn && choice.suite.cipher == ESP_CIPHER_AES_GCM);
    /* Reserved SPIs are nobody's. */
    offer.spi.value = 255;
    b = builder_on(span_of(offer_room, sizeof(offer_room)));
    phase2_offer_build(&b, &offer, &work);
    assert_int_equal(
        phase2_choose(builder_written(&b), &(struct phase2_terms){.legacy = false, .udp = false}, &work, &work_reply, &choice, &reply),
        ERR_NO_PROPOSAL);
}

/* OE-133: compression is no part of what we offer, what demands it is passed over, and the same
 * without it is taken. */
static void test_no_compression(void **state)
{
    struct phase2_offer offer = {.group = 19, .seconds = 3600, .spi = {0x1234}};
    struct builder b = builder_on(span_of(offer_room, sizeof(offer_room)));
    struct builder reply = builder_on(span_of(reply_room, sizeof(reply_room)));
    struct child_choice choice;
    const struct phase2_terms terms = {.legacy = false};
    uint8_t room[4096];
    (void)state;
    offer.suites = phase2_offers(false, &offer.count);
    phase2_offer_build(&b, &offer, &work);
    assert_int_equal(isakmp_sa_parse(builder_written(&b), &work), ERR_OK);
    assert_int_equal(work.proposal_count, 1);
    assert_int_equal(work.proposals[0].protocol, 3);
    for (size_t optional = 0; optional < 2; optional++) {
        assert_int_equal(isakmp_sa_parse(builder_written(&b), &work), ERR_OK);
        work.proposal_count = 2 + optional;
        work.proposals[1] = work.proposals[0];
        work.proposals[1].protocol = 4; /* IPCOMP and ESP together */
        work.proposals[2] = work.proposals[0];
        work.proposals[2].number = 2;
        struct builder both = builder_on(span_of(room, sizeof(room)));
        isakmp_sa_build(&both, &work);
        assert_int_equal(phase2_choose(builder_written(&both), &terms, &work, &work_reply, &choice,
                                       &reply),
                         optional ? ERR_OK : ERR_NO_PROPOSAL);
    }
}

static void test_foreign_payloads(void **state)
{
    struct builder reply = builder_on(span_of(reply_room, sizeof(reply_room)));
    struct phase1_choice choice;
    (void)state;
    assert_int_equal(choose1(NULL, NULL, false), ERR_OK);
    for (unsigned at = 3; at < 8; at += 4) { /* another DOI, another situation */
        offer_room[at] ^= 2;
        assert_int_equal(phase1_choose(view_of(offer_room, 56), &(struct phase1_terms){.legacy = false}, &work, &work_reply, &choice,
                                       &reply) == ERR_OK,
                         false);
        offer_room[at] ^= 2;
    }
    assert_true(phase1_choose(view_of(NULL, 0), &(struct phase1_terms){.legacy = false}, &work, &work_reply, &choice, &reply) !=
                ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phase1_values),     cmocka_unit_test(test_phase1_extras),
        cmocka_unit_test(test_phase2_values),     cmocka_unit_test(test_own_offers),
        cmocka_unit_test(test_udp_encapsulation), cmocka_unit_test(test_first_acceptable),
        cmocka_unit_test(test_no_compression),
        cmocka_unit_test(test_phase2_ah), cmocka_unit_test(test_phase2_proposals),  cmocka_unit_test(test_foreign_payloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
