/* Models: a mistake has its place in the file; what is a model can be checked and drawn, in lines of
 * at most 72 plain characters. */
#include "fuzz.h"

#include <stdlib.h>

#include "model/check.h"
#include "model/render.h"

static void check_mistake(const uint8_t *data, size_t len, const struct model_error *error)
{
    size_t lines = 1;
    for (size_t i = 0; i < len; i++)
        lines += data[i] == '\n';
    assert(error->place.line >= 1 && error->place.line <= lines);
    assert(error->place.column >= 1 && error->place.column <= len + 1);
    assert(error->what[0] != '\0' && error->remedy[0] != '\0');
}

static void check_text(const struct drawing *out)
{
    size_t column = 0;
    for (size_t i = 0; i < out->len; i++) {
        assert(out->text[i] == '\n' || (out->text[i] >= ' ' && out->text[i] <= '~'));
        column = out->text[i] == '\n' ? 0 : column + 1;
        assert(column <= DRAWING_WIDTH);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct model_error error;
    struct model *model = model_parse((const char *)data, len, &error);
    if (model == NULL) {
        check_mistake(data, len, &error);
        return 0;
    }
    struct check_report report;
    check_model(model, &report);
    assert(!report.bad);
    check_report_fini(&report);

    struct drawing out = {0};
    bool ok = render_text(model, &out);
    assert(ok);
    check_text(&out);
    ok = render_html(model, &out);
    assert(ok);
    drawing_fini(&out);
    model_free(model);
    return 0;
}
