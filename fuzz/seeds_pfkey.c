#include "seeds.h"

#include "wire/pfkey.h"

static uint8_t room[LIMIT_PFKEY_MESSAGE];

static struct ip_addr addr(const char *text)
{
    struct ip_addr parsed = {0};
    (void)ip_addr_parse(text, &parsed);
    return parsed;
}

static struct sa_params make_sa(bool v6, bool inbound)
{
    struct ip_addr alice = addr(v6 ? "2001:db8:1::65" : "192.1.0.65");
    struct ip_addr bob = addr(v6 ? "2001:db8:2::66" : "192.2.0.66");
    struct sa_params sa = {
        .spi = {0x11223344},
        .inbound = inbound,
        .interface = SA_OPPORTUNISTIC,
        .suite = {ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 256, true},
        .outer_src = addr(v6 ? "2001:db8::4" : "192.1.1.4"),
        .outer_dst = addr(v6 ? "2001:db8::5" : "192.1.1.5"),
        .udp_src = v6 ? 4500 : 0,
        .udp_dst = v6 ? 4500 : 0,
        .stream = v6 && !inbound ? 7 : 0,
        .inner_src = ip_prefix_of(&alice, 128),
        .inner_dst = ip_prefix_of(&bob, 128),
        .soft = {.seconds = 3000, .packets = 1u << 30},
        .hard = {.seconds = 3600, .octets = 1ull << 40},
        .ticket = 7,
        .cipher_key_len = 36,
    };
    for (size_t i = 0; i < sa.cipher_key_len; i++)
        sa.cipher_key[i] = (uint8_t)i;
    return sa;
}

/* A message with every field set; `has` says which of them travel. */
static struct pfkey_message make_message(uint8_t type, uint32_t has, bool v6)
{
    struct sa_params sa = make_sa(v6, type == PFKEY_UPDATE);
    struct pfkey_message m = {
        .type = type,
        .satype = PFKEY_SATYPE_ESP,
        .seq = 42,
        .pid = 4711,
        .has = has,
        .sa = sa,
        .flow = {.src = sa.inner_src.addr, .dst = sa.inner_dst.addr},
        .verdict = PFKEY_VERDICT_ENCRYPT,
        .spi_min = 0x1000,
        .spi_max = 0xffffffff,
        .idle_ms = 1500,
        .octets = 1000000,
        .packets = 1000,
        .age_s = 60,
        .trace = PFKEY_TRACE_FIRST_HELD,
        .counter_name = "drop_replay",
        .counter = 3,
        .peer = sa.outer_dst,
        .ticket = 7,
        .new_src.addr = addr(v6 ? "2001:db8::14" : "192.1.1.14"),
        .new_dst.addr = addr(v6 ? "2001:db8::15" : "192.1.1.15"),
    };
    return m;
}

static const struct {
    const char *name;
    uint8_t type;
    uint32_t has;
} rows[] = {
    {"getspi", PFKEY_GETSPI, PFKEY_HAS_SA | PFKEY_HAS_SPI_RANGE},
    {"add", PFKEY_ADD, PFKEY_HAS_SA | PFKEY_HAS_KEYS | PFKEY_HAS_FLOW | PFKEY_HAS_TICKET},
    {"update", PFKEY_UPDATE, PFKEY_HAS_SA | PFKEY_HAS_KEYS | PFKEY_HAS_FLOW | PFKEY_HAS_PEER},
    {"delete", PFKEY_DELETE, PFKEY_HAS_SA},
    {"get-last-use", PFKEY_GET, PFKEY_HAS_SA | PFKEY_HAS_LAST_USE | PFKEY_HAS_COUNTS},
    {"acquire", PFKEY_ACQUIRE, PFKEY_HAS_FLOW},
    {"register", PFKEY_REGISTER, 0},
    {"expire-soft", PFKEY_EXPIRE, PFKEY_HAS_SA | PFKEY_HAS_COUNTS},
    {"expire-hard", PFKEY_EXPIRE, PFKEY_HAS_SA | PFKEY_HAS_EXPIRE_HARD},
    {"flush", PFKEY_FLUSH, 0},
    {"dump-end", PFKEY_DUMP, PFKEY_HAS_END},
    {"policy-set", PFKEY_X_POLICY_SET,
     PFKEY_HAS_FLOW | PFKEY_HAS_VERDICT | PFKEY_HAS_SA | PFKEY_HAS_PEER | PFKEY_HAS_TICKET},
    {"policy-get", PFKEY_X_POLICY_GET, PFKEY_HAS_FLOW | PFKEY_HAS_LAST_USE},
    {"trace", PFKEY_X_TRACE, PFKEY_HAS_TRACE | PFKEY_HAS_FLOW | PFKEY_HAS_TICKET},
    {"unknown-spi", PFKEY_X_UNKNOWN_SPI, PFKEY_HAS_SA | PFKEY_HAS_PEER},
    {"new-mapping", PFKEY_X_NEW_MAPPING, PFKEY_HAS_SA | PFKEY_HAS_PEER | PFKEY_HAS_TICKET},
    {"counters", PFKEY_X_COUNTERS, PFKEY_HAS_COUNTER},
    {"update-new-ends", PFKEY_UPDATE, PFKEY_HAS_SA | PFKEY_HAS_NEW_ENDS},
    {"addupd", PFKEY_X_ADDUPD, PFKEY_HAS_SA | PFKEY_HAS_NEW_ENDS | PFKEY_HAS_TICKET},
};

static size_t build(uint8_t type, uint32_t has, bool v6)
{
    struct pfkey_message m = make_message(type, has, v6);
    size_t len = 0;
    if (pfkey_build(&m, span_of(room, sizeof(room)), &len) != ERR_OK)
        len = 0;
    pfkey_message_wipe(&m);
    return len;
}

static void good(const struct seed_sink *sink)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = build(rows[i].type, rows[i].has, i % 2);
        if (len != 0)
            seed_put(sink, rows[i].name, view_of(room, len));
    }
}

/* One octet of an ADD message is wrong: in the header (RFC 2367 section 2.3) or in the first
 * extension's (section 2.3.1). Then: an extension twice, one unknown, and the message cut short. */
static void hostile(const struct seed_sink *sink)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
    } changes[] = {
        {"hostile-version", 0, 1},
        {"hostile-type", 1, 200},
        {"hostile-error", 2, 22},
        {"hostile-length", 4, 1},
        {"hostile-extension-length-0", 16, 0},
        {"hostile-extension-length-ff", 16, 255},
        {"hostile-extension-type-0", 18, 0},
        {"unknown-extension", 18, 0x7f},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        size_t len = build(PFKEY_ADD, PFKEY_HAS_SA | PFKEY_HAS_KEYS, false);
        if (len == 0)
            return;
        room[changes[i].at] = changes[i].value;
        seed_put(sink, changes[i].name, view_of(room, len));
    }
    size_t len = build(PFKEY_X_ADDUPD, PFKEY_HAS_SA | PFKEY_HAS_NEW_ENDS, false);
    enum { NEW_ADDRESS = 24 };
    room[4] = (uint8_t)((len - NEW_ADDRESS) / 8); /* of the two ends the one that comes first */
    seed_put(sink, "addupd-source-alone", view_of(room, len - NEW_ADDRESS));
    room[4] = (uint8_t)((len - 2 * NEW_ADDRESS) / 8);
    seed_put(sink, "hostile-addupd-no-end", view_of(room, len - 2 * NEW_ADDRESS));
    len = build(PFKEY_DELETE, PFKEY_HAS_SA, false);
    seed_put(sink, "hostile-cut", view_of(room, len - 8));
    size_t ext_len = (size_t)room[16] * 8;
    if (len + ext_len <= sizeof(room)) {
        memmove(room + len, room + 16, ext_len);
        room[4] = (uint8_t)((len + ext_len) / 8);
        seed_put(sink, "hostile-extension-twice", view_of(room, len + ext_len));
    }
}

void seeds_pfkey(const struct seed_sink *sink)
{
    good(sink);
    hostile(sink);
}
