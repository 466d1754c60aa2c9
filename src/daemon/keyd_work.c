#include "daemon/keyd_work.h"

#include <event2/event.h>

#include "daemon/keyd_private.h"
#include "daemon/log.h"

enum { WORKS_PER_TURN = 16 }; /* then others have their turn */

static void on_worked(evutil_socket_t fd, short what, void *arg)
{
    struct keyd *k = arg;
    struct control_event event = {.kind = CONTROL_EV_WORKED};

    (void)fd;
    (void)what;
    for (int i = 0;
         i < WORKS_PER_TURN && worker_pool_take(k->work.pool, &event.serial, &event.work); i++) {
        (void)control_input(k->control, keyd_now(), &event); /* counted and traced inside */
        keyd_drain(k);
    }
}

void keyd_work_start(struct keyd *k, const struct rng *rng)
{
    k->work.pool = worker_pool_new(0, rng);
    if (k->work.pool != NULL)
        k->work.event =
            event_new(k->base, worker_pool_fd(k->work.pool), EV_READ | EV_PERSIST, on_worked, k);
    if (k->work.event != NULL && event_add(k->work.event, NULL) == 0)
        return;
    log_line(EVENT_WARNING, "no threads for public-key operations: they hold up everything else");
    keyd_work_stop(k);
}

void keyd_work_stop(struct keyd *k)
{
    if (k->work.event != NULL)
        event_free(k->work.event);
    worker_pool_free(k->work.pool);
    k->work = (struct keyd_work){.pool = NULL};
}

/* Given back as it is, it is refused; the peer tries again. keyd_drain() goes on with what follows. */
void keyd_work_perform(struct keyd *k, const struct control_effect *fx)
{
    const struct control_event back = {
        .kind = CONTROL_EV_WORKED, .serial = fx->serial, .work = fx->work};

    if (k->work.pool == NULL || !worker_pool_add(k->work.pool, fx->serial, fx->work))
        (void)control_input(k->control, keyd_now(), &back);
}
