/*
 * L2TP version 2 (RFC 2661) over UDP: headers of control and data messages, and the attribute value
 * pairs of the control messages that a tunnel with incoming calls has. Keeps nothing; a parsed
 * message points into the octets it came from.
 *
 * Attributes that we know and have no use for are passed over. One that we don't know, or that is
 * hidden, is passed over too unless it is mandatory; then the message is marked `refused`, and its
 * tunnel must end (section 4.1).
 */
#ifndef CYGNET_WIRE_L2TP_H
#define CYGNET_WIRE_L2TP_H

#include "base/builder.h"
#include "base/err.h"

enum {
    L2TP_PORT = 1701,
    L2TP_CONTROL_HEADER = 12,
    L2TP_DATA_HEADER_MAX = 10, /* of those that we build: with sequence numbers */
    L2TP_MESSAGE_MAX = 1024,   /* octets of the longest control message that is read */
    L2TP_CHALLENGE_MAX = 128,
    L2TP_RESPONSE = 16,
    L2TP_NR_AT = 10, /* where a control message says Nr */
};

/* Section 3.2 */
#define L2TP_TYPE_LIST(X)                                                                          \
    X(SCCRQ, 1, "SCCRQ")                                                                           \
    X(SCCRP, 2, "SCCRP")                                                                           \
    X(SCCCN, 3, "SCCCN")                                                                           \
    X(STOPCCN, 4, "StopCCN")                                                                       \
    X(HELLO, 6, "HELLO")                                                                           \
    X(OCRQ, 7, "OCRQ")                                                                             \
    X(OCRP, 8, "OCRP")                                                                             \
    X(OCCN, 9, "OCCN")                                                                             \
    X(ICRQ, 10, "ICRQ")                                                                            \
    X(ICRP, 11, "ICRP")                                                                            \
    X(ICCN, 12, "ICCN")                                                                            \
    X(CDN, 14, "CDN")                                                                              \
    X(WEN, 15, "WEN")                                                                              \
    X(SLI, 16, "SLI")

enum l2tp_type {
    L2TP_ZLB = 0, /* no attributes at all: only an acknowledgement */
#define L2TP_TYPE_ENUM(name, value, text) L2TP_##name = value,
    L2TP_TYPE_LIST(L2TP_TYPE_ENUM)
#undef L2TP_TYPE_ENUM
};
/* "SCCRQ"; NULL: unknown. */
const char *l2tp_type_name(unsigned type);

/* Sections 4.4.2 and 5.4 */
enum l2tp_result {
    L2TP_STOP_CLEAR = 1,   /* StopCCN: general request to clear */
    L2TP_STOP_ERROR = 2,   /* general error, see the error code */
    L2TP_STOP_DENIED = 4,  /* not authorized */
    L2TP_STOP_VERSION = 5, /* protocol version not supported */
    L2TP_CALL_NONE_LEFT = 4,
};
enum { L2TP_ERROR_NONE = 0, L2TP_ERROR_UNKNOWN_AVP = 8 };

struct l2tp_header {
    bool control, has_sequence;
    uint16_t tunnel, session; /* the receiver's */
    uint16_t ns, nr;
    struct view payload; /* attributes, or a PPP frame */
};

/* Which of the following a message has. */
enum l2tp_field {
    L2TP_F_RESULT = 1 << 0,
    L2TP_F_VERSION = 1 << 1,
    L2TP_F_FRAMING = 1 << 2, /* capabilities */
    L2TP_F_HOST_NAME = 1 << 3,
    L2TP_F_TUNNEL = 1 << 4,
    L2TP_F_WINDOW = 1 << 5,
    L2TP_F_CHALLENGE = 1 << 6,
    L2TP_F_RESPONSE = 1 << 7,
    L2TP_F_SESSION = 1 << 8,
    L2TP_F_SERIAL = 1 << 9,
    L2TP_F_CALL_FRAMING = 1 << 10,
    L2TP_F_SPEED = 1 << 11,
    L2TP_F_SEQUENCING = 1 << 12, /* required on the data channel; has no value */
};

struct l2tp_message {
    uint16_t type; /* enum l2tp_type, or one that we don't know */
    bool refused;  /* read only */
    uint32_t present;
    uint16_t result, error, version, tunnel, window, session;
    uint32_t framing, call_framing, serial, speed;
    struct view host_name, challenge, response;
};

/* ERR_SHORT, ERR_VERSION, ERR_SYNTAX. A control message must have length and sequence numbers
 * (section 3.1). */
MUST_USE enum err l2tp_header_parse(struct view datagram, struct l2tp_header *ret);
/* The payload of a control message; ERR_SYNTAX. None at all is ZLB. */
MUST_USE enum err l2tp_message_parse(struct view payload, struct l2tp_message *ret);
/* A whole control message; `header` gives IDs and numbers. ZLB has no attributes. */
void l2tp_message_build(struct builder *b, const struct l2tp_header *header,
                        const struct l2tp_message *message);
/* A data message's header, with sequence numbers if the header has them. */
void l2tp_data_build(struct builder *b, const struct l2tp_header *header);

#endif
