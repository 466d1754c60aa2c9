/* scenario FILE...: runs each and says nothing, or names the line that failed. */
#include "scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool scenario_fail(struct scenario *s, const char *format, ...)
{
    va_list args;

    if (s->failed)
        return false;
    s->failed = true;
    fprintf(stderr, "%s:%u: ", s->file, s->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

int64_t scenario_now(const struct scenario *s)
{
    return s->world.now_us - s->world.epoch_us;
}

static void start(struct scenario *s)
{
    if (s->started)
        return;
    s->started = true;
    watch_start(s);
    for (size_t i = 0; i < s->world.gateway_count; i++)
        gateway_start(s->gateways[i].g);
}

bool scenario_run_to(struct scenario *s, int64_t us)
{
    start(s);
    world_run(&s->world, s->world.epoch_us + us);
    return !s->world.failed || scenario_fail(s, "at %.3f s a rule was broken: %s",
                                             (double)scenario_now(s) / 1e6, s->world.failure);
}

static const struct verb *find_verb(const struct verb *verbs, const char *name)
{
    for (const struct verb *verb = verbs; verb->name != NULL; verb++)
        if (strcmp(verb->name, name) == 0)
            return verb;
    return NULL;
}

bool scenario_command(struct scenario *s, struct words *w)
{
    const char *name = words_peek(w);
    const struct verb *verb = find_verb(setup_verbs, name);

    if (verb == NULL)
        verb = find_verb(play_verbs, name);
    if (verb == NULL && find_host(s, name) == NULL)
        return scenario_fail(s, "'%s' is neither a verb nor a host", name);
    if (verb != NULL && verb->setup && s->started)
        return scenario_fail(s, "'%s' comes before the first step in time", name);
    if (verb == NULL)
        return verb_host(s, w) && words_end(s, w);
    w->next++;
    return verb->run(s, w) && words_end(s, w);
}

static bool run_line(struct scenario *s, char *line)
{
    struct words w;
    if (!words_split(s, line, &w))
        return false;
    return w.count == 0 || scenario_command(s, &w);
}

static bool run_lines(struct scenario *s, FILE *file)
{
    char line[LINE_MAX_OCTETS];

    while (!s->failed && fgets(line, sizeof(line), file) != NULL) {
        s->line++;
        if (strchr(line, '\n') == NULL && !feof(file))
            return scenario_fail(s, "longer than %zu octets", sizeof(line));
        run_line(s, line);
    }
    return !s->failed;
}

static bool run_file(const char *path, bool verbose)
{
    struct scenario *s = calloc(1, sizeof(*s));
    FILE *file = fopen(path, "r");

    if (s == NULL || file == NULL) {
        perror(path);
        if (file != NULL)
            fclose(file);
        free(s);
        return false;
    }
    s->file = path;
    world_blank(&s->world, 1, verbose);
    s->world.epoch_us = s->world.now_us;
    bool ok = run_lines(s, file) && (s->started || scenario_fail(s, "nothing happens here"));
    watch_fini(s);
    world_fini(&s->world);
    fclose(file);
    free(s);
    return ok;
}

int main(int argc, char **argv)
{
    bool verbose = argc > 1 && strcmp(argv[1], "--verbose") == 0;
    unsigned failed = 0;

    if (argc < 2 + verbose) {
        fprintf(stderr, "usage: scenario [--verbose] FILE...\n");
        return 2;
    }
    for (int i = 1 + verbose; i < argc; i++)
        failed += !run_file(argv[i], verbose);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
