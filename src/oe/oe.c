#include "oe/table.h"

#include <assert.h>
#include <stdlib.h>

const char *oe_state_name(enum oe_state state)
{
    static const char *const names[OE_STATE_COUNT] = {
        [OE_ST_NONEXISTENT] = "Nonexistent",
        [OE_ST_CLEAR] = "Clear-text",
        [OE_ST_DENY] = "Deny",
        [OE_ST_POTENTIAL] = "Potential OE",
        [OE_ST_PENDING] = "Pending OE",
        [OE_ST_KEYED] = "Keyed",
        [OE_ST_EXPIRING] = "Expiring",
        [OE_ST_EXPIRED] = "Expired",
        [OE_ST_UNAUTHENTICATED_PEER] = "Unauthenticated OE peer",
        [OE_ST_AUTHENTICATED_PEER] = "Authenticated OE peer",
    };
    return (unsigned)state < OE_STATE_COUNT ? names[state] : "unknown";
}

const char *oe_verdict_name(enum oe_verdict verdict)
{
    static const char *const names[] = {"hold", "pass", "deny", "encrypt"};
    return (unsigned)verdict <= OE_VERDICT_ENCRYPT ? names[verdict] : "unknown";
}

static const char *const event_names[OE_EVENT_COUNT] = {
    [OE_EV_ACQUIRE] = "acquire",
    [OE_EV_DELEGATION] = "delegation",
    [OE_EV_KEYS] = "keys",
    [OE_EV_CHILD_UP] = "child-up",
    [OE_EV_CHILD_FAILED] = "child-failed",
    [OE_EV_CHILD_DELETED] = "child-deleted",
    [OE_EV_PEER_UNKNOWN] = "peer-unknown",
    [OE_EV_PEER_AUTHENTICATED] = "peer-authenticated",
    [OE_EV_PROPOSAL] = "proposal",
    [OE_EV_SOFT_EXPIRE] = "soft-expire",
    [OE_EV_HARD_EXPIRE] = "hard-expire",
    [OE_EV_LAST_USE] = "last-use",
    [OE_EV_SA_USE] = "sa-use",
    [OE_EV_ADOPT] = "adopt",
    [OE_EV_HINT] = "hint",
    [OE_EV_SHUTDOWN] = "shutdown",
    [OE_EV_LIFESPAN] = "lifespan-over",
    [OE_EV_SUPERSEDED] = "superseded",
    [OE_EV_STOP] = "stop",
    [OE_EV_RECLASS] = "policy-changed",
    [OE_EV_CHOSEN] = "chosen",
};

const char *oe_event_name(int kind)
{
    return kind >= 0 && kind < OE_EVENT_COUNT ? event_names[kind] : "unknown";
}

static void set_defaults(struct oe_config *config)
{
    if (config->wait_s == 0)
        config->wait_s = 20;
    if (config->low_lifespan_s == 0)
        config->low_lifespan_s = 60;
    if (config->normal_lifespan_s == 0)
        config->normal_lifespan_s = 1200;
    if (config->first_lifespan_s == 0)
        config->first_lifespan_s = 60;
    if (config->instances == 0)
        config->instances = LIMIT_INSTANCES;
}

static void *copy_array(const void *items, size_t count, size_t size)
{
    void *copy = calloc(count != 0 ? count : 1, size);
    if (copy != NULL && count != 0)
        memcpy(copy, items, count * size);
    return copy;
}

/* Also the fallback, which has no prefixes. */
static enum err take_config(struct oe *oe, const struct oe_config *config)
{
    struct oe_class *classes = NULL;
    struct ip_addr *own = NULL;

    if (config->class_count > LIMIT_CLASSES)
        return ERR_LIMIT;
    classes = copy_array(config->classes, config->class_count, sizeof(*classes));
    own = copy_array(config->own, config->own_count, sizeof(*own));
    if (classes == NULL || own == NULL) {
        free(classes);
        free(own);
        return ERR_MEMORY;
    }
    free(oe->classes);
    free(oe->own);
    oe->classes = classes;
    oe->own = own;
    oe->config = *config;
    oe->config.classes = classes;
    oe->config.own = own;
    set_defaults(&oe->config);
    oe->fallback = (struct oe_class){.kind = config->fallback, .name = "default"};
    return ERR_OK;
}

enum err oe_new(const struct oe_config *config, const struct oe_env *env, struct oe **ret)
{
    struct oe *oe = calloc(1, sizeof(*oe));
    if (oe == NULL)
        return ERR_MEMORY;
    oe->trace = env->trace;
    oe->ways = env->ways;
    fifo_init(&oe->effects, sizeof(struct oe_queued));
    map_init(&oe->by_ticket, MAP_KEY_OFFSET(struct oe_instance, by_ticket, ticket),
             sizeof(uint64_t), &env->rng);
    map_init(&oe->by_flow, MAP_KEY_OFFSET(struct oe_instance, by_flow, key),
             sizeof(struct flow_key), &env->rng);
    map_init(&oe->by_gateway, MAP_KEY_OFFSET(struct oe_gateway, by_addr, key),
             sizeof(struct gateway_key), &env->rng);
    map_init(&oe->proofs, MAP_KEY_OFFSET(struct oe_proof, by_peer, key), sizeof(struct proof_key),
             &env->rng);
    enum err err = take_config(oe, config);
    oe->row_hits = calloc(table_rows(), sizeof(*oe->row_hits));
    oe->walk = calloc(1, sizeof(*oe->walk));
    if (err == ERR_OK && (oe->row_hits == NULL || oe->walk == NULL))
        err = ERR_MEMORY;
    if (err != ERR_OK) {
        oe_free(oe);
        return err;
    }
    *ret = oe;
    return ERR_OK;
}

void oe_free(struct oe *oe)
{
    if (oe == NULL)
        return;
    while (oe->first != NULL)
        instance_free(oe, oe->first);
    effects_fini(oe);
    map_fini(&oe->by_ticket);
    map_fini(&oe->by_flow);
    map_fini(&oe->by_gateway);
    map_fini(&oe->proofs);
    heap_fini(&oe->deadlines);
    heap_fini(&oe->turns);
    free(oe->classes);
    free(oe->own);
    free(oe->row_hits);
    free(oe->walk);
    free(oe);
}

bool oe_is_own(const struct oe *oe, const struct ip_addr *addr)
{
    for (size_t i = 0; i < oe->config.own_count; i++)
        if (ip_addr_equal(&oe->own[i], addr))
            return true;
    return false;
}

const struct ip_addr *oe_own_address(const struct oe *oe, const struct ip_addr *peer)
{
    const struct ip_addr *first = NULL;

    for (size_t i = 0; i < oe->config.own_count; i++) {
        if (oe->own[i].family != peer->family)
            continue;
        if (address_reaches(&oe->ways, &oe->own[i], peer))
            return &oe->own[i];
        if (first == NULL)
            first = &oe->own[i];
    }
    return first;
}

/* OE-042: the administrator's default where no line matches. */
const struct oe_class *oe_classify(const struct oe *oe, const struct ip_pair *flow)
{
    const struct oe_class *class = classes_match(oe->classes, oe->config.class_count, flow);
    return class != NULL ? class : &oe->fallback;
}

static void report(const struct oe_step *step, enum oe_state from)
{
    const struct oe_instance *inst = step->inst;
    struct event_record record = {
        .at = step->now,
        .room = EVENT_OE,
        .level = step->row->level,
        .flow = inst->responder ? ip_pair_reverse(&inst->key.flow) : inst->key.flow,
        .peer = inst->gateway,
        .connection = inst->ticket,
    };
    if (from == step->row->to && record.level == EVENT_INFO)
        return;
    TEXT_SET(record.title, "%s -> %s", oe_state_name(from), oe_state_name(step->row->to));
    TEXT_SET(record.detail, "%s", inst->reason);
    event_emit(&step->oe->trace, &record);
}

static int64_t wait_in(const struct oe_step *step)
{
    const struct oe_instance *inst = step->inst;
    switch (inst->state) {
    case OE_ST_POTENTIAL:
        return OE_LOOKUP_WAIT_MS;
    case OE_ST_PENDING:
        if (instance_name_holds(inst))
            return OE_NAME_HOLD_MS;
        return inst->responder || inst->keying
                   ? OE_KEYING_WAIT_MS + 1000 * (int64_t)inst->class->wait_s
                   : OE_LOOKUP_WAIT_MS;
    case OE_ST_EXPIRING:
        return step->row->action == ACT_recheck ? OE_LOOKUP_WAIT_MS : OE_LAST_USE_WAIT_MS;
    case OE_ST_EXPIRED:
        return inst->lingering ? 1000 * (int64_t)step->oe->config.normal_lifespan_s
                               : OE_DELETE_WAIT_MS;
    default:
        return OE_PEER_WAIT_MS;
    }
}

/* OE-013: nothing lasts without being looked at again. */
static void arm(const struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    mono_t at = mono_add(step->now, wait_in(step));

    if (step->row->action == ACT_repeat_policy)
        return; /* asking again buys no time */
    if (inst->state == OE_ST_CLEAR || inst->state == OE_ST_DENY || inst->state == OE_ST_KEYED)
        at = inst->lifespan_ends;
    instance_set_deadline(step->oe, inst, at);
}

/* The one place where a state is set. The instance may be gone afterwards. */
void oe_dispatch(struct oe *oe, mono_t now, struct oe_instance *inst, const struct oe_event *event)
{
    struct oe_step step = {.oe = oe, .inst = inst, .now = now, .event = event};
    struct oe_event over = {.kind = (enum oe_event_kind)OE_EV_LIFESPAN};
    enum oe_state from = inst->state;

    step.row = table_find(&step);
    if (step.row == NULL) {
        oe->dropped[event->kind]++;
        return;
    }
    oe->row_hits[table_index(step.row)]++;
    table_run(step.row, &step);
    assert(inst->state == from);
    inst->state = step.row->to;
    if (inst->state != from)
        inst->since = now;
    report(&step, from);
    if (inst->state == OE_ST_NONEXISTENT) {
        instance_free(oe, inst);
        return;
    }
    instance_touch(oe, inst);
    arm(&step);
    /* OE-081: nothing to wait for, so it goes at once. */
    if (inst->state == OE_ST_EXPIRED && !inst->has_child)
        oe_dispatch(oe, now, inst, &over);
}

static enum err begin_flow(struct oe *oe, mono_t now, const struct oe_event *event)
{
    struct oe_instance *inst =
        instance_new(oe, now, event->kind == OE_EV_ADOPT ? event->ticket : 0);
    if (inst == NULL)
        return ERR_MEMORY;
    instance_set_flow(oe, inst, &event->flow);
    if (!instance_own_flow(oe, inst)) {
        instance_free(oe, inst);
        return ERR_MEMORY;
    }
    oe_dispatch(oe, now, inst, event);
    return ERR_OK;
}

/* OE-040 */
static enum err input_flow(struct oe *oe, mono_t now, const struct oe_event *event)
{
    struct oe_instance *inst = instance_by_flow(oe, &event->flow);
    if (oe->shutting_down || event->flow.dst.family == IP_NONE) {
        oe->dropped[event->kind]++;
        return ERR_STATE;
    }
    if (inst == NULL)
        return begin_flow(oe, now, event);
    oe_dispatch(oe, now, inst, event);
    return ERR_OK;
}

static enum err input_ticket(struct oe *oe, mono_t now, const struct oe_event *event)
{
    struct oe_instance *inst = instance_by_ticket(oe, event->ticket);
    if (inst != NULL) {
        oe_dispatch(oe, now, inst, event);
        return ERR_OK;
    }
    oe->dropped[event->kind]++;
    if (event->kind == OE_EV_CHILD_UP) /* nobody would ever take it down */
        effect_delete_unknown(oe, event->ticket);
    return ERR_UNKNOWN;
}

static struct oe_instance *begin_peer(struct oe *oe, mono_t now, const struct oe_event *event)
{
    gateway_room_for_peer(oe, now, &event->peer);
    struct oe_instance *inst = instance_new(oe, now, 0);
    if (inst == NULL)
        return NULL;
    inst->responder = true;
    inst->peer_id = event->peer_id;
    if (!instance_join_gateway(oe, now, inst, &event->peer)) {
        instance_free(oe, inst);
        return NULL;
    }
    inst->phase1_secure = gateway_peer_secure(oe, &event->peer, &event->peer_id);
    return inst;
}

static enum err input_peer_unknown(struct oe *oe, mono_t now, const struct oe_event *event)
{
    struct oe_instance *inst = oe->shutting_down ? NULL : begin_peer(oe, now, event);
    if (inst == NULL) {
        effect_answer_no(oe, event, oe->shutting_down ? "shutting down" : err_text(ERR_MEMORY));
        return oe->shutting_down ? ERR_STATE : ERR_MEMORY;
    }
    inst->serial = event->serial;
    oe_dispatch(oe, now, inst, event);
    return ERR_OK;
}

/* As initiator it is no news: a phase 1 SA alone is no success (OE-058). */
static enum err input_peer_authenticated(struct oe *oe, mono_t now, const struct oe_event *event)
{
    if (event->initiator || oe->shutting_down)
        return ERR_OK;
    struct oe_instance *inst = gateway_find_peer(oe, &event->peer, &event->peer_id, OE_ST_UNAUTHENTICATED_PEER);
    if (inst == NULL)
        inst = begin_peer(oe, now, event);
    if (inst == NULL)
        return ERR_MEMORY;
    oe_dispatch(oe, now, inst, event);
    return ERR_OK;
}

static enum err give_proposal(struct oe *oe, struct oe_instance *inst, const struct oe_event *event)
{
    if (event->key != NULL) {
        inst->peer_key = malloc(sizeof(*inst->peer_key));
        if (inst->peer_key == NULL)
            return ERR_MEMORY;
        *inst->peer_key = *event->key;
    }
    inst->serial = event->serial;
    inst->peer_behind_nat = event->behind_nat;
    inst->phase1_ours = event->initiator;
    instance_set_flow(oe, inst, &event->flow);
    return ERR_OK;
}

/* OE-088, OE-174 */
static enum err input_proposal(struct oe *oe, mono_t now, const struct oe_event *event)
{
    enum err err = oe->shutting_down ? ERR_STATE : ERR_OK;
    struct oe_instance *inst = NULL;

    if (err == ERR_OK) {
        inst = gateway_find_peer(oe, &event->peer, &event->peer_id, OE_ST_AUTHENTICATED_PEER);
        if (inst == NULL) {
            inst = begin_peer(oe, now, event);
            if (inst != NULL)
                oe_dispatch(oe, now, inst, event);
        }
        err = inst != NULL ? give_proposal(oe, inst, event) : ERR_MEMORY;
    }
    if (err != ERR_OK) {
        effect_answer_no(oe, event, err == ERR_STATE ? "shutting down" : err_text(err));
        return err;
    }
    oe_dispatch(oe, now, inst, event);
    return ERR_OK;
}

/* OE-176: the peer may be gone, or have nothing to say; so it is tried ever more rarely. */
static enum err input_silence(struct oe *oe, mono_t now, const struct oe_event *event)
{
    struct oe_instance *inst = instance_by_ticket(oe, event->ticket);

    if (inst == NULL || inst->state != OE_ST_KEYED || !mono_reached(now, inst->next_silence)) {
        oe->dropped[OE_EV_HINT]++;
        return inst == NULL ? ERR_UNKNOWN : ERR_LIMIT;
    }
    int64_t pause = inst->silence_pause_ms != 0 ? inst->silence_pause_ms : OE_SILENCE_PAUSE_MS;
    inst->next_silence = mono_add(now, pause);
    inst->silence_pause_ms = pause < OE_SILENCE_PAUSE_MAX_MS ? 2 * pause : pause;
    oe_dispatch(oe, now, inst, event);
    return ERR_OK;
}

/* OE-072, OE-073: forgeable, so at most one burst per gateway in a while, the oldest keys first. */
static enum err input_hint(struct oe *oe, mono_t now, const struct oe_event *event)
{
    struct oe_gateway *gw = instance_gateway(oe, &event->peer);
    struct oe_instance *chosen[OE_HINT_REKEYS];
    size_t count = 0;

    if (gw == NULL || !mono_reached(now, gw->next_hint)) {
        oe->dropped[OE_EV_HINT]++;
        return ERR_LIMIT;
    }
    gw->next_hint = mono_add(now, OE_HINT_PAUSE_MS);
    for (struct oe_instance *inst = gw->first; inst != NULL && count < OE_HINT_REKEYS;
         inst = inst->gateway_after)
        if (inst->state == OE_ST_KEYED)
            chosen[count++] = inst;
    for (size_t i = 0; i < count; i++)
        oe_dispatch(oe, now, chosen[i], event);
    return ERR_OK;
}

/* OE-173: ike deletes what it knows; the plane keeps no policy that nobody looks after. */
static enum err input_shutdown(struct oe *oe, mono_t now)
{
    struct oe_event stop = {.kind = (enum oe_event_kind)OE_EV_STOP};
    struct oe_instance *next;

    oe->shutting_down = true;
    for (struct oe_instance *inst = oe->first; inst != NULL; inst = next) {
        next = inst->created_after;
        TEXT_SET(inst->reason, "shutting down");
        oe_dispatch(oe, now, inst, &stop);
    }
    return ERR_OK;
}

static bool same_class(const struct oe_class *a, const struct oe_class *b)
{
    return a->kind == b->kind && a->pass_while_keying == b->pass_while_keying;
}

/* What a flow's class makes of it, to be compared before and after a change. */
struct regime {
    struct oe_class class;
    bool anonymous, fails_clear;
};

static struct regime regime_of(const struct oe *oe, const struct oe_instance *inst)
{
    bool wrong =
        inst->dns_asked && (inst->dns == DISCOVERED_MALFORMED || inst->dns == DISCOVERED_BOGUS);
    return (struct regime){
        .class = *inst->class,
        .anonymous = class_takes_anonymous(&oe->config, inst->class),
        .fails_clear = wrong && class_fails_clear(&oe->config, inst->class, &inst->key.flow),
    };
}

/* Gives every instance its class of the new configuration; `before` are those of the old one. */
static void reclass_all(struct oe *oe, const struct regime *before)
{
    for (struct oe_instance *inst = oe->first; inst != NULL; inst = inst->created_after) {
        bool has_flow = inst->key.flow.dst.family != IP_NONE;
        inst->class = has_flow ? oe_classify(oe, &inst->key.flow) : &oe->fallback;
        struct regime after = regime_of(oe, inst);
        inst->reclass = has_flow && (!same_class(&before->class, &after.class) ||
                                     before->anonymous != after.anonymous ||
                                     before->fails_clear != after.fails_clear);
        before++;
    }
}

static struct regime *regimes(const struct oe *oe)
{
    size_t i = 0;
    struct regime *all = calloc(oe->by_ticket.count + 1, sizeof(*all));
    for (const struct oe_instance *inst = oe->first; all != NULL && inst != NULL;
         inst = inst->created_after)
        all[i++] = regime_of(oe, inst);
    return all;
}

enum err oe_reconfigure(struct oe *oe, mono_t now, const struct oe_config *config)
{
    struct oe_event changed = {.kind = (enum oe_event_kind)OE_EV_RECLASS};
    struct oe_instance *next;
    struct regime *before = regimes(oe);
    enum err err = before != NULL ? take_config(oe, config) : ERR_MEMORY;

    oe->out_of_memory = false;
    if (err == ERR_OK)
        reclass_all(oe, before);
    for (struct oe_instance *inst = oe->first; err == ERR_OK && inst != NULL; inst = next) {
        next = inst->created_after;
        if (inst->reclass && !oe->shutting_down)
            oe_dispatch(oe, now, inst, &changed);
    }
    free(before);
    return err;
}

static enum err input(struct oe *oe, mono_t now, const struct oe_event *event)
{
    switch (event->kind) {
    case OE_EV_ACQUIRE:
    case OE_EV_ADOPT:
        return input_flow(oe, now, event);
    case OE_EV_DELEGATION:
    case OE_EV_KEYS:
    case OE_EV_CHILD_UP:
    case OE_EV_CHILD_FAILED:
    case OE_EV_CHILD_DELETED:
    case OE_EV_SOFT_EXPIRE:
    case OE_EV_HARD_EXPIRE:
    case OE_EV_LAST_USE:
        return input_ticket(oe, now, event);
    case OE_EV_SA_USE:
        return ring_heard(oe, now, event);
    case OE_EV_PEER_UNKNOWN:
        return input_peer_unknown(oe, now, event);
    case OE_EV_PEER_AUTHENTICATED:
        return input_peer_authenticated(oe, now, event);
    case OE_EV_PROPOSAL:
        return input_proposal(oe, now, event);
    case OE_EV_HINT:
        return event->ticket != 0 ? input_silence(oe, now, event) : input_hint(oe, now, event);
    case OE_EV_SHUTDOWN:
        return input_shutdown(oe, now);
    }
    return ERR_STATE;
}

enum err oe_input(struct oe *oe, mono_t now, const struct oe_event *event)
{
    oe->out_of_memory = false;
    oe->now = now;
    enum err err = input(oe, now, event);
    return err == ERR_OK && oe->out_of_memory ? ERR_MEMORY : err;
}

/* ike owes a result for every request; without one, it is as silence of the other gateway. */
static void keying_overdue(struct oe *oe, mono_t now, struct oe_instance *inst)
{
    struct oe_step step = {.oe = oe, .inst = inst, .now = now};
    struct oe_event silence = {
        .kind = OE_EV_CHILD_FAILED, .failure = IKE_FAILURE_SILENT, .text = "keying took too long"};
    effect_cancel(&step);
    oe_dispatch(oe, now, inst, &silence);
}

void oe_timer(struct oe *oe, mono_t now)
{
    struct oe_event over = {.kind = (enum oe_event_kind)OE_EV_LIFESPAN};
    struct heap_node *node;

    oe->now = now;
    while ((node = heap_first(&oe->deadlines)) != NULL && mono_reached(now, node->at)) {
        struct oe_instance *inst = HEAP_OWNER(node, struct oe_instance, deadline);
        instance_set_deadline(oe, inst, mono_add(now, OE_PEER_WAIT_MS));
        if (inst->state == OE_ST_PENDING && !inst->responder && inst->keying &&
            !instance_name_holds(inst))
            keying_overdue(oe, now, inst);
        else
            oe_dispatch(oe, now, inst, &over);
    }
    ring_timer(oe, now);
}

mono_t oe_next_deadline(const struct oe *oe)
{
    return mono_min(heap_next(&oe->deadlines), heap_next(&oe->turns));
}
