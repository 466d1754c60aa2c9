/*
 * The PPP link of an L2TP tunnel against a peer that is written out octet by octet: what is
 * acknowledged, refused and rejected (RFC 1661 section 5, RFC 1332, RFC 5072).
 */
#include "check.h"

#include <string.h>

#include "rsip/ppp.h"

enum { FRAMES = 64, ROOM = 300 };

static struct ppp link_;
static uint64_t seed;
static mono_t now;
static bool leased_v4, leased_v6;
static struct view sent[FRAMES];
static uint8_t rooms[FRAMES][ROOM];
static size_t count, seen;

static void send_frame(void *ctx, struct view frame)
{
    (void)ctx;
    assert_true(count < FRAMES && frame.len <= ROOM);
    memcpy(rooms[count], frame.ptr, frame.len);
    sent[count] = view_of(rooms[count], frame.len);
    count++;
}

static bool address(void *ctx, enum ip_family family, struct ip_addr *addr)
{
    (void)ctx;
    if (family == IP_V4)
        *addr = ip_addr_v4(0xcb00710a); /* 203.0.113.10 */
    return family == IP_V4 ? leased_v4 : leased_v6;
}

static void begin(bool gateway)
{
    const struct ip_addr none = {0};
    seed = 5;
    const struct ppp_env env = {.rng = check_rng(&seed), .send = send_frame, .address = address};
    now = (mono_t){1000};
    count = seen = 0;
    leased_v4 = true;
    leased_v6 = false;
    ppp_init(&link_, &env, gateway, &none);
    ppp_start(&link_, now);
}

/* A frame from the peer, in hex. */
static enum err hear(const char *text)
{
    uint8_t room[ROOM];
    struct view datagram;
    return ppp_input(&link_, now, check_hex(text, room), &datagram);
}

/* The next frame that we sent, and not yet looked at. */
static void says(const char *text)
{
    uint8_t room[ROOM];
    assert_true(seen < count);
    check_view(sent[seen++], check_hex(text, room));
}

static void is_silent(void)
{
    assert_int_equal(seen, count);
}

/* Our Configure-Request, with whatever it asks for, is acknowledged; returns its options. */
static struct view acknowledge(uint16_t protocol)
{
    uint8_t ack[ROOM];
    struct view request, datagram;
    assert_true(seen < count);
    request = sent[seen++];
    assert_int_equal(request.ptr[2] << 8 | request.ptr[3], protocol);
    assert_int_equal(request.ptr[4], 1);
    memcpy(ack, request.ptr, request.len);
    ack[4] = 2;
    assert_int_equal(ppp_input(&link_, now, view_of(ack, request.len), &datagram), ERR_OK);
    return view_of(request.ptr + 8, request.len - 8);
}

static void open_lcp(void)
{
    struct view options = acknowledge(0xc021);
    assert_true(options.len == 6 && options.ptr[0] == 5); /* a magic number */
    assert_int_equal(hear("ff03 c021 01 01 0004"), ERR_OK);
    says("ff03 c021 02 01 0004");
}

static void open_ipcp(void)
{
    open_lcp();
    acknowledge(0x8021);
    hear("ff03 8021 01 07 000a 0306 cb00710a");
    says("ff03 8021 02 07 000a 0306 cb00710a");
    assert_true(ppp_is_open(&link_, IP_V4));
}

static void test_lcp_options(void **state)
{
    (void)state;
    begin(true);
    seen = 1;
    /* MRU, ACCM, a magic number, and both compressions of the header */
    hear("ff03 c021 01 05 0018 01040578 020600000000 0506 12345678 0702 0802");
    says("ff03 c021 02 05 0018 01040578 020600000000 0506 12345678 0702 0802");
    assert_int_equal(link_.peer_mru, 1400);
    /* authentication, quality, multilink; and one of the wrong length */
    hear("ff03 c021 01 06 0013 0305c22305 1104 05dc 0704 0000 0702");
    assert_true(link_.peer_mru == PPP_MRU);
    says("ff03 c021 04 06 0011 0305c22305 1104 05dc 0704 0000");
    hear("ff03 c021 01 07 0008 0104 0010"); /* an MRU of 16 */
    says("ff03 c021 03 07 0008 0104 05dc");
    /* our own magic number: nobody knows whose it is */
    uint8_t echo[14];
    struct view datagram;
    memcpy(echo, sent[0].ptr, sizeof(echo));
    assert_int_equal(ppp_input(&link_, now, view_of(echo, sizeof(echo)), &datagram), ERR_OK);
    assert_true(count == seen + 1 && sent[seen].ptr[4] == 3);
    assert_true(memcmp(sent[seen].ptr + 10, echo + 10, 4) != 0);
}

/* Options whose lengths lie get no answer, and change nothing. */
static void test_malformed(void **state)
{
    static const char *const frames[] = {"",
                                         "ff",
                                         "ff03",
                                         "ff03 c0",
                                         "ff03 c021 01 05 0003",
                                         "ff03 c021 01 05 00ff 0506",
                                         "ff03 c021 01 05 0006 0500",
                                         "ff03 c021 01 05 0006 0501",
                                         "ff03 c021 01 05 0006 0507"};
    (void)state;
    begin(true);
    seen = 1;
    for (size_t i = 0; i < CHECK_COUNT(frames); i++)
        hear(frames[i]);
    is_silent();
    assert_int_equal(link_.control[PPP_LCP].state, PPP_REQ_SENT);
}

static void test_ipcp_gateway(void **state)
{
    (void)state;
    begin(true);
    open_lcp();
    assert_int_equal(acknowledge(0x8021).len, 0);
    hear("ff03 8021 01 01 000a 0306 00000000"); /* what may I have? */
    says("ff03 8021 03 01 000a 0306 cb00710a");
    hear("ff03 8021 01 02 000a 0306 cb00710b"); /* somebody else's */
    says("ff03 8021 03 02 000a 0306 cb00710a");
    hear("ff03 8021 01 03 0010 0206 002d0f01 0306 cb00710a"); /* header compression */
    says("ff03 8021 04 03 000a 0206 002d0f01");
    assert_false(ppp_is_open(&link_, IP_V4));
    hear("ff03 8021 01 04 000a 0306 cb00710a");
    says("ff03 8021 02 04 000a 0306 cb00710a");
    assert_true(ppp_is_open(&link_, IP_V4) && !ppp_is_open(&link_, IP_V6));
    is_silent();
    /* who never listens is not told for ever */
    begin(true);
    open_lcp();
    seen = count;
    for (unsigned i = 0; i < 20; i++)
        hear("ff03 8021 01 01 000a 0306 01020304");
    assert_int_equal(link_.control[PPP_IPCP].state, PPP_CLOSED);
    assert_int_equal(sent[count - 1].ptr[4], 8); /* Protocol-Reject */
}

static void test_ipcp_host(void **state)
{
    (void)state;
    begin(false);
    open_lcp();
    struct view options = acknowledge(0x8021);
    uint8_t room[16];
    check_view(options, check_hex("0306 cb00710a", room));
    hear("ff03 8021 01 01 000a 0306 00000000"); /* the gateway asks us: we have none to give */
    says("ff03 8021 04 01 000a 0306 00000000");
    hear("ff03 8021 01 02 000a 0306 0a000001");
    says("ff03 8021 02 02 000a 0306 0a000001");
    assert_true(ppp_is_open(&link_, IP_V4));
    /* it would have us take another address than the lease: we ask for ours, and give up in time */
    begin(false);
    open_lcp();
    for (unsigned i = 0; i < 30; i++) {
        uint8_t nak[] = {0xff, 3, 0x80, 0x21, 3, link_.control[PPP_IPCP].id, 0, 10, 3,
                         6,    1, 2,    3,    4};
        struct view datagram;
        (void)ppp_input(&link_, now, view_of(nak, sizeof(nak)), &datagram);
    }
    assert_int_equal(link_.control[PPP_IPCP].state, PPP_CLOSED);
    assert_true(count < 20);
}

static void test_ipv6cp(void **state)
{
    (void)state;
    begin(true);
    leased_v4 = false;
    leased_v6 = true;
    open_lcp();
    struct view options = acknowledge(0x8057);
    assert_true(options.len == 10 && options.ptr[0] == 1);
    hear("ff03 8057 01 01 000e 010a 0000000000000000");
    assert_true(sent[seen].ptr[4] == 3 && memcmp(sent[seen].ptr + 10, options.ptr + 2, 8) != 0);
    seen++;
    hear("ff03 8057 01 02 000e 010a 0102030405060708");
    says("ff03 8057 02 02 000e 010a 0102030405060708");
    assert_true(ppp_is_open(&link_, IP_V6) && !ppp_is_open(&link_, IP_V4));
    /* IPv4 isn't leased: neither its control protocol nor its datagrams are for us */
    assert_int_equal(hear("ff03 8021 01 01 0004"), ERR_UNSUPPORTED);
    says("ff03 c021 08 01 000a 8021 01010004");
    assert_int_equal(hear("ff03 0021 45"), ERR_UNEXPECTED);
    assert_int_equal(hear("ff03 0057 45"), ERR_SYNTAX); /* a version that is not its protocol's */
    is_silent();
}

static void test_datagrams(void **state)
{
    uint8_t room[ROOM], want[ROOM];
    struct view datagram;
    (void)state;
    begin(true);
    assert_int_equal(hear("ff03 0021 45"), ERR_UNEXPECTED); /* before the link stands */
    open_ipcp();
    static const char *const forms[] = {"ff03 0021 4512", "0021 4512", "ff03 21 4512", "21 4512"};
    for (size_t i = 0; i < CHECK_COUNT(forms); i++) {
        assert_int_equal(ppp_input(&link_, now, check_hex(forms[i], room), &datagram), ERR_OK);
        check_view(datagram, check_hex("4512", want));
    }
    hear("ff03 c021 09 21 0008 00000000");
    assert_true(sent[seen].ptr[4] == 10 && sent[seen].ptr[5] == 0x21);
    seen++;
    hear("ff03 80fd 01 01 0004"); /* compression: not here */
    says("ff03 c021 08 01 000a 80fd 01010004");
    hear("ff03 c021 7f 33 0004");
    says("ff03 c021 07 02 0008 7f330004");
    hear("ff03 8021 05 09 0004"); /* IPCP ends, the link doesn't */
    says("ff03 8021 06 09 0004");
    assert_true(!ppp_is_open(&link_, IP_V4) && !ppp_is_dead(&link_));
    hear("ff03 c021 05 0a 0004");
    says("ff03 c021 06 0a 0004");
    assert_true(ppp_is_dead(&link_));
    assert_int_equal(hear("ff03 c021 01 05 0004"), ERR_UNEXPECTED);
    is_silent();
}

/* The peer begins anew in the middle; and a peer that isn't there. */
static void test_again_and_never(void **state)
{
    (void)state;
    begin(true);
    open_ipcp();
    hear("ff03 c021 01 44 0004");
    assert_false(ppp_is_open(&link_, IP_V4));
    acknowledge(0xc021);
    says("ff03 c021 02 44 0004");
    acknowledge(0x8021);
    hear("ff03 8021 01 45 0004");
    says("ff03 8021 02 45 0004");
    assert_true(ppp_is_open(&link_, IP_V4));
    assert_true(mono_is_never(ppp_next_deadline(&link_)));

    begin(true);
    for (unsigned i = 0; i < 100 && !mono_is_never(ppp_next_deadline(&link_)); i++) {
        now = ppp_next_deadline(&link_);
        ppp_timer(&link_, now);
    }
    assert_true(ppp_is_dead(&link_));
    assert_int_equal(count, 10); /* Max-Configure */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lcp_options),     cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_ipcp_gateway),    cmocka_unit_test(test_ipcp_host),
        cmocka_unit_test(test_ipv6cp),          cmocka_unit_test(test_datagrams),
        cmocka_unit_test(test_again_and_never),
    };
    return cmocka_run_group_tests_name("ppp", tests, NULL, NULL);
}
