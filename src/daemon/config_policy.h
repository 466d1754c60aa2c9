/*
 * The `policy` list of the configuration: each line's sources and destinations become connection
 * classes. Part of the configuration parser; see daemon/config.h.
 */
#ifndef CYGNET_DAEMON_CONFIG_POLICY_H
#define CYGNET_DAEMON_CONFIG_POLICY_H

#include "daemon/config.h"
#include "daemon/yaml_reader.h"

extern const struct yaml_choice config_class_kinds[], config_fallback_kinds[];

/* The name of a class as it is written. */
const char *config_kind_text(enum oe_class_kind kind);
/* "any" or the prefix; IP_PREFIX_TEXT_MAX octets at `ret`. */
const char *config_prefix_text(const struct ip_prefix *prefix, char *ret);
/* OE-005: the class that has the same prefixes already, or NULL. */
const struct oe_class *config_find_class(const struct cygnet_config *config,
                                         const struct oe_class *class);

/* Replaces base's classes; base is the struct cygnet_config. */
yaml_read_fn config_read_policy;

#endif
