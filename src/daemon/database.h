/*
 * A small SQLite file of one process: its statements prepared, its changes gathered in a transaction
 * until they are flushed. A commit survives a crash of the program at once and one of the machine
 * within the kernel's writing delay. What fails is said on the log, once.
 */
#ifndef CYGNET_DAEMON_DATABASE_H
#define CYGNET_DAEMON_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

enum { DATABASE_STATEMENTS = 8 };

/* What the owner's code gives: it stays where it is while the database is open. */
struct database_plan {
    const char *what;   /* for the log: "the list of peers" */
    const char *loss;   /* for the log, when it can't be kept: "a restart forgets them" */
    const char *schema; /* CREATE TABLE IF NOT EXISTS ... */
    int version;        /* of the schema, from 1 */
    const char *const *statements;
    size_t statement_count;
};

struct database {
    const struct database_plan *plan;
    sqlite3 *db;
    sqlite3_stmt *statements[DATABASE_STATEMENTS];
    bool dirty, failed;
};

/* Makes the file if it isn't there, readable by its owner alone, and makes it anew if it is damaged.
 * One in use by another process or written by another version is left alone. False: said why. */
bool database_open(struct database *database, const struct database_plan *plan, const char *path);
/* Flushes. Of one that was never opened: nothing. */
void database_close(struct database *database);
/* Before a change: opens the transaction if none is open. */
bool database_begin(struct database *database);
void database_flush(struct database *database);
/* One statement without results, bound by the caller; its bindings are cleared. */
void database_change(struct database *database, sqlite3_stmt *statement);
/* SQL without parameters. */
bool database_run(struct database *database, const char *sql);
void database_failed(struct database *database, const char *step);

#endif
