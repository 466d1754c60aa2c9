/*
 * Connections in the configuration, and what the engines get of them: every key, every mistake at its
 * place, files joined in, and editions that change exactly when a connection does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "daemon/keyd_profiles.h"

static struct cygnet_config config;
static char error[CONFIG_ERROR_MAX];
static char directory[] = "/tmp/test_connections.XXXXXX";

static bool parse(const char *text)
{
    memset(&config, 0, sizeof(config));
    error[0] = '\0';
    return config_parse(view_of_text(text), "c.yaml", &config, error);
}

static void assert_good(const char *text)
{
    if (!parse(text))
        fail_msg("%s", error);
}

static void assert_mistake(const char *text, const char *place, const char *said)
{
    if (parse(text))
        fail_msg("taken: %s", text);
    if (strncmp(error, place, strlen(place)) != 0 || strstr(error, said) == NULL ||
        strstr(error, "; ") == NULL)
        fail_msg("not '%s ... %s' but: %s", place, said, error);
}

static const char *path_of(const char *name)
{
    static char paths[8][64];
    static unsigned next;
    char *ret = paths[next++ % 8];
    snprintf(ret, sizeof(paths[0]), "%s/%s", directory, name);
    return ret;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

#define HEAD "outside: eth0\nconnections:\n"
#define OFFICE                                                                                     \
    "  - name: office\n    local: {auth: psk}\n"                                                   \
    "    remote: {address: 192.0.2.5, auth: psk}\n    secret-file: /s\n"                           \
    "    children: [{local: 10.1.0.0/16, remote: 10.2.0.0/16}]\n"

/* What isn't given. */
static void the_least(void **state)
{
    (void)state;
    assert_good(HEAD OFFICE);
    const struct config_connection *c = &config.connections[0];
    assert_int_equal(config.connection_count, 1);
    assert_string_equal(c->name, "office");
    assert_int_equal(c->version, IKE_ANY_VERSION);
    assert_false(c->aggressive || c->ah);
    assert_int_equal(c->local.address.addr.family, IP_NONE);
    assert_int_equal(c->remote.address.bits, 32);
    assert_int_equal(c->remote.id.kind, IDENTITY_NONE);
    assert_string_equal(config_text(&config, c->secret), "/s");
    assert_int_equal(config.selector_count, 1);
    assert_string_equal(config.selectors[0].name, "office");
    assert_int_equal(config.selectors[0].start, TUNNEL_ON_TRAFFIC);
    assert_int_equal(config.selectors[0].traffic.remote.port_last, 65535);
    assert_int_equal(config_key_number(&config, c), 0);
    assert_good(HEAD OFFICE "    protect-with: ah\n");
    assert_true(config.connections[0].ah);
    assert_mistake(HEAD OFFICE "    protect-with: both\n", "c.yaml:8:", "both");
}

/* RFC 9329 */
static void through_tcp(void **state)
{
    (void)state;
    assert_good(HEAD OFFICE);
    assert_int_equal(config.tcp_port, 0);
    assert_int_equal(config.connections[0].tcp, IKE_TCP_NEVER);
    assert_good("tcp-port: 443\n" HEAD OFFICE "    tcp: auto\n");
    assert_int_equal(config.tcp_port, 443);
    assert_int_equal(config.connections[0].tcp, IKE_TCP_AUTO);
    assert_int_equal(config.connections[0].remote.tcp_port, 0);
    assert_good(HEAD
                "  - {name: office, local: {auth: psk}, secret-file: /s, tcp: always,\n"
                "     remote: {address: 192.0.2.5, auth: psk, tcp-port: 443},\n"
                "     children: [{local: 10.1.0.0/16, remote: 10.2.0.0/16}]}\n");
    assert_int_equal(config.connections[0].tcp, IKE_TCP_ALWAYS);
    assert_int_equal(config.connections[0].remote.tcp_port, 443);
    assert_mistake(HEAD OFFICE "    tcp: perhaps\n", "c.yaml:8:", "always");
    assert_mistake("tcp-port: 0\n" HEAD OFFICE, "c.yaml:1:", "65535");
    assert_mistake(HEAD OFFICE "    tcp: auto\n    version: 1\n", "c.yaml:3:", "version 2");
    assert_mistake(HEAD OFFICE "    tcp: auto\n    protect-with: ah\n", "c.yaml:3:", "AH");
    assert_mistake(HEAD
                   "  - {name: office, local: {auth: psk}, secret-file: /s,\n"
                   "     remote: {address: 192.0.2.5, auth: psk, tcp-port: 443},\n"
                   "     children: [{local: 10.1.0.0/16, remote: 10.2.0.0/16}]}\n",
                   "c.yaml:3:", "tcp: auto");
}

static void every_key(void **state)
{
    (void)state;
    assert_good(HEAD
                "  - name: all\n    version: 2\n"
                "    local: {address: 192.0.2.4, id: \"@a.example.net\", auth: certificate,\n"
                "            key: /k.pem, certificate: [/c.pem, /i.pem]}\n"
                "    remote: {address: 198.51.100.0/24, id: user@example.net, auth: certificate,\n"
                "             ca: /ca.pem, crl: [/crl.pem], crl-required: true}\n"
                "    pool: 10.99.0.0/24\n    lifetimes: {ike: 7200, child: 600}\n    dpd: 15\n"
                "    pfs: 19\n    fragmentation: false\n    mobike: false\n    childless: yes\n"
                "    resumption: yes\n    rsa-padding: pkcs1\n"
                "    ppk: {id: quantum, file: /ppk, required: false}\n"
                "    children:\n"
                "      - {name: web, local: [10.1.0.0/16, 10.3.0.0/16], protocol: tcp,\n"
                "         local-ports: 80, remote-ports: 1024-65535, start: at-once, moves: false}\n");
    const struct config_connection *c = &config.connections[0];
    assert_int_equal(c->version, IKE_VERSION_2);
    assert_int_equal(c->local.chain.count, 2);
    assert_int_equal(c->remote.ca.count, 1);
    assert_true(c->remote.crl_required);
    assert_int_equal(c->remote.address.bits, 24);
    assert_int_equal(c->remote.id.kind, IDENTITY_EMAIL);
    assert_int_equal(c->local.id.kind, IDENTITY_FQDN);
    assert_int_equal(c->pfs_group, 19);
    assert_int_equal(c->ike_lifetime_s, 7200);
    assert_int_equal(c->child_lifetime_s, 600);
    assert_int_equal(c->dpd_s, 15);
    assert_true(c->fragmentation_off);
    assert_true(c->mobike_off);
    assert_true(c->childless);
    assert_true(c->resumption);
    assert_int_equal(c->rsa_padding, IKE_PADDING_PKCS1);
    assert_false(c->ppk_required);
    assert_string_equal(config_text(&config, c->ppk_id), "quantum");
    assert_int_equal(c->selector_count, 2); /* two nets on one side */
    const struct tunnel_selector *s = &config.selectors[1];
    assert_string_equal(s->name, "web");
    assert_int_equal(s->start, TUNNEL_AT_ONCE);
    assert_true(s->stays); /* ADR-015 */
    assert_int_equal(s->traffic.local.protocol, 6);
    assert_int_equal(s->traffic.local.port_last, 80);
    assert_int_equal(s->traffic.remote.port_first, 1024);
    assert_int_equal(s->traffic.remote.net.bits, 24); /* the pool */
    assert_int_equal(config_key_number(&config, c), 1);
    assert_string_equal(config_private_key(&config, 1), "/k.pem");
    assert_null(config_private_key(&config, 2));
}

/* Which protocol moves a tunnel (ADR-031), whether rules follow (ADR-040), and whether an address is an identity
 * (ADR-090). */
static void address_management(void **state)
{
    static const struct {
        const char *line;
        bool mobike_off, addrmgmt, policy_stays, any_address_id;
    } cases[] = {
        {"", false, false, false, false},
        {"address-management: mobike", false, false, false, false},
        {"address-management: auto", false, true, false, false},
        {"address-management: draft", true, true, false, false},
        {"address-management: off", true, false, false, false},
        {"update-policy: no", false, false, true, false},
        {"check-address-id: no", false, false, false, true},
    };
    char text[600];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text),
                 HEAD "  - name: all\n    version: 2\n    local: {auth: psk}\n"
                      "    remote: {address: 198.51.100.7, auth: psk}\n    secret-file: /s\n    %s\n"
                      "    children: [{local: 10.1.0.0/16, remote: 10.2.0.0/16}]\n",
                 cases[i].line);
        assert_good(text);
        const struct config_connection *c = &config.connections[0];
        assert_int_equal(c->mobike_off, cases[i].mobike_off);
        assert_int_equal(c->addrmgmt, cases[i].addrmgmt);
        assert_int_equal(c->policy_stays, cases[i].policy_stays);
        assert_int_equal(c->any_address_id, cases[i].any_address_id);
        assert_false(config.selectors[0].stays);
    }
}

static void mistakes(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {HEAD "  - {local: {auth: psk}}\n", "c.yaml:3:5:", "name"},
        {HEAD OFFICE OFFICE, "c.yaml:8:5:", "two connections 'office'"},
        {HEAD "  - {name: x, local: {auth: psk}, remote: {address: 192.0.2.5, auth: psk}, "
              "children: [{local: 10.0.0.0/8, remote: 10.2.0.0/16}]}\n",
         "c.yaml:3:5:", "secret-file"},
        {HEAD "  - {name: x, local: {auth: key}, remote: {auth: key}, children: []}\n",
         "c.yaml:3:", "'auth: key' needs 'key'"},
        {HEAD "  - {name: x, local: {auth: certificate}, remote: {auth: psk}, children: []}\n",
         "c.yaml:3:", "needs 'certificate'"},
        {HEAD "  - {name: x, local: {auth: psk}, remote: {auth: key, key: nonsense}, "
              "children: []}\n",
         "c.yaml:3:", "neither a file's path nor an RSA key"},
        {HEAD "  - {name: x, local: {auth: psk}, remote: {address: nowhere, auth: psk}, "
              "children: []}\n",
         "c.yaml:3:53:", "not where a peer may be"},
        {HEAD "  - {name: x, version: 1, local: {auth: psk}, secret-file: /s, remote: {auth: key, "
              "key: /p}, children: []}\n",
         "c.yaml:3:5:", "the same way"},
        {HEAD "  - {name: x, mode: aggressive, local: {auth: psk}, secret-file: /s, remote: "
              "{address: 192.0.2.1, auth: psk}, children: []}\n",
         "c.yaml:3:5:", "aggressive mode is of version 1"},
        {HEAD "  - {name: x, local: {auth: psk}, secret-file: /s, remote: {auth: psk}, children: "
              "[{local: 10.1.0.0/16}]}\n",
         "c.yaml:3:", "'remote' is missing"},
        {HEAD "  - {name: x, local: {auth: psk}, secret-file: s, remote: {address: 192.0.2.1, "
              "auth: psk}, children: [{local: 10.1.0.0/16}]}\n",
         "c.yaml:3:", "whole path"},
        {HEAD "  - {name: x, local: {auth: psk}, secret-file: /s, remote: {address: 192.0.2.1, "
              "auth: psk}, children: [{local: 10.1.0.1/16}]}\n",
         "c.yaml:3:", "not a net"},
        {HEAD "  - {name: x, local: {auth: psk}, secret-file: /s, remote: {address: 192.0.2.1, "
              "auth: psk}, children: [{local: 10.1.0.0/16, local-ports: 80}]}\n",
         "c.yaml:3:", "ports need a protocol"},
        {HEAD "  - {name: x, local: {auth: psk}, secret-file: /s, remote: {address: 192.0.2.1, "
              "auth: psk}, children: [{local: 10.1.0.0/16, protocol: tcp, local-ports: 90-80}]}\n",
         "c.yaml:3:", "not ports"},
        {HEAD "  - {name: x, local: {auth: psk}, secret-file: /s, remote: {address: 192.0.2.1, "
              "auth: psk}, children: [{local: 2001:db8::/32, remote: 10.1.0.0/16}]}\n",
         "c.yaml:3:", "different IP versions"},
        {HEAD "  - {name: x, virtual-address: true, local: {auth: psk}, secret-file: /s, remote: "
              "{auth: psk}, children: [{remote: 10.1.0.0/16}]}\n",
         "c.yaml:3:5:", "asks one peer"},
        {HEAD "  - {name: x, pool: 10.0.0.0/31, local: {auth: psk}, secret-file: /s, remote: "
              "{auth: psk}, children: [{local: 10.1.0.0/16}]}\n",
         "c.yaml:3:", "not a pool"},
        {HEAD "  - {name: x, local: {auth: psk}, secret-file: /s, remote: {auth: psk, port: 4000}, "
              "children: [{local: 10.1.0.0/16, remote: 10.2.0.0/16}]}\n",
         "c.yaml:3:5:", "'port' is where we begin"},
        /* RSIP-003, RSIP-014 */
        {HEAD OFFICE "leased-spis: yes\n", "c.yaml:3:5:", "add an 'id' to 'local'"},
        {HEAD "  - {name: x, version: 1, local: {auth: psk, id: \"@a.test\"}, secret-file: /s, remote: "
              "{auth: psk}, children: [{local: 10.1.0.0/16, remote: 10.2.0.0/16}]}\n"
              "leased-spis: yes\n",
         "c.yaml:3:5:", "the peer chooses the secret by the address"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_mistake(cases[i][0], cases[i][1], cases[i][2]);
}

/* A road warrior's own end: any address, until the peer lends one. */
static void virtual_address(void **state)
{
    (void)state;
    assert_good(HEAD
                "  - name: home\n    virtual-address: true\n    local: {auth: psk}\n"
                "    remote: {address: 192.0.2.5, auth: psk}\n    secret-file: /s\n"
                "    children: [{remote: 10.2.0.0/16, start: at-once}]\n");
    assert_true(config.connections[0].want_address);
    assert_int_equal(config.selectors[0].traffic.local.net.bits, 0);
    assert_int_equal(config.selectors[0].traffic.local.net.addr.family, IP_V4);
}

static struct materials gather(void)
{
    struct materials materials;
    int fd = materials_gather(&config, MATERIALS_KEYD, error);
    if (fd < 0)
        fail_msg("%s", error);
    assert_true(materials_map(fd, &materials));
    close(fd);
    return materials;
}

static struct profiles make(const char *text)
{
    struct profiles profiles;
    assert_good(text);
    struct materials materials = gather();
    if (!profiles_make(&config, &materials, NULL, 0, &profiles, error))
        fail_msg("%s", error);
    materials_unmap(&materials);
    return profiles;
}

static char *office_text(const char *name, const char *file, const char *far)
{
    static char text[512];
    snprintf(text, sizeof(text),
             "  - name: %s\n    local: {auth: psk}\n    remote: {address: %s, auth: psk}\n"
             "    secret-file: %s\n    children: [{local: 10.1.0.0/16, remote: 10.2.0.0/16}]\n",
             name, far, path_of(file));
    return text;
}

/* A reload must not disturb what it doesn't change. */
static void editions(void **state)
{
    (void)state;
    char text[2048];
    write_file("secret", "swordfish\n", 0600);
    snprintf(text, sizeof(text), HEAD "%s", office_text("office", "secret", "192.0.2.5"));
    struct profiles first = make(text);
    assert_int_equal(first.count, 1);
    assert_int_equal(first.profiles[0].psk.len, 9); /* without the line's end */
    assert_memory_equal(first.profiles[0].psk.ptr, "swordfish", 9);

    size_t len = (size_t)snprintf(text, sizeof(text), HEAD "%s",
                                  office_text("other", "secret", "192.0.2.6"));
    snprintf(text + len, sizeof(text) - len, "%s", office_text("office", "secret", "192.0.2.5"));
    struct profiles second = make(text);
    assert_int_equal(second.count, 2);
    assert_int_equal(second.connections[1].edition, first.connections[0].edition);
    assert_int_equal(second.profiles[1].number, first.profiles[0].number);
    assert_int_not_equal(second.profiles[0].number, second.profiles[1].number);

    write_file("secret", "shark\n", 0600);
    snprintf(text, sizeof(text), HEAD "%s", office_text("office", "secret", "192.0.2.5"));
    struct profiles third = make(text);
    assert_int_not_equal(third.connections[0].edition, first.connections[0].edition);
    assert_int_not_equal(third.profiles[0].number, first.profiles[0].number);
    profiles_free(&first);
    profiles_free(&second);
    profiles_free(&third);
}

/* IKE-054: a secret that others can read is none. */
static void files_are_checked(void **state)
{
    (void)state;
    char text[1024];
    write_file("open", "swordfish\n", 0644);
    snprintf(text, sizeof(text), HEAD "%s", office_text("office", "open", "192.0.2.5"));
    assert_good(text);
    assert_int_equal(materials_gather(&config, MATERIALS_KEYD, error), -1);
    assert_non_null(strstr(error, "others than root"));
    snprintf(text, sizeof(text), HEAD "%s", office_text("office", "absent", "192.0.2.5"));
    assert_good(text);
    assert_int_equal(materials_gather(&config, MATERIALS_KEYD, error), -1);
    assert_non_null(strstr(error, "absent: No such file"));
    write_file("empty", "\n", 0600);
    snprintf(text, sizeof(text), HEAD "%s", office_text("office", "empty", "192.0.2.5"));
    assert_good(text);
    struct materials materials = gather();
    struct profiles profiles;
    assert_false(profiles_make(&config, &materials, NULL, 0, &profiles, error));
    assert_non_null(strstr(error, "holds no secret"));
    materials_unmap(&materials);
}

/* IKE-056, IKE-057: public keys and certificates from files, the rest of a file left alone. */
static void keys_and_certificates(void **state)
{
    (void)state;
    char text[1024];
    struct profiles profiles;
    write_file("key", "-----BEGIN PUBLIC KEY-----\n"
                      "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                      "-----END PUBLIC KEY-----\n", 0644);
    write_file("ca", "some words\n-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n"
                     "-----BEGIN CERTIFICATE-----\nBAUG\n-----END CERTIFICATE-----\n", 0644);
    snprintf(text, sizeof(text),
             HEAD "  - {name: x, local: {auth: key}, remote: {address: 192.0.2.1, auth: key, key: "
                  "%s}, children: [{local: 10.1.0.0/16}]}\n", path_of("key"));
    profiles = make(text);
    assert_int_equal(profiles.profiles[0].peer_key_count, 1);
    assert_int_equal(profiles.profiles[0].peer_keys[0].alg, KEY_ED25519);
    profiles_free(&profiles);
    snprintf(text, sizeof(text),
             HEAD "  - {name: x, local: {auth: key}, remote: {address: any, auth: certificate, ca: "
                  "%s}, pool: 10.9.0.0/24, version: 2, children: [{local: 10.1.0.0/16}]}\n",
             path_of("ca"));
    profiles = make(text);
    const struct ike_profile *p = &profiles.profiles[0];
    assert_int_equal(p->anchor_count, 2);
    assert_memory_equal(p->anchors[1].ptr, "\x04\x05\x06", 3);
    struct ip_addr first = ip_addr_v4(0x0a090001), last = ip_addr_v4(0x0a0900fe);
    assert_true(ip_addr_equal(&p->pool_first, &first));
    assert_true(ip_addr_equal(&p->pool_last, &last));
    profiles_free(&profiles);
}

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
    static const char *const names[] = {"secret", "open", "empty", "key", "ca"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(path_of(names[i]));
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least),
        cmocka_unit_test(through_tcp),
        cmocka_unit_test(every_key), cmocka_unit_test(address_management),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(virtual_address),
        cmocka_unit_test(editions),
        cmocka_unit_test(files_are_checked),
        cmocka_unit_test(keys_and_certificates),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
