/* Opening and sealing messages (RFC 7296 section 3.14), keeping and repeating them. */
#include <assert.h>

#include "ike/v2/v2.h"

/* Kept messages */

void v2_sent_wipe(struct v2_sent *sent)
{
    blob_wipe(&sent->datagrams);
}

bool v2_sent_add(struct v2_sent *sent, struct view datagram)
{
    size_t old = sent->datagrams.len, len = old + 2 + datagram.len;
    uint8_t *all = malloc(len);
    if (all == NULL)
        return false;
    if (old != 0)
        memcpy(all, sent->datagrams.ptr, old);
    all[old] = (uint8_t)(datagram.len >> 8);
    all[old + 1] = (uint8_t)datagram.len;
    memcpy(all + old + 2, datagram.ptr, datagram.len);
    blob_wipe(&sent->datagrams);
    sent->datagrams = (struct blob){all, len};
    return true;
}

struct view v2_sent_first(const struct v2_sent *sent)
{
    struct cursor cur = cursor_of(blob_view(&sent->datagrams));
    return cursor_take(&cur, cursor_u16(&cur));
}

uint8_t v2_sent_exchange(const struct v2_sent *sent)
{
    struct ike2_header header;
    return ike2_header_parse(v2_sent_first(sent), &header) == ERR_OK ? header.exchange : 0;
}

void v2_send_raw(struct ike *ike, const struct v2_sa *sa, const struct v2_path *path,
                 struct view bytes)
{
    const struct ike_effect fx = {.kind = IKE_FX_SEND,
                                  .version = IKE_VERSION_2,
                                  .local = path->local,
                                  .remote = path->remote,
                                  .peer = sa->remote.addr,
                                  .natt = path->natt,
                                  .bytes = bytes};
    /* Without memory the datagram is lost, as any datagram may be. */
    (void)ike_effect_push(ike, &fx);
}

void v2_sent_repeat(struct ike *ike, const struct v2_sa *sa, const struct v2_path *path,
                    const struct v2_sent *sent)
{
    struct cursor cur = cursor_of(blob_view(&sent->datagrams));
    while (cursor_left(&cur) != 0) {
        struct view datagram = cursor_take(&cur, cursor_u16(&cur));
        if (!cur.bad)
            v2_send_raw(ike, sa, path, datagram);
    }
}

/* Out */

static struct ike2_header header_of(const struct v2_sa *sa, enum v2_message_kind kind, uint32_t id)
{
    const struct v2_message *message = v2_message(kind);
    struct ike2_header header = {.version = IKE2_VERSION,
                                 .exchange = message->exchange,
                                 .flags = (uint8_t)((sa->initiator ? IKE2_FLAG_INITIATOR : 0) |
                                                    (message->response ? IKE2_FLAG_RESPONSE : 0)),
                                 .message_id = id};
    memcpy(header.spi_i, v2_spi_i(sa), IKE2_SPI_LEN);
    memcpy(header.spi_r, v2_spi_r(sa), IKE2_SPI_LEN);
    return header;
}

static void start(struct ike *ike, struct v2_out *out, const struct v2_sa *sa,
                  enum v2_message_kind kind, uint32_t id)
{
    *out = (struct v2_out){.kind = kind,
                           .header = header_of(sa, kind, id),
                           .sealed = v2_message(kind)->encrypted};
    if (out->sealed)
        ike2_writer_start_inner(&out->w, span_of(ike->inner, sizeof(ike->inner)));
    else
        ike2_writer_start(&out->w, span_of(ike->message, sizeof(ike->message)), &out->header);
}

/* An exchange with message id 0, which may be said anew. */
static bool begins(enum v2_message_kind kind)
{
    return kind == V2_INIT_REQ || kind == V2_RESUME_REQ;
}

void v2_out_start(struct v2_step *step, struct v2_out *out, enum v2_message_kind kind)
{
    struct v2_sa *sa = step->sa;
    if (step->x->initiator)
        step->x->id = begins(kind) ? 0 : sa->next_out;
    start(step->ike, out, sa, kind, step->x->id);
}

static struct ike2_sk_shape shape_of(const struct v2_sa *sa)
{
    return (struct ike2_sk_shape){.iv_len = aead_iv_len(&sa->suite.protect),
                                  .icv_len = aead_icv_len(&sa->suite.protect),
                                  .block = aead_block_len(&sa->suite.protect)};
}

static struct aead_keys keys_of(const struct v2_sa *sa, bool of_initiator)
{
    const struct v2_keys *k = &sa->keys;
    return (struct aead_keys){
        .cipher = view_of(of_initiator ? k->ei : k->er, aead_key_len(&sa->suite.protect)),
        .integ = view_of(of_initiator ? k->ai : k->ar, aead_integ_key_len(&sa->suite.protect)),
    };
}

static void next_iv(struct ike *ike, struct v2_sa *sa, uint8_t *iv, size_t len)
{
    struct builder b = builder_on(span_of(iv, len));
    if (!aead_iv_is_counter(&sa->suite.protect)) {
        rng_fill(&ike->env.rng, iv, len);
        return;
    }
    builder_fill(&b, 0, len - sizeof(sa->iv));
    builder_u64(&b, ++sa->iv);
}

/* RFC 8019 section 7.2.2: in the first fragment only. */
static struct view solution_for(const struct v2_sa *sa, const struct ike2_header *header)
{
    return header->exchange == IKE2_AUTH ? defence_solution(sa) : view_of(NULL, 0);
}

/* One datagram around the inner payloads, or a piece of them. */
static enum err seal_one(struct ike *ike, struct v2_sa *sa, const struct ike2_header *header,
                         const struct ike2_fragment *piece, struct view *ret)
{
    struct ike2_sk_shape shape = shape_of(sa);
    struct aead_keys keys = keys_of(sa, sa->initiator);
    struct ike2_sk_room room;
    struct ike2_writer w;

    ike2_writer_start(&w, span_of(ike->message, sizeof(ike->message)), header);
    struct view solution = solution_for(sa, header);
    if (solution.len != 0 && piece->number <= 1)
        ike2_writer_payload(&w, IKE2_P_PS, solution);
    enum err err = ike2_writer_sk(&w, &shape, piece, &room);
    if (err != ERR_OK)
        return err;
    next_iv(ike, sa, room.iv, shape.iv_len);
    err = aead_seal(&sa->suite.protect, &keys, room.aad, room.iv, room.text, room.icv);
    if (err == ERR_OK)
        *ret = room.message;
    return err;
}

static size_t solution_room(const struct v2_sa *sa, const struct ike2_header *header)
{
    size_t len = solution_for(sa, header).len;
    return len != 0 ? len + 4 : 0;
}

/* Octets of an IKE message that fit into a datagram nobody fragments (RFC 7383 section 2.5.1). A stream takes
 * any (RFC 9329 section 7.5). */
static size_t message_room(const struct v2_sa *sa)
{
    if (v2_path_is_tcp(&sa->path))
        return LIMIT_IKE_DATAGRAM;
    bool v6 = sa->remote.addr.family == IP_V6;
    return V2_DATAGRAM - (v6 ? 40 : 20) - 8 - (sa->path.natt ? 4 : 0);
}

static enum err seal_pieces(struct ike *ike, struct v2_sa *sa, const struct v2_out *out,
                            struct view text, struct v2_sent *ret)
{
    struct ike2_sk_shape shape = shape_of(sa);
    size_t around = IKE2_HEADER_LEN + ike2_sk_overhead(&shape, 0, true) + shape.block +
                    solution_room(sa, &out->header);
    size_t each = message_room(sa) - around, total = (text.len + each - 1) / each;
    for (size_t i = 0; i < total; i++) {
        size_t at = i * each, len = text.len - at < each ? text.len - at : each;
        const struct ike2_fragment piece = {.first = i == 0 ? out->w.first_inner : 0,
                                            .number = (uint16_t)(i + 1),
                                            .total = (uint16_t)total,
                                            .text = view_of(text.ptr + at, len)};
        struct view datagram;
        enum err err = seal_one(ike, sa, &out->header, &piece, &datagram);
        if (err == ERR_OK && !v2_sent_add(ret, datagram))
            err = ERR_MEMORY;
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

static enum err seal(struct ike *ike, struct v2_sa *sa, struct v2_out *out, struct v2_sent *ret)
{
    struct view text = ike2_writer_finish(&out->w), datagram = text;
    struct ike2_sk_shape shape = shape_of(sa);
    if (out->w.b.bad)
        return ERR_ROOM;
    if (!out->sealed)
        return v2_sent_add(ret, datagram) ? ERR_OK : ERR_MEMORY;
    size_t whole = IKE2_HEADER_LEN + ike2_sk_overhead(&shape, text.len, false) + text.len +
                   solution_room(sa, &out->header);
    if (sa->fragments && whole > message_room(sa))
        return seal_pieces(ike, sa, out, text, ret);
    const struct ike2_fragment all = {.first = out->w.first_inner, .text = text};
    enum err err = seal_one(ike, sa, &out->header, &all, &datagram);
    if (err != ERR_OK)
        return err;
    return v2_sent_add(ret, datagram) ? ERR_OK : ERR_MEMORY;
}

static void trace_out(struct ike *ike, const struct v2_sa *sa, const struct v2_exchange *x,
                      const struct v2_out *out)
{
    struct ike2_payloads payloads = {.count = 0};
    uint8_t critical, first = out->w.first_inner;
    struct view text = view_of(ike->inner, out->sealed ? out->w.b.len : 0);
    if (!out->sealed) {
        first = ike->message[16];
        text = view_of(ike->message + IKE2_HEADER_LEN, out->w.b.len - IKE2_HEADER_LEN);
    }
    if (ike2_payloads_parse_with(first, text, v2_agreed(sa), &payloads, &critical) == ERR_OK)
        v2_trace_message(ike, sa, x, out->kind, &payloads, true);
}

/* From here on the ids are used, whatever happens. */
static void advance(struct v2_step *step, const struct v2_out *out, struct v2_sent *sent)
{
    struct v2_sa *sa = step->sa;
    struct v2_exchange *x = step->x;
    if (x->initiator) {
        v2_sent_wipe(&x->out);
        x->out = *sent;
        x->wait_ms = step->ike->config.retransmit_ms;
        if (!begins(out->kind))
            sa->next_out = x->id + 1;
        return;
    }
    v2_sent_wipe(&sa->answer);
    sa->answer = *sent;
    memcpy(sa->answered, x->digest, sizeof(sa->answered));
    sa->answered_any = true;
    sa->next_in = x->id + 1;
    sa->answered_at = step->ike->now;
}

enum err v2_out_send(struct v2_step *step, struct v2_out *out)
{
    struct ike *ike = step->ike;
    struct v2_sa *sa = step->sa;
    struct v2_sent sent = {.datagrams = {0}};
    struct v2_path back = sa->path;

    trace_out(ike, sa, step->x, out);
    enum err err = seal(ike, sa, out, &sent);
    if (err != ERR_OK) {
        v2_sent_wipe(&sent);
        return err;
    }
    if (step->x->initiator)
        back = *v2_mobike_way(step->x);
    else if (step->x->from.remote.port != 0) /* ADR-018 */
        back = step->x->from;
    advance(step, out, &sent);
    step->sent = true;
    v2_saved_sa(ike, sa);
    v2_sent_repeat(ike, sa, &back, step->x->initiator ? &step->x->out : &sa->answer);
    return ERR_OK;
}

static enum v2_message_kind refusal_kind(const struct v2_step *step)
{
    const struct v2_exchange *x = step->x;
    if (step->header != NULL && step->header->exchange == IKE2_INTERMEDIATE)
        return V2_MEDIATE_ERROR;
    switch (x->state) {
    case V2_N_R_START:
    case V2_N_R_CHECKING:
        return V2_INFO_RSP;
    case V2_C_R_WAIT_FOLLOWUP:
    case V2_C_R_FOLLOWED:
    case V2_C_R_LAST:
    case V2_K_R_WAIT_FOLLOWUP:
    case V2_K_R_FOLLOWED:
    case V2_K_R_LAST:
    case V2_F_R_START:
        return V2_FOLLOWUP_ERROR;
    default:
        return x->state < V2_C_I_START ? V2_AUTH_ERROR : V2_CREATE_ERROR;
    }
}

enum err v2_send_refusal(struct v2_step *step, uint16_t notify, struct view data)
{
    struct v2_out out;
    v2_out_start(step, &out, refusal_kind(step));
    ike2_writer_notify(&out.w, notify, data);
    return v2_out_send(step, &out);
}

void v2_send_farewell(struct ike *ike, struct v2_sa *sa, const struct v2_exchange *says)
{
    struct v2_sent sent = {.datagrams = {0}};
    struct v2_out out;
    start(ike, &out, sa, V2_INFO_REQ, sa->next_out++);
    info_put(ike, &out.w, says);
    trace_out(ike, sa, NULL, &out);
    enum err err = seal(ike, sa, &out, &sent);
    if (err == ERR_OK) {
        v2_saved_sa(ike, sa);
        v2_sent_repeat(ike, sa, &sa->path, &sent);
    } else {
        ike_count(ike, v2_counter_of(err));
    }
    v2_sent_wipe(&sent);
}

enum err v2_build_sync(struct ike *ike, struct v2_sa *sa, bool response, struct view data,
                       struct v2_sent *ret)
{
    struct v2_sent sent = {.datagrams = {0}};
    struct v2_out out;
    start(ike, &out, sa, response ? V2_INFO_RSP : V2_INFO_REQ, 0);
    ike2_writer_notify(&out.w, IKE2_N_IKEV2_MESSAGE_ID_SYNC, data);
    trace_out(ike, sa, NULL, &out);
    enum err err = seal(ike, sa, &out, &sent);
    if (err == ERR_OK)
        *ret = sent;
    else
        v2_sent_wipe(&sent);
    return err;
}

/* One small datagram for one received. */
void v2_clear_start(struct ike *ike, const struct ike2_header *header, struct ike2_writer *ret)
{
    struct ike2_header answer = *header;
    answer.flags = (uint8_t)(((header->flags ^ IKE2_FLAG_INITIATOR) & IKE2_FLAG_INITIATOR) |
                             IKE2_FLAG_RESPONSE);
    answer.version = IKE2_VERSION;
    ike2_writer_start(ret, span_of(ike->message, sizeof(ike->message)), &answer);
}

void v2_clear_send(struct ike *ike, const struct ike_event *event, const struct ike2_header *header,
                   struct ike2_writer *w, uint16_t notify)
{
    const struct v2_path back = {event->local, event->remote, event->natt};
    const struct v2_sa nobody = {
        .local = event->local, .remote = event->remote, .path = back, .number = 0};
    struct view bytes = ike2_writer_finish(w);
    if (bytes.ptr == NULL)
        return;
    v2_trace_clear(ike, &nobody, header->exchange, notify, true);
    v2_send_raw(ike, &nobody, &back, bytes);
}

void v2_send_clear(struct ike *ike, const struct ike_event *event, const struct ike2_header *header,
                   uint16_t notify, struct view data)
{
    struct ike2_writer w;
    v2_clear_start(ike, header, &w);
    ike2_writer_notify(&w, notify, data);
    v2_clear_send(ike, event, header, &w, notify);
}

/* In */

bool v2_open_proves_nothing(enum err err)
{
    return err == ERR_DECRYPT || err == ERR_MEMORY || err == ERR_CRYPTO || err == ERR_UNKNOWN;
}

/* Decrypts the SK or SKF payload into `ike->text`. */
static enum err open_piece(struct ike *ike, const struct v2_sa *sa,
                           const struct ike2_payload *payload, struct view datagram,
                           struct ike2_sk *ret_sk, struct view *ret_text)
{
    struct ike2_sk_shape shape = shape_of(sa);
    struct aead_keys keys = keys_of(sa, !sa->initiator);

    if (ike2_sk_parse(datagram, payload, &shape, ret_sk) != ERR_OK ||
        ret_sk->text.len > sizeof(ike->text))
        return ERR_DECRYPT;
    struct span text = span_of(ike->text, ret_sk->text.len);
    memcpy(text.ptr, ret_sk->text.ptr, ret_sk->text.len);
    enum err err =
        aead_open(&sa->suite.protect, &keys, ret_sk->aad, ret_sk->iv.ptr, text, ret_sk->icv.ptr);
    if (err != ERR_OK)
        return err == ERR_MEMORY ? err : ERR_DECRYPT;
    return ike2_sk_unpad(view_of(text.ptr, text.len), ret_text);
}

static enum err open_whole(struct ike *ike, struct v2_sa *sa, const struct ike2_header *header,
                           struct view datagram, const struct ike2_payload *payload,
                           uint8_t *digest, uint8_t *ret_first, struct view *ret_text)
{
    struct ike2_sk sk;
    struct view text;
    enum err err = open_piece(ike, sa, payload, datagram, &sk, &text);
    if (err != ERR_OK)
        return err;
    if (sk.total != 0)
        return fragment_take(ike, sa, header, &sk, text, digest, ret_first, ret_text);
    *ret_first = sk.first;
    *ret_text = text;
    return ERR_OK;
}

/* RFC 8019 section 7.2.2: in front of the encrypted payload. */
static bool puts_solution(const struct v2_sa *sa, const struct ike2_header *header,
                          const struct ike2_payloads *whole)
{
    return !sa->established && !sa->initiator && header->exchange == IKE2_AUTH &&
           whole->count != 0 && whole->list[0].type == IKE2_P_PS;
}

enum err v2_open(struct ike *ike, struct v2_sa *sa, const struct ike2_header *header,
                 struct view datagram, uint8_t *digest, struct ike2_payloads *ret,
                 uint8_t *ret_critical)
{
    struct view outer = view_of(datagram.ptr + IKE2_HEADER_LEN, datagram.len - IKE2_HEADER_LEN);
    struct ike2_payloads whole;
    struct view text;
    uint8_t first, ignored;

    enum err err = ike2_payloads_parse(header->next_payload, outer, &whole, &ignored);
    size_t at = err == ERR_OK && puts_solution(sa, header, &whole) ? 1 : 0;
    if (err != ERR_OK || whole.count != at + 1) {
        ike_count(ike, IKE_COUNT_MALFORMED);
        return ERR_DECRYPT;
    }
    err = open_whole(ike, sa, header, datagram, &whole.list[at], digest, &first, &text);
    if (v2_open_proves_nothing(err) && err != ERR_UNKNOWN)
        ike_count(ike, IKE_COUNT_UNDECRYPTABLE);
    if (err != ERR_OK)
        return err;
    err = ike2_payloads_parse_with(first, text, v2_agreed(sa), ret, ret_critical);
    if (err == ERR_OK && ike2_payload_count(ret, IKE2_P_SK) + ike2_payload_count(ret, IKE2_P_SKF))
        err = ERR_SYNTAX; /* one inside another */
    return err == ERR_LIMIT ? ERR_SYNTAX : err;
}
