/*
 * The simulated DNS: reverse zones of hosts and gateways, true, missing, wrong or forged.
 */
#include "world.h"

#include <stdio.h>

static struct dnsrec_gateway record_of(const struct sim_gateway *g, uint16_t precedence)
{
    return (struct dnsrec_gateway){
        .precedence = precedence, .gateway = identity_of_addr(&g->addr), .key = g->public_key};
}

static void add_txt(struct dns_answer *ret, struct sim_answer_storage *storage,
                    const struct dnsrec_gateway *record)
{
    uint8_t *room = storage->octets[ret->count];
    size_t len;

    if (dnsrec_txt_build(record, span_of(room, sizeof(storage->octets[0])), &len) != ERR_OK)
        return;
    ret->rdata[ret->count++] = view_of(room, len);
    ret->status = DNS_FOUND;
}

/* With each of its keys, while they roll over. */
static void add_real(const struct sim_gateway *g, struct dns_answer *ret,
                     struct sim_answer_storage *storage)
{
    struct dnsrec_gateway record = record_of(g, 20);

    add_txt(ret, storage, &record);
    if (g->also.alg == KEY_NONE)
        return;
    record.key = g->also;
    add_txt(ret, storage, &record);
}

static void answer_txt(struct world *w, const struct sim_host *host, struct dns_answer *ret,
                       struct sim_answer_storage *storage)
{
    static const uint8_t malformed[] = "\x1bX-IPsec-Server(ten)=nowhere";
    struct sim_gateway *g = host->gateway;
    struct dnsrec_gateway real = record_of(g, 20), silent = record_of(g, 10);

    silent.gateway = identity_of_addr(&w->silent);
    switch (host->delegation) {
    case SIM_NO_KEY:
        real.key = (struct public_key){0};
        add_txt(ret, storage, &real);
        break;
    case SIM_MALFORMED:
        ret->status = DNS_FOUND;
        ret->rdata[ret->count++] = view_of(malformed, sizeof(malformed) - 1);
        break;
    case SIM_BOGUS:
        ret->status = DNS_BOGUS;
        snprintf(ret->why, sizeof(ret->why), "signature is wrong");
        break;
    case SIM_WRONG_KEY:
        real.key = w->gateways[((size_t)g->number + 1) % w->gateway_count]->public_key;
        add_txt(ret, storage, &real);
        break;
    case SIM_SILENT:
        add_txt(ret, storage, &silent);
        break;
    case SIM_TWO:
        add_txt(ret, storage, &silent);
        add_real(g, ret, storage);
        break;
    case SIM_UNSIGNED:
        ret->secure = false;
        add_real(g, ret, storage);
        break;
    case SIM_GOOD:
        add_real(g, ret, storage);
        if (host->also != NULL)
            add_real(host->also, ret, storage);
        break;
    case SIM_ABSENT:
    case SIM_DELEGATIONS:
        break;
    }
}

static void add_key(struct dns_answer *ret, struct sim_answer_storage *storage,
                    const struct public_key *key)
{
    uint8_t *room = storage->octets[ret->count];
    size_t len;

    if (dnsrec_key_build(key, span_of(room, sizeof(storage->octets[0])), &len) != ERR_OK)
        return;
    ret->rdata[ret->count++] = view_of(room, len);
    ret->status = DNS_FOUND;
}

static void answer_key(const struct sim_gateway *g, struct dns_answer *ret,
                       struct sim_answer_storage *storage)
{
    add_key(ret, storage, &g->public_key);
    if (g->also.alg != KEY_NONE)
        add_key(ret, storage, &g->also);
}

static bool addr_of_reverse_v6(const char *name, struct ip_addr *ret)
{
    uint8_t octets[16] = {0};

    if (strlen(name) != 73 || strcmp(name + 64, "ip6.arpa.") != 0)
        return false;
    for (int i = 0; i < 32; i++) {
        unsigned digit;
        if (sscanf(name + 2 * i, "%1x.", &digit) != 1)
            return false;
        octets[15 - i / 2] |= (uint8_t)(digit << (i % 2 ? 4 : 0));
    }
    *ret = ip_addr_from(view_of(octets, sizeof(octets)));
    return true;
}

static bool addr_of_reverse(const char *name, struct ip_addr *ret)
{
    uint8_t o[4];
    int end = 0;

    if (sscanf(name, "%3hhu.%3hhu.%3hhu.%3hhu.in-addr.arpa.%n", &o[3], &o[2], &o[1], &o[0], &end) !=
            4 ||
        end == 0 || name[end] != '\0')
        return addr_of_reverse_v6(name, ret);
    *ret = ip_addr_from(view_of(o, sizeof(o)));
    return true;
}

void names_answer(struct world *w, const char *name, uint16_t type, struct dns_answer *ret,
                  struct sim_answer_storage *storage)
{
    struct ip_addr addr;

    *ret = (struct dns_answer){.status = DNS_ABSENT, .secure = true, .ttl_s = w->ttl_s};
    if (world_chance(w, w->faults.dns_servfail)) {
        ret->status = DNS_TIMEOUT;
        ret->ttl_s = 0;
        snprintf(ret->why, sizeof(ret->why), "SERVFAIL");
        return;
    }
    if (!addr_of_reverse(name, &addr))
        return;
    const struct sim_gateway *g = world_find_gateway(w, &addr);
    const struct sim_host *host = world_find_host(w, &addr);
    if (type == DNS_TYPE_KEY && g != NULL)
        answer_key(g, ret, storage);
    if (type == DNS_TYPE_TXT && host != NULL)
        answer_txt(w, host, ret, storage);
}
