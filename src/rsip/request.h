/*
 * Requests of hosts: which are answered, repeated, refused or dropped, and all but those that make
 * a bind (assign.c). Internal to the RSIP server.
 */
#ifndef CYGNET_RSIP_REQUEST_H
#define CYGNET_RSIP_REQUEST_H

#include "rsip/internal.h"

enum err rsip_request(struct rsip_server *s, const struct rsip_server_event *event);
enum err rsip_request_resolved(struct rsip_server *s, const struct rsip_server_event *event);

/* server.c */
void rsip_host_to_ghost(struct rsip_server *s, struct rsip_host *host);
void rsip_repeat_answer(struct rsip_server *s, const struct rsip_host *host);

#endif
