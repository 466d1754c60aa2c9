/*
 * The PF_KEY conversation with the plane. Every request gets a sequence number and a deadline; a
 * reply is matched by sequence number and by our instance number in `pid`, so that what was meant
 * for a keyd that died is ignored.
 */
#include "control/internal.h"

#include <errno.h>
#include <stdlib.h>

enum { SPI_MIN = 256 };

void plane_link_init(struct control *c)
{
    c->instance = rng_u32(&c->rng) | 1;
    map_init(&c->pending, MAP_KEY_OFFSET(struct pending, by_seq, seq), sizeof(uint32_t), &c->rng);
    restart_init(c);
}

static void pending_free(struct control *c, struct pending *p)
{
    map_remove(&c->pending, &p->by_seq);
    heap_remove(&c->deadlines, &p->deadline);
    free(p);
}

void plane_link_fini(struct control *c)
{
    struct map_node *node;
    while ((node = map_first(&c->pending)) != NULL) {
        struct pending *p = MAP_OWNER(node, struct pending, by_seq);
        if (p->install != NULL && --p->install->left == 0)
            free(p->install);
        pending_free(c, p);
    }
    restart_fini(c);
    map_fini(&c->pending);
    heap_fini(&c->deadlines);
}

static void send_message(struct control *c, struct pfkey_message *message)
{
    uint8_t room[LIMIT_PFKEY_MESSAGE];
    struct control_effect out = {.kind = CONTROL_FX_PFKEY};
    size_t len;

    message->pid = c->instance;
    if (pfkey_build(message, span_of(room, sizeof(room)), &len) != ERR_OK) {
        c->counters[CONTROL_COUNT_pfkey_malformed]++;
        return;
    }
    out.bytes = view_of(room, len);
    control_push(c, &out);
    secret_wipe(room, len);
}

/* The plane did not do it: whoever waits is told so. */
static void pending_failed(struct control *c, mono_t now, const struct pending *p)
{
    struct ike_event ike = {.serial = p->serial, .ok = false};
    struct oe_event oe = {
        .kind = OE_EV_LAST_USE, .ticket = p->ticket, .flow = p->flow, .idle_ms = -1};

    switch (p->request) {
    case PLANE_ASKED_SPI:
        ike.kind = IKE_EV_SPI;
        ike_input(c->ike, now, &ike);
        break;
    case PLANE_ASKED_LAST_USE:
        oe_input(c->oe, now, &oe);
        break;
    case PLANE_ASKED_SA_USE: /* asked again before long */
    case PLANE_ASKED_ENCRYPT: /* see encrypt_refused() */
    case PLANE_ASKED_RULE:
    case PLANE_ASKED_INSTALL: /* see install_progress() */
    case PLANE_ASKED_SA_DUMP:
    case PLANE_ASKED_POLICY_DUMP:
    case PLANE_ASKED_OTHER:
        break;
    }
}

static void install_progress(struct control *c, mono_t now, struct install *install, bool ok)
{
    install->ok = install->ok && ok;
    if (--install->left != 0)
        return;
    struct ike_event done = {
        .kind = IKE_EV_INSTALLED, .serial = install->serial, .ok = install->ok};
    free(install);
    ike_input(c->ike, now, &done);
}

static void pending_end(struct control *c, mono_t now, struct pending *p, bool ok)
{
    struct pending copy = *p;

    pending_free(c, p);
    if (copy.install != NULL)
        install_progress(c, now, copy.install, ok);
    else if (!ok)
        pending_failed(c, now, &copy);
}

/* Sends a request and remembers what it was; on failure the asker is told at once. */
static void ask(struct control *c, mono_t now, struct pfkey_message *message,
                const struct pending *what)
{
    struct pending *p = malloc(sizeof(*p));

    if (p == NULL || !c->plane_present)
        goto fail;
    *p = *what;
    p->deadline = (struct heap_node){0};
    do
        message->seq = p->seq = ++c->last_seq;
    while (p->seq == 0 || map_find(&c->pending, &p->seq) != NULL);
    if (!heap_set(&c->deadlines, &p->deadline, mono_add(now, c->plane_reply_ms)))
        goto fail;
    if (!map_insert(&c->pending, &p->by_seq)) {
        heap_remove(&c->deadlines, &p->deadline);
        goto fail;
    }
    send_message(c, message);
    return;
fail:
    free(p);
    c->counters[CONTROL_COUNT_pfkey_unanswered]++;
    if (what->install != NULL)
        install_progress(c, now, what->install, false);
    else
        pending_failed(c, now, what);
}

/* RSIP-009: of leased SPIs one that isn't in use, which the plane knows; each is tried once. */
static void ask_spi(struct control *c, mono_t now, struct pending what)
{
    struct pfkey_message message = {
        .type = PFKEY_GETSPI,
        .has = PFKEY_HAS_SA | PFKEY_HAS_SPI_RANGE,
        .sa = {.inbound = true, .outer_src = what.flow.src, .outer_dst = what.flow.dst},
        .spi_min = SPI_MIN,
        .spi_max = UINT32_MAX,
    };
    if (c->leased_spis) {
        if (what.tries == 0 || c->spi_count == 0) {
            pending_failed(c, now, &what);
            return;
        }
        what.tries--;
        message.spi_min = message.spi_max = c->spis[c->spi_next++ % c->spi_count];
    }
    ask(c, now, &message, &what);
}

void plane_link_ask_spi(struct control *c, mono_t now, const struct ike_effect *fx)
{
    ask_spi(c, now, (struct pending){.request = PLANE_ASKED_SPI,
                                     .serial = fx->serial,
                                     .flow = {.src = fx->peer, .dst = fx->local.addr},
                                     .tries = c->spi_count});
}

static void export_keys(struct control *c, const struct sa_params *sa)
{
    char line[KEY_LINE_MAX];
    struct control_effect out = {.kind = CONTROL_FX_KEYS, .table = KEY_TABLE_ESP};
    out.bytes = view_of(line, key_line_esp(sa, line));
    if (out.bytes.len != 0)
        control_push(c, &out);
    secret_wipe(line, sizeof(line));
}

/* OE-185, OE-186: ike goes on only when the plane has confirmed every SA. */
void plane_link_install(struct control *c, mono_t now, const struct ike_effect *fx)
{
    struct install *install = malloc(sizeof(*install));
    struct ike_event failed = {.kind = IKE_EV_INSTALLED, .serial = fx->serial, .ok = false};

    if (install == NULL || fx->sa_count == 0) {
        free(install);
        ike_input(c->ike, now, &failed);
        return;
    }
    *install = (struct install){.serial = fx->serial, .left = fx->sa_count, .ok = true};
    struct pending what = {.request = PLANE_ASKED_INSTALL, .install = install};
    /* install may be gone when the last ask() fails at once */
    for (size_t i = 0, count = fx->sa_count; i < count; i++) {
        struct pfkey_message message = {
            .type = fx->sas[i].inbound ? PFKEY_UPDATE : PFKEY_ADD,
            .satype = pfkey_satype(&fx->sas[i].suite),
            .has = PFKEY_HAS_SA | PFKEY_HAS_KEYS,
            .sa = fx->sas[i],
        };
        if (tunnel_is_ticket(fx->ticket)) /* OE-188 */
            message.sa.interface = SA_CONFIGURED;
        if (fx->profile != 0 && traffic_pair_valid(&fx->traffic))
            sa_params_set_traffic(&message.sa, &fx->traffic);
        if (c->export_keys)
            export_keys(c, &message.sa);
        ask(c, now, &message, &what);
        sa_params_wipe(&message.sa);
    }
}

void plane_link_remove_sa(struct control *c, mono_t now, spi_t spi, bool inbound,
                          const struct ip_addr *src, const struct ip_addr *dst)
{
    struct pfkey_message message = {
        .type = PFKEY_DELETE,
        .has = PFKEY_HAS_SA,
        .sa = {.spi = spi, .inbound = inbound, .outer_src = *src, .outer_dst = *dst},
    };
    struct pending what = {.request = PLANE_ASKED_OTHER};
    if (spi.value != 0)
        ask(c, now, &message, &what);
}

void plane_link_move_sa(struct control *c, mono_t now, const struct ike_effect *fx)
{
    struct pfkey_message message = {
        .type = PFKEY_UPDATE,
        .has = PFKEY_HAS_SA | PFKEY_HAS_PEER,
        .sa = {.spi = fx->spi,
               .inbound = fx->inbound,
               .outer_src = fx->inbound ? fx->peer : fx->local.addr,
               .outer_dst = fx->inbound ? fx->local.addr : fx->peer},
        .peer = fx->remote.addr,
    };
    struct pending what = {.request = PLANE_ASKED_OTHER};
    if (fx->here.addr.family != IP_NONE) { /* both ends: ADR-103 */
        message.has = PFKEY_HAS_SA | PFKEY_HAS_NEW_ENDS;
        message.new_src = fx->inbound ? fx->remote : fx->here;
        message.new_dst = fx->inbound ? fx->here : fx->remote;
        message.sa.stream = fx->remote.stream;
        ask(c, now, &message, &what);
        return;
    }
    *(fx->inbound ? &message.sa.udp_src : &message.sa.udp_dst) = fx->remote.port;
    message.sa.stream = fx->remote.stream;
    ask(c, now, &message, &what);
}

/* ADR-099: as any other user of the channel would ask; it comes back as a report. No answer (ADR-100). */
bool plane_link_ask_update(struct control *c, const struct tunnel_info *tunnel,
                           const struct ip_pair *ends)
{
    struct pfkey_message message = {
        .type = PFKEY_X_ADDUPD,
        .has = PFKEY_HAS_SA | PFKEY_HAS_NEW_ENDS,
        .satype = pfkey_satype(&tunnel->suite),
        .sa = {.spi = tunnel->spi_out, .outer_src = tunnel->local, .outer_dst = tunnel->peer},
        .new_src.addr = ends->src,
        .new_dst.addr = ends->dst,
    };
    if (!c->plane_present)
        return false;
    message.sa.suite.protocol = tunnel->suite.protocol;
    message.seq = ++c->last_seq;
    send_message(c, &message);
    return true;
}

void plane_link_policy(struct control *c, mono_t now, const struct oe_effect *fx)
{
    static const uint8_t verdicts[] = {
        [OE_VERDICT_HOLD] = PFKEY_VERDICT_HOLD,
        [OE_VERDICT_PASS] = PFKEY_VERDICT_PASS,
        [OE_VERDICT_DENY] = PFKEY_VERDICT_DENY,
        [OE_VERDICT_ENCRYPT] = PFKEY_VERDICT_ENCRYPT,
    };
    struct pfkey_message message = {
        .type = PFKEY_X_POLICY_SET,
        .has = PFKEY_HAS_FLOW | PFKEY_HAS_VERDICT | PFKEY_HAS_TICKET,
        .flow = fx->flow,
        .verdict = verdicts[fx->verdict],
        .ticket = fx->ticket,
        .note = fx->note,
    };
    if (fx->verdict == OE_VERDICT_ENCRYPT) {
        message.has |= PFKEY_HAS_SA | PFKEY_HAS_PEER;
        message.sa.spi = fx->spi_out;
        message.sa.outer_src = fx->local;
        message.sa.outer_dst = fx->peer;
        message.peer = fx->peer;
    }
    struct pending what = {
        .request = fx->verdict == OE_VERDICT_ENCRYPT ? PLANE_ASKED_ENCRYPT : PLANE_ASKED_OTHER,
        .ticket = fx->ticket,
        .spi_out = fx->spi_out,
    };
    ask(c, now, &message, &what);
}

void plane_link_policy_remove(struct control *c, mono_t now, const struct oe_effect *fx)
{
    struct pfkey_message message = {
        .type = PFKEY_X_POLICY_DELETE,
        .has = PFKEY_HAS_FLOW,
        .flow = fx->flow,
    };
    struct pending what = {.request = PLANE_ASKED_OTHER};
    ask(c, now, &message, &what);
}

void plane_link_rule(struct control *c, mono_t now, const struct tunnel_effect *fx)
{
    static const uint8_t verdicts[] = {
        [TUNNEL_TRAP] = PFKEY_VERDICT_NONE,
        [TUNNEL_HOLD] = PFKEY_VERDICT_HOLD,
        [TUNNEL_DENY] = PFKEY_VERDICT_DENY,
        [TUNNEL_ENCRYPT] = PFKEY_VERDICT_ENCRYPT,
    };
    struct pfkey_message message = {
        .type = PFKEY_X_RULE_SET,
        .has = PFKEY_HAS_SA | PFKEY_HAS_VERDICT | PFKEY_HAS_TICKET,
        .verdict = verdicts[fx->verdict],
        .ticket = fx->ticket,
        .sa = {.interface = SA_CONFIGURED},
    };
    sa_params_set_traffic(&message.sa, &fx->traffic);
    if (fx->verdict == TUNNEL_ENCRYPT) {
        message.has |= PFKEY_HAS_PEER;
        message.sa.spi = fx->spi_out;
        message.sa.outer_src = fx->local;
        message.sa.outer_dst = fx->peer;
        message.peer = fx->peer;
    }
    struct pending what = {.request = fx->verdict == TUNNEL_ENCRYPT ? PLANE_ASKED_RULE
                                                                    : PLANE_ASKED_OTHER,
                           .ticket = fx->ticket,
                           .spi_out = fx->spi_out};
    ask(c, now, &message, &what);
}

void plane_link_rule_remove(struct control *c, mono_t now, uint64_t ticket)
{
    struct pfkey_message message = {
        .type = PFKEY_X_RULE_DELETE, .has = PFKEY_HAS_TICKET, .ticket = ticket};
    struct pending what = {.request = PLANE_ASKED_OTHER};
    ask(c, now, &message, &what);
}

void plane_link_rule_sweep(struct control *c, mono_t now)
{
    struct pfkey_message message = {.type = PFKEY_X_RULE_SWEEP};
    struct pending what = {.request = PLANE_ASKED_OTHER};
    ask(c, now, &message, &what);
}

/* OE-079: the plane answers for the outgoing policy and the incoming SA together. */
void plane_link_last_use(struct control *c, mono_t now, const struct oe_effect *fx)
{
    struct pfkey_message message = {
        .type = PFKEY_X_POLICY_GET,
        .has = PFKEY_HAS_FLOW | PFKEY_HAS_TICKET,
        .flow = fx->flow,
        .ticket = fx->ticket,
    };
    struct pending what = {
        .request = PLANE_ASKED_LAST_USE, .ticket = fx->ticket, .flow = fx->flow};
    ask(c, now, &message, &what);
}

/* OE-168: which of several tunnels did the client's gateways use last. */
void plane_link_sa_use(struct control *c, mono_t now, const struct oe_effect *fx)
{
    struct pfkey_message message = {
        .type = PFKEY_GET,
        .has = PFKEY_HAS_SA,
        .sa = {.spi = fx->spi_in, .inbound = true, .outer_src = fx->peer, .outer_dst = fx->local},
    };
    struct pending what = {
        .request = PLANE_ASKED_SA_USE, .ticket = fx->ticket, .spi_in = fx->spi_in};
    ask(c, now, &message, &what);
}

/* SAs first: a policy found later names only its outgoing SPI. */
void plane_link_ready(struct control *c, mono_t now)
{
    struct pfkey_message message = {.type = PFKEY_DUMP};
    struct pending what = {.request = PLANE_ASKED_SA_DUMP};

    c->plane_present = true;
    c->plane_ready = false;
    restart_begin(c);
    ask(c, now, &message, &what);
}

void plane_link_gone(struct control *c, mono_t now)
{
    struct heap_node *node;

    c->plane_present = c->plane_ready = false;
    tunnels_plane_gone(c->tunnels);
    while ((node = heap_first(&c->deadlines)) != NULL)
        pending_end(c, now, HEAP_OWNER(node, struct pending, deadline), false);
}

/* The last message of a dump: SAs are followed by policies, policies by ordinary work. */
static void dump_over(struct control *c, mono_t now, struct pending *p)
{
    bool policies_next = p->request == PLANE_ASKED_SA_DUMP;

    pending_free(c, p);
    if (policies_next) {
        struct pfkey_message message = {.type = PFKEY_X_POLICY_DUMP};
        struct pending what = {.request = PLANE_ASKED_POLICY_DUMP};
        ask(c, now, &message, &what);
        return;
    }
    c->plane_ready = true;
    restart_over(c, now);
}

static void dump_reply(struct control *c, mono_t now, struct pending *p,
                       const struct pfkey_message *message)
{
    if ((message->has & PFKEY_HAS_END) != 0) {
        dump_over(c, now, p);
        return;
    }
    if (p->request == PLANE_ASKED_SA_DUMP)
        restart_found_sa(c, message);
    else
        restart_found_policy(c, now, message);
    if (!heap_set(&c->deadlines, &p->deadline, mono_add(now, c->plane_reply_ms)))
        c->counters[CONTROL_COUNT_effects_lost]++;
}

/* The plane has lost the SA, with all that it knew: for the connection that is its hard expiry. */
static void encrypt_refused(struct control *c, mono_t now, const struct pending *p)
{
    struct oe_event gone = {
        .kind = OE_EV_HARD_EXPIRE, .ticket = p->ticket, .spi_out = p->spi_out};
    oe_input(c->oe, now, &gone);
}

static enum err plane_reply(struct control *c, mono_t now, const struct pfkey_message *message)
{
    struct map_node *node = map_find(&c->pending, &message->seq);
    if (node == NULL || message->pid != c->instance) {
        c->counters[CONTROL_COUNT_pfkey_stale]++;
        return ERR_UNKNOWN;
    }
    struct pending *p = MAP_OWNER(node, struct pending, by_seq);
    if (p->request == PLANE_ASKED_SA_DUMP || p->request == PLANE_ASKED_POLICY_DUMP) {
        dump_reply(c, now, p, message);
        return ERR_OK;
    }
    bool ok = message->error == 0;
    struct ike_event spi = {
        .kind = IKE_EV_SPI, .serial = p->serial, .ok = true, .spi = message->sa.spi};
    struct oe_event use = {.kind = OE_EV_LAST_USE,
                           .ticket = p->ticket,
                           .flow = p->flow,
                           .idle_ms = message->idle_ms};
    struct oe_event sa_use = {.kind = OE_EV_SA_USE,
                              .ticket = p->ticket,
                              .spi_in = p->spi_in,
                              .idle_ms = message->idle_ms};
    struct pending asked = *p;

    if (!ok)
        c->counters[CONTROL_COUNT_pfkey_refused]++;
    if (!ok && asked.request == PLANE_ASKED_SPI && asked.tries > 0) {
        pending_free(c, p);
        ask_spi(c, now, asked);
        return ERR_OK;
    }
    pending_end(c, now, p, ok);
    if (ok && asked.request == PLANE_ASKED_SPI)
        ike_input(c->ike, now, &spi);
    else if (ok && asked.request == PLANE_ASKED_LAST_USE)
        oe_input(c->oe, now, &use);
    else if (ok && asked.request == PLANE_ASKED_SA_USE)
        oe_input(c->oe, now, &sa_use);
    else if (message->error == ESRCH && asked.request == PLANE_ASKED_ENCRYPT)
        encrypt_refused(c, now, &asked);
    else if (message->error == ESRCH && asked.request == PLANE_ASKED_RULE)
        tunnel_link_lost(c, now, asked.ticket, (spi_t){0}, asked.spi_out);
    return ERR_OK;
}

/* Whether to follow, ike decides: it knows who is behind a NAT. */
static enum err new_mapping(struct control *c, mono_t now, const struct pfkey_message *message)
{
    struct ike_event moved = {.kind = IKE_EV_MOVED,
                              .ticket = message->ticket,
                              .spi = message->sa.spi,
                              .remote = {message->peer, message->sa.udp_src, message->sa.stream}};
    return ike_input(c->ike, now, &moved);
}

/* Nobody is told what came of it: who still wants it asks again (ADR-100). */
static enum err update_asked(struct control *c, mono_t now, const struct pfkey_message *message)
{
    const struct ike_event update = {.kind = IKE_EV_UPDATE,
                                     .spi = message->sa.spi,
                                     .peer = message->sa.outer_dst,
                                     .local = message->new_src,
                                     .remote = message->new_dst};
    return ike_input(c->ike, now, &update);
}

/* What the plane says unasked. */
static enum err plane_report(struct control *c, mono_t now, const struct pfkey_message *message)
{
    struct oe_event event = {
        .ticket = message->ticket, .flow = message->flow, .peer = message->peer};

    if (tunnel_link_report(c, now, message))
        return ERR_OK;
    switch (message->type) {
    case PFKEY_ACQUIRE: /* IKE-002 */
        event.kind = OE_EV_ACQUIRE;
        break;
    case PFKEY_EXPIRE:
        event.kind =
            message->has & PFKEY_HAS_EXPIRE_HARD ? OE_EV_HARD_EXPIRE : OE_EV_SOFT_EXPIRE;
        event.ticket = message->sa.ticket;
        if (message->sa.inbound)
            event.spi_in = message->sa.spi;
        else
            event.spi_out = message->sa.spi;
        break;
    case PFKEY_X_UNKNOWN_SPI: /* IKE-003 */
        event.kind = OE_EV_HINT;
        break;
    case PFKEY_X_NEW_MAPPING:
        return new_mapping(c, now, message);
    case PFKEY_X_ADDUPD:
        return update_asked(c, now, message);
    case PFKEY_X_TRACE:
        story_tell(c, now, message);
        return ERR_OK;
    default:
        c->counters[CONTROL_COUNT_pfkey_stale]++;
        return ERR_UNEXPECTED;
    }
    return oe_input(c->oe, now, &event);
}

enum err plane_link_input(struct control *c, mono_t now, struct view bytes)
{
    struct pfkey_message message;
    enum err err = pfkey_parse(bytes, &message);

    if (err != ERR_OK) {
        c->counters[CONTROL_COUNT_pfkey_malformed]++;
        return err;
    }
    /* A report carries no pid; a reply carries the asker's. */
    if (message.pid == 0)
        return plane_report(c, now, &message);
    return plane_reply(c, now, &message);
}

void plane_link_timer(struct control *c, mono_t now)
{
    struct heap_node *node;

    while ((node = heap_first(&c->deadlines)) != NULL && mono_reached(now, node->at)) {
        struct pending *p = HEAP_OWNER(node, struct pending, deadline);
        bool dump = p->request == PLANE_ASKED_SA_DUMP || p->request == PLANE_ASKED_POLICY_DUMP;
        c->counters[CONTROL_COUNT_pfkey_unanswered]++;
        pending_end(c, now, p, false);
        if (dump)
            plane_link_ready(c, now); /* without its answer we would not know our tunnels */
    }
}
