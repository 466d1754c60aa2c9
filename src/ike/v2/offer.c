/*
 * What is negotiated for a child: SPI, suite, key exchange of its own, traffic selectors, and the
 * SAs that come of it. In IKE_AUTH and in CREATE_CHILD_SA alike.
 */
#include <assert.h>

#include "ike/v2/v2.h"
#include "wire/traffic.h"

static uint64_t ticket_number(const struct v2_child *child)
{
    return child->ticket ? child->ticket->number : 0;
}

static enum err ask(struct v2_step *step, struct ike_effect *fx)
{
    const struct v2_child *child = step->x->child;
    fx->ticket = ticket_number(child);
    fx->peer_id = step->sa->peer_id;
    fx->initiator = step->x->initiator;
    fx->flow = child->flow;
    fx->traffic = child->traffic;
    return v2_ask(step, fx);
}

/* AH covers the addresses that a NAT changes, and there is no AH in UDP (RFC 3948 section 1). */
static bool ah_meets_nat(const struct v2_step *step)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    return profile != NULL && profile->ah && step->sa->nat.udp;
}

static const char ah_refused[] = "AH is configured, and it can't go through the NAT; use ESP";

struct ike2_policy child_own_policy(const struct v2_step *step)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    return (struct ike2_policy){.legacy = step->ike->config.legacy,
                                .ah = profile != NULL && profile->ah};
}

enum err child_ask_spi(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    struct ike_effect fx = {.kind = IKE_FX_NEED_SPI};
    if (child != NULL && step->x->initiator && ah_meets_nat(step))
        return v2_refuse(step, ERR_POLICY, 0, ah_refused);
    if (child == NULL || child->refused != 0 || child->spi_in.value != 0) {
        step->at_once = true;
        return ERR_OK;
    }
    return ask(step, &fx);
}

enum err child_take_spi(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    if (child == NULL || child->refused != 0 || child->spi_in.value != 0)
        return ERR_OK;
    if (!step->event->ok || step->event->spi.value == 0)
        return child_refuse(step, ERR_STATE, IKE2_N_NO_ADDITIONAL_SAS, "no SPI to be had");
    child->spi_in = step->event->spi;
    return ERR_OK;
}

/* Initiator */

void child_put_offer(const struct v2_step *step, struct ike2_writer *w)
{
    const struct v2_child *child = step->x->child;
    ike2_writer_open(w, IKE2_P_SA);
    ike2_child_offer_build(&w->b, &child->policy, child->spi_in, &step->ike->sa2);
    ike2_writer_close(w);
    if (child->nonce_i.len != 0)
        ike2_writer_payload(w, IKE2_P_NONCE, blob_view(&child->nonce_i));
    if (child->kex != NULL)
        v2_put_ke(w, kex_method(child->kex), kex_request(child->kex));
    selector_put(w, IKE2_P_TSI, &child->traffic.local);
    selector_put(w, IKE2_P_TSR, &child->traffic.remote);
}

static enum err take_selectors(struct v2_step *step, struct traffic_pair *ret)
{
    bool initiator = step->x->initiator;
    struct traffic i = {.protocol = 0}, r = {.protocol = 0};
    enum err err = selector_take(v2_body(step, IKE2_P_TSI, 0), &i);
    if (err == ERR_OK)
        err = selector_take(v2_body(step, IKE2_P_TSR, 0), &r);
    if (err == ERR_POLICY || (err == ERR_OK && i.net.addr.family != r.net.addr.family))
        return child_refuse(step, ERR_POLICY, IKE2_N_TS_UNACCEPTABLE,
                            "traffic that can't be told apart");
    if (err != ERR_OK)
        return v2_refuse(step, ERR_SYNTAX, IKE2_N_INVALID_SYNTAX, "malformed traffic selectors");
    *ret = initiator ? (struct traffic_pair){i, r} : (struct traffic_pair){r, i};
    return ERR_OK;
}

static enum err finish_kex(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    struct ike2_ke_payload ke;
    uint8_t secret[KEX_SECRET_MAX];

    if (child->suite.method == 0)
        return v2_has(step, IKE2_P_KE)
                   ? v2_refuse(step, ERR_UNEXPECTED, 0, "a key exchange that nobody asked for")
                   : ERR_OK;
    if (child->kex == NULL || !v2_has(step, IKE2_P_KE))
        return v2_refuse(step, ERR_MISSING, 0, "the key exchange is missing");
    if (ike2_ke_parse(v2_body(step, IKE2_P_KE, 0), &ke) != ERR_OK ||
        ke.method != child->suite.method || ke.method != kex_method(child->kex))
        return v2_refuse(step, ERR_VALUE, 0, "not the key exchange that we sent");
    enum err err = defer_kex_finish(step->ike, &step->works, child->kex, ke.data, secret);
    if (err == ERR_OK &&
        !blob_set(&child->secret, view_of(secret, kex_secret_len(child->suite.method))))
        err = ERR_MEMORY;
    secret_wipe(secret, sizeof(secret));
    return err == ERR_VALUE ? v2_refuse(step, err, 0, "public value is not acceptable") : err;
}

static enum err take_nonce(struct v2_step *step, struct blob *ret)
{
    struct view nonce;
    if (!v2_has(step, IKE2_P_NONCE))
        return ERR_OK;
    if (ike2_nonce_parse(v2_body(step, IKE2_P_NONCE, 0), &nonce) != ERR_OK)
        return v2_refuse(step, ERR_VALUE, IKE2_N_INVALID_SYNTAX, "nonce of the wrong length");
    return blob_set(ret, nonce) ? ERR_OK : ERR_MEMORY;
}

enum err child_take_answer(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    struct traffic_pair traffic = {.local = {.protocol = 0}};

    enum err err = ike2_child_check(v2_body(step, IKE2_P_SA, 0), &child->policy, &step->ike->sa2,
                                    &child->suite, &child->choice);
    if (err != ERR_OK)
        return v2_refuse(step, err, 0, "the choice is not among our offers");
    child->spi_out = child->suite.peer_spi;
    child->agreed = true;
    err = take_selectors(step, &traffic);
    if (err == ERR_OK)
        err = config_take_reply(step, &traffic);
    if (err == ERR_OK && !traffic_within(&traffic, &child->traffic))
        err = v2_refuse(step, ERR_SELECTOR, 0, "more traffic than we offered");
    if (err == ERR_OK)
        err = take_nonce(step, &child->nonce_r);
    if (err == ERR_OK)
        err = finish_kex(step);
    if (err != ERR_OK)
        return err;
    if (step->sa->profile == 0 && !traffic_equal(&traffic, &child->traffic)) /* OE-134 */
        return v2_refuse(step, ERR_SELECTOR, 0, "not the pair of hosts that we asked for");
    child->traffic = traffic;
    child->flow = traffic_flow(&traffic);
    return ERR_OK;
}

/* Responder */

static struct ike2_policy policy_of(const struct v2_step *step)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    struct ike2_policy policy = {.legacy = step->ike->config.legacy ||
                                           (profile != NULL && profile->legacy),
                                 .ah = profile != NULL && profile->ah,
                                 .no_kex = !step->sa->established};
    if (profile != NULL && profile->pfs_group == IKE_NO_PFS && !v2_has(step, IKE2_P_KE))
        policy.no_kex = true;
    if (!policy.no_kex)
        follow_offer(step, &policy);
    return policy;
}

static enum err choose(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    struct ike2_ke_payload ke = {.method = 0};

    if (v2_has(step, IKE2_P_KE) && ike2_ke_parse(v2_body(step, IKE2_P_KE, 0), &ke) != ERR_OK)
        return v2_refuse(step, ERR_SYNTAX, IKE2_N_INVALID_SYNTAX, "malformed key exchange");
    child->policy = policy_of(step);
    if (ah_meets_nat(step))
        return child_refuse(step, ERR_POLICY, IKE2_N_NO_PROPOSAL_CHOSEN, ah_refused);
    enum err err = ike2_child_choose(v2_body(step, IKE2_P_SA, 0), &child->policy, ke.method,
                                     &step->ike->sa2, &child->suite, &child->choice);
    if (err == ERR_NO_PROPOSAL)
        return child_refuse(step, err, IKE2_N_NO_PROPOSAL_CHOSEN,
                            "none of the offered suites will do");
    if (err != ERR_OK)
        return v2_refuse(step, ERR_SYNTAX, IKE2_N_INVALID_SYNTAX, "malformed proposals");
    if (child->suite.method != ke.method && child->suite.method != 0)
        return v2_refuse_method(step, child->suite.method);
    child->spi_out = child->suite.peer_spi;
    if (ike_child_find(step->ike, &step->sa->remote.addr, child->spi_out) != NULL)
        return child_refuse(step, ERR_POLICY, IKE2_N_NO_PROPOSAL_CHOSEN, "the peer's SPI is in use");
    if (child->suite.method != 0 && !blob_set(&child->peer_ke, ke.data))
        return ERR_MEMORY;
    return ERR_OK;
}

enum err child_take_proposal(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    enum err err = choose(step);
    if (err == ERR_OK && child->refused == 0)
        err = take_selectors(step, &child->traffic);
    if (err == ERR_OK)
        err = take_nonce(step, &child->nonce_i);
    if (err != ERR_OK || child->refused != 0)
        return err;
    child->flow = traffic_flow(&child->traffic);
    if (step->sa->profile == 0 && child->flow.src.family == IP_NONE)
        return child_refuse(step, ERR_POLICY, IKE2_N_TS_UNACCEPTABLE, "not a pair of hosts");
    return ERR_OK;
}

void child_put_answer(const struct v2_step *step, struct ike2_writer *w)
{
    const struct v2_child *child = step->x->child;
    uint8_t octets[4];
    struct builder spi = builder_on(span_of(octets, sizeof(octets)));
    builder_u32(&spi, child->spi_in.value);
    ike2_writer_open(w, IKE2_P_SA);
    ike2_choice_build(&w->b, &child->choice, builder_written(&spi));
    ike2_writer_close(w);
    if (child->nonce_r.len != 0)
        ike2_writer_payload(w, IKE2_P_NONCE, blob_view(&child->nonce_r));
    if (child->own_ke.len != 0)
        v2_put_ke(w, child->suite.method, blob_view(&child->own_ke));
    selector_put(w, IKE2_P_TSI, &child->traffic.remote);
    selector_put(w, IKE2_P_TSR, &child->traffic.local);
}

/* Both sides: the SAs */

static uint32_t lifetime_s(const struct v2_step *step)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    return profile != NULL && profile->child_lifetime_s != 0 ? profile->child_lifetime_s
                                                             : step->ike->config.child_lifetime_s;
}

/* Lifetimes aren't negotiated (section 2.8). The initiator re-keys first, at a moment of its own, so
 * that two ends rarely start at once. Without 64-bit sequence numbers the 32-bit ones must not run
 * out. */
static void set_lifetimes(const struct v2_step *step, unsigned percent, struct sa_params *sa)
{
    sa->hard.seconds = lifetime_s(step);
    sa->hard.octets = step->ike->config.child_octets;
    sa->hard.packets = sa->suite.esn ? 0 : UINT32_MAX;
    sa->soft.seconds = sa->hard.seconds * percent / 100;
    sa->soft.octets = sa->hard.octets / 100 * percent;
    sa->soft.packets = sa->hard.packets / 100 * percent;
}

static void describe_sa(const struct v2_step *step, bool inbound, struct sa_params *ret)
{
    const struct v2_sa *sa = step->sa;
    const struct v2_child *child = step->x->child;
    *ret = (struct sa_params){
        .spi = inbound ? child->spi_in : child->spi_out,
        .inbound = inbound,
        .interface = sa->profile != 0 ? SA_CONFIGURED : SA_OPPORTUNISTIC,
        .suite = child->suite.esp,
        .outer_src = inbound ? sa->remote.addr : sa->local.addr,
        .outer_dst = inbound ? sa->local.addr : sa->remote.addr,
        .ticket = ticket_number(child),
    };
    sa_params_set_traffic(ret, &child->traffic);
    if (sa->nat.udp) { /* RFC 3948: the ports are those of IKE */
        ret->udp_src = inbound ? sa->path.remote.port : sa->path.local.port;
        ret->udp_dst = inbound ? sa->path.local.port : sa->path.remote.port;
        ret->stream = sa->path.remote.stream;
    }
}

enum err child_install(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    const struct v2_handshake *hs = step->sa->established ? NULL : step->sa->handshake;
    struct ike_effect fx = {.kind = IKE_FX_INSTALL, .sas = child->sas, .sa_count = 2};
    unsigned percent = step->x->initiator ? 90 - rng_u32(&step->ike->env.rng) % 10 : 90;

    for (size_t i = 0; i < 2; i++) {
        describe_sa(step, i == 0, &child->sas[i]);
        set_lifetimes(step, percent, &child->sas[i]);
    }
    enum err err = v2_keymat(step->sa, child, step->x->initiator,
                             blob_view(hs != NULL ? &hs->nonce_i : &child->nonce_i),
                             blob_view(hs != NULL ? &hs->nonce_r : &child->nonce_r));
    if (err != ERR_OK)
        return err;
    fx.spi_in = child->spi_in;
    fx.spi_out = child->spi_out;
    fx.suite = child->suite.esp;
    err = ask(step, &fx);
    if (err == ERR_OK)
        child->outbound_given = true;
    return err;
}
