/*
 * An oe engine with a hand on each of its doors: tests feed events and take effects in order. The
 * gateway is SG-A of the draft's Figure 1: 192.1.1.4, acting for Alice, 192.1.0.65.
 */
#ifndef CYGNET_TESTS_UNIT_OE_RIG_H
#define CYGNET_TESTS_UNIT_OE_RIG_H

#include "dns_records.h"
#include "oe/oe.h"

#define SG_A "192.1.1.4"
#define SG_B "192.1.1.5"
#define SG_D "192.1.1.6"
#define ALICE "192.1.0.65"
#define BOB "192.2.0.66"

enum { RIG_EFFECTS = 256 };

struct rig {
    struct oe *oe;
    uint64_t seed;
    mono_t now;
    struct oe_effect effects[RIG_EFFECTS];
    struct public_key first_keys[RIG_EFFECTS];
    size_t taken, count;
    struct event_record last;
    size_t warnings;
    bool behind_nat; /* whoever proposes */
};

/* Every rig's rows add up here when it closes, for the test that all of them were taken. */
extern uint64_t rig_row_hits[512];

void rig_open(struct rig *rig, enum oe_class_kind fallback);
void rig_open_config(struct rig *rig, const struct oe_config *config);
/* One class for everything. */
void rig_open_class(struct rig *rig, const struct oe_class *class);
void rig_close(struct rig *rig);
/* Another one instead. */
void rig_reclass(struct rig *rig, const struct oe_class *class);

struct ip_pair rig_flow(const char *src, const char *dst);
enum err rig_input(struct rig *rig, struct oe_event event);
void rig_advance(struct rig *rig, int64_t ms);
/* The next effect, which must be of this kind. */
const struct oe_effect *rig_expect(struct rig *rig, enum oe_effect_kind kind);
void rig_expect_policy(struct rig *rig, enum oe_verdict verdict);
void rig_expect_none(struct rig *rig);
void rig_forget_effects(struct rig *rig);
/* False: no such instance. */
bool rig_info(const struct rig *rig, uint64_t ticket, struct oe_instance_info *ret);
void rig_expect_state(const struct rig *rig, uint64_t ticket, enum oe_state state);
void rig_expect_reason(const struct rig *rig, uint64_t ticket, const char *part);

/* Alice's flow to Bob. */
enum err rig_acquire(struct rig *rig);
void rig_delegation(struct rig *rig, uint64_t ticket, const struct delegation *d);
/* A secure answer with so many gateways: SG-B with key 1, SG-D with key 2. Lives 1000 s. */
struct delegation *rig_gateways(const struct rig *rig, unsigned count);
struct delegation *rig_answer(const struct rig *rig, enum discovered status);
enum err rig_child_up(struct rig *rig, uint64_t ticket, const char *peer, uint32_t spi_in,
                      uint32_t spi_out);
void rig_child_failed(struct rig *rig, uint64_t ticket, enum ike_failure failure);
void rig_child_deleted(struct rig *rig, uint64_t ticket, uint32_t spi_in, uint32_t spi_out);
void rig_expire(struct rig *rig, uint64_t ticket, bool hard, uint32_t spi_out);
void rig_last_use(struct rig *rig, uint64_t ticket, int64_t idle_ms);

/* Alice to Bob up to a state, all effects on the way checked; returns the ticket. */
uint64_t rig_to_potential(struct rig *rig);
uint64_t rig_to_pending(struct rig *rig, unsigned gateways);
uint64_t rig_to_keyed(struct rig *rig);   /* with SG-B, SPIs 0x1001 in and 0x2001 out */
uint64_t rig_to_settled(struct rig *rig); /* clear or deny: no delegation, known for 1000 s */
uint64_t rig_to_expiring(struct rig *rig, uint64_t ticket);

/* As responder: SG-B, known by `id`, comes with key 1. */
uint64_t rig_to_unauthenticated(struct rig *rig, const char *id);
uint64_t rig_to_authenticated(struct rig *rig, const char *id);
/* The peer proposes client -> own with serial 77; `phase1_ours`: over a phase 1 that we began. */
enum err rig_propose_to(struct rig *rig, const char *id, const char *client, const char *own,
                        uint64_t key, bool phase1_ours);
/* Answers the question whose client Alice is, if it is asked next: SG-A's. */
void rig_own_client(struct rig *rig);
/* The peer proposes client -> Alice, and she is SG-A's. */
enum err rig_propose(struct rig *rig, const char *id, const char *client, uint64_t key);
uint64_t rig_to_checking(struct rig *rig, const char *id, const char *client);
uint64_t rig_to_accepted(struct rig *rig, const char *client);
uint64_t rig_to_answered_keyed(struct rig *rig); /* Bob's tunnel, SPIs 0x3001 and 0x4001 */
void rig_expect_answer(struct rig *rig, bool ok);
/* Accepted; `held`: nobody has the flow, so replies are held for this tunnel (OE-032). */
void rig_expect_accepted(struct rig *rig, bool held);

#endif
