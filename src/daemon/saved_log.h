/*
 * Records that outlive keyd: what control wants to be given back after a crash or an upgrade. They
 * lie in a memory file that the parent made and hands to every keyd, so keys never reach a disk and
 * are gone with the machine. A record is appended whole before the one it replaces is wiped; a
 * process that dies in the middle leaves either the old one or the new one.
 *
 * If the file can't be written it is emptied: a record that is out of date must not come back, since
 * it would let old messages be replayed.
 */
#ifndef CYGNET_DAEMON_SAVED_LOG_H
#define CYGNET_DAEMON_SAVED_LOG_H

#include "base/err.h"
#include "base/rng.h"

enum {
    SAVED_LOG_RECORD_MAX = 65536,
    SAVED_LOG_MAX = 1 << 30, /* octets; far beyond what a full engine needs */
    SAVED_LOG_TRIES = 5,     /* starts in a row that did not settle: the records may be the reason */
};

struct saved_log;

/* Takes over `fd`. What doesn't hold together in it is dropped. */
MUST_USE enum err saved_log_open(int fd, const struct rng *rng, struct saved_log **ret);
void saved_log_close(struct saved_log *log);
/* Nobody has opened it before: the parent has just started. */
bool saved_log_is_new(const struct saved_log *log);
/* Too many starts in a row did not settle, and what was saved was dropped. */
bool saved_log_gave_up(const struct saved_log *log);
/* This start went well. */
void saved_log_settled(struct saved_log *log);

/* False: it could not be kept, and the whole log was emptied. */
bool saved_log_put(struct saved_log *log, uint64_t number, struct view bytes);
void saved_log_drop(struct saved_log *log, uint64_t number);
size_t saved_log_count(const struct saved_log *log);
/* Calls `give` for every record, the lowest number first. It may put and drop. False: out of memory.
 */
bool saved_log_walk(struct saved_log *log,
                    void (*give)(void *ctx, uint64_t number, struct view bytes), void *ctx);

#endif
