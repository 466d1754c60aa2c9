#include "plane/io/setup.h"

#include <errno.h>
#include <net/if.h>
#include <time.h>
#include <unistd.h>

#include "plane/io/classifier.h"
#include "plane/io/guard.h"
#include "plane/io/routing.h"
#include "plane/io/sockets.h"

enum { UDP_PORT = 4500, OVERFLOW_UID = 65534, BUSY_TRIES = 100, BUSY_PAUSE_MS = 20 };

static const char *or_default(const char *name, const char *fallback)
{
    return name != NULL ? name : fallback;
}

static void close_some(struct plane_fds *fds, enum plane_fd first, enum plane_fd last)
{
    for (enum plane_fd i = first; i <= last; i++) {
        if (fds->fd[i] >= 0)
            close(fds->fd[i]);
        fds->fd[i] = -1;
    }
}

static void close_all(struct plane_fds *fds)
{
    close_some(fds, 0, PLANE_FD_COUNT - 1);
}

/* OE-191: opportunistic traffic has a device of its own. What comes out of it is forwarded like what
 * comes from outside; no rule is ever made for it, so nothing trusts it more (OE-192, OE-193). */
static bool open_tuns(const struct plane_setup *setup, struct plane_fds *fds,
                      struct classifier_settings *ret, struct io_fault *fault)
{
    return io_tun_open(or_default(setup->oe_name, "oe0"), &setup->outside, &fds->fd[PLANE_FD_OE],
                       &ret->oe_ifindex, fault) &&
           io_tun_open(or_default(setup->vpn_name, "vpn0"), &setup->outside, &fds->fd[PLANE_FD_VPN],
                       &ret->vpn_ifindex, fault);
}

static bool open_once(const struct plane_setup *setup, struct plane_fds *fds,
                      struct classifier_settings *ret, struct io_fault *fault)
{
    uint16_t port = setup->udp_port != 0 ? setup->udp_port : UDP_PORT;

    if (open_tuns(setup, fds, ret, fault) && io_sockets_open(port, setup->mark, fds, fault))
        return true;
    close_all(fds);
    return false;
}

/* A plane whose parent was killed needs a moment to end and let go of its devices and port. */
static bool open_all(const struct plane_setup *setup, struct plane_fds *fds,
                     struct classifier_settings *ret, struct io_fault *fault)
{
    const struct timespec pause = {.tv_nsec = BUSY_PAUSE_MS * 1000000};

    for (unsigned i = 0; i < BUSY_TRIES; i++) {
        if (open_once(setup, fds, ret, fault))
            return true;
        if (fault->error != EBUSY && fault->error != EADDRINUSE)
            return false;
        nanosleep(&pause, NULL);
    }
    return false;
}

static void look_at_links(const struct outside *outside, uint32_t *ret)
{
    for (size_t i = 0; i < outside->count; i++)
        ret[i] = if_nametoindex(outside->names[i]);
}

/* Those that are there; the guard stands for the others. */
static bool attach_all(struct plane_setup_result *result, struct io_fault *fault)
{
    uint32_t there[OUTSIDE_MAX];

    look_at_links(&result->outside, there);
    for (size_t i = 0; i < result->outside.count; i++) {
        if (there[i] != 0 && !io_classifier_attach(result->programs, there[i], fault))
            return false;
        result->attached[i] = there[i];
    }
    result->guarded = io_guard_set(&result->outside, result->attached, result->mark,
                                   &result->why_unguarded);
    return true;
}

static bool install_ebpf(const struct plane_setup *setup, const struct classifier_settings *settings,
                         struct plane_setup_result *result, struct io_fault *fault)
{
    struct plane_fds *fds = &result->fds;
    struct io_classifier_fds maps;
    uint32_t put_back;

    if (!io_tun_open(or_default(setup->put_back_name, "clear0"), &setup->outside,
                     &fds->fd[PLANE_FD_PUT_BACK], &put_back, fault))
        return false;
    if (!io_classifier_load(settings, put_back, &result->programs, &maps, fault)) {
        close(fds->fd[PLANE_FD_PUT_BACK]);
        fds->fd[PLANE_FD_PUT_BACK] = -1;
        return false;
    }
    fds->fd[PLANE_FD_VERDICTS] = maps.verdicts;
    fds->fd[PLANE_FD_COUNTERS] = maps.counters;
    fds->fd[PLANE_FD_NETS] = maps.nets;
    if (attach_all(result, fault))
        return true;
    close_some(fds, PLANE_FD_PUT_BACK, PLANE_FD_PUT_BACK);
    close_some(fds, PLANE_FD_VERDICTS, PLANE_FD_NETS);
    io_classifier_free(result->programs);
    result->programs = NULL;
    return false;
}

static void detach_all(const struct outside *outside)
{
    uint32_t there[OUTSIDE_MAX];

    look_at_links(outside, there);
    for (size_t i = 0; i < outside->count; i++)
        if (there[i] != 0)
            io_classifier_detach(there[i]);
}

static bool install_routing(const struct plane_setup *setup, struct plane_fds *fds,
                            struct io_fault *fault)
{
    return io_clear_sockets_open(setup->mark, fds, fault) &&
           io_routing_install(setup, or_default(setup->oe_name, "oe0"), fault);
}

/* Interception is the last thing installed: from then on datagrams need the plane. What a parent that
 * was killed left behind, of either kind, goes first. */
static bool intercept(const struct plane_setup *setup, const struct classifier_settings *settings,
                      struct plane_setup_result *result, struct io_fault *fault)
{
    bool automatic = setup->classifier == PLANE_CLASSIFIER_AUTO;

    io_routing_remove();
    io_guard_remove();
    if (setup->classifier != PLANE_CLASSIFIER_ROUTING) {
        result->classifier = PLANE_CLASSIFIER_EBPF;
        if (install_ebpf(setup, settings, result,
                         automatic ? &result->why_routing : fault))
            return true;
        if (!automatic)
            return false;
    }
    result->classifier = PLANE_CLASSIFIER_ROUTING;
    detach_all(&setup->outside);
    return install_routing(setup, &result->fds, fault);
}

/* One of them has to be there; which one doesn't matter if there are several. */
static bool find_outside(const struct outside *outside, struct classifier_settings *ret,
                         struct io_fault *fault)
{
    uint32_t there[OUTSIDE_MAX], first = 0;

    look_at_links(outside, there);
    for (size_t i = 0; i < outside->count && first == 0; i++)
        first = there[i];
    if (first == 0)
        return io_fault_set(fault, ENODEV, "interface %s", outside->names[0]);
    ret->outside_ifindex = outside->count == 1 ? first : 0;
    return true;
}

bool plane_setup(const struct plane_setup *wanted, struct plane_setup_result *ret,
                 struct io_fault *fault)
{
    struct plane_setup_result result = {0};
    struct plane_setup filled = *wanted;
    const struct plane_setup *setup = &filled;
    if (filled.mark == 0)
        filled.mark = PLANE_MARK;
    struct classifier_settings settings = {.mark = filled.mark, .exempt_uid = CLASSIFIER_NO_UID};

    for (int i = 0; i < PLANE_FD_COUNT; i++)
        result.fds.fd[i] = -1;
    /* Forwarded datagrams may seem to be this user's. */
    if (setup->exempt && setup->exempt_uid == OVERFLOW_UID)
        return io_fault_set(fault, 0, "the resolver can't run as user %d", OVERFLOW_UID);
    if (setup->exempt)
        settings.exempt_uid = setup->exempt_uid;
    if (!find_outside(&setup->outside, &settings, fault))
        return false;
    result.outside = setup->outside;
    result.mark = setup->mark;
    settings.refuse_clear = setup->refuse_clear;

    if (!open_all(setup, &result.fds, &settings, fault))
        return false;
    if (!intercept(setup, &settings, &result, fault)) {
        close_all(&result.fds);
        return false;
    }
    *ret = result;
    return true;
}

/* Routing rules go by names: they have nothing to follow. */
bool plane_setup_follow(struct plane_setup_result *result, struct plane_setup_change *ret)
{
    uint32_t there[OUTSIDE_MAX];

    if (result->programs == NULL)
        return false;
    look_at_links(&result->outside, there);
    for (size_t i = 0; i < result->outside.count; i++) {
        if (there[i] == result->attached[i] || (there[i] != 0 && there[i] == result->refused[i]))
            continue;
        *ret = (struct plane_setup_change){.name = result->outside.names[i]};
        ret->attached = there[i] != 0 &&
                        io_classifier_attach(result->programs, there[i], &ret->fault);
        ret->refused = there[i] != 0 && !ret->attached;
        result->attached[i] = ret->attached ? there[i] : 0;
        result->refused[i] = ret->refused ? there[i] : 0;
        result->guarded = io_guard_set(&result->outside, result->attached, result->mark,
                                       &result->why_unguarded);
        return true;
    }
    return false;
}

void plane_setup_undo(struct plane_setup_result *result)
{
    if (result->classifier == PLANE_CLASSIFIER_EBPF)
        detach_all(&result->outside);
    else
        io_routing_remove();
    io_guard_remove();
    io_classifier_free(result->programs);
    result->programs = NULL;
    close_all(&result->fds);
}
