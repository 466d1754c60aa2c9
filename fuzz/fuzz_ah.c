/*
 * AH packets as they arrive, outer header and all. The first octet chooses the suite and how the rest is
 * used: as it is, which can't be authentic, or with SPI, number and ICV put right as a peer with the key
 * would. Mutable fields, options and extension headers are then what is tried. The two backends must
 * answer the same, and a refusal before the ICV was right must leave the window alone.
 */
#include "fuzz.h"

#include "esp/ah_mutable.h"
#include "esp/state.h"
#include "wire/ip.h"

enum { SEALED = 0x80, ESN = 0x40, TEXT_MAX = 4096, SPI = 0x10203040 };

static uint8_t rooms[2][LIMIT_HEADROOM + TEXT_MAX + LIMIT_TAILROOM], copy[TEXT_MAX + 4];

static struct esp_sa *sa_make(const struct esp_backend *backend, uint8_t choice, enum ip_family family,
                              bool inbound)
{
    struct sa_params params = {.spi = {SPI}, .inbound = inbound};
    struct esp_sa *sa = NULL;
    params.suite = (struct esp_suite){.protocol = SA_AH,
                                      .auth = (uint8_t)(ESP_AUTH_HMAC_SHA2_256_128 + choice % 5),
                                      .esn = (choice & ESN) != 0};
    (void)ip_addr_parse(family == IP_V6 ? "2001:db8::1" : "192.0.2.1", &params.outer_src);
    params.outer_dst = params.outer_src;
    params.auth_key_len = (uint8_t)esp_suite_auth_key_len(&params.suite);
    memset(params.auth_key, 0x22, sizeof(params.auth_key));
    enum err err = esp_sa_new_on(backend, &params, &sa);
    assert(err == ERR_OK);
    return sa;
}

/* Puts it right in place. False: there is no AH to put right. */
static bool seal(uint8_t choice, uint8_t *packet, uint32_t len)
{
    struct ip_header header;
    if (ip_header_parse(view_of(packet, len), &header) != ERR_OK || header.proto != IP_PROTO_AH ||
        ip_is_fragment(&header))
        return false;
    struct esp_sa *out = sa_make(&esp_backend_libcrypto, choice, header.src.family, false);
    uint32_t ah_len = out->ah_len;
    bool fits = header.total_len >= header.header_len + ah_len;
    if (fits) {
        uint8_t *ah = packet + header.header_len;
        ah[1] = (uint8_t)(ah_len / 4 - 2);
        esp_store32(ah + 4, SPI);
        esp_store32(ah + 8, 1);
        memset(ah + 12, 0, out->icv_len);
        memcpy(copy, packet, header.total_len);
        fits = ah_mutable_zero(span_of(copy, header.header_len)) == ERR_OK;
        struct esp_op op = {.packet = copy, .hash_len = header.total_len};
        if (out->esn) {
            memset(copy + op.hash_len, 0, 4);
            op.hash_len += 4;
        }
        out->backend->seal(out->key, &op, 1);
        assert(op.good);
        memcpy(ah + 12, op.icv, out->icv_len);
    }
    esp_sa_free(out);
    return fits;
}

static enum err receive(const struct esp_backend *backend, uint8_t choice, struct view input,
                        bool *ret_sealed, struct packet *packet, uint8_t *room)
{
    struct packet *one = packet;
    struct esp_counts counts;
    enum err err = ERR_COUNT;
    enum ip_family family = input.ptr[0] >> 4 == 6 ? IP_V6 : IP_V4;
    struct esp_sa *in = sa_make(backend, choice, family, true);
    *packet = (struct packet){.base = room,
                              .room = sizeof(rooms[0]),
                              .at = LIMIT_HEADROOM,
                              .len = (uint32_t)input.len,
                              .outer = {.ah = true}};
    memcpy(packet_data(packet), input.ptr, input.len);
    *ret_sealed = (choice & SEALED) != 0 && seal(choice, packet_data(packet), packet->len);
    esp_decapsulate(in, &one, 1, &err);
    esp_sa_counts(in, &counts);
    assert(counts.sequence == (*ret_sealed ? 1 : 0));
    assert(!*ret_sealed || err != ERR_DECRYPT);
    assert(counts.packets == (err == ERR_OK));
    esp_sa_free(in);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct packet packets[2];
    struct ip_pair pair;
    bool sealed[2];
    if (len < 2 || len - 1 > TEXT_MAX - 64)
        return 0;
    struct view input = view_of(data + 1, len - 1);
    enum err a =
        receive(&esp_backend_libcrypto, data[0], input, &sealed[0], &packets[0], rooms[0]);
    enum err b = receive(esp_backend_default(), data[0], input, &sealed[1], &packets[1], rooms[1]);
    assert(a == b && sealed[0] == sealed[1]);
    assert(sealed[0] || a != ERR_OK);
    if (a != ERR_OK)
        return 0;
    struct view inner = view_of(packet_data(&packets[0]), packets[0].len);
    assert(ip_pair_of(inner, &pair) == ERR_OK);
    assert(view_equal(inner, view_of(packet_data(&packets[1]), packets[1].len)));
    return 0;
}
