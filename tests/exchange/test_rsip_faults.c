/* When the two ends don't agree on what there is, and when the server has no memory. */
#include "rsip_rig.h"

#include <stdlib.h>
#include <string.h>

static struct rig rig;
static unsigned long countdown; /* 0: never fail */
static bool in_server, failed;

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *ptr, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *ptr, size_t len);

static bool refuse(void)
{
    if (!in_server || countdown == 0 || --countdown != 0)
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t len)
{
    return refuse() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    return refuse() ? NULL : __real_calloc(count, len);
}

void *__wrap_realloc(void *ptr, size_t len)
{
    return refuse() ? NULL : __real_realloc(ptr, len);
}

static const struct ip_endpoint from = {.addr = {.family = IP_V4, .octets = {10, 1, 0, 1}},
                                        .port = 5000};

static struct view build(const struct rsip_message *m, uint8_t room[RSIP_MESSAGE_MAX])
{
    struct builder b = builder_on(span_of(room, RSIP_MESSAGE_MAX));
    rsip_build(&b, m);
    assert_false(b.bad);
    return builder_written(&b);
}

static struct rsip_message assign(uint32_t id, uint32_t counter)
{
    return (struct rsip_message){.type = RSIP_ASSIGN_REQUEST_IPSEC,
                                 .present = RSIP_F_CLIENT_ID | RSIP_F_COUNTER | RSIP_F_LOCAL_ADDR |
                                            RSIP_F_LOCAL_PORTS | RSIP_F_REMOTE_ADDR |
                                            RSIP_F_REMOTE_PORTS | RSIP_F_SPI,
                                 .client_id = id,
                                 .counter = counter,
                                 .local = rig_any(),
                                 .remote = rig_any(),
                                 .local_ports = rig_ports_any(1),
                                 .remote_ports = rig_ports_any(1),
                                 .spi = {.form = RSIP_RANGE_ANY, .count = 4}};
}

/* One assignment whose `nth` allocation fails; then another, which has to be granted. Returns
 * whether the first was answered with 104. */
static bool assign_without(unsigned long nth)
{
    uint8_t room[RSIP_MESSAGE_MAX];
    struct rsip_message m = {
        .type = RSIP_REGISTER_REQUEST, .present = RSIP_F_COUNTER, .counter = 1};

    rig_init(&rig);
    rig_start(&rig);
    rig_raw_message(&rig, &from, &m);
    assert_int_equal(rig_error(&rig), RSIP_OK);
    m = assign(rig.last.client_id, 2);
    const struct rsip_server_event event = {.kind = RSIP_SEV_MESSAGE,
                                            .host = from,
                                            .transport = RSIP_UDP,
                                            .bytes = build(&m, room)};
    rig.answered = failed = false;
    countdown = nth;
    in_server = true;
    (void)rsip_server_input(rig.server, rig.now, &event);
    in_server = false;
    countdown = 0;
    rig_run(&rig, 0);
    bool refused = rig.answered && rig_error(&rig) != RSIP_OK;
    if (refused)
        assert_int_equal(rig_error(&rig), RSIP_E_INTERNAL_SERVER_ERROR);
    assert_true(failed || !refused);
    m.counter = 3;
    rig_raw_message(&rig, &from, &m);
    assert_int_equal(rig_error(&rig), RSIP_OK);
    rig_fini(&rig);
    return refused;
}

/* RSIP-148 */
static void test_no_memory(void **state)
{
    unsigned refused = 0;
    unsigned long nth = 0;
    (void)state;
    do {
        refused += assign_without(++nth);
    } while (failed);
    assert_true(nth > 4);
    assert_true(refused >= 3); /* the bind, its ports, its SPIs */
}

static unsigned said(unsigned type)
{
    unsigned count = 0;
    for (size_t i = 0; i < rig.log_count; i++)
        count += rig.log[i] == type;
    return count;
}

static void stop(unsigned host)
{
    rig_input(&rig, host, &(struct rsip_client_event){.kind = RSIP_CEV_STOP});
}

/* RSIP-114: who isn't registered, doesn't say that he leaves. */
static void test_leaving_unregistered(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    rig_client(&rig, 0);
    rig_run(&rig, 1000);
    stop(0);
    assert_int_equal(said(RSIP_DEREGISTER_REQUEST), 1);
    stop(0);
    rig_run(&rig, 60000);
    assert_int_equal(said(RSIP_DEREGISTER_REQUEST), 1);
    rig_fini(&rig);
}

/* RSIP-135: the server knows nothing of the bind that is to be freed, nor of the other one. */
static void test_error_on_free(void **state)
{
    struct rsip_bind_info info = {0};
    struct rsip_want want = {.method = RSIP_METHOD_RSAP,
                             .local = rig_any(),
                             .remote = rig_any(),
                             .ports = rig_ports_any(4),
                             .remote_ports = rig_ports_any(1)};
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    rig_want(&rig, 0, 1, &want);
    rig_want(&rig, 0, 2, &want);
    assert_true(host->up[1] && host->up[2]);
    struct rsip_ports had = host->binds[2].local_ports;
    rig_restart(&rig, false);
    rig_input(&rig, 0, &(struct rsip_client_event){.kind = RSIP_CEV_UNWANT, .ticket = 1});
    assert_int_equal(said(RSIP_FREE_REQUEST), 1);
    rig_run(&rig, 30000);
    assert_false(host->up[1]);
    assert_true(host->up[2]);
    assert_int_equal(host->registered, 2);
    assert_memory_equal(&host->binds[2].local_ports, &had, sizeof(had));
    assert_true(rsip_server_bind(rig.server, &info));
    assert_int_equal(info.id, host->binds[2].bind_id);
    assert_false(rsip_server_bind(rig.server, &info));
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_leaving_unregistered),
        cmocka_unit_test(test_error_on_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
