/*
 * The SA payload and what nests in it: proposals, transforms, attributes (RFC 2408 sections 3.3 to
 * 3.6, situation by RFC 2407 section 4.6.1). A parsed SA is large, so it isn't built aside and
 * copied: the body is walked once to check it, storing nothing, and once more to fill the output.
 */
#include "wire/isakmp.h"

enum {
    DOI_IPSEC = 1,
    SITUATION_IDENTITY_ONLY = 1,
    ATTRIBUTE_BASIC = 0x8000, /* the AF bit */
};

static enum err attribute_parse(struct cursor *cur, struct isakmp_attribute *ret)
{
    uint16_t head = cursor_u16(cur), word = cursor_u16(cur);
    struct isakmp_attribute attr = {
        .type = head & (uint16_t)~ATTRIBUTE_BASIC,
        .is_long = !(head & ATTRIBUTE_BASIC),
        .value = word,
    };
    if (attr.is_long) {
        attr.bytes = cursor_take(cur, word);
        attr.value = 0;
        for (size_t i = 0; attr.bytes.len <= 8 && i < attr.bytes.len; i++)
            attr.value = attr.value << 8 | attr.bytes.ptr[i];
    }
    if (cur->bad)
        return ERR_SHORT;
    *ret = attr;
    return ERR_OK;
}

/* `cur` covers the transform after its generic header. ret may be NULL: only check. */
static enum err transform_parse(struct cursor *cur, struct isakmp_transform *ret)
{
    uint8_t number = cursor_u8(cur), id = cursor_u8(cur);
    cursor_skip(cur, 2);
    if (cur->bad)
        return ERR_SHORT;

    size_t count = 0;
    for (; !cursor_done(cur); count++) {
        struct isakmp_attribute attr;
        enum err err = attribute_parse(cur, &attr);
        if (err != ERR_OK)
            return err;
        if (count == sizeof(ret->attributes) / sizeof(ret->attributes[0]))
            return ERR_LIMIT;
        if (ret != NULL)
            ret->attributes[count] = attr;
    }
    if (ret != NULL) {
        ret->number = number;
        ret->id = id;
        ret->attribute_count = count;
    }
    return ERR_OK;
}

/* The generic header of a proposal or transform. `type` may follow, or nothing; *ret_body covers
 * what the length field says. */
static enum err nested_open(struct cursor *cur, uint8_t type, bool *ret_more,
                            struct cursor *ret_body)
{
    uint8_t next = cursor_u8(cur);
    cursor_skip(cur, 1);
    size_t len = cursor_u16(cur);

    if (cur->bad)
        return ERR_SHORT;
    if (len < 4 || (next != type && next != ISAKMP_P_NONE))
        return ERR_SYNTAX;
    *ret_more = next == type;
    *ret_body = cursor_sub(cur, len - 4);
    return cur->bad ? ERR_SHORT : ERR_OK;
}

/* Transforms beyond the limit are checked but not kept: the first ones are those the peer prefers.
 */
static enum err transforms_parse(struct cursor *cur, size_t expected, struct isakmp_proposal *ret)
{
    size_t count = 0;
    for (bool more = expected > 0; more; count++) {
        struct cursor body;
        enum err err = nested_open(cur, ISAKMP_P_TRANSFORM, &more, &body);
        if (err != ERR_OK)
            return err;
        bool keep = ret != NULL && count < LIMIT_IKE_TRANSFORMS;
        err = transform_parse(&body, keep ? &ret->transforms[count] : NULL);
        if (err != ERR_OK)
            return err;
    }
    if (count != expected)
        return ERR_SYNTAX;
    if (!cursor_done(cur))
        return ERR_TRAILING;
    if (ret != NULL)
        ret->transform_count = count < LIMIT_IKE_TRANSFORMS ? count : LIMIT_IKE_TRANSFORMS;
    return ERR_OK;
}

static enum err proposal_parse(struct cursor *cur, struct isakmp_proposal *ret)
{
    uint8_t number = cursor_u8(cur), protocol = cursor_u8(cur);
    size_t spi_len = cursor_u8(cur), transform_count = cursor_u8(cur);
    struct view spi = cursor_take(cur, spi_len);
    if (cur->bad)
        return ERR_SHORT;
    if (ret != NULL) {
        ret->number = number;
        ret->protocol = protocol;
        ret->spi = spi;
    }
    return transforms_parse(cur, transform_count, ret);
}

/* One walk over the body; ret may be NULL. */
static enum err sa_walk(struct view body, struct isakmp_sa *ret)
{
    struct cursor cur = cursor_of(body);
    uint32_t doi = cursor_u32(&cur), situation = cursor_u32(&cur);
    if (cur.bad)
        return ERR_SHORT;
    /* Other DOIs lay the situation out in their own way; labels (RFC 2407 section 4.6.1) are not
     * used. */
    if (doi != DOI_IPSEC || situation != SITUATION_IDENTITY_ONLY)
        return ERR_UNSUPPORTED;

    size_t count = 0;
    for (bool more = true; more; count++) {
        struct cursor proposal;
        if (count == LIMIT_IKE_PROPOSALS)
            return ERR_LIMIT;
        enum err err = nested_open(&cur, ISAKMP_P_PROPOSAL, &more, &proposal);
        if (err == ERR_OK)
            err = proposal_parse(&proposal, ret ? &ret->proposals[count] : NULL);
        if (err != ERR_OK)
            return err;
    }
    if (!cursor_done(&cur))
        return ERR_TRAILING;
    if (ret != NULL) {
        ret->doi = doi;
        ret->situation = situation;
        ret->proposal_count = count;
    }
    return ERR_OK;
}

enum err isakmp_sa_parse(struct view body, struct isakmp_sa *ret)
{
    enum err err = sa_walk(body, NULL);
    return err == ERR_OK ? sa_walk(body, ret) : err;
}

static void attribute_build(struct builder *b, const struct isakmp_attribute *attr)
{
    if (attr->type & ATTRIBUTE_BASIC || (!attr->is_long && attr->value > UINT16_MAX)) {
        b->bad = true;
        return;
    }
    if (!attr->is_long) {
        builder_u16(b, attr->type | ATTRIBUTE_BASIC);
        builder_u16(b, (uint16_t)attr->value);
        return;
    }
    builder_u16(b, attr->type);
    size_t field = builder_open_u16(b);
    size_t start = b->len;
    if (attr->bytes.ptr != NULL)
        builder_view(b, attr->bytes);
    else if (attr->value <= UINT32_MAX)
        builder_u32(b, (uint32_t)attr->value);
    else
        builder_u64(b, attr->value);
    builder_close_u16(b, field, start);
}

static void transform_build(struct builder *b, const struct isakmp_transform *transform, bool more)
{
    size_t start = b->len;
    builder_u8(b, more ? ISAKMP_P_TRANSFORM : ISAKMP_P_NONE);
    builder_u8(b, 0);
    size_t field = builder_open_u16(b);
    builder_u8(b, transform->number);
    builder_u8(b, transform->id);
    builder_u16(b, 0);
    for (size_t i = 0; i < transform->attribute_count; i++)
        attribute_build(b, &transform->attributes[i]);
    builder_close_u16(b, field, start);
}

static void proposal_build(struct builder *b, const struct isakmp_proposal *proposal, bool more)
{
    size_t start = b->len;
    if (proposal->spi.len > UINT8_MAX)
        b->bad = true;
    builder_u8(b, more ? ISAKMP_P_PROPOSAL : ISAKMP_P_NONE);
    builder_u8(b, 0);
    size_t field = builder_open_u16(b);
    builder_u8(b, proposal->number);
    builder_u8(b, proposal->protocol);
    builder_u8(b, (uint8_t)proposal->spi.len);
    builder_u8(b, (uint8_t)proposal->transform_count);
    builder_view(b, proposal->spi);
    for (size_t i = 0; i < proposal->transform_count; i++)
        transform_build(b, &proposal->transforms[i], i + 1 < proposal->transform_count);
    builder_close_u16(b, field, start);
}

void isakmp_sa_build(struct builder *b, const struct isakmp_sa *sa)
{
    builder_u32(b, sa->doi);
    builder_u32(b, sa->situation);
    for (size_t i = 0; i < sa->proposal_count; i++)
        proposal_build(b, &sa->proposals[i], i + 1 < sa->proposal_count);
}
