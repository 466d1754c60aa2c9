/*
 * A certificate authority for tests: certificates for the pair's keys, made as the test runs.
 */
#ifndef CYGNET_TESTS_AUTHORITY_H
#define CYGNET_TESTS_AUTHORITY_H

#include "crypto/key.h"

struct authority;

enum { AUTHORITY_DER_MAX = 2048, AUTHORITY_NOW = 1700000000 };

struct authority_der {
    size_t len;
    uint8_t octets[AUTHORITY_DER_MAX];
};

struct authority *authority_new(void);
void authority_free(struct authority *authority);
void authority_own(const struct authority *authority, struct authority_der *ret);
/* For that key; `alt_name` as in "DNS:a.example.net". Valid for a day around AUTHORITY_NOW + days. */
void authority_issue(struct authority *authority, const struct private_key *key,
                     const char *alt_name, int days, struct authority_der *ret);
/* A list that revokes the certificate issued last. */
void authority_revoke_last(struct authority *authority, struct authority_der *ret);

#endif
