#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

struct ip_addr ip_addr_v4(uint32_t host_order)
{
    struct ip_addr addr = {.family = IP_V4};
    for (int i = 0; i < 4; i++)
        addr.octets[i] = (uint8_t)(host_order >> (24 - 8 * i));
    return addr;
}

struct ip_addr ip_addr_from(struct view octets)
{
    struct ip_addr addr = {.family = IP_NONE};
    if (octets.len == 4)
        addr.family = IP_V4;
    else if (octets.len == 16)
        addr.family = IP_V6;
    else
        return addr;
    memcpy(addr.octets, octets.ptr, octets.len);
    return addr;
}

size_t ip_addr_len(const struct ip_addr *addr)
{
    return addr->family == IP_V4 ? 4 : addr->family == IP_V6 ? 16 : 0;
}

unsigned ip_addr_bits(const struct ip_addr *addr)
{
    return 8 * (unsigned)ip_addr_len(addr);
}

struct view ip_addr_view(const struct ip_addr *addr)
{
    return view_of(addr->octets, ip_addr_len(addr));
}

bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

bool ip_addr_parse(const char *text, struct ip_addr *ret)
{
    struct ip_addr addr = {.family = IP_V4};
    if (inet_pton(AF_INET, text, addr.octets) != 1) {
        addr.family = IP_V6;
        if (inet_pton(AF_INET6, text, addr.octets) != 1)
            return false;
    }
    *ret = addr;
    return true;
}

char *ip_addr_format(const struct ip_addr *addr, char *ret)
{
    int af = addr->family == IP_V4 ? AF_INET : AF_INET6;
    if (addr->family == IP_NONE || inet_ntop(af, addr->octets, ret, IP_ADDR_TEXT_MAX) == NULL)
        strcpy(ret, "none");
    return ret;
}

char *ip_addr_reverse(const struct ip_addr *addr, char *ret)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *o = addr->octets;
    char *at = ret;

    if (addr->family == IP_V4) {
        snprintf(ret, IP_REVERSE_TEXT_MAX, "%u.%u.%u.%u.in-addr.arpa.", o[3], o[2], o[1], o[0]);
        return ret;
    }
    for (int i = 15; i >= 0; i--) {
        *at++ = hex[o[i] & 15];
        *at++ = '.';
        *at++ = hex[o[i] >> 4];
        *at++ = '.';
    }
    strcpy(at, "ip6.arpa.");
    return ret;
}

bool ip_addr_is_special(const struct ip_addr *addr)
{
    static const uint8_t zero[16];
    const uint8_t *o = addr->octets;

    if (addr->family == IP_V4)
        return o[0] == 0 || o[0] == 127 || (o[0] & 0xf0) == 224 || (o[0] == 169 && o[1] == 254) ||
               (o[0] == 255 && o[1] == 255 && o[2] == 255 && o[3] == 255);
    if (addr->family == IP_V6)
        return o[0] == 0xff || (o[0] == 0xfe && (o[1] & 0xc0) == 0x80) ||
               (memcmp(o, zero, 15) == 0 && o[15] <= 1);
    return true;
}

static void clear_host_bits(struct ip_addr *addr, unsigned bits)
{
    for (unsigned i = 0; i < sizeof(addr->octets); i++) {
        unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
        if (kept < 8)
            addr->octets[i] &= (uint8_t)(0xff00 >> kept);
    }
}

struct ip_prefix ip_prefix_of(const struct ip_addr *addr, unsigned bits)
{
    unsigned most = ip_addr_bits(addr);
    struct ip_prefix prefix = {.addr = *addr, .bits = (uint8_t)(bits < most ? bits : most)};
    clear_host_bits(&prefix.addr, prefix.bits);
    return prefix;
}

bool ip_prefix_parse(const char *text, struct ip_prefix *ret)
{
    char copy[IP_PREFIX_TEXT_MAX];
    size_t len = strlen(text);
    if (len >= sizeof(copy))
        return false;
    memcpy(copy, text, len + 1);

    char *slash = strchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    struct ip_addr addr;
    if (!ip_addr_parse(copy, &addr))
        return false;
    unsigned bits = ip_addr_bits(&addr);
    if (slash != NULL) {
        char *end;
        unsigned long value = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || value > bits)
            return false;
        bits = (unsigned)value;
    }
    struct ip_prefix prefix = ip_prefix_of(&addr, bits);
    if (!ip_addr_equal(&prefix.addr, &addr))
        return false;
    *ret = prefix;
    return true;
}

char *ip_prefix_format(const struct ip_prefix *prefix, char *ret)
{
    ip_addr_format(&prefix->addr, ret);
    size_t len = strlen(ret);
    snprintf(ret + len, IP_PREFIX_TEXT_MAX - len, "/%u", prefix->bits);
    return ret;
}

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_addr *addr)
{
    if (prefix->addr.family != addr->family)
        return false;
    unsigned whole = prefix->bits / 8, part = prefix->bits % 8;
    if (memcmp(prefix->addr.octets, addr->octets, whole) != 0)
        return false;
    if (part == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff00 >> part);
    return (addr->octets[whole] & mask) == prefix->addr.octets[whole];
}

bool ip_endpoint_equal(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
    return a->port == b->port && a->stream == b->stream && ip_addr_equal(&a->addr, &b->addr);
}

char *ip_endpoint_format(const struct ip_endpoint *ep, char *ret)
{
    char text[IP_ADDR_TEXT_MAX];
    ip_addr_format(&ep->addr, text);
    const char *form = ep->addr.family == IP_V6 ? "[%s]:%u" : "%s:%u";
    snprintf(ret, IP_ENDPOINT_TEXT_MAX, form, text, ep->port);
    return ret;
}

bool ip_pair_equal(const struct ip_pair *a, const struct ip_pair *b)
{
    return ip_addr_equal(&a->src, &b->src) && ip_addr_equal(&a->dst, &b->dst);
}

struct ip_pair ip_pair_reverse(const struct ip_pair *pair)
{
    return (struct ip_pair){.src = pair->dst, .dst = pair->src};
}

char *ip_pair_format(const struct ip_pair *pair, char *ret)
{
    char src[IP_ADDR_TEXT_MAX], dst[IP_ADDR_TEXT_MAX];
    snprintf(ret, IP_PAIR_TEXT_MAX, "%s -> %s", ip_addr_format(&pair->src, src),
             ip_addr_format(&pair->dst, dst));
    return ret;
}
