/*
 * The leases of an RSIP server, in SQLite: opaque records under the numbers the server gave them.
 * Changes are gathered in one transaction until lease_store_flush(), which comes before the answers
 * that depend on them are sent. What fails is said once on the log; then a restart forgets the
 * leases.
 */
#ifndef CYGNET_DAEMON_RSIPD_STORE_H
#define CYGNET_DAEMON_RSIPD_STORE_H

#include "base/view.h"

struct lease_store;

/* Makes the file if it isn't there, and makes it anew if it is damaged. NULL: said why. */
struct lease_store *lease_store_open(const char *path);
void lease_store_close(struct lease_store *store);
void lease_store_save(struct lease_store *store, uint64_t serial, struct view bytes);
void lease_store_forget(struct lease_store *store, uint64_t serial);
void lease_store_flush(struct lease_store *store);
void lease_store_each(struct lease_store *store,
                      void (*give)(void *ctx, uint64_t serial, struct view bytes), void *ctx);

#endif
