/* Keys of IKE SAs for whoever looks for a fault in a capture: only if the configuration says so. */
#include "ike/engine.h"

static void push(struct ike *ike, enum ike_version version, const struct ip_addr *peer,
                 struct ike_exported *keys)
{
    keys->version = version;
    const struct ike_effect fx = {.kind = IKE_FX_KEYS,
                                  .version = version,
                                  .peer = *peer,
                                  .bytes = view_of(keys, sizeof(*keys))};
    (void)ike_effect_push(ike, &fx);
    secret_wipe(keys, sizeof(*keys));
}

void ike_export_v1(struct ike *ike, const struct ike_sa *sa)
{
    struct ike_exported keys = {
        .suite = {.cipher = sa->suite.cipher == CBC_3DES ? AEAD_3DES_CBC : AEAD_AES_CBC,
                  .key_bits = sa->suite.key_bits}};
    if (!ike->config.key_export)
        return;
    memcpy(keys.spi_i, sa->cookies, sizeof(keys.spi_i));
    memcpy(keys.spi_r, sa->cookies + sizeof(keys.spi_i), sizeof(keys.spi_r));
    memcpy(keys.ei, sa->keys.cipher, sizeof(sa->keys.cipher));
    push(ike, IKE_VERSION_1, &sa->remote.addr, &keys);
}

void ike_export_v2(struct ike *ike, const struct v2_sa *sa)
{
    struct ike_exported keys = {.suite = sa->suite.protect};
    if (!ike->config.key_export)
        return;
    memcpy(keys.spi_i, sa->initiator ? sa->own_spi : sa->peer_spi, sizeof(keys.spi_i));
    memcpy(keys.spi_r, sa->initiator ? sa->peer_spi : sa->own_spi, sizeof(keys.spi_r));
    memcpy(keys.ei, sa->keys.ei, sizeof(keys.ei));
    memcpy(keys.er, sa->keys.er, sizeof(keys.er));
    memcpy(keys.ai, sa->keys.ai, sizeof(keys.ai));
    memcpy(keys.ar, sa->keys.ar, sizeof(keys.ar));
    push(ike, IKE_VERSION_2, &sa->remote.addr, &keys);
}
