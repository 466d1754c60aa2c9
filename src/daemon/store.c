#include "daemon/store.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/log.h"

enum { STORE_VERSION = 1 };

enum statement { CONNECTED, GONE, FORMER, STATEMENTS };

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    bool dirty, failed;
};

/* A peer that comes back without an identity known keeps the one it had. */
static const char *const texts[STATEMENTS] = {
    [CONNECTED] = "INSERT INTO peers(local, remote, identity) VALUES(?1, ?2, ?3)"
                  " ON CONFLICT(local, remote) DO UPDATE SET former_since = NULL,"
                  " identity = coalesce(excluded.identity, identity)",
    [GONE] = "DELETE FROM peers WHERE local = ?1 AND remote = ?2",
    [FORMER] = "SELECT local, remote, identity FROM peers WHERE former_since IS NOT NULL",
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS peers(local TEXT NOT NULL, remote TEXT NOT NULL, identity TEXT,"
    " former_since INTEGER, PRIMARY KEY(local, remote)) WITHOUT ROWID;";

static void failed(struct store *store, const char *what)
{
    if (!store->failed)
        log_line(EVENT_WARNING, "peers can't be remembered (%s: %s); after a crash they learn late",
                 what, sqlite3_errmsg(store->db));
    store->failed = true;
}

static bool run(struct store *store, const char *sql)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* One process has it open and nothing may be written beside it but its log. A commit survives a
 * crash of the program at once and one of the machine within the kernel's writing delay. */
static bool prepare(struct store *store)
{
    static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                                  "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;"
                                  "PRAGMA wal_autocheckpoint = 256;";
    char version[64];
    sqlite3_stmt *check;

    if (!run(store, pragmas) || !run(store, schema))
        return false;
    if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &check, NULL) != SQLITE_OK)
        return false;
    int found = sqlite3_step(check) == SQLITE_ROW ? sqlite3_column_int(check, 0) : -1;
    sqlite3_finalize(check);
    if (found != 0 && found != STORE_VERSION)
        return false;
    snprintf(version, sizeof(version), "PRAGMA user_version = %d", STORE_VERSION);
    if (!run(store, version))
        return false;
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(store->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->statements[i], NULL) != SQLITE_OK)
            return false;
    return true;
}

static void shut(struct store *store)
{
    for (int i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    sqlite3_close(store->db);
    store->db = NULL;
}

static bool open_once(struct store *store, const char *path)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW;
    mode_t before = umask(0077); /* nobody else needs to know whom we talk to */
    bool ok = sqlite3_open_v2(path, &store->db, flags, NULL) == SQLITE_OK && prepare(store);
    umask(before);
    return ok;
}

static void remove_damaged(const char *path)
{
    static const char *const parts[] = {"", "-wal", "-shm", "-journal"};
    char name[CONFIG_PATH_MAX + 16];
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, parts[i]);
        unlink(name);
    }
}

struct store *store_open(const char *path)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return NULL;
    if (open_once(store, path))
        return store;
    log_line(EVENT_WARNING, "the list of peers in %s is of no use (%s); a new one is begun", path,
             sqlite3_errmsg(store->db));
    shut(store);
    remove_damaged(path);
    if (open_once(store, path))
        return store;
    failed(store, path);
    shut(store);
    free(store);
    return NULL;
}

void store_flush(struct store *store)
{
    if (store->dirty && !run(store, "COMMIT"))
        failed(store, "commit");
    store->dirty = false;
}

bool store_is_dirty(const struct store *store)
{
    return store->dirty;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    store_flush(store);
    shut(store);
    free(store);
}

static bool begin(struct store *store)
{
    if (!store->dirty && !run(store, "BEGIN")) {
        failed(store, "begin");
        return false;
    }
    store->dirty = true;
    return true;
}

void store_begin_life(struct store *store, int64_t now_s)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "UPDATE peers SET former_since = %lld WHERE former_since IS NULL;"
             "DELETE FROM peers WHERE former_since < %lld",
             (long long)now_s, (long long)(now_s - STORE_FORMER_S));
    if (begin(store) && !run(store, sql))
        failed(store, "update");
    store_flush(store);
}

static void change(struct store *store, enum statement which, const struct store_peer *peer)
{
    sqlite3_stmt *statement = store->statements[which];
    char local[IP_ADDR_TEXT_MAX], remote[IP_ADDR_TEXT_MAX], identity[IDENTITY_TEXT_MAX];

    if (!begin(store))
        return;
    sqlite3_bind_text(statement, 1, ip_addr_format(&peer->local, local), -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, ip_addr_format(&peer->remote, remote), -1, SQLITE_STATIC);
    if (which == CONNECTED && peer->id.kind != IDENTITY_NONE)
        sqlite3_bind_text(statement, 3, identity_format(&peer->id, identity), -1, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_DONE)
        failed(store, "write");
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

void store_connected(struct store *store, const struct store_peer *peer)
{
    change(store, CONNECTED, peer);
}

void store_gone(struct store *store, const struct store_peer *peer)
{
    change(store, GONE, peer);
}

static bool read_addr(sqlite3_stmt *row, int column, struct ip_addr *ret)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text != NULL && ip_addr_parse(text, ret);
}

static bool read_identity(sqlite3_stmt *row, int column, struct identity *ret)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    struct ip_addr addr;

    *ret = (struct identity){.kind = IDENTITY_NONE};
    if (text == NULL)
        return true;
    if (text[0] == '@')
        return identity_of_fqdn(view_of_text(text + 1), ret);
    if (!ip_addr_parse(text, &addr))
        return false;
    *ret = identity_of_addr(&addr);
    return true;
}

void store_former(struct store *store, void (*give)(void *ctx, const struct store_peer *peer),
                  void *ctx)
{
    sqlite3_stmt *row = store->statements[FORMER];
    struct store_peer peer;
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW)
        if (read_addr(row, 0, &peer.local) && read_addr(row, 1, &peer.remote) &&
            read_identity(row, 2, &peer.id))
            give(ctx, &peer);
    if (result != SQLITE_DONE)
        failed(store, "read");
    sqlite3_reset(row);
}
