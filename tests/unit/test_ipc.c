/*
 * The messages between keyd and its helpers: parse(build(x)) is x, no shortened or lengthened
 * message passes for another, and limits hold on both sides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "daemon/ipc.h"

static uint8_t room[IPC_MESSAGE_MAX];
static struct ipc_message got;

static size_t build(const struct ipc_message *message)
{
    return ipc_build(message, span_of(room, sizeof(room)));
}

static void round_trip(const struct ipc_message *message)
{
    size_t len = build(message);
    assert_true(len > 0);
    memset(&got, 0xa5, sizeof(got));
    assert_int_equal(ipc_parse(view_of(room, len), &got), ERR_OK);
    assert_int_equal(got.kind, message->kind);
    assert_int_equal(got.serial, message->serial);
}

static void assert_view_equal(struct view a, struct view b)
{
    assert_true(view_equal(a, b));
}

static void test_query(void **state)
{
    (void)state;
    struct ipc_message query = {.kind = IPC_QUERY,
                                .serial = 0x0102030405060708,
                                .type = DNS_TYPE_TXT,
                                .name = "66.0.2.192.in-addr.arpa."};
    round_trip(&query);
    assert_int_equal(got.type, DNS_TYPE_TXT);
    assert_string_equal(got.name, query.name);

    struct ipc_message cancel = {.kind = IPC_CANCEL, .serial = 7};
    round_trip(&cancel);
}

static void test_query_limits(void **state)
{
    (void)state;
    struct ipc_message query = {.kind = IPC_QUERY};
    memset(query.name, 'a', sizeof(query.name));
    assert_int_equal(build(&query), 0);

    /* An empty name, a name with a zero in it and one that is too long. */
    query.name[0] = '\0';
    size_t len = build(&query);
    assert_int_equal(ipc_parse(view_of(room, len), &got), ERR_SYNTAX);
    room[len] = '\0';
    assert_int_equal(ipc_parse(view_of(room, len + 1), &got), ERR_SYNTAX);
    memset(room + len, 'a', LIMIT_DNS_NAME);
    assert_int_equal(ipc_parse(view_of(room, len + LIMIT_DNS_NAME), &got), ERR_SYNTAX);
    assert_int_equal(ipc_parse(view_of(room, len + LIMIT_DNS_NAME - 1), &got), ERR_OK);
}

static void test_answer(void **state)
{
    (void)state;
    static const uint8_t bytes[65535];
    struct ipc_message message = {.kind = IPC_ANSWER, .serial = 9};
    struct dns_answer *answer = &message.answer;
    *answer = (struct dns_answer){.status = DNS_FOUND, .secure = true, .ttl_s = 3600, .count = 3};
    answer->rdata[0] = view_of_text("first");
    answer->rdata[1] = view_of(NULL, 0);
    answer->rdata[2] = view_of(bytes, sizeof(bytes));
    round_trip(&message);
    assert_int_equal(got.answer.status, DNS_FOUND);
    assert_true(got.answer.secure);
    assert_int_equal(got.answer.ttl_s, 3600);
    assert_string_equal(got.answer.why, "");
    assert_int_equal(got.answer.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_view_equal(got.answer.rdata[i], answer->rdata[i]);
}

static void test_answer_without_records(void **state)
{
    (void)state;
    struct ipc_message message = {.kind = IPC_ANSWER};
    for (int status = DNS_FOUND; status <= DNS_TIMEOUT; status++) {
        message.answer.status = (enum dns_status)status;
        memset(message.answer.why, 'x', sizeof(message.answer.why) - 1);
        round_trip(&message);
        assert_int_equal(got.answer.status, status);
        assert_false(got.answer.secure);
        assert_string_equal(got.answer.why, message.answer.why);
        assert_int_equal(got.answer.count, 0);
    }
    message.answer.count = LIMIT_DNS_RECORDS;
    round_trip(&message);
    message.answer.count = LIMIT_DNS_RECORDS + 1;
    assert_int_equal(build(&message), 0);
}

static void test_keeper(void **state)
{
    (void)state;
    struct ipc_message hello = {.kind = IPC_HELLO, .key_count = 2};
    hello.keys[0] = (struct public_key){.alg = KEY_RSA, .len = 5, .octets = {1, 3, 9, 9, 9}};
    hello.keys[1] = (struct public_key){.alg = KEY_RSA, .len = LIMIT_KEY_OCTETS, .octets = {4}};
    round_trip(&hello);
    assert_int_equal(got.key_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(got.keys[i].alg, hello.keys[i].alg);
        assert_int_equal(got.keys[i].len, hello.keys[i].len);
        assert_memory_equal(got.keys[i].octets, hello.keys[i].octets, LIMIT_KEY_OCTETS);
    }
    hello.key_count = IPC_KEYS + 1;
    assert_int_equal(build(&hello), 0);
    hello.key_count = 1;
    hello.keys[0].len = LIMIT_KEY_OCTETS + 1;
    assert_int_equal(build(&hello), 0);

    struct ipc_message sign = {.kind = IPC_SIGN, .serial = 11, .key = 3};
    sign.octets = view_of_text("the hash to sign");
    round_trip(&sign);
    assert_int_equal(got.key, 3);
    assert_view_equal(got.octets, sign.octets);

    struct ipc_message done = {.kind = IPC_SIGNED, .serial = 11, .ok = true};
    done.octets = view_of_text("signature");
    round_trip(&done);
    assert_true(got.ok);
    assert_view_equal(got.octets, done.octets);
}

/* Every shortening of a counted message is refused, and so is one octet more. */
static void test_broken(void **state)
{
    (void)state;
    struct ipc_message answer = {.kind = IPC_ANSWER, .answer = {.count = 2, .why = "because"}};
    answer.answer.rdata[0] = view_of_text("one");
    answer.answer.rdata[1] = view_of_text("two");
    struct ipc_message hello = {.kind = IPC_HELLO, .key_count = 1};
    hello.keys[0] = (struct public_key){.alg = KEY_RSA, .len = 2, .octets = {1, 3}};
    const struct ipc_message *messages[] = {&answer, &hello};

    for (size_t i = 0; i < 2; i++) {
        size_t len = build(messages[i]);
        for (size_t cut = 0; cut < len; cut++)
            assert_int_not_equal(ipc_parse(view_of(room, cut), &got), ERR_OK);
        room[len] = 0;
        assert_int_equal(ipc_parse(view_of(room, len + 1), &got), ERR_TRAILING);
        assert_int_equal(ipc_build(messages[i], span_of(room, len - 1)), 0);
    }
    assert_int_equal(ipc_parse(view_of("\0\0\0\0\0\0\0\0\0", 9), &got), ERR_UNSUPPORTED);
}

static void test_values(void **state)
{
    (void)state;
    struct ipc_message answer = {.kind = IPC_ANSWER};
    size_t len = build(&answer);
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{9, DNS_TIMEOUT + 1}, {10, 2}, {16, LIMIT_DNS_RECORDS + 1}};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint8_t copy[512] = {0};
        memcpy(copy, room, len);
        copy[wrong[i].at] = wrong[i].value;
        assert_int_equal(ipc_parse(view_of(copy, sizeof(copy)), &got), ERR_SYNTAX);
    }
}

static void test_name(void **state)
{
    (void)state;
    static const char *const addresses[] = {"192.1.1.78", "2001:db8:ff::78"};
    struct ipc_message name = {.kind = IPC_NAME, .ttl_s = 300, .name = "nina.example"};

    assert_int_equal(build(&name), 0); /* no address */
    for (size_t i = 0; i < 2; i++) {
        assert_true(ip_addr_parse(addresses[i], &name.address));
        round_trip(&name);
        assert_string_equal(got.name, name.name);
        assert_int_equal(got.ttl_s, 300);
        assert_true(ip_addr_equal(&got.address, &name.address));
    }
    size_t len = build(&name);
    for (size_t cut = 0; cut + strlen(name.name) <= len; cut++)
        assert_int_equal(ipc_parse(view_of(room, cut), &got), cut == 0 ? ERR_UNSUPPORTED : ERR_SYNTAX);
    room[1 + 8 + 4] = 5; /* no address has five octets */
    assert_int_equal(ipc_parse(view_of(room, len), &got), ERR_SYNTAX);
    memset(name.name, 'a', sizeof(name.name));
    assert_int_equal(build(&name), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_query_limits),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_answer_without_records),
        cmocka_unit_test(test_keeper),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
