/*
 * Each message that a row of the transition tables waits for, in Main, Aggressive and Quick Mode by every
 * method and in an informational exchange, wrong in each way there is: a payload missing, repeated or out
 * of place, encryption absent or too early, lengths that lie, another message in its place, one replayed
 * or reflected, a choice downgraded, a proof that proves nothing. Each is dropped under one name or
 * answered by one notify, and leaves no trace; then the right one comes, and all is well.
 *
 * Quick Mode's messages are proven by their HASH, so one that is proven and wrong ends that Quick Mode.
 */
#include "scene.h"

static struct scene scene;
static struct forge forge;
static struct face before, after;

typedef void violation(void);

/* In every scene of every course. */
static void everywhere(violation *run)
{
    for (size_t c = 0; c < course_count; c++) {
        for (unsigned at = 0; scene_open(&scene, &courses[c], at); at++) {
            run();
            scene_close(&scene);
        }
    }
}

static const struct v1_message *message(void)
{
    return v1_message(scene.kind);
}

static void open_caught(void)
{
    forge_open(scene.pair, scene.receiver, &scene.caught, scene.kind, &forge);
}

static void give_forged(enum err *ret)
{
    static struct pair_datagram d;
    d = scene.caught;
    forge_close(scene.pair, scene.receiver, &forge, &d);
    face_take(&before, &scene);
    *ret = scene_give(&scene, &d);
    face_take(&after, &scene);
}

/* Dropped: no answer, one counter, and nothing has changed. */
static const char *dropped(enum err err)
{
    const char *name = face_counted(&before, &after, &scene);
    assert_true(err != ERR_OK);
    face_same(&before, &after, &scene);
    assert_int_equal(after.sent, before.sent);
    return name;
}

/* A datagram that is not the forge's. */
static const char *give_dropped(const struct pair_datagram *d)
{
    face_take(&before, &scene);
    enum err err = scene_give(&scene, d);
    face_take(&after, &scene);
    return dropped(err);
}

/* The Quick Mode is over and its SAs are gone; the peer was told. The IKE SA stays. */
static void quick_ended(void)
{
    struct pair *pair = scene.pair;
    assert_int_equal(after.sent, before.sent + 1);
    if (scene.kind == V1_QM1) { /* it hadn't begun, and its initiator will try again */
        assert_int_equal(scene_sa(&scene)->quick_count, 0);
        assert_int_equal(pair->sides[scene.receiver].asked_authorization, 0);
        return;
    }
    pair->tap = NULL;
    pair_run(pair, 60000);
    assert_int_equal(pair->sides[PAIR_B].up, 0);
    assert_int_equal(pair_sad_count(pair, PAIR_B), 0);
    assert_true(scene_is_established(&scene));
    unsigned at = scene.at;
    scene_close(&scene);
    assert_true(scene_open(&scene, scene.course, at));
}

/* Not as the message table has it: dropped, or proven and so the end of the Quick Mode. */
static void misshapen(enum err expected, const char *counter)
{
    enum err err;
    give_forged(&err);
    assert_int_equal(err, expected);
    assert_string_equal(face_counted(&before, &after, &scene), counter);
    if (message()->exchange == ISAKMP_QUICK_MODE && err_class(err) == ERR_CLASS_NOTIFY)
        quick_ended();
    else
        (void)dropped(err);
}

/* The first of a hashed message is its HASH: see bad_hash(). */
static void payload_missing(void)
{
    for (size_t i = message()->hashed; i < V1_RULES; i++) {
        if (message()->rules[i].min == 0)
            continue;
        open_caught();
        struct forge_payload *payload = forge_find(&forge, message()->rules[i].type);
        assert_non_null(payload);
        forge_drop(&forge, (size_t)(payload - forge.payloads));
        if (forge.count == 0) /* nothing is left, which no key could have made */
            misshapen(ERR_DECRYPT, "undecryptable");
        else
            misshapen(ERR_MISSING, "payload-missing");
    }
    scene_finish(&scene);
}

static void test_payload_missing(void **state)
{
    (void)state;
    everywhere(payload_missing);
}

static void payload_repeated(void)
{
    for (size_t i = 0; i < V1_RULES; i++) {
        if (message()->rules[i].max == V1_ANY || message()->rules[i].max == 0)
            continue;
        open_caught();
        const struct forge_payload *payload = forge_find(&forge, message()->rules[i].type);
        if (payload == NULL)
            continue;
        forge_add(&forge, payload->type, view_of(payload->body, payload->len));
        misshapen(ERR_REPEATED, "payload-repeated");
    }
    scene_finish(&scene);
}

static void test_payload_repeated(void **state)
{
    (void)state;
    everywhere(payload_repeated);
}

static bool has_rule(uint8_t type)
{
    for (size_t i = 0; i < V1_RULES; i++)
        if (message()->rules[i].type == type)
            return true;
    return false;
}

/* Every type that has no place in the message, and two that nobody knows. */
static void payload_unexpected(void)
{
    for (unsigned type = 1; type <= 24; type++) {
        uint8_t added = type == 23 ? 99 : type == 24 ? 130 : (uint8_t)type;
        if (has_rule(added))
            continue;
        open_caught();
        forge_add(&forge, added, view_of_text("whatever"));
        misshapen(ERR_UNEXPECTED, "payload-unexpected");
    }
    scene_finish(&scene);
}

static void test_payload_unexpected(void **state)
{
    (void)state;
    everywhere(payload_unexpected);
}

/* Aggressive Mode's last message may come either way (RFC 2409 section 5): then it is taken, and an
 * initiator that had sent it so would have no cipher text to make the next IV of. */
static void encryption_flag(void)
{
    enum err err;
    open_caught();
    forge.header.flags ^= ISAKMP_FLAG_ENCRYPTED;
    give_forged(&err);
    if (message()->may_be_clear) {
        assert_int_equal(err, ERR_OK);
        assert_int_equal(scene.pair->sides[scene.receiver].authenticated, 1);
        return;
    }
    const char *counter = scene.kind == V1_INFO     ? "unprotected-notify"
                          : message()->encrypted ? "not-encrypted"
                                                 : "encrypted-too-early";
    assert_string_equal(dropped(err), counter);
    scene_finish(&scene);
}

static void test_encryption_flag(void **state)
{
    (void)state;
    everywhere(encryption_flag);
}

static void write_length(struct pair_datagram *d)
{
    struct builder b = builder_on(span_of(d->octets + 24, 4));
    builder_u32(&b, (uint32_t)d->len);
}

/* What follows the last payload of a message in the clear may be zeros up to a multiple of four. */
static bool aligns(const struct pair_datagram *d, size_t payloads_end)
{
    if (message()->encrypted || d->len % 4 != 0 || d->len < payloads_end || d->len - payloads_end > 3)
        return false;
    for (size_t at = payloads_end; at < d->len; at++)
        if (d->octets[at] != 0)
            return false;
    return true;
}

/* Every shorter length and some longer ones, with a header that agrees and one that doesn't. */
static void bad_length(void)
{
    static struct pair_datagram d;
    for (size_t len = 0; len < scene.caught.len + 16; len++) { /* beyond, it is padding */
        if (len == scene.caught.len)
            continue;
        d = scene.caught;
        d.len = len;
        assert_string_equal(give_dropped(&d), "malformed");
        if (len < ISAKMP_HEADER_LEN)
            continue;
        write_length(&d);
        if (len < scene.caught.len || !aligns(&d, scene.caught.len))
            (void)give_dropped(&d);
    }
    scene_finish(&scene);
}

static void test_bad_length(void **state)
{
    (void)state;
    everywhere(bad_length);
}

/* Each payload's own length field, in what is not encrypted. */
static void bad_payload_length(void)
{
    static struct pair_datagram d;
    static const int changes[] = {-3, -1, 1, 100};
    for (size_t i = 0; !message()->encrypted && i < 4; i++) {
        d = scene.caught;
        for (size_t at = ISAKMP_HEADER_LEN; at < d.len;) {
            unsigned len = (unsigned)d.octets[at + 2] << 8 | d.octets[at + 3];
            unsigned wrong = (unsigned)((int)len + changes[i]);
            d.octets[at + 2] = (uint8_t)(wrong >> 8);
            d.octets[at + 3] = (uint8_t)wrong;
            if (at + len < d.len || changes[i] > 0 || !aligns(&d, at + wrong))
                (void)give_dropped(&d);
            d.octets[at + 2] = (uint8_t)(len >> 8);
            d.octets[at + 3] = (uint8_t)len;
            at += len;
        }
    }
    scene_finish(&scene);
}

static void test_bad_payload_length(void **state)
{
    (void)state;
    everywhere(bad_payload_length);
}

static void bad_hash(void)
{
    enum err err;
    for (unsigned missing = 0; message()->hashed && missing < 2; missing++) {
        open_caught();
        forge.bad_hash = true;
        if (missing)
            forge_drop(&forge, 0);
        else
            forge.payloads[0].body[0] ^= 1;
        bool empty = forge.count == 0; /* that is all message 3 of Quick Mode has */
        give_forged(&err);
        assert_int_equal(err, ERR_DECRYPT);
        assert_string_equal(dropped(err), empty ? "undecryptable" : "bad-hash");
    }
    scene_finish(&scene);
}

static void test_bad_hash(void **state)
{
    (void)state;
    everywhere(bad_hash);
}

/* Encrypted, but under other keys or with another beginning. */
static void undecryptable(void)
{
    static struct pair_datagram d;
    for (size_t at = ISAKMP_HEADER_LEN; message()->encrypted && at < ISAKMP_HEADER_LEN + 16; at++) {
        d = scene.caught;
        d.octets[at] ^= 0x55;
        const char *name = give_dropped(&d);
        assert_true(strcmp(name, "undecryptable") == 0 || strcmp(name, "bad-hash") == 0 ||
                    strcmp(name, "payload-unexpected") == 0);
    }
    scene_finish(&scene);
}

static void test_undecryptable(void **state)
{
    (void)state;
    everywhere(undecryptable);
}

/* Another message of the tables with the cookies of this one, as well made as the keys allow. */
static void make_other(enum v1_message_kind kind)
{
    const struct v1_message *other = v1_message(kind);
    open_caught();
    forge.kind = kind;
    forge.bad_hash = other->hashed && quick_find(scene_sa(&scene), forge.header.msgid) == NULL;
    forge.count = 0;
    forge.header.exchange = other->exchange;
    forge.header.flags = other->encrypted ? ISAKMP_FLAG_ENCRYPTED : 0;
    bool phase2 = other->exchange == ISAKMP_QUICK_MODE || other->exchange == ISAKMP_INFORMATIONAL;
    if (phase2 != (forge.header.msgid.value != 0))
        forge.header.msgid.value = phase2 ? 77 : 0;
    for (size_t i = 0; i < V1_RULES; i++)
        for (unsigned n = 0; n < other->rules[i].min; n++)
            forge_add(&forge, other->rules[i].type, view_of_text("0123456789abcdef0123456789abcdef"));
}

static bool has_keys(void)
{
    static const struct v1_keys none;
    const struct ike_sa *sa = scene_sa(&scene);
    return sa != NULL && memcmp(sa->keys.cipher, none.cipher, sizeof(none.cipher)) != 0;
}

/* Its payloads would do, and so it is not out of order but a bad copy of the one that is due. */
static bool has_shape_of(const struct v1_message *due, const struct v1_message *other)
{
    if (due->exchange != other->exchange || due->encrypted != other->encrypted)
        return false;
    for (size_t i = 0; i < V1_RULES; i++)
        if (due->rules[i].min != other->rules[i].min ||
            (due->rules[i].min != 0 && due->rules[i].type != other->rules[i].type))
            return false;
    return true;
}

static void wrong_order(void)
{
    static struct pair_datagram d;
    for (unsigned kind = V1_MM1; kind < V1_MESSAGE_COUNT; kind++) {
        const struct v1_message *other = v1_message(kind);
        bool in_place = scene_is_established(&scene) && (kind == V1_QM1 || kind == V1_INFO);
        if (in_place || has_shape_of(message(), other) || (other->encrypted && !has_keys()))
            continue;
        make_other(kind);
        d = scene.caught;
        forge_close(scene.pair, scene.receiver, &forge, &d);
        (void)give_dropped(&d);
    }
    scene_finish(&scene);
}

static void test_wrong_order(void **state)
{
    (void)state;
    everywhere(wrong_order);
}

/* What came before comes again: at most it is answered as it was. The very first message may begin
 * something anew, which the cookie then stops: see test_hostile.c. */
static void replayed(void)
{
    for (unsigned i = 1; i < scene.at; i++) {
        if (scene.before[i].from == scene.receiver)
            continue;
        face_take(&before, &scene);
        assert_true(scene_give(&scene, &scene.before[i]) != ERR_OK);
        face_take(&after, &scene);
        const char *name = face_counted(&before, &after, &scene);
        face_same(&before, &after, &scene);
        assert_true(after.sent <= before.sent + 1);
        if (after.sent != before.sent)
            assert_string_equal(name, "duplicate");
    }
    scene_finish(&scene);
}

static void test_replayed(void **state)
{
    (void)state;
    everywhere(replayed);
}

/* What the receiver sent comes back to it. */
static void reflected(void)
{
    static struct pair_datagram d;
    for (unsigned i = 1; i < scene.at; i++) {
        if (scene.before[i].from != scene.receiver)
            continue;
        d = scene.before[i];
        d.from = !d.from;
        d.source = scene.before[i].target;
        d.target = scene.before[i].source;
        (void)give_dropped(&d);
    }
    scene_finish(&scene);
}

static void test_reflected(void **state)
{
    (void)state;
    everywhere(reflected);
}

/* Answers with a suite that was never offered, or with a lifetime that was not. */
static void downgraded(void)
{
    static struct isakmp_sa sa;
    uint8_t body[1024];
    bool answer = scene.kind != V1_MM1 && scene.kind != V1_AM1 && scene.kind != V1_QM1;
    for (unsigned i = 0; answer && has_rule(ISAKMP_P_SA) && i < 16; i++) {
        open_caught();
        struct forge_payload *payload = forge_find(&forge, ISAKMP_P_SA);
        assert_int_equal(isakmp_sa_parse(view_of(payload->body, payload->len), &sa), ERR_OK);
        struct isakmp_transform *transform = &sa.proposals[0].transforms[0];
        if (i > transform->attribute_count)
            break;
        if (i == transform->attribute_count)
            transform->id ^= 0x40;
        else if (transform->attributes[i].is_long)
            transform->attributes[i].bytes = view_of_text("\1\1\1\1");
        else
            transform->attributes[i].value ^= 0x10;
        struct builder b = builder_on(span_of(body, sizeof(body)));
        isakmp_sa_build(&b, &sa);
        payload->len = b.len;
        memcpy(payload->body, body, b.len);
        misshapen(ERR_NO_PROPOSAL, "no-proposal-chosen");
    }
    scene_finish(&scene);
}

static void test_downgraded(void **state)
{
    (void)state;
    everywhere(downgraded);
}

/* The proof of the one side, altered: it is not accepted, and the other side is not either. */
static void half_authenticated(void)
{
    uint8_t proof = has_rule(ISAKMP_P_SIG) ? ISAKMP_P_SIG : ISAKMP_P_HASH;
    open_caught();
    if (!message()->hashed && forge_find(&forge, proof) != NULL) {
        const struct pair_side *side = &scene.pair->sides[scene.receiver];
        enum err err; /* a signature is looked at only when the keys are there */
        forge_find(&forge, proof)->body[3] ^= 1;
        give_forged(&err);
        uint64_t bad = pair_counter(scene.pair, scene.receiver, "bad-signature");
        assert_true(bad == 1);
        assert_int_equal(side->authenticated, 0);
        assert_int_equal(after.sent, before.sent);
        assert_false(scene_is_established(&scene));
        assert_int_equal(scene_sa(&scene)->main.state, scene.row->state);
        assert_memory_equal(before.octets, after.octets, before.parts[0].end);
        if (scene.kind == V1_AM2 || scene.kind == V1_AM2_PSK)
            (void)dropped(err); /* anyone could have sent it */
    }
    scene_finish(&scene);
}

static void test_half_authenticated(void **state)
{
    (void)state;
    everywhere(half_authenticated);
}

/* Only the worst of the suites that were offered reaches the responder: the proofs cover the offer, so
 * nobody is authenticated and nothing goes through the tunnel that isn't there. */
static bool worst_only(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    static struct isakmp_sa sa;
    uint8_t body[1024];
    (void)ctx;
    enum v1_message_kind kind = pair_is_exchange(d, ISAKMP_MAIN_MODE) ? V1_MM1 : V1_AM1;
    if (d->from != PAIR_A || d->octets[15] != 0 || d->octets[8] != 0 || d->octets[16] != ISAKMP_P_SA)
        return true;
    forge_open(pair, PAIR_B, d, kind, &forge);
    struct forge_payload *payload = forge_find(&forge, ISAKMP_P_SA);
    assert_int_equal(isakmp_sa_parse(view_of(payload->body, payload->len), &sa), ERR_OK);
    struct isakmp_proposal *p = &sa.proposals[0];
    assert_true(p->transform_count > 1);
    p->transforms[0] = p->transforms[p->transform_count - 1];
    p->transform_count = 1;
    struct builder b = builder_on(span_of(body, sizeof(body)));
    isakmp_sa_build(&b, &sa);
    payload->len = b.len;
    memcpy(payload->body, body, b.len);
    forge_close(pair, PAIR_B, &forge, d);
    return true;
}

static void test_offer_cut(void **state)
{
    (void)state;
    for (size_t c = 0; c < course_count; c++) {
        bool one = courses[c].aggressive && courses[c].method == IKE_BY_REVISED_ENCRYPTION;
        if (courses[c].method == IKE_BY_NOTHING || one)
            continue;
        struct site *site = courses[c].method == IKE_BY_CERTIFICATE
                                ? site_certified(true, courses[c].aggressive, site_alt_names[PAIR_B], 0)
                                : site_new(courses[c].method, courses[c].aggressive);
        site->pair->tap = worst_only;
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 90000);
        site_check_down(site);
        for (unsigned s = 0; s < PAIR_SIDES; s++)
            assert_int_equal(site->pair->sides[s].authenticated, 0);
        site_free(site);
    }
}

/* Every row that waits for a message was the scene of all that. */
static bool row_seen[64];

static void note_row(void)
{
    for (size_t i = 0; scene.row != NULL && v1_row_at(i) != NULL; i++)
        row_seen[i] |= v1_row_at(i) == scene.row;
}

static void test_every_row(void **state)
{
    const struct v1_row *row;
    (void)state;
    everywhere(note_row);
    for (size_t i = 0; (row = v1_row_at(i)) != NULL; i++)
        if (row->on == V1_ON_MESSAGE && !row_seen[i])
            fail_msg("no scene for %s: %s", v1_state_name(row->state), row->story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_payload_missing),
        cmocka_unit_test(test_payload_repeated),
        cmocka_unit_test(test_payload_unexpected),
        cmocka_unit_test(test_encryption_flag),
        cmocka_unit_test(test_bad_length),
        cmocka_unit_test(test_bad_payload_length),
        cmocka_unit_test(test_bad_hash),
        cmocka_unit_test(test_undecryptable),
        cmocka_unit_test(test_wrong_order),
        cmocka_unit_test(test_replayed),
        cmocka_unit_test(test_reflected),
        cmocka_unit_test(test_downgraded),
        cmocka_unit_test(test_half_authenticated),
        cmocka_unit_test(test_offer_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
