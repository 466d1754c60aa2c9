#include "wire/identity.h"

#include "base/text.h"

enum { LABEL_MAX = 63, NAME_MAX_OCTETS = 253 };

struct identity identity_of_addr(const struct ip_addr *addr)
{
    struct identity id = {.kind = IDENTITY_ADDR, .addr = *addr};
    return id;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter_digit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z');
}

/* Letters, digits and inner hyphens (RFC 1123 section 2.1). */
static bool label_valid(const char *label, size_t len)
{
    if (len == 0 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_letter_digit(label[i]) && label[i] != '-')
            return false;
    return true;
}

static bool all_digits(const char *text)
{
    while (is_digit(*text))
        text++;
    return *text == '\0';
}

/* Lower case, so that equal names have equal bytes (RFC 1464 and DNS compare without case). */
static void copy_lower(const uint8_t *from, size_t len, char *ret)
{
    for (size_t i = 0; i < len; i++)
        ret[i] = (char)(from[i] >= 'A' && from[i] <= 'Z' ? from[i] + ('a' - 'A') : from[i]);
}

bool identity_of_fqdn(struct view name, struct identity *ret)
{
    struct identity id = {.kind = IDENTITY_FQDN};
    size_t len = name.len;

    if (len > 1 && name.ptr[len - 1] == '.')
        len--;
    if (len == 0 || len > NAME_MAX_OCTETS)
        return false;
    copy_lower(name.ptr, len, id.fqdn);

    const char *label = id.fqdn;
    for (const char *dot; (dot = strchr(label, '.')) != NULL; label = dot + 1)
        if (!label_valid(label, (size_t)(dot - label)))
            return false;
    /* A last label of digits alone would make it look like an address. */
    if (!label_valid(label, (size_t)(id.fqdn + len - label)) || all_digits(label))
        return false;
    *ret = id;
    return true;
}

/* RFC 7296 section 3.5: UTF-8 at least, no terminators. Who owns the domain decides what the local
 * part means, so only the domain compares without case. */
bool identity_of_email(struct view email, struct identity *ret)
{
    struct identity id = {.kind = IDENTITY_EMAIL}, domain;
    const uint8_t *at = email.len != 0 ? memrchr(email.ptr, '@', email.len) : NULL;
    if (at == NULL || at == email.ptr || email.len >= sizeof(id.email))
        return false;
    size_t local_len = (size_t)(at - email.ptr);
    for (size_t i = 0; i < local_len; i++)
        if (email.ptr[i] <= ' ' || email.ptr[i] == 0x7f)
            return false;
    size_t domain_len = email.len - local_len - 1;
    if (!identity_of_fqdn(view_of(at + 1, domain_len), &domain))
        return false;
    memcpy(id.email, email.ptr, local_len + 1);
    memcpy(id.email + local_len + 1, domain.fqdn, strlen(domain.fqdn));
    *ret = id;
    return true;
}

bool identity_of_octets(enum identity_kind kind, struct view octets, struct identity *ret)
{
    struct identity id = {.kind = (uint8_t)kind, .len = (uint16_t)octets.len};
    if (octets.len == 0 || octets.len > sizeof(id.octets))
        return false;
    memcpy(id.octets, octets.ptr, octets.len);
    *ret = id;
    return true;
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
    return a->kind == b->kind && ip_addr_equal(&a->addr, &b->addr) &&
           view_equal(identity_octets(a), identity_octets(b));
}

struct view identity_octets(const struct identity *id)
{
    switch (id->kind) {
    case IDENTITY_ADDR:
        return ip_addr_view(&id->addr);
    case IDENTITY_FQDN:
    case IDENTITY_EMAIL:
        return view_of(id->fqdn, strnlen(id->fqdn, sizeof(id->fqdn)));
    case IDENTITY_DN:
    case IDENTITY_KEY_ID:
        return view_of(id->octets, id->len <= sizeof(id->octets) ? id->len : 0);
    default:
        return view_of(NULL, 0);
    }
}

static void format_octets(const char *kind, const struct identity *id, char *ret)
{
    struct view octets = identity_octets(id);
    text_set(ret, IDENTITY_TEXT_MAX, "%s:", kind);
    for (size_t i = 0; i < octets.len; i++)
        text_add(ret, IDENTITY_TEXT_MAX, "%02x", octets.ptr[i]);
}

char *identity_format(const struct identity *id, char *ret)
{
    switch (id->kind) {
    case IDENTITY_ADDR:
        return ip_addr_format(&id->addr, ret);
    case IDENTITY_FQDN:
        snprintf(ret, IDENTITY_TEXT_MAX, "@%s", id->fqdn);
        break;
    case IDENTITY_EMAIL:
        snprintf(ret, IDENTITY_TEXT_MAX, "%s", id->email);
        break;
    case IDENTITY_DN:
        format_octets("dn", id, ret);
        break;
    case IDENTITY_KEY_ID:
        format_octets("keyid", id, ret);
        break;
    case IDENTITY_NULL:
        strcpy(ret, "anonymous");
        break;
    default:
        strcpy(ret, "none");
        break;
    }
    return ret;
}
