/*
 * TCP (RFC 9329): when an IKE SA begins through it, and what becomes of its stream. Who began the first IKE SA
 * makes the connections (section 1.2); its stream keeps its number when its connection is made again. The other
 * end sends to where the last authentic and new message came from (section 6.1; nat.c follows).
 *
 * The plane keeps a stream for as long as an IKE SA uses it, and is told here of the beginning and the end of that.
 */
#include <stdio.h>

#include "ike/v2/v2.h"

enum {
    TCP_LOCAL_FIRST = 49152, /* the ports that a connection may begin from */
    TCP_LOCAL_COUNT = 16384,
};

static bool in_use(const struct ike *ike, const struct v2_sa *but, uint32_t stream)
{
    for (size_t i = 0; i < ike->v2.all_count; i++)
        if (ike->v2.all[i] != but && ike->v2.all[i]->path.remote.stream == stream)
            return true;
    return false;
}

static uint32_t new_stream(const struct ike *ike)
{
    uint32_t number;
    do
        number = rng_u32(&ike->env.rng) & ~IP_STREAM_ACCEPTED;
    while (number == 0 || in_use(ike, NULL, number));
    return number;
}

/* Our port is chosen before there is a connection, so that NAT detection covers it (section 6.5). */
struct v2_path v2_tcp_path(const struct ike *ike, const struct ike_profile *profile,
                           const struct ip_addr *local, const struct ip_addr *remote)
{
    uint16_t own = (uint16_t)(TCP_LOCAL_FIRST + rng_u32(&ike->env.rng) % TCP_LOCAL_COUNT);
    uint16_t port = profile != NULL && profile->tcp_port != 0 ? profile->tcp_port : IKE_NATT_PORT;
    return (struct v2_path){.local = {*local, own, 0},
                            .remote = {*remote, port, new_stream(ike)},
                            .natt = true};
}

bool v2_tcp_begins(const struct ike *ike, const struct ike_request *request)
{
    const struct ike_profile *profile = v2_profile(ike, request->profile);
    return profile != NULL && (profile->tcp == IKE_TCP_ALWAYS || request->tcp);
}

/* Section 5.1: UDP comes first; then a new IKE_SA_INIT. */
bool v2_tcp_may_fall_back(const struct ike *ike, const struct v2_sa *sa)
{
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    return profile != NULL && profile->tcp == IKE_TCP_AUTO && sa->initiator &&
           !v2_path_is_tcp(&sa->path) && sa->handshake != NULL && sa->handshake->nonce_r.len == 0 &&
           !sa->handshake->hinted;
}

/* Section 7.1, with MOBIKE: UDP is tried for a while. */
bool v2_tcp_may_try(const struct ike *ike, const struct v2_exchange *x)
{
    const struct v2_sa *sa = x->sa;
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    return profile != NULL && profile->tcp == IKE_TCP_AUTO && sa->mobike != NULL &&
           sa->mobike->decides && !v2_path_is_tcp(&sa->path) && !x->has_via &&
           x->repeats_made >= V2_TCP_TRIES;
}

bool v2_tcp_only(const struct ike *ike, const struct v2_sa *sa)
{
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    return profile != NULL && profile->tcp == IKE_TCP_ALWAYS;
}

/* Section 2: what isn't configured for TCP isn't served through it. */
bool v2_tcp_allowed(const struct ike *ike, const struct v2_sa *sa, const struct ike_event *event)
{
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    return event->remote.stream == 0 || (profile != NULL && profile->tcp != IKE_TCP_NEVER);
}

static void tell_plane(struct ike *ike, const struct v2_path *path, bool used)
{
    const struct ike_effect fx = {
        .kind = IKE_FX_STREAM, .local = path->local, .remote = path->remote, .ok = used};
    (void)ike_effect_push(ike, &fx);
}

void v2_tcp_keep(struct ike *ike, const struct v2_sa *sa)
{
    if (v2_path_is_tcp(&sa->path) && sa->established)
        tell_plane(ike, &sa->path, true);
}

void v2_tcp_drop(struct ike *ike, const struct v2_sa *sa, const struct v2_path *path)
{
    if (v2_path_is_tcp(path) && !in_use(ike, sa, path->remote.stream))
        tell_plane(ike, path, false);
}

void v2_tcp_moved(struct ike *ike, const struct v2_sa *sa, const struct v2_path *before)
{
    if (before->remote.stream == sa->path.remote.stream)
        return;
    v2_tcp_keep(ike, sa);
    if (!in_use(ike, NULL, before->remote.stream))
        v2_tcp_drop(ike, sa, before);
}

/* Section 6.2: what is unanswered goes out again; section 6.1: or something else shows the peer where we are. */
static void opened(struct ike *ike, struct v2_sa *sa, const struct ike_event *event)
{
    char end[IP_ENDPOINT_TEXT_MAX], text[80];
    snprintf(text, sizeof(text), "from %s", ip_endpoint_format(&event->local, end));
    v2_trace(ike, sa, NULL, EVENT_INFO, "TCP connection made again", text);
    sa->path.local = event->local;
    v2_saved_sa(ike, sa);
    if (sa->mine != NULL && !sa->mine->in_line && sa->mine->out.datagrams.len != 0)
        v2_sent_repeat(ike, sa, &sa->path, &sa->mine->out);
    if (sa->established && !v2_mobike_reconnected(ike, sa))
        info_ask_alive(ike, sa);
}

enum err v2_tcp_opened(struct ike *ike, const struct ike_event *event)
{
    enum err err = ERR_UNKNOWN;
    for (size_t i = 0; i < ike->v2.all_count; i++) {
        struct v2_sa *sa = ike->v2.all[i];
        if (event->remote.stream == 0 || sa->path.remote.stream != event->remote.stream ||
            sa->dying || sa->replaced)
            continue;
        opened(ike, sa, event);
        err = ERR_OK;
    }
    return err;
}

enum err v2_tcp_tell_all(struct ike *ike)
{
    for (size_t i = 0; i < ike->v2.all_count; i++)
        v2_tcp_keep(ike, ike->v2.all[i]);
    return ERR_OK;
}
