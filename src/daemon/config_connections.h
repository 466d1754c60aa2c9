/*
 * The `connections` of the configuration: config_connections.c reads the list and its children,
 * config_ends.c the two ends of one. Paths and keys are kept in cygnet_config.strings.
 */
#ifndef CYGNET_DAEMON_CONFIG_CONNECTIONS_H
#define CYGNET_DAEMON_CONFIG_CONNECTIONS_H

#include "daemon/config.h"
#include "daemon/yaml_reader.h"

yaml_read_fn config_read_connections;
/* Under 'leased-spis': connections of `root` that a peer could only tell apart by the shared address. */
bool config_check_leased(struct yaml_reader *r, const yaml_node_t *root,
                         const struct cygnet_config *config);

/* Keeps the node itself at the member, to be looked at when the whole entry is there. */
yaml_read_fn config_keep_node;

/* One end as written. */
struct config_raw_end {
    const yaml_node_t *address, *id, *key, *certificate, *ca, *crl;
    enum ike_method auth;
    bool crl_required;
};
extern const struct yaml_field config_local_fields[], config_remote_fields[];

MUST_USE bool config_end_make(struct yaml_reader *r, const yaml_node_t *node,
                              struct cygnet_config *config, const struct config_raw_end *raw,
                              bool local, struct config_end *ret);
/* A scalar into config's strings. */
MUST_USE bool config_keep_text(struct yaml_reader *r, const yaml_node_t *node,
                               struct cygnet_config *config, config_string *ret);
/* The same for an absolute path. */
MUST_USE bool config_keep_path(struct yaml_reader *r, const yaml_node_t *node, const char *key,
                               struct cygnet_config *config, config_string *ret);

#endif
