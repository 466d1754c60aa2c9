/*
 * Remote hosts that a client names: asked of the nameservers that are configured, by libevent's stub resolver,
 * several at a time. An answer that is late or isn't one is an answer without addresses. The resolver asked is
 * trusted, as the site's own is for everything else.
 */
#ifndef CYGNET_DAEMON_RSIPD_NAMES_H
#define CYGNET_DAEMON_RSIPD_NAMES_H

#include "base/addr.h"
#include "base/view.h"

struct event_base;
struct rsipd_names;

/* What was asked for, and the addresses, if there are any. Never called from rsipd_names_ask(). */
typedef void rsipd_names_fn(void *ctx, const struct ip_addr *host, uint64_t serial,
                            const struct ip_addr *addrs, size_t count);

/* NULL: out of memory, or a nameserver that can't be one. */
struct rsipd_names *rsipd_names_new(struct event_base *base, const struct ip_addr *servers,
                                    size_t count, rsipd_names_fn *on_answer, void *ctx);
void rsipd_names_free(struct rsipd_names *n);
/* False: it can't be asked for, and no answer will come. */
bool rsipd_names_ask(struct rsipd_names *n, const struct ip_addr *host, uint64_t serial,
                     struct view name);

#endif
