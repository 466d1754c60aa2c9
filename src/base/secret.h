/*
 * Keys and other secrets: wipe them on every path, compare them in constant time.
 */
#ifndef CYGNET_BASE_SECRET_H
#define CYGNET_BASE_SECRET_H

#include "base/view.h"

/* The compiler can't remove this, even for memory about to be freed. */
static inline void secret_wipe(void *ptr, size_t len)
{
    explicit_bzero(ptr, len);
}

/* Takes the same time for equal and unequal contents of one length; lengths are not secret. */
bool secret_equal(struct view a, struct view b);

#endif
