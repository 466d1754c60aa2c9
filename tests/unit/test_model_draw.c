/*
 * Drawings of random diagrams: no line is wider than promised, no text is lost, what is a box stays
 * one, and SVG says the same as text. And the notation of a few small ones, as whole pictures.
 */
#include "check.h"

#include <stdio.h>

#include "model/render.h"

static struct model *parse(const char *text)
{
    struct model_error error;
    struct model *model = model_parse(text, strlen(text), &error);
    if (model == NULL)
        fail_msg("%u:%u: %s\n%s", error.place.line, error.place.column, error.what, text);
    return model;
}

static void draws(const char *text, const char *want)
{
    struct model *model = parse(text);
    struct drawing out = {0};
    assert_true(render_diagram_text(model, model_diagram(model, 0), &out));
    assert_string_equal(out.text, want);
    drawing_fini(&out);
    model_free(model);
}

static void a_ladder(void **state)
{
    (void)state;
    draws("model \"M\" { party a \"Alice\" party b \"Bob\" association k \"key\" line \"#\""
          " message m \"Hello\" a -> b { carries \"Name\", \"Nonce\" } message n \"Secret\" b -> a "
          "{ under k carries \"X\" }"
          " overview { ladder l \"L\" { phase \"Greeting, at some length\" { a -> b: m b -> a: n }"
          " choice { case \"good\" { note a \"done\" } case \"bad\" { b -> a: n \"Bye\" } } across "
          "\"end\" } } }",
          "  Alice                      Bob\n"
          "    |                         |\n"
          "    |-------- Hello --------->| \\\n"
          "    |       Name, Nonce       | \\ Greeting, at some\n"
          "    |                         | \\ length\n"
          "    |<######## Secret ########| /\n"
          "    |        E(key, X)        | /\n"
          "    |                         |\n"
          "    - - -  either: good - - - -\n"
          " [done]                       |\n"
          "    - - - - - or: bad - - - - -\n"
          "    |<##### E(key, Bye) ######|\n"
          "    - - - - - - - - - - - - - -\n"
          "    |         * end *         |\n");
}

static void boxes_and_frames(void **state)
{
    (void)state;
    draws("model \"M\" { party a \"Host\" { component x \"App\" component y \"Stack\" } party b "
          "\"Net\""
          " problem { boxes l \"L\" { row a.x row a.y, b arrow a.x <-> a.y \"calls\" arrow a.y -> "
          "b \"IP\" } } }",
          "                    +----------------+\n"
          "                    |                |\n"
          "                    |  +-------+     |\n"
          "                    |  |  App  |     |\n"
          "                    |  +-------+     |\n"
          "                    |      ^         |\n"
          "                    |      | calls   |\n"
          "                    |      v         |\n"
          "                    |  +-------+     |  IP  +-----+\n"
          "                    |  | Stack |-----+----->| Net |\n"
          "                    |  +-------+     |      +-----+\n"
          "                    |                |\n"
          "                    |      Host      |\n"
          "                    +----------------+\n");
}

static void a_machine(void **state)
{
    (void)state;
    draws("model \"M\" { party a \"A\" party b \"B\" message m \"Ping\" a <-> b"
          " overview { machine l \"L\" of a { state ONE initial state TWO final"
          " ONE -> TWO on receive m \"if glad\" send m TWO -> ONE on timer \"1 s\" } } }",
          "    +-------+\n"
          "--->| ONE   |<-----------+\n"
          "    |       |--(1)----+  |\n"
          "    +-------+         |  |\n"
          "                      |  |\n"
          "    +-------+         |  |\n"
          "    | TWO   |<--------+  |\n"
          "    | (end) |--(2)-------+\n"
          "    +-------+\n"
          "\n"
          "  (1)  on Ping, if glad; sends Ping\n"
          "  (2)  timer: 1 s\n");
}

/* Random models. */

static uint64_t seed = 7;
static char text[65536];
static size_t used;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    used += (size_t)vsnprintf(text + used, sizeof(text) - used, format, args);
    va_end(args);
    assert_true(used < sizeof(text));
}

static unsigned below(unsigned limit)
{
    return (unsigned)(check_random(&seed) % limit);
}

/* A name of one to four words, some of them long. */
static const char *name(void)
{
    static char names[8][MODEL_NAME_MAX + 1];
    static unsigned turn;
    char *out = names[turn++ % 8];
    size_t len = 0, words = 1 + below(4);
    for (size_t w = 0; w < words; w++) {
        size_t letters = 1 + below(below(4) == 0 ? 30 : 8);
        if (len + letters + 1 > MODEL_NAME_MAX - 1)
            break;
        if (w > 0)
            out[len++] = ' ';
        for (size_t i = 0; i < letters; i++)
            out[len++] = (char)('a' + below(26));
    }
    if (len == 0)
        out[len++] = 'x';
    out[len] = '\0';
    return out;
}

enum { PARTIES = 6, ROUNDS = 400 };

static void say_parties(void)
{
    used = 0;
    say("model \"M\" {\n");
    for (unsigned i = 0; i < PARTIES; i++)
        say("party p%u \"%s\" { component x \"%s\" component y \"%s\" }\n", i, name(), name(),
            name());
    say("association k \"%s\" line \"#\"\n", name());
    for (unsigned i = 0; i < 8; i++) {
        say("message m%u \"%s\" p%u <-> p%u { carries \"%s\", \"%s\"", i, name(), i % PARTIES,
            (i + 1 + below(PARTIES - 1)) % PARTIES == i % PARTIES ? (i + 1) % PARTIES
                                                                  : (i + 2) % PARTIES,
            name(), name());
        say(below(2) ? " under k }\n" : " }\n");
    }
}

/* Every line fits and is plain. */
static void check_width(const struct drawing *out)
{
    size_t column = 0;
    for (size_t i = 0; i < out->len; i++) {
        assert_true(out->text[i] == '\n' || (out->text[i] >= ' ' && out->text[i] <= '~'));
        column = out->text[i] == '\n' ? 0 : column + 1;
        assert_true(column <= DRAWING_WIDTH);
        assert_true(out->text[i] != '\n' || i == 0 || out->text[i - 1] != ' ');
    }
}

static size_t letters_of(const char *from, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += from[i] >= 'a' && from[i] <= 'z' && from[i] != 'v';
    return count;
}

/* The letters between tags; `v` is left out, as arrows have it for a head. */
static size_t letters_in_svg(const struct drawing *svg)
{
    size_t count = 0;
    const char *at = strstr(svg->text, "</title>");
    while ((at = strstr(at, "<text ")) != NULL) {
        const char *start = strchr(at, '>') + 1;
        at = strchr(start, '<');
        for (const char *c = start; c < at; c++)
            if (*c == '&')
                c = strchr(c, ';');
            else
                count += *c >= 'a' && *c <= 'z' && *c != 'v';
    }
    return count;
}

/* Both drawings of the only diagram hold as many letters. */
static void check_drawings(void)
{
    struct model *model = parse(text);
    struct drawing plain = {0}, svg = {0};
    const struct model_diagram *diagram = model_diagram(model, 0);
    assert_true(render_figure_text(model, diagram, &plain));
    assert_true(render_diagram_svg(model, diagram, true, &svg));
    check_width(&plain);
    if (letters_of(plain.text, plain.len) != letters_in_svg(&svg))
        fail_msg("%zu letters in text, %zu in svg\n%s%s", letters_of(plain.text, plain.len),
                 letters_in_svg(&svg), text, plain.text);
    drawing_fini(&plain);
    drawing_fini(&svg);
    model_free(model);
}

/* One row of boxes above the other, all neighbours joined; nothing covers anything. */
static void random_boxes(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned columns = 1 + below(3), both = below(2);
        say_parties();
        say("problem { boxes l \"L\" {\n");
        for (unsigned r = 0; r < 2; r++)
            for (unsigned c = 0; c < columns; c++)
                say("%s p%u", c == 0 ? "\nrow" : ",", r * columns + c);
        for (unsigned c = 0; c < columns; c++) {
            say("\narrow p%u -> p%u \"%s\" \"%s\"", c, columns + c, name(), name());
            if (both)
                say("\narrow p%u -> p%u \"%s\"", columns + c, c, name());
            for (unsigned r = 0; r < 2 && c + 1 < columns; r++)
                say("\narrow p%u <-> p%u \"%s\"", r * columns + c, r * columns + c + 1, name());
        }
        say("\n} } }");
        check_drawings();
    }
}

static void random_ladders(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned steps = 1 + below(12);
        say_parties();
        struct model *model = parse((say("}"), text));
        used--;
        say("overview { ladder l \"L\" {\n phase \"%s\" {\n", name());
        for (unsigned i = 0; i < steps; i++) {
            const struct model_message *m = &model->messages[below(8)];
            unsigned from = (unsigned)m->from, to = (unsigned)m->to;
            switch (below(6)) {
            case 0:
                say("note p%u \"%s\"\n", below(PARTIES), name());
                break;
            case 1:
                say("} optional \"%s\" { p%u -> p%u: %s } phase \"%s\" {\n", name(), from, to,
                    m->id, name());
                break;
            default:
                say("p%u -> p%u: %s\n", to, from, m->id);
                break;
            }
        }
        say("} p0 -> p%u: m0 } } }", (unsigned)model->messages[0].to);
        model_free(model);
        check_drawings();
    }
}

/* Names of states are drawn whole as long as there are lanes for all. */
static void random_machines(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned states = 1 + below(12), changes = below(30);
        say_parties();
        say("overview { machine l \"L\" of p0 {\n");
        for (unsigned i = 0; i < states; i++)
            say("state s%u%s\n", i, i == 0 ? " initial" : below(3) == 0 ? " final" : "");
        for (unsigned i = 0; i < changes; i++)
            say("s%u -> s%u on local \"%s\"\n", below(states), below(states), name());
        say("} } }");
        check_drawings();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ladder),       cmocka_unit_test(boxes_and_frames),
        cmocka_unit_test(a_machine),      cmocka_unit_test(random_boxes),
        cmocka_unit_test(random_ladders), cmocka_unit_test(random_machines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
