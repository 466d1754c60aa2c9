/*
 * IPSECKEY beside TXT and KEY, gateways that are names, and what forward names may and may not say
 * about an address.
 */
#include "dns_records.h"

#include <stdio.h>

#define BOB "192.2.0.66"
#define BOB_NAME "66.0.2.192.in-addr.arpa."
#define EVIL "@evil.example"

enum { RIG_QUERIES = 32 };

/* A zone of canned answers: every query that leaves the engine is answered from it at once. */
struct record {
    uint16_t type;
    const char *name;
    struct dns_answer answer;
};

struct rig {
    struct discover *d;
    uint64_t seed;
    mono_t now;
    struct record records[RIG_QUERIES];
    size_t count;
    char asked[RIG_QUERIES][LIMIT_DNS_NAME + 8];
    size_t asked_count;
};

static void rig_open(struct rig *rig, struct discover_config config)
{
    struct discover_env env = {.rng = check_rng(&rig->seed)};
    *rig = (struct rig){.seed = 11, .now = {1000}};
    assert_int_equal(discover_new(&config, &env, &rig->d), ERR_OK);
}

static struct dns_answer *rig_record(struct rig *rig, uint16_t type, const char *name, bool secure)
{
    struct record *record = &rig->records[rig->count++];
    assert_true(rig->count <= RIG_QUERIES);
    *record = (struct record){.type = type, .name = name, .answer = test_found(secure, 300)};
    return &record->answer;
}

static struct view address_rdata(const char *text)
{
    struct ip_addr addr = test_addr(text);
    struct view octets = ip_addr_view(&addr);
    struct span room = test_room();
    memcpy(room.ptr, octets.ptr, octets.len);
    return view_of(room.ptr, octets.len);
}

static void rig_address(struct rig *rig, const char *name, const char *address, bool secure)
{
    struct ip_addr addr = test_addr(address);
    uint16_t type = addr.family == IP_V4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
    test_add(rig_record(rig, type, name, secure), address_rdata(address));
}

static void rig_key(struct rig *rig, const char *name, const char *gateway, uint64_t key)
{
    test_add(rig_record(rig, DNS_TYPE_IPSECKEY, name, true), test_ipseckey(10, gateway, key));
}

static void rig_answer(struct rig *rig, const struct discover_effect *fx)
{
    struct dns_answer none = {.status = DNS_ABSENT, .secure = true, .ttl_s = 3600};
    struct discover_event event = {
        .kind = DISCOVER_EV_ANSWER, .serial = fx->serial, .answer = &none};
    for (size_t i = 0; i < rig->count; i++)
        if (rig->records[i].type == fx->type && strcmp(rig->records[i].name, fx->name) == 0)
            event.answer = &rig->records[i].answer;
    assert_true(rig->asked_count < RIG_QUERIES);
    snprintf(rig->asked[rig->asked_count++], sizeof(rig->asked[0]), "%u %s", fx->type, fx->name);
    assert_int_equal(discover_input(rig->d, rig->now, &event), ERR_OK);
}

/* Answers queries until the one result is there. */
static struct discover_effect rig_run(struct rig *rig, const struct discover_event *event)
{
    struct discover_effect fx;
    rig->asked_count = 0;
    assert_int_equal(discover_input(rig->d, rig->now, event), ERR_OK);
    for (;;) {
        assert_true(discover_next_effect(rig->d, &fx));
        if (fx.kind != DISCOVER_FX_QUERY)
            return fx;
        rig_answer(rig, &fx);
    }
}

static const struct delegation *rig_ask(struct rig *rig, const char *address, bool names)
{
    struct discover_event event = {
        .kind = DISCOVER_EV_DELEGATION, .address = test_addr(address), .names = names};
    return rig_run(rig, &event).delegation;
}

static const struct identity_keys *rig_ask_keys(struct rig *rig, const char *id)
{
    struct discover_event event = {.kind = DISCOVER_EV_KEYS, .id = test_id(id)};
    return rig_run(rig, &event).keys;
}

static enum err rig_tell(struct rig *rig, const char *name, const char *address, uint32_t ttl_s)
{
    struct discover_event event = {.kind = DISCOVER_EV_NAME,
                                   .id = test_id(name),
                                   .address = test_addr(address),
                                   .ttl_s = ttl_s};
    return discover_input(rig->d, rig->now, &event);
}

static bool rig_asked(const struct rig *rig, const char *query)
{
    for (size_t i = 0; i < rig->asked_count; i++)
        if (strcmp(rig->asked[i], query) == 0)
            return true;
    return false;
}

static void check_key(const struct public_key *got, uint64_t seed)
{
    struct public_key want = test_key(seed);
    assert_true(public_key_equal(got, &want));
}

/* OE-085, OE-138: a peer's keys may be IPSECKEY records at its own name, and only its own. */
static void test_keys_from_ipseckey(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, (struct discover_config){.ask_ipseckey = true});
    struct dns_answer *a = rig_record(&rig, DNS_TYPE_IPSECKEY, "5.1.1.192.in-addr.arpa.", true);
    test_add(a, test_ipseckey(10, "192.1.1.5", 1));
    test_add(a, test_ipseckey(10, NULL, 2));
    test_add(a, test_ipseckey(10, "192.1.1.6", 3)); /* another gateway's */
    test_add(a, test_ipseckey(10, "192.1.1.5", 0)); /* no key in it */
    const struct identity_keys *keys = rig_ask_keys(&rig, "192.1.1.5");
    assert_int_equal(keys->status, DISCOVERED_FOUND);
    assert_true(keys->secure);
    assert_int_equal(keys->count, 2);
    check_key(&keys->keys[0], 1);
    check_key(&keys->keys[1], 2);

    rig_key(&rig, "host.example.net.", "@host.example.net", 4);
    keys = rig_ask_keys(&rig, "@host.example.net");
    assert_int_equal(keys->count, 1);
    check_key(&keys->keys[0], 4);
    rig_key(&rig, "other.example.net.", "@host.example.net", 4);
    assert_int_equal(rig_ask_keys(&rig, "@other.example.net")->status, DISCOVERED_ABSENT);

    /* KEY records win. */
    test_add(rig_record(&rig, DNS_TYPE_KEY, "both.example.net.", true), test_key_record(5));
    rig_key(&rig, "both.example.net.", NULL, 6);
    keys = rig_ask_keys(&rig, "@both.example.net");
    assert_int_equal(keys->count, 1);
    check_key(&keys->keys[0], 5);
    discover_free(rig.d);
}

/* RFC 4025 section 2.5: the four kinds of gateway; a name is contacted at each of its addresses. */
static void test_gateway_kinds(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, (struct discover_config){.ask_ipseckey = true});
    struct dns_answer *a = rig_record(&rig, DNS_TYPE_IPSECKEY, BOB_NAME, true);
    test_add(a, test_ipseckey(10, "@gw.example.net", 1));
    test_add(a, test_ipseckey(20, "2001:db8::5", 2));
    test_add(a, test_ipseckey(30, NULL, 3));
    test_add(a, test_ipseckey(40, "@lost.example.net", 4));
    struct dns_answer *v4 = rig_record(&rig, DNS_TYPE_A, "gw.example.net.", true);
    test_add(v4, address_rdata("192.1.1.5"));
    test_add(v4, address_rdata("192.1.1.6"));
    rig_address(&rig, "gw.example.net.", "2001:db8::6", true);

    const struct delegation *d = rig_ask(&rig, BOB, false);
    const char *const contacts[] = {"192.1.1.5", "192.1.1.6", "2001:db8::6", "2001:db8::5", BOB};
    assert_int_equal(d->status, DISCOVERED_FOUND);
    assert_true(d->secure);
    assert_false(d->by_name);
    assert_int_equal(d->count, 6);
    for (size_t i = 0; i < 5; i++) {
        struct ip_addr want = test_addr(contacts[i]);
        assert_true(ip_addr_equal(discovered_contact(&d->gateways[i]), &want));
        check_key(&d->gateways[i].keys[0], i < 3 ? 1 : i - 1);
    }
    assert_null(discovered_contact(&d->gateways[5]));

    /* An address that nobody vouches for takes the grade of the whole along. */
    rig_address(&rig, "lost.example.net.", "192.1.1.9", false);
    rig.now = mono_add(rig.now, 4000000);
    discover_timer(rig.d, rig.now);
    assert_false(rig_ask(&rig, BOB, false)->secure);
    discover_free(rig.d);
}

/* OE-147: an @FQDN in TXT only authorizes; nobody asks where it is. */
static void test_txt_name_is_not_contacted(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, (struct discover_config){.ask_ipseckey = true});
    test_add(rig_record(&rig, DNS_TYPE_TXT, BOB_NAME, true), test_txt(10, "@gw.example.net", 1));
    const struct delegation *d = rig_ask(&rig, BOB, false);
    assert_int_equal(d->status, DISCOVERED_FOUND);
    assert_null(discovered_contact(&d->gateways[0]));
    assert_false(rig_asked(&rig, "1 gw.example.net."));
    discover_free(rig.d);
}

static void open_with_bob(struct rig *rig)
{
    rig_open(rig, (struct discover_config){.ask_ipseckey = true});
    rig_key(rig, "bob.example.", NULL, 1);
    rig_address(rig, "bob.example.", BOB, true);
}

static void test_name_found(void **state)
{
    (void)state;
    struct rig rig;
    open_with_bob(&rig);
    assert_int_equal(rig_ask(&rig, BOB, true)->status, DISCOVERED_ABSENT); /* nobody told us */
    assert_int_equal(rig_tell(&rig, "@bob.example", BOB, 300), ERR_OK);
    const struct delegation *d = rig_ask(&rig, BOB, true);
    struct identity bob = test_id("@bob.example");
    struct ip_addr address = test_addr(BOB);
    assert_int_equal(d->status, DISCOVERED_FOUND);
    assert_true(d->by_name && d->secure);
    assert_int_equal(d->count, 1);
    assert_true(identity_equal(&d->gateways[0].id, &bob));
    assert_true(ip_addr_equal(discovered_contact(&d->gateways[0]), &address));
    check_key(&d->gateways[0].keys[0], 1);
    /* Only for whoever accepts names. */
    assert_int_equal(rig_ask(&rig, BOB, false)->status, DISCOVERED_ABSENT);
    discover_free(rig.d);
}

/* The hint is forgotten; a tunnel that stands on the name can still be looked at again. */
static void test_name_expires(void **state)
{
    (void)state;
    struct rig rig;
    open_with_bob(&rig);
    assert_int_equal(rig_tell(&rig, "@bob.example", BOB, 90), ERR_OK);
    rig.now = mono_add(rig.now, 89999);
    discover_timer(rig.d, rig.now);
    assert_int_equal(rig_ask(&rig, BOB, true)->status, DISCOVERED_FOUND);
    rig.now = mono_add(rig.now, 1);
    assert_true(mono_reached(rig.now, discover_next_deadline(rig.d)));
    discover_timer(rig.d, rig.now);
    const struct delegation *d = rig_ask(&rig, BOB, true);
    assert_int_equal(d->status, DISCOVERED_ABSENT);
    /* A name may come up any time, so this is soon looked at again. */
    assert_true(mono_since(d->expires, rig.now) <= 60000);

    struct discover_event again = {.kind = DISCOVER_EV_DELEGATION,
                                   .address = test_addr(BOB),
                                   .names = true,
                                   .id = test_id("@bob.example")};
    assert_true(rig_run(&rig, &again).delegation->by_name);
    discover_free(rig.d);
}

/* Whoever controls a name, but not the address that it points to, gets nowhere. */
static void test_hostile_names(void **state)
{
    (void)state;
    static const struct {
        const char *what, *gateway, *address;
        bool key_secure, address_secure, reverse;
        enum discovered want;
    } cases[] = {
        {"names its own gateway", "192.1.1.99", BOB, true, true, false, DISCOVERED_ABSENT},
        {"names a gateway by name", "@gw.evil.example", BOB, true, true, false, DISCOVERED_ABSENT},
        {"has another address", NULL, "192.2.0.67", true, true, false, DISCOVERED_ABSENT},
        {"key is not signed", NULL, BOB, false, true, false, DISCOVERED_ABSENT},
        {"address is not signed", NULL, BOB, true, false, false, DISCOVERED_ABSENT},
        {"reverse map says otherwise", NULL, BOB, true, true, true, DISCOVERED_FOUND},
        {"self, which is all it may say", NULL, BOB, true, true, false, DISCOVERED_FOUND},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct rig rig;
        print_message("%s\n", cases[i].what);
        rig_open(&rig, (struct discover_config){.ask_ipseckey = true});
        test_add(rig_record(&rig, DNS_TYPE_IPSECKEY, "evil.example.", cases[i].key_secure),
                 test_ipseckey(10, cases[i].gateway, 9));
        rig_address(&rig, "evil.example.", cases[i].address, cases[i].address_secure);
        if (cases[i].reverse)
            test_add(rig_record(&rig, DNS_TYPE_TXT, BOB_NAME, true), test_txt(10, "192.1.1.5", 1));
        assert_int_equal(rig_tell(&rig, EVIL, BOB, 300), ERR_OK);
        const struct delegation *d = rig_ask(&rig, BOB, true);
        assert_int_equal(d->status, cases[i].want);
        assert_int_equal(d->by_name, cases[i].want == DISCOVERED_FOUND && !cases[i].reverse);
        for (size_t k = 0; k < d->count; k++) {
            struct ip_addr contact = test_addr(cases[i].reverse ? "192.1.1.5" : BOB);
            assert_true(ip_addr_equal(discovered_contact(&d->gateways[k]), &contact));
        }
        if (cases[i].reverse)
            assert_false(rig_asked(&rig, "45 evil.example."));
        discover_free(rig.d);
    }
}

/* A bogus or malformed reverse map is something said, and names don't change it. */
static void test_names_do_not_mend(void **state)
{
    (void)state;
    struct dns_answer bogus = {.status = DNS_BOGUS, .ttl_s = 60, .why = "signature expired"};
    struct rig rig;
    open_with_bob(&rig);
    *rig_record(&rig, DNS_TYPE_TXT, BOB_NAME, false) = bogus;
    assert_int_equal(rig_tell(&rig, "@bob.example", BOB, 300), ERR_OK);
    assert_int_equal(rig_ask(&rig, BOB, true)->status, DISCOVERED_BOGUS);
    discover_free(rig.d);
}

/* OE-194: names and addresses are bounded, and a flood displaces no name told before it. */
static void test_bounds(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, (struct discover_config){.ask_ipseckey = true, .named_addresses = 8});
    rig_key(&rig, "bob.example.", NULL, 1);
    rig_address(&rig, "bob.example.", BOB, true);
    assert_int_equal(rig_tell(&rig, "@bob.example", BOB, 300), ERR_OK);
    for (unsigned i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof(name), "@a%u.evil.example", i);
        assert_int_equal(rig_tell(&rig, name, BOB, 3000),
                         i + 1 < LIMIT_ADDRESS_NAMES ? ERR_OK : ERR_LIMIT);
    }
    assert_true(rig_ask(&rig, BOB, true)->by_name);
    assert_int_equal(rig_tell(&rig, "@bob.example", BOB, 300), ERR_OK); /* once more is no news */

    for (unsigned i = 0; i < 20; i++) {
        char address[32];
        snprintf(address, sizeof(address), "192.0.2.%u", i);
        assert_int_equal(rig_tell(&rig, "@bob.example", address, 100000 + i), ERR_OK);
    }
    assert_int_equal(rig_ask(&rig, BOB, true)->status, DISCOVERED_ABSENT);
    struct discover_event bad = {.kind = DISCOVER_EV_NAME,
                                 .id = test_id(BOB),
                                 .address = test_addr(BOB)};
    assert_int_equal(discover_input(rig.d, rig.now, &bad), ERR_VALUE);
    discover_free(rig.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_from_ipseckey),
        cmocka_unit_test(test_gateway_kinds),
        cmocka_unit_test(test_txt_name_is_not_contacted),
        cmocka_unit_test(test_name_found),
        cmocka_unit_test(test_name_expires),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_names_do_not_mend),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
