/* Apart, because OpenSSL's headers and base/err.h share names. */
#include "short_key.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>

size_t short_key_pem(char *ret, size_t room)
{
    EVP_PKEY *pkey = EVP_RSA_gen(1024);
    BIO *bio = BIO_new(BIO_s_mem());
    int len = 0;
    if (pkey != NULL && bio != NULL &&
        PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1)
        len = BIO_read(bio, ret, (int)room);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return len > 0 ? (size_t)len : 0;
}
