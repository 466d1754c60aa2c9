/*
 * IKEv2 (RFC 7296): what the files of this directory share.
 *
 *   table.c    which message carries what, and the state table
 *   machine.c  runs it: finds the exchange and the row, checks, calls the handler, sets the state
 *   park.c     steps that wait for a public-key operation
 *   line.c     one request of ours at a time: the others wait in line
 *   receive.c  from a datagram to the exchange it belongs to; message ids and duplicates
 *   message.c  opens and seals messages, keeps them for repetition
 *   fragment.c RFC 7383
 *   store.c    SAs: birth, finding, death       saved.c   what outlives the engine
 *   init.c     IKE_SA_INIT's handlers           cookie.c  for strangers
 *   auth.c     IKE_AUTH's handlers              credential.c  who proves what, and how
 *   child.c    new children's handlers          offer.c   what is negotiated for them
 *   made.c     children that are there          selector.c traffic selectors
 *   rekey.c    a new IKE SA for an old one      info.c    Delete, Notify, liveness
 *   ppk.c      RFC 8784
 *   crash.c    RFC 6290
 *   mediate.c  RFC 9242, RFC 9370
 *   defence.c  cookies and puzzles (RFC 8019) by pressure
 *   follow.c   RFC 9370 after a CREATE_CHILD_SA
 *   resume.c   RFC 5723: exchange and IKE_AUTH, an initiator's tickets   ticket.c  what is in one
 *   nat.c      NAT traversal                    keymat.c  keys
 *   tcp.c      streams (RFC 9329)
 *   mobike.c   which addresses an SA uses (RFC 4555)   mobike_message.c  and what is said of them
 *   addrmgmt.c the same by draft-dupont-ikev2-addrmgmt-06   addrmgmt_message.c  and its messages
 *   request.c  which SA serves a request        config.c  virtual addresses
 *   trace.c
 */
#ifndef CYGNET_IKE_V2_V2_H
#define CYGNET_IKE_V2_V2_H

#include "ike/engine.h"

/* Section 3.3.1, of an enum sa_protocol. */
static inline uint8_t v2_protocol(uint8_t protocol)
{
    return protocol == SA_AH ? IKE2_PROTO_AH : IKE2_PROTO_ESP;
}

/* One message or answer on its way through a row. */
struct v2_step {
    struct ike *ike;
    struct v2_sa *sa;
    struct v2_exchange *x;
    const struct v2_row *row;
    const struct ike2_header *header;     /* of a message */
    const struct ike2_payloads *payloads; /* its text, in the clear */
    const struct ike_event *event;        /* the datagram, or an answer */
    bool fresh;   /* the SA was made for this message: on an error the caller frees it */
    struct ike_works works; /* public-key operations that it had made (ike/defer.h) */
    bool sent;
    bool at_once; /* nothing was asked: the answer's row runs now */
    bool skips;   /* the row's message is not needed: `past` comes next */
    bool ends_sa; /* whatever the row says, the IKE SA is over after it */
    const char *why;         /* why a handler refuses, for people */
    uint16_t notify;         /* and for the peer; 0: by the error */
    struct view notify_data; /* of it */
    enum ike_failure failure;
};

/* The nth payload's body; the message table says that it is there. */
struct view v2_body(const struct v2_step *step, uint8_t type, size_t nth);
bool v2_has(const struct v2_step *step, uint8_t type);
bool v2_notified(const struct v2_step *step, uint16_t type, struct ike2_notify *ret);
/* Sets why and notify, and returns err. */
enum err v2_refuse(struct v2_step *step, enum err err, uint16_t notify, const char *why);
/* The peer guessed another key exchange than the one chosen: INVALID_KE_PAYLOAD says which. */
enum err v2_refuse_method(struct v2_step *step, uint16_t method);

/* The payload type for private use that both ends agreed on; 0: none. */
static inline uint8_t v2_agreed(const struct v2_sa *sa)
{
    return sa->mobike != NULL && sa->mobike->draft ? ADDRMGMT_P_UPDATE : IKE2_P_NONE;
}

/* machine.c */
/* A message that was opened, for the exchange it belongs to. */
enum err v2_run_message(struct v2_step *step, enum v2_message_kind kind);
/* It was opened, and can't be read. */
enum err v2_run_refusal(struct v2_step *step, enum err err);
/* An answer to a question, found by its serial. ERR_UNKNOWN: not one of version 2's. */
enum err v2_answer(struct ike *ike, const struct ike_event *event, enum v2_trigger trigger);
/* The return routability check that the exchange waits for has ended. */
void v2_checked(struct ike *ike, struct v2_exchange *x);
/* Remembers the question and sends it. */
MUST_USE enum err v2_ask(struct v2_step *step, struct ike_effect *fx);
/* Begins an exchange of ours whose turn it is. It may be gone afterwards, and its SA with it. */
void v2_start(struct ike *ike, struct v2_exchange *x);
/* Its request goes somewhere else now, and what was not answered so far says nothing of that: it is repeated as if it
 * were new. */
void v2_elsewhere(struct ike *ike, struct v2_exchange *x);
/* A serial under which the exchange will be found, instead of the one before; zero: no memory. */
uint64_t v2_ask_serial(struct ike *ike, struct v2_exchange *x);
void v2_ask_over(struct ike *ike, struct v2_exchange *x);
/* Ends it without success, reporting to whoever waits for it; that of the first exchanges takes
 * its SA along. */
void v2_fail(struct ike *ike, struct v2_exchange *x, enum ike_failure failure, const char *text);
/* Nobody wants the child any more; nobody is told but the peer. */
void v2_cancel(struct ike *ike, struct v2_child *child);
void v2_cancel_all(struct ike *ike, uint64_t ticket);
MUST_USE enum err v2_exchange_new(struct ike *ike, struct v2_sa *sa, enum v2_state state,
                                  bool initiator, struct v2_exchange **ret);
/* What it negotiated and did not finish is taken back. */
void v2_exchange_free(struct ike *ike, struct v2_exchange *x);
/* Who waits for what it was making is told that it won't come. */
void v2_exchange_end(struct ike *ike, struct v2_exchange *x);
enum ike_counter_id v2_counter_of(enum err err);
enum err v2_drop(struct ike *ike, enum ike_counter_id counter, enum err err);

/* Runs the step's row and those that follow at once. */
enum err v2_run(struct v2_step *step);

/* park.c */
/* The step's handler said ERR_LATER: the exchange sleeps until the work is back. */
MUST_USE enum err v2_park(struct v2_step *step);
/* False: nobody here waits for that. Else the work is taken, and the step is run again: *ret. */
bool v2_resume(struct ike *ike, uint64_t serial, struct ike_work *work, enum err *ret);
/* A request of the peer waits for the work too, if it is the first; then it comes in again. */
void v2_parked_behind(struct v2_parked *parked, const struct ike_event *event);
void v2_parked_free(struct v2_parked *parked);

/* line.c */
/* A request of ours takes its place in line; NULL: no memory, or too many. */
struct v2_exchange *v2_line_up(struct ike *ike, struct v2_sa *sa, enum v2_state state);
/* To the head of the line. */
void v2_line_first(struct v2_sa *sa, struct v2_exchange *x);
/* The next in line begins, if it is its turn. */
void v2_line_go(struct ike *ike, struct v2_sa *sa);
/* Back in line after the peer asked for patience or another group. */
void v2_line_up_again(struct v2_step *step);
/* One of that state or the state after it, under way or in line? */
bool v2_line_has(const struct v2_sa *sa, enum v2_state from, enum v2_state to);

/* receive.c */
enum err v2_receive(struct ike *ike, const struct ike_event *event);
/* A message of version 1 that begins with this cookie. False: it has nothing to do with us. */
bool v2_receive_older(struct ike *ike, const struct ike_event *event, const uint8_t *spi_i);
/* Counts it; false: not another one now. */
bool v2_may_complain(struct ike *ike, const struct ike2_header *header);
/* An unprotected answer to who speaks of what isn't here; not too many of them. */
void v2_complain(struct ike *ike, const struct ike_event *event, const struct ike2_header *header,
                 uint16_t notify);

/* message.c */
struct v2_out {
    struct ike2_writer w;
    struct ike2_header header;
    enum v2_message_kind kind;
    bool sealed;
};
void v2_out_start(struct v2_step *step, struct v2_out *out, enum v2_message_kind kind);
/* Seals it, keeps it for repetition and sends it. */
enum err v2_out_send(struct v2_step *step, struct v2_out *out);
/* An answer with one notify in it. */
enum err v2_send_refusal(struct v2_step *step, uint16_t notify, struct view data);
/* A request that is said once: nobody waits for the answer. */
void v2_send_farewell(struct ike *ike, struct v2_sa *sa, const struct v2_exchange *says);
/* The INFORMATIONAL message with id zero and IKEV2_MESSAGE_ID_SYNC in it (RFC 6311). */
MUST_USE enum err v2_build_sync(struct ike *ike, struct v2_sa *sa, bool response, struct view data,
                                struct v2_sent *ret);
/* Outside of any SA, in clear, as an answer to the datagram. */
void v2_send_clear(struct ike *ike, const struct ike_event *event, const struct ike2_header *header,
                   uint16_t notify, struct view data);
/* The same with more in it than one notify; `notify` is the one to be told of. */
void v2_clear_start(struct ike *ike, const struct ike2_header *header, struct ike2_writer *ret);
void v2_clear_send(struct ike *ike, const struct ike_event *event, const struct ike2_header *header,
                   struct ike2_writer *w, uint16_t notify);
void v2_send_raw(struct ike *ike, const struct v2_sa *sa, const struct v2_path *path,
                 struct view bytes);
void v2_sent_repeat(struct ike *ike, const struct v2_sa *sa, const struct v2_path *path,
                    const struct v2_sent *sent);
void v2_sent_wipe(struct v2_sent *sent);
MUST_USE bool v2_sent_add(struct v2_sent *sent, struct view datagram);
/* Of the message that was sent. */
uint8_t v2_sent_exchange(const struct v2_sent *sent);
struct view v2_sent_first(const struct v2_sent *sent);
/* Decrypts a copy and parses it. Changes nothing else, but collects fragments: *digest is that of
 * the datagram, or of the first fragment once all are there. *ret_critical: the payload that is not known
 * and should be, with ERR_UNSUPPORTED. ERR_DECRYPT, ERR_SHORT: it proves nothing. */
MUST_USE enum err v2_open(struct ike *ike, struct v2_sa *sa, const struct ike2_header *header,
                          struct view datagram, uint8_t *digest, struct ike2_payloads *ret,
                          uint8_t *ret_critical);

/* Nobody knows who sent it: it is counted, and dropped. */
bool v2_open_proves_nothing(enum err err);

/* fragment.c */
/* An authentic piece of a message. ERR_UNKNOWN: others are missing. ERR_OK: all are there, in
 * `ike->text`; *digest is that of the first. */
MUST_USE enum err fragment_take(struct ike *ike, struct v2_sa *sa, const struct ike2_header *header,
                                const struct ike2_sk *sk, struct view text, uint8_t *digest,
                                uint8_t *ret_first, struct view *ret_text);
void fragment_forget(struct v2_sa *sa);

/* store.c */
MUST_USE enum err v2_sa_new(struct ike *ike, bool initiator, const struct v2_path *path,
                            struct v2_sa **ret);
MUST_USE enum err v2_sa_attach(struct ike *ike, struct v2_sa *sa);
/* In place of the SPI it was born with. */
void v2_sa_take_spi(struct ike *ike, struct v2_sa *sa, const uint8_t *own_spi);
struct v2_sa *v2_sa_find(const struct ike *ike, const uint8_t *own_spi);
/* A responder's, not yet authenticated: found by its initiator's end, SPI and request. */
struct v2_sa *v2_sa_find_init(const struct ike *ike, const struct ip_endpoint *remote,
                              const uint8_t *spi_i, const uint8_t *digest);
MUST_USE bool v2_sa_index_init(struct ike *ike, struct v2_sa *sa, const uint8_t *spi_i,
                               const uint8_t *digest);
void v2_sa_unproven_add(struct ike *ike, struct v2_sa *sa);
bool v2_unproven_many(const struct ike *ike, const struct ip_addr *remote);
/* The lifetime runs, and the SA can be found by its peer's addresses. */
void v2_sa_established_now(struct ike *ike, struct v2_sa *sa);
/* The same for one of a former life. */
void v2_sa_resume(struct ike *ike, struct v2_sa *sa, mono_t expires);
/* Its exchanges fail; its children end and are reported. Nobody is told. */
void v2_sa_free(struct ike *ike, struct v2_sa *sa);
/* The peer gets a Delete once, then as v2_sa_free(). */
void v2_sa_end(struct ike *ike, struct v2_sa *sa);
/* The peer gets a Delete until it answers; in the meantime the SA serves nobody. */
void v2_sa_close(struct ike *ike, struct v2_sa *sa, const char *why);
void v2_spi_new(struct ike *ike, uint8_t *ret);
void v2_handshake_free(struct v2_handshake *hs);
const uint8_t *v2_spi_i(const struct v2_sa *sa);
const uint8_t *v2_spi_r(const struct v2_sa *sa);
const struct ike_profile *v2_profile(const struct ike *ike, uint32_t number);
void v2_engine_init(struct ike *ike);
void v2_engine_fini(struct ike *ike);
bool v2_sa_info(const struct ike *ike, size_t i, struct ike_sa_info *ret);

/* keymat.c */
/* SK_... of a new SA; `old_d` is SK_d of the SA that it replaces, empty in IKE_SA_INIT; `more` are
 * the secrets of further key exchanges (RFC 9370 section 2.2.4). */
MUST_USE enum err v2_keys_derive(struct v2_sa *sa, struct view secret, struct view nonce_i,
                                 struct view nonce_r, struct view more, enum hash_alg old_prf,
                                 struct view old_d);
/* KEYMAT for both SAs of a child. */
MUST_USE enum err v2_keymat(const struct v2_sa *sa, struct v2_child *child, bool initiator,
                            struct view nonce_i, struct view nonce_r);
/* The same for an SA that is resumed (RFC 5723 section 5.1). */
MUST_USE enum err v2_keys_resume(struct v2_sa *sa, struct view old_d, struct view nonce_i,
                                 struct view nonce_r);
struct view v2_sk_d(const struct v2_sa *sa);
/* The octets that an AUTH payload covers (section 2.15); `ret` is wiped by the caller. */
MUST_USE enum err v2_signed_octets(const struct v2_sa *sa, bool of_initiator, struct view id,
                                   struct blob *ret);
/* prf(prf(secret, "Key Pad for IKEv2"), octets), or prf(SK_p, octets) with an empty secret. */
MUST_USE enum err v2_auth_mac(const struct v2_sa *sa, bool of_initiator, struct view psk,
                              struct view octets, uint8_t *ret);

/* cookie.c */
bool v2_cookie_wanted(const struct ike *ike, const struct ip_addr *remote);
/* What came with it. */
struct v2_puzzle {
    uint16_t prf;
    uint8_t bits; /* 0: no puzzle */
};
MUST_USE enum err v2_cookie_make(struct ike *ike, const struct ip_endpoint *remote,
                                 const uint8_t *spi_i, struct view nonce,
                                 const struct v2_puzzle *puzzle, struct builder *ret);
bool v2_cookie_valid(struct ike *ike, const struct ip_endpoint *remote, const uint8_t *spi_i,
                     struct view nonce, struct view cookie, struct v2_puzzle *ret);

/* defence.c */
/* A stranger's first message may be dealt with; else it was told what it lacks. *ret_worked: the
 * difficulty of the puzzle that it solved. */
bool defence_passes(struct ike *ike, const struct ike_event *event, const struct ike2_header *header,
                    const struct ike2_payloads *payloads, uint8_t *ret_worked);
/* Something came for an SA half open that can't be decrypted. */
void defence_junk(struct ike *ike);
/* A puzzle for IKE_AUTH, into the answer to IKE_SA_INIT, if there is much of that. */
void defence_put(const struct v2_step *step, struct ike2_writer *w);
/* It is solved, or there is none. */
bool defence_auth_passes(struct ike *ike, struct v2_sa *sa, const struct ike2_header *header,
                         struct view datagram);
/* Initiator: true: the puzzle that came with a cookie is being solved, the row is skipped. */
bool defence_takes_on(struct v2_step *step);
/* The same for IKE_AUTH; without one the row goes on at once. */
MUST_USE enum err defence_take_on_auth(struct v2_step *step);
/* A slice of work. The exchange may be gone afterwards. */
void defence_work(struct ike *ike, struct v2_exchange *x);
void defence_stop(struct ike *ike, struct v2_handshake *hs);
/* To go along; empty: none. */
struct view defence_solution(const struct v2_sa *sa);

/* init.c */
enum err init_i_start(struct v2_step *step);
enum err init_i_again(struct v2_step *step);
enum err init_i_hint(struct v2_step *step);
enum err init_i_solved(struct v2_step *step);
enum err init_i_keys(struct v2_step *step);
enum err init_r_choose(struct v2_step *step);
bool v2_method_offered(const struct ike2_sa *offer, uint16_t method);
void v2_put_ke(struct ike2_writer *w, uint16_t method, struct view data);
/* An SA of ours with all that init_i_start() needs; or, with a ticket, which it then owns, what
 * resume_i_start() does. */
MUST_USE enum err init_new(struct ike *ike, const struct ike_request *request,
                           struct v2_ticket *ticket, struct v2_sa **ret);
/* Shared with IKE_SESSION_RESUME. */
MUST_USE enum err init_make_share(struct v2_step *step);
MUST_USE enum err init_fresh_nonce(struct ike *ike, struct blob *ret);
MUST_USE enum err init_take_cookie(struct v2_step *step, struct view cookie);
/* The body goes into the AUTH payload as it was sent. */
MUST_USE enum err init_send_and_keep(struct v2_step *step, struct v2_out *out, struct blob *kept);

/* auth.c */
enum err auth_i_sign_plain(struct v2_step *step);
enum err auth_i_sign(struct v2_step *step);
enum err auth_i_send(struct v2_step *step);
enum err auth_i_refused(struct v2_step *step);
enum err auth_i_verify(struct v2_step *step);
enum err auth_r_claim(struct v2_step *step);
enum err auth_r_verify(struct v2_step *step);
enum err auth_r_sign(struct v2_step *step);
enum err auth_r_send(struct v2_step *step);
void auth_established(struct v2_step *step);

/* credential.c */
/* Who we are, and what is to be signed for it: asks, or lets the row go on at once. */
MUST_USE enum err credential_ask(struct v2_step *step);
/* The body of the AUTH payload, with the keeper's answer. */
MUST_USE enum err credential_build_auth(struct v2_step *step, struct builder *b);
/* CERT and AUTH payloads, the same way. */
MUST_USE enum err credential_put(struct v2_step *step, struct ike2_writer *w);
/* The AUTH body proves one of the keys, or the secret, or what the certificates say. Sets who the
 * peer is. */
MUST_USE enum err credential_verify(struct v2_step *step, const struct identity *id,
                                    struct view id_body, struct view auth,
                                    const struct public_key *keys, size_t key_count);
void credential_put_requests(const struct v2_step *step, struct ike2_writer *w);
MUST_USE enum err credential_keep_certificates(struct v2_step *step);
/* What we can verify, for IKE_SA_INIT. */
void credential_put_hashes(struct ike2_writer *w);
uint32_t credential_read_hashes(const struct v2_step *step);

struct identity credential_own_identity(const struct v2_step *step);

/* ticket.c */
void ticket_engine_init(struct ike *ike);
void ticket_engine_fini(struct ike *ike);
/* The clock on the wall; 0: there is none. */
int64_t ticket_wall(const struct ike *ike);
void ticket_free(struct v2_ticket *ticket);
MUST_USE enum err session_of(const struct v2_sa *sa, const struct identity *own_id,
                             struct v2_session *ret);
void session_put(struct builder *b, const struct v2_session *session);
MUST_USE enum err session_get(struct cursor *cur, struct v2_session *ret);
void session_wipe(struct v2_session *session);
/* TICKET_LT_OPAQUE for the SA, or TICKET_NACK. */
void ticket_put(const struct v2_step *step, const struct identity *own_id, struct ike2_writer *w);
/* One that was shown to us, if it is ours, current, not used, and its connection still as it was. */
MUST_USE enum err ticket_open(struct v2_step *step, struct view opaque, struct v2_ticket **ret);
bool ticket_still_good(struct ike *ike, const struct v2_sa *sa, const struct v2_ticket *ticket);
/* False: it was used before, or there is no memory to note it. */
MUST_USE bool ticket_use(struct ike *ike, const struct v2_ticket *ticket);

/* resume.c */
bool resume_wanted(const struct ike *ike, const struct v2_sa *sa);
/* A ticket to begin with, which is not in the list any more; NULL: none. */
struct v2_ticket *resume_find(struct ike *ike, const struct ike_request *request);
enum err resume_i_start(struct v2_step *step);
enum err resume_i_again(struct v2_step *step);
enum err resume_i_refused(struct v2_step *step);
enum err resume_i_keys(struct v2_step *step);
enum err resume_r_answer(struct v2_step *step);
/* In IKE_AUTH, for an SA whose handshake has a ticket. */
MUST_USE enum err resume_r_claimed(struct v2_step *step);
MUST_USE enum err resume_build_auth(struct v2_step *step, struct builder *b);
MUST_USE enum err resume_verify(struct v2_step *step, const struct identity *id,
                                struct view id_body, const struct ike2_auth *auth);
void resume_put_request(const struct v2_step *step, struct ike2_writer *w);
/* What the peer gave, with the SA that is there. */
MUST_USE enum err resume_take(const struct v2_step *step);
/* `shown`, which may be NULL, is freed. */
void resume_established(struct ike *ike, struct v2_sa *sa, struct v2_ticket *shown);
/* The SA ends: its ticket goes along; or it is lost, and the ticket stays. */
void resume_forget(struct ike *ike, struct v2_sa *sa);
void resume_lost(struct ike *ike, struct v2_sa *sa);
/* Before the handshake is wiped: a ticket that got no answer goes back to the others. */
void resume_return(struct ike *ike, struct v2_sa *sa);
void resume_renew(struct ike *ike, struct v2_sa *from, struct v2_sa *to);
MUST_USE enum err resume_restore(struct ike *ike, uint64_t number, struct cursor *cur);
/* An SA was restored: its ticket may be here already. */
void resume_adopt(struct ike *ike, struct v2_sa *sa);

/* mediate.c */
/* INTERMEDIATE_EXCHANGE_SUPPORTED, in IKE_SA_INIT. */
void mediate_put(const struct v2_step *step, struct ike2_writer *w);
bool mediate_announced(const struct v2_step *step);
/* How many key exchanges there are beyond the first. */
size_t mediate_methods(const struct ike2_suite *suite);
void mediate_read(const struct v2_step *step);
/* Every key exchange that was agreed on has taken place. */
bool mediate_is_done(const struct v2_sa *sa);
enum err mediate_i_send(struct v2_step *step);
enum err mediate_i_take(struct v2_step *step);
enum err mediate_r_answer(struct v2_step *step);

/* follow.c */
/* Additional key exchanges into an offer or what is accepted, where the IKE SA has such. */
void follow_offer(const struct v2_step *step, struct ike2_policy *policy);
/* Those that were agreed on; none will do. */
MUST_USE enum err follow_begin(struct v2_exchange *x, const uint16_t *additional);
void follow_free(struct v2_follow *follow);
void follow_forget(struct v2_exchange *x);
/* Of all that follow, one behind the other. */
struct view follow_secrets(const struct v2_exchange *x);
/* Initiator: if there is another, the message says where it belongs. */
MUST_USE enum err follow_take_link(struct v2_step *step);
enum err follow_i_send(struct v2_step *step);
enum err follow_i_take(struct v2_step *step);
/* The exchange that was laid aside gets the request. False: it is not of that one. */
bool follow_resume(struct v2_sa *sa, const struct ike2_payloads *payloads);
void follow_park(struct v2_step *step);
/* What was laid aside comes to nothing. */
void follow_give_up(struct ike *ike, struct v2_sa *sa, const char *why);
enum err follow_r_promise_child(struct v2_step *step);
enum err follow_r_promise_sa(struct v2_step *step);
enum err follow_r_take(struct v2_step *step);
enum err follow_r_share(struct v2_step *step);
enum err follow_r_last(struct v2_step *step);
enum err follow_r_unknown(struct v2_step *step);

/* ppk.c */
/* USE_PPK, in IKE_SA_INIT. */
void ppk_put_use(const struct v2_step *step, struct ike2_writer *w);
void ppk_read_use(const struct v2_step *step);
/* Initiator: the answer lacks what our configuration requires. */
bool ppk_missing(const struct v2_step *step);
/* Has our proof without a PPK signed, if the peer may need it; else the row goes on at once. */
MUST_USE enum err ppk_i_ask_plain(struct v2_step *step);
/* Keeps that proof; the PPK goes into the keys. */
MUST_USE enum err ppk_i_mix(struct v2_step *step);
void ppk_i_put(const struct v2_step *step, struct ike2_writer *w);
/* IKE_AUTH was answered: with or without it? Before the answer is verified. */
MUST_USE enum err ppk_i_answered(struct v2_step *step);
/* The profile is known, AUTH not yet verified. */
MUST_USE enum err ppk_r_claimed(struct v2_step *step);
void ppk_r_put(const struct v2_step *step, struct ike2_writer *w);

/* child.c */
MUST_USE enum err child_new(struct ike *ike, struct v2_exchange *x, struct v2_child **ret);
void child_set_ticket(struct v2_child *child, struct ike_ticket *ticket);
/* Takes back what it handed out for installation, unless it became a child. */
void child_free(struct ike *ike, struct v2_child *child);
enum err child_i_start(struct v2_step *step);
enum err child_i_offer(struct v2_step *step);
enum err child_i_refused(struct v2_step *step);
enum err child_i_reply(struct v2_step *step);
enum err child_i_installed(struct v2_step *step);
enum err child_r_proposal(struct v2_step *step);
enum err child_r_authorized(struct v2_step *step);
enum err child_r_keys(struct v2_step *step);
enum err child_r_reply(struct v2_step *step);
void child_up(struct v2_step *step);
/* Asks, unless it replaces one that was authorized. */
MUST_USE enum err child_authorize(struct v2_step *step);
/* Of an answer that refuses; 0: none. */
uint16_t v2_first_error(const struct v2_step *step, struct ike2_notify *ret);
enum err v2_refused_by_peer(struct v2_step *step, uint16_t error);
/* Again later (section 2.25). */
enum err v2_hold(struct v2_step *step);
/* Why a proposal or an answer will not do: in IKE_AUTH only the child ends (section 1.2), elsewhere
 * the exchange. */
enum err child_refuse(struct v2_step *step, enum err err, uint16_t notify, const char *why);

/* offer.c: SA, KE, TSi and TSr payloads, in IKE_AUTH too */
MUST_USE enum err child_ask_spi(struct v2_step *step);
/* What we offer for a child. */
struct ike2_policy child_own_policy(const struct v2_step *step);
MUST_USE enum err child_take_spi(struct v2_step *step);
void child_put_offer(const struct v2_step *step, struct ike2_writer *w);
/* Initiator: what the peer chose. */
MUST_USE enum err child_take_answer(struct v2_step *step);
/* Responder */
MUST_USE enum err child_take_proposal(struct v2_step *step);
void child_put_answer(const struct v2_step *step, struct ike2_writer *w);
/* Both SAs with their keys, and the question to install them. */
MUST_USE enum err child_install(struct v2_step *step);

/* made.c */
MUST_USE enum err made_new(struct ike *ike, struct v2_child *child);
void made_report(struct ike *ike, struct v2_child *child, bool initiator);
struct ike_child *made_find_in(const struct v2_sa *sa, spi_t spi_in);
struct ike_child *made_find_out(const struct v2_sa *sa, spi_t spi_out);
void made_join(struct ike_child *child, struct v2_sa *sa);
/* Out of its SA's list; nobody replaces it any more. */
void made_leave(struct ike_child *child);
/* To the SA that replaces this one. */
void made_move_all(struct ike *ike, struct v2_sa *from, struct v2_sa *to);
void made_finish_all(struct ike *ike, struct v2_sa *sa);

/* selector.c */
struct ike2_selector selector_of(const struct traffic *traffic);
struct traffic traffic_of_host(const struct ip_addr *host);
/* The pair of hosts, if it is one; family 0: it isn't. */
struct ip_pair traffic_flow(const struct traffic_pair *traffic);
bool traffic_within(const struct traffic_pair *inner, const struct traffic_pair *outer);
bool traffic_equal(const struct traffic_pair *a, const struct traffic_pair *b);
void selector_put(struct ike2_writer *w, uint8_t type, const struct traffic *traffic);
/* The widest of a TS payload that we could take whole. ERR_POLICY: none. */
MUST_USE enum err selector_take(struct view body, struct traffic *ret);

/* config.c: virtual addresses, with the first child */
bool config_is_wanted(const struct v2_step *step);
void config_put_request(const struct v2_step *step, struct ike2_writer *w);
/* Narrows our end of the traffic to the address that the peer lends. */
MUST_USE enum err config_take_reply(struct v2_step *step, struct traffic_pair *traffic);
/* The IKE SA is there, and no address came with it. */
void config_give_up(struct v2_step *step);
/* Who has to have its address from us must ask for it. */
MUST_USE enum err config_take_request(struct v2_step *step);
/* What a peer is told whose traffic is not allowed. */
uint16_t config_refusal(const struct v2_child *child);
void config_put_reply(const struct v2_step *step, struct ike2_writer *w);

/* rekey.c */
enum err rekey_i_offer(struct v2_step *step);
enum err rekey_i_refused(struct v2_step *step);
enum err rekey_i_reply(struct v2_step *step);
enum err rekey_i_done(struct v2_step *step);
enum err rekey_r_choose(struct v2_step *step);
enum err rekey_r_reply(struct v2_step *step);
enum err rekey_r_last(struct v2_step *step);
void rekey_put_answer(const struct v2_step *step, struct ike2_writer *w);
void rekey_begin(struct ike *ike, struct v2_sa *sa);
void rekey_free(struct v2_rekey *rekey);
/* Our own is given up: the SA that the peer's made takes the children. */
void rekey_settle(struct ike *ike, struct v2_sa *sa);
/* Nobody remembers the SA as half of a collision. */
void rekey_forget(struct v2_sa *sa);
/* Is the nonce lower than the other in the sense of section 2.8.1? */
bool rekey_nonce_lower(struct view a, struct view b);

/* info.c */
enum err info_i_send(struct v2_step *step);
enum err info_i_reply(struct v2_step *step);
enum err info_r_reply(struct v2_step *step);
enum err info_r_checked(struct v2_step *step);
enum err info_o_again(struct v2_step *step);
enum err info_o_reply(struct v2_step *step);
enum err info_o_child(struct v2_step *step);
enum err info_o_rekey(struct v2_step *step);
void info_put(struct ike *ike, struct ike2_writer *w, const struct v2_exchange *x);
/* The child's Delete takes its place in line. */
void info_delete_child(struct ike *ike, struct v2_sa *sa, struct ike_child *child);
/* The same for one that never came up here. */
void info_delete_spi(struct ike *ike, struct v2_sa *sa, uint8_t protocol, spi_t spi_in);
void info_ask_alive(struct ike *ike, struct v2_sa *sa);

/* crash.c */
/* What we would show if we lost the SA; nothing without a secret that outlives us. */
void crash_put(struct ike *ike, const struct v2_sa *sa, struct ike2_writer *w);
void crash_put_spis(struct ike *ike, const uint8_t *spi_i, const uint8_t *spi_r,
                    struct ike2_writer *w);
/* The peer's, from a message that was protected. */
MUST_USE enum err crash_read(const struct v2_step *step, struct v2_sa *sa);
/* The same; nothing is set without one. */
MUST_USE enum err crash_token_read(const struct v2_step *step, bool *ret_has, uint8_t *ret_digest);
/* By an exchange of its own. */
void crash_announce(struct ike *ike, struct v2_sa *sa);
/* The answer to a request of an SA that isn't here. */
void crash_complain(struct ike *ike, const struct ike_event *event,
                    const struct ike2_header *header);
/* An unprotected message: the peer lost the SA, and proves it? Then it is gone here too. */
bool crash_proven(struct ike *ike, struct v2_sa *sa, const struct ike_event *event,
                  const struct ike2_header *header);

/* nat.c */
MUST_USE enum err v2_nat_put(const struct v2_step *step, struct ike2_writer *w);
MUST_USE enum err v2_nat_read(const struct v2_step *step, struct v2_nat *ret);
void v2_nat_float(struct ike *ike, struct v2_sa *sa);
void v2_nat_take_claimed(struct ike *ike, struct v2_sa *sa);
bool v2_nat_may_come_from(const struct v2_sa *sa, const struct ike_event *event);
/* The message was authentic and new: if the peer's mapping changed, it counts. */
void v2_nat_follow(struct ike *ike, struct v2_sa *sa, const struct ike_event *event);
void v2_nat_move(struct ike *ike, struct v2_sa *sa, const struct ip_endpoint *to);
void v2_nat_child(const struct v2_sa *sa, struct ike_child *child);
ike_timer_fn v2_nat_keepalive;
void v2_nat_keepalive_start(struct ike *ike, struct v2_sa *sa);

/* The same for the ends of a message, which need not be those of the SA. */
MUST_USE enum err v2_nat_put_ends(const struct v2_sa *sa, struct ike2_writer *w,
                                  const struct ip_endpoint *own, const struct ip_endpoint *peer);
MUST_USE enum err v2_nat_read_ends(const struct v2_step *step, const struct ip_endpoint *own,
                                   const struct ip_endpoint *peer, struct v2_nat *ret);
/* The peer's mapping may change, and we follow. */
bool v2_nat_follows(const struct v2_sa *sa);
/* ESP goes in UDP if there is a NAT, or policy has it so. */
bool v2_nat_needs_udp(const struct ike *ike, const struct v2_nat *nat);

/* sync.c */
void v2_sync_put_support(const struct v2_sa *sa, struct ike2_writer *w);
void v2_sync_read_support(const struct v2_step *step);
void v2_sync_free(struct ike *ike, struct v2_sa *sa);
/* Our requests find no answer. Does nothing but once for an SA that was resumed. */
void v2_sync_begin(struct ike *ike, struct v2_sa *sa);
/* A request of a later id than the next: opened only if it could show that our ids are stale. */
void v2_sync_ahead(struct ike *ike, struct v2_sa *sa, const struct ike2_header *header,
                   struct view datagram);
bool v2_sync_is_answer(const struct v2_sa *sa, const struct ike2_header *header);
enum err v2_sync_answer(struct ike *ike, struct v2_sa *sa, const struct ike2_header *header,
                        struct view datagram);
bool v2_sync_is_request(const struct v2_sa *sa, const struct ike2_header *header);
enum err v2_sync_request(struct ike *ike, struct v2_sa *sa, const struct ike_event *event,
                         const struct ike2_header *header, const uint8_t *digest);
/* tcp.c */
static inline bool v2_path_is_tcp(const struct v2_path *path)
{
    return path->remote.stream != 0;
}
/* A new stream of ours. */
struct v2_path v2_tcp_path(const struct ike *ike, const struct ike_profile *profile,
                           const struct ip_addr *local, const struct ip_addr *remote);
bool v2_tcp_begins(const struct ike *ike, const struct ike_request *request);
bool v2_tcp_may_fall_back(const struct ike *ike, const struct v2_sa *sa);
bool v2_tcp_may_try(const struct ike *ike, const struct v2_exchange *x);
bool v2_tcp_only(const struct ike *ike, const struct v2_sa *sa);
/* The responder's profile may be served where that came from. */
bool v2_tcp_allowed(const struct ike *ike, const struct v2_sa *sa, const struct ike_event *event);
/* The plane is told that the SA uses its stream; that `but` it no SA uses that of the path; and either, if the
 * SA's path was another before. */
void v2_tcp_keep(struct ike *ike, const struct v2_sa *sa);
void v2_tcp_drop(struct ike *ike, const struct v2_sa *but, const struct v2_path *path);
void v2_tcp_moved(struct ike *ike, const struct v2_sa *sa, const struct v2_path *before);
enum err v2_tcp_opened(struct ike *ike, const struct ike_event *event);
enum err v2_tcp_tell_all(struct ike *ike);

/* mobike.c */
/* Our connection was made again: the peer hears of it. False: by other means than MOBIKE. */
bool v2_mobike_reconnected(struct ike *ike, struct v2_sa *sa);
/* Configured peers have it, unless it is switched off. */
bool v2_mobike_wanted(const struct ike *ike, const struct v2_sa *sa);
/* The peer speaks it too, and the SA is established. */
MUST_USE enum err v2_mobike_begin(struct ike *ike, struct v2_sa *sa, const struct address_set *peer);
MUST_USE enum err v2_mobike_new(struct ike *ike, struct v2_sa *sa);
void v2_mobike_free(struct ike *ike, struct v2_sa *sa);
void v2_mobike_inherit(struct ike *ike, struct v2_sa *from, struct v2_sa *to);
/* Our own addresses have changed. */
enum err v2_mobike_addresses(struct ike *ike, const struct ike_event *event);
/* Somebody here wants it elsewhere, an end of no family where it is. Errors: ike_child_update(). */
enum err v2_mobike_asked(struct ike *ike, struct v2_sa *sa, const struct ip_addr *local,
                         const struct ip_addr *remote);
/* ADR-044: routes may be others; a path without one is left. */
void v2_mobike_routes(struct ike *ike);
/* A request of ours goes out once more. */
void v2_mobike_repeat(struct ike *ike, struct v2_exchange *x);
/* It goes there at first. */
const struct v2_path *v2_mobike_way(const struct v2_exchange *x);
/* It may wait on: without an address of our own nothing is proved by silence. */
bool v2_mobike_stranded(const struct v2_exchange *x);
/* An answer came that way. */
void v2_mobike_heard(struct ike *ike, struct v2_exchange *x, const struct ike_event *event);
/* The plane got authentic ESP from elsewhere: the peer may have another NAT mapping. */
void v2_mobike_esp_from(struct ike *ike, struct v2_sa *sa, const struct ip_endpoint *from);
/* A child is where the SA is, if it was made while the SA was not where it began. */
void v2_mobike_place(struct ike *ike, struct v2_sa *sa, struct ike_child *child);
enum err v2_mobike_reply(struct v2_step *step);
/* What the peer's request asks for is done after it is answered. */
struct v2_mobike_wish {
    bool update, addresses;
    struct address_set peer;
    struct v2_nat nat;
};
void v2_mobike_do(struct v2_step *step, const struct v2_mobike_wish *wish);
void v2_mobike_info(const struct v2_sa *sa, struct ike_sa_info *ret);
/* For addrmgmt.c. A request of ours takes its place in line; via: that way. */
void v2_mobike_say(struct ike *ike, struct v2_sa *sa, enum v2_says says, const struct v2_path *via);
/* The IKE SA is elsewhere now, and what is pending is repeated to there; its children stay. `check`: not
 * for good before the peer has answered there, or else back where it was. */
void v2_mobike_shift(struct ike *ike, struct v2_sa *sa, const struct v2_path *to,
                     const struct v2_nat *nat, bool check);
void v2_mobike_settle(struct ike *ike, struct v2_sa *sa, bool ok);
void v2_mobike_place_at(struct ike *ike, struct v2_sa *sa, struct ike_child *child,
                        const struct v2_path *path, bool policy_stays);
/* The peer's addresses are others now. */
void v2_mobike_peer_changed(struct ike *ike, struct v2_sa *sa);
bool v2_mobike_came_from(const struct v2_step *step, const struct v2_path *path);
bool v2_mobike_is_out(const struct v2_exchange *x);
/* Our update is refused: another pair, or the same once more. */
void v2_mobike_refused(struct ike *ike, struct v2_sa *sa, bool by_nat);

/* mobike_message.c */
/* In IKE_AUTH. */
void v2_mobike_put_support(const struct v2_step *step, struct ike2_writer *w);
MUST_USE enum err v2_mobike_read_support(struct v2_step *step);
/* In an INFORMATIONAL request of ours, ... */
MUST_USE enum err v2_mobike_put(struct v2_step *step, struct ike2_writer *w);
/* ... and of the peer's, with what goes into its answer. */
MUST_USE enum err v2_mobike_take(struct v2_step *step, struct ike2_writer *w,
                                 struct v2_mobike_wish *ret);
/* One that nobody can guess, in a notify of that type. */
void v2_mobike_put_cookie(struct v2_step *step, struct ike2_writer *w, uint16_t type);
/* In an answer of the peer's. ERR_AUTH: another cookie than ours; *ret_has: it is ours. */
MUST_USE enum err v2_mobike_cookie(const struct v2_step *step, bool *ret_has);
/* What the peer saw of us differs from what it saw before (section 3.8). */
bool v2_mobike_mapping_changed(const struct v2_step *step);

/* addrmgmt.c */
/* Configured for it, without NAT traversal, and between addresses that mean the same to both ends. */
bool v2_addrmgmt_wanted(const struct ike *ike, const struct v2_sa *sa);
void v2_addrmgmt_begin(struct v2_sa *sa);
void v2_addrmgmt_free(struct v2_mobike *mobike);
/* What a request of the peer's asks for. With `may_wait`, step->skips says that its answer has to wait
 * for a check. */
MUST_USE enum err v2_addrmgmt_take(struct v2_step *step, bool may_wait);
/* The answer is out: what could not be checked before it is now. */
void v2_addrmgmt_answered(struct ike *ike, struct v2_sa *sa);
/* The open request once more. */
bool v2_addrmgmt_is_copy(struct ike *ike, struct v2_sa *sa, const struct ike_event *event, uint32_t id,
                         const uint8_t *digest);
/* A check that is repeated also goes to where the request came from. */
void v2_addrmgmt_repeat(struct ike *ike, const struct v2_exchange *x);
/* An answer of the peer's. False: there is more to be done with it. */
bool v2_addrmgmt_reply(struct v2_step *step);
/* The child keeps its addresses. */
bool v2_addrmgmt_stays(const struct ike *ike, const struct v2_sa *sa, const struct ike_child *child);
/* Addresses that can't be said: the IKE SA makes room for one with NAT traversal. */
void v2_addrmgmt_give_way(struct ike *ike, struct v2_sa *sa, const char *why);

/* addrmgmt_message.c */
/* In IKE_SA_INIT. ERR_SELECTOR: something on the way has changed the addresses. */
MUST_USE enum err v2_addrmgmt_put_prevention(const struct v2_step *step, struct ike2_writer *w);
MUST_USE enum err v2_addrmgmt_read_prevention(struct v2_step *step);
/* In IKE_AUTH. */
void v2_addrmgmt_put_support(const struct v2_step *step, struct ike2_writer *w);
void v2_addrmgmt_read_support(struct v2_step *step);
/* In CREATE_CHILD_SA, away from where the IKE SA began. ERR_SELECTOR: other addresses. */
void v2_addrmgmt_put_ends(const struct v2_step *step, struct ike2_writer *w);
MUST_USE enum err v2_addrmgmt_read_ends(struct v2_step *step);
/* In an INFORMATIONAL request of ours, ... */
void v2_addrmgmt_put(struct v2_step *step, struct ike2_writer *w);
/* ... and of the peer's: false: it is refused, and `ret` says what of it. */
bool v2_addrmgmt_read(struct v2_step *step, struct v2_update *ret);
void v2_addrmgmt_put_answer(const struct ike *ike, const struct v2_sa *sa, struct ike2_writer *w);
/* A notify with an address; false: none that can be read. */
bool v2_addrmgmt_find(const struct v2_step *step, uint16_t type, struct addrmgmt_address *ret);

/* request.c */
enum err v2_request_proceed(struct ike *ike, struct ike_request *request);
/* The child isn't made with the IKE SA, but as soon as that is there. */
void v2_request_set_aside(struct ike *ike, struct v2_exchange *x);
/* The SA is there: begin what waited for it. */
void v2_requests_proceed(struct ike *ike, struct v2_sa *sa);
/* It ended without success: so do the requests that waited for it. */
void v2_requests_abandon(struct ike *ike, struct v2_sa *sa, enum ike_failure failure,
                         const char *text);
/* Another version may help if IKE_SA_INIT stays without an answer. */
bool v2_may_fall_back(const struct ike *ike, const struct v2_sa *sa);
/* A child of ours or of the peer's came to nothing; the negotiation is freed. */
void v2_request_child_failed(struct ike *ike, struct v2_child *child, enum ike_failure failure,
                             const char *text);

/* saved.c */
void v2_saved_sa(struct ike *ike, const struct v2_sa *sa);
void v2_saved_child(struct ike *ike, const struct ike_child *child);
void v2_saved_put_suite(struct builder *b, const struct ike2_suite *suite);
struct ike2_suite v2_saved_get_suite(struct cursor *cur);
MUST_USE enum err v2_saved_restore_sa(struct ike *ike, uint64_t number, struct cursor *cur);
MUST_USE enum err v2_saved_restore_child(struct ike *ike, uint64_t number, struct cursor *cur);

/* trace.c */
void v2_trace_message(struct ike *ike, const struct v2_sa *sa, const struct v2_exchange *x,
                      enum v2_message_kind kind, const struct ike2_payloads *payloads, bool sent);
/* An answer outside of any SA. */
void v2_trace_clear(struct ike *ike, const struct v2_sa *sa, uint8_t exchange, uint16_t notify,
                    bool sent);
/* A decision or a drop; `x` may be NULL. */
void v2_trace(struct ike *ike, const struct v2_sa *sa, const struct v2_exchange *x,
              enum event_level level, const char *title, const char *detail);

#endif
