/*
 * The RSIP client under a sequence of events: answers of a gateway that is hostile or confused,
 * with the right client ID and counter or without, while wishes come and go. It always sends what
 * parses, has one request under way, and tells of no bind twice.
 */
#include "fuzz.h"

#include <string.h>

#include "base/cursor.h"
#include "rsip/client.h"

enum { TICKETS = 4, ROOM = 700 };

static struct rsip_client *client;
static bool up[TICKETS];
static uint32_t counter;
static mono_t now;

static void check_sent(struct view bytes)
{
    struct rsip_message m;
    enum rsip_error error;
    assert(rsip_parse(bytes, &m, &error) == ERR_OK);
    assert(rsip_type_is_request(m.type) && m.counter != 0);
    counter = m.counter;
}

static void drain(void)
{
    struct rsip_client_effect effect;

    while (rsip_client_next_effect(client, &effect)) {
        assert(effect.ticket < TICKETS);
        if (effect.kind == RSIP_CFX_SEND) {
            check_sent(effect.bytes);
        } else if (effect.kind == RSIP_CFX_BIND_UP) {
            assert(!up[effect.ticket] && effect.message->lease_s > 0);
            up[effect.ticket] = true;
        } else if (effect.kind == RSIP_CFX_BIND_DOWN) {
            assert(up[effect.ticket]);
            up[effect.ticket] = false;
        }
    }
}

static void input(const struct rsip_client_event *event)
{
    (void)rsip_client_input(client, now, event);
    drain();
}

/* The answer to what is under way: its type, our client ID, and parameters as given. */
static void answer(unsigned how, struct view params)
{
    uint8_t room[ROOM];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    unsigned pending = rsip_client_pending(client);
    uint32_t id = rsip_client_id(client);

    builder_u8(&b, RSIP_VERSION);
    builder_u8(&b, (uint8_t)(how & 1 ? RSIP_ERROR_RESPONSE : pending + 1));
    size_t len = builder_open_u16(&b);
    if (how & 2) {
        builder_u8(&b, 4);
        builder_u16(&b, 4);
        builder_u32(&b, id != 0 ? id : 77);
    }
    builder_view(&b, params);
    builder_u8(&b, 11);
    builder_u16(&b, 4);
    builder_u32(&b, how & 4 ? 0 : counter);
    builder_close_u16(&b, len, 0);
    if (!b.bad)
        input(&(struct rsip_client_event){.kind = RSIP_CEV_MESSAGE, .bytes = builder_written(&b)});
}

static void want(unsigned how)
{
    struct rsip_want w = {.method = (enum rsip_method)(1 + how % 3),
                          .listen = (how & 16) != 0,
                          .local = {.type = RSIP_ADDR_V4, .any = true},
                          .remote = {.type = RSIP_ADDR_NAME, .name = view_of_text("a.example")},
                          .ports = {.form = RSIP_RANGE_ANY, .count = 2},
                          .remote_ports = {.form = RSIP_RANGE_ANY, .count = 1},
                          .spis = {.form = RSIP_RANGE_ANY, .count = 1},
                          .lease_s = how & 32 ? 100 : 0};
    input(&(struct rsip_client_event){
        .kind = RSIP_CEV_WANT, .ticket = how / 4 % TICKETS, .want = &w});
}

static void step(struct cursor *cur)
{
    static const enum rsip_client_event_kind plain[] = {RSIP_CEV_START, RSIP_CEV_STOP, RSIP_CEV_UP,
                                                        RSIP_CEV_DOWN, RSIP_CEV_START};
    uint8_t op = cursor_u8(cur), how = cursor_u8(cur);
    size_t len = cursor_u8(cur);

    switch (op % 8) {
    case 0:
        input(&(struct rsip_client_event){.kind = plain[how % 5]});
        break;
    case 1:
        want(how);
        break;
    case 2:
        input(&(struct rsip_client_event){.kind = RSIP_CEV_UNWANT, .ticket = how % TICKETS});
        break;
    case 3:
        input(&(struct rsip_client_event){.kind = RSIP_CEV_QUERY, .ticket = how % TICKETS});
        break;
    case 4:
        now = mono_add(now, how * 50);
        rsip_client_timer(client, now);
        drain();
        break;
    case 5:
        input(&(struct rsip_client_event){
            .kind = RSIP_CEV_MESSAGE,
            .bytes = cursor_take(cur, len < cursor_left(cur) ? len : cursor_left(cur))});
        break;
    default:
        answer(how, cursor_take(cur, len < cursor_left(cur) ? len : cursor_left(cur)));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cursor cur = cursor_of(view_of(data, len));
    const struct rsip_client_config config = {
        .transport = cursor_u8(&cur) & 1 ? RSIP_TCP : RSIP_UDP, .tunnels = 6};

    now = (mono_t){1000};
    memset(up, 0, sizeof(up));
    assert(rsip_client_new(&config, &client) == ERR_OK);
    for (unsigned steps = 0; cursor_left(&cur) > 0 && steps < 300; steps++)
        step(&cur);
    /* whatever happened, its deadlines end: nothing spins */
    for (unsigned i = 0; i < 2000; i++) {
        mono_t next = rsip_client_next_deadline(client);
        if (mono_is_never(next))
            break;
        assert(i < 1900 || next.ms > now.ms);
        now = next.ms > now.ms ? next : now;
        rsip_client_timer(client, now);
        drain();
    }
    rsip_client_free(client);
    return 0;
}
