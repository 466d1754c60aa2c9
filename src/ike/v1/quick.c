/*
 * Quick Mode (RFC 2409 section 5.5) in tunnel mode (OE-129), for ESP or AH (IKE-044, IKE-046): the handlers
 * of the table. Opportunistic
 * tunnels always have PFS (OE-128) and are for one pair of hosts (OE-134); configured ones are for
 * what the configuration says, with PFS unless it says otherwise (IKE-048). Each makes new keys under the
 * same phase 1 SA, with whatever algorithms are agreed this time (IKE-006, IKE-007, IKE-019), and
 * registers them with the plane when they are known and not before (IKE-005).
 */
#include <assert.h>
#include <stdio.h>

#include "ike/v1/v1.h"

/* Those that are done only wait for duplicates: the oldest gives way to a new one. `others` are
 * there beside the new one. */
static bool make_room(struct ike *ike, struct ike_sa *sa, size_t others)
{
    struct v1_quick *quick, *oldest = NULL;

    if (others < V1_QUICKS_MAX)
        return true;
    LIST_FOREACH (quick, &sa->quicks, of_sa) {
        if (quick->x.state == V1_QM_DONE)
            oldest = quick; /* the list has the youngest first */
    }
    if (oldest != NULL)
        quick_free(ike, oldest);
    return oldest != NULL;
}

enum err quick_new(struct ike *ike, struct ike_sa *sa, enum v1_state state, msgid_t msgid,
                   bool initiator, struct v1_quick **ret)
{
    /* For a message that is not proven yet nothing goes: see quick_r_proposal(). */
    if (initiator && !make_room(ike, sa, sa->quick_count))
        return ERR_LIMIT;
    struct v1_quick *quick = calloc(1, sizeof(*quick));
    if (quick == NULL)
        return ERR_MEMORY;
    enum err err = v1_exchange_init(ike, &quick->x, sa, state, msgid, initiator);
    if (err == ERR_OK) {
        err = v1_phase2_iv(sa, msgid, quick->x.iv);
        if (err != ERR_OK)
            v1_exchange_fini(ike, &quick->x);
    }
    if (err != ERR_OK) {
        free(quick);
        return err;
    }
    quick->born = ike_serial(ike);
    LIST_INSERT_HEAD(&sa->quicks, quick, of_sa);
    sa->quick_count++;
    *ret = quick;
    return ERR_OK;
}

void quick_set_ticket(struct v1_quick *quick, struct ike_ticket *ticket)
{
    quick->ticket = ticket;
    LIST_INSERT_HEAD(&ticket->quicks, quick, of_ticket);
}

static uint64_t ticket_number(const struct v1_quick *quick)
{
    return quick->ticket ? quick->ticket->number : 0;
}

static void remove_sa(struct ike *ike, const struct v1_quick *quick, bool inbound)
{
    const struct ike_sa *sa = quick->x.sa;
    const struct ike_effect fx = {.kind = IKE_FX_REMOVE_SA,
                                  .spi = inbound ? quick->spi_in : quick->spi_out,
                                  .inbound = inbound,
                                  .peer = sa->remote.addr,
                                  .local = sa->local,
                                  .remote = sa->remote};
    (void)ike_effect_push(ike, &fx);
}

/* What was leased or installed and did not become a child. After message 2 the initiator may think
 * that the tunnel is up. */
static void take_back(struct ike *ike, struct v1_quick *quick)
{
    bool agreed =
        quick->x.state == V1_QM_R_WAIT_CONFIRM || quick->x.state == V1_QM_R_INSTALLING_OUT;
    if (quick->x.state == V1_QM_DONE)
        return;
    if (agreed)
        info_send_delete_children(ike, quick->x.sa, quick->choice.suite.protocol, &quick->spi_in, 1);
    if (quick->child != NULL)
        ike_child_free(ike, quick->child);
    if (quick->spi_in.value != 0)
        remove_sa(ike, quick, true);
    if (quick->outbound_given)
        remove_sa(ike, quick, false);
}

static void forget_secrets(struct v1_quick *quick)
{
    dh_free(quick->dh);
    quick->dh = NULL;
    blob_wipe(&quick->peer_ke);
    sa_params_wipe(&quick->sas[0]);
    sa_params_wipe(&quick->sas[1]);
}

void quick_free(struct ike *ike, struct v1_quick *quick)
{
    take_back(ike, quick);
    forget_secrets(quick);
    blob_wipe(&quick->nonce_i);
    blob_wipe(&quick->nonce_r);
    blob_wipe(&quick->id_i);
    blob_wipe(&quick->id_r);
    blob_wipe(&quick->reply);
    if (quick->request != NULL)
        quick->request->quick = NULL;
    if (quick->ticket != NULL) {
        LIST_REMOVE(quick, of_ticket);
        ike_ticket_put(ike, quick->ticket);
    }
    LIST_REMOVE(quick, of_sa);
    quick->x.sa->quick_count--;
    v1_exchange_fini(ike, &quick->x);
    free(quick);
}

/* Both sides */

static const struct ike_profile *profile_of(const struct ike *ike, const struct v1_quick *quick)
{
    return ike_profile_numbered(ike, quick->x.sa->profile);
}

static uint32_t lifetime_s(const struct ike *ike, const struct v1_quick *quick)
{
    const struct ike_profile *profile = profile_of(ike, quick);
    return profile != NULL && profile->child_lifetime_s != 0 ? profile->child_lifetime_s
                                                             : ike->config.child_lifetime_s;
}

static struct phase2_offer own_offer(const struct ike *ike, const struct v1_quick *quick)
{
    const struct ike_profile *profile = profile_of(ike, quick);
    struct phase2_offer offer = {
        .suites = ike->child_offers,
        .count = ike->child_offer_count,
        .spi = quick->spi_in,
        .group = quick->x.sa->suite.group,
        .seconds = lifetime_s(ike, quick),
        .octets = ike->config.child_octets,
        .udp = quick->x.sa->nat.udp,
    };
    if (profile != NULL && profile->pfs_group != 0)
        offer.group = profile->pfs_group == IKE_NO_PFS ? 0 : profile->pfs_group;
    if (profile != NULL && profile->legacy)
        offer.suites = phase2_offers(true, &offer.count);
    if (profile != NULL && profile->ah)
        offer.suites = phase2_ah_offers(profile->legacy, &offer.count);
    return offer;
}

static struct phase2_terms own_terms(const struct ike *ike, const struct v1_quick *quick)
{
    const struct ike_profile *profile = profile_of(ike, quick);
    struct phase2_terms terms = {.legacy = ike->config.legacy, .udp = quick->x.sa->nat.udp};
    if (profile != NULL) {
        terms.legacy |= profile->legacy;
        terms.ah = profile->ah;
        terms.pfs_waived = profile->pfs_group == IKE_NO_PFS;
        terms.group = profile->pfs_group == IKE_NO_PFS ? 0 : profile->pfs_group;
    }
    return terms;
}

/* AH covers the addresses that a NAT changes, and there is no AH in UDP (RFC 3948 section 1). */
static enum err no_ah_through_nat(struct v1_step *step)
{
    const struct ike_profile *profile = profile_of(step->ike, step->quick);
    if (profile == NULL || !profile->ah || !step->sa->nat.udp)
        return ERR_OK;
    return v1_refuse(step, ERR_POLICY, V1_NO_PROPOSAL_CHOSEN,
                     "AH is configured, and it can't go through the NAT; use ESP");
}

/* A new question to our own side about this Quick Mode. */
static enum err ask(struct v1_step *step, struct ike_effect *fx)
{
    const struct ike_sa *sa = step->sa;
    fx->serial = v1_ask(step);
    fx->ticket = ticket_number(step->quick);
    fx->local = sa->local;
    fx->remote = sa->remote;
    fx->peer = sa->remote.addr;
    fx->peer_id = sa->peer_id;
    fx->initiator =
        fx->kind == IKE_FX_NEED_AUTHORIZATION ? sa->initiator : step->x->initiator;
    fx->flow = step->quick->flow;
    fx->profile = sa->profile;
    fx->version = IKE_VERSION_1;
    fx->traffic = step->quick->traffic;
    return fx->serial != 0 && ike_effect_push(step->ike, fx) ? ERR_OK : ERR_MEMORY;
}

static enum err make_share(struct v1_step *step, uint16_t group)
{
    struct v1_quick *quick = step->quick;
    uint8_t fresh[V1_NONCE_LEN];

    rng_fill(&step->ike->env.rng, fresh, sizeof(fresh));
    if (!blob_set(step->x->initiator ? &quick->nonce_i : &quick->nonce_r,
                  view_of(fresh, sizeof(fresh))))
        return ERR_MEMORY;
    dh_free(quick->dh); /* of a run of this step that had to wait */
    quick->dh = NULL;
    if (group == 0)
        return ERR_OK;
    return defer_dh_new(step->ike, &step->works, group, &quick->dh);
}

static enum err take_share(struct v1_step *step, uint16_t group)
{
    struct v1_quick *quick = step->quick;
    const struct isakmp_payload *share = isakmp_payload_find(step->payloads, ISAKMP_P_KE, 0);
    struct view ke = share != NULL ? share->body : view_of(NULL, 0);
    struct view nonce = v1_body(step, ISAKMP_P_NONCE, 0);

    if (group != 0 && share == NULL)
        return v1_refuse(step, ERR_MISSING, V1_NO_PROPOSAL_CHOSEN, "no PFS: no KE payload");
    if (group == 0 && share != NULL)
        return v1_refuse(step, ERR_UNEXPECTED, V1_PAYLOAD_MALFORMED, "KE payload without a group");
    if (group != 0 && ke.len != dh_public_len(group))
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "public value of the wrong length");
    if (nonce.len < LIMIT_NONCE_MIN || nonce.len > LIMIT_NONCE_MAX)
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "nonce of the wrong length");
    if (!blob_set(&quick->peer_ke, ke) ||
        !blob_set(step->x->initiator ? &quick->nonce_r : &quick->nonce_i, nonce))
        return ERR_MEMORY;
    return ERR_OK;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* What the peer offers shortens ours, but not below the floor. */
static uint64_t shortened(uint64_t ours, uint64_t offered, uint64_t floor)
{
    return least(ours, offered != 0 && offered < floor ? floor : offered);
}

/* The shorter of what both want. The initiator re-keys first, at a moment of its own, so that two
 * ends rarely start at once. Without 64-bit sequence numbers the 32-bit ones must not run out. */
static void set_lifetimes(const struct ike *ike, const struct v1_quick *quick, struct sa_params *sa)
{
    unsigned percent = 90;
    if (quick->x.initiator)
        percent -= rng_u32(&ike->env.rng) % 10;
    sa->hard.seconds =
        shortened(lifetime_s(ike, quick), quick->choice.seconds, LIMIT_CHILD_LIFE_MIN_S);
    sa->hard.octets = ike->config.child_octets;
    if (quick->choice.kilobytes <= UINT64_MAX / 1024)
        sa->hard.octets = shortened(sa->hard.octets, quick->choice.kilobytes * 1024,
                                    LIMIT_CHILD_OCTETS_MIN);
    sa->hard.packets = quick->choice.suite.esn ? 0 : UINT32_MAX;
    sa->soft.seconds = sa->hard.seconds * percent / 100;
    sa->soft.octets = sa->hard.octets / 100 * percent;
    sa->soft.packets = sa->hard.packets / 100 * percent;
}

static void describe_sa(const struct ike *ike, const struct v1_quick *quick, bool inbound,
                        struct sa_params *ret)
{
    const struct ike_sa *sa = quick->x.sa;
    const struct traffic *local = &quick->traffic.local, *remote = &quick->traffic.remote;
    *ret = (struct sa_params){
        .spi = inbound ? quick->spi_in : quick->spi_out,
        .inbound = inbound,
        .interface = sa->profile != 0 ? SA_CONFIGURED : SA_OPPORTUNISTIC,
        .suite = quick->choice.suite,
        .outer_src = inbound ? sa->remote.addr : sa->local.addr,
        .outer_dst = inbound ? sa->local.addr : sa->remote.addr,
        .inner_src = inbound ? remote->net : local->net,
        .inner_dst = inbound ? local->net : remote->net,
        .ticket = ticket_number(quick),
    };
    if (quick->choice.udp) { /* RFC 3948: the ports are those of IKE */
        ret->udp_src = inbound ? sa->path.remote.port : sa->path.local.port;
        ret->udp_dst = inbound ? sa->path.local.port : sa->path.remote.port;
    }
    set_lifetimes(ike, quick, ret);
}

/* g(qm)^xy and from it both SAs with their keys; the private value is gone afterwards (IKE-010). */
static enum err make_sas(struct v1_step *step)
{
    struct v1_quick *quick = step->quick;
    uint8_t secret[DH_MAX];
    bool pfs = quick->choice.group != 0;
    struct view shared = view_of(secret, pfs ? dh_secret_len(quick->choice.group) : 0);
    enum err err = pfs ? defer_dh_shared(step->ike, &step->works, quick->dh,
                                         blob_view(&quick->peer_ke), secret)
                       : ERR_OK;
    if (err == ERR_VALUE)
        v1_refuse(step, err, V1_NO_NOTIFY, "public value is not acceptable");
    for (size_t i = 0; i < 2 && err == ERR_OK; i++) {
        describe_sa(step->ike, quick, i == 0, &quick->sas[i]);
        err = v1_keymat(step->sa, quick, shared, &quick->sas[i]);
    }
    secret_wipe(secret, sizeof(secret));
    return err;
}

static enum err install(struct v1_step *step, const struct sa_params *sas, size_t count)
{
    struct ike_effect fx = {.kind = IKE_FX_INSTALL,
                            .sas = sas,
                            .sa_count = count,
                            .spi_in = step->quick->spi_in,
                            .spi_out = step->quick->spi_out,
                            .suite = step->quick->choice.suite};
    enum err err = ask(step, &fx);
    if (err == ERR_OK && sas + count == step->quick->sas + 2)
        step->quick->outbound_given = true;
    return err;
}

/* IDci and IDcr: the hosts or subnets that the tunnel is for, perhaps one protocol and port of them
 * (OE-130, OE-131, RSIP-014). */
static bool set_client(struct blob *blob, const struct traffic *traffic)
{
    uint8_t body[40];
    struct builder b = builder_on(span_of(body, sizeof(body)));
    bool one_port = traffic->port_first == traffic->port_last;
    uint16_t port = one_port ? traffic->port_first : 0;

    isakmp_id_build_prefix(&b, &traffic->net);
    if (b.bad)
        return false;
    body[1] = traffic->protocol;
    body[2] = (uint8_t)(port >> 8);
    body[3] = (uint8_t)port;
    return blob_set(blob, builder_written(&b));
}

static enum err read_client(struct view body, struct traffic *ret)
{
    struct isakmp_id id;
    struct traffic traffic = {.port_last = UINT16_MAX};
    enum err err = isakmp_id_parse(body, &id);
    if (err == ERR_OK)
        err = isakmp_id_to_prefix(&id, &traffic.net);
    if (err != ERR_OK)
        return err;
    traffic.protocol = id.protocol;
    if (id.port != 0)
        traffic.port_first = traffic.port_last = id.port;
    *ret = traffic;
    return ERR_OK;
}

static bool same_traffic(const struct traffic *a, const struct traffic *b)
{
    return ip_addr_equal(&a->net.addr, &b->net.addr) && a->net.bits == b->net.bits &&
           a->protocol == b->protocol && a->port_first == b->port_first &&
           a->port_last == b->port_last;
}

/* Some peers answer a subnet of one host with the single-address type (OE-131). */
static bool same_client(struct view body, const struct traffic *traffic)
{
    struct traffic said;
    return read_client(body, &said) == ERR_OK && same_traffic(&said, traffic);
}

static bool one_host(const struct traffic *traffic)
{
    return traffic->net.bits == ip_addr_bits(&traffic->net.addr) && traffic->protocol == 0 &&
           traffic->port_first == 0;
}

static void put_share(struct v1_step *step, struct v1_out *out)
{
    const struct v1_quick *quick = step->quick;
    isakmp_writer_payload(&out->w, ISAKMP_P_NONCE,
                          blob_view(step->x->initiator ? &quick->nonce_i : &quick->nonce_r));
    if (quick->dh != NULL)
        isakmp_writer_payload(&out->w, ISAKMP_P_KE, dh_public(quick->dh));
    isakmp_writer_payload(&out->w, ISAKMP_P_ID, blob_view(&quick->id_i));
    isakmp_writer_payload(&out->w, ISAKMP_P_ID, blob_view(&quick->id_r));
}

static enum err own_side_ok(struct v1_step *step, const char *why)
{
    return step->event->ok ? ERR_OK : v1_refuse(step, ERR_STATE, V1_NO_PROPOSAL_CHOSEN, why);
}

static enum err take_spi(struct v1_step *step)
{
    enum err err = own_side_ok(step, "no SPI to be had");
    if (err == ERR_OK && step->event->spi.value <= 255)
        err = v1_refuse(step, ERR_STATE, V1_NO_NOTIFY, "a reserved SPI");
    if (err == ERR_OK)
        step->quick->spi_in = step->event->spi;
    return err;
}

/* Initiator */

enum err quick_i_start(struct v1_step *step)
{
    struct v1_quick *quick = step->quick;
    struct ike_effect fx = {.kind = IKE_FX_NEED_SPI};
    enum err err = no_ah_through_nat(step);
    if (err != ERR_OK)
        return err;
    if (!set_client(&quick->id_i, &quick->traffic.local) ||
        !set_client(&quick->id_r, &quick->traffic.remote))
        return ERR_MEMORY;
    return ask(step, &fx);
}

enum err quick_i_offer(struct v1_step *step)
{
    struct ike *ike = step->ike;
    struct v1_quick *quick = step->quick;
    struct v1_out out;

    enum err err = take_spi(step);
    const struct phase2_offer offer = own_offer(ike, quick);
    if (err == ERR_OK)
        err = make_share(step, offer.group);
    if (err != ERR_OK)
        return err;
    v1_out_start(ike, &out, step->sa, V1_QM1, step->x->msgid);
    isakmp_writer_open(&out.w, ISAKMP_P_SA);
    phase2_offer_build(&out.w.b, &offer, &ike->sa_out);
    isakmp_writer_close(&out.w);
    put_share(step, &out);
    return v1_out_send(step, &out);
}

enum err quick_i_reply(struct v1_step *step)
{
    struct ike *ike = step->ike;
    struct v1_quick *quick = step->quick;
    const struct phase2_offer offer = own_offer(ike, quick);

    enum err err = phase2_check(v1_body(step, ISAKMP_P_SA, 0), &offer, &ike->sa_in, &quick->choice);
    if (err != ERR_OK)
        return v1_refuse(step, err, V1_NO_PROPOSAL_CHOSEN, "the choice is not among our offers");
    if (!same_client(v1_body(step, ISAKMP_P_ID, 0), &quick->traffic.local) ||
        !same_client(v1_body(step, ISAKMP_P_ID, 1), &quick->traffic.remote))
        return v1_refuse(step, ERR_POLICY, V1_INVALID_ID_INFORMATION,
                         "the peer changed the tunnel's ends");
    quick->spi_out = quick->choice.peer_spi;
    if (ike_child_find(ike, &step->sa->remote.addr, quick->spi_out) != NULL)
        return v1_refuse(step, ERR_POLICY, V1_NO_PROPOSAL_CHOSEN, "the peer's SPI is in use");
    err = take_share(step, quick->choice.group);
    if (err == ERR_OK)
        err = make_sas(step);
    if (err == ERR_OK)
        err = install(step, quick->sas, 2);
    return err;
}

enum err quick_i_installed(struct v1_step *step)
{
    struct v1_out out;
    enum err err = own_side_ok(step, "the SAs could not be installed");
    if (err != ERR_OK)
        return err;
    err = ike_child_new(step->ike, step->quick);
    if (err != ERR_OK)
        return err;
    v1_out_start(step->ike, &out, step->sa, V1_QM3, step->x->msgid);
    return v1_out_send(step, &out);
}

/* Responder */

/* RFC 2407 section 4.6.2: a range isn't what an SPD entry here can hold. */
static bool is_range(struct view body)
{
    return body.len != 0 && (body.ptr[0] == ISAKMP_ID_IPV4_ADDR_RANGE ||
                             body.ptr[0] == ISAKMP_ID_IPV6_ADDR_RANGE);
}

static const char *bad_selectors(const struct v1_step *step)
{
    bool range =
        is_range(v1_body(step, ISAKMP_P_ID, 0)) || is_range(v1_body(step, ISAKMP_P_ID, 1));
    return range ? "a range of addresses; only hosts and subnets will do" : "no usable selectors";
}

enum err quick_r_proposal(struct v1_step *step)
{
    struct ike *ike = step->ike;
    struct v1_quick *quick = step->quick;
    uint8_t reply[512];
    struct builder b = builder_on(span_of(reply, sizeof(reply)));
    struct traffic theirs, ours;

    if (!make_room(ike, step->sa, step->sa->quick_count - 1))
        return v1_refuse(step, ERR_LIMIT, V1_NO_NOTIFY, "too many Quick Modes at once");
    const struct phase2_terms terms = own_terms(ike, quick);
    enum err err = no_ah_through_nat(step);
    if (err != ERR_OK)
        return err;
    err = phase2_choose(v1_body(step, ISAKMP_P_SA, 0), &terms, &ike->sa_in, &ike->sa_out,
                                 &quick->choice, &b);
    if (err != ERR_OK)
        return v1_refuse(step, err, V1_NO_PROPOSAL_CHOSEN, "none of the offered suites will do");
    quick->spi_out = quick->choice.peer_spi;
    if (read_client(v1_body(step, ISAKMP_P_ID, 0), &theirs) != ERR_OK ||
        read_client(v1_body(step, ISAKMP_P_ID, 1), &ours) != ERR_OK ||
        theirs.net.addr.family != ours.net.addr.family || theirs.protocol != ours.protocol)
        return v1_refuse(step, ERR_POLICY, V1_INVALID_ID_INFORMATION, bad_selectors(step));
    bool hosts = one_host(&theirs) && one_host(&ours);
    if (step->sa->profile == 0 && !hosts) /* OE-134 */
        return v1_refuse(step, ERR_POLICY, V1_INVALID_ID_INFORMATION, "not a pair of hosts");
    if (ike_child_find(ike, &step->sa->remote.addr, quick->spi_out) != NULL)
        return v1_refuse(step, ERR_POLICY, V1_NO_PROPOSAL_CHOSEN, "the peer's SPI is in use");
    err = take_share(step, quick->choice.group);
    if (err != ERR_OK)
        return err;
    if (!blob_set(&quick->reply, builder_written(&b)) ||
        !blob_set(&quick->id_i, v1_body(step, ISAKMP_P_ID, 0)) ||
        !blob_set(&quick->id_r, v1_body(step, ISAKMP_P_ID, 1)))
        return ERR_MEMORY;
    quick->traffic = (struct traffic_pair){.local = ours, .remote = theirs};
    if (hosts)
        quick->flow = (struct ip_pair){.src = ours.net.addr, .dst = theirs.net.addr};
    struct ike_effect fx = {.kind = IKE_FX_NEED_AUTHORIZATION,
                            .key = &step->sa->peer_key,
                            .behind_nat = step->sa->nat.there};
    return ask(step, &fx);
}

enum err quick_r_authorized(struct v1_step *step)
{
    struct ike_effect fx = {.kind = IKE_FX_NEED_SPI};
    if (!step->event->ok)
        return v1_refuse(step, ERR_POLICY, V1_INVALID_ID_INFORMATION,
                         "the peer may not speak for that host"); /* OE-092, OE-183 */
    /* Quick Mode can't narrow: what is allowed is all that was asked for, or nothing. */
    if (step->sa->profile != 0 &&
        (!same_traffic(&step->event->traffic.local, &step->quick->traffic.local) ||
         !same_traffic(&step->event->traffic.remote, &step->quick->traffic.remote)))
        return v1_refuse(step, ERR_POLICY, V1_INVALID_ID_INFORMATION,
                         "not all of that traffic is allowed"); /* IKE-055 */
    if (step->event->ticket != 0) {
        struct ike_ticket *ticket = ike_ticket_get(step->ike, step->event->ticket, true);
        if (ticket == NULL)
            return ERR_MEMORY;
        quick_set_ticket(step->quick, ticket);
    }
    return ask(step, &fx);
}

enum err quick_r_keys(struct v1_step *step)
{
    enum err err = take_spi(step);
    if (err == ERR_OK)
        err = make_share(step, step->quick->choice.group);
    if (err == ERR_OK)
        err = make_sas(step);
    if (err == ERR_OK)
        err = install(step, &step->quick->sas[0], 1); /* OE-185 */
    return err;
}

enum err quick_r_reply(struct v1_step *step)
{
    struct v1_quick *quick = step->quick;
    struct v1_out out;
    enum err err = own_side_ok(step, "the inbound SA could not be installed");
    if (err != ERR_OK)
        return err;
    struct builder spi = builder_on(span_of(quick->reply.ptr + PHASE2_SPI_AT, 4));
    builder_u32(&spi, quick->spi_in.value);
    v1_out_start(step->ike, &out, step->sa, V1_QM2, step->x->msgid);
    isakmp_writer_payload(&out.w, ISAKMP_P_SA, blob_view(&quick->reply));
    put_share(step, &out);
    return v1_out_send(step, &out);
}

enum err quick_r_confirmed(struct v1_step *step)
{
    return install(step, &step->quick->sas[1], 1);
}

enum err quick_r_installed(struct v1_step *step)
{
    enum err err = own_side_ok(step, "the outbound SA could not be installed");
    return err == ERR_OK ? ike_child_new(step->ike, step->quick) : err;
}

/* Both sides: only what duplicates need is kept. */
void quick_up(struct v1_step *step)
{
    forget_secrets(step->quick);
    ike_child_up(step->ike, step->quick);
}
