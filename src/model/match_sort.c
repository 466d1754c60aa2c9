#include "model/match_sort.h"

#include <stdlib.h>

static int compare_ends(const struct match_end *a, const struct match_end *b)
{
    int hosts = strcmp(a->host, b->host);
    return hosts != 0 ? hosts : a->port < b->port ? -1 : a->port > b->port;
}

static const struct match_end *lower_end(const struct match_packet *p)
{
    return compare_ends(&p->from, &p->to) <= 0 ? &p->from : &p->to;
}

static const struct match_end *higher_end(const struct match_packet *p)
{
    return compare_ends(&p->from, &p->to) <= 0 ? &p->to : &p->from;
}

/* 0: of one exchange. */
static int compare_exchanges(const struct match_packet *a, const struct match_packet *b)
{
    int keys = strcmp(a->key, b->key);
    if (keys != 0 || a->key[0] != '\0')
        return keys;
    int low = compare_ends(lower_end(a), lower_end(b));
    return low != 0 ? low : compare_ends(higher_end(a), higher_end(b));
}

struct slot {
    const struct match_packet *packet;
    size_t index;
};

static int by_exchange(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;
    int exchanges = compare_exchanges(x->packet, y->packet);
    return exchanges != 0 ? exchanges : x->index < y->index ? -1 : x->index > y->index;
}

static int by_first_packet(const void *a, const void *b)
{
    const struct match_exchange *x = a, *y = b;
    return x->packets[0] < y->packets[0] ? -1 : x->packets[0] > y->packets[0];
}

static bool same_end(const struct match_end *a, const struct match_end *b)
{
    return compare_ends(a, b) == 0;
}

/* Which side an end is; hosts tell, ports only where one host is both. */
static size_t side_of(const struct match_exchange *x, const struct match_end *end)
{
    bool one_host = strcmp(x->hosts[0].host, x->hosts[1].host) == 0;
    for (size_t i = 0; i < 2; i++)
        if (one_host ? same_end(end, &x->hosts[i]) : strcmp(end->host, x->hosts[i].host) == 0)
            return i;
    return MODEL_NONE;
}

/* A side that is heard from, or spoken to, elsewhere has moved: the other end tells which it is. */
static void place_on_sides(struct match_exchange *x, size_t at, const struct match_packet *p)
{
    if (at == 0) {
        x->hosts[0] = p->from;
        x->hosts[1] = p->to;
        x->host_count = 2;
    }
    size_t from = side_of(x, &p->from), to = side_of(x, &p->to);
    if (from == MODEL_NONE || from == to)
        from = to == MODEL_NONE ? 0 : 1 - to;
    x->from[at] = from;
    x->to[at] = 1 - from;
}

static size_t host_of(struct match_exchange *x, const struct match_end *end)
{
    for (size_t i = 0; i < x->host_count; i++)
        if (strcmp(x->hosts[i].host, end->host) == 0)
            return i;
    if (x->host_count == MATCH_HOSTS_MAX)
        return MODEL_NONE;
    x->hosts[x->host_count] = *end;
    return x->host_count++;
}

static void place(struct match_exchange *x, size_t at, const struct match_packet *p, bool two_sides)
{
    if (two_sides) {
        place_on_sides(x, at, p);
        return;
    }
    x->from[at] = host_of(x, &p->from);
    x->to[at] = host_of(x, &p->to);
}

static bool fill(struct match_exchange *x, const struct slot *slots, size_t count, bool two_sides)
{
    x->key = slots[0].packet->key;
    x->packets = calloc(count, sizeof(*x->packets));
    x->taken = calloc(count, sizeof(*x->taken));
    x->diagrams = calloc(count, sizeof(*x->diagrams));
    x->from = calloc(count, sizeof(*x->from));
    x->to = calloc(count, sizeof(*x->to));
    if (x->packets == NULL || x->taken == NULL || x->diagrams == NULL || x->from == NULL ||
        x->to == NULL)
        return false;
    x->packet_count = count;
    for (size_t i = 0; i < count; i++) {
        x->packets[i] = slots[i].index;
        place(x, i, slots[i].packet, two_sides);
    }
    return true;
}

static size_t run_length(const struct slot *slots, size_t count)
{
    size_t len = 1;
    while (len < count && compare_exchanges(slots[0].packet, slots[len].packet) == 0)
        len++;
    return len;
}

bool match_sort(struct match_report *report)
{
    const struct match_input *in = report->input;
    size_t count = in->packet_count;
    struct slot *slots = calloc(count + 1, sizeof(*slots));
    report->exchanges = calloc(count + 1, sizeof(*report->exchanges));
    bool ok = slots != NULL && report->exchanges != NULL;

    for (size_t i = 0; i < count && ok; i++)
        slots[i] = (struct slot){&in->packets[i], i};
    if (ok && count > 0)
        qsort(slots, count, sizeof(*slots), by_exchange);
    for (size_t i = 0; i < count && ok;) {
        size_t len = run_length(slots + i, count - i);
        ok = fill(&report->exchanges[report->exchange_count++], slots + i, len, in->two_sides);
        i += len;
    }
    if (ok && count > 0)
        qsort(report->exchanges, report->exchange_count, sizeof(*report->exchanges),
              by_first_packet);
    free(slots);
    return ok;
}
