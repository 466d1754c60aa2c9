#include "plane_tunnel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct plane_config config = {.hold_failure = PFKEY_VERDICT_DENY};

struct pfkey_message tunnel_install_in(struct tunnel *t, uint64_t ticket)
{
    struct sa_params in = t->sa;
    in.inbound = true;
    in.ticket = ticket;
    return rig_install(t->b, PFKEY_UPDATE, &in);
}

struct tunnel tunnel_between(const char *src, const char *dst, const char *gw_a,
                             const char *gw_b)
{
    struct tunnel t = {.a = rig_new(&config), .b = rig_new(&config)};
    assert_non_null(t.a);
    assert_non_null(t.b);
    t.flow = rig_pair(src, dst);
    t.gateways = rig_pair(gw_a, gw_b);
    t.sa = rig_sa(rig_get_spi(t.b, &t.gateways).value, &t.flow, &t.gateways);
    return t;
}

void tunnel_open(struct tunnel *t)
{
    t->sa.ticket = 5;
    assert_int_equal(tunnel_install_in(t, 6).error, 0);
    assert_int_equal(rig_install(t->a, PFKEY_ADD, &t->sa).error, 0);
    assert_int_equal(rig_policy(t->a, &t->flow, PFKEY_VERDICT_ENCRYPT, &t->sa, 5).error, 0);
    rig_clear(t->a);
    rig_clear(t->b);
}

struct tunnel tunnel_v4(void)
{
    return tunnel_between("192.1.0.65", "192.2.0.66", "192.1.1.4", "192.1.1.5");
}

void tunnel_close(struct tunnel *t)
{
    rig_free(t->a);
    rig_free(t->b);
}

void tunnel_cross(struct tunnel *t, uint8_t mark)
{
    rig_send_mark(t->a, &t->flow, mark);
    assert_int_equal(t->a->out_count, 1);
    assert_int_equal(t->a->outs[0].kind, PLANE_OUT_ESP);
    assert_int_equal(rig_carry(t->a, t->b), 1);
    assert_int_equal(t->b->out_count, 1);
    assert_int_equal(t->b->outs[0].kind, PLANE_OUT_OE);
    assert_int_equal(rig_mark(t->b, 0), mark);
    assert_int_equal(t->b->outs[0].len, 60);
}
