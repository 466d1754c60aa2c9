/*
 * The PF_KEYv2 codec: parse(build(x)) = x for every type, the layout of RFC 2367, agreement with
 * the kernel's numbers, and every way in which a message can be wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/pfkeyv2.h>

#include "wire/pfkey.h"
#include "wire/pfkey_ext.h"

#define ALL_TYPES                                                                                  \
    {                                                                                              \
        PFKEY_GETSPI, PFKEY_UPDATE, PFKEY_ADD, PFKEY_DELETE, PFKEY_GET, PFKEY_ACQUIRE,             \
            PFKEY_REGISTER, PFKEY_EXPIRE, PFKEY_FLUSH, PFKEY_DUMP, PFKEY_X_PROMISC,                \
            PFKEY_X_POLICY_SET, PFKEY_X_POLICY_DELETE, PFKEY_X_POLICY_GET, PFKEY_X_POLICY_DUMP,    \
            PFKEY_X_TRACE, PFKEY_X_UNKNOWN_SPI, PFKEY_X_COUNTERS, PFKEY_X_NEW_MAPPING,             \
            PFKEY_X_ADDUPD                                                                         \
    }

enum { HAS_BITS = 14 };

static struct ip_addr addr_of(const char *text)
{
    struct ip_addr addr;
    assert_true(ip_addr_parse(text, &addr));
    return addr;
}

static struct ip_prefix prefix_of(const char *text)
{
    struct ip_prefix prefix;
    assert_true(ip_prefix_parse(text, &prefix));
    return prefix;
}

static void fill_sa(struct sa_params *sa, bool v6)
{
    sa->spi.value = 0x12345678;
    sa->inbound = true;
    sa->interface = SA_CONFIGURED;
    sa->suite = (struct esp_suite){ESP_CIPHER_AES_CBC, ESP_AUTH_HMAC_SHA2_512_256, 256, true};
    sa->outer_src = addr_of(v6 ? "2001:db8::1" : "192.1.1.4");
    sa->outer_dst = addr_of(v6 ? "2001:db8::2" : "192.1.1.5");
    sa->udp_src = 4500;
    sa->udp_dst = 61234;
    sa->stream = v6 ? IP_STREAM_ACCEPTED | 7 : 0;
    sa->inner_src = prefix_of(v6 ? "192.1.0.65" : "2001:db8:1::/48");
    sa->inner_dst = prefix_of(v6 ? "0.0.0.0/0" : "2001:db8:2::66");
    sa->soft = (struct sa_lifetime){1u << 30, UINT64_MAX, 3000};
    sa->hard = (struct sa_lifetime){UINT64_MAX, 1, 3600};
    sa->ticket = 0xfedcba9876543210;
}

/* Sets exactly the fields that `has` makes meaningful, so that whole structs can be compared. */
static struct pfkey_message message_of(uint8_t type, uint32_t has, bool v6)
{
    struct pfkey_message m = {.type = type, .satype = PFKEY_SATYPE_ESP, .seq = 7, .pid = 99};
    m.has = has;
    if (has & PFKEY_HAS_SA)
        fill_sa(&m.sa, v6);
    if (has & PFKEY_HAS_KEYS) {
        m.sa.cipher_key_len = SA_KEY_MAX;
        memset(m.sa.cipher_key, 0xc1, SA_KEY_MAX);
        m.sa.auth_key_len = v6 ? 0 : SA_AUTH_KEY_MAX;
        memset(m.sa.auth_key, 0xa2, m.sa.auth_key_len);
    }
    if (has & PFKEY_HAS_FLOW)
        m.flow = (struct ip_pair){addr_of(v6 ? "fd00::1" : "192.1.0.65"),
                                  addr_of(v6 ? "fd00::2" : "192.2.0.66")};
    if (has & PFKEY_HAS_VERDICT)
        m.verdict = PFKEY_VERDICT_ENCRYPT;
    if (has & PFKEY_HAS_SPI_RANGE)
        m.spi_min = 256, m.spi_max = UINT32_MAX;
    if (has & PFKEY_HAS_LAST_USE)
        m.idle_ms = v6 ? -1 : INT64_MAX;
    if (has & PFKEY_HAS_COUNTS)
        m.octets = UINT64_MAX, m.packets = 5, m.age_s = 77;
    if (has & PFKEY_HAS_TRACE)
        m.trace = PFKEY_TRACE_SECOND_OUT;
    if (has & PFKEY_HAS_COUNTER) {
        strcpy(m.counter_name, "a_name_of_thirty_nine_octets_is_longest");
        m.counter = UINT64_MAX - 1;
    }
    if (has & PFKEY_HAS_PEER)
        m.peer = addr_of(v6 ? "2001:db8::2" : "192.1.1.5");
    if (has & PFKEY_HAS_TICKET)
        m.ticket = 42;
    if (has & PFKEY_HAS_NEW_ENDS) {
        m.new_src = (struct ip_endpoint){addr_of(v6 ? "2001:db8::5" : "192.1.1.9"), v6 ? 0 : 4500};
        m.new_dst = (struct ip_endpoint){addr_of(v6 ? "2001:db8::6" : "192.1.1.8"), v6 ? 0 : 4501};
    }
    if (type == PFKEY_X_ADDUPD) {
        m.sa.inbound = false;
        m.new_src.port = m.new_dst.port = 0;
    }
    return m;
}

static uint8_t bytes[LIMIT_PFKEY_MESSAGE];

static struct view built(const struct pfkey_message *m)
{
    size_t len = 0;
    memset(bytes, 0xee, sizeof(bytes));
    assert_int_equal(pfkey_build(m, span_of(bytes, sizeof(bytes)), &len), ERR_OK);
    return view_of(bytes, len);
}

static enum err parsed(struct view v, struct pfkey_message *ret)
{
    return pfkey_parse(v, ret);
}

static void round_trip(const struct pfkey_message *m)
{
    struct pfkey_message back;
    memset(&back, 0xdd, sizeof(back));
    struct view v = built(m);
    assert_int_equal(v.len % 8, 0);
    assert_int_equal(parsed(v, &back), ERR_OK);
    assert_int_equal(back.has, m->has);
    assert_memory_equal(&back.sa, &m->sa, sizeof(m->sa));
    assert_true(ip_pair_equal(&back.flow, &m->flow));
    assert_true(ip_addr_equal(&back.peer, &m->peer));
    assert_true(ip_endpoint_equal(&back.new_src, &m->new_src)); /* ADR-101 */
    assert_true(ip_endpoint_equal(&back.new_dst, &m->new_dst));
    assert_string_equal(back.counter_name, m->counter_name);
    assert_int_equal(back.type, m->type);
    assert_int_equal(back.satype, m->satype);
    assert_int_equal(back.error, m->error);
    assert_int_equal(back.seq, m->seq);
    assert_int_equal(back.pid, m->pid);
    assert_int_equal(back.verdict, m->verdict);
    assert_int_equal(back.trace, m->trace);
    assert_int_equal(back.spi_min, m->spi_min);
    assert_int_equal(back.spi_max, m->spi_max);
    assert_true(back.idle_ms == m->idle_ms && back.octets == m->octets);
    assert_true(back.packets == m->packets && back.age_s == m->age_s);
    assert_true(back.counter == m->counter && back.ticket == m->ticket);
}

/* Every set of `has` that the type's row admits comes back as it was; every other is refused. */
static void every_type_comes_back(void **state)
{
    (void)state;
    static const uint8_t types[] = ALL_TYPES;
    for (size_t t = 0; t < sizeof(types); t++) {
        unsigned good = 0, refused = 0;
        for (uint32_t has = 0; has < 1u << HAS_BITS; has++) {
            struct pfkey_message m = message_of(types[t], has, has & 1);
            uint8_t room[LIMIT_PFKEY_MESSAGE];
            size_t len = 1234;
            enum err err = pfkey_build(&m, span_of(room, sizeof(room)), &len);
            if (err == ERR_OK) {
                round_trip(&m);
                good++;
            } else {
                assert_true(err == ERR_MISSING || err == ERR_UNEXPECTED);
                assert_int_equal(len, 1234);
                refused++;
            }
        }
        assert_true(good > 0 && refused > 0);
        assert_string_not_equal(pfkey_type_name(types[t]), "?");
    }
    assert_string_equal(pfkey_type_name(0), "?");
    assert_string_equal(pfkey_type_name(63), "?");
    assert_string_equal(pfkey_type_name(255), "?");
}

static void every_suite_comes_back(void **state)
{
    (void)state;
    for (uint8_t c = 0; c < ESP_CIPHER_COUNT; c++) {
        for (uint8_t a = 0; a < ESP_AUTH_COUNT; a++) {
            struct pfkey_message m = message_of(PFKEY_GET, PFKEY_HAS_SA, c & 1);
            m.sa.suite = (struct esp_suite){c, a, 128, a & 1};
            m.sa.udp_src = m.sa.udp_dst = 0;
            round_trip(&m);
        }
    }
}

/* The header's type and the SA's protocol are one thing; the cipher key of AH is none. */
static void ah_comes_back(void **state)
{
    (void)state;
    size_t len;
    struct pfkey_message m = message_of(PFKEY_ADD, PFKEY_HAS_SA | PFKEY_HAS_KEYS, 1);
    m.satype = PFKEY_SATYPE_AH;
    m.sa.udp_src = m.sa.udp_dst = 0;
    m.sa.suite = (struct esp_suite){.protocol = SA_AH, .auth = ESP_AUTH_HMAC_SHA2_512_256, .esn = true};
    m.sa.cipher_key_len = 0;
    memset(m.sa.cipher_key, 0, sizeof(m.sa.cipher_key));
    m.sa.auth_key_len = 64;
    memset(m.sa.auth_key, 0x55, 64);
    round_trip(&m);
    m.satype = PFKEY_SATYPE_ESP;
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_VALUE);
    m.satype = PFKEY_SATYPE_AH;
    m.sa.auth_key_len = 0;
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_VALUE);
    m.sa.auth_key_len = 64;
    m.sa.cipher_key_len = 16;
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_VALUE);
    m.sa.cipher_key_len = 0;
    m.sa.suite.protocol = SA_ESP;
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_VALUE);
}

static void addresses_may_be_absent(void **state)
{
    (void)state;
    struct pfkey_message m = {.type = PFKEY_DELETE, .has = PFKEY_HAS_SA};
    m.sa.spi.value = 256;
    round_trip(&m);
}

static void an_error_carries_nothing(void **state)
{
    (void)state;
    struct pfkey_message m = {.type = PFKEY_ADD, .error = 17, .seq = UINT32_MAX};
    assert_int_equal(built(&m).len, 16);
    round_trip(&m);
    m.error = 0;
    size_t len;
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_MISSING);
}

/* RFC 2367 section 2: as the structs of the kernel's header see it. */
static void layout_is_the_kernels(void **state)
{
    (void)state;
    struct pfkey_message m = message_of(PFKEY_ADD, PFKEY_HAS_SA | PFKEY_HAS_KEYS, false);
    struct view v = built(&m);
    struct sadb_msg base;
    memcpy(&base, v.ptr, sizeof(base));
    assert_int_equal(base.sadb_msg_version, PF_KEY_V2);
    assert_int_equal(base.sadb_msg_type, SADB_ADD);
    assert_int_equal(base.sadb_msg_satype, SADB_SATYPE_ESP);
    assert_int_equal(base.sadb_msg_len * 8u, v.len);
    assert_int_equal(base.sadb_msg_seq, 7);
    assert_int_equal(base.sadb_msg_pid, 99);

    struct sadb_sa sa;
    memcpy(&sa, v.ptr + sizeof(base), sizeof(sa));
    assert_int_equal(sa.sadb_sa_len, 2);
    assert_int_equal(sa.sadb_sa_exttype, SADB_EXT_SA);
    assert_memory_equal(&sa.sadb_sa_spi, "\x12\x34\x56\x78", 4);
    assert_int_equal(sa.sadb_sa_state, SADB_SASTATE_MATURE);
    assert_int_equal(sa.sadb_sa_auth, SADB_X_AALG_SHA2_512HMAC);
    assert_int_equal(sa.sadb_sa_encrypt, SADB_X_EALG_AESCBC);

    size_t src = 0, key = 0;
    for (size_t at = 16; at < v.len;) {
        struct sadb_ext ext;
        memcpy(&ext, v.ptr + at, sizeof(ext));
        assert_true(ext.sadb_ext_len > 0);
        if (ext.sadb_ext_type == SADB_EXT_ADDRESS_SRC)
            src = at;
        if (ext.sadb_ext_type == SADB_EXT_KEY_ENCRYPT)
            key = at;
        at += 8u * ext.sadb_ext_len;
    }
    assert_true(src != 0 && key != 0);
    assert_int_equal(v.ptr[src + offsetof(struct sadb_address, sadb_address_prefixlen)], 32);
    assert_memory_equal(v.ptr + src + 8 + 4, "\xc0\x01\x01\x04", 4);
    struct sadb_key k;
    memcpy(&k, v.ptr + key, sizeof(k));
    assert_int_equal(k.sadb_key_bits, 8 * SA_KEY_MAX);
}

static void numbers_are_the_kernels(void **state)
{
    (void)state;
    static const int same[][2] = {
        {PFKEY_GETSPI, SADB_GETSPI},
        {PFKEY_UPDATE, SADB_UPDATE},
        {PFKEY_ADD, SADB_ADD},
        {PFKEY_DELETE, SADB_DELETE},
        {PFKEY_GET, SADB_GET},
        {PFKEY_ACQUIRE, SADB_ACQUIRE},
        {PFKEY_REGISTER, SADB_REGISTER},
        {PFKEY_EXPIRE, SADB_EXPIRE},
        {PFKEY_FLUSH, SADB_FLUSH},
        {PFKEY_DUMP, SADB_DUMP},
        {PFKEY_X_PROMISC, SADB_X_PROMISC},
        {PFKEY_SATYPE_AH, SADB_SATYPE_AH},
        {PFKEY_SATYPE_ESP, SADB_SATYPE_ESP},
        {PFKEY_EXT_SA, SADB_EXT_SA},
        {PFKEY_EXT_LIFETIME_CURRENT, SADB_EXT_LIFETIME_CURRENT},
        {PFKEY_EXT_LIFETIME_HARD, SADB_EXT_LIFETIME_HARD},
        {PFKEY_EXT_LIFETIME_SOFT, SADB_EXT_LIFETIME_SOFT},
        {PFKEY_EXT_ADDRESS_SRC, SADB_EXT_ADDRESS_SRC},
        {PFKEY_EXT_ADDRESS_DST, SADB_EXT_ADDRESS_DST},
        {PFKEY_EXT_KEY_AUTH, SADB_EXT_KEY_AUTH},
        {PFKEY_EXT_KEY_ENCRYPT, SADB_EXT_KEY_ENCRYPT},
        {PFKEY_EXT_SPIRANGE, SADB_EXT_SPIRANGE},
        {PFKEY_EXT_NAT_T_TYPE, SADB_X_EXT_NAT_T_TYPE},
        {PFKEY_EXT_NAT_T_SPORT, SADB_X_EXT_NAT_T_SPORT},
        {PFKEY_EXT_NAT_T_DPORT, SADB_X_EXT_NAT_T_DPORT},
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        assert_int_equal(same[i][0], same[i][1]);
    assert_true(PFKEY_X_POLICY_SET > SADB_MAX && PFKEY_EXT_X_SA > SADB_EXT_MAX);
    assert_int_equal(pfkey_ealg(ESP_CIPHER_AES_GCM), SADB_X_EALG_AES_GCM_ICV16);
    assert_int_equal(pfkey_ealg(ESP_CIPHER_AES_GCM_8), SADB_X_EALG_AES_GCM_ICV8);
    assert_int_equal(pfkey_ealg(ESP_CIPHER_AES_GCM_12), SADB_X_EALG_AES_GCM_ICV12);
    assert_int_equal(pfkey_ealg(ESP_CIPHER_AES_CBC), SADB_X_EALG_AESCBC);
    assert_int_equal(pfkey_ealg(ESP_CIPHER_3DES_CBC), SADB_EALG_3DESCBC);
    assert_int_equal(pfkey_ealg(200), SADB_EALG_NONE);
    assert_int_equal(pfkey_aalg(ESP_AUTH_HMAC_SHA2_256_128), SADB_X_AALG_SHA2_256HMAC);
    assert_int_equal(pfkey_aalg(ESP_AUTH_HMAC_SHA2_384_192), SADB_X_AALG_SHA2_384HMAC);
    assert_int_equal(pfkey_aalg(ESP_AUTH_HMAC_SHA2_512_256), SADB_X_AALG_SHA2_512HMAC);
    assert_int_equal(pfkey_aalg(ESP_AUTH_HMAC_SHA1_96), SADB_AALG_SHA1HMAC);
    assert_int_equal(pfkey_aalg(ESP_AUTH_HMAC_MD5_96), SADB_AALG_MD5HMAC);
}

static void set_words(uint8_t *at, uint16_t words)
{
    memcpy(at, &words, sizeof(words));
}

/* A message of header and raw extensions. */
static struct view raw(uint8_t type, const void *exts, size_t len)
{
    memset(bytes, 0, 16);
    bytes[0] = 2;
    bytes[1] = type;
    set_words(bytes + 4, (uint16_t)((16 + len) / 8));
    memcpy(bytes + 16, exts, len);
    return view_of(bytes, 16 + len);
}

static void malformed_messages_have_their_errors(void **state)
{
    (void)state;
    struct pfkey_message m, untouched;
    memset(&m, 0xab, sizeof(m));
    untouched = m;

    assert_int_equal(parsed(view_of(bytes, 0), &m), ERR_SHORT);
    struct view v = raw(PFKEY_FLUSH, "", 0);
    assert_int_equal(parsed(view_of(v.ptr, 15), &m), ERR_SHORT);
    bytes[0] = 1;
    assert_int_equal(parsed(v, &m), ERR_VERSION);
    v = raw(PFKEY_FLUSH, "", 0);
    set_words(bytes + 4, 3);
    assert_int_equal(parsed(v, &m), ERR_SYNTAX);
    assert_int_equal(parsed(raw(63, "", 0), &m), ERR_UNSUPPORTED);
    assert_int_equal(parsed(raw(PFKEY_ADD, "", 0), &m), ERR_MISSING);

    uint16_t zero_len[4] = {0, PFKEY_EXT_X_END};
    assert_int_equal(parsed(raw(PFKEY_DUMP, zero_len, 8), &m), ERR_SYNTAX);
    uint16_t too_long[4] = {2, PFKEY_EXT_X_END};
    assert_int_equal(parsed(raw(PFKEY_DUMP, too_long, 8), &m), ERR_SYNTAX);
    uint16_t padded[8] = {2, PFKEY_EXT_X_END};
    assert_int_equal(parsed(raw(PFKEY_DUMP, padded, 16), &m), ERR_SYNTAX);
    uint16_t too_small[4] = {1, PFKEY_EXT_X_TICKET};
    assert_int_equal(parsed(raw(PFKEY_DUMP, too_small, 8), &m), ERR_SYNTAX);
    uint16_t twice[8] = {1, PFKEY_EXT_X_END, 0, 0, 1, PFKEY_EXT_X_END};
    assert_int_equal(parsed(raw(PFKEY_DUMP, twice, 16), &m), ERR_REPEATED);
    uint16_t end[4] = {1, PFKEY_EXT_X_END};
    assert_int_equal(parsed(raw(PFKEY_FLUSH, end, 8), &m), ERR_UNEXPECTED);
    assert_memory_equal(&m, &untouched, sizeof(m));

    uint16_t unknown[8] = {1, 0x7fff, 0, 0, 1, 0x7fff};
    assert_int_equal(parsed(raw(PFKEY_FLUSH, unknown, 16), &m), ERR_OK);
    assert_int_equal(m.has, 0);
}

/* Changes one octet of a good message. */
static enum err spoilt(const struct pfkey_message *good, uint16_t type, size_t at, uint8_t value)
{
    struct view v = built(good);
    for (size_t i = 16; i < v.len;) {
        uint16_t header[2];
        memcpy(header, v.ptr + i, sizeof(header));
        if (header[1] == type) {
            bytes[i + at] = value;
            struct pfkey_message m;
            return parsed(v, &m);
        }
        i += 8u * header[0];
    }
    fail();
    return ERR_OK;
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    struct pfkey_message m = message_of(PFKEY_ADD, PFKEY_HAS_SA | PFKEY_HAS_KEYS, false);
    assert_int_equal(spoilt(&m, PFKEY_EXT_SA, 10, 200), ERR_UNSUPPORTED);
    assert_int_equal(spoilt(&m, PFKEY_EXT_SA, 11, 200), ERR_UNSUPPORTED);
    assert_int_equal(spoilt(&m, PFKEY_EXT_X_SA, 4, 2), ERR_VALUE);
    assert_int_equal(spoilt(&m, PFKEY_EXT_X_SA, 5, 2), ERR_VALUE);
    assert_int_equal(spoilt(&m, PFKEY_EXT_X_SA, 6, 2), ERR_VALUE);
    assert_int_equal(spoilt(&m, PFKEY_EXT_ADDRESS_SRC, 5, 33), ERR_VALUE);
    assert_int_equal(spoilt(&m, PFKEY_EXT_ADDRESS_SRC, 8, 77), ERR_VALUE);
    assert_int_equal(spoilt(&m, PFKEY_EXT_X_INNER_SRC, 5, 129), ERR_VALUE);
    assert_int_equal(spoilt(&m, PFKEY_EXT_X_INNER_SRC, 5, 8), ERR_VALUE);
    assert_int_equal(spoilt(&m, PFKEY_EXT_KEY_ENCRYPT, 4, 0x21), ERR_VALUE);
    assert_int_equal(spoilt(&m, PFKEY_EXT_KEY_ENCRYPT, 4, 0x28), ERR_VALUE); /* 37 octets */
    assert_int_equal(spoilt(&m, PFKEY_EXT_KEY_ENCRYPT, 5, 0), ERR_SYNTAX);   /* 4, the rest over */
    assert_int_equal(spoilt(&m, PFKEY_EXT_NAT_T_TYPE, 4, 1), ERR_UNSUPPORTED);

    m = message_of(PFKEY_X_POLICY_SET, PFKEY_HAS_FLOW | PFKEY_HAS_VERDICT, false);
    assert_int_equal(spoilt(&m, PFKEY_EXT_X_VERDICT, 4, 5), ERR_VALUE);
    m.flow.dst = addr_of("::1");
    size_t len;
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_VALUE);
    m.flow.dst.family = IP_NONE;
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_MISSING);
    m = message_of(PFKEY_X_TRACE, PFKEY_HAS_TRACE, false);
    assert_int_equal(spoilt(&m, PFKEY_EXT_X_TRACE, 4, 6), ERR_VALUE);
    m = message_of(PFKEY_GETSPI, PFKEY_HAS_SA | PFKEY_HAS_SPI_RANGE, false);
    assert_int_equal(spoilt(&m, PFKEY_EXT_SPIRANGE, 8, 0), ERR_OK);
    m.spi_max = 255;
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_VALUE);
    m = message_of(PFKEY_UPDATE, PFKEY_HAS_SA | PFKEY_HAS_NEW_ENDS, false);
    m.new_dst.port = 0; /* in UDP at one end alone */
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_VALUE);
    m.new_dst = (struct ip_endpoint){addr_of("2001:db8::6"), 4500};
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_VALUE);
    m.new_dst.addr.family = IP_NONE; /* an SA has two ends */
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_VALUE);
    m = message_of(PFKEY_X_COUNTERS, PFKEY_HAS_COUNTER, false);
    assert_int_equal(spoilt(&m, PFKEY_EXT_X_COUNTER, 16 + 39, 'x'), ERR_VALUE);
    m = message_of(PFKEY_GET, PFKEY_HAS_SA | PFKEY_HAS_LAST_USE, true);
    assert_int_equal(spoilt(&m, PFKEY_EXT_X_LAST_USE, 8, 0), ERR_VALUE); /* -256 */
}

/* ADR-101, ADR-102: an SADB_X_ADDUPD names an outbound SA and at least one new end of it. */
static void addupd_may_leave_an_end_out(void **state)
{
    const struct pfkey_message both =
        message_of(PFKEY_X_ADDUPD, PFKEY_HAS_SA | PFKEY_HAS_NEW_ENDS, false);
    struct pfkey_message m = both;
    size_t len;
    (void)state;
    m.new_dst = (struct ip_endpoint){.port = 0};
    round_trip(&m);
    size_t one = built(&m).len;
    m = both;
    m.new_src = (struct ip_endpoint){.port = 0};
    round_trip(&m);
    assert_int_equal(built(&m).len, one);
    assert_int_equal(built(&both).len, one + 24); /* struct sadb_address and a sockaddr_in */
    m.new_dst = (struct ip_endpoint){.port = 0};
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_VALUE);
    m = both;
    m.new_dst.addr = addr_of("2001:db8::6");
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_VALUE);
    m = both;
    m.new_src.port = m.new_dst.port = 4500; /* which IKE decides about */
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_VALUE);
    m = both;
    m.sa.inbound = true;
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_VALUE);
    m = message_of(PFKEY_X_ADDUPD, PFKEY_HAS_SA, false);
    assert_int_equal(pfkey_build(&m, span_of(bytes, sizeof(bytes)), &len), ERR_MISSING);
}

/* The longest message fits LIMIT_PFKEY_MESSAGE; in any less room than it needs it is refused. */
static void room_is_respected(void **state)
{
    (void)state;
    struct pfkey_message m = message_of(
        PFKEY_ADD,
        PFKEY_HAS_SA | PFKEY_HAS_KEYS | PFKEY_HAS_FLOW | PFKEY_HAS_PEER | PFKEY_HAS_TICKET, false);
    size_t need = built(&m).len;
    for (size_t room = 0; room <= need; room++) {
        uint8_t *exact = malloc(room + 1);
        size_t len = 0;
        enum err err = pfkey_build(&m, span_of(exact, room), &len);
        assert_int_equal(err, room < need ? ERR_ROOM : ERR_OK);
        assert_int_equal(len, room < need ? 0 : need);
        free(exact);
    }
}

/* Random damage: no crash, and what still parses can be built and means the same. */
static void damaged_messages_are_safe(void **state)
{
    (void)state;
    static const uint8_t types[] = ALL_TYPES;
    srandom(2367);
    unsigned survived = 0;
    for (int round = 0; round < 90000; round++) {
        struct pfkey_message m = message_of(types[(size_t)random() % sizeof(types)],
                                            (uint32_t)random() % (1u << HAS_BITS), random() & 1);
        uint8_t room[LIMIT_PFKEY_MESSAGE];
        size_t len;
        if (pfkey_build(&m, span_of(room, sizeof(room)), &len) != ERR_OK)
            continue;
        for (int hits = (int)(random() % 4); hits >= 0; hits--)
            room[(size_t)random() % len] = (uint8_t)random();
        uint8_t *exact = malloc(len);
        memcpy(exact, room, len);
        struct pfkey_message first;
        if (pfkey_parse(view_of(exact, len), &first) == ERR_OK) {
            round_trip(&first);
            survived++;
        }
        free(exact);
    }
    assert_true(survived > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back),
        cmocka_unit_test(addupd_may_leave_an_end_out),
        cmocka_unit_test(every_suite_comes_back),
        cmocka_unit_test(ah_comes_back),
        cmocka_unit_test(addresses_may_be_absent),
        cmocka_unit_test(an_error_carries_nothing),
        cmocka_unit_test(layout_is_the_kernels),
        cmocka_unit_test(numbers_are_the_kernels),
        cmocka_unit_test(malformed_messages_have_their_errors),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(room_is_respected),
        cmocka_unit_test(damaged_messages_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
