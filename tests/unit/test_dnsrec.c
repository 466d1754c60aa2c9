/* The contents of TXT delegation, KEY and IPSECKEY records. */
#include "check.h"

#include <stdio.h>

#include "base/base64.h"
#include "wire/dnsrec.h"

static struct public_key key_3, key_2048, key_8192; /* exponent 3, 65537 and 65537 */
static char text_3[512], text_2048[512], text_8192[2048];

static void make_key(unsigned bits, const char *exponent, struct public_key *ret,
                     struct span text_room)
{
    uint64_t seed = bits;
    uint8_t octets[LIMIT_KEY_OCTETS];
    struct builder b = builder_on(span_of(octets, sizeof(octets)));
    size_t exponent_len = check_hex(exponent, octets + 1).len;
    builder_u8(&b, (uint8_t)exponent_len);
    b.len += exponent_len;
    check_rng_fill(&seed, octets + b.len, bits / 8);
    octets[b.len] |= 0x80;
    octets[b.len + bits / 8 - 1] |= 1;
    b.len += bits / 8;
    assert_int_equal(public_key_from_rfc3110(builder_written(&b), ret), ERR_OK);
    struct builder text = builder_on(text_room);
    base64_encode(&text, builder_written(&b));
    builder_u8(&text, 0);
    assert_false(text.bad);
}

static int make_keys(void **state)
{
    (void)state;
    make_key(1024, "03", &key_3, span_of(text_3, sizeof(text_3)));
    make_key(2048, "010001", &key_2048, span_of(text_2048, sizeof(text_2048)));
    make_key(8192, "010001", &key_8192, span_of(text_8192, sizeof(text_8192)));
    return 0;
}

/* One string of at most 255 octets, or as many as it takes (OE-150). */
static struct view strings(struct view text, size_t each, uint8_t *room)
{
    struct builder b = builder_on(span_of(room, 8192));
    while (text.len > 0) {
        size_t len = text.len < each ? text.len : each;
        builder_u8(&b, (uint8_t)len);
        builder_bytes(&b, text.ptr, len);
        text = view_of(text.ptr + len, text.len - len);
    }
    return builder_written(&b);
}

static enum err parse_text(const char *text, struct dnsrec_gateway *ret)
{
    uint8_t room[8192];
    return dnsrec_txt_parse(strings(view_of_text(text), 255, room), ret);
}

/* "%" stands for the 2048-bit key's text. */
static const char *with_key(const char *form, char *room)
{
    const char *mark = strchr(form, '%');
    if (mark == NULL)
        return form;
    snprintf(room, 2048, "%.*s%s%s", (int)(mark - form), form, text_2048, mark + 1);
    return room;
}

/* OE-140 */
static void good_delegations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned precedence;
        const char *gateway;
        bool has_key;
    } rows[] = {
        {"X-IPsec-Server(10)=192.1.1.5 %", 10, "192.1.1.5", true},             /* Figures 2 and 7 */
        {"X-IPsec-Server(10)=192.1.1.5", 10, "192.1.1.5", false},              /* OE-145 */
        {"X-IPsec-Server(10)=@gw.example.net %", 10, "@gw.example.net", true}, /* OE-146 */
        {"X-IPsec-Server(10)=@GW.Example.Net.", 10, "@gw.example.net", false},
        {"X-IPsec-Server(10)=2001:DB8::5 %", 10, "2001:db8::5", true}, /* OE-148 */
        {"X-IPsec-Server(0)=192.1.1.5", 0, "192.1.1.5", false},        /* OE-144 */
        {"X-IPsec-Server(65535)=192.1.1.5", 65535, "192.1.1.5", false},
        {"X-IPsec-Server(00010)=192.1.1.5", 10, "192.1.1.5", false},
        {"x-ipsec-server(1)=192.1.1.5", 1, "192.1.1.5", false}, /* OE-142 */
        {"X-IPSEC-SERVER(1)=192.1.1.5", 1, "192.1.1.5", false},
        {"  X-IPsec-Server(1)=192.1.1.5", 1, "192.1.1.5", false}, /* RFC 1464 */
        {"\tX-IPsec-Server ( 1 ) = 192.1.1.5  %  ", 1, "192.1.1.5", true},
        {"X-IPsec-Server(1)=192.1.1.5\t%", 1, "192.1.1.5", true}, /* OE-149 */
        {"X-IPsec-Server(1)=192.1.1.5\r\n%\r\n", 1, "192.1.1.5", true},
        {"X-IPsec-Server(1)=192.1.1.5 ", 1, "192.1.1.5", false},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        char room[2048], name[IDENTITY_TEXT_MAX];
        struct dnsrec_gateway gw;
        assert_int_equal(parse_text(with_key(rows[i].text, room), &gw), ERR_OK);
        assert_int_equal(gw.precedence, rows[i].precedence);
        assert_string_equal(identity_format(&gw.gateway, name), rows[i].gateway);
        assert_int_equal(gw.key.alg, rows[i].has_key ? KEY_RSA : KEY_NONE);
        if (rows[i].has_key)
            assert_true(public_key_equal(&gw.key, &key_2048));
    }
}

/* OE-141: other uses of TXT, to be ignored. */
static void records_of_others(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "v=spf1 -all",
        "=X-IPsec-Server(10)=192.1.1.5",
        "X-IPsec-Server", /* no '=', so no attribute: RFC 1464 */
        "X-IPsec-Server(10)",
        "X-IPsec-Server(10)`=192.1.1.5",
        "X-IPsec-Server2(10)=192.1.1.5",
        "X-IPsec-Serve(10)=192.1.1.5",
        "X-IPsec-Servers=192.1.1.5",
        "` X-IPsec-Server(10)=192.1.1.5",
        "note=X-IPsec-Server(10)=192.1.1.5",
        "Y-IPsec-Server(10)=192.1.1.5",
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        struct dnsrec_gateway gw;
        assert_int_equal(parse_text(rows[i], &gw), ERR_UNKNOWN);
    }
    struct dnsrec_gateway gw;
    assert_int_equal(dnsrec_txt_parse(view_of(NULL, 0), &gw), ERR_UNKNOWN);
    assert_int_equal(dnsrec_txt_parse(view_of("\x00\x00", 2), &gw), ERR_UNKNOWN);
    assert_int_equal(dnsrec_txt_parse(view_of("\x09"
                                              "a=b",
                                              4),
                                      &gw),
                     ERR_UNKNOWN);
}

/* OE-051: ours, and not to be followed. */
static void malformed_delegations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
    } rows[] = {
        {"X-IPsec-Server=192.1.1.5", ERR_SYNTAX},
        {"X-IPsec-Server()=192.1.1.5", ERR_SYNTAX},
        {"X-IPsec-Server(10=192.1.1.5", ERR_SYNTAX},
        {"X-IPsec-Server(ten)=192.1.1.5", ERR_SYNTAX},
        {"X-IPsec-Server(-1)=192.1.1.5", ERR_SYNTAX},
        {"X-IPsec-Server(+1)=192.1.1.5", ERR_SYNTAX},
        {"X-IPsec-Server(1.5)=192.1.1.5", ERR_SYNTAX},
        {"X-IPsec-Server(0x10)=192.1.1.5", ERR_SYNTAX},
        {"X-IPsec-Server(65536)=192.1.1.5", ERR_VALUE}, /* OE-144 */
        {"X-IPsec-Server(99999)=192.1.1.5", ERR_VALUE},
        {"X-IPsec-Server(4294967306)=192.1.1.5", ERR_VALUE},
        {"X-IPsec-Server(10)x=192.1.1.5", ERR_SYNTAX},
        {"X-IPsec-Server(10)=", ERR_SYNTAX},
        {"X-IPsec-Server(10)=   ", ERR_SYNTAX},
        {"X-IPsec-Server(10)=192.1.1", ERR_SYNTAX},
        {"X-IPsec-Server(10)=192.1.1.256", ERR_SYNTAX},
        {"X-IPsec-Server(10)=192.1.1.5,%", ERR_SYNTAX},
        {"X-IPsec-Server(10)=gw.example.net %", ERR_SYNTAX},
        {"X-IPsec-Server(10)=[2001:db8::5] %", ERR_SYNTAX},
        {"X-IPsec-Server(10)=2001:db8::5::1", ERR_SYNTAX},
        {"X-IPsec-Server(10)=%", ERR_SYNTAX},
        {"X-IPsec-Server(10)=@", ERR_VALUE},
        {"X-IPsec-Server(10)=@.", ERR_VALUE},
        {"X-IPsec-Server(10)=@gw..net", ERR_VALUE},
        {"X-IPsec-Server(10)=@192.1.1.5", ERR_VALUE},
        {"X-IPsec-Server(10)=192.1.1.5 A", ERR_SYNTAX},
        {"X-IPsec-Server(10)=192.1.1.5 AQ==", ERR_VALUE},
        {"X-IPsec-Server(10)=192.1.1.5 \"%\"", ERR_SYNTAX},
        {"X-IPsec-Server(10)=192.1.1.5 %A", ERR_SYNTAX},
        {"X-IPsec-Server(10)=192.1.1.5 %%", ERR_SYNTAX}, /* OE-155: "%" after a key is no key */
        {"X-IPsec-Server(10)=192.1.1.5 AQMM...3s1Q==", ERR_SYNTAX}, /* Figure 7, as printed */
        {"X-IPsec-Server(10)=192.1.1.5 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==",
         ERR_VALUE},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        char room[2048];
        struct dnsrec_gateway gw, untouched;
        memset(&gw, 0x5a, sizeof(gw));
        untouched = gw;
        assert_int_equal(parse_text(with_key(rows[i].text, room), &gw), rows[i].err);
        assert_memory_equal(&gw, &untouched, sizeof(gw));
    }
}

static void broken_character_strings(void **state)
{
    (void)state;
    struct dnsrec_gateway gw;
    uint8_t room[8192];
    struct view rdata = strings(view_of_text("X-IPsec-Server(10)=192.1.1.5"), 20, room);
    assert_int_equal(dnsrec_txt_parse(rdata, &gw), ERR_OK);
    room[21]++; /* the second string is now longer than what follows */
    assert_int_equal(dnsrec_txt_parse(rdata, &gw), ERR_SYNTAX);
    assert_int_equal(dnsrec_txt_parse(view_of(rdata.ptr, 22), &gw), ERR_SYNTAX);

    struct view zero = view_of("\x1f"
                               "X-IPsec-Server(10)=192.1.1.5\0ab",
                               32);
    assert_int_equal(dnsrec_txt_parse(zero, &gw), ERR_SYNTAX);
}

/* OE-150, OE-151: however it is cut and wherever blanks stand in the key. */
static void joined_strings_and_blanks(void **state)
{
    (void)state;
    static const char blanks[] = " \t\r\n";
    uint64_t seed = 150;
    for (int round = 0; round < 500; round++) {
        char text[4000] = "X-IPsec-Server(7)=192.1.1.5 ";
        size_t len = strlen(text);
        for (const char *c = text_2048; *c != '\0'; c++) {
            while (check_random(&seed) % 3 == 0)
                text[len++] = blanks[check_random(&seed) % 4];
            text[len++] = *c;
        }
        uint8_t room[8192];
        struct dnsrec_gateway gw;
        struct view rdata = strings(view_of(text, len), 1 + check_random(&seed) % 255, room);
        assert_int_equal(dnsrec_txt_parse(rdata, &gw), ERR_OK);
        assert_int_equal(gw.precedence, 7);
        assert_true(public_key_equal(&gw.key, &key_2048));
    }
}

/* A record that is ours but far too long is malformed; somebody else's is still theirs. */
static void overlong_records(void **state)
{
    (void)state;
    static char text[7000];
    uint8_t room[8192];
    struct dnsrec_gateway gw;
    memset(text, ' ', sizeof(text));
    memcpy(text, "X-IPsec-Server(7)=192.1.1.5", 27);
    assert_int_equal(dnsrec_txt_parse(strings(view_of(text, 4000), 255, room), &gw), ERR_OK);
    assert_int_equal(dnsrec_txt_parse(strings(view_of(text, 7000), 255, room), &gw), ERR_SYNTAX);
    text[0] = 'Y';
    assert_int_equal(dnsrec_txt_parse(strings(view_of(text, 7000), 255, room), &gw), ERR_UNKNOWN);
}

static void gateway_of(const char *name, unsigned precedence, const struct public_key *key,
                       struct dnsrec_gateway *ret)
{
    struct ip_addr addr;
    memset(ret, 0, sizeof(*ret));
    ret->precedence = (uint16_t)precedence;
    if (key != NULL)
        ret->key = *key;
    if (name[0] == '@')
        assert_true(identity_of_fqdn(view_of_text(name + 1), &ret->gateway));
    else if (ip_addr_parse(name, &addr))
        ret->gateway = identity_of_addr(&addr);
}

static void check_gateway(const struct dnsrec_gateway *got, const struct dnsrec_gateway *want)
{
    assert_int_equal(got->precedence, want->precedence);
    assert_true(identity_equal(&got->gateway, &want->gateway));
    assert_true(public_key_equal(&got->key, &want->key));
}

/* The longest host name there is. */
static const char *long_name(char *room)
{
    size_t len = 0;
    room[len++] = '@';
    while (len < 250)
        len += (size_t)sprintf(room + len, "%s", "abcdefghi.");
    strcpy(room + len, "ab");
    return room;
}

static void what_is_built_parses_back(void **state)
{
    (void)state;
    char name[260];
    const char *const gateways[] = {"192.1.1.5", "2001:db8::5", "@gw.example.net", "",
                                    long_name(name)};
    const struct public_key *const keys[] = {NULL, &key_3, &key_2048, &key_8192};
    static const unsigned precedences[] = {0, 10, 255, 256, 65535};
    for (size_t i = 0; i < 5 * 4 * 5; i++) {
        struct dnsrec_gateway want, got;
        uint8_t room[4096];
        size_t len;
        unsigned precedence = precedences[i % 5];
        gateway_of(gateways[i / 5 % 5], precedence, keys[i / 25], &want);

        enum err err = dnsrec_txt_build(&want, span_of(room, sizeof(room)), &len);
        if (want.gateway.kind == IDENTITY_NONE) {
            assert_int_equal(err, ERR_VALUE);
        } else {
            assert_int_equal(err, ERR_OK);
            assert_int_equal(dnsrec_txt_parse(view_of(room, len), &got), ERR_OK);
            check_gateway(&got, &want);
            assert_int_equal(dnsrec_txt_build(&want, span_of(room, len - 1), &len), ERR_ROOM);
        }

        err = dnsrec_ipseckey_build(&want, span_of(room, sizeof(room)), &len);
        if (precedence > 255) {
            assert_int_equal(err, ERR_VALUE);
            continue;
        }
        assert_int_equal(err, ERR_OK);
        assert_int_equal(dnsrec_ipseckey_parse(view_of(room, len), &got), ERR_OK);
        check_gateway(&got, &want);
        assert_int_equal(dnsrec_ipseckey_build(&want, span_of(room, len - 1), &len), ERR_ROOM);
    }
}

/* OE-135, OE-136, OE-138 */
static void key_records(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        enum err err;
    } rows[] = {
        {"4200 04 01", ERR_OK},      {"4200 04 05", ERR_OK},      {"4200 04 03", ERR_UNKNOWN},
        {"4200 04 08", ERR_UNKNOWN}, {"4200 03 01", ERR_UNKNOWN}, {"4200 ff 01", ERR_UNKNOWN},
        {"0200 04 01", ERR_UNKNOWN}, {"c200 04 01", ERR_UNKNOWN}, {"8200 04 01", ERR_UNKNOWN},
        {"4100 04 01", ERR_UNKNOWN}, {"4201 04 01", ERR_UNKNOWN}, {"5200 04 01", ERR_UNKNOWN},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        uint8_t room[2048];
        struct public_key key;
        size_t head = check_hex(rows[i].head, room).len;
        memcpy(room + head, key_2048.octets, key_2048.len);
        assert_int_equal(dnsrec_key_parse(view_of(room, head + key_2048.len), &key), rows[i].err);
        if (rows[i].err == ERR_OK)
            assert_true(public_key_equal(&key, &key_2048));
    }

    uint8_t room[2048];
    size_t len;
    struct public_key key;
    assert_int_equal(dnsrec_key_parse(check_hex("4200 04", room), &key), ERR_SHORT);
    assert_int_equal(dnsrec_key_parse(check_hex("4200 04 01", room), &key), ERR_VALUE);
    assert_int_equal(dnsrec_key_parse(check_hex("4200 04 01 03 0101", room), &key), ERR_VALUE);
    assert_int_equal(dnsrec_key_build(&key_8192, span_of(room, sizeof(room)), &len), ERR_OK);
    assert_int_equal(dnsrec_key_parse(view_of(room, len), &key), ERR_OK);
    assert_true(public_key_equal(&key, &key_8192));
    assert_int_equal(dnsrec_key_build(&key_8192, span_of(room, len - 1), &len), ERR_ROOM);
    assert_int_equal(dnsrec_key_build(&(struct public_key){0}, span_of(room, 99), &len), ERR_VALUE);
}

#define RFC4025_KEY "AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=="

/* The five examples of RFC 4025 section 3.2. Their key has 232 bits, so it can be shown but not
 * used. */
static void ipseckey_examples(void **state)
{
    (void)state;
    static const struct {
        const char *gateway, *head, *shown;
    } rows[] = {
        {"192.0.2.38", "0a 01 02 c0000226", "IPSECKEY 10 1 2 192.0.2.38 " RFC4025_KEY},
        {"", "0a 00 02", "IPSECKEY 10 0 2 . " RFC4025_KEY},
        {"192.0.2.3", "0a 01 02 c0000203", "IPSECKEY 10 1 2 192.0.2.3 " RFC4025_KEY},
        {"@mygateway.example.com", "0a 03 02 09 6d7967617465776179 07 6578616d706c65 03 636f6d 00",
         "IPSECKEY 10 3 2 mygateway.example.com. " RFC4025_KEY},
        {"2001:0DB8:0:8002::2000:1", "0a 02 02 20010db8000080020000000020000001",
         "IPSECKEY 10 2 2 2001:db8:0:8002::2000:1 " RFC4025_KEY},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        uint8_t room[2048], built[2048];
        char shown[512];
        struct dnsrec_gateway want, got;
        size_t head = check_hex(rows[i].head, room).len, len;
        assert_true(base64_decode(view_of_text(RFC4025_KEY), span_of(room + head, 256), &len));
        struct view example = view_of(room, head + len);
        assert_int_equal(dnsrec_present(DNS_TYPE_IPSECKEY, example, shown, sizeof(shown)), ERR_OK);
        assert_string_equal(shown, rows[i].shown);
        assert_int_equal(dnsrec_ipseckey_parse(example, &got), ERR_VALUE);

        gateway_of(rows[i].gateway, 10, &key_2048, &want);
        memcpy(room + head, key_2048.octets, key_2048.len);
        struct view rdata = view_of(room, head + key_2048.len);
        assert_int_equal(dnsrec_ipseckey_parse(rdata, &got), ERR_OK);
        check_gateway(&got, &want);
        assert_int_equal(dnsrec_ipseckey_build(&want, span_of(built, sizeof(built)), &len), ERR_OK);
        check_view(view_of(built, len), rdata);
    }
}

/* The keys of the examples in RFC 6605 section 6 and RFC 8080 section 6, and how records carry
 * them (RFC 8005 section 11, RFC 9373). */
static void ipseckey_curves(void **state)
{
    (void)state;
    static const struct {
        enum key_alg alg;
        uint8_t number;
        const char *base64;
    } rows[] = {
        {KEY_ECDSA_P256, 3,
         "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA=="},
        {KEY_ECDSA_P384, 3,
         "xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8/"
         "uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40"},
        {KEY_ED25519, 4, "l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="},
        {KEY_ED448, 4,
         "3kgROaDjrh0H2iuixWBrc8g2EpBBLCdGzHmn+G2MpTPhpj/OiBVHHSfPodx1FYYUcJKm1MDpJtIA"},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        uint8_t octets[128], rdata[160];
        size_t len = 0, rdata_len = 0;
        struct dnsrec_gateway want = {.precedence = 10}, got;
        assert_true(base64_decode(view_of_text(rows[i].base64), span_of(octets, sizeof(octets)),
                                  &len));
        assert_int_equal(public_key_from_octets(rows[i].alg, view_of(octets, len), &want.key),
                         ERR_OK);
        assert_int_equal(dnsrec_ipseckey_build(&want, span_of(rdata, sizeof(rdata)), &rdata_len),
                         ERR_OK);
        assert_int_equal(rdata_len, 3 + len);
        assert_int_equal(rdata[2], rows[i].number);
        assert_int_equal(dnsrec_ipseckey_parse(view_of(rdata, rdata_len), &got), ERR_OK);
        assert_true(public_key_equal(&want.key, &got.key));
        assert_int_equal(dnsrec_ipseckey_parse(view_of(rdata, rdata_len - 1), &got), ERR_VALUE);
        assert_int_equal(dnsrec_txt_build(&want, span_of(rdata, sizeof(rdata)), &len), ERR_VALUE);
        assert_int_equal(dnsrec_key_build(&want.key, span_of(rdata, sizeof(rdata)), &len),
                         ERR_VALUE);
    }
    struct dnsrec_gateway p521 = {.key = {.alg = KEY_ECDSA_P521, .len = 132}};
    uint8_t rdata[160];
    size_t len;
    assert_int_equal(dnsrec_ipseckey_build(&p521, span_of(rdata, sizeof(rdata)), &len), ERR_VALUE);
}

static void ipseckey_errors(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum err err;
    } rows[] = {
        {"", ERR_SHORT},
        {"0a 00", ERR_SHORT},
        {"0a 00 00", ERR_OK}, /* neither gateway nor key */
        {"0a 00 00 01", ERR_TRAILING},
        {"0a 01 00 c0000226", ERR_OK},
        {"0a 01 00 c00002", ERR_SHORT},
        {"0a 02 00 c0000226", ERR_SHORT},
        {"0a 04 00 c0000226", ERR_UNSUPPORTED},
        {"0a 01 01 c0000226 00", ERR_UNSUPPORTED}, /* DSA */
        {"0a 01 03 c0000226 00", ERR_VALUE}, /* ECDSA and EdDSA keys of no known length */
        {"0a 01 04 c0000226 00", ERR_VALUE},
        {"0a 01 05 c0000226 00", ERR_UNSUPPORTED},
        {"0a 01 02 c0000226", ERR_VALUE}, /* a key announced, none there */
        {"0a 03 00 01 61 01 62 00", ERR_OK},
        {"0a 03 00 01 61 01 62", ERR_SHORT},
        {"0a 03 00 01 61 03 6263", ERR_SHORT},
        {"0a 03 00", ERR_SHORT},
        {"0a 03 00 00", ERR_VALUE},          /* the root is no gateway */
        {"0a 03 00 01 61 c000", ERR_SYNTAX}, /* compressed */
        {"0a 03 00 40 61", ERR_SYNTAX},
        {"0a 03 00 03 612e62 00", ERR_VALUE}, /* a dot inside a label */
        {"0a 03 00 02 6100 01 62 00", ERR_VALUE},
        {"0a 03 00 01 5f 00", ERR_VALUE},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        uint8_t room[64];
        struct dnsrec_gateway gw;
        assert_int_equal(dnsrec_ipseckey_parse(check_hex(rows[i].hex, room), &gw), rows[i].err);
    }

    uint8_t room[300] = {10, 3, 0};
    struct dnsrec_gateway gw;
    for (size_t at = 3; at + 4 < sizeof(room); at += 4)
        memcpy(room + at,
               "\x03"
               "abc",
               4);
    assert_int_equal(dnsrec_ipseckey_parse(view_of(room, sizeof(room)), &gw), ERR_SYNTAX);
}

static void presentation(void **state)
{
    (void)state;
    uint8_t rdata[4096];
    char shown[4096], want[4096];
    size_t len;
    struct dnsrec_gateway gw;

    /* OE-135: 0x4200 is 16896 */
    assert_int_equal(dnsrec_key_build(&key_2048, span_of(rdata, sizeof(rdata)), &len), ERR_OK);
    assert_int_equal(dnsrec_present(DNS_TYPE_KEY, view_of(rdata, len), shown, sizeof(shown)),
                     ERR_OK);
    snprintf(want, sizeof(want), "KEY 16896 4 1 %s", text_2048);
    assert_string_equal(shown, want);
    assert_memory_equal(text_2048, "AwEAA", 5); /* what exponent 65537 begins with */
    assert_memory_equal(text_3, "AQ", 2);       /* and exponent 3 */

    /* OE-150: two strings for 2048 bits */
    gateway_of("192.1.1.5", 10, &key_2048, &gw);
    assert_int_equal(dnsrec_txt_build(&gw, span_of(rdata, sizeof(rdata)), &len), ERR_OK);
    assert_int_equal(dnsrec_present(DNS_TYPE_TXT, view_of(rdata, len), shown, sizeof(shown)),
                     ERR_OK);
    size_t head = strlen("X-IPsec-Server(10)=192.1.1.5 ");
    snprintf(want, sizeof(want), "TXT \"X-IPsec-Server(10)=192.1.1.5 %.*s\" \"%s\"",
             (int)(255 - head), text_2048, text_2048 + 255 - head);
    assert_string_equal(shown, want);

    struct view odd = view_of("\x07"
                              "a\"b\\c\x01\xff"
                              "\x00"
                              "\x01 ",
                              11);
    assert_int_equal(dnsrec_present(DNS_TYPE_TXT, odd, shown, sizeof(shown)), ERR_OK);
    assert_string_equal(shown, "TXT \"a\\\"b\\\\c\\001\\255\" \"\" \" \"");
    for (size_t room = 0; room <= strlen(shown); room++)
        assert_int_equal(dnsrec_present(DNS_TYPE_TXT, odd, want, room), ERR_ROOM);
    assert_int_equal(dnsrec_present(DNS_TYPE_TXT, odd, want, strlen(shown) + 1), ERR_OK);

    assert_int_equal(dnsrec_present(DNS_TYPE_TXT,
                                    view_of("\x05"
                                            "a",
                                            2),
                                    shown, 99),
                     ERR_SHORT);
    assert_int_equal(dnsrec_present(DNS_TYPE_KEY, view_of("abc", 3), shown, 99), ERR_SHORT);
    assert_int_equal(dnsrec_present(DNS_TYPE_IPSECKEY,
                                    view_of("\x0a\x03\x00\x03"
                                            "a.\x20\x00",
                                            8),
                                    shown, 99),
                     ERR_OK);
    assert_string_equal(shown, "IPSECKEY 10 3 0 a\\.\\ .");
    assert_int_equal(dnsrec_present(1, odd, shown, 99), ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_delegations),
        cmocka_unit_test(records_of_others),
        cmocka_unit_test(malformed_delegations),
        cmocka_unit_test(broken_character_strings),
        cmocka_unit_test(joined_strings_and_blanks),
        cmocka_unit_test(overlong_records),
        cmocka_unit_test(what_is_built_parses_back),
        cmocka_unit_test(key_records),
        cmocka_unit_test(ipseckey_examples),
        cmocka_unit_test(ipseckey_curves),
        cmocka_unit_test(ipseckey_errors),
        cmocka_unit_test(presentation),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
