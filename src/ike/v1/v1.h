/*
 * IKEv1 (RFC 2407, 2408, 2409): what the files of this directory share.
 *
 *   table.c    which message carries what, and the state tables
 *   machine.c  runs them: finds the exchange and the row, checks, calls the handler, sets the state
 *   park.c     steps that wait for a public-key operation
 *   message.c  opens and seals messages: encryption, HASH payloads, sending
 *   keymat.c   SKEYID and its children, KEYMAT, IVs
 *   main.c     Main Mode's handlers      aggressive.c  Aggressive Mode's
 *   quick.c    Quick Mode's              auth.c        who is who, and how it is proved
 *   info.c     Delete and Notify         nat.c         NAT traversal
 *   dpd.c      dead peer detection       encrypted.c   both modes by public-key encryption
 */
#ifndef CYGNET_IKE_V1_V1_H
#define CYGNET_IKE_V1_V1_H

#include "ike/engine.h"

enum { PROTOCOL_ISAKMP = 1, PROTOCOL_AH = 2, PROTOCOL_ESP = 3, V1_DOI_IPSEC = 1 };

/* RFC 2407 section 4.4.1, of an enum sa_protocol. */
static inline uint8_t v1_protocol(uint8_t protocol)
{
    return protocol == SA_AH ? PROTOCOL_AH : PROTOCOL_ESP;
}

/* RFC 2408 section 3.14.1; those below 16384 are errors. */
enum v1_notify {
    V1_NO_NOTIFY = 0,
    V1_INVALID_PAYLOAD_TYPE = 1,
    V1_NO_PROPOSAL_CHOSEN = 14,
    V1_PAYLOAD_MALFORMED = 16,
    V1_INVALID_ID_INFORMATION = 18,
    V1_NOTIFY_STATUS = 16384,
    V1_INITIAL_CONTACT = 24578, /* RFC 2407 section 4.6.3 */
    V1_R_U_THERE = 36136,       /* RFC 3706 section 5.3 */
    V1_R_U_THERE_ACK = 36137,
};

/* One message or answer on its way through a row. */
struct v1_step {
    struct ike *ike;
    struct ike_sa *sa;
    struct v1_exchange *x;
    struct v1_quick *quick; /* NULL in Main Mode */
    const struct v1_row *row;
    const struct isakmp_header *header;     /* of a message */
    const struct isakmp_payloads *payloads; /* its text, in the clear */
    const struct ike_event *event;          /* an answer */
    bool fresh; /* the exchange was made for this message: on an error the caller frees it */
    struct ike_works works; /* public-key operations that it had made (ike/defer.h) */
    bool sent;
    const char *why;           /* why a handler refuses, for people */
    enum v1_notify notify;     /* and for the peer */
    uint8_t iv[CBC_BLOCK_MAX]; /* after the message was decrypted */
};

/* The nth payload's body; the message table says that it is there. */
struct view v1_body(const struct v1_step *step, uint8_t type, size_t nth);
/* Sets why and notify, and returns err. */
enum err v1_refuse(struct v1_step *step, enum err err, enum v1_notify notify, const char *why);

/* machine.c */
enum err v1_receive(struct ike *ike, const struct ike_event *event,
                    const struct isakmp_header *header);
/* Begins an exchange of ours. */
enum err v1_start(struct ike *ike, struct v1_exchange *x);
/* An answer to a question, found by its serial. */
enum err v1_answer(struct ike *ike, const struct ike_event *event, enum v1_trigger trigger);
/* Remembers the question and returns its serial. */
uint64_t v1_ask(struct v1_step *step);
void v1_ask_over(struct ike *ike, struct v1_exchange *x);
/* Runs the step's row; `digest` of the message, or NULL. */
enum err v1_run(struct v1_step *step, const uint8_t *digest);
/* A step of the exchange as it rests. */
struct v1_step v1_step_on(struct ike *ike, struct v1_exchange *x);
/* park.c */
/* The step's handler said ERR_LATER: the exchange sleeps until the work is back. */
MUST_USE enum err v1_park(struct v1_step *step, const uint8_t *digest);
/* False: nobody here waits for that. Else the work is taken, and the step is run again: *ret. */
bool v1_resume(struct ike *ike, uint64_t serial, struct ike_work *work, enum err *ret);
void v1_parked_free(struct v1_parked *parked);

/* machine.c */
/* Ends it, reporting to whoever waits for it; a Main Mode exchange takes its SA along. */
void v1_fail(struct ike *ike, struct v1_exchange *x, enum ike_failure failure, const char *text);
enum err v1_exchange_init(struct ike *ike, struct v1_exchange *x, struct ike_sa *sa,
                          enum v1_state state, msgid_t msgid, bool initiator);
void v1_exchange_fini(struct ike *ike, struct v1_exchange *x);
/* Message ids in use or used before on this SA. */
bool v1_msgid_used(const struct ike_sa *sa, msgid_t msgid);
/* In memory; whoever then sends or acts under it saves the SA first. */
void v1_msgid_mark(struct ike *ike, struct ike_sa *sa, msgid_t msgid);
msgid_t v1_msgid_new(struct ike *ike, const struct ike_sa *sa);

/* message.c */
struct v1_out {
    struct isakmp_writer w;
    enum v1_message_kind kind;
    size_t hash_at; /* of the HASH payload's body; 0: none */
};
void v1_out_start(struct ike *ike, struct v1_out *out, const struct ike_sa *sa,
                  enum v1_message_kind kind, msgid_t msgid);
/* Hashes, encrypts, keeps it for retransmission and sends it. */
enum err v1_out_send(struct v1_step *step, struct v1_out *out);
/* The same for a message that belongs to no exchange. */
enum err v1_out_send_info(struct ike *ike, struct ike_sa *sa, struct v1_out *out, msgid_t msgid,
                          const char *detail);
/* Checks flags against the table, decrypts a copy, parses, checks the HASH payload. `iv` goes in as
 * the one to use and comes out as the next. Changes nothing else. */
MUST_USE enum err v1_open(struct ike *ike, const struct ike_sa *sa, const struct v1_quick *quick,
                          enum v1_message_kind kind, const struct isakmp_header *header,
                          struct view datagram, uint8_t *iv, struct isakmp_payloads *ret);
void v1_send_raw(struct ike *ike, const struct ike_sa *sa, struct view bytes);
void v1_send_on(struct ike *ike, const struct ike_sa *sa, const struct ike_path *path,
                struct view bytes);

/* Vendor ids: dead peer detection (RFC 3706 section 5.1), and NAT traversal unless it is off. */
void v1_put_vendors(const struct ike *ike, struct v1_out *out, bool nat);
bool v1_peer_has_dpd(const struct v1_step *step);

/* nat.c */
void nat_put_vendor(struct v1_out *out);
bool nat_agreed(const struct v1_step *step); /* the peer's message has the vendor id too */
/* Writes hash_len(sa->suite.hash) octets. */
MUST_USE enum err nat_hash(const struct ike_sa *sa, const struct ip_endpoint *end, uint8_t *ret);
MUST_USE enum err nat_put_hashes(const struct v1_step *step, struct v1_out *out);
/* Who is behind a NAT, by the peer's NAT-D payloads; nothing is changed. */
MUST_USE enum err nat_read_hashes(struct v1_step *step, struct v1_nat *ret);
/* Initiator: to port 4500 if need be (section 4). */
void nat_float(struct ike *ike, struct ike_sa *sa);
/* Responder: message 5 is verified, so its path is the peer's. */
void nat_take_claimed(struct ike *ike, struct ike_sa *sa);
/* Its own path, or one that it may turn out to have. */
bool nat_may_come_from(const struct ike_sa *sa, const struct ike_event *event);
/* The message was authentic: if the peer's mapping changed, it counts. */
void nat_follow(struct ike *ike, struct ike_sa *sa, const struct ike_event *event);

/* keymat.c */
/* SKEYID and its children, the cipher key and the first IV; `secret` is g^xy, `psk` the shared key
 * if there is one. */
MUST_USE enum err v1_keys_derive(struct ike_sa *sa, struct view secret, struct view psk,
                                 uint8_t *ret_iv);
/* Ke_i or Ke_r of the revised form of public-key encryption; writes sa->suite.key_bits / 8 octets. */
MUST_USE enum err v1_ephemeral_key(const struct ike_sa *sa, bool of_initiator, uint8_t *ret);
/* HASH_I or HASH_R; writes hash_len(sa->suite.hash) octets. */
MUST_USE enum err v1_auth_hash(const struct ike_sa *sa, bool of_initiator, struct view id,
                               uint8_t *ret);
/* The IV of the first message of a phase 2 or informational exchange. */
MUST_USE enum err v1_phase2_iv(const struct ike_sa *sa, msgid_t msgid, uint8_t *ret);
/* HASH(1), HASH(2), HASH(3) by message kind; `rest` is what follows the HASH payload. */
MUST_USE enum err v1_phase2_hash(const struct ike_sa *sa, const struct v1_quick *quick,
                                 enum v1_message_kind kind, msgid_t msgid, struct view rest,
                                 uint8_t *ret);
/* KEYMAT for the SA with that SPI, cut into its keys. */
MUST_USE enum err v1_keymat(const struct ike_sa *sa, const struct v1_quick *quick,
                            struct view secret, struct sa_params *ret);

/* dpd.c */
ike_timer_fn dpd_timer;
/* The peer was heard: asked again only after a time of silence. */
void dpd_start(struct ike *ike, struct ike_sa *sa);
void dpd_receive(struct ike *ike, struct ike_sa *sa, const struct isakmp_notify *n);

/* trace.c */
void v1_trace_message(struct ike *ike, const struct ike_sa *sa, const struct v1_exchange *x,
                      const struct v1_message *message, bool sent, const char *detail);
/* A decision or a drop; `x` may be NULL. */
void v1_trace(struct ike *ike, const struct ike_sa *sa, const struct v1_exchange *x,
              enum event_level level, const char *title, const char *detail);

/* encrypted.c */
/* The peer's nonce and identity in the message, to be decrypted: kept, and asked about. */
MUST_USE enum err encrypted_take_share(struct v1_step *step);
/* Our own value, identity and nonce, for nobody but the peer. */
MUST_USE enum err encrypted_put_share(struct v1_step *step, struct v1_out *out);
enum err encrypted_i_choice(struct v1_step *step);
enum err encrypted_i_share(struct v1_step *step);
enum err encrypted_i_keys(struct v1_step *step);
enum err encrypted_i_verify(struct v1_step *step);
enum err encrypted_r_share(struct v1_step *step);
enum err encrypted_r_keys(struct v1_step *step);
enum err encrypted_r_verify(struct v1_step *step);
enum err encrypted_i_reply(struct v1_step *step);
enum err encrypted_i_prove(struct v1_step *step);
enum err encrypted_r_reply(struct v1_step *step);

/* auth.c */
bool auth_encrypts(enum phase1_auth auth); /* by public keys, in either form */
enum v1_way v1_way_of(const struct ike_sa *sa);
/* NULL: a stranger. */
enum phase1_auth auth_of_profile(const struct ike_profile *profile);
/* Responder: what any peer at that address may propose. */
struct phase1_terms auth_terms(const struct ike *ike, const struct ike_event *event,
                               bool aggressive);
struct phase1_offer auth_offer(const struct ike *ike, const struct ike_sa *sa);
/* The shared key; empty with another method. */
MUST_USE enum err auth_secret(struct v1_step *step, struct view *ret);
/* The configured peer of that name, into sa->profile. False: a stranger. */
bool auth_find_profile(struct v1_step *step, const struct identity *id, bool aggressive);
MUST_USE enum err auth_make_id(struct v1_step *step); /* into the handshake */
MUST_USE enum err auth_ask_signature(struct v1_step *step);
/* Which certificates we would like to see, if any. */
void auth_put_requests(const struct v1_step *step, struct v1_out *out);
/* What the configured peer may prove itself with, by its certificate if need be, into the handshake. */
MUST_USE enum err auth_take_keys(struct v1_step *step, const struct identity *id);
MUST_USE enum err auth_put_proof(struct v1_step *step, struct v1_out *out);
MUST_USE enum err auth_read_id(struct v1_step *step, struct identity *ret);
MUST_USE enum err auth_parse_id(struct v1_step *step, struct view body, struct identity *ret);
/* ERR_AUTH unless one of the keys made the signature (OE-137). */
MUST_USE enum err auth_verify_signature(struct v1_step *step, struct view id,
                                        struct view signature, const struct public_key *keys,
                                        size_t key_count, const struct public_key **ret);
/* ERR_AUTH: it is not the peer's HASH. */
MUST_USE enum err auth_verify_hash(const struct ike_sa *sa, struct view id, struct view said);
MUST_USE enum err auth_check_name(struct v1_step *step, const struct identity *id);
/* What tells this peer from others: its key; of a configured peer also its name. */
MUST_USE enum err auth_digest(const struct ike *ike, const struct ike_sa *sa, uint8_t *ret);
/* The peer is who it says: from here on messages of this SA are believed. */
MUST_USE enum err auth_accept(struct v1_step *step, const struct public_key *key);
void auth_answer_self(struct v1_step *step);
void auth_sign_self(struct v1_step *step);

/* main.c: what Aggressive Mode needs too */
MUST_USE enum err main_make_share(struct v1_step *step); /* our private value and nonce */
MUST_USE enum err main_take_share(struct v1_step *step); /* the peer's */
MUST_USE enum err main_derive(struct v1_step *step);
MUST_USE enum err main_take_choice(struct v1_step *step); /* message 2 */
void main_claim_path(struct v1_step *step);               /* message 5's, until it is verified */
void main_put_contact(struct v1_step *step, struct v1_out *out);
bool main_says_contact(const struct v1_step *step);
/* Handlers, in the order of the table */
enum err main_i_start(struct v1_step *step);
enum err main_i_choice(struct v1_step *step);
enum err main_i_ke(struct v1_step *step);
enum err main_i_signed(struct v1_step *step);
enum err main_i_psk(struct v1_step *step);
enum err main_i_verify(struct v1_step *step);
enum err main_i_verify_psk(struct v1_step *step);
enum err main_r_choose(struct v1_step *step);
enum err main_r_ke(struct v1_step *step);
enum err main_r_auth(struct v1_step *step);
enum err main_r_psk(struct v1_step *step);
enum err main_r_verify(struct v1_step *step);
enum err main_r_signed(struct v1_step *step);
void main_established(struct v1_step *step);
/* The initiator's SA with all that main_i_start() needs. */
MUST_USE enum err main_new(struct ike *ike, const struct ike_request *request, struct ike_sa **ret);
void main_handshake_free(struct v1_handshake *handshake);

/* aggressive.c */
/* Message 2, tried: the choice, and who is behind a NAT. */
MUST_USE enum err aggressive_take_choice(struct v1_step *step);
void aggressive_forget_reply(struct v1_step *step);
MUST_USE enum err aggressive_send_last(struct v1_step *step, enum v1_message_kind kind);
enum err aggressive_i_start(struct v1_step *step);
enum err aggressive_i_reply(struct v1_step *step);
enum err aggressive_i_signed(struct v1_step *step);
enum err aggressive_i_psk(struct v1_step *step);
enum err aggressive_r_offer(struct v1_step *step);
enum err aggressive_r_signed(struct v1_step *step);
enum err aggressive_r_psk(struct v1_step *step);
enum err aggressive_r_verify(struct v1_step *step);
enum err aggressive_r_verify_psk(struct v1_step *step);

/* quick.c */
enum err quick_i_start(struct v1_step *step);
enum err quick_i_offer(struct v1_step *step);
enum err quick_i_reply(struct v1_step *step);
enum err quick_i_installed(struct v1_step *step);
enum err quick_r_proposal(struct v1_step *step);
enum err quick_r_authorized(struct v1_step *step);
enum err quick_r_keys(struct v1_step *step);
enum err quick_r_reply(struct v1_step *step);
enum err quick_r_confirmed(struct v1_step *step);
enum err quick_r_installed(struct v1_step *step);
void quick_up(struct v1_step *step);
/* ERR_LIMIT: V1_QUICKS_MAX of them are at work; of a responder its first handler says so. */
MUST_USE enum err quick_new(struct ike *ike, struct ike_sa *sa, enum v1_state state, msgid_t msgid,
                            bool initiator, struct v1_quick **ret);
void quick_set_ticket(struct v1_quick *quick, struct ike_ticket *ticket);
/* Takes back what it handed out for installation. */
void quick_free(struct ike *ike, struct v1_quick *quick);
struct v1_quick *quick_find(const struct ike_sa *sa, msgid_t msgid);

/* info.c */
enum err info_receive(struct ike *ike, struct ike_sa *sa, const struct ike_event *event,
                      const struct isakmp_header *header);
/* Nothing in it is believed (OE-064). */
enum err info_receive_clear(struct ike *ike, const struct ike_event *event,
                            const struct isakmp_header *header);
void info_send_delete_children(struct ike *ike, struct ike_sa *sa, uint8_t protocol,
                               const spi_t *spis, size_t count);
void info_send_delete_sa(struct ike *ike, struct ike_sa *sa, const spi_t *spis, size_t count);
/* About the SPI that the peer offered. */
void info_send_notify(struct ike *ike, struct ike_sa *sa, enum v1_notify type, spi_t spi);
void info_send_dpd(struct ike *ike, struct ike_sa *sa, enum v1_notify type, uint32_t sequence);
void info_send_notify_clear(struct ike *ike, const struct ike_event *event,
                            const struct isakmp_header *header, enum v1_notify type);

#endif
