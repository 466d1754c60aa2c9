#include "scene.h"

#include <stdlib.h>

enum { TICKET = SITE_TICKET };

const struct course courses[] = {
    {"Main Mode, strangers", IKE_BY_NOTHING, false, false},
    {"Main Mode, raw keys", IKE_BY_KEY, false, false},
    {"Main Mode, certificates", IKE_BY_CERTIFICATE, false, false},
    {"Main Mode, shared key", IKE_BY_PSK, false, true},
    {"Main Mode, encryption", IKE_BY_ENCRYPTION, false, false},
    {"Main Mode, revised encryption", IKE_BY_REVISED_ENCRYPTION, false, false},
    {"Aggressive Mode, encryption", IKE_BY_ENCRYPTION, true, false},
    {"Aggressive Mode, revised encryption", IKE_BY_REVISED_ENCRYPTION, true, false},
    {"Aggressive Mode, raw keys", IKE_BY_KEY, true, false},
    {"Aggressive Mode, shared key", IKE_BY_PSK, true, false},
};
const size_t course_count = sizeof(courses) / sizeof(courses[0]);

const struct ike_sa *scene_sa(const struct scene *scene)
{
    const struct ike *ike = scene->pair->sides[scene->receiver].ike;
    return ike->all_count != 0 ? ike->all[ike->all_count - 1] : NULL;
}

bool scene_is_established(const struct scene *scene)
{
    const struct ike_sa *sa = scene_sa(scene);
    return sa != NULL && ike_sa_established(sa);
}

/* The state in which that message finds its receiver. */
static enum v1_state state_for(const struct scene *scene, const struct isakmp_header *header)
{
    const struct ike_sa *sa = scene_sa(scene);
    static const uint8_t zero[ISAKMP_COOKIE_LEN] = {0};
    if (header->exchange == ISAKMP_QUICK_MODE) {
        const struct v1_quick *quick = quick_find(sa, header->msgid);
        return quick != NULL ? quick->x.state : V1_QM_R_START;
    }
    if (sa != NULL)
        return sa->main.state;
    if (header->exchange == ISAKMP_AGGRESSIVE_MODE)
        return V1_AM_R_START;
    return memcmp(header->cookie_r, zero, sizeof(zero)) == 0 ? V1_MM_R_START : V1_MM_R_OFFERED;
}

static enum v1_way way_of(const struct course *course)
{
    if (course->method == IKE_BY_ENCRYPTION || course->method == IKE_BY_REVISED_ENCRYPTION)
        return V1_BY_ENCRYPTION;
    return course->method == IKE_BY_PSK ? V1_BY_PSK : V1_BY_SIGNATURE;
}

static bool stop(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct scene *scene = ctx;
    struct isakmp_header header;
    (void)pair;
    if (scene->seen < scene->at) {
        assert_true(scene->seen < SCENE_LOG);
        scene->before[scene->seen++] = *d;
        return true;
    }
    if (scene->seen++ > scene->at)
        return false;
    scene->caught = *d;
    scene->receiver = !d->from;
    assert_int_equal(isakmp_header_parse(view_of(d->octets, d->len), &header), ERR_OK);
    scene->kind = V1_INFO;
    if (header.exchange == ISAKMP_INFORMATIONAL)
        return false;
    scene->row = v1_row_find(state_for(scene, &header), V1_ON_MESSAGE, way_of(scene->course));
    assert_non_null(scene->row);
    scene->kind = scene->row->gets;
    return false;
}

static void make(struct scene *scene)
{
    const struct course *course = scene->course;
    if (course->method == IKE_BY_NOTHING)
        scene->pair = pair_new(NULL);
    else if (course->method == IKE_BY_CERTIFICATE)
        scene->site = site_certified(true, course->aggressive, site_alt_names[PAIR_B], 0);
    else
        scene->site = site_new(course->method, course->aggressive);
    if (scene->site != NULL)
        scene->pair = scene->site->pair;
    scene->pair->tap = stop;
    scene->pair->tap_ctx = scene;
}

static void start(struct scene *scene)
{
    assert_int_equal(scene->site != NULL ? site_begin(scene->site)
                                         : pair_initiate(scene->pair, PAIR_A, TICKET, 0),
                     ERR_OK);
    pair_run(scene->pair, 200);
}

bool scene_open(struct scene *scene, const struct course *course, unsigned at)
{
    *scene = (struct scene){.course = course, .at = at};
    make(scene);
    start(scene);
    if (scene->seen <= at && course->informational) {
        assert_int_equal(pair_event(scene->pair, PAIR_A, IKE_EV_DELETE_CHILD, TICKET), ERR_OK);
        pair_run(scene->pair, 200);
    }
    if (scene->seen > at)
        return true;
    scene_close(scene);
    return false;
}

bool scene_ask(struct scene *scene, const struct course *course, unsigned side,
               enum ike_effect_kind kind, unsigned nth)
{
    *scene = (struct scene){.course = course, .at = SCENE_LOG, .receiver = side};
    make(scene);
    struct pair_side *asked = &scene->pair->sides[side];
    asked->hold[kind] = true;
    start(scene);
    for (unsigned i = 0; i < nth && asked->held.pending; i++) {
        struct pair_question q = asked->held;
        asked->held.pending = false;
        assert_int_equal(pair_answer(scene->pair, side, &q), ERR_OK);
        pair_drain(scene->pair, side);
        pair_run(scene->pair, 200);
    }
    if (asked->held.pending)
        return true;
    scene_close(scene);
    return false;
}

void scene_close(struct scene *scene)
{
    if (scene->site != NULL)
        site_free(scene->site);
    else
        pair_free(scene->pair);
    scene->pair = NULL;
}

enum err scene_give(struct scene *scene, const struct pair_datagram *datagram)
{
    return pair_give(scene->pair, datagram);
}

void scene_finish(struct scene *scene)
{
    struct pair *pair = scene->pair;
    pair->tap = NULL;
    assert_int_equal(scene_give(scene, &scene->caught), ERR_OK);
    pair_run(pair, 4000);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        assert_int_equal(pair->sides[s].up, 1);
        assert_int_equal(pair->sides[s].failed, 0);
        assert_int_equal(pair_sad_count(pair, s), scene->kind == V1_INFO ? 0 : 2);
    }
    if (scene->kind != V1_INFO)
        assert_int_equal(pair_check_keys(pair), 2);
}

/* Pictures */

static void put(struct face *face, const char *name, const void *octets, size_t len)
{
    assert_true(face->count < FACE_PARTS && len <= FACE_OCTETS - face->len);
    if (len != 0)
        memcpy(face->octets + face->len, octets, len);
    face->len += len;
    face->parts[face->count].name = name;
    face->parts[face->count++].end = face->len;
}

static void put_blob(struct face *face, const char *name, const struct blob *blob)
{
    put(face, name, blob->ptr, blob->len);
}

#define PUT(face, owner, field) put(face, #field, &(owner)->field, sizeof((owner)->field))

static void put_exchange(struct face *face, const struct v1_exchange *x)
{
    PUT(face, x, state);
    PUT(face, x, msgid);
    PUT(face, x, timer_kind);
    PUT(face, x, timer.node.at);
    PUT(face, x, give_up);
    put_blob(face, "out", &x->out.bytes);
    PUT(face, x, seen_any);
    PUT(face, x, seen);
    PUT(face, x, iv);
    PUT(face, x, iv_before);
    PUT(face, x, doubt);
    PUT(face, x, serial);
}

static void put_quick(struct face *face, const struct v1_quick *quick)
{
    put_exchange(face, &quick->x);
    PUT(face, quick, request);
    PUT(face, quick, ticket);
    PUT(face, quick, child);
    PUT(face, quick, dh);
    put_blob(face, "nonce_i", &quick->nonce_i);
    put_blob(face, "nonce_r", &quick->nonce_r);
    put_blob(face, "peer_ke", &quick->peer_ke);
    PUT(face, quick, spi_in);
    PUT(face, quick, spi_out);
    PUT(face, quick, outbound_given);
}

static void put_handshake(struct face *face, const struct v1_handshake *hs)
{
    PUT(face, hs, dh);
    put_blob(face, "offer", &hs->offer);
    put_blob(face, "own identity", &hs->id_own);
    PUT(face, hs, expected);
    PUT(face, hs, initial_contact);
}

static void put_sa(struct face *face, const struct ike_sa *sa)
{
    const struct v1_quick *quick;
    PUT(face, sa, cookies);
    PUT(face, sa, number);
    PUT(face, sa, path);
    PUT(face, sa, peer);
    PUT(face, sa, unproven);
    PUT(face, sa, auth);
    PUT(face, sa, profile);
    PUT(face, sa, quick_count);
    put(face, "used ids", sa->used_ids, sa->used_count * sizeof(*sa->used_ids));
    PUT(face, sa, peer_id);
    PUT(face, sa, peer_key_digest);
    PUT(face, sa, expires);
    PUT(face, sa, proven);
    PUT(face, sa, nat);
    PUT(face, sa, suite);
    PUT(face, sa, keys);
    PUT(face, sa, lifetime.seconds);
    PUT(face, sa, dpd);
    put_exchange(face, &sa->main);
    if (sa->handshake != NULL)
        put_handshake(face, sa->handshake);
    LIST_FOREACH (quick, &sa->quicks, of_sa)
        put_quick(face, quick);
}

static void put_side(struct face *face, const struct pair_side *side)
{
    PUT(face, side, up);
    PUT(face, side, failed);
    PUT(face, side, deleted);
    PUT(face, side, authenticated);
    PUT(face, side, removed);
    PUT(face, side, asked_keys);
    PUT(face, side, asked_authorization);
    PUT(face, side, asked_signature);
    PUT(face, side, asked_decryption);
    PUT(face, side, moves);
    PUT(face, side, connected);
    for (size_t i = 0; i < PAIR_SAD_MAX; i++)
        if (side->sad[i].used)
            PUT(face, side, sad[i].params);
    for (size_t i = 0; i < PAIR_RECORDS; i++)
        if (side->kept[i].number != 0)
            put(face, "record", side->kept[i].octets, side->kept[i].len);
}

void face_take(struct face *face, const struct scene *scene)
{
    const struct pair_side *side = &scene->pair->sides[scene->receiver];
    const struct ike *ike = side->ike;
    face->len = face->count = 0;
    const size_t counts[] = {ike->sas.count,       ike->peers.count,     ike->tickets.count,
                             ike->children.count,  ike->formers.count,   ike->questions.count,
                             ike->all_count,       ike->unproven_count,  ike->timers.count,
                             ike->half_open.records.count};
    put(face, "how many there are of something", counts, sizeof(counts));
    for (size_t i = 0; i < ike->all_count; i++)
        put_sa(face, ike->all[i]);
    put_side(face, side);
    memcpy(face->counters, ike->counters, sizeof(face->counters));
    face->sent = scene->pair->sent[scene->receiver];
}

void face_same(const struct face *before, const struct face *after, const struct scene *scene)
{
    size_t start = 0;
    for (size_t i = 0; i < before->count; i++) {
        size_t end = before->parts[i].end;
        if (i >= after->count || after->parts[i].end != end ||
            memcmp(before->octets + start, after->octets + start, end - start) != 0)
            fail_msg("%s, %s: '%s' has changed", scene->course->name,
                     v1_message(scene->kind)->title, before->parts[i].name);
        start = end;
    }
    assert_int_equal(before->count, after->count);
}

const char *face_counted(const struct face *before, const struct face *after,
                         const struct scene *scene)
{
    const char *name, *found = NULL;
    uint64_t value;
    for (size_t i = 0; i < IKE_COUNTER_COUNT; i++) {
        uint64_t more = after->counters[i] - before->counters[i];
        assert_true(ike_counter(scene->pair->sides[scene->receiver].ike, i, &name, &value));
        if (more == 0)
            continue;
        if (found != NULL || more != 1)
            fail_msg("%s, %s: counted as %s and %s", scene->course->name,
                     v1_message(scene->kind)->title, found != NULL ? found : name, name);
        found = name;
    }
    if (found == NULL)
        fail_msg("%s, %s: not counted", scene->course->name, v1_message(scene->kind)->title);
    return found;
}
