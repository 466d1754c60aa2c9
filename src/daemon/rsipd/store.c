#include "daemon/rsipd/store.h"

#include <stdlib.h>

#include "daemon/database.h"

enum statement { SAVE, FORGET, EACH, STATEMENTS };

struct lease_store {
    struct database database;
};

static const char *const texts[STATEMENTS] = {
    [SAVE] = "INSERT OR REPLACE INTO leases(serial, record) VALUES(?1, ?2)",
    [FORGET] = "DELETE FROM leases WHERE serial = ?1",
    [EACH] = "SELECT serial, record FROM leases ORDER BY serial",
};

static const struct database_plan plan = {
    .what = "the list of leases",
    .loss = "a restart forgets them",
    .schema =
        "CREATE TABLE IF NOT EXISTS leases(serial INTEGER PRIMARY KEY, record BLOB NOT NULL);",
    .version = 1,
    .statements = texts,
    .statement_count = STATEMENTS,
};

struct lease_store *lease_store_open(const char *path)
{
    struct lease_store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return NULL;
    if (database_open(&store->database, &plan, path))
        return store;
    free(store);
    return NULL;
}

void lease_store_flush(struct lease_store *store)
{
    database_flush(&store->database);
}

void lease_store_close(struct lease_store *store)
{
    if (store == NULL)
        return;
    database_close(&store->database);
    free(store);
}

static void change(struct lease_store *store, enum statement which, uint64_t serial,
                   struct view bytes)
{
    sqlite3_stmt *statement = store->database.statements[which];

    if (!database_begin(&store->database))
        return;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)serial);
    if (which == SAVE)
        sqlite3_bind_blob(statement, 2, bytes.ptr, (int)bytes.len, SQLITE_STATIC);
    database_change(&store->database, statement);
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
    sqlite3_stmt *row = store->database.statements[EACH];
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW)
        give(ctx, (uint64_t)sqlite3_column_int64(row, 0),
             view_of(sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1)));
    if (result != SQLITE_DONE)
        database_failed(&store->database, "read");
    sqlite3_reset(row);
}
