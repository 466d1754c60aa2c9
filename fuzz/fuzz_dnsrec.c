/* TXT delegation, KEY and IPSECKEY: the same RDATA is tried as each of them. */
#include "fuzz.h"

#include "wire/dnsrec.h"

static uint8_t room[8192];

static bool gateways_equal(const struct dnsrec_gateway *a, const struct dnsrec_gateway *b)
{
    return a->precedence == b->precedence && identity_equal(&a->gateway, &b->gateway) &&
           public_key_equal(&a->key, &b->key);
}

static void fuzz_txt(struct view rdata)
{
    struct dnsrec_gateway gw, again;
    size_t len;
    if (dnsrec_txt_parse(rdata, &gw) != ERR_OK)
        return;
    assert(gw.gateway.kind != IDENTITY_NONE);
    assert(dnsrec_txt_build(&gw, span_of(room, sizeof(room)), &len) == ERR_OK);
    assert(dnsrec_txt_parse(view_of(room, len), &again) == ERR_OK);
    assert(gateways_equal(&gw, &again));
}

static void fuzz_key(struct view rdata)
{
    struct public_key key, again;
    size_t len;
    if (dnsrec_key_parse(rdata, &key) != ERR_OK)
        return;
    assert(dnsrec_key_build(&key, span_of(room, sizeof(room)), &len) == ERR_OK);
    assert(len == rdata.len);
    assert(dnsrec_key_parse(view_of(room, len), &again) == ERR_OK);
    assert(public_key_equal(&key, &again));
}

static void fuzz_ipseckey(struct view rdata)
{
    struct dnsrec_gateway gw, again;
    size_t len;
    if (dnsrec_ipseckey_parse(rdata, &gw) != ERR_OK)
        return;
    assert(dnsrec_ipseckey_build(&gw, span_of(room, sizeof(room)), &len) == ERR_OK);
    assert(len == rdata.len);
    assert(dnsrec_ipseckey_parse(view_of(room, len), &again) == ERR_OK);
    assert(gateways_equal(&gw, &again));
}

/* One line of printable ASCII, whatever is in the record. */
static void fuzz_present(uint16_t type, struct view rdata)
{
    static char text[1 << 19];
    size_t used = rdata.len < 65536 ? rdata.len : 65536; /* RDATA is no longer than that */
    enum err err = dnsrec_present(type, view_of(rdata.ptr, used), text, sizeof(text));
    assert(err != ERR_ROOM);
    for (const char *c = text; err == ERR_OK && *c != '\0'; c++)
        assert(*c >= ' ' && *c <= '~');
    char small[32];
    if (dnsrec_present(type, view_of(rdata.ptr, used), small, sizeof(small)) == ERR_OK)
        assert(strlen(small) < sizeof(small));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct view rdata = view_of(data, len);
    fuzz_txt(rdata);
    fuzz_key(rdata);
    fuzz_ipseckey(rdata);
    fuzz_present(DNS_TYPE_TXT, rdata);
    fuzz_present(DNS_TYPE_KEY, rdata);
    fuzz_present(DNS_TYPE_IPSECKEY, rdata);
    return 0;
}
