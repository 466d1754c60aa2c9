#include "seeds.h"

#include "wire/isakmp.h"

static uint8_t room[65536];
static const uint8_t octets[256] = {0x5a, 1, 2, 3, 4, 5, 6, 7, 8, 9};

static void start(struct isakmp_writer *w, enum isakmp_exchange exchange, uint8_t flags)
{
    struct isakmp_header h = {
        .cookie_i = "initiate",
        .cookie_r = "responde",
        .version = ISAKMP_VERSION_1,
        .exchange = (uint8_t)exchange,
        .flags = flags,
        .msgid = {exchange == ISAKMP_MAIN_MODE ? 0 : 0x01020304},
    };
    isakmp_writer_start(w, span_of(room, sizeof(room)), &h);
}

static void finish(const struct seed_sink *sink, const char *name, struct isakmp_writer *w)
{
    seed_put(sink, name, isakmp_writer_finish(w, 16));
}

static void basic(struct isakmp_transform *t, uint16_t type, uint64_t value, bool is_long)
{
    t->attributes[t->attribute_count++] =
        (struct isakmp_attribute){.type = type, .is_long = is_long, .value = value};
}

static void ike_transform(struct isakmp_transform *t, uint8_t number, unsigned cipher,
                          unsigned group)
{
    *t = (struct isakmp_transform){.number = number, .id = 1};
    basic(t, 1, cipher, false);
    if (cipher == 7)
        basic(t, 14, 256, false);
    basic(t, 2, 4, false);
    basic(t, 3, 3, false);
    basic(t, 4, group, false);
    basic(t, 11, 1, false);
    basic(t, 12, 28800, true);
}

static void sa_payload(struct isakmp_writer *w, uint8_t protocol, size_t proposals)
{
    static struct isakmp_sa sa;
    sa = (struct isakmp_sa){.doi = 1, .situation = 1, .proposal_count = proposals};
    for (size_t i = 0; i < proposals; i++) {
        struct isakmp_proposal *p = &sa.proposals[i];
        p->number = (uint8_t)(i + 1);
        p->protocol = protocol;
        p->transform_count = 2;
        p->spi = view_of(octets, protocol == 1 ? 0 : 4);
        ike_transform(&p->transforms[0], 1, 7, 14);
        ike_transform(&p->transforms[1], 2, 5, 5);
        if (protocol == 3)
            p->transforms[0].id = 20; /* AES-GCM with 16 octets of ICV */
    }
    isakmp_writer_open(w, ISAKMP_P_SA);
    isakmp_sa_build(&w->b, &sa);
    isakmp_writer_close(w);
}

static void identity_payload(struct isakmp_writer *w, const char *text)
{
    struct identity id = {0};
    struct ip_addr addr;
    if (ip_addr_parse(text, &addr))
        id = identity_of_addr(&addr);
    else
        (void)identity_of_fqdn(view_of_text(text), &id);
    isakmp_writer_open(w, ISAKMP_P_ID);
    isakmp_id_build_identity(&w->b, &id);
    isakmp_writer_close(w);
}

static void prefix_payload(struct isakmp_writer *w, const char *text)
{
    struct ip_prefix prefix = {0};
    (void)ip_prefix_parse(text, &prefix);
    isakmp_writer_open(w, ISAKMP_P_ID);
    isakmp_id_build_prefix(&w->b, &prefix);
    isakmp_writer_close(w);
}

static void main_mode(const struct seed_sink *sink)
{
    struct isakmp_writer w;
    start(&w, ISAKMP_MAIN_MODE, 0);
    sa_payload(&w, 1, 1);
    isakmp_writer_payload(&w, ISAKMP_P_VID, view_of(octets, 16));
    finish(sink, "main-1-sa-vid", &w);

    start(&w, ISAKMP_MAIN_MODE, 0);
    isakmp_writer_payload(&w, ISAKMP_P_KE, view_of(octets, 256));
    isakmp_writer_payload(&w, ISAKMP_P_NONCE, view_of(octets, 32));
    isakmp_writer_payload(&w, ISAKMP_P_NAT_D, view_of(octets, 32));
    isakmp_writer_payload(&w, ISAKMP_P_NAT_D, view_of(octets, 32));
    finish(sink, "main-3-ke-nonce-natd", &w);

    start(&w, ISAKMP_MAIN_MODE, ISAKMP_FLAG_ENCRYPTED);
    identity_payload(&w, "192.1.1.4");
    isakmp_writer_payload(&w, ISAKMP_P_SIG, view_of(octets, 256));
    finish(sink, "main-5-id4-sig", &w);

    start(&w, ISAKMP_MAIN_MODE, ISAKMP_FLAG_ENCRYPTED);
    identity_payload(&w, "gw.example.net");
    isakmp_writer_payload(&w, ISAKMP_P_SIG, view_of(octets, 128));
    finish(sink, "main-5-fqdn-sig", &w);

    start(&w, ISAKMP_MAIN_MODE, ISAKMP_FLAG_ENCRYPTED);
    identity_payload(&w, "2001:db8::4");
    isakmp_writer_payload(&w, ISAKMP_P_SIG, view_of(octets, 128));
    finish(sink, "main-6-id6-sig", &w);
}

static void quick_mode(const struct seed_sink *sink)
{
    static const char *const clients[][2] = {
        {"192.1.0.65/32", "192.2.0.66/32"},
        {"2001:db8:1::65/128", "2001:db8:2::66/128"},
    };
    struct isakmp_writer w;
    for (size_t i = 0; i < 2; i++) {
        start(&w, ISAKMP_QUICK_MODE, ISAKMP_FLAG_ENCRYPTED);
        isakmp_writer_payload(&w, ISAKMP_P_HASH, view_of(octets, 32));
        sa_payload(&w, 3, 2);
        isakmp_writer_payload(&w, ISAKMP_P_NONCE, view_of(octets, 16));
        isakmp_writer_payload(&w, ISAKMP_P_KE, view_of(octets, 256));
        prefix_payload(&w, clients[i][0]);
        prefix_payload(&w, clients[i][1]);
        finish(sink, i == 0 ? "quick-1-ipv4" : "quick-1-ipv6", &w);
    }
    start(&w, ISAKMP_QUICK_MODE, ISAKMP_FLAG_ENCRYPTED);
    isakmp_writer_payload(&w, ISAKMP_P_HASH, view_of(octets, 32));
    finish(sink, "quick-3-hash", &w);
}

static void informational(const struct seed_sink *sink)
{
    struct isakmp_notify n = {.doi = 1, .protocol = 3, .type = 14, .spi = view_of(octets, 4)};
    struct isakmp_delete d = {
        .doi = 1, .protocol = 3, .spi_len = 4, .count = 2, .spis = view_of(octets, 8)};
    struct isakmp_writer w;

    start(&w, ISAKMP_INFORMATIONAL, 0);
    isakmp_writer_open(&w, ISAKMP_P_N);
    isakmp_notify_build(&w.b, &n);
    isakmp_writer_close(&w);
    finish(sink, "info-notify", &w);

    start(&w, ISAKMP_INFORMATIONAL, ISAKMP_FLAG_ENCRYPTED);
    isakmp_writer_payload(&w, ISAKMP_P_HASH, view_of(octets, 32));
    isakmp_writer_open(&w, ISAKMP_P_D);
    isakmp_delete_build(&w.b, &d);
    isakmp_writer_close(&w);
    finish(sink, "info-delete", &w);

    start(&w, ISAKMP_INFORMATIONAL, 0);
    /* more SPIs than there are octets */
    isakmp_writer_open(&w, ISAKMP_P_D);
    builder_bytes(&w.b, (uint8_t[]){0, 0, 0, 1, 3, 255, 255, 255}, 8);
    isakmp_writer_close(&w);
    finish(sink, "hostile-delete-count", &w);
}

/* A chain of empty payloads that goes on beyond the limit, one that points past the end, lengths of
 * zero and of everything. */
static void hostile_chains(const struct seed_sink *sink)
{
    struct isakmp_writer w;
    start(&w, ISAKMP_MAIN_MODE, 0);
    for (int i = 0; i < LIMIT_IKE_PAYLOADS + 8; i++)
        isakmp_writer_payload(&w, ISAKMP_P_VID, view_of(octets, 0));
    finish(sink, "hostile-many-payloads", &w);

    static const struct {
        const char *name;
        uint16_t len;
        uint8_t next;
    } rows[] = {
        {"hostile-payload-length-0", 0, 0},
        {"hostile-payload-length-3", 3, 0},
        {"hostile-payload-length-ffff", 0xffff, 0},
        {"hostile-chain-past-end", 20, ISAKMP_P_ID},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        start(&w, ISAKMP_MAIN_MODE, 0);
        isakmp_writer_payload(&w, ISAKMP_P_KE, view_of(octets, 16));
        builder_patch_u8(&w.b, ISAKMP_HEADER_LEN, rows[i].next);
        builder_patch_u16(&w.b, ISAKMP_HEADER_LEN + 2, rows[i].len);
        seed_put(sink, rows[i].name, isakmp_writer_finish(&w, 1));
    }
    start(&w, ISAKMP_MAIN_MODE, 0);
    struct view empty = isakmp_writer_finish(&w, 1);
    seed_put(sink, "header-only", empty);
    seed_put(sink, "hostile-short-header", view_of(empty.ptr, 27));
}

/* SA payloads whose nested counts and lengths disagree. The offsets are those of the first proposal
 * and of its first transform behind DOI and situation. */
static void hostile_sa(const struct seed_sink *sink)
{
    enum { PROPOSAL = ISAKMP_HEADER_LEN + 4 + 8, TRANSFORM = PROPOSAL + 8 };
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
    } rows[] = {
        {"hostile-sa-doi", PROPOSAL - 5, 9},
        {"hostile-sa-situation", PROPOSAL - 1, 7},
        {"hostile-proposal-next", PROPOSAL, 3},
        {"hostile-proposal-length", PROPOSAL + 3, 4},
        {"hostile-proposal-spi-255", PROPOSAL + 6, 255},
        {"hostile-proposal-transforms-255", PROPOSAL + 7, 255},
        {"hostile-proposal-transforms-1", PROPOSAL + 7, 1},
        {"hostile-transform-next", TRANSFORM, 2},
        {"hostile-transform-length", TRANSFORM + 3, 7},
        {"hostile-attribute-long", TRANSFORM + 8, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct isakmp_writer w;
        start(&w, ISAKMP_MAIN_MODE, 0);
        sa_payload(&w, 1, 1);
        builder_patch_u8(&w.b, rows[i].at, rows[i].value);
        finish(sink, rows[i].name, &w);
    }
    struct isakmp_writer w;
    start(&w, ISAKMP_MAIN_MODE, 0);
    sa_payload(&w, 1, LIMIT_IKE_PROPOSALS);
    finish(sink, "sa-16-proposals", &w);
}

static void id_forms(const struct seed_sink *sink)
{
    static const struct {
        const char *name;
        uint8_t type;
        size_t len;
    } rows[] = {
        {"id-ipv4-range", ISAKMP_ID_IPV4_ADDR_RANGE, 8},
        {"id-key-id", ISAKMP_ID_KEY_ID, 40},
        {"id-empty-fqdn", ISAKMP_ID_FQDN, 0},
        {"hostile-id-ipv6-of-4", ISAKMP_ID_IPV6_ADDR, 4},
        {"hostile-id-mask", ISAKMP_ID_IPV4_ADDR_SUBNET, 8},
        {"hostile-id-fqdn-binary", ISAKMP_ID_FQDN, 12},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct isakmp_id id = {.type = rows[i].type, .data = view_of(octets, rows[i].len)};
        struct isakmp_writer w;
        start(&w, ISAKMP_MAIN_MODE, 0);
        isakmp_writer_open(&w, ISAKMP_P_ID);
        isakmp_id_build(&w.b, &id);
        isakmp_writer_close(&w);
        finish(sink, rows[i].name, &w);
    }
}

void seeds_isakmp(const struct seed_sink *sink)
{
    main_mode(sink);
    quick_mode(sink);
    informational(sink);
    hostile_chains(sink);
    hostile_sa(sink);
    id_forms(sink);
}
