/*
 * Many flows in few lines: how many have which verdict for which reason, where the flow's own
 * addresses in a reason are written as `*`. At most SUMMARY_REASONS lines; the rest is one.
 */
#ifndef CYGNET_DAEMON_KEYD_SUMMARY_H
#define CYGNET_DAEMON_KEYD_SUMMARY_H

#include <jansson.h>

#include "oe/oe.h"

enum { SUMMARY_REASONS = 100 };

/* `counts` is an empty object to begin with. */
void summary_add(json_t *counts, const struct oe_instance_info *info);
/* [{verdict, reason, count}], the largest first. */
json_t *summary_json(const json_t *counts);

#endif
