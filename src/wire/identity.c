#include "wire/identity.h"

#include <stdio.h>

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

bool identity_of_email(struct view address, struct identity *ret)
{
    struct identity id = {.kind = IDENTITY_EMAIL};
    const uint8_t *at = address.len != 0 ? memchr(address.ptr, '@', address.len) : NULL;

    if (at == NULL || at == address.ptr || at == address.ptr + address.len - 1 ||
        address.len >= sizeof(id.fqdn))
        return false;
    for (size_t i = 0; i < address.len; i++)
        if (address.ptr[i] <= ' ' || address.ptr[i] >= 0x7f)
            return false;
    memcpy(id.fqdn, address.ptr, address.len);
    *ret = id;
    return true;
}

bool identity_of_octets(enum identity_kind kind, struct view octets, struct identity *ret)
{
    struct identity id = {.kind = (uint8_t)kind, .len = (uint8_t)octets.len};

    if (octets.len == 0 || octets.len > UINT8_MAX || octets.len > sizeof(id.fqdn))
        return false;
    memcpy(id.fqdn, octets.ptr, octets.len);
    *ret = id;
    return true;
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
        return view_of(id->fqdn, id->len);
    default:
        return view_of(NULL, 0);
    }
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
    return a->kind == b->kind && a->len == b->len && ip_addr_equal(&a->addr, &b->addr) &&
           memcmp(a->fqdn, b->fqdn, sizeof(a->fqdn)) == 0;
}

static char *format_octets(const char *prefix, const struct identity *id, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    char *at = ret + strlen(strcpy(ret, prefix));
    for (size_t i = 0; i < id->len && i < LIMIT_DNS_NAME - 8; i++) {
        *at++ = digits[(uint8_t)id->fqdn[i] >> 4];
        *at++ = digits[(uint8_t)id->fqdn[i] & 15];
    }
    *at = '\0';
    return ret;
}

char *identity_format(const struct identity *id, char *ret)
{
    switch (id->kind) {
    case IDENTITY_ADDR:
        return ip_addr_format(&id->addr, ret);
    case IDENTITY_FQDN:
        snprintf(ret, IDENTITY_TEXT_MAX, "@%s", id->fqdn);
        return ret;
    case IDENTITY_EMAIL:
        return strcpy(ret, id->fqdn);
    case IDENTITY_DN:
        return format_octets("dn:", id, ret);
    case IDENTITY_KEY_ID:
        return format_octets("key-id:", id, ret);
    case IDENTITY_NULL:
        return strcpy(ret, "null");
    default:
        return strcpy(ret, "none");
    }
}
