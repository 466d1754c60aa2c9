/*
 * The list of peers on disk: kept over lives, over a crash of the process, over a damaged file.
 * OE-175
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store.h"

static char dir[] = "/tmp/cygnet-store-XXXXXX";
static char path[64];

static struct store_peer peer_of(const char *remote, const char *name)
{
    struct store_peer peer = {.id = {.kind = IDENTITY_NONE}};
    assert_true(ip_addr_parse(strchr(remote, ':') ? "2001:db8::1" : "192.1.1.4", &peer.local));
    assert_true(ip_addr_parse(remote, &peer.remote));
    if (name != NULL)
        assert_true(identity_of_fqdn(view_of_text(name), &peer.id));
    else
        peer.id = identity_of_addr(&peer.remote);
    return peer;
}

struct found {
    size_t count;
    struct store_peer peers[16];
};

static void collect(void *ctx, const struct store_peer *peer)
{
    struct found *found = ctx;
    assert_true(found->count < 16);
    found->peers[found->count++] = *peer;
}

static struct found former(struct store *store)
{
    struct found found = {.count = 0};
    store_former(store, collect, &found);
    return found;
}

static struct store *fresh(void)
{
    char other[80];
    unlink(path);
    snprintf(other, sizeof(other), "%s-wal", path);
    unlink(other);
    struct store *store = store_open(path);
    assert_non_null(store);
    return store;
}

static void test_lives(void **state)
{
    struct store *store = fresh();
    struct store_peer a = peer_of("192.1.1.5", NULL), b = peer_of("2001:db8::5", "gw.example.net");
    (void)state;
    store_begin_life(store, 1000);
    assert_int_equal(former(store).count, 0);
    store_connected(store, &a);
    store_connected(store, &b);
    assert_true(store_is_dirty(store));
    assert_int_equal(former(store).count, 0);
    store_close(store);

    store = store_open(path); /* keyd alone crashed: no new life */
    assert_non_null(store);
    assert_int_equal(former(store).count, 0);
    store_close(store);

    store = store_open(path);
    store_begin_life(store, 2000);
    struct found found = former(store);
    assert_int_equal(found.count, 2);
    assert_true(ip_addr_equal(&found.peers[0].remote, &a.remote));
    assert_true(identity_equal(&found.peers[0].id, &a.id));
    assert_true(ip_addr_equal(&found.peers[1].local, &b.local));
    assert_true(identity_equal(&found.peers[1].id, &b.id));

    b.id.kind = IDENTITY_NONE; /* resumed without a phase 1 SA: its name is kept */
    store_connected(store, &b);
    assert_int_equal(former(store).count, 1);
    store_gone(store, &a);
    assert_int_equal(former(store).count, 0);
    store_close(store);

    store = store_open(path);
    store_begin_life(store, 3000);
    found = former(store);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.peers[0].id.kind, IDENTITY_FQDN);
    store_begin_life(store, 3000 + STORE_FORMER_S); /* down for a day: its SAs are gone by then */
    assert_int_equal(former(store).count, 1);
    store_begin_life(store, 3001 + STORE_FORMER_S);
    assert_int_equal(former(store).count, 0);
    store_close(store);
}

/* What was flushed is there although nothing was closed. */
static void test_crash(void **state)
{
    struct store_peer a = peer_of("192.1.1.5", NULL), b = peer_of("192.1.1.6", NULL);
    (void)state;
    store_close(fresh());
    pid_t pid = fork();
    if (pid == 0) {
        struct store *store = store_open(path);
        store_connected(store, &a);
        store_flush(store);
        store_connected(store, &b);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    struct store *store = store_open(path);
    assert_non_null(store);
    store_begin_life(store, 1000);
    assert_int_equal(former(store).count, 1);
    store_close(store);
}

static void test_mode(void **state)
{
    struct store_peer a = peer_of("192.1.1.5", NULL);
    struct stat st;
    char wal[80];
    (void)state;
    struct store *store = fresh();
    store_connected(store, &a);
    store_flush(store);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(wal, sizeof(wal), "%s-wal", path);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    store_close(store);
}

/* Not a database: begun anew. A directory that isn't there: none. */
static void test_damaged(void **state)
{
    static const char junk[] = "this is not a database, but it is long enough to be looked at "
                               "by the library, which will then say that it can't be one........";
    struct store_peer a = peer_of("192.1.1.5", NULL);
    (void)state;
    store_close(fresh());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fwrite(junk, 1, sizeof(junk), file) == sizeof(junk));
    fclose(file);
    struct store *store = store_open(path);
    assert_non_null(store);
    store_connected(store, &a);
    store_begin_life(store, 1000);
    assert_int_equal(former(store).count, 1);
    store_close(store);
    assert_null(store_open("/nonexistent/peers.db"));
}

/* In use by another process, or written by another version: not opened, and left as it is. */
static void test_not_ours(void **state)
{
    struct store_peer a = peer_of("192.1.1.5", NULL);
    sqlite3 *db;
    (void)state;
    struct store *store = fresh();
    store_connected(store, &a);
    store_flush(store);
    assert_null(store_open(path));
    store_close(store);

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 7", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_null(store_open(path));
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 1", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    store = store_open(path);
    assert_non_null(store);
    store_begin_life(store, 1000);
    assert_int_equal(former(store).count, 1);
    store_close(store);
}

static int make_dir(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/peers.db", dir);
    return 0;
}

static int remove_dir(void **state)
{
    char command[96];
    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_mode),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_not_ours),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
