/*
 * What the protocol model of IKE says (draft-iab-model-01 section 7), seen from outside the engines: the
 * messages, what they carry, and when there is an association and for whom.
 */
#include "forge.h"
#include "site.h"

enum { MESSAGES = 9, LOG = 64 };

struct log {
    size_t count;
    struct pair_datagram entries[LOG];
    size_t stop; /* how many get through; 0: all */
};

static bool keep(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct log *log = ctx;
    (void)pair;
    assert_true(log->count < LOG);
    log->entries[log->count++] = *d;
    return log->stop == 0 || log->count < log->stop;
}

/* The messages of one tunnel up to the `stop`th, which is lost. */
static struct pair *logged(struct log *log, size_t stop)
{
    struct pair *pair = pair_new(NULL);
    *log = (struct log){.stop = stop};
    pair->tap = keep;
    pair->tap_ctx = log;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 300);
    return pair;
}

static bool is_zero(const uint8_t *octets, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= octets[i];
    return any == 0;
}

static void read_clear(const struct pair_datagram *d, struct isakmp_header *header,
                       struct isakmp_payloads *payloads)
{
    struct view text = view_of(d->octets + ISAKMP_HEADER_LEN, d->len - ISAKMP_HEADER_LEN);
    assert_int_equal(isakmp_header_parse(view_of(d->octets, d->len), header), ERR_OK);
    assert_int_equal(isakmp_payloads_parse(header->next_payload, text, false, payloads), ERR_OK);
}

static struct isakmp_sa *read_sa(const struct isakmp_payloads *payloads)
{
    static struct isakmp_sa sa;
    assert_non_null(isakmp_payload_find(payloads, ISAKMP_P_SA, 0));
    assert_int_equal(isakmp_sa_parse(isakmp_payload_find(payloads, ISAKMP_P_SA, 0)->body, &sa),
                     ERR_OK);
    return &sa;
}

/* IKE-001, IKE-009 (A begins), IKE-020, IKE-021, IKE-022, IKE-025, IKE-026, IKE-027, IKE-031, IKE-043,
 * IKE-062: six messages in three round trips, then three; the first four of them in clear. */
static void test_main_mode_messages(void **state)
{
    static struct log log;
    struct pair *pair = logged(&log, 0);
    struct isakmp_payloads payloads;
    struct isakmp_header header;
    (void)state;
    assert_int_equal(log.count, MESSAGES);
    for (size_t i = 0; i < MESSAGES; i++) {
        const uint8_t *octets = log.entries[i].octets;
        assert_int_equal(log.entries[i].from, i % 2 == 0 || i == 8 ? PAIR_A : PAIR_B);
        assert_int_equal(octets[18], i < 6 ? 2 : 32);
        assert_int_equal(octets[19] & ISAKMP_FLAG_ENCRYPTED, i < 4 ? 0 : ISAKMP_FLAG_ENCRYPTED);
        assert_false(is_zero(octets, ISAKMP_COOKIE_LEN));
        assert_int_equal(is_zero(octets + ISAKMP_COOKIE_LEN, ISAKMP_COOKIE_LEN), i == 0);
        assert_memory_equal(octets, log.entries[0].octets, ISAKMP_COOKIE_LEN);
        if (i > 1)
            assert_memory_equal(octets, log.entries[1].octets, 2 * ISAKMP_COOKIE_LEN);
    }
    read_clear(&log.entries[0], &header, &payloads);
    assert_true(read_sa(&payloads)->proposals[0].transform_count > 1); /* the set that is offered */
    assert_null(isakmp_payload_find(&payloads, ISAKMP_P_KE, 0));
    read_clear(&log.entries[1], &header, &payloads);
    assert_int_equal(read_sa(&payloads)->proposal_count, 1);
    assert_int_equal(read_sa(&payloads)->proposals[0].transform_count, 1);
    for (size_t i = 2; i < 4; i++) {
        read_clear(&log.entries[i], &header, &payloads);
        assert_non_null(isakmp_payload_find(&payloads, ISAKMP_P_KE, 0));
        assert_non_null(isakmp_payload_find(&payloads, ISAKMP_P_NONCE, 0));
        assert_null(isakmp_payload_find(&payloads, ISAKMP_P_ID, 0));
    }
    pair_free(pair);
}

/* IKE-023: the group that message 2 chose is the one whose values messages 3 and 4 carry. */
static void test_group_is_chosen(void **state)
{
    size_t count;
    const struct ike_suite *suites = phase1_offers(false, &count);
    static struct log log;
    (void)state;
    for (size_t i = 0; i < count; i++) {
        struct pair *pair = pair_new(NULL);
        struct isakmp_payloads payloads;
        struct isakmp_header header;
        pair->sides[PAIR_A].ike->offers = &suites[i];
        pair->sides[PAIR_A].ike->offer_count = 1;
        log = (struct log){.stop = 0};
        pair->tap = keep;
        pair->tap_ctx = &log;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 300);
        for (size_t m = 2; m < 4; m++) {
            read_clear(&log.entries[m], &header, &payloads);
            assert_int_equal(isakmp_payload_find(&payloads, ISAKMP_P_KE, 0)->body.len,
                             dh_public_len(suites[i].group));
        }
        pair_free(pair);
    }
}

/* IKE-011, IKE-017, IKE-024, IKE-005: after message 2 there are no keys, before message 6 no association
 * that serves anybody, and no ESP SA before both sides are authenticated and keys are agreed. */
static void test_nothing_too_early(void **state)
{
    static struct log log;
    (void)state;
    for (size_t stop = 1; stop <= MESSAGES; stop++) {
        struct pair *pair = logged(&log, stop);
        const struct ike *a = pair->sides[PAIR_A].ike, *b = pair->sides[PAIR_B].ike;
        bool quick = false;
        for (size_t i = 0; i < log.count; i++)
            quick |= pair_is_exchange(&log.entries[i], ISAKMP_QUICK_MODE);
        assert_int_equal(quick, stop > 6);
        assert_int_equal(pair->sides[PAIR_A].authenticated, stop > 6);
        assert_int_equal(pair->sides[PAIR_B].authenticated, stop > 5);
        assert_int_equal(ike_sa_established(a->all[0]), stop > 6);
        assert_int_equal(b->all_count, stop > 3);
        if (stop <= 3)
            assert_true(is_zero(a->all[0]->keys.cipher, sizeof(a->all[0]->keys.cipher)));
        assert_int_equal(pair_sad_count(pair, PAIR_A), stop > 8 ? 2 : 0);
        assert_int_equal(pair_sad_count(pair, PAIR_B), stop > 7 ? 1 : 0); /* inbound alone */
        pair_free(pair);
    }
}

/* IKE-028, IKE-034: both computed the same secret, chose the same, and know each other. */
static void test_shared_state(void **state)
{
    static struct log log;
    struct pair *pair = logged(&log, 0);
    const struct ike_sa *a = pair->sides[PAIR_A].ike->all[0], *b = pair->sides[PAIR_B].ike->all[0];
    (void)state;
    assert_memory_equal(&a->suite, &b->suite, sizeof(a->suite));
    assert_memory_equal(a->keys.a, b->keys.a, hash_len(a->suite.hash));
    assert_memory_equal(a->keys.d, b->keys.d, hash_len(a->suite.hash));
    assert_memory_equal(a->keys.cipher, b->keys.cipher, a->suite.key_bits / 8);
    assert_false(is_zero(a->keys.cipher, a->suite.key_bits / 8));
    const struct identity id_a = identity_of_addr(&pair->sides[PAIR_A].addr.addr);
    const struct identity id_b = identity_of_addr(&pair->sides[PAIR_B].addr.addr);
    assert_true(identity_equal(&a->peer_id, &id_b));
    assert_true(identity_equal(&b->peer_id, &id_a));
    pair_free(pair);
}

/* IKE-010: what forward secrecy needs gone is gone: private values, nonces and g^xy of phase 1 once it is
 * done, those of Quick Mode and the keys of the ESP SAs once they are installed, all of it with the SA. */
static void test_secrets_go(void **state)
{
    static struct log log;
    struct pair *pair = logged(&log, 0);
    (void)state;
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        const struct ike_sa *sa = pair->sides[s].ike->all[0];
        const struct v1_quick *quick = LIST_FIRST(&sa->quicks);
        assert_null(sa->handshake);
        assert_non_null(quick);
        assert_null(quick->dh);
        assert_int_equal(quick->peer_ke.len, 0);
        for (unsigned i = 0; i < 2; i++)
            assert_true(is_zero(quick->sas[i].cipher_key, sizeof(quick->sas[i].cipher_key)) &&
                        is_zero(quick->sas[i].auth_key, sizeof(quick->sas[i].auth_key)));
    }
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_SHUTDOWN, 0), ERR_OK);
    pair_run(pair, 5000);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        assert_int_equal(pair->sides[s].ike->all_count, 0);
        assert_int_equal(pair_record_count(pair, s), 0);
    }
    pair_free(pair);
}

/* IKE-029: a private value for each handshake, with the same peer and under the same keys. */
static void test_fresh_values(void **state)
{
    static struct log log;
    struct pair *pair = logged(&log, 0);
    struct isakmp_payloads first, second;
    struct isakmp_header header;
    size_t before = log.count;
    (void)state;
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_SHUTDOWN, 0), ERR_OK);
    pair_crash(pair, PAIR_A, false);
    pair_run(pair, 3000);
    size_t again = log.count;
    assert_true(again > before);
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 0), ERR_OK);
    pair_run(pair, 3000);
    assert_int_equal(pair->sides[PAIR_A].authenticated, 2);
    for (size_t i = 2; i < 4; i++) {
        read_clear(&log.entries[i], &header, &first);
        struct view ke = isakmp_payload_find(&first, ISAKMP_P_KE, 0)->body;
        struct view nonce = isakmp_payload_find(&first, ISAKMP_P_NONCE, 0)->body;
        read_clear(&log.entries[again + i], &header, &second);
        assert_false(view_equal(ke, isakmp_payload_find(&second, ISAKMP_P_KE, 0)->body));
        assert_false(view_equal(nonce, isakmp_payload_find(&second, ISAKMP_P_NONCE, 0)->body));
    }
    pair_free(pair);
}

/* IKE-044, IKE-045, IKE-046, IKE-069: what Quick Mode carries. */
static bool look_inside(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    static const enum v1_message_kind kinds[] = {V1_QM1, V1_QM2, V1_QM3};
    unsigned *seen = ctx;
    struct isakmp_id id;
    struct isakmp_sa sa;
    struct forge forge;
    if (!pair_is_exchange(d, ISAKMP_QUICK_MODE))
        return true;
    forge_open(pair, !d->from, d, kinds[*seen], &forge);
    assert_int_equal(forge.payloads[0].type, ISAKMP_P_HASH);
    if (kinds[(*seen)++] == V1_QM3) {
        assert_int_equal(forge.count, 1);
        return true;
    }
    const struct forge_payload *p = forge_find(&forge, ISAKMP_P_SA);
    assert_int_equal(isakmp_sa_parse(view_of(p->body, p->len), &sa), ERR_OK);
    assert_int_equal(sa.proposals[0].protocol, PROTOCOL_ESP);
    assert_non_null(forge_find(&forge, ISAKMP_P_NONCE));
    p = forge_find(&forge, ISAKMP_P_ID);
    assert_int_equal(isakmp_id_parse(view_of(p->body, p->len), &id), ERR_OK);
    assert_int_equal(id.type, ISAKMP_ID_IPV4_ADDR_SUBNET);
    return true;
}

static void test_quick_mode_messages(void **state)
{
    struct site *site = site_new(IKE_BY_PSK, false);
    unsigned seen = 0;
    (void)state;
    site->pair->tap = look_inside;
    site->pair->tap_ctx = &seen;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 1000);
    site_check_up(site);
    assert_int_equal(seen, 3);
    site_free(site);
}

static bool count_phase1(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    (void)pair;
    *(unsigned *)ctx += d->octets[18] == ISAKMP_MAIN_MODE;
    /* IKE-018: of stage 2 nothing is in clear. */
    if (d->octets[18] != ISAKMP_MAIN_MODE)
        assert_int_equal(d->octets[19] & ISAKMP_FLAG_ENCRYPTED, ISAKMP_FLAG_ENCRYPTED);
    return true;
}

/* IKE-006, IKE-007, IKE-018, IKE-019: over one stage 1 tunnels with other algorithms, new keys for an old
 * tunnel, and the IKE SA stays what it was. */
static void test_many_under_one(void **state)
{
    static const struct esp_suite suites[] = {
        {ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 256, false},
        {ESP_CIPHER_AES_CBC, ESP_AUTH_HMAC_SHA2_256_128, 128, false},
    };
    struct pair *pair = pair_new(NULL);
    unsigned phase1 = 0;
    (void)state;
    pair->tap = count_phase1;
    pair->tap_ctx = &phase1;
    for (unsigned i = 0; i < 4; i++) { /* two tunnels, then each of them under the other suite */
        pair->sides[PAIR_A].ike->child_offers = &suites[i % 2 ^ i / 2];
        pair->sides[PAIR_A].ike->child_offer_count = 1;
        pair->sides[PAIR_B].ticket = 1000 + i % 2;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7 + i % 2, i % 2), ERR_OK);
        pair_run(pair, 500);
        assert_int_equal(pair->sides[PAIR_A].up, i + 1);
        assert_int_equal(pair->sides[PAIR_A].last_up.suite.cipher, suites[i % 2 ^ i / 2].cipher);
    }
    assert_int_equal(phase1, 6);
    assert_int_equal(pair->sides[PAIR_A].authenticated, 1);
    for (unsigned s = 0; s < PAIR_SIDES; s++)
        assert_int_equal(pair->sides[s].ike->all_count, 1);
    pair_free(pair);
}

/* IKE-058, IKE-059: a certificate says who somebody is. What he may have the table says, under that name;
 * an address in the certificate gives no right to it. */
static void test_rights_by_table(void **state)
{
    (void)state;
    for (unsigned allowed = 0; allowed < 2; allowed++) {
        struct site *site = site_certified(true, false, site_alt_names[PAIR_B], 0);
        struct traffic_pair table = site_traffic(PAIR_B);
        if (!allowed)
            table.remote = site_subnet("10.9.0.0/16");
        site->pair->sides[PAIR_B].narrow = &table;
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 60000);
        if (allowed)
            site_check_up(site);
        else
            site_check_down(site);
        assert_int_equal(site->pair->sides[PAIR_B].asked_authorization, 1);
        assert_int_equal(site->pair->sides[PAIR_B].authenticated, 1);
        site_free(site);
    }
}

/* IKE-051, IKE-053, IKE-060: CKY-R is the issuer's secret over both ends, CKY-I and the time; the secret
 * of another doesn't make it. */
static void test_cookie(void **state)
{
    struct pair *pair = pair_new(NULL);
    struct ike *a = pair->sides[PAIR_A].ike, *b = pair->sides[PAIR_B].ike;
    const struct ip_endpoint here = pair->sides[PAIR_B].addr, there = pair->sides[PAIR_A].addr;
    uint8_t cookies[16] = {1, 2, 3, 4, 5, 6, 7, 8}, again[8];
    (void)state;
    assert_int_equal(half_open_cookie_make(b, &here, &there, cookies, cookies + 8), ERR_OK);
    assert_int_equal(half_open_cookie_make(b, &here, &there, cookies, again), ERR_OK);
    assert_memory_equal(again, cookies + 8, sizeof(again));
    assert_true(half_open_cookie_valid(b, &here, &there, cookies));
    assert_false(half_open_cookie_valid(a, &here, &there, cookies));
    for (unsigned bit = 0; bit < 128; bit++) {
        cookies[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(half_open_cookie_valid(b, &here, &there, cookies));
        cookies[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    struct ip_endpoint other = there;
    other.addr.octets[3] ^= 1;
    assert_false(half_open_cookie_valid(b, &here, &other, cookies));
    other = there;
    other.port++;
    assert_false(half_open_cookie_valid(b, &here, &other, cookies));
    assert_false(half_open_cookie_valid(b, &other, &there, cookies));
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_main_mode_messages),
        cmocka_unit_test(test_group_is_chosen),
        cmocka_unit_test(test_nothing_too_early),
        cmocka_unit_test(test_shared_state),
        cmocka_unit_test(test_secrets_go),
        cmocka_unit_test(test_fresh_values),
        cmocka_unit_test(test_quick_mode_messages),
        cmocka_unit_test(test_many_under_one),
        cmocka_unit_test(test_rights_by_table),
        cmocka_unit_test(test_cookie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
