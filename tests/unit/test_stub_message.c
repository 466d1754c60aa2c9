/*
 * What the stub resolver makes of clients' questions and of libunbound's answer packets: flags,
 * records that only some clients want, truncation, and questions that are none of its business.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "daemon/stub_message.h"

enum { FLAG_QR = 0x80, FLAG_TC = 0x02, FLAG_RD = 0x01, FLAG_RA = 0x80, FLAG_AD = 0x20, FLAG_CD = 0x10 };
enum { TYPE_A = 1, TYPE_TXT = 16, TYPE_RRSIG = 46, TYPE_AXFR = 252, CLASS_IN = 1 };

static uint8_t room[STUB_MESSAGE_MAX];

struct message {
    uint8_t octets[STUB_MESSAGE_MAX];
    size_t len;
};

static void put(struct message *m, const void *octets, size_t len)
{
    assert_true(m->len + len <= sizeof(m->octets));
    memcpy(m->octets + m->len, octets, len);
    m->len += len;
}

static void put16(struct message *m, unsigned value)
{
    uint8_t octets[] = {(uint8_t)(value >> 8), (uint8_t)value};
    put(m, octets, 2);
}

static void put_header(struct message *m, uint8_t flags1, uint8_t flags2, unsigned answers,
                       unsigned additional)
{
    m->len = 0;
    put16(m, 0x1234);
    put(m, (uint8_t[]){flags1, flags2}, 2);
    put16(m, 1);
    put16(m, answers);
    put16(m, 0);
    put16(m, additional);
}

/* nina.Example */
static const uint8_t owner[] = "\004nina\007Example";

static void put_question(struct message *m, unsigned type, unsigned class)
{
    put(m, owner, sizeof(owner));
    put16(m, type);
    put16(m, class);
}

static void put_record(struct message *m, unsigned type, const void *rdata, size_t len)
{
    put_question(m, type, CLASS_IN);
    put16(m, 0);
    put16(m, 300);
    put16(m, (unsigned)len);
    put(m, rdata, len);
}

static void put_edns(struct message *m, unsigned size, bool dnssec)
{
    put(m, "", 1);
    put16(m, 41);
    put16(m, size);
    put16(m, 0);
    put16(m, dnssec ? 0x8000 : 0);
    put16(m, 0);
}

static struct stub_query parse(const struct message *m, bool stream)
{
    struct stub_query query;
    enum stub_rcode rcode;
    assert_int_equal(stub_query_parse(view_of(m->octets, m->len), stream, &query, &rcode), ERR_OK);
    assert_int_equal(rcode, STUB_NOERROR);
    return query;
}

static struct stub_query ask(unsigned type, uint8_t flags2, unsigned edns, bool dnssec)
{
    static struct message m;
    put_header(&m, FLAG_RD, flags2, 0, edns != 0);
    put_question(&m, type, CLASS_IN);
    if (edns != 0)
        put_edns(&m, edns, dnssec);
    return parse(&m, false);
}

static void release(struct stub_query *query, struct view reply)
{
    free((uint8_t *)(uintptr_t)reply.ptr);
    stub_query_fini(query);
}

static unsigned count16(struct view reply, size_t at)
{
    assert_true(reply.len >= 12);
    return (unsigned)reply.ptr[at] << 8 | reply.ptr[at + 1];
}

/* An answer of libunbound's: one address and its signature. */
static struct view signed_address(void)
{
    static struct message m;
    uint8_t signature[18 + 9 + 16] = {0, TYPE_A, 13, 2};
    memcpy(signature + 18, "\007example", 9);
    put_header(&m, FLAG_QR, FLAG_RA | FLAG_AD, 2, 0);
    m.octets[0] = m.octets[1] = 0;
    put_question(&m, TYPE_A, CLASS_IN);
    put_record(&m, TYPE_A, "\300\001\001\116", 4);
    put_record(&m, TYPE_RRSIG, signature, sizeof(signature));
    return view_of(m.octets, m.len);
}

static void test_plain(void **state)
{
    (void)state;
    struct stub_query query = ask(TYPE_A, 0, 0, false);
    assert_string_equal(query.name, "nina.Example.");
    assert_int_equal(query.type, TYPE_A);
    assert_int_equal(query.room, STUB_UDP_PLAIN);
    struct view reply = stub_reply_answer(&query, signed_address(), true);
    assert_int_equal(count16(reply, 0), 0x1234);
    assert_int_equal(reply.ptr[2], FLAG_QR | FLAG_RD);
    assert_int_equal(reply.ptr[3], FLAG_RA); /* it asked for no AD */
    assert_int_equal(count16(reply, 4), 1);
    assert_int_equal(count16(reply, 6), 1); /* nor for signatures */
    assert_int_equal(count16(reply, 10), 0);
    /* The question comes back as it was written. */
    assert_memory_equal(reply.ptr + 12, owner, sizeof(owner));
    release(&query, reply);
}

static void test_who_understands_dnssec(void **state)
{
    (void)state;
    struct stub_query query = ask(TYPE_A, FLAG_AD, 0, false);
    struct view reply = stub_reply_answer(&query, signed_address(), true);
    assert_int_equal(reply.ptr[3], FLAG_RA | FLAG_AD);
    assert_int_equal(count16(reply, 6), 1);
    release(&query, reply);

    query = ask(TYPE_A, FLAG_CD, 4096, true);
    assert_int_equal(query.room, STUB_UDP_MOST);
    reply = stub_reply_answer(&query, signed_address(), true);
    assert_int_equal(reply.ptr[3], FLAG_RA | FLAG_AD | FLAG_CD);
    assert_int_equal(count16(reply, 6), 2);
    assert_int_equal(count16(reply, 10), 1);
    release(&query, reply);

    query = ask(TYPE_A, FLAG_AD, 700, true);
    assert_int_equal(query.room, 700);
    reply = stub_reply_answer(&query, signed_address(), false);
    assert_int_equal(reply.ptr[3], FLAG_RA); /* nobody vouches for it */
    release(&query, reply);

    query = ask(TYPE_RRSIG, 0, 0, false);
    reply = stub_reply_answer(&query, signed_address(), true);
    assert_int_equal(count16(reply, 6), 2);
    release(&query, reply);
}

/* RFC 2181 section 9: no part of an answer passes for all of it. */
static void test_truncation(void **state)
{
    (void)state;
    static struct message m;
    uint8_t text[100] = {99};
    memset(text + 1, 'x', 99);
    for (unsigned records = 1; records < 30; records++) {
        put_header(&m, FLAG_QR, FLAG_RA, records, 0);
        put_question(&m, TYPE_TXT, CLASS_IN);
        for (unsigned i = 0; i < records; i++) {
            text[1] = (uint8_t)('a' + i % 26);
            text[2] = (uint8_t)('0' + i / 26);
            put_record(&m, TYPE_TXT, text, sizeof(text));
        }
        const unsigned sizes[] = {0, 1232, 4096};
        for (size_t i = 0; i < 3; i++) {
            struct stub_query query = ask(TYPE_TXT, 0, sizes[i], false);
            struct view reply = stub_reply_answer(&query, view_of(m.octets, m.len), false);
            bool cut = (reply.ptr[2] & FLAG_TC) != 0;
            assert_true(reply.len <= query.room);
            assert_int_equal(count16(reply, 6), cut ? 0 : records);
            if (records > 14)
                assert_true(cut);
            if (records < 4)
                assert_false(cut);
            release(&query, reply);
        }
        put_header(&m, FLAG_RD, 0, 0, 0);
        put_question(&m, TYPE_TXT, CLASS_IN);
        struct stub_query query = parse(&m, true);
        assert_int_equal(query.room, STUB_MESSAGE_MAX);
        stub_query_fini(&query);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags1;
        unsigned type, class;
        enum stub_rcode want;
    } cases[] = {
        {FLAG_RD | 2 << 3, TYPE_A, CLASS_IN, STUB_NOTIMP}, /* STATUS */
        {FLAG_RD | 5 << 3, TYPE_A, CLASS_IN, STUB_NOTIMP}, /* UPDATE */
        {FLAG_RD, TYPE_AXFR, CLASS_IN, STUB_NOTIMP},
        {FLAG_RD, TYPE_A, 3, STUB_REFUSED}, /* CHAOS */
    };
    static struct message m;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stub_query query;
        enum stub_rcode rcode;
        put_header(&m, cases[i].flags1, 0, 0, 0);
        put_question(&m, cases[i].type, cases[i].class);
        assert_int_equal(stub_query_parse(view_of(m.octets, m.len), false, &query, &rcode),
                         ERR_UNSUPPORTED);
        assert_int_equal(rcode, cases[i].want);
        struct view reply = stub_reply_code(&query, rcode);
        assert_int_equal(reply.ptr[3] & 15, cases[i].want);
        assert_int_equal(reply.ptr[2] & FLAG_QR, FLAG_QR);
        release(&query, reply);
    }
}

/* Answers, rubbish and halves are dropped: a reply to a reply could go on for ever. */
static void test_dropped(void **state)
{
    (void)state;
    static struct message m;
    struct stub_query query;
    enum stub_rcode rcode;
    put_header(&m, FLAG_QR, 0, 0, 0);
    put_question(&m, TYPE_A, CLASS_IN);
    assert_int_equal(stub_query_parse(view_of(m.octets, m.len), false, &query, &rcode), ERR_SYNTAX);
    put_header(&m, FLAG_RD, 0, 0, 0);
    put_question(&m, TYPE_A, CLASS_IN);
    for (size_t len = 0; len < m.len; len++)
        assert_int_equal(stub_query_parse(view_of(m.octets, len), false, &query, &rcode),
                         ERR_SYNTAX);

    /* Two questions, and none. */
    put_header(&m, FLAG_RD, 0, 0, 0);
    m.octets[5] = 2;
    put_question(&m, TYPE_A, CLASS_IN);
    put_question(&m, TYPE_TXT, CLASS_IN);
    assert_int_equal(stub_query_parse(view_of(m.octets, m.len), false, &query, &rcode),
                     ERR_UNSUPPORTED);
    assert_int_equal(rcode, STUB_FORMERR);
    release(&query, stub_reply_code(&query, rcode));
    m.octets[5] = 0;
    assert_int_equal(stub_query_parse(view_of(m.octets, 12), false, &query, &rcode),
                     ERR_UNSUPPORTED);
    assert_int_equal(rcode, STUB_FORMERR);
    release(&query, stub_reply_code(&query, rcode));
}

/* Octets at random: neither a question nor an answer packet may do harm. */
static void test_random(void **state)
{
    (void)state;
    uint64_t seed = 5;
    struct stub_query good = ask(TYPE_A, 0, 1232, true);
    for (unsigned i = 0; i < 20000; i++) {
        struct view whole = signed_address();
        size_t len = whole.len;
        memcpy(room, whole.ptr, len);
        for (unsigned k = 0; k < 4; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            room[(seed >> 33) % len] = (uint8_t)(seed >> 25);
        }
        len -= (size_t)((seed >> 20) % 3) * (len / 5);
        struct stub_query query;
        enum stub_rcode rcode;
        enum err err = stub_query_parse(view_of(room, len), i % 2, &query, &rcode);
        if (err != ERR_SYNTAX)
            release(&query, stub_reply_code(&query, rcode));
        struct view reply = stub_reply_answer(&good, view_of(room, len), true);
        assert_true(reply.len <= good.room);
        free((uint8_t *)(uintptr_t)reply.ptr);
    }
    stub_query_fini(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_who_understands_dnssec),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
