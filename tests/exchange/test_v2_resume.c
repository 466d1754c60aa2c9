/*
 * An IKE SA that was lost is resumed by a ticket (RFC 5723): with which credentials, after what, and what
 * becomes of tickets that are forged, altered, used, out of date, or stolen.
 */
#include <stdio.h>

#include "forge_v2.h"
#include "site.h"

enum { SECOND = 1000, LOST = 120 * SECOND };

struct watch {
    bool cut;         /* nothing arrives */
    char said[64];    /* a letter for each request of either side that sets up or renews something */
    struct pair_datagram resume; /* the last IKE_SESSION_RESUME request */
    bool hold_resume; /* and it does not arrive */
};

static void note(struct watch *watch, const struct ike2_header *header)
{
    size_t used = strlen(watch->said);
    const char *letters = header->exchange == IKE2_SA_INIT          ? "I"
                          : header->exchange == IKE2_SESSION_RESUME ? "R"
                          : header->exchange == IKE2_AUTH           ? "A"
                                                                    : "";
    if ((header->flags & IKE2_FLAG_RESPONSE) == 0 && used + 1 < sizeof(watch->said))
        snprintf(watch->said + used, sizeof(watch->said) - used, "%s", letters);
}

static void answer_nack(struct pair *pair, const struct pair_datagram *d)
{
    uint8_t answer[36] = {0};
    memcpy(answer, d->octets, IKE2_SPI_LEN);
    answer[16] = IKE2_P_N;
    answer[17] = IKE2_VERSION;
    answer[18] = IKE2_SESSION_RESUME;
    answer[19] = IKE2_FLAG_RESPONSE;
    answer[27] = answer[31] = 0;
    answer[27] = sizeof(answer);
    answer[31] = 8;
    answer[34] = IKE2_N_TICKET_NACK >> 8;
    answer[35] = IKE2_N_TICKET_NACK & 0xff;
    assert_int_equal(pair_inject(pair, PAIR_A, view_of(answer, sizeof(answer))), ERR_OK);
}

static bool tap(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct watch *watch = ctx;
    struct ike2_header header;
    (void)pair;
    assert_int_equal(ike2_header_parse(view_of(d->octets, d->len), &header), ERR_OK);
    note(watch, &header);
    bool resume = header.exchange == IKE2_SESSION_RESUME && (header.flags & IKE2_FLAG_RESPONSE) == 0;
    if (resume)
        watch->resume = *d;
    return !watch->cut && !(resume && watch->hold_resume);
}

static size_t ike_sas(const struct pair *pair, unsigned side, bool resumed)
{
    struct ike_sa_info info;
    size_t count = 0;
    for (size_t i = 0; ike_sa_info(pair->sides[side].ike, i, &info); i++)
        count += info.established && info.resumed == resumed;
    return count;
}

static struct v2_ticket *ticket_of_a(const struct site *site)
{
    return LIST_FIRST(&site->pair->sides[PAIR_A].ike->v2.tickets);
}

static void configure(struct site *site, unsigned side, const char *secret)
{
    site->config[side] = (struct ike_config){.profiles = site->profiles[side], .profile_count = 1};
    if (secret != NULL)
        site->config[side].ticket_secret = view_of_text(secret);
    ike_reconfigure(site->pair->sides[side].ike, &site->config[side]);
}

static struct site *meet(struct site *site, struct watch *watch, const char *secret)
{
    *watch = (struct watch){.cut = false};
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        struct ike_profile *p = &site->profiles[s][0];
        p->version = IKE_VERSION_2;
        p->resumption = true;
        p->dpd_s = s == PAIR_A ? 30 : 3600;
        configure(site, s, secret);
        site->pair->sides[s].profiles = site->profiles[s];
        site->pair->sides[s].profile_count = 1;
    }
    site->pair->config.ticket_secret = site->config[PAIR_A].ticket_secret;
    site->pair->tap = tap;
    site->pair->tap_ctx = watch;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, SECOND);
    assert_string_equal(watch->said, "IA");
    assert_int_equal(pair_check_keys(site->pair), 2);
    struct v2_ticket *ticket = ticket_of_a(site);
    assert_non_null(ticket);
    assert_non_null(ticket->sa);
    return site;
}

/* Nothing gets through until A takes B for dead. */
static void lose(struct site *site, struct watch *watch)
{
    watch->cut = true;
    pair_run(site->pair, LOST);
    watch->cut = false;
    assert_int_equal(ike_sas(site->pair, PAIR_A, false) + ike_sas(site->pair, PAIR_A, true), 0);
    watch->said[0] = '\0';
}

static void again(struct site *site, struct watch *watch, const char *said)
{
    unsigned before = site->pair->sides[PAIR_A].up;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 5 * SECOND);
    assert_int_equal(site->pair->sides[PAIR_A].up, before + 1);
    assert_string_equal(watch->said, said);
    bool resumed = strcmp(said, "RA") == 0 || strcmp(said, "RRA") == 0;
    assert_int_equal(ike_sas(site->pair, PAIR_A, resumed), 1);
    assert_int_equal(ike_sas(site->pair, PAIR_A, !resumed), 0);
    assert_int_equal(pair_check_keys(site->pair), 2);
    watch->said[0] = '\0';
}

static struct site *site_by(unsigned i)
{
    return i == 0   ? site_new(IKE_BY_PSK, false)
           : i == 1 ? site_new(IKE_BY_KEY, false)
                    : site_certified(true, false, site_alt_names[PAIR_B], 0);
}

/* Three times over: no signature, no key exchange, a ticket for the next time; B's old SA goes. */
static void test_resumed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct watch watch;
        struct site *site = meet(site_by(i), &watch, NULL);
        struct pair *pair = site->pair;
        unsigned signatures = pair->sides[PAIR_A].asked_signature + pair->sides[PAIR_B].asked_signature;
        for (unsigned n = 0; n < 3; n++) {
            lose(site, &watch);
            assert_null(ticket_of_a(site)->sa);
            again(site, &watch, "RA");
            assert_int_equal(ike_sas(pair, PAIR_B, true), 1);
            assert_int_equal(ike_sas(pair, PAIR_B, false), 0);
            assert_int_equal(pair_sad_count(pair, PAIR_B), 2);
            assert_non_null(ticket_of_a(site)->sa);
            assert_null(LIST_NEXT(ticket_of_a(site), of_all));
        }
        assert_int_equal(signatures, pair->sides[PAIR_A].asked_signature +
                                         pair->sides[PAIR_B].asked_signature);
        assert_true(pair->sides[PAIR_B].last_up.profile == SITE_PROFILE);
        assert_int_equal(pair->sides[PAIR_B].asked_authorization, 4);
        site_free(site);
    }
}

/* The responder forgot all; with a secret that outlives it its tickets do, without one they are refused, and a
 * full exchange follows at once. */
static void test_responder_restarts(void **state)
{
    (void)state;
    for (unsigned secret = 0; secret < 2; secret++) {
        struct watch watch;
        struct site *site = meet(site_by(1), &watch, secret ? "kept in a file" : NULL);
        lose(site, &watch);
        pair_crash(site->pair, PAIR_B, false);
        again(site, &watch, secret ? "RA" : "RIA");
        site_free(site);
    }
}

/* The initiator restarts with what was saved, before the peer was lost or after. */
static void test_initiator_restarts(void **state)
{
    (void)state;
    for (unsigned after = 0; after < 2; after++) {
        struct watch watch;
        struct site *site = meet(site_by(1), &watch, NULL);
        if (!after)
            pair_crash(site->pair, PAIR_A, true);
        lose(site, &watch);
        if (after)
            pair_crash(site->pair, PAIR_A, true);
        again(site, &watch, "RA");
        site_free(site);
    }
}

/* Section 6.2: a re-key by either end voids the ticket, and the initiator asks for another. */
static void test_rekeyed(void **state)
{
    (void)state;
    for (unsigned begins = 0; begins < PAIR_SIDES; begins++) {
        struct watch watch;
        struct site *site = meet(site_by(0), &watch, NULL);
        struct pair *pair = site->pair;
        uint64_t before = ticket_of_a(site)->number;
        rekey_begin(pair->sides[begins].ike, pair->sides[begins].ike->v2.all[0]);
        pair_drain(pair, begins);
        pair_run(pair, 5 * SECOND);
        assert_non_null(ticket_of_a(site));
        assert_int_not_equal(ticket_of_a(site)->number, before);
        assert_null(LIST_NEXT(ticket_of_a(site), of_all));
        lose(site, &watch);
        again(site, &watch, "RA");
        site_free(site);
    }
}

/* An IKE SA that was deleted, by either end, leaves no ticket. */
static void test_deleted(void **state)
{
    (void)state;
    for (unsigned ends = 0; ends < PAIR_SIDES; ends++) {
        struct watch watch;
        struct site *site = meet(site_by(0), &watch, NULL);
        struct pair *pair = site->pair;
        v2_sa_close(pair->sides[ends].ike, pair->sides[ends].ike->v2.all[0], "a test");
        pair_drain(pair, ends);
        pair_run(pair, 5 * SECOND);
        assert_null(ticket_of_a(site));
        watch.said[0] = '\0';
        again(site, &watch, "IA");
        site_free(site);
    }
}

/* No answer does not use the ticket up; the attempt after that goes without, and the next with it. */
static void test_silence(void **state)
{
    struct watch watch;
    struct site *site = meet(site_by(0), &watch, NULL);
    (void)state;
    lose(site, &watch);
    watch.cut = true;
    for (unsigned n = 0; n < 3; n++) {
        watch.said[0] = '\0';
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 60 * SECOND);
        assert_int_equal(watch.said[0], n == 1 ? 'I' : 'R');
        assert_int_equal(site->pair->sides[PAIR_A].failed, n + 1);
    }
    watch.cut = false;
    watch.said[0] = '\0';
    pair_crash(site->pair, PAIR_B, false);
    again(site, &watch, "IA");
    assert_null(LIST_NEXT(ticket_of_a(site), of_all));
    site_free(site);
}

static void test_cookie(void **state)
{
    struct watch watch;
    struct site *site = meet(site_by(0), &watch, NULL);
    (void)state;
    lose(site, &watch);
    site->config[PAIR_B].cookies_always = true;
    ike_reconfigure(site->pair->sides[PAIR_B].ike, &site->config[PAIR_B]);
    again(site, &watch, "RRA");
    site_free(site);
}

/* From elsewhere, and through what looks like a NAT. */
static void test_moved(void **state)
{
    struct watch watch;
    struct site *site = meet(site_by(1), &watch, "kept in a file");
    (void)state;
    lose(site, &watch);
    pair_crash(site->pair, PAIR_B, false);
    assert_true(ip_addr_parse("192.0.2.99", &site->pair->sides[PAIR_A].addr.addr));
    site->pair->sides[PAIR_A].reached_at = site->pair->sides[PAIR_A].addr.addr;
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        site->config[s].nat = IKE_NAT_FORCE;
        ike_reconfigure(site->pair->sides[s].ike, &site->config[s]);
    }
    again(site, &watch, "RA");
    struct ike_sa_info info;
    assert_true(ike_sa_info(site->pair->sides[PAIR_B].ike, 0, &info));
    assert_true(info.udp);
    site_free(site);
}

/* An unprotected TICKET_NACK, by whomever: more work, the same tunnel. */
static void test_false_nack(void **state)
{
    struct watch watch;
    struct site *site = meet(site_by(0), &watch, NULL);
    (void)state;
    lose(site, &watch);
    watch.hold_resume = true;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 60);
    answer_nack(site->pair, &watch.resume);
    pair_run(site->pair, 5 * SECOND);
    assert_int_equal(site->pair->sides[PAIR_A].up, 2);
    assert_string_equal(watch.said, "RIA");
    assert_int_equal(ike_sas(site->pair, PAIR_A, false), 1);
    site_free(site);
}

/* What B does with a ticket of somebody who is not A. */
static void give_as_stranger(struct site *site, const struct watch *watch, uint8_t spi, struct view ticket,
                             const char *counter)
{
    static struct forge_v2 forge;
    struct pair *pair = site->pair;
    struct pair_datagram d = watch->resume;
    uint64_t before = pair_counter(pair, PAIR_B, counter);
    unsigned sent = pair->sent[PAIR_B];
    pair->wire_count = 0;
    size_t sas = pair->sides[PAIR_B].ike->v2.all_count;

    forge_v2_open(pair, &d, &forge);
    forge.header.spi_i[0] ^= spi;
    for (size_t i = 0; i < forge.count; i++) {
        struct forge_v2_payload *p = &forge.payloads[i];
        if (p->type != IKE2_P_N || (p->body[2] << 8 | p->body[3]) != IKE2_N_TICKET_OPAQUE)
            continue;
        memcpy(p->body + 4, ticket.ptr, ticket.len);
        p->len = 4 + ticket.len;
    }
    forge_v2_close(pair, &forge, false, &d);
    d.at = pair->now;
    assert_int_not_equal(pair_give(pair, &d), ERR_OK);
    assert_int_equal(pair_counter(pair, PAIR_B, counter), before + 1);
    assert_int_equal(pair->sent[PAIR_B], sent + 1); /* TICKET_NACK */
    assert_int_equal(pair->sides[PAIR_B].ike->v2.all_count, sas);
}

static struct view opaque_of(const struct watch *watch, struct forge_v2 *forge, struct pair *pair)
{
    forge_v2_open(pair, &watch->resume, forge);
    for (size_t i = 0; i < forge->count; i++) {
        const struct forge_v2_payload *p = &forge->payloads[i];
        if (p->type == IKE2_P_N && (p->body[2] << 8 | p->body[3]) == IKE2_N_TICKET_OPAQUE)
            return view_of(p->body + 4, p->len - 4);
    }
    fail();
    return view_of(NULL, 0);
}

/* Every octet of it changed, every length of it; then itself, after it was used. */
static void test_forged_and_replayed(void **state)
{
    static struct forge_v2 forge;
    uint8_t copy[TICKET_MAX];
    struct watch watch;
    struct site *site = meet(site_by(0), &watch, NULL);
    (void)state;
    lose(site, &watch);
    watch.hold_resume = true;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 60);
    struct view ticket = opaque_of(&watch, &forge, site->pair);
    memcpy(copy, ticket.ptr, ticket.len);
    ticket.ptr = copy;
    for (size_t i = 0; i < ticket.len; i++) {
        copy[i] ^= 1;
        give_as_stranger(site, &watch, (uint8_t)(i + 1), ticket, "refused-by-policy");
        copy[i] ^= 1;
        give_as_stranger(site, &watch, (uint8_t)(i + 2), view_of(copy, i), "refused-by-policy");
    }
    watch.hold_resume = false;
    pair_run(site->pair, 5 * SECOND); /* the true one, repeated */
    assert_int_equal(ike_sas(site->pair, PAIR_B, true), 1);
    give_as_stranger(site, &watch, 1, ticket, "refused-by-policy");
    site_free(site);
}

/* A thief gets an answer that it can't read, and takes nothing from the owner. */
static void test_stolen(void **state)
{
    struct watch watch;
    struct site *site = meet(site_by(0), &watch, NULL);
    struct pair *pair = site->pair;
    (void)state;
    lose(site, &watch);
    watch.hold_resume = true;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(pair, 60);
    struct pair_datagram d = watch.resume;
    d.octets[0] ^= 0x55;
    assert_true(ip_addr_parse("192.0.2.66", &d.source.addr));
    assert_int_equal(pair_give(pair, &d), ERR_OK);
    assert_int_equal(ike_sas(pair, PAIR_B, false), 1); /* the old one is as it was */
    assert_int_equal(ike_sas(pair, PAIR_B, true), 0);

    /* IKE_AUTH under keys that it makes up. */
    const struct v2_sa *half = NULL;
    for (size_t i = 0; i < pair->sides[PAIR_B].ike->v2.all_count; i++)
        if (!pair->sides[PAIR_B].ike->v2.all[i]->established)
            half = pair->sides[PAIR_B].ike->v2.all[i];
    assert_non_null(half);
    struct pair_datagram auth = d;
    auth.len = 120;
    memset(auth.octets + IKE2_HEADER_LEN, 7, auth.len - IKE2_HEADER_LEN);
    memcpy(auth.octets + IKE2_SPI_LEN, half->own_spi, IKE2_SPI_LEN);
    auth.octets[16] = IKE2_P_SK;
    auth.octets[18] = IKE2_AUTH;
    auth.octets[19] = IKE2_FLAG_INITIATOR;
    memset(auth.octets + 20, 0, 8);
    auth.octets[23] = 1;
    auth.octets[27] = auth.octets[31] = 0;
    auth.octets[27] = (uint8_t)auth.len;
    auth.octets[28] = IKE2_P_IDI;
    auth.octets[29] = auth.octets[30] = 0;
    auth.octets[31] = (uint8_t)(auth.len - IKE2_HEADER_LEN);
    assert_int_not_equal(pair_give(pair, &auth), ERR_OK);
    assert_int_equal(pair_counter(pair, PAIR_B, "undecryptable"), 1);

    watch.hold_resume = false;
    pair_run(pair, 5 * SECOND);
    assert_int_equal(pair->sides[PAIR_A].up, 2);
    assert_int_equal(ike_sas(pair, PAIR_B, true), 1);
    pair_run(pair, 60 * SECOND);
    assert_int_equal(pair->sides[PAIR_B].ike->v2.all_count, 1);
    site_free(site);
}

/* B holds its clock against it, whatever A believes; and keys of long ago open nothing. */
static void test_expired(void **state)
{
    static const int64_t ages_s[] = {4 * 3600, 20 * 24 * 3600};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct watch watch;
        struct site *site = meet(site_by(0), &watch, NULL);
        lose(site, &watch);
        ticket_of_a(site)->expires = MONO_NEVER;
        pair_run(site->pair, ages_s[i] * SECOND);
        watch.said[0] = '\0';
        again(site, &watch, "RIA");
        site_free(site);
    }
    struct watch watch;
    struct site *site = meet(site_by(0), &watch, NULL);
    lose(site, &watch);
    pair_run(site->pair, 4 * 3600 * SECOND);
    watch.said[0] = '\0';
    again(site, &watch, "IA"); /* section 4.3.1: it knows */
    site_free(site);
}

/* A day after a peer proved itself in full it has to do so again, however often it resumed. */
static void test_proof_ages(void **state)
{
    struct watch watch;
    struct site *site = meet(site_by(0), &watch, NULL);
    unsigned resumed = 0;
    (void)state;
    for (unsigned n = 0; n < 16; n++) {
        pair_run(site->pair, 2 * 3600 * SECOND);
        lose(site, &watch);
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 5 * SECOND);
        assert_int_equal(pair_check_keys(site->pair) >= 2, 1);
        if (strcmp(watch.said, "IA") == 0)
            break;
        assert_string_equal(watch.said, "RA");
        resumed++;
    }
    assert_in_range(resumed, 8, 13);
    site_free(site);
}

/* Who is not configured any more, or otherwise, does not get back in by a ticket. */
static void test_revoked(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 4; how++) {
        struct watch watch;
        struct site *site = meet(site_by(0), &watch, NULL);
        struct ike_profile *p = &site->profiles[PAIR_B][0];
        lose(site, &watch);
        if (how == 0)
            p->number++; /* a changed connection has another number */
        else if (how == 1)
            p->peer_id = site_name("c.example.net");
        else if (how == 2)
            p->resumption = false;
        else
            assert_true(ip_prefix_parse("203.0.113.0/24", &p->remote));
        configure(site, PAIR_B, NULL);
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 60 * SECOND);
        assert_int_equal(ike_sas(site->pair, PAIR_B, true), 0);
        assert_int_equal(strncmp(watch.said, "RI", 2), 0);
        assert_int_equal(pair_counter(site->pair, PAIR_B, "refused-by-policy"), 1);
        assert_int_equal(site->pair->sides[PAIR_A].up, how == 2 || how == 0 ? 2 : 1);
        site_free(site);
    }
}

/* Configured anew between the two exchanges. */
static void test_revoked_between(void **state)
{
    struct watch watch;
    struct site *site = meet(site_by(0), &watch, NULL);
    (void)state;
    lose(site, &watch);
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, PAIR_LATENCY_MS + 5); /* IKE_SESSION_RESUME has arrived */
    site->profiles[PAIR_B][0].resumption = false;
    configure(site, PAIR_B, NULL);
    pair_run(site->pair, 5 * SECOND);
    assert_string_equal(watch.said, "RA");
    assert_int_equal(site->pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair_counter(site->pair, PAIR_B, "bad-signature"), 1);
    site_free(site);
}

/* A name in IKE_AUTH that is not the ticket's, under the right keys; and a responder by another name. */
static void test_other_name(void **state)
{
    (void)state;
    for (unsigned who = 0; who < PAIR_SIDES; who++) {
        struct watch watch;
        struct site *site = meet(site_by(0), &watch, NULL);
        lose(site, &watch);
        struct v2_session *session = &ticket_of_a(site)->session;
        *(who == PAIR_A ? &session->own_id : &session->peer_id) = site_name("c.example.net");
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 5 * SECOND);
        assert_int_equal(site->pair->sides[PAIR_A].up, 1);
        assert_int_equal(ike_sas(site->pair, PAIR_A, true), 0);
        assert_int_equal(pair_counter(site->pair, who == PAIR_A ? PAIR_B : PAIR_A, "bad-signature"), 1);
        assert_null(ticket_of_a(site)); /* it had its answer */
        site_free(site);
    }
}

/* The wrong SK_d: the ticket is known, its keys are not. */
static void test_without_keys(void **state)
{
    struct watch watch;
    struct site *site = meet(site_by(0), &watch, NULL);
    (void)state;
    lose(site, &watch);
    ticket_of_a(site)->session.d[0] ^= 1;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 60 * SECOND);
    assert_int_equal(site->pair->sides[PAIR_A].up, 1);
    assert_true(pair_counter(site->pair, PAIR_B, "undecryptable") > 0);
    assert_int_equal(ike_sas(site->pair, PAIR_B, false), 1);
    site_free(site);
}

/* Only who is configured for it asks for tickets, gives or shows them. */
static void test_off(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct watch watch = {.cut = false};
        struct site *site = site_by(0);
        for (unsigned s = 0; s < PAIR_SIDES; s++) {
            site->profiles[s][0].version = IKE_VERSION_2;
            site->profiles[s][0].resumption = s == side;
            configure(site, s, NULL);
        }
        site->pair->tap = tap;
        site->pair->tap_ctx = &watch;
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 5 * SECOND);
        site_check_up(site);
        assert_null(ticket_of_a(site));
        site_free(site);
    }
    const struct pair_options opportunistic = {.version = IKE_VERSION_2};
    struct pair *pair = pair_new(&opportunistic);
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 5 * SECOND);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair->sides[PAIR_A].ike->v2.ticket_count, 0);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resumed),         cmocka_unit_test(test_responder_restarts),
        cmocka_unit_test(test_initiator_restarts), cmocka_unit_test(test_rekeyed),
        cmocka_unit_test(test_deleted),         cmocka_unit_test(test_silence),
        cmocka_unit_test(test_cookie),          cmocka_unit_test(test_moved),
        cmocka_unit_test(test_false_nack),      cmocka_unit_test(test_forged_and_replayed),
        cmocka_unit_test(test_stolen),          cmocka_unit_test(test_expired),
        cmocka_unit_test(test_proof_ages),      cmocka_unit_test(test_revoked),
        cmocka_unit_test(test_revoked_between), cmocka_unit_test(test_other_name),
        cmocka_unit_test(test_without_keys),    cmocka_unit_test(test_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
