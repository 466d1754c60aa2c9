#include "peers.h"

#include <stdlib.h>

#include "crypto/encryption.h"
#include "fuzz.h"

enum { PROFILE = 5, SPI_FIRST = 0x1000 };
static const int64_t WALL = 1900000000; /* while the certificates are valid */

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    struct peers_side *side = ctx;
    for (size_t i = 0; i < len; i++) {
        side->rng_state = side->rng_state * 6364136223846793005u + 1442695040888963407u;
        ret[i] = (uint8_t)(side->rng_state >> 56);
    }
}

static int64_t wall(void *ctx)
{
    (void)ctx;
    return WALL;
}

static void ignore(void *ctx, const struct event_record *record)
{
    (void)ctx;
    (void)record;
}

struct peers_way peers_way(uint8_t octet)
{
    static const enum ike_method methods[] = {IKE_BY_PSK, IKE_BY_KEY, IKE_BY_CERTIFICATE,
                                              IKE_BY_ENCRYPTION, IKE_BY_REVISED_ENCRYPTION};
    return (struct peers_way){methods[(octet >> 1) % (sizeof(methods) / sizeof(methods[0]))],
                              (octet & 1) != 0};
}

static struct identity name_of(unsigned side)
{
    struct identity id;
    bool good = identity_of_fqdn(view_of_text(side == PEERS_A ? "a.example.net" : "b.example.net"), &id);
    assert(good);
    (void)good;
    return id;
}

static void configure(struct peers_side *side, unsigned s, struct peers_way way)
{
    struct ike_profile *p = &side->profile;
    bool rsa = way.method == IKE_BY_ENCRYPTION || way.method == IKE_BY_REVISED_ENCRYPTION;
    *p = (struct ike_profile){
        .number = PROFILE,
        .name = "the other",
        .version = IKE_VERSION_1,
        .aggressive = way.aggressive,
        .own_id = name_of(s),
        .peer_id = name_of(!s),
        .own_method = way.method,
        .peer_method = way.method,
        .psk = view_of_text("a shared key for fuzzing"),
    };
    private_key_public(peers_key(s, rsa), &side->own_public);
    private_key_public(peers_key(!s, rsa), &side->peer_public);
    p->own_public = &side->own_public;
    p->peer_keys = &side->peer_public;
    p->peer_key_count = 1;
    side->chain = peers_certificate(s);
    side->anchor = peers_anchor();
    p->own_chain = &side->chain;
    p->anchors = &side->anchor;
    p->own_chain_count = p->anchor_count = 1;
}

void peers_open(struct peers *peers, struct peers_way way)
{
    memset(peers, 0, sizeof(*peers));
    peers->now.ms = 1000;
    for (unsigned s = 0; s < PEERS_SIDES; s++) {
        struct peers_side *side = &peers->sides[s];
        side->addr = (struct ip_endpoint){ip_addr_v4(0xc0010104u + s), IKE_PORT};
        side->rng_state = s + 1;
        side->next_spi = SPI_FIRST * (s + 1);
        configure(side, s, way);
        const struct ike_config config = {.profiles = &side->profile,
                                          .profile_count = 1,
                                          .work_elsewhere = s == PEERS_B};
        const struct ike_env env = {.rng = {fill, side}, .wall = {wall, NULL}, .trace = {ignore, NULL}};
        enum err err = ike_new(&config, &env, &side->ike);
        assert(err == ERR_OK);
        (void)err;
    }
}

void peers_close(struct peers *peers)
{
    for (unsigned s = 0; s < PEERS_SIDES; s++)
        ike_free(peers->sides[s].ike);
}

static void drain(struct peers *peers, unsigned s);

static void input(struct peers *peers, unsigned s, const struct ike_event *event)
{
    (void)ike_input(peers->sides[s].ike, peers->now, event);
    drain(peers, s);
}

static void transmit(struct peers *peers, unsigned from, const struct ike_effect *fx)
{
    if (peers->cut || fx->bytes.len == 0 || peers->count == PEERS_WIRE)
        return; /* lost */
    struct peers_datagram *d = &peers->wire[peers->count++];
    *d = (struct peers_datagram){.to = !from,
                                 .at = mono_add(peers->now, PEERS_LATENCY_MS),
                                 .source = fx->local,
                                 .target = fx->remote,
                                 .natt = fx->natt,
                                 .len = fx->bytes.len};
    assert(fx->bytes.len <= sizeof(d->octets));
    memcpy(d->octets, fx->bytes.ptr, fx->bytes.len);
    peers->sent++;
}

static void sign(struct peers *peers, unsigned s, const struct ike_effect *fx)
{
    uint8_t signature[SIGNATURE_MAX];
    const struct private_key *key = peers_key(s, false);
    const struct ike_event event = {.kind = IKE_EV_SIGNED,
                                    .serial = fx->serial,
                                    .ok = private_key_sign_ike1(key, fx->bytes, signature) == ERR_OK,
                                    .bytes = view_of(signature, private_key_signature_len(key))};
    input(peers, s, &event);
}

static void decrypt(struct peers *peers, unsigned s, const struct ike_effect *fx)
{
    uint8_t texts[ENCRYPTION_TEXTS * (2 + ENCRYPTION_MAX)];
    struct builder b = builder_on(span_of(texts, sizeof(texts)));
    struct ike_event event = {.kind = IKE_EV_DECRYPTED, .serial = fx->serial};
    event.ok = private_key_decrypt_each(peers_key(s, true), fx->bytes, &b) == ERR_OK;
    event.bytes = builder_written(&b);
    input(peers, s, &event);
}

static void work(struct peers *peers, unsigned s, const struct ike_effect *fx)
{
    const struct rng rng = {fill, &peers->sides[s]};
    const struct ike_event event = {.kind = IKE_EV_WORKED, .serial = fx->serial, .work = fx->work};
    ike_work_run(event.work, &rng);
    input(peers, s, &event);
}

static void answer(struct peers *peers, unsigned s, const struct ike_effect *fx)
{
    struct peers_side *side = &peers->sides[s];
    struct ike_event event = {.serial = fx->serial, .ok = true};
    switch (fx->kind) {
    case IKE_FX_NEED_SIGNATURE:
        sign(peers, s, fx);
        return;
    case IKE_FX_NEED_DECRYPTION:
        decrypt(peers, s, fx);
        return;
    case IKE_FX_NEED_WORK:
        work(peers, s, fx);
        return;
    case IKE_FX_NEED_KEYS: /* strangers have none */
        event.kind = IKE_EV_PEER_KEYS;
        event.ok = false;
        break;
    case IKE_FX_NEED_AUTHORIZATION:
        event.kind = IKE_EV_AUTHORIZED;
        event.ticket = PEERS_TICKET;
        event.traffic = fx->traffic;
        break;
    case IKE_FX_NEED_SPI:
        event.kind = IKE_EV_SPI;
        event.spi.value = ++side->next_spi;
        break;
    case IKE_FX_INSTALL:
        event.kind = IKE_EV_INSTALLED;
        break;
    default:
        return;
    }
    input(peers, s, &event);
}

static void drain(struct peers *peers, unsigned s)
{
    struct peers_side *side = &peers->sides[s];
    struct ike_effect fx;
    while (ike_next_effect(side->ike, &fx)) {
        side->up += fx.kind == IKE_FX_CHILD_UP;
        side->failed += fx.kind == IKE_FX_CHILD_FAILED;
        side->deleted += fx.kind == IKE_FX_CHILD_DELETED;
        if (fx.kind == IKE_FX_SEND)
            transmit(peers, s, &fx);
        else
            answer(peers, s, &fx);
    }
}

static struct traffic net_of(unsigned side)
{
    struct traffic traffic = {.port_last = UINT16_MAX};
    traffic.net = (struct ip_prefix){ip_addr_v4(0x0a010000u + (side << 16)), 16};
    return traffic;
}

void peers_begin(struct peers *peers)
{
    const struct ike_event event = {
        .kind = IKE_EV_INITIATE,
        .ticket = PEERS_TICKET,
        .profile = PROFILE,
        .local = {.addr = peers->sides[PEERS_A].addr.addr},
        .remote = {.addr = peers->sides[PEERS_B].addr.addr},
        .traffic = {.local = net_of(PEERS_A), .remote = net_of(PEERS_B)},
    };
    input(peers, PEERS_A, &event);
}

const struct peers_datagram *peers_next(const struct peers *peers)
{
    return peers->count != 0 ? &peers->wire[0] : NULL; /* all take equally long */
}

void peers_give(struct peers *peers, const struct peers_datagram *d)
{
    const struct ike_event event = {.kind = IKE_EV_DATAGRAM,
                                    .local = d->target,
                                    .remote = d->source,
                                    .natt = d->natt,
                                    .bytes = view_of(d->octets, d->len)};
    input(peers, d->to, &event);
}

static void deliver(struct peers *peers)
{
    struct peers_datagram d = peers->wire[0];
    memmove(&peers->wire[0], &peers->wire[1], --peers->count * sizeof(peers->wire[0]));
    if (!peers->cut)
        peers_give(peers, &d);
}

void peers_run(struct peers *peers, int64_t ms)
{
    mono_t end = mono_add(peers->now, ms);
    for (;;) {
        mono_t next = peers->count != 0 ? peers->wire[0].at : MONO_NEVER;
        bool timer = false;
        for (unsigned s = 0; s < PEERS_SIDES; s++) {
            mono_t due = ike_next_deadline(peers->sides[s].ike);
            timer |= due.ms < next.ms;
            next = mono_min(next, due);
        }
        if (next.ms > end.ms)
            break;
        if (next.ms > peers->now.ms)
            peers->now = next;
        if (!timer) {
            deliver(peers);
            continue;
        }
        for (unsigned s = 0; s < PEERS_SIDES; s++) {
            ike_timer(peers->sides[s].ike, peers->now);
            drain(peers, s);
        }
    }
    peers->now = end;
}
