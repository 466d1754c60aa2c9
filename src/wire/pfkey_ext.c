#include "wire/pfkey_ext.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* SADB_EALG and SADB_AALG: RFC 2367 section 3.5, and the numbers Linux and KAME added. */
static const uint8_t ealgs[] = {
    [ESP_CIPHER_NONE] = 0,
    [ESP_CIPHER_AES_GCM] = 20,
    [ESP_CIPHER_AES_CBC] = 12,
    [ESP_CIPHER_3DES_CBC] = 3,
    [ESP_CIPHER_AES_GCM_8] = 18,
    [ESP_CIPHER_AES_GCM_12] = 19,
    [ESP_CIPHER_CHACHA20_POLY1305] = 28, /* IKEv2's: systems differ, Linux has none */
};

static const uint8_t aalgs[] = {
    [ESP_AUTH_NONE] = 0,
    [ESP_AUTH_HMAC_SHA2_256_128] = 5,
    [ESP_AUTH_HMAC_SHA2_384_192] = 6,
    [ESP_AUTH_HMAC_SHA2_512_256] = 7,
    [ESP_AUTH_HMAC_SHA1_96] = 3,
    [ESP_AUTH_HMAC_MD5_96] = 2,
};

enum {
    SA_STATE_MATURE = 1,
    SA_REPLAY = 32,         /* the largest window every kernel takes; the plane has its own */
    UDP_ENCAP_ESPINUDP = 2, /* RFC 3948 */
    TCP_ENCAP_ESPINTCP = 7, /* RFC 9329, as Linux numbers it */
    SOCKADDR_V4_ZEROS = 8,
};

uint8_t pfkey_ealg(uint8_t cipher)
{
    return cipher < ARRAY_LEN(ealgs) ? ealgs[cipher] : 0;
}

uint8_t pfkey_aalg(uint8_t auth)
{
    return auth < ARRAY_LEN(aalgs) ? aalgs[auth] : 0;
}

static bool alg_find(const uint8_t *algs, size_t count, uint8_t number, uint8_t *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (algs[i] == number) {
            *ret = (uint8_t)i;
            return true;
        }
    }
    return false;
}

/* PF_KEY is in host order, unlike what the builder and the cursor do. */

static void put_u16(struct builder *b, uint16_t value)
{
    builder_bytes(b, &value, sizeof(value));
}

static void put_u32(struct builder *b, uint32_t value)
{
    builder_bytes(b, &value, sizeof(value));
}

static void put_u64(struct builder *b, uint64_t value)
{
    builder_bytes(b, &value, sizeof(value));
}

static uint16_t get_u16(struct cursor *cur)
{
    uint16_t value;
    cursor_copy(cur, &value, sizeof(value));
    return value;
}

static uint32_t get_u32(struct cursor *cur)
{
    uint32_t value;
    cursor_copy(cur, &value, sizeof(value));
    return value;
}

static uint64_t get_u64(struct cursor *cur)
{
    uint64_t value;
    cursor_copy(cur, &value, sizeof(value));
    return value;
}

/* Association: RFC 2367 section 2.3.1 */

static void write_sa(struct builder *b, const struct pfkey_message *m)
{
    builder_u32(b, m->sa.spi.value); /* an SPI is in network order even here */
    builder_u8(b, SA_REPLAY);
    builder_u8(b, SA_STATE_MATURE);
    builder_u8(b, pfkey_aalg(m->sa.suite.auth));
    builder_u8(b, pfkey_ealg(m->sa.suite.cipher));
    put_u32(b, 0);
}

static enum err read_sa(struct cursor *cur, struct pfkey_message *m)
{
    m->sa.spi.value = cursor_u32(cur);
    cursor_skip(cur, 2);
    uint8_t aalg = cursor_u8(cur), ealg = cursor_u8(cur);
    cursor_skip(cur, 4);
    if (!alg_find(aalgs, ARRAY_LEN(aalgs), aalg, &m->sa.suite.auth) ||
        !alg_find(ealgs, ARRAY_LEN(ealgs), ealg, &m->sa.suite.cipher))
        return ERR_UNSUPPORTED;
    return ERR_OK;
}

static void write_x_sa(struct builder *b, const struct pfkey_message *m)
{
    const struct sa_params *sa = &m->sa;
    builder_u8(b, sa->inbound);
    builder_u8(b, sa->interface);
    builder_u8(b, sa->suite.esn);
    builder_u8(b, 0);
    put_u16(b, sa->suite.key_bits);
    builder_fill(b, 0, 6);
    put_u64(b, sa->ticket);
    put_u64(b, sa->soft.packets);
    put_u64(b, sa->hard.packets);
}

static enum err read_x_sa(struct cursor *cur, struct pfkey_message *m)
{
    struct sa_params *sa = &m->sa;
    uint8_t inbound = cursor_u8(cur), interface = cursor_u8(cur), esn = cursor_u8(cur);
    cursor_skip(cur, 1);
    if (inbound > 1 || interface > SA_CONFIGURED || esn > 1)
        return ERR_VALUE;
    sa->inbound = inbound;
    sa->interface = interface;
    sa->suite.esn = esn;
    sa->suite.key_bits = get_u16(cur);
    cursor_skip(cur, 6);
    sa->ticket = get_u64(cur);
    sa->soft.packets = get_u64(cur);
    sa->hard.packets = get_u64(cur);
    return ERR_OK;
}

static void write_x_ports(struct builder *b, const struct pfkey_message *m)
{
    const struct sa_params *sa = &m->sa;
    if (sa->protocol == 0)
        return;
    put_u16(b, sa->protocol);
    put_u16(b, sa->src_ports.first);
    put_u16(b, sa->src_ports.last);
    put_u16(b, sa->dst_ports.first);
    put_u16(b, sa->dst_ports.last);
}

static enum err read_x_ports(struct cursor *cur, struct pfkey_message *m)
{
    struct sa_params *sa = &m->sa;
    uint16_t protocol = get_u16(cur);
    sa->src_ports.first = get_u16(cur);
    sa->src_ports.last = get_u16(cur);
    sa->dst_ports.first = get_u16(cur);
    sa->dst_ports.last = get_u16(cur);
    if (protocol == 0 || protocol > UINT8_MAX || sa->src_ports.first > sa->src_ports.last ||
        sa->dst_ports.first > sa->dst_ports.last)
        return ERR_VALUE;
    sa->protocol = (uint8_t)protocol;
    return ERR_OK;
}

/* Lifetimes: RFC 2367 section 2.3.2. Its "allocations" are connections, not packets, so packets
 * travel in extensions of ours; its times are of a wall clock where they are not limits. */

static void write_lifetime(struct builder *b, uint64_t octets, uint64_t seconds)
{
    put_u32(b, 0);
    put_u64(b, octets);
    put_u64(b, seconds);
    put_u64(b, 0);
}

static void read_lifetime(struct cursor *cur, uint64_t *ret_octets, uint64_t *ret_seconds)
{
    cursor_skip(cur, 4);
    *ret_octets = get_u64(cur);
    *ret_seconds = get_u64(cur);
    cursor_skip(cur, 8);
}

static void write_soft(struct builder *b, const struct pfkey_message *m)
{
    write_lifetime(b, m->sa.soft.octets, m->sa.soft.seconds);
}

static enum err read_soft(struct cursor *cur, struct pfkey_message *m)
{
    read_lifetime(cur, &m->sa.soft.octets, &m->sa.soft.seconds);
    return ERR_OK;
}

static void write_hard(struct builder *b, const struct pfkey_message *m)
{
    write_lifetime(b, m->sa.hard.octets, m->sa.hard.seconds);
}

static enum err read_hard(struct cursor *cur, struct pfkey_message *m)
{
    read_lifetime(cur, &m->sa.hard.octets, &m->sa.hard.seconds);
    return ERR_OK;
}

static void write_current(struct builder *b, const struct pfkey_message *m)
{
    write_lifetime(b, m->octets, 0);
}

static enum err read_current(struct cursor *cur, struct pfkey_message *m)
{
    uint64_t added_at;
    read_lifetime(cur, &m->octets, &added_at);
    return ERR_OK;
}

static void write_x_counts(struct builder *b, const struct pfkey_message *m)
{
    put_u32(b, 0);
    put_u64(b, m->packets);
    put_u64(b, m->age_s);
}

static enum err read_x_counts(struct cursor *cur, struct pfkey_message *m)
{
    cursor_skip(cur, 4);
    m->packets = get_u64(cur);
    m->age_s = get_u64(cur);
    return ERR_OK;
}

/* Addresses: RFC 2367 section 2.3.3 */

static void write_sockaddr(struct builder *b, const struct ip_addr *addr, uint8_t bits,
                           uint16_t port)
{
    if (addr->family == IP_NONE)
        return;
    builder_u8(b, 0); /* any protocol */
    builder_u8(b, bits);
    builder_u16(b, 0);
    put_u16(b, addr->family == IP_V4 ? AF_INET : AF_INET6);
    builder_u16(b, port);
    if (addr->family == IP_V6)
        builder_u32(b, 0); /* flow information */
    builder_view(b, ip_addr_view(addr));
    builder_fill(b, 0, addr->family == IP_V6 ? sizeof(uint32_t) : SOCKADDR_V4_ZEROS);
}

static void write_address(struct builder *b, const struct ip_addr *addr, uint8_t bits)
{
    write_sockaddr(b, addr, bits, 0);
}

static enum err read_sockaddr(struct cursor *cur, struct ip_addr *ret_addr, uint8_t *ret_bits,
                              uint16_t *ret_port)
{
    cursor_skip(cur, 1);
    uint8_t bits = cursor_u8(cur);
    cursor_skip(cur, 2);
    uint16_t family = get_u16(cur);
    *ret_port = cursor_u16(cur); /* network order, as in every sockaddr */
    if (family == AF_INET) {
        *ret_addr = ip_addr_from(cursor_take(cur, 4));
        cursor_skip(cur, SOCKADDR_V4_ZEROS);
    } else if (family == AF_INET6) {
        cursor_skip(cur, 4);
        *ret_addr = ip_addr_from(cursor_take(cur, 16));
        cursor_skip(cur, 4);
    } else {
        return ERR_VALUE;
    }
    if (bits > ip_addr_bits(ret_addr))
        return ERR_VALUE;
    *ret_bits = bits;
    return ERR_OK;
}

static enum err read_address(struct cursor *cur, struct ip_addr *ret_addr, uint8_t *ret_bits)
{
    uint16_t port;
    return read_sockaddr(cur, ret_addr, ret_bits, &port);
}

static void write_host(struct builder *b, const struct ip_addr *addr)
{
    write_address(b, addr, (uint8_t)ip_addr_bits(addr));
}

static enum err read_host(struct cursor *cur, struct ip_addr *ret)
{
    uint8_t bits;
    return read_address(cur, ret, &bits);
}

static enum err read_prefix(struct cursor *cur, struct ip_prefix *ret)
{
    struct ip_addr addr;
    uint8_t bits;
    enum err err = read_address(cur, &addr, &bits);
    if (err != ERR_OK)
        return err;
    *ret = ip_prefix_of(&addr, bits);
    return ip_addr_equal(&ret->addr, &addr) ? ERR_OK : ERR_VALUE;
}

#define HOST_EXT(name, field)                                                                      \
    static void write_##name(struct builder *b, const struct pfkey_message *m)                     \
    {                                                                                              \
        write_host(b, &m->field);                                                                  \
    }                                                                                              \
    static enum err read_##name(struct cursor *cur, struct pfkey_message *m)                       \
    {                                                                                              \
        return read_host(cur, &m->field);                                                          \
    }

#define PREFIX_EXT(name, field)                                                                    \
    static void write_##name(struct builder *b, const struct pfkey_message *m)                     \
    {                                                                                              \
        write_address(b, &m->field.addr, m->field.bits);                                           \
    }                                                                                              \
    static enum err read_##name(struct cursor *cur, struct pfkey_message *m)                       \
    {                                                                                              \
        return read_prefix(cur, &m->field);                                                        \
    }

#define ENDPOINT_EXT(name, field)                                                                  \
    static void write_##name(struct builder *b, const struct pfkey_message *m)                     \
    {                                                                                              \
        write_sockaddr(b, &m->field.addr, (uint8_t)ip_addr_bits(&m->field.addr), m->field.port);   \
    }                                                                                              \
    static enum err read_##name(struct cursor *cur, struct pfkey_message *m)                       \
    {                                                                                              \
        uint8_t bits;                                                                              \
        return read_sockaddr(cur, &m->field.addr, &bits, &m->field.port);                          \
    }

HOST_EXT(outer_src, sa.outer_src)
HOST_EXT(outer_dst, sa.outer_dst)
HOST_EXT(flow_src, flow.src)
HOST_EXT(flow_dst, flow.dst)
HOST_EXT(peer, peer)
ENDPOINT_EXT(new_src, new_src)
ENDPOINT_EXT(new_dst, new_dst)
PREFIX_EXT(inner_src, sa.inner_src)
PREFIX_EXT(inner_dst, sa.inner_dst)

/* Keys: RFC 2367 section 2.3.4. The salt of AES-GCM follows its key, as Linux has it. */

static void write_key(struct builder *b, const uint8_t *key, uint8_t len)
{
    if (len == 0)
        return;
    put_u16(b, (uint16_t)(8 * len));
    put_u16(b, 0);
    builder_bytes(b, key, len);
}

static enum err read_key(struct cursor *cur, uint8_t *ret_key, size_t room, uint8_t *ret_len)
{
    uint16_t bits = get_u16(cur);
    cursor_skip(cur, 2);
    if (bits == 0 || bits % 8 != 0 || bits / 8 > room)
        return ERR_VALUE;
    cursor_copy(cur, ret_key, bits / 8);
    *ret_len = (uint8_t)(bits / 8);
    return ERR_OK;
}

static void write_key_encrypt(struct builder *b, const struct pfkey_message *m)
{
    write_key(b, m->sa.cipher_key, m->sa.cipher_key_len);
}

static enum err read_key_encrypt(struct cursor *cur, struct pfkey_message *m)
{
    return read_key(cur, m->sa.cipher_key, SA_KEY_MAX, &m->sa.cipher_key_len);
}

static void write_key_auth(struct builder *b, const struct pfkey_message *m)
{
    write_key(b, m->sa.auth_key, m->sa.auth_key_len);
}

static enum err read_key_auth(struct cursor *cur, struct pfkey_message *m)
{
    return read_key(cur, m->sa.auth_key, SA_AUTH_KEY_MAX, &m->sa.auth_key_len);
}

/* SPI range: RFC 2367 section 2.3.9; host order, unlike the SPI itself */

static void write_spi_range(struct builder *b, const struct pfkey_message *m)
{
    put_u32(b, m->spi_min);
    put_u32(b, m->spi_max);
    put_u32(b, 0);
}

static enum err read_spi_range(struct cursor *cur, struct pfkey_message *m)
{
    m->spi_min = get_u32(cur);
    m->spi_max = get_u32(cur);
    cursor_skip(cur, 4);
    return m->spi_min <= m->spi_max ? ERR_OK : ERR_VALUE;
}

/* UDP and TCP encapsulation, as Linux and KAME carry it */

static bool has_udp(const struct pfkey_message *m)
{
    return m->sa.udp_src != 0 || m->sa.udp_dst != 0;
}

static void write_nat_t_type(struct builder *b, const struct pfkey_message *m)
{
    if (!has_udp(m))
        return;
    builder_u8(b, m->sa.stream != 0 ? TCP_ENCAP_ESPINTCP : UDP_ENCAP_ESPINUDP);
    builder_fill(b, 0, 3);
}

static enum err read_nat_t_type(struct cursor *cur, struct pfkey_message *m)
{
    (void)m; /* the ports and the stream say it all */
    uint8_t type = cursor_u8(cur);
    cursor_skip(cur, 3);
    return type == UDP_ENCAP_ESPINUDP || type == TCP_ENCAP_ESPINTCP ? ERR_OK : ERR_UNSUPPORTED;
}

static void write_nat_t_port(struct builder *b, const struct pfkey_message *m, uint16_t port)
{
    if (!has_udp(m))
        return;
    builder_u16(b, port); /* in network order, like every port */
    builder_u16(b, 0);
}

static uint16_t read_nat_t_port(struct cursor *cur)
{
    uint16_t port = cursor_u16(cur);
    cursor_skip(cur, 2);
    return port;
}

static void write_nat_t_sport(struct builder *b, const struct pfkey_message *m)
{
    write_nat_t_port(b, m, m->sa.udp_src);
}

static enum err read_nat_t_sport(struct cursor *cur, struct pfkey_message *m)
{
    m->sa.udp_src = read_nat_t_port(cur);
    return ERR_OK;
}

static void write_nat_t_dport(struct builder *b, const struct pfkey_message *m)
{
    write_nat_t_port(b, m, m->sa.udp_dst);
}

static enum err read_nat_t_dport(struct cursor *cur, struct pfkey_message *m)
{
    m->sa.udp_dst = read_nat_t_port(cur);
    return ERR_OK;
}

static void write_stream(struct builder *b, const struct pfkey_message *m)
{
    if (m->sa.stream != 0)
        put_u32(b, m->sa.stream);
}

static enum err read_stream(struct cursor *cur, struct pfkey_message *m)
{
    m->sa.stream = get_u32(cur);
    return m->sa.stream != 0 ? ERR_OK : ERR_VALUE;
}

/* Small ones of ours: an octet, a number, or nothing but their presence */

static void write_octet(struct builder *b, uint8_t value)
{
    builder_u8(b, value);
    builder_fill(b, 0, 3);
}

static enum err read_octet(struct cursor *cur, uint8_t most, uint8_t *ret)
{
    *ret = cursor_u8(cur);
    cursor_skip(cur, 3);
    return *ret <= most ? ERR_OK : ERR_VALUE;
}

static void write_number(struct builder *b, uint64_t value)
{
    put_u32(b, 0);
    put_u64(b, value);
}

static uint64_t read_number(struct cursor *cur)
{
    cursor_skip(cur, 4);
    return get_u64(cur);
}

static void write_verdict(struct builder *b, const struct pfkey_message *m)
{
    write_octet(b, m->verdict);
}

static enum err read_verdict(struct cursor *cur, struct pfkey_message *m)
{
    return read_octet(cur, PFKEY_VERDICT_ENCRYPT, &m->verdict);
}

static void write_trace(struct builder *b, const struct pfkey_message *m)
{
    write_octet(b, m->trace);
}

static enum err read_trace(struct cursor *cur, struct pfkey_message *m)
{
    return read_octet(cur, PFKEY_TRACE_SECOND_OUT, &m->trace);
}

static void write_presence(struct builder *b, const struct pfkey_message *m)
{
    (void)m;
    put_u32(b, 0);
}

static enum err read_presence(struct cursor *cur, struct pfkey_message *m)
{
    (void)m;
    cursor_skip(cur, 4);
    return ERR_OK;
}

static void write_last_use(struct builder *b, const struct pfkey_message *m)
{
    write_number(b, (uint64_t)m->idle_ms);
}

static enum err read_last_use(struct cursor *cur, struct pfkey_message *m)
{
    m->idle_ms = (int64_t)read_number(cur);
    return m->idle_ms >= -1 ? ERR_OK : ERR_VALUE;
}

static void write_ticket(struct builder *b, const struct pfkey_message *m)
{
    write_number(b, m->ticket);
    write_number(b, m->note);
}

static enum err read_ticket(struct cursor *cur, struct pfkey_message *m)
{
    m->ticket = read_number(cur);
    m->note = read_number(cur);
    return ERR_OK;
}

static void write_counter(struct builder *b, const struct pfkey_message *m)
{
    size_t len = strnlen(m->counter_name, sizeof(m->counter_name) - 1);
    write_number(b, m->counter);
    builder_bytes(b, m->counter_name, len);
    builder_fill(b, 0, sizeof(m->counter_name) - len);
}

static enum err read_counter(struct cursor *cur, struct pfkey_message *m)
{
    m->counter = read_number(cur);
    cursor_copy(cur, m->counter_name, sizeof(m->counter_name));
    size_t len = strnlen(m->counter_name, sizeof(m->counter_name));
    return len < sizeof(m->counter_name) ? ERR_OK : ERR_VALUE;
}

static const struct pfkey_ext exts[] = {
    {PFKEY_EXT_SA, PFKEY_HAS_SA, write_sa, read_sa},
    {PFKEY_EXT_X_SA, PFKEY_HAS_SA, write_x_sa, read_x_sa},
    {PFKEY_EXT_LIFETIME_CURRENT, PFKEY_HAS_COUNTS, write_current, read_current},
    {PFKEY_EXT_LIFETIME_HARD, PFKEY_HAS_SA, write_hard, read_hard},
    {PFKEY_EXT_LIFETIME_SOFT, PFKEY_HAS_SA, write_soft, read_soft},
    {PFKEY_EXT_X_COUNTS, PFKEY_HAS_COUNTS, write_x_counts, read_x_counts},
    {PFKEY_EXT_ADDRESS_SRC, PFKEY_HAS_SA, write_outer_src, read_outer_src},
    {PFKEY_EXT_ADDRESS_DST, PFKEY_HAS_SA, write_outer_dst, read_outer_dst},
    {PFKEY_EXT_X_INNER_SRC, PFKEY_HAS_SA, write_inner_src, read_inner_src},
    {PFKEY_EXT_X_INNER_DST, PFKEY_HAS_SA, write_inner_dst, read_inner_dst},
    {PFKEY_EXT_X_PORTS, PFKEY_HAS_SA, write_x_ports, read_x_ports},
    {PFKEY_EXT_NAT_T_TYPE, PFKEY_HAS_SA, write_nat_t_type, read_nat_t_type},
    {PFKEY_EXT_NAT_T_SPORT, PFKEY_HAS_SA, write_nat_t_sport, read_nat_t_sport},
    {PFKEY_EXT_NAT_T_DPORT, PFKEY_HAS_SA, write_nat_t_dport, read_nat_t_dport},
    {PFKEY_EXT_X_STREAM, PFKEY_HAS_SA, write_stream, read_stream},
    {PFKEY_EXT_KEY_AUTH, PFKEY_HAS_KEYS, write_key_auth, read_key_auth},
    {PFKEY_EXT_KEY_ENCRYPT, PFKEY_HAS_KEYS, write_key_encrypt, read_key_encrypt},
    {PFKEY_EXT_SPIRANGE, PFKEY_HAS_SPI_RANGE, write_spi_range, read_spi_range},
    {PFKEY_EXT_X_FLOW_SRC, PFKEY_HAS_FLOW, write_flow_src, read_flow_src},
    {PFKEY_EXT_X_FLOW_DST, PFKEY_HAS_FLOW, write_flow_dst, read_flow_dst},
    {PFKEY_EXT_X_VERDICT, PFKEY_HAS_VERDICT, write_verdict, read_verdict},
    {PFKEY_EXT_X_LAST_USE, PFKEY_HAS_LAST_USE, write_last_use, read_last_use},
    {PFKEY_EXT_X_TRACE, PFKEY_HAS_TRACE, write_trace, read_trace},
    {PFKEY_EXT_X_EXPIRE_HARD, PFKEY_HAS_EXPIRE_HARD, write_presence, read_presence},
    {PFKEY_EXT_X_COUNTER, PFKEY_HAS_COUNTER, write_counter, read_counter},
    {PFKEY_EXT_X_PEER, PFKEY_HAS_PEER, write_peer, read_peer},
    {PFKEY_EXT_X_NEW_ADDRESS_SRC, PFKEY_HAS_NEW_ENDS, write_new_src, read_new_src},
    {PFKEY_EXT_X_NEW_ADDRESS_DST, PFKEY_HAS_NEW_ENDS, write_new_dst, read_new_dst},
    {PFKEY_EXT_X_TICKET, PFKEY_HAS_TICKET, write_ticket, read_ticket},
    {PFKEY_EXT_X_END, PFKEY_HAS_END, write_presence, read_presence},
};

const struct pfkey_ext *pfkey_exts(size_t *ret_count)
{
    *ret_count = ARRAY_LEN(exts);
    return exts;
}

const struct pfkey_ext *pfkey_ext_find(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_LEN(exts); i++)
        if (exts[i].type == type)
            return &exts[i];
    return NULL;
}
