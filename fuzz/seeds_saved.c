/* Records as keyds have them saved: of gateways of the simulator that have a tunnel, both versions. */
#include "seeds.h"

#include <stdio.h>

#include "gateways.h"
#include "ike/record.h"

enum { ALICE, TUNNEL_S = 5 };

static const char *kind_of(struct view record)
{
    static const char *const kinds[] = {
        [RECORD_SA] = "phase1", [RECORD_CHILD] = "child", [RECORD_V2_SA] = "ike2", [RECORD_V2_CHILD] = "child2"};
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
    seed_put(sink, "empty", view_of(NULL, 0));
    seed_put(sink, "other-version", view_of(other, sizeof(other)));
}
