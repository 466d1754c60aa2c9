#include "daemon/database.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"

void database_failed(struct database *database, const char *step)
{
    if (!database->failed)
        log_line(EVENT_WARNING, "%s can't be kept (%s: %s): %s", database->plan->what, step,
                 sqlite3_errmsg(database->db), database->plan->loss);
    database->failed = true;
}

bool database_run(struct database *database, const char *sql)
{
    return sqlite3_exec(database->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static int version_found(struct database *database)
{
    sqlite3_stmt *check;

    if (sqlite3_prepare_v2(database->db, "PRAGMA user_version", -1, &check, NULL) != SQLITE_OK)
        return -1;
    int found = sqlite3_step(check) == SQLITE_ROW ? sqlite3_column_int(check, 0) : -1;
    sqlite3_finalize(check);
    return found;
}

/* Nothing may be written beside the file but its log. */
static bool prepare(struct database *database)
{
    static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                                  "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;"
                                  "PRAGMA wal_autocheckpoint = 256;";
    const struct database_plan *plan = database->plan;
    char version[64];

    if (!database_run(database, pragmas) || !database_run(database, plan->schema))
        return false;
    snprintf(version, sizeof(version), "PRAGMA user_version = %d", plan->version);
    if (!database_run(database, version))
        return false;
    for (size_t i = 0; i < plan->statement_count; i++)
        if (sqlite3_prepare_v3(database->db, plan->statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &database->statements[i], NULL) != SQLITE_OK)
            return false;
    return true;
}

static void shut(struct database *database)
{
    for (size_t i = 0; i < database->plan->statement_count; i++) {
        sqlite3_finalize(database->statements[i]);
        database->statements[i] = NULL;
    }
    sqlite3_close(database->db);
    database->db = NULL;
}

enum opened { OPENED, DAMAGED, NOT_OURS };

static enum opened open_file(struct database *database, const char *path)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW;
    mode_t before = umask(0077);
    int result = sqlite3_open_v2(path, &database->db, flags, NULL);
    int version = result == SQLITE_OK ? version_found(database) : -1;
    enum opened opened = NOT_OURS;

    if (version > 0 && version != database->plan->version) {
        log_line(EVENT_WARNING, "%s in %s is of version %d, not %d: move it away to begin anew; %s",
                 database->plan->what, path, version, database->plan->version, database->plan->loss);
        database->failed = true;
    } else if (version >= 0 && prepare(database))
        opened = OPENED;
    else if (sqlite3_errcode(database->db) == SQLITE_CORRUPT ||
             sqlite3_errcode(database->db) == SQLITE_NOTADB)
        opened = DAMAGED;
    umask(before);
    return opened;
}

static void remove_damaged(const char *path)
{
    static const char *const parts[] = {"", "-wal", "-shm", "-journal"};
    char name[PATH_MAX];
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, parts[i]);
        unlink(name);
    }
}

bool database_open(struct database *database, const struct database_plan *plan, const char *path)
{
    *database = (struct database){.plan = plan};
    enum opened opened = open_file(database, path);
    if (opened == DAMAGED) {
        log_line(EVENT_WARNING, "%s in %s is damaged (%s); it is begun anew", plan->what, path,
                 sqlite3_errmsg(database->db));
        shut(database);
        remove_damaged(path);
        opened = open_file(database, path);
    }
    if (opened == OPENED)
        return true;
    database_failed(database, path);
    shut(database);
    return false;
}

void database_close(struct database *database)
{
    if (database->db == NULL)
        return;
    database_flush(database);
    shut(database);
}

bool database_begin(struct database *database)
{
    if (!database->dirty && !database_run(database, "BEGIN")) {
        database_failed(database, "begin");
        return false;
    }
    database->dirty = true;
    return true;
}

void database_flush(struct database *database)
{
    if (database->dirty && !database_run(database, "COMMIT"))
        database_failed(database, "commit");
    database->dirty = false;
}

void database_change(struct database *database, sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        database_failed(database, "write");
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}
