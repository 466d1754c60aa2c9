/*
 * The values of RSIP parameters (RFC 3103 section 8, RFC 3104 section 6.2), each from and to the
 * octets behind its type and length. Internal to wire/rsip.c. Parsers say true if the value is well
 * formed, and write *ret only then; builders write type, length and value.
 */
#ifndef CYGNET_WIRE_RSIP_PARAM_H
#define CYGNET_WIRE_RSIP_PARAM_H

#include "base/cursor.h"
#include "wire/rsip.h"

enum rsip_param {
    RSIP_P_ADDRESS = 1,
    RSIP_P_PORTS = 2,
    RSIP_P_LEASE = 3,     /* RSIP-089 */
    RSIP_P_CLIENT_ID = 4, /* RSIP-090 */
    RSIP_P_BIND_ID = 5,
    RSIP_P_TUNNEL = 6,
    RSIP_P_METHOD = 7,
    RSIP_P_ERROR = 8, /* RSIP-093 */
    RSIP_P_FLOW = 9,  /* RSIP-094 */
    RSIP_P_INDICATOR = 10,
    RSIP_P_COUNTER = 11,
    RSIP_P_VENDOR = 12,
    RSIP_P_SPI = 22,
};

struct rsip_tlv {
    uint8_t type;
    struct view value;
};

/* False: the cursor ends inside it, and is bad. */
bool rsip_tlv_read(struct cursor *cur, struct rsip_tlv *ret);

bool rsip_address_parse(struct view value, struct rsip_address *ret);
/* `none_allowed`: "don't need" is of RFC 3104 (RSIP-031). */
bool rsip_ports_parse(struct view value, bool none_allowed, struct rsip_ports *ret);
bool rsip_spis_parse(struct view value, struct rsip_spis *ret);
bool rsip_u32_parse(struct view value, uint32_t *ret);
bool rsip_u16_parse(struct view value, uint16_t *ret);
bool rsip_u8_parse(struct view value, uint8_t *ret);
/* RSIP-095: one or two octets. */
bool rsip_indicator_parse(struct view value, uint8_t *ret);

void rsip_address_build(struct builder *b, const struct rsip_address *address);
void rsip_ports_build(struct builder *b, const struct rsip_ports *ports);
void rsip_spis_build(struct builder *b, const struct rsip_spis *spis);
void rsip_u32_build(struct builder *b, enum rsip_param type, uint32_t value);
void rsip_u16_build(struct builder *b, enum rsip_param type, uint16_t value);
void rsip_u8_build(struct builder *b, enum rsip_param type, uint8_t value);

#endif
