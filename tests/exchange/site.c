#include "site.h"

#include <stdlib.h>

struct identity site_name(const char *name)
{
    struct identity id;
    assert_true(identity_of_fqdn(view_of_text(name), &id));
    return id;
}

struct traffic site_subnet(const char *prefix)
{
    struct traffic traffic = {.port_last = UINT16_MAX};
    assert_true(ip_prefix_parse(prefix, &traffic.net));
    return traffic;
}

struct traffic_pair site_traffic(unsigned side)
{
    struct traffic a = site_subnet("10.1.0.0/16"), b = site_subnet("10.2.3.0/24");
    return side == PAIR_A ? (struct traffic_pair){a, b} : (struct traffic_pair){b, a};
}

void site_reconfigure(struct site *site, unsigned side, size_t count)
{
    site->config[side] = (struct ike_config){.profiles = site->profiles[side],
                                             .profile_count = count};
    ike_reconfigure(site->pair->sides[side].ike, &site->config[side]);
}

struct site *site_new(enum ike_method method, bool aggressive)
{
    struct site *site = calloc(1, sizeof(*site));
    assert_non_null(site);
    site->pair = pair_new(NULL);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        struct ike_profile *p = &site->profiles[s][0];
        *p = (struct ike_profile){
            .number = SITE_PROFILE,
            .name = "the other site",
            .version = IKE_VERSION_1,
            .aggressive = aggressive,
            .own_id = site_name(s == PAIR_A ? "a.example.net" : "b.example.net"),
            .peer_id = site_name(s == PAIR_A ? "b.example.net" : "a.example.net"),
            .own_method = method,
            .peer_method = method,
        };
        if (method == IKE_BY_PSK) {
            p->psk = view_of_text("correct horse battery staple");
        } else {
            p->peer_keys = pair_public_key(site->pair->sides[!s].key);
            p->peer_key_count = 1;
        }
        site_reconfigure(site, s, 1);
        site->pair->sides[s].ticket = SITE_TICKET;
    }
    return site;
}

void site_free(struct site *site)
{
    if (site->authority != NULL)
        authority_free(site->authority);
    pair_free(site->pair);
    free(site);
}

const char *const site_alt_names[PAIR_SIDES] = {"DNS:a.example.net", "DNS:b.example.net"};

struct site *site_certified(bool ecdsa, bool aggressive, const char *alt_name, int days)
{
    struct site *site = site_new(IKE_BY_CERTIFICATE, aggressive);
    site->authority = authority_new();
    authority_own(site->authority, &site->anchor);
    site->anchor_view = view_of(site->anchor.octets, site->anchor.len);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        struct pair_side *side = &site->pair->sides[s];
        struct ike_profile *p = &site->profiles[s][0];
        if (ecdsa)
            side->key = PAIR_ECDSA_KEY + s;
        authority_issue(site->authority, pair_private_key(side->key),
                        s == PAIR_B ? alt_name : site_alt_names[s], s == PAIR_B ? days : 0, &site->certs[s]);
        site->chain[s] = view_of(site->certs[s].octets, site->certs[s].len);
        p->own_public = pair_public_key(side->key);
        p->peer_keys = NULL;
        p->peer_key_count = 0;
        p->own_chain = &site->chain[s];
        p->own_chain_count = 1;
        p->anchors = &site->anchor_view;
        p->anchor_count = 1;
    }
    return site;
}

enum err site_begin(struct site *site)
{
    const struct ike_event event = {
        .kind = IKE_EV_INITIATE,
        .ticket = SITE_TICKET,
        .profile = SITE_PROFILE,
        .local = {.addr = site->pair->sides[PAIR_A].addr.addr},
        .remote = {.addr = site->pair->sides[PAIR_B].addr.addr},
        .traffic = site_traffic(PAIR_A),
    };
    enum err err = ike_input(site->pair->sides[PAIR_A].ike, site->pair->now, &event);
    pair_drain(site->pair, PAIR_A);
    return err;
}

void site_check_up(const struct site *site)
{
    const struct pair *pair = site->pair;
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        const struct ike_effect *up = &pair->sides[s].last_up;
        assert_int_equal(pair->sides[s].up, 1);
        assert_int_equal(pair->sides[s].failed, 0);
        assert_int_equal(pair->sides[s].asked_keys, 0); /* OE-114: nobody else is asked */
        assert_int_equal(up->profile, SITE_PROFILE);
        const struct traffic_pair wanted = site_traffic(s);
        assert_memory_equal(&up->traffic.local.net, &wanted.local.net, sizeof(wanted.local.net));
        assert_memory_equal(&up->traffic.remote.net, &wanted.remote.net, sizeof(wanted.remote.net));
        for (size_t i = 0; i < PAIR_SAD_MAX; i++)
            if (pair->sides[s].sad[i].used)
                assert_int_equal(pair->sides[s].sad[i].params.interface, SA_CONFIGURED);
    }
    assert_int_equal(pair_check_keys(pair), 2);
}

void site_check_down(const struct site *site)
{
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        assert_int_equal(site->pair->sides[s].up, 0);
        assert_int_equal(pair_sad_count(site->pair, s), 0);
    }
    assert_int_equal(site->pair->sides[PAIR_A].failed, 1);
}
