/*
 * What keyd tells people: the JSON replies behind `cygnet status` and `cygnet why`. Reads the
 * engines, changes nothing.
 */
#ifndef CYGNET_DAEMON_KEYD_STATUS_H
#define CYGNET_DAEMON_KEYD_STATUS_H

#include <jansson.h>
#include <sys/types.h>

#include "control/control.h"
#include "daemon/child.h"
#include "daemon/keyd_counters.h"
#include "daemon/keyd_history.h"
#include "daemon/own_address.h"
#include "daemon/worker_pool.h"

struct keyd_status {
    const struct control *control;
    const struct history *history;
    const struct keyd_counters *plane_counters;
    const struct cygnet_config *config;
    const struct own *own;
    struct worker_pool *pool; /* NULL: there is none */
    mono_t started;
    pid_t pids[CHILD_ROLE_COUNT]; /* 0: not running */
    uint32_t restarts[CHILD_ROLE_COUNT];
    bool partners[CHILD_ROLE_COUNT]; /* whose channel is there */
    uint32_t reloads; /* how often the parent has said how a reload went; the last time: */
    bool reload_ok;
    char reload_text[CONFIG_ERROR_MAX];
};

/* Of flows and of gateways at most `rows` each, tunnels and established IKE SAs first, then the
 * newest; the summary counts all. */
json_t *keyd_status_json(const struct keyd_status *status, mono_t now, size_t rows);
/* src of family 0: the newest flow to or from dst. */
json_t *keyd_why_json(const struct keyd_status *status, mono_t now, const struct ip_pair *flow);

#endif
