#include "seeds.h"

#include <stdio.h>

#include "wire/rsip.h"

static uint8_t room[RSIP_MESSAGE_MAX];

static struct rsip_address v4(const char *text)
{
    struct rsip_address address = {.type = RSIP_ADDR_V4};
    (void)ip_addr_parse(text, &address.addr);
    return address;
}

static struct view build(const struct rsip_message *m)
{
    struct builder b = builder_on(span_of(room, sizeof(room)));
    rsip_build(&b, m);
    return builder_written(&b);
}

/* What an SOHO gateway and its host would say; a message takes of it what it has. */
static struct rsip_message conversation(void)
{
    return (struct rsip_message){
        .client_id = 0x3f21c605,
        .bind_id = 2,
        .lease_s = 1800,
        .counter = 3,
        .local = v4("149.112.240.156"),
        .remote = v4("38.196.73.6"),
        .endpoint = v4("10.0.0.1"),
        .local_ports = {.form = RSIP_RANGE_RUN, .count = 4, .ports = {1234}},
        .remote_ports = {.form = RSIP_RANGE_RUN, .count = 1, .ports = {21}},
        .spi = {.form = RSIP_RANGE_RUN, .count = 1, .spis = {0x8f31c2aa}},
        .error = RSIP_E_IPSEC_SPI_INUSE,
        .flow_local = RSIP_FLOW_MICRO,
        .flow_remote = RSIP_FLOW_MICRO,
        .tunnels = {RSIP_TUNNEL_IPIP},
        .tunnel_count = 1,
        .methods = {RSIP_METHOD_RSAP, RSIP_METHOD_RSA, RSIP_METHOD_IPSEC},
        .method_count = 3,
        .tuples = {{.indicator = RSIP_TUPLE_NETWORK,
                    .address = v4("10.20.60.0"),
                    .netmask = v4("255.255.255.0")}},
        .tuple_count = 1,
        .present = RSIP_F_VENDOR - 1,
    };
}

static void put_variants(const struct seed_sink *sink, struct rsip_message m)
{
    m.type = RSIP_ASSIGN_REQUEST_IPSEC;
    m.local.any = m.remote.any = true;
    m.local_ports = m.remote_ports = (struct rsip_ports){.form = RSIP_RANGE_NONE};
    m.spi = (struct rsip_spis){.form = RSIP_RANGE_ANY, .count = 3};
    seed_put(sink, "ports-not-needed", build(&m));
    m.local_ports = (struct rsip_ports){RSIP_RANGE_LIST, 3, {1000, 1002, 60000}};
    m.remote_ports = (struct rsip_ports){RSIP_RANGE_ZERO, 1, {0}};
    m.spi = (struct rsip_spis){RSIP_RANGE_LIST, 2, {4096, 70000}};
    m.remote = (struct rsip_address){.type = RSIP_ADDR_NAME, .name = view_of_text("www.bar.com")};
    seed_put(sink, "lists", build(&m));
    m.type = RSIP_DEREGISTER_REQUEST;
    m.present |= RSIP_F_VENDOR;
    m.vendor = view_of_text("vendor");
    seed_put(sink, "vendor", build(&m));
    struct view whole = build(&m);
    seed_put(sink, "hostile-cut", view_of(whole.ptr, whole.len - 1));
    room[3]--;
    seed_put(sink, "hostile-length", view_of(whole.ptr, whole.len - 1));
    room[6] = 0xff; /* the length of a parameter reaches behind the message */
    seed_put(sink, "hostile-parameter", view_of(whole.ptr, whole.len - 1));
}

void seeds_rsip(const struct seed_sink *sink)
{
    struct rsip_message m = conversation();
    char name[40];

    m.tuples[0].netmask.type = RSIP_ADDR_NETMASK;
    for (unsigned type = 0; type < 32; type++) {
        if (rsip_type_name(type) == NULL)
            continue;
        m.type = (enum rsip_type)type;
        snprintf(name, sizeof(name), "good-%02u", type);
        seed_put(sink, name, build(&m));
    }
    put_variants(sink, conversation());
}
