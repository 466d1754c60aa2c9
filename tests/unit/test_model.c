/* The language of models: what it makes of a file, and what it says of one that isn't a model. */
#include "check.h"

#include "model/model.h"

static struct model *parse(const char *text)
{
    struct model_error error;
    struct model *model = model_parse(text, strlen(text), &error);
    if (model == NULL)
        fail_msg("%u:%u: %s; %s", error.place.line, error.place.column, error.what, error.remedy);
    return model;
}

static void refused(const char *text, unsigned line, unsigned column, const char *what)
{
    struct model_error error;
    struct model *model = model_parse(text, strlen(text), &error);
    assert_null(model);
    if (error.place.line != line || error.place.column != column || strcmp(error.what, what) != 0)
        fail_msg("%u:%u: %s\nfor %s", error.place.line, error.place.column, error.what, text);
    assert_true(error.remedy[0] != '\0');
}

static const char whole[] =
    "# a comment\n"
    "model \"Toy \\\"1\\\"\" {\n"
    "  party a \"Alice\" { text \"Two\n   words.\n\n Second  paragraph.\" component x \"X\" "
    "\"part\" }\n"
    "  party b \"Bob\"\n"
    "  trust a -> b \"all\"\n"
    "  association sa \"SA\" line \"#\" \"keys\"\n"
    "  message m \"M\" a -> b { text \"t\" carries \"one\", \"two\" under sa filter \"f == 1\" "
    "label \"5\" }\n"
    "  message n \"N\" a <-> b { carries nothing }\n"
    "  problem { text \"p\" boxes bx \"Boxes\" { row a.x, b arrow a.x <-> b \"l1\" \"l2\" } }\n"
    "  overview {\n"
    "    section \"S\" {\n"
    "      ladder l \"Ladder\" { text \"lt\" parties b, a continues\n"
    "        phase \"P\" { a -> b: m \"instead\" note b \"here\" }\n"
    "        choice { case \"c1\" { b -> a: n } case \"c2\" { } }\n"
    "        optional \"o\" { across \"all\" } repeat \"r\" { a -> b: n } }\n"
    "    }\n"
    "    machine k \"Machine\" of a { state S initial \"s\" state E final\n"
    "      S -> E on receive n \"if\" send m, n\n"
    "      E -> S on timer \"t\" S -> S on local \"z\" }\n"
    "  }\n"
    "}\n";

static void a_whole_model(void **state)
{
    (void)state;
    struct model *m = parse(whole);
    assert_string_equal(m->title, "Toy \"1\"");
    assert_int_equal(m->party_count, 2);
    assert_string_equal(m->parties[0].text, "Two words.\nSecond paragraph.");
    assert_string_equal(m->parties[0].components[0].text, "part");
    assert_int_equal(m->trusts[0].to, 1);
    assert_int_equal(m->associations[0].line, '#');
    assert_int_equal(m->messages[0].content_count, 2);
    assert_int_equal(m->messages[0].association, 0);
    assert_string_equal(m->messages[0].filter, "f == 1");
    assert_string_equal(m->messages[0].label, "5");
    assert_true(m->messages[1].either_way && m->messages[1].contents_given);
    assert_int_equal(m->messages[1].association, MODEL_NONE);
    assert_true(m->parts[MODEL_PROBLEM].present && !m->parts[MODEL_FEATURES].present);

    const struct model_boxes *boxes = &model_diagram(m, 0)->boxes;
    assert_int_equal(boxes->cells[0][0].component, 0);
    assert_int_equal(boxes->cells[0][1].component, MODEL_NONE);
    assert_true(boxes->arrows[0].both_ways);
    assert_int_equal(boxes->arrows[0].line_count, 2);
    assert_int_equal(model_diagram_part(m, 0), MODEL_PROBLEM);
    model_free(m);
}

static void its_ladder_and_machine(void **state)
{
    (void)state;
    struct model *m = parse(whole);
    const struct model_diagram *l = model_diagram_find(m, "l"), *k = model_diagram_find(m, "k");
    assert_ptr_equal(k, model_diagram(m, 1)); /* a part's own diagrams come before its sections' */
    assert_ptr_equal(l, model_diagram(m, 2));
    assert_null(model_diagram(m, 3));
    assert_null(model_diagram_find(m, "z"));
    assert_true(l->ladder.continues);
    assert_int_equal(l->ladder.parties[0], 1);
    assert_int_equal(l->ladder.step_count, 4);
    const struct model_step *steps = l->ladder.steps;
    assert_int_equal(steps[0].kind, MODEL_STEP_PHASE);
    assert_string_equal(steps[0].inner[0].text, "instead");
    assert_int_equal(steps[0].inner[1].kind, MODEL_STEP_NOTE);
    assert_int_equal(steps[1].inner_count, 2);
    assert_int_equal(steps[1].inner[0].inner[0].from, 1);
    assert_int_equal(steps[2].inner[0].kind, MODEL_STEP_ACROSS);
    assert_int_equal(steps[3].kind, MODEL_STEP_REPEAT);
    assert_int_equal(steps[3].place.line, 18);

    const struct model_machine *machine = &k->machine;
    assert_int_equal(machine->state_count, 2);
    assert_int_equal(machine->initial, 0);
    assert_true(machine->states[1].final);
    assert_int_equal(machine->transitions[0].send_count, 2);
    assert_int_equal(machine->transitions[0].event, MODEL_EVENT_RECEIVE);
    assert_int_equal(machine->transitions[1].event, MODEL_EVENT_TIMER);
    assert_int_equal(machine->transitions[2].message, MODEL_NONE);
    model_free(m);
}

#define HEAD "model \"M\" {\n party a \"A\" party b \"B\" party c \"C\"\n message m \"M\" a -> b\n"
#define IN_LADDER(steps) HEAD " overview { ladder l \"L\" {\n" steps "\n} } }"
#define IN_MACHINE(text) HEAD " overview { machine l \"L\" of a {\n" text "\n} } }"
#define IN_BOXES(text) HEAD " overview { boxes l \"L\" {\n" text "\n} } }"

static void mistakes_have_a_place(void **state)
{
    (void)state;
    refused("", 1, 1, "the file ends where 'model' is expected");
    refused("model {", 1, 7, "a text in double quotes is expected here");
    refused("model \"\" {", 1, 7, "an empty text");
    refused("model \"M\n", 1, 7, "this text has no end");
    refused("model \"M\" {\n\n  \"x\" }", 3, 3,
            "a text where 'party', 'trust', 'association', 'message', 'key', 'lossy', 'problem', "
            "'overview', 'features' or '}' is expected");
    refused("model \"M\" {", 1, 12,
            "the file ends where 'party', 'trust', 'association', 'message', 'key', 'lossy', "
            "'problem', 'overview', 'features' or '}' is expected");
    refused("model \"M\" { } x", 1, 15, "'x' where the end of the file is expected");
    refused("model \"a\xc3\xa9\" { }", 1, 9, "a text holds 7-bit characters only");
    refused("model \"a\\n\" { }", 1, 10,
            "a backslash stands before '\"' or another backslash only");
    refused("model \"M\" { ; }", 1, 13, "';' means nothing here");
    refused("model \"M\" { \x01 }", 1, 13, "octet 0x01 means nothing here");
    refused("model \"M\" { party state \"S\" }", 1, 19, "'state' is a word of the language");
    refused("model \"M\" { party a \"S\" party a \"T\" }", 1, 31, "a second party 'a'");
    refused("model \"M\" { party a23456789012345678901234567890123 \"S\" }", 1, 19,
            "this word is too long");
    refused(HEAD " message n \"N\" a -> a }", 4, 21, "a message from a party to itself");
    refused(HEAD " message n \"N\" a -> b { text \"x\" text \"y\" } }", 4, 34,
            "a second text for the same thing");
    refused(HEAD " overview { } problem { } }", 4, 15, "this part comes too late"); /* MOD-011 */
    refused(HEAD " problem { } problem { } }", 4, 14, "this part is there already");
    refused(HEAD " association s \"S\" line \"!\" }", 4, 25, "a line is drawn with one character");
}

static void mistakes_in_diagrams(void **state)
{
    (void)state;
    refused(IN_LADDER("b -> a: m"), 5, 9, "message 'm' goes from 'a' to 'b'");
    refused(IN_LADDER("a -> b: x"), 5, 9, "no message is called 'x'");
    refused(IN_LADDER(""), 6, 1, "a ladder without steps");
    refused(IN_LADDER("choice { }"), 5, 10, "'case' is expected here");
    refused(IN_LADDER("parties a, a"), 5, 12, "this party is named twice");
    refused(IN_MACHINE("state S"), 5, 1, "no state is the initial one");
    refused(IN_MACHINE("state S initial state T initial"), 5, 23, "a second initial state");
    refused(IN_MACHINE("state S initial S -> S on receive m"), 5, 35,
            "message 'm' is never sent to 'a'");
    refused(IN_MACHINE("state S initial S -> T on local \"x\""), 5, 22, "no state is called 'T'");
    refused(IN_MACHINE("state S initial S -> S on \"x\""), 5, 27,
            "a text where 'receive', 'timer' or 'local' is expected");
    refused(IN_BOXES(""), 6, 1, "'row' is expected here");
    refused(IN_BOXES("row a, a"), 5, 8, "a second box for it");
    refused(IN_BOXES("row a, b, c arrow a -> c"), 5, 19, "these two boxes are no neighbours");
    refused(IN_BOXES("row a, b arrow a -> c"), 5, 21, "this box is not in the diagram");
    refused(IN_BOXES("row a, b arrow a -> b arrow a -> b arrow b -> a"), 5, 42,
            "a third arrow between the same boxes");
    refused(HEAD " overview { ladder l \"L\" { a -> b: m } ladder l \"L\" { a -> b: m } } }", 4, 47,
            "a second diagram 'l'");
}

static void deep_and_long_files_are_refused(void **state)
{
    (void)state;
    refused(
        IN_LADDER(
            "phase \"1\" { phase \"2\" { phase \"3\" { phase \"4\" { phase \"5\" { phase \"6\" {"
            "phase \"7\" { phase \"8\" { phase \"9\" { } } } } } } } } }"),
        5, 96, "steps more than 8 deep");
    struct model_error error;
    static char blanks[MODEL_FILE_MAX + 1];
    memset(blanks, ' ', sizeof(blanks));
    assert_null(model_parse(blanks, sizeof(blanks), &error));
    assert_string_equal(error.what, "a file of more than 1048576 octets");
}

/* Any beginning of a model is refused without harm, with a place in it. */
static void every_beginning(void **state)
{
    (void)state;
    for (size_t len = 0; len + 2 < sizeof(whole); len++) {
        struct model_error error;
        assert_null(model_parse(whole, len, &error));
        assert_true(error.place.line >= 1 && error.place.line <= 24);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_model),
        cmocka_unit_test(its_ladder_and_machine),
        cmocka_unit_test(mistakes_have_a_place),
        cmocka_unit_test(mistakes_in_diagrams),
        cmocka_unit_test(deep_and_long_files_are_refused),
        cmocka_unit_test(every_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
