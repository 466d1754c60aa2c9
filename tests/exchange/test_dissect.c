/*
 * OE-111: what an independent dissector makes of everything that two engines say to each other, with
 * the phase 1 key to read the encrypted part: plain ISAKMP, IKE and IPsec DOI payloads, and no error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/key_lines.h"
#include "pair.h"

enum { SKIP = 77, OUTPUT_MAX = 65536 };

static void put_u16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put_file_header(FILE *file)
{
    const uint32_t words[] = {0xa1b2c3d4, 4u << 16 | 2, 0, 0, 65535, 101}; /* raw IP */
    assert_int_equal(fwrite(words, sizeof(words), 1, file), 1);
}

/* IPv4 and UDP without checksums around the datagram. */
static bool record(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    FILE *file = ctx;
    uint8_t headers[32] = {0x45, [8] = 64, [9] = 17};
    size_t marker = d->natt ? 4 : 0; /* the non-ESP marker */
    size_t headers_len = 28 + marker, len = headers_len + d->len;
    const uint32_t words[] = {(uint32_t)(pair->now.ms / 1000),
                              (uint32_t)(pair->now.ms % 1000) * 1000, (uint32_t)len, (uint32_t)len};
    put_u16(headers + 2, (unsigned)len);
    memcpy(headers + 12, d->source.addr.octets, 4);
    memcpy(headers + 16, d->target.addr.octets, 4);
    put_u16(headers + 20, d->source.port);
    put_u16(headers + 22, d->target.port);
    put_u16(headers + 24, (unsigned)(len - 20));
    assert_int_equal(fwrite(words, sizeof(words), 1, file), 1);
    assert_int_equal(fwrite(headers, headers_len, 1, file), 1);
    assert_int_equal(fwrite(d->octets, d->len, 1, file), 1);
    return true;
}

static void put_hex(char *ret, const uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sprintf(ret + 2 * i, "%02x", octets[i]);
}

/* One line a message with these fields, read with the SA's key. */
static void dissect(const char *path, const struct ike_sa *sa, const char *fields, char *ret)
{
    char command[1024], cookie[17], key[2 * CBC_KEY_MAX + 1];
    put_hex(cookie, sa->cookies, ISAKMP_COOKIE_LEN);
    put_hex(key, sa->keys.cipher, sa->suite.key_bits / 8);
    snprintf(command, sizeof(command),
             "HOME=/nonexistent tshark -n -r %s -o 'uat:ikev1_decryption_table:%s,%s' "
             "-T fields %s 2>/dev/null",
             path, cookie, key, fields);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    size_t len = fread(ret, 1, OUTPUT_MAX - 1, out);
    ret[len] = '\0';
    assert_int_equal(pclose(out), 0);
}

static void cut_all(char *text, const char *what, size_t len)
{
    char *at;
    while ((at = strstr(text, what)) != NULL)
        memmove(at, at + len, strlen(at + len) + 1);
}

/* However many transforms are offered, there is one "3", and Vendor IDs (13) bind nobody. */
static void collapse(char *text)
{
    cut_all(text, ",3,3", 2);
    cut_all(text, ",13", 3);
}

/* Payload types: 1 SA, 2 proposal, 3 transform, 4 KE, 5 ID, 8 HASH, 9 SIG, 10 nonce, 12 Delete. Of
 * exchanges: 2 Main Mode, 5 Informational, 32 Quick Mode. The last columns, errors, stay empty. */
static const char plain[] = "2\t1,2,3\t\t\n"
                            "2\t1,2,3\t\t\n"
                            "2\t4,10\t\t\n"
                            "2\t4,10\t\t\n"
                            "2\t5,9\t\t\n"
                            "2\t5,9\t\t\n"
                            "32\t8,1,2,3,10,4,5,5\t\t\n"
                            "32\t8,1,2,3,10,4,5,5\t\t\n"
                            "32\t8\t\t\n"
                            "5\t8,12\t\t\n"
                            "5\t8,12\t\t\n";

struct capture {
    char path[32];
    FILE *file;
    struct pair *pair;
};

/* NAT traversal is RFC 3947's, with payloads of its own, and off here. */
static struct capture begin(void)
{
    const struct pair_options options = {.config = {.nat = IKE_NAT_OFF}};
    struct capture c = {.path = "/tmp/cygnet-dissect-XXXXXX", .pair = pair_new(&options)};
    c.file = fdopen(mkstemp(c.path), "wb");
    assert_non_null(c.file);
    put_file_header(c.file);
    c.pair->tap = record;
    c.pair->tap_ctx = c.file;
    assert_int_equal(pair_initiate(c.pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(c.pair, 200);
    assert_int_equal(c.pair->sides[PAIR_A].up, 1);
    return c;
}

static void end(struct capture *c, const char *fields, char *ret)
{
    fclose(c->file);
    dissect(c->path, c->pair->sides[PAIR_A].ike->all[0], fields, ret);
    unlink(c->path);
    pair_free(c->pair);
}

static void test_plain_ike(void **state)
{
    static char said[OUTPUT_MAX];
    struct capture c = begin();
    (void)state;
    assert_int_equal(pair_event(c.pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    pair_run(c.pair, 200);
    end(&c, "-e isakmp.exchangetype -e isakmp.typepayload -e _ws.malformed -e _ws.expert.message",
        said);
    collapse(said);
    assert_string_equal(said, plain);
}

/* IKEv2: both first exchanges, a re-key of each kind and a Delete, read with the exported keys. Of
 * payload types: 33 SA, 34 KE, 35 IDi, 36 IDr, 39 AUTH, 40 nonce, 41 Notify, 42 Delete, 44 TSi, 45 TSr, 46 SK;
 * 2 and 3 are proposals and transforms. */
static char v2_lines[8][KEY_LINE_MAX];
static unsigned v2_line_count;

static void keep_line(struct pair *pair, unsigned side, const struct ike_effect *fx)
{
    struct ike_exported keys;
    (void)pair;
    memcpy(&keys, fx->bytes.ptr, sizeof(keys));
    if (side == PAIR_A && v2_line_count < 8) {
        size_t len = key_line_ike(&keys, v2_lines[v2_line_count++]);
        v2_lines[v2_line_count - 1][len - 1] = '\0'; /* the end of the line */
    }
}

static void dissect_v2(const char *path, char *ret)
{
    char command[8192];
    int len = snprintf(command, sizeof(command), "HOME=/nonexistent tshark -n -r %s", path);
    for (unsigned i = 0; i < v2_line_count; i++)
        len += snprintf(command + len, sizeof(command) - (size_t)len,
                        " -o 'uat:ikev2_decryption_table:%s'", v2_lines[i]);
    snprintf(command + len, sizeof(command) - (size_t)len,
             " -T fields -e isakmp.exchangetype -e isakmp.typepayload -e _ws.malformed"
             " 2>/dev/null");
    FILE *out = popen(command, "r");
    assert_non_null(out);
    size_t got = fread(ret, 1, OUTPUT_MAX - 1, out);
    ret[got] = '\0';
    assert_int_equal(pclose(out), 0);
}

static const char plain_v2[] = "34\t33,2,3,2,34,40\t\n" /* a 3 in front of 34 is cut too */
                               "34\t33,2,34,40\t\n"
                               "35\t46,35,41,39,33,2,3,2,3,44,45\t\n"
                               "35\t46,36,41,39,33,2,3,44,45\t\n"
                               "36\t46,41,33,2,3,2,3,40,34,44,45\t\n"
                               "36\t46,33,2,3,40,34,44,45\t\n"
                               "37\t46,42\t\n"
                               "37\t46,42\t\n"
                               "36\t46,33,2,3,2,3,40,34\t\n"
                               "36\t46,33,2,3,40,34\t\n"
                               "37\t46,42\t\n"
                               "37\t46\t\n"
                               "37\t46,42\t\n"
                               "37\t46,42\t\n";

static void test_v2(void **state)
{
    static char said[OUTPUT_MAX];
    struct pair_options options = {.version = IKE_VERSION_2,
                                   .config = {.nat = IKE_NAT_OFF, .key_export = true}};
    struct capture c = {.path = "/tmp/cygnet-dissect-XXXXXX", .pair = pair_new(&options)};
    (void)state;
    c.file = fdopen(mkstemp(c.path), "wb");
    assert_non_null(c.file);
    put_file_header(c.file);
    c.pair->tap = record;
    c.pair->tap_ctx = c.file;
    c.pair->on_keys = keep_line;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pair_initiate(c.pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(c.pair, 5000);
    }
    struct v2_sa *sa = c.pair->sides[PAIR_A].ike->v2.all[0];
    ike_timer_set(c.pair->sides[PAIR_A].ike, &sa->expiry, c.pair->now);
    pair_run(c.pair, 5000);
    assert_int_equal(pair_event(c.pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    pair_run(c.pair, 200);
    fclose(c.file);
    dissect_v2(c.path, said);
    unlink(c.path);
    pair_free(c.pair);
    collapse(said);
    cut_all(said, ",41,41", 3);
    cut_all(said, ",41\t", 3);
    assert_string_equal(said, plain_v2);
}

/* OE-110: what a Delete after a re-key names are the SAs that its sender receives on, on both sides. */
static void test_deletes_after_rekey(void **state)
{
    static char said[OUTPUT_MAX];
    char wanted[64];
    struct capture c = begin();
    uint32_t old[PAIR_SIDES];
    (void)state;
    for (unsigned i = 0; i < PAIR_SIDES; i++)
        old[i] = c.pair->sides[i].last_up.spi_in.value;
    c.pair->sides[PAIR_B].ticket = 1001;
    assert_int_equal(pair_initiate(c.pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(c.pair, 10000);
    assert_int_equal(c.pair->sides[PAIR_A].up, 2);
    struct ip_addr from[] = {c.pair->sides[PAIR_A].addr.addr, c.pair->sides[PAIR_B].addr.addr};
    end(&c, "-Y isakmp.delete.spi -e ip.src -e isakmp.delete.spi", said);
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        char text[IP_ADDR_TEXT_MAX];
        snprintf(wanted, sizeof(wanted), "%s\t%08x\n", ip_addr_format(&from[i], text), old[i]);
        assert_non_null(strstr(said, wanted));
        assert_true(strlen(said) < 2 * sizeof(wanted)); /* and nothing else */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_ike),
        cmocka_unit_test(test_v2),
        cmocka_unit_test(test_deletes_after_rekey),
    };
    if (system("tshark --version >/dev/null 2>&1") != 0)
        return SKIP;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
