/*
 * A few octets kept beyond the message they came in; may be secret, so wiped when replaced.
 */
#ifndef CYGNET_IKE_BLOB_H
#define CYGNET_IKE_BLOB_H

#include <stdlib.h>

#include "base/secret.h"

struct blob {
    uint8_t *ptr;
    size_t len;
};

static inline struct view blob_view(const struct blob *blob)
{
    return view_of(blob->ptr, blob->len);
}

static inline void blob_wipe(struct blob *blob)
{
    if (blob->ptr != NULL)
        secret_wipe(blob->ptr, blob->len);
    free(blob->ptr);
    *blob = (struct blob){0};
}

/* False: out of memory, and the blob keeps what it held. */
MUST_USE static inline bool blob_set(struct blob *blob, struct view bytes)
{
    uint8_t *copy = malloc(bytes.len ? bytes.len : 1);
    if (copy == NULL)
        return false;
    if (bytes.len != 0)
        memcpy(copy, bytes.ptr, bytes.len);
    blob_wipe(blob);
    *blob = (struct blob){copy, bytes.len};
    return true;
}

#endif
