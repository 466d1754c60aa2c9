/*
 * Two engines under draft-dupont-ikev2-addrmgmt-06, a net between them that a test may break, and what they
 * should agree on afterwards. A is 192.1.1.4 and began; B is 192.1.1.5. Each has one child or more, the
 * first between 10.1/16 and 10.2/16.
 */
#ifndef CYGNET_TESTS_ADDR_RIG_H
#define CYGNET_TESTS_ADDR_RIG_H

#include "forge_v2.h"
#include "pair.h"

enum { SECONDS = 1000, PROFILE = 5, TICKET = 7, RIG_TEXT = 8192 };

struct rig {
    struct pair *pair;
    struct ike_profile profiles[PAIR_SIDES];
    struct traffic_pair stays[PAIR_SIDES];
    struct ip_addr dead[8]; /* nothing from or to them arrives */
    size_t dead_count;
    struct ip_addr nat_inside, nat_outside; /* rewrites the one into the other; family 0: no NAT */
    /* Before anything else: false loses the datagram. */
    bool (*tap)(struct rig *rig, struct pair_datagram *d);
    void *ctx;
    char seen[RIG_TEXT]; /* what crossed, opened: "A 192.1.1.14>192.1.1.5 MARK ... ; " */
};

struct ip_addr rig_addr(const char *text);
/* Profiles that allow the draft; nothing has happened yet. */
struct rig *rig_new(const struct ike_config *config);
void rig_free(struct rig *rig);
void rig_have(struct rig *rig, unsigned side, const char *const *texts);
#define RIG_HAVE(rig, side, ...) rig_have(rig, side, (const char *const[]){__VA_ARGS__, NULL})
/* A child between 10.(2n+1)/16 at A and 10.(2n+2)/16 at B, asked for by A. */
struct traffic_pair rig_traffic(unsigned side, unsigned n);
void rig_child(struct rig *rig, unsigned n);
/* The same and both ends know their address: up and under the draft. */
struct rig *rig_up(const struct ike_config *config);
struct v2_sa *rig_sa(const struct rig *rig, unsigned side);
struct pair_sa *rig_entry(const struct rig *rig, unsigned side, bool inbound, unsigned n);
void rig_kill(struct rig *rig, const char *text);
void rig_run(struct rig *rig, int64_t ms);
/* Child n of both ends goes from and to these. */
bool rig_child_at(const struct rig *rig, unsigned n, const char *a, const char *b);
/* IKE SAs and every child are there, nothing is open. */
void rig_assert_at(struct rig *rig, const char *a, const char *b);
bool rig_knows(const struct rig *rig, unsigned side, const char *text);
bool rig_saw(const struct rig *rig, const char *text);
uint64_t rig_refused(const struct rig *rig, unsigned side);

/* A message of B's peer A to B, or the other way round, made by hand under the SA's keys. */
struct rig_forged {
    struct forge_v2 forge;
    struct pair_datagram d;
};
void rig_forge(struct rig *rig, unsigned from, struct rig_forged *ret);
void rig_add_address(struct rig_forged *f, uint16_t type, uint16_t operation, const char *text);
void rig_add_notify(struct rig_forged *f, uint16_t type, struct view data);
void rig_add_update(struct rig_forged *f, const struct addrmgmt_update *u);
/* From there; the answer, if one is made at once, is in `seen`. */
enum err rig_send(struct rig *rig, struct rig_forged *f, const char *source);

#endif
