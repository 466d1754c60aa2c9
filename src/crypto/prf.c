#include "crypto/prf.h"

#include "base/secret.h"

/* RFC 7296 section 2.13: T1 = prf(K, S | 1), T2 = prf(K, T1 | S | 2), ... The output is written
 * only when all of it is known. */
enum err prf_plus(enum hash_alg alg, struct view key, const struct view *seed, size_t count,
                  struct span ret)
{
    uint8_t block[HASH_MAX], stretched[255 * HASH_MAX];
    struct view parts[PRF_PLUS_PARTS + 2];
    size_t block_len = hash_len(alg), made = 0;
    enum err err = ERR_OK;

    if (block_len == 0 || count > PRF_PLUS_PARTS || ret.len > 255 * block_len)
        return ERR_VALUE;
    for (size_t i = 0; i < count; i++)
        parts[1 + i] = seed[i];
    for (unsigned number = 1; made < ret.len && err == ERR_OK; number++) {
        uint8_t octet = (uint8_t)number;
        parts[0] = view_of(block, number == 1 ? 0 : block_len);
        parts[1 + count] = view_of(&octet, 1);
        err = hmac_digest(alg, key, parts, count + 2, block);
        if (err == ERR_OK)
            memcpy(stretched + made, block, block_len);
        made += block_len;
    }
    if (err == ERR_OK)
        memcpy(ret.ptr, stretched, ret.len);
    secret_wipe(block, sizeof(block));
    secret_wipe(stretched, made);
    return err;
}
