#include "daemon/virtual_address.h"

#include <stdio.h>

#include "daemon/log.h"
#include "plane/io/address.h"

void virtual_address_format(const struct ip_addr *address, const struct ip_prefix *net, char *ret)
{
    char a[IP_ADDR_TEXT_MAX], n[IP_PREFIX_TEXT_MAX];
    snprintf(ret, VIRTUAL_ADDRESS_TEXT_MAX, "%s %s", ip_addr_format(address, a),
             ip_prefix_format(net, n));
}

/* keyd may ask for nothing else. */
static bool is_configured(const struct cygnet_config *config, const struct ip_addr *address,
                          const struct ip_prefix *net)
{
    for (size_t i = 0; i < config->connection_count; i++) {
        const struct config_connection *c = &config->connections[i];
        for (uint32_t j = 0; c->want_address && j < c->selector_count; j++) {
            const struct traffic_pair *t = &config->selectors[c->first_selector + j].traffic;
            if (ip_prefix_contains(&t->local.net, address) &&
                ip_prefix_overlaps(&t->remote.net, net) && t->remote.net.bits <= net->bits)
                return true;
        }
    }
    return false;
}

static bool split(const char *text, struct ip_addr *ret_address, struct ip_prefix *ret_net)
{
    char address[IP_ADDR_TEXT_MAX];
    const char *space = strchr(text, ' ');
    size_t len = space != NULL ? (size_t)(space - text) : sizeof(address);

    if (len >= sizeof(address))
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    return ip_addr_parse(address, ret_address) && ip_prefix_parse(space + 1, ret_net);
}

bool virtual_address_apply(const struct cygnet_config *config, const char *text, bool set)
{
    struct ip_addr address;
    struct ip_prefix net;

    if (!split(text, &address, &net) || !is_configured(config, &address, &net)) {
        log_line(EVENT_ERROR, "keyd asks for an address that is not configured: %.80s", text);
        return false;
    }
    if (io_address_set("vpn0", &address, &net, set))
        return true;
    log_line(EVENT_ERROR, "can't put the virtual address %.80s on vpn0", text);
    return false;
}
