/* keyd's side of the PF_KEY conversation: which replies are taken for answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>

#include "control/internal.h"

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    uint8_t *next = ctx;
    for (size_t i = 0; i < len; i++)
        ret[i] = (*next)++;
}

struct rig {
    struct control *control;
    uint8_t random;
};

static const mono_t start = {1000};

static int setup(void **state)
{
    static struct rig rig;
    struct control_config config = {.oe = {.fallback = OE_PERMISSIVE}};
    struct control_env env = {.rng = {.fill = fill, .ctx = &rig.random}};

    rig = (struct rig){.random = 1};
    assert_int_equal(control_new(&config, &env, &rig.control), ERR_OK);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    control_free(rig->control);
    return 0;
}

static void expect_request(struct rig *rig, uint8_t type, struct pfkey_message *ret)
{
    struct control_effect fx;
    assert_true(control_next_effect(rig->control, &fx));
    assert_int_equal(fx.kind, CONTROL_FX_PFKEY);
    assert_int_equal(pfkey_parse(fx.bytes, ret), ERR_OK);
    assert_int_equal(ret->type, type);
    assert_false(control_next_effect(rig->control, &fx));
}

static enum err reply(struct rig *rig, uint8_t type, uint32_t seq, uint32_t pid)
{
    struct pfkey_message message = {
        .type = type, .satype = PFKEY_SATYPE_ESP, .seq = seq, .pid = pid, .has = PFKEY_HAS_END};
    if (type == PFKEY_X_RULE_SWEEP)
        message.has = 0;
    uint8_t room[LIMIT_PFKEY_MESSAGE];
    size_t len;
    assert_int_equal(pfkey_build(&message, span_of(room, sizeof(room)), &len), ERR_OK);
    struct control_event event = {.kind = CONTROL_EV_PFKEY, .bytes = view_of(room, len)};
    return control_input(rig->control, start, &event);
}

static void begin(struct rig *rig, struct pfkey_message *ret_dump)
{
    struct control_event ready = {.kind = CONTROL_EV_PLANE_READY};
    assert_int_equal(control_input(rig->control, start, &ready), ERR_OK);
    expect_request(rig, PFKEY_DUMP, ret_dump);
    assert_int_equal(control_pending(rig->control), 1);
}

static uint64_t counter(const struct rig *rig, const char *wanted)
{
    const char *name;
    uint64_t value;
    for (size_t i = 0; control_counter(rig->control, i, &name, &value); i++)
        if (strcmp(name, wanted) == 0)
            return value;
    fail_msg("no counter %s", wanted);
    return 0;
}

static void test_sas_then_policies_then_ready(void **state)
{
    struct rig *rig = *state;
    struct pfkey_message dump;

    begin(rig, &dump);
    assert_int_equal(reply(rig, PFKEY_DUMP, dump.seq, dump.pid), ERR_OK);
    assert_false(control_plane_ready(rig->control));
    expect_request(rig, PFKEY_X_POLICY_DUMP, &dump);
    assert_int_equal(reply(rig, PFKEY_X_POLICY_DUMP, dump.seq, dump.pid), ERR_OK);
    assert_true(control_plane_ready(rig->control));
    expect_request(rig, PFKEY_X_RULE_SWEEP, &dump); /* those of a former keyd */
    assert_int_equal(reply(rig, PFKEY_X_RULE_SWEEP, dump.seq, dump.pid), ERR_OK);
    assert_int_equal(control_pending(rig->control), 0);
}

/* Sequence numbers begin anew with every keyd, so only `pid` tells a former one's replies apart. */
static void test_reply_to_a_former_keyd(void **state)
{
    struct rig *rig = *state;
    struct pfkey_message dump;

    begin(rig, &dump);
    assert_int_equal(reply(rig, PFKEY_DUMP, dump.seq, dump.pid ^ 4), ERR_UNKNOWN);
    assert_int_equal(reply(rig, PFKEY_DUMP, dump.seq + 1, dump.pid), ERR_UNKNOWN);
    assert_int_equal(counter(rig, "pfkey_stale"), 2);
    assert_int_equal(control_pending(rig->control), 1);
    assert_int_equal(reply(rig, PFKEY_DUMP, dump.seq, dump.pid), ERR_OK);
}

/* Without its answer keyd would not know its tunnels: the dump is asked for again. */
static void test_dump_unanswered(void **state)
{
    struct rig *rig = *state;
    struct pfkey_message dump, again;

    begin(rig, &dump);
    mono_t late = control_next_deadline(rig->control);
    assert_int_equal(mono_since(late, start), 3000);
    control_timer(rig->control, late);
    expect_request(rig, PFKEY_DUMP, &again);
    assert_int_not_equal(again.seq, dump.seq);
    assert_int_equal(counter(rig, "pfkey_unanswered"), 1);
    assert_int_equal(reply(rig, PFKEY_DUMP, dump.seq, dump.pid), ERR_UNKNOWN);
}

static void test_plane_gone(void **state)
{
    struct rig *rig = *state;
    struct control_event gone = {.kind = CONTROL_EV_PLANE_GONE};
    struct pfkey_message dump;

    begin(rig, &dump);
    assert_int_equal(control_input(rig->control, start, &gone), ERR_OK);
    assert_int_equal(control_pending(rig->control), 0);
    assert_true(mono_is_never(control_next_deadline(rig->control)));
    assert_int_equal(reply(rig, PFKEY_DUMP, dump.seq, dump.pid), ERR_UNKNOWN);
}

static enum err answer_spi(struct rig *rig, const struct pfkey_message *asked, uint16_t error)
{
    struct pfkey_message message = *asked;
    uint8_t room[LIMIT_PFKEY_MESSAGE];
    size_t len;

    message.error = error;
    message.has = PFKEY_HAS_SA;
    message.sa.spi.value = error == 0 ? asked->spi_min : 0;
    assert_int_equal(pfkey_build(&message, span_of(room, sizeof(room)), &len), ERR_OK);
    struct control_event event = {.kind = CONTROL_EV_PFKEY, .bytes = view_of(room, len)};
    return control_input(rig->control, start, &event);
}

/* RSIP-009: only leased SPIs, each in turn; one that is in use is passed over; none left is a refusal. */
static void test_leased_spis(void **state)
{
    static const uint32_t spis[] = {0x5000, 0x1234, 0xfffffff0};
    const struct ike_effect need = {.kind = IKE_FX_NEED_SPI,
                                    .serial = 77,
                                    .peer = {.family = IP_V4, .octets = {192, 0, 2, 2}},
                                    .local.addr = {.family = IP_V4, .octets = {192, 0, 2, 1}}};
    struct control_config config = {.oe = {.fallback = OE_PERMISSIVE}, .leased_spis = true};
    struct pfkey_message asked;
    struct rig *rig = *state;
    struct control_effect fx;

    begin(rig, &asked);
    plane_link_gone(rig->control, start);
    rig->control->plane_present = true;
    assert_int_equal(control_reconfigure(rig->control, start, &config), ERR_OK);
    plane_link_ask_spi(rig->control, start, &need); /* nothing is leased yet */
    assert_false(control_next_effect(rig->control, &fx));
    assert_int_equal(control_pending(rig->control), 0);

    config.spis = spis;
    config.spi_count = 3;
    assert_int_equal(control_reconfigure(rig->control, start, &config), ERR_OK);
    for (size_t i = 0; i < 4; i++) {
        plane_link_ask_spi(rig->control, start, &need);
        expect_request(rig, PFKEY_GETSPI, &asked);
        assert_int_equal(asked.spi_min, spis[i % 3]);
        assert_int_equal(asked.spi_max, spis[i % 3]);
        assert_int_equal(answer_spi(rig, &asked, 0), ERR_OK);
        assert_int_equal(control_pending(rig->control), 0);
    }
    plane_link_ask_spi(rig->control, start, &need); /* all are in use */
    for (size_t i = 4; i < 7; i++) {
        expect_request(rig, PFKEY_GETSPI, &asked);
        assert_int_equal(asked.spi_min, spis[i % 3]);
        assert_true(ip_addr_equal(&asked.sa.outer_src, &need.peer));
        assert_true(ip_addr_equal(&asked.sa.outer_dst, &need.local.addr));
        assert_int_equal(answer_spi(rig, &asked, ENOBUFS), ERR_OK);
    }
    assert_false(control_next_effect(rig->control, &fx));
    assert_int_equal(control_pending(rig->control), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sas_then_policies_then_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reply_to_a_former_keyd, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dump_unanswered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plane_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leased_spis, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
