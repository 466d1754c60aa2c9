/* What DNS answers mean, and the questions asked for them, in virtual time. */
#include "dns_records.h"

#include <stdio.h>
#include <stdlib.h>

struct rig {
    struct discover *d;
    uint64_t seed;
    mono_t now;
    struct event_record last_query, last_answer;
    size_t queries_traced, answers_traced, warnings;
};

static void on_record(void *ctx, const struct event_record *record)
{
    struct rig *rig = ctx;
    assert_int_equal(record->room, EVENT_DISCOVER);
    if (record->to.party == EVENT_PARTY_DNS) {
        rig->last_query = *record;
        rig->queries_traced++;
    } else {
        rig->last_answer = *record;
        rig->answers_traced++;
    }
    rig->warnings += record->level == EVENT_WARNING;
}

static void rig_open(struct rig *rig, struct discover_config config)
{
    *rig = (struct rig){.seed = 7, .now = {1000}};
    struct discover_env env = {.rng = check_rng(&rig->seed),
                               .trace = {.emit = on_record, .ctx = rig}};
    assert_int_equal(discover_new(&config, &env, &rig->d), ERR_OK);
}

static void rig_close(struct rig *rig)
{
    discover_free(rig->d);
}

static enum err ask(struct rig *rig, uint64_t ticket, const char *address)
{
    struct discover_event event = {
        .kind = DISCOVER_EV_DELEGATION, .ticket = ticket, .address = test_addr(address)};
    return discover_input(rig->d, rig->now, &event);
}

static enum err ask_keys(struct rig *rig, uint64_t ticket, const char *id)
{
    struct discover_event event = {.kind = DISCOVER_EV_KEYS, .ticket = ticket, .id = test_id(id)};
    return discover_input(rig->d, rig->now, &event);
}

static uint64_t expect_query(struct rig *rig, uint16_t type, const char *name)
{
    struct discover_effect fx;
    assert_true(discover_next_effect(rig->d, &fx));
    assert_int_equal(fx.kind, DISCOVER_FX_QUERY);
    assert_int_equal(fx.type, type);
    assert_string_equal(fx.name, name);
    return fx.serial;
}

static void expect_quiet(struct rig *rig)
{
    struct discover_effect fx;
    assert_false(discover_next_effect(rig->d, &fx));
}

static enum err answer(struct rig *rig, uint64_t serial, const struct dns_answer *answer)
{
    struct discover_event event = {.kind = DISCOVER_EV_ANSWER, .serial = serial, .answer = answer};
    return discover_input(rig->d, rig->now, &event);
}

/* Valid until the next call into the engine. */
static const struct delegation *expect_delegation(struct rig *rig, uint64_t ticket,
                                                  enum discovered status)
{
    struct discover_effect fx;
    assert_true(discover_next_effect(rig->d, &fx));
    assert_int_equal(fx.kind, DISCOVER_FX_DELEGATION);
    assert_int_equal(fx.ticket, ticket);
    assert_int_equal(fx.delegation->status, status);
    assert_true(fx.delegation->why[0] != '\0');
    if (status != DISCOVERED_FOUND)
        assert_int_equal(fx.delegation->count, 0);
    return fx.delegation;
}

static const struct identity_keys *expect_keys(struct rig *rig, uint64_t ticket,
                                               enum discovered status)
{
    struct discover_effect fx;
    assert_true(discover_next_effect(rig->d, &fx));
    assert_int_equal(fx.kind, DISCOVER_FX_KEYS);
    assert_int_equal(fx.ticket, ticket);
    assert_int_equal(fx.keys->status, status);
    assert_true(fx.keys->why[0] != '\0');
    return fx.keys;
}

static void advance(struct rig *rig, int64_t ms)
{
    rig->now = mono_add(rig->now, ms);
    discover_timer(rig->d, rig->now);
}

#define BOB "192.2.0.66"
#define BOB_NAME "66.0.2.192.in-addr.arpa."

static void check_key(const struct public_key *got, uint64_t seed)
{
    struct public_key want = test_key(seed);
    assert_true(public_key_equal(got, &want));
}

/* OE-047, OE-139, and the trace of steps 5B and 5C. */
static void test_delegation_with_key(void **state)
{
    (void)state;
    struct rig rig;
    struct dns_answer a = test_found(true, 300);

    rig_open(&rig, (struct discover_config){0});
    test_add(&a, test_txt(10, "192.1.1.5", 1));
    assert_int_equal(ask(&rig, 42, BOB), ERR_OK);
    uint64_t serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
    expect_quiet(&rig);
    assert_int_equal(discover_pending(rig.d), 1);
    assert_int_equal(answer(&rig, serial, &a), ERR_OK);
    const struct delegation *d = expect_delegation(&rig, 42, DISCOVERED_FOUND);
    assert_true(d->secure);
    assert_int_equal(d->expires.ms, rig.now.ms + 300000);
    assert_int_equal(d->count, 1);
    assert_int_equal(d->gateways[0].precedence, 10);
    struct identity gw = test_id("192.1.1.5");
    assert_true(identity_equal(&d->gateways[0].id, &gw));
    assert_int_equal(d->gateways[0].key_count, 1);
    check_key(&d->gateways[0].keys[0], 1);
    expect_quiet(&rig);
    assert_int_equal(discover_pending(rig.d), 0);

    assert_string_equal(rig.last_query.label, "5B");
    assert_string_equal(rig.last_query.title, "TXT " BOB_NAME "?");
    assert_int_equal(rig.last_query.line, EVENT_LINE_CLEAR);
    assert_int_equal(rig.last_query.from.party, EVENT_PARTY_SELF);
    assert_int_equal(rig.last_query.connection, 42);
    assert_string_equal(rig.last_answer.label, "5C");
    assert_int_equal(rig.last_answer.from.party, EVENT_PARTY_DNS);
    assert_int_equal(rig.last_answer.to.party, EVENT_PARTY_SELF);
    assert_non_null(strstr(rig.last_answer.detail, "secure"));
    assert_non_null(strstr(rig.last_answer.detail, "192.1.1.5"));
    assert_non_null(strstr(rig.last_answer.detail, "RSA-1024"));
    /* The same serial means nothing any more. */
    assert_int_equal(answer(&rig, serial, &a), ERR_UNKNOWN);
    expect_quiet(&rig);
    rig_close(&rig);
}

static void test_delegation_v6(void **state)
{
    (void)state;
    struct rig rig;
    struct dns_answer a = {.status = DNS_ABSENT, .secure = true, .ttl_s = 5};

    rig_open(&rig, (struct discover_config){0});
    assert_int_equal(ask(&rig, 1, "2001:db8::66"), ERR_OK);
    uint64_t serial = expect_query(&rig, DNS_TYPE_TXT,
                                   "6.6.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0."
                                   "1.0.0.2.ip6.arpa.");
    assert_int_equal(answer(&rig, serial, &a), ERR_OK);
    expect_delegation(&rig, 1, DISCOVERED_ABSENT);
    rig_close(&rig);
}

/* Each status of an answer is told apart, and so is whether DNSSEC stands behind it (OE-116). */
static void test_statuses(void **state)
{
    (void)state;
    struct rig rig;
    static const struct {
        enum dns_status status;
        enum discovered found;
        bool secure;
        const char *why;
    } cases[] = {
        {DNS_ABSENT, DISCOVERED_ABSENT, true, "secure denial"},
        {DNS_ABSENT, DISCOVERED_ABSENT, false, "not signed"},
        {DNS_BOGUS, DISCOVERED_BOGUS, false, "signature expired"},
        {DNS_TIMEOUT, DISCOVERED_TIMEOUT, false, "signature expired"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct dns_answer a = {
            .status = cases[i].status, .secure = cases[i].secure, .why = "signature expired"};
        rig_open(&rig, (struct discover_config){0});
        assert_int_equal(ask(&rig, i, BOB), ERR_OK);
        uint64_t serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
        assert_int_equal(answer(&rig, serial, &a), ERR_OK);
        const struct delegation *d = expect_delegation(&rig, i, cases[i].found);
        assert_int_equal(d->secure, cases[i].secure);
        assert_non_null(strstr(d->why, cases[i].why));
        /* OE-052 */
        assert_int_equal(rig.warnings, cases[i].status == DNS_BOGUS);
        rig_close(&rig);
    }
}

/* OE-141, OE-051 */
static void test_records_of_others(void **state)
{
    (void)state;
    struct rig rig;
    struct dns_answer a = test_found(true, 60);

    rig_open(&rig, (struct discover_config){0});
    test_add(&a, test_text("v=spf1 -all"));
    test_add(&a, test_text(""));
    assert_int_equal(ask(&rig, 1, BOB), ERR_OK);
    uint64_t serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
    assert_int_equal(answer(&rig, serial, &a), ERR_OK);
    expect_delegation(&rig, 1, DISCOVERED_ABSENT);

    advance(&rig, 61000);
    test_add(&a, test_txt(10, "192.1.1.5", 1));
    assert_int_equal(ask(&rig, 2, BOB), ERR_OK);
    serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
    assert_int_equal(answer(&rig, serial, &a), ERR_OK);
    assert_int_equal(expect_delegation(&rig, 2, DISCOVERED_FOUND)->count, 1);

    advance(&rig, 61000);
    test_add(&a, test_text("X-IPsec-Server(99999)=192.1.1.5"));
    assert_int_equal(ask(&rig, 3, BOB), ERR_OK);
    serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
    assert_int_equal(answer(&rig, serial, &a), ERR_OK);
    expect_delegation(&rig, 3, DISCOVERED_MALFORMED);
    rig_close(&rig);
}

/* OE-143, OE-153 */
static void test_gateways_sorted_and_grouped(void **state)
{
    (void)state;
    struct rig rig;
    struct dns_answer a = test_found(true, 60);

    rig_open(&rig, (struct discover_config){0});
    test_add(&a, test_txt(20, "192.1.1.6", 2));
    test_add(&a, test_txt(30, "@gw.example.net", 5));
    test_add(&a, test_txt(20, "192.1.1.5", 3));
    test_add(&a, test_txt(10, "192.1.1.5", 1));
    test_add(&a, test_txt(10, "192.1.1.5", 1));
    assert_int_equal(ask(&rig, 1, BOB), ERR_OK);
    uint64_t serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
    assert_int_equal(answer(&rig, serial, &a), ERR_OK);
    const struct delegation *d = expect_delegation(&rig, 1, DISCOVERED_FOUND);
    struct identity five = test_id("192.1.1.5"), six = test_id("192.1.1.6");
    assert_int_equal(d->count, 3);
    assert_true(identity_equal(&d->gateways[0].id, &five));
    assert_int_equal(d->gateways[0].precedence, 10);
    assert_int_equal(d->gateways[0].key_count, 2);
    check_key(&d->gateways[0].keys[0], 3);
    check_key(&d->gateways[0].keys[1], 1);
    assert_true(identity_equal(&d->gateways[1].id, &six));
    assert_int_equal(d->gateways[2].id.kind, IDENTITY_FQDN);
    rig_close(&rig);
}

/* OE-152: each of three equals comes first about a third of the time, the weaker never. */
static void test_equal_precedence_is_random(void **state)
{
    (void)state;
    struct rig rig;
    unsigned first[4] = {0};

    rig_open(&rig, (struct discover_config){0});
    for (unsigned i = 0; i < 900; i++) {
        struct dns_answer a = test_found(true, 0);
        test_add(&a, test_txt(20, "192.1.1.3", 9));
        test_add(&a, test_txt(10, "192.1.1.0", 1));
        test_add(&a, test_txt(10, "192.1.1.1", 2));
        test_add(&a, test_txt(10, "192.1.1.2", 3));
        assert_int_equal(ask(&rig, i, BOB), ERR_OK);
        uint64_t serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
        assert_int_equal(answer(&rig, serial, &a), ERR_OK);
        const struct delegation *d = expect_delegation(&rig, i, DISCOVERED_FOUND);
        assert_int_equal(d->count, 4);
        first[d->gateways[0].id.addr.octets[3]]++;
        assert_int_equal(d->gateways[3].id.addr.octets[3], 3);
    }
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(first[i], 240, 360);
    rig_close(&rig);
}

/* The strongest eight are kept, and of each the first four keys. */
static void test_limits_of_one_answer(void **state)
{
    (void)state;
    struct rig rig;
    struct dns_answer a = test_found(true, 60);
    char gateway[32];

    rig_open(&rig, (struct discover_config){0});
    for (unsigned i = 0; i < 20; i++) {
        snprintf(gateway, sizeof(gateway), "192.1.1.%u", 100 - i);
        test_add(&a, test_txt((uint16_t)(100 - i), gateway, 1 + i));
    }
    for (unsigned i = 0; i < 6; i++)
        test_add(&a, test_txt(5, "192.1.2.1", 50 + i));
    assert_int_equal(ask(&rig, 1, BOB), ERR_OK);
    uint64_t serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
    assert_int_equal(answer(&rig, serial, &a), ERR_OK);
    const struct delegation *d = expect_delegation(&rig, 1, DISCOVERED_FOUND);
    assert_int_equal(d->count, LIMIT_GATEWAYS);
    assert_int_equal(d->gateways[0].precedence, 5);
    assert_int_equal(d->gateways[0].key_count, LIMIT_GATEWAY_KEYS);
    for (unsigned i = 1; i < LIMIT_GATEWAYS; i++)
        assert_int_equal(d->gateways[i].precedence, 80 + i);
    rig_close(&rig);
}

/* OE-049, OE-145: the key is looked up in the gateway's reverse map, a name's in the forward map.
 */
static void test_key_sub_lookup(void **state)
{
    (void)state;
    struct rig rig;
    struct dns_answer a = test_found(true, 300), k1 = test_found(true, 100),
                      k2 = test_found(false, 200);

    rig_open(&rig, (struct discover_config){0});
    test_add(&a, test_txt(10, "192.1.1.5", 0));
    test_add(&a, test_txt(20, "@gw.example.net", 0));
    test_add(&a, test_txt(30, "192.1.1.6", 3));
    assert_int_equal(ask(&rig, 1, BOB), ERR_OK);
    uint64_t txt = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
    assert_int_equal(answer(&rig, txt, &a), ERR_OK);
    uint64_t key1 = expect_query(&rig, DNS_TYPE_KEY, "5.1.1.192.in-addr.arpa.");
    uint64_t key2 = expect_query(&rig, DNS_TYPE_KEY, "gw.example.net.");
    expect_quiet(&rig);
    test_add(&k1, test_key_record(1));
    test_add(&k2, test_key_record(2));
    assert_int_equal(answer(&rig, key2, &k2), ERR_OK);
    expect_quiet(&rig);
    assert_int_equal(answer(&rig, key1, &k1), ERR_OK);
    const struct delegation *d = expect_delegation(&rig, 1, DISCOVERED_FOUND);
    assert_int_equal(d->count, 3);
    check_key(&d->gateways[0].keys[0], 1);
    check_key(&d->gateways[1].keys[0], 2);
    check_key(&d->gateways[2].keys[0], 3);
    /* One answer without signature leaves the whole without; the shortest life counts. */
    assert_false(d->secure);
    assert_int_equal(d->expires.ms, rig.now.ms + 100000);
    rig_close(&rig);
}

static void test_key_sub_lookup_fails(void **state)
{
    (void)state;
    static const struct {
        enum dns_status status;
        bool alone;
        enum discovered want;
    } cases[] = {
        {DNS_ABSENT, true, DISCOVERED_ABSENT},  {DNS_TIMEOUT, true, DISCOVERED_TIMEOUT},
        {DNS_BOGUS, true, DISCOVERED_BOGUS},    {DNS_ABSENT, false, DISCOVERED_FOUND},
        {DNS_TIMEOUT, false, DISCOVERED_FOUND}, {DNS_BOGUS, false, DISCOVERED_BOGUS},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct rig rig;
        struct dns_answer a = test_found(true, 300), k = {.status = cases[i].status};
        rig_open(&rig, (struct discover_config){0});
        test_add(&a, test_txt(10, "192.1.1.5", 0));
        if (!cases[i].alone)
            test_add(&a, test_txt(30, "192.1.1.6", 3));
        assert_int_equal(ask(&rig, 1, BOB), ERR_OK);
        uint64_t serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
        assert_int_equal(answer(&rig, serial, &a), ERR_OK);
        serial = expect_query(&rig, DNS_TYPE_KEY, "5.1.1.192.in-addr.arpa.");
        assert_int_equal(answer(&rig, serial, &k), ERR_OK);
        const struct delegation *d = expect_delegation(&rig, 1, cases[i].want);
        if (cases[i].want == DISCOVERED_FOUND) {
            assert_int_equal(d->count, 1);
            assert_int_equal(d->gateways[0].precedence, 30);
        }
        rig_close(&rig);
    }
}

/* OE-085, OE-137, OE-156: all keys, other uses of KEY left out; steps 5F1 and 5F2. */
static void test_keys_of_identity(void **state)
{
    (void)state;
    struct rig rig;
    struct dns_answer a = test_found(true, 60), none = {.status = DNS_ABSENT, .secure = true};
    static const uint8_t zone_key[] = {0x01, 0x00, 3, 1, 1, 3, 0xff};
    static const uint8_t broken[] = {0x42, 0x00, 4, 1, 0};

    rig_open(&rig, (struct discover_config){0});
    test_add(&a, test_key_record(1));
    test_add(&a, view_of(zone_key, sizeof(zone_key)));
    test_add(&a, view_of(broken, sizeof(broken)));
    test_add(&a, test_key_record(2));
    assert_int_equal(ask_keys(&rig, 9, "192.1.1.4"), ERR_OK);
    uint64_t serial = expect_query(&rig, DNS_TYPE_KEY, "4.1.1.192.in-addr.arpa.");
    assert_int_equal(answer(&rig, serial, &a), ERR_OK);
    const struct identity_keys *keys = expect_keys(&rig, 9, DISCOVERED_FOUND);
    assert_int_equal(keys->count, 2);
    check_key(&keys->keys[0], 1);
    check_key(&keys->keys[1], 2);
    assert_true(keys->secure);
    assert_string_equal(rig.last_query.label, "5F1");
    assert_string_equal(rig.last_answer.label, "5F2");

    assert_int_equal(ask_keys(&rig, 10, "@sg-a.example.net"), ERR_OK);
    serial = expect_query(&rig, DNS_TYPE_KEY, "sg-a.example.net.");
    assert_int_equal(answer(&rig, serial, &none), ERR_OK);
    expect_keys(&rig, 10, DISCOVERED_ABSENT);

    a = test_found(true, 0);
    test_add(&a, view_of(broken, sizeof(broken)));
    assert_int_equal(ask_keys(&rig, 11, "192.1.1.9"), ERR_OK);
    serial = expect_query(&rig, DNS_TYPE_KEY, "9.1.1.192.in-addr.arpa.");
    assert_int_equal(answer(&rig, serial, &a), ERR_OK);
    expect_keys(&rig, 11, DISCOVERED_MALFORMED);
    rig_close(&rig);
}

/* The responder's lookup of a client has its own steps, 5H1 and 5H2. */
static void test_purpose_labels(void **state)
{
    (void)state;
    static const struct {
        enum discover_purpose purpose;
        const char *query, *answer;
    } cases[] = {{PURPOSE_INITIATE, "5B", "5C"},
                 {PURPOSE_AUTHORIZE, "5H1", "5H2"},
                 {PURPOSE_RECHECK, "", ""}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct rig rig;
        struct dns_answer a = {.status = DNS_ABSENT};
        struct discover_event event = {
            .kind = DISCOVER_EV_DELEGATION, .purpose = cases[i].purpose, .address = test_addr(BOB)};
        rig_open(&rig, (struct discover_config){0});
        assert_int_equal(discover_input(rig.d, rig.now, &event), ERR_OK);
        uint64_t serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
        assert_int_equal(answer(&rig, serial, &a), ERR_OK);
        assert_string_equal(rig.last_query.label, cases[i].query);
        assert_string_equal(rig.last_answer.label, cases[i].answer);
        rig_close(&rig);
    }
}

/* OE-055, OE-056 */
static void test_insecure_only_to_self(void **state)
{
    (void)state;
    static const struct {
        const char *gateway;
        bool secure;
        enum discovered want;
    } cases[] = {
        {"192.1.1.5", false, DISCOVERED_ABSENT},
        {"192.1.1.5", true, DISCOVERED_FOUND},
        {BOB, false, DISCOVERED_FOUND},
        {"@bob.example.net", false, DISCOVERED_ABSENT},
        {"@bob.example.net", true, DISCOVERED_FOUND},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct rig rig;
        struct dns_answer a = test_found(cases[i].secure, 60);
        rig_open(&rig, (struct discover_config){.insecure_only_to_self = true});
        test_add(&a, test_txt(10, cases[i].gateway, 1));
        assert_int_equal(ask(&rig, 1, BOB), ERR_OK);
        uint64_t serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
        assert_int_equal(answer(&rig, serial, &a), ERR_OK);
        expect_delegation(&rig, 1, cases[i].want);
        rig_close(&rig);
    }
}

/* OE-138: asked for at once with TXT, if configured; it counts only where no TXT delegation is. */
static void test_asks_ipseckey(void **state)
{
    (void)state;
    struct rig rig;
    struct dns_answer none = {.status = DNS_ABSENT, .secure = true, .ttl_s = 30},
                      a = test_found(true, 60);

    rig_open(&rig, (struct discover_config){.ask_ipseckey = true});
    test_add(&a, test_ipseckey(10, NULL, 1));
    test_add(&a, test_ipseckey(20, "192.1.1.5", 2));
    assert_int_equal(ask(&rig, 1, BOB), ERR_OK);
    uint64_t serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
    uint64_t second = expect_query(&rig, DNS_TYPE_IPSECKEY, BOB_NAME);
    assert_int_equal(answer(&rig, serial, &none), ERR_OK);
    expect_quiet(&rig);
    assert_int_equal(answer(&rig, second, &a), ERR_OK);
    const struct delegation *d = expect_delegation(&rig, 1, DISCOVERED_FOUND);
    struct identity self = test_id(BOB);
    assert_int_equal(d->count, 2);
    assert_true(identity_equal(&d->gateways[0].id, &self));
    assert_int_equal(d->expires.ms, rig.now.ms + 30000);

    a = test_found(true, 60);
    test_add(&a, test_txt(10, "192.1.1.5", 1));
    assert_int_equal(ask(&rig, 2, "192.2.0.67"), ERR_OK);
    serial = expect_query(&rig, DNS_TYPE_TXT, "67.0.2.192.in-addr.arpa.");
    second = expect_query(&rig, DNS_TYPE_IPSECKEY, "67.0.2.192.in-addr.arpa.");
    assert_int_equal(answer(&rig, serial, &a), ERR_OK);
    /* It is there, so nobody waits for the other; that answer comes late and is no matter. */
    expect_delegation(&rig, 2, DISCOVERED_FOUND);
    assert_int_equal(answer(&rig, second, &none), ERR_OK);
    expect_quiet(&rig);
    rig_close(&rig);
}

/* Many who ask the same at once share one query and all get the answer. */
static void test_sharing(void **state)
{
    (void)state;
    struct rig rig;
    struct dns_answer a = test_found(true, 0);
    bool seen[50] = {false};
    struct discover_effect fx;

    rig_open(&rig, (struct discover_config){0});
    test_add(&a, test_txt(10, "192.1.1.5", 0));
    for (uint64_t i = 0; i < 50; i++)
        assert_int_equal(ask(&rig, i, BOB), ERR_OK);
    uint64_t serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
    expect_quiet(&rig);
    assert_int_equal(answer(&rig, serial, &a), ERR_OK);
    serial = expect_query(&rig, DNS_TYPE_KEY, "5.1.1.192.in-addr.arpa.");
    expect_quiet(&rig);
    a = test_found(true, 0);
    test_add(&a, test_key_record(1));
    assert_int_equal(answer(&rig, serial, &a), ERR_OK);
    for (unsigned i = 0; i < 50; i++) {
        assert_true(discover_next_effect(rig.d, &fx));
        assert_int_equal(fx.delegation->status, DISCOVERED_FOUND);
        assert_false(seen[fx.ticket]);
        seen[fx.ticket] = true;
    }
    expect_quiet(&rig);
    assert_int_equal(rig.queries_traced, 2);
    /* With a TTL of zero nothing is left to share. */
    assert_int_equal(ask(&rig, 1, BOB), ERR_OK);
    expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
    rig_close(&rig);
}

/* OE-012, OE-078: answers of both kinds are used until they expire, not longer. */
static void test_cache_lives_and_dies(void **state)
{
    (void)state;
    struct rig rig;
    struct dns_answer answers[] = {{.status = DNS_ABSENT, .secure = true, .ttl_s = 100},
                                   test_found(true, 100)};

    rig_open(&rig, (struct discover_config){0});
    test_add(&answers[1], test_txt(10, "192.1.1.5", 1));
    for (size_t i = 0; i < 2; i++) {
        enum discovered want = i == 0 ? DISCOVERED_ABSENT : DISCOVERED_FOUND;
        assert_int_equal(ask(&rig, 1, BOB), ERR_OK);
        uint64_t serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
        mono_t expires = mono_add(rig.now, 100000);
        assert_int_equal(answer(&rig, serial, &answers[i]), ERR_OK);
        expect_delegation(&rig, 1, want);
        advance(&rig, 99999);
        assert_int_equal(ask(&rig, 2, BOB), ERR_OK);
        const struct delegation *d = expect_delegation(&rig, 2, want);
        assert_int_equal(d->expires.ms, expires.ms);
        expect_quiet(&rig);
        advance(&rig, 1);
    }
    assert_int_equal(ask(&rig, 3, BOB), ERR_OK);
    expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
    rig_close(&rig);
}

/* The cache is bounded; the longest unused answer goes. */
static void test_cache_bound(void **state)
{
    (void)state;
    struct rig rig;
    struct dns_answer a = {.status = DNS_ABSENT, .secure = true, .ttl_s = 1000};
    static const char *const names[] = {"192.2.0.1", "192.2.0.2", "192.2.0.3"};
    struct discover_effect fx;

    rig_open(&rig, (struct discover_config){.cache = 2});
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ask(&rig, i, names[i]), ERR_OK);
        assert_true(discover_next_effect(rig.d, &fx));
        assert_int_equal(answer(&rig, fx.serial, &a), ERR_OK);
        expect_delegation(&rig, i, DISCOVERED_ABSENT);
        if (i == 1) { /* used again, the first is now the younger */
            assert_int_equal(ask(&rig, 7, names[0]), ERR_OK);
            expect_delegation(&rig, 7, DISCOVERED_ABSENT);
        }
    }
    assert_int_equal(ask(&rig, 8, names[0]), ERR_OK);
    expect_delegation(&rig, 8, DISCOVERED_ABSENT);
    assert_int_equal(ask(&rig, 9, names[2]), ERR_OK);
    expect_delegation(&rig, 9, DISCOVERED_ABSENT);
    assert_int_equal(ask(&rig, 10, names[1]), ERR_OK);
    assert_true(discover_next_effect(rig.d, &fx));
    assert_int_equal(fx.kind, DISCOVER_FX_QUERY);
    rig_close(&rig);
}

/* Silence ends a request exactly at its deadline, also in the middle of its sub-step. */
static void test_timeouts(void **state)
{
    (void)state;
    struct rig rig;
    struct dns_answer a = test_found(true, 60);

    rig_open(&rig, (struct discover_config){.lookup_ms = 5000});
    assert_int_equal(discover_next_deadline(rig.d).ms, MONO_NEVER.ms);
    assert_int_equal(ask(&rig, 1, BOB), ERR_OK);
    uint64_t serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
    assert_int_equal(discover_next_deadline(rig.d).ms, rig.now.ms + 5000);
    advance(&rig, 4999);
    expect_quiet(&rig);
    advance(&rig, 1);
    expect_delegation(&rig, 1, DISCOVERED_TIMEOUT);
    expect_quiet(&rig);
    assert_int_equal(answer(&rig, serial, &a), ERR_UNKNOWN);

    test_add(&a, test_txt(10, "192.1.1.5", 0));
    assert_int_equal(ask(&rig, 2, BOB), ERR_OK);
    serial = expect_query(&rig, DNS_TYPE_TXT, BOB_NAME);
    advance(&rig, 3000);
    assert_int_equal(answer(&rig, serial, &a), ERR_OK);
    serial = expect_query(&rig, DNS_TYPE_KEY, "5.1.1.192.in-addr.arpa.");
    advance(&rig, 2000);
    expect_delegation(&rig, 2, DISCOVERED_TIMEOUT);
    assert_int_equal(discover_pending(rig.d), 0);
    /* The key's own question goes on and serves the next who asks. */
    struct dns_answer k = test_found(true, 60);
    test_add(&k, test_key_record(4));
    assert_int_equal(answer(&rig, serial, &k), ERR_OK);
    assert_int_equal(ask(&rig, 3, BOB), ERR_OK);
    check_key(&expect_delegation(&rig, 3, DISCOVERED_FOUND)->gateways[0].keys[0], 4);
    advance(&rig, 60000);
    assert_int_equal(discover_next_deadline(rig.d).ms, MONO_NEVER.ms);
    rig_close(&rig);
}

/* OE-113: who waits for a slow server holds nobody up. */
static void test_slow_answer_delays_nobody(void **state)
{
    (void)state;
    struct rig rig;
    struct dns_answer a = {.status = DNS_ABSENT, .secure = true};

    rig_open(&rig, (struct discover_config){0});
    assert_int_equal(ask(&rig, 1, "192.2.0.1"), ERR_OK);
    uint64_t slow = expect_query(&rig, DNS_TYPE_TXT, "1.0.2.192.in-addr.arpa.");
    assert_int_equal(ask(&rig, 2, "192.2.0.2"), ERR_OK);
    uint64_t quick = expect_query(&rig, DNS_TYPE_TXT, "2.0.2.192.in-addr.arpa.");
    assert_int_equal(answer(&rig, quick, &a), ERR_OK);
    expect_delegation(&rig, 2, DISCOVERED_ABSENT);
    expect_quiet(&rig);
    advance(&rig, 5000);
    assert_int_equal(answer(&rig, slow, &a), ERR_OK);
    expect_delegation(&rig, 1, DISCOVERED_ABSENT);
    rig_close(&rig);
}

/* Requests, answers and time in any order: each request gets exactly one effect, in time. */
static void test_random_traffic(void **state)
{
    (void)state;
    enum { TICKETS = 4000, NAMES = 40 };
    struct rig rig;
    uint64_t seed = 99, open[512];
    static uint8_t done[TICKETS];
    size_t open_count = 0, asked = 0, finished = 0;
    struct discover_effect fx;
    char name[32];

    memset(done, 0, sizeof(done));
    rig_open(&rig, (struct discover_config){.lookups = 16, .cache = 8, .lookup_ms = 1000});
    while (finished < TICKETS) {
        uint32_t what = check_random(&seed) % 8;
        snprintf(name, sizeof(name), "192.2.0.%u", check_random(&seed) % NAMES);
        if (what < 3 && asked < TICKETS) {
            uint64_t ticket = asked++;
            (void)(what == 0 ? ask_keys(&rig, ticket, name) : ask(&rig, ticket, name));
        } else if (what < 6 && open_count > 0) {
            size_t i = check_random(&seed) % open_count;
            struct dns_answer a = {.status = check_random(&seed) % 4,
                                   .ttl_s = check_random(&seed) % 3};
            if (a.status == DNS_FOUND) {
                test_add(&a, test_txt(1, name, check_random(&seed) % 2));
                test_add(&a, test_txt(1, "@gw.example", 0));
            }
            uint64_t serial = open[i];
            open[i] = open[--open_count];
            (void)answer(&rig, serial, &a);
        } else {
            advance(&rig, check_random(&seed) % 400);
        }
        while (discover_next_effect(rig.d, &fx)) {
            if (fx.kind == DISCOVER_FX_QUERY) {
                if (open_count < CHECK_COUNT(open))
                    open[open_count++] = fx.serial;
                continue;
            }
            assert_true(fx.ticket < TICKETS);
            assert_int_equal(done[fx.ticket]++, 0);
            finished++;
        }
        assert_int_equal(discover_pending(rig.d), asked - finished);
    }
    advance(&rig, 100000);
    assert_int_equal(discover_next_deadline(rig.d).ms, MONO_NEVER.ms);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delegation_with_key),
        cmocka_unit_test(test_delegation_v6),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_records_of_others),
        cmocka_unit_test(test_gateways_sorted_and_grouped),
        cmocka_unit_test(test_equal_precedence_is_random),
        cmocka_unit_test(test_limits_of_one_answer),
        cmocka_unit_test(test_key_sub_lookup),
        cmocka_unit_test(test_key_sub_lookup_fails),
        cmocka_unit_test(test_keys_of_identity),
        cmocka_unit_test(test_purpose_labels),
        cmocka_unit_test(test_insecure_only_to_self),
        cmocka_unit_test(test_asks_ipseckey),
        cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_cache_lives_and_dies),
        cmocka_unit_test(test_cache_bound),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_slow_answer_delays_nobody),
        cmocka_unit_test(test_random_traffic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
