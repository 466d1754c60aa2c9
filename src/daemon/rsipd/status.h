/*
 * What `cygnet rsip status` shows, as JSON: a new reference, or NULL if memory is out.
 */
#ifndef CYGNET_DAEMON_RSIPD_STATUS_H
#define CYGNET_DAEMON_RSIPD_STATUS_H

#include <jansson.h>

#include "rsip/client.h"
#include "rsip/server.h"

json_t *rsipd_server_status(const struct rsip_server *server, mono_t now);
/* `bind`: what was granted last, and `up` if it still stands. */
json_t *rsipd_client_status(const struct rsip_client *client, const struct rsip_message *bind,
                            bool up, enum rsip_error last_error);

#endif
