/*
 * Base64 (RFC 4648 section 4), as DNS presents keys. Decoding ignores blanks, tabs and line ends
 * and is otherwise strict: padding is required and unused bits must be zero, so every octet string
 * has one text.
 */
#ifndef CYGNET_BASE_BASE64_H
#define CYGNET_BASE_BASE64_H

#include "base/builder.h"

static inline size_t base64_text_len(size_t octets)
{
    return (octets + 2) / 3 * 4;
}

/* Appends base64_text_len(bytes.len) characters, no final zero. */
void base64_encode(struct builder *b, struct view bytes);
/* False: not base64, or more than room holds; then only the contents of room are undefined. */
MUST_USE bool base64_decode(struct view text, struct span room, size_t *ret_len);

#endif
