/*
 * Memory runs out at the Nth allocation, for every N, while a plane does everything it can do. It
 * must answer, stay consistent, send nothing in the clear that it shouldn't, and leak nothing (the
 * sanitizer builds see that).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "plane_rig.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool armed;
static unsigned until_failure;
static unsigned failures;

static bool fails(void)
{
    if (!armed || until_failure == 0 || --until_failure > 0)
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

static struct ip_pair flow_of(uint32_t i)
{
    struct ip_pair flow = rig_pair("192.1.0.65", "192.2.0.0");
    flow.dst = ip_addr_v4(0xc0020000 + i);
    return flow;
}

/* Flows 0 to 19 are never allowed in the clear; flow 20 is. */
static void no_clear_but_what_is_allowed(const struct rig *rig)
{
    for (size_t i = 0; i < rig->out_count; i++)
        if (rig->outs[i].kind == PLANE_OUT_CLEAR)
            assert_int_equal(rig_mark(rig, i), 200);
}

static void negotiate(struct rig *rig, const struct ip_pair *flow, const struct ip_pair *gateways)
{
    struct pfkey_message getspi = {
        .type = PFKEY_GETSPI,
        .has = PFKEY_HAS_SA,
        .sa = {.inbound = true, .outer_src = gateways->dst, .outer_dst = gateways->src},
    };
    struct ip_pair back = ip_pair_reverse(flow), gateways_back = ip_pair_reverse(gateways);
    spi_t spi = rig_ask(rig, &getspi).sa.spi;
    if (spi.value != 0) {
        struct sa_params in = rig_sa(spi.value, &back, &gateways_back);
        in.inbound = true;
        in.ticket = 3;
        rig_install(rig, PFKEY_UPDATE, &in);
    }
    struct sa_params out = rig_sa(0x1000, flow, gateways);
    out.hard.packets = 12;
    rig_install(rig, PFKEY_ADD, &out);
    rig_policy(rig, flow, PFKEY_VERDICT_ENCRYPT, &out, 3);
}

static void do_everything(struct rig *rig)
{
    struct ip_pair gateways = rig_pair("192.1.1.4", "192.1.1.5"), flow = flow_of(0);
    struct ip_pair clear = flow_of(20);
    struct pfkey_message dump = {.type = PFKEY_DUMP}, policies = {.type = PFKEY_X_POLICY_DUMP};

    for (uint32_t i = 0; i < 20; i++) {
        struct ip_pair each = flow_of(i);
        rig_send_mark(rig, &each, 1);
        rig_send_mark(rig, &each, 2);
    }
    rig_send_mark(rig, &clear, 200);
    rig_policy(rig, &clear, PFKEY_VERDICT_PASS, NULL, 4);
    negotiate(rig, &flow, &gateways);
    rig_send_burst(rig, &flow, 1, 4);
    struct rig_datagram large = {.flow = flow, .len = 4000, .mark = 3};
    rig_send(rig, &large);
    large.dont_fragment = true;
    rig_send(rig, &large);
    plane_path_mtu(rig->plane, &gateways.dst, 1000);
    rig_ask(rig, &dump);
    rig_ask(rig, &policies);
    rig_send_burst(rig, &flow, 1, LIMIT_BURST); /* beyond its hard limit */
    no_clear_but_what_is_allowed(rig);
    rig_clear(rig);
    rig_advance(rig, 30000);
    no_clear_but_what_is_allowed(rig);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    struct plane_config config = {.hold_failure = PFKEY_VERDICT_DENY};
    config.icmp_v4 = rig_addr("192.1.1.4");
    unsigned n = 0;
    do {
        failures = 0;
        until_failure = ++n;
        struct rig *rig = rig_new(&config);
        assert_non_null(rig);
        armed = true;
        do_everything(rig);
        armed = false;
        assert_int_equal(rig_counter(rig, "no_transition"), 0);
        rig_free(rig);
    } while (failures > 0);
    assert_in_range(n, 60, 2000);
}

static void a_plane_needs_memory(void **state)
{
    (void)state;
    struct plane_config config = {0};
    struct rig *rig = rig_new(&config);
    struct plane_env env = {.rng = {NULL, NULL}};
    struct plane *plane = NULL;
    armed = true;
    until_failure = 1;
    assert_int_equal(plane_new(&config, &env, &plane), ERR_MEMORY);
    armed = false;
    assert_null(plane);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(a_plane_needs_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
