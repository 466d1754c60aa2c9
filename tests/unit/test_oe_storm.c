/*
 * oe and discover joined, in a storm of random events: DNS that answers anything or nothing, peers
 * that come and go, tunnels that fail, memory that runs out. Whatever comes, questions are answered
 * once, policy forbids what it forbids, the plane holds what the engine believes, and when the
 * storm is over everything goes away by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dns_records.h"
#include "oe/oe.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static unsigned until_failure; /* 0: memory is plenty */
static unsigned failures;

static bool fails(void)
{
    if (until_failure == 0 || --until_failure > 0)
        return false;
    failures++;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

enum { FLOWS = 12, PEERS = 3, SERIALS = 4096, OPEN_QUERIES = 256, TICKETS = 8192, ROWS = 256 };

static uint64_t row_hits[ROWS];

/* Flow i: 0 to 3 are of a paranoid class, 4 of deny, 5 of always-clear, the rest permissive, until
 * one of them is given another. */
struct storm {
    struct oe *oe;
    struct oe_class classes[FLOWS + 1];
    struct ip_addr own;
    struct oe_config config;
    struct discover *d;
    uint64_t seed;
    mono_t now;
    bool calm; /* nothing new begins; the plane says all is unused */
    struct ip_pair flows[FLOWS];
    int verdict[FLOWS]; /* what the plane holds; -1: nothing */
    uint64_t last_ticket;
    uint64_t queries[OPEN_QUERIES];
    char query_names[OPEN_QUERIES][LIMIT_DNS_NAME];
    uint16_t query_types[OPEN_QUERIES];
    size_t query_count;
    uint64_t refused; /* by discover, for its limits or for memory */
    uint64_t serial;
    uint8_t answered[SERIALS];
    uint8_t keying[TICKETS]; /* ike owes a result */
    uint8_t tunnel[TICKETS];
};

static uint32_t draw(struct storm *s, uint32_t below)
{
    return check_random(&s->seed) % below;
}

static struct ip_addr peer_addr(uint32_t i)
{
    return ip_addr_v4(0xc0010105u + i);
}

static int flow_index(const struct storm *s, const struct ip_pair *flow)
{
    for (int i = 0; i < FLOWS; i++)
        if (ip_pair_equal(&s->flows[i], flow))
            return i;
    fail_msg("an effect for a flow that is not there");
    return 0;
}

static void on_policy(struct storm *s, const struct oe_effect *fx)
{
    int i = flow_index(s, &fx->flow);
    if (fx->kind == OE_FX_POLICY_REMOVE) {
        s->verdict[i] = -1;
        return;
    }
    /* Nothing that policy forbids. */
    assert_false(i < 4 && fx->verdict == OE_VERDICT_PASS);
    assert_false(i == 4 && fx->verdict != OE_VERDICT_DENY);
    assert_false(i == 5 && fx->verdict != OE_VERDICT_PASS);
    if (fx->verdict == OE_VERDICT_ENCRYPT)
        assert_int_not_equal(fx->spi_out.value, 0);
    s->verdict[i] = (int)fx->verdict;
}

static void on_answer(struct storm *s, const struct oe_effect *fx)
{
    assert_true(fx->serial > 0 && fx->serial < SERIALS);
    assert_int_equal(s->answered[fx->serial]++, 0);
    if (fx->kind == OE_FX_IKE_AUTHORIZED && fx->ok)
        s->keying[fx->ticket] = 2;
    if (fx->kind == OE_FX_IKE_PEER_KEYS && fx->ok)
        assert_true(fx->key_count > 0 && fx->keys[0].alg == KEY_RSA);
}

static void ask_discover(struct storm *s, const struct oe_effect *fx)
{
    struct discover_event event = {
        .kind = fx->kind == OE_FX_LOOKUP_KEYS ? DISCOVER_EV_KEYS : DISCOVER_EV_DELEGATION,
        .ticket = fx->ticket,
        .purpose = fx->purpose,
        .address = fx->address,
        .id = fx->peer_id,
    };
    s->refused += discover_input(s->d, s->now, &event) != ERR_OK;
}

static void on_effect(struct storm *s, const struct oe_effect *fx)
{
    assert_true(fx->ticket < TICKETS);
    if (fx->ticket > s->last_ticket)
        s->last_ticket = fx->ticket;
    switch (fx->kind) {
    case OE_FX_POLICY:
    case OE_FX_POLICY_REMOVE:
        on_policy(s, fx);
        break;
    case OE_FX_IKE_PEER_KEYS:
    case OE_FX_IKE_AUTHORIZED:
        on_answer(s, fx);
        break;
    case OE_FX_LOOKUP_DELEGATION:
    case OE_FX_LOOKUP_KEYS:
        ask_discover(s, fx);
        break;
    case OE_FX_IKE_INITIATE:
        assert_true(fx->key_count > 0 && fx->keys[0].alg == KEY_RSA);
        assert_int_not_equal(fx->local.family, IP_NONE);
        s->keying[fx->ticket] = 1;
        break;
    case OE_FX_IKE_CANCEL:
        s->keying[fx->ticket] = 0;
        break;
    case OE_FX_IKE_DELETE:
    case OE_FX_REMOVE_SA:
        s->tunnel[fx->ticket] = 0;
        break;
    case OE_FX_LAST_USE_QUERY:
        if (s->calm || draw(s, 4) != 0) {
            struct oe_event use = {.kind = OE_EV_LAST_USE,
                                   .ticket = fx->ticket,
                                   .idle_ms = s->calm ? -1 : (int64_t)draw(s, 100000)};
            (void)oe_input(s->oe, s->now, &use);
        }
        break;
    case OE_FX_SA_USE_QUERY:
        if (!s->calm && draw(s, 2) != 0) {
            struct oe_event use = {.kind = OE_EV_SA_USE,
                                   .ticket = fx->ticket,
                                   .spi_in = fx->spi_in,
                                   .idle_ms = (int64_t)draw(s, 5000)};
            (void)oe_input(s->oe, s->now, &use);
        }
        break;
    }
}

static void on_discovered(struct storm *s, const struct discover_effect *fx)
{
    struct oe_event event = {.ticket = fx->ticket,
                             .kind = fx->kind == DISCOVER_FX_KEYS ? OE_EV_KEYS : OE_EV_DELEGATION,
                             .delegation = fx->delegation,
                             .keys = fx->keys};
    if (fx->kind != DISCOVER_FX_QUERY) {
        (void)oe_input(s->oe, s->now, &event);
        return;
    }
    if (s->query_count == OPEN_QUERIES)
        return; /* lost on its way */
    s->queries[s->query_count] = fx->serial;
    s->query_types[s->query_count] = fx->type;
    memcpy(s->query_names[s->query_count++], fx->name, sizeof(fx->name));
}

static void pump(struct storm *s)
{
    struct oe_effect oe_fx;
    struct discover_effect fx;
    bool moved;
    do {
        moved = false;
        for (; oe_next_effect(s->oe, &oe_fx); moved = true)
            on_effect(s, &oe_fx);
        for (; discover_next_effect(s->d, &fx); moved = true)
            on_discovered(s, &fx);
    } while (moved);
}

static void give(struct storm *s, struct oe_event event)
{
    (void)oe_input(s->oe, s->now, &event);
    pump(s);
}

static void answer_dns(struct storm *s)
{
    if (s->query_count == 0)
        return;
    size_t i = draw(s, (uint32_t)s->query_count);
    struct dns_answer a = {.status = draw(s, 8) < 5 ? DNS_FOUND : (enum dns_status)draw(s, 4),
                           .secure = draw(s, 4) != 0,
                           .ttl_s = draw(s, 600)};
    struct discover_event event = {
        .kind = DISCOVER_EV_ANSWER, .serial = s->queries[i], .answer = &a};
    char gateway[IP_ADDR_TEXT_MAX];
    for (uint32_t n = draw(s, 3); a.status == DNS_FOUND && n > 0; n--) {
        uint32_t peer = draw(s, PEERS);
        struct ip_addr addr = peer_addr(peer), own = test_addr("192.1.1.4");
        ip_addr_format(draw(s, 4) ? &addr : &own, gateway);
        test_add(&a, s->query_types[i] == DNS_TYPE_KEY
                         ? test_key_record(1 + peer)
                         : test_txt((uint16_t)draw(s, 3), draw(s, 6) ? gateway : "@gw.example",
                                    draw(s, 3) ? 1 + peer : 0));
    }
    s->query_count--;
    s->queries[i] = s->queries[s->query_count];
    s->query_types[i] = s->query_types[s->query_count];
    s->refused += discover_input(s->d, s->now, &event) != ERR_OK;
    pump(s);
}

static void finish_keying(struct storm *s)
{
    uint64_t ticket = s->last_ticket == 0 ? 0 : 1 + draw(s, (uint32_t)s->last_ticket);
    uint32_t spi = 0x1000 + 2 * draw(s, 100000);
    if (s->keying[ticket] == 0)
        return;
    struct oe_event event = {.kind = draw(s, 3) ? OE_EV_CHILD_UP : OE_EV_CHILD_FAILED,
                             .ticket = ticket,
                             .initiator = s->keying[ticket] == 1,
                             .peer = peer_addr(draw(s, PEERS)),
                             .spi_in = {spi},
                             .spi_out = {spi + 1},
                             .failure = (enum ike_failure)draw(s, 4)};
    s->keying[ticket] = 0;
    s->tunnel[ticket] = event.kind == OE_EV_CHILD_UP;
    give(s, event);
}

/* A report about the tunnel of some instance, or about one long gone. */
static void report_tunnel(struct storm *s)
{
    static const enum oe_event_kind kinds[] = {OE_EV_CHILD_DELETED, OE_EV_SOFT_EXPIRE,
                                               OE_EV_HARD_EXPIRE};
    struct oe_instance_info info;
    if (!oe_instance_info(s->oe, draw(s, 20), &info))
        return;
    give(s, (struct oe_event){.kind = kinds[draw(s, 3)],
                              .ticket = info.ticket,
                              .spi_in = info.spi_in,
                              .spi_out = draw(s, 4) ? info.spi_out : (spi_t){7}});
}

static void peer_comes(struct storm *s)
{
    uint32_t peer = draw(s, PEERS);
    struct ip_addr addr = peer_addr(peer);
    struct public_key key = test_key(1 + peer);
    struct oe_event event = {.kind = OE_EV_PEER_AUTHENTICATED,
                             .peer = addr,
                             .peer_id = identity_of_addr(&addr),
                             .key = &key,
                             .flow = s->flows[draw(s, FLOWS)]};
    uint32_t what = draw(s, 4);
    if (what > 0 && s->serial + 1 < SERIALS) {
        event.kind = what == 1 ? OE_EV_PEER_UNKNOWN : OE_EV_PROPOSAL;
        event.serial = ++s->serial;
        if (what == 3)
            event.flow.dst = addr;
    }
    if (event.kind == OE_EV_PROPOSAL && event.flow.dst.octets[0] == addr.octets[0] &&
        ip_addr_equal(&event.flow.dst, &addr))
        event.flow = s->flows[FLOWS - PEERS + peer]; /* the peer for itself */
    give(s, event);
}

/* Another class for one of the flows that may have any. */
static void reconfigure(struct storm *s)
{
    struct oe_class *class = &s->classes[6 + draw(s, FLOWS - 6)];
    class->kind = (enum oe_class_kind)draw(s, OE_DNSSEC_FAIL);
    class->accept = (enum oe_accept)draw(s, 3);
    class->pass_while_keying = draw(s, 2);
    s->classes[FLOWS].fail_clear = draw(s, 2);
    enum err err = oe_reconfigure(s->oe, s->now, &s->config);
    assert_true(err == ERR_OK || failures != 0);
    pump(s);
}

static void step(struct storm *s)
{
    uint32_t what = draw(s, 64) == 0 ? 16 : draw(s, 16);
    if (what < 3)
        give(s, (struct oe_event){.kind = OE_EV_ACQUIRE, .flow = s->flows[draw(s, FLOWS)]});
    else if (what < 7)
        answer_dns(s);
    else if (what < 9)
        finish_keying(s);
    else if (what < 11)
        peer_comes(s);
    else if (what < 12)
        report_tunnel(s);
    else if (what < 13)
        give(s, (struct oe_event){.kind = OE_EV_HINT, .peer = peer_addr(draw(s, PEERS))});
    else if (what == 16)
        reconfigure(s);
    else {
        s->now = mono_add(s->now, draw(s, draw(s, 4) ? 2000 : 200000));
        discover_timer(s->d, s->now);
        oe_timer(s->oe, s->now);
        pump(s);
    }
}

/* The plane holds what the engine believes it holds. */
static void check_policies(struct storm *s)
{
    for (int i = 0; i < FLOWS; i++) {
        struct oe_instance_info info;
        bool there = oe_instance_find(s->oe, &s->flows[i], &info);
        assert_int_equal(there, s->verdict[i] >= 0);
        if (there)
            assert_int_equal(info.verdict, s->verdict[i]);
    }
}

static void storm_open(struct storm *s, uint64_t seed, uint32_t instances)
{
    struct oe_class *classes = s->classes;
    memset(s, 0, sizeof(*s));
    s->own = test_addr("192.1.1.4");
    s->seed = seed;
    s->now = (mono_t){1000};
    for (int i = 0; i < FLOWS; i++) {
        s->verdict[i] = -1;
        s->flows[i] = (struct ip_pair){.src = test_addr("192.1.0.65"),
                                       .dst = ip_addr_v4(0xc0020000u + (uint32_t)i)};
        if (i >= FLOWS - PEERS)
            s->flows[i].dst = peer_addr((uint32_t)(i - (FLOWS - PEERS)));
        classes[i].destination = ip_prefix_of(&s->flows[i].dst, 32);
        classes[i].kind = i < 4    ? OE_PARANOID
                          : i == 4 ? OE_DENY
                          : i == 5 ? OE_ALWAYS_CLEAR
                                   : OE_PERMISSIVE;
    }
    struct discover_config dc = {.lookups = 8, .cache = 8, .ask_ipseckey = seed % 2};
    struct discover_env de = {.rng = check_rng(&s->seed)};
    classes[FLOWS] = (struct oe_class){.kind = OE_DNSSEC_FAIL, .fail_clear = seed % 2};
    s->config = (struct oe_config){.classes = classes,
                                   .class_count = FLOWS + 1,
                                   .own = &s->own,
                                   .own_count = 1,
                                   .instances = instances,
                                   .return_tunnel = (enum oe_return)(seed % 4),
                                   .require_dnssec = seed % 3 == 0};
    struct oe_env oe = {.rng = check_rng(&s->seed)};
    assert_int_equal(discover_new(&dc, &de, &s->d), ERR_OK);
    assert_int_equal(oe_new(&s->config, &oe, &s->oe), ERR_OK);
}

/* Nothing new comes: an hour later nothing is left, and no question is without its answer. */
static void calm_down(struct storm *s, uint64_t answers_lost)
{
    struct oe_instance_info info;
    uint64_t unanswered = 0;
    s->calm = true;
    for (int i = 0; i < 8000 && oe_instance_info(s->oe, 0, &info); i++) {
        mono_t next = mono_min(discover_next_deadline(s->d), oe_next_deadline(s->oe));
        assert_false(mono_is_never(next));
        if (next.ms > s->now.ms)
            s->now = next;
        discover_timer(s->d, s->now);
        oe_timer(s->oe, s->now);
        pump(s);
    }
    assert_false(oe_instance_info(s->oe, 0, &info));
    assert_true(mono_is_never(oe_next_deadline(s->oe)));
    for (uint64_t i = 1; i <= s->serial; i++)
        unanswered += s->answered[i] == 0;
    assert_true(unanswered <= answers_lost);
}

static void storm_close(struct storm *s)
{
    for (size_t i = 0; i < ROWS; i++)
        row_hits[i] += oe_table_hits(s->oe, i);
    oe_free(s->oe);
    discover_free(s->d);
}

/* OE-002, OE-003, OE-013, OE-044 hold whatever happens. */
static void test_storm(void **state)
{
    (void)state;
    static struct storm s;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        storm_open(&s, seed, seed % 4 == 0 ? 6 : 0);
        for (int i = 0; i < 1500; i++) {
            step(&s);
            check_policies(&s);
        }
        calm_down(&s, 0);
        check_policies(&s);
        storm_close(&s);
    }
    /* The storm went nearly everywhere. */
    struct oe_table_row row;
    size_t taken = 0, rows = 0;
    for (; oe_table_row(rows, &row); rows++)
        taken += row_hits[rows] != 0;
    print_message("%zu of %zu rows taken\n", taken, rows);
    assert_true(10 * taken > 8 * rows);
}

/* One allocation fails: the first, the second, and so on until there is none left to fail. */
static void test_storm_without_memory(void **state)
{
    (void)state;
    static struct storm s;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        unsigned n = 0;
        do {
            failures = 0;
            storm_open(&s, seed, 0);
            until_failure = ++n;
            for (int i = 0; i < 400; i++)
                step(&s);
            until_failure = 0;
            calm_down(&s, 1);
            storm_close(&s);
        } while (failures != 0);
        assert_true(n > 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_storm),
        cmocka_unit_test(test_storm_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
