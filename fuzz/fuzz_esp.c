/*
 * ESP packets as they arrive. The first octet chooses the suite and how the rest is used: as a
 * whole packet, which can't be authentic, or as a text that a peer with the keys has sealed. The
 * two backends must answer the same, and a refusal must leave the window alone.
 */
#include "fuzz.h"

#include "esp/state.h"
#include "wire/ip.h"

enum { SEALED = 0x80, ESN = 0x40, CE = 0x20, SUITES = 0x1f, TEXT_MAX = 4096 };

static uint8_t rooms[2][LIMIT_HEADROOM + TEXT_MAX + ESP_ICV_MAX + LIMIT_TAILROOM];

static struct esp_suite choose_suite(uint8_t choice)
{
    uint16_t bits = (uint16_t)(128 + 64 * (choice % 3));
    if (choice < 3)
        return (struct esp_suite){ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, bits, false};
    uint8_t auth = (uint8_t)(ESP_AUTH_HMAC_SHA2_256_128 + choice % 5);
    if (choice < 8)
        return (struct esp_suite){ESP_CIPHER_3DES_CBC, auth, 192, false};
    if (choice == 28)
        return (struct esp_suite){ESP_CIPHER_CHACHA20_POLY1305, ESP_AUTH_NONE, 256, false};
    if (choice > 28)
        return (struct esp_suite){choice == 29 ? ESP_CIPHER_AES_GCM_8 : ESP_CIPHER_AES_GCM_12,
                                  ESP_AUTH_NONE, bits, false};
    return (struct esp_suite){ESP_CIPHER_AES_CBC, auth, bits, false};
}

static struct esp_sa *sa_make(const struct esp_backend *backend, uint8_t choice, bool inbound)
{
    struct sa_params params = {.spi = {0x10203040}, .inbound = inbound};
    struct esp_sa *sa = NULL;
    params.suite = choose_suite(choice & SUITES);
    params.suite.esn = (choice & ESN) != 0;
    params.outer_src = params.outer_dst = ip_addr_v4(0xc0000201);
    params.cipher_key_len = (uint8_t)esp_suite_cipher_key_len(&params.suite);
    params.auth_key_len = (uint8_t)esp_suite_auth_key_len(&params.suite);
    memset(params.cipher_key, 0x11, sizeof(params.cipher_key));
    memset(params.auth_key, 0x22, sizeof(params.auth_key));
    enum err err = esp_sa_new_on(backend, &params, &sa);
    assert(err == ERR_OK);
    return sa;
}

/* The text, cut to whole blocks, as packet number one; false: there isn't a block of it. */
static bool seal(struct esp_sa *out, struct packet *packet, struct view text)
{
    uint32_t front = ESP_HEADER + out->iv_len;
    uint32_t text_len = (uint32_t)text.len / out->block_len * out->block_len;
    struct esp_op op = {.packet = packet_data(packet), .text_at = front, .text_len = text_len};
    if (text_len == 0)
        return false;
    memset(op.packet, 0, front);
    esp_store32(op.packet, out->spi.value);
    op.packet[7] = 1;
    memcpy(op.packet + front, text.ptr, text_len);
    memcpy(op.iv, out->salt, sizeof(out->salt)); /* zero for CBC */
    op.hash_len = front + text_len;
    if (out->esn) {
        memset(op.packet + op.hash_len, 0, 4);
        op.hash_len += 4;
    }
    esp_op_aad(out, 1, &op);
    out->backend->seal(out->key, &op, 1);
    assert(op.good);
    memcpy(op.packet + front + text_len, op.icv, out->icv_len);
    packet->len = front + text_len + out->icv_len;
    return true;
}

static struct packet packet_on(uint8_t *room, uint8_t choice)
{
    struct packet packet = {.base = room, .room = sizeof(rooms[0]), .at = LIMIT_HEADROOM};
    packet.outer.tos = (choice & CE) != 0 ? IP_ECN_CE : IP_ECN_NOT_ECT;
    return packet;
}

static void check_inner(const struct packet *packet, uint32_t packet_len)
{
    struct ip_pair pair;
    struct view inner = view_of(packet_data(packet), packet->len);
    assert(packet->at > LIMIT_HEADROOM && packet->len < packet_len);
    assert(ip_pair_of(inner, &pair) == ERR_OK);
}

static enum err receive(const struct esp_backend *backend, uint8_t choice, struct view input,
                        struct packet *packet, uint8_t *room)
{
    struct packet *one = packet;
    struct esp_counts counts;
    enum err err = ERR_COUNT;
    struct esp_sa *in = sa_make(backend, choice, true);
    *packet = packet_on(room, choice);
    if ((choice & SEALED) != 0) {
        struct esp_sa *out = sa_make(backend, choice, false);
        bool sealed = seal(out, packet, input);
        esp_sa_free(out);
        if (!sealed) {
            esp_sa_free(in);
            return ERR_COUNT;
        }
    } else {
        memcpy(packet_data(packet), input.ptr, input.len);
        packet->len = (uint32_t)input.len;
    }
    uint32_t packet_len = packet->len;
    esp_decapsulate(in, &one, 1, &err);
    esp_sa_counts(in, &counts);
    assert(err == ERR_OK || (choice & SEALED) != 0 || counts.sequence == 0);
    assert(counts.sequence == ((choice & SEALED) != 0 ? 1 : 0));
    assert(counts.packets == (err == ERR_OK));
    if (err == ERR_OK)
        check_inner(packet, packet_len);
    esp_sa_free(in);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct packet packets[2];
    if (len < 1 || len - 1 > TEXT_MAX - 64)
        return 0;
    struct view input = view_of(data + 1, len - 1);
    enum err a = receive(&esp_backend_libcrypto, data[0], input, &packets[0], rooms[0]);
    enum err b = receive(esp_backend_default(), data[0], input, &packets[1], rooms[1]);
    assert(a == b);
    assert((data[0] & SEALED) != 0 || a != ERR_OK);
    if (a == ERR_OK)
        assert(view_equal(view_of(packet_data(&packets[0]), packets[0].len),
                          view_of(packet_data(&packets[1]), packets[1].len)));
    return 0;
}
