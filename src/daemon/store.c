#include "daemon/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/database.h"

enum statement { CONNECTED, GONE, FORMER, STATEMENTS };

struct store {
    struct database database;
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

static const struct database_plan plan = {
    .what = "the list of peers",
    .loss = "after a crash they learn of it late",
    .schema = schema,
    .version = 1,
    .statements = texts,
    .statement_count = STATEMENTS,
};

struct store *store_open(const char *path)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return NULL;
    if (database_open(&store->database, &plan, path))
        return store;
    free(store);
    return NULL;
}

void store_flush(struct store *store)
{
    database_flush(&store->database);
}

bool store_is_dirty(const struct store *store)
{
    return store->database.dirty;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    database_close(&store->database);
    free(store);
}

void store_begin_life(struct store *store, int64_t now_s)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "UPDATE peers SET former_since = %lld WHERE former_since IS NULL;"
             "DELETE FROM peers WHERE former_since < %lld",
             (long long)now_s, (long long)(now_s - STORE_FORMER_S));
    if (database_begin(&store->database) && !database_run(&store->database, sql))
        database_failed(&store->database, "update");
    store_flush(store);
}

static void change(struct store *store, enum statement which, const struct store_peer *peer)
{
    sqlite3_stmt *statement = store->database.statements[which];
    char local[IP_ADDR_TEXT_MAX], remote[IP_ADDR_TEXT_MAX], identity[IDENTITY_TEXT_MAX];

    if (!database_begin(&store->database))
        return;
    sqlite3_bind_text(statement, 1, ip_addr_format(&peer->local, local), -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, ip_addr_format(&peer->remote, remote), -1, SQLITE_STATIC);
    if (which == CONNECTED && peer->id.kind != IDENTITY_NONE)
        sqlite3_bind_text(statement, 3, identity_format(&peer->id, identity), -1, SQLITE_STATIC);
    database_change(&store->database, statement);
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
    sqlite3_stmt *row = store->database.statements[FORMER];
    struct store_peer peer;
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW)
        if (read_addr(row, 0, &peer.local) && read_addr(row, 1, &peer.remote) &&
            read_identity(row, 2, &peer.id))
            give(ctx, &peer);
    if (result != SQLITE_DONE)
        database_failed(&store->database, "read");
    sqlite3_reset(row);
}
