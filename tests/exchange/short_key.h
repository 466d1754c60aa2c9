/* An RSA key of 1024 bits, which our own generator refuses to make. */
#ifndef CYGNET_TESTS_SHORT_KEY_H
#define CYGNET_TESTS_SHORT_KEY_H

#include <stddef.h>

/* PEM without a final zero; returns its length, 0 on failure. */
size_t short_key_pem(char *ret, size_t room);

#endif
