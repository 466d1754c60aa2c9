#include "daemon/rsipd/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"

enum { STORE_VERSION = 1, STORE_PATH = 300 };

enum statement { SAVE, FORGET, EACH, STATEMENTS };

struct lease_store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    bool dirty, failed;
};

static const char *const texts[STATEMENTS] = {
    [SAVE] = "INSERT OR REPLACE INTO leases(serial, record) VALUES(?1, ?2)",
    [FORGET] = "DELETE FROM leases WHERE serial = ?1",
    [EACH] = "SELECT serial, record FROM leases ORDER BY serial",
};

static void failed(struct lease_store *store, const char *what)
{
    if (!store->failed)
        log_line(EVENT_WARNING, "leases can't be kept (%s: %s); a restart forgets them", what,
                 sqlite3_errmsg(store->db));
    store->failed = true;
}

static bool run(struct lease_store *store, const char *sql)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool prepare(struct lease_store *store)
{
    static const char setup[] =
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
        "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;"
        "CREATE TABLE IF NOT EXISTS leases(serial INTEGER PRIMARY KEY, record BLOB NOT NULL);";
    char version[64];
    sqlite3_stmt *check;

    if (!run(store, setup) ||
        sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &check, NULL) != SQLITE_OK)
        return false;
    int found = sqlite3_step(check) == SQLITE_ROW ? sqlite3_column_int(check, 0) : -1;
    sqlite3_finalize(check);
    snprintf(version, sizeof(version), "PRAGMA user_version = %d", STORE_VERSION);
    if ((found != 0 && found != STORE_VERSION) || !run(store, version))
        return false;
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(store->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->statements[i], NULL) != SQLITE_OK)
            return false;
    return true;
}

static void shut(struct lease_store *store)
{
    for (int i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    sqlite3_close(store->db);
    store->db = NULL;
}

static bool open_once(struct lease_store *store, const char *path)
{
    mode_t before = umask(0077);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW;
    bool ok = sqlite3_open_v2(path, &store->db, flags, NULL) == SQLITE_OK && prepare(store);
    umask(before);
    return ok;
}

struct lease_store *lease_store_open(const char *path)
{
    static const char *const parts[] = {"", "-wal", "-shm", "-journal"};
    struct lease_store *store = calloc(1, sizeof(*store));
    char name[STORE_PATH];

    if (store == NULL)
        return NULL;
    if (open_once(store, path))
        return store;
    log_line(EVENT_WARNING, "the leases in %s are of no use (%s); a new list is begun", path,
             sqlite3_errmsg(store->db));
    shut(store);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, parts[i]);
        unlink(name);
    }
    if (open_once(store, path))
        return store;
    failed(store, path);
    shut(store);
    free(store);
    return NULL;
}

void lease_store_flush(struct lease_store *store)
{
    if (store->dirty && !run(store, "COMMIT"))
        failed(store, "commit");
    store->dirty = false;
}

void lease_store_close(struct lease_store *store)
{
    if (store == NULL)
        return;
    lease_store_flush(store);
    shut(store);
    free(store);
}

static void change(struct lease_store *store, enum statement which, uint64_t serial,
                   struct view bytes)
{
    sqlite3_stmt *statement = store->statements[which];

    if (!store->dirty && !run(store, "BEGIN")) {
        failed(store, "begin");
        return;
    }
    store->dirty = true;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)serial);
    if (which == SAVE)
        sqlite3_bind_blob(statement, 2, bytes.ptr, (int)bytes.len, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_DONE)
        failed(store, "write");
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

void lease_store_save(struct lease_store *store, uint64_t serial, struct view bytes)
{
    change(store, SAVE, serial, bytes);
}

void lease_store_forget(struct lease_store *store, uint64_t serial)
{
    change(store, FORGET, serial, view_of(NULL, 0));
}

void lease_store_each(struct lease_store *store,
                      void (*give)(void *ctx, uint64_t serial, struct view bytes), void *ctx)
{
    sqlite3_stmt *row = store->statements[EACH];
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW)
        give(ctx, (uint64_t)sqlite3_column_int64(row, 0),
             view_of(sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1)));
    if (result != SQLITE_DONE)
        failed(store, "read");
    sqlite3_reset(row);
}
