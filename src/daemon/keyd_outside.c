/*
 * News of the outside interfaces: addresses that come and go are keyd's own from then on, and
 * control hears of routes.
 */
#include <event2/event.h>

#include "daemon/keyd_private.h"
#include "daemon/log.h"

enum { ROUTES_SETTLE_MS = 10 }; /* one change of a network is many messages */

static void tell_own(const struct keyd *k)
{
    for (size_t i = 0; i < k->own.outside.count; i++) {
        size_t count = 0;
        for (size_t a = 0; a < k->own.live_count; a++)
            count += k->own.ranks[a] == i;
        log_line(count > 0 ? EVENT_INFO : EVENT_WARNING, "%s has %zu usable addresses now",
                 k->own.outside.names[i], count);
    }
}

/* An address or a link came or went: new tunnels begin at those that are there now. */
static void on_addresses(evutil_socket_t fd, short what, void *arg)
{
    const struct timeval settle = {.tv_usec = ROUTES_SETTLE_MS * 1000};
    struct keyd *k = arg;

    (void)what;
    enum outside_news news = outside_news_read(fd);
    if (news == OUTSIDE_NEWS_NONE || k->stopping)
        return;
    if (!event_pending(k->routes, EV_TIMEOUT, NULL))
        evtimer_add(k->routes, &settle);
    if (news != OUTSIDE_NEWS_ADDRESSES ||
        !own_read(&k->own, &k->config->outside, k->config->leased_spis))
        return;
    keyd_leased_follow(&k->leased, &k->own, k->child);
    tell_own(k);
    keyd_reconfigure(k);
}

/* ADR-044: a route to a peer came or went. */
static void on_routes(evutil_socket_t fd, short what, void *arg)
{
    const struct control_event event = {.kind = CONTROL_EV_ROUTES};
    struct keyd *k = arg;

    (void)fd;
    (void)what;
    if (!k->stopping)
        keyd_tell(k, &event);
}

bool keyd_outside_watch(struct keyd *k)
{
    k->addresses_fd = outside_watch(OUTSIDE_WATCH_ALL);
    if (k->addresses_fd < 0)
        return false;
    k->routes = evtimer_new(k->base, on_routes, k);
    k->addresses = event_new(k->base, k->addresses_fd, EV_READ | EV_PERSIST, on_addresses, k);
    return k->routes != NULL && k->addresses != NULL && event_add(k->addresses, NULL) == 0;
}
