/*
 * cygnet model check --verify: Spin looks for deadlocks and unspecified receptions in a model's
 * state machines, group by group, in a directory of its own.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/model.h"
#include "cli/program.h"
#include "model/promela.h"

static const char program_name[] = "model.pml";
static const char remedy[] = "--verify needs Spin and a C compiler (Debian packages spin, gcc)";

static void remove_directory(const char *path)
{
    char file[512];
    DIR *directory = opendir(path);
    const struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        unlink(file);
    }
    if (directory != NULL)
        closedir(directory);
    rmdir(path);
}

static bool write_program(const struct promela *promela, size_t group, const char *directory)
{
    struct drawing text = {0};
    char path[512];
    bool ok = promela_write(promela, group, &text);

    snprintf(path, sizeof(path), "%s/%s", directory, program_name);
    FILE *file = ok ? fopen(path, "w") : NULL;
    if (file != NULL) {
        ok = fwrite(text.text, 1, text.len, file) == text.len;
        ok = fclose(file) == 0 && ok;
    }
    if (!ok || file == NULL)
        cli_fail("%s: %s", path, ok ? strerror(errno) : "out of memory");
    drawing_fini(&text);
    return ok && file != NULL;
}

/* Runs one step; what it says goes to *ret. */
static bool step(const char *const *arguments, const char *directory, struct program_result *ret)
{
    bool ok = program_run(arguments, directory, remedy, ret);
    if (ok && ret->status != 0) {
        cli_fail("%s failed:\n%s%s", arguments[0], ret->output, ret->errors);
        ok = false;
    }
    return ok;
}

static bool build_checker(const char *directory)
{
    static const char *const spin[] = {"spin", "-a", program_name, NULL};
    /* -DBFS: breadth first, for the shortest way to a mistake */
    static const char *const cc[] = {"cc", "-O1", "-w",    "-DSAFETY", "-DBFS", "-DMEMLIM=1024",
                                     "-o", "pan", "pan.c", NULL};
    struct program_result result = {0};
    bool ok = step(spin, directory, &result);
    program_result_fini(&result);
    if (!ok)
        return false;
    ok = step(cc, directory, &result);
    program_result_fini(&result);
    return ok;
}

static long long states_of(const char *output)
{
    const char *at = strstr(output, " states, stored");
    while (at != NULL && at > output && at[-1] >= '0' && at[-1] <= '9')
        at--;
    return at != NULL ? strtoll(at, NULL, 10) : 0;
}

/* Draws the way to the mistake that the checker left a trail to. */
static bool draw(const struct promela *promela, size_t group, const char *path,
                 const char *directory)
{
    static const char *const spin[] = {"spin", "-T", "-t", program_name, NULL};
    struct program_result result = {0};
    struct drawing out = {0};
    enum promela_fault fault;

    /* its exit status is 1 where the trail ends in a failed assertion */
    bool ok = program_run(spin, directory, remedy, &result);
    if (ok && strstr(result.output, "@ ") == NULL) {
        cli_fail("spin failed:\n%s%s", result.output, result.errors);
        ok = false;
    }
    ok = ok && promela_draw(promela, group, result.output, &fault, &out);
    if (ok)
        printf("%s: %s", path, out.text);
    drawing_fini(&out);
    program_result_fini(&result);
    return ok;
}

enum outcome { PROVEN, WRONG, UNKNOWN };

static enum outcome check_group(const struct promela *promela, size_t group, const char *path,
                                const char *directory, long long *ret_states)
{
    static const char *const pan[] = {"./pan", NULL};
    struct program_result result = {0};
    enum outcome outcome = UNKNOWN;

    if (!write_program(promela, group, directory) || !build_checker(directory))
        return UNKNOWN;
    if (!program_run(pan, directory, remedy, &result)) {
        program_result_fini(&result);
        return UNKNOWN;
    }
    *ret_states += states_of(result.output);
    if (strstr(result.output, "errors: 0") == NULL &&
        (strstr(result.output, "invalid end state") != NULL ||
         strstr(result.output, "assertion violated") != NULL))
        outcome = draw(promela, group, path, directory) ? WRONG : UNKNOWN;
    else if (strstr(result.output, "errors: 0") != NULL &&
             strstr(result.output, "Search not completed") == NULL)
        outcome = PROVEN;
    else
        cli_fail("%s: Spin came to no end:\n%s%s", path, result.output, result.errors);
    program_result_fini(&result);
    return outcome;
}

static enum outcome check_groups(const struct promela *promela, const char *path,
                                 long long *ret_states)
{
    enum outcome outcome = PROVEN;
    for (size_t group = 0; group < promela->group_count && outcome == PROVEN; group++) {
        char directory[256];
        const char *parent = getenv("TMPDIR");
        snprintf(directory, sizeof(directory), "%s/cygnet-XXXXXX",
                 parent != NULL ? parent : "/tmp");
        if (mkdtemp(directory) == NULL) {
            cli_fail("%s: %s", directory, strerror(errno));
            return UNKNOWN;
        }
        outcome = check_group(promela, group, path, directory, ret_states);
        remove_directory(directory);
    }
    return outcome;
}

bool cli_model_verify(const char *path, const struct model *model, bool json)
{
    struct promela promela;
    long long states = 0;

    if (!promela_init(&promela, model)) {
        cli_fail("%s: more than %d state machines", path, PROMELA_MACHINES_MAX);
        return false;
    }
    if (promela.machine_count == 0) {
        if (!json)
            printf("%s: nothing to verify, it has no state machine\n", path);
        return true;
    }
    enum outcome outcome = check_groups(&promela, path, &states);
    if (outcome == PROVEN && !json)
        printf(
            "%s: no deadlock and no unspecified reception in %zu state machine%s, %lld state%s\n",
            path, promela.machine_count, cli_plural((long long)promela.machine_count), states,
            cli_plural(states));
    return outcome == PROVEN;
}
