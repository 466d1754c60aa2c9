/*
 * What outlives a gateway's daemons: saved SAs, until a reboot, and the list of peers.
 */
#include "world.h"

static struct sim_record **find(struct sim_gateway *g, uint64_t number)
{
    struct sim_record **at = &g->records;
    while (*at != NULL && (*at)->number != number)
        at = &(*at)->next;
    return at;
}

void disk_forget(struct sim_gateway *g, uint64_t number)
{
    struct sim_record **at = find(g, number), *record = *at;
    if (record == NULL)
        return;
    *at = record->next;
    world_release(g->world, record);
}

void disk_save(struct sim_gateway *g, uint64_t number, struct view bytes)
{
    struct sim_record *record = world_resize(g->world, NULL, sizeof(*record) + bytes.len);
    disk_forget(g, number);
    *record = (struct sim_record){.number = number, .next = g->records, .len = bytes.len};
    memcpy(record->octets, bytes.ptr, bytes.len);
    g->records = record;
}

void disk_peer(struct sim_gateway *g, const struct control_effect *fx)
{
    struct sim_peer **at = &g->peers;
    while (*at != NULL && !(ip_addr_equal(&(*at)->local, &fx->local.addr) &&
                            ip_addr_equal(&(*at)->remote, &fx->remote.addr)))
        at = &(*at)->next;
    struct sim_peer *peer = *at;
    if (peer != NULL && fx->ok) {
        peer->former = false;
    } else if (peer != NULL) {
        *at = peer->next;
        world_release(g->world, peer);
    } else if (fx->ok) {
        peer = world_resize(g->world, NULL, sizeof(*peer));
        *peer = (struct sim_peer){
            .local = fx->local.addr, .remote = fx->remote.addr, .id = fx->peer_id, .next = g->peers};
        g->peers = peer;
    }
}

void disk_reboot(struct sim_gateway *g)
{
    while (g->records != NULL)
        disk_forget(g, g->records->number);
    world_release(g->world, g->memory);
    g->memory = NULL;
    for (struct sim_peer *peer = g->peers; peer != NULL; peer = peer->next)
        peer->former = true;
}

/* Established phase 1 SAs and children: each must be there again, unless its time is over. */
struct sim_memory {
    size_t sa_count, child_count;
    struct ike_sa_info sas[64];
    struct ike_child_info children[64];
};

void disk_remember(struct sim_gateway *g)
{
    const struct ike *ike = control_ike(g->control);
    struct ike_child_info child = {.at = NULL};
    struct ike_sa_info sa;

    world_release(g->world, g->memory);
    g->memory = world_resize(g->world, NULL, sizeof(*g->memory));
    *g->memory = (struct sim_memory){0};
    for (size_t i = 0; ike_sa_info(ike, i, &sa) && g->memory->sa_count < 64; i++)
        if (sa.established)
            g->memory->sas[g->memory->sa_count++] = sa;
    while (ike_child_next(ike, &child) && g->memory->child_count < 64)
        g->memory->children[g->memory->child_count++] = child;
}

static bool has_sa(const struct ike *ike, const struct ike_sa_info *wanted)
{
    struct ike_sa_info sa;
    for (size_t i = 0; ike_sa_info(ike, i, &sa); i++)
        if (memcmp(sa.cookies, wanted->cookies, sizeof(sa.cookies)) == 0)
            return sa.established && sa.initiator == wanted->initiator &&
                   sa.expires.ms == wanted->expires.ms &&
                   identity_equal(&sa.peer_id, &wanted->peer_id);
    return false;
}

static bool has_child(const struct ike *ike, const struct ike_child_info *wanted)
{
    struct ike_child_info child;
    return ike_child_info(ike, &wanted->remote, wanted->spi_out, &child) &&
           child.spi_in.value == wanted->spi_in.value && child.ticket == wanted->ticket &&
           child.deleting == wanted->deleting;
}

void disk_check(struct sim_gateway *g)
{
    const struct ike *ike = control_ike(g->control);
    const struct sim_memory *m = g->memory;

    for (size_t i = 0; m != NULL && i < m->sa_count; i++)
        if (!mono_reached(world_now(g->world), m->sas[i].expires) && !has_sa(ike, &m->sas[i]))
            world_fail(g->world, "gw%d: a phase 1 SA did not outlive keyd", g->number);
    for (size_t i = 0; m != NULL && i < m->child_count; i++)
        if (!has_child(ike, &m->children[i]))
            world_fail(g->world, "gw%d: a child did not outlive keyd", g->number);
    world_release(g->world, g->memory);
    g->memory = NULL;
}

void disk_free(struct sim_gateway *g)
{
    disk_reboot(g);
    while (g->peers != NULL) {
        struct sim_peer *peer = g->peers;
        g->peers = peer->next;
        world_release(g->world, peer);
    }
}
