#include "pair.h"

#include "authority.h"

#include <stdio.h>
#include <stdlib.h>

#include "short_key.h"

bool pair_in_engine;

static enum err input(struct pair *pair, struct pair_side *side, const struct ike_event *event)
{
    pair_in_engine = true;
    enum err err = ike_input(side->ike, pair->now, event);
    pair_in_engine = false;
    return err;
}

static struct private_key *short_key(void)
{
    char pem[2048];
    struct private_key *key;
    size_t len = short_key_pem(pem, sizeof(pem));
    assert_int_equal(private_key_from_pem(view_of(pem, len), &key), ERR_OK);
    return key;
}

/* Keys take long to make, so a program makes each once. */
const struct private_key *pair_private_key(unsigned which)
{
    static struct private_key *keys[PAIR_KEYS];
    if (keys[which] == NULL && which == PAIR_SHORT_KEY)
        keys[which] = short_key();
    else if (keys[which] == NULL)
        assert_int_equal(private_key_generate_alg(which < PAIR_ECDSA_KEY ? KEY_RSA : KEY_ECDSA_P256,
                                                  2048, &keys[which]),
                         ERR_OK);
    return keys[which];
}

const struct public_key *pair_public_key(unsigned which)
{
    static struct public_key keys[PAIR_KEYS];
    if (keys[which].alg == KEY_NONE)
        private_key_public(pair_private_key(which), &keys[which]);
    return &keys[which];
}

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    struct pair_side *side = ctx;
    for (size_t i = 0; i < len; i++) {
        side->rng_state ^= side->rng_state << 13;
        side->rng_state ^= side->rng_state >> 7;
        side->rng_state ^= side->rng_state << 17;
        ret[i] = (uint8_t)(side->rng_state >> 32);
    }
}

static int64_t wall(void *ctx)
{
    const struct pair *pair = ctx;
    return AUTHORITY_NOW + pair->now.ms / 1000;
}

static void emit(void *ctx, const struct event_record *record)
{
    struct pair_side *side = ctx;
    side->records++;
    if (getenv("PAIR_TRACE") != NULL)
        print_message("%8lld %04x %-3s %s | %s\n", (long long)record->at.ms,
                      (unsigned)(side->addr.addr.octets[3]), record->label, record->title,
                      record->detail);
    if (record->label[0] == '\0')
        return;
    bool sent = record->from.party == EVENT_PARTY_SELF;
    size_t used = strlen(side->ladder);
    snprintf(side->ladder + used, sizeof(side->ladder) - used, "%s%c ", record->label,
             sent ? '>' : '<');
    assert_int_equal(record->room, EVENT_IKE);
    bool v2 = strncmp(record->title, "IKE_", 4) == 0 || strncmp(record->title, "CREATE_", 7) == 0;
    if (v2) {
        bool clear = strncmp(record->title, "IKE_SA_INIT", 11) == 0 ||
                     strncmp(record->title, "IKE_SESSION_RESUME", 18) == 0;
        assert_int_equal(record->line, clear ? EVENT_LINE_CLEAR : EVENT_LINE_IKE);
        return;
    }
    bool encrypted = strcmp(record->label, "5E4") == 0 || strcmp(record->label, "5E5") == 0 ||
                     record->label[1] == 'G';
    assert_int_equal(record->line, encrypted ? EVENT_LINE_IKE : EVENT_LINE_CLEAR);
    assert_true(record->connection != 0);
}

static void start(struct pair *pair, struct pair_side *side)
{
    const struct ike_env env = {.rng = {fill, side}, .wall = {wall, pair}, .trace = {emit, side}};
    struct ike_config config = pair->config;
    if (side->profile_count != 0) {
        config.profiles = side->profiles;
        config.profile_count = side->profile_count;
    }
    /* Every test is run both ways: tests/exchange/meson.build. */
    config.work_elsewhere |= getenv("PAIR_WORK_ELSEWHERE") != NULL;
    assert_int_equal(ike_new(&config, &env, &side->ike), ERR_OK);
}

struct pair *pair_new(const struct pair_options *options)
{
    const struct pair_options none = {0};
    struct pair *pair = calloc(1, sizeof(*pair));
    if (options == NULL)
        options = &none;
    assert_non_null(pair);
    pair->now.ms = 1000;
    pair->version = options->version;
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        struct pair_side *side = &pair->sides[i];
        const char *text =
            options->v6 ? (i ? "2001:db8:5::1" : "2001:db8:4::1") : (i ? "192.1.1.5" : "192.1.1.4");
        assert_true(ip_addr_parse(text, &side->addr.addr));
        side->addr.port = 500;
        side->reached_at = side->addr.addr;
        side->key = i;
        side->peer_keys[0] = !i;
        side->peer_key_count = 1;
        side->rng_state = 0x9e3779b97f4a7c15u * (options->seed * 2 + i + 1);
        side->next_spi = 0x1000 * (i + 1);
        side->ticket = 1000 + i;
        pair->config = options->config;
        pair->config.legacy = options->legacy;
        side->profiles = options->profiles[i];
        side->profile_count = options->profile_count;
        start(pair, side);
    }
    return pair;
}

void pair_crash(struct pair *pair, unsigned s, bool resume)
{
    struct pair_record saved[PAIR_RECORDS];
    struct pair_side *side = &pair->sides[s];

    ike_free(side->ike);
    while (side->work_count != 0)
        ike_work_free(side->works[--side->work_count].work);
    start(pair, side);
    side->connected = false;
    memcpy(saved, side->kept, sizeof(saved));
    memset(side->kept, 0, sizeof(side->kept));
    for (size_t i = 0; i < PAIR_RECORDS; i++) {
        const struct ike_event event = {.kind = IKE_EV_RESTORE,
                                        .serial = saved[i].number,
                                        .bytes = view_of(saved[i].octets, saved[i].len)};
        if (saved[i].number != 0 && resume)
            (void)input(pair, side, &event);
        if (saved[i].number != 0 && resume)
            side->kept[i] = saved[i];
        else
            free(saved[i].octets);
    }
    if (!resume)
        memset(side->sad, 0, sizeof(side->sad));
    pair_drain(pair, s);
}

size_t pair_record_count(const struct pair *pair, unsigned side)
{
    size_t count = 0;
    for (size_t i = 0; i < PAIR_RECORDS; i++)
        count += pair->sides[side].kept[i].number != 0;
    return count;
}

void pair_free(struct pair *pair)
{
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        ike_free(pair->sides[i].ike);
        for (size_t w = 0; w < pair->sides[i].work_count; w++)
            ike_work_free(pair->sides[i].works[w].work);
        for (size_t r = 0; r < PAIR_RECORDS; r++)
            free(pair->sides[i].kept[r].octets);
    }
    free(pair);
}

struct ip_pair pair_flow(const struct pair *pair, unsigned side, unsigned n)
{
    struct ip_addr hosts[2];
    char text[IP_ADDR_TEXT_MAX];
    bool v6 = pair->sides[0].addr.addr.family == IP_V6;
    for (unsigned i = 0; i < 2; i++) {
        if (v6)
            snprintf(text, sizeof(text), "2001:db8:%x::%x", i + 1, 65 + n);
        else
            snprintf(text, sizeof(text), "192.%u.%u.%u", i + 1, (65 + n) / 256, (65 + n) % 256);
        assert_true(ip_addr_parse(text, &hosts[i]));
    }
    return (struct ip_pair){hosts[side], hosts[!side]};
}

enum err pair_initiate(struct pair *pair, unsigned side, uint64_t ticket, unsigned n)
{
    struct pair_side *s = &pair->sides[side];
    struct public_key keys[PAIR_KEYS];
    for (unsigned i = 0; i < s->peer_key_count; i++)
        keys[i] = *pair_public_key(s->peer_keys[i]);
    const struct ike_event event = {
        .kind = IKE_EV_INITIATE,
        .ticket = ticket,
        .version = pair->version,
        .local = {.addr = s->addr.addr},
        .remote = {.addr = pair->sides[!side].reached_at},
        .flow = pair_flow(pair, side, n),
        .peer_id = identity_of_addr(&pair->sides[!side].reached_at),
        .keys = keys,
        .key_count = s->peer_key_count,
    };
    enum err err = input(pair, s, &event);
    pair_drain(pair, side);
    return err;
}

enum err pair_initiate_profile(struct pair *pair, unsigned side, uint64_t ticket, uint32_t profile,
                               const struct traffic_pair *traffic)
{
    struct pair_side *s = &pair->sides[side];
    const struct ike_event event = {
        .kind = IKE_EV_INITIATE,
        .ticket = ticket,
        .profile = profile,
        .traffic = *traffic,
        .local = {.addr = s->addr.addr},
        .remote = {.addr = pair->sides[!side].reached_at},
    };
    enum err err = input(pair, s, &event);
    pair_drain(pair, side);
    return err;
}

enum err pair_event(struct pair *pair, unsigned side, enum ike_event_kind kind, uint64_t ticket)
{
    const struct ike_event event = {.kind = kind, .ticket = ticket};
    enum err err = input(pair, &pair->sides[side], &event);
    pair_drain(pair, side);
    return err;
}

void pair_addresses(struct pair *pair, unsigned side, const struct ip_addr *list, size_t count)
{
    const struct ike_event event = {
        .kind = IKE_EV_ADDRESSES, .addresses = list, .address_count = count};
    assert_int_equal(input(pair, &pair->sides[side], &event), ERR_OK);
    pair_drain(pair, side);
}

enum err pair_inject(struct pair *pair, unsigned side, struct view octets)
{
    struct ike_event event = {
        .kind = IKE_EV_DATAGRAM,
        .local = pair->sides[side].addr,
        .remote = pair->sides[!side].addr,
        .bytes = octets,
    };
    pair->sides[side].late = ERR_OK;
    enum err err = input(pair, &pair->sides[side], &event);
    pair_drain(pair, side);
    return err == ERR_OK ? pair->sides[side].late : err;
}

enum err pair_give(struct pair *pair, const struct pair_datagram *d)
{
    const struct ike_event event = {
        .kind = IKE_EV_DATAGRAM,
        .local = d->target,
        .remote = d->source,
        .natt = d->natt,
        .bytes = view_of(d->octets, d->len),
    };
    pair->sides[!d->from].late = ERR_OK;
    enum err err = input(pair, &pair->sides[!d->from], &event);
    pair_drain(pair, !d->from);
    return err == ERR_OK ? pair->sides[!d->from].late : err;
}

/* The SAD */

static struct pair_sa *sad_find(struct pair_side *side, spi_t spi, bool inbound)
{
    for (size_t i = 0; i < PAIR_SAD_MAX; i++)
        if (side->sad[i].used && side->sad[i].params.spi.value == spi.value &&
            side->sad[i].params.inbound == inbound)
            return &side->sad[i];
    return NULL;
}

static void sad_add(struct pair_side *side, const struct sa_params *params)
{
    assert_null(sad_find(side, params->spi, params->inbound));
    for (size_t i = 0; i < PAIR_SAD_MAX; i++) {
        if (!side->sad[i].used) {
            side->sad[i] = (struct pair_sa){.used = true, .params = *params};
            return;
        }
    }
    fail_msg("the test's SAD is full");
}

size_t pair_sad_count(const struct pair *pair, unsigned side)
{
    size_t count = 0;
    for (size_t i = 0; i < PAIR_SAD_MAX; i++)
        count += pair->sides[side].sad[i].used;
    return count;
}

size_t pair_check_keys(const struct pair *pair)
{
    size_t count = 0;
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        for (size_t i = 0; i < PAIR_SAD_MAX; i++) {
            const struct sa_params *out = &pair->sides[s].sad[i].params;
            if (!pair->sides[s].sad[i].used || out->inbound)
                continue;
            struct pair_sa *found =
                sad_find((struct pair_side *)(uintptr_t)&pair->sides[!s], out->spi, true);
            assert_non_null(found);
            const struct sa_params *in = &found->params;
            assert_int_equal(in->suite.cipher, out->suite.cipher);
            assert_int_equal(in->suite.auth, out->suite.auth);
            assert_int_equal(in->suite.esn, out->suite.esn);
            assert_int_equal(in->cipher_key_len, esp_suite_cipher_key_len(&in->suite));
            assert_int_equal(in->auth_key_len, esp_suite_auth_key_len(&in->suite));
            assert_int_equal(in->cipher_key_len, out->cipher_key_len);
            assert_memory_equal(in->cipher_key, out->cipher_key, in->cipher_key_len);
            assert_memory_equal(in->auth_key, out->auth_key, in->auth_key_len);
            assert_int_equal(in->udp_dst != 0, out->udp_dst != 0);
            if (ip_addr_equal(&pair->sides[s].reached_at, &pair->sides[s].addr.addr))
                assert_memory_equal(&in->outer_src, &out->outer_src, sizeof(in->outer_src));
            assert_memory_equal(&in->inner_src, &out->inner_src, sizeof(in->inner_src));
            assert_memory_equal(&in->inner_dst, &out->inner_dst, sizeof(in->inner_dst));
            assert_true(in->hard.seconds == out->hard.seconds && in->soft.seconds != 0 &&
                        in->soft.seconds < in->hard.seconds);
            count++;
        }
    }
    return count;
}

/* Answering */

static enum err answer_signature(struct pair *pair, struct pair_side *side,
                                 const struct pair_question *q, struct ike_event *event)
{
    uint8_t signature[SIGNATURE_MAX];
    size_t len;
    const struct private_key *key = side->own_key != NULL && q->effect.own_key != 0
                                        ? side->own_key
                                        : pair_private_key(side->key);
    event->kind = IKE_EV_SIGNED;
    event->ok = !side->no_signature;
    assert_int_equal(private_key_sign(key, (enum signature_scheme)q->effect.scheme,
                                      view_of(q->hash, q->hash_len), signature, &len),
                     ERR_OK);
    event->bytes = view_of(signature, len);
    return input(pair, side, event);
}

static enum err answer_decryption(struct pair *pair, struct pair_side *side,
                                  const struct pair_question *q, struct ike_event *event)
{
    uint8_t texts[sizeof(q->ciphers) + 8];
    struct builder b = builder_on(span_of(texts, sizeof(texts)));
    event->kind = IKE_EV_DECRYPTED;
    event->ok = !side->no_signature &&
                private_key_decrypt_each(pair_private_key(side->key),
                                         view_of(q->ciphers, q->ciphers_len), &b) == ERR_OK;
    event->bytes = builder_written(&b);
    return input(pair, side, event);
}

static enum err answer_keys(struct pair *pair, struct pair_side *side, struct ike_event *event)
{
    struct public_key keys[PAIR_KEYS];
    for (unsigned i = 0; i < side->peer_key_count; i++)
        keys[i] = *pair_public_key(side->peer_keys[i]);
    event->kind = IKE_EV_PEER_KEYS;
    event->ok = !side->no_keys;
    event->keys = keys;
    event->key_count = side->no_keys ? 0 : side->peer_key_count;
    return input(pair, side, event);
}

/* As a thread of the daemon makes it. */
static enum err work(struct pair *pair, struct pair_side *side, const struct pair_work *asked)
{
    const struct rng rng = {.fill = fill, .ctx = side};
    struct ike_event event = {
        .kind = IKE_EV_WORKED, .serial = asked->serial, .work = asked->work};
    if (!side->no_work)
        ike_work_run(event.work, &rng);
    side->late = input(pair, side, &event);
    return side->late;
}

enum err pair_work(struct pair *pair, unsigned s, size_t i)
{
    struct pair_side *side = &pair->sides[s];
    const struct pair_work asked = side->works[i];
    assert_true(i < side->work_count);
    side->work_count--;
    memmove(&side->works[i], &side->works[i + 1], (side->work_count - i) * sizeof(side->works[0]));
    enum err err = work(pair, side, &asked);
    pair_drain(pair, s);
    return err;
}

static void ask_work(struct pair *pair, struct pair_side *side, const struct ike_effect *fx)
{
    const struct pair_work asked = {fx->serial, fx->work};
    side->asked_work++;
    if (!side->queue_work) {
        (void)work(pair, side, &asked);
        return;
    }
    assert_in_range(side->work_count, 0, PAIR_WORKS - 1);
    side->works[side->work_count++] = asked;
}

enum err pair_answer(struct pair *pair, unsigned s, const struct pair_question *q)
{
    struct pair_side *side = &pair->sides[s];
    struct ike_event event = {.serial = q->serial, .ok = true};
    switch (q->kind) {
    case IKE_FX_NEED_SIGNATURE:
        return answer_signature(pair, side, q, &event);
    case IKE_FX_NEED_DECRYPTION:
        return answer_decryption(pair, side, q, &event);
    case IKE_FX_NEED_KEYS:
        return answer_keys(pair, side, &event);
    case IKE_FX_NEED_AUTHORIZATION:
        event.kind = IKE_EV_AUTHORIZED;
        event.ok = !side->refuse;
        event.ticket = side->ticket;
        event.traffic = side->narrow != NULL ? *side->narrow : q->effect.traffic;
        break;
    case IKE_FX_NEED_SPI:
        event.kind = IKE_EV_SPI;
        event.ok = !side->no_spi;
        event.spi.value = ++side->next_spi;
        break;
    default:
        event.kind = IKE_EV_INSTALLED;
        event.ok = !side->no_install;
        break;
    }
    return input(pair, side, &event);
}

static void ask(struct pair *pair, unsigned s, const struct ike_effect *fx)
{
    struct pair_side *side = &pair->sides[s];
    struct pair_question q = {
        .pending = true, .kind = fx->kind, .serial = fx->serial, .effect = *fx};
    assert_true(fx->serial != 0);
    if (fx->kind == IKE_FX_NEED_SIGNATURE) {
        assert_in_range(fx->bytes.len, 16, sizeof(q.hash));
        memcpy(q.hash, fx->bytes.ptr, fx->bytes.len);
        q.hash_len = fx->bytes.len;
        side->asked_signature++;
    }
    if (fx->kind == IKE_FX_NEED_DECRYPTION) {
        assert_in_range(fx->bytes.len, 1, sizeof(q.ciphers));
        memcpy(q.ciphers, fx->bytes.ptr, fx->bytes.len);
        q.ciphers_len = fx->bytes.len;
        side->asked_decryption++;
    }
    side->asked_keys += fx->kind == IKE_FX_NEED_KEYS;
    if (fx->kind == IKE_FX_NEED_AUTHORIZATION) {
        side->asked_authorization++;
        if (fx->key->len != 0 && pair->sides[!s].own_key == NULL)
            assert_true(public_key_equal(fx->key, pair_public_key(pair->sides[!s].key)));
        else
            assert_true(fx->profile != 0); /* a stranger always has a key */
    }
    if (fx->kind == IKE_FX_INSTALL && !side->no_install)
        for (size_t i = 0; i < fx->sa_count; i++)
            sad_add(side, &fx->sas[i]);
    if (side->hold[fx->kind]) {
        side->held = q;
        return;
    }
    (void)pair_answer(pair, s, &q);
}

/* The wire */

static void transmit(struct pair *pair, unsigned from, const struct ike_effect *fx)
{
    static struct pair_datagram d;
    d = (struct pair_datagram){.from = from,
                               .at = mono_add(pair->now, PAIR_LATENCY_MS),
                               .len = fx->bytes.len,
                               .source = fx->local,
                               .target = fx->remote,
                               .natt = fx->natt};
    assert_true(fx->natt == (fx->local.port == 4500 || fx->remote.stream != 0));
    if (fx->bytes.len == 0) {
        assert_true(fx->natt);
        pair->sides[from].keepalives++;
        return;
    }
    /* OE-122: never fragmented */
    assert_in_range(fx->bytes.len, ISAKMP_HEADER_LEN,
                    fx->remote.stream != 0 ? sizeof(d.octets) : 1452);
    memcpy(d.octets, fx->bytes.ptr, fx->bytes.len);
    pair->sent[from]++;
    if (pair->tap != NULL && !pair->tap(pair, &d, pair->tap_ctx))
        return;
    assert_true(pair->wire_count < PAIR_WIRE_MAX);
    pair->wire[pair->wire_count++] = d;
}

static uint8_t *test_memory(size_t len)
{
    uint8_t *ptr = malloc(len);
    assert_non_null(ptr);
    return ptr;
}

static struct pair_record *record_of(struct pair_side *side, uint64_t number)
{
    for (size_t i = 0; i < PAIR_RECORDS; i++)
        if (side->kept[i].number == number)
            return &side->kept[i];
    return NULL;
}

static void keep(struct pair_side *side, const struct ike_effect *fx)
{
    struct pair_record *record = record_of(side, fx->serial);
    if (record == NULL)
        record = record_of(side, 0);
    if (record == NULL)
        fail_msg("too many records");
    assert_in_range(fx->bytes.len, 1, IKE_RECORD_MAX);
    free(record->octets);
    record->number = fx->serial;
    record->len = fx->bytes.len;
    record->octets = test_memory(fx->bytes.len);
    memcpy(record->octets, fx->bytes.ptr, fx->bytes.len);
}

static void forget(struct pair_side *side, uint64_t number)
{
    struct pair_record *record = record_of(side, number);
    if (record == NULL)
        return;
    free(record->octets);
    *record = (struct pair_record){.number = 0};
}

static void take(struct pair *pair, unsigned s, const struct ike_effect *fx)
{
    struct pair_side *side = &pair->sides[s];
    switch (fx->kind) {
    case IKE_FX_SEND:
        transmit(pair, s, fx);
        break;
    case IKE_FX_PEER_AUTHENTICATED:
        side->authenticated++;
        break;
    case IKE_FX_CHILD_UP:
        side->up++;
        side->last_up = *fx;
        assert_non_null(sad_find(side, fx->spi_in, true));
        assert_non_null(sad_find(side, fx->spi_out, false));
        break;
    case IKE_FX_CHILD_FAILED:
        side->failed++;
        side->last_failed = *fx;
        break;
    case IKE_FX_CHILD_DELETED:
        side->deleted++;
        side->last_deleted = *fx;
        break;
    case IKE_FX_REMOVE_SA: {
        struct pair_sa *sa = sad_find(side, fx->spi, fx->inbound);
        side->removed++;
        if (sa != NULL) /* else it was only leased */
            sa->used = false;
        break;
    }
    case IKE_FX_MOVE_SA: {
        struct pair_sa *sa = sad_find(side, fx->spi, fx->inbound);
        assert_non_null(sa);
        assert_true(sa->params.udp_dst != 0 || fx->here.addr.family != IP_NONE);
        sa->moved = fx->remote;
        sa->here = fx->here;
        sa->policy_stays = fx->policy_stays;
        side->moves++;
        break;
    }
    case IKE_FX_NEED_WORK:
        ask_work(pair, side, fx);
        break;
    case IKE_FX_SAVE:
        keep(side, fx);
        break;
    case IKE_FX_FORGET:
        forget(side, fx->serial);
        break;
    case IKE_FX_KEYS:
        if (pair->on_keys != NULL)
            pair->on_keys(pair, s, fx);
        break;
    case IKE_FX_STREAM:
        *(fx->ok ? &side->stream_kept : &side->stream_closed) = fx->remote.stream;
        break;
    case IKE_FX_PEER:
        assert_true(side->connected != fx->ok);
        side->connected = fx->ok;
        break;
    default:
        ask(pair, s, fx);
        break;
    }
}

void pair_drain(struct pair *pair, unsigned side)
{
    struct ike_effect fx;
    while (ike_next_effect(pair->sides[side].ike, &fx))
        take(pair, side, &fx);
}

static size_t next_datagram(const struct pair *pair)
{
    size_t best = pair->wire_count;
    for (size_t i = 0; i < pair->wire_count; i++)
        if (best == pair->wire_count || pair->wire[i].at.ms < pair->wire[best].at.ms)
            best = i;
    return best;
}

static void deliver(struct pair *pair, size_t i)
{
    static struct pair_datagram d;
    d = pair->wire[i];
    memmove(&pair->wire[i], &pair->wire[i + 1], (pair->wire_count - i - 1) * sizeof(pair->wire[0]));
    pair->wire_count--;
    (void)pair_give(pair, &d);
}

void pair_run(struct pair *pair, int64_t ms)
{
    mono_t end = mono_add(pair->now, ms);
    for (;;) {
        size_t i = next_datagram(pair);
        mono_t next = i < pair->wire_count ? pair->wire[i].at : MONO_NEVER;
        bool timer = false;
        for (unsigned s = 0; s < PAIR_SIDES; s++) {
            mono_t due = ike_next_deadline(pair->sides[s].ike);
            if (due.ms < next.ms) {
                next = due;
                timer = true;
            }
        }
        if (next.ms > end.ms)
            break;
        if (next.ms > pair->now.ms)
            pair->now = next;
        if (!timer) {
            deliver(pair, i);
            continue;
        }
        for (unsigned s = 0; s < PAIR_SIDES; s++) {
            pair_in_engine = true;
            ike_timer(pair->sides[s].ike, pair->now);
            pair_in_engine = false;
            pair_drain(pair, s);
        }
    }
    pair->now = end;
}

uint64_t pair_counter(const struct pair *pair, unsigned side, const char *name)
{
    const char *found;
    uint64_t value;
    for (size_t i = 0; ike_counter(pair->sides[side].ike, i, &found, &value); i++)
        if (strcmp(found, name) == 0)
            return value;
    fail_msg("no counter is called %s", name);
    return 0;
}

bool pair_is_exchange(const struct pair_datagram *datagram, enum isakmp_exchange exchange)
{
    return datagram->octets[18] == exchange;
}
