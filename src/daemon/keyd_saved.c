#include "daemon/keyd_saved.h"

#include <time.h>

#include "daemon/log.h"

enum { FLUSH_AFTER_MS = 1000, SETTLED_AFTER_MS = 5000 };

static struct timeval milliseconds(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
    struct keyd_saved *saved = arg;
    (void)fd;
    (void)what;
    store_flush(saved->store);
}

static void on_settled(evutil_socket_t fd, short what, void *arg)
{
    struct keyd_saved *saved = arg;
    (void)fd;
    (void)what;
    saved_log_settled(saved->log);
}

static void open_log(struct keyd_saved *saved, int fd, const struct rng *rng)
{
    if (fd < 0 || saved_log_open(fd, rng, &saved->log) != ERR_OK) {
        log_line(EVENT_WARNING, "no memory for saved SAs: phase 1 will be made anew after a crash");
        return;
    }
    if (saved_log_gave_up(saved->log))
        log_line(EVENT_ERROR, "started %d times in a row and never for long: saved SAs are dropped",
                 SAVED_LOG_TRIES);
}

bool keyd_saved_open(struct keyd_saved *saved, struct event_base *base, int fd,
                     const char *store_path, const struct rng *rng)
{
    const struct timeval settled = milliseconds(SETTLED_AFTER_MS);

    *saved = (struct keyd_saved){.log = NULL};
    open_log(saved, fd, rng);
    saved->store = store_open(store_path);
    saved->flush = event_new(base, -1, 0, on_flush, saved);
    saved->settle = event_new(base, -1, 0, on_settled, saved);
    if (saved->flush == NULL || saved->settle == NULL)
        return false;
    return saved->log == NULL || event_add(saved->settle, &settled) == 0;
}

void keyd_saved_close(struct keyd_saved *saved)
{
    if (saved->flush != NULL)
        event_free(saved->flush);
    if (saved->settle != NULL)
        event_free(saved->settle);
    saved_log_close(saved->log);
    store_close(saved->store);
    *saved = (struct keyd_saved){.log = NULL};
}

struct telling {
    void (*tell)(void *ctx, const struct control_event *event);
    void *ctx;
};

static void give_record(void *ctx, uint64_t number, struct view bytes)
{
    const struct telling *to = ctx;
    const struct control_event event = {
        .kind = CONTROL_EV_RESTORE, .serial = number, .bytes = bytes};
    to->tell(to->ctx, &event);
}

static void give_former(void *ctx, const struct store_peer *peer)
{
    const struct telling *to = ctx;
    const struct control_event event = {.kind = CONTROL_EV_FORMER_PEER,
                                        .local = {.addr = peer->local},
                                        .remote = {.addr = peer->remote},
                                        .peer_id = peer->id};
    to->tell(to->ctx, &event);
}

void keyd_saved_give_back(struct keyd_saved *saved,
                          void (*tell)(void *ctx, const struct control_event *event), void *ctx)
{
    struct telling to = {tell, ctx};
    struct timespec now;

    /* The parent's first keyd: whatever there was, it isn't any more. */
    if (saved->store != NULL && saved->log != NULL && saved_log_is_new(saved->log)) {
        clock_gettime(CLOCK_REALTIME, &now);
        store_begin_life(saved->store, now.tv_sec);
    }
    if (saved->log != NULL && !saved_log_walk(saved->log, give_record, &to))
        log_line(EVENT_WARNING, "out of memory: saved SAs can't be resumed");
    if (saved->store != NULL)
        store_former(saved->store, give_former, &to);
}

static void peer(struct keyd_saved *saved, const struct control_effect *fx)
{
    const struct store_peer peer = {
        .local = fx->local.addr, .remote = fx->remote.addr, .id = fx->peer_id};
    const struct timeval later = milliseconds(FLUSH_AFTER_MS);

    if (saved->store == NULL)
        return;
    if (!store_is_dirty(saved->store))
        event_add(saved->flush, &later);
    if (fx->ok)
        store_connected(saved->store, &peer);
    else
        store_gone(saved->store, &peer);
}

void keyd_saved_perform(struct keyd_saved *saved, const struct control_effect *fx)
{
    if (fx->kind == CONTROL_FX_PEER)
        peer(saved, fx);
    else if (saved->log == NULL)
        return;
    else if (fx->kind == CONTROL_FX_FORGET)
        saved_log_drop(saved->log, fx->serial);
    else if (!saved_log_put(saved->log, fx->serial, fx->bytes))
        log_line(EVENT_ERROR, "no room for saved SAs: a crash now would lose phase 1");
}
