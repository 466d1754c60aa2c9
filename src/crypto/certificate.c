#include "crypto/key_pkey.h"

#include "crypto/certificate.h"

#include "base/text.h"
#include "crypto/certificate_x509.h"
#include "crypto/hash.h"

#include <stdlib.h>

static enum err wrap(X509 *x509, struct certificate **ret)
{
    struct certificate *cert = calloc(1, sizeof(*cert));
    EVP_PKEY *pkey = X509_get0_pubkey(x509);
    int len = i2d_X509(x509, cert != NULL ? &cert->der : NULL);
    enum err err = ERR_MEMORY;
    if (cert != NULL) {
        cert->x509 = x509;
        err = ERR_UNSUPPORTED;
        if (len > 0 && pkey != NULL)
            err = public_key_of_pkey(pkey, &cert->key);
    }
    if (err == ERR_OK) {
        cert->der_len = (size_t)len;
        (void)X509_check_purpose(x509, -1, 0); /* reads the extensions, so that threads needn't */
        *ret = cert;
        return ERR_OK;
    }
    if (cert != NULL)
        certificate_free(cert);
    else
        X509_free(x509);
    return err;
}

enum err certificate_from_der(struct view der, struct certificate **ret)
{
    const uint8_t *at = der.ptr;
    if (der.len == 0 || der.len > CERTIFICATE_MAX)
        return ERR_VALUE;
    X509 *x509 = d2i_X509(NULL, &at, (long)der.len);
    enum err err = ERR_VALUE;
    if (x509 != NULL && at == der.ptr + der.len)
        err = wrap(x509, ret);
    else
        X509_free(x509);
    ERR_clear_error();
    return err;
}

/* Where the first certificate in a PEM text begins and how long it is; false: none that ends. */
static bool pem_find(struct view pem, struct view *ret)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    const uint8_t *start = pem.len != 0 ? memmem(pem.ptr, pem.len, begin, sizeof(begin) - 1) : NULL;
    if (start == NULL)
        return false;
    size_t left = pem.len - (size_t)(start - pem.ptr);
    const uint8_t *stop = memmem(start, left, end, sizeof(end) - 1);
    if (stop == NULL)
        return false;
    *ret = view_of(start, (size_t)(stop - start) + sizeof(end) - 1);
    return true;
}

enum err certificate_from_pem(struct view pem, struct certificate **ret, struct view *ret_rest)
{
    struct view block;
    if (!pem_find(pem, &block))
        return ERR_MISSING;
    if (block.len > 2 * CERTIFICATE_MAX)
        return ERR_VALUE;
    BIO *bio = BIO_new_mem_buf(block.ptr, (int)block.len);
    if (bio == NULL)
        return ERR_MEMORY;
    X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    enum err err = x509 != NULL ? wrap(x509, ret) : ERR_VALUE;
    if (err == ERR_OK) {
        size_t used = (size_t)(block.ptr + block.len - pem.ptr);
        *ret_rest = view_of(pem.ptr + used, pem.len - used);
    }
    ERR_clear_error();
    return err;
}

void certificate_free(struct certificate *cert)
{
    if (cert == NULL)
        return;
    X509_free(cert->x509);
    OPENSSL_free(cert->der);
    free(cert);
}

struct view certificate_der(const struct certificate *cert)
{
    return view_of(cert->der, cert->der_len);
}

struct view certificate_subject(const struct certificate *cert)
{
    const uint8_t *der = NULL;
    size_t len = 0;
    if (X509_NAME_get0_der(X509_get_subject_name(cert->x509), &der, &len) != 1)
        return view_of(NULL, 0);
    return view_of(der, len);
}

const struct public_key *certificate_key(const struct certificate *cert)
{
    return &cert->key;
}

bool certificate_is_ca(const struct certificate *cert)
{
    bool is_ca = X509_check_ca(cert->x509) == 1;
    ERR_clear_error();
    return is_ca;
}

enum err certificate_ca_hash(const struct certificate *cert, uint8_t ret[CERTIFICATE_CA_HASH_LEN])
{
    uint8_t *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert->x509), &der);
    if (len <= 0)
        return ERR_CRYPTO;
    struct view spki = view_of(der, (size_t)len);
    enum err err = hash_digest(HASH_SHA1, &spki, 1, ret);
    OPENSSL_free(der);
    return err;
}

static bool string_equal(const ASN1_STRING *string, struct view text, bool fold)
{
    const uint8_t *octets = ASN1_STRING_get0_data(string);
    if ((size_t)ASN1_STRING_length(string) != text.len || text.len == 0)
        return false;
    return fold ? strncasecmp((const char *)octets, (const char *)text.ptr, text.len) == 0
                : memcmp(octets, text.ptr, text.len) == 0;
}

/* A name with a zero inside would compare short in code that isn't careful; RFC 5280 has none. */
static bool has_zero(struct view text)
{
    return text.len == 0 || memchr(text.ptr, '\0', text.len) != NULL;
}

/* The domain without case, the local part as it is (RFC 5280 section 7.5). */
static bool email_equal(const ASN1_STRING *string, struct view email)
{
    const uint8_t *at = memrchr(email.ptr, '@', email.len);
    if (at == NULL || (size_t)ASN1_STRING_length(string) != email.len)
        return false;
    const uint8_t *octets = ASN1_STRING_get0_data(string);
    size_t local = (size_t)(at - email.ptr) + 1;
    return memcmp(octets, email.ptr, local) == 0 &&
           strncasecmp((const char *)octets + local, (const char *)at + 1, email.len - local) == 0;
}

static bool general_name_equal(const GENERAL_NAME *name, int type, struct view value)
{
    int have = 0;
    const void *data = GENERAL_NAME_get0_value(name, &have);
    if (have != type || data == NULL)
        return false;
    switch (type) {
    case GEN_DNS:
        return string_equal(data, value, true);
    case GEN_EMAIL:
        return email_equal(data, value);
    case GEN_IPADD:
        return string_equal(data, value, false);
    default:
        return false;
    }
}

static bool has_alt_name(const struct certificate *cert, int type, struct view value)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert->x509, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++)
        found = general_name_equal(sk_GENERAL_NAME_value(names, i), type, value);
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return found;
}

bool certificate_has_name(const struct certificate *cert, struct view fqdn)
{
    return !has_zero(fqdn) && has_alt_name(cert, GEN_DNS, fqdn);
}

bool certificate_has_email(const struct certificate *cert, struct view email)
{
    return !has_zero(email) && has_alt_name(cert, GEN_EMAIL, email);
}

bool certificate_has_addr(const struct certificate *cert, const struct ip_addr *addr)
{
    return addr->family != IP_NONE && has_alt_name(cert, GEN_IPADD, ip_addr_view(addr));
}

bool certificate_has_subject(const struct certificate *cert, struct view name_der)
{
    return x500_name_equal(certificate_subject(cert), name_der);
}

/* To be freed; NULL: not a Name. */
static X509_NAME *name_of(struct view der)
{
    const uint8_t *at = der.ptr;
    if (der.len == 0 || der.len > CERTIFICATE_MAX)
        return NULL;
    X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)der.len);
    if (name != NULL && at != der.ptr + der.len) {
        X509_NAME_free(name);
        name = NULL;
    }
    ERR_clear_error();
    return name;
}

/* The empty Name is nobody's. */
bool x500_name_equal(struct view a, struct view b)
{
    X509_NAME *left = name_of(a), *right = name_of(b);
    bool equal = left != NULL && right != NULL && X509_NAME_entry_count(left) > 0 &&
                 X509_NAME_cmp(left, right) == 0;
    X509_NAME_free(left);
    X509_NAME_free(right);
    return equal;
}

char *x500_name_format(struct view name_der, char *ret)
{
    X509_NAME *name = name_of(name_der);
    BIO *bio = name != NULL ? BIO_new(BIO_s_mem()) : NULL;
    text_set(ret, X500_NAME_TEXT_MAX, "?");
    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ) >= 0) {
        char *data = NULL;
        long len = BIO_get_mem_data(bio, &data);
        text_set(ret, X500_NAME_TEXT_MAX, "%.*s", (int)(len > 0 ? len : 0),
                 data != NULL ? data : "");
    }
    BIO_free(bio);
    X509_NAME_free(name);
    ERR_clear_error();
    return ret;
}

/* One "type=value", which ends at a comma or the end; a backslash keeps what follows. */
static bool name_add(X509_NAME *name, const char **at)
{
    char type[32], value[X500_NAME_TEXT_MAX];
    size_t len = 0, type_len;
    const char *p = *at + strspn(*at, " ");
    type_len = strcspn(p, "=");
    if (p[type_len] != '=' || type_len == 0 || type_len >= sizeof(type))
        return false;
    text_set(type, sizeof(type), "%.*s", (int)type_len, p);
    for (p += type_len + 1; *p != '\0' && *p != ','; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
        if (len + 1 >= sizeof(value))
            return false;
        value[len++] = *p;
    }
    *at = *p == ',' ? p + 1 : p;
    return len > 0 && (*p != ',' || p[1] != '\0') &&
           X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const uint8_t *)value, (int)len,
                                      -1, 0) == 1;
}

enum err x500_name_parse(const char *text, uint8_t *ret, size_t *ret_len)
{
    X509_NAME *name = X509_NAME_new();
    uint8_t *der = NULL;
    int len = -1;
    if (name == NULL)
        return ERR_MEMORY;
    bool good = *text != '\0';
    while (good && *text != '\0')
        good = name_add(name, &text);
    if (good)
        len = i2d_X509_NAME(name, &der);
    if (len > 0 && len <= X500_NAME_TEXT_MAX) {
        memcpy(ret, der, (size_t)len);
        *ret_len = (size_t)len;
    } else {
        len = -1;
    }
    OPENSSL_free(der);
    X509_NAME_free(name);
    ERR_clear_error();
    return len > 0 ? ERR_OK : ERR_VALUE;
}
