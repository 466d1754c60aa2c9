/*
 * AH in tunnel mode (RFC 4302): outer IP header, AH, inner datagram. The ICV covers all of it but what
 * routers may change, so the outer header is written here and travels as it is.
 */
#include "esp/state.h"

#include "esp/ah_mutable.h"
#include "wire/ip.h"

enum {
    AH_FIXED = 12, /* up to the ICV */
    AH_LENGTH_AT = 1,
    AH_SPI_AT = 4,
    AH_NUMBER_AT = 8,
    AH_TTL = 64,
    AH_ESN_LEN = 4,
    V4_CHECKSUM_AT = 10,
    DATAGRAM_MAX = 65528 /* with the high half, what a backend hashes in one go */
};

/* Section 2.2: in words of 32 bits, less 2. */
static uint8_t payload_len(uint8_t ah_len)
{
    return (uint8_t)(ah_len / 4 - 2);
}

/* Section 3.3.3.2.1: whole words over IPv4, whole double words over IPv6, no padding beyond that. */
uint8_t ah_header_len(const struct esp_sa *sa, enum ip_family outer)
{
    uint8_t len = AH_FIXED + sa->icv_len, unit = outer == IP_V4 ? 4 : 8;
    return (uint8_t)((len + unit - 1) / unit * unit);
}

/* Some systems pad to double words over IPv4 too. */
static bool ah_len_fits(const struct esp_sa *sa, uint32_t len)
{
    return len == ah_header_len(sa, IP_V6) || len == sa->ah_len;
}

/* The outer header without its mutable fields. The identification is covered too: never zero, because
 * the system would replace that, and otherwise without meaning in a packet that isn't cut. */
static void write_outer(const struct esp_sa *sa, uint32_t total_len, uint8_t *packet)
{
    struct ip_header header = {.src = sa->outer.src,
                               .dst = sa->outer.dst,
                               .total_len = total_len,
                               .id = (uint32_t)(sa->sequence % UINT16_MAX) + 1,
                               .proto = IP_PROTO_AH};
    ip_header_write(&header, packet);
    if (header.src.family == IP_V4)
        memset(packet + V4_CHECKSUM_AT, 0, 2);
}

/* Puts the high half of a 64-bit number behind the packet, where it is hashed and not sent. */
static void cover(const struct esp_sa *sa, uint64_t sequence, uint32_t packet_len, struct esp_op *op)
{
    op->hash_len = packet_len;
    if (!sa->esn)
        return;
    esp_store32(op->packet + packet_len, (uint32_t)(sequence >> 32));
    op->hash_len += AH_ESN_LEN;
}

enum err ah_wrap(struct esp_sa *sa, struct packet *packet, const struct esp_inner *inner,
                 struct esp_op *op)
{
    uint32_t outer_len = (uint32_t)ip_header_len(sa->outer.src.family);
    uint32_t front = outer_len + sa->ah_len;
    if (packet->at < front || packet_tailroom(packet) < AH_ESN_LEN ||
        front + packet->len > DATAGRAM_MAX)
        return ERR_ROOM;
    if (sa->sequence == esp_sequence_last(sa))
        return ERR_EXPIRED;
    sa->sequence++;
    op->text_at = front;
    op->text_len = packet->len;
    packet->at -= front;
    packet->len += front;
    op->packet = packet_data(packet);
    op->icv_at = outer_len + AH_FIXED;
    write_outer(sa, packet->len, op->packet);
    uint8_t *ah = op->packet + outer_len;
    memset(ah, 0, sa->ah_len);
    ah[0] = inner->next_header;
    ah[AH_LENGTH_AT] = payload_len(sa->ah_len);
    esp_store32(ah + AH_SPI_AT, sa->spi.value);
    esp_store32(ah + AH_NUMBER_AT, (uint32_t)sa->sequence);
    cover(sa, sa->sequence, packet->len, op);
    return ERR_OK;
}

void ah_finish(const struct packet *packet)
{
    struct ip_header header = {.src = packet->outer.src,
                               .dst = packet->outer.dst,
                               .total_len = packet->len,
                               .proto = IP_PROTO_AH,
                               .tos = packet->outer.tos,
                               .ttl = AH_TTL,
                               .dont_fragment = packet->outer.dont_fragment};
    uint8_t *data = packet_data(packet);
    header.id = (uint32_t)data[4] << 8 | data[5]; /* of IPv4; not used for IPv6 */
    ip_header_write(&header, data);
}

/* The outer header of a whole datagram with AH behind it (section 3.4.1: never of a fragment). */
static enum err outer_parse(const struct packet *packet, struct ip_header *ret)
{
    enum err err = ip_header_parse(view_of(packet_data(packet), packet->len), ret);
    if (err == ERR_SHORT)
        return err;
    bool good = err == ERR_OK && ret->proto == IP_PROTO_AH && !ip_is_fragment(ret);
    return good ? ERR_OK : ERR_SYNTAX;
}

static bool ah_peek(const struct packet *packet, spi_t *ret_spi, uint32_t *ret_number)
{
    struct ip_header header;
    if (outer_parse(packet, &header) != ERR_OK || header.total_len < header.header_len + (uint32_t)AH_FIXED)
        return false;
    const uint8_t *ah = packet_data(packet) + header.header_len;
    ret_spi->value = esp_load32(ah + AH_SPI_AT);
    *ret_number = esp_load32(ah + AH_NUMBER_AT);
    return true;
}

bool esp_peek(const struct packet *packet, spi_t *ret_spi, uint32_t *ret_number)
{
    if (packet->outer.ah)
        return ah_peek(packet, ret_spi, ret_number);
    if (packet->len < ESP_HEADER)
        return false;
    ret_spi->value = esp_load32(packet_data(packet));
    *ret_number = esp_load32(packet_data(packet) + 4);
    return true;
}

enum err ah_open(struct esp_sa *sa, const struct packet *packet, struct esp_arrival *arrival,
                 struct esp_op *op)
{
    struct ip_header header;
    enum err err = packet->outer.ah ? outer_parse(packet, &header) : ERR_SYNTAX;
    if (err != ERR_OK)
        return err;
    op->packet = packet_data(packet);
    uint8_t *ah = op->packet + header.header_len;
    if (header.total_len < header.header_len + (uint32_t)AH_FIXED)
        return ERR_SHORT;
    uint32_t ah_len = (ah[AH_LENGTH_AT] + 2u) * 4;
    if (!ah_len_fits(sa, ah_len))
        return ERR_SYNTAX;
    if (header.total_len < header.header_len + ah_len)
        return ERR_SHORT;
    if (header.total_len > DATAGRAM_MAX)
        return ERR_SYNTAX;
    if (packet->room - packet->at < header.total_len + AH_ESN_LEN)
        return ERR_ROOM;
    err = esp_sequence_check(sa, esp_load32(ah + AH_SPI_AT), esp_load32(ah + AH_NUMBER_AT),
                             &arrival->sequence);
    if (err == ERR_OK)
        err = ah_mutable_zero(span_of(op->packet, header.header_len));
    if (err != ERR_OK)
        return err;
    arrival->next_header = ah[0];
    op->icv_at = header.header_len + AH_FIXED;
    memcpy(op->icv, op->packet + op->icv_at, sa->icv_len);
    memset(op->packet + op->icv_at, 0, sa->icv_len);
    op->text_at = header.header_len + ah_len;
    op->text_len = header.total_len - op->text_at;
    cover(sa, arrival->sequence, header.total_len, op);
    return ERR_OK;
}
