/*
 * How long it takes to draw: a ladder of 200 messages and a state machine of 50 states, each as
 * text and as SVG, from the file's octets to the drawing. A name, a tab and
 * milliseconds a line; fails if one takes a
 * second.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model/render.h"

enum { ROUNDS = 50, MESSAGES = 200, STATES = 50 };

static char text[1 << 17];
static size_t used;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    used += (size_t)vsnprintf(text + used, sizeof(text) - used, format, args);
    va_end(args);
}

static void compose(void)
{
    say("model \"M\" { party a \"A\" party b \"B\" party c \"C\"\n"
        "message m \"Request\" a -> b { carries \"Name\", \"Nonce\" }\n"
        "message n \"Response\" b -> a { carries \"Key\" }\n"
        "message o \"Notice\" b <-> c { carries nothing }\n"
        "overview { ladder messages \"L\" {\n");
    for (int i = 0; i < MESSAGES; i++)
        say("%s\n", i % 4 == 0   ? "a -> b: m"
                    : i % 4 == 1 ? "b -> a: n"
                    : i % 4 == 2 ? "b -> c: o"
                                 : "c -> b: o");
    say("}\nmachine states \"S\" of a {\n");
    for (int i = 0; i < STATES; i++)
        say("state S%d%s\n", i, i == 0 ? " initial" : "");
    for (int i = 0; i < STATES; i++)
        say("S%d -> S%d on receive n send m\nS%d -> S%d on timer \"back\"\n", i, (i + 1) % STATES,
            i, i * 7 % STATES);
    say("} } }\n");
}

static bool draw_once(const char *id, bool svg)
{
    struct model_error error;
    struct drawing out = {0};
    struct model *model = model_parse(text, used, &error);
    bool ok = false;
    if (model != NULL) {
        const struct model_diagram *diagram = model_diagram_find(model, id);
        ok = svg ? render_diagram_svg(model, diagram, true, &out)
                 : render_diagram_text(model, diagram, &out);
    }
    drawing_fini(&out);
    model_free(model);
    return ok;
}

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* Milliseconds a drawing, or -1. */
static double measure(const char *id, bool svg)
{
    double start = now_ms();
    for (int i = 0; i < ROUNDS; i++)
        if (!draw_once(id, svg))
            return -1;
    return (now_ms() - start) / ROUNDS;
}

int main(void)
{
    bool good = true;
    compose();
    double ladder_text = measure("messages", false), ladder_svg = measure("messages", true);
    double machine_text = measure("states", false), machine_svg = measure("states", true);
    const double all[] = {ladder_text, ladder_svg, machine_text, machine_svg};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        good = good && all[i] >= 0 && all[i] < 1000;
    printf("messages\t%d\nstates\t%d\nladder text\t%.2f\nladder svg\t%.2f\nmachine text\t%.2f\n"
           "machine svg\t%.2f\n",
           MESSAGES, STATES, ladder_text, ladder_svg, machine_text, machine_svg);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
