/* OpenSSL's type of that name, which ldns brings along, would clash with base/err.h's. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <ldns/ldns.h>
#undef ERR_STATE

#include "daemon/stub_message.h"

#include <stdlib.h>

/* The one question of a client as text. False: not one. */
static bool read_question(const ldns_pkt *packet, struct stub_query *ret)
{
    if (ldns_pkt_qdcount(packet) != 1)
        return false;
    const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(packet), 0);
    char *name = ldns_rdf2str(ldns_rr_owner(question));
    bool fits = name != NULL && strlen(name) < sizeof(ret->name);

    if (fits)
        memcpy(ret->name, name, strlen(name) + 1);
    free(name);
    ret->type = (uint16_t)ldns_rr_get_type(question);
    return fits;
}

static size_t room_of(const ldns_pkt *packet, bool stream)
{
    size_t room = ldns_pkt_edns_udp_size(packet);
    if (stream)
        return STUB_MESSAGE_MAX;
    if (room < STUB_UDP_PLAIN)
        return STUB_UDP_PLAIN;
    return room < STUB_UDP_MOST ? room : STUB_UDP_MOST;
}

/* Zone transfers and the like are not for a stub; nor is any class but IN. */
static enum stub_rcode fault_of(const struct stub_query *query)
{
    if (ldns_pkt_get_opcode(query->packet) != LDNS_PACKET_QUERY)
        return STUB_NOTIMP;
    const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(query->packet), 0);
    if (question == NULL || ldns_rr_get_class(question) != LDNS_RR_CLASS_IN)
        return STUB_REFUSED;
    if (query->type == LDNS_RR_TYPE_OPT || (query->type >= LDNS_RR_TYPE_TSIG &&
                                            query->type <= LDNS_RR_TYPE_MAILA))
        return STUB_NOTIMP;
    return STUB_NOERROR;
}

enum err stub_query_parse(struct view bytes, bool stream, struct stub_query *ret,
                          enum stub_rcode *ret_rcode)
{
    struct stub_query query = {0};

    if (ldns_wire2pkt(&query.packet, bytes.ptr, bytes.len) != LDNS_STATUS_OK)
        return ERR_SYNTAX;
    if (ldns_pkt_qr(query.packet)) {
        stub_query_fini(&query);
        return ERR_SYNTAX;
    }
    query.room = room_of(query.packet, stream);
    enum stub_rcode rcode =
        read_question(query.packet, &query) ? fault_of(&query) : STUB_FORMERR;
    *ret = query;
    *ret_rcode = rcode;
    return rcode == STUB_NOERROR ? ERR_OK : ERR_UNSUPPORTED;
}

void stub_query_fini(struct stub_query *query)
{
    ldns_pkt_free(query->packet);
    query->packet = NULL;
}

/* A reply without records. NULL: out of memory. */
static ldns_pkt *reply_new(const struct stub_query *query, unsigned rcode)
{
    const ldns_pkt *from = query->packet;
    ldns_pkt *reply = ldns_pkt_new();

    if (reply == NULL)
        return NULL;
    ldns_pkt_set_id(reply, ldns_pkt_id(from));
    ldns_pkt_set_qr(reply, true);
    ldns_pkt_set_opcode(reply, ldns_pkt_get_opcode(from));
    ldns_pkt_set_rd(reply, ldns_pkt_rd(from));
    ldns_pkt_set_cd(reply, ldns_pkt_cd(from));
    ldns_pkt_set_ra(reply, true);
    ldns_pkt_set_rcode(reply, (uint8_t)(rcode & 15));
    if (ldns_pkt_edns_udp_size(from) != 0) {
        ldns_pkt_set_edns_udp_size(reply, STUB_UDP_MOST);
        ldns_pkt_set_edns_do(reply, ldns_pkt_edns_do(from));
    }
    for (size_t i = 0; i < ldns_pkt_qdcount(from); i++) {
        ldns_rr *question = ldns_rr_clone(ldns_rr_list_rr(ldns_pkt_question(from), i));
        if (question == NULL || !ldns_pkt_push_rr(reply, LDNS_SECTION_QUESTION, question)) {
            ldns_rr_free(question);
            ldns_pkt_free(reply);
            return NULL;
        }
    }
    return reply;
}

/* The octets of a reply, which is freed; empty on failure. */
static struct view take_octets(ldns_pkt *reply)
{
    uint8_t *octets = NULL;
    size_t len = 0;

    if (reply == NULL || ldns_pkt2wire(&octets, reply, &len) != LDNS_STATUS_OK)
        len = 0;
    ldns_pkt_free(reply);
    if (len == 0) {
        free(octets);
        octets = NULL;
    }
    return view_of(octets, len);
}

struct view stub_reply_code(const struct stub_query *query, unsigned rcode)
{
    return take_octets(reply_new(query, rcode));
}

static bool is_wanted(const struct stub_query *query, const ldns_rr *rr)
{
    ldns_rr_type type = ldns_rr_get_type(rr);
    bool dnssec = type == LDNS_RR_TYPE_RRSIG || type == LDNS_RR_TYPE_NSEC ||
                  type == LDNS_RR_TYPE_NSEC3;
    return !dnssec || type == (ldns_rr_type)query->type || query->type == LDNS_RR_TYPE_ANY ||
           ldns_pkt_edns_do(query->packet);
}

static bool copy_section(const struct stub_query *query, ldns_pkt *reply, ldns_pkt_section section,
                         const ldns_rr_list *records)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(records, i);
        if (!is_wanted(query, rr))
            continue;
        ldns_rr *copy = ldns_rr_clone(rr);
        if (copy == NULL || !ldns_pkt_push_rr(reply, section, copy)) {
            ldns_rr_free(copy);
            return false;
        }
    }
    return true;
}

static ldns_pkt *reply_with(const struct stub_query *query, const ldns_pkt *answer, bool secure)
{
    ldns_pkt *reply = reply_new(query, ldns_pkt_get_rcode(answer));

    if (reply == NULL)
        return NULL;
    /* RFC 6840 section 5.7: only to those who would understand it. */
    ldns_pkt_set_ad(reply, secure && (ldns_pkt_ad(query->packet) ||
                                      ldns_pkt_edns_do(query->packet)));
    if (copy_section(query, reply, LDNS_SECTION_ANSWER, ldns_pkt_answer(answer)) &&
        copy_section(query, reply, LDNS_SECTION_AUTHORITY, ldns_pkt_authority(answer)))
        return reply;
    ldns_pkt_free(reply);
    return NULL;
}

static struct view reply_truncated(const struct stub_query *query, const ldns_pkt *answer)
{
    ldns_pkt *reply = reply_new(query, ldns_pkt_get_rcode(answer));
    if (reply != NULL)
        ldns_pkt_set_tc(reply, true);
    return take_octets(reply);
}

struct view stub_reply_answer(const struct stub_query *query, struct view answer, bool secure)
{
    ldns_pkt *packet = NULL;

    if (ldns_wire2pkt(&packet, answer.ptr, answer.len) != LDNS_STATUS_OK)
        return view_of(NULL, 0);
    struct view octets = take_octets(reply_with(query, packet, secure));
    if (octets.len > query->room) {
        free((uint8_t *)(uintptr_t)octets.ptr);
        octets = reply_truncated(query, packet);
    }
    ldns_pkt_free(packet);
    return octets;
}
