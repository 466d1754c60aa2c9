/*
 * Every row of IKEv2's table is walked, and every message of the walk is preceded by each wrong form
 * of itself. What proves nothing changes nothing: the true message still does its work. What is
 * proven and wrong ends in the named notify (RFC 7296 section 2.21), and in nothing worse.
 */
#include "forge_v2.h"

enum { SECONDS = 1000, MESSAGES = 16 };

/* The walk: both first exchanges, a new child, both re-keys, a Delete. */
struct walk {
    unsigned stop_at, seen; /* the datagram that is caught before it arrives */
    struct pair_datagram caught;
    bool has_caught;
};

static bool catch_one(struct pair *pair, struct pair_datagram *datagram, void *ctx)
{
    struct walk *walk = ctx;
    (void)pair;
    if (walk->has_caught || walk->seen++ != walk->stop_at)
        return true;
    walk->caught = *datagram;
    walk->has_caught = true;
    return false;
}

static void rekey(struct pair *pair, unsigned side)
{
    struct v2_sa *sa = pair->sides[side].ike->v2.all[0];
    ike_timer_set(pair->sides[side].ike, &sa->expiry, pair->now);
}

/* The steps of the walk; each is two datagrams, but the first is four. */
static void step(struct pair *pair, unsigned n)
{
    switch (n) {
    case 0:
        pair->sides[PAIR_A].ticket = 7;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        break;
    case 1:
        pair->sides[PAIR_B].ticket = 1002;
        assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
        break;
    case 2:
        pair->sides[PAIR_B].ticket = 1001;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        break;
    case 3:
        rekey(pair, PAIR_A);
        break;
    default:
        assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 8), ERR_OK);
        break;
    }
}

enum { STEPS = 5 };

/* Goes on until the datagram is caught; false: the walk is over. */
static bool walk_to(struct pair *pair, struct walk *walk, unsigned *ret_step)
{
    const struct walk fresh = {.stop_at = walk->stop_at};
    *walk = fresh;
    pair->tap = catch_one;
    pair->tap_ctx = walk;
    for (unsigned n = 0; n < STEPS; n++) {
        *ret_step = n;
        step(pair, n);
        for (unsigned t = 0; t < 400 && !walk->has_caught; t++)
            pair_run(pair, 10);
        if (walk->has_caught)
            return true;
    }
    return false;
}

/* Whatever came before, the true message does its work. */
static void goes_on(struct pair *pair, const struct walk *walk, unsigned at_step)
{
    pair->tap = NULL;
    (void)pair_give(pair, &walk->caught);
    pair_run(pair, 4 * SECONDS);
    for (unsigned n = at_step + 1; n < STEPS; n++) {
        step(pair, n);
        pair_run(pair, 4 * SECONDS);
    }
    assert_int_equal(pair->sides[PAIR_A].failed + pair->sides[PAIR_B].failed, 0);
    assert_int_equal(pair->sides[PAIR_A].up, 3);
    assert_int_equal(pair->sides[PAIR_B].up, 3);
    assert_int_equal(pair_check_keys(pair), 2);
    assert_int_equal(pair_sad_count(pair, PAIR_A), 2);
    assert_int_equal(pair_sad_count(pair, PAIR_B), 2);
}

static const struct pair_options v2 = {.version = IKE_VERSION_2};

/* Forms of a message that prove nothing. */
enum wrong {
    CUT,
    LONGER,
    FLIPPED_END,
    FLIPPED_MIDDLE,
    IN_CLEAR,
    LATER_ID,
    OTHER_EXCHANGE,
    REFLECTED,
    OTHER_SPI,
    EMPTY,
    FRAGMENT_OF_NOTHING,
    WRONGS
};

static enum err give_wrong(struct pair *pair, const struct walk *walk, enum wrong wrong)
{
    static struct forge_v2 forge;
    static struct pair_datagram d;
    d = walk->caught;
    switch (wrong) {
    case CUT:
        d.len -= 3;
        break;
    case LONGER:
        d.len += 4;
        break;
    case FLIPPED_END:
        d.octets[d.len - 1] ^= 1;
        break;
    case FLIPPED_MIDDLE:
        d.octets[d.len / 2] ^= 0x40;
        break;
    case IN_CLEAR:
        forge_v2_open(pair, &d, &forge);
        forge_v2_close(pair, &forge, true, &d);
        break;
    case LATER_ID:
        forge_v2_open(pair, &d, &forge);
        forge.header.message_id += 1;
        forge_v2_close(pair, &forge, false, &d);
        break;
    case OTHER_EXCHANGE:
        d.octets[18] = d.octets[18] == IKE2_INFORMATIONAL ? IKE2_AUTH : IKE2_INFORMATIONAL;
        break;
    case REFLECTED:
        d.from = !d.from;
        d.source = walk->caught.target;
        d.target = walk->caught.source;
        break;
    case OTHER_SPI:
        d.octets[0] ^= 1;
        d.octets[8] ^= 1;
        break;
    case EMPTY:
        d.len = IKE2_HEADER_LEN;
        d.octets[16] = 0;
        d.octets[24] = d.octets[25] = d.octets[26] = 0;
        d.octets[27] = IKE2_HEADER_LEN;
        break;
    default:
        d.octets[16] = IKE2_P_SKF;
        break;
    }
    return pair_give(pair, &d);
}

/* What a stranger's IKE_SA_INIT says is all true to us, so there only what is malformed is wrong. */
static bool applies(const struct walk *walk, enum wrong wrong)
{
    bool init = walk->caught.octets[18] == IKE2_SA_INIT;
    return !init || (wrong != FLIPPED_END && wrong != FLIPPED_MIDDLE && wrong != IN_CLEAR &&
                     wrong != OTHER_SPI);
}

static void test_proves_nothing(void **state)
{
    static struct walk walk;
    unsigned at_step, given = 0;
    (void)state;
    for (unsigned at = 0; at < 4 * MESSAGES; at++) {
        for (enum wrong wrong = CUT; wrong < WRONGS; wrong++) {
            struct pair *pair = pair_new(&v2);
            walk.stop_at = at;
            bool more = walk_to(pair, &walk, &at_step);
            if (!more) {
                pair_free(pair);
                assert_true(given > 80);
                return;
            }
            if (applies(&walk, wrong)) {
                assert_int_not_equal(give_wrong(pair, &walk, wrong), ERR_OK);
                given++;
            }
            goes_on(pair, &walk, at_step);
            pair_free(pair);
        }
    }
}

/* A message that was taken once does nothing when it comes again, then or later. */
static void test_replayed(void **state)
{
    static struct walk walk;
    unsigned at_step;
    (void)state;
    for (unsigned at = 0; at < 4 * MESSAGES; at++) {
        struct pair *pair = pair_new(&v2);
        walk.stop_at = at;
        if (!walk_to(pair, &walk, &at_step)) {
            pair_free(pair);
            break;
        }
        goes_on(pair, &walk, at_step);
        unsigned up = pair->sides[PAIR_A].up + pair->sides[PAIR_B].up;
        enum err err = pair_give(pair, &walk.caught);
        /* a stranger's first message may begin again; it comes to nothing */
        assert_true(err != ERR_OK || walk.caught.octets[18] == IKE2_SA_INIT);
        pair_run(pair, 60 * SECONDS);
        assert_int_equal(pair->sides[PAIR_A].up + pair->sides[PAIR_B].up, up);
        assert_int_equal(pair_check_keys(pair), 2);
        pair_free(pair);
    }
}

/* Payloads */

struct payload_change {
    enum { MISSING, REPEATED, OUT_OF_PLACE, MALFORMED } what;
    uint8_t type;
};

static bool find_payload(const struct forge_v2 *forge, uint8_t type, size_t *ret)
{
    for (*ret = 0; *ret < forge->count; ++*ret)
        if (forge->payloads[*ret].type == type)
            return true;
    return false;
}

/* False: the message has no such payload. */
static bool change(struct forge_v2 *forge, const struct payload_change *c)
{
    size_t i;
    static const uint8_t eap[] = {1, 1, 0, 4};
    switch (c->what) {
    case MISSING:
        if (!find_payload(forge, c->type, &i))
            return false;
        forge_v2_drop(forge, i);
        return true;
    case REPEATED:
        if (!find_payload(forge, c->type, &i))
            return false;
        forge_v2_add(forge, c->type,
                     view_of(forge->payloads[i].body, forge->payloads[i].len));
        return true;
    case MALFORMED:
        if (!find_payload(forge, c->type, &i) || forge->payloads[i].len < 4)
            return false;
        forge->payloads[i].len = 3;
        return true;
    case OUT_OF_PLACE:
        forge_v2_add(forge, IKE2_P_EAP, view_of(eap, sizeof(eap)));
        return true;
    default:
        return false;
    }
}

static const char *counter_for(const struct payload_change *c)
{
    switch (c->what) {
    case MISSING:
        return "payload-missing";
    case REPEATED:
        return "payload-repeated";
    case OUT_OF_PLACE:
        return "payload-unexpected";
    default:
        return NULL;
    }
}

static size_t ike_sas(const struct pair *pair, unsigned side)
{
    struct ike_sa_info info;
    size_t count = 0;
    while (ike_sa_info(pair->sides[side].ike, count, &info))
        count++;
    return count;
}

/* Nothing hangs: in the end both have the same, or nothing. */
static void settles(struct pair *pair)
{
    pair->tap = NULL;
    pair_run(pair, 300 * SECONDS);
    for (unsigned i = 0; i < PAIR_SIDES; i++)
        (void)pair_event(pair, i, IKE_EV_SHUTDOWN, 0);
    pair_run(pair, 60 * SECONDS);
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        assert_int_equal(ike_sas(pair, i), 0);
        assert_int_equal(pair_sad_count(pair, i), 0);
    }
}

static bool required(enum v2_message_kind kind, uint8_t type)
{
    const struct v2_message *m = v2_message(kind);
    for (size_t i = 0; i < V2_RULES; i++)
        if (m->rules[i].type == type)
            return m->rules[i].min > 0;
    return false;
}

static bool single(enum v2_message_kind kind, uint8_t type)
{
    const struct v2_message *m = v2_message(kind);
    for (size_t i = 0; i < V2_RULES; i++)
        if (m->rules[i].type == type)
            return m->rules[i].max == 1;
    return false;
}

static void one_change(unsigned at, const struct payload_change *c, unsigned *changed, bool *more)
{
    static struct walk walk;
    static struct forge_v2 forge;
    static struct pair_datagram d;
    unsigned at_step;
    struct pair *pair = pair_new(&v2);

    walk.stop_at = at;
    *more = walk_to(pair, &walk, &at_step);
    if (!*more) {
        pair_free(pair);
        return;
    }
    d = walk.caught;
    forge_v2_open(pair, &d, &forge);
    enum v2_message_kind kind = forge.kind;
    bool wrong = c->what == OUT_OF_PLACE || c->what == MALFORMED ||
                 (c->what == MISSING && required(kind, c->type)) ||
                 (c->what == REPEATED && single(kind, c->type));
    if (wrong && change(&forge, c)) {
        const char *counter = counter_for(c);
        unsigned to = !d.from;
        uint64_t before = counter != NULL ? pair_counter(pair, to, counter) : 0;
        forge_v2_close(pair, &forge, false, &d);
        /* without them it is a message of another kind, which nobody waits for or can use */
        bool other_kind = c->what == MISSING && (c->type == IKE2_P_SA || c->type == IKE2_P_KE ||
                                                 c->type == IKE2_P_TSI || c->type == IKE2_P_TSR ||
                                                 c->type == IKE2_P_NONCE || c->type == IKE2_P_IDR ||
                                                 c->type == IKE2_P_AUTH);
        enum err err = pair_give(pair, &d);
        bool child_only = kind == V2_AUTH_RSP && c->what == MALFORMED && c->type != IKE2_P_IDR &&
                          c->type != IKE2_P_AUTH;
        if (child_only) /* the peer is authentic; its child comes to nothing */
            assert_int_equal(pair->sides[to].failed, 1);
        else
            assert_int_not_equal(err, ERR_OK);
        if (counter != NULL && !other_kind)
            assert_int_equal(pair_counter(pair, to, counter), before + 1);
        (*changed)++;
    }
    settles(pair);
    pair_free(pair);
}

static void test_payloads(void **state)
{
    static const uint8_t types[] = {IKE2_P_SA,   IKE2_P_KE,  IKE2_P_NONCE, IKE2_P_IDI,
                                    IKE2_P_IDR,  IKE2_P_AUTH, IKE2_P_TSI,  IKE2_P_TSR};
    unsigned changed = 0;
    bool more = true;
    (void)state;
    for (unsigned at = 0; more; at++) {
        for (size_t t = 0; t < sizeof(types) && more; t++)
            for (unsigned what = MISSING; what <= MALFORMED && more; what++) {
                const struct payload_change c = {what, types[t]};
                if (what == OUT_OF_PLACE && t != 0)
                    continue;
                one_change(at, &c, &changed, &more);
            }
    }
    assert_true(changed > 100);
}

/* Section 2.5: a payload that nobody knows: skipped, or refused if it is critical; then only the
 * exchange fails. */
static void test_unknown_payload(void **state)
{
    static struct walk walk;
    static struct forge_v2 forge;
    static struct pair_datagram d;
    unsigned at_step;
    (void)state;
    for (unsigned critical = 0; critical < 2; critical++) {
        struct pair *pair = pair_new(&v2);
        walk.stop_at = 4;
        assert_true(walk_to(pair, &walk, &at_step));
        forge_v2_open(pair, &walk.caught, &forge);
        assert_int_equal(forge.kind, V2_CHILD_REQ);
        forge_v2_add(&forge, 200, view_of("later", 5));
        forge.critical_last = critical;
        d = walk.caught;
        forge_v2_close(pair, &forge, false, &d);
        assert_int_equal(pair_give(pair, &d), critical ? ERR_UNSUPPORTED : ERR_OK);
        pair->tap = NULL;
        pair_run(pair, 5 * SECONDS);
        assert_int_equal(pair->sides[PAIR_A].up, critical ? 1 : 2);
        assert_int_equal(pair->sides[PAIR_A].failed, critical);
        if (critical) {
            assert_non_null(
                strstr(pair->sides[PAIR_A].last_failed.text, "UNSUPPORTED_CRITICAL_PAYLOAD"));
            assert_int_equal(pair_counter(pair, PAIR_B, "unknown-critical-payload"), 1);
        }
        assert_int_equal(ike_sas(pair, PAIR_A) + ike_sas(pair, PAIR_B), 2);
        pair_free(pair);
    }
}

/* The table can be walked: every row's trigger is one, every next state has rows or is the end. */
static void test_table(void **state)
{
    const struct v2_row *row;
    (void)state;
    for (size_t i = 0; (row = v2_row_at(i)) != NULL; i++) {
        assert_non_null(row->handle);
        assert_true(strlen(row->story) > 5);
        assert_ptr_equal(v2_row_find(row->state, row->on, row->gets), row);
        assert_int_equal(row->gets != V2_NO_MESSAGE, row->on == V2_ON_MESSAGE);
        if (row->next == V2_DONE) {
            assert_int_equal(row->timer, V2_TIMER_NONE);
            continue;
        }
        assert_true(strlen(v2_state_name(row->next)) > 3);
        bool goes_on = v2_row_answer(row->next) != NULL;
        for (unsigned kind = 1; kind < V2_MESSAGE_COUNT; kind++)
            goes_on |= v2_row_find(row->next, V2_ON_MESSAGE, (enum v2_message_kind)kind) != NULL;
        assert_true(goes_on);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),        cmocka_unit_test(test_proves_nothing),
        cmocka_unit_test(test_replayed),     cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_unknown_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
