/* Records as keyds have them saved: of gateways of the simulator that have a tunnel, both versions. */
#include "seeds.h"

#include <stdio.h>

#include "gateways.h"
#include "ike/record.h"
#include "ike/v2/v2.h"

enum { ALICE, TUNNEL_S = 5 };

static const char *kind_of(struct view record)
{
    static const char *const kinds[] = {
        [RECORD_SA] = "phase1", [RECORD_CHILD] = "child", [RECORD_V2_SA] = "ike2", [RECORD_V2_CHILD] = "child2",
        [RECORD_V2_TICKET] = "ticket"};
    return kinds[record.ptr[1]];
}

static void put_records(const struct seed_sink *sink, const struct sim_gateway *g, const char *role)
{
    char name[64];
    for (const struct sim_record *r = g->records; r != NULL; r = r->next) {
        struct view record = view_of(r->octets, r->len);
        snprintf(name, sizeof(name), "%s-%s", kind_of(record), role);
        seed_put(sink, name, record);
        snprintf(name, sizeof(name), "%s-%s-cut", kind_of(record), role);
        seed_put(sink, name, view_of(record.ptr, record.len - 9));
    }
}

/* Of an initiator; opportunistic gateways have none. */
static void put_ticket(const struct seed_sink *sink)
{
    static const uint8_t opaque[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    uint8_t room[512];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    struct v2_session session = {.profile = 5,
                                 .peer_method = IKE_BY_PSK,
                                 .suite = {.protect = {.cipher = AEAD_AES_GCM_16, .key_bits = 256},
                                           .prf = HASH_SHA2_256,
                                           .method = IKE2_KE_CURVE25519}};
    const struct ip_addr remote = {.family = IP_V4, .octets = {192, 0, 2, 1}};
    session.own_id = session.peer_id = identity_of_addr(&remote);
    builder_u8(&b, RECORD_VERSION);
    builder_u8(&b, RECORD_V2_TICKET);
    builder_u64(&b, 3);
    record_put_addr(&b, &remote);
    builder_u64(&b, 10000000);
    builder_u16(&b, sizeof(opaque));
    builder_bytes(&b, opaque, sizeof(opaque));
    session_put(&b, &session);
    seed_put(sink, "ticket", builder_written(&b));
    seed_put(sink, "ticket-cut", view_of(room, b.len - 9));
}

void seeds_saved(const struct seed_sink *sink)
{
    static const enum ike_version versions[] = {IKE_VERSION_1, IKE_VERSION_2};
    static const uint8_t other[] = {0, RECORD_SA, 1, 2, 3};

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        static struct world world;
        gateways_open(&world, versions[i]);
        struct sim_gateway *const *g = world.gateways;
        gateways_send(&world, GATEWAY_SUBJECT, &g[GATEWAY_SUBJECT]->hosts[ALICE], &g[GATEWAY_PEER]->hosts[ALICE]);
        gateways_run(&world, INT64_C(1000000) * TUNNEL_S);
        put_records(sink, g[GATEWAY_SUBJECT], "initiator");
        put_records(sink, g[GATEWAY_PEER], "responder");
        world_fini(&world);
    }
    put_ticket(sink);
    seed_put(sink, "empty", view_of(NULL, 0));
    seed_put(sink, "other-version", view_of(other, sizeof(other)));
}
