/*
 * RDATA for tests of what reads DNS answers: keys that only need to differ, delegations and the
 * answers that hold them. Answers point into static room that is reused after many records.
 */
#ifndef CYGNET_TESTS_UNIT_DNS_RECORDS_H
#define CYGNET_TESTS_UNIT_DNS_RECORDS_H

#include "check.h"
#include "discover/discover.h"

static inline struct ip_addr test_addr(const char *text)
{
    struct ip_addr addr;
    assert_true(ip_addr_parse(text, &addr));
    return addr;
}

static inline struct identity test_id(const char *text)
{
    struct identity id;
    struct ip_addr addr;
    if (text[0] != '@') {
        addr = test_addr(text);
        return identity_of_addr(&addr);
    }
    assert_true(identity_of_fqdn(view_of_text(text + 1), &id));
    return id;
}

/* RSA-1024 with exponent 3 and a modulus made from `seed`; 0: no key. */
static inline struct public_key test_key(uint64_t seed)
{
    struct public_key key = {0};
    uint8_t octets[130] = {1, 3};
    if (seed == 0)
        return key;
    check_rng_fill(&seed, octets + 2, 128);
    octets[2] |= 0x80;
    octets[129] |= 1;
    assert_int_equal(public_key_from_rfc3110(view_of(octets, sizeof(octets)), &key), ERR_OK);
    return key;
}

static inline struct span test_room(void)
{
    static uint8_t room[64][2048];
    static size_t next;
    return span_of(room[next++ % 64], 2048);
}

static inline struct view test_txt(uint16_t precedence, const char *gateway, uint64_t key)
{
    struct dnsrec_gateway gw = {
        .precedence = precedence, .gateway = test_id(gateway), .key = test_key(key)};
    struct span room = test_room();
    size_t len;
    assert_int_equal(dnsrec_txt_build(&gw, room, &len), ERR_OK);
    return view_of(room.ptr, len);
}

static inline struct view test_ipseckey(uint16_t precedence, const char *gateway, uint64_t key)
{
    struct dnsrec_gateway gw = {.precedence = precedence, .key = test_key(key)};
    struct span room = test_room();
    size_t len;
    if (gateway != NULL)
        gw.gateway = test_id(gateway);
    assert_int_equal(dnsrec_ipseckey_build(&gw, room, &len), ERR_OK);
    return view_of(room.ptr, len);
}

static inline struct view test_key_record(uint64_t seed)
{
    struct public_key key = test_key(seed);
    struct span room = test_room();
    size_t len;
    assert_int_equal(dnsrec_key_build(&key, room, &len), ERR_OK);
    return view_of(room.ptr, len);
}

/* One character-string, as it is. */
static inline struct view test_text(const char *text)
{
    struct span room = test_room();
    room.ptr[0] = (uint8_t)strlen(text);
    memcpy(room.ptr + 1, text, room.ptr[0]);
    return view_of(room.ptr, 1 + (size_t)room.ptr[0]);
}

static inline struct dns_answer test_found(bool secure, uint32_t ttl_s)
{
    return (struct dns_answer){.status = DNS_FOUND, .secure = secure, .ttl_s = ttl_s};
}

static inline void test_add(struct dns_answer *answer, struct view rdata)
{
    answer->rdata[answer->count++] = rdata;
}

#endif
