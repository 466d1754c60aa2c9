/*
 * Configured peers under IKEv1: shared keys and raw keys, Main and Aggressive Mode, tunnels between
 * subnets, with and without PFS (RFC 2409 sections 5.1, 5.4, 5.5; the model's section 7.3.2).
 */
#include "forge.h"
#include "site.h"

/* IKE-012, IKE-033, IKE-054: six messages, three, and a tunnel between subnets. */
static void test_main_psk(void **state)
{
    struct site *site = site_new(IKE_BY_PSK, false);
    (void)state;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 5000);
    site_check_up(site);
    assert_int_equal(site->pair->sent[PAIR_A], 5);
    assert_int_equal(site->pair->sent[PAIR_B], 4);
    for (unsigned s = 0; s < PAIR_SIDES; s++)
        assert_int_equal(site->pair->sides[s].asked_signature, 0);
    site_free(site);
}

/* IKE-013, IKE-056: a configured raw key. */
static void test_main_key(void **state)
{
    struct site *site = site_new(IKE_BY_KEY, false);
    (void)state;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 5000);
    site_check_up(site);
    site_free(site);
}

/* IKE-032, IKE-057: the certificate goes along, and a chain of trust leads from it. RFC 4754 for ECDSA.
 */
static void test_certificates(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct site *site = site_certified(i % 2 != 0, i / 2 != 0, site_alt_names[PAIR_B], 0);
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 5000);
        site_check_up(site);
        site_free(site);
    }
}

/* A certificate for somebody else, one that is over or not yet begun, a revoked one, no list where one is
 * asked for, an authority that nobody trusts. */
static void test_bad_certificates(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        struct site *site = site_certified(true, i % 2 != 0, i / 2 == 0 ? "DNS:c.example.net" : site_alt_names[PAIR_B],
                                      i / 2 == 1 ? -3 : i / 2 == 2 ? 3 : 0);
        struct authority *other = authority_new();
        struct ike_profile *p = &site->profiles[PAIR_A][0];
        if (i / 2 == 3) {
            authority_revoke_last(site->authority, &site->crl);
            site->crl_view = view_of(site->crl.octets, site->crl.len);
            p->crls = &site->crl_view;
            p->crl_count = 1;
        }
        p->crl_required = i / 2 == 4;
        if (i / 2 == 5)
            authority_own(other, &site->anchor);
        site->anchor_view.len = site->anchor.len;
        authority_free(other);
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 90000);
        assert_int_equal(site->pair->sides[PAIR_A].up, 0);
        assert_int_equal(site->pair->sides[PAIR_A].authenticated, 0);
        assert_int_equal(site->pair->sides[PAIR_A].failed, 1);
        assert_int_equal(pair_sad_count(site->pair, PAIR_A), 0);
        site_free(site);
    }
}

/* IKE-014, IKE-067: RFC 2409 sections 5.2 and 5.3, in both modes; nobody signs, and each decrypts once. */
static void test_encryption(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct site *site =
            site_new(i % 2 ? IKE_BY_REVISED_ENCRYPTION : IKE_BY_ENCRYPTION, i / 2 != 0);
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 5000);
        site_check_up(site);
        assert_int_equal(site->pair->sent[PAIR_A], i / 2 ? 4 : 5);
        for (unsigned s = 0; s < PAIR_SIDES; s++) {
            assert_int_equal(site->pair->sides[s].asked_signature, 0);
            assert_int_equal(site->pair->sides[s].asked_decryption, 1);
        }
        site_free(site);
    }
}

/* Who has another key than the configured one can't read what is for him; who thinks the peer has another
 * writes what it can't read. Neither side is authenticated, and the one who couldn't read says no more
 * than one who could, but has another name. */
static void test_encryption_wrong_key(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct site *site =
            site_new(i % 2 ? IKE_BY_REVISED_ENCRYPTION : IKE_BY_ENCRYPTION, i / 2 % 2 != 0);
        site->profiles[i / 4][0].peer_keys = pair_public_key(2);
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 90000);
        site_check_down(site);
        for (unsigned s = 0; s < PAIR_SIDES; s++) {
            assert_int_equal(site->pair->sides[s].authenticated, 0);
            assert_int_equal(site->pair->sides[s].ike->all_count, 0);
        }
        if (i / 4 == PAIR_A) /* nothing but the suite was ever answered */
            assert_int_equal(site->pair->sent[PAIR_B], i / 2 % 2 == 0);
        site_free(site);
    }
}

struct alter {
    uint8_t type;
    unsigned from, sent;
};

/* One bit of a payload in that side's message with encrypted payloads. */
static bool alter_cipher(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct alter *alter = ctx;
    static struct forge forge;
    enum v1_message_kind kind = d->octets[18] == ISAKMP_MAIN_MODE ? V1_MM3_ENC : V1_AM2_ENC;
    bool clear = (d->octets[19] & ISAKMP_FLAG_ENCRYPTED) == 0;
    if (d->from != alter->from || !clear)
        return true;
    forge_open(pair, !d->from, d, kind, &forge);
    struct forge_payload *p = forge_find(&forge, alter->type);
    if (p == NULL)
        return true;
    p->body[p->len / 2] ^= 1;
    forge_close(pair, !d->from, &forge, d);
    alter->sent++;
    return true;
}

/* Altered on the way, whichever it is: no tunnel, and nobody is taken for who he isn't. The responder of
 * Main Mode answers an altered nonce as it would a true one. */
static void test_encryption_altered(void **state)
{
    static const uint8_t types[] = {ISAKMP_P_ID, ISAKMP_P_NONCE, ISAKMP_P_KE};
    (void)state;
    for (unsigned i = 0; i < 24; i++) {
        bool revised = i % 2 != 0, aggressive = i / 2 % 2 != 0;
        struct site *site =
            site_new(revised ? IKE_BY_REVISED_ENCRYPTION : IKE_BY_ENCRYPTION, aggressive);
        struct alter alter = {.type = types[i / 4 % 3], .from = i / 12};
        site->pair->tap = alter_cipher;
        site->pair->tap_ctx = &alter;
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 90000);
        site_check_down(site);
        assert_true(alter.sent > 0);
        /* The responder's altered name is noticed by the initiator alone, when it has proved its own. */
        bool one_sided = alter.type == ISAKMP_P_ID && alter.from == PAIR_B && !aggressive;
        assert_int_equal(site->pair->sides[PAIR_A].authenticated, 0);
        assert_in_range(site->pair->sides[PAIR_B].authenticated, 0, one_sided);
        for (unsigned s = 0; s < PAIR_SIDES; s++)
            assert_int_equal(site->pair->sides[s].ike->all_count, 0);
        if (alter.type == ISAKMP_P_NONCE && alter.from == PAIR_A && !revised && !aggressive)
            assert_in_range(site->pair->sent[PAIR_B], 2, 8);
        site_free(site);
    }
}

/* A message 3 of yesterday: its cookie isn't today's, so nothing is decrypted. */
static bool keep_third(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    (void)pair;
    if (d->from == PAIR_A && d->octets[8] != 0 && (d->octets[19] & ISAKMP_FLAG_ENCRYPTED) == 0)
        *(struct pair_datagram *)ctx = *d;
    return true;
}

static void test_encryption_replayed(void **state)
{
    static struct pair_datagram third;
    struct site *site = site_new(IKE_BY_ENCRYPTION, false);
    (void)state;
    site->pair->tap = keep_third;
    site->pair->tap_ctx = &third;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 5000);
    site_check_up(site);
    pair_crash(site->pair, PAIR_B, false);
    unsigned asked = site->pair->sides[PAIR_B].asked_decryption, sent = site->pair->sent[PAIR_B];
    assert_int_equal(pair_give(site->pair, &third), ERR_AUTH);
    assert_int_equal(pair_counter(site->pair, PAIR_B, "bad-responder-cookie"), 1);
    assert_int_equal(site->pair->sides[PAIR_B].asked_decryption, asked);
    assert_int_equal(site->pair->sent[PAIR_B], sent);
    site_free(site);
}

/* IKE-035, IKE-036, IKE-037, IKE-038, IKE-039 */
static void test_aggressive(void **state)
{
    static const enum ike_method methods[] = {IKE_BY_PSK, IKE_BY_KEY};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct site *site = site_new(methods[i], true);
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 5000);
        site_check_up(site);
        assert_int_equal(site->pair->sent[PAIR_A], 4); /* two, and two of Quick Mode */
        assert_int_equal(site->pair->sent[PAIR_B], 2);
        site_free(site);
    }
}

/* IKE-040: what an observer sees of Aggressive Mode has the names in it; IKE-015: of Main Mode not. */
static bool look(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    (void)pair;
    if (memmem(d->octets, d->len, "a.example.net", 13) != NULL)
        *(unsigned *)ctx += 1;
    return true;
}

static void test_names_on_the_wire(void **state)
{
    (void)state;
    for (unsigned aggressive = 0; aggressive < 2; aggressive++) {
        struct site *site = site_new(IKE_BY_PSK, aggressive != 0);
        unsigned seen = 0;
        site->pair->tap = look;
        site->pair->tap_ctx = &seen;
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 5000);
        site_check_up(site);
        assert_int_equal(seen, aggressive);
        site_free(site);
    }
}

/* IKE-042: nobody gets Aggressive Mode who isn't configured for it, and nothing is computed. */
static void test_aggressive_not_configured(void **state)
{
    struct site *site = site_new(IKE_BY_PSK, true);
    (void)state;
    site->profiles[PAIR_B][0].aggressive = false;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 60000);
    site_check_down(site);
    assert_int_equal(site->pair->sent[PAIR_B], 0);
    assert_int_equal(site->pair->sides[PAIR_B].ike->all_count, 0);
    assert_true(pair_counter(site->pair, PAIR_B, "unsupported-exchange") > 0);
    site_free(site);
}

static void wrong_secret(struct site *site)
{
    site->profiles[PAIR_B][0].psk = view_of_text("something else");
}

static void wrong_name(struct site *site)
{
    site->profiles[PAIR_B][0].peer_id = site_name("c.example.net");
}

static void wrong_own_name(struct site *site)
{
    site->profiles[PAIR_B][0].own_id = site_name("c.example.net");
}

static void other_place(struct site *site)
{
    assert_true(ip_prefix_parse("203.0.113.0/24", &site->profiles[PAIR_B][0].remote));
}

/* A wrong key, a name or an address that was not configured: no tunnel, and no SA left behind. */
static void test_refused(void **state)
{
    static void (*const breaks[])(struct site *) = {wrong_secret, wrong_name, wrong_own_name,
                                                    other_place};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(breaks) / sizeof(breaks[0]); i++) {
        struct site *site = site_new(IKE_BY_PSK, i % 2 != 0);
        breaks[i / 2](site);
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 90000);
        site_check_down(site);
        assert_int_equal(site->pair->sides[PAIR_A].ike->all_count, 0);
        assert_int_equal(site->pair->sides[PAIR_B].authenticated, breaks[i / 2] == wrong_own_name && i % 2 == 0);
        site_free(site);
    }
}

/* IKE-055: two peers share a key; the name tells which one this is, and so what it may have. */
static void test_name_decides(void **state)
{
    struct site *site = site_new(IKE_BY_PSK, false);
    (void)state;
    site->profiles[PAIR_B][1] = site->profiles[PAIR_B][0];
    site->profiles[PAIR_B][0].number = 4;
    site->profiles[PAIR_B][0].peer_id = site_name("c.example.net");
    site_reconfigure(site, PAIR_B, 2);
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 5000);
    site_check_up(site);
    site_free(site);
}

/* IKE-055: Quick Mode can't be narrowed, so a part is refused as a whole. */
static void test_not_all_allowed(void **state)
{
    struct site *site = site_new(IKE_BY_PSK, false);
    struct traffic_pair part = site_traffic(PAIR_B);
    (void)state;
    part.local = site_subnet("10.2.3.4/32");
    site->pair->sides[PAIR_B].narrow = &part;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 60000);
    site_check_down(site);
    assert_int_equal(site->pair->sides[PAIR_A].last_failed.failure, IKE_FAILURE_REFUSED);
    site_free(site);
}

struct sizes {
    size_t with_ke, without_ke;
};

static bool count_ke(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct sizes *sizes = ctx;
    struct forge forge;
    if (!pair_is_exchange(d, ISAKMP_QUICK_MODE) || sizes->with_ke + sizes->without_ke == 2)
        return true;
    forge_open(pair, !d->from, d, sizes->with_ke + sizes->without_ke == 0 ? V1_QM1 : V1_QM2,
               &forge);
    if (forge_find(&forge, ISAKMP_P_KE) != NULL)
        sizes->with_ke++;
    else
        sizes->without_ke++;
    return true;
}

/* IKE-047, IKE-048: PFS as configured; without it two Quick Modes still differ in their keys. */
static void test_pfs(void **state)
{
    (void)state;
    for (unsigned none = 0; none < 2; none++) {
        struct site *site = site_new(IKE_BY_PSK, false);
        struct sizes sizes = {0};
        for (unsigned s = 0; s < PAIR_SIDES; s++)
            site->profiles[s][0].pfs_group = none ? IKE_NO_PFS : 14;
        site->pair->tap = count_ke;
        site->pair->tap_ctx = &sizes;
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 5000);
        site_check_up(site);
        assert_int_equal(none ? sizes.without_ke : sizes.with_ke, 2);
        struct sa_params first = site->pair->sides[PAIR_A].sad[0].params;
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 1000);
        assert_int_equal(site->pair->sides[PAIR_A].up, 2);
        for (size_t i = 1; i < PAIR_SAD_MAX; i++)
            if (site->pair->sides[PAIR_A].sad[i].used)
                assert_memory_not_equal(site->pair->sides[PAIR_A].sad[i].params.cipher_key,
                                        first.cipher_key, first.cipher_key_len);
        site_free(site);
    }
}

/* RFC 2407 section 4.6.2.1: by mail address, distinguished name and opaque key id, in both modes. */
static void test_identity_types(void **state)
{
    struct identity ids[3];
    (void)state;
    assert_true(identity_of_email(view_of_text("a@example.net"), &ids[0]));
    assert_true(identity_of_octets(
        IDENTITY_DN, view_of("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01" "a", 14), &ids[1]));
    assert_true(identity_of_octets(IDENTITY_KEY_ID, view_of("\0\xff opaque", 9), &ids[2]));
    for (unsigned i = 0; i < 6; i++) {
        struct site *site = site_new(i % 2 ? IKE_BY_KEY : IKE_BY_PSK, i % 2 != 0);
        site->profiles[PAIR_A][0].own_id = ids[i / 2];
        site->profiles[PAIR_B][0].peer_id = ids[i / 2];
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 5000);
        site_check_up(site);
        assert_true(identity_equal(&site->pair->sides[PAIR_B].ike->all[0]->peer_id, &ids[i / 2]));
        site_free(site);
    }
    /* A stranger of that name can't be looked up: nobody is asked. */
    const struct pair_options options = {.config = {.id = ids[0]}};
    struct pair *pair = pair_new(&options);
    assert_int_equal(pair_initiate(pair, PAIR_A, SITE_TICKET, 0), ERR_OK);
    pair_run(pair, 30000);
    assert_int_equal(pair->sides[PAIR_A].up, 0);
    assert_int_equal(pair->sides[PAIR_B].asked_keys, 0);
    pair_free(pair);
}

/* A range of addresses instead of a subnet. */
static bool make_range(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    static const uint8_t range[12] = {ISAKMP_ID_IPV4_ADDR_RANGE, 0, 0, 0, 10, 1, 0, 0, 10, 1, 0, 9};
    static struct forge forge;
    unsigned *made = ctx;
    if (!pair_is_exchange(d, ISAKMP_QUICK_MODE) || d->from != PAIR_A || *made != 0)
        return true;
    ++*made;
    forge_open(pair, PAIR_B, d, V1_QM1, &forge);
    struct forge_payload *p = forge_find(&forge, ISAKMP_P_ID);
    memcpy(p->body, range, sizeof(range));
    p->len = sizeof(range);
    forge_close(pair, PAIR_B, &forge, d);
    return true;
}

static void test_range(void **state)
{
    struct site *site = site_new(IKE_BY_PSK, false);
    unsigned made = 0;
    (void)state;
    site->pair->tap = make_range;
    site->pair->tap_ctx = &made;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 300);
    site_check_down(site);
    assert_int_equal(site->pair->sides[PAIR_B].asked_authorization, 0);
    assert_non_null(strstr(site->pair->sides[PAIR_A].last_failed.text, "INVALID-ID-INFORMATION"));
    site_free(site);
}

/* The commit flag on every message changes nothing: it isn't authenticated, and nobody waits. */
static bool set_commit(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    (void)pair;
    (void)ctx;
    d->octets[19] |= ISAKMP_FLAG_COMMIT;
    return true;
}

static void test_commit_flag(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct site *site = site_new(i % 2 ? IKE_BY_PSK : IKE_BY_KEY, i >= 2);
        site->pair->tap = set_commit;
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 1000);
        site_check_up(site);
        site_free(site);
    }
}

/* One that wants PFS refuses a peer without. */
static void test_pfs_wanted(void **state)
{
    struct site *site = site_new(IKE_BY_PSK, false);
    (void)state;
    site->profiles[PAIR_A][0].pfs_group = IKE_NO_PFS;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 60000);
    site_check_down(site);
    site_free(site);
}

/* A keyd that starts again goes on with its configured peers, unless they are configured no more. */
static void test_resumed(void **state)
{
    (void)state;
    for (unsigned gone = 0; gone < 2; gone++) {
        struct site *site = site_new(IKE_BY_PSK, false);
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 5000);
        site_check_up(site);
        site->pair->config.profiles = site->profiles[PAIR_A];
        site->pair->config.profile_count = gone ? 0 : 1;
        pair_crash(site->pair, PAIR_A, true);
        assert_int_equal(site->pair->sides[PAIR_A].ike->all_count, gone ? 0 : 1);
        if (!gone) {
            assert_int_equal(site_begin(site), ERR_OK);
            pair_run(site->pair, 5000);
            assert_int_equal(site->pair->sides[PAIR_A].up, 2);
            assert_int_equal(site->pair->sides[PAIR_B].authenticated, 1);
        }
        site_free(site);
    }
}

static bool cut(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    (void)pair;
    (void)d;
    return !*(bool *)ctx;
}

/* RFC 3706: a silent peer is asked, and what was shared with a dead one goes. */
static void test_dead_peer(void **state)
{
    struct site *site = site_new(IKE_BY_PSK, false);
    bool is_cut = false;
    (void)state;
    site->pair->tap = cut;
    site->pair->tap_ctx = &is_cut;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 5000);
    site_check_up(site);
    unsigned before = site->pair->sent[PAIR_A];
    pair_run(site->pair, 600000);
    assert_in_range(site->pair->sent[PAIR_A] - before, 2 * 10, 2 * 600 / 30 + 2);
    assert_int_equal(site->pair->sides[PAIR_A].deleted, 0);
    is_cut = true;
    pair_run(site->pair, 60000);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        assert_int_equal(site->pair->sides[s].deleted, 1);
        assert_int_equal(pair_counter(site->pair, s, "dead-peer"), 1);
        assert_int_equal(pair_sad_count(site->pair, s), 0);
        assert_int_equal(site->pair->sides[s].ike->all_count, 0);
    }
    site_free(site);
}

/* A stranger isn't asked, but answered. */
static void test_not_of_strangers(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, SITE_TICKET, 0), ERR_OK);
    pair_run(pair, 5000);
    unsigned before = pair->sent[PAIR_A];
    pair_run(pair, 300000);
    assert_int_equal(pair->sent[PAIR_A], before);
    pair_free(pair);
}

/* Every message lost once: the exchange still completes. */
static bool lose_first(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    uint64_t *seen = ctx;
    uint64_t bit = 0;
    (void)pair;
    for (size_t i = 0; i < d->len; i++)
        bit = bit * 31 + d->octets[i];
    bit = (uint64_t)1 << (bit % 64);
    if ((*seen & bit) != 0)
        return true;
    *seen |= bit;
    return false;
}

static void test_lossy(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct site *site = site_new(i % 2 ? IKE_BY_PSK : IKE_BY_KEY, i >= 2);
        uint64_t seen = 0;
        site->pair->tap = lose_first;
        site->pair->tap_ctx = &seen;
        assert_int_equal(site_begin(site), ERR_OK);
        pair_run(site->pair, 25000); /* before anybody asks whether the other is there */
        site_check_up(site);
        site_free(site);
    }
}

/* IKE-041's remedy: a flood of first messages from one address is cut off. */
static void test_aggressive_flood(void **state)
{
    struct site *site = site_new(IKE_BY_PSK, true);
    static struct pair_datagram first;
    struct pair *pair = site->pair;
    (void)state;
    pair->tap = NULL;
    assert_int_equal(site_begin(site), ERR_OK);
    first = pair->wire[0];
    for (unsigned i = 0; i < 200; i++) {
        first.octets[0] = (uint8_t)(i + 1);
        (void)pair_give(pair, &first);
    }
    assert_true(pair->sides[PAIR_B].ike->all_count <= IKE_UNPROVEN_EACH);
    assert_true(pair_counter(pair, PAIR_B, "limit") >= 200 - IKE_UNPROVEN_EACH);
    pair->wire_count = 0;
    site_free(site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_main_psk),
        cmocka_unit_test(test_main_key),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_bad_certificates),
        cmocka_unit_test(test_encryption),
        cmocka_unit_test(test_encryption_wrong_key),
        cmocka_unit_test(test_encryption_altered),
        cmocka_unit_test(test_encryption_replayed),
        cmocka_unit_test(test_aggressive),
        cmocka_unit_test(test_names_on_the_wire),
        cmocka_unit_test(test_aggressive_not_configured),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_name_decides),
        cmocka_unit_test(test_not_all_allowed),
        cmocka_unit_test(test_pfs),
        cmocka_unit_test(test_pfs_wanted),
        cmocka_unit_test(test_identity_types),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_commit_flag),
        cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_dead_peer),
        cmocka_unit_test(test_not_of_strangers),
        cmocka_unit_test(test_lossy),
        cmocka_unit_test(test_aggressive_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
