/*
 * Event records as JSON: parse(build(x)) is x for every field and every word; what is not such an
 * object is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "daemon/event_json.h"

static void round_trip(const struct event_record *record)
{
    struct event_record got;
    json_t *object = event_json_build(record);

    assert_non_null(object);
    memset(&got, 0xa5, sizeof(got));
    assert_true(event_json_parse(object, &got));
    assert_memory_equal(&got, record, sizeof(got));
    json_decref(object);
}

static void fill(struct event_record *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->serial = 7;
    ret->at = (mono_t){1234};
    ret->room = EVENT_IKE;
    ret->level = EVENT_WARNING;
    ret->line = EVENT_LINE_IKE;
    ret->from.party = EVENT_PARTY_SELF;
    ret->to.party = EVENT_PARTY_ADDR;
    assert_true(ip_addr_parse("192.1.1.5", &ret->to.addr));
    assert_true(ip_addr_parse("192.1.0.65", &ret->flow.src));
    assert_true(ip_addr_parse("2001:db8::66", &ret->flow.dst));
    assert_true(ip_addr_parse("192.1.1.5", &ret->peer));
    ret->connection = 3;
    strcpy(ret->label, "5E1");
    strcpy(ret->title, "Main Mode 1: SA");
    strcpy(ret->detail, "to \"192.1.1.5\" \\ port 500");
}

static void test_round_trip(void **state)
{
    (void)state;
    struct event_record record;

    fill(&record);
    round_trip(&record);
    memset(record.label, 'l', sizeof(record.label) - 1);
    memset(record.title, 't', sizeof(record.title) - 1);
    memset(record.detail, 'd', sizeof(record.detail) - 1);
    round_trip(&record);
    memset(&record, 0, sizeof(record));
    round_trip(&record);
}

static void test_every_word(void **state)
{
    (void)state;
    struct event_record record;

    fill(&record);
    for (int room = 0; room < EVENT_ROOM_COUNT; room++) {
        record.room = (enum event_room)room;
        round_trip(&record);
    }
    for (int level = EVENT_DEBUG; level <= EVENT_ERROR; level++) {
        record.level = (enum event_level)level;
        round_trip(&record);
    }
    for (int line = EVENT_LINE_NONE; line <= EVENT_LINE_ESP; line++) {
        record.line = (enum event_line)line;
        round_trip(&record);
    }
    for (int party = EVENT_PARTY_ADDR; party <= EVENT_PARTY_DEST; party++) {
        record.from.party = (enum event_party)party;
        round_trip(&record);
    }
}

/* What a peer or DNS put into a text can't reach a terminal. */
static void test_unprintable(void **state)
{
    (void)state;
    struct event_record record;

    fill(&record);
    strcpy(record.detail, "a\033[2Jb\xff\n");
    json_t *object = event_json_build(&record);
    assert_string_equal(json_string_value(json_object_get(object, "detail")), "a?[2Jb??");
    json_decref(object);
}

static void assert_refused(const char *text)
{
    struct event_record got, before;
    json_t *object = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(object);
    memset(&got, 0xa5, sizeof(got));
    before = got;
    assert_false(event_json_parse(object, &got));
    assert_memory_equal(&got, &before, sizeof(got));
    json_decref(object);
}

static void test_refused(void **state)
{
    (void)state;
    assert_refused("[]");
    assert_refused("3");
    assert_refused("{}");
    assert_refused("{\"serial\":\"1\"}");
    assert_refused("{\"serial\":1,\"at_ms\":1.5}");
    assert_refused("{\"serial\":1,\"room\":\"kitchen\"}");
    assert_refused("{\"serial\":1,\"level\":7}");
    assert_refused("{\"serial\":1,\"from\":\"self\"}");
    assert_refused("{\"serial\":1,\"to\":{\"party\":\"address\",\"address\":\"1.2.3\"}}");
    assert_refused("{\"serial\":1,\"flow\":{\"source\":1}}");
    assert_refused("{\"serial\":1,\"peer\":\"nobody\"}");
    assert_refused("{\"serial\":1,\"label\":\"12345678\"}");
    assert_refused("{\"serial\":1,\"title\":[]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_word),
        cmocka_unit_test(test_unprintable),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
