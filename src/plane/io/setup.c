#include "plane/io/setup.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "plane/io/classifier.h"
#include "plane/io/routing.h"
#include "plane/io/sockets.h"

enum { UDP_PORT = 4500, OVERFLOW_UID = 65534, BUSY_TRIES = 100, BUSY_PAUSE_MS = 20 };

static const char *or_default(const char *name, const char *fallback)
{
    return name != NULL ? name : fallback;
}

static void close_all(struct plane_fds *fds)
{
    for (int i = 0; i < PLANE_FD_COUNT; i++) {
        if (fds->fd[i] >= 0)
            close(fds->fd[i]);
        fds->fd[i] = -1;
    }
}

/* OE-191: opportunistic traffic has a device of its own. What comes out of it is forwarded like what
 * comes from outside; no rule is ever made for it, so nothing trusts it more (OE-192, OE-193). */
static bool open_tuns(const struct plane_setup *setup, struct plane_fds *fds,
                      struct classifier_settings *ret, struct io_fault *fault)
{
    return io_tun_open(or_default(setup->oe_name, "oe0"), setup->outside, &fds->fd[PLANE_FD_OE],
                       &ret->oe_ifindex, fault) &&
           io_tun_open(or_default(setup->vpn_name, "vpn0"), setup->outside, &fds->fd[PLANE_FD_VPN],
                       &ret->vpn_ifindex, fault);
}

static bool open_once(const struct plane_setup *setup, struct plane_fds *fds,
                      struct classifier_settings *ret, struct io_fault *fault)
{
    uint16_t port = setup->udp_port != 0 ? setup->udp_port : UDP_PORT;

    if (open_tuns(setup, fds, ret, fault) && io_sockets_open(port, setup->mark, fds, fault) &&
        (setup->tcp_port == 0 || io_listen_open(setup->tcp_port, setup->mark, fds, fault)))
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

static bool install_ebpf(const struct plane_setup *setup, const struct classifier_settings *settings,
                         struct plane_fds *fds, struct io_fault *fault)
{
    struct io_classifier_fds maps;
    uint32_t put_back;

    if (!io_tun_open(or_default(setup->put_back_name, "clear0"), setup->outside,
                     &fds->fd[PLANE_FD_PUT_BACK], &put_back, fault))
        return false;
    if (!io_classifier_attach(settings, put_back, &maps, fault)) {
        close(fds->fd[PLANE_FD_PUT_BACK]);
        fds->fd[PLANE_FD_PUT_BACK] = -1;
        return false;
    }
    fds->fd[PLANE_FD_VERDICTS] = maps.verdicts;
    fds->fd[PLANE_FD_COUNTERS] = maps.counters;
    fds->fd[PLANE_FD_NETS] = maps.nets;
    return true;
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
    if (setup->classifier != PLANE_CLASSIFIER_ROUTING) {
        result->classifier = PLANE_CLASSIFIER_EBPF;
        if (install_ebpf(setup, settings, &result->fds,
                         automatic ? &result->why_routing : fault))
            return true;
        if (!automatic)
            return false;
    }
    result->classifier = PLANE_CLASSIFIER_ROUTING;
    io_classifier_detach(settings->outside_ifindex);
    return install_routing(setup, &result->fds, fault);
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
    if (!io_link_read(setup->outside, &result.outside, fault))
        return false;
    settings.outside_ifindex = result.outside.ifindex;
    settings.ethernet = result.outside.ethernet;
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

void plane_setup_undo(struct plane_setup_result *result)
{
    if (result->classifier == PLANE_CLASSIFIER_EBPF)
        io_classifier_detach(result->outside.ifindex);
    else
        io_routing_remove();
    close_all(&result->fds);
}
