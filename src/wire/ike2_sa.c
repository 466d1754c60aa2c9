#include "wire/ike2_sa.h"

enum {
    MORE_PROPOSALS = 2,
    MORE_TRANSFORMS = 3,
    LAST = 0,
    ATTRIBUTE_BASIC = 0x8000, /* the AF bit */
    ATTRIBUTE_KEY_LENGTH = 14,
    SUBSTRUCTURE_HEADER_LEN = 4,
};

/* Section 3.3.5: one attribute is defined, in the basic form. */
static void attributes_parse(struct cursor *cur, struct ike2_transform *ret)
{
    while (!cur->bad && !cursor_done(cur)) {
        uint16_t head = cursor_u16(cur), word = cursor_u16(cur);
        if (!(head & ATTRIBUTE_BASIC))
            cursor_skip(cur, word);
        if (head == (ATTRIBUTE_BASIC | ATTRIBUTE_KEY_LENGTH) && ret->key_bits == 0 && word != 0)
            ret->key_bits = word;
        else
            ret->unknown_attribute = true;
    }
}

/* The header that proposals and transforms share: whether more follow, and the length of all.
 * *ret_body covers what is behind it. */
static enum err substructure(struct cursor *cur, uint8_t more, bool *ret_more,
                             struct cursor *ret_body)
{
    uint8_t next = cursor_u8(cur);
    cursor_skip(cur, 1);
    size_t len = cursor_u16(cur);
    if (cur->bad)
        return ERR_SHORT;
    if (len < SUBSTRUCTURE_HEADER_LEN || (next != more && next != LAST))
        return ERR_SYNTAX;
    *ret_body = cursor_sub(cur, len - SUBSTRUCTURE_HEADER_LEN);
    *ret_more = next == more;
    return ret_body->bad ? ERR_SHORT : ERR_OK;
}

static enum err transform_parse(struct cursor *body, struct ike2_transform *ret)
{
    struct ike2_transform transform = {.type = cursor_u8(body)};
    cursor_skip(body, 1);
    transform.id = cursor_u16(body);
    attributes_parse(body, &transform);
    if (body->bad)
        return ERR_SHORT;
    *ret = transform;
    return ERR_OK;
}

static bool spi_valid(uint8_t protocol, size_t len)
{
    switch (protocol) {
    case IKE2_PROTO_IKE: /* none in the first exchange */
        return len == 0 || len == IKE2_SPI_LEN;
    case IKE2_PROTO_AH:
    case IKE2_PROTO_ESP:
        return len == 4;
    default:
        return len <= IKE2_SPI_LEN; /* unknown: skipped by who chooses */
    }
}

/* The count in the header and the chain must tell the same (section 3.3.1). */
static enum err transforms_parse(struct cursor *body, size_t count, struct ike2_proposal *ret)
{
    bool more = count > 0;
    size_t seen = 0;
    for (; more; seen++) {
        struct cursor inside;
        struct ike2_transform transform;
        enum err err = substructure(body, MORE_TRANSFORMS, &more, &inside);
        if (err == ERR_OK)
            err = transform_parse(&inside, &transform);
        if (err != ERR_OK)
            return err;
        if (seen < LIMIT_IKE2_TRANSFORMS)
            ret->transforms[ret->transform_count++] = transform;
        else
            ret->incomplete = true;
    }
    return seen == count && cursor_done(body) ? ERR_OK : ERR_SYNTAX;
}

static enum err proposal_parse(struct cursor *body, struct ike2_proposal *ret)
{
    struct ike2_proposal *p = ret;
    *p = (struct ike2_proposal){.number = cursor_u8(body), .protocol = cursor_u8(body)};
    size_t spi_len = cursor_u8(body);
    size_t count = cursor_u8(body);
    p->spi = cursor_take(body, spi_len);
    if (body->bad)
        return ERR_SHORT;
    if (!spi_valid(p->protocol, spi_len))
        return ERR_VALUE;
    return transforms_parse(body, count, p);
}

/* A parsed SA is large: it is checked in full with one proposal's room before `ret` is touched. */
static enum err proposals_walk(struct view body, struct ike2_sa *ret)
{
    struct cursor cur = cursor_of(body);
    bool more = true;
    for (size_t seen = 0; more; seen++) {
        struct cursor inside;
        struct ike2_proposal proposal;
        enum err err = substructure(&cur, MORE_PROPOSALS, &more, &inside);
        if (err == ERR_OK)
            err = proposal_parse(&inside, &proposal);
        if (err != ERR_OK)
            return err;
        bool alone = seen == 0 && !more;
        if (!alone && proposal.number != seen + 1)
            return ERR_VALUE;
        if (ret == NULL)
            continue;
        if (seen < LIMIT_IKE_PROPOSALS)
            ret->proposals[ret->proposal_count++] = proposal;
        else
            ret->skipped++;
    }
    return cursor_done(&cur) ? ERR_OK : ERR_TRAILING;
}

enum err ike2_sa_parse(struct view body, struct ike2_sa *ret)
{
    enum err err = proposals_walk(body, NULL);
    if (err != ERR_OK)
        return err;
    ret->proposal_count = 0;
    ret->skipped = 0;
    return proposals_walk(body, ret);
}

void ike2_transform_build(struct builder *b, const struct ike2_transform *transform, bool more)
{
    size_t start = b->len;
    builder_u8(b, more ? MORE_TRANSFORMS : LAST);
    builder_u8(b, 0);
    size_t field = builder_open_u16(b);
    builder_u8(b, transform->type);
    builder_u8(b, 0);
    builder_u16(b, transform->id);
    if (transform->key_bits != 0) {
        builder_u16(b, ATTRIBUTE_BASIC | ATTRIBUTE_KEY_LENGTH);
        builder_u16(b, transform->key_bits);
    }
    builder_close_u16(b, field, start);
}

static void proposal_build(struct builder *b, const struct ike2_proposal *proposal, bool more)
{
    size_t start = b->len;
    if (proposal->spi.len > IKE2_SPI_LEN)
        b->bad = true;
    builder_u8(b, more ? MORE_PROPOSALS : LAST);
    builder_u8(b, 0);
    size_t field = builder_open_u16(b);
    builder_u8(b, proposal->number);
    builder_u8(b, proposal->protocol);
    builder_u8(b, (uint8_t)proposal->spi.len);
    builder_u8(b, (uint8_t)proposal->transform_count);
    builder_view(b, proposal->spi);
    for (size_t i = 0; i < proposal->transform_count; i++)
        ike2_transform_build(b, &proposal->transforms[i], i + 1 < proposal->transform_count);
    builder_close_u16(b, field, start);
}

void ike2_sa_build(struct builder *b, const struct ike2_sa *sa)
{
    for (size_t i = 0; i < sa->proposal_count; i++)
        proposal_build(b, &sa->proposals[i], i + 1 < sa->proposal_count);
}
