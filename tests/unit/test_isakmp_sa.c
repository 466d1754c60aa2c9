/* The SA payload: proposals, transforms and attributes. */
#include "check.h"

#include "wire/isakmp.h"

static struct isakmp_sa parsed, other; /* large */

/* Main Mode: AES-CBC-256, SHA2-256, RSA signatures, group 14, life type seconds, 28800 as a long
 * one. */
#define IKE_TRANSFORM_BODY                                                                         \
    "01 01 0000 80010007 800e0100 80020004 80030003 8004000e 800b0001 000c0004 00007080"
#define IKE_SA                                                                                     \
    "00000001 00000001"                                                                            \
    "00000030 01 01 00 01"                                                                         \
    "00000028" IKE_TRANSFORM_BODY

/* Quick Mode: two proposals with one number (AH and ESP together), the second with two transforms.
 */
#define ESP_SA                                                                                     \
    "00000001 00000001"                                                                            \
    "02000018 01 02 04 01 11223344 0000000c 01 05 0000 80040001"                                   \
    "00000024 01 03 04 02 55667788 0300000c 01 0c 0000 80060080 0000000c 02 03 0000 80040001"

static void main_mode_proposal(void **state)
{
    (void)state;
    uint8_t room[128], rebuilt[128];
    struct view body = check_hex(IKE_SA, room);
    assert_int_equal(isakmp_sa_parse(body, &parsed), ERR_OK);
    assert_int_equal(parsed.proposal_count, 1);
    const struct isakmp_proposal *p = &parsed.proposals[0];
    assert_int_equal(p->number, 1);
    assert_int_equal(p->protocol, 1);
    assert_int_equal(p->spi.len, 0);
    assert_int_equal(p->transform_count, 1);
    const struct isakmp_transform *t = &p->transforms[0];
    assert_int_equal(t->number, 1);
    assert_int_equal(t->id, 1);
    assert_int_equal(t->attribute_count, 7);
    assert_int_equal(t->attributes[1].type, 14);
    assert_false(t->attributes[1].is_long);
    assert_int_equal(t->attributes[1].value, 256);
    assert_int_equal(t->attributes[6].type, 12);
    assert_true(t->attributes[6].is_long);
    assert_int_equal(t->attributes[6].value, 28800);
    assert_int_equal(t->attributes[6].bytes.len, 4);

    struct builder b = builder_on(span_of(rebuilt, sizeof(rebuilt)));
    isakmp_sa_build(&b, &parsed);
    check_view(builder_written(&b), body);
}

static void quick_mode_proposals(void **state)
{
    (void)state;
    uint8_t room[128], rebuilt[128];
    struct view body = check_hex(ESP_SA, room);
    assert_int_equal(isakmp_sa_parse(body, &parsed), ERR_OK);
    assert_int_equal(parsed.proposal_count, 2);
    assert_int_equal(parsed.proposals[0].protocol, 2);
    assert_int_equal(parsed.proposals[1].protocol, 3);
    assert_int_equal(parsed.proposals[1].number, 1);
    check_view(parsed.proposals[1].spi, check_hex("55667788", rebuilt));
    assert_int_equal(parsed.proposals[1].transform_count, 2);
    assert_int_equal(parsed.proposals[1].transforms[1].id, 3);

    struct builder b = builder_on(span_of(rebuilt, sizeof(rebuilt)));
    isakmp_sa_build(&b, &parsed);
    check_view(builder_written(&b), body);
}

static void malformed(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum err err;
    } rows[] = {
        {"", ERR_SHORT},
        {"00000001 000000", ERR_SHORT},
        {"00000001 00000001", ERR_SHORT}, /* no proposal at all */
        {"00000002 00000001 00000008 01 01 00 00", ERR_UNSUPPORTED},
        {"00000000 00000001 00000008 01 01 00 00", ERR_UNSUPPORTED},
        {"00000001 00000002 00000008 01 01 00 00", ERR_UNSUPPORTED},
        {"00000001 00000001 00000008 01 01 00 00", ERR_OK}, /* no transforms, and says so */
        {"00000001 00000001 00000008 01 01 00 00 00", ERR_TRAILING},
        {"00000001 00000001 00000007 01 01 00 00", ERR_SHORT},
        {"00000001 00000001 00000003 01 01 00 00", ERR_SYNTAX},
        {"00000001 00000001 00000009 01 01 00 00", ERR_SHORT},
        {"00000001 00000001 00000009 01 01 00 00 00", ERR_TRAILING},
        {"00000001 00000001 03000008 01 01 00 00", ERR_SYNTAX}, /* a transform beside proposals */
        {"00000001 00000001 02000008 01 01 00 00", ERR_SHORT},  /* one more proposal, missing */
        {"00000001 00000001 00000008 01 01 00 01", ERR_SHORT},  /* one transform, missing */
        {"00000001 00000001 00000008 01 01 04 00", ERR_SHORT},  /* SPI outside */
        {"00000001 00000001 00000010 01 01 00 02 00000008 01 01 0000", ERR_SYNTAX},
        {"00000001 00000001 00000010 01 01 00 01 03000008 01 01 0000", ERR_SHORT},
        {"00000001 00000001 00000018 01 01 00 01 03000008 01 01 0000 00000008 02 01 0000",
         ERR_SYNTAX}, /* more transforms than counted */
        {"00000001 00000001 00000018 01 01 00 01 00000008 01 01 0000 00000008 02 01 0000",
         ERR_TRAILING},
        {"00000001 00000001 00000010 01 01 00 01 02000008 01 01 0000", ERR_SYNTAX},
        {"00000001 00000001 0000000f 01 01 00 01 00000007 01 01 00", ERR_SHORT},
        {"00000001 00000001 00000011 01 01 00 01 00000009 01 01 0000 80", ERR_SHORT},
        {"00000001 00000001 00000014 01 01 00 01 0000000c 01 01 0000 000c0001", ERR_SHORT},
        {"00000001 00000001 00000014 01 01 00 01 0000000c 01 01 0000 000cffff", ERR_SHORT},
        {"00000001 00000001 00000014 01 01 00 01 0000000c 01 01 0000 000c0000", ERR_OK},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        uint8_t room[128];
        parsed.doi = 0x5a5a;
        assert_int_equal(isakmp_sa_parse(check_hex(rows[i].hex, room), &parsed), rows[i].err);
        assert_int_equal(parsed.doi, rows[i].err == ERR_OK ? 1 : 0x5a5a);
    }
}

/* Every cut of a good payload is refused, and leaves the output alone. */
static void truncated_anywhere(void **state)
{
    (void)state;
    static const char *const bodies[] = {IKE_SA, ESP_SA};
    for (size_t i = 0; i < CHECK_COUNT(bodies); i++) {
        uint8_t room[128];
        struct view body = check_hex(bodies[i], room);
        memset(&parsed, 0x5a, sizeof(parsed));
        memset(&other, 0x5a, sizeof(other));
        for (size_t len = 0; len < body.len; len++) {
            uint8_t cut[128];
            memcpy(cut, body.ptr, len);
            assert_int_not_equal(isakmp_sa_parse(view_of(cut, len), &parsed), ERR_OK);
        }
        assert_memory_equal(&parsed, &other, sizeof(parsed));
    }
}

static void limits(void **state)
{
    (void)state;
    static uint8_t room[8192];
    memset(&other, 0, sizeof(other));
    other.doi = other.situation = 1;
    other.proposal_count = LIMIT_IKE_PROPOSALS;
    for (size_t i = 0; i < LIMIT_IKE_PROPOSALS; i++)
        other.proposals[i] = (struct isakmp_proposal){.number = 1, .protocol = 1};
    struct builder b = builder_on(span_of(room, sizeof(room)));
    isakmp_sa_build(&b, &other);
    assert_int_equal(isakmp_sa_parse(builder_written(&b), &parsed), ERR_OK);
    assert_int_equal(parsed.proposal_count, LIMIT_IKE_PROPOSALS);
    room[8 + 8 * (LIMIT_IKE_PROPOSALS - 1)] = ISAKMP_P_PROPOSAL;
    builder_bytes(&b, (uint8_t[]){0, 0, 0, 8, 1, 1, 0, 0}, 8);
    assert_int_equal(isakmp_sa_parse(builder_written(&b), &parsed), ERR_LIMIT);
}

/* 255 transforms are legal; those we don't keep are still checked. */
static void transforms_beyond_the_limit_are_not_kept(void **state)
{
    (void)state;
    static uint8_t room[4096];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    builder_u32(&b, 1);
    builder_u32(&b, 1);
    builder_bytes(&b, (uint8_t[]){0, 0, 0, 0, 1, 1, 0, 255}, 8);
    for (unsigned i = 1; i <= 255; i++)
        builder_bytes(&b, (uint8_t[]){i < 255 ? 3 : 0, 0, 0, 8, (uint8_t)i, 1, 0, 0}, 8);
    builder_patch_u16(&b, 10, (uint16_t)(b.len - 8));
    assert_int_equal(isakmp_sa_parse(builder_written(&b), &parsed), ERR_OK);
    assert_int_equal(parsed.proposals[0].transform_count, LIMIT_IKE_TRANSFORMS);
    for (unsigned i = 0; i < LIMIT_IKE_TRANSFORMS; i++)
        assert_int_equal(parsed.proposals[0].transforms[i].number, i + 1);
    builder_patch_u16(&b, b.len - 6, 7);
    assert_int_equal(isakmp_sa_parse(builder_written(&b), &parsed), ERR_SHORT);
}

static void attributes_are_limited(void **state)
{
    (void)state;
    for (size_t count = 15; count <= 17; count++) {
        uint8_t room[128];
        struct builder b = builder_on(span_of(room, sizeof(room)));
        builder_bytes(&b, (uint8_t[]){0, 0, 0, 1, 0, 0, 0, 1}, 8);
        builder_bytes(&b, (uint8_t[]){0, 0, 0, (uint8_t)(16 + 4 * count), 1, 1, 0, 1}, 8);
        builder_bytes(&b, (uint8_t[]){0, 0, 0, (uint8_t)(8 + 4 * count), 1, 1, 0, 0}, 8);
        for (size_t i = 0; i < count; i++)
            builder_u32(&b, 0x80010007);
        assert_int_equal(isakmp_sa_parse(builder_written(&b), &parsed),
                         count <= 16 ? ERR_OK : ERR_LIMIT);
    }
}

static void one_attribute(struct isakmp_attribute attr, struct view *ret, uint8_t *room)
{
    memset(&other, 0, sizeof(other));
    other.doi = other.situation = 1;
    other.proposal_count = 1;
    other.proposals[0].transform_count = 1;
    other.proposals[0].transforms[0].attribute_count = 1;
    other.proposals[0].transforms[0].attributes[0] = attr;
    struct builder b = builder_on(span_of(room, 64));
    isakmp_sa_build(&b, &other);
    *ret = builder_written(&b);
}

static void attribute_forms(void **state)
{
    (void)state;
    uint8_t room[64], want[16];
    struct view body;
    const struct isakmp_attribute *attr = &parsed.proposals[0].transforms[0].attributes[0];

    one_attribute((struct isakmp_attribute){.type = 1, .value = 0xffff}, &body, room);
    check_view(view_of(body.ptr + 24, 4), check_hex("8001ffff", want));
    one_attribute((struct isakmp_attribute){.type = 1, .value = 0x10000}, &body, room);
    assert_int_equal(body.len, 0);
    one_attribute((struct isakmp_attribute){.type = 0x8001, .value = 1}, &body, room);
    assert_int_equal(body.len, 0);

    one_attribute((struct isakmp_attribute){.type = 12, .is_long = true, .value = 3600}, &body,
                  room);
    check_view(view_of(body.ptr + 24, 8), check_hex("000c0004 00000e10", want));
    one_attribute((struct isakmp_attribute){.type = 12, .is_long = true, .value = 1ull << 32},
                  &body, room);
    assert_int_equal(isakmp_sa_parse(body, &parsed), ERR_OK);
    assert_true(attr->value == 1ull << 32);
    assert_int_equal(attr->bytes.len, 8);

    /* nine octets have no value, but stay bytes */
    struct view nine = check_hex("010203040506070809", want);
    one_attribute((struct isakmp_attribute){.type = 12, .is_long = true, .bytes = nine}, &body,
                  room);
    assert_int_equal(isakmp_sa_parse(body, &parsed), ERR_OK);
    assert_int_equal(attr->value, 0);
    check_view(attr->bytes, nine);
}

static void random_sa(uint64_t *seed, struct isakmp_sa *ret, uint8_t octets[256])
{
    memset(ret, 0, sizeof(*ret));
    check_rng_fill(seed, octets, 256);
    ret->doi = ret->situation = 1;
    ret->proposal_count = 1 + check_random(seed) % 4;
    for (size_t i = 0; i < ret->proposal_count; i++) {
        struct isakmp_proposal *p = &ret->proposals[i];
        p->number = (uint8_t)check_random(seed);
        p->protocol = (uint8_t)check_random(seed);
        p->spi = view_of(octets, check_random(seed) % 256);
        p->transform_count = check_random(seed) % 5;
        for (size_t j = 0; j < p->transform_count; j++) {
            struct isakmp_transform *t = &p->transforms[j];
            t->number = (uint8_t)check_random(seed);
            t->id = (uint8_t)check_random(seed);
            t->attribute_count = check_random(seed) % 17;
            for (size_t k = 0; k < t->attribute_count; k++) {
                struct isakmp_attribute *a = &t->attributes[k];
                a->type = check_random(seed) & 0x7fff;
                a->is_long = check_random(seed) % 2;
                a->value = check_random(seed) & 0xffff;
                if (a->is_long)
                    a->bytes = view_of(octets, check_random(seed) % 20);
            }
        }
    }
}

/* parse(build(x)) is x as far as the bytes can tell: it builds the same again. */
static void random_payloads_survive(void **state)
{
    (void)state;
    static uint8_t first[16384], second[16384];
    uint8_t octets[256];
    uint64_t seed = 2408;
    for (int round = 0; round < 300; round++) {
        random_sa(&seed, &other, octets);
        struct builder a = builder_on(span_of(first, sizeof(first)));
        isakmp_sa_build(&a, &other);
        assert_int_equal(isakmp_sa_parse(builder_written(&a), &parsed), ERR_OK);
        assert_int_equal(parsed.proposal_count, other.proposal_count);
        struct builder b = builder_on(span_of(second, sizeof(second)));
        isakmp_sa_build(&b, &parsed);
        check_view(builder_written(&b), builder_written(&a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(main_mode_proposal),
        cmocka_unit_test(quick_mode_proposals),
        cmocka_unit_test(malformed),
        cmocka_unit_test(truncated_anywhere),
        cmocka_unit_test(limits),
        cmocka_unit_test(transforms_beyond_the_limit_are_not_kept),
        cmocka_unit_test(attributes_are_limited),
        cmocka_unit_test(attribute_forms),
        cmocka_unit_test(random_payloads_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
