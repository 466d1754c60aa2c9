/* Certificates in libcrypto's form, for the files of this room that look into them. */
#ifndef CYGNET_CRYPTO_CERTIFICATE_X509_H
#define CYGNET_CRYPTO_CERTIFICATE_X509_H

#include "crypto/library.h"

#include "crypto/certificate.h"

struct certificate {
    X509 *x509;
    uint8_t *der;
    size_t der_len;
    struct public_key key;
};

#endif
