/*
 * The control plane under a stream of events: datagrams of real peers, whole, altered, repeated or
 * made up; DNS answers, signatures and PF_KEY messages likewise; time, crashes, shutdown. However
 * they come, nothing forbidden leaves in clear, no SA is made for a client that isn't delegated, no
 * flow stays undecided, what waits is bounded, and in the end nothing is left.
 */
#include "fuzz.h"
#include "gateways.h"

enum { STEPS_MOST = 400, RAW_MOST = 512, KEPT_MOST = 4096 };

#define ON_THE_WIRE (1u << SIM_EV_IKE | 1u << SIM_EV_ESP)
#define FROM_HELPERS (1u << SIM_EV_ANSWER | 1u << SIM_EV_SIGNED)

struct run {
    struct world world;
    struct fuzz_input in;
    bool tampered; /* with the channel to the plane, which keyd must be able to trust */
    uint8_t answer_change, answer_at, answer_value;
    bool dns_silent;
};

static struct sim_gateway *pick_gateway(struct run *r)
{
    return r->world.gateways[input_u8(&r->in) % GATEWAYS];
}

static struct sim_host *pick_host(struct run *r)
{
    uint8_t chosen = input_u8(&r->in);
    return &r->world.gateways[chosen % GATEWAYS]->hosts[chosen / GATEWAYS % SIM_HOSTS];
}

static void change_answer(void *ctx, struct sim_gateway *g, struct dns_answer *answer)
{
    struct run *r = ctx;
    static uint8_t changed[KEPT_MOST];

    if (g->number != GATEWAY_SUBJECT || r->answer_change == 0)
        return;
    switch (r->answer_change % 5) {
    case 1:
        answer->status = r->answer_value % 4;
        break;
    case 2:
        answer->secure = !answer->secure;
        break;
    case 3:
        answer->ttl_s = r->answer_value;
        break;
    case 4:
        if (answer->count == 0 || answer->rdata[0].len == 0)
            break;
        memcpy(changed, answer->rdata[0].ptr, answer->rdata[0].len);
        changed[r->answer_at % answer->rdata[0].len] ^= r->answer_value;
        answer->rdata[0].ptr = changed;
        break;
    default:
        break;
    }
    r->answer_change = 0;
}

static int64_t answer_us(void *ctx, struct sim_gateway *g, uint16_t type, const char *name)
{
    const struct run *r = ctx;
    (void)g, (void)type, (void)name;
    return r->dns_silent ? -1 : 3000;
}

static void op_time(struct run *r)
{
    static const int64_t steps_us[] = {200,       1000,       5000,      20000,    100000,
                                       1000000,   8000000,    20000000,  30000000, 60000000,
                                       600000000, 1200000000, 3600000000};
    size_t count = sizeof(steps_us) / sizeof(steps_us[0]);
    gateways_run(&r->world, steps_us[input_u8(&r->in) % count]);
}

static void op_send(struct run *r)
{
    const struct sim_host *from = pick_host(r), *to = pick_host(r);
    unsigned via = input_u8(&r->in);
    if (from == to)
        return;
    gateways_send(&r->world, via < 200 ? (unsigned)from->gateway->number : via % GATEWAYS, from,
                  to);
}

/* A few octets of something on its way change. */
static void op_alter(struct run *r)
{
    unsigned index = input_u8(&r->in), times = 1 + input_u8(&r->in) % 4;
    struct sim_event *event =
        gateways_event(&r->world, index, ON_THE_WIRE | 1u << SIM_EV_SIGNED | 1u << SIM_EV_TO_KEYD);
    if (event == NULL || event->len == 0)
        return;
    r->tampered |= event->kind == SIM_EV_TO_KEYD;
    for (; times > 0; times--) {
        uint16_t at = input_u16(&r->in);
        event->octets[at % event->len] ^= input_u8(&r->in);
    }
}

static void op_lose(struct run *r)
{
    struct sim_event *event =
        gateways_event(&r->world, input_u8(&r->in), ON_THE_WIRE | FROM_HELPERS);
    if (event != NULL)
        gateways_forget(&r->world, event);
}

static void op_repeat(struct run *r)
{
    unsigned index = input_u8(&r->in);
    struct sim_event *event = gateways_event(&r->world, index, ON_THE_WIRE | FROM_HELPERS);
    if (event != NULL)
        gateways_repeat(&r->world, event, (int64_t)input_u8(&r->in) * 1000);
}

/* Cookies of a datagram on its way, so that it is taken for part of that exchange. */
static void borrow_cookies(struct run *r, uint8_t *octets, size_t len)
{
    const struct sim_event *known = gateways_event(&r->world, input_u8(&r->in), 1u << SIM_EV_IKE);
    if (known != NULL && known->len >= 20 && len >= 20)
        memcpy(octets, known->octets, 20);
}

static void op_datagram(struct run *r)
{
    uint8_t octets[RAW_MOST];
    const struct sim_gateway *from = pick_gateway(r);
    struct sim_gateway *to = pick_gateway(r);
    bool borrowed = input_u8(&r->in) & 1;
    struct view raw = input_bytes(&r->in, input_u8(&r->in) * 2u);

    if (raw.len == 0)
        return;
    memcpy(octets, raw.ptr, raw.len);
    if (borrowed)
        borrow_cookies(r, octets, raw.len);
    struct sim_event *event = world_event(&r->world, SIM_EV_IKE, to, 0, view_of(octets, raw.len));
    event->from = (struct ip_endpoint){.addr = from->addr, .port = 500};
    event->to = (struct ip_endpoint){.addr = to->addr, .port = 500};
}

static void to_keyd(struct run *r, struct view message)
{
    struct sim_gateway *g = r->world.gateways[GATEWAY_SUBJECT];
    struct sim_event *event = world_event(&r->world, SIM_EV_TO_KEYD, g, 0, message);
    event->life = g->keyd_life;
    r->tampered = true;
}

static void op_pfkey(struct run *r)
{
    to_keyd(r, input_bytes(&r->in, input_u8(&r->in)));
}

/* A report of the plane that is well formed and may be untrue. */
static void op_report(struct run *r)
{
    static const uint8_t types[] = {PFKEY_ACQUIRE, PFKEY_EXPIRE, PFKEY_X_UNKNOWN_SPI,
                                    PFKEY_X_TRACE};
    const struct control *control = r->world.gateways[GATEWAY_SUBJECT]->control;
    struct oe_instance_info info = {.ticket = input_u8(&r->in)};
    struct pfkey_message m = {.satype = PFKEY_SATYPE_ESP};
    uint8_t room[LIMIT_PFKEY_MESSAGE];
    size_t len;

    if (control != NULL)
        (void)oe_instance_info(control_oe(control), input_u8(&r->in) % 8, &info);
    m.type = types[input_u8(&r->in) % sizeof(types)];
    uint8_t how = input_u8(&r->in);
    m.flow = (struct ip_pair){.src = pick_host(r)->addr, .dst = pick_host(r)->addr};
    m.ticket = m.sa.ticket = info.ticket;
    m.sa.inbound = how & 1;
    m.sa.spi = how & 1 ? info.spi_in : info.spi_out;
    m.sa.suite = info.suite;
    m.sa.outer_src = m.sa.outer_dst = m.peer = pick_gateway(r)->addr;
    m.sa.inner_src = ip_prefix_of(&m.flow.src, 32);
    m.sa.inner_dst = ip_prefix_of(&m.flow.dst, 32);
    m.trace = (uint8_t)(1 + how % 6);
    m.has = PFKEY_HAS_TICKET | PFKEY_HAS_SA;
    if (m.type == PFKEY_EXPIRE)
        m.has |= PFKEY_HAS_COUNTS | (how & 2 ? PFKEY_HAS_EXPIRE_HARD : 0);
    else if (m.type == PFKEY_X_UNKNOWN_SPI)
        m.has = PFKEY_HAS_SA | PFKEY_HAS_PEER;
    else
        m.has = PFKEY_HAS_FLOW | PFKEY_HAS_TICKET | (m.type == PFKEY_X_TRACE ? PFKEY_HAS_TRACE : 0);
    if (pfkey_build(&m, span_of(room, sizeof(room)), &len) == ERR_OK)
        to_keyd(r, view_of(room, len));
}

static void op_signature(struct run *r)
{
    struct sim_gateway *g = pick_gateway(r);
    uint64_t serial = input_u8(&r->in);
    struct sim_event *event =
        world_event(&r->world, SIM_EV_SIGNED, g, 0, input_bytes(&r->in, input_u8(&r->in)));
    event->life = g->keyd_life;
    event->serial = serial;
}

static void op_answer(struct run *r)
{
    r->answer_change = input_u8(&r->in);
    r->answer_at = input_u8(&r->in);
    r->answer_value = input_u8(&r->in);
}

static void op_stray(struct run *r)
{
    struct sim_gateway *from = pick_gateway(r), *to = pick_gateway(r);
    struct sim_event *event =
        world_event(&r->world, SIM_EV_ESP, to, 0, input_bytes(&r->in, input_u8(&r->in)));
    event->outer.src = from->addr;
    event->outer.dst = to->addr;
}

static void op_crash(struct run *r)
{
    enum sim_event_kind kind = input_u8(&r->in) & 1 ? SIM_EV_CRASH_PLANE : SIM_EV_CRASH_KEYD;
    world_event(&r->world, kind, pick_gateway(r), 0, view_of(NULL, 0));
}

static void op_shutdown(struct run *r)
{
    if (input_u8(&r->in) < 64)
        world_event(&r->world, SIM_EV_SHUTDOWN, pick_gateway(r), 0, view_of(NULL, 0));
}

static void op_dns(struct run *r)
{
    r->dns_silent = input_u8(&r->in) & 1;
}

static void (*const ops[])(struct run *r) = {
    op_time,   op_send,      op_alter,  op_lose,  op_repeat, op_datagram, op_pfkey,
    op_report, op_signature, op_answer, op_stray, op_crash,  op_shutdown, op_dns,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct run run;
    struct run *r = &run;

    *r = (struct run){.in = {.at = data, .left = len}};
    gateways_open(&r->world, IKE_VERSION_1);
    r->world.faults.dns_meddled = true;
    r->world.hooks = (struct sim_hooks){.ctx = r, .answer_us = answer_us, .answer = change_answer};
    for (unsigned i = 0; i < STEPS_MOST && r->in.left > 0; i++) {
        ops[input_u8(&r->in) % (sizeof(ops) / sizeof(ops[0]))](r);
        gateways_run(&r->world, 0);
    }
    r->dns_silent = false;
    if (!r->tampered)
        gateways_end(&r->world);
    world_fini(&r->world);
    return 0;
}
