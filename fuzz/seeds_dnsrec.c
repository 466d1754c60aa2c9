#include "seeds.h"

#include "base/builder.h"
#include "wire/dnsrec.h"

static uint8_t room[65536];

/* A modulus nobody can factor by looking, but no key: it only has to have the form of one. */
static struct public_key make_key(size_t modulus_len)
{
    struct public_key key = {0};
    uint8_t octets[LIMIT_KEY_OCTETS] = {3, 1, 0, 1};
    for (size_t i = 0; i < modulus_len; i++)
        octets[4 + i] = (uint8_t)(0x80 + 37 * i);
    octets[4 + modulus_len - 1] |= 1;
    if (public_key_from_rfc3110(view_of(octets, 4 + modulus_len), &key) != ERR_OK)
        key.alg = KEY_NONE;
    return key;
}

static struct dnsrec_gateway make_gateway(const char *name, uint16_t precedence, size_t modulus_len)
{
    struct dnsrec_gateway gw = {.precedence = precedence};
    struct ip_addr addr;
    if (name[0] == '@')
        (void)identity_of_fqdn(view_of_text(name + 1), &gw.gateway);
    else if (ip_addr_parse(name, &addr))
        gw.gateway = identity_of_addr(&addr);
    if (modulus_len != 0)
        gw.key = make_key(modulus_len);
    return gw;
}

static void good(const struct seed_sink *sink)
{
    static const struct {
        const char *txt, *ipseckey, *gateway;
        size_t modulus_len;
    } rows[] = {
        {"txt-ipv4-key", "ipseckey-ipv4-key", "192.1.1.5", 256},
        {"txt-ipv4", "ipseckey-ipv4", "192.1.1.5", 0},
        {"txt-ipv6-key", "ipseckey-ipv6-key", "2001:db8::5", 128},
        {"txt-fqdn-key", "ipseckey-name-key", "@gw.example.net", 384},
        {"txt-fqdn", "ipseckey-name", "@a.b", 0},
        {NULL, "ipseckey-none-key", "", 256},
        {"txt-8192", "ipseckey-8192", "192.1.1.5", 1024},
    };
    size_t len;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dnsrec_gateway gw = make_gateway(rows[i].gateway, 10, rows[i].modulus_len);
        if (dnsrec_txt_build(&gw, span_of(room, sizeof(room)), &len) == ERR_OK)
            seed_put(sink, rows[i].txt, view_of(room, len));
        if (dnsrec_ipseckey_build(&gw, span_of(room, sizeof(room)), &len) == ERR_OK)
            seed_put(sink, rows[i].ipseckey, view_of(room, len));
    }
    struct public_key key = make_key(256);
    if (dnsrec_key_build(&key, span_of(room, sizeof(room)), &len) == ERR_OK)
        seed_put(sink, "key-2048", view_of(room, len));
    room[3] = 5;
    seed_put(sink, "key-algorithm-5", view_of(room, len));
}

static void put_txt(const struct seed_sink *sink, const char *name, const char *text, size_t each)
{
    struct builder b = builder_on(span_of(room, sizeof(room)));
    for (size_t left = strlen(text); left > 0;) {
        size_t len = left < each ? left : each;
        builder_u8(&b, (uint8_t)len);
        builder_bytes(&b, text, len);
        text += len;
        left -= len;
    }
    seed_put(sink, name, builder_written(&b));
}

static void texts(const struct seed_sink *sink)
{
    static const struct {
        const char *name, *text;
        size_t each;
    } rows[] = {
        {"txt-blanks", "\t x-ipsec-server ( 65535 )\r\n= 2001:db8::5\t", 255},
        {"txt-one-octet-strings", "X-IPsec-Server(10)=192.1.1.5", 1},
        {"txt-other", "v=spf1 -all", 255},
        {"txt-no-value", "X-IPsec-Server", 255},
        {"txt-quoted", "X-IPsec-Server`=(10)=192.1.1.5", 255},
        {"hostile-txt-precedence", "X-IPsec-Server(99999999999999999999)=192.1.1.5", 255},
        {"hostile-txt-no-precedence", "X-IPsec-Server=192.1.1.5", 255},
        {"hostile-txt-gateway", "X-IPsec-Server(10)=192.1.1.256 AQ==", 255},
        {"hostile-txt-name", "X-IPsec-Server(10)=@-..- AQ==", 255},
        {"hostile-txt-elided-key", "X-IPsec-Server(10)=192.1.1.5 AQMM...3s1Q==", 255},
        {"hostile-txt-small-key",
         "X-IPsec-Server(10)=192.1.1.5 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", 255},
        {"hostile-txt-padding", "X-IPsec-Server(10)=192.1.1.5 AQ=A", 255},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        put_txt(sink, rows[i].name, rows[i].text, rows[i].each);
    seed_put(sink, "hostile-txt-string-past-end", view_of("\xffX-IPsec-Server(10)=1.2.3.4", 28));
    seed_put(sink, "hostile-txt-zero", view_of("\x1cX-IPsec-Server(10)=1.2.3.4\0x", 29));

    static char filler[6000];
    memset(filler, 'A', sizeof(filler) - 1);
    memcpy(filler, "X-IPsec-Server(10)=192.1.1.5 ", 29);
    put_txt(sink, "hostile-txt-long", filler, 255);
}

static void hostile_keys(const struct seed_sink *sink)
{
    static const struct {
        const char *name;
        struct view bytes;
    } rows[] = {
        {"empty", {(const uint8_t *)"", 0}},
        {"hostile-key-empty", {(const uint8_t *)"\x42\x00\x04\x01", 4}},
        {"hostile-key-exponent-past-end", {(const uint8_t *)"\x42\x00\x04\x01\xff\x01", 6}},
        {"hostile-key-long-exponent", {(const uint8_t *)"\x42\x00\x04\x01\x00\xff\xff\x01", 8}},
        {"key-dnssec", {(const uint8_t *)"\x01\x00\x03\x05\x03\x01\x00\x01\xaa", 9}},
        {"hostile-ipseckey-type", {(const uint8_t *)"\x0a\x09\x02zzzz", 7}},
        {"hostile-ipseckey-dsa", {(const uint8_t *)"\x0a\x00\x01zzzz", 7}},
        {"hostile-ipseckey-compressed",
         {(const uint8_t *)"\x0a\x03\x02\x01"
                           "a\xc0\x00",
          7}},
        {"hostile-ipseckey-label",
         {(const uint8_t *)"\x0a\x03\x02\x3f"
                           "a",
          5}},
        {"hostile-ipseckey-dot",
         {(const uint8_t *)"\x0a\x03\x00\x03"
                           "a.b\x00",
          8}},
        {"hostile-ipseckey-root", {(const uint8_t *)"\x0a\x03\x00\x00", 4}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        seed_put(sink, rows[i].name, rows[i].bytes);

    struct builder b = builder_on(span_of(room, sizeof(room)));
    builder_bytes(&b, "\x0a\x03\x00", 3);
    for (int i = 0; i < 200; i++)
        builder_bytes(&b,
                      "\x01"
                      "a",
                      2);
    builder_u8(&b, 0);
    seed_put(sink, "hostile-ipseckey-long-name", builder_written(&b));
}

void seeds_dnsrec(const struct seed_sink *sink)
{
    good(sink);
    texts(sink);
    hostile_keys(sink);
}
