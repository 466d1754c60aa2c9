/* Each rule of the checker, broken alone in a model that is good otherwise. */
#include "check.h"

#include <stdio.h>

#include "model/check.h"

/* Pieces of the good model, which a test replaces. */
struct pieces {
    const char *trust, *message, *more, *problem, *overview, *features;
};

static const struct pieces good = {
    .trust = "trust a -> b \"all\"",
    .message = "message m \"M\" a -> b { text \"asks\" carries \"x\" }",
    .more = "message n \"N\" b -> a { text \"answers\" carries nothing }",
    .problem =
        "problem { text \"where\" boxes bx \"B\" { text \"t\" row a, b arrow a -> b \"l\" } }",
    .overview = "overview { text \"o\" ladder l \"L\" { text \"t\" a -> b: m b -> a: n }"
                " machine ka \"KA\" of a { text \"t\" state S initial \"s\" state W \"w\" state E "
                "final \"e\""
                "   S -> W on local \"go\" send m W -> E on receive n }"
                " machine kb \"KB\" of b { text \"t\" state S initial final \"s\" S -> S on "
                "receive m send n } }",
    .features = "",
};

static char text[8192];

static void compose(const struct pieces *p)
{
    snprintf(text, sizeof(text),
             "model \"M\" { party a \"A\" { text \"a\" } party b \"B\" { text \"b\" "
             "}\n%s\n%s\n%s\n%s\n%s\n%s\n}",
             p->trust, p->message, p->more, p->problem, p->overview, p->features);
}

static struct model *parse(const struct pieces *p)
{
    struct model_error error;
    compose(p);
    struct model *model = model_parse(text, strlen(text), &error);
    if (model == NULL)
        fail_msg("%u:%u: %s\n%s", error.place.line, error.place.column, error.what, text);
    return model;
}

/* Exactly this finding, or none if `rule` is NULL. */
static void expect(const struct pieces *p, const char *rule, unsigned line, const char *what)
{
    struct check_report report;
    struct model *model = parse(p);
    check_model(model, &report);
    assert_false(report.bad);
    if (report.count != (rule != NULL) ||
        (rule != NULL &&
         (strcmp(report.findings[0].rule, rule) != 0 ||
          strcmp(report.findings[0].what, what) != 0 || report.findings[0].place.line != line))) {
        for (size_t i = 0; i < report.count; i++)
            print_error("%u: %s [%s]\n", report.findings[i].place.line, report.findings[i].what,
                        report.findings[i].rule);
        fail_msg("instead of %s", rule != NULL ? what : "nothing");
    }
    assert_true(rule == NULL || report.findings[0].remedy[0] != '\0');
    check_report_fini(&report);
    model_free(model);
}

static void has(const struct pieces *p, const char *rule, const char *what)
{
    struct check_report report;
    struct model *model = parse(p);
    bool found = false;
    check_model(model, &report);
    for (size_t i = 0; i < report.count; i++)
        found |= strcmp(report.findings[i].rule, rule) == 0 &&
                 strcmp(report.findings[i].what, what) == 0;
    if (!found)
        fail_msg("not found: %s", what);
    check_report_fini(&report);
    model_free(model);
}

static void a_good_model(void **state)
{
    (void)state;
    expect(&good, NULL, 0, NULL);
}

/* MOD-002 MOD-011 MOD-023 */
static void parts(void **state)
{
    (void)state;
    struct pieces p = good;
    p.problem = "";
    expect(&p, "parts", 1, "the model has no problem part");
    p = good;
    p.overview = "";
    has(&p, "parts", "the model has no overview part");
    p = good;
    p.features = "features { }";
    expect(&p, "parts", 7, "a features part without any feature");
    p.features = "features { section \"S\" { text \"important\" } }"; /* MOD-024 */
    expect(&p, NULL, 0, NULL);
    p.features = "features { section \"S\" { } }";
    expect(&p, "explained", 7, "section 'S' is empty");
}

/* MOD-012 MOD-017 */
static void diagrams(void **state)
{
    (void)state;
    struct pieces p = good;
#define BOXES(id) "boxes " id " \"B\" { text \"t\" row a, b }"
    p.features = "features { text \"f\" " BOXES("b1") BOXES("b2") BOXES("b3") "}";
    expect(&p, NULL, 0, NULL);
    p.features = "features { text \"f\" section \"S\" {" BOXES("b1") BOXES("b2") BOXES("b3")
        BOXES("b4") "} }";
    expect(&p, "diagrams", 7, "4 diagrams in 'S', where at most 3 are read");
    p = good;
    p.message = p.more = "";
    p.overview = "overview { text \"o\" }";
    expect(&p, "diagrams", 6, "the overview shows no messages");
}

/* MOD-009 MOD-010 MOD-013 MOD-014 MOD-015 */
static void the_problem(void **state)
{
    (void)state;
    struct pieces p = good;
    p.problem = "problem { boxes bx \"B\" { text \"t\" row a, b arrow a -> b \"l\" } }";
    expect(&p, "environment", 5, "the problem part does not say where the protocol is used");
    p.problem = "problem { text \"where\" }";
    expect(&p, "diagrams", 5, "the problem part has no diagram of the parties");
    p.problem = "problem { text \"w\" boxes bx \"B\" { row a, b arrow a -> b \"l\" } }";
    expect(&p, "explained", 5, "diagram 'bx' is not explained");
    p.problem = "problem { text \"w\" boxes bx \"B\" { text \"t\" row a, b arrow a -> b } }";
    expect(&p, "explained", 5, "an arrow that doesn't say what it means");
    p = good;
    p.trust = "trust a -> b \"all\" party c \"C\" { text \"c\" component x \"X\" \"x\" } trust b "
              "-> c \"all\"";
    has(&p, "unused", "party 'c' is in no diagram");
    has(&p, "unused", "component 'x' is in no diagram");
    p.trust = "trust a -> b \"all\" party c \"C\" trust b -> c \"all\"";
    has(&p, "explained", "party 'c' is not explained");
}

/* MOD-016 */
static void trust(void **state)
{
    (void)state;
    struct pieces p = good;
    p.trust = "";
    has(&p, "trust", "it isn't said whom 'a' trusts, or who trusts it");
    p.trust = "trust b -> a \"nothing\"";
    expect(&p, NULL, 0, NULL);
}

/* MOD-018 MOD-019 */
static void messages(void **state)
{
    (void)state;
    struct pieces p = good;
    p.message = "message m \"M\" a -> b { carries \"x\" }";
    expect(&p, "explained", 3, "message 'm' is not explained");
    p.message = "message m \"M\" a -> b { text \"asks\" }";
    expect(&p, "explained", 3, "it isn't said what message 'm' carries");
    p.message = "message m \"M\" a -> b { text \"t\" carries \"1\", \"2\", \"3\", \"4\", \"5\", "
                "\"6\", \"7\" }";
    expect(&p, "detail", 3, "message 'm' has 7 data elements, more than 6");
#define TEN "w w w w w w w w w w "
    p.message = "message m \"M\" a -> b { carries \"x\" text \"" TEN TEN TEN TEN TEN TEN "\" }";
    expect(&p, NULL, 0, NULL);
    p.message = "message m \"M\" a -> b { carries \"x\" text \"" TEN TEN TEN TEN TEN TEN "w\" }";
    expect(&p, "detail", 3, "message 'm' is described in more than 60 words");
    p = good;
    p.more = "message n \"N\" b -> a { text \"answers\" carries nothing }"
             " message o \"O\" b -> a { text \"t\" carries nothing }";
    expect(&p, "unused", 4, "message 'o' is in no diagram");
    p.more =
        "message n \"N\" b -> a { text \"answers\" carries nothing } association x \"X\" \"t\"";
    expect(&p, "unused", 4, "nothing is protected under 'x'");
    p.more =
        "association x \"X\" message n \"N\" b -> a { text \"answers\" carries nothing under x }";
    expect(&p, "explained", 4, "association 'x' is not explained");
}

/* MOD-003 MOD-020 */
static void no_layouts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *sign;
    } cases[] = {
        {"+-+-+-+-+ | Type |", "a bit diagram", "+-+-+"},
        {"0 1 2 3 4 5 6 7 8 9", "a bit diagram", "0 1 2 3 4 5 6 7"},
        {"Knock ::= SEQUENCE {", "ASN.1", "::="},
        {"an OCTET STRING", "ASN.1", "OCTET STRING"},
        {"<xs:element>", "XML schema", "<xs:"},
        {"<!ELEMENT knock>", "XML schema", "<!ELEMENT"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        char message[200], what[100];
        struct pieces p = good;
        snprintf(message, sizeof(message), "message m \"M\" a -> b { text \"%s\" carries \"x\" }",
                 cases[i].text);
        snprintf(what, sizeof(what), "%s ('%s') in the overview", cases[i].name, cases[i].sign);
        p.message = message;
        expect(&p, "layout", 3, what);
    }
}

#define MACHINE_A(text)                                                                            \
    "overview { text \"o\" ladder l \"L\" { text \"t\" a -> b: m b -> a: n }"                      \
    " machine ka \"KA\" of a { text \"t\"\n" text "\n} }"

/* MOD-021 */
static void states(void **state)
{
    (void)state;
    struct pieces p = good;
    p.overview =
        MACHINE_A("state S initial \"s\" state W \"w\" state E final \"e\" state X final \"x\""
                  " S -> W on local \"go\" send m W -> E on receive n"
                  " X -> S on local \"never\"");
    expect(&p, "unreachable", 7, "nothing leads to state 'X'");
    p.overview = MACHINE_A("state S initial \"s\" state W \"w\" state E \"e\""
                           " S -> W on local \"go\" send m W -> E on receive n");
    expect(&p, "dead-end", 7, "nothing leads out of state 'E'");
    p.overview = MACHINE_A(
        "state S initial \"s\" state W \"w\" state E final \"e\" state X \"x\" state Y \"y\""
        " S -> W on local \"go\" send m W -> E on receive n"
        " S -> X on local \"lost\" X -> Y on timer \"1\" Y -> X on timer \"2\"");
    has(&p, "dead-end", "no way leads from state 'X' to a final state");
    p.overview = MACHINE_A("state S initial state W \"w\" state E final \"e\""
                           " S -> W on local \"go\" send m W -> E on receive n");
    expect(&p, "explained", 7, "state 'S' is not explained");
    p.overview =
        MACHINE_A("state S initial \"s\" state W \"w\" state E final \"e\""
                  " S -> W on local \"go\" send m W -> E on receive n W -> S on receive n");
    expect(&p, "ambiguous", 7, "state 'W' has two answers to the same event");
    p.overview = MACHINE_A("state S initial \"s\" state W \"w\" state E final \"e\""
                           " S -> W on local \"go\" send m W -> E on receive n \"good\""
                           " W -> S on receive n \"bad\"");
    expect(&p, NULL, 0, NULL);
}

/* MOD-022 */
static void minimal_machines(void **state)
{
    (void)state;
    struct pieces p = good;
    p.overview = MACHINE_A("state S initial \"s\" state W \"w\" state V \"v\" state E final \"e\""
                           " S -> W on local \"go\" send m S -> V on local \"run\" send m"
                           " W -> E on receive n V -> E on receive n");
    expect(&p, "minimal", 7, "states 'W' and 'V' behave alike");
    p.overview = MACHINE_A(
        "state S initial \"s\" state W \"w\" state E final \"e\" state F1 final \"f\" state F2 "
        "final \"f\""
        " state F3 final \"f\" state F4 final \"f\" state F5 final \"f\" state F6 final \"f\""
        " state F7 final \"f\" state F8 final \"f\" state F9 final \"f\" state FA final \"f\""
        " S -> W on local \"go\" send m W -> E on receive n"
        " E -> F1 on local \"1\" F1 -> F2 on local \"2\" F2 -> F3 on local \"3\" F3 -> F4 on local "
        "\"4\""
        " F4 -> F5 on local \"5\" F5 -> F6 on local \"6\" F6 -> F7 on local \"7\" F7 -> F8 on "
        "local \"8\""
        " F8 -> F9 on local \"9\" F9 -> FA on local \"A\"");
    expect(&p, "minimal", 6,
           "machine 'ka' has 13 states, more than the 12 that a reader keeps in mind");
}

static void messages_of_machines(void **state)
{
    (void)state;
    struct pieces p = good;
    p.overview =
        MACHINE_A("state S initial \"s\" state E final \"e\" S -> E on local \"go\" send m");
    has(&p, "unhandled", "no state of 'a' takes message 'n'");
    p.overview =
        "overview { text \"o\" ladder l \"L\" { text \"t\" continues b -> a: n }"
        " machine ka \"KA\" of a { text \"t\" state S initial final \"s\" S -> S on receive n }"
        " machine kb \"KB\" of b { text \"t\" state S initial final \"s\" S -> S on receive m } }";
    has(&p, "unsent", "'b' waits for message 'm', which 'a' never sends");
    has(&p, "unsent", "'a' waits for message 'n', which 'b' never sends");
}

#define WITH_LADDER(steps)                                                                         \
    "overview { text \"o\" ladder l \"L\" { text \"t\"\n" steps " }"                               \
    " machine ka \"KA\" of a { text \"t\" state S initial \"s\" state W \"w\" state E final \"e\"" \
    "   S -> W on local \"go\" send m W -> E on receive n } }"

static void ladders_are_paths(void **state)
{
    (void)state;
    struct pieces p = good;
    static const char *const right[] = {
        "a -> b: m b -> a: n",
        "phase \"p\" { a -> b: m } note a \"x\" b -> a: n",
        "a -> b: m choice { case \"1\" { b -> a: n } case \"2\" { across \"lost\" } }",
        "optional \"o\" { a -> b: m b -> a: n }",
        "continues b -> a: n",
        "a -> b: m",
    };
    static const struct {
        const char *steps, *what;
    } wrong[] = {
        {"b -> a: n a -> b: m", "receive 'n'"},
        {"a -> b: m a -> b: m", "send 'm'"},
        {"a -> b: m b -> a: n b -> a: n", "receive 'n'"},
        {"a -> b: m optional \"o\" { b -> a: n } b -> a: n a -> b: m", "send 'm'"},
        {"repeat \"r\" { a -> b: m choice { case \"1\" { b -> a: n } case \"2\" { a -> b: m } } }",
         "send 'm'"},
        {"continues b -> a: n a -> b: m", "send 'm'"},
        {"repeat \"r\" { a -> b: m b -> a: n }", "send 'm'"}, /* not a second time */
    };
    for (size_t i = 0; i < CHECK_COUNT(right); i++) {
        char overview[1024];
        snprintf(overview, sizeof(overview), WITH_LADDER("%s"), right[i]);
        p.overview = overview;
        struct check_report report;
        struct model *model = parse(&p);
        check_model(model, &report);
        for (size_t f = 0; f < report.count; f++)
            assert_string_not_equal(report.findings[f].rule, "path");
        check_report_fini(&report);
        model_free(model);
    }
    for (size_t i = 0; i < CHECK_COUNT(wrong); i++) {
        char overview[1024], what[200];
        snprintf(overview, sizeof(overview), WITH_LADDER("%s"), wrong[i].steps);
        snprintf(what, sizeof(what), "ladder 'l' leaves the states of 'a': it can't %s here",
                 wrong[i].what);
        p.overview = overview;
        has(&p, "path", what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_model),
        cmocka_unit_test(parts),
        cmocka_unit_test(diagrams),
        cmocka_unit_test(the_problem),
        cmocka_unit_test(trust),
        cmocka_unit_test(messages),
        cmocka_unit_test(no_layouts),
        cmocka_unit_test(states),
        cmocka_unit_test(minimal_machines),
        cmocka_unit_test(messages_of_machines),
        cmocka_unit_test(ladders_are_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
