/* The peer's certificates against what its profile trusts (IKE-057). */
#include "crypto/certificate.h"
#include "ike/engine.h"

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

static enum err trust_of(const struct ike_profile *profile, struct trust **ret)
{
    struct trust *trust;
    enum err err =
        trust_new(profile->crl_required ? TRUST_CRL_REQUIRED : TRUST_CRL_IF_PRESENT, &trust);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < profile->anchor_count && err == ERR_OK; i++)
        err = trust_add_anchor(trust, profile->anchors[i]);
    for (size_t i = 0; i < profile->crl_count && err == ERR_OK; i++)
        err = trust_add_crl(trust, profile->crls[i]);
    if (err != ERR_OK)
        trust_free(trust);
    else
        *ret = trust;
    return err;
}

static enum err check(const struct ike *ike, const struct ike_profile *profile,
                      const struct identity *id, const struct certificate *leaf,
                      const struct view *others, size_t count, const char **ret_reason)
{
    struct trust *trust;
    if (!speaks_for(leaf, id)) {
        *ret_reason = "the certificate doesn't have the identity the peer claims";
        return ERR_AUTH;
    }
    enum err err = trust_of(profile, &trust);
    if (err != ERR_OK) {
        *ret_reason = "the configured authorities can't be used";
        return err == ERR_MEMORY ? err : ERR_AUTH;
    }
    err = trust_check(trust, leaf, others, count, ike->env.wall.seconds(ike->env.wall.ctx),
                      ret_reason);
    trust_free(trust);
    return err;
}

enum err ike_certify(const struct ike *ike, const struct ike_profile *profile,
                     const struct identity *id, const struct view *certs, size_t count,
                     struct public_key *ret, const char **ret_reason)
{
    struct certificate *leaf;

    if (count == 0) {
        *ret_reason = "no certificate";
        return ERR_AUTH;
    }
    if (ike->env.wall.seconds == NULL) {
        *ret_reason = "without a clock no certificate can be trusted";
        return ERR_AUTH;
    }
    enum err err = certificate_from_der(certs[0], &leaf);
    if (err != ERR_OK) {
        *ret_reason = "the certificate can't be read";
        return err == ERR_MEMORY ? err : ERR_AUTH;
    }
    err = check(ike, profile, id, leaf, certs + 1, count - 1, ret_reason);
    if (err == ERR_OK)
        *ret = *certificate_key(leaf);
    certificate_free(leaf);
    return err;
}
