/*
 * The `policy` list of the configuration: each line's sources and destinations become connection
 * classes. Part of the configuration parser; see daemon/config.h.
 */
#ifndef CYGNET_DAEMON_CONFIG_POLICY_H
#define CYGNET_DAEMON_CONFIG_POLICY_H

#include "daemon/config.h"
#include "daemon/yaml_reader.h"

extern const struct yaml_choice config_class_kinds[];

/* Replaces base's classes; base is the struct cygnet_config. */
yaml_read_fn config_read_policy;

#endif
