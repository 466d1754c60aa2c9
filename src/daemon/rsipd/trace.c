#include "daemon/rsipd/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control_socket.h"
#include "daemon/event_json.h"
#include "daemon/rsipd/rsipd.h"
#include "rsip/ppp.h"
#include "wire/l2tp.h"
#include "wire/rsip.h"

enum { SPIS_NAMED = 4 };

/* Appends to the record's detail; what there is no room for is left out. */
__attribute__((format(printf, 2, 3))) static void add(struct event_record *r, const char *format,
                                                      ...)
{
    size_t len = strlen(r->detail), room = sizeof(r->detail) - len;
    va_list args;

    va_start(args, format);
    if (len > 0 && room > 2)
        len += (size_t)snprintf(r->detail + len, room, ", ");
    vsnprintf(r->detail + len, sizeof(r->detail) - len, format, args);
    va_end(args);
}

static void add_address(struct event_record *r, const char *what, const struct rsip_address *a)
{
    char text[IP_ADDR_TEXT_MAX];

    if ((a->type == RSIP_ADDR_V4 || a->type == RSIP_ADDR_V6) && !a->any)
        add(r, "%s %s", what, ip_addr_format(&a->addr, text));
}

static void add_ports(struct event_record *r, const struct rsip_ports *ports)
{
    if (ports->form == RSIP_RANGE_RUN && ports->count > 1)
        add(r, "ports %u-%u", ports->ports[0], ports->ports[0] + ports->count - 1u);
    else if (rsip_ports_named(ports))
        add(r, "%u port%s from %u", ports->count, ports->count == 1 ? "" : "s", ports->ports[0]);
    else if (ports->form == RSIP_RANGE_ANY)
        add(r, "%u port%s", ports->count, ports->count == 1 ? "" : "s");
}

static void add_spis(struct event_record *r, const struct rsip_spis *spis)
{
    if (spis->form == RSIP_RANGE_ANY) {
        add(r, "%u SPI%s", spis->count, spis->count == 1 ? "" : "s");
        return;
    }
    for (unsigned i = 0; i < spis->count && i < SPIS_NAMED; i++)
        add(r, "SPI 0x%08x", rsip_spi_at(spis, i));
    if (spis->count > SPIS_NAMED)
        add(r, "%d SPIs more", spis->count - SPIS_NAMED);
}

static void describe(struct event_record *r, const struct rsip_message *m)
{
    const char *error = m->present & RSIP_F_ERROR ? rsip_error_name(m->error) : NULL;

    snprintf(r->title, sizeof(r->title), "%s%s%s", rsip_type_name(m->type),
             error != NULL ? ": " : "", error != NULL ? error : "");
    if (m->present & RSIP_F_ERROR)
        r->level = EVENT_WARNING;
    if (m->present & RSIP_F_COUNTER)
        add(r, "counter %u", m->counter);
    if (m->present & RSIP_F_CLIENT_ID)
        add(r, "client %u", m->client_id);
    if (m->present & RSIP_F_BIND_ID)
        add(r, "bind %u", m->bind_id);
    if (m->present & RSIP_F_LOCAL_ADDR)
        add_address(r, "address", &m->local);
    if (m->present & RSIP_F_LOCAL_PORTS)
        add_ports(r, &m->local_ports);
    if (m->present & RSIP_F_REMOTE_ADDR)
        add_address(r, "remote", &m->remote);
    if (m->present & RSIP_F_SPI)
        add_spis(r, &m->spi);
    if (m->present & RSIP_F_LEASE)
        add(r, "%u s", m->lease_s);
}

static struct event_record *new_record(struct rsipd_trace *t, bool sent, const struct ip_addr *peer)
{
    struct event_record *r = &t->records[t->added % RSIPD_TRACE_RECORDS];
    const struct event_end self = {.party = EVENT_PARTY_SELF};
    const struct event_end other = {.party = EVENT_PARTY_ADDR, .addr = *peer};
    bool server = t->host.family == IP_NONE;

    *r = (struct event_record){
        .serial = ++t->added,
        .at = rsipd_now(),
        .room = EVENT_RSIP,
        .level = EVENT_INFO,
        .line = EVENT_LINE_CLEAR,
        .from = sent ? self : other,
        .to = sent ? other : self,
        .flow = {.src = server ? *peer : t->host, .dst = t->gateway},
        .peer = *peer,
    };
    return r;
}

static void tell(struct rsipd_trace *t, const struct event_record *r)
{
    if (t->control == NULL || !control_socket_has_subscribers(t->control))
        return;
    json_t *line = event_json_build(r);
    control_socket_broadcast(t->control, line);
    json_decref(line);
}

void rsipd_trace_message(struct rsipd_trace *t, bool sent, const struct ip_addr *peer,
                         struct view bytes)
{
    struct event_record *r = new_record(t, sent, peer);
    struct rsip_message m;
    enum rsip_error error;

    if (rsip_parse(bytes, &m, &error) == ERR_OK) {
        describe(r, &m);
    } else {
        r->level = EVENT_DEBUG;
        snprintf(r->title, sizeof(r->title), "not a message of RSIP");
        add(r, "%s, %zu octets", rsip_error_name(error), bytes.len);
    }
    tell(t, r);
}

static void describe_l2tp(struct event_record *r, const struct l2tp_header *h)
{
    struct l2tp_message m;

    if (l2tp_message_parse(h->payload, &m) != ERR_OK) {
        r->level = EVENT_DEBUG;
        snprintf(r->title, sizeof(r->title), "not a message of L2TP");
        return;
    }
    const char *name = m.type == L2TP_ZLB ? "ZLB" : l2tp_type_name(m.type);
    r->level = m.type == L2TP_ZLB || m.type == L2TP_HELLO ? EVENT_DEBUG : EVENT_INFO;
    snprintf(r->title, sizeof(r->title), "L2TP %s", name != NULL ? name : "unknown");
    add(r, "tunnel %u, session %u, Ns %u, Nr %u", h->tunnel, h->session, h->ns, h->nr);
    if (m.present & L2TP_F_TUNNEL)
        add(r, "assigns tunnel %u", m.tunnel);
    if (m.present & L2TP_F_SESSION)
        add(r, "assigns session %u", m.session);
    if (m.present & L2TP_F_RESULT)
        add(r, "result %u, error %u", m.result, m.error);
}

void rsipd_trace_l2tp(struct rsipd_trace *t, bool sent, const struct ip_addr *peer,
                      struct view bytes)
{
    const char *protocol = NULL, *code = NULL;
    struct l2tp_header h;

    if (l2tp_header_parse(bytes, &h) != ERR_OK)
        return;
    if (!h.control && (protocol = ppp_protocol_name(h.payload, &code)) == NULL)
        return;
    struct event_record *r = new_record(t, sent, peer);
    if (h.control)
        describe_l2tp(r, &h);
    else
        snprintf(r->title, sizeof(r->title), "PPP %s %s", protocol, code);
    tell(t, r);
}

json_t *rsipd_trace_json(const struct rsipd_trace *t)
{
    uint64_t first = t->added > RSIPD_TRACE_RECORDS ? t->added - RSIPD_TRACE_RECORDS : 0;
    json_t *list = json_array();

    for (uint64_t i = first; i < t->added; i++)
        json_array_append_new(list, event_json_build(&t->records[i % RSIPD_TRACE_RECORDS]));
    return json_pack("{s:o}", "records", list);
}
