/* The payloads and notifies of draft-dupont-ikev2-addrmgmt-06: octet by octet, there and back, and what is
 * not allowed. */
#include "check.h"

#include "wire/addrmgmt.h"

static uint8_t room[1024];

static struct ip_addr addr(const char *text)
{
    struct ip_addr ret;
    assert_true(ip_addr_parse(text, &ret));
    return ret;
}

static struct ike2_notify notify_of(struct view payload)
{
    struct ike2_notify n;
    assert_int_equal(ike2_notify_parse(view_of(payload.ptr + 4, payload.len - 4), &n), ERR_OK);
    return n;
}

/* ADR-054, ADR-055, ADR-056, ADR-057, ADR-058, ADR-059, ADR-063, ADR-064, ADR-065 */
static void test_address(void **state)
{
    static const uint8_t v4[] = {0, 0, 0, 16, 0, 0, 0xa0, 0, 0, 1, 0, 2, 192, 1, 1, 14};
    const char *const texts[] = {"192.1.1.14", "2001:db8::14"};
    struct addrmgmt_address back;
    struct ike2_writer w;
    (void)state;
    for (uint16_t op = ADDRMGMT_MARK; op <= ADDRMGMT_DELETE; op++) {
        for (size_t i = 0; i < 2; i++) {
            const struct addrmgmt_address a = {op, addr(texts[i])};
            ike2_writer_start_inner(&w, span_of(room, sizeof(room)));
            addrmgmt_address_put(&w, ADDRMGMT_N_PEER_ADDRESS_SOURCE, &a);
            struct view payload = ike2_writer_finish(&w);
            assert_int_equal(payload.len, i == 0 ? 16 : 28);
            if (i == 0 && op == ADDRMGMT_ADD)
                assert_memory_equal(payload.ptr, v4, sizeof(v4));
            const struct ike2_notify n = notify_of(payload);
            assert_int_equal(addrmgmt_address_parse(&n, &back), ERR_OK);
            assert_int_equal(back.operation, op);
            assert_true(ip_addr_equal(&back.addr, &a.addr));
        }
    }
    assert_int_equal(ADDRMGMT_N_PEER_ADDRESS_DESTINATION, 0xa001); /* ADR-056 */
}

/* ADR-055, ADR-057, ADR-058, ADR-059 */
static void test_address_wrong(void **state)
{
    static const struct {
        size_t len;
        uint8_t data[24];
        enum err err;
    } wrong[] = {
        {8, {0, 1, 0, 0, 192, 1, 1, 1}, ERR_VALUE}, /* operations */
        {8, {0, 1, 0, 4, 192, 1, 1, 1}, ERR_VALUE},
        {8, {0, 1, 1, 1, 192, 1, 1, 1}, ERR_VALUE},
        {8, {0, 0, 0, 1, 192, 1, 1, 1}, ERR_VALUE}, /* families */
        {8, {0, 3, 0, 1, 192, 1, 1, 1}, ERR_VALUE},
        {8, {1, 1, 0, 1, 192, 1, 1, 1}, ERR_VALUE},
        {7, {0, 1, 0, 1, 192, 1, 1}, ERR_SHORT},
        {9, {0, 1, 0, 1, 192, 1, 1, 1, 1}, ERR_TRAILING},
        {8, {0, 2, 0, 1, 192, 1, 1, 1}, ERR_SHORT},
        {21, {0, 2, 0, 1}, ERR_TRAILING},
        {3, {0, 1, 0}, ERR_SHORT},
        {0, {0}, ERR_SHORT},
    };
    struct addrmgmt_address back = {.operation = 77};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const struct ike2_notify n = {.data = view_of(wrong[i].data, wrong[i].len)};
        assert_int_equal(addrmgmt_address_parse(&n, &back), wrong[i].err);
    }
    static const uint8_t good[] = {0, 1, 0, 1, 192, 1, 1, 1};
    const struct ike2_notify protocol = {.protocol = 1, .data = view_of(good, 8)};
    const struct ike2_notify spi = {.spi = view_of(good, 4), .data = view_of(good, 8)};
    assert_int_equal(addrmgmt_address_parse(&protocol, &back), ERR_VALUE);
    assert_int_equal(addrmgmt_address_parse(&spi, &back), ERR_VALUE);
    assert_int_equal(back.operation, 77);
}

/* ADR-066, ADR-068, ADR-069, ADR-070, ADR-071, ADR-072, ADR-073, ADR-077, ADR-078, ADR-079, ADR-087 */
static void test_update(void **state)
{
    static const uint8_t spis[] = {0, 0, 1, 0, 0, 0, 2, 0};
    static const uint8_t esp[] = {0, 0x80, 0, 16, 0x41, 4, 0, 2, 0, 0, 1, 0, 0, 0, 2, 0};
    static const uint8_t all[] = {0, 0x80, 0, 8, 0x80, 0, 0, 0};
    const struct addrmgmt_update updates[] = {
        {.only = true, .protocol = ADDRMGMT_ESP, .count = 2, .spis = view_of(spis, 8)},
        {.all = true},
        {.protocol = ADDRMGMT_IKE},
        {.protocol = ADDRMGMT_AH, .count = 1, .spis = view_of(spis, 4)},
        {.all = true, .only = true},
    };
    struct addrmgmt_update back;
    struct ike2_writer w;
    (void)state;
    for (size_t i = 0; i < sizeof(updates) / sizeof(updates[0]); i++) {
        const struct addrmgmt_update *u = &updates[i];
        ike2_writer_start_inner(&w, span_of(room, sizeof(room)));
        addrmgmt_update_put(&w, u);
        struct view payload = ike2_writer_finish(&w);
        assert_int_equal(w.first_inner, 128);
        if (i < 2)
            assert_memory_equal(payload.ptr, i == 0 ? esp : all, payload.len);
        assert_int_equal(payload.len, 8 + u->spis.len);
        assert_int_equal(addrmgmt_update_parse(view_of(payload.ptr + 4, payload.len - 4), &back),
                         ERR_OK);
        assert_true(back.all == u->all && back.only == u->only && back.protocol == u->protocol &&
                    back.count == u->count && view_equal(back.spis, u->spis));
    }
}

static void test_update_wrong(void **state)
{
    static const struct {
        size_t len;
        uint8_t body[16];
        enum err err;
    } wrong[] = {
        {4, {0x81, 0, 0, 0}, ERR_VALUE},                /* all, and of ESP */
        {8, {0x81, 4, 0, 1, 0, 0, 1, 0}, ERR_VALUE},    /* all, and an SPI (ADR-073) */
        {8, {0x80, 4, 0, 1, 0, 0, 1, 0}, ERR_VALUE},
        {4, {0, 4, 0, 0}, ERR_VALUE},                   /* an SPI size for IKE (ADR-077) */
        {4, {0, 0, 0, 1}, ERR_VALUE},
        {4, {1, 0, 0, 0}, ERR_VALUE},                   /* none for ESP */
        {11, {1, 8, 0, 1, 1, 2, 3, 4, 5, 6, 7}, ERR_VALUE},
        {8, {3, 4, 0, 1, 0, 0, 1, 0}, ERR_VALUE},       /* ESP by RFC 7296 (ADR-070) */
        {8, {1, 4, 0, 2, 0, 0, 1, 0}, ERR_SHORT},
        {9, {1, 4, 0, 1, 0, 0, 1, 0, 9}, ERR_TRAILING}, /* ADR-078 */
        {3, {0, 0, 0}, ERR_SHORT},
    };
    struct addrmgmt_update back = {.count = 77};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(addrmgmt_update_parse(view_of(wrong[i].body, wrong[i].len), &back),
                         wrong[i].err);
    assert_int_equal(back.count, 77);
}

/* ADR-095, ADR-096 */
static void test_cookie(void **state)
{
    static const uint8_t octets[80];
    struct view back;
    (void)state;
    for (size_t len = 0; len <= sizeof(octets); len++) {
        const struct ike2_notify n = {.type = ADDRMGMT_N_RR_COOKIE, .data = view_of(octets, len)};
        assert_int_equal(addrmgmt_cookie_parse(&n, &back),
                         len >= 16 && len <= 64 ? ERR_OK : ERR_VALUE);
    }
    const struct ike2_notify spi = {.spi = view_of(octets, 4), .data = view_of(octets, 16)};
    assert_int_equal(addrmgmt_cookie_parse(&spi, &back), ERR_VALUE);
}

/* ADR-032, ADR-071: the payload is known to those who agreed on it; to others it is critical. */
static void test_agreed(void **state)
{
    struct ike2_payloads all;
    struct ike2_writer w;
    uint8_t critical = 0;
    (void)state;
    ike2_writer_start_inner(&w, span_of(room, sizeof(room)));
    addrmgmt_vendor_put(&w);
    addrmgmt_update_put(&w, &(struct addrmgmt_update){.all = true});
    struct view text = ike2_writer_finish(&w);
    assert_int_equal(ike2_payloads_parse(w.first_inner, text, &all, &critical), ERR_UNSUPPORTED);
    assert_int_equal(critical, ADDRMGMT_P_UPDATE);
    assert_int_equal(
        ike2_payloads_parse_with(w.first_inner, text, ADDRMGMT_P_UPDATE, &all, &critical), ERR_OK);
    assert_int_equal(ike2_payload_count(&all, ADDRMGMT_P_UPDATE), 1);
    assert_true(addrmgmt_vendor_shown(&all));
    all.list[0].body.len--;
    assert_false(addrmgmt_vendor_shown(&all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address), cmocka_unit_test(test_address_wrong),
        cmocka_unit_test(test_update),  cmocka_unit_test(test_update_wrong),
        cmocka_unit_test(test_cookie),  cmocka_unit_test(test_agreed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
