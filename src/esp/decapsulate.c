#include "esp/state.h"

#include "esp/ecn.h"
#include "wire/ip.h"

enum { ESP_TRAILER = 2 };

static void describe_op(const struct esp_sa *sa, uint64_t sequence, struct esp_op *op)
{
    uint8_t *icv = op->packet + op->text_at + op->text_len;
    memcpy(op->icv, icv, sa->icv_len);
    if (sa->combined) {
        memcpy(op->iv, sa->salt, sizeof(sa->salt));
        memcpy(op->iv + sizeof(sa->salt), op->packet + ESP_HEADER, 8);
        esp_op_aad(sa, sequence, op);
        return;
    }
    memcpy(op->iv, op->packet + ESP_HEADER, sa->iv_len);
    op->hash_len = op->text_at + op->text_len;
    if (sa->esn) { /* hashed as if it had been sent there */
        esp_store32(icv, (uint32_t)(sequence >> 32));
        op->hash_len += 4;
    }
}

static enum err count_malformed(struct esp_sa *sa, enum err err)
{
    sa->counts.malformed++;
    return err;
}

enum err esp_sequence_check(struct esp_sa *sa, uint32_t spi, uint32_t low, uint64_t *ret_sequence)
{
    if (spi != sa->spi.value)
        return ERR_UNKNOWN;
    uint64_t sequence = replay_recover(&sa->replay, low, sa->esn);
    if (!replay_check(&sa->replay, sequence)) {
        sa->counts.replayed++;
        return ERR_REPLAY;
    }
    *ret_sequence = sequence;
    return ERR_OK;
}

/* Everything that can be told before the ICV is verified. */
static enum err prepare(struct esp_sa *sa, const struct packet *packet, uint64_t *ret_sequence,
                        struct esp_op *op)
{
    uint32_t around = ESP_HEADER + (uint32_t)sa->iv_len + sa->icv_len;
    if (packet->len < around + sa->block_len)
        return count_malformed(sa, ERR_SHORT);
    op->packet = packet_data(packet);
    op->text_at = ESP_HEADER + (uint32_t)sa->iv_len;
    op->text_len = packet->len - around;
    if (op->text_len % sa->block_len != 0 || packet->len > ESP_PACKET_MAX)
        return count_malformed(sa, ERR_SYNTAX);
    enum err err = esp_sequence_check(sa, esp_load32(op->packet), esp_load32(op->packet + 4),
                                      ret_sequence);
    if (err == ERR_OK)
        describe_op(sa, *ret_sequence, op);
    return err;
}

/* The trailer behind the inner datagram; ret_len is what is left without it. */
static enum err trailer_check(const uint8_t *text, uint32_t text_len, uint8_t *ret_next_header,
                              uint32_t *ret_len)
{
    uint32_t pad_len = text[text_len - 2];
    if (pad_len + ESP_TRAILER > text_len)
        return ERR_SYNTAX;
    uint32_t len = text_len - ESP_TRAILER - pad_len;
    for (uint32_t i = 0; i < pad_len; i++)
        if (text[len + i] != i + 1)
            return ERR_SYNTAX;
    *ret_next_header = text[text_len - 1];
    *ret_len = len;
    return ERR_OK;
}

/*
 * The inner datagram must be of the family that the next header says, and whole. What is behind it
 * is traffic flow confidentiality padding (RFC 4303 section 2.7), and goes.
 */
static enum err inner_check(const uint8_t *inner, uint8_t next_header, uint32_t *len)
{
    uint32_t total_len, header_len = next_header == IP_PROTO_IPV4 ? IP_V4_HEADER : IP_V6_HEADER;
    if (next_header == IP_PROTO_NONE)
        return ERR_UNEXPECTED;
    if (next_header != IP_PROTO_IPV4 && next_header != IP_PROTO_IPV6)
        return ERR_SYNTAX;
    if (*len < header_len)
        return ERR_SYNTAX;
    if (next_header == IP_PROTO_IPV4)
        total_len = inner[0] >> 4 == IP_V4 ? (uint32_t)inner[2] << 8 | inner[3] : 0;
    else
        total_len = inner[0] >> 4 == IP_V6 ? header_len + ((uint32_t)inner[4] << 8 | inner[5]) : 0;
    if (total_len < header_len || total_len > *len)
        return ERR_SYNTAX;
    *len = total_len;
    return ERR_OK;
}

static uint8_t inner_tos(const uint8_t *inner)
{
    return inner[0] >> 4 == IP_V4 ? inner[1] : (uint8_t)(inner[0] << 4 | inner[1] >> 4);
}

/* RFC 6040: the outer header's congestion mark reaches the inner one. */
static enum err ecn_propagate(struct span inner, uint8_t outer_tos)
{
    uint8_t tos = inner_tos(inner.ptr), ecn;
    if (!ecn_combine(tos, outer_tos, &ecn))
        return ERR_VALUE;
    if (ecn != (tos & IP_ECN_MASK))
        ip_tos_write(inner, (uint8_t)((tos & ~IP_ECN_MASK) | ecn));
    return ERR_OK;
}

static enum err unwrap(const struct esp_sa *sa, struct packet *packet, uint8_t next_header,
                       const struct esp_op *op)
{
    uint8_t *text = op->packet + op->text_at;
    uint32_t len = op->text_len;
    enum err err = sa->ah ? ERR_OK : trailer_check(text, op->text_len, &next_header, &len);
    if (err == ERR_OK)
        err = inner_check(text, next_header, &len);
    if (err == ERR_OK)
        err = ecn_propagate(span_of(text, len), packet->outer.tos);
    if (err != ERR_OK)
        return err;
    packet->at += op->text_at;
    packet->len = len;
    return ERR_OK;
}

static enum err finish(struct esp_sa *sa, struct packet *packet, const struct esp_arrival *arrival,
                       const struct esp_op *op)
{
    if (!op->good) {
        sa->counts.not_authentic++;
        return ERR_DECRYPT;
    }
    if (!replay_mark(&sa->replay, arrival->sequence)) { /* twice in one burst */
        sa->counts.replayed++;
        return ERR_REPLAY;
    }
    enum err err = unwrap(sa, packet, arrival->next_header, op);
    if (err == ERR_SYNTAX)
        return count_malformed(sa, err);
    if (err == ERR_OK) {
        sa->counts.packets++;
        sa->counts.octets += packet->len;
    }
    return err;
}

static void decapsulate_burst(struct esp_sa *sa, struct packet **packets, size_t count,
                              enum err *ret)
{
    struct esp_op ops[LIMIT_BURST];
    struct esp_arrival arrivals[LIMIT_BURST];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        arrivals[used].index = i;
        ret[i] = sa->ah ? ah_open(sa, packets[i], &arrivals[used], &ops[used])
                        : prepare(sa, packets[i], &arrivals[used].sequence, &ops[used]);
        if (sa->ah && (ret[i] == ERR_SHORT || ret[i] == ERR_SYNTAX || ret[i] == ERR_ROOM))
            ret[i] = count_malformed(sa, ret[i]);
        if (ret[i] == ERR_OK)
            used++;
    }
    sa->backend->open(sa->key, ops, used);
    for (size_t i = 0; i < used; i++) {
        size_t index = arrivals[i].index;
        ret[index] = finish(sa, packets[index], &arrivals[i], &ops[i]);
    }
}

void esp_decapsulate(struct esp_sa *sa, struct packet **packets, size_t count, enum err *ret)
{
    for (size_t at = 0; at < count; at += LIMIT_BURST) {
        size_t burst = count - at < LIMIT_BURST ? count - at : LIMIT_BURST;
        decapsulate_burst(sa, packets + at, burst, ret + at);
    }
}
