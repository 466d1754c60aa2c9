/*
 * What draft-dupont-ikev2-addrmgmt-06 puts into IKEv2 messages: peer address notifications (appendix A), the
 * Update payload (B), NAT_PREVENTION (C) and RR_COOKIE (D). Bytes to flat structs and back; views point into
 * the message. The draft assigns no numbers: those of this table are from the ranges for private use and
 * mean something only between ends that show each other the Vendor ID (ADR-032, ADR-063, ADR-087). Outputs
 * are untouched on failure.
 */
#ifndef CYGNET_WIRE_ADDRMGMT_H
#define CYGNET_WIRE_ADDRMGMT_H

#include "wire/ike2.h"

/* The only table of code points. A build may move each range (-Dc_args=-DADDRMGMT_FIRST_STATUS=41000). */
#ifndef ADDRMGMT_FIRST_PAYLOAD
#define ADDRMGMT_FIRST_PAYLOAD 128
#endif
#ifndef ADDRMGMT_FIRST_ERROR
#define ADDRMGMT_FIRST_ERROR 8192
#endif
#ifndef ADDRMGMT_FIRST_STATUS
#define ADDRMGMT_FIRST_STATUS 40960
#endif

enum addrmgmt_number {
    ADDRMGMT_P_UPDATE = ADDRMGMT_FIRST_PAYLOAD,            /* payload "U" */
    ADDRMGMT_N_ADDRESS_REFUSED = ADDRMGMT_FIRST_ERROR,     /* ADR-047 */
    ADDRMGMT_N_PEER_ADDRESS_SOURCE = ADDRMGMT_FIRST_STATUS, /* ADR-056 */
    ADDRMGMT_N_PEER_ADDRESS_DESTINATION,
    ADDRMGMT_N_NAT_PREVENTION,
    ADDRMGMT_N_RR_COOKIE,
};
#define ADDRMGMT_VENDOR "draft-dupont-ikev2-addrmgmt-06"

/* ADR-070: the draft's own numbers, in its Update payload only; elsewhere they are those of RFC 7296. */
enum addrmgmt_protocol { ADDRMGMT_IKE = 0, ADDRMGMT_ESP = 1, ADDRMGMT_AH = 2 };

enum addrmgmt_operation {
    ADDRMGMT_MARK = 1, /* the address of a further operation: with an update, the new primary */
    ADDRMGMT_ADD = 2,
    ADDRMGMT_DELETE = 3,
};

enum {
    ADDRMGMT_COOKIE_MIN = 16, /* appendix D */
    ADDRMGMT_COOKIE_MAX = 64,
    ADDRMGMT_HASH_LEN = 20, /* SHA-1, appendix C */
};

/* A notification's data; a refusal names what is refused in the same form. */
struct addrmgmt_address {
    uint16_t operation;
    struct ip_addr addr;
};

/* Of any notify of the draft: protocol 0 and no SPI, or ERR_VALUE. */
MUST_USE enum err addrmgmt_notify_check(const struct ike2_notify *n);
/* ERR_VALUE: no such family or operation. ERR_SHORT, ERR_TRAILING: an address of another length. */
MUST_USE enum err addrmgmt_address_parse(const struct ike2_notify *n, struct addrmgmt_address *ret);
void addrmgmt_address_put(struct ike2_writer *w, uint16_t type, const struct addrmgmt_address *a);
/* ERR_VALUE: a length that is not allowed (ADR-096). */
MUST_USE enum err addrmgmt_cookie_parse(const struct ike2_notify *n, struct view *ret);

struct addrmgmt_update {
    bool all;  /* every SA; then there is nothing else in it but: */
    bool only; /* rules of the SPD stay as they are */
    uint8_t protocol; /* enum addrmgmt_protocol */
    uint16_t count;
    struct view spis; /* 4 octets each; what the sender expects in packets to it */
};
/* ERR_VALUE: fields that contradict each other. ERR_SHORT, ERR_TRAILING: more or fewer SPIs than it says. */
MUST_USE enum err addrmgmt_update_parse(struct view body, struct addrmgmt_update *ret);
/* With the critical bit (ADR-071). */
void addrmgmt_update_put(struct ike2_writer *w, const struct addrmgmt_update *u);

/* "PEER_ADDRESS_SOURCE", "MARK"; NULL: not of the draft. */
const char *addrmgmt_notify_name(uint16_t type);
const char *addrmgmt_operation_name(uint16_t operation);
void addrmgmt_vendor_put(struct ike2_writer *w);
bool addrmgmt_vendor_shown(const struct ike2_payloads *payloads);

#endif
