#include "daemon/keyd_leased.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"

void keyd_leased_close(struct keyd_leased *l)
{
    if (l->event == NULL)
        return;
    int fd = event_get_fd(l->event);
    event_free(l->event);
    close(fd);
    l->event = NULL;
    l->port = 0;
}

void keyd_leased_follow(struct keyd_leased *l, const struct own *own, const struct child *child)
{
    const struct child_message message = {.fd = -1};

    uint16_t wanted = own->count > 0 ? own->leased.ike_port : 0;

    if (l->asked == wanted)
        return;
    keyd_leased_close(l);
    l->asked = wanted;
    if (wanted != 0 && !child_send(child->parent_fd, &message, CHILD_WANT_PORT))
        log_line(EVENT_WARNING, "can't ask for the leased port");
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
    socklen_t len = sizeof(at);

    if (getsockname(fd, &at.any, &len) != 0)
        return 0;
    return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
}

void keyd_leased_take(struct keyd_leased *l, int fd, struct event_base *base,
                      event_callback_fn on_udp, void *ctx)
{
    keyd_leased_close(l);
    l->event = event_new(base, fd, EV_READ | EV_PERSIST, on_udp, ctx);
    if (l->event == NULL || event_add(l->event, NULL) != 0) {
        log_line(EVENT_ERROR, "the leased port can't be used");
        if (l->event != NULL)
            event_free(l->event);
        l->event = NULL;
        close(fd);
        return;
    }
    l->port = port_of(fd);
}

bool keyd_leased_waits(const struct keyd_leased *l, const struct own *own)
{
    return l->port != own->leased.ike_port;
}

int keyd_leased_fd(const struct keyd_leased *l, uint16_t port)
{
    return l->event != NULL && port == l->port ? event_get_fd(l->event) : -1;
}
