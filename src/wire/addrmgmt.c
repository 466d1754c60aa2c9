#include "wire/addrmgmt.h"

enum {
    FAMILY_V4 = 1, /* ADR-057: IANA's address family numbers */
    FAMILY_V6 = 2,
    ALL = 0x80,
    ONLY = 0x40,
    PROTOCOL_MASK = 0x3f,
    SPI_LEN = 4,
    CRITICAL = 0x80,
};

/* Notifications */

/* ADR-055, ADR-091, ADR-095 */
enum err addrmgmt_notify_check(const struct ike2_notify *n)
{
    return n->protocol == 0 && n->spi.len == 0 ? ERR_OK : ERR_VALUE;
}

/* ADR-054, ADR-057, ADR-058, ADR-059, ADR-064: family and operation have two octets each. */
enum err addrmgmt_address_parse(const struct ike2_notify *n, struct addrmgmt_address *ret)
{
    struct cursor cur = cursor_of(n->data);
    uint16_t family = cursor_u16(&cur);
    struct addrmgmt_address a = {.operation = cursor_u16(&cur)};
    if (addrmgmt_notify_check(n) != ERR_OK)
        return ERR_VALUE;
    if (cur.bad)
        return ERR_SHORT;
    if ((family != FAMILY_V4 && family != FAMILY_V6) ||
        addrmgmt_operation_name(a.operation) == NULL)
        return ERR_VALUE;
    struct view octets = cursor_take(&cur, family == FAMILY_V4 ? 4 : 16);
    if (cur.bad)
        return ERR_SHORT;
    if (!cursor_done(&cur))
        return ERR_TRAILING;
    a.addr = ip_addr_from(octets);
    *ret = a;
    return ERR_OK;
}

/* ADR-065: without the critical bit, as any notify. */
void addrmgmt_address_put(struct ike2_writer *w, uint16_t type, const struct addrmgmt_address *a)
{
    uint8_t room[4 + 16];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    builder_u16(&b, a->addr.family == IP_V4 ? FAMILY_V4 : FAMILY_V6);
    builder_u16(&b, a->operation);
    builder_view(&b, ip_addr_view(&a->addr));
    ike2_writer_notify(w, type, builder_written(&b));
}

/* ADR-096 */
enum err addrmgmt_cookie_parse(const struct ike2_notify *n, struct view *ret)
{
    if (addrmgmt_notify_check(n) != ERR_OK || n->data.len < ADDRMGMT_COOKIE_MIN ||
        n->data.len > ADDRMGMT_COOKIE_MAX)
        return ERR_VALUE;
    *ret = n->data;
    return ERR_OK;
}

/* Update */

/* ADR-066, ADR-068, ADR-069, ADR-073, ADR-077: one protocol a payload, and which fields go together. */
static bool update_valid(const struct addrmgmt_update *u, uint8_t spi_len)
{
    switch (u->protocol) {
    case ADDRMGMT_IKE:
        return spi_len == 0 && u->count == 0;
    case ADDRMGMT_ESP:
    case ADDRMGMT_AH:
        return !u->all && spi_len == SPI_LEN;
    default:
        return false;
    }
}

/* ADR-072, ADR-078, ADR-079 */
enum err addrmgmt_update_parse(struct view body, struct addrmgmt_update *ret)
{
    struct cursor cur = cursor_of(body);
    uint8_t first = cursor_u8(&cur), spi_len = cursor_u8(&cur);
    struct addrmgmt_update u = {.all = (first & ALL) != 0,
                                .only = (first & ONLY) != 0,
                                .protocol = first & PROTOCOL_MASK,
                                .count = cursor_u16(&cur)};
    if (cur.bad)
        return ERR_SHORT;
    if (!update_valid(&u, spi_len))
        return ERR_VALUE;
    u.spis = cursor_take(&cur, (size_t)u.count * spi_len);
    if (cur.bad)
        return ERR_SHORT;
    if (!cursor_done(&cur))
        return ERR_TRAILING;
    *ret = u;
    return ERR_OK;
}

void addrmgmt_update_put(struct ike2_writer *w, const struct addrmgmt_update *u)
{
    ike2_writer_open(w, ADDRMGMT_P_UPDATE);
    builder_patch_u8(&w->b, w->payload + 1, CRITICAL); /* ADR-071 */
    builder_u8(&w->b, (uint8_t)((u->all ? ALL : 0) | (u->only ? ONLY : 0) | u->protocol));
    builder_u8(&w->b, u->protocol == ADDRMGMT_IKE ? 0 : SPI_LEN);
    builder_u16(&w->b, u->count);
    builder_view(&w->b, u->spis);
    ike2_writer_close(w);
}

/* Names */

const char *addrmgmt_notify_name(uint16_t type)
{
    switch (type) {
    case ADDRMGMT_N_ADDRESS_REFUSED:
        return "ADDRESS_REFUSED";
    case ADDRMGMT_N_PEER_ADDRESS_SOURCE:
        return "PEER_ADDRESS_SOURCE";
    case ADDRMGMT_N_PEER_ADDRESS_DESTINATION:
        return "PEER_ADDRESS_DESTINATION";
    case ADDRMGMT_N_NAT_PREVENTION:
        return "NAT_PREVENTION";
    case ADDRMGMT_N_RR_COOKIE:
        return "RR_COOKIE";
    default:
        return NULL;
    }
}

const char *addrmgmt_operation_name(uint16_t operation)
{
    static const char *const names[] = {
        [ADDRMGMT_MARK] = "MARK", [ADDRMGMT_ADD] = "ADD", [ADDRMGMT_DELETE] = "DELETE"};
    return operation < sizeof(names) / sizeof(names[0]) ? names[operation] : NULL;
}

/* ADR-032 */
void addrmgmt_vendor_put(struct ike2_writer *w)
{
    ike2_writer_payload(w, IKE2_P_VID, view_of_text(ADDRMGMT_VENDOR));
}

bool addrmgmt_vendor_shown(const struct ike2_payloads *payloads)
{
    const struct ike2_payload *payload;
    for (size_t i = 0; (payload = ike2_payload_find(payloads, IKE2_P_VID, i)) != NULL; i++)
        if (view_equal(payload->body, view_of_text(ADDRMGMT_VENDOR)))
            return true;
    return false;
}
