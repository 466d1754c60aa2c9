/* Informational exchanges (RFC 2409 section 5.7): Delete and Notify. */
#include <stdio.h>

#include "ike/v1/v1.h"

enum { DELETE_SPIS_MAX = 256 };

/* Sending */

static void send_info(struct ike *ike, struct ike_sa *sa, struct v1_out *out, msgid_t msgid,
                      const char *detail)
{
    /* Nobody waits for it; a failure is counted and that is all. */
    enum err err = v1_out_send_info(ike, sa, out, msgid, detail);
    if (err != ERR_OK)
        ike_count(ike, err == ERR_MEMORY ? IKE_COUNT_MEMORY : IKE_COUNT_CRYPTO);
}

static void put_delete(struct v1_out *out, const struct isakmp_delete *d)
{
    isakmp_writer_open(&out->w, ISAKMP_P_D);
    isakmp_delete_build(&out->w.b, d);
    isakmp_writer_close(&out->w);
}

static void put_delete_children(struct v1_out *out, uint8_t protocol, const spi_t *spis, size_t count)
{
    uint8_t octets[4 * DELETE_SPIS_MAX];
    struct builder b = builder_on(span_of(octets, sizeof(octets)));
    for (size_t i = 0; i < count; i++)
        builder_u32(&b, spis[i].value);
    const struct isakmp_delete d = {.doi = V1_DOI_IPSEC,
                                    .protocol = v1_protocol(protocol),
                                    .spi_len = 4,
                                    .count = (uint16_t)count,
                                    .spis = builder_written(&b)};
    put_delete(out, &d);
}

/* Always our own inbound SPIs (OE-105, OE-110). */
void info_send_delete_children(struct ike *ike, struct ike_sa *sa, uint8_t protocol,
                               const spi_t *spis, size_t count)
{
    char detail[64];
    while (count > 0) {
        struct v1_out out;
        size_t now = count < DELETE_SPIS_MAX ? count : DELETE_SPIS_MAX;
        msgid_t msgid = v1_msgid_new(ike, sa);
        v1_out_start(ike, &out, sa, V1_INFO, msgid);
        put_delete_children(&out, protocol, spis, now);
        snprintf(detail, sizeof(detail), "Delete of %zu %s SAs, first 0x%08x", now,
                 protocol == SA_AH ? "AH" : "ESP", spis[0].value);
        send_info(ike, sa, &out, msgid, detail);
        spis += now;
        count -= now;
    }
}

/* One Delete of the SA, with those of ESP children in it. */
static void send_delete_all(struct ike *ike, struct ike_sa *sa, const spi_t *spis, size_t count)
{
    const struct isakmp_delete d = {.doi = V1_DOI_IPSEC,
                                    .protocol = PROTOCOL_ISAKMP,
                                    .spi_len = sizeof(sa->cookies),
                                    .count = 1,
                                    .spis = view_of(sa->cookies, sizeof(sa->cookies))};
    msgid_t msgid = v1_msgid_new(ike, sa);
    struct v1_out out;
    char detail[64];

    v1_out_start(ike, &out, sa, V1_INFO, msgid);
    if (count > 0)
        put_delete_children(&out, SA_ESP, spis, count);
    put_delete(&out, &d);
    snprintf(detail, sizeof(detail), "Delete of the IKE SA and %zu ESP SAs", count);
    send_info(ike, sa, &out, msgid, count > 0 ? detail : "Delete of the IKE SA");
}

/*
 * OE-083. The last of the children are in one message with the SA: they would find nobody to read them if
 * its end overtook them. Some peers (strongSwan) read only the first Delete of a message, so the SA's is
 * sent once more alone.
 */
void info_send_delete_sa(struct ike *ike, struct ike_sa *sa, const spi_t *spis, size_t count)
{
    size_t before = count > 0 ? (count - 1) / DELETE_SPIS_MAX * DELETE_SPIS_MAX : 0;

    info_send_delete_children(ike, sa, SA_ESP, spis, before);
    if (count > before)
        send_delete_all(ike, sa, spis + before, count - before);
    send_delete_all(ike, sa, NULL, 0);
}

void info_send_notify(struct ike *ike, struct ike_sa *sa, enum v1_notify type, spi_t spi)
{
    uint8_t octets[4];
    struct builder b = builder_on(span_of(octets, sizeof(octets)));
    struct v1_out out;
    msgid_t msgid = v1_msgid_new(ike, sa);

    builder_u32(&b, spi.value);
    const struct isakmp_notify n = {.doi = V1_DOI_IPSEC,
                                    .protocol = PROTOCOL_ESP,
                                    .type = (uint16_t)type,
                                    .spi = view_of(octets, spi.value != 0 ? 4 : 0)};
    v1_out_start(ike, &out, sa, V1_INFO, msgid);
    isakmp_writer_open(&out.w, ISAKMP_P_N);
    isakmp_notify_build(&out.w.b, &n);
    isakmp_writer_close(&out.w);
    const char *name = isakmp_notify_name(n.type);
    send_info(ike, sa, &out, msgid, name ? name : "Notify");
}

void info_send_dpd(struct ike *ike, struct ike_sa *sa, enum v1_notify type, uint32_t sequence)
{
    uint8_t octets[4];
    struct builder b = builder_on(span_of(octets, sizeof(octets)));
    struct v1_out out;
    msgid_t msgid = v1_msgid_new(ike, sa);

    builder_u32(&b, sequence);
    const struct isakmp_notify n = {.doi = V1_DOI_IPSEC,
                                    .protocol = PROTOCOL_ISAKMP,
                                    .type = (uint16_t)type,
                                    .spi = view_of(sa->cookies, sizeof(sa->cookies)),
                                    .data = builder_written(&b)};
    v1_out_start(ike, &out, sa, V1_INFO, msgid);
    isakmp_writer_open(&out.w, ISAKMP_P_N);
    isakmp_notify_build(&out.w.b, &n);
    isakmp_writer_close(&out.w);
    send_info(ike, sa, &out, msgid, type == V1_R_U_THERE ? "R-U-THERE" : "R-U-THERE-ACK");
}

/* One small datagram for one received: a hint for whoever runs the peer. */
void info_send_notify_clear(struct ike *ike, const struct ike_event *event,
                            const struct isakmp_header *header, enum v1_notify type)
{
    struct ike_sa sa = {.local = event->local,
                        .remote = event->remote,
                        .path = {event->local, event->remote, event->natt}};
    const struct isakmp_notify n = {
        .doi = V1_DOI_IPSEC, .protocol = PROTOCOL_ISAKMP, .type = (uint16_t)type};
    struct v1_out out;
    const char *name = isakmp_notify_name(n.type);

    memcpy(sa.cookies, header->cookie_i, ISAKMP_COOKIE_LEN);
    v1_out_start(ike, &out, &sa, V1_INFO_CLEAR, (msgid_t){rng_u32(&ike->env.rng) | 1});
    isakmp_writer_open(&out.w, ISAKMP_P_N);
    isakmp_notify_build(&out.w.b, &n);
    isakmp_writer_close(&out.w);
    struct view bytes = isakmp_writer_finish(&out.w, 1);
    if (bytes.ptr == NULL)
        return;
    v1_trace_message(ike, &sa, NULL, v1_message(V1_INFO_CLEAR), true, name ? name : "Notify");
    v1_send_raw(ike, &sa, bytes);
}

/* Receiving */

struct answers {
    spi_t spis[DELETE_SPIS_MAX];
    size_t count;
};

/* By enum sa_protocol. */
enum { PROTOCOLS = SA_AH + 1 };

/* OE-103: the inbound SA goes with its outbound one, and the peer hears of it. */
static void delete_children(struct ike *ike, struct ike_sa *sa, const struct isakmp_delete *d,
                            uint8_t protocol, struct answers *answers)
{
    struct cursor cur = cursor_of(d->spis);
    for (size_t i = 0; i < d->count; i++) {
        spi_t answer, spi = {cursor_u32(&cur)};
        if (!ike_child_deleted_by_peer(ike, sa, protocol, spi, &answer)) {
            ike_count(ike, IKE_COUNT_UNKNOWN_DELETE); /* OE-104: nothing is sent */
            continue;
        }
        if (answer.value != 0 && answers->count < DELETE_SPIS_MAX)
            answers->spis[answers->count++] = answer;
    }
}

/* True: the SA under which this came is to go. */
static bool receive_delete(struct ike *ike, struct ike_sa *sa, struct view body,
                           struct answers *answers)
{
    struct isakmp_delete d;
    if (isakmp_delete_parse(body, &d) != ERR_OK) {
        ike_count(ike, IKE_COUNT_MALFORMED);
        return false;
    }
    for (uint8_t protocol = SA_ESP; protocol < PROTOCOLS; protocol++) {
        if (d.protocol != v1_protocol(protocol) || d.spi_len != 4)
            continue;
        delete_children(ike, sa, &d, protocol, &answers[protocol]);
        return false;
    }
    if (d.protocol == PROTOCOL_ISAKMP && d.spi_len == sizeof(sa->cookies) &&
        view_equal(d.spis, view_of(sa->cookies, sizeof(sa->cookies))))
        return true;
    ike_count(ike, IKE_COUNT_UNKNOWN_DELETE);
    return false;
}

/* The Quick Mode that waits for the peer and that a refusal is about: the one whose SPI it names,
 * or the only one. */
static struct v1_quick *refused_quick(const struct ike_sa *sa, const struct isakmp_notify *n)
{
    struct v1_quick *quick, *only = NULL;
    struct cursor cur = cursor_of(n->spi);
    spi_t spi = {n->spi.len == 4 ? cursor_u32(&cur) : 0};
    size_t waiting = 0;
    LIST_FOREACH (quick, &sa->quicks, of_sa) {
        if (quick->x.state != V1_QM_I_WAIT_REPLY && quick->x.state != V1_QM_R_WAIT_CONFIRM)
            continue;
        if (spi.value != 0 && quick->spi_in.value == spi.value)
            return quick;
        only = quick;
        waiting++;
    }
    return waiting == 1 ? only : NULL;
}

/* OE-063: proven negative notifies, and only those, end a Quick Mode. */
static void receive_notify(struct ike *ike, struct ike_sa *sa, struct view body)
{
    struct isakmp_notify n;
    char text[80];
    if (isakmp_notify_parse(body, &n) != ERR_OK) {
        ike_count(ike, IKE_COUNT_MALFORMED);
        return;
    }
    if (n.type == V1_R_U_THERE || n.type == V1_R_U_THERE_ACK) {
        dpd_receive(ike, sa, &n);
        return;
    }
    const char *name = isakmp_notify_name(n.type);
    snprintf(text, sizeof(text), "%s (%u)", name ? name : "notify", n.type);
    v1_trace(ike, sa, NULL, EVENT_INFO, "Notify", text);
    struct v1_quick *quick = n.type < V1_NOTIFY_STATUS ? refused_quick(sa, &n) : NULL;
    if (quick != NULL)
        v1_fail(ike, &quick->x, IKE_FAILURE_REFUSED, text);
}

static enum err act(struct ike *ike, struct ike_sa *sa, const struct isakmp_payloads *payloads)
{
    struct answers answers[PROTOCOLS] = {{.count = 0}};
    bool ends = false;
    for (size_t i = 0; i < payloads->count; i++) {
        const struct isakmp_payload *payload = &payloads->list[i];
        if (payload->type == ISAKMP_P_D)
            ends |= receive_delete(ike, sa, payload->body, answers);
        else if (payload->type == ISAKMP_P_N)
            receive_notify(ike, sa, payload->body);
    }
    for (uint8_t protocol = SA_ESP; protocol < PROTOCOLS; protocol++)
        info_send_delete_children(ike, sa, protocol, answers[protocol].spis,
                                  answers[protocol].count);
    if (ends) {
        v1_trace(ike, sa, NULL, EVENT_INFO, "IKE SA deleted", "by the peer");
        ike_sa_free(ike, sa);
    }
    return ERR_OK;
}

enum err info_receive(struct ike *ike, struct ike_sa *sa, const struct ike_event *event,
                      const struct isakmp_header *header)
{
    struct isakmp_payloads payloads;
    uint8_t iv[CBC_BLOCK_MAX];
    enum ike_counter_id counter;

    if (!ike_sa_established(sa)) {
        ike_count(ike, IKE_COUNT_HINT);
        return ERR_UNEXPECTED;
    }
    if (header->msgid.value == 0) {
        ike_count(ike, IKE_COUNT_MALFORMED);
        return ERR_VALUE;
    }
    if (v1_msgid_used(sa, header->msgid)) {
        ike_count(ike, IKE_COUNT_REPLAYED); /* or one of ours, sent back */
        return ERR_REPLAY;
    }
    if (sa->ids_full) {
        ike_count(ike, IKE_COUNT_WORN_OUT);
        return ERR_LIMIT;
    }
    enum err err = v1_phase2_iv(sa, header->msgid, iv);
    if (err != ERR_OK) {
        ike_count(ike, IKE_COUNT_CRYPTO);
        return err;
    }
    err = v1_open(ike, sa, NULL, V1_INFO, header, event->bytes, iv, &payloads);
    if (err != ERR_OK)
        return err;
    v1_trace_message(ike, sa, NULL, v1_message(V1_INFO), false, "");
    err = v1_message_check(v1_message(V1_INFO), &payloads);
    if (err != ERR_OK) {
        counter = err == ERR_UNEXPECTED ? IKE_COUNT_UNEXPECTED : IKE_COUNT_REPEATED;
        ike_count(ike, counter);
        return err;
    }
    v1_msgid_mark(ike, sa, header->msgid);
    nat_follow(ike, sa, event);
    if (sa->dpd_unanswered == 0)
        dpd_start(ike, sa);
    saved_sa(ike, sa);
    return act(ike, sa, &payloads);
}

/* OE-064: counted and shown, never acted upon. */
enum err info_receive_clear(struct ike *ike, const struct ike_event *event,
                            const struct isakmp_header *header)
{
    struct isakmp_payloads payloads;
    struct isakmp_notify n;
    struct ike_sa sa = {.local = event->local,
                        .remote = event->remote,
                        .path = {event->local, event->remote, event->natt}};
    struct view text =
        view_of(event->bytes.ptr + ISAKMP_HEADER_LEN, event->bytes.len - ISAKMP_HEADER_LEN);
    const struct isakmp_payload *payload = NULL;
    const char *name = NULL;

    ike_count(ike, IKE_COUNT_HINT);
    if (isakmp_payloads_parse(header->next_payload, text, false, &payloads) == ERR_OK)
        payload = isakmp_payload_find(&payloads, ISAKMP_P_N, 0);
    if (payload != NULL && isakmp_notify_parse(payload->body, &n) == ERR_OK)
        name = isakmp_notify_name(n.type);
    v1_trace_message(ike, &sa, NULL, v1_message(V1_INFO_CLEAR), false, name ? name : "");
    return ERR_UNEXPECTED;
}
