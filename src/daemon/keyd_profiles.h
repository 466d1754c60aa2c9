/*
 * The configured connections as the engines take them: the configuration joined with the files it
 * names and with the public keys of our private ones. Owns everything the profiles point to; secrets
 * are wiped when it is freed.
 */
#ifndef CYGNET_DAEMON_KEYD_PROFILES_H
#define CYGNET_DAEMON_KEYD_PROFILES_H

#include "daemon/materials.h"

struct profiles {
    struct ike_profile *profiles;
    struct tunnel_connection *connections;
    size_t count;
    struct view crash_secret, ticket_secret;
    struct profile_block *blocks;
};

/* `own_keys`: of the keeper, by number; what is beyond own_key_count is not known (yet). It must
 * stay as long as `ret`. False: error, CONFIG_ERROR_MAX octets, says which file is at fault, or that
 * there is no memory. */
MUST_USE bool profiles_make(const struct cygnet_config *config, const struct materials *materials,
                            const struct public_key *own_keys, size_t own_key_count,
                            struct profiles *ret, char *error);
void profiles_free(struct profiles *profiles);

#endif
