/*
 * keyd's process: one event loop around src/control. Sockets, channels and timers become events;
 * effects become datagrams and messages. No decision is taken here.
 */
#include "daemon/keyd.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "daemon/event_json.h"
#include "daemon/keyd_private.h"
#include "daemon/keyd_udp.h"
#include "daemon/log.h"
#include "plane/io/ike_relay.h"

enum {
    SHUTDOWN_GRACE_MS = 1000,
    KEEPER_PATIENCE_S = 3,
    DATAGRAMS_PER_TURN = 64,
};

mono_t keyd_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (mono_t){(int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000};
}

static void fill_random(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    while (len > 0) {
        ssize_t got = getrandom(ret, len, 0);
        if (got < 0)
            abort(); /* without entropy nothing here is safe */
        ret += got;
        len -= (size_t)got;
    }
}

/* --- time, and what control has to say ------------------------------------------------------ */

static void ask_again(void *ctx, struct view message)
{
    struct keyd *k = ctx;
    keyd_channel_send(&k->keeper, message);
}

void keyd_drain(struct keyd *k)
{
    struct control_effect fx;

    while (control_next_effect(k->control, &fx))
        keyd_perform(k, &fx);
    mono_t next = control_next_deadline(k->control), now = keyd_now();
    if (mono_is_never(next)) {
        event_del(k->timer);
        return;
    }
    int64_t wait = mono_since(next, now);
    if (wait < 1)
        wait = 1;
    struct timeval tv = {.tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000};
    event_add(k->timer, &tv);
}

void keyd_tell(struct keyd *k, const struct control_event *event)
{
    (void)control_input(k->control, keyd_now(), event); /* counted and traced inside */
    keyd_drain(k);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct keyd *k = arg;

    (void)fd;
    (void)what;
    control_timer(k->control, keyd_now());
    keyd_drain(k);
}

/* --- events in ------------------------------------------------------------------------------- */

static void on_udp(evutil_socket_t fd, short what, void *arg)
{
    static uint8_t room[LIMIT_PACKET];
    struct keyd *k = arg;
    struct control_event event = {.kind = CONTROL_EV_DATAGRAM};

    (void)what;
    for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
        if (!keyd_udp_receive(fd, &event.local, &event.remote, span_of(room, sizeof(room)),
                              &event.bytes))
            return;
        if (k->leased.port != 0 && fd == keyd_leased_fd(&k->leased, k->leased.port))
            event.local.port = k->leased.port;
        keyd_tell(k, &event);
    }
}

static void from_plane(void *ctx, struct view message)
{
    struct keyd *k = ctx;
    struct control_event event = {.kind = CONTROL_EV_PFKEY, .bytes = message};
    if (!keyd_counters_take(&k->plane_counters, message))
        keyd_tell(k, &event);
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
    uint8_t room[LIMIT_PFKEY_MESSAGE];
    struct keyd *k = arg;

    (void)fd;
    (void)what;
    keyd_channel_send(&k->plane, keyd_counters_request(span_of(room, sizeof(room))));
}

static void from_relay(void *ctx, struct view message)
{
    struct control_event event = {.kind = CONTROL_EV_DATAGRAM, .natt = true};

    if (ike_relay_parse(message, &event.local, &event.remote, &event.bytes) != ERR_OK)
        return;
    if (ike_relay_kind_of(message) == IKE_RELAY_OPENED)
        event.kind = CONTROL_EV_STREAM;
    else if (ike_relay_kind_of(message) != IKE_RELAY_DATAGRAM)
        return;
    keyd_tell(ctx, &event);
}

/* Profiles say which public key is ours. */
static void take_keys(struct keyd *k, const struct ipc_message *hello)
{
    bool same = k->key_count == hello->key_count &&
                memcmp(k->keys, hello->keys, hello->key_count * sizeof(*k->keys)) == 0;
    if (same && !k->waits_for_keys)
        return;
    memcpy(k->keys, hello->keys, sizeof(k->keys));
    k->key_count = hello->key_count;
    keyd_reconfigure(k);
}

static void from_keeper(void *ctx, struct view message)
{
    static struct ipc_message ipc;
    struct keyd *k = ctx;
    struct control_event event = {.kind = CONTROL_EV_SIGNED};

    if (ipc_parse(message, &ipc) != ERR_OK)
        return;
    if (ipc.kind == IPC_HELLO) {
        take_keys(k, &ipc);
        keyd_unsigned_each(&k->unanswered, ask_again, k);
    }
    if (ipc.kind != IPC_SIGNED && ipc.kind != IPC_DECRYPTED)
        return;
    if (ipc.kind == IPC_DECRYPTED)
        event.kind = CONTROL_EV_DECRYPTED;
    keyd_unsigned_answered(&k->unanswered, ipc.serial);
    event.serial = ipc.serial;
    event.ok = ipc.ok;
    event.bytes = ipc.octets;
    keyd_tell(k, &event);
}

enum err keyd_take_name(struct keyd *k, const char *text, const struct ip_addr *address,
                        uint32_t ttl_s)
{
    struct identity name;
    struct control_event event = {
        .kind = CONTROL_EV_NAME, .name = &name, .address = *address, .ttl_s = ttl_s};

    if (!identity_of_fqdn(view_of_text(text), &name))
        return ERR_VALUE;
    enum err err = control_input(k->control, keyd_now(), &event);
    keyd_drain(k);
    return err;
}

static void from_resolver(void *ctx, struct view message)
{
    static struct ipc_message ipc;
    struct control_event event = {.kind = CONTROL_EV_ANSWER};

    if (ipc_parse(message, &ipc) != ERR_OK)
        return;
    if (ipc.kind == IPC_NAME)
        (void)keyd_take_name(ctx, ipc.name, &ipc.address, ipc.ttl_s);
    if (ipc.kind != IPC_ANSWER)
        return;
    event.serial = ipc.serial;
    event.answer = &ipc.answer;
    keyd_tell(ctx, &event);
}

static void plane_closed(void *ctx)
{
    struct keyd *k = ctx;
    struct control_event event = {.kind = CONTROL_EV_PLANE_GONE};

    log_line(EVENT_WARNING, "the plane has gone; waiting for it to come back");
    k->status.partners[CHILD_PLANE] = false;
    keyd_tell(k, &event);
}

static void relay_closed(void *ctx)
{
    (void)ctx; /* the plane's other channel says so */
}

static void keeper_closed(void *ctx)
{
    struct keyd *k = ctx;
    k->status.partners[CHILD_KEEPER] = false;
}

static void resolver_closed(void *ctx)
{
    struct keyd *k = ctx;
    k->status.partners[CHILD_RESOLVER] = false;
}

/* --- the parent ------------------------------------------------------------------------------ */

static void take_channel(struct keyd *k, const struct child_message *message)
{
    struct control_event ready = {.kind = CONTROL_EV_PLANE_READY};
    struct control_event gone = {.kind = CONTROL_EV_PLANE_GONE};
    bool ok = false;

    switch (message->channel) {
    case CHILD_CHANNEL_PFKEY:
        if (k->status.partners[CHILD_PLANE])
            keyd_tell(k, &gone);
        k->status.partners[CHILD_PLANE] = ok = keyd_channel_open(&k->plane, message->fd);
        if (ok)
            keyd_tell(k, &ready);
        break;
    case CHILD_CHANNEL_IKE:
        ok = keyd_channel_open(&k->relay, message->fd);
        if (ok)
            keyd_tell(k, &(struct control_event){.kind = CONTROL_EV_STREAMS});
        break;
    case CHILD_CHANNEL_SIGN:
        k->status.partners[CHILD_KEEPER] = ok = keyd_channel_open(&k->keeper, message->fd);
        break;
    case CHILD_CHANNEL_DNS:
        k->status.partners[CHILD_RESOLVER] = ok = keyd_channel_open(&k->resolver, message->fd);
        break;
    }
    if (!ok)
        log_line(EVENT_ERROR, "can't use the channel '%c'", message->channel);
}

static struct control_config control_config(const struct keyd *k);

/* Control takes the new profiles before the old ones go. */
void keyd_reconfigure(struct keyd *k)
{
    struct profiles old = k->profiles;
    char error[CONFIG_ERROR_MAX];

    k->waits_for_keys = false;
    if (!profiles_make(k->config, &k->materials, k->keys, k->key_count, &k->profiles, error)) {
        log_line(EVENT_ERROR, "%s; connections stay as they were", error);
        k->profiles = old;
        old = (struct profiles){0};
    }
    struct control_config changed = control_config(k);
    enum err err = control_reconfigure(k->control, keyd_now(), &changed);
    if (err != ERR_OK)
        log_line(EVENT_ERROR, "the new configuration can't be used: %s", err_text(err));
    profiles_free(&old);
    k->status.reloads += k->reload_untold;
    k->reload_untold = false;
    keyd_drain(k);
}

static void take_materials(struct keyd *k, int fd)
{
    struct materials fresh;

    if (materials_map(fd, &fresh)) {
        materials_unmap(&k->materials);
        k->materials = fresh;
    }
    close(fd);
}

/* The keeper is late: what doesn't need its keys need not wait. */
static void on_no_keys(evutil_socket_t fd, short what, void *arg)
{
    struct keyd *k = arg;
    (void)fd;
    (void)what;
    if (k->waits_for_keys)
        keyd_reconfigure(k);
}

/* The parent has checked it; here it only has to be taken. With other private keys that is when their
 * keeper has come: before, nothing could be signed right. */
static void take_config(struct keyd *k, int fd, bool other_keys)
{
    const struct timeval patience = {.tv_sec = KEEPER_PATIENCE_S};
    struct cygnet_config *config = malloc(sizeof(*config));

    if (config != NULL && child_read_config(fd, config)) {
        *k->config = *config;
        (void)own_read(&k->own, &config->outside, config->leased_spis);
        keyd_leased_follow(&k->leased, &k->own, k->child);
        k->waits_for_keys = other_keys && evtimer_add(k->no_keys, &patience) == 0;
        if (!k->waits_for_keys)
            keyd_reconfigure(k);
    }
    free(config);
    close(fd);
}

/* Whoever asked for it is told once it is in force. */
static void note_reload(struct keyd *k, const struct child_message *message)
{
    k->reload_untold = k->waits_for_keys;
    k->status.reloads += !k->reload_untold;
    k->status.reload_ok = message->ok;
    snprintf(k->status.reload_text, sizeof(k->status.reload_text), "%s", message->text);
}

static void on_parent(evutil_socket_t fd, short what, void *arg)
{
    struct keyd *k = arg;
    struct child_message message;

    (void)fd;
    (void)what;
    for (;;) {
        switch (child_receive(k->child, &message)) {
        case CHILD_AGAIN:
            return;
        case CHILD_CHANNEL:
            take_channel(k, &message);
            break;
        case CHILD_PROCESS:
            k->status.pids[message.role] = message.pid;
            k->status.restarts[message.role] = message.restarts;
            break;
        case CHILD_MATERIALS:
            take_materials(k, message.fd);
            break;
        case CHILD_CONFIG:
            take_config(k, message.fd, message.ok);
            break;
        case CHILD_RELOADED:
            note_reload(k, &message);
            break;
        case CHILD_PORT:
            keyd_leased_take(&k->leased, message.fd, k->base, on_udp, k);
            keyd_reconfigure(k);
            break;
        case CHILD_GONE:
            event_base_loopbreak(k->base);
            return;
        default:
            child_message_drop(&message);
            break;
        }
    }
}

/* OE-173: Deletes go out at once; a moment later the process ends, answered or not. */
static void on_terminate(evutil_socket_t fd, short what, void *arg)
{
    struct keyd *k = arg;
    struct control_event event = {.kind = CONTROL_EV_SHUTDOWN};
    struct timeval grace = {.tv_sec = SHUTDOWN_GRACE_MS / 1000,
                            .tv_usec = SHUTDOWN_GRACE_MS % 1000 * 1000};

    (void)fd;
    (void)what;
    if (k->stopping)
        return;
    k->stopping = true;
    keyd_tell(k, &event);
    event_base_loopexit(k->base, &grace);
}

/* Another keyd takes over at once, with all that was saved: nobody outside is told. */
static void on_leave(evutil_socket_t fd, short what, void *arg)
{
    struct keyd *k = arg;

    (void)fd;
    (void)what;
    log_line(EVENT_INFO, "leaving to a new keying daemon");
    event_base_loopbreak(k->base);
}

/* --- people ------------------------------------------------------------------------------------ */

static void log_record(struct keyd *k, const struct event_record *record)
{
    uint64_t left_out;

    if (record->level < EVENT_WARNING || !log_gate_pass(&k->gate, record->at, &left_out))
        return;
    if (left_out != 0)
        log_line(EVENT_WARNING, "%llu warnings left out; 'cygnet trace' has the latest",
                 (unsigned long long)left_out);
    log_line(record->level, "%s%s%s", record->title, record->detail[0] ? ": " : "",
             record->detail);
}

static void emit(void *ctx, const struct event_record *record)
{
    struct keyd *k = ctx;
    const struct event_record *kept = history_add(&k->history, record);

    log_record(k, kept);
    if (k->socket != NULL && control_socket_has_subscribers(k->socket)) {
        json_t *line = event_json_build(kept);
        control_socket_broadcast(k->socket, line);
        json_decref(line);
    }
}

/* --- start ------------------------------------------------------------------------------------- */

/* An address whose IKE has no port yet is of no use. */
static size_t own_count(const struct keyd *k)
{
    return keyd_leased_waits(&k->leased, &k->own) ? 0 : k->own.count;
}

static struct control_config control_config(const struct keyd *k)
{
    const struct cygnet_config *c = k->config;
    return (struct control_config){
        .discover = {.lookups = c->limits.lookups,
                     .ask_ipseckey = c->dns.ask_ipseckey,
                     .insecure_only_to_self = c->dns.unsigned_only_to_self},
        .ike = {.id = c->identity,
                .legacy = c->legacy_algorithms,
                .give_up_ms = c->wait_s * 1000,
                .nat = c->nat,
                .own_port = k->leased.port,
                .address_check = c->address_check,
                .half_open = c->limits.half_open,
                .crash_secret = k->profiles.crash_secret,
                .work_elsewhere = k->work.pool != NULL,
                .ticket_secret = k->profiles.ticket_secret,
                .cookies_always = c->limits.cookies,
                .puzzles = c->limits.puzzles,
                .puzzle_bits = (uint8_t)c->limits.puzzle_bits,
                .profiles = k->profiles.profiles,
                .profile_count = k->profiles.count},
        .tunnels = {.connections = k->profiles.connections,
                    .connection_count = k->profiles.count,
                    .own = k->own.addresses,
                    .own_count = own_count(k)},
        .own_ranks = k->own.ranks,
        .own_down = own_count(k) != 0 ? k->own.count - k->own.live_count : 0,
        .leased_spis = c->leased_spis,
        .spis = k->own.leased.spis,
        .spi_count = k->own.leased.count,
        .export_keys = c->key_export[0] != '\0' && child_fd(CHILD_FD_EXPORT) >= 0,
        .oe = {.classes = c->classes,
               .class_count = c->class_count,
               .fallback = c->fallback,
               .own = k->own.addresses,
               .own_count = own_count(k),
               .id = c->identity,
               .instances = c->limits.instances,
               .require_dnssec = c->dns.require_dnssec,
               .return_tunnel = c->return_tunnel,
               .wait_s = c->wait_s,
               .low_lifespan_s = c->lifespans.low_s,
               .normal_lifespan_s = c->lifespans.normal_s,
               .first_lifespan_s = c->lifespans.first_s},
    };
}

static void make_profiles(struct keyd *k)
{
    char error[CONFIG_ERROR_MAX];

    if (child_fd(CHILD_FD_MATERIALS) < 0 || !materials_map(CHILD_FD_MATERIALS, &k->materials))
        log_line(EVENT_WARNING, "the files of connections can't be read");
    if (!profiles_make(k->config, &k->materials, k->keys, k->key_count, &k->profiles, error))
        log_line(EVENT_ERROR, "%s; no connection is set up", error);
}

static int64_t wall_seconds(void *ctx)
{
    (void)ctx;
    return (int64_t)time(NULL);
}

static bool reaches(void *ctx, const struct ip_addr *local, const struct ip_addr *remote)
{
    return own_reaches(ctx, local, remote);
}

static enum err make_control(struct keyd *k)
{
    struct control_config config = control_config(k);
    struct control_env env = {.rng = {.fill = fill_random},
                              .wall = {.seconds = wall_seconds},
                              .ways = {.reaches = reaches, .ctx = &k->own},
                              .trace = {.emit = emit, .ctx = k}};
    return control_new(&config, &env, &k->control);
}

static bool open_saved(struct keyd *k)
{
    const struct rng rng = {.fill = fill_random};
    char path[CONFIG_PATH_MAX + 16];

    /* As root's child we live inside the state directory. */
    snprintf(path, sizeof(path), "%s/peers.db", k->confined ? "" : k->config->state);
    return keyd_saved_open(&k->saved, k->base, child_fd(CHILD_FD_SAVED), path, &rng);
}

static void tell_saved(void *ctx, const struct control_event *event)
{
    keyd_tell(ctx, event);
}

static bool open_udp(struct keyd *k, int i, int fd)
{
    k->udp_fd[i] = -1;
    if (child_fd(fd) < 0)
        return true; /* no such family on this machine */
    if (evutil_make_socket_nonblocking(fd) != 0)
        return false;
    k->udp[i] = event_new(k->base, fd, EV_READ | EV_PERSIST, on_udp, k);
    if (k->udp[i] == NULL || event_add(k->udp[i], NULL) != 0)
        return false;
    k->udp_fd[i] = fd;
    return true;
}

static bool start(struct keyd *k)
{
    const struct rng rng = {.fill = fill_random};
    struct timeval often = {.tv_sec = KEYD_COUNTERS_EVERY_S};

    k->base = event_base_new();
    if (k->base == NULL || !history_init(&k->history))
        return false;
    if (!keyd_outside_watch(k))
        log_line(EVENT_WARNING, "changes of addresses go unnoticed: %s", strerror(errno));
    (void)own_read(&k->own, &k->config->outside, k->config->leased_spis);
    keyd_leased_follow(&k->leased, &k->own, k->child);
    if (k->own.count == 0)
        log_line(EVENT_WARNING, "%s has no address yet: nobody can be reached through it",
                 k->config->outside.names[0]);
    keyd_channel_init(&k->plane, k->base, k, from_plane, plane_closed);
    keyd_channel_init(&k->relay, k->base, k, from_relay, relay_closed);
    keyd_unsigned_init(&k->unanswered);
    k->no_keys = evtimer_new(k->base, on_no_keys, k);
    keyd_channel_init(&k->keeper, k->base, k, from_keeper, keeper_closed);
    keyd_channel_init(&k->resolver, k->base, k, from_resolver, resolver_closed);
    k->timer = event_new(k->base, -1, 0, on_timer, k);
    k->parent = event_new(k->base, k->child->parent_fd, EV_READ | EV_PERSIST, on_parent, k);
    k->terminate = event_new(k->base, SIGTERM, EV_SIGNAL | EV_PERSIST, on_terminate, k);
    k->leave = event_new(k->base, SIGUSR1, EV_SIGNAL | EV_PERSIST, on_leave, k);
    k->poll = event_new(k->base, -1, EV_PERSIST, on_poll, k);
    if (k->no_keys == NULL || k->timer == NULL || k->parent == NULL || k->terminate == NULL || k->leave == NULL ||
        k->poll == NULL || event_add(k->parent, NULL) != 0 ||
        event_add(k->terminate, NULL) != 0 || event_add(k->leave, NULL) != 0 ||
        event_add(k->poll, &often) != 0)
        return false;
    if (!open_udp(k, 0, CHILD_FD_IKE_V4) || !open_udp(k, 1, CHILD_FD_IKE_V6))
        return false;
    make_profiles(k);
    keyd_work_start(k, &rng);
    if (make_control(k) != ERR_OK || !open_saved(k))
        return false;
    keyd_saved_give_back(&k->saved, tell_saved, k);
    k->status.control = k->control;
    k->status.pool = k->work.pool;
    k->status.history = &k->history;
    k->status.plane_counters = &k->plane_counters;
    k->status.config = k->config;
    k->status.own = &k->own;
    k->status.started = keyd_now();
    k->socket = control_socket_new(k->base, CHILD_FD_CONTROL, keyd_answer, k);
    return k->socket != NULL;
}

static void stop(struct keyd *k)
{
    struct event *events[] = {k->timer, k->parent, k->terminate, k->leave,    k->no_keys,
                              k->poll,  k->udp[0], k->udp[1],    k->addresses,
                              k->routes};

    control_socket_free(k->socket);
    k->socket = NULL;
    keyd_leased_close(&k->leased);
    keyd_channel_close(&k->plane);
    keyd_channel_close(&k->relay);
    keyd_channel_close(&k->keeper);
    keyd_unsigned_fini(&k->unanswered);
    keyd_channel_close(&k->resolver);
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (events[i] != NULL)
            event_free(events[i]);
    if (k->addresses_fd >= 0)
        close(k->addresses_fd);
    keyd_work_stop(k);
    control_free(k->control);
    profiles_free(&k->profiles);
    materials_unmap(&k->materials);
    keyd_saved_close(&k->saved);
    history_fini(&k->history);
    if (k->base != NULL)
        event_base_free(k->base);
}

int keyd_process_main(struct cygnet_config *config, const struct child *child)
{
    struct keyd k = {.config = config, .child = child, .udp_fd = {-1, -1}, .addresses_fd = -1};
    int status = EXIT_FAILURE;

    k.confined = geteuid() == 0;
    log_open("keyd");
    if (!child_drop_privileges(config->users.keyd, config->state))
        return status;
    if (start(&k)) {
        event_base_dispatch(k.base);
        status = EXIT_SUCCESS;
    } else {
        log_line(EVENT_ERROR, "can't start: out of memory or descriptors");
    }
    stop(&k);
    return status;
}
