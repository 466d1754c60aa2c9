/*
 * Datagrams larger than a tunnel carries: cut, or answered with an ICMP error; and what is learnt
 * of paths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "esp/esp.h"
#include "plane/path_mtu.h"
#include "plane_rig.h"
#include "wire/ip.h"

struct path {
    struct rig *rig;
    struct ip_pair flow, gateways;
    struct sa_params sa;
    uint32_t inner_mtu;
};

static uint32_t inner_mtu_of(const struct sa_params *params, uint32_t mtu)
{
    struct esp_sa *sa;
    assert_int_equal(esp_sa_new(params, &sa), ERR_OK);
    uint32_t inner = esp_inner_mtu(sa, mtu);
    esp_sa_free(sa);
    return inner;
}

static struct path path_open(bool v6_inside, bool v6_outside, uint8_t interface)
{
    static const struct plane_config plain = {.hold_failure = PFKEY_VERDICT_DENY};
    struct plane_config config = plain;
    config.icmp_v4 = rig_addr("192.1.1.4");
    config.icmp_v6 = rig_addr("fd00::4");
    struct path p = {.rig = rig_new(&config)};
    p.flow = v6_inside ? rig_pair("fd01::65", "fd02::66") : rig_pair("192.1.0.65", "192.2.0.66");
    p.gateways = v6_outside ? rig_pair("fd00::4", "fd00::5") : rig_pair("192.1.1.4", "192.1.1.5");
    p.sa = rig_sa(0x1000, &p.flow, &p.gateways);
    p.sa.interface = interface;
    p.inner_mtu = inner_mtu_of(&p.sa, 1500);
    assert_in_range(p.inner_mtu, 1380, 1460);
    assert_int_equal(rig_install(p.rig, PFKEY_ADD, &p.sa).error, 0);
    assert_int_equal(rig_policy(p.rig, &p.flow, PFKEY_VERDICT_ENCRYPT, &p.sa, 1).error, 0);
    rig_clear(p.rig);
    return p;
}

static void send(const struct path *p, uint32_t len, bool dont_fragment)
{
    struct rig_datagram d = {
        .flow = p->flow, .len = len, .mark = 7, .dont_fragment = dont_fragment};
    rig_send(p->rig, &d);
}

static uint32_t outer_len(const struct path *p, size_t out)
{
    return p->rig->outs[out].len + (p->gateways.src.family == IP_V4 ? 20 : 40);
}

/* One octet more than fits is too much, and nothing that is sent is larger than the path. */
static void the_boundary_is_exact(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct path p = path_open(i & 1, i & 2, SA_OPPORTUNISTIC);
        send(&p, p.inner_mtu, true);
        assert_int_equal(p.rig->out_count, 1);
        assert_int_equal(p.rig->outs[0].kind, PLANE_OUT_ESP);
        assert_in_range(outer_len(&p, 0), 1490, 1500);
        send(&p, p.inner_mtu + 1, true);
        assert_int_equal(p.rig->out_count, 2);
        assert_int_equal(p.rig->outs[1].kind, PLANE_OUT_OE);
        assert_int_equal(rig_counter(p.rig, "drop_too_big"), 1);
        rig_free(p.rig);
    }
}

static void the_source_is_told_what_fits(void **state)
{
    (void)state;
    struct path p = path_open(false, false, SA_CONFIGURED);
    send(&p, 1500, true);
    struct rig_out *out = &p.rig->outs[0];
    assert_int_equal(out->kind, PLANE_OUT_VPN);
    struct ip_header header;
    assert_int_equal(ip_header_parse(view_of(out->octets, out->len), &header), ERR_OK);
    assert_true(ip_addr_equal(&header.dst, &p.flow.src));
    struct ip_addr own = rig_addr("192.1.1.4");
    assert_true(ip_addr_equal(&header.src, &own));
    assert_int_equal(out->octets[20], 3);
    assert_int_equal(out->octets[21], 4);
    assert_int_equal(out->octets[26] << 8 | out->octets[27], p.inner_mtu);
    send(&p, 1500, true);
    assert_int_equal(p.rig->out_count, 1); /* not every time */
    rig_advance(p.rig, 1000);
    send(&p, 1500, true);
    assert_int_equal(p.rig->out_count, 2);
    assert_int_equal(rig_counter(p.rig, "icmp_too_big"), 2);
    rig_free(p.rig);

    p = path_open(true, false, SA_OPPORTUNISTIC);
    send(&p, 1500, false);
    out = &p.rig->outs[0];
    assert_int_equal(out->kind, PLANE_OUT_OE);
    assert_int_equal(out->octets[40], 2);
    assert_int_equal(out->octets[46] << 8 | out->octets[47], p.inner_mtu);
    rig_free(p.rig);
}

/* Without DF the datagram is cut, and its parts are datagrams of the same flow. */
static void ipv4_without_df_is_cut(void **state)
{
    (void)state;
    static const uint32_t lens[] = {1500, 3000, 20000, 65535};
    for (size_t i = 0; i < 4; i++) {
        struct path p = path_open(false, i & 1, SA_OPPORTUNISTIC);
        struct rig *b = rig_new(&(struct plane_config){.hold_failure = PFKEY_VERDICT_DENY});
        struct sa_params in = p.sa;
        in.inbound = true;
        assert_int_equal(rig_install(b, PFKEY_ADD, &in).error, 0);
        send(&p, lens[i], false);
        assert_int_equal(rig_counter(p.rig, "out_fragmented"), 1);
        for (size_t o = 0; o < p.rig->out_count; o++)
            assert_true(outer_len(&p, o) <= 1500);
        rig_carry(p.rig, b);
        uint32_t payload = 0;
        for (size_t o = 0; o < b->out_count; o++) {
            struct ip_header header;
            struct view v = view_of(b->outs[o].octets, b->outs[o].len);
            assert_int_equal(ip_header_parse(v, &header), ERR_OK);
            assert_int_equal(header.fragment_at, payload);
            assert_int_equal(header.more_fragments, o + 1 < b->out_count);
            assert_int_equal(header.id, 7);
            assert_int_equal(v.ptr[v.len - 1], 7);
            payload += header.total_len - header.header_len;
        }
        assert_int_equal(payload, lens[i] - 20);
        rig_free(b);
        rig_free(p.rig);
    }
}

/* RFC 8201, RFC 1191: learnt, never below what every link carries, forgotten after ten minutes. */
static void a_path_is_learnt_and_forgotten(void **state)
{
    (void)state;
    struct path p = path_open(false, false, SA_OPPORTUNISTIC);
    uint32_t less = inner_mtu_of(&p.sa, 1300);
    struct ip_addr elsewhere = rig_addr("192.1.1.6");
    plane_path_mtu(p.rig->plane, &elsewhere, 600);
    send(&p, p.inner_mtu, true);
    assert_int_equal(p.rig->outs[0].kind, PLANE_OUT_ESP);
    plane_path_mtu(p.rig->plane, &p.gateways.dst, 1300);
    plane_path_mtu(p.rig->plane, &p.gateways.dst, 1400); /* a forged raise */
    send(&p, less + 1, true);
    assert_int_equal(p.rig->outs[1].kind, PLANE_OUT_OE);
    send(&p, less, true);
    assert_int_equal(p.rig->outs[2].kind, PLANE_OUT_ESP);
    assert_in_range(outer_len(&p, 2), 1290, 1300);
    rig_advance(p.rig, 10 * 60 * 1000);
    send(&p, p.inner_mtu, true);
    assert_int_equal(p.rig->outs[3].kind, PLANE_OUT_ESP);
    assert_true(mono_is_never(plane_next_deadline(p.rig->plane)));
    plane_path_mtu(p.rig->plane, &p.gateways.dst, 1); /* forged */
    send(&p, inner_mtu_of(&p.sa, 576), true);
    assert_int_equal(p.rig->outs[4].kind, PLANE_OUT_ESP);
    rig_free(p.rig);
}

/* RFC 2473 section 7.1: what IPv6 may always send passes, the outer datagram in fragments. */
static void ipv6_inside_keeps_1280(void **state)
{
    (void)state;
    struct path p = path_open(true, false, SA_OPPORTUNISTIC);
    plane_path_mtu(p.rig->plane, &p.gateways.dst, 1000);
    send(&p, 1280, false);
    assert_int_equal(p.rig->outs[0].kind, PLANE_OUT_ESP);
    assert_true(outer_len(&p, 0) > 1000);
    assert_false(p.rig->outs[0].outer.dont_fragment);
    send(&p, 1281, false);
    assert_int_equal(p.rig->outs[1].kind, PLANE_OUT_OE);
    assert_int_equal(p.rig->outs[1].octets[46] << 8 | p.rig->outs[1].octets[47], 1280);
    rig_free(p.rig);
}

static void fill_zero(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    memset(ret, 1, len);
}

static void the_table_of_paths_is_bounded(void **state)
{
    (void)state;
    struct path_mtus mtus;
    struct rng rng = {fill_zero, NULL};
    path_mtus_init(&mtus, 1500, &rng);
    struct ip_addr v6 = rig_addr("fd00::1"), first = ip_addr_v4(0x0a000000);
    uint32_t generation = mtus.generation;
    path_mtu_learn(&mtus, (mono_t){0}, &first, 1500);
    assert_int_equal(mtus.generation, generation);
    for (uint32_t i = 0; i < 3000; i++) {
        struct ip_addr dst = ip_addr_v4(0x0a000000 + i);
        path_mtu_learn(&mtus, (mono_t){i}, &dst, 1000);
        assert_int_equal(path_mtu_get(&mtus, &dst), 1000);
    }
    assert_int_equal(mtus.by_dst.count, 1024);
    assert_int_equal(path_mtu_get(&mtus, &first), 1500);
    path_mtu_learn(&mtus, (mono_t){5000}, &v6, 100);
    assert_int_equal(path_mtu_get(&mtus, &v6), 1280);
    path_mtus_timer(&mtus, (mono_t){2999 + 600000});
    assert_int_equal(mtus.by_dst.count, 1);
    path_mtus_fini(&mtus);
}

/* RFC 9329 section 3: a packet goes into one segment, with its length in front and the usual time stamps. */
static void through_tcp_it_fits_a_segment(void **state)
{
    (void)state;
    struct path p = path_open(false, false, SA_CONFIGURED);
    struct sa_params tcp = p.sa;
    tcp.udp_src = tcp.udp_dst = 4500;
    uint32_t udp = inner_mtu_of(&tcp, 1500);
    tcp.stream = 7;
    assert_in_range(inner_mtu_of(&tcp, 1500), udp - 28, udp - 24); /* 34 octets instead of 8, in units of 4 */
    assert_int_equal(inner_mtu_of(&tcp, 60), 0);
    rig_free(p.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(through_tcp_it_fits_a_segment),
        cmocka_unit_test(the_boundary_is_exact),  cmocka_unit_test(the_source_is_told_what_fits),
        cmocka_unit_test(ipv4_without_df_is_cut), cmocka_unit_test(a_path_is_learnt_and_forgotten),
        cmocka_unit_test(ipv6_inside_keeps_1280), cmocka_unit_test(the_table_of_paths_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
