/*
 * Cookies (RFC 7296 section 2.6): nothing is kept and no Diffie-Hellman done for a stranger that
 * has not shown to receive what is sent to its address. Cookie = version | HMAC(secret, Ni | IPi |
 * port | SPIi), the secret changing with time; the one before is still accepted.
 */
#include "ike/v2/v2.h"

enum { COOKIE_SECRET_MS = 60000, COOKIE_MAC_LEN = 16, COOKIE_PRESSURE = 64, COOKIE_FROM_ONE = 4 };

static void change_secret(struct ike *ike)
{
    struct v2_engine *v2 = &ike->v2;
    if (!mono_reached(ike->now, v2->cookie_changes))
        return;
    memcpy(v2->cookie_secrets[1], v2->cookie_secrets[0], sizeof(v2->cookie_secrets[0]));
    rng_fill(&ike->env.rng, v2->cookie_secrets[0], sizeof(v2->cookie_secrets[0]));
    v2->cookie_version++;
    v2->cookie_changes = mono_add(ike->now, COOKIE_SECRET_MS);
}

bool v2_cookie_wanted(const struct ike *ike, const struct ip_addr *remote)
{
    return ike->config.cookies_always || ike->v2.unproven_count >= COOKIE_PRESSURE ||
           ike_work_presses(ike) ||
           ike->unproven_from[ike_unproven_slot(ike, remote)] >= COOKIE_FROM_ONE;
}

static enum err mac(const struct ike *ike, uint32_t version, const struct ip_endpoint *remote,
                    const uint8_t *spi_i, struct view nonce, uint8_t *ret)
{
    const uint8_t *secret = ike->v2.cookie_secrets[version == ike->v2.cookie_version ? 0 : 1];
    const uint8_t port[2] = {(uint8_t)(remote->port >> 8), (uint8_t)remote->port};
    const struct view parts[] = {nonce, ip_addr_view(&remote->addr), view_of(port, sizeof(port)),
                                 view_of(spi_i, IKE2_SPI_LEN)};
    return hmac_digest(HASH_SHA2_256, view_of(secret, sizeof(ike->v2.cookie_secrets[0])), parts, 4,
                       ret);
}

enum err v2_cookie_make(struct ike *ike, const struct ip_endpoint *remote, const uint8_t *spi_i,
                        struct view nonce, struct builder *ret)
{
    uint8_t digest[HASH_MAX];
    change_secret(ike);
    enum err err = mac(ike, ike->v2.cookie_version, remote, spi_i, nonce, digest);
    if (err != ERR_OK)
        return err;
    builder_u32(ret, ike->v2.cookie_version);
    builder_bytes(ret, digest, COOKIE_MAC_LEN);
    return ERR_OK;
}

bool v2_cookie_valid(struct ike *ike, const struct ip_endpoint *remote, const uint8_t *spi_i,
                     struct view nonce, struct view cookie)
{
    struct cursor cur = cursor_of(cookie);
    uint8_t digest[HASH_MAX];

    change_secret(ike);
    uint32_t version = cursor_u32(&cur);
    struct view theirs = cursor_take(&cur, COOKIE_MAC_LEN);
    if (!cursor_done(&cur) || ike->v2.cookie_version - version > 1)
        return false;
    if (mac(ike, version, remote, spi_i, nonce, digest) != ERR_OK)
        return false;
    return secret_equal(theirs, view_of(digest, COOKIE_MAC_LEN));
}
