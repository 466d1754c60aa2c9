#include "seeds.h"

#include "wire/addrmgmt.h"

enum { AN_UPDATE, A_NOTIFY, A_CHAIN }; /* the first octet, as fuzz_addrmgmt.c reads it */

static uint8_t room[1 + 512];

static struct ike2_writer start(void)
{
    struct ike2_writer w;
    ike2_writer_start_inner(&w, span_of(room + 1, sizeof(room) - 1));
    return w;
}

/* `skip`: the generic header, unless it is a chain. */
static void put(const struct seed_sink *sink, const char *name, uint8_t kind, struct ike2_writer *w)
{
    struct view text = ike2_writer_finish(w);
    size_t skip = kind == A_CHAIN ? 0 : 4;
    room[skip] = kind;
    seed_put(sink, name, view_of(room + skip, 1 + text.len - skip));
}

static void put_address(const struct seed_sink *sink, const char *name, const char *text, uint16_t op)
{
    struct addrmgmt_address a = {.operation = op};
    struct ike2_writer w = start();
    (void)ip_addr_parse(text, &a.addr);
    addrmgmt_address_put(&w, ADDRMGMT_N_PEER_ADDRESS_SOURCE, &a);
    put(sink, name, A_NOTIFY, &w);
}

static void put_update(const struct seed_sink *sink, const char *name,
                       const struct addrmgmt_update *update)
{
    struct ike2_writer w = start();
    addrmgmt_update_put(&w, update);
    put(sink, name, AN_UPDATE, &w);
}

static void put_cookie(const struct seed_sink *sink, const char *name, size_t len)
{
    static const uint8_t octets[80] = {1, 2, 3};
    struct ike2_writer w = start();
    ike2_writer_notify(&w, ADDRMGMT_N_RR_COOKIE, view_of(octets, len));
    put(sink, name, A_NOTIFY, &w);
}

void seeds_addrmgmt(const struct seed_sink *sink)
{
    static const uint8_t spis[] = {0, 0, 1, 0, 0, 0, 2, 0};
    put_address(sink, "mark-v4", "192.1.1.14", ADDRMGMT_MARK);
    put_address(sink, "add-v6", "2001:db8::14", ADDRMGMT_ADD);
    put_address(sink, "delete-v4", "192.1.1.4", ADDRMGMT_DELETE);
    put_address(sink, "no-operation", "192.1.1.4", 4);
    put_update(sink, "all", &(struct addrmgmt_update){.all = true});
    put_update(sink, "all-only", &(struct addrmgmt_update){.all = true, .only = true});
    put_update(sink, "all-with-spis",
               &(struct addrmgmt_update){.all = true, .count = 1, .spis = view_of(spis, 4)});
    put_update(sink, "esp", &(struct addrmgmt_update){.protocol = ADDRMGMT_ESP, .count = 2, .spis = view_of(spis, 8)});
    put_update(sink, "ah-short", &(struct addrmgmt_update){.protocol = ADDRMGMT_AH, .count = 3, .spis = view_of(spis, 8)});
    put_cookie(sink, "cookie-15", 15);
    put_cookie(sink, "cookie-16", 16);
    put_cookie(sink, "cookie-64", 64);
    put_cookie(sink, "cookie-65", 65);
    struct ike2_writer w = start();
    addrmgmt_update_put(&w, &(struct addrmgmt_update){.all = true});
    addrmgmt_vendor_put(&w);
    put(sink, "chain", A_CHAIN, &w);
}
