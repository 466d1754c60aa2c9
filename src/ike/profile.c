/* Which configured peer a message belongs to. */
#include "ike/profile.h"

#include "ike/engine.h"

const struct ike_profile *ike_profile_numbered(const struct ike *ike, uint32_t number)
{
    for (size_t i = 0; i < ike->config.profile_count; i++)
        if (ike->config.profiles[i].number == number)
            return &ike->config.profiles[i];
    return NULL;
}

static bool from_there(const struct ike_profile *profile, const struct ip_addr *local,
                       const struct ip_addr *remote)
{
    if (profile->local.family != IP_NONE && !ip_addr_equal(&profile->local, local))
        return false;
    return profile->remote.addr.family == IP_NONE || ip_prefix_contains(&profile->remote, remote);
}

const struct ike_profile *ike_profile_next(const struct ike *ike, const struct ike_profile *after,
                                           enum ike_version version, const struct ip_addr *local,
                                           const struct ip_addr *remote)
{
    const struct ike_profile *all = ike->config.profiles;
    for (size_t i = after != NULL ? (size_t)(after - all) + 1 : 0; i < ike->config.profile_count;
         i++)
        if ((all[i].version == IKE_ANY_VERSION || all[i].version == version) &&
            (version == IKE_VERSION_2 || !all[i].ppk_required) && /* version 1 has no PPK */
            from_there(&all[i], local, remote))
            return &all[i];
    return NULL;
}

bool ike_profile_is_for(const struct ike_profile *profile, const struct identity *peer_id)
{
    return profile->peer_id.kind == IDENTITY_NONE || identity_equal(&profile->peer_id, peer_id);
}
