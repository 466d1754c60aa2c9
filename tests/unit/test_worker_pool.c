/* The threads for public-key operations: everything comes back done, what is urgent first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/worker_pool.h"
#include "ike/work_private.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>

enum { ECP256 = 19, MODP4096 = 16, PATIENCE_MS = 60000 };

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    assert_true(getrandom(ret, len, 0) == (ssize_t)len);
}

static const struct rng rng = {.fill = fill};

static struct ike_work *key_pair(uint16_t method, bool urgent)
{
    struct ike_work *work = calloc(1, sizeof(*work));
    assert_non_null(work);
    work->kind = IKE_WORK_KEX_NEW;
    work->method = method;
    work->urgent = urgent;
    return work;
}

static struct ike_work *next(struct worker_pool *pool, uint64_t *ret_serial)
{
    struct pollfd fd = {.fd = worker_pool_fd(pool), .events = POLLIN};
    struct ike_work *work;
    while (!worker_pool_take(pool, ret_serial, &work))
        assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    return work;
}

static void test_all_come_back(void **state)
{
    enum { COUNT = 300 };
    struct worker_pool *pool = worker_pool_new(4, &rng);
    bool seen[COUNT] = {false};
    uint64_t serial;
    struct ike_work *none;
    (void)state;
    assert_non_null(pool);
    assert_false(worker_pool_take(pool, &serial, &none));
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(worker_pool_add(pool, i, key_pair(ECP256, i % 3 == 0)));
    for (unsigned i = 0; i < COUNT; i++) {
        struct ike_work *work = next(pool, &serial);
        assert_in_range(serial, 0, COUNT - 1);
        assert_false(seen[serial]);
        seen[serial] = true;
        assert_true(work->ran);
        assert_int_equal(work->err, ERR_OK);
        assert_int_equal(kex_method(work->new_kex), ECP256);
        ike_work_free(work);
    }
    assert_false(worker_pool_take(pool, &serial, &none));
    struct pollfd fd = {.fd = worker_pool_fd(pool), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 0), 0); /* nothing is left to be woken for */
    const struct worker_pool_info info = worker_pool_info(pool);
    assert_int_equal(info.threads, 4);
    assert_int_equal(info.waiting, 0);
    assert_int_equal(info.done, COUNT);
    assert_in_range(info.most_waiting, 1, COUNT);
    worker_pool_free(pool);
}

/* One thread, busy with the first: of the others those that are urgent come next. */
static void test_urgent_first(void **state)
{
    enum { EACH = 10 };
    struct worker_pool *pool = worker_pool_new(1, &rng);
    uint64_t serial;
    (void)state;
    assert_non_null(pool);
    assert_true(worker_pool_add(pool, 0, key_pair(18, false))); /* a hundred times as long as the others */
    while (worker_pool_info(pool).waiting != 0)
        poll(NULL, 0, 1);
    for (unsigned i = 1; i <= EACH; i++)
        assert_true(worker_pool_add(pool, i, key_pair(MODP4096, false)));
    for (unsigned i = 1; i <= EACH; i++)
        assert_true(worker_pool_add(pool, 100 + i, key_pair(ECP256, true)));
    for (unsigned i = 0; i <= 2 * EACH; i++) {
        ike_work_free(next(pool, &serial));
        assert_int_equal(serial, i == 0 ? 0 : i <= EACH ? 100 + i : i - EACH);
    }
    worker_pool_free(pool);
}

/* What finds no room stays its owner's; a pool goes with all that is in it, at any time. */
static void test_full(void **state)
{
    struct worker_pool *pool = worker_pool_new(2, &rng);
    unsigned added = 0;
    (void)state;
    assert_non_null(pool);
    struct ike_work *work = key_pair(MODP4096, false);
    while (worker_pool_add(pool, added, work)) {
        assert_in_range(++added, 1, 3 * WORKER_QUEUE_MAX);
        work = key_pair(MODP4096, false);
    }
    assert_false(work->ran);
    ike_work_free(work);
    assert_in_range(added, WORKER_QUEUE_MAX, 3 * WORKER_QUEUE_MAX);
    worker_pool_free(pool);
}

/* Both ends of an exchange in other threads, from copies that outlive what they were made of. */
static void test_agreement(void **state)
{
    struct worker_pool *pool = worker_pool_new(0, &rng);
    uint64_t serial;
    struct kex *kex;
    (void)state;
    assert_non_null(pool);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(kex_new(i % 2 == 0 ? 31 : ECP256, &rng, &kex), ERR_OK);
        struct ike_work *respond = key_pair(kex_method(kex), false);
        respond->kind = IKE_WORK_KEX_RESPOND;
        assert_true(blob_set(&respond->octets, kex_request(kex)));
        assert_true(worker_pool_add(pool, 1, respond));
        respond = next(pool, &serial);
        assert_int_equal(respond->err, ERR_OK);
        struct ike_work *finish = key_pair(0, true);
        finish->kind = IKE_WORK_KEX_FINISH;
        finish->kex = kex_hold(kex);
        assert_true(blob_set(&finish->octets,
                             view_of(respond->reply, kex_reply_len(respond->method))));
        assert_true(worker_pool_add(pool, 2, finish));
        kex_free(kex); /* whoever asked has lost interest */
        finish = next(pool, &serial);
        assert_int_equal(serial, 2);
        assert_int_equal(finish->err, ERR_OK);
        assert_memory_equal(finish->secret, respond->secret, kex_secret_len(respond->method));
        ike_work_free(finish);
        ike_work_free(respond);
    }
    worker_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_come_back),
        cmocka_unit_test(test_urgent_first),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_agreement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
