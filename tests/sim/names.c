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
        real.key = w->gateways[((size_t)g->number + 1) % w->gateway_count].public_key;
        add_txt(ret, storage, &real);
        break;
    case SIM_SILENT:
        add_txt(ret, storage, &silent);
        break;
    case SIM_TWO:
        add_txt(ret, storage, &silent);
        add_txt(ret, storage, &real);
        break;
    case SIM_UNSIGNED:
        ret->secure = false;
        add_txt(ret, storage, &real);
        break;
    case SIM_GOOD:
        add_txt(ret, storage, &real);
        if (host->also != NULL) {
            struct dnsrec_gateway second = record_of(host->also, 20);
            add_txt(ret, storage, &second);
        }
        break;
    case SIM_ABSENT:
    case SIM_DELEGATIONS:
        break;
    }
}

static void answer_key(const struct sim_gateway *g, struct dns_answer *ret,
                       struct sim_answer_storage *storage)
{
    size_t len;

    if (dnsrec_key_build(&g->public_key, span_of(storage->octets[0], sizeof(storage->octets[0])),
                         &len) != ERR_OK)
        return;
    ret->rdata[ret->count++] = view_of(storage->octets[0], len);
    ret->status = DNS_FOUND;
}

void names_answer(struct world *w, const char *name, uint16_t type, struct dns_answer *ret,
                  struct sim_answer_storage *storage)
{
    char reverse[IP_REVERSE_TEXT_MAX];

    *ret = (struct dns_answer){.status = DNS_ABSENT, .secure = true, .ttl_s = w->ttl_s};
    if (world_chance(w, w->faults.dns_servfail)) {
        ret->status = DNS_TIMEOUT;
        snprintf(ret->why, sizeof(ret->why), "SERVFAIL");
        return;
    }
    for (size_t i = 0; i < w->gateway_count; i++) {
        struct sim_gateway *g = &w->gateways[i];
        if (type == DNS_TYPE_KEY && strcmp(ip_addr_reverse(&g->addr, reverse), name) == 0)
            answer_key(g, ret, storage);
        for (int j = 0; j < SIM_HOSTS && type == DNS_TYPE_TXT; j++)
            if (strcmp(ip_addr_reverse(&g->hosts[j].addr, reverse), name) == 0)
                answer_txt(w, &g->hosts[j], ret, storage);
    }
}
