#include "seeds.h"

#include "wire/ike2_sa.h"

static uint8_t room[65536];
static const uint8_t octets[300] = {0x5a, 1, 2, 3, 4, 5, 6, 7, 8, 9};

static void start(struct ike2_writer *w, enum ike2_exchange exchange, uint8_t flags)
{
    struct ike2_header h = {
        .spi_i = "initiat",
        .spi_r = "respond",
        .version = IKE2_VERSION,
        .exchange = (uint8_t)exchange,
        .flags = flags,
        .message_id = exchange == IKE2_SA_INIT ? 0 : 1,
    };
    ike2_writer_start(w, span_of(room, sizeof(room)), &h);
}

static void transform(struct ike2_proposal *p, uint8_t type, uint16_t id, uint16_t key_bits)
{
    p->transforms[p->transform_count++] =
        (struct ike2_transform){.type = type, .id = id, .key_bits = key_bits};
}

static void sa_payload(struct ike2_writer *w, uint8_t protocol, size_t spi_len)
{
    static struct ike2_sa sa;
    sa = (struct ike2_sa){.proposal_count = 2};
    for (size_t i = 0; i < 2; i++) {
        struct ike2_proposal *p = &sa.proposals[i];
        p->number = (uint8_t)(i + 1);
        p->protocol = protocol;
        p->spi = view_of(octets, spi_len);
        transform(p, IKE2_T_ENCR, i == 0 ? IKE2_ENCR_AES_GCM_16 : IKE2_ENCR_AES_CBC, 256);
        if (i == 0)
            transform(p, IKE2_T_ENCR, IKE2_ENCR_CHACHA20_POLY1305, 0);
        else
            transform(p, IKE2_T_INTEG, IKE2_INTEG_HMAC_SHA2_256_128, 0);
        if (protocol == IKE2_PROTO_IKE)
            transform(p, IKE2_T_PRF, IKE2_PRF_HMAC_SHA2_256, 0);
        else
            transform(p, IKE2_T_ESN, IKE2_ESN_YES, 0);
        transform(p, IKE2_T_KE, IKE2_KE_CURVE25519, 0);
        transform(p, IKE2_T_ADDKE1, IKE2_KE_ML_KEM_768, 0);
    }
    ike2_writer_open(w, IKE2_P_SA);
    ike2_sa_build(&w->b, &sa);
    ike2_writer_close(w);
}

static void id_payload(struct ike2_writer *w, uint8_t payload, uint8_t type, struct view data)
{
    struct ike2_id id = {.type = type, .data = data};
    ike2_writer_open(w, payload);
    ike2_id_build(&w->b, &id);
    ike2_writer_close(w);
}

static void ts_payload(struct ike2_writer *w, uint8_t payload)
{
    struct ike2_selectors ts = {.count = 2};
    struct ip_prefix v4, v6;
    (void)ip_prefix_parse("192.0.2.0/24", &v4);
    (void)ip_prefix_parse("2001:db8::/32", &v6);
    ts.list[0] = ike2_selector_of_prefix(&v4);
    ts.list[1] = ike2_selector_of_prefix(&v6);
    ts.list[0].protocol = 6;
    ts.list[0].port_first = ts.list[0].port_last = 443;
    ike2_writer_open(w, payload);
    ike2_selectors_build(&w->b, &ts);
    ike2_writer_close(w);
}

static void seed_init(const struct seed_sink *sink)
{
    struct ike2_writer w;
    struct ike2_ke_payload ke = {.method = IKE2_KE_CURVE25519, .data = view_of(octets, 32)};
    start(&w, IKE2_SA_INIT, IKE2_FLAG_INITIATOR);
    ike2_writer_notify(&w, IKE2_N_COOKIE, view_of(octets, 24));
    sa_payload(&w, IKE2_PROTO_IKE, 0);
    ike2_writer_open(&w, IKE2_P_KE);
    ike2_ke_build(&w.b, &ke);
    ike2_writer_close(&w);
    ike2_writer_payload(&w, IKE2_P_NONCE, view_of(octets, 32));
    ike2_writer_notify(&w, IKE2_N_NAT_DETECTION_SOURCE_IP, view_of(octets, 20));
    ike2_writer_notify(&w, IKE2_N_SIGNATURE_HASH_ALGORITHMS, view_of("\0\2\0\3\0\5", 6));
    ike2_writer_payload(&w, 200, view_of(octets, 5));
    ike2_writer_payload(&w, IKE2_P_VID, view_of_text("vendor"));
    seed_put(sink, "init", ike2_writer_finish(&w));
}

/* As it is inside an encrypted payload, which nobody can look into from outside. */
static void seed_auth(const struct seed_sink *sink)
{
    struct ike2_writer w;
    struct ike2_auth auth = {.method = IKE2_AUTH_DIGITAL,
                             .identifier = view_of("\x30\x05\x06\x03\x2b\x65\x70", 7),
                             .data = view_of(octets, 64)};
    struct ike2_cert cert = {IKE2_CERT_X509, view_of(octets, 100)};
    struct ike2_cert certreq = {IKE2_CERT_X509, view_of(octets, 40)};
    struct ike2_cp cp = {.type = IKE2_CP_REQUEST, .count = 2};
    cp.list[0] = (struct ike2_cp_attribute){IKE2_CFG_IP4_ADDRESS, view_of(NULL, 0)};
    cp.list[1] = (struct ike2_cp_attribute){IKE2_CFG_IP4_DNS, view_of(octets, 4)};
    start(&w, IKE2_AUTH, IKE2_FLAG_INITIATOR);
    id_payload(&w, IKE2_P_IDI, IKE2_ID_FQDN, view_of_text("gw.example.net"));
    id_payload(&w, IKE2_P_IDR, IKE2_ID_RFC822_ADDR, view_of_text("a@example.net"));
    ike2_writer_open(&w, IKE2_P_CERT);
    ike2_cert_build(&w.b, &cert);
    ike2_writer_close(&w);
    ike2_writer_open(&w, IKE2_P_CERTREQ);
    ike2_cert_build(&w.b, &certreq);
    ike2_writer_close(&w);
    ike2_writer_open(&w, IKE2_P_AUTH);
    ike2_auth_build(&w.b, &auth);
    ike2_writer_close(&w);
    ike2_writer_open(&w, IKE2_P_CP);
    ike2_cp_build(&w.b, &cp);
    ike2_writer_close(&w);
    sa_payload(&w, IKE2_PROTO_ESP, 4);
    ts_payload(&w, IKE2_P_TSI);
    ts_payload(&w, IKE2_P_TSR);
    ike2_writer_payload(&w, IKE2_P_EAP, view_of(octets, 5));
    seed_put(sink, "auth", ike2_writer_finish(&w));
}

static void seed_inform(const struct seed_sink *sink)
{
    struct ike2_writer w;
    struct ike2_delete d = {
        .protocol = IKE2_PROTO_ESP, .spi_len = 4, .count = 2, .spis = view_of(octets, 8)};
    struct ike2_notify n = {
        .protocol = IKE2_PROTO_ESP, .type = IKE2_N_REKEY_SA, .spi = view_of(octets, 4)};
    start(&w, IKE2_INFORMATIONAL, IKE2_FLAG_RESPONSE);
    ike2_writer_open(&w, IKE2_P_D);
    ike2_delete_build(&w.b, &d);
    ike2_writer_close(&w);
    ike2_writer_open(&w, IKE2_P_N);
    ike2_notify_build(&w.b, &n);
    ike2_writer_close(&w);
    id_payload(&w, IKE2_P_IDI, IKE2_ID_IPV6_ADDR, view_of(octets, 16));
    id_payload(&w, IKE2_P_IDR, IKE2_ID_KEY_ID, view_of(octets, 9));
    id_payload(&w, IKE2_P_IDR, IKE2_ID_DER_ASN1_DN, view_of("\x30\0", 2));
    id_payload(&w, IKE2_P_IDR, IKE2_ID_NULL, view_of(NULL, 0));
    ike2_writer_payload(&w, IKE2_P_PS, view_of(octets, 16));
    seed_put(sink, "informational", ike2_writer_finish(&w));
}

static void seed_encrypted(const struct seed_sink *sink, const char *name, uint16_t total)
{
    struct ike2_writer w;
    struct ike2_sk_room out;
    const struct ike2_sk_shape shape = {.iv_len = 8, .icv_len = 16, .block = 1};
    const struct ike2_fragment fragment = {
        .first = IKE2_P_N, .number = total != 0, .total = total, .text = view_of(octets, 40)};
    start(&w, IKE2_AUTH, IKE2_FLAG_INITIATOR);
    if (ike2_writer_sk(&w, &shape, &fragment, &out) == ERR_OK)
        seed_put(sink, name, out.message);
}

/* A good message with one octet after the header changed. */
static void seed_broken(const struct seed_sink *sink, const char *name, size_t at, uint8_t value)
{
    struct ike2_writer w;
    start(&w, IKE2_CREATE_CHILD_SA, IKE2_FLAG_INITIATOR);
    sa_payload(&w, IKE2_PROTO_ESP, 4);
    ts_payload(&w, IKE2_P_TSI);
    ike2_writer_payload(&w, 200, view_of(octets, 5));
    struct view message = ike2_writer_finish(&w);
    room[IKE2_HEADER_LEN + at] = value;
    seed_put(sink, name, message);
}

static void seed_many(const struct seed_sink *sink)
{
    struct ike2_writer w;
    start(&w, IKE2_INFORMATIONAL, 0);
    for (int i = 0; i <= LIMIT_IKE_PAYLOADS; i++)
        ike2_writer_payload(&w, IKE2_P_VID, view_of(NULL, 0));
    seed_put(sink, "hostile-many-payloads", ike2_writer_finish(&w));
    start(&w, IKE2_INFORMATIONAL, 0);
    seed_put(sink, "header-only", ike2_writer_finish(&w));
}

void seeds_ike2(const struct seed_sink *sink)
{
    seed_init(sink);
    seed_auth(sink);
    seed_inform(sink);
    seed_encrypted(sink, "encrypted", 0);
    seed_encrypted(sink, "fragment", 3);
    seed_many(sink);
    seed_broken(sink, "hostile-payload-length-3", 3, 3);
    seed_broken(sink, "hostile-payload-past-end", 2, 0x70);
    seed_broken(sink, "hostile-proposal-length-0", 7, 0);
    seed_broken(sink, "hostile-proposal-number", 8, 7);
    seed_broken(sink, "hostile-spi-length", 10, 200);
    seed_broken(sink, "hostile-transform-count", 11, 200);
    seed_broken(sink, "hostile-attribute-long", 24, 0);
}
