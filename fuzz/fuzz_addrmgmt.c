/* Notifies and payloads of the address management draft. The first octet says which. */
#include "fuzz.h"

#include "wire/addrmgmt.h"

static uint8_t room[70000];

/* The payload that the writer made, without its generic header. */
static struct view body_of(const struct ike2_writer *w)
{
    struct view payload = builder_written(&w->b);
    assert(payload.len >= 4);
    return view_of(payload.ptr + 4, payload.len - 4);
}

static void try_update(struct view body)
{
    struct addrmgmt_update update, again;
    struct ike2_writer w;
    if (addrmgmt_update_parse(body, &update) != ERR_OK || body.len > UINT16_MAX - 4)
        return;
    ike2_writer_start_inner(&w, span_of(room, sizeof(room)));
    addrmgmt_update_put(&w, &update);
    assert(view_equal(body_of(&w), body));
    assert(addrmgmt_update_parse(body_of(&w), &again) == ERR_OK && again.count == update.count);
}

static void try_notify(struct view body)
{
    struct addrmgmt_address address;
    struct ike2_notify n;
    struct ike2_writer w;
    struct view cookie;
    if (ike2_notify_parse(body, &n) != ERR_OK)
        return;
    if (addrmgmt_cookie_parse(&n, &cookie) == ERR_OK)
        assert(cookie.len >= ADDRMGMT_COOKIE_MIN && cookie.len <= ADDRMGMT_COOKIE_MAX);
    if (addrmgmt_address_parse(&n, &address) != ERR_OK)
        return;
    assert(addrmgmt_operation_name(address.operation) != NULL);
    ike2_writer_start_inner(&w, span_of(room, sizeof(room)));
    addrmgmt_address_put(&w, n.type, &address);
    assert(view_equal(body_of(&w), body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ike2_payloads payloads;
    uint8_t critical;
    if (len == 0)
        return 0;
    struct view body = view_of(data + 1, len - 1);
    switch (data[0] % 3) {
    case 0:
        try_update(body);
        break;
    case 1:
        try_notify(body);
        break;
    default:
        if (ike2_payloads_parse_with(ADDRMGMT_P_UPDATE, body, ADDRMGMT_P_UPDATE, &payloads,
                                     &critical) == ERR_OK) {
            assert(payloads.count >= 1);
            (void)addrmgmt_vendor_shown(&payloads);
        }
    }
    return 0;
}
