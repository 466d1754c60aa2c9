#include "ike/certify.h"

#include <stdlib.h>

#include "crypto/certificate.h"

static struct view id_octets(const struct identity *id)
{
    return view_of(id->fqdn, id->len != 0 ? id->len : strnlen(id->fqdn, sizeof(id->fqdn)));
}

/* RFC 4945 section 3.1: the certificate has the identity as a name of the same kind. */
static bool speaks_for(const struct certificate *cert, const struct identity *id)
{
    switch (id->kind) {
    case IDENTITY_ADDR:
        return certificate_has_addr(cert, &id->addr);
    case IDENTITY_FQDN:
        return certificate_has_name(cert, id_octets(id));
    case IDENTITY_EMAIL:
        return certificate_has_email(cert, id_octets(id));
    case IDENTITY_DN:
        return certificate_has_subject(cert, id_octets(id));
    default:
        return false;
    }
}

static enum err trust_of(const struct certify_terms *terms, struct trust **ret)
{
    struct trust *trust;
    enum err err =
        trust_new(terms->crl_required ? TRUST_CRL_REQUIRED : TRUST_CRL_IF_PRESENT, &trust);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < terms->anchor_count && err == ERR_OK; i++)
        err = trust_add_anchor(trust, terms->anchors[i]);
    for (size_t i = 0; i < terms->crl_count && err == ERR_OK; i++)
        err = trust_add_crl(trust, terms->crls[i]);
    if (err != ERR_OK)
        trust_free(trust);
    else
        *ret = trust;
    return err;
}

static enum err check(const struct certify_terms *terms, const struct certificate *leaf,
                      const char **ret_reason)
{
    struct trust *trust;
    if (!speaks_for(leaf, &terms->id)) {
        *ret_reason = "the certificate doesn't have the identity the peer claims";
        return ERR_AUTH;
    }
    enum err err = trust_of(terms, &trust);
    if (err != ERR_OK) {
        *ret_reason = "the configured authorities can't be used";
        return err == ERR_MEMORY ? err : ERR_AUTH;
    }
    err = trust_check(trust, leaf, terms->certs + 1, terms->cert_count - 1, terms->when, ret_reason);
    trust_free(trust);
    return err;
}

enum err certify(const struct certify_terms *terms, struct public_key *ret, const char **ret_reason)
{
    struct certificate *leaf;

    if (terms->cert_count == 0) {
        *ret_reason = "no certificate";
        return ERR_AUTH;
    }
    enum err err = certificate_from_der(terms->certs[0], &leaf);
    if (err != ERR_OK) {
        *ret_reason = "the certificate can't be read";
        return err == ERR_MEMORY ? err : ERR_AUTH;
    }
    err = check(terms, leaf, ret_reason);
    if (err == ERR_OK)
        *ret = *certificate_key(leaf);
    certificate_free(leaf);
    return err;
}

/* Copies */

/* The views, then the octets that they show. */
static bool views_copy(const struct view *from, size_t count, struct view **ret)
{
    size_t octets = 0;
    for (size_t i = 0; i < count; i++)
        octets += from[i].len;
    struct view *copy = malloc((count + 1) * sizeof(*copy) + octets);
    if (copy == NULL)
        return false;
    uint8_t *at = (uint8_t *)(copy + count + 1);
    for (size_t i = 0; i < count; i++) {
        copy[i] = view_of(at, from[i].len);
        if (from[i].len != 0)
            memcpy(at, from[i].ptr, from[i].len);
        at += from[i].len;
    }
    *ret = copy;
    return true;
}

struct copied_terms {
    struct certify_terms terms; /* first */
    struct view *certs, *anchors, *crls;
};

struct certify_terms *certify_terms_copy(const struct certify_terms *terms)
{
    struct copied_terms *copy = calloc(1, sizeof(*copy));
    if (copy == NULL)
        return NULL;
    if (!views_copy(terms->certs, terms->cert_count, &copy->certs) ||
        !views_copy(terms->anchors, terms->anchor_count, &copy->anchors) ||
        !views_copy(terms->crls, terms->crl_count, &copy->crls)) {
        certify_terms_free(&copy->terms);
        return NULL;
    }
    copy->terms = *terms;
    copy->terms.certs = copy->certs;
    copy->terms.anchors = copy->anchors;
    copy->terms.crls = copy->crls;
    return &copy->terms;
}

void certify_terms_free(struct certify_terms *terms)
{
    struct copied_terms *copy = (struct copied_terms *)terms;
    if (copy == NULL)
        return;
    free(copy->certs);
    free(copy->anchors);
    free(copy->crls);
    free(copy);
}

static bool views_equal(const struct view *a, size_t a_count, const struct view *b, size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; i < a_count && same; i++)
        same = view_equal(a[i], b[i]);
    return same;
}

bool certify_terms_same(const struct certify_terms *a, const struct certify_terms *b)
{
    return identity_equal(&a->id, &b->id) && a->crl_required == b->crl_required &&
           views_equal(a->certs, a->cert_count, b->certs, b->cert_count) &&
           views_equal(a->anchors, a->anchor_count, b->anchors, b->anchor_count) &&
           views_equal(a->crls, a->crl_count, b->crls, b->crl_count);
}
