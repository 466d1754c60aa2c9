/*
 * What a stranger has to show before anything is kept or computed for it (RFC 8019 section 6). Nothing,
 * while there is little to do; that it receives what is sent to it, by a cookie; that it has worked for
 * it, by a puzzle about the cookie, once one address or all together have many SAs half open. While
 * much comes that can't be decrypted, who solved a puzzle gets another one for IKE_AUTH. And the other
 * side of it: puzzles that are given to us, solved in slices and not beyond reason.
 */
#include <stdio.h>

#include "ike/v2/v2.h"

enum {
    BITS_DEFAULT = 16,      /* some tenths of a second */
    BITS_OWN_CHOICE = 16,   /* for who leaves it to us */
    BITS_HARDER = 2,
    BITS_WORTH_IT = 20,     /* some seconds: more is neither solved nor demanded */
    FROM_ONE = 12,          /* half open from one address */
    JUNK_MS = 10000,        /* so much in that time ... */
    JUNK_MANY = 16,         /* ... that can't be decrypted */
    ONE_IN = 4,             /* of those who know no puzzles gets through */
    SLICE = 2048,           /* keys tried at a time */
    SLICE_MS = 1,           /* between two slices others have their turn */
    SOLVING_MAX = 4,        /* at the same time */
};

/* Responder: IKE_SA_INIT */

static unsigned bits_of(const struct ike *ike)
{
    return ike->config.puzzle_bits != 0 ? ike->config.puzzle_bits : BITS_DEFAULT;
}

static unsigned demanded(const struct ike *ike, const struct ip_addr *remote)
{
    size_t open = ike->v2.unproven_count, most = ike->config.half_open;
    unsigned bits = bits_of(ike);
    if (ike->config.puzzles == IKE_PUZZLES_NEVER)
        return 0;
    if (ike->config.puzzles == IKE_PUZZLES_ALWAYS)
        return bits;
    if (open >= most / 4 * 3)
        return bits + BITS_HARDER < BITS_WORTH_IT ? bits + BITS_HARDER : BITS_WORTH_IT;
    bool many = open >= most / 2 ||
                ike->unproven_from[ike_unproven_slot(ike, remote)] >= FROM_ONE;
    return many ? bits : 0;
}

/* Section 7.1.1.2: the best that the initiator offers; 0: none of ours. */
static uint16_t choose_prf(struct ike *ike, const struct ike2_payloads *payloads)
{
    const struct ike2_payload *offer = ike2_payload_find(payloads, IKE2_P_SA, 0);
    uint16_t best = 0;
    enum hash_alg hash;
    if (offer == NULL || ike2_sa_parse(offer->body, &ike->sa2) != ERR_OK)
        return 0;
    for (size_t i = 0; i < ike->sa2.proposal_count; i++)
        for (size_t k = 0; k < ike->sa2.proposals[i].transform_count; k++) {
            const struct ike2_transform *t = &ike->sa2.proposals[i].transforms[k];
            if (t->type != IKE2_T_PRF || !ike2_prf_hash(t->id, &hash))
                continue;
            if (hash == HASH_SHA2_256)
                return t->id;
            best = best == 0 ? t->id : best;
        }
    return best;
}

static void put_puzzle(struct ike2_writer *w, uint16_t prf, uint8_t bits)
{
    const uint8_t data[] = {(uint8_t)(prf >> 8), (uint8_t)prf, bits};
    ike2_writer_notify(w, IKE2_N_PUZZLE, view_of(data, sizeof(data)));
}

static void demand(struct ike *ike, const struct ike_event *event, const struct ike2_header *header,
                   struct view nonce, const struct v2_puzzle *puzzle)
{
    uint8_t room[V2_COOKIE_MAX];
    struct builder cookie = builder_on(span_of(room, sizeof(room)));
    struct ike2_writer w;
    if (v2_cookie_make(ike, &event->remote, header->spi_i, nonce, puzzle, &cookie) != ERR_OK)
        return;
    v2_clear_start(ike, header, &w);
    ike2_writer_notify(&w, IKE2_N_COOKIE, builder_written(&cookie));
    if (puzzle->bits != 0)
        put_puzzle(&w, puzzle->prf, puzzle->bits);
    v2_clear_send(ike, event, header, &w, puzzle->bits != 0 ? IKE2_N_PUZZLE : IKE2_N_COOKIE);
}

/* Section 7.1.4. The difficulty is the one that was asked for: the cookie's MAC covers it. */
static bool has_worked(struct ike *ike, const struct ike2_payloads *payloads, struct view cookie,
                       const struct v2_puzzle *given, unsigned bits)
{
    const struct ike2_payload *solution = ike2_payload_find(payloads, IKE2_P_PS, 0);
    enum hash_alg prf;
    if (given->bits == 0)
        return false;
    if (solution == NULL) /* section 7.1: some who know no puzzles, but not before their cookie */
        return ike->config.puzzles != IKE_PUZZLES_ALWAYS && rng_u32(&ike->env.rng) % ONE_IN == 0;
    if (given->bits < bits || !ike2_prf_hash(given->prf, &prf) ||
        puzzle_check(prf, cookie, given->bits, solution->body) != ERR_OK) {
        ike_count(ike, IKE_COUNT_BAD_PUZZLE);
        return false;
    }
    return true;
}

bool defence_passes(struct ike *ike, const struct ike_event *event, const struct ike2_header *header,
                    const struct ike2_payloads *payloads, uint8_t *ret_worked)
{
    const struct ike2_payload *payload = ike2_payload_find(payloads, IKE2_P_NONCE, 0);
    /* Who has a ticket has proved itself before: RFC 8019 section 4.5. */
    unsigned bits =
        header->exchange == IKE2_SA_INIT ? demanded(ike, &event->remote.addr) : 0;
    struct v2_puzzle puzzle = {.bits = 0}, given;
    struct ike2_notify n;
    struct view nonce;

    *ret_worked = 0;
    if (bits == 0 && !v2_cookie_wanted(ike, &event->remote.addr))
        return true;
    if (payload == NULL || ike2_nonce_parse(payload->body, &nonce) != ERR_OK) {
        ike_count(ike, IKE_COUNT_MALFORMED);
        return false;
    }
    if (bits != 0)
        puzzle = (struct v2_puzzle){.prf = choose_prf(ike, payloads), .bits = (uint8_t)bits};
    if (puzzle.prf == 0)
        puzzle.bits = 0;
    if (ike2_notify_find(payloads, IKE2_N_COOKIE, &n) &&
        v2_cookie_valid(ike, &event->remote, header->spi_i, nonce, n.data, &given)) {
        if (puzzle.bits == 0)
            return true;
        if (has_worked(ike, payloads, n.data, &given, puzzle.bits)) {
            *ret_worked = given.bits;
            return true;
        }
    }
    ike_count(ike, IKE_COUNT_BAD_COOKIE);
    demand(ike, event, header, nonce, &puzzle);
    return false;
}

/* Responder: IKE_AUTH */

void defence_junk(struct ike *ike)
{
    struct v2_engine *v2 = &ike->v2;
    if (mono_since(ike->now, v2->junk_since) >= JUNK_MS) {
        v2->junk_since = ike->now;
        v2->junk = 0;
    }
    v2->junk++;
}

static bool much_junk(const struct ike *ike)
{
    return ike->config.puzzles == IKE_PUZZLES_ALWAYS ||
           (ike->v2.junk >= JUNK_MANY && mono_since(ike->now, ike->v2.junk_since) < JUNK_MS);
}

/* Section 7.2.1: only for who solved one in IKE_SA_INIT. */
void defence_put(const struct v2_step *step, struct ike2_writer *w)
{
    struct v2_handshake *hs = step->sa->handshake;
    if (hs->worked == 0 || !much_junk(step->ike))
        return;
    hs->auth_bits = (uint8_t)bits_of(step->ike);
    put_puzzle(w, ike2_prf_id((enum hash_alg)step->sa->suite.prf), hs->auth_bits);
}

/* Section 7.2.3: S = Nr | SPIr */
static enum err auth_text(struct view nonce_r, const uint8_t *spi_r, struct blob *ret)
{
    uint8_t room[IKE2_NONCE_MAX + IKE2_SPI_LEN];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    builder_view(&b, nonce_r);
    builder_bytes(&b, spi_r, IKE2_SPI_LEN);
    return blob_set(ret, builder_written(&b)) ? ERR_OK : ERR_MEMORY;
}

bool defence_auth_passes(struct ike *ike, struct v2_sa *sa, const struct ike2_header *header,
                         struct view datagram)
{
    struct v2_handshake *hs = sa->handshake;
    struct view outer = view_of(datagram.ptr + IKE2_HEADER_LEN, datagram.len - IKE2_HEADER_LEN);
    const struct ike2_payload *solution;
    struct ike2_payloads payloads;
    struct blob text = {0};
    uint8_t ignored;

    if (sa->established || hs->auth_bits == 0 || hs->auth_solved || header->exchange != IKE2_AUTH)
        return true;
    if (ike2_payloads_parse(header->next_payload, outer, &payloads, &ignored) == ERR_OK &&
        (solution = ike2_payload_find(&payloads, IKE2_P_PS, 0)) != NULL &&
        auth_text(blob_view(&hs->nonce_r), sa->own_spi, &text) == ERR_OK)
        hs->auth_solved = puzzle_check((enum hash_alg)sa->suite.prf, blob_view(&text), hs->auth_bits,
                                       solution->body) == ERR_OK;
    blob_wipe(&text);
    if (!hs->auth_solved)
        ike_count(ike, IKE_COUNT_BAD_PUZZLE);
    return hs->auth_solved;
}

/* Initiator */

/* False: there is none, or it is not to be taken on. */
static bool read_puzzle(const struct v2_step *step, struct puzzle *ret)
{
    struct ike2_notify n;
    if (!v2_notified(step, IKE2_N_PUZZLE, &n))
        return false;
    struct cursor cur = cursor_of(n.data);
    uint16_t prf = cursor_u16(&cur);
    unsigned bits = cursor_u8(&cur);
    *ret = (struct puzzle){.zero_bits = bits != 0 ? bits : BITS_OWN_CHOICE};
    return cursor_done(&cur) && ike2_prf_hash(prf, &ret->prf) && bits <= BITS_WORTH_IT;
}

static void begin(struct v2_step *step, const struct puzzle *puzzle)
{
    struct v2_handshake *hs = step->sa->handshake;
    char text[80];
    snprintf(text, sizeof(text), "of %u bits: at work", puzzle->zero_bits);
    v2_trace(step->ike, step->sa, step->x, EVENT_INFO, "Puzzle", text);
    hs->puzzle = *puzzle;
    hs->solved = false;
    hs->solves = true;
    step->ike->v2.solving++;
    step->skips = true;
}

void defence_stop(struct ike *ike, struct v2_handshake *hs)
{
    if (hs != NULL && hs->solves) {
        hs->solves = false;
        ike->v2.solving--;
    }
}

/* Section 7.1.2: about the cookie that is sent back. */
bool defence_takes_on(struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    struct puzzle puzzle;
    hs->solved = false;
    if (hs->cookie.len == 0 || step->ike->v2.solving >= SOLVING_MAX ||
        !read_puzzle(step, &puzzle) || !blob_set(&hs->puzzle_text, blob_view(&hs->cookie)))
        return false;
    begin(step, &puzzle);
    return true;
}

/* Section 7.2.2. Without it IKE_AUTH would not be heard. */
enum err defence_take_on_auth(struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    struct ike2_notify n;
    struct puzzle puzzle;
    hs->solved = false;
    if (!v2_notified(step, IKE2_N_PUZZLE, &n)) {
        step->at_once = true;
        return ERR_OK;
    }
    if (!read_puzzle(step, &puzzle) || step->ike->v2.solving >= SOLVING_MAX)
        return v2_refuse(step, ERR_LIMIT, 0, "the puzzle is too hard");
    enum err err = auth_text(blob_view(&hs->nonce_r), step->sa->peer_spi, &hs->puzzle_text);
    if (err == ERR_OK)
        begin(step, &puzzle);
    return err;
}

static void give_up(struct ike *ike, struct v2_exchange *x)
{
    defence_stop(ike, x->sa->handshake);
    if (x->state == V2_I_SOLVING_AUTH) {
        v2_fail(ike, x, IKE_FAILURE_REFUSED, "the puzzle is too hard");
        return;
    }
    v2_trace(ike, x->sa, x, EVENT_INFO, "Puzzle", "given up");
    v2_start(ike, x); /* perhaps the cookie alone will do */
}

void defence_work(struct ike *ike, struct v2_exchange *x)
{
    struct v2_handshake *hs = x->sa->handshake;
    bool done = false;
    enum err err = mono_reached(ike->now, x->give_up)
                       ? ERR_LIMIT
                       : puzzle_work(&hs->puzzle, blob_view(&hs->puzzle_text), SLICE, &done);
    if (err != ERR_OK) {
        give_up(ike, x);
        return;
    }
    if (!done) {
        ike_timer_set(ike, &x->timer, mono_add(ike->now, SLICE_MS));
        return;
    }
    defence_stop(ike, hs);
    hs->solved = true;
    v2_trace(ike, x->sa, x, EVENT_INFO, "Puzzle", "solved");
    v2_start(ike, x);
}

struct view defence_solution(const struct v2_sa *sa)
{
    const struct v2_handshake *hs = sa->handshake;
    bool has = sa->initiator && hs != NULL && hs->solved;
    return view_of(has ? hs->puzzle.solution : NULL, has ? sizeof(hs->puzzle.solution) : 0);
}
