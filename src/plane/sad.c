#include "plane/sad.h"

#include <assert.h>
#include <stdlib.h>

enum { SPI_DRAWS = 64 };

void sad_init(struct sad *sad, size_t limit, const struct rng *rng)
{
    *sad = (struct sad){.limit = limit, .rng = *rng};
    list_init(&sad->all);
    map_init(&sad->inbound, MAP_KEY_OFFSET(struct sad_entry, node, key.spi), sizeof(uint32_t), rng);
    map_init(&sad->outbound, MAP_KEY_OFFSET(struct sad_entry, node, key), sizeof(struct sad_key),
             rng);
    map_init(&sad->by_ticket, MAP_KEY_OFFSET(struct sad_entry, by_ticket, params.ticket),
             sizeof(uint64_t), rng);
}

void sad_fini(struct sad *sad)
{
    while (!list_is_empty(&sad->all))
        sad_remove(sad, LIST_OWNER(sad->all.next, struct sad_entry, all));
    map_fini(&sad->inbound);
    map_fini(&sad->outbound);
    map_fini(&sad->by_ticket);
    heap_fini(&sad->timers);
}

size_t sad_count(const struct sad *sad)
{
    return sad->inbound.count + sad->outbound.count;
}

static struct sad_entry *owner(struct map_node *node)
{
    return node != NULL ? MAP_OWNER(node, struct sad_entry, node) : NULL;
}

struct sad_entry *sad_find_inbound(const struct sad *sad, uint32_t spi)
{
    return owner(map_find(&sad->inbound, &spi));
}

struct sad_entry *sad_find_outbound(const struct sad *sad, uint32_t spi, const struct ip_addr *peer)
{
    struct sad_key key = {.spi = spi, .peer = *peer};
    return owner(map_find(&sad->outbound, &key));
}

struct sad_entry *sad_find(const struct sad *sad, const struct sa_params *params)
{
    if (params->inbound)
        return sad_find_inbound(sad, params->spi.value);
    return sad_find_outbound(sad, params->spi.value, &params->outer_dst);
}

struct sad_entry *sad_find_ticket(const struct sad *sad, uint64_t ticket)
{
    struct map_node *node = ticket != 0 ? map_find(&sad->by_ticket, &ticket) : NULL;
    return node != NULL ? MAP_OWNER(node, struct sad_entry, by_ticket) : NULL;
}

/* Re-keying makes several inbound SAs of one ticket live at once: the latest goes in front. */
static bool ticket_link(struct sad *sad, struct sad_entry *sa)
{
    if (sa->params.ticket == 0 || !sa->params.inbound)
        return true;
    struct sad_entry *older = sad_find_ticket(sad, sa->params.ticket);
    if (older != NULL)
        map_remove(&sad->by_ticket, &older->by_ticket);
    if (!map_insert(&sad->by_ticket, &sa->by_ticket))
        return false; /* can only happen to the first of all, with nothing older */
    sa->older = older;
    return true;
}

static void ticket_unlink(struct sad *sad, struct sad_entry *sa)
{
    struct sad_entry *at = sad_find_ticket(sad, sa->params.ticket);
    if (at == NULL || !sa->params.inbound)
        return;
    if (at == sa) {
        map_remove(&sad->by_ticket, &sa->by_ticket);
        bool linked = sa->older == NULL || map_insert(&sad->by_ticket, &sa->older->by_ticket);
        assert(linked);
        (void)linked;
        return;
    }
    while (at != NULL && at->older != sa)
        at = at->older;
    if (at != NULL)
        at->older = sa->older;
}

static void keep_params(struct sad_entry *sa, const struct sa_params *params)
{
    spi_t spi = {sa->key.spi};
    sa->params = *params;
    sa->params.spi = spi;
    secret_wipe(sa->params.cipher_key, sizeof(sa->params.cipher_key));
    secret_wipe(sa->params.auth_key, sizeof(sa->params.auth_key));
    sa->params.cipher_key_len = sa->params.auth_key_len = 0;
}

/* An entry in table, heap and list, without keys. */
static struct sad_entry *insert(struct sad *sad, mono_t now, uint32_t spi,
                                const struct sa_params *params)
{
    struct sad_entry *sa = calloc(1, sizeof(*sa));
    if (sa == NULL)
        return NULL;
    sa->key.spi = spi;
    if (!params->inbound)
        sa->key.peer = params->outer_dst;
    keep_params(sa, params);
    sa->added = now;
    sa->used = MONO_NEVER;
    list_init(&sa->users);
    if (!heap_set(&sad->timers, &sa->timer, HEAP_IDLE)) {
        free(sa);
        return NULL;
    }
    if (!map_insert(params->inbound ? &sad->inbound : &sad->outbound, &sa->node)) {
        heap_remove(&sad->timers, &sa->timer);
        free(sa);
        return NULL;
    }
    list_push(&sad->all, &sa->all);
    return sa;
}

void sad_remove(struct sad *sad, struct sad_entry *sa)
{
    assert(list_is_empty(&sa->users));
    if (sa->esp != NULL) {
        ticket_unlink(sad, sa);
        esp_sa_free(sa->esp);
    }
    list_remove(&sa->all);
    heap_remove(&sad->timers, &sa->timer);
    map_remove(sa->params.inbound ? &sad->inbound : &sad->outbound, &sa->node);
    free(sa);
}

/* Random draws, then, from a random place on, every SPI of a range so small or full that they
 * failed. */
static bool draw_spi(const struct sad *sad, uint32_t least, uint32_t most, uint32_t *ret)
{
    uint64_t width = (uint64_t)most - least + 1;
    uint64_t looked_at = width < 2 * sad->limit ? width : 2 * sad->limit;
    uint32_t start = (uint32_t)(rng_u32(&sad->rng) % width);

    for (int i = 0; i < SPI_DRAWS; i++) {
        uint32_t spi = least + (uint32_t)(rng_u32(&sad->rng) % width);
        if (sad_find_inbound(sad, spi) == NULL) {
            *ret = spi;
            return true;
        }
    }
    for (uint64_t i = 0; i < looked_at; i++) {
        uint32_t spi = least + (uint32_t)((start + i) % width);
        if (sad_find_inbound(sad, spi) == NULL) {
            *ret = spi;
            return true;
        }
    }
    return false;
}

enum err sad_reserve(struct sad *sad, mono_t now, const struct sa_params *params, uint32_t spi_min,
                     uint32_t spi_max, struct sad_entry **ret)
{
    uint32_t spi;
    if (spi_min < SAD_SPI_LEAST)
        spi_min = SAD_SPI_LEAST;
    if (spi_max < spi_min)
        return ERR_VALUE;
    if (sad_count(sad) >= sad->limit || !draw_spi(sad, spi_min, spi_max, &spi))
        return ERR_LIMIT;
    struct sa_params larval = *params;
    larval.inbound = true;
    struct sad_entry *sa = insert(sad, now, spi, &larval);
    sa_params_wipe(&larval);
    if (sa == NULL)
        return ERR_MEMORY;
    *ret = sa;
    return ERR_OK;
}

/* Outer and inner addresses each of one family; keys as long as the suite wants them; AH never in UDP. */
static bool params_valid(const struct sa_params *p)
{
    return p->spi.value >= SAD_SPI_LEAST && p->outer_src.family != IP_NONE &&
           p->outer_src.family == p->outer_dst.family && p->inner_src.addr.family != IP_NONE &&
           p->inner_src.addr.family == p->inner_dst.addr.family && esp_suite_valid(&p->suite) &&
           p->cipher_key_len == esp_suite_cipher_key_len(&p->suite) &&
           p->auth_key_len == esp_suite_auth_key_len(&p->suite) &&
           (p->suite.protocol == SA_ESP || (p->udp_src == 0 && p->udp_dst == 0)) &&
           (p->stream == 0 || (p->udp_src != 0 && p->udp_dst != 0));
}

enum err sad_mature(struct sad *sad, mono_t now, struct sad_entry *sa,
                    const struct sa_params *params)
{
    if (sa->esp != NULL)
        return ERR_STATE;
    if (!params_valid(params))
        return ERR_VALUE;
    struct esp_sa *esp;
    enum err err = esp_sa_new(params, &esp);
    if (err != ERR_OK)
        return err;
    keep_params(sa, params);
    if (!ticket_link(sad, sa)) {
        esp_sa_free(esp);
        return ERR_MEMORY;
    }
    sa->esp = esp;
    sa->added = now;
    const struct ip_endpoint src = {params->outer_src, params->udp_src, 0};
    const struct ip_endpoint dst = {params->outer_dst, params->udp_dst, 0};
    sa->from = params->inbound ? src : dst;
    sa->from.stream = params->stream;
    sa->here = params->inbound ? dst : src;
    return ERR_OK;
}

/* What fits is another question on another way. */
static void outbound_moved(struct sad_entry *sa)
{
    if (!sa->params.inbound)
        esp_sa_move(sa->esp, &sa->here, &sa->from);
    sa->mtu_generation = 0;
}

enum err sad_move(struct sad_entry *sa, const struct ip_endpoint *to)
{
    if (sa->esp == NULL || sa->from.port == 0)
        return ERR_STATE;
    if (to->port == 0 || to->addr.family != sa->here.addr.family)
        return ERR_VALUE;
    sa->from = *to;
    outbound_moved(sa);
    return ERR_OK;
}

enum err sad_readdress(struct sad_entry *sa, const struct ip_endpoint *src,
                       const struct ip_endpoint *dst)
{
    if (sa->esp == NULL)
        return ERR_STATE;
    if (src->addr.family == IP_NONE || src->addr.family != dst->addr.family ||
        (src->port == 0) != (dst->port == 0) ||
        (src->port != 0 && sa->params.suite.protocol == SA_AH))
        return ERR_VALUE;
    const struct ip_endpoint *here = sa->params.inbound ? dst : src;
    if (!ip_addr_equal(&sa->here.addr, &here->addr))
        sa->before = sa->here.addr;
    sa->here = *here;
    sa->from = sa->params.inbound ? *src : *dst;
    outbound_moved(sa);
    return ERR_OK;
}

bool sad_takes(const struct sad_entry *sa, const struct ip_addr *dst)
{
    const struct ip_addr *here = sa->esp != NULL ? &sa->here.addr : &sa->params.outer_dst;
    return ip_addr_equal(here, dst) || ip_addr_equal(&sa->before, dst);
}

enum err sad_add(struct sad *sad, mono_t now, const struct sa_params *params,
                 struct sad_entry **ret)
{
    if (sad_find(sad, params) != NULL)
        return ERR_REPEATED;
    if (sad_count(sad) >= sad->limit)
        return ERR_LIMIT;
    struct sad_entry *sa = insert(sad, now, params->spi.value, params);
    if (sa == NULL)
        return ERR_MEMORY;
    enum err err = sad_mature(sad, now, sa, params);
    if (err != ERR_OK) {
        sad_remove(sad, sa);
        return err;
    }
    *ret = sa;
    return ERR_OK;
}

struct sad_entry *sad_due(struct sad *sad, mono_t now)
{
    struct heap_node *node = heap_first(&sad->timers);
    if (node == NULL || !mono_reached(now, node->at))
        return NULL;
    struct sad_entry *sa = HEAP_OWNER(node, struct sad_entry, timer);
    sad_set_timer(sad, sa, HEAP_IDLE);
    return sa;
}

void sad_set_timer(struct sad *sad, struct sad_entry *sa, mono_t at)
{
    bool done = heap_set(&sad->timers, &sa->timer, at.ms < HEAP_IDLE.ms ? at : HEAP_IDLE);
    assert(done);
    (void)done;
}
