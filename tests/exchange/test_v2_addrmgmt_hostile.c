/* Address management by the draft under attack: from outside, on the way, and by a true peer that asks for
 * what it should not have. */
#include "addr_rig.h"

#define A "192.1.1.4"
#define B "192.1.1.5"
#define VICTIM "203.0.113.77"

static struct rig_forged claim(struct rig *rig, const char *source, const char *destination)
{
    struct rig_forged f;
    rig_forge(rig, PAIR_A, &f);
    if (source != NULL)
        rig_add_address(&f, ADDRMGMT_N_PEER_ADDRESS_SOURCE, ADDRMGMT_MARK, source);
    if (destination != NULL)
        rig_add_address(&f, ADDRMGMT_N_PEER_ADDRESS_DESTINATION, ADDRMGMT_MARK, destination);
    return f;
}

static const struct addrmgmt_update all = {.all = true};

static void assert_nothing_moved(struct rig *rig)
{
    assert_int_equal(rig->pair->sides[PAIR_B].moves, 0);
    rig_assert_at(rig, A, B);
}

/* The octets of an SPI that B sends under. */
static struct view spi_octets(const struct rig *rig, unsigned n, uint8_t *room)
{
    const uint32_t spi = rig_entry(rig, PAIR_B, false, n)->params.spi.value;
    struct builder b = builder_on(span_of(room, 4));
    builder_u32(&b, spi);
    return builder_written(&b);
}

/* On the way */

static struct pair_datagram caught;
static const char *resource; /* the next datagram of A comes from there */

static bool catch_one(struct rig *rig, struct pair_datagram *d)
{
    (void)rig;
    if (resource != NULL && d->from == PAIR_A) {
        caught = *d;
        d->source.addr = rig_addr(resource);
        resource = NULL;
    }
    return d->target.addr.octets[0] != 203;
}

/* ADR-018, ADR-029, ADR-030, ADR-047: an update with another source than it names: not one operation of it is
 * done, its answer goes where it came from, and the true copy finds its way. */
static void test_forged_source(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    rig->tap = catch_one;
    resource = "203.0.113.66";
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, 3 * PAIR_LATENCY_MS);
    assert_true(rig_saw(rig, "B- 192.1.1.5>203.0.113.66 ADDRESS_REFUSED-MARK-203.0.113.66 RR_COOKIE;"));
    assert_int_equal(rig_refused(rig, PAIR_B), 1);
    assert_int_equal(rig->pair->sides[PAIR_B].moves, 0);
    assert_true(rig_knows(rig, PAIR_B, A)); /* its DELETE neither */
    rig_run(rig, 10 * SECONDS);
    rig_assert_at(rig, "192.1.1.14", B);
    rig_free(rig);
}

/* ADR-035: an update that was answered comes again, from elsewhere: it gets its answer there, and moves
 * nothing; one out of order gets none. */
static void test_replayed(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    rig->tap = catch_one;
    resource = "192.1.1.14"; /* as it is */
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, 1 * SECONDS);
    rig_assert_at(rig, "192.1.1.14", B);
    unsigned moves = rig->pair->sides[PAIR_B].moves;
    struct pair_datagram again = caught;
    again.source.addr = rig_addr("203.0.113.67");
    rig->seen[0] = '\0';
    assert_int_equal(pair_give(rig->pair, &again), ERR_REPLAY);
    rig_run(rig, 1 * SECONDS);
    assert_true(rig_saw(rig, "B- 192.1.1.5>203.0.113.67 UA/0/0"));
    assert_int_equal(rig->pair->sides[PAIR_B].moves, moves);
    RIG_HAVE(rig, PAIR_A, "192.1.1.24"); /* now that one is two behind */
    rig_run(rig, 1 * SECONDS);
    rig->seen[0] = '\0';
    assert_int_equal(pair_give(rig->pair, &again), ERR_REPLAY);
    rig_run(rig, 1 * SECONDS);
    assert_string_equal(rig->seen, "");
    rig_assert_at(rig, "192.1.1.24", B);
    rig_free(rig);
}

/* A copy of the update that is being checked, from elsewhere: it gets a question and no SA. */
static void test_copied(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    rig->tap = catch_one;
    resource = "192.1.1.14";
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, PAIR_LATENCY_MS);
    for (unsigned i = 0; i < 12; i++) {
        struct pair_datagram again = caught;
        again.source.addr = rig_addr(VICTIM);
        again.source.addr.octets[3] = (uint8_t)i;
        assert_int_equal(pair_give(rig->pair, &again), ERR_REPLAY);
    }
    pair_drain(rig->pair, PAIR_B);
    rig_run(rig, 10 * SECONDS);
    assert_true(rig_saw(rig, "B+ 192.1.1.5>203.0.113.7 RR_COOKIE"));
    assert_false(rig_saw(rig, "B+ 192.1.1.5>203.0.113.8 RR_COOKIE")); /* V2_UPDATE_COPIES of them */
    rig_assert_at(rig, "192.1.1.14", B);
    rig_free(rig);
}

/* ADR-030, ADR-029: notified addresses that aren't the header's, at either end, by a peer itself. */
static void test_mismatch(void **state)
{
    static const struct {
        const char *source, *destination, *from;
    } cases[] = {
        {"192.1.1.14", B, A},
        {"192.1.1.14", B, "192.1.1.24"},
        {A, "192.1.1.15", A},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig *rig = rig_up(NULL);
        struct rig_forged f = claim(rig, cases[i].source, cases[i].destination);
        rig_add_address(&f, ADDRMGMT_N_PEER_ADDRESS_SOURCE, ADDRMGMT_DELETE, "192.1.1.77");
        rig_add_update(&f, &all);
        assert_int_equal(rig_send(rig, &f, cases[i].from), ERR_OK);
        pair_drain(rig->pair, PAIR_B);
        rig_run(rig, 1);
        assert_true(rig_saw(rig, "ADDRESS_REFUSED-MARK"));
        assert_int_equal(rig_refused(rig, PAIR_B), 1);
        assert_nothing_moved(rig);
        rig_free(rig);
    }
}

/* ADR-026: outside of encryption nothing of it counts. */
static void test_clear(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    struct rig_forged f = claim(rig, "192.1.1.14", B);
    rig_add_update(&f, &all);
    f.d.source.addr = rig_addr("192.1.1.14");
    forge_v2_close(rig->pair, &f.forge, true, &f.d);
    rig->seen[0] = '\0';
    assert_int_not_equal(pair_give(rig->pair, &f.d), ERR_OK);
    rig_run(rig, 1 * SECONDS);
    assert_string_equal(rig->seen, "");
    assert_nothing_moved(rig);
    rig_free(rig);
}

/* By a peer */

/* Third-party bombing: the victim gets a few small questions, no SA goes there, and the refusal says so. */
static bool to_victim(struct rig *rig, struct pair_datagram *d)
{
    const struct ip_addr victim = rig_addr(VICTIM);
    bool hits = d->from == PAIR_B && ip_addr_equal(&d->target.addr, &victim);
    *(unsigned *)rig->ctx += hits;
    return !hits;
}

static void test_bombing(void **state)
{
    struct rig *rig = rig_up(NULL);
    unsigned hits = 0;
    (void)state;
    rig->tap = to_victim;
    rig->ctx = &hits;
    struct rig_forged f = claim(rig, VICTIM, B);
    rig_add_update(&f, &all);
    assert_int_equal(rig_send(rig, &f, VICTIM), ERR_OK); /* a source address is easily forged */
    pair_drain(rig->pair, PAIR_B);
    rig_run(rig, 8 * SECONDS);
    assert_in_range(hits, 1, 5);
    assert_true(rig_saw(rig, "ADDRESS_REFUSED-MARK-203.0.113.77"));
    assert_nothing_moved(rig);
    rig_free(rig);
}

/* ADR-002, ADR-069: SPIs of another IKE SA, or of nobody: nothing moves, and the answer names none. */
static void test_not_owned(void **state)
{
    struct rig *rig = rig_up(NULL);
    const struct ip_addr at = rig_addr("192.1.1.14");
    uint8_t room[4], inbound[4];
    (void)state;
    struct rig_forged f = claim(rig, "192.1.1.14", B);
    address_proved(&rig_sa(rig, PAIR_B)->mobike->proved, &at);
    static const uint8_t nobody[4] = {0x12, 0x34, 0x56, 0x78};
    rig_add_update(&f, &(struct addrmgmt_update){.protocol = ADDRMGMT_ESP, .count = 1, .spis = view_of(nobody, 4)});
    rig_add_update(&f, &(struct addrmgmt_update){.protocol = ADDRMGMT_AH, .count = 1, .spis = spi_octets(rig, 0, room)}); /* it is ESP */
    struct builder b = builder_on(span_of(inbound, 4)); /* B's own inbound one: not the sender's to name */
    builder_u32(&b, rig_entry(rig, PAIR_B, true, 0)->params.spi.value);
    rig_add_update(&f, &(struct addrmgmt_update){.protocol = ADDRMGMT_ESP, .count = 1, .spis = view_of(inbound, 4)});
    assert_int_equal(rig_send(rig, &f, "192.1.1.14"), ERR_OK);
    pair_drain(rig->pair, PAIR_B);
    rig_run(rig, 1);
    assert_true(rig_saw(rig, "B- 192.1.1.5>192.1.1.14;"));
    assert_int_equal(pair_counter(rig->pair, PAIR_B, "address-update-for-unknown-sa"), 3);
    assert_nothing_moved(rig);
    rig_free(rig);
}

/* ADR-098: the check is answered from elsewhere, with another cookie, or with none: it fails. */
struct spoil {
    enum { ELSEWHERE, OTHER, NONE, LONGER, SPOILS } how;
    unsigned done;
};

static bool spoil_answer(struct rig *rig, struct pair_datagram *d)
{
    static struct forge_v2 forge;
    struct spoil *spoil = rig->ctx;
    if (d->from != PAIR_A || d->octets[18] != IKE2_INFORMATIONAL ||
        (d->octets[19] & IKE2_FLAG_RESPONSE) == 0)
        return true;
    spoil->done++;
    if (spoil->how == ELSEWHERE) {
        d->source.addr = rig_addr("192.1.1.66");
        return true;
    }
    forge_v2_open(rig->pair, d, &forge);
    assert_int_equal(forge.count, 1);
    struct forge_v2_payload *p = &forge.payloads[0];
    if (spoil->how == OTHER)
        p->body[p->len - 1] ^= 1;
    else if (spoil->how == LONGER)
        p->body[p->len++] = 0;
    else
        forge_v2_drop(&forge, 0);
    forge_v2_close(rig->pair, &forge, false, d);
    return true;
}

static void test_answer(void **state)
{
    (void)state;
    for (unsigned how = 0; how < SPOILS; how++) {
        struct rig *rig = rig_up(NULL);
        struct spoil spoil = {.how = how};
        rig->tap = spoil_answer;
        rig->ctx = &spoil;
        struct rig_forged f = claim(rig, "192.1.1.14", B);
        rig_add_update(&f, &all);
        assert_int_equal(rig_send(rig, &f, "192.1.1.14"), ERR_OK);
        pair_drain(rig->pair, PAIR_B);
        rig_run(rig, 1 * SECONDS);
        assert_int_equal(spoil.done, 1);
        assert_true(rig_saw(rig, "B- 192.1.1.5>192.1.1.14 ADDRESS_REFUSED-MARK-192.1.1.14;"));
        assert_nothing_moved(rig);
        rig_free(rig);
    }
}

/* ADR-096, ADR-098: a cookie is given back as it is, if it has a length that is allowed. */
static void test_cookie_lengths(void **state)
{
    static uint8_t octets[80];
    struct rig *rig = rig_up(NULL);
    (void)state;
    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)(i + 1);
    static const size_t lengths[] = {16, 15, 64, 65, 0, 40};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct rig_forged f = claim(rig, NULL, NULL);
        bool good = lengths[i] >= 16 && lengths[i] <= 64;
        rig_add_notify(&f, ADDRMGMT_N_RR_COOKIE, view_of(octets, lengths[i]));
        assert_int_equal(rig_send(rig, &f, A), ERR_OK);
        const struct v2_update *asked = rig_sa(rig, PAIR_B)->mobike->latest;
        assert_int_equal(asked->cookie_len, good ? lengths[i] : 0);
        assert_memory_equal(asked->cookie, octets, asked->cookie_len);
        pair_drain(rig->pair, PAIR_B);
        rig_run(rig, 1);
        assert_true(rig_saw(rig, good ? "B- 192.1.1.5>192.1.1.4 RR_COOKIE;"
                                      : "B- 192.1.1.5>192.1.1.4 ADDRESS_REFUSED;"));
    }
    rig_free(rig);
}

/* ADR-025, ADR-097: the cookies of two probes have nothing in common. */
static void test_unpredictable(void **state)
{
    struct rig *rig = rig_up(NULL);
    struct address_cookie first;
    (void)state;
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, PAIR_LATENCY_MS);
    assert_int_equal(rig_sa(rig, PAIR_B)->mine->says, V2_SAYS_CHECK);
    first = rig_sa(rig, PAIR_B)->mine->cookie;
    rig_run(rig, 1 * SECONDS);
    RIG_HAVE(rig, PAIR_A, "192.1.1.24");
    rig_run(rig, PAIR_LATENCY_MS);
    assert_int_equal(rig_sa(rig, PAIR_B)->mine->says, V2_SAYS_CHECK);
    assert_memory_not_equal(&first, &rig_sa(rig, PAIR_B)->mine->cookie, 16);
    rig_run(rig, 1 * SECONDS);
    rig_free(rig);
}

/* ADR-027, ADR-033, ADR-034, ADR-046, ADR-058: requests that nobody may make. */
static void test_refused(void **state)
{
    enum { SOURCE = ADDRMGMT_N_PEER_ADDRESS_SOURCE, DESTINATION = ADDRMGMT_N_PEER_ADDRESS_DESTINATION };
    static const struct {
        const char *source, *destination;
        uint16_t type, operation;
        const char *addr, *answer;
    } cases[] = {
        {NULL, B, DESTINATION, ADDRMGMT_MARK, B, " ADDRESS_REFUSED;"}, /* one end only */
        {A, NULL, SOURCE, ADDRMGMT_ADD, "192.1.1.14", " ADDRESS_REFUSED;"},
        {A, B, SOURCE, ADDRMGMT_ADD, "fe80::1", " ADDRESS_REFUSED-ADD-fe80::1;"},
        {A, B, SOURCE, ADDRMGMT_ADD, "169.254.1.1", " ADDRESS_REFUSED-ADD-169.254.1.1;"},
        {A, B, SOURCE, ADDRMGMT_ADD, "10.1.2.3", " ADDRESS_REFUSED-ADD-10.1.2.3;"},
        {A, B, SOURCE, ADDRMGMT_ADD, "fd00::1", " ADDRESS_REFUSED-ADD-fd00::1;"},
        {A, B, SOURCE, ADDRMGMT_ADD, "224.0.0.1", " ADDRESS_REFUSED-ADD-224.0.0.1;"},
        {A, B, SOURCE, ADDRMGMT_DELETE, A, " ADDRESS_REFUSED-DELETE-192.1.1.4;"},
        {A, B, SOURCE, 4, "192.1.1.14", " ADDRESS_REFUSED;"},
        {A, B, SOURCE, ADDRMGMT_MARK, "192.1.1.14", " ADDRESS_REFUSED-MARK-192.1.1.14;"}, /* two */
        {A, B, DESTINATION, ADDRMGMT_ADD, "192.1.1.15", " ADDRESS_REFUSED-ADD-192.1.1.15;"},
        {A, B, DESTINATION, ADDRMGMT_DELETE, B, " ADDRESS_REFUSED-DELETE-192.1.1.5;"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig *rig = rig_up(NULL);
        struct rig_forged f = claim(rig, cases[i].source, cases[i].destination);
        rig_add_address(&f, cases[i].type, cases[i].operation, cases[i].addr);
        assert_int_equal(rig_send(rig, &f, A), ERR_OK);
        pair_drain(rig->pair, PAIR_B);
        rig_run(rig, 1);
        assert_true(rig_saw(rig, cases[i].answer));
        assert_int_equal(rig_sa(rig, PAIR_B)->mobike->peer.count, 1);
        assert_nothing_moved(rig);
        rig_free(rig);
    }
}

/* ADR-073, ADR-077, ADR-083: Update payloads that contradict themselves or one another. */
static void test_wrong_payloads(void **state)
{
    static const uint8_t bodies[][8] = {{0x81, 0, 0, 0}, {0x80, 4, 0, 0}, {3, 4, 0, 0}, {1, 8, 0, 0}};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct rig *rig = rig_up(NULL);
        struct rig_forged f = claim(rig, i == 5 ? NULL : "192.1.1.14", B);
        if (i == 4) /* all, and then one more */
            rig_add_update(&f, &(struct addrmgmt_update){.protocol = ADDRMGMT_IKE});
        if (i == 5) /* to no address */
            rig_add_address(&f, ADDRMGMT_N_PEER_ADDRESS_SOURCE, ADDRMGMT_ADD, "192.1.1.14");
        if (i < 4)
            forge_v2_add(&f.forge, ADDRMGMT_P_UPDATE, view_of(bodies[i], 4));
        else
            rig_add_update(&f, &all);
        assert_int_equal(rig_send(rig, &f, "192.1.1.14"), ERR_OK);
        pair_drain(rig->pair, PAIR_B);
        rig_run(rig, 1);
        assert_true(rig_saw(rig, " ADDRESS_REFUSED;"));
        assert_nothing_moved(rig);
        rig_free(rig);
    }
}

/* ADR-071: to whom has not agreed to the draft the payload is critical, and its notifies are nothing. */
static void test_not_agreed(void **state)
{
    struct rig *rig = rig_new(NULL);
    (void)state;
    rig->profiles[PAIR_B].addrmgmt = false;
    rig_child(rig, 0);
    struct rig_forged f = claim(rig, A, B);
    rig_add_address(&f, ADDRMGMT_N_PEER_ADDRESS_SOURCE, ADDRMGMT_ADD, "192.1.1.14");
    assert_int_equal(rig_send(rig, &f, A), ERR_OK);
    pair_drain(rig->pair, PAIR_B);
    rig_run(rig, 20);
    f = claim(rig, A, B);
    rig_add_update(&f, &all);
    f.forge.critical_last = true;
    (void)rig_send(rig, &f, A);
    pair_drain(rig->pair, PAIR_B);
    rig_run(rig, 1);
    assert_true(rig_saw(rig, "B- 192.1.1.5>192.1.1.4 N(1);")); /* UNSUPPORTED_CRITICAL_PAYLOAD */
    assert_int_equal(rig->pair->sides[PAIR_B].moves, 0);
    rig_free(rig);
}

/* Additions from an unknown address */

static struct rig_forged addition(struct rig *rig, const char *claimed)
{
    struct rig_forged f = claim(rig, claimed, B);
    rig_add_address(&f, ADDRMGMT_N_PEER_ADDRESS_SOURCE, ADDRMGMT_ADD, claimed);
    return f;
}

/* ADR-048, ADR-049: the claimed address is asked, whatever the policy, and if it answers the message is
 * accepted. */
static void test_unknown_accepted(void **state)
{
    const struct ike_config config = {.address_check = ADDRESS_CHECK_NEVER};
    struct rig *rig = rig_up(&config);
    (void)state;
    struct rig_forged f = addition(rig, "192.1.1.14");
    assert_int_equal(rig_send(rig, &f, "192.1.1.24"), ERR_OK);
    assert_int_equal(rig_sa(rig, PAIR_B)->theirs->state, V2_N_R_CHECKING);
    assert_false(rig_knows(rig, PAIR_B, "192.1.1.14"));
    pair_drain(rig->pair, PAIR_B);
    rig_run(rig, 1 * SECONDS);
    assert_true(rig_saw(rig, "B+ 192.1.1.5>192.1.1.14 RR_COOKIE;"));
    assert_true(rig_saw(rig, "B- 192.1.1.5>192.1.1.24;"));
    assert_true(rig_knows(rig, PAIR_B, "192.1.1.14"));
    assert_false(rig_knows(rig, PAIR_B, "192.1.1.24"));
    assert_nothing_moved(rig);
    rig_free(rig);
}

/* ADR-048: from an address that is known there is nothing to be asked; nor from one that it adds itself. */
static void test_known(void **state)
{
    static const char *const sources[] = {A, "192.1.1.14"};
    const struct ike_config config = {.address_check = ADDRESS_CHECK_NEVER};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct rig *rig = rig_up(&config);
        struct rig_forged f;
        rig_forge(rig, PAIR_A, &f);
        rig_add_address(&f, ADDRMGMT_N_PEER_ADDRESS_SOURCE, ADDRMGMT_ADD, "192.1.1.14");
        rig_add_address(&f, ADDRMGMT_N_PEER_ADDRESS_DESTINATION, ADDRMGMT_MARK, B);
        assert_int_equal(rig_send(rig, &f, sources[i]), ERR_OK);
        assert_null(rig_sa(rig, PAIR_B)->theirs);
        assert_true(rig_knows(rig, PAIR_B, "192.1.1.14"));
        rig_free(rig);
    }
}

/* ADR-050, ADR-051: the claimed address is silent and the unknown one answers: a NAT; refused. */
static void test_unknown_nat(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    rig_kill(rig, "192.1.1.14");
    struct rig_forged f = addition(rig, "192.1.1.14");
    assert_int_equal(rig_send(rig, &f, "192.1.1.24"), ERR_OK);
    pair_drain(rig->pair, PAIR_B);
    rig_run(rig, 10 * SECONDS);
    assert_true(rig_saw(rig, "B+ 192.1.1.5>192.1.1.24 RR_COOKIE;"));
    assert_true(rig_saw(rig, "B- 192.1.1.5>192.1.1.24 ADDRESS_REFUSED-MARK-192.1.1.14;"));
    assert_false(rig_knows(rig, PAIR_B, "192.1.1.14"));
    assert_nothing_moved(rig);
    rig_free(rig);
}

/* The first exchanges */

/* ADR-017: with no NAT on the way IKE_AUTH comes from where IKE_SA_INIT came from, or not at all. */
static bool auth_elsewhere(struct rig *rig, struct pair_datagram *d)
{
    (void)rig;
    if (d->from == PAIR_A && d->octets[18] == IKE2_AUTH)
        d->source.addr = rig_addr("192.1.1.66");
    return true;
}

static void test_stable(void **state)
{
    (void)state;
    for (unsigned mobike = 0; mobike < 2; mobike++) { /* on port 500, and on 4500 */
        struct rig *rig = rig_new(NULL);
        const struct traffic_pair traffic = rig_traffic(PAIR_A, 0);
        rig->profiles[PAIR_A].mobike_off = rig->profiles[PAIR_B].mobike_off = mobike == 0;
        rig->tap = auth_elsewhere;
        rig->pair->sides[PAIR_B].ticket = TICKET;
        assert_int_equal(pair_initiate_profile(rig->pair, PAIR_A, TICKET, PROFILE, &traffic), ERR_OK);
        rig_run(rig, 5 * SECONDS);
        assert_int_equal(rig->pair->sides[PAIR_A].up, 0);
        assert_int_equal(rig->pair->sides[PAIR_B].authenticated, 0);
        assert_true(pair_counter(rig->pair, PAIR_B, "wrong-address") > 0);
        rig_free(rig);
    }
}

/* ADR-022, ADR-088, ADR-089, ADR-091, ADR-092, ADR-093: NAT_PREVENTION in both messages; with an address
 * changed on the way nothing is begun, and nothing kept. */
static unsigned prevented;
static bool translate_init;

static bool look_at_init(struct rig *rig, struct pair_datagram *d)
{
    static struct forge_v2 forge;
    if (d->octets[18] != IKE2_SA_INIT)
        return true;
    forge_v2_open(rig->pair, d, &forge);
    for (size_t i = 0; i < forge.count; i++) {
        struct ike2_notify n;
        if (forge.payloads[i].type != IKE2_P_N ||
            ike2_notify_parse(view_of(forge.payloads[i].body, forge.payloads[i].len), &n) != ERR_OK)
            continue;
        prevented += n.type == ADDRMGMT_N_NAT_PREVENTION && forge.payloads[i].len == 24;
        assert_int_not_equal(n.type, IKE2_N_NAT_DETECTION_SOURCE_IP);
    }
    if (translate_init && d->from == PAIR_A)
        d->source.addr = rig_addr("192.1.1.99");
    return true;
}

static void test_prevention(void **state)
{
    const struct ike_config config = {.nat = IKE_NAT_OFF};
    (void)state;
    for (unsigned nat = 0; nat < 2; nat++) {
        struct rig *rig = rig_new(&config);
        const struct traffic_pair traffic = rig_traffic(PAIR_A, 0);
        prevented = 0;
        translate_init = nat == 1;
        rig->tap = look_at_init;
        rig->pair->sides[PAIR_B].ticket = TICKET;
        assert_int_equal(pair_initiate_profile(rig->pair, PAIR_A, TICKET, PROFILE, &traffic), ERR_OK);
        rig_run(rig, 100);
        assert_int_equal(prevented, nat ? 1 : 2);
        assert_int_equal(rig->pair->sides[PAIR_A].up, nat ? 0 : 1);
        assert_int_equal(rig->pair->sides[PAIR_B].ike->v2.all_count, nat ? 0 : 1);
        rig_free(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forged_source),    cmocka_unit_test(test_replayed),
        cmocka_unit_test(test_copied),           cmocka_unit_test(test_mismatch),
        cmocka_unit_test(test_clear),            cmocka_unit_test(test_bombing),
        cmocka_unit_test(test_not_owned),        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_cookie_lengths),   cmocka_unit_test(test_unpredictable),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_wrong_payloads),
        cmocka_unit_test(test_not_agreed),       cmocka_unit_test(test_unknown_accepted),
        cmocka_unit_test(test_known),            cmocka_unit_test(test_unknown_nat),
        cmocka_unit_test(test_stable),           cmocka_unit_test(test_prevention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
