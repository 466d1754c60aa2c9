/*
 * Two engines that speak MOBIKE (RFC 4555), and a net between them in which addresses die and a NAT
 * may stand. What fails, fails the test.
 */
#ifndef CYGNET_TESTS_MOBIKE_SITE_H
#define CYGNET_TESTS_MOBIKE_SITE_H

#include "forge_v2.h"
#include "pair.h"

enum { SECONDS = 1000, PROFILE = 5, TICKET = 7 };

extern const char *const mobike_own[PAIR_SIDES];

/* What lies between the two, and what it did. */
struct mobike_net {
    struct ip_addr dead[4]; /* nothing from or to them arrives */
    size_t dead_count;
    struct ip_addr nat_inside, nat_outside; /* rewrites the one into the other; family 0: no NAT */
    unsigned from[4]; /* of A, by the address it was sent from: .4, .14, .24, others */
    unsigned to_other; /* to anything but the addresses of the two */
    const struct ip_addr *watch;
    unsigned watched; /* datagrams to that address */
};

struct mobike_site {
    struct pair *pair;
    struct ike_profile profiles[PAIR_SIDES];
    struct mobike_net net;
};

struct ip_addr mobike_addr(const char *text);
struct traffic mobike_traffic(const char *text);
/* Engines with profiles, and no address yet. */
struct mobike_site *mobike_site_new(const struct ike_config *config);
void mobike_have(struct mobike_site *site, unsigned side, const char *const *texts);
/* A asks for the tunnel. */
void mobike_begin(struct mobike_site *site);
/* Each with its own address, and the tunnel is up. */
struct mobike_site *mobike_site_up(const struct ike_config *config);
void mobike_site_free(struct mobike_site *site);
/* Its only IKE SA. */
struct v2_sa *mobike_sa(const struct mobike_site *site, unsigned side);
/* Both ends send from and to the same addresses, in UDP or not, and what one sends the other takes. */
void mobike_assert_at(struct mobike_site *site, const char *a, const char *b, bool udp);
/* Nothing from or to it arrives any more. */
void mobike_kill_address(struct mobike_site *site, const char *text);

/* The addresses that a side has now. */
#define HAVE(site, side, ...) mobike_have(site, side, (const char *const[]){__VA_ARGS__, NULL})

#endif
