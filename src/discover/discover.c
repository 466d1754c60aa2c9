#include "discover/discover.h"

#include "base/fifo.h"
#include "base/text.h"
#include "discover/gather.h"
#include "discover/names.h"
#include "discover/report.h"

#include <assert.h>
#include <stdlib.h>

/*
 * A delegation takes TXT and IPSECKEY; of each gateway KEY, IPSECKEY and addresses of both kinds; and
 * of each forward name IPSECKEY and an address.
 */
enum {
    REQUEST_NAMES = LIMIT_ADDRESS_NAMES + 1,
    REQUEST_QUESTIONS = 2 + 4 * LIMIT_GATEWAYS + 2 * REQUEST_NAMES,
};

/*
 * A request is worked out from the start whenever one of its questions is answered: it asks what it
 * lacks and waits, or is finished. So it has no states of its own, and no request waits for
 * another's answers (OE-113).
 */
struct request {
    struct discover_event ask;
    struct heap_node deadline;
    struct waiter waiters[REQUEST_QUESTIONS];
    uint32_t order[LIMIT_DNS_RECORDS]; /* chance, drawn once */
};

/* An effect and the result it points to. */
struct outcome {
    struct discover_effect effect;
    void *owned;
};

struct discover {
    struct discover_config config;
    struct discover_env env;
    struct questions questions;
    struct heap deadlines; /* of requests */
    struct names names;
    bool has_names; /* somebody tells us names */
    struct fifo outcomes;
    void *handed_out; /* owned by the effect last given to the caller */
    struct delegation no_memory;
    struct identity_keys no_memory_keys;
};

static void set_config(struct discover *d, const struct discover_config *config)
{
    d->config = *config;
    if (d->config.lookup_ms == 0)
        d->config.lookup_ms = LIMIT_LOOKUP_MS;
    if (d->config.lookups == 0)
        d->config.lookups = LIMIT_LOOKUPS;
    if (d->config.cache == 0)
        d->config.cache = LIMIT_DNS_CACHE;
    if (d->config.waiting == 0)
        d->config.waiting = LIMIT_LOOKUPS_WAITING;
    if (d->config.named_addresses == 0)
        d->config.named_addresses = LIMIT_NAMED_ADDRESSES;
}

void discover_reconfigure(struct discover *d, const struct discover_config *config)
{
    set_config(d, config);
    questions_configure(&d->questions, &d->config);
    d->names.limit = d->config.named_addresses;
}

enum err discover_new(const struct discover_config *config, const struct discover_env *env,
                      struct discover **ret)
{
    struct discover *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return ERR_MEMORY;
    set_config(d, config);
    d->env = *env;
    names_init(&d->names, &d->env.rng, d->config.named_addresses);
    questions_init(&d->questions, &d->env.rng, &d->config);
    fifo_init(&d->outcomes, sizeof(struct outcome));
    d->no_memory.status = DISCOVERED_TIMEOUT;
    d->no_memory_keys.status = DISCOVERED_TIMEOUT;
    TEXT_SET(d->no_memory.why, "%s", err_text(ERR_MEMORY));
    TEXT_SET(d->no_memory_keys.why, "%s", err_text(ERR_MEMORY));
    *ret = d;
    return ERR_OK;
}

void discover_free(struct discover *d)
{
    struct heap_node *node;
    struct outcome left;

    if (d == NULL)
        return;
    while ((node = heap_first(&d->deadlines)) != NULL) {
        heap_remove(&d->deadlines, node);
        free(HEAP_OWNER(node, struct request, deadline));
    }
    while (fifo_pop(&d->outcomes, &left))
        free(left.owned);
    free(d->handed_out);
    fifo_fini(&d->outcomes);
    heap_fini(&d->deadlines);
    names_fini(&d->names);
    questions_fini(&d->questions);
    free(d);
}

static enum err push(struct discover *d, const struct discover_effect *effect, void *owned)
{
    struct outcome outcome = {.effect = *effect, .owned = owned};
    if (fifo_push(&d->outcomes, &outcome))
        return ERR_OK;
    free(owned);
    return ERR_MEMORY;
}

static enum err push_result(struct discover *d, const struct discover_event *ask,
                            const struct delegation *delegation, const struct identity_keys *keys,
                            void *owned)
{
    struct discover_effect effect = {
        .kind = ask->kind == DISCOVER_EV_KEYS ? DISCOVER_FX_KEYS : DISCOVER_FX_DELEGATION,
        .ticket = ask->ticket,
        .delegation = delegation,
        .keys = keys,
    };
    return push(d, &effect, owned);
}

/* A request that DNS can't answer, for a reason of ours or for silence. */
static enum err push_failure(struct discover *d, mono_t now, const struct discover_event *ask,
                             const char *why)
{
    if (ask->kind == DISCOVER_EV_KEYS) {
        struct identity_keys *keys = calloc(1, sizeof(*keys));
        if (keys == NULL)
            return push_result(d, ask, NULL, &d->no_memory_keys, NULL);
        keys->status = DISCOVERED_TIMEOUT;
        keys->expires = now;
        TEXT_SET(keys->why, "%s", why);
        return push_result(d, ask, NULL, keys, keys);
    }
    struct delegation *delegation = calloc(1, sizeof(*delegation));
    if (delegation == NULL)
        return push_result(d, ask, &d->no_memory, NULL, NULL);
    delegation->status = DISCOVERED_TIMEOUT;
    delegation->expires = now;
    TEXT_SET(delegation->why, "%s", why);
    return push_result(d, ask, delegation, NULL, delegation);
}

static void request_free(struct discover *d, mono_t now, struct request *r)
{
    for (size_t i = 0; i < REQUEST_QUESTIONS; i++)
        question_leave(&d->questions, now, &r->waiters[i]);
    heap_remove(&d->deadlines, &r->deadline);
    free(r);
}

/* Figure 6 has one question for each of its steps: the records of the draft. */
static void set_labels(struct question *q, const struct discover_event *ask)
{
    static const char *const labels[][2] = {
        [PURPOSE_INITIATE] = {"5B", "5C"},
        [PURPOSE_AUTHORIZE] = {"5H1", "5H2"},
        [PURPOSE_RECHECK] = {"", ""},
    };
    const char *const *label = labels[ask->purpose];
    bool drawn = q->type == DNS_TYPE_TXT || q->type == DNS_TYPE_KEY;
    q->label_query = !drawn ? "" : ask->kind == DISCOVER_EV_KEYS ? "5F1" : label[0];
    q->label_answer = !drawn ? "" : ask->kind == DISCOVER_EV_KEYS ? "5F2" : label[1];
    q->flow = ask->flow;
    q->ticket = ask->ticket;
}

/* Whoever's turn it is. Lost for want of memory, a question times out like one the network lost. */
static void send_questions(struct discover *d, mono_t now)
{
    struct question *q;
    mono_t deadline = mono_add(now, d->config.lookup_ms);
    while ((q = questions_next(&d->questions, deadline)) != NULL) {
        struct discover_effect effect = {
            .kind = DISCOVER_FX_QUERY, .serial = q->serial, .type = q->type};
        memcpy(effect.name, q->name, sizeof(effect.name));
        report_query(&d->env.trace, now, q);
        (void)push(d, &effect, NULL);
    }
}

static enum err ask_dns(struct discover *d, mono_t now, const struct discover_event *ask,
                        uint16_t type, const char *name, struct question **ret)
{
    struct question *q;
    /* Half of its requests' time: then there is some left for the answer. */
    mono_t deadline = mono_add(now, d->config.lookup_ms / 2);
    enum err err = questions_ask(&d->questions, deadline, type, name, &ask->behalf, &q);
    if (err != ERR_OK)
        return err;
    set_labels(q, ask);
    send_questions(d, now); /* at once, so that those of one request go in order */
    *ret = q;
    return ERR_OK;
}

/* The question, asked if need be, with this request waiting for it. */
static enum err request_question(struct discover *d, mono_t now, struct request *r, uint16_t type,
                                 const char *name, struct question **ret)
{
    struct waiter *unused = NULL;
    for (size_t i = 0; i < REQUEST_QUESTIONS; i++) {
        struct question *q = r->waiters[i].question;
        if (q == NULL)
            unused = &r->waiters[i];
        else if (q->type == type && strcmp(q->name, name) == 0) {
            *ret = q;
            return ERR_OK;
        }
    }
    assert(unused != NULL);
    struct question *q = questions_find(&d->questions, now, type, name);
    enum err err = ERR_OK;
    if (q == NULL)
        err = ask_dns(d, now, &r->ask, type, name, &q);
    else if (!q->answered)
        turns_share(&d->questions.turns, &q->turn, &r->ask.behalf);
    else
        report_cached(&d->env.trace, now, q, &r->ask);
    if (err != ERR_OK)
        return err;
    unused->request = r;
    question_wait(&d->questions, q, unused);
    *ret = q;
    return ERR_OK;
}

/* The reverse map for an address, the forward map for a name (OE-047, OE-085, OE-145). */
static void key_name(const struct identity *id, char ret[LIMIT_DNS_NAME])
{
    if (id->kind == IDENTITY_ADDR)
        ip_addr_reverse(&id->addr, ret);
    else
        text_set(ret, LIMIT_DNS_NAME, "%.*s.", LIMIT_DNS_NAME - 2, id->fqdn);
}

/*
 * OE-049: the keys that the delegation left out. All these lookups must have ended before the
 * delegation is used; a gateway whose key is plainly not there is dropped if another can stand in
 * for it, while a bogus or malformed key spoils the whole as a bogus delegation does.
 */
struct key_search {
    bool waiting;
    bool failed;
    enum discovered worst; /* if failed */
    char why[LIMIT_REASON];
};

static void search_failed(struct key_search *search, const struct identity_keys *keys)
{
    /* The enum grows from absent to bogus; silence is the mildest. */
    static const int weight[] = {[DISCOVERED_TIMEOUT] = 1,
                                 [DISCOVERED_ABSENT] = 2,
                                 [DISCOVERED_MALFORMED] = 3,
                                 [DISCOVERED_BOGUS] = 4};
    if (search->failed && weight[keys->status] <= weight[search->worst])
        return;
    search->failed = true;
    search->worst = keys->status;
    memcpy(search->why, keys->why, sizeof(search->why));
}

/*
 * The keys of an identity: its KEY records, or where there are none its IPSECKEY records, asked for
 * at the same time so that nobody waits twice (OE-138).
 */
static enum err find_keys(struct discover *d, mono_t now, struct request *r,
                          const struct identity *id, struct identity_keys *ret, bool *ret_waiting)
{
    struct question *key, *ipseckey = NULL;
    char name[LIMIT_DNS_NAME];

    key_name(id, name);
    enum err err = request_question(d, now, r, DNS_TYPE_KEY, name, &key);
    if (err == ERR_OK && d->config.ask_ipseckey)
        err = request_question(d, now, r, DNS_TYPE_IPSECKEY, name, &ipseckey);
    if (err != ERR_OK)
        return err;
    *ret_waiting = !key->answered;
    if (*ret_waiting)
        return ERR_OK;
    gather_keys(id, key, ret);
    if (ipseckey == NULL || ret->status != DISCOVERED_ABSENT)
        return ERR_OK;
    *ret_waiting = !ipseckey->answered;
    if (*ret_waiting)
        return ERR_OK;
    bool secure = ret->secure;
    mono_t expires = ret->expires;
    gather_keys(id, ipseckey, ret);
    ret->secure = ret->secure && secure;
    ret->expires = mono_min(ret->expires, expires);
    return ERR_OK;
}

static enum err search_key(struct discover *d, mono_t now, struct request *r,
                           struct delegation *delegation, size_t i, struct key_search *search)
{
    struct discovered_gateway *gw = &delegation->gateways[i];
    struct identity_keys keys;
    bool waiting;

    enum err err = find_keys(d, now, r, &gw->id, &keys, &waiting);
    if (err != ERR_OK)
        return err;
    if (waiting) {
        search->waiting = true;
        return ERR_OK;
    }
    delegation->secure = delegation->secure && keys.secure;
    delegation->expires = mono_min(delegation->expires, keys.expires);
    if (keys.status != DISCOVERED_FOUND)
        search_failed(search, &keys);
    for (size_t k = 0; k < keys.count; k++)
        gather_add_key(gw->keys, &gw->key_count, &keys.keys[k]);
    return ERR_OK;
}

/* Gateways without any key can't be used. */
static void drop_keyless(struct delegation *delegation)
{
    uint8_t kept = 0;
    for (size_t i = 0; i < delegation->count; i++) {
        if (delegation->gateways[i].key_count == 0)
            continue;
        if (kept != i)
            delegation->gateways[kept] = delegation->gateways[i];
        kept++;
    }
    delegation->count = kept;
}

static enum err search_keys(struct discover *d, mono_t now, struct request *r,
                            struct gathered *found, bool *ret_waiting)
{
    struct delegation *delegation = &found->delegation;
    struct key_search search = {0};

    for (size_t i = 0; i < delegation->count; i++) {
        if (!found->wants_key[i])
            continue;
        enum err err = search_key(d, now, r, delegation, i, &search);
        if (err != ERR_OK)
            return err;
    }
    *ret_waiting = search.waiting;
    if (search.waiting || !search.failed)
        return ERR_OK;
    drop_keyless(delegation);
    bool spoiled = search.worst == DISCOVERED_MALFORMED || search.worst == DISCOVERED_BOGUS;
    if (spoiled || delegation->count == 0) {
        delegation->status = search.worst;
        delegation->count = 0;
        memcpy(delegation->why, search.why, sizeof(delegation->why));
    }
    return ERR_OK;
}

/* Both kinds of address of a name, or only one of them (0: both). */
static enum err ask_addresses(struct discover *d, mono_t now, struct request *r, const char *name,
                              uint8_t family, struct question *ret[2], bool *ret_waiting)
{
    static const uint16_t types[2] = {DNS_TYPE_A, DNS_TYPE_AAAA};
    static const uint8_t families[2] = {IP_V4, IP_V6};

    for (size_t i = 0; i < 2; i++) {
        ret[i] = NULL;
        if (family != IP_NONE && family != families[i])
            continue;
        enum err err = request_question(d, now, r, types[i], name, &ret[i]);
        if (err != ERR_OK)
            return err;
        *ret_waiting = *ret_waiting || !ret[i]->answered;
    }
    return ERR_OK;
}

/* RFC 4025 section 2.5: a gateway that is a name is found at the addresses of that name. */
static enum err search_addresses(struct discover *d, mono_t now, struct request *r,
                                 struct delegation *delegation, bool *ret_waiting)
{
    for (size_t i = 0; i < delegation->count; i++) {
        struct question *q[2];
        char name[LIMIT_DNS_NAME];
        bool waiting = false;

        if (delegation->gateways[i].id.kind != IDENTITY_FQDN)
            continue;
        key_name(&delegation->gateways[i].id, name);
        enum err err = ask_addresses(d, now, r, name, IP_NONE, q, &waiting);
        if (err != ERR_OK)
            return err;
        if (waiting)
            *ret_waiting = true;
        else
            i = gather_contacts(q, 2, delegation, i);
    }
    return ERR_OK;
}

/* What the reverse map says; OE-138: IPSECKEY speaks where no TXT of ours does. */
static enum err read_reverse(struct discover *d, mono_t now, struct request *r,
                             struct gathered *found, bool *ret_named, bool *ret_waiting)
{
    struct gather_rules rules = {
        .address = r->ask.address,
        .insecure_only_to_self = d->config.insecure_only_to_self,
        .order = r->order,
    };
    struct question *txt, *ipseckey = NULL;
    char name[LIMIT_DNS_NAME];

    ip_addr_reverse(&r->ask.address, name);
    enum err err = request_question(d, now, r, DNS_TYPE_TXT, name, &txt);
    if (err == ERR_OK && d->config.ask_ipseckey)
        err = request_question(d, now, r, DNS_TYPE_IPSECKEY, name, &ipseckey);
    if (err != ERR_OK)
        return err;
    *ret_waiting = !txt->answered;
    if (!*ret_waiting)
        err = gather_delegation(&rules, txt, found);
    if (err != ERR_OK || *ret_waiting || ipseckey == NULL ||
        found->delegation.status != DISCOVERED_ABSENT)
        return err;
    *ret_waiting = !ipseckey->answered;
    if (*ret_waiting)
        return ERR_OK;
    bool secure = found->delegation.secure;
    mono_t expires = found->delegation.expires;
    err = gather_delegation(&rules, ipseckey, found);
    found->delegation.secure = found->delegation.secure && secure;
    found->delegation.expires = mono_min(found->delegation.expires, expires);
    *ret_named = true;
    return err;
}

/* What DNS says of one name for the address; adds a gateway if it holds. */
static enum err try_name(struct discover *d, mono_t now, struct request *r,
                         const struct identity *id, struct delegation *named, bool *ret_waiting)
{
    struct question *key, *addresses[2];
    char name[LIMIT_DNS_NAME];
    bool waiting = false;

    key_name(id, name);
    enum err err = request_question(d, now, r, DNS_TYPE_IPSECKEY, name, &key);
    if (err == ERR_OK)
        err = ask_addresses(d, now, r, name, r->ask.address.family, addresses, &waiting);
    if (err != ERR_OK)
        return err;
    waiting = waiting || !key->answered;
    *ret_waiting = *ret_waiting || waiting;
    if (!waiting)
        gather_named(id, &r->ask.address, key,
                     addresses[0] != NULL ? addresses[0] : addresses[1], named);
    return ERR_OK;
}

/*
 * Where the reverse map holds nothing, or nobody answers for it, a forward name may speak: for the
 * address itself alone, and only as far as DNSSEC vouches for all of it.
 */
static enum err try_names(struct discover *d, mono_t now, struct request *r,
                          struct delegation *delegation, bool *ret_waiting)
{
    const struct identity *ids[REQUEST_NAMES];
    size_t count = names_of(&d->names, now, &r->ask.address, ids);
    bool known = r->ask.id.kind != IDENTITY_FQDN;
    struct delegation *named = calloc(1, sizeof(*named));
    enum err err = named != NULL ? ERR_OK : ERR_MEMORY;

    for (size_t i = 0; i < count; i++)
        known = known || identity_equal(ids[i], &r->ask.id);
    if (!known)
        ids[count++] = &r->ask.id;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = try_name(d, now, r, ids[i], named, ret_waiting);
    /* A name may be told at any time. */
    if (d->has_names)
        delegation->expires = mono_min(delegation->expires, mono_add(now, NAMES_TTL_MIN_S * 1000));
    if (err == ERR_OK && !*ret_waiting && named->count != 0)
        *delegation = *named;
    free(named);
    return err;
}

static enum err work_out_delegation(struct discover *d, mono_t now, struct request *r,
                                    struct gathered *found, bool *ret_waiting)
{
    bool named = false, keys_waiting = false, addresses_waiting = false;
    enum err err = read_reverse(d, now, r, found, &named, ret_waiting);
    enum discovered status = found->delegation.status;

    if (err != ERR_OK || *ret_waiting)
        return err;
    if (r->ask.names && (status == DISCOVERED_ABSENT || status == DISCOVERED_TIMEOUT))
        return try_names(d, now, r, &found->delegation, ret_waiting);
    if (status != DISCOVERED_FOUND)
        return ERR_OK;
    err = search_keys(d, now, r, found, &keys_waiting);
    if (err == ERR_OK && named)
        err = search_addresses(d, now, r, &found->delegation, &addresses_waiting);
    *ret_waiting = keys_waiting || addresses_waiting;
    return err;
}

static enum err work_out_keys(struct discover *d, mono_t now, struct request *r,
                              struct identity_keys *keys, bool *ret_waiting)
{
    return find_keys(d, now, r, &r->ask.id, keys, ret_waiting);
}

/* Finishes the request, with its one effect, or leaves it waiting. */
static enum err work_out(struct discover *d, mono_t now, struct request *r)
{
    bool keys_asked = r->ask.kind == DISCOVER_EV_KEYS, waiting = false;
    void *result = calloc(1, keys_asked ? sizeof(struct identity_keys) : sizeof(struct gathered));
    struct gathered *found = keys_asked ? NULL : result;
    struct identity_keys *keys = keys_asked ? result : NULL;
    enum err err = ERR_MEMORY;

    if (result != NULL)
        err = keys_asked ? work_out_keys(d, now, r, keys, &waiting)
                         : work_out_delegation(d, now, r, found, &waiting);
    if (err == ERR_OK && waiting) {
        free(result);
        return ERR_OK;
    }
    struct discover_event ask = r->ask;
    request_free(d, now, r);
    if (err == ERR_OK)
        return push_result(d, &ask, found != NULL ? &found->delegation : NULL, keys, result);
    free(result);
    enum err pushed = push_failure(d, now, &ask, err_text(err));
    return pushed != ERR_OK ? pushed : err;
}

static enum err request_new(struct discover *d, mono_t now, const struct discover_event *ask)
{
    struct request *r = calloc(1, sizeof(*r));
    mono_t deadline = mono_add(now, d->config.lookup_ms);
    if (r == NULL || !heap_set(&d->deadlines, &r->deadline, deadline)) {
        free(r);
        enum err pushed = push_failure(d, now, ask, err_text(ERR_MEMORY));
        return pushed != ERR_OK ? pushed : ERR_MEMORY;
    }
    r->ask = *ask;
    rng_fill(&d->env.rng, r->order, sizeof(r->order));
    return work_out(d, now, r);
}

/* Everyone who waited for the question goes on; some may ask further questions. */
static enum err wake_waiters(struct discover *d, mono_t now, struct question *q)
{
    enum err first = ERR_OK;
    struct waiter *next;
    for (struct waiter *waiter = q->waiters; waiter != NULL; waiter = next) {
        next = waiter->next; /* the request that ends takes only its own waiters along */
        enum err err = work_out(d, now, waiter->request);
        if (first == ERR_OK)
            first = err;
    }
    return first;
}

static enum err question_answered(struct discover *d, mono_t now, struct question *q,
                                  const struct dns_answer *answer)
{
    question_pin(&d->questions, q);
    enum err err = questions_answer(&d->questions, now, q, answer);
    if (err != ERR_OK) { /* the question's own deadline ends it */
        question_unpin(&d->questions, now, q);
        return err;
    }
    if (q->sent)
        report_answer(&d->env.trace, now, q);
    err = wake_waiters(d, now, q);
    question_unpin(&d->questions, now, q);
    return err;
}

static enum err input(struct discover *d, mono_t now, const struct discover_event *event)
{
    struct question *q;
    switch (event->kind) {
    case DISCOVER_EV_DELEGATION:
    case DISCOVER_EV_KEYS:
        return request_new(d, now, event);
    case DISCOVER_EV_ANSWER:
        q = questions_by_serial(&d->questions, event->serial);
        return q != NULL ? question_answered(d, now, q, event->answer) : ERR_UNKNOWN;
    case DISCOVER_EV_NAME:
        d->has_names = true;
        return names_tell(&d->names, now, &event->id, &event->address, event->ttl_s);
    }
    return ERR_STATE;
}

/* What may go goes; the excess of what waits gives up (OE-194). */
static void take_turns(struct discover *d, mono_t now)
{
    struct dns_answer refusal = {.status = DNS_TIMEOUT};
    struct question *q;

    TEXT_SET(refusal.why, "too many DNS lookups at once");
    send_questions(d, now);
    while ((q = questions_excess(&d->questions)) != NULL) {
        (void)question_answered(d, now, q, &refusal);
        send_questions(d, now); /* who waited for it may have asked something else */
    }
}

enum err discover_input(struct discover *d, mono_t now, const struct discover_event *event)
{
    enum err err = input(d, now, event);
    take_turns(d, now);
    return err;
}

void discover_timer(struct discover *d, mono_t now)
{
    struct dns_answer silence = {.status = DNS_TIMEOUT}, refusal = silence;
    struct question *q;
    struct heap_node *node;

    TEXT_SET(refusal.why, "too many DNS lookups before it");
    TEXT_SET(silence.why, "nothing came for %u s", (d->config.lookup_ms + 500) / 1000);
    /* A failure in here is memory's; the requests then end by their own deadlines just below. */
    while ((q = questions_timed_out(&d->questions, now)) != NULL)
        (void)question_answered(d, now, q, q->sent ? &silence : &refusal);
    names_timer(&d->names, now);
    while ((node = heap_first(&d->deadlines)) != NULL && mono_reached(now, node->at)) {
        struct request *r = HEAP_OWNER(node, struct request, deadline);
        struct discover_event ask = r->ask;
        request_free(d, now, r);
        (void)push_failure(d, now, &ask, "DNS did not answer in time");
    }
    take_turns(d, now);
}

mono_t discover_next_deadline(const struct discover *d)
{
    return mono_min(heap_next(&d->names.deadlines),
                    mono_min(heap_next(&d->deadlines), heap_next(&d->questions.deadlines)));
}

bool discover_next_effect(struct discover *d, struct discover_effect *ret)
{
    struct outcome outcome;
    free(d->handed_out);
    d->handed_out = NULL;
    if (!fifo_pop(&d->outcomes, &outcome))
        return false;
    d->handed_out = outcome.owned;
    *ret = outcome.effect;
    return true;
}

size_t discover_pending(const struct discover *d)
{
    return d->deadlines.count;
}
