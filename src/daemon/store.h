/*
 * The gateways we have SAs with, in SQLite in the state directory, so that after a crash of the
 * machine former partners can be told (OE-175). Addresses and identities only; no key is in it.
 *
 * Changes are gathered in one transaction until store_flush(). What fails says so on the log, once,
 * and then the list is not kept: nothing else depends on it.
 */
#ifndef CYGNET_DAEMON_STORE_H
#define CYGNET_DAEMON_STORE_H

#include "wire/identity.h"

enum { STORE_FORMER_S = 86400 }; /* so long a former peer is tried to be told, start after start */

struct store_peer {
    struct ip_addr local, remote;
    struct identity id; /* IDENTITY_NONE: not known */
};

struct store;

/* Makes the file if it isn't there, and makes it anew if it is damaged. NULL: said why. */
struct store *store_open(const char *path);
/* Flushes. */
void store_close(struct store *store);
/* Whoever is in the list was connected when everything was lost; `now_s` is the time of day. */
void store_begin_life(struct store *store, int64_t now_s);
/* It has SAs with us (and is no former peer any more), or has none left. */
void store_connected(struct store *store, const struct store_peer *peer);
void store_gone(struct store *store, const struct store_peer *peer);
void store_flush(struct store *store);
/* There is something to flush. */
bool store_is_dirty(const struct store *store);
/* Calls `give` for each former peer that has not been connected since. */
void store_former(struct store *store, void (*give)(void *ctx, const struct store_peer *peer),
                  void *ctx);

#endif
