#include "model/trace_ladder.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/render.h"

enum column { COLUMN_SOURCE, COLUMN_NEAR, COLUMN_DNS, COLUMN_FAR, COLUMN_DEST, COLUMN_COUNT };

/* The label of the message that begins phase 1, in Figure 6. */
static const char phase_1_label[] = "5D";

/* Figure 6 lists the single messages of an exchange under one step. */
static const struct ladder_group groups[] = {
    {"5E", "IKE phase 1"},
    {"5F", "the responder looks up the initiator's key"},
    {"5G", "IKE phase 2"},
    {"5H", "the responder checks the initiator's authority for its host"},
};

struct item {
    const struct event_record *record;
    struct item *cause; /* the other gateway's record that has to stand above, or NULL */
    bool repeats;       /* the cause is the same message, seen by its sender: one arrow is enough */
    bool included;
    bool taken; /* as the cause of another item */
    bool drawn;
};

struct side {
    const struct trace_source *source;
    struct item *items;
    enum column column; /* COLUMN_NEAR or COLUMN_FAR */
    struct ip_addr addr;
};

struct row_text {
    char text[sizeof(((struct event_record *)0)->title) +
              sizeof(((struct event_record *)0)->detail) + 32];
};

struct story {
    const struct trace_input *in;
    struct side sides[2]; /* of two, the near one first */
    size_t side_count;
    struct ladder_row *rows;
    struct row_text *texts;
    size_t row_count;
    mono_t start;
};

static bool is_sent(const struct event_record *r)
{
    return r->line != EVENT_LINE_NONE && r->from.party == EVENT_PARTY_SELF &&
           r->to.party == EVENT_PARTY_ADDR;
}

static bool is_received(const struct event_record *r)
{
    return r->line != EVENT_LINE_NONE && r->from.party == EVENT_PARTY_ADDR &&
           r->to.party == EVENT_PARTY_SELF;
}

static bool of_flow(const struct event_record *r, const struct ip_pair *flow)
{
    struct ip_pair back = ip_pair_reverse(flow);
    return ip_pair_equal(&r->flow, flow) || ip_pair_equal(&r->flow, &back);
}

static bool has_party(const struct event_record *r, enum event_party party)
{
    return r->from.party == party || r->to.party == party;
}

/* The first record that only one end of the flow would write tells which end this gateway is. */
static enum column side_role(const struct side *side, enum column otherwise)
{
    for (size_t i = 0; i < side->source->count; i++) {
        const struct event_record *r = side->items[i].record;
        if (!side->items[i].included)
            continue;
        if (has_party(r, EVENT_PARTY_SOURCE) || is_sent(r))
            return COLUMN_NEAR;
        if (has_party(r, EVENT_PARTY_DEST) || is_received(r))
            return COLUMN_FAR;
    }
    return otherwise;
}

/* The other gateway's address, as this one's records have it. */
static struct ip_addr side_peer(const struct side *side)
{
    for (size_t i = 0; i < side->source->count; i++) {
        const struct event_record *r = side->items[i].record;
        if (!side->items[i].included)
            continue;
        if (is_sent(r))
            return r->to.addr;
        if (is_received(r))
            return r->from.addr;
    }
    return (struct ip_addr){0};
}

static bool side_open(struct side *side, const struct trace_source *source,
                      const struct ip_pair *flow)
{
    side->source = source;
    side->addr = source->addr;
    side->items = calloc(source->count + 1, sizeof(*side->items));
    if (side->items == NULL)
        return false;
    for (size_t i = 0; i < source->count; i++) {
        side->items[i].record = &source->records[i];
        side->items[i].included = of_flow(&source->records[i], flow);
    }
    return true;
}

static bool story_open(struct story *s, const struct trace_input *in)
{
    size_t records = 0;
    *s = (struct story){.in = in, .side_count = in->source_count};
    for (size_t i = 0; i < s->side_count; i++) {
        if (!side_open(&s->sides[i], &in->sources[i], &in->flow))
            return false;
        records += in->sources[i].count;
    }
    s->rows = calloc(records + 1, sizeof(*s->rows));
    s->texts = calloc(records + 1, sizeof(*s->texts));
    return s->rows != NULL && s->texts != NULL;
}

static void story_close(struct story *s)
{
    for (size_t i = 0; i < s->side_count; i++)
        free(s->sides[i].items);
    free(s->rows);
    free(s->texts);
}

static void story_roles(struct story *s)
{
    struct side *a = &s->sides[0], *b = &s->sides[1];
    a->column = side_role(a, COLUMN_NEAR);
    if (s->side_count == 1)
        return;
    b->column = a->column == COLUMN_NEAR ? COLUMN_FAR : COLUMN_NEAR;
    if (a->addr.family == IP_NONE)
        a->addr = side_peer(b);
    if (b->addr.family == IP_NONE)
        b->addr = side_peer(a);
    if (a->column == COLUMN_FAR) {
        struct side near = *b;
        *b = *a;
        *a = near;
    }
}

/* Whether `sent` and `received` are one message. Repeats pair up in order. */
static bool same_message(const struct event_record *sent, const struct event_record *received)
{
    return is_sent(sent) && is_received(received) && sent->line == received->line &&
           strcmp(sent->label, received->label) == 0 && strcmp(sent->title, received->title) == 0;
}

/* A host can't be given a datagram before the other gateway sent it through the tunnel. */
static bool leads_to_delivery(const struct event_record *sent, const struct event_record *r)
{
    return is_sent(sent) && sent->line == EVENT_LINE_ESP && r->line != EVENT_LINE_NONE &&
           r->from.party == EVENT_PARTY_SELF &&
           (r->to.party == EVENT_PARTY_SOURCE || r->to.party == EVENT_PARTY_DEST);
}

typedef bool cause_test(const struct event_record *cause, const struct event_record *effect);

static struct item *find_cause(struct side *other, const struct event_record *r, cause_test *test)
{
    for (size_t i = 0; i < other->source->count; i++) {
        struct item *item = &other->items[i];
        if (item->included && !item->taken && test(item->record, r))
            return item;
    }
    return NULL;
}

static void match(struct side *other, struct side *side)
{
    for (size_t i = 0; i < side->source->count; i++) {
        struct item *item = &side->items[i];
        if (!item->included)
            continue;
        item->cause = find_cause(other, item->record, same_message);
        item->repeats = item->cause != NULL;
        if (item->cause == NULL)
            item->cause = find_cause(other, item->record, leads_to_delivery);
        if (item->cause != NULL)
            item->cause->taken = true;
    }
}

static bool names_no_flow(const struct event_record *r)
{
    return r->flow.src.family == IP_NONE;
}

static bool about_peer(const struct event_record *r, const struct ip_addr *peer)
{
    return names_no_flow(r) && peer->family != IP_NONE && ip_addr_equal(&r->peer, peer);
}

/* A lookup that names neither flow nor peer belongs to the connection of a record that does. */
static bool about_peers_connection(const struct side *side, size_t from, size_t to,
                                   const struct event_record *r, const struct ip_addr *peer)
{
    if (!names_no_flow(r) || r->peer.family != IP_NONE || r->connection == 0 ||
        r->room != EVENT_DISCOVER)
        return false;
    for (size_t i = from; i < to; i++) {
        const struct event_record *other = side->items[i].record;
        if (other->room == EVENT_OE && other->connection == r->connection &&
            about_peer(other, peer))
            return true;
    }
    return false;
}

/*
 * The responder's phase 1: from its last beginning up to the flow's first record. If the initiator
 * wrote down no such beginning for this flow, an older phase 1 was used again and isn't part of it.
 */
static void include_phase_1(struct side *responder, struct side *initiator)
{
    size_t first = 0, begin = SIZE_MAX;
    while (first < responder->source->count && !responder->items[first].included)
        first++;
    struct ip_addr peer = first < responder->source->count ? responder->items[first].record->peer
                                                           : (struct ip_addr){0};
    for (size_t i = 0; i < first; i++) {
        const struct event_record *r = responder->items[i].record;
        if (is_received(r) && strcmp(r->label, phase_1_label) == 0 && about_peer(r, &peer))
            begin = i;
    }
    if (begin == SIZE_MAX ||
        (initiator != NULL &&
         find_cause(initiator, responder->items[begin].record, same_message) == NULL))
        return;
    for (size_t i = begin; i < first; i++) {
        const struct event_record *r = responder->items[i].record;
        responder->items[i].included =
            about_peer(r, &peer) || about_peers_connection(responder, begin, first, r, &peer);
    }
}

static enum column end_column(const struct story *s, const struct side *side,
                              const struct event_end *end)
{
    enum column other = side->column == COLUMN_NEAR ? COLUMN_FAR : COLUMN_NEAR;
    switch (end->party) {
    case EVENT_PARTY_DNS:
        return COLUMN_DNS;
    case EVENT_PARTY_SOURCE:
        return COLUMN_SOURCE;
    case EVENT_PARTY_DEST:
        return COLUMN_DEST;
    case EVENT_PARTY_ADDR:
        return side->addr.family != IP_NONE && ip_addr_equal(&end->addr, &side->addr) ? side->column
               : ip_addr_equal(&end->addr, &s->in->flow.src) && other != COLUMN_NEAR ? COLUMN_SOURCE
               : ip_addr_equal(&end->addr, &s->in->flow.dst) && other != COLUMN_FAR  ? COLUMN_DEST
                                                                                     : other;
    default:
        return side->column;
    }
}

static char line_char(enum event_line line)
{
    return line == EVENT_LINE_ESP ? '=' : line == EVENT_LINE_IKE ? '#' : '-';
}

/* A question to DNS that is no step of the figure: a second kind of record, whose our host is. */
static bool is_aside(const struct event_record *r)
{
    return r->label[0] == '\0' &&
           (r->from.party == EVENT_PARTY_DNS || r->to.party == EVENT_PARTY_DNS);
}

static void add_row(struct story *s, const struct side *side, const struct event_record *r)
{
    bool arrow = r->line != EVENT_LINE_NONE;
    if (is_aside(r) && !s->in->notes)
        return;
    if (!arrow && r->level < EVENT_WARNING && (!s->in->notes || r->level == EVENT_DEBUG))
        return;
    if (s->row_count == 0)
        s->start = r->at;

    struct ladder_row *row = &s->rows[s->row_count];
    struct row_text *text = &s->texts[s->row_count++];
    row->from = arrow ? end_column(s, side, &r->from) : side->column;
    row->to = arrow ? end_column(s, side, &r->to) : side->column;
    row->line = line_char(r->line);
    row->label = r->label;
    row->text = text->text;
    if (r->label[0] == '\0') {
        snprintf(text->text, sizeof(text->text), "%s", r->title);
        return;
    }
    int len = snprintf(text->text, sizeof(text->text), "%+5lld ms  %s",
                       (long long)mono_since(r->at, s->start), r->title);
    if (s->in->details && r->detail[0] != '\0')
        snprintf(text->text + len, sizeof(text->text) - (size_t)len, ": %s", r->detail);
}

/* The next item of a side that is to be drawn, or NULL. */
static struct item *next_item(struct side *side, size_t *at)
{
    while (
        *at < side->source->count &&
        (!side->items[*at].included || (side->items[*at].repeats && side->items[*at].cause->drawn)))
        ++*at;
    return *at < side->source->count ? &side->items[*at] : NULL;
}

static bool waits(const struct item *item)
{
    return item->cause != NULL && !item->cause->drawn;
}

/* Whether `a` comes before `b`: causes before effects; else the clock decides. */
static bool comes_first(const struct item *a, const struct item *b)
{
    bool a_waits = waits(a), b_waits = waits(b);
    if (a_waits != b_waits)
        return b_waits;
    return a->record->at.ms <= b->record->at.ms;
}

static void merge(struct story *s)
{
    size_t at[2] = {0, 0};
    for (;;) {
        struct item *a = next_item(&s->sides[0], &at[0]);
        struct item *b = s->side_count > 1 ? next_item(&s->sides[1], &at[1]) : NULL;
        if (a == NULL && b == NULL)
            return;
        size_t side = a == NULL || (b != NULL && !comes_first(a, b));
        struct item *item = side ? b : a;
        item->drawn = true;
        add_row(s, &s->sides[side], item->record);
        at[side]++;
    }
}

static const char *name_of(const struct trace_input *in, const struct ip_addr *addr,
                           const char *otherwise)
{
    for (size_t i = 0; i < in->name_count; i++)
        if (ip_addr_equal(&in->names[i].addr, addr))
            return in->names[i].name;
    return otherwise;
}

/* The address of each column, family 0 where it isn't known. */
static void column_addresses(const struct story *s, struct ip_addr addrs[COLUMN_COUNT])
{
    memset(addrs, 0, COLUMN_COUNT * sizeof(*addrs));
    addrs[COLUMN_SOURCE] = s->in->flow.src;
    addrs[COLUMN_DEST] = s->in->flow.dst;
    for (size_t i = 0; i < s->side_count; i++) {
        const struct side *side = &s->sides[i];
        addrs[side->column] = side->addr;
        if (s->side_count == 1)
            addrs[side->column == COLUMN_NEAR ? COLUMN_FAR : COLUMN_NEAR] = side_peer(side);
    }
}

/* The two hosts always are there; a gateway or the DNS only where something was said to it. */
static bool column_used(const struct story *s, enum column column)
{
    bool used = column == COLUMN_SOURCE || column == COLUMN_DEST;
    for (size_t i = 0; i < s->side_count; i++)
        used = used || s->sides[i].column == column;
    for (size_t i = 0; i < s->row_count; i++)
        used = used || s->rows[i].from == column || s->rows[i].to == column;
    return used;
}

static bool write_html(const struct ladder *ladder, struct drawing *out)
{
    render_html_head(out, ladder->title != NULL ? ladder->title : "message ladder");
    drawing_markup(out, "<figure>\n");
    bool ok = ladder_svg(ladder, false, out);
    drawing_markup(out, "</figure>\n");
    ok = ok && ladder_html_list(ladder, out);
    render_html_foot(out);
    return ok && !out->bad;
}

static bool render(struct story *s, enum trace_format format, struct drawing *out)
{
    static const char *const defaults[COLUMN_COUNT] = {"source", "gateway", "DNS", "peer", "dest"};
    struct ladder_party parties[COLUMN_COUNT];
    struct ip_addr addrs[COLUMN_COUNT];
    char about[COLUMN_COUNT][IP_ADDR_TEXT_MAX];
    size_t index[COLUMN_COUNT], count = 0;

    column_addresses(s, addrs);
    for (int i = 0; i < COLUMN_COUNT; i++) {
        index[i] = count;
        if (!column_used(s, (enum column)i))
            continue;
        parties[count].name = name_of(s->in, &addrs[i], defaults[i]);
        parties[count].about =
            addrs[i].family == IP_NONE ? NULL : ip_addr_format(&addrs[i], about[i]);
        count++;
    }
    for (size_t i = 0; i < s->row_count; i++) {
        s->rows[i].from = index[s->rows[i].from];
        s->rows[i].to = index[s->rows[i].to];
    }
    const struct ladder ladder = {
        .title = s->in->title,
        .parties = parties,
        .party_count = count,
        .rows = s->rows,
        .row_count = s->row_count,
        .groups = groups,
        .group_count = sizeof(groups) / sizeof(groups[0]),
        .labels_only = s->in->labels_only,
    };
    return format == TRACE_HTML ? write_html(&ladder, out) : ladder_render(&ladder, out);
}

bool trace_ladder_render(const struct trace_input *in, enum trace_format format,
                         struct drawing *out)
{
    struct story s;
    bool ok = false;

    if (in->source_count < 1 || in->source_count > 2)
        return false;
    if (story_open(&s, in)) {
        story_roles(&s);
        struct side *near = &s.sides[0], *far = &s.sides[1];
        if (s.side_count == 2) {
            include_phase_1(far, near);
            match(near, far);
            match(far, near);
        } else if (near->column == COLUMN_FAR) {
            include_phase_1(near, NULL); /* the only one there is, and it responded */
        }
        merge(&s);
        ok = render(&s, format, out);
    }
    story_close(&s);
    return ok;
}
