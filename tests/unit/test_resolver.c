/*
 * What libunbound says becomes one of found, absent, bogus and timed out, with security and
 * lifetime (OE-048, OE-050, OE-051, OE-078).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unbound.h>
#include <cmocka.h>

#include "daemon/resolver.h"

enum { SERVFAIL = 2, NXDOMAIN = 3, REFUSED = 5, STRANGE = 11 };

static char *records[LIMIT_DNS_RECORDS + 3];
static int lengths[LIMIT_DNS_RECORDS + 3];

static struct ub_result with_records(size_t count)
{
    memset(records, 0, sizeof(records));
    for (size_t i = 0; i < count; i++) {
        lengths[i] = (int)i + 1;
    }
    static char text[LIMIT_DNS_RECORDS + 3];
    for (size_t i = 0; i < count; i++)
        records[i] = text;
    return (struct ub_result){.data = records, .len = lengths, .havedata = 1, .ttl = 3600};
}

static void test_found(void **state)
{
    (void)state;
    struct ub_result result = with_records(3);
    struct dns_answer answer = resolver_answer_of(0, &result);

    assert_int_equal(answer.status, DNS_FOUND);
    assert_false(answer.secure);
    assert_int_equal(answer.ttl_s, 3600);
    assert_int_equal(answer.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(answer.rdata[i].ptr, records[i]);
        assert_int_equal(answer.rdata[i].len, i + 1);
    }
    result.secure = 1;
    assert_true(resolver_answer_of(0, &result).secure);

    result = with_records(LIMIT_DNS_RECORDS + 2);
    assert_int_equal(resolver_answer_of(0, &result).count, LIMIT_DNS_RECORDS);
}

static void test_absent(void **state)
{
    (void)state;
    struct ub_result no_data = {.ttl = 300, .secure = 1};
    struct ub_result no_name = {.rcode = NXDOMAIN, .nxdomain = 1, .ttl = 60};

    struct dns_answer answer = resolver_answer_of(0, &no_data);
    assert_int_equal(answer.status, DNS_ABSENT);
    assert_true(answer.secure);
    assert_int_equal(answer.ttl_s, 300);
    assert_int_equal(answer.count, 0);

    answer = resolver_answer_of(0, &no_name);
    assert_int_equal(answer.status, DNS_ABSENT);
    assert_false(answer.secure);
    assert_int_equal(answer.ttl_s, 60);

    no_name.ttl = -1;
    assert_int_equal(resolver_answer_of(0, &no_name).ttl_s, 0);
}

/* Bogus stays bogus whatever else the result says, and never counts as secure. */
static void test_bogus(void **state)
{
    (void)state;
    char why[] = "signature expired";
    struct ub_result result = with_records(1);
    result.bogus = 1;
    result.why_bogus = why;

    struct dns_answer answer = resolver_answer_of(0, &result);
    assert_int_equal(answer.status, DNS_BOGUS);
    assert_false(answer.secure);
    assert_int_equal(answer.ttl_s, RESOLVER_BOGUS_TTL_S);
    assert_int_equal(answer.count, 0);
    assert_string_equal(answer.why, why);

    result = (struct ub_result){.bogus = 1, .rcode = SERVFAIL};
    answer = resolver_answer_of(0, &result);
    assert_int_equal(answer.status, DNS_BOGUS);
    assert_string_equal(answer.why, "DNSSEC validation failed");

    char endless[400];
    memset(endless, 'x', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    result.why_bogus = endless;
    answer = resolver_answer_of(0, &result);
    assert_int_equal(strlen(answer.why), sizeof(answer.why) - 1);
}

static void test_timeout(void **state)
{
    (void)state;
    static const struct {
        int error, rcode;
        const char *why;
    } cases[] = {
        {0, SERVFAIL, "no DNS server answered (SERVFAIL)"},
        {0, REFUSED, "no DNS server answered (REFUSED)"},
        {0, STRANGE, "no DNS server answered (code 11)"},
        {UB_NOMEM, 0, "out of memory"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ub_result result = {.rcode = cases[i].rcode, .secure = 1, .ttl = 5};
        struct dns_answer answer =
            resolver_answer_of(cases[i].error, cases[i].error != 0 ? NULL : &result);
        assert_int_equal(answer.status, DNS_TIMEOUT);
        assert_false(answer.secure);
        assert_int_equal(answer.ttl_s, 0);
        assert_string_equal(answer.why, cases[i].why);
    }
    assert_int_equal(resolver_answer_of(0, NULL).status, DNS_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_bogus),
        cmocka_unit_test(test_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
