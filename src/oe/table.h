/*
 * The state x event table of opportunistic connections, one for both roles (OE-008): the OE draft's sections 3.2 (initiator), 3.3
 * (responder) and 3.4 (aging), row by row. The engine takes the first row of the instance's role,
 * state and event whose guard holds, runs its action and sets its to-state; an event without a row
 * is dropped and counted. docs/ prints the same rows.
 */
#ifndef CYGNET_OE_TABLE_H
#define CYGNET_OE_TABLE_H

#include "oe/internal.h"

#define OE_GUARD_LIST(X)                                                                           \
    X(always, "")                                                                                  \
    X(class_clear, "class always-clear-text")                                                      \
    X(class_deny, "class deny")                                                                    \
    X(destination_own, "destination is our own address")                                           \
    X(adopt_pass, "plane passes it, class allows")                                                 \
    X(adopt_deny, "plane denies it, class allows")                                                 \
    X(adopt_encrypt, "plane encrypts it, class allows")                                            \
    X(respond_only, "class OE-respond-only")                                                       \
    X(no_asking, "class passes it unasked")                                                        \
    X(tunnel_fits, "class takes the tunnel there is")                                              \
    X(rekey_fits, "class takes the tunnel and re-keys it")                                         \
    X(keys_good, "KEY found")                                                                      \
    X(class_refuses, "class deny or always-clear-text")                                            \
    X(source_unusable, "source can't be a client")                                                 \
    X(source_behind_nat, "client private, gateway behind NAT")                                      \
    X(own_unknown, "destination not known as ours")                                                \
    X(own_refused, "destination is not delegated to us")                                           \
    X(own_and_peer, "destination is ours; source is the phase 1 identity")                         \
    X(own_and_unvouched, "destination is ours; source is the phase 1 identity by a key of another") \
    X(own, "destination is ours")                                                                  \
    X(source_is_peer, "source is the phase 1 identity")                                            \
    X(source_unvouched, "source is the phase 1 identity by a key of another")                      \
    X(keys_vouch, "KEY is the one of phase 1")                                                     \
    X(authorized, "delegation names peer and key")                                                 \
    X(self_by_name, "no delegation; @FQDN peer for its own address")                               \
    X(behind_us_permissive, "gateway is ourselves; OE-permissive")                                 \
    X(behind_us_paranoid, "gateway is ourselves; OE-paranoid")                                     \
    X(contactable, "a gateway to contact")                                                         \
    X(dns_wrong_clear, "malformed or bogus; OE-dnssec-fail says clear")                            \
    X(dns_wrong, "malformed or bogus")                                                             \
    X(permissive, "OE-permissive")                                                                 \
    X(paranoid, "OE-paranoid")                                                                     \
    X(more_gateways, "another gateway is left")                                                    \
    X(name_holds, "held for a host known by name; OE-permissive")                                  \
    X(old_tunnel, "old tunnel still there")                                                        \
    X(silent_permissive, "silence; OE-permissive")                                                 \
    X(silent_paranoid, "silence; OE-paranoid")                                                     \
    X(signature_permissive, "signature failure; OE-permissive")                                    \
    X(signature_paranoid, "signature failure; OE-paranoid")                                        \
    X(current, "of the tunnel in use")                                                             \
    X(current_respond_only, "of the tunnel in use; OE-respond-only")                               \
    X(current_looking_up, "of the tunnel in use; still looking up")                                \
    X(crossed, "crossed with our own, which wins")                                                 \
    X(second_refused, "another gateway's tunnel is up; one is policy")                             \
    X(spare_in_use, "superseded by another gateway's; in use")                                     \
    X(idle, "not used lately")                                                                     \
    X(stale, "used; answer stale")                                                                 \
    X(was_clear, "was clear-text")                                                                 \
    X(was_deny, "was deny")                                                                        \
    X(was_keyed, "was keyed")                                                                      \
    X(still_delegated, "was keyed; delegation unchanged or unknown")                               \
    X(lingering, "superseded tunnel")

#define OE_ACTION_LIST(X)                                                                          \
    X(none, "nothing")                                                                             \
    X(settle_class, "pass or deny policy")                                                         \
    X(settle_own, "pass policy")                                                                   \
    X(look_up, "hold policy; TXT lookup of the destination")                                       \
    X(adopt, "keep what the plane does")                                                           \
    X(look_up_keys, "KEY lookup of the peer")                                                      \
    X(give_keys, "keys to IKE")                                                                    \
    X(refuse_keys, "no keys to IKE")                                                               \
    X(note_peer, "wait for proposals")                                                             \
    X(refuse_class, "refuse the proposal")                                                         \
    X(refuse_source, "refuse the proposal")                                                        \
    X(refuse_private, "refuse the proposal")                                                       \
    X(refuse_second, "refuse the proposal")                                                        \
    X(refuse_authority, "refuse the proposal")                                                     \
    X(check_own, "TXT lookup of the proposed destination")                                         \
    X(refuse_own, "refuse the proposal")                                                           \
    X(check_authority, "TXT lookup of the proposed source")                                        \
    X(check_key, "KEY lookup of the peer")                                                         \
    X(authorize_self, "accept the proposal; hold policy if nobody has the flow")                   \
    X(authorize_vouched, "accept the proposal; hold policy if nobody has the flow")                \
    X(refuse_unvouched, "refuse the proposal")                                                     \
    X(authorize, "accept the proposal; hold policy if nobody has the flow")                        \
    X(initiate, "IKE to the strongest gateway")                                                    \
    X(settle_dns, "pass or deny policy")                                                           \
    X(settle_behind_us, "pass or deny policy")                                                     \
    X(settle_no_answer, "pass or deny policy")                                                     \
    X(keyed, "encrypt policy")                                                                     \
    X(next_gateway, "IKE to the next gateway")                                                     \
    X(stop_holding, "pass policy; keying goes on")                                                 \
    X(keep_old, "keep the tunnel until its hard expiry")                                           \
    X(settle_failure, "pass or deny policy")                                                       \
    X(lose_old, "hold policy")                                                                     \
    X(restart, "hold policy; TXT lookup again")                                                    \
    X(take_over, "encrypt policy; the newest instance wins")                                       \
    X(yield, "accept on it, send on our own")                                                      \
    X(decline, "IKE Delete at once")                                                               \
    X(give_up_flow, "leave the policy to it")                                                      \
    X(end_respond, "pass policy")                                                                  \
    X(reclass, "as before, under the new class")                                                   \
    X(reclass_anew, "hold policy; end what there was; TXT lookup again")                           \
    X(keep_tunnel, "cancel the re-key")                                                            \
    X(take_back, "encrypt policy")                                                                 \
    X(drop_peer, "forget the peer")                                                                \
    X(peer_deleted, "remove the policy")                                                           \
    X(rekey, "TXT lookup, then IKE; policy unchanged")                                             \
    X(ask_last_use, "ask the plane for the last use")                                              \
    X(repeat_policy, "tell the plane again")                                                       \
    X(teardown, "remove the policy; IKE Delete")                                                   \
    X(recheck, "TXT lookup again; policy unchanged")                                               \
    X(renew, "another lifespan")                                                                   \
    X(linger, "accept on the old tunnel for a while")                                              \
    X(delete_old, "IKE Delete")                                                                    \
    X(abandon, "cancel what is under way")                                                         \
    X(stop, "remove the policy; IKE Delete or cancel")

enum oe_guard {
#define GUARD_ENUM(id, text) GUARD_##id,
    OE_GUARD_LIST(GUARD_ENUM)
#undef GUARD_ENUM
        GUARD_COUNT
};

enum oe_action {
#define ACTION_ENUM(id, text) ACT_##id,
    OE_ACTION_LIST(ACTION_ENUM)
#undef ACTION_ENUM
        ACTION_COUNT
};

#define GUARD_PROTOTYPE(id, text) bool guard_##id(const struct oe_step *step);
OE_GUARD_LIST(GUARD_PROTOTYPE)
#undef GUARD_PROTOTYPE

/* Actions never set the state; the engine does. */
#define ACTION_PROTOTYPE(id, text) void act_##id(struct oe_step *step);
OE_ACTION_LIST(ACTION_PROTOTYPE)
#undef ACTION_PROTOTYPE

enum oe_role { OE_INITIATOR, OE_RESPONDER, OE_BOTH };

struct oe_row {
    enum oe_role role;
    enum oe_state from;
    int event; /* enum oe_event_kind or one of the engine's own */
    enum oe_guard guard;
    enum oe_action action;
    enum oe_state to;
    enum event_level level; /* of the trace record; WARNING: a person should look (OE-052) */
    const char *story;
};

/* The row that applies, or NULL. */
const struct oe_row *table_find(const struct oe_step *step);
size_t table_index(const struct oe_row *row);
size_t table_rows(void);
void table_run(const struct oe_row *row, struct oe_step *step);

#endif
