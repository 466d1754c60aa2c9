/*
 * Configured connections and their tunnels as JSON, for `cygnet status` and `cygnet why`.
 */
#ifndef CYGNET_DAEMON_KEYD_CONNECTIONS_H
#define CYGNET_DAEMON_KEYD_CONNECTIONS_H

#include <jansson.h>

#include "tunnel/tunnel.h"

/* [{name, version, ..., tunnels: [...]}], connections in the order of the configuration. */
json_t *connections_json(const struct tunnels *tunnels, mono_t now);
/* What becomes of datagrams between them, in the words of `cygnet why`; NULL: no tunnel is for them. */
json_t *connections_why_json(const struct tunnels *tunnels, mono_t now, const struct ip_pair *flow);

#endif
