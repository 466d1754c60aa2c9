/*
 * cygnet model
 */
#include "cli/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} verbs[] = {
    {"check", cli_model_check, "whether it is complete and agrees with itself"},
    {"match", cli_model_match, "hold a capture or a trace of Cygnet against it"},
    {"render", cli_model_render, "draw it as text, SVG or one HTML page"},
};

enum { VERB_COUNT = sizeof(verbs) / sizeof(verbs[0]) };

static void print_usage(FILE *to)
{
    fputs("usage: cygnet model VERB [OPTION...] FILE\n\n"
          "Protocol models, written in the language of docs/models/language.md.\n\n",
          to);
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(to, "  %-8s %s\n", verbs[i].name, verbs[i].summary);
    fputs("\n'cygnet model VERB --help' says more.\n", to);
}

/* One octet more than a model may have is read, so that the parser can refuse it. */
static char *read_all(FILE *file, size_t *ret_len)
{
    char *text = malloc(MODEL_FILE_MAX + 1);
    if (text != NULL)
        *ret_len = fread(text, 1, MODEL_FILE_MAX + 1, file);
    return text;
}

struct model *cli_model_load(const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    struct model *model = NULL;
    struct model_error error;
    size_t len = 0;

    if (file == NULL) {
        cli_fail("%s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = read_all(file, &len);
    if (text != NULL && ferror(file))
        cli_fail("%s: %s", path, strerror(errno));
    else if (text == NULL)
        cli_fail("out of memory");
    else if ((model = model_parse(text, len, &error)) == NULL && error.place.line == 0)
        cli_fail("%s", error.what);
    else if (model == NULL)
        fprintf(stderr, "%s:%u:%u: %s; %s\n", path, error.place.line, error.place.column,
                error.what, error.remedy);
    free(text);
    if (!standard)
        fclose(file);
    return model;
}

int cli_model(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    cli_misused("model", "there is no 'model %s'", argv[1]);
    return CLI_USAGE;
}
