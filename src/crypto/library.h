/*
 * OpenSSL's headers, for the files that call it; include this first and no <openssl/...> directly.
 * Its type ERR_STATE would clash with the error of that name in base/err.h, so it is renamed.
 */
#ifndef CYGNET_CRYPTO_LIBRARY_H
#define CYGNET_CRYPTO_LIBRARY_H

#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#endif
