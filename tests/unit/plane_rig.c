#include "plane_rig.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/ip.h"

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    struct rig *rig = ctx;
    for (size_t i = 0; i < len; i++)
        ret[i] = (uint8_t)random_next(&rig->random);
}

static void on_out(void *ctx, enum plane_out kind, struct packet *packet)
{
    struct rig *rig = ctx;
    assert(rig->out_count < RIG_OUTS);
    struct rig_out *out = &rig->outs[rig->out_count++];
    *out = (struct rig_out){.kind = kind, .outer = packet->outer, .len = packet->len};
    assert(rig->arena_used + packet->len <= RIG_ARENA);
    out->octets = rig->arena + rig->arena_used;
    rig->arena_used += packet->len;
    memcpy(out->octets, packet_data(packet), packet->len);
}

static void on_control(void *ctx, struct view message)
{
    struct rig *rig = ctx;
    assert(rig->told_count < RIG_TOLD);
    enum err err = pfkey_parse(message, &rig->told[rig->told_count++]);
    assert(err == ERR_OK);
}

static void on_verdict(void *ctx, const struct ip_pair *flow, enum pfkey_verdict verdict)
{
    struct rig *rig = ctx;
    rig->verdict_flow = *flow;
    rig->verdict = (int)verdict;
    rig->verdict_count++;
}

static int64_t on_idle(void *ctx, const struct ip_pair *flow)
{
    const struct rig *rig = ctx;
    assert(flow->src.family != IP_NONE);
    return rig->classifier_idle_ms;
}

struct rig *rig_new(const struct plane_config *config)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    if (rig == NULL)
        return NULL;
    rig->now.ms = 1000000;
    rig->random = 42;
    rig->verdict = -1;
    rig->classifier_idle_ms = -1;
    struct plane_env env = {.rng = {fill, rig},
                            .ctx = rig,
                            .out = on_out,
                            .control = on_control,
                            .verdict = on_verdict,
                            .idle_ms = on_idle};
    if (plane_new(config, &env, &rig->plane) != ERR_OK) {
        free(rig);
        return NULL;
    }
    return rig;
}

void rig_clear(struct rig *rig)
{
    rig->out_count = rig->told_count = rig->arena_used = 0;
    rig->verdict = -1;
    rig->verdict_count = 0;
}

void rig_free(struct rig *rig)
{
    plane_free(rig->plane);
    free(rig);
}

void rig_advance(struct rig *rig, int64_t ms)
{
    mono_t end = mono_add(rig->now, ms);
    while (mono_reached(end, plane_next_deadline(rig->plane))) {
        mono_t at = plane_next_deadline(rig->plane);
        rig->now = at.ms > rig->now.ms ? at : rig->now;
        plane_timer(rig->plane, rig->now);
    }
    rig->now = end;
    plane_timer(rig->plane, rig->now);
}

struct ip_addr rig_addr(const char *text)
{
    struct ip_addr addr;
    bool ok = ip_addr_parse(text, &addr);
    assert(ok);
    return addr;
}

struct ip_pair rig_pair(const char *src, const char *dst)
{
    return (struct ip_pair){rig_addr(src), rig_addr(dst)};
}

static uint8_t room[LIMIT_HEADROOM + LIMIT_PACKET + LIMIT_TAILROOM];

static struct packet lent(struct view octets)
{
    struct packet packet = {.base = room, .room = sizeof(room), .at = LIMIT_HEADROOM};
    memset(room, 0xee, LIMIT_HEADROOM);
    memmove(room + LIMIT_HEADROOM, octets.ptr, octets.len);
    packet.len = (uint32_t)octets.len;
    return packet;
}

void rig_send_octets(struct rig *rig, struct view octets)
{
    struct packet packet = lent(octets), *burst = &packet;
    plane_outbound(rig->plane, rig->now, &burst, 1);
    memset(room, 0xdb, sizeof(room)); /* the caller uses its buffer again */
}

void rig_receive(struct rig *rig, struct view octets, const struct packet_outer *outer)
{
    struct packet packet = lent(octets), *burst = &packet;
    packet.outer = *outer;
    plane_inbound(rig->plane, rig->now, &burst, 1);
    memset(room, 0xdb, sizeof(room));
}

static void write_datagram(const struct rig_datagram *datagram, uint8_t *ret)
{
    struct ip_header header = {
        .src = datagram->flow.src,
        .dst = datagram->flow.dst,
        .total_len = datagram->len,
        .id = datagram->mark,
        .proto = IP_PROTO_UDP,
        .tos = datagram->tos,
        .ttl = 64,
        .dont_fragment = datagram->dont_fragment,
    };
    memset(ret, datagram->mark, datagram->len);
    ip_header_write(&header, ret);
}

void rig_send(struct rig *rig, const struct rig_datagram *datagram)
{
    static uint8_t octets[LIMIT_PACKET];
    write_datagram(datagram, octets);
    rig_send_octets(rig, view_of(octets, datagram->len));
}

void rig_send_burst(struct rig *rig, const struct ip_pair *flow, uint8_t mark, size_t count)
{
    enum { LEN = 60, ROOM = LIMIT_HEADROOM + LEN + LIMIT_TAILROOM };
    static uint8_t rooms[RIG_BURST][ROOM];
    struct packet packets[RIG_BURST], *burst[RIG_BURST];

    assert(count <= RIG_BURST);
    for (size_t i = 0; i < count; i++) {
        struct rig_datagram d = {.flow = *flow, .len = LEN, .mark = (uint8_t)(mark + i)};
        write_datagram(&d, rooms[i] + LIMIT_HEADROOM);
        packets[i] =
            (struct packet){.base = rooms[i], .room = ROOM, .at = LIMIT_HEADROOM, .len = LEN};
        burst[i] = &packets[i];
    }
    plane_outbound(rig->plane, rig->now, burst, count);
    memset(rooms, 0xdb, sizeof(rooms));
}

void rig_send_mark(struct rig *rig, const struct ip_pair *flow, uint8_t mark)
{
    struct rig_datagram datagram = {.flow = *flow, .len = 60, .mark = mark};
    rig_send(rig, &datagram);
}

size_t rig_carry(struct rig *from, struct rig *to)
{
    size_t carried = 0;
    for (size_t i = 0; i < from->out_count; i++) {
        const struct rig_out *out = &from->outs[i];
        if (out->kind != PLANE_OUT_ESP)
            continue;
        rig_receive(to, view_of(out->octets, out->len), &out->outer);
        carried++;
    }
    rig_clear(from);
    return carried;
}

uint8_t rig_mark(const struct rig *rig, size_t out)
{
    assert(out < rig->out_count);
    return rig->outs[out].octets[rig->outs[out].len - 1];
}

struct pfkey_message rig_ask(struct rig *rig, const struct pfkey_message *request)
{
    uint8_t octets[LIMIT_PFKEY_MESSAGE];
    struct pfkey_message message = *request;
    size_t len = 0;
    message.pid = RIG_PID;
    message.seq = ++rig->last_seq;
    enum err err = pfkey_build(&message, span_of(octets, sizeof(octets)), &len);
    assert(err == ERR_OK);
    plane_control(rig->plane, rig->now, view_of(octets, len));
    for (size_t i = rig->told_count; i > 0; i--)
        if (rig->told[i - 1].pid == RIG_PID && rig->told[i - 1].seq == message.seq)
            return rig->told[i - 1];
    return (struct pfkey_message){.error = 255};
}

size_t rig_told(const struct rig *rig, enum pfkey_type type)
{
    size_t count = 0;
    for (size_t i = 0; i < rig->told_count; i++)
        count += rig->told[i].type == type;
    return count;
}

const struct pfkey_message *rig_last(const struct rig *rig, enum pfkey_type type)
{
    for (size_t i = rig->told_count; i > 0; i--)
        if (rig->told[i - 1].type == type)
            return &rig->told[i - 1];
    assert(false);
    return NULL;
}

size_t rig_traced(const struct rig *rig, enum pfkey_trace trace)
{
    size_t count = 0;
    for (size_t i = 0; i < rig->told_count; i++)
        count += rig->told[i].type == PFKEY_X_TRACE && rig->told[i].trace == trace;
    return count;
}

uint64_t rig_counter(const struct rig *rig, const char *name)
{
    const char *at;
    uint64_t value;
    for (size_t i = 0; plane_counter(rig->plane, i, &at, &value); i++)
        if (strcmp(at, name) == 0)
            return value;
    fprintf(stderr, "no counter %s\n", name);
    abort();
}

struct pfkey_message rig_policy(struct rig *rig, const struct ip_pair *flow,
                                enum pfkey_verdict verdict, const struct sa_params *sa,
                                uint64_t ticket)
{
    struct pfkey_message request = {
        .type = PFKEY_X_POLICY_SET,
        .has = PFKEY_HAS_FLOW | PFKEY_HAS_VERDICT | PFKEY_HAS_TICKET,
        .flow = *flow,
        .verdict = (uint8_t)verdict,
        .ticket = ticket,
    };
    if (sa != NULL) {
        request.has |= PFKEY_HAS_SA | PFKEY_HAS_PEER;
        request.sa.spi = sa->spi;
        request.peer = sa->outer_dst;
    }
    return rig_ask(rig, &request);
}

struct sa_params rig_sa(uint32_t spi, const struct ip_pair *flow, const struct ip_pair *gateways)
{
    struct sa_params sa = {
        .spi = {spi},
        .suite = {ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 128, true},
        .outer_src = gateways->src,
        .outer_dst = gateways->dst,
        .inner_src = ip_prefix_of(&flow->src, 128),
        .inner_dst = ip_prefix_of(&flow->dst, 128),
        .cipher_key_len = 20,
    };
    memset(sa.cipher_key, (int)(spi & 0xff), sa.cipher_key_len);
    return sa;
}

struct pfkey_message rig_install(struct rig *rig, enum pfkey_type type, const struct sa_params *sa)
{
    struct pfkey_message request = {.type = (uint8_t)type,
                                    .satype = pfkey_satype(&sa->suite),
                                    .has = PFKEY_HAS_SA | PFKEY_HAS_KEYS,
                                    .sa = *sa};
    return rig_ask(rig, &request);
}

spi_t rig_get_spi(struct rig *rig, const struct ip_pair *gateways)
{
    struct pfkey_message request = {
        .type = PFKEY_GETSPI,
        .satype = PFKEY_SATYPE_ESP,
        .has = PFKEY_HAS_SA | PFKEY_HAS_SPI_RANGE,
        .sa = {.inbound = true, .outer_src = gateways->src, .outer_dst = gateways->dst},
        .spi_min = 256,
        .spi_max = UINT32_MAX,
    };
    struct pfkey_message answer = rig_ask(rig, &request);
    assert(answer.error == 0);
    return answer.sa.spi;
}
