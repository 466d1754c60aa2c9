/*
 * Two gateways that are configured as each other's peer, by a method of the test's choice. The engines
 * have the profiles of their side; a test may change them and have them taken again.
 */
#ifndef CYGNET_TESTS_SITE_H
#define CYGNET_TESTS_SITE_H

#include "authority.h"
#include "pair.h"

enum { SITE_PROFILE = 5, SITE_TICKET = 7 };

struct site {
    struct pair *pair;
    struct authority *authority; /* NULL: no certificates */
    struct authority_der anchor, crl, certs[PAIR_SIDES];
    struct view anchor_view, crl_view, chain[PAIR_SIDES];
    struct ike_profile profiles[PAIR_SIDES][2];
    struct ike_config config[PAIR_SIDES];
};

/* Both sides know each other by name, and by one shared key or the other's public key. */
struct site *site_new(enum ike_method method, bool aggressive);
/* Certificates for both, from an authority that both trust. `alt_name` and `days` are B's. */
struct site *site_certified(bool ecdsa, bool aggressive, const char *alt_name, int days);
void site_free(struct site *site);
/* The engine of that side gets its first `count` profiles. */
void site_reconfigure(struct site *site, unsigned side, size_t count);
struct identity site_name(const char *name);
struct traffic site_subnet(const char *prefix);
/* What the tunnel is for, as that side sees it. */
struct traffic_pair site_traffic(unsigned side);
extern const char *const site_alt_names[PAIR_SIDES];
/* A asks for the tunnel. */
enum err site_begin(struct site *site);
/* One tunnel is up; or none is, and A's request has failed. */
void site_check_up(const struct site *site);
void site_check_down(const struct site *site);

#endif
