#include "daemon/plane_process.h"

#include <cap-ng.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"
#include "plane/io/channel.h"
#include "plane/io/classifier.h"
#include "plane/io/ike_relay.h"
#include "plane/io/io.h"
#include "plane/io/streams.h"
#include "wire/pfkey.h"

enum {
    /* What an epoll event is about: an enum plane_fd, or one of these. */
    SOURCE_PARENT = PLANE_FD_COUNT,
    SOURCE_SIGNAL,
    SOURCE_PFKEY,
    SOURCE_IKE,
    SOURCE_OUTSIDE,
    SOURCE_STREAMS,

    EVENTS_MAX = 16,
    MESSAGES_AT_ONCE = 64, /* from a channel, before packets get their turn */
    BURSTS_AT_ONCE = 4,
    WAIT_MAX_MS = 60000,
};

struct plane_process {
    const struct plane_process_config *config;
    struct plane *plane;
    struct io *io;
    struct streams *streams; /* through TCP */
    struct channel pfkey, ike;
    int epoll, signals, outside;
    bool icmp_on_deny; /* as last configured */
    bool stop;
    int status;
    uint64_t verdicts_refused;
    uint8_t relay[IKE_RELAY_MAX];
};

static mono_t mono_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (mono_t){(int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
}

static void fill_random(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    while (len > 0) {
        ssize_t got = getrandom(ret, len, 0);
        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            ret += got;
            len -= (size_t)got;
        }
    }
}

static bool watch(const struct plane_process *process, int fd, unsigned source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = source};

    if (epoll_ctl(process->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
        return true;
    log_line(EVENT_ERROR, "epoll: %s", strerror(errno));
    return false;
}

/* Asks to be woken when a channel with a backlog becomes writable. */
static void watch_channel(const struct plane_process *process, const struct channel *channel,
                          unsigned source)
{
    uint32_t events = EPOLLIN | (channel_is_waiting(channel) ? (uint32_t)EPOLLOUT : 0);
    struct epoll_event event = {.events = events, .data.u32 = source};

    if (channel->fd >= 0)
        epoll_ctl(process->epoll, EPOLL_CTL_MOD, channel->fd, &event);
}

/* What the plane core asks for. */

static void plane_out(void *ctx, enum plane_out kind, struct packet *packet)
{
    struct plane_process *process = ctx;

    if (kind == PLANE_OUT_ESP && packet->outer.stream != 0)
        streams_send_esp(process->streams, packet);
    else
        io_write(process->io, kind, packet);
}

static void plane_says(void *ctx, struct view message)
{
    struct plane_process *process = ctx;
    bool waiting = channel_is_waiting(&process->pfkey);

    channel_send(&process->pfkey, message);
    if (!waiting && channel_is_waiting(&process->pfkey))
        watch_channel(process, &process->pfkey, SOURCE_PFKEY);
}

static void plane_verdict(void *ctx, const struct ip_pair *flow, enum pfkey_verdict verdict)
{
    struct plane_process *process = ctx;
    int verdicts = process->config->fds.fd[PLANE_FD_VERDICTS];
    enum classifier_verdict cached = CLASSIFIER_NONE;

    if (verdicts < 0)
        return;
    if (verdict == PFKEY_VERDICT_PASS)
        cached = CLASSIFIER_PASS;
    else if (verdict == PFKEY_VERDICT_ENCRYPT)
        cached = CLASSIFIER_ENCRYPT;
    else if (verdict == PFKEY_VERDICT_DENY && !process->icmp_on_deny)
        cached = CLASSIFIER_DENY; /* otherwise the plane must see it, to answer it (OE-028) */
    /* Without a place in the map the datagrams come here, and are treated the same, more slowly. */
    if (io_verdict_set(verdicts, flow, cached) != ERR_OK && process->verdicts_refused++ == 0)
        log_line(EVENT_WARNING, "the classifier's map refused a verdict");
}

static void plane_net(void *ctx, const struct ip_prefix *remote, bool is)
{
    struct plane_process *process = ctx;
    int nets = process->config->fds.fd[PLANE_FD_NETS];

    /* Without a place in the map the datagrams come through oe0, and are treated the same. */
    if (nets >= 0 && io_net_set(nets, remote, is) != ERR_OK && process->verdicts_refused++ == 0)
        log_line(EVENT_WARNING, "the classifier's map refused a net");
}

static int64_t plane_idle_ms(void *ctx, const struct ip_pair *flow)
{
    const struct plane_process *process = ctx;

    return io_verdict_idle_ms(process->config->fds.fd[PLANE_FD_VERDICTS], flow, mono_now().ms);
}

static void ike_in(void *ctx, const struct ip_endpoint *local, const struct ip_endpoint *remote,
                   struct view datagram)
{
    struct plane_process *process = ctx;
    size_t len;

    /* keyd retransmits: IKE never waits. */
    if (process->ike.fd < 0 || channel_is_waiting(&process->ike))
        return;
    if (ike_relay_build(local, remote, datagram, span_of(process->relay, sizeof(process->relay)),
                        &len) == ERR_OK)
        channel_send(&process->ike, view_of(process->relay, len));
    if (channel_is_waiting(&process->ike)) /* with the one that found no room any more */
        watch_channel(process, &process->ike, SOURCE_IKE);
}

/* After every call into the plane: its packets are only valid until the next one. */
static void settle(struct plane_process *process)
{
    struct ip_addr dst, source;
    struct ip_pair way;
    uint32_t mtu;

    io_flush(process->io);
    streams_flush(process->streams, mono_now());
    while (io_path_mtu(process->io, &dst, &mtu))
        plane_path_mtu(process->plane, &dst, mtu);
    while (io_lost_source(process->io, &way, &source))
        plane_source_lost(process->plane, mono_now(), &way, &source);
}

static void on_tun(struct plane_process *process, enum plane_fd which, uint32_t events)
{
    struct packet **packets;

    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        log_line(EVENT_ERROR, "a device of the plane has been deleted");
        process->stop = true;
        process->status = EXIT_FAILURE;
        return;
    }
    for (unsigned burst = 0; burst < BURSTS_AT_ONCE || io_is_pending(process->io); burst++) {
        size_t count = io_read_tun(process->io, which, &packets);
        if (count == 0)
            return;
        /* Nothing is routed into the put-back device; the system may still say something. */
        if (which == PLANE_FD_PUT_BACK)
            continue;
        plane_outbound(process->plane, mono_now(), packets, count);
        settle(process);
    }
}

static void on_socket(struct plane_process *process, enum plane_fd which, uint32_t events)
{
    struct packet **packets;
    bool more = true;

    if ((events & EPOLLERR) != 0) {
        io_read_errors(process->io, which);
        settle(process);
    }
    for (unsigned burst = 0;
         more && (burst < BURSTS_AT_ONCE || io_is_pending(process->io)); burst++) {
        size_t count = io_read_esp(process->io, which, &packets, &more);
        if (count == 0)
            continue;
        plane_inbound(process->plane, mono_now(), packets, count);
        settle(process);
    }
}

/* IKE and ESP through TCP */

static size_t stream_esp(void *ctx, struct packet **packets, size_t count)
{
    struct plane_process *process = ctx;
    uint64_t before = plane_authentic(process->plane);

    plane_inbound(process->plane, mono_now(), packets, count);
    settle(process);
    return (size_t)(plane_authentic(process->plane) - before);
}

static void stream_opened(void *ctx, const struct ip_endpoint *local,
                          const struct ip_endpoint *remote)
{
    struct plane_process *process = ctx;
    uint8_t room[IKE_RELAY_HEADER];
    size_t len;

    if (process->ike.fd < 0 ||
        ike_relay_build_note(IKE_RELAY_OPENED, local, remote, span_of(room, sizeof(room)), &len) !=
            ERR_OK)
        return;
    channel_send(&process->ike, view_of(room, len));
    if (channel_is_waiting(&process->ike))
        watch_channel(process, &process->ike, SOURCE_IKE);
}

static void stream_wants_socket(void *ctx, enum ip_family family)
{
    const struct plane_process *process = ctx;
    const struct child_message message = {.fd = -1, .ok = family == IP_V6};

    if (!child_send(process->config->child->parent_fd, &message, CHILD_WANTS_SOCKET))
        log_line(EVENT_WARNING, "can't ask for a TCP socket");
}

static void take_socket(struct plane_process *process, int fd)
{
    socklen_t len = sizeof(int);
    int family = AF_INET;

    (void)!getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
    streams_socket(process->streams, mono_now(), family == AF_INET6 ? IP_V6 : IP_V4, fd);
}

static void send_counter(struct plane_process *process, const struct pfkey_message *request,
                         const char *name, uint64_t value)
{
    struct pfkey_message answer = {.type = PFKEY_X_COUNTERS,
                                   .seq = request->seq,
                                   .pid = request->pid,
                                   .has = PFKEY_HAS_COUNTER,
                                   .counter = value};
    uint8_t octets[LIMIT_PFKEY_MESSAGE];
    size_t len;

    memcpy(answer.counter_name, name, strnlen(name, sizeof(answer.counter_name) - 1));
    if (pfkey_build(&answer, span_of(octets, sizeof(octets)), &len) == ERR_OK)
        plane_says(process, view_of(octets, len));
}

/* The IO's counters in front of the plane's, whose last message ends the dump. */
static void add_counters(struct plane_process *process, struct view bytes)
{
    struct pfkey_message request;
    const char *name;
    uint64_t value;

    if (pfkey_parse(bytes, &request) != ERR_OK)
        return;
    if (request.type == PFKEY_X_COUNTERS) {
        for (size_t i = 0; io_counter(process->io, i, &name, &value); i++)
            send_counter(process, &request, name, value);
        for (size_t i = 0; streams_counter(process->streams, i, &name, &value); i++)
            send_counter(process, &request, name, value);
        send_counter(process, &request, "io_channel_lost", process->pfkey.lost);
        send_counter(process, &request, "io_verdict_refused", process->verdicts_refused);
    }
    pfkey_message_wipe(&request);
}

/* IKE that keyd handed over. */
static enum channel_result send_ike(struct plane_process *process)
{
    enum channel_result result = CHANNEL_EMPTY;
    struct ip_endpoint local, remote;
    struct view datagram;
    size_t len;

    for (unsigned i = 0; i < MESSAGES_AT_ONCE && process->ike.fd >= 0; i++) {
        result =
            channel_receive(&process->ike, span_of(process->relay, sizeof(process->relay)), &len);
        if (result != CHANNEL_MESSAGE)
            break;
        struct view message = view_of(process->relay, len);
        if (ike_relay_parse(message, &local, &remote, &datagram) != ERR_OK)
            continue;
        if (ike_relay_kind_of(message) == IKE_RELAY_KEEP)
            streams_keep(process->streams, mono_now(), &local, &remote);
        else if (ike_relay_kind_of(message) == IKE_RELAY_CLOSE)
            streams_close(process->streams, mono_now(), remote.stream);
        else if (remote.stream != 0)
            streams_send_ike(process->streams, mono_now(), &local, &remote, datagram);
        else
            io_send_ike(process->io, &local, &remote, datagram);
    }
    return result;
}

static void keyd_left(struct plane_process *process)
{
    log_line(EVENT_WARNING, "keyd has gone; going on with what is there");
    channel_close(&process->pfkey);
    plane_keyd_changed(process->plane, mono_now(), false);
    settle(process);
}

static void on_pfkey(struct plane_process *process, uint32_t events)
{
    uint8_t room[LIMIT_PFKEY_MESSAGE];
    enum channel_result result = CHANNEL_EMPTY;
    size_t len;

    if ((events & EPOLLOUT) != 0) {
        channel_flush(&process->pfkey);
        watch_channel(process, &process->pfkey, SOURCE_PFKEY);
    }
    for (unsigned i = 0; i < MESSAGES_AT_ONCE; i++) {
        result = channel_receive(&process->pfkey, span_of(room, sizeof(room)), &len);
        if (result != CHANNEL_MESSAGE)
            break;
        /* What keyd handed over before goes first: Quick Mode's last message, then the datagrams
         * that the policy it sends next lets go. */
        send_ike(process);
        add_counters(process, view_of(room, len));
        plane_control(process->plane, mono_now(), view_of(room, len));
        settle(process);
    }
    secret_wipe(room, sizeof(room));
    if (result == CHANNEL_CLOSED)
        keyd_left(process);
}

static void on_ike(struct plane_process *process, uint32_t events)
{
    if ((events & EPOLLOUT) != 0) {
        channel_flush(&process->ike);
        watch_channel(process, &process->ike, SOURCE_IKE);
    }
    enum channel_result result = send_ike(process);
    settle(process);
    if (result == CHANNEL_CLOSED)
        channel_close(&process->ike);
}

static void reconfigure(struct plane_process *process, int fd)
{
    struct plane_config config = process->config->plane;
    bool (*read_config)(int, struct plane_config *) = process->config->read_config;

    if (read_config != NULL && read_config(fd, &config)) {
        process->icmp_on_deny = config.icmp_on_deny;
        plane_reconfigure(process->plane, mono_now(), &config);
        settle(process);
    }
    close(fd);
}

static void on_parent(struct plane_process *process)
{
    struct child_message message;

    switch (child_receive(process->config->child, &message)) {
    case CHILD_GONE:
        process->stop = true;
        return;
    case CHILD_CHANNEL:
        if (message.channel == CHILD_CHANNEL_PFKEY) {
            channel_open(&process->pfkey, message.fd);
            watch(process, message.fd, SOURCE_PFKEY, EPOLLIN);
            plane_keyd_changed(process->plane, mono_now(), true);
            settle(process);
        } else if (message.channel == CHILD_CHANNEL_IKE) {
            channel_open(&process->ike, message.fd);
            streams_forget_owners(process->streams, mono_now());
            watch(process, message.fd, SOURCE_IKE, EPOLLIN);
        } else {
            close(message.fd);
        }
        return;
    case CHILD_CONFIG:
        reconfigure(process, message.fd);
        return;
    case CHILD_SOCKET:
        take_socket(process, message.fd);
        return;
    case CHILD_AGAIN:
        return;
    default:
        child_message_drop(&message);
        return;
    }
}

static void read_sources(struct plane_process *process)
{
    struct outside_addresses now;

    outside_addresses_read(&process->config->outside, &now);
    io_sources_set(process->io, &now);
}

/* Where there is but one outside interface the routes say all. */
static bool watch_outside(struct plane_process *process)
{
    if (process->config->outside.count < 2)
        return true;
    process->outside = outside_watch(OUTSIDE_WATCH_ADDRESSES);
    if (process->outside < 0) {
        log_line(EVENT_ERROR, "the outside interfaces can't be watched: %s", strerror(errno));
        return false;
    }
    read_sources(process);
    return watch(process, process->outside, SOURCE_OUTSIDE, EPOLLIN);
}

static void on_event(struct plane_process *process, unsigned source, uint32_t events)
{
    switch (source) {
    case PLANE_FD_OE:
    case PLANE_FD_VPN:
    case PLANE_FD_PUT_BACK:
        on_tun(process, (enum plane_fd)source, events);
        break;
    case PLANE_FD_ESP_V4:
    case PLANE_FD_ESP_V6:
    case PLANE_FD_UDP_V4:
    case PLANE_FD_UDP_V6:
    case PLANE_FD_AH_V4:
    case PLANE_FD_AH_V6:
        on_socket(process, (enum plane_fd)source, events);
        break;
    case PLANE_FD_CLEAR_V4:
    case PLANE_FD_CLEAR_V6:
        io_read_errors(process->io, (enum plane_fd)source);
        settle(process);
        break;
    case SOURCE_PARENT:
        on_parent(process);
        break;
    case SOURCE_SIGNAL:
        process->stop = true;
        break;
    case SOURCE_OUTSIDE:
        if (outside_news_read(process->outside) != OUTSIDE_NEWS_NONE)
            read_sources(process);
        break;
    case SOURCE_PFKEY:
        if (process->pfkey.fd >= 0)
            on_pfkey(process, events);
        break;
    case SOURCE_IKE:
        if (process->ike.fd >= 0)
            on_ike(process, events);
        break;
    case SOURCE_STREAMS:
        streams_ready(process->streams, mono_now());
        break;
    }
}

static int wait_ms(const struct plane_process *process)
{
    mono_t deadline = mono_min(plane_next_deadline(process->plane),
                               streams_next_deadline(process->streams));
    int64_t left = mono_is_never(deadline) ? WAIT_MAX_MS : mono_since(deadline, mono_now());

    if (left < 0)
        return 0;
    return left > WAIT_MAX_MS ? WAIT_MAX_MS : (int)left;
}

static int loop(struct plane_process *process)
{
    struct epoll_event events[EVENTS_MAX];

    while (!process->stop) {
        int count = epoll_wait(process->epoll, events, EVENTS_MAX, wait_ms(process));
        if (count < 0 && errno != EINTR) {
            log_line(EVENT_ERROR, "epoll: %s", strerror(errno));
            return EXIT_FAILURE;
        }
        for (int i = 0; i < count; i++)
            on_event(process, events[i].data.u32, events[i].events);
        if (mono_reached(mono_now(), plane_next_deadline(process->plane))) {
            plane_timer(process->plane, mono_now());
            settle(process);
        }
        if (mono_reached(mono_now(), streams_next_deadline(process->streams)))
            streams_timer(process->streams, mono_now());
    }
    return process->status;
}

static bool watch_all(struct plane_process *process)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    process->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    process->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (process->signals < 0 || process->epoll < 0) {
        log_line(EVENT_ERROR, "the plane's loop: %s", strerror(errno));
        return false;
    }
    for (unsigned i = 0; i <= PLANE_FD_CLEAR_V6; i++) {
        if (process->config->fds.fd[i] >= 0 &&
            !watch(process, process->config->fds.fd[i], i, EPOLLIN))
            return false;
    }
    return watch(process, streams_fd(process->streams), SOURCE_STREAMS, EPOLLIN) &&
           watch(process, process->config->child->parent_fd, SOURCE_PARENT, EPOLLIN) &&
           watch(process, process->signals, SOURCE_SIGNAL, EPOLLIN);
}

static bool clear_maps(const struct plane_process_config *config)
{
    int nets = config->fds.fd[PLANE_FD_NETS];

    return io_verdicts_clear(config->fds.fd[PLANE_FD_VERDICTS]) &&
           (nets < 0 || io_nets_clear(nets));
}

/*
 * Older kernels let only a process with CAP_BPF change a map, whoever opened it. Tried as the other
 * user, before the way back is closed; the trial also empties the map, whose SPD has gone.
 */
static bool clear_verdicts(const struct plane_process_config *config, uid_t uid, bool *ret_needs_bpf)
{
    int verdicts = config->fds.fd[PLANE_FD_VERDICTS];
    bool ok;

    *ret_needs_bpf = false;
    if (verdicts < 0)
        return true;
    io_classifier_counter(config->fds.fd[PLANE_FD_COUNTERS], CLASSIFIER_COUNT_PASS);
    if (uid == geteuid())
        return clear_maps(config);
    if (seteuid(uid) != 0)
        return false;
    ok = clear_maps(config);
    if (seteuid(0) != 0)
        return false;
    *ret_needs_bpf = !ok;
    return ok || clear_maps(config);
}

static bool give_up_privileges(const struct plane_process_config *config)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    bool needs_bpf;

    if (config->user != NULL && uid == 0 && !child_user_lookup(config->user, &uid, &gid)) {
        log_line(EVENT_ERROR, "there is no user %s", config->user);
        return false;
    }
    if (!clear_verdicts(config, uid, &needs_bpf)) {
        log_line(EVENT_ERROR, "can't change the classifier's map: %s", strerror(errno));
        return false;
    }
    if (!needs_bpf && uid != geteuid())
        return child_drop_privileges(config->user, NULL);
    capng_clear(CAPNG_SELECT_BOTH);
    if (needs_bpf)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF);
    int result = uid == geteuid() ? capng_apply(CAPNG_SELECT_CAPS)
                                  : capng_change_id((int)uid, (int)gid, CAPNG_DROP_SUPP_GRP);
    if (result != 0) {
        log_line(EVENT_ERROR, "can't give up privileges (%d)", result);
        return false;
    }
    return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_DUMPABLE, 0) == 0;
}

static bool make(struct plane_process *process)
{
    const struct plane_process_config *config = process->config;
    struct io_env io_env = {.ctx = process, .ike = ike_in};
    struct plane_env plane_env = {
        .rng = {.fill = fill_random},
        .ctx = process,
        .out = plane_out,
        .control = plane_says,
        .verdict = plane_verdict,
        .net = plane_net,
        .idle_ms = config->fds.fd[PLANE_FD_VERDICTS] >= 0 ? plane_idle_ms : NULL,
    };
    struct streams_env streams_env = {
        .rng = {.fill = fill_random},
        .ctx = process,
        .ike = ike_in,
        .esp = stream_esp,
        .opened = stream_opened,
        .wants_socket = stream_wants_socket,
    };
    enum err err = io_new(&config->fds, &io_env, &process->io);
    if (err == ERR_OK)
        err = streams_new(config->fds.fd[PLANE_FD_TCP_V4], config->fds.fd[PLANE_FD_TCP_V6],
                          &streams_env, &process->streams);

    if (err == ERR_OK)
        err = plane_new(&config->plane, &plane_env, &process->plane);
    if (err != ERR_OK)
        log_line(EVENT_ERROR, "the plane can't start: %s", err_text(err));
    return err == ERR_OK;
}

int plane_process_main(const struct plane_process_config *config)
{
    struct plane_process *process = calloc(1, sizeof(*process));
    int status = EXIT_FAILURE;

    if (process == NULL)
        return status;
    process->config = config;
    process->icmp_on_deny = config->plane.icmp_on_deny;
    process->epoll = process->signals = process->outside = -1;
    channel_init(&process->pfkey);
    channel_init(&process->ike);
    if (give_up_privileges(config) && make(process) && watch_all(process) &&
        watch_outside(process)) {
        log_line(EVENT_INFO, "the plane runs, %s",
                 config->fds.fd[PLANE_FD_VERDICTS] >= 0 ? "with the eBPF classifier"
                                                        : "with policy routing");
        status = loop(process);
    }
    channel_close(&process->pfkey);
    channel_close(&process->ike);
    plane_free(process->plane);
    streams_free(process->streams);
    io_free(process->io);
    for (int i = 0; i < PLANE_FD_COUNT; i++) {
        if (config->fds.fd[i] >= 0)
            close(config->fds.fd[i]);
    }
    if (process->epoll >= 0)
        close(process->epoll);
    if (process->signals >= 0)
        close(process->signals);
    if (process->outside >= 0)
        close(process->outside);
    free(process);
    return status;
}
