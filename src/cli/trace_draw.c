#include "cli/trace_draw.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

static struct ip_pair newest_flow(const struct trace_entry *entries, size_t count)
{
    const struct event_record *newest = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct event_record *record = &entries[i].record;
        if (record->flow.src.family != IP_NONE && record->flow.dst.family != IP_NONE &&
            (newest == NULL || record->at.ms >= newest->at.ms))
            newest = record;
    }
    return newest != NULL ? newest->flow : (struct ip_pair){0};
}

static size_t split(const struct trace_entry *entries, size_t count, struct event_record *records,
                    struct trace_source *ret)
{
    size_t sources = 0;

    for (size_t i = 0; i < count; i++) {
        records[i] = entries[i].record;
        if (i == 0 || entries[i].source != entries[i - 1].source) {
            assert(sources < TRACE_DRAW_SOURCES);
            ret[sources++] = (struct trace_source){.records = records + i};
        }
        ret[sources - 1].count++;
    }
    return sources;
}

static bool draw(const struct trace_entry *entries, size_t count,
                 const struct trace_drawing *drawing, const struct ip_pair *flow)
{
    struct trace_source sources[TRACE_DRAW_SOURCES] = {0};
    struct event_record *records = calloc(count, sizeof(*records));
    struct drawing text = {0};
    char title[IP_PAIR_TEXT_MAX];

    if (records == NULL)
        return false;
    struct trace_input input = {
        .title = ip_pair_format(flow, title),
        .flow = *flow,
        .sources = sources,
        .source_count = split(entries, count, records, sources),
        .names = drawing->names,
        .name_count = drawing->name_count,
    };
    bool ok = trace_ladder_render(&input, drawing->format, &text);
    if (ok && text.text != NULL)
        fputs(text.text, stdout);
    drawing_fini(&text);
    free(records);
    return ok;
}

bool trace_draw(const struct trace_entry *entries, size_t count,
                const struct trace_drawing *drawing)
{
    struct ip_pair flow = drawing->flow;

    if (flow.src.family == IP_NONE)
        flow = newest_flow(entries, count);
    if (flow.src.family == IP_NONE) {
        cli_fail("nothing to draw: the trace names no flow yet");
        return false;
    }
    if (draw(entries, count, drawing, &flow))
        return true;
    cli_fail("out of memory");
    return false;
}
