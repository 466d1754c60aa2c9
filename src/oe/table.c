#include "oe/table.h"

static const struct {
    const char *name;
    bool (*holds)(const struct oe_step *step);
} guards[GUARD_COUNT] = {
#define GUARD_ROW(id, text) [GUARD_##id] = {text, guard_##id},
    OE_GUARD_LIST(GUARD_ROW)
#undef GUARD_ROW
};

static const struct {
    const char *name;
    void (*run)(struct oe_step *step);
} actions[ACTION_COUNT] = {
#define ACTION_ROW(id, text) [ACT_##id] = {text, act_##id},
    OE_ACTION_LIST(ACTION_ROW)
#undef ACTION_ROW
};

static const char *const role_names[] = {"initiator", "responder", "both"};

#define I OE_INITIATOR
#define R OE_RESPONDER
#define B OE_BOTH
#define ROW(role, from, event, guard, action, to, story)                                           \
    {                                                                                              \
        role, OE_ST_##from, OE_EV_##event, GUARD_##guard, ACT_##action, OE_ST_##to, EVENT_INFO,    \
            story                                                                                  \
    }
#define WARN(role, from, event, guard, action, to, story)                                          \
    {                                                                                              \
        role, OE_ST_##from, OE_EV_##event, GUARD_##guard, ACT_##action, OE_ST_##to, EVENT_WARNING, \
            story                                                                                  \
    }

/* OE-179: an initiator's rows, in their order. */
/* clang-format off */
static const struct oe_row table[] = {
    /* 3.2.1 Nonexistent connection (OE-040, OE-042) */
    ROW(I, NONEXISTENT, ACQUIRE, class_clear, settle_class, CLEAR, "always-clear-text needs no lookup (3.2.2)"),
    ROW(I, NONEXISTENT, ACQUIRE, class_deny, settle_class, DENY, "deny needs no lookup (3.2.3)"),
    ROW(I, NONEXISTENT, ACQUIRE, destination_own, settle_own, CLEAR, "traffic to ourselves is not tunnelled"),
    ROW(I, NONEXISTENT, ACQUIRE, respond_only, settle_class, CLEAR, "tunnels are the peer's to begin (3.3.2)"),
    ROW(I, NONEXISTENT, ACQUIRE, always, look_up, POTENTIAL, "an OE class: ask who acts for the destination (3.2.4)"),
    ROW(B, NONEXISTENT, ADOPT, adopt_pass, adopt, CLEAR, "found in the plane after a restart of keyd"),
    ROW(B, NONEXISTENT, ADOPT, adopt_deny, adopt, DENY, "found in the plane after a restart of keyd"),
    ROW(B, NONEXISTENT, ADOPT, adopt_encrypt, adopt, KEYED, "a tunnel outlives the keyd that made it"),
    ROW(B, NONEXISTENT, ADOPT, no_asking, settle_class, CLEAR, "what the plane does is no longer policy"),
    ROW(B, NONEXISTENT, ADOPT, class_deny, settle_class, DENY, "what the plane does is no longer policy"),
    ROW(B, NONEXISTENT, ADOPT, always, look_up, POTENTIAL, "held while keyd was away: begin again"),
    ROW(R, NONEXISTENT, PEER_UNKNOWN, always, look_up_keys, UNAUTHENTICATED_PEER, "a stranger identifies itself: fetch its KEY (3.3.1)"),
    ROW(R, NONEXISTENT, PEER_AUTHENTICATED, always, note_peer, AUTHENTICATED_PEER, "authenticated with a key known already (3.3.2)"),
    ROW(R, NONEXISTENT, PROPOSAL, always, note_peer, AUTHENTICATED_PEER, "a further tunnel over a phase 1 SA already there (11.2.12.4)"),

    /* 3.3.1 Unauthenticated OE peer */
    ROW(R, UNAUTHENTICATED_PEER, KEYS, keys_good, give_keys, UNAUTHENTICATED_PEER, "the KEY is there; its signature is still to be checked (3.3.1)"),
    WARN(R, UNAUTHENTICATED_PEER, KEYS, always, refuse_keys, UNAUTHENTICATED_PEER, "no usable KEY: the peer stays unauthenticated (4322 3.3)"),
    ROW(R, UNAUTHENTICATED_PEER, PEER_AUTHENTICATED, always, note_peer, AUTHENTICATED_PEER, "the KEY verifies the signature (3.3.1)"),
    ROW(R, UNAUTHENTICATED_PEER, LIFESPAN, always, drop_peer, EXPIRED, "it never proved its key"),
    ROW(R, UNAUTHENTICATED_PEER, STOP, always, drop_peer, EXPIRED, "shutdown or no room"),

    /* 3.3.2 Authenticated OE peer */
    WARN(R, AUTHENTICATED_PEER, PROPOSAL, class_refuses, refuse_class, EXPIRED, "our policy for the flow wants no tunnel (3.3.2)"),
    WARN(R, AUTHENTICATED_PEER, PROPOSAL, source_unusable, refuse_source, EXPIRED, "no such client can exist"),
    WARN(R, AUTHENTICATED_PEER, PROPOSAL, source_behind_nat, refuse_private, EXPIRED, "a private address behind a NAT is nobody's in particular (6.2)"),
    WARN(R, AUTHENTICATED_PEER, PROPOSAL, second_refused, refuse_second, EXPIRED, "no second tunnel for a client: option 4 (8)"),
    ROW(R, AUTHENTICATED_PEER, PROPOSAL, own_unknown, check_own, POTENTIAL, "is the destination ours to protect: ask"),
    ROW(R, AUTHENTICATED_PEER, PROPOSAL, source_is_peer, authorize_self, PENDING, "it proved that very address in phase 1 (4322 3.3.2)"),
    ROW(R, AUTHENTICATED_PEER, PROPOSAL, source_unvouched, check_key, POTENTIAL, "it proved a key that another's delegation named: ask for its own"),
    ROW(R, AUTHENTICATED_PEER, PROPOSAL, always, check_authority, POTENTIAL, "may it act for the client: ask (11.2.12.2)"),
    ROW(R, AUTHENTICATED_PEER, LIFESPAN, always, drop_peer, EXPIRED, "it proposed nothing"),
    ROW(R, AUTHENTICATED_PEER, STOP, always, drop_peer, EXPIRED, "shutdown or no room"),

    /* 3.2.4 Potential OE connection, initiator (OE-041) */
    ROW(I, POTENTIAL, DELEGATION, behind_us_permissive, settle_behind_us, CLEAR, "the destination is our own client"),
    ROW(I, POTENTIAL, DELEGATION, behind_us_paranoid, settle_behind_us, DENY, "our own client, and policy forbids clear"),
    ROW(I, POTENTIAL, DELEGATION, contactable, initiate, PENDING, "delegation found and well formed (3.2.4)"),
    WARN(I, POTENTIAL, DELEGATION, dns_wrong_clear, settle_dns, CLEAR, "the administrator's class for wrong delegations (3.2.4)"),
    WARN(I, POTENTIAL, DELEGATION, dns_wrong, settle_dns, DENY, "a wrong delegation denies even OE-permissive (3.2.4)"),
    ROW(I, POTENTIAL, DELEGATION, permissive, settle_dns, CLEAR, "not OE capable (3.2.4)"),
    ROW(I, POTENTIAL, DELEGATION, paranoid, settle_dns, DENY, "not OE capable, and policy forbids clear (3.2.4)"),
    ROW(I, POTENTIAL, LIFESPAN, permissive, settle_no_answer, CLEAR, "the lookup was lost: as a DNS timeout (3.2.4)"),
    ROW(I, POTENTIAL, LIFESPAN, paranoid, settle_no_answer, DENY, "the lookup was lost: as a DNS timeout (3.2.4)"),
    ROW(I, POTENTIAL, ACQUIRE, always, repeat_policy, POTENTIAL, "asked again while at work (3.1.2)"),
    ROW(I, POTENTIAL, RECLASS, no_asking, settle_class, CLEAR, "policy has changed"),
    ROW(I, POTENTIAL, RECLASS, class_deny, settle_class, DENY, "policy has changed"),
    ROW(I, POTENTIAL, RECLASS, always, reclass, POTENTIAL, "policy has changed; the answer decides under it"),
    ROW(I, POTENTIAL, SUPERSEDED, always, abandon, NONEXISTENT, "the peer was quicker (3.3.2)"),
    ROW(I, POTENTIAL, STOP, always, stop, EXPIRED, "shutdown or no room"),

    /* ... and responder: the authority of the peer */
    WARN(R, POTENTIAL, DELEGATION, own_refused, refuse_own, EXPIRED, "nobody gave us that destination"),
    ROW(R, POTENTIAL, DELEGATION, own_and_peer, authorize_self, PENDING, "it proved that very address in phase 1 (4322 3.3.2)"),
    ROW(R, POTENTIAL, DELEGATION, own_and_unvouched, check_key, POTENTIAL, "it proved a key that another's delegation named: ask for its own"),
    ROW(R, POTENTIAL, DELEGATION, own, check_authority, POTENTIAL, "may it act for the client: ask (11.2.12.2)"),
    ROW(R, POTENTIAL, KEYS, keys_vouch, authorize_vouched, PENDING, "its own KEY is the one of phase 1"),
    WARN(R, POTENTIAL, KEYS, always, refuse_unvouched, EXPIRED, "its own KEY is not the one of phase 1"),
    ROW(R, POTENTIAL, DELEGATION, authorized, authorize, PENDING, "address and key are those of the peer (11.2.12.3)"),
    ROW(R, POTENTIAL, DELEGATION, self_by_name, authorize_self, PENDING, "a host for itself, known by name (7)"),
    WARN(R, POTENTIAL, DELEGATION, always, refuse_authority, EXPIRED, "not delegated to the peer: policy stays untouched (3.3.2)"),
    WARN(R, POTENTIAL, LIFESPAN, always, refuse_authority, EXPIRED, "the lookup was lost"),
    WARN(R, POTENTIAL, RECLASS, class_refuses, refuse_class, EXPIRED, "policy has changed and wants no tunnel"),
    ROW(R, POTENTIAL, STOP, always, stop, EXPIRED, "shutdown or no room"),

    /* 3.2.5 Pending OE connection, initiator */
    ROW(I, PENDING, CHILD_UP, always, keyed, KEYED, "phase 2 SAs stand; phase 1 alone would not do (3.2.5)"),
    WARN(I, PENDING, CHILD_FAILED, more_gateways, next_gateway, PENDING, "failure only after all were tried (3.2.5)"),
    WARN(I, PENDING, CHILD_FAILED, old_tunnel, keep_old, KEYED, "a failed re-key changes nothing before hard expiry (4322 3.2.6)"),
    WARN(I, PENDING, CHILD_FAILED, silent_permissive, settle_failure, CLEAR, "failure 1, silence: low lifespan (3.2.5)"),
    WARN(I, PENDING, CHILD_FAILED, silent_paranoid, settle_failure, DENY, "failure 1, silence: low lifespan (3.2.5)"),
    WARN(I, PENDING, CHILD_FAILED, signature_permissive, settle_failure, CLEAR, "failure 3, signature: until the key data expires (3.2.5)"),
    WARN(I, PENDING, CHILD_FAILED, signature_paranoid, settle_failure, DENY, "failure 3, signature: until the key data expires (3.2.5)"),
    WARN(I, PENDING, CHILD_FAILED, permissive, settle_failure, CLEAR, "failure 2 or another: normal lifespan (3.2.5)"),
    WARN(I, PENDING, CHILD_FAILED, paranoid, settle_failure, DENY, "failure 2 or another: normal lifespan (3.2.5)"),
    ROW(I, PENDING, DELEGATION, contactable, initiate, PENDING, "the re-key's lookup (3.2.6)"),
    WARN(I, PENDING, DELEGATION, always, keep_old, KEYED, "nobody to re-key with; hard expiry decides (4322 3.2.6)"),
    ROW(I, PENDING, LIFESPAN, name_holds, stop_holding, PENDING, "a forward name must not hold up another's flow"),
    WARN(I, PENDING, LIFESPAN, always, keep_old, KEYED, "the re-key's lookup was lost"),
    ROW(I, PENDING, HARD_EXPIRE, current_looking_up, restart, POTENTIAL, "the old tunnel ended first (3.1.5)"),
    ROW(I, PENDING, HARD_EXPIRE, current, lose_old, PENDING, "the old tunnel ended first (3.1.5)"),
    ROW(I, PENDING, CHILD_DELETED, current_looking_up, restart, POTENTIAL, "the peer deleted the old tunnel"),
    ROW(I, PENDING, CHILD_DELETED, current, lose_old, PENDING, "the peer deleted the old tunnel"),
    ROW(I, PENDING, ACQUIRE, always, repeat_policy, PENDING, "asked again while at work (3.1.2)"),
    ROW(I, PENDING, RECLASS, rekey_fits, reclass, PENDING, "policy has changed; the tunnel suits it"),
    ROW(I, PENDING, RECLASS, tunnel_fits, keep_tunnel, KEYED, "policy has changed; the peer re-keys"),
    ROW(I, PENDING, RECLASS, no_asking, settle_class, CLEAR, "policy has changed"),
    ROW(I, PENDING, RECLASS, class_deny, settle_class, DENY, "policy has changed"),
    ROW(I, PENDING, RECLASS, always, reclass_anew, POTENTIAL, "policy has changed: begin again"),
    ROW(I, PENDING, SUPERSEDED, old_tunnel, linger, EXPIRED, "the peer was quicker (3.3.2)"),
    ROW(I, PENDING, SUPERSEDED, always, abandon, NONEXISTENT, "the peer was quicker (3.3.2)"),
    ROW(I, PENDING, STOP, always, stop, EXPIRED, "shutdown or no room"),

    /* ... and responder: accepted, and waiting for the third message */
    ROW(R, PENDING, CHILD_UP, crossed, yield, EXPIRED, "both initiated at once: one rule at both ends"),
    WARN(R, PENDING, CHILD_UP, second_refused, decline, EXPIRED, "no second tunnel for a client: option 4 (8)"),
    ROW(R, PENDING, CHILD_UP, always, take_over, KEYED, "the newest connection of a peer wins (3.3.2)"),
    WARN(R, PENDING, CHILD_FAILED, always, drop_peer, EXPIRED, "the peer did not finish"),
    ROW(R, PENDING, LIFESPAN, always, drop_peer, EXPIRED, "the peer did not finish"),
    ROW(R, PENDING, ACQUIRE, always, repeat_policy, PENDING, "a reply waits for the tunnel (3.1.5)"),
    ROW(R, PENDING, SUPERSEDED, always, give_up_flow, PENDING, "another tunnel of the flow was quicker"),
    WARN(R, PENDING, RECLASS, class_refuses, stop, EXPIRED, "policy has changed and wants no tunnel"),
    ROW(R, PENDING, STOP, always, stop, EXPIRED, "shutdown or no room"),

    /* 3.2.2 Clear-text, 3.2.3 Deny: only time ends them (OE-045) */
    ROW(B, CLEAR, LIFESPAN, always, ask_last_use, EXPIRING, "still in use? (3.2.7)"),
    ROW(B, CLEAR, ACQUIRE, always, repeat_policy, CLEAR, "the plane forgot"),
    ROW(B, CLEAR, RECLASS, no_asking, settle_class, CLEAR, "policy has changed"),
    ROW(B, CLEAR, RECLASS, class_deny, settle_class, DENY, "policy has changed"),
    ROW(B, CLEAR, RECLASS, always, look_up, POTENTIAL, "policy has changed: an OE class"),
    ROW(B, CLEAR, SUPERSEDED, always, abandon, NONEXISTENT, "the peer made a tunnel (3.3.2)"),
    ROW(B, CLEAR, STOP, always, stop, EXPIRED, "shutdown or no room"),
    ROW(B, DENY, LIFESPAN, always, ask_last_use, EXPIRING, "still in use? (3.2.7)"),
    ROW(B, DENY, ACQUIRE, always, repeat_policy, DENY, "the plane forgot"),
    ROW(B, DENY, RECLASS, no_asking, settle_class, CLEAR, "policy has changed"),
    ROW(B, DENY, RECLASS, class_deny, settle_class, DENY, "policy has changed"),
    ROW(B, DENY, RECLASS, always, look_up, POTENTIAL, "policy has changed: an OE class"),
    ROW(B, DENY, SUPERSEDED, always, abandon, NONEXISTENT, "the peer made a tunnel (3.3.2)"),
    ROW(B, DENY, STOP, always, stop, EXPIRED, "shutdown or no room"),

    /* 3.2.6 Keyed connection */
    ROW(B, KEYED, CHILD_DELETED, current, peer_deleted, EXPIRED, "the peer's Delete: normal teardown (3.2.6)"),
    ROW(B, KEYED, SOFT_EXPIRE, respond_only, none, KEYED, "the peer's tunnel is the peer's to re-key"),
    ROW(B, KEYED, SOFT_EXPIRE, current, rekey, PENDING, "keys run out: re-key, the old SA in use (3.2.6)"),
    ROW(B, KEYED, HINT, respond_only, none, KEYED, "the peer's tunnel is the peer's to re-key"),
    ROW(B, KEYED, HINT, always, rekey, PENDING, "perhaps the peer restarted: a cautious re-key (3.2.6)"),
    ROW(B, KEYED, HARD_EXPIRE, current_respond_only, end_respond, CLEAR, "the peer did not re-key"),
    ROW(B, KEYED, HARD_EXPIRE, current, restart, POTENTIAL, "the SA ended without a re-key (3.1.5)"),
    ROW(B, KEYED, CHILD_UP, always, keyed, KEYED, "send on the newest SA at once (3.4.2)"),
    ROW(B, KEYED, LIFESPAN, always, ask_last_use, EXPIRING, "still in use? (3.2.7)"),
    ROW(B, KEYED, ACQUIRE, always, repeat_policy, KEYED, "the plane forgot"),
    ROW(B, KEYED, RECLASS, tunnel_fits, reclass, KEYED, "policy has changed; the tunnel suits it"),
    ROW(B, KEYED, RECLASS, no_asking, settle_class, CLEAR, "policy has changed"),
    ROW(B, KEYED, RECLASS, class_deny, settle_class, DENY, "policy has changed"),
    ROW(B, KEYED, RECLASS, always, reclass_anew, POTENTIAL, "policy has changed: the tunnel's grade is too low"),
    ROW(B, KEYED, SUPERSEDED, always, linger, EXPIRED, "a newer tunnel carries the flow (3.3.2, 8)"),
    ROW(B, KEYED, STOP, always, stop, EXPIRED, "shutdown or no room"),

    /* 3.2.7 Expiring connection */
    ROW(B, EXPIRING, LAST_USE, idle, teardown, EXPIRED, "not used in the last half of its time (3.4.1)"),
    ROW(B, EXPIRING, LAST_USE, stale, recheck, EXPIRING, "used, but the DNS answer is stale (3.2.7)"),
    ROW(B, EXPIRING, LAST_USE, was_clear, renew, CLEAR, "used: back (3.2.7)"),
    ROW(B, EXPIRING, LAST_USE, was_deny, renew, DENY, "used: back (3.2.7)"),
    ROW(B, EXPIRING, LAST_USE, was_keyed, renew, KEYED, "used: back (3.2.7)"),
    ROW(B, EXPIRING, LIFESPAN, was_clear, renew, CLEAR, "no answer: taken as used"),
    ROW(B, EXPIRING, LIFESPAN, was_deny, renew, DENY, "no answer: taken as used"),
    ROW(B, EXPIRING, LIFESPAN, was_keyed, renew, KEYED, "no answer: taken as used"),
    ROW(B, EXPIRING, DELEGATION, still_delegated, renew, KEYED, "no change, or no answer (3.2.7)"),
    ROW(B, EXPIRING, DELEGATION, behind_us_permissive, settle_behind_us, CLEAR, "DNS has changed (3.2.7)"),
    ROW(B, EXPIRING, DELEGATION, behind_us_paranoid, settle_behind_us, DENY, "DNS has changed (3.2.7)"),
    WARN(B, EXPIRING, DELEGATION, dns_wrong_clear, settle_dns, CLEAR, "as from Potential OE (3.2.7)"),
    WARN(B, EXPIRING, DELEGATION, dns_wrong, settle_dns, DENY, "as from Potential OE (3.2.7)"),
    ROW(B, EXPIRING, DELEGATION, respond_only, settle_dns, CLEAR, "DNS has changed (3.2.7)"),
    ROW(B, EXPIRING, DELEGATION, contactable, initiate, PENDING, "as from Potential OE (3.2.7)"),
    ROW(B, EXPIRING, DELEGATION, permissive, settle_dns, CLEAR, "as from Potential OE (3.2.7)"),
    ROW(B, EXPIRING, DELEGATION, paranoid, settle_dns, DENY, "as from Potential OE (3.2.7)"),
    ROW(B, EXPIRING, CHILD_DELETED, current, peer_deleted, EXPIRED, "the peer's Delete: normal teardown (3.2.6)"),
    ROW(B, EXPIRING, SOFT_EXPIRE, respond_only, none, EXPIRING, "the peer's tunnel is the peer's to re-key"),
    ROW(B, EXPIRING, SOFT_EXPIRE, current, rekey, PENDING, "keys run out meanwhile (3.2.6)"),
    ROW(B, EXPIRING, HARD_EXPIRE, current_respond_only, end_respond, CLEAR, "the peer did not re-key"),
    ROW(B, EXPIRING, HARD_EXPIRE, current, restart, POTENTIAL, "the SA ended meanwhile (3.1.5)"),
    ROW(B, EXPIRING, CHILD_UP, was_keyed, keyed, KEYED, "a new SA is use enough (3.4.2)"),
    ROW(B, EXPIRING, ACQUIRE, always, repeat_policy, EXPIRING, "the plane forgot"),
    ROW(B, EXPIRING, RECLASS, tunnel_fits, reclass, EXPIRING, "policy has changed; the tunnel suits it"),
    ROW(B, EXPIRING, RECLASS, no_asking, settle_class, CLEAR, "policy has changed"),
    ROW(B, EXPIRING, RECLASS, class_deny, settle_class, DENY, "policy has changed"),
    ROW(B, EXPIRING, RECLASS, always, reclass_anew, POTENTIAL, "policy has changed: begin again"),
    ROW(B, EXPIRING, SUPERSEDED, old_tunnel, linger, EXPIRED, "a newer tunnel carries the flow (3.3.2, 8)"),
    ROW(B, EXPIRING, SUPERSEDED, always, abandon, NONEXISTENT, "the peer made a tunnel (3.3.2)"),
    ROW(B, EXPIRING, STOP, always, stop, EXPIRED, "shutdown or no room"),

    /* 3.2.8 Expired connection */
    ROW(B, EXPIRED, CHILD_DELETED, current, none, NONEXISTENT, "the SAs are gone (3.2.8)"),
    ROW(B, EXPIRED, HARD_EXPIRE, lingering, delete_old, EXPIRED, "the superseded SA ended"),
    ROW(B, EXPIRED, CHOSEN, lingering, take_back, KEYED, "of several tunnels the one to send on (8)"),
    ROW(B, EXPIRED, LIFESPAN, spare_in_use, none, EXPIRED, "the other gateway still sends on it (8)"),
    ROW(B, EXPIRED, LIFESPAN, lingering, delete_old, EXPIRED, "long enough: clear up what was superseded (3.4.2)"),
    ROW(B, EXPIRED, LIFESPAN, always, none, NONEXISTENT, "nothing left to wait for (3.2.8)"),
    ROW(B, EXPIRED, STOP, lingering, delete_old, EXPIRED, "shutdown or no room"),
    ROW(B, EXPIRED, STOP, always, none, NONEXISTENT, "shutdown or no room"),
};
/* clang-format on */
#undef I
#undef R
#undef B
#undef ROW
#undef WARN

enum { TABLE_ROWS = sizeof(table) / sizeof(table[0]) };

const struct oe_row *table_find(const struct oe_step *step)
{
    enum oe_role role = step->inst->responder ? OE_RESPONDER : OE_INITIATOR;
    for (size_t i = 0; i < TABLE_ROWS; i++) {
        const struct oe_row *row = &table[i];
        if (row->from == step->inst->state && row->event == (int)step->event->kind &&
            (row->role == OE_BOTH || row->role == role) && guards[row->guard].holds(step))
            return row;
    }
    return NULL;
}

size_t table_index(const struct oe_row *row)
{
    return (size_t)(row - table);
}

size_t table_rows(void)
{
    return TABLE_ROWS;
}

void table_run(const struct oe_row *row, struct oe_step *step)
{
    actions[row->action].run(step);
}

bool oe_table_row(size_t i, struct oe_table_row *ret)
{
    if (i >= TABLE_ROWS)
        return false;
    *ret = (struct oe_table_row){
        .role = role_names[table[i].role],
        .from = oe_state_name(table[i].from),
        .event = oe_event_name(table[i].event),
        .guard = guards[table[i].guard].name,
        .action = actions[table[i].action].name,
        .to = oe_state_name(table[i].to),
        .story = table[i].story,
    };
    return true;
}

uint64_t oe_table_hits(const struct oe *oe, size_t i)
{
    return i < TABLE_ROWS ? oe->row_hits[i] : 0;
}
