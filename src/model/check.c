#include "model/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "model/check_private.h"

void check_find(struct checker *c, struct model_place place, const char *rule, const char *remedy,
                const char *format, ...)
{
    void *items = c->report->findings;
    struct check_finding *finding =
        arena_push(&c->report->arena, &items, &c->report->count, sizeof(*finding));
    if (finding == NULL) {
        c->report->bad = true;
        return;
    }
    c->report->findings = items;
    *finding = (struct check_finding){.place = place, .rule = rule};
    va_list args;
    va_start(args, format);
    vsnprintf(finding->what, sizeof(finding->what), format, args);
    va_end(args);
    TEXT_SET(finding->remedy, "%s", remedy);
}

static int by_place(const void *a, const void *b)
{
    const struct check_finding *x = a, *y = b;
    if (x->place.line != y->place.line)
        return x->place.line < y->place.line ? -1 : 1;
    if (x->place.column != y->place.column)
        return x->place.column < y->place.column ? -1 : 1;
    return strcmp(x->what, y->what);
}

void check_model(const struct model *model, struct check_report *ret)
{
    struct checker c = {.model = model, .report = ret};
    *ret = (struct check_report){.count = 0};
    check_document(&c);
    check_use(&c);
    check_machines(&c);
    check_paths(&c);
    if (ret->count > 0)
        qsort(ret->findings, ret->count, sizeof(*ret->findings), by_place);
}

void check_report_fini(struct check_report *report)
{
    arena_free(&report->arena);
    *report = (struct check_report){.count = 0};
}
