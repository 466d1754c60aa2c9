/*
 * Cookies (RFC 7296 section 2.6): nothing is kept and no Diffie-Hellman done for a stranger that
 * has not shown to receive what is sent to its address. Cookie = info | HMAC(secret, Ni | IPi |
 * port | SPIi | info), the secret changing with time; the one before is still accepted. The info is which
 * secret it is, when it was given, and the puzzle that came with it (RFC 8019 section 7.1.1.3). Each
 * puzzle is another one, and its solution is worth no more than the time for which an SA half open is kept,
 * so it buys one (section 10).
 */
#include "ike/v2/v2.h"

enum { COOKIE_SECRET_MS = 60000, COOKIE_MAC_LEN = 16, COOKIE_PRESSURE = 64, COOKIE_FROM_ONE = 4, PUZZLE_MS = 20000 };

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
           ike->unproven_from[ike_unproven_slot(ike, remote)] >= COOKIE_FROM_ONE;
}

static enum err mac(const struct ike *ike, uint32_t version, struct view info,
                    const struct ip_endpoint *remote, const uint8_t *spi_i, struct view nonce,
                    uint8_t *ret)
{
    const uint8_t *secret = ike->v2.cookie_secrets[version == ike->v2.cookie_version ? 0 : 1];
    const uint8_t port[2] = {(uint8_t)(remote->port >> 8), (uint8_t)remote->port};
    const struct view parts[] = {nonce, ip_addr_view(&remote->addr), view_of(port, sizeof(port)),
                                 view_of(spi_i, IKE2_SPI_LEN), info};
    return hmac_digest(HASH_SHA2_256, view_of(secret, sizeof(ike->v2.cookie_secrets[0])), parts, 5,
                       ret);
}

enum err v2_cookie_make(struct ike *ike, const struct ip_endpoint *remote, const uint8_t *spi_i,
                        struct view nonce, const struct v2_puzzle *puzzle, struct builder *ret)
{
    uint8_t digest[HASH_MAX];
    change_secret(ike);
    builder_u32(ret, ike->v2.cookie_version);
    /* Without a puzzle it stays the same, so that a request that came twice has one answer. */
    builder_u32(ret, puzzle->bits != 0 ? (uint32_t)ike->now.ms : 0);
    builder_u16(ret, puzzle->prf);
    builder_u8(ret, puzzle->bits);
    struct view info = builder_written(ret);
    enum err err = mac(ike, ike->v2.cookie_version, info, remote, spi_i, nonce, digest);
    if (err == ERR_OK)
        builder_bytes(ret, digest, COOKIE_MAC_LEN);
    return err;
}

bool v2_cookie_valid(struct ike *ike, const struct ip_endpoint *remote, const uint8_t *spi_i,
                     struct view nonce, struct view cookie, struct v2_puzzle *ret)
{
    struct cursor cur = cursor_of(cookie);
    uint8_t digest[HASH_MAX];

    change_secret(ike);
    uint32_t version = cursor_u32(&cur);
    uint32_t age_ms = (uint32_t)ike->now.ms - cursor_u32(&cur);
    struct v2_puzzle puzzle = {.prf = cursor_u16(&cur)};
    puzzle.bits = cursor_u8(&cur);
    struct view theirs = cursor_take(&cur, COOKIE_MAC_LEN);
    if (!cursor_done(&cur) || ike->v2.cookie_version - version > 1)
        return false;
    if (puzzle.bits != 0 && age_ms > PUZZLE_MS)
        return false;
    struct view info = view_of(cookie.ptr, cookie.len - COOKIE_MAC_LEN);
    if (mac(ike, version, info, remote, spi_i, nonce, digest) != ERR_OK ||
        !secret_equal(theirs, view_of(digest, COOKIE_MAC_LEN)))
        return false;
    *ret = puzzle;
    return true;
}
