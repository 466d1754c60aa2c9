/*
 * The SA payload of IKEv2, and what is offered, chosen and checked (RFC 7296 section 3.3;
 * algorithms by RFC 8221 and RFC 8247; RFC 9370).
 */
#include "check.h"

#include "crypto/kex.h"
#include "ike/v2/proposal.h"

static struct ike2_sa work, sample; /* large */
static uint8_t room[4096], reply_room[512];
static const struct ike2_policy defaults, legacy = {.legacy = true};

static struct view ike_offer(const struct ike2_policy *policy)
{
    struct builder b = builder_on(span_of(room, sizeof(room)));
    ike2_ike_offer_build(&b, policy, view_of(NULL, 0), &work);
    assert_false(b.bad);
    return builder_written(&b);
}

static struct view child_offer(const struct ike2_policy *policy)
{
    struct builder b = builder_on(span_of(room, sizeof(room)));
    ike2_child_offer_build(&b, policy, (spi_t){0x01020304}, &work);
    assert_false(b.bad);
    return builder_written(&b);
}

static struct view reply(const struct ike2_choice *choice, struct view spi)
{
    struct builder b = builder_on(span_of(reply_room, sizeof(reply_room)));
    ike2_choice_build(&b, choice, spi);
    assert_false(b.bad);
    return builder_written(&b);
}

/* A proposal by hand. */
static struct ike2_proposal *start(uint8_t number, uint8_t protocol, struct view spi)
{
    struct ike2_proposal *p = &sample.proposals[number - 1];
    *p = (struct ike2_proposal){.number = number, .protocol = protocol, .spi = spi};
    sample.proposal_count = number;
    return p;
}

static void with(struct ike2_proposal *p, uint8_t type, uint16_t id, uint16_t key_bits)
{
    p->transforms[p->transform_count++] =
        (struct ike2_transform){.type = type, .id = id, .key_bits = key_bits};
}

static struct view built(void)
{
    struct builder b = builder_on(span_of(room, sizeof(room)));
    ike2_sa_build(&b, &sample);
    assert_false(b.bad);
    return builder_written(&b);
}

static void test_payload_round_trip(void **state)
{
    (void)state;
    struct ike2_proposal *p = start(1, IKE2_PROTO_IKE, view_of_text("8 octets"));
    with(p, IKE2_T_ENCR, 20, 256);
    with(p, IKE2_T_ADDKE7, 36, 0);
    p = start(2, IKE2_PROTO_ESP, view_of_text("four"));
    with(p, IKE2_T_ESN, 1, 0);
    struct view body = built();
    assert_int_equal(ike2_sa_parse(body, &work), ERR_OK);
    assert_int_equal(work.proposal_count, 2);
    check_view(work.proposals[0].spi, view_of_text("8 octets"));
    assert_int_equal(work.proposals[0].transforms[0].key_bits, 256);
    assert_int_equal(work.proposals[0].transforms[1].type, IKE2_T_ADDKE7);
    assert_int_equal(work.proposals[1].protocol, IKE2_PROTO_ESP);
    for (size_t len = 0; len < body.len; len++)
        assert_int_not_equal(ike2_sa_parse(view_of(room, len), &work), ERR_OK);
    room[body.len] = 0;
    assert_int_equal(ike2_sa_parse(view_of(room, body.len + 1), &work), ERR_TRAILING);
    room[4] = 2; /* the first is number 2 */
    assert_int_equal(ike2_sa_parse(body, &work), ERR_VALUE);
    room[4] = 1;
    room[7]++; /* one transform more than there are */
    assert_int_equal(ike2_sa_parse(body, &work), ERR_SYNTAX);
}

static void test_spi_lengths(void **state)
{
    (void)state;
    static const uint8_t octets[8] = {1};
    for (uint8_t protocol = 1; protocol <= 3; protocol++) {
        for (size_t len = 0; len <= 8; len++) {
            with(start(1, protocol, view_of(octets, len)), IKE2_T_ENCR, 12, 128);
            bool good = protocol == 1 ? len == 0 || len == 8 : len == 4;
            assert_int_equal(ike2_sa_parse(built(), &work), good ? ERR_OK : ERR_VALUE);
        }
    }
}

/* By what is in it: a struct may have octets between its members. */
static void assert_same_suite(const struct ike2_suite *a, const struct ike2_suite *b)
{
    char a_text[IKE2_SUITE_TEXT_MAX], b_text[IKE2_SUITE_TEXT_MAX];
    assert_string_equal(ike2_suite_format(a, a_text), ike2_suite_format(b, b_text));
    assert_int_equal(a->method, b->method);
    assert_memory_equal(a->additional, b->additional, sizeof(a->additional));
}

static void test_offer_is_chosen(void **state)
{
    (void)state;
    struct ike2_suite chosen, checked;
    struct ike2_choice choice, again;
    char text[IKE2_SUITE_TEXT_MAX];
    struct view offer = ike_offer(&defaults);
    assert_true(offer.len < 400);
    assert_int_equal(ike2_first_method(&defaults), IKE2_KE_CURVE25519);
    assert_int_equal(ike2_ike_choose(offer, &defaults, 31, &work, &chosen, &choice), ERR_OK);
    assert_string_equal(ike2_suite_format(&chosen, text), "AES-GCM-256 prf SHA2-256 curve25519");
    struct view answer = reply(&choice, view_of(NULL, 0));
    assert_int_equal(ike2_ike_check(answer, &defaults, &work, &checked, &again), ERR_OK);
    assert_same_suite(&chosen, &checked);
    /* The method that came is taken, if it will do; else the answer names another. */
    offer = ike_offer(&defaults);
    assert_int_equal(ike2_ike_choose(offer, &defaults, 20, &work, &chosen, &choice), ERR_OK);
    assert_int_equal(chosen.method, 20);
    assert_int_equal(ike2_ike_choose(offer, &defaults, 2, &work, &chosen, &choice), ERR_OK);
    assert_int_equal(chosen.method, 31);
}

static void test_child_offer_is_chosen(void **state)
{
    (void)state;
    struct ike2_child_suite chosen, checked;
    struct ike2_choice choice, again;
    char text[ESP_SUITE_TEXT_MAX];
    const struct ike2_policy no_kex = {.no_kex = true}, no_esn = {.no_esn = true, .no_kex = true};
    struct view offer = child_offer(&no_kex);
    assert_int_equal(ike2_child_choose(offer, &no_kex, 0, &work, &chosen, &choice), ERR_OK);
    assert_string_equal(esp_suite_format(&chosen.esp, text), "AES-GCM-256 ESN");
    assert_int_equal(chosen.peer_spi.value, 0x01020304);
    assert_int_equal(chosen.method, 0);
    assert_true(esp_suite_valid(&chosen.esp));
    struct view answer = reply(&choice, view_of("\xaa\xbb\xcc\xdd", 4));
    assert_int_equal(ike2_child_check(answer, &no_kex, &work, &checked, &again), ERR_OK);
    assert_int_equal(checked.peer_spi.value, 0xaabbccdd);
    offer = child_offer(&no_kex);
    assert_int_equal(ike2_child_choose(offer, &no_esn, 0, &work, &chosen, &choice), ERR_OK);
    assert_false(chosen.esp.esn);
    /* With a key exchange of its own. */
    offer = child_offer(&defaults);
    assert_int_equal(ike2_child_choose(offer, &defaults, 19, &work, &chosen, &choice), ERR_OK);
    assert_int_equal(chosen.method, 19);
    assert_int_equal(ike2_child_choose(offer, &defaults, 0, &work, &chosen, &choice), ERR_OK);
    assert_int_equal(chosen.method, 31); /* there was none: the answer asks for this */
    assert_int_equal(ike2_child_choose(offer, &no_kex, 0, &work, &chosen, &choice),
                     ERR_NO_PROPOSAL);
}

/* Nothing of the legacy switch is offered, chosen or accepted without it. */
static void test_legacy(void **state)
{
    (void)state;
    struct ike2_suite chosen;
    struct ike2_child_suite child;
    struct ike2_choice choice;
    static const uint16_t old[][4] = {
        /* ENCR, PRF, INTEG, KE */
        {3, 5, 12, 31}, {12, 2, 12, 31}, {12, 5, 2, 31}, {12, 5, 12, 5}, {12, 5, 12, 2},
    };
    for (size_t i = 0; i < CHECK_COUNT(old); i++) {
        struct ike2_proposal *p = start(1, IKE2_PROTO_IKE, view_of(NULL, 0));
        with(p, IKE2_T_ENCR, old[i][0], old[i][0] == 12 ? 128 : 0);
        with(p, IKE2_T_PRF, old[i][1], 0);
        with(p, IKE2_T_INTEG, old[i][2], 0);
        with(p, IKE2_T_KE, old[i][3], 0);
        assert_int_equal(ike2_ike_choose(built(), &defaults, old[i][3], &work, &chosen, &choice),
                         ERR_NO_PROPOSAL);
        assert_int_equal(ike2_ike_choose(built(), &legacy, old[i][3], &work, &chosen, &choice),
                         ERR_OK);
        assert_true(aead_valid(&chosen.protect));
    }
    for (size_t i = 0; i < 2; i++) {
        ike_offer(i ? &legacy : &defaults);
        bool found = false;
        for (size_t k = 0; k < work.proposal_count; k++)
            for (size_t t = 0; t < work.proposals[k].transform_count; t++)
                found |= work.proposals[k].transforms[t].id == IKE2_ENCR_3DES &&
                         work.proposals[k].transforms[t].type == IKE2_T_ENCR;
        assert_int_equal(found, i);
    }
    /* ESP without encryption, not even then. */
    struct ike2_proposal *p = start(1, IKE2_PROTO_ESP, view_of_text("spi1"));
    with(p, IKE2_T_ENCR, IKE2_ENCR_NULL, 0);
    with(p, IKE2_T_INTEG, IKE2_INTEG_HMAC_SHA2_256_128, 0);
    with(p, IKE2_T_ESN, 0, 0);
    assert_int_equal(ike2_child_choose(built(), &legacy, 0, &work, &child, &choice),
                     ERR_NO_PROPOSAL);
}

static struct ike2_proposal *good_ike(uint8_t number)
{
    struct ike2_proposal *p = start(number, IKE2_PROTO_IKE, view_of(NULL, 0));
    with(p, IKE2_T_ENCR, IKE2_ENCR_AES_GCM_16, 128);
    with(p, IKE2_T_PRF, IKE2_PRF_HMAC_SHA2_256, 0);
    with(p, IKE2_T_KE, 31, 0);
    return p;
}

static enum err choose_built(const struct ike2_policy *policy, struct ike2_suite *ret)
{
    struct ike2_choice choice;
    return ike2_ike_choose(built(), policy, 31, &work, ret, &choice);
}

static void test_proposals_passed_over(void **state)
{
    (void)state;
    struct ike2_suite chosen;
    good_ike(1);
    assert_int_equal(choose_built(&defaults, &chosen), ERR_OK);
    with(good_ike(1), 13, 1, 0); /* a type nobody knows */
    assert_int_equal(choose_built(&defaults, &chosen), ERR_NO_PROPOSAL);
    with(good_ike(1), IKE2_T_ESN, 0, 0); /* not of an IKE SA */
    assert_int_equal(choose_built(&defaults, &chosen), ERR_NO_PROPOSAL);
    with(good_ike(1), IKE2_T_INTEG, IKE2_INTEG_NONE, 0);
    assert_int_equal(choose_built(&defaults, &chosen), ERR_OK);
    with(good_ike(1), IKE2_T_INTEG, IKE2_INTEG_HMAC_SHA2_256_128, 0); /* with a combined mode */
    assert_int_equal(choose_built(&defaults, &chosen), ERR_NO_PROPOSAL);
    good_ike(1)->transforms[0].key_bits = 0;
    assert_int_equal(choose_built(&defaults, &chosen), ERR_NO_PROPOSAL);
    good_ike(1)->transforms[0].key_bits = 64;
    assert_int_equal(choose_built(&defaults, &chosen), ERR_NO_PROPOSAL);
    for (size_t missing = 0; missing < 3; missing++) {
        struct ike2_proposal *p = good_ike(1);
        p->transforms[missing] = p->transforms[2];
        p->transform_count = 2;
        assert_int_equal(choose_built(&defaults, &chosen), ERR_NO_PROPOSAL);
    }
    with(good_ike(1), 13, 1, 0);
    good_ike(2)->transforms[0].key_bits = 256; /* the next one will do */
    assert_int_equal(choose_built(&defaults, &chosen), ERR_OK);
    assert_int_equal(chosen.protect.key_bits, 256);
}

/* IKE-008: one proposal of integrity and sequence numbers, without a cipher. */
static void test_child_of_ah(void **state)
{
    (void)state;
    const struct ike2_policy ah = {.ah = true, .no_kex = true}, esp = {.no_kex = true};
    struct ike2_child_suite chosen, checked;
    struct ike2_choice choice, again;
    char text[ESP_SUITE_TEXT_MAX];
    struct view offer = child_offer(&ah);
    assert_int_equal(ike2_sa_parse(offer, &work), ERR_OK);
    assert_int_equal(work.proposal_count, 1);
    assert_int_equal(work.proposals[0].protocol, IKE2_PROTO_AH);
    assert_int_equal(ike2_child_choose(offer, &esp, 0, &work, &chosen, &choice), ERR_NO_PROPOSAL);
    assert_int_equal(ike2_child_choose(offer, &ah, 0, &work, &chosen, &choice), ERR_OK);
    assert_string_equal(esp_suite_format(&chosen.esp, text), "AH HMAC-SHA2-256-128 ESN");
    assert_true(esp_suite_valid(&chosen.esp));
    struct view answer = reply(&choice, view_of("\xaa\xbb\xcc\xdd", 4));
    assert_int_equal(ike2_child_check(answer, &ah, &work, &checked, &again), ERR_OK);
    assert_int_equal(checked.esp.protocol, SA_AH);
    assert_int_equal(ike2_child_check(answer, &esp, &work, &checked, &again), ERR_NO_PROPOSAL);
    assert_int_equal(ike2_child_choose(child_offer(&esp), &ah, 0, &work, &chosen, &choice),
                     ERR_NO_PROPOSAL);
    /* A cipher doesn't belong there, and without integrity there is nothing. */
    struct ike2_proposal *p = start(1, IKE2_PROTO_AH, view_of("\1\2\3\4", 4));
    with(p, IKE2_T_ESN, 0, 0);
    assert_int_equal(ike2_child_choose(built(), &ah, 0, &work, &chosen, &choice), ERR_NO_PROPOSAL);
    with(p, IKE2_T_INTEG, IKE2_INTEG_HMAC_SHA2_512_256, 0);
    assert_int_equal(ike2_child_choose(built(), &ah, 0, &work, &chosen, &choice), ERR_OK);
    with(p, IKE2_T_ENCR, IKE2_ENCR_AES_CBC, 128);
    assert_int_equal(ike2_child_choose(built(), &ah, 0, &work, &chosen, &choice), ERR_NO_PROPOSAL);
}

/* RFC 8221 section 5: ChaCha20 is offered; AES-GCM with a short ICV is taken if there is nothing better. */
static void test_esp_ciphers(void **state)
{
    (void)state;
    static const struct {
        uint16_t id, bits;
        const char *text;
    } rows[] = {{IKE2_ENCR_CHACHA20_POLY1305, 0, "CHACHA20-POLY1305"},
                {IKE2_ENCR_AES_GCM_12, 128, "AES-GCM-128-ICV12"},
                {IKE2_ENCR_AES_GCM_8, 256, "AES-GCM-256-ICV8"}};
    struct ike2_child_suite chosen;
    struct ike2_choice choice;
    char text[ESP_SUITE_TEXT_MAX];
    bool offered = false;
    assert_int_equal(ike2_sa_parse(child_offer(&defaults), &work), ERR_OK);
    for (size_t t = 0; t < work.proposals[0].transform_count; t++) {
        const struct ike2_transform *transform = &work.proposals[0].transforms[t];
        offered |= transform->type == IKE2_T_ENCR && transform->id == IKE2_ENCR_CHACHA20_POLY1305;
        assert_int_not_equal(transform->id, IKE2_ENCR_AES_GCM_8);
    }
    assert_true(offered);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ike2_proposal *p = start(1, IKE2_PROTO_ESP, view_of("\1\2\3\4", 4));
        with(p, IKE2_T_ENCR, rows[i].id, rows[i].bits);
        with(p, IKE2_T_ESN, 0, 0);
        assert_int_equal(ike2_child_choose(built(), &defaults, 0, &work, &chosen, &choice), ERR_OK);
        assert_string_equal(esp_suite_format(&chosen.esp, text), rows[i].text);
        with(p, IKE2_T_ENCR, IKE2_ENCR_AES_GCM_16, 128);
        assert_int_equal(ike2_child_choose(built(), &defaults, 0, &work, &chosen, &choice), ERR_OK);
        assert_string_equal(esp_suite_format(&chosen.esp, text), "AES-GCM-128");
    }
}

/* Section 3.3.6: a transform with an attribute we don't know is not chosen, the others are. */
static void test_unknown_attribute(void **state)
{
    (void)state;
    struct ike2_suite chosen;
    struct ike2_choice choice;
    uint8_t body[128];
    /* 44 octets: GCM-256 with a second attribute, GCM-128, SHA2-256, curve25519 */
    struct view offer = check_hex("00000038 01010004"
                                  "03000010 01000014 800e0100 80990001"
                                  "0300000c 01000014 800e0080"
                                  "03000008 02000005"
                                  "00000008 0400001f",
                                  body);
    body[3] = (uint8_t)offer.len;
    assert_int_equal(ike2_ike_choose(offer, &defaults, 31, &work, &chosen, &choice), ERR_OK);
    assert_int_equal(chosen.protect.key_bits, 128);
}

static void test_answers_refused(void **state)
{
    (void)state;
    struct ike2_suite suite, kept;
    struct ike2_choice choice, out;
    assert_int_equal(ike2_ike_choose(ike_offer(&defaults), &defaults, 31, &work, &suite, &choice),
                     ERR_OK);
    memset(&kept, 0x5a, sizeof(kept));
    suite = kept;
    struct ike2_choice bad = choice;
    bad.number = 2; /* AES-GCM was in the first */
    assert_int_equal(ike2_ike_check(reply(&bad, view_of(NULL, 0)), &defaults, &work, &suite, &out),
                     ERR_NO_PROPOSAL);
    bad.number = 9;
    assert_int_equal(ike2_ike_check(reply(&bad, view_of(NULL, 0)), &defaults, &work, &suite, &out),
                     ERR_NO_PROPOSAL);
    bad = choice;
    bad.transforms[0].key_bits = 192; /* accepted, but never offered */
    assert_int_equal(ike2_ike_check(reply(&bad, view_of(NULL, 0)), &defaults, &work, &suite, &out),
                     ERR_NO_PROPOSAL);
    bad = choice;
    bad.transform_count--; /* no key exchange */
    assert_int_equal(ike2_ike_check(reply(&bad, view_of(NULL, 0)), &defaults, &work, &suite, &out),
                     ERR_NO_PROPOSAL);
    bad = choice;
    bad.transforms[bad.transform_count++] = bad.transforms[0]; /* two of a type */
    assert_int_equal(ike2_ike_check(reply(&bad, view_of(NULL, 0)), &defaults, &work, &suite, &out),
                     ERR_NO_PROPOSAL);
    bad = choice;
    bad.protocol = IKE2_PROTO_ESP;
    assert_int_equal(
        ike2_ike_check(reply(&bad, view_of_text("spi1")), &defaults, &work, &suite, &out),
        ERR_NO_PROPOSAL);
    /* The whole offer back is no answer. */
    assert_int_equal(ike2_ike_check(ike_offer(&defaults), &defaults, &work, &suite, &out),
                     ERR_NO_PROPOSAL);
    assert_memory_equal(&suite, &kept, sizeof(suite));
}

static void test_reserved_spi(void **state)
{
    (void)state;
    struct ike2_child_suite child;
    struct ike2_choice choice;
    static const uint8_t reserved[] = {0, 0, 0, 255}, first[] = {0, 0, 1, 0};
    struct ike2_proposal *p = start(1, IKE2_PROTO_ESP, view_of(reserved, 4));
    with(p, IKE2_T_ENCR, IKE2_ENCR_AES_GCM_16, 128);
    with(p, IKE2_T_ESN, 0, 0);
    assert_int_equal(ike2_child_choose(built(), &defaults, 0, &work, &child, &choice),
                     ERR_NO_PROPOSAL);
    p->spi = view_of(first, 4);
    assert_int_equal(ike2_child_choose(built(), &defaults, 0, &work, &child, &choice), ERR_OK);
}

/* RFC 9370, with methods that every libcrypto has. */
static void test_additional(void **state)
{
    (void)state;
    const struct ike2_policy hybrid = {.additional = {IKE2_KE_ECP_256, IKE2_KE_CURVE448}};
    struct ike2_suite chosen, checked;
    struct ike2_choice choice, again;
    struct view offer = ike_offer(&hybrid);
    assert_int_equal(work.proposal_count, 4);
    assert_int_equal(ike2_ike_choose(offer, &hybrid, 31, &work, &chosen, &choice), ERR_OK);
    assert_int_equal(chosen.additional[0], IKE2_KE_ECP_256);
    assert_int_equal(chosen.additional[1], IKE2_KE_CURVE448);
    char text[IKE2_SUITE_TEXT_MAX];
    assert_string_equal(ike2_suite_format(&chosen, text),
                        "AES-GCM-256 prf SHA2-256 curve25519+ecp256+curve448");
    assert_int_equal(
        ike2_ike_check(reply(&choice, view_of(NULL, 0)), &hybrid, &work, &checked, &again), ERR_OK);
    assert_same_suite(&chosen, &checked);
    /* Who has none of it takes the same without. */
    offer = ike_offer(&hybrid);
    assert_int_equal(ike2_ike_choose(offer, &defaults, 31, &work, &chosen, &choice), ERR_OK);
    assert_int_equal(chosen.additional[0], 0);
    assert_int_equal(choice.number, 3);
    assert_int_equal(
        ike2_ike_check(reply(&choice, view_of(NULL, 0)), &hybrid, &work, &checked, &again), ERR_OK);
    /* No method twice: with ECP-256 as the first one, what is left is without. */
    offer = ike_offer(&hybrid);
    assert_int_equal(ike2_ike_choose(offer, &hybrid, 19, &work, &chosen, &choice), ERR_OK);
    assert_true(chosen.additional[0] != chosen.method);
}

static void test_prf_numbers(void **state)
{
    (void)state;
    enum hash_alg hash;
    for (uint16_t id = 0; id < 20; id++)
        if (ike2_prf_hash(id, &hash))
            assert_int_equal(ike2_prf_id(hash), id);
    assert_true(ike2_prf_hash(IKE2_PRF_HMAC_SHA2_384, &hash));
    assert_int_equal(hash, HASH_SHA2_384);
    assert_false(ike2_prf_hash(IKE2_PRF_HMAC_MD5, &hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payload_round_trip),
        cmocka_unit_test(test_spi_lengths),
        cmocka_unit_test(test_offer_is_chosen),
        cmocka_unit_test(test_child_offer_is_chosen),
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_proposals_passed_over),
        cmocka_unit_test(test_child_of_ah),
        cmocka_unit_test(test_esp_ciphers),
        cmocka_unit_test(test_unknown_attribute),
        cmocka_unit_test(test_answers_refused),
        cmocka_unit_test(test_reserved_spi),
        cmocka_unit_test(test_additional),
        cmocka_unit_test(test_prf_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
