/* ISAKMP: header, payload chain and every body that is parsed, as one datagram. */
#include "fuzz.h"

#include "wire/isakmp.h"

static struct isakmp_sa sa, sa_again; /* large */
static uint8_t room[1 << 18];

static bool same(struct view a, const struct builder *b)
{
    return view_equal(a, builder_written(b));
}

/* Reserved fields are read over and written as zero, so compare what two builds yield. */
static void fuzz_sa(struct view body)
{
    if (isakmp_sa_parse(body, &sa) != ERR_OK)
        return;
    struct builder first = builder_on(span_of(room, sizeof(room) / 2));
    isakmp_sa_build(&first, &sa);
    assert(!first.bad && first.len <= body.len);
    assert(isakmp_sa_parse(builder_written(&first), &sa_again) == ERR_OK);
    struct builder second = builder_on(span_of(room + sizeof(room) / 2, sizeof(room) / 2));
    isakmp_sa_build(&second, &sa_again);
    assert(same(builder_written(&first), &second));
}

static void fuzz_id(struct view body)
{
    struct isakmp_id id, again;
    struct identity identity, identity_again;
    struct ip_prefix prefix, prefix_again;

    if (isakmp_id_parse(body, &id) != ERR_OK)
        return;
    struct builder b = builder_on(span_of(room, sizeof(room)));
    isakmp_id_build(&b, &id);
    assert(same(body, &b));
    if (isakmp_id_to_identity(&id, &identity) == ERR_OK) {
        b.len = 0;
        isakmp_id_build_identity(&b, &identity);
        assert(isakmp_id_parse(builder_written(&b), &again) == ERR_OK);
        assert(isakmp_id_to_identity(&again, &identity_again) == ERR_OK);
        assert(identity_equal(&identity, &identity_again));
    }
    if (isakmp_id_to_prefix(&id, &prefix) == ERR_OK) {
        b.len = 0;
        isakmp_id_build_prefix(&b, &prefix);
        assert(isakmp_id_parse(builder_written(&b), &again) == ERR_OK);
        assert(isakmp_id_to_prefix(&again, &prefix_again) == ERR_OK);
        assert(memcmp(&prefix, &prefix_again, sizeof(prefix)) == 0);
    }
}

static void fuzz_notify(struct view body)
{
    struct isakmp_notify n;
    if (isakmp_notify_parse(body, &n) != ERR_OK)
        return;
    struct builder b = builder_on(span_of(room, sizeof(room)));
    isakmp_notify_build(&b, &n);
    assert(same(body, &b));
    assert(isakmp_notify_name(n.type) == NULL || isakmp_notify_name(n.type)[0] != '\0');
}

static void fuzz_delete(struct view body)
{
    struct isakmp_delete d;
    if (isakmp_delete_parse(body, &d) != ERR_OK)
        return;
    struct builder b = builder_on(span_of(room, sizeof(room)));
    isakmp_delete_build(&b, &d);
    assert(same(body, &b));
}

static void fuzz_body(const struct isakmp_payload *payload)
{
    assert(isakmp_payload_name(payload->type)[0] != '\0');
    switch (payload->type) {
    case ISAKMP_P_SA:
        fuzz_sa(payload->body);
        break;
    case ISAKMP_P_ID:
        fuzz_id(payload->body);
        break;
    case ISAKMP_P_N:
        fuzz_notify(payload->body);
        break;
    case ISAKMP_P_D:
        fuzz_delete(payload->body);
        break;
    default:
        break;
    }
}

/* The chain written again has the same types and bodies. */
static void fuzz_rebuild(const struct isakmp_header *h, const struct isakmp_payloads *all)
{
    struct isakmp_writer w;
    struct isakmp_header back;
    struct isakmp_payloads again;

    isakmp_writer_start(&w, span_of(room, sizeof(room)), h);
    for (size_t i = 0; i < all->count; i++)
        isakmp_writer_payload(&w, all->list[i].type, all->list[i].body);
    struct view message = isakmp_writer_finish(&w, 16);
    assert(message.len >= ISAKMP_HEADER_LEN && (message.len - ISAKMP_HEADER_LEN) % 16 == 0);
    assert(isakmp_header_parse(message, &back) == ERR_OK);
    assert(back.msgid.value == h->msgid.value && back.exchange == h->exchange);
    struct view text = view_of(message.ptr + ISAKMP_HEADER_LEN, message.len - ISAKMP_HEADER_LEN);
    assert(isakmp_payloads_parse(back.next_payload, text, true, &again) == ERR_OK);
    assert(again.count == all->count && again.octets == all->octets);
    for (size_t i = 0; i < all->count; i++)
        assert(again.list[i].type == all->list[i].type &&
               view_equal(again.list[i].body, all->list[i].body));
}

/* A wrong length field would stop the fuzzer at the door; past it, the text is looked at anyway. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct view datagram = view_of(data, len);
    struct isakmp_header h = {.version = ISAKMP_VERSION_1};
    struct isakmp_payloads all;

    bool whole = isakmp_header_parse(datagram, &h) == ERR_OK;
    assert(!whole || h.len == len);
    if (len < ISAKMP_HEADER_LEN)
        return 0;
    h.next_payload = data[16];
    struct view text = view_of(data + ISAKMP_HEADER_LEN, len - ISAKMP_HEADER_LEN);
    if (isakmp_payloads_parse(h.next_payload, text, true, &all) != ERR_OK)
        return 0;
    assert(all.octets <= text.len);
    bool exact = isakmp_payloads_parse(h.next_payload, text, false, &all) == ERR_OK;
    assert(exact == (all.octets == text.len));
    for (size_t i = 0; i < all.count; i++)
        fuzz_body(&all.list[i]);
    if (all.count > 0)
        fuzz_rebuild(&h, &all);
    return 0;
}
