/*
 * What `cygnet trace --json` printed, from one gateway or from two. A message is told by its label;
 * one that both gateways wrote down is taken from its sender.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/model_seen.h"
#include "daemon/event_json.h"

enum { GATEWAYS = 2, KEY_MAX = 2 * IP_ADDR_TEXT_MAX + 8 };

struct line {
    struct event_record record;
    size_t gateway;
    bool taken; /* its place in the order is found */
};

struct trace {
    struct line *lines;
    size_t count;
    char names[GATEWAYS][64]; /* "" if only one wrote, and gave no name */
    struct ip_addr addrs[GATEWAYS];
    size_t gateway_count;
};

static bool gateway_of(struct trace *t, const char *name, size_t *ret)
{
    for (size_t i = 0; i < t->gateway_count; i++) {
        if (strcmp(t->names[i], name) == 0) {
            *ret = i;
            return true;
        }
    }
    if (t->gateway_count == GATEWAYS || strlen(name) >= sizeof(t->names[0]))
        return false;
    strcpy(t->names[t->gateway_count], name);
    *ret = t->gateway_count++;
    return true;
}

static bool add_line(struct trace *t, struct arena *arena, const json_t *object)
{
    struct line line = {0};
    void *lines = t->lines;
    if (!event_json_parse(object, &line.record))
        return true; /* a gap, or a record of a newer daemon */
    if (!gateway_of(t, cli_text(object, "gateway", ""), &line.gateway)) {
        cli_fail("a trace of more than %d gateways; choose two with --socket", GATEWAYS);
        return false;
    }
    struct line *new = arena_push(arena, &lines, &t->count, sizeof(*new));
    if (new == NULL) {
        cli_fail("out of memory");
        return false;
    }
    t->lines = lines;
    *new = line;
    return true;
}

static bool read_lines(struct trace *t, struct arena *arena, const char *path, const char *text)
{
    for (size_t number = 1; *text != '\0'; number++) {
        size_t len = strcspn(text, "\n");
        json_error_t error;
        json_t *object = len > 0 ? json_loadb(text, len, 0, &error) : NULL;
        if (len > 0 && object == NULL) {
            cli_fail("%s:%zu: %s; a trace is what 'cygnet trace --json' prints", path, number,
                     error.text);
            return false;
        }
        bool ok = object == NULL || add_line(t, arena, object);
        json_decref(object);
        if (!ok)
            return false;
        text += len + (text[len] == '\n');
    }
    return true;
}

static bool is_message(const struct event_record *r)
{
    return r->line != EVENT_LINE_NONE && r->label[0] != '\0' && r->from.party != EVENT_PARTY_NONE &&
           r->to.party != EVENT_PARTY_NONE;
}

/* Each gateway's address is what the other calls it. */
static void learn_addresses(struct trace *t)
{
    for (size_t i = 0; i < t->count && t->gateway_count == GATEWAYS; i++) {
        const struct event_record *r = &t->lines[i].record;
        struct ip_addr *other = &t->addrs[1 - t->lines[i].gateway];
        if (!is_message(r) || other->family != IP_NONE)
            continue;
        if (r->to.party == EVENT_PARTY_ADDR)
            *other = r->to.addr;
        else if (r->from.party == EVENT_PARTY_ADDR)
            *other = r->from.addr;
    }
}

/* Its sender wrote it down, too. */
static bool told_twice(const struct trace *t, const struct line *line)
{
    const struct event_record *r = &line->record;
    const struct ip_addr *other = &t->addrs[1 - line->gateway];
    return t->gateway_count == GATEWAYS && r->to.party == EVENT_PARTY_SELF &&
           r->from.party == EVENT_PARTY_ADDR && ip_addr_equal(&r->from.addr, other);
}

static const char *keep(struct seen *seen, const char *text)
{
    size_t len = strlen(text) + 1;
    char *kept = arena_alloc(&seen->arena, len);
    return kept != NULL ? memcpy(kept, text, len) : "";
}

static const char *host_name(struct seen *seen, const struct trace *t, const struct line *line,
                             const struct event_end *end)
{
    char text[IP_ADDR_TEXT_MAX];
    const struct event_record *r = &line->record;
    switch (end->party) {
    case EVENT_PARTY_SELF:
        if (t->addrs[line->gateway].family != IP_NONE)
            return keep(seen, ip_addr_format(&t->addrs[line->gateway], text));
        return "this gateway";
    case EVENT_PARTY_DNS:
        return "DNS";
    case EVENT_PARTY_SOURCE:
        return keep(seen, ip_addr_format(&r->flow.src, text));
    case EVENT_PARTY_DEST:
        return keep(seen, ip_addr_format(&r->flow.dst, text));
    default:
        return keep(seen, ip_addr_format(&end->addr, text));
    }
}

static bool has_flow(const struct event_record *r)
{
    return r->flow.src.family != IP_NONE;
}

/* A lookup may name its connection only: then it is about the peer of that connection. */
static struct ip_addr peer_of(const struct trace *t, size_t i)
{
    const struct line *line = &t->lines[i];
    const struct event_record *r = &line->record;
    if (r->peer.family != IP_NONE || r->connection == 0 || r->room != EVENT_DISCOVER)
        return r->peer;
    for (size_t j = 0; j < t->count; j++) {
        const struct event_record *other = &t->lines[j].record;
        if (t->lines[j].gateway == line->gateway && other->room == EVENT_OE &&
            other->connection == r->connection && other->peer.family != IP_NONE)
            return other->peer;
    }
    return r->peer;
}

/* A responder's phase 1 names no flow: it is that of the peer's next record that does. */
static const struct event_record *record_with_flow(const struct trace *t, size_t i)
{
    const struct line *line = &t->lines[i];
    if (has_flow(&line->record))
        return &line->record;
    const struct ip_addr peer = peer_of(t, i);
    for (size_t j = i + 1; j < t->count && peer.family != IP_NONE; j++) {
        const struct line *later = &t->lines[j];
        if (later->gateway == line->gateway && has_flow(&later->record) &&
            ip_addr_equal(&later->record.peer, &peer))
            return &later->record;
    }
    return NULL;
}

static const char *exchange_key(struct seen *seen, const struct trace *t, size_t i)
{
    char a[IP_ADDR_TEXT_MAX], b[IP_ADDR_TEXT_MAX], key[KEY_MAX];
    const struct event_record *r = record_with_flow(t, i);
    if (r == NULL)
        return "no flow";
    ip_addr_format(&r->flow.src, a);
    ip_addr_format(&r->flow.dst, b);
    bool in_order = strcmp(a, b) <= 0;
    snprintf(key, sizeof(key), "%s and %s", in_order ? a : b, in_order ? b : a);
    return keep(seen, key);
}

static bool add_message(struct seen *seen, const struct model *model, const struct trace *t,
                        size_t i)
{
    const struct line *line = &t->lines[i];
    struct match_set messages = {0};
    bool any = false;

    if (!is_message(&line->record) || told_twice(t, line))
        return true;
    for (size_t m = 0; m < model->message_count; m++) {
        const char *label = model->messages[m].label;
        if (label == NULL || strcmp(label, line->record.label) != 0)
            continue;
        match_set_add(&messages, m);
        any = true;
    }
    if (!any)
        return true;
    /* two gateways may give the same serial: the line's number tells them apart */
    struct match_packet *packet = seen_packet(seen, i + 1);
    if (packet == NULL)
        return false;
    packet->at_us = line->record.at.ms * 1000;
    packet->from.host = host_name(seen, t, line, &line->record.from);
    packet->to.host = host_name(seen, t, line, &line->record.to);
    packet->key = exchange_key(seen, t, i);
    packet->messages = messages;
    return true;
}

static bool sends(const struct trace *t, const struct line *line, size_t gateway)
{
    return line->gateway == gateway && is_message(&line->record) && !told_twice(t, line) &&
           line->record.from.party == EVENT_PARTY_SELF;
}

/* A datagram for a host behind this gateway. */
static bool delivers(const struct line *line)
{
    const struct event_record *r = &line->record;
    return is_message(r) && r->from.party == EVENT_PARTY_SELF &&
           (r->to.party == EVENT_PARTY_SOURCE || r->to.party == EVENT_PARTY_DEST);
}

static bool alike(const struct line *a, const struct line *b)
{
    return strcmp(a->record.label, b->record.label) == 0;
}

/* Whether `sent`, of the other gateway, is the kind of line that has to come before `line`. */
static bool leads_to(const struct trace *t, const struct line *sent, const struct line *line)
{
    if (!sends(t, sent, 1 - line->gateway))
        return false;
    return delivers(line) ? sent->record.line == EVENT_LINE_ESP : alike(sent, line);
}

/* Whether `before` has used up a line that led to one like `line`. */
static bool came_like(const struct trace *t, const struct line *before, const struct line *line)
{
    if (before->gateway != line->gateway || !before->taken)
        return false;
    return delivers(line) ? delivers(before) : told_twice(t, before) && alike(before, line);
}

/* Clocks of one machine may give both ends the same time: nothing is received, nor a datagram given
 * to a host, before it was sent. What is alike is received in the order in which it was sent. */
static bool comes_too_early(const struct trace *t, const struct line *line)
{
    size_t received = 0, sent = 0, sent_so_far = 0;
    if (!is_message(&line->record) || !(told_twice(t, line) || delivers(line)))
        return false;
    for (size_t i = 0; i < t->count; i++) {
        const struct line *other = &t->lines[i];
        bool leads = leads_to(t, other, line);
        received += came_like(t, other, line);
        sent += leads;
        sent_so_far += leads && other->taken;
    }
    return received < sent && received >= sent_so_far;
}

/* The first line of a gateway from *at on that has no place yet; t->count: none. */
static size_t next_of(const struct trace *t, size_t gateway, size_t *at)
{
    while (*at < t->count && (t->lines[*at].taken || t->lines[*at].gateway != gateway))
        ++*at;
    return *at;
}

/* Both gateways' lines in the order of the file, but for those that come too early. */
static size_t next_line(struct trace *t, size_t at[GATEWAYS])
{
    size_t a = next_of(t, 0, &at[0]), b = next_of(t, 1, &at[1]);
    size_t first = a < b ? a : b, second = a < b ? b : a;
    if (first < t->count && second < t->count && comes_too_early(t, &t->lines[first]))
        first = second;
    if (first < t->count)
        t->lines[first].taken = true;
    return first;
}

static bool add_messages(struct seen *seen, const struct model *model, struct trace *t)
{
    size_t at[GATEWAYS] = {0}, line;
    while ((line = next_line(t, at)) < t->count)
        if (!add_message(seen, model, t, line))
            return false;
    return true;
}

/* Gateways are observers by the name that their messages have. */
static void set_observers(struct seen *seen, const struct trace *t)
{
    for (size_t i = 0; i < t->gateway_count; i++) {
        const struct line line = {.gateway = i};
        const struct event_end self = {.party = EVENT_PARTY_SELF};
        seen->observers[i] = host_name(seen, t, &line, &self);
    }
    seen->input.observers = seen->observers;
    seen->input.observer_count = t->gateway_count;
}

/* The plane tells keyd of no datagram that came out of a tunnel. */
static void set_visible(struct seen *seen, const struct model *model)
{
    for (size_t i = 0; i < model->message_count; i++) {
        const struct model_message *m = &model->messages[i];
        if (m->label == NULL)
            continue;
        match_set_add(&seen->input.visible, i);
        if (m->association != MODEL_NONE && model->associations[m->association].line == '=')
            match_set_add(&seen->input.sender_only, i);
    }
}

bool seen_trace(struct seen *seen, const struct model *model, const char *path, const char *text)
{
    struct trace t = {0};
    bool ok = read_lines(&t, &seen->arena, path, text);

    set_visible(seen, model);
    learn_addresses(&t);
    ok = ok && add_messages(seen, model, &t);
    set_observers(seen, &t);
    seen->input.packets = seen->packets;
    seen->input.packet_count = seen->count;
    return ok;
}
