/* IP datagrams: headers, fragments and the ICMP errors about them. */
#include "fuzz.h"

#include "wire/ip.h"

#include <stdlib.h>

static uint8_t room[65536];

static void fuzz_tos(struct view datagram, const struct ip_header *header)
{
    struct ip_header again;
    uint8_t tos = header->tos ^ 0xff;
    memcpy(room, datagram.ptr, datagram.len);
    ip_tos_write(span_of(room, datagram.len), tos);
    enum err err = ip_header_parse(view_of(room, datagram.len), &again);
    assert(err == ERR_OK && again.tos == tos);
    assert(again.proto == header->proto && again.total_len == header->total_len &&
           again.header_len == header->header_len && again.fragment_at == header->fragment_at);
}

static void fuzz_fragments(struct view datagram, const struct ip_header *header, uint32_t mtu)
{
    struct ip_fragmenter f;
    enum err err = ip_fragment_start(&f, datagram, mtu);
    bool may = header->src.family == IP_V4 && !header->dont_fragment;
    assert(err == (!may ? ERR_POLICY : mtu < IP_V4_MTU_MIN ? ERR_VALUE : ERR_OK));
    if (err != ERR_OK)
        return;
    uint32_t at = header->fragment_at;
    bool more = true;
    for (size_t len; (len = ip_fragment_next(&f, span_of(room, mtu))) != 0;) {
        struct ip_header piece;
        assert(more && len <= mtu);
        err = ip_header_parse(view_of(room, len), &piece);
        assert(err == ERR_OK && piece.total_len == len && piece.fragment_at == at);
        at += piece.total_len - piece.header_len;
        more = piece.more_fragments;
    }
    assert(at - header->fragment_at == header->total_len - header->header_len);
    assert(more == header->more_fragments);
}

static void fuzz_error(struct view datagram, const struct ip_header *header, uint32_t mtu)
{
    struct ip_addr src = header->dst;
    struct ip_header error;
    size_t len = 0;
    enum err err = ip_icmp_error_build(mtu % 2 == 0 ? IP_ICMP_TOO_BIG : IP_ICMP_PROHIBITED, &src,
                                       datagram, mtu, span_of(room, IP_ICMP_ERROR_MAX), &len);
    assert(err == ERR_OK || err == ERR_UNEXPECTED);
    if (err != ERR_OK)
        return;
    assert(len <= IP_ICMP_ERROR_MAX && header->fragment_at == 0);
    err = ip_header_parse(view_of(room, len), &error);
    assert(err == ERR_OK && error.total_len == len && ip_addr_equal(&error.dst, &header->src));
    /* An error about the error is never sent. */
    uint8_t *copy = malloc(len);
    assert(copy != NULL);
    memcpy(copy, room, len);
    err = ip_icmp_error_build(IP_ICMP_PROHIBITED, &src, view_of(copy, len), 0,
                              span_of(room, IP_ICMP_ERROR_MAX), &len);
    assert(err == ERR_UNEXPECTED);
    free(copy);
}

static void fuzz_datagram(struct view datagram, uint32_t mtu)
{
    struct ip_header header;
    struct ip_pair pair;
    bool has_pair = ip_pair_of(datagram, &pair) == ERR_OK;
    if (ip_header_parse(datagram, &header) != ERR_OK)
        return;
    assert(has_pair && ip_addr_equal(&pair.src, &header.src));
    assert(ip_addr_equal(&pair.dst, &header.dst));
    assert(header.header_len <= header.total_len && header.total_len <= datagram.len);
    fuzz_tos(datagram, &header);
    fuzz_fragments(datagram, &header, mtu);
    fuzz_error(datagram, &header, mtu);
}

/* A wrong IPv4 checksum would stop the fuzzer at the door, so it is put right. */
static void resum(struct span datagram)
{
    size_t header_len = (size_t)(datagram.ptr[0] & 0x0f) * 4;
    if (datagram.ptr[0] >> 4 != IP_V4 || header_len < IP_V4_HEADER || header_len > datagram.len)
        return;
    memset(datagram.ptr + 10, 0, 2);
    uint16_t sum = ip_sum_fold(ip_sum_add(0, view_of(datagram.ptr, header_len)));
    datagram.ptr[10] = (uint8_t)(sum >> 8);
    datagram.ptr[11] = (uint8_t)sum;
}

/* Two octets of MTU, then the datagram. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 3 || len > 65535)
        return 0;
    uint32_t mtu = (uint32_t)data[0] << 8 | data[1];
    fuzz_datagram(view_of(data + 2, len - 2), mtu);
    uint8_t *copy = malloc(len - 2); /* of exactly its size */
    assert(copy != NULL);
    memcpy(copy, data + 2, len - 2);
    resum(span_of(copy, len - 2));
    fuzz_datagram(view_of(copy, len - 2), mtu);
    free(copy);
    return 0;
}
