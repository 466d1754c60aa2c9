/* INFORMATIONAL exchanges (RFC 7296 sections 1.4, 1.5, 2.4): Delete, Notify, and whether the peer is
 * still there. */
#include <stdio.h>

#include "ike/v2/v2.h"

enum { DELETE_SPIS_MAX = 256 };

/* Ours */

static void put_delete(struct ike2_writer *w, const struct ike2_delete *d)
{
    ike2_writer_open(w, IKE2_P_D);
    ike2_delete_build(&w->b, d);
    ike2_writer_close(w);
}

/* Always our own inbound SPIs (OE-105, OE-110). */
static void put_delete_children(struct ike2_writer *w, uint8_t protocol, const spi_t *spis,
                                size_t count)
{
    uint8_t octets[4 * DELETE_SPIS_MAX];
    struct builder b = builder_on(span_of(octets, sizeof(octets)));
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        builder_u32(&b, spis[i].value);
    put_delete(w, &(struct ike2_delete){.protocol = v2_protocol(protocol),
                                        .spi_len = 4,
                                        .count = (uint16_t)count,
                                        .spis = builder_written(&b)});
}

void info_put(struct ike *ike, struct ike2_writer *w, const struct v2_exchange *x)
{
    if (x->notify == IKE2_N_QUICK_CRASH_DETECTION)
        crash_put(ike, x->sa, w);
    else if (x->notify != 0)
        ike2_writer_notify(w, x->notify, view_of(NULL, 0));
    if (x->deletes_sa)
        put_delete(w, &(struct ike2_delete){.protocol = IKE2_PROTO_IKE});
    else if (x->deletes.value != 0)
        put_delete_children(w, x->deletes_protocol, &x->deletes, 1);
}

enum err info_i_send(struct v2_step *step)
{
    struct v2_out out;
    v2_out_start(step, &out, V2_INFO_REQ);
    info_put(step->ike, &out.w, step->x);
    enum err err = v2_mobike_put(step, &out.w);
    return err == ERR_OK ? v2_out_send(step, &out) : err;
}

enum err info_i_reply(struct v2_step *step)
{
    const struct v2_exchange *x = step->x;
    struct ike_child *child =
        x->deletes.value != 0 ? made_find_in(step->sa, x->deletes) : NULL;
    if (child != NULL && child->state == IKE_CHILD_DELETING)
        ike_child_finish(step->ike, child);
    step->ends_sa = x->deletes_sa;
    if (x->notify == IKE2_N_TICKET_REQUEST) {
        enum err err = resume_take(step);
        if (err != ERR_OK)
            return err;
    }
    return v2_mobike_reply(step);
}

void info_delete_spi(struct ike *ike, struct v2_sa *sa, uint8_t protocol, spi_t spi_in)
{
    if (!sa->established || sa->dying || sa->closing)
        return;
    struct v2_exchange *x = v2_line_up(ike, sa, V2_N_I_START);
    if (x == NULL)
        return;
    x->deletes = spi_in;
    x->deletes_protocol = protocol;
    v2_line_go(ike, sa);
}

/* The child goes when the peer has heard of it, or is lost. */
void info_delete_child(struct ike *ike, struct v2_sa *sa, struct ike_child *child)
{
    struct v2_exchange *x =
        sa->dying || sa->closing ? NULL : v2_line_up(ike, sa, V2_N_I_START);
    if (x == NULL) {
        ike_child_finish(ike, child);
        return;
    }
    x->deletes = child->spi_in;
    x->deletes_protocol = child->protocol;
    ike_child_deleting(ike, child);
    v2_line_go(ike, sa);
}

void info_ask_alive(struct ike *ike, struct v2_sa *sa)
{
    if (sa->mine != NULL || sa->dying || sa->closing)
        return; /* it is being asked something */
    struct v2_exchange *x = v2_line_up(ike, sa, V2_N_I_START);
    if (x == NULL)
        return;
    if (sa->mobike != NULL)
        x->says = V2_SAYS_ALIVE;
    v2_line_go(ike, sa);
}

/* The peer's */

struct deleted {
    struct ike_child *children[DELETE_SPIS_MAX];
    size_t count;
    struct {
        spi_t spis[DELETE_SPIS_MAX + 1];
        size_t count;
    } answers[SA_AH + 1]; /* by enum sa_protocol */
    bool sa;
};

static bool has_been_seen(const struct deleted *d, const struct ike_child *child)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->children[i] == child)
            return true;
    return false;
}

/* One that is up at the peer's end, and is being installed at ours. */
static bool is_being_made(struct v2_step *step, uint8_t protocol, spi_t spi, struct deleted *all)
{
    const struct v2_exchange *x = step->sa->mine;
    struct v2_child *child = x != NULL ? x->child : NULL;
    if (child == NULL || (x->state != V2_C_I_INSTALLING && x->state != V2_I_INSTALLING) ||
        child->spi_out.value != spi.value || v2_protocol(child->suite.esp.protocol) != protocol)
        return false;
    if (!child->gone)
        all->answers[child->suite.esp.protocol].spis[all->answers[child->suite.esp.protocol].count++] =
            child->spi_in;
    child->gone = true;
    return true;
}

/* Section 1.4.1: each SA of a pair is deleted by the end that receives on it. */
static void delete_children(struct v2_step *step, const struct ike2_delete *d, struct deleted *all)
{
    struct cursor cur = cursor_of(d->spis);
    for (size_t i = 0; i < d->count && all->count < DELETE_SPIS_MAX; i++) {
        spi_t spi = {cursor_u32(&cur)};
        struct ike_child *child = made_find_out(step->sa, spi);
        if (child == NULL && is_being_made(step, d->protocol, spi, all))
            continue;
        if (child == NULL || d->protocol != v2_protocol(child->protocol) ||
            has_been_seen(all, child)) {
            ike_count(step->ike, IKE_COUNT_UNKNOWN_DELETE);
            continue;
        }
        if (child->state != IKE_CHILD_DELETING) /* else it has heard, or will hear, from us */
            all->answers[child->protocol].spis[all->answers[child->protocol].count++] =
                child->spi_in;
        all->children[all->count++] = child;
    }
}

static enum err read_deletes(struct v2_step *step, struct deleted *all)
{
    const struct ike2_payload *payload;
    struct ike2_delete d;
    for (size_t i = 0; (payload = ike2_payload_find(step->payloads, IKE2_P_D, i)) != NULL; i++) {
        if (ike2_delete_parse(payload->body, &d) != ERR_OK)
            return v2_refuse(step, ERR_SYNTAX, IKE2_N_INVALID_SYNTAX, "malformed Delete");
        if (d.protocol == IKE2_PROTO_IKE)
            all->sa = true;
        else if (d.protocol == IKE2_PROTO_ESP || d.protocol == IKE2_PROTO_AH)
            delete_children(step, &d, all);
    }
    return ERR_OK;
}

/* Section 2.21.2: what an initiator found wrong with our IKE_AUTH comes as a notify. */
static void read_notifies(struct v2_step *step, struct deleted *all)
{
    const struct ike2_payload *payload;
    struct ike2_notify n;
    char text[80];
    for (size_t i = 0; (payload = ike2_payload_find(step->payloads, IKE2_P_N, i)) != NULL; i++) {
        if (ike2_notify_parse(payload->body, &n) != ERR_OK || n.type >= IKE2_N_FIRST_STATUS)
            continue;
        const char *name = ike2_notify_name(n.type);
        snprintf(text, sizeof(text), "%s (%u)", name ? name : "notify", n.type);
        v2_trace(step->ike, step->sa, NULL, EVENT_WARNING, "Notify", text);
        all->sa |= n.type == IKE2_N_AUTHENTICATION_FAILED || n.type == IKE2_N_INVALID_SYNTAX;
    }
}

/* RFC 5723 section 4.1: an IKE SA that replaced another has no ticket yet. */
static void put_ticket(const struct v2_step *step, struct ike2_writer *w)
{
    const struct identity own = credential_own_identity(step);
    struct ike2_notify n;
    if (v2_notified(step, IKE2_N_TICKET_REQUEST, &n))
        ticket_put(step, &own, w);
}

enum err info_r_reply(struct v2_step *step)
{
    struct deleted all = {.count = 0};
    struct v2_mobike_wish wish;
    struct v2_out out;

    enum err err = read_deletes(step, &all);
    if (err == ERR_OK)
        err = crash_read(step, step->sa);
    if (err == ERR_OK)
        err = v2_addrmgmt_take(step, all.count == 0 && !all.sa);
    if (err != ERR_OK || step->skips)
        return err;
    read_notifies(step, &all);
    v2_out_start(step, &out, V2_INFO_RSP);
    for (uint8_t protocol = SA_ESP; protocol <= SA_AH && !all.sa; protocol++)
        put_delete_children(&out.w, protocol, all.answers[protocol].spis,
                            all.answers[protocol].count);
    put_ticket(step, &out.w);
    err = v2_mobike_take(step, &out.w, &wish);
    v2_addrmgmt_put_answer(step->ike, step->sa, &out.w);
    if (err == ERR_OK)
        err = v2_out_send(step, &out);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < all.count; i++)
        ike_child_finish(step->ike, all.children[i]); /* OE-069 */
    if (all.sa) {
        v2_trace(step->ike, step->sa, NULL, EVENT_INFO, "IKE SA deleted", "by the peer");
        rekey_settle(step->ike, step->sa);
    }
    step->ends_sa = all.sa;
    if (all.sa)
        return ERR_OK;
    v2_mobike_do(step, &wish);
    v2_addrmgmt_answered(step->ike, step->sa);
    return ERR_OK;
}

enum err info_r_checked(struct v2_step *step)
{
    struct v2_out out;
    v2_out_start(step, &out, V2_INFO_RSP);
    v2_addrmgmt_put_answer(step->ike, step->sa, &out.w);
    return v2_out_send(step, &out);
}

/* Of a former life */

enum err info_o_again(struct v2_step *step)
{
    struct v2_exchange *x = step->x;
    x->wait_ms = step->ike->config.retransmit_ms;
    x->repeats = true;
    v2_sent_repeat(step->ike, step->sa, &step->sa->path, &x->out);
    return ERR_OK;
}

enum err info_o_reply(struct v2_step *step)
{
    (void)step;
    return ERR_OK;
}

/* Its inbound SPI is in our request, which can't be read any more, but the plane knows it too and
 * has it disowned (IKE_EV_DISOWN). */
enum err info_o_child(struct v2_step *step)
{
    v2_trace(step->ike, step->sa, step->x, EVENT_INFO, "Child without keys",
             "it was being made when the former keying daemon ended");
    return ERR_OK;
}

enum err info_o_rekey(struct v2_step *step)
{
    v2_sa_close(step->ike, step->sa, "the keys of its successor are lost");
    return ERR_OK;
}
