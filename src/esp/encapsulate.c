#include "esp/state.h"

#include "wire/ip.h"

static enum err inner_look(const struct packet *packet, struct esp_inner *ret)
{
    const uint8_t *inner = packet_data(packet);
    if (packet->len < IP_V4_HEADER)
        return ERR_SHORT;
    switch (inner[0] >> 4) {
    case IP_V4:
        *ret = (struct esp_inner){IP_PROTO_IPV4, inner[1], (inner[6] & 0x40) != 0};
        return ERR_OK;
    case IP_V6:
        if (packet->len < IP_V6_HEADER)
            return ERR_SHORT;
        *ret = (struct esp_inner){IP_PROTO_IPV6, (uint8_t)(inner[0] << 4 | inner[1] >> 4), true};
        return ERR_OK;
    default:
        return ERR_VERSION;
    }
}

struct departure {
    size_t index; /* in the caller's burst */
    uint32_t inner_len;
};

/* RFC 4303 section 2.4: padding counts up from 1. */
static const uint8_t padding[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void write_header(const struct esp_sa *sa, uint64_t sequence, const uint8_t *iv,
                         uint8_t *packet)
{
    esp_store32(packet, sa->spi.value);
    esp_store32(packet + 4, (uint32_t)sequence);
    if (sa->combined)
        esp_store64(packet + ESP_HEADER, sequence); /* never twice under one key */
    else
        memcpy(packet + ESP_HEADER, iv, sa->iv_len);
}

static void describe_op(const struct esp_sa *sa, uint64_t sequence, struct esp_op *op)
{
    const uint8_t *iv = op->packet + ESP_HEADER;
    if (sa->combined) {
        memcpy(op->iv, sa->salt, sizeof(sa->salt));
        memcpy(op->iv + sizeof(sa->salt), iv, 8);
        esp_op_aad(sa, sequence, op);
        return;
    }
    memcpy(op->iv, iv, sa->iv_len);
    op->hash_len = op->text_at + op->text_len;
    if (sa->esn) { /* hashed, not sent: the ICV will overwrite it */
        esp_store32(op->packet + op->hash_len, (uint32_t)(sequence >> 32));
        op->hash_len += 4;
    }
}

/* Lays the packet out around its inner datagram; takes a sequence number only if all fits. */
static enum err wrap(struct esp_sa *sa, struct packet *packet, const struct esp_inner *inner,
                     const uint8_t *iv, struct esp_op *op)
{
    uint32_t front = ESP_HEADER + (uint32_t)sa->iv_len;
    uint32_t pad_len = (0 - (packet->len + 2)) & (sa->block_len - 1u);
    uint32_t behind = pad_len + 2 + sa->icv_len;
    if (packet->at < front || packet_tailroom(packet) < behind ||
        front + packet->len + behind > ESP_PACKET_MAX)
        return ERR_ROOM;
    if (sa->sequence == esp_sequence_last(sa))
        return ERR_EXPIRED;
    sa->sequence++;
    uint8_t *trailer = packet_data(packet) + packet->len;
    memcpy(trailer, padding, pad_len);
    trailer[pad_len] = (uint8_t)pad_len;
    trailer[pad_len + 1] = inner->next_header;
    op->text_at = front;
    op->text_len = packet->len + pad_len + 2;
    packet->at -= front;
    packet->len += front + behind;
    op->packet = packet_data(packet);
    op->icv_at = packet->len - sa->icv_len;
    write_header(sa, sa->sequence, iv, op->packet);
    describe_op(sa, sa->sequence, op);
    return ERR_OK;
}

static enum err prepare(struct esp_sa *sa, struct packet *packet, const uint8_t *iv,
                        struct esp_op *op)
{
    struct esp_inner inner;
    enum err err = inner_look(packet, &inner);
    if (err == ERR_OK)
        err = sa->ah ? ah_wrap(sa, packet, &inner, op) : wrap(sa, packet, &inner, iv, op);
    if (err != ERR_OK)
        return err;
    packet->outer = sa->outer;
    packet->outer.tos = inner.tos;
    packet->outer.dont_fragment = inner.dont_fragment;
    return ERR_OK;
}

void esp_encapsulate_with(struct esp_sa *sa, struct packet **packets, size_t count,
                          const uint8_t (*ivs)[ESP_IV_MAX], enum err *ret)
{
    struct esp_op ops[LIMIT_BURST];
    struct departure departures[LIMIT_BURST];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        departures[used] = (struct departure){i, packets[i]->len};
        ret[i] = prepare(sa, packets[i], ivs[used], &ops[used]);
        if (ret[i] == ERR_OK)
            used++;
    }
    sa->backend->seal(sa->key, ops, used);
    for (size_t i = 0; i < used; i++) {
        const struct packet *packet = packets[departures[i].index];
        if (!ops[i].good) {
            ret[departures[i].index] = ERR_CRYPTO;
            continue;
        }
        memcpy(ops[i].packet + ops[i].icv_at, ops[i].icv, sa->icv_len);
        if (sa->ah)
            ah_finish(packet);
        sa->counts.packets++;
        sa->counts.octets += departures[i].inner_len;
    }
}

static void encapsulate_burst(struct esp_sa *sa, struct packet **packets, size_t count,
                              enum err *ret)
{
    uint8_t ivs[LIMIT_BURST][ESP_IV_MAX];
    if (sa->ivs != NULL && !esp_ivs_fill(sa->ivs, sa->sequence + 1, ivs, count)) {
        for (size_t i = 0; i < count; i++)
            ret[i] = ERR_CRYPTO;
        return;
    }
    esp_encapsulate_with(sa, packets, count, ivs, ret);
}

void esp_encapsulate(struct esp_sa *sa, struct packet **packets, size_t count, enum err *ret)
{
    for (size_t at = 0; at < count; at += LIMIT_BURST) {
        size_t burst = count - at < LIMIT_BURST ? count - at : LIMIT_BURST;
        encapsulate_burst(sa, packets + at, burst, ret + at);
    }
}
