/*
 * cygnet model render
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/model.h"
#include "model/render.h"

static const char usage[] =
    "usage: cygnet model render --to text|svg|html [--only DIAGRAM [--bare]] FILE\n"
    "\n"
    "Draws a protocol model on standard output.\n"
    "\n"
    "  -t, --to FORMAT     text: 7-bit, at most 72 columns; html: one page with everything in it;\n"
    "                      svg: one diagram\n"
    "  -o, --only DIAGRAM  only the diagram with this id; svg wants it unless there is only one\n"
    "  -b, --bare          as text without the list that explains labels and numbers\n"
    "  -h, --help          print this\n";

enum format { FORMAT_NONE, FORMAT_TEXT, FORMAT_SVG, FORMAT_HTML };

struct options {
    enum format format;
    const char *only;
    bool bare;
    const char *file;
};

static enum format format_of(const char *name)
{
    return strcmp(name, "text") == 0   ? FORMAT_TEXT
           : strcmp(name, "svg") == 0  ? FORMAT_SVG
           : strcmp(name, "html") == 0 ? FORMAT_HTML
                                       : FORMAT_NONE;
}

/* -1: go on; else the exit status. */
static int read_options(struct options *options, int argc, char **argv)
{
    static const struct option long_options[] = {{"to", required_argument, NULL, 't'},
                                                 {"only", required_argument, NULL, 'o'},
                                                 {"bare", no_argument, NULL, 'b'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    int option;
    while ((option = getopt_long(argc, argv, "t:o:bh", long_options, NULL)) != -1)
        switch (option) {
        case 't':
            options->format = format_of(optarg);
            if (options->format == FORMAT_NONE)
                return cli_misused("model render", "'%s' is none of text, svg, html", optarg);
            break;
        case 'o':
            options->only = optarg;
            break;
        case 'b':
            options->bare = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return CLI_OK;
        default:
            fputs("see 'cygnet model render --help'\n", stderr);
            return CLI_USAGE;
        }
    if (options->format == FORMAT_NONE)
        return cli_misused("model render", "say --to text, svg or html");
    if (optind + 1 != argc)
        return cli_misused("model render", "name one file, or - for standard input");
    if (options->only != NULL && options->format == FORMAT_HTML)
        return cli_misused("model render", "html is the whole model; leave out --only");
    if (options->bare && (options->only == NULL || options->format != FORMAT_TEXT))
        return cli_misused("model render", "--bare goes with --to text and --only");
    options->file = argv[optind];
    return -1;
}

static const struct model_diagram *pick(const struct model *model, const struct options *options)
{
    const struct model_diagram *diagram;
    if (options->only != NULL) {
        diagram = model_diagram_find(model, options->only);
        if (diagram == NULL)
            cli_fail("%s: no diagram is called '%s'", options->file, options->only);
        return diagram;
    }
    diagram = model_diagram(model, 0);
    if (diagram == NULL)
        cli_fail("%s: the model has no diagram", options->file);
    else if (model_diagram(model, 1) != NULL) {
        cli_fail("%s: the model has several diagrams; say which one with --only", options->file);
        return NULL;
    }
    return diagram;
}

static int render(const struct model *model, const struct options *options, struct drawing *out)
{
    const struct model_diagram *diagram = NULL;
    bool one = options->only != NULL || options->format == FORMAT_SVG;
    if (one && (diagram = pick(model, options)) == NULL)
        return CLI_FAILED;
    bool ok = options->format == FORMAT_HTML  ? render_html(model, out)
              : options->format == FORMAT_SVG ? render_diagram_svg(model, diagram, true, out)
              : options->bare                 ? render_figure_text(model, diagram, out)
              : one                           ? render_diagram_text(model, diagram, out)
                                              : render_text(model, out);
    if (!ok)
        return cli_fail("out of memory");
    fwrite(out->text, 1, out->len, stdout);
    return fflush(stdout) == 0 ? CLI_OK : cli_fail("cannot write");
}

int cli_model_render(int argc, char **argv)
{
    struct options options = {0};
    struct drawing out = {0};
    int status = read_options(&options, argc, argv);
    if (status >= 0)
        return status;
    struct model *model = cli_model_load(options.file);
    status = model != NULL ? render(model, &options, &out) : CLI_FAILED;
    drawing_fini(&out);
    model_free(model);
    return status;
}
