/*
 * Datagrams at the IKE engine in each of its states. Two gateways begin a tunnel; before the
 * datagram that the input names arrives, forged ones do: altered copies of it, or made up with its
 * cookies. From the authentication of phase 1 on they must change nothing: the tunnel still comes
 * up. In the messages before, which nothing protects, they may spoil it, and the flow must still be
 * decided. The first octet also says which version of IKE the two speak.
 */
#include "fuzz.h"
#include "gateways.h"

static const int64_t LOOK_AT_US = 51000000;
enum { FORGED_MOST = 8, RAW_MOST = 1024, MESSAGE_6 = 6, PROTECTED_FROM = 5, DATAGRAMS = 12 };
enum { V2_BIT = 0x80, V2_PROTECTED_FROM = 3 };

static void forge(struct world *w, struct fuzz_input *in, const struct sim_event *honest)
{
    uint8_t octets[RAW_MOST];
    uint8_t how = input_u8(in);
    struct sim_event *forged;

    if ((how & 1) == 0) {
        forged = gateways_repeat(w, honest, 0);
        for (unsigned times = how >> 1 & 3; times < 4; times++) {
            uint16_t at = input_u16(in);
            forged->octets[at % forged->len] ^= input_u8(in);
        }
        return;
    }
    struct view raw = input_bytes(in, input_u8(in) * 4u);
    size_t head = how & 2 ? 28 : how & 4 ? 16 : how & 8 ? 8 : 0;
    if (raw.len < head || raw.len == 0)
        return;
    memcpy(octets, raw.ptr, raw.len);
    memcpy(octets, honest->octets, head);
    forged = world_event(w, SIM_EV_IKE, honest->gateway, 0, view_of(octets, raw.len));
    forged->from = honest->from;
    forged->to = honest->to;
}

/* Goes on until that datagram is on its way; false: there is none. */
static bool run_until(struct world *w, unsigned datagram)
{
    while (w->stats.ike < datagram) {
        if (w->now_us > 200000000)
            return false;
        gateways_run(w, 100);
    }
    return gateways_event(w, 0, 1u << SIM_EV_IKE) != NULL;
}

static bool keyed(const struct sim_gateway *g, const struct ip_pair *flow)
{
    struct oe_instance_info info;
    return oe_instance_find(control_oe(g->control), flow, &info) && info.state == OE_ST_KEYED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct world world;
    struct world *w = &world;
    struct fuzz_input in = {.at = data, .left = len};
    uint8_t how = input_u8(&in);
    unsigned datagram = 1 + (how & (V2_BIT - 1)) % DATAGRAMS;
    bool v2 = (how & V2_BIT) != 0;

    gateways_open(w, v2 ? IKE_VERSION_2 : IKE_VERSION_1);
    const struct sim_host *alice = &w->gateways[GATEWAY_SUBJECT]->hosts[0];
    const struct sim_host *bob = &w->gateways[GATEWAY_PEER]->hosts[0];
    const struct ip_pair flow = {.src = alice->addr, .dst = bob->addr};
    gateways_send(w, GATEWAY_SUBJECT, alice, bob);
    bool forging = run_until(w, datagram);
    for (unsigned i = 0; forging && i < FORGED_MOST && in.left > 0; i++)
        forge(w, &in, gateways_event(w, 0, 1u << SIM_EV_IKE));
    bool protected =
        v2 ? datagram >= V2_PROTECTED_FROM : datagram >= PROTECTED_FROM && datagram != MESSAGE_6;
    if (w->now_us < LOOK_AT_US) { /* the tunnel is in its first minute */
        gateways_run(w, LOOK_AT_US - w->now_us);
        assert(!protected || keyed(w->gateways[GATEWAY_SUBJECT], &flow));
    }
    gateways_end(w);
    world_fini(w);
    return 0;
}
