/*
 * Who talks with whom, and when: conversations begin more often by day, mostly with the same few
 * peers; most are short, some last for hours.
 */
#include "week.h"

#include <stdlib.h>

enum {
    SESSIONS_FIRST = 256,
    /* A tunnel that nobody uses is gone by then: its last lifespan, the whole of the next, and the
     * three tries of the Delete; or the SA that a re-key replaced has ended (OE-098, OE-099). */
    LIVE_S = 2 * WEEK_LIFESPAN_S + 600,
    NONE = UINT32_MAX,
};

/* Conversations begun in each hour, in tenths of the mean. */
static const uint8_t by_hour[24] = {3,  2,  1,  1,  1,  2,  4,  8,  13, 16, 17, 17,
                                    15, 16, 17, 17, 16, 14, 13, 12, 11, 10, 8,  6};

enum { BUSIEST = 17 };

static unsigned hour_now(const struct week *week)
{
    const struct world *w = &week->world;
    return (unsigned)((w->now_us - w->epoch_us) / WEEK_HOUR_US % 24);
}

/* As often as in the busiest hour; in others most of them don't take place. */
static void next_arrival(struct week *week)
{
    uint64_t a_day = (uint64_t)week->config.gateways * week->config.sessions;
    uint32_t mean_ms = (uint32_t)(UINT64_C(864000000) / (a_day * BUSIEST));

    week_call(week, WEEK_ARRIVAL, NULL, 0,
              1000 * (int64_t)world_random(&week->world, 2 * mean_ms + 1));
}

static void grow(struct week *week)
{
    uint32_t room = week->session_room ? 2 * week->session_room : SESSIONS_FIRST;

    week->sessions = world_resize(&week->world, week->sessions, room * sizeof(*week->sessions));
    for (uint32_t i = room; i > week->session_room; i--) {
        week->sessions[i - 1] = (struct week_session){.next_unused = week->unused};
        week->unused = i - 1;
    }
    week->session_room = room;
}

static struct week_gateway *choose_peer(struct week *week, const struct week_gateway *from)
{
    static const uint8_t friends[] = {1, 2, 3, 5, 8, 13, 21, 34};
    uint32_t count = week->config.gateways, number = (uint32_t)from->g->number;
    uint32_t other = world_random(&week->world, count);

    if (world_chance(&week->world, 700))
        other = number + friends[world_random(&week->world, sizeof(friends))];
    other %= count;
    return &week->gateways[other != number ? other : (number + 1) % count];
}

static int64_t choose_length(struct week *week)
{
    uint32_t percent = world_random(&week->world, 100);

    if (percent < 60)
        return week_time(week, 60, 300);
    return percent < 90 ? week_time(week, 300, 2400) : week_time(week, 3600, 6 * 3600);
}

static void begin(struct week *week)
{
    struct world *w = &week->world;

    if (week->unused == NONE)
        grow(week);
    uint32_t number = week->unused;
    struct week_session *s = &week->sessions[number];
    struct week_gateway *from = &week->gateways[world_random(w, week->config.gateways)];
    struct week_gateway *to = choose_peer(week, from);

    week->unused = s->next_unused;
    *s = (struct week_session){
        .from = from, .to = to, .began_us = w->now_us, .heard_us = w->now_us, .clear_us = -1};
    s->flow.src = from->g->hosts[world_random(w, SIM_HOSTS)].addr;
    s->flow.dst = to->g->hosts[world_random(w, SIM_HOSTS)].addr;
    s->ends_us = w->now_us + choose_length(week);
    if (s->ends_us > week->ends_us)
        s->ends_us = week->ends_us;
    from->live++;
    to->live++;
    week->live++;
    week->counts.flows++;
    week->counts.both += from->on && to->on;
    week_call(week, WEEK_TALK, NULL, number, 0);
}

static void end(struct week *week, uint32_t number)
{
    struct week_session *s = &week->sessions[number];

    s->ended = true;
    if (s->tunnelled == 0 && s->clear == 0)
        week->counts.nothing++;
    else if (s->tunnelled > s->clear)
        week->counts.encrypted++;
    else
        week->counts.clear++;
    week_call(week, WEEK_FORGET, NULL, number, LIVE_S * WEEK_SECOND_US);
}

static void talk(struct week *week, uint32_t number)
{
    struct world *w = &week->world;
    struct week_session *s = &week->sessions[number];
    uint8_t room[SIM_PACKET];
    bool answer = world_chance(w, 300);
    struct ip_pair way = answer ? ip_pair_reverse(&s->flow) : s->flow;

    if (w->now_us >= s->ends_us) {
        end(week, number);
        return;
    }
    rules_heard(week, s);
    struct sim_event *event = world_event(w, SIM_EV_SEND, answer ? s->to->g : s->from->g, 0,
                                          network_datagram(room, &way, number));
    event->flow = way;
    /* Often at first, so that the first look at the tunnel finds it used. */
    bool young = w->now_us - s->began_us < 90 * WEEK_SECOND_US;
    week_call(week, WEEK_TALK, NULL, number,
              young ? week_time(week, 1, 15) : week_time(week, 20, 400));
}

static void forget(struct week *week, uint32_t number)
{
    struct week_session *s = &week->sessions[number];

    s->from->live--;
    s->to->live--;
    week->live--;
    s->next_unused = week->unused;
    week->unused = number;
}

void traffic_start(struct week *week)
{
    week->unused = NONE;
    next_arrival(week);
}

void traffic_call(struct week *week, const struct sim_event *event)
{
    switch (event->type) {
    case WEEK_ARRIVAL:
        if (week->world.now_us >= week->ends_us)
            break;
        if (world_chance(&week->world, 1000 * by_hour[hour_now(week)] / BUSIEST))
            begin(week);
        next_arrival(week);
        break;
    case WEEK_TALK:
        talk(week, (uint32_t)event->serial);
        break;
    case WEEK_FORGET:
        forget(week, (uint32_t)event->serial);
        break;
    }
}

/* The number of the conversation is the last word of its datagrams. */
const struct week_session *traffic_arrived(struct week *week, struct view datagram, bool tunnelled)
{
    const uint8_t *last = datagram.ptr + datagram.len - 4;
    uint32_t number =
        (uint32_t)last[0] << 24 | (uint32_t)last[1] << 16 | (uint32_t)last[2] << 8 | last[3];

    if (number >= week->session_room || week->sessions[number].ended)
        return NULL;
    struct week_session *s = &week->sessions[number];
    s->heard_us = week->world.now_us;
    if (tunnelled) {
        s->tunnelled++;
        s->clear_us = -1;
        return s;
    }
    s->clear++;
    if (s->clear_us < 0)
        s->clear_us = week->world.now_us;
    return s;
}

void traffic_fini(struct week *week)
{
    world_release(&week->world, week->sessions);
}
