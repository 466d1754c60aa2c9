#include "ike/v2/puzzle.h"

#include "base/builder.h"

static unsigned trailing_zero_bits(const uint8_t *octets, size_t len)
{
    unsigned bits = 0;
    while (len > 0 && octets[len - 1] == 0) {
        bits += 8;
        len--;
    }
    if (len > 0)
        bits += (unsigned)__builtin_ctz(octets[len - 1]);
    return bits;
}

static enum err zero_bits_of(enum hash_alg prf, struct view key, struct view cookie, unsigned *ret)
{
    uint8_t result[HASH_MAX];
    enum err err = hmac_digest(prf, key, &cookie, 1, result);
    if (err == ERR_OK)
        *ret = trailing_zero_bits(result, hash_len(prf));
    return err;
}

/* RFC 8019 section 8.2: from one octet to the preferred key length of the prf. */
enum err puzzle_check(enum hash_alg prf, struct view cookie, unsigned zero_bits,
                      struct view solution)
{
    size_t key_len = solution.len / PUZZLE_KEYS;
    if (solution.len % PUZZLE_KEYS != 0 || key_len == 0 || key_len > hash_len(prf))
        return ERR_SYNTAX;
    for (size_t i = 0; i < PUZZLE_KEYS; i++) {
        unsigned bits = 0;
        struct view key = view_of(solution.ptr + i * key_len, key_len);
        for (size_t k = 0; k < i; k++)
            if (view_equal(key, view_of(solution.ptr + k * key_len, key_len)))
                return ERR_AUTH;
        enum err err = zero_bits_of(prf, key, cookie, &bits);
        if (err != ERR_OK)
            return err;
        if (bits < zero_bits)
            return ERR_AUTH;
    }
    return ERR_OK;
}

enum err puzzle_work(struct puzzle *puzzle, struct view cookie, uint32_t tries, bool *ret_done)
{
    for (; tries > 0 && puzzle->found < PUZZLE_KEYS; tries--) {
        uint8_t *key = puzzle->solution + (size_t)puzzle->found * PUZZLE_KEY_LEN;
        struct builder b = builder_on(span_of(key, PUZZLE_KEY_LEN));
        unsigned bits = 0;
        if (puzzle->next == UINT32_MAX)
            return ERR_LIMIT;
        builder_u32(&b, puzzle->next);
        enum err err = zero_bits_of(puzzle->prf, view_of(key, PUZZLE_KEY_LEN), cookie, &bits);
        if (err != ERR_OK)
            return err;
        puzzle->next++;
        puzzle->found += bits >= puzzle->zero_bits;
    }
    *ret_done = puzzle->found == PUZZLE_KEYS;
    return ERR_OK;
}
