/*
 * Where things are in a TCP header (RFC 9293 section 3.1), and 16 and 32 bit fields in place: shared
 * by what cuts super-packets and what builds them.
 */
#ifndef CYGNET_PLANE_IO_TCP_FIELDS_H
#define CYGNET_PLANE_IO_TCP_FIELDS_H

#include "base/view.h"

enum {
    TCP_HEADER = 20,
    TCP_SEQUENCE_AT = 4,
    TCP_ACK_AT = 8,
    TCP_OFFSET_AT = 12,
    TCP_FLAGS_AT = 13,
    TCP_CHECKSUM_AT = 16,
    TCP_FIN = 0x01,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_CWR = 0x80,
    UDP_LENGTH_AT = 4,
    UDP_CHECKSUM_AT = 6,
    V4_LENGTH_AT = 2,
    V4_ID_AT = 4,
    V4_CHECKSUM_AT = 10,
    V6_LENGTH_AT = 4,
};

static inline uint16_t field_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t field_u32(const uint8_t *at)
{
    return (uint32_t)field_u16(at) << 16 | field_u16(at + 2);
}

static inline void field_put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void field_put_u32(uint8_t *at, uint32_t value)
{
    field_put_u16(at, (uint16_t)(value >> 16));
    field_put_u16(at + 2, (uint16_t)value);
}

#endif
