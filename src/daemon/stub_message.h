/*
 * The messages of the stub resolver, the pure part: what a client asked, and the answer to it made
 * from libunbound's answer packet. ldns parses and builds; nothing here does IO or resolves.
 */
#ifndef CYGNET_DAEMON_STUB_MESSAGE_H
#define CYGNET_DAEMON_STUB_MESSAGE_H

#include "base/err.h"

enum {
    STUB_UDP_PLAIN = 512,  /* RFC 1035: what a client without EDNS takes */
    STUB_UDP_MOST = 1232,  /* we never send a datagram that may be fragmented */
    STUB_MESSAGE_MAX = 65535,
    STUB_NAME_MAX = 1025,  /* a name as text, every octet escaped */
};

enum stub_rcode {
    STUB_NOERROR = 0,
    STUB_FORMERR = 1,
    STUB_SERVFAIL = 2,
    STUB_NOTIMP = 4,
    STUB_REFUSED = 5,
};

struct ldns_struct_pkt;

/* One question of a client; owns `packet`. */
struct stub_query {
    struct ldns_struct_pkt *packet;
    uint16_t type;
    char name[STUB_NAME_MAX]; /* with the final dot */
    size_t room;              /* the longest answer the client takes */
};

/*
 * ERR_SYNTAX: not a query, to be dropped. With ERR_UNSUPPORTED *ret is a query that is to be refused
 * with *ret_rcode. `stream`: it came over TCP, so any length goes. To be freed with stub_query_fini().
 */
MUST_USE enum err stub_query_parse(struct view bytes, bool stream, struct stub_query *ret,
                                   enum stub_rcode *ret_rcode);
void stub_query_fini(struct stub_query *query);

/*
 * The reply, to be freed. `answer` is libunbound's answer packet: its records go to the client, the
 * DNSSEC records among them only if it asked for them (RFC 4035 section 3.2.1). If all of it is too
 * long, the reply is empty and truncated, so that the client comes back over TCP. The view is empty
 * if memory ran out or the packet makes no sense.
 */
struct view stub_reply_answer(const struct stub_query *query, struct view answer, bool secure);
struct view stub_reply_code(const struct stub_query *query, unsigned rcode);

#endif
