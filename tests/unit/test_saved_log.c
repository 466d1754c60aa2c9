/*
 * The log of saved SAs: against a trivial model, cut off anywhere, moved, full, and given up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/saved_log.h"

enum { NUMBERS = 24 };

static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % below;
}

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    memset(ret, 0x5a, len);
}

static const struct rng rng = {.fill = fill};

/* A new life over the same file. */
static struct saved_log *open_again(int fd)
{
    struct saved_log *log;
    int copy = dup(fd);
    assert_true(copy >= 0);
    assert_int_equal(saved_log_open(copy, &rng, &log), ERR_OK);
    return log;
}

static struct saved_log *open_settled(int fd)
{
    struct saved_log *log = open_again(fd);
    saved_log_settled(log);
    return log;
}

static int new_file(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

struct model {
    size_t len[NUMBERS]; /* 0: none */
    uint8_t seed[NUMBERS];
    size_t seen;
    uint64_t last;
};

static uint8_t octet(uint8_t seed, size_t i)
{
    return (uint8_t)(seed + i * 7);
}

static void check_one(void *ctx, uint64_t number, struct view bytes)
{
    struct model *model = ctx;
    assert_true(number > model->last && number <= NUMBERS);
    model->last = number;
    model->seen++;
    assert_int_equal(bytes.len, model->len[number - 1]);
    for (size_t i = 0; i < bytes.len; i++)
        assert_int_equal(bytes.ptr[i], octet(model->seed[number - 1], i));
}

static void check(struct saved_log *log, struct model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < NUMBERS; i++)
        count += model->len[i] != 0;
    model->seen = 0;
    model->last = 0;
    assert_true(saved_log_walk(log, check_one, model));
    assert_int_equal(model->seen, count);
    assert_int_equal(saved_log_count(log), count);
}

static void put(struct saved_log *log, struct model *model, uint64_t number, size_t len)
{
    static uint8_t octets[SAVED_LOG_RECORD_MAX];
    uint8_t seed = (uint8_t)draw(256);
    for (size_t i = 0; i < len; i++)
        octets[i] = octet(seed, i);
    assert_true(saved_log_put(log, number, view_of(octets, len)));
    model->len[number - 1] = len;
    model->seed[number - 1] = seed;
}

/* Whatever is done, and however often keyd starts anew, the log holds what the model holds; and the
 * file does not grow with what is gone. */
static void test_model(void **unused)
{
    (void)unused;
    struct model model = {.seen = 0};
    int fd = new_file();
    struct saved_log *log = open_settled(fd);
    struct stat st;
    assert_true(saved_log_is_new(log));
    for (unsigned i = 0; i < 80000; i++) {
        uint64_t number = 1 + draw(NUMBERS);
        if (draw(4) == 0) {
            saved_log_drop(log, number);
            model.len[number - 1] = 0;
        } else {
            put(log, &model, number, 1 + draw(draw(50) ? 1200 : SAVED_LOG_RECORD_MAX));
        }
        if (draw(200) == 0) {
            saved_log_close(log);
            log = open_settled(fd);
            assert_false(saved_log_is_new(log));
            check(log, &model);
        }
    }
    check(log, &model);
    saved_log_close(log);
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(st.st_blocks * 512 < 16 << 20); /* of far more that was written */
    assert_true(st.st_size > 32 << 20);
    close(fd);
}

/* Keys of a record that is gone are gone from the file. */
static void test_wiped(void **unused)
{
    static uint8_t file[65536];
    uint8_t secret[64];
    (void)unused;
    int fd = new_file();
    struct saved_log *log = open_settled(fd);
    memset(secret, 0xc3, sizeof(secret));
    assert_true(saved_log_put(log, 1, view_of(secret, sizeof(secret))));
    assert_true(saved_log_put(log, 2, view_of(secret, sizeof(secret))));
    saved_log_drop(log, 1);
    assert_true(saved_log_put(log, 2, view_of("new", 3)));
    ssize_t len = pread(fd, file, sizeof(file), 0);
    assert_true(len > 0);
    for (ssize_t i = 0; i < len; i++)
        assert_int_not_equal(file[i], 0xc3);
    saved_log_close(log);
    close(fd);
}

/* A keyd that dies while it writes: wherever the file ends or whichever octet of the last record is
 * wrong, the records before it are whole and what follows works. */
static void test_torn(void **unused)
{
    static uint8_t file[65536];
    (void)unused;
    struct model model = {.seen = 0};
    int whole = new_file();
    struct saved_log *log = open_settled(whole);
    put(log, &model, 1, 300);
    put(log, &model, 2, 77);
    struct stat before, after;
    assert_int_equal(fstat(whole, &before), 0);
    struct model full = model;
    put(log, &full, 3, 200);
    saved_log_close(log);
    assert_int_equal(fstat(whole, &after), 0);
    assert_true(pread(whole, file, sizeof(file), 0) == after.st_size);

    for (off_t at = before.st_size; at < after.st_size; at++) {
        for (int cut = 0; cut < 2; cut++) {
            int fd = new_file();
            uint8_t was = file[at];
            file[at] ^= cut ? 0 : 0x40;
            size_t len = (size_t)(cut ? at : after.st_size);
            assert_true(pwrite(fd, file, len, 0) == (ssize_t)len);
            file[at] = was;
            struct model now = model;
            log = open_settled(fd);
            if (saved_log_count(log) == 3) /* the padding behind it was hit */
                now = full;
            check(log, &now);
            put(log, &now, 4, 500);
            put(log, &now, 1, 20);
            saved_log_close(log);
            log = open_settled(fd);
            check(log, &now);
            saved_log_close(log);
            close(fd);
        }
    }
    close(whole);
}

/* What can't be written must not leave something older behind. */
static void test_full(void **unused)
{
    static uint8_t big[SAVED_LOG_RECORD_MAX + 1];
    (void)unused;
    struct model model = {.seen = 0};
    int fd = new_file();
    struct saved_log *log = open_settled(fd);
    put(log, &model, 1, 100);
    assert_false(saved_log_put(log, 2, view_of(big, sizeof(big))));
    assert_int_equal(saved_log_count(log), 0);
    memset(&model, 0, sizeof(model));
    put(log, &model, 3, 10);
    saved_log_close(log);
    log = open_settled(fd);
    check(log, &model);
    saved_log_close(log);
    close(fd);
}

/* Records that may be what kills keyd are given up after five starts that did not settle. */
static void test_gives_up(void **unused)
{
    (void)unused;
    struct model model = {.seen = 0};
    int fd = new_file();
    struct saved_log *log = open_settled(fd);
    put(log, &model, 1, 100);
    saved_log_close(log);
    for (unsigned i = 0; i < SAVED_LOG_TRIES; i++) {
        log = open_again(fd);
        assert_false(saved_log_gave_up(log));
        check(log, &model);
        saved_log_close(log);
    }
    log = open_again(fd);
    assert_true(saved_log_gave_up(log));
    assert_false(saved_log_is_new(log));
    assert_int_equal(saved_log_count(log), 0);
    saved_log_close(log);
    log = open_again(fd);
    assert_false(saved_log_gave_up(log));
    assert_int_equal(saved_log_count(log), 0);
    saved_log_close(log);
    close(fd);
}

/* A file of anything else is an empty log. */
static void test_garbage(void **unused)
{
    uint8_t junk[9000];
    (void)unused;
    for (unsigned round = 0; round < 200; round++) {
        struct model model = {.seen = 0};
        int fd = new_file();
        for (size_t i = 0; i < sizeof(junk); i++)
            junk[i] = (uint8_t)draw(256);
        size_t len = 1 + draw(sizeof(junk));
        assert_true(pwrite(fd, junk, len, 0) == (ssize_t)len);
        struct saved_log *log = open_settled(fd);
        check(log, &model);
        put(log, &model, 5, 33);
        saved_log_close(log);
        log = open_settled(fd);
        check(log, &model);
        saved_log_close(log);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),    cmocka_unit_test(test_wiped),
        cmocka_unit_test(test_torn),     cmocka_unit_test(test_full),
        cmocka_unit_test(test_gives_up), cmocka_unit_test(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
