/*
 * Requests of keyd (OE-014): one row for each PF_KEY type that asks something, with what it must
 * carry. A handler fills in the answer, or returns an errno, and then nothing has changed.
 */
#include <errno.h>

#include "plane/internal.h"

typedef int request_handler(struct plane *plane, const struct pfkey_message *request,
                            struct pfkey_message *ret);

static int errno_of(enum err err)
{
    switch (err) {
    case ERR_OK:
        return 0;
    case ERR_REPEATED:
    case ERR_STATE:
        return EEXIST;
    case ERR_LIMIT:
        return ENOBUFS;
    case ERR_MEMORY:
        return ENOMEM;
    case ERR_UNSUPPORTED:
        return EOPNOTSUPP;
    default:
        return EINVAL;
    }
}

/* Names the SA in an answer that says no more about it. */
static void answer_sa(const struct sad_entry *sa, struct pfkey_message *ret)
{
    ret->has = PFKEY_HAS_SA;
    ret->sa = sa->params;
    ret->satype = pfkey_satype(&sa->params.suite);
}

static bool type_fits(const struct sad_entry *sa, const struct pfkey_message *request)
{
    return request->satype == PFKEY_SATYPE_UNSPEC ||
           request->satype == pfkey_satype(&sa->params.suite);
}

/* A larval one has no type yet. */
static struct sad_entry *find_sa(const struct plane *plane, const struct pfkey_message *request)
{
    struct sad_entry *sa = sad_find(&plane->sad, &request->sa);
    return sa != NULL && (sa->esp == NULL || type_fits(sa, request)) ? sa : NULL;
}

static int get_spi(struct plane *plane, const struct pfkey_message *request,
                   struct pfkey_message *ret)
{
    bool ranged = request->has & PFKEY_HAS_SPI_RANGE;
    struct sad_entry *sa;
    enum err err = sad_reserve(&plane->sad, plane->now, &request->sa,
                               ranged ? request->spi_min : SAD_SPI_LEAST,
                               ranged ? request->spi_max : UINT32_MAX, &sa);
    if (err != ERR_OK)
        return errno_of(err);
    lifetime_start(plane, sa);
    answer_sa(sa, ret);
    return 0;
}

static int add(struct plane *plane, const struct pfkey_message *request, struct pfkey_message *ret)
{
    struct sad_entry *sa;
    enum err err = sad_add(&plane->sad, plane->now, &request->sa, &sa);
    if (err != ERR_OK)
        return errno_of(err);
    lifetime_start(plane, sa);
    answer_sa(sa, ret);
    return 0;
}

/* Makes a larval SA mature. Of a mature one only the lifetimes change (RFC 2367 section 3.1.2). */
static int update(struct plane *plane, const struct pfkey_message *request,
                  struct pfkey_message *ret)
{
    struct sad_entry *sa = find_sa(plane, request);
    if (sa == NULL)
        return ESRCH;
    if (request->has & PFKEY_HAS_NEW_ENDS) {
        struct ip_endpoint src = request->new_src, dst = request->new_dst;
        *(sa->params.inbound ? &src.stream : &dst.stream) = request->sa.stream;
        enum err err = sad_readdress(sa, &src, &dst);
        if (err != ERR_OK)
            return errno_of(err);
        answer_sa(sa, ret);
        return 0;
    }
    if (sa->esp != NULL && (request->has & PFKEY_HAS_PEER) && !(request->has & PFKEY_HAS_KEYS)) {
        uint16_t port = request->sa.inbound ? request->sa.udp_src : request->sa.udp_dst;
        const struct ip_endpoint to = {request->peer, port, request->sa.stream};
        enum err err = sad_move(sa, &to);
        if (err != ERR_OK)
            return errno_of(err);
        answer_sa(sa, ret);
        return 0;
    }
    if (sa->esp != NULL && !(request->has & PFKEY_HAS_KEYS)) {
        sa->params.soft = request->sa.soft;
        sa->params.hard = request->sa.hard;
        sa->soft_told = false;
    } else {
        enum err err = sad_mature(&plane->sad, plane->now, sa, &request->sa);
        if (err != ERR_OK)
            return errno_of(err);
    }
    lifetime_start(plane, sa);
    answer_sa(sa, ret);
    return 0;
}

/* ADR-099: whoever asks, those who listen are told; the ends of the SA change when IKE says so. */
static int addupd(struct plane *plane, const struct pfkey_message *request,
                  struct pfkey_message *ret)
{
    const struct sad_entry *sa = find_sa(plane, request);
    (void)ret;
    if (sa == NULL)
        return ESRCH;
    notify_addupd(plane, sa, &request->new_src.addr, &request->new_dst.addr);
    return 0;
}

static int delete (struct plane *plane, const struct pfkey_message *request,
                   struct pfkey_message *ret)
{
    struct sad_entry *sa = find_sa(plane, request);
    if (sa == NULL)
        return ESRCH;
    answer_sa(sa, ret);
    lifetime_end(plane, sa);
    return 0;
}

static int get(struct plane *plane, const struct pfkey_message *request, struct pfkey_message *ret)
{
    const struct sad_entry *sa = find_sa(plane, request);
    if (sa == NULL)
        return ESRCH;
    notify_describe_sa(plane, sa, ret);
    return 0;
}

/* Nothing is kept about who listens: there is one channel. */
static int do_register(struct plane *plane, const struct pfkey_message *request,
                       struct pfkey_message *ret)
{
    (void)plane;
    (void)request;
    (void)ret;
    return 0;
}

/* Rules of configured tunnels */

/* What the classifier was told of pairs that may fall under the rule. */
static void announce_covered(struct plane *plane, const struct traffic_pair *traffic)
{
    const struct list *head = &plane->spd.by_use;
    for (const struct list *at = head->next; at != head; at = at->next) {
        const struct spd_entry *entry = LIST_OWNER(at, struct spd_entry, by_use);
        if (traffic_pair_covers(traffic, &spd_flow(entry)->src, &spd_flow(entry)->dst))
            spd_announce(plane, entry);
    }
}

static void announce_net(struct plane *plane, const struct ip_prefix *remote, bool is)
{
    if (plane->env.net != NULL)
        plane->env.net(plane->env.ctx, remote, is);
}

static void remove_rule(struct plane *plane, struct spd_rule *rule)
{
    struct spd_input remove = {.event = SPD_EV_REMOVE};
    struct traffic_pair traffic = rule->traffic;
    spd_step(plane, &rule->entry, &remove);
    rules_remove(&plane->rules, &plane->spd, rule);
    announce_covered(plane, &traffic);
    if (!rules_lead_to(&plane->rules, &traffic.remote.net))
        announce_net(plane, &traffic.remote.net, false);
}

static void remove_rules(struct plane *plane, uint32_t but_of)
{
    struct list *at = plane->rules.all.next;
    while (at != &plane->rules.all) {
        struct spd_rule *rule = LIST_OWNER(at, struct spd_rule, all);
        at = at->next;
        if (but_of == 0 || rule->owner != but_of)
            remove_rule(plane, rule);
    }
}

/* Of one type: its SAs, and flows that used one wait. Unspecified: all, and the policies too. */
static int flush(struct plane *plane, const struct pfkey_message *request,
                 struct pfkey_message *ret)
{
    (void)ret;
    struct spd_input remove = {.event = SPD_EV_REMOVE};
    struct spd_entry *entry;
    if (request->satype == PFKEY_SATYPE_UNSPEC)
        while ((entry = spd_oldest(&plane->spd)) != NULL)
            spd_step(plane, entry, &remove);
    if (request->satype == PFKEY_SATYPE_UNSPEC)
        remove_rules(plane, 0);
    struct list *next = plane->sad.all.next;
    for (struct list *at = next; at != &plane->sad.all; at = next) {
        struct sad_entry *sa = LIST_OWNER(at, struct sad_entry, all);
        next = at->next;
        if (type_fits(sa, request))
            lifetime_end(plane, sa);
    }
    return 0;
}

/* An answer to the same request, before the last one. */
static struct pfkey_message one_of_many(const struct pfkey_message *request)
{
    return (struct pfkey_message){
        .type = request->type, .satype = request->satype, .seq = request->seq, .pid = request->pid};
}

/* The latest first, so that of several SAs of a ticket the one in use is seen first. */
static int dump(struct plane *plane, const struct pfkey_message *request, struct pfkey_message *ret)
{
    const struct list *head = &plane->sad.all;
    for (const struct list *at = head->next; at != head; at = at->next) {
        const struct sad_entry *sa = LIST_OWNER(at, struct sad_entry, all);
        struct pfkey_message message = one_of_many(request);
        if (sa->esp == NULL || !type_fits(sa, request))
            continue;
        notify_describe_sa(plane, sa, &message);
        notify_send(plane, &message);
    }
    ret->has = PFKEY_HAS_END;
    return 0;
}

static int policy_dump(struct plane *plane, const struct pfkey_message *request,
                       struct pfkey_message *ret)
{
    const struct list *head = &plane->spd.by_use;
    for (const struct list *at = head->next; at != head; at = at->next) {
        struct pfkey_message message = one_of_many(request);
        notify_describe_policy(plane, LIST_OWNER(at, struct spd_entry, by_use), &message);
        notify_send(plane, &message);
    }
    ret->has = PFKEY_HAS_END;
    return 0;
}

static int counters(struct plane *plane, const struct pfkey_message *request,
                    struct pfkey_message *ret)
{
    const char *name;
    uint64_t value;
    for (size_t i = 0; plane_counter(plane, i, &name, &value); i++) {
        struct pfkey_message message = one_of_many(request);
        message.has = PFKEY_HAS_COUNTER;
        message.counter = value;
        strncpy(message.counter_name, name, sizeof(message.counter_name) - 1);
        notify_send(plane, &message);
    }
    ret->has = PFKEY_HAS_END;
    return 0;
}

/* The SA that an encrypt verdict names: it must be one for this flow (OE-029, OE-189). */
static int named_sa(const struct plane *plane, const struct pfkey_message *request,
                    struct sad_entry **ret)
{
    bool has_peer = request->has & PFKEY_HAS_PEER;
    const struct ip_addr *peer = has_peer ? &request->peer : &request->sa.outer_dst;
    if (!(request->has & PFKEY_HAS_SA))
        return EINVAL;
    struct sad_entry *sa = sad_find_outbound(&plane->sad, request->sa.spi.value, peer);
    if (sa == NULL)
        return ESRCH;
    if (!ip_prefix_contains(&sa->params.inner_src, &request->flow.src) ||
        !ip_prefix_contains(&sa->params.inner_dst, &request->flow.dst))
        return EINVAL;
    *ret = sa;
    return 0;
}

/* OE-024, OE-026, OE-029; also without a datagram before (OE-032, OE-187). */
static int policy_set(struct plane *plane, const struct pfkey_message *request,
                      struct pfkey_message *ret)
{
    static const enum spd_event events[] = {
        [PFKEY_VERDICT_HOLD] = SPD_EV_SET_HOLD,
        [PFKEY_VERDICT_PASS] = SPD_EV_SET_PASS,
        [PFKEY_VERDICT_DENY] = SPD_EV_SET_DENY,
        [PFKEY_VERDICT_ENCRYPT] = SPD_EV_SET_ENCRYPT,
    };
    struct spd_input input = {.ticket = request->ticket, .note = request->note};
    struct spd_key key = spd_key_of(&request->flow);

    if (request->verdict == PFKEY_VERDICT_NONE)
        return EINVAL;
    input.event = events[request->verdict];
    if (input.event == SPD_EV_SET_ENCRYPT) {
        int error = named_sa(plane, request, &input.sa);
        if (error != 0)
            return error;
    }
    struct spd_entry *entry = spd_find(&plane->spd, &key);
    if (entry == NULL)
        entry = spd_create(plane, &key);
    if (entry == NULL)
        return ENOMEM;
    spd_step(plane, entry, &input);
    outbound_flush(plane);
    ret->has = PFKEY_HAS_FLOW | PFKEY_HAS_VERDICT | PFKEY_HAS_TICKET;
    ret->flow = request->flow;
    ret->verdict = request->verdict;
    ret->ticket = request->ticket;
    ret->note = request->note;
    return 0;
}

static int policy_delete(struct plane *plane, const struct pfkey_message *request,
                         struct pfkey_message *ret)
{
    struct spd_input remove = {.event = SPD_EV_REMOVE};
    struct spd_key key = spd_key_of(&request->flow);
    struct spd_entry *entry = spd_find(&plane->spd, &key);
    if (entry == NULL)
        return ESRCH;
    notify_describe_policy(plane, entry, ret);
    spd_step(plane, entry, &remove);
    return 0;
}

static int policy_get(struct plane *plane, const struct pfkey_message *request,
                      struct pfkey_message *ret)
{
    struct spd_key key = spd_key_of(&request->flow);
    const struct spd_entry *entry = spd_find(&plane->spd, &key);
    if (entry == NULL)
        return ESRCH;
    notify_describe_policy(plane, entry, ret);
    return 0;
}

/* The SA that a rule's encrypt verdict names: one of a configured tunnel, and within the rule. */
static int rule_sa(const struct plane *plane, const struct pfkey_message *request,
                   const struct traffic_pair *traffic, struct sad_entry **ret)
{
    if (!(request->has & PFKEY_HAS_PEER))
        return EINVAL;
    struct sad_entry *sa = sad_find_outbound(&plane->sad, request->sa.spi.value, &request->peer);
    if (sa == NULL)
        return ESRCH;
    const struct traffic_pair agreed = sa_params_traffic(&sa->params);
    if (sa->params.interface != SA_CONFIGURED || !traffic_pair_contains(traffic, &agreed))
        return EINVAL;
    *ret = sa;
    return 0;
}

/* The rule with that ticket and traffic; one with other traffic is replaced. */
static struct spd_rule *rule_for(struct plane *plane, uint64_t ticket,
                                 const struct traffic_pair *traffic)
{
    struct spd_rule *rule = rules_find_ticket(&plane->rules, ticket);
    if (rule != NULL && traffic_pair_equal(&rule->traffic, traffic))
        return rule;
    if (rule != NULL)
        remove_rule(plane, rule);
    rule = rules_add(&plane->rules, &plane->spd, plane->now, ticket, traffic);
    if (rule == NULL)
        return NULL;
    announce_covered(plane, traffic);
    announce_net(plane, &traffic->remote.net, true);
    return rule;
}

/* With NONE the rule waits for a datagram, and then asks. */
static int rule_set(struct plane *plane, const struct pfkey_message *request,
                    struct pfkey_message *ret)
{
    static const enum spd_event events[] = {
        [PFKEY_VERDICT_NONE] = SPD_EV_SET_TRAP,       [PFKEY_VERDICT_HOLD] = SPD_EV_SET_HOLD,
        [PFKEY_VERDICT_PASS] = SPD_EV_SET_PASS,       [PFKEY_VERDICT_DENY] = SPD_EV_SET_DENY,
        [PFKEY_VERDICT_ENCRYPT] = SPD_EV_SET_ENCRYPT,
    };
    struct spd_input input = {.event = events[request->verdict], .ticket = request->ticket};
    struct traffic_pair traffic = sa_params_traffic(&request->sa);

    if (request->ticket == 0 || request->sa.inbound || !traffic_pair_valid(&traffic))
        return EINVAL;
    if (input.event == SPD_EV_SET_ENCRYPT) {
        int error = rule_sa(plane, request, &traffic, &input.sa);
        if (error != 0)
            return error;
    }
    struct spd_rule *rule = rule_for(plane, request->ticket, &traffic);
    if (rule == NULL)
        return ENOMEM;
    rule->owner = request->pid;
    spd_step(plane, &rule->entry, &input);
    outbound_flush(plane);
    ret->has = PFKEY_HAS_TICKET;
    ret->ticket = request->ticket;
    return 0;
}

static int rule_delete(struct plane *plane, const struct pfkey_message *request,
                       struct pfkey_message *ret)
{
    struct spd_rule *rule = rules_find_ticket(&plane->rules, request->ticket);
    if (rule == NULL)
        return ESRCH;
    remove_rule(plane, rule);
    ret->has = PFKEY_HAS_TICKET;
    ret->ticket = request->ticket;
    return 0;
}

static int rule_sweep(struct plane *plane, const struct pfkey_message *request,
                      struct pfkey_message *ret)
{
    (void)ret;
    if (request->pid == 0)
        return EINVAL;
    remove_rules(plane, request->pid);
    return 0;
}

static const struct request_row {
    uint8_t type;
    uint32_t needs; /* beside what the type's messages always carry */
    request_handler *handle;
} requests[] = {
    {PFKEY_GETSPI, 0, get_spi},
    {PFKEY_UPDATE, 0, update},
    {PFKEY_ADD, PFKEY_HAS_KEYS, add},
    {PFKEY_DELETE, 0, delete},
    {PFKEY_GET, 0, get},
    {PFKEY_REGISTER, 0, do_register},
    {PFKEY_FLUSH, 0, flush},
    {PFKEY_DUMP, 0, dump},
    {PFKEY_X_POLICY_SET, 0, policy_set},
    {PFKEY_X_POLICY_DELETE, 0, policy_delete},
    {PFKEY_X_POLICY_GET, 0, policy_get},
    {PFKEY_X_POLICY_DUMP, 0, policy_dump},
    {PFKEY_X_RULE_SET, PFKEY_HAS_SA | PFKEY_HAS_VERDICT, rule_set},
    {PFKEY_X_RULE_DELETE, 0, rule_delete},
    {PFKEY_X_RULE_SWEEP, 0, rule_sweep},
    {PFKEY_X_COUNTERS, 0, counters},
    {PFKEY_X_ADDUPD, 0, addupd},
};

static int handle(struct plane *plane, const struct pfkey_message *request,
                  struct pfkey_message *ret)
{
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const struct request_row *row = &requests[i];
        if (row->type != request->type)
            continue;
        if ((request->has & row->needs) != row->needs)
            return EINVAL;
        return row->handle(plane, request, ret);
    }
    return EOPNOTSUPP;
}

void plane_control(struct plane *plane, mono_t now, struct view message)
{
    struct pfkey_message request;
    plane_enter(plane, now);
    if (pfkey_parse(message, &request) != ERR_OK || request.error != 0) {
        plane_count(plane, PLANE_COUNT_control_malformed);
        return;
    }
    struct pfkey_message answer = one_of_many(&request);
    int error = handle(plane, &request, &answer);
    if (error != 0) {
        plane_count(plane, PLANE_COUNT_control_refused);
        answer = one_of_many(&request);
        answer.error = (uint8_t)error;
    }
    if (request.type != PFKEY_X_ADDUPD) /* ADR-100 */
        notify_send(plane, &answer);
    pfkey_message_wipe(&request);
}
