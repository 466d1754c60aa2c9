/*
 * Two engines, SG-A and SG-B, that both hear from their hosts at once. Between them runs a model of
 * keying: an exchange is a row of steps, and what happens next is drawn at random. However the two
 * exchanges cross, both ends must end up keyed, each sending on a tunnel that the other one has,
 * now and through the aging that follows.
 */
#include "dns_records.h"
#include "oe/oe.h"

#define ALICE "192.1.0.65"
#define BOB "192.2.0.66"

enum { EXCHANGES = 64 };

/* What the next message of an exchange is. */
enum step { STEP_UNUSED, STEP_PROPOSE, STEP_DECIDE, STEP_ACCEPT, STEP_CONFIRM, STEP_UP, STEP_OVER };

/* The initiator's end is [0], the responder's [1]. */
struct exchange {
    enum step step;
    int initiator; /* which gateway */
    uint64_t ticket[2];
    bool child[2]; /* this end has the SAs */
    bool cancelled;
};

struct gateway {
    struct oe *oe;
    struct ip_addr addr, peer;
    struct ip_pair flow;
    uint64_t key;
};

struct pair {
    struct gateway gw[2];
    struct exchange x[EXCHANGES];
    mono_t now;
    uint64_t seed;
};

static uint32_t spi(size_t exchange, int end)
{
    return 0x1000 + 2 * (uint32_t)exchange + (uint32_t)end;
}

static void pump(struct pair *p, int at);

static void give(struct pair *p, int at, struct oe_event event)
{
    (void)oe_input(p->gw[at].oe, p->now, &event);
    pump(p, at);
}

static void begin(struct pair *p, int at, uint64_t ticket)
{
    size_t i = 0;
    while (p->x[i].step != STEP_UNUSED && p->x[i].step != STEP_OVER)
        i++;
    /* Old exchanges whose tunnels are still there keep their SPIs. */
    while (p->x[i].child[0] || p->x[i].child[1])
        i++;
    assert_true(i < EXCHANGES);
    p->x[i] = (struct exchange){.step = STEP_PROPOSE, .initiator = at, .ticket = {ticket, 0}};
}

static void drop_child(struct pair *p, size_t i, int end)
{
    int at = end == 0 ? p->x[i].initiator : !p->x[i].initiator;
    if (!p->x[i].child[end])
        return;
    p->x[i].child[end] = false;
    give(p, at,
         (struct oe_event){.kind = OE_EV_CHILD_DELETED,
                           .ticket = p->x[i].ticket[end],
                           .spi_in = {spi(i, end)},
                           .spi_out = {spi(i, !end)}});
}

static void delete_children(struct pair *p, int at, uint64_t ticket)
{
    for (size_t i = 0; i < EXCHANGES; i++) {
        int end = at == p->x[i].initiator ? 0 : 1;
        if (p->x[i].ticket[end] != ticket || !p->x[i].child[end])
            continue;
        drop_child(p, i, end);
        drop_child(p, i, !end); /* the Delete arrives */
    }
}

static void delegation_of(struct pair *p, int at, const struct oe_effect *fx)
{
    static struct delegation d;
    bool own = ip_addr_equal(&fx->address, &p->gw[at].flow.src);
    const struct gateway *peer = &p->gw[own ? at : !at];
    memset(&d, 0, sizeof(d));
    d.status = DISCOVERED_FOUND;
    d.secure = true;
    d.expires = mono_add(p->now, 3600000);
    d.count = 1;
    d.gateways[0].id = identity_of_addr(&peer->addr);
    d.gateways[0].key_count = 1;
    d.gateways[0].keys[0] = test_key(peer->key);
    give(p, at,
         (struct oe_event){.kind = OE_EV_DELEGATION, .ticket = fx->ticket, .delegation = &d});
}

static void authorized(struct pair *p, int at, const struct oe_effect *fx)
{
    struct exchange *x = &p->x[fx->serial - 1];
    assert_int_equal(x->initiator, !at);
    assert_int_equal(x->step, STEP_DECIDE);
    assert_true(fx->ok);
    x->ticket[1] = fx->ticket;
    x->step = STEP_ACCEPT;
}

static void cancel(struct pair *p, int at, uint64_t ticket)
{
    for (size_t i = 0; i < EXCHANGES; i++)
        if (p->x[i].initiator == at && p->x[i].ticket[0] == ticket && !p->x[i].child[0])
            p->x[i].cancelled = true;
}

static void pump(struct pair *p, int at)
{
    struct oe_effect fx;
    while (oe_next_effect(p->gw[at].oe, &fx)) {
        if (fx.kind == OE_FX_LOOKUP_DELEGATION)
            delegation_of(p, at, &fx);
        else if (fx.kind == OE_FX_IKE_INITIATE)
            begin(p, at, fx.ticket);
        else if (fx.kind == OE_FX_IKE_AUTHORIZED)
            authorized(p, at, &fx);
        else if (fx.kind == OE_FX_IKE_CANCEL)
            cancel(p, at, fx.ticket);
        else if (fx.kind == OE_FX_IKE_DELETE)
            delete_children(p, at, fx.ticket);
        else if (fx.kind == OE_FX_LAST_USE_QUERY)
            give(p, at, (struct oe_event){.kind = OE_EV_LAST_USE, .ticket = fx.ticket});
    }
}

static void child_up(struct pair *p, size_t i, int end)
{
    struct exchange *x = &p->x[i];
    int at = end == 0 ? x->initiator : !x->initiator;
    x->child[end] = true;
    give(p, at,
         (struct oe_event){.kind = OE_EV_CHILD_UP,
                           .ticket = x->ticket[end],
                           .initiator = end == 0,
                           .peer = p->gw[at].peer,
                           .spi_in = {spi(i, end)},
                           .spi_out = {spi(i, !end)}});
}

static void propose(struct pair *p, size_t i)
{
    int at = !p->x[i].initiator;
    struct public_key key = test_key(p->gw[!at].key);
    p->x[i].step = STEP_DECIDE;
    give(p, at,
         (struct oe_event){.kind = OE_EV_PROPOSAL,
                           .serial = i + 1,
                           .peer = p->gw[at].peer,
                           .peer_id = identity_of_addr(&p->gw[at].peer),
                           .key = &key,
                           .flow = p->gw[at].flow});
}

/* The next message of one exchange. */
static void deliver(struct pair *p, size_t i)
{
    struct exchange *x = &p->x[i];
    switch (x->step) {
    case STEP_PROPOSE:
        if (x->cancelled)
            x->step = STEP_OVER;
        else
            propose(p, i);
        return;
    case STEP_ACCEPT: /* the initiator installs, then sends its last message */
        x->step = x->cancelled ? STEP_OVER : STEP_CONFIRM;
        if (x->step == STEP_CONFIRM)
            child_up(p, i, 0);
        return;
    case STEP_CONFIRM:
        x->step = STEP_OVER;
        child_up(p, i, 1);
        return;
    default:
        fail_msg("exchange %zu is stuck", i);
    }
}

static void run_exchanges(struct pair *p)
{
    for (;;) {
        size_t waiting[EXCHANGES], count = 0;
        for (size_t i = 0; i < EXCHANGES; i++)
            if (p->x[i].step != STEP_UNUSED && p->x[i].step != STEP_OVER)
                waiting[count++] = i;
        if (count == 0)
            return;
        deliver(p, waiting[check_random(&p->seed) % count]);
        p->now = mono_add(p->now, check_random(&p->seed) % 200);
        for (int at = 0; at < 2; at++) {
            oe_timer(p->gw[at].oe, p->now);
            pump(p, at);
        }
    }
}

/* Each end is keyed, and the SA it sends on is one that the other end receives on. */
static void check_converged(struct pair *p)
{
    for (int at = 0; at < 2; at++) {
        struct oe_instance_info info;
        assert_true(oe_instance_find(p->gw[at].oe, &p->gw[at].flow, &info));
        assert_string_equal(oe_state_name(info.state), "Keyed");
        assert_int_equal(info.verdict, OE_VERDICT_ENCRYPT);
        size_t i = (info.spi_out.value - 0x1000) / 2;
        int peers_end = (int)((info.spi_out.value - 0x1000) % 2);
        assert_true(i < EXCHANGES);
        assert_int_equal(peers_end == 0 ? p->x[i].initiator : !p->x[i].initiator, !at);
        assert_true(p->x[i].child[peers_end]);
    }
}

static void pair_open(struct pair *p, uint64_t seed, bool a_is_higher)
{
    static const char *const hosts[2] = {ALICE, BOB};
    memset(p, 0, sizeof(*p));
    p->seed = seed;
    p->now = (mono_t){1000};
    for (int at = 0; at < 2; at++) {
        struct gateway *gw = &p->gw[at];
        gw->addr = test_addr((at == 0) == a_is_higher ? "192.1.1.5" : "192.1.1.4");
        gw->peer = test_addr((at == 0) == a_is_higher ? "192.1.1.4" : "192.1.1.5");
        gw->flow = (struct ip_pair){.src = test_addr(hosts[at]), .dst = test_addr(hosts[!at])};
        gw->key = 1 + (uint64_t)at;
        struct oe_env env = {.rng = check_rng(&p->seed)};
        struct oe_config config = {.fallback = OE_PARANOID, .own = &gw->addr, .own_count = 1};
        env.trace.emit = NULL;
        assert_int_equal(oe_new(&config, &env, &gw->oe), ERR_OK);
    }
}

static void pair_close(struct pair *p)
{
    for (int at = 0; at < 2; at++)
        oe_free(p->gw[at].oe);
}

static void acquire(struct pair *p, int at)
{
    give(p, at, (struct oe_event){.kind = OE_EV_ACQUIRE, .flow = p->gw[at].flow});
}

static void test_simultaneous_acquire(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct pair p;
        pair_open(&p, seed, seed % 2);
        acquire(&p, 0);
        acquire(&p, 1);
        run_exchanges(&p);
        check_converged(&p);
        /* Two hours in use: lingering tunnels go, the one in use stays. */
        for (int minute = 0; minute < 120; minute++) {
            p.now = mono_add(p.now, 60000);
            for (int at = 0; at < 2; at++) {
                oe_timer(p.gw[at].oe, p.now);
                pump(&p, at);
            }
            run_exchanges(&p);
            check_converged(&p);
        }
        size_t tunnels = 0;
        for (size_t i = 0; i < EXCHANGES; i++)
            tunnels += p.x[i].child[0] || p.x[i].child[1];
        assert_int_equal(tunnels, 1);
        pair_close(&p);
    }
}

/* The same when both re-key at once. */
static void test_simultaneous_rekey(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct pair p;
        pair_open(&p, seed, seed % 2);
        acquire(&p, 0);
        run_exchanges(&p);
        check_converged(&p);
        for (int round = 0; round < 3; round++) {
            p.now = mono_add(p.now, 50000);
            for (int at = 0; at < 2; at++) {
                struct oe_instance_info info;
                assert_true(oe_instance_find(p.gw[at].oe, &p.gw[at].flow, &info));
                give(&p, at,
                     (struct oe_event){.kind = OE_EV_SOFT_EXPIRE,
                                       .ticket = info.ticket,
                                       .spi_out = info.spi_out});
            }
            run_exchanges(&p);
            check_converged(&p);
        }
        pair_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simultaneous_acquire),
        cmocka_unit_test(test_simultaneous_rekey),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
