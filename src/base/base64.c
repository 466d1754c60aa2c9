#include "base/base64.h"

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct builder *b, struct view bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t count = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t group = 0;
        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (j < count ? bytes.ptr[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            builder_u8(b, (uint8_t)(j <= count ? alphabet[group >> (18 - 6 * j) & 63] : '='));
    }
}

/* 0 to 63, or -1. */
static int sextet(uint8_t c)
{
    const char *at = c != 0 ? memchr(alphabet, c, sizeof(alphabet)) : NULL;
    return at != NULL ? (int)(at - alphabet) : -1;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool base64_decode(struct view text, struct span room, size_t *ret_len)
{
    struct builder out = builder_on(room);
    uint32_t bits = 0; /* read but not yet written, the lowest `held` of them */
    unsigned held = 0, characters = 0, padding = 0;

    for (size_t i = 0; i < text.len; i++) {
        int value = sextet(text.ptr[i]);
        if (is_space(text.ptr[i]))
            continue;
        characters++;
        if (text.ptr[i] == '=' && ++padding <= 2)
            continue;
        if (value < 0 || padding != 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            builder_u8(&out, (uint8_t)(bits >> held));
            bits &= (1u << held) - 1;
        }
    }
    /* Two characters and "==" leave 4 bits over, three and "=" leave 2; one alone would leave 6. */
    if (out.bad || characters % 4 != 0 || bits != 0 || held != 2 * padding)
        return false;
    *ret_len = out.len;
    return true;
}
