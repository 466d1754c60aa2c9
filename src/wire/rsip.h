/*
 * RSIP messages (RFC 3103, and RFC 3104 for IPsec): parsing one whole message into a flat struct,
 * building one, and the names of what is in it. Keeps nothing; a parsed message points into the
 * octets it came from for domain names and vendor values only.
 *
 * rsip_parse() is strict: every parameter in its place, of its shape, and none too many (RSIP-100,
 * RSIP-101). Where it fails, `ret_error` is the error number that a gateway answers (appendix A),
 * and rsip_outline_read() still finds the client ID and message counter that the answer must carry.
 */
#ifndef CYGNET_WIRE_RSIP_H
#define CYGNET_WIRE_RSIP_H

#include "base/addr.h"
#include "base/builder.h"
#include "base/err.h"

enum {
    RSIP_PORT = 4555, /* TCP and UDP (RSIP-064) */
    RSIP_VERSION = 1,
    RSIP_HEADER = 4,
    RSIP_PORTS_MAX = 255,    /* the number field is one octet */
    RSIP_SPIS_MAX = 256,     /* SPI fields in one parameter that are looked at */
    RSIP_TUPLES_MAX = 32,    /* tuples in one query that are looked at */
    RSIP_TYPES_MAX = 8,      /* tunnel types or methods in one message */
    RSIP_MESSAGE_MAX = 4096, /* octets of the longest message that is read */
};

/* RFC 3103 appendix B, RFC 3104 appendix C (RSIP-052, RSIP-102) */
#define RSIP_TYPE_LIST(X)                                                                          \
    X(ERROR_RESPONSE, 1, "ERROR_RESPONSE")                                                         \
    X(REGISTER_REQUEST, 2, "REGISTER_REQUEST")                                                     \
    X(REGISTER_RESPONSE, 3, "REGISTER_RESPONSE")                                                   \
    X(DEREGISTER_REQUEST, 4, "DE-REGISTER_REQUEST")                                                \
    X(DEREGISTER_RESPONSE, 5, "DE-REGISTER_RESPONSE")                                              \
    X(ASSIGN_REQUEST_RSA, 6, "ASSIGN_REQUEST_RSA-IP")                                              \
    X(ASSIGN_RESPONSE_RSA, 7, "ASSIGN_RESPONSE_RSA-IP")                                            \
    X(ASSIGN_REQUEST_RSAP, 8, "ASSIGN_REQUEST_RSAP-IP")                                            \
    X(ASSIGN_RESPONSE_RSAP, 9, "ASSIGN_RESPONSE_RSAP-IP")                                          \
    X(EXTEND_REQUEST, 10, "EXTEND_REQUEST")                                                        \
    X(EXTEND_RESPONSE, 11, "EXTEND_RESPONSE")                                                      \
    X(FREE_REQUEST, 12, "FREE_REQUEST")                                                            \
    X(FREE_RESPONSE, 13, "FREE_RESPONSE")                                                          \
    X(QUERY_REQUEST, 14, "QUERY_REQUEST")                                                          \
    X(QUERY_RESPONSE, 15, "QUERY_RESPONSE")                                                        \
    X(LISTEN_REQUEST, 16, "LISTEN_REQUEST")                                                        \
    X(LISTEN_RESPONSE, 17, "LISTEN_RESPONSE")                                                      \
    X(ASSIGN_REQUEST_IPSEC, 22, "ASSIGN_REQUEST_RSIPSEC")                                          \
    X(ASSIGN_RESPONSE_IPSEC, 23, "ASSIGN_RESPONSE_RSIPSEC")

enum rsip_type {
#define RSIP_TYPE_ENUM(name, value, text) RSIP_##name = value,
    RSIP_TYPE_LIST(RSIP_TYPE_ENUM)
#undef RSIP_TYPE_ENUM
};

/* RFC 3103 appendix A, RFC 3104 appendix B; RSIP_OK never travels. */
#define RSIP_ERROR_LIST(X)                                                                         \
    X(UNKNOWN_ERROR, 101)                                                                          \
    X(USE_TCP, 102)                                                                                \
    X(FLOW_POLICY_VIOLATION, 103)                                                                  \
    X(INTERNAL_SERVER_ERROR, 104)                                                                  \
    X(MESSAGE_COUNTER_REQUIRED, 105)                                                               \
    X(UNSUPPORTED_RSIP_VERSION, 106)                                                               \
    X(MISSING_PARAM, 201)                                                                          \
    X(DUPLICATE_PARAM, 202)                                                                        \
    X(EXTRA_PARAM, 203)                                                                            \
    X(ILLEGAL_PARAM, 204)                                                                          \
    X(BAD_PARAM, 205)                                                                              \
    X(ILLEGAL_MESSAGE, 206)                                                                        \
    X(BAD_MESSAGE, 207)                                                                            \
    X(UNSUPPORTED_MESSAGE, 208)                                                                    \
    X(REGISTER_FIRST, 301)                                                                         \
    X(ALREADY_REGISTERED, 302)                                                                     \
    X(ALREADY_UNREGISTERED, 303)                                                                   \
    X(REGISTRATION_DENIED, 304)                                                                    \
    X(BAD_CLIENT_ID, 305)                                                                          \
    X(BAD_BIND_ID, 306)                                                                            \
    X(BAD_TUNNEL_TYPE, 307)                                                                        \
    X(LOCAL_ADDR_UNAVAILABLE, 308)                                                                 \
    X(LOCAL_ADDRPORT_UNAVAILABLE, 309)                                                             \
    X(LOCAL_ADDR_INUSE, 310)                                                                       \
    X(LOCAL_ADDRPORT_INUSE, 311)                                                                   \
    X(LOCAL_ADDR_UNALLOWED, 312)                                                                   \
    X(LOCAL_ADDRPORT_UNALLOWED, 313)                                                               \
    X(REMOTE_ADDR_UNALLOWED, 314)                                                                  \
    X(REMOTE_ADDRPORT_UNALLOWED, 315)                                                              \
    X(IPSEC_UNALLOWED, 401)                                                                        \
    X(IPSEC_SPI_UNAVAILABLE, 402)                                                                  \
    X(IPSEC_SPI_INUSE, 403)

enum rsip_error {
    RSIP_OK = 0,
#define RSIP_ERROR_ENUM(name, value) RSIP_E_##name = value,
    RSIP_ERROR_LIST(RSIP_ERROR_ENUM)
#undef RSIP_ERROR_ENUM
};

enum rsip_addrtype {
    RSIP_ADDR_V4 = 1,
    RSIP_ADDR_NETMASK = 2, /* of IPv4; there is none for IPv6 (RSIP-213) */
    RSIP_ADDR_V6 = 3,
    RSIP_ADDR_NAME = 4,
};
/* RSIP-092 */
enum rsip_method { RSIP_METHOD_RSA = 1, RSIP_METHOD_RSAP = 2, RSIP_METHOD_IPSEC = 3 };
/* RSIP-091 */
enum rsip_tunnel { RSIP_TUNNEL_IPIP = 1, RSIP_TUNNEL_GRE = 2, RSIP_TUNNEL_L2TP = 3 };
enum rsip_flow { RSIP_FLOW_MACRO = 1, RSIP_FLOW_MICRO = 2, RSIP_FLOW_NONE = 3 };
enum rsip_indicator {                         /* odd: an address, even: a network */
                      RSIP_TUPLE_ADDRESS = 1, /* in a request; local address in a response */
                      RSIP_TUPLE_NETWORK = 2, /* in a request; local network in a response */
                      RSIP_TUPLE_REMOTE_ADDRESS = 3,
                      RSIP_TUPLE_REMOTE_NETWORK = 4,
};

/* RSIP-083, RSIP-084 */
struct rsip_address {
    uint8_t type;        /* enum rsip_addrtype */
    bool any;            /* "don't care": the type alone */
    struct ip_addr addr; /* V4, NETMASK, V6 */
    struct view name;    /* NAME: ASCII, not terminated */
};

/* RSIP-086, RSIP-087; of SPIs RSIP-035, RSIP-036 */
enum rsip_range_form {
    RSIP_RANGE_NONE, /* "don't need": ports in RFC 3104 only */
    RSIP_RANGE_ANY,  /* "don't care": `count` of them are wanted */
    RSIP_RANGE_RUN,  /* `count` of them from the first on */
    RSIP_RANGE_LIST, /* each is named, two at least */
    RSIP_RANGE_ZERO, /* ports: one field, and it is zero: RFC 3103 9.8.3's other "don't care" */
};

struct rsip_ports {
    uint8_t form; /* enum rsip_range_form */
    uint8_t count;
    uint16_t ports[RSIP_PORTS_MAX]; /* LIST: count of them; RUN: the first */
};

struct rsip_spis {
    uint8_t form;
    uint16_t count;
    uint32_t spis[RSIP_SPIS_MAX];
};

struct rsip_tuple {
    uint8_t indicator; /* enum rsip_indicator */
    struct rsip_address address;
    struct rsip_address netmask; /* networks only */
};

/* What a message may hold, one bit each in `present`. */
enum rsip_field {
    RSIP_F_CLIENT_ID = 1 << 0,
    RSIP_F_BIND_ID = 1 << 1,
    RSIP_F_LOCAL_ADDR = 1 << 2,
    RSIP_F_LOCAL_PORTS = 1 << 3,
    RSIP_F_REMOTE_ADDR = 1 << 4,
    RSIP_F_REMOTE_PORTS = 1 << 5,
    RSIP_F_SPI = 1 << 6,
    RSIP_F_LEASE = 1 << 7,
    RSIP_F_TUNNEL = 1 << 8,
    RSIP_F_METHOD = 1 << 9,
    RSIP_F_FLOW = 1 << 10,
    RSIP_F_ERROR = 1 << 11,
    RSIP_F_COUNTER = 1 << 12,
    RSIP_F_ENDPOINT = 1 << 13,
    RSIP_F_TUPLES = 1 << 14,
    RSIP_F_VENDOR = 1 << 15,
};

struct rsip_message {
    enum rsip_type type;
    uint32_t present; /* of enum rsip_field: which of the following are set */
    uint32_t client_id, bind_id, lease_s, counter;
    struct rsip_address local, remote, endpoint;
    struct rsip_ports local_ports, remote_ports;
    struct rsip_spis spi;
    uint16_t error; /* enum rsip_error, or one that we don't know */
    uint8_t flow_local, flow_remote;
    uint8_t tunnels[RSIP_TYPES_MAX], methods[RSIP_TYPES_MAX];
    uint8_t tunnel_count, method_count;
    uint16_t vendor_id, vendor_subtype;
    struct view vendor;
    size_t tuple_count;
    struct rsip_tuple tuples[RSIP_TUPLES_MAX];
};

/* What can be said about a message that doesn't parse. */
struct rsip_outline {
    bool has_type, has_client, has_counter;
    uint8_t type;
    uint32_t client_id, counter;
};
void rsip_outline_read(struct view bytes, struct rsip_outline *ret);

/* ERR_SYNTAX or ERR_VERSION, and *ret_error; *ret is written only on success. */
MUST_USE enum err rsip_parse(struct view bytes, struct rsip_message *ret,
                             enum rsip_error *ret_error);
/* Fields in the order of the message's definition. The builder goes bad for lack of room, or when a
 * required field is not present. Fields that the message doesn't have are not written. */
void rsip_build(struct builder *b, const struct rsip_message *message);

/* Over TCP: octets of the message that begins with `head`, of at least RSIP_HEADER octets. 0: it
 * can't be one of ours, and the stream is lost. */
size_t rsip_stream_len(struct view head);

/* NULL: unknown. */
const char *rsip_type_name(unsigned type);
const char *rsip_error_name(unsigned error);
const char *rsip_method_name(unsigned method); /* "RSAP-IP" */
const char *rsip_tunnel_name(unsigned tunnel); /* "IP-IP" */
bool rsip_type_is_request(unsigned type);

/* The i-th port or SPI of RUN or LIST. */
static inline uint16_t rsip_port_at(const struct rsip_ports *p, unsigned i)
{
    return (uint16_t)(p->form == RSIP_RANGE_RUN ? p->ports[0] + i : p->ports[i]);
}
static inline uint32_t rsip_spi_at(const struct rsip_spis *s, unsigned i)
{
    return s->form == RSIP_RANGE_RUN ? s->spis[0] + i : s->spis[i];
}
/* Particular ports, and not how many or none. */
static inline bool rsip_ports_named(const struct rsip_ports *p)
{
    return p->form == RSIP_RANGE_RUN || p->form == RSIP_RANGE_LIST;
}

#endif
