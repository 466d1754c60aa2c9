/* cygnet-rsipd's configuration, and its leases on disk. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/rsipd/config.h"
#include "daemon/rsipd/store.h"

static struct rsipd_config config;
static char error[RSIPD_ERROR_MAX];

static bool parse(const char *text)
{
    error[0] = '\0';
    return rsipd_config_parse(view_of_text(text), "rsip.yaml", &config, error);
}

static void test_server(void **state)
{
    (void)state;
    assert_true(parse("server:\n"
                      "  inside: 10.0.0.1\n"
                      "  outside: eth0\n"
                      "  pool:\n"
                      "    - addresses: 192.0.2.10\n"
                      "      ports: 20000-59999\n"
                      "    - addresses: 192.0.2.16/29\n"
                      "      use: whole\n"
                      "  hosts:\n"
                      "    - from: 10.0.0.0/8\n"
                      "      methods: [rsap-ip, rsipsec]\n"
                      "      tunnels: gre\n"
                      "      remote-flow: micro\n"
                      "      spis: 3\n"
                      "      lease: 100\n"
                      "      rules:\n"
                      "        - {remote: 198.51.100.0/24, ports: 25, allow: no}\n"
                      "        - {allow: yes}\n"
                      "    - {from: 10.9.0.0/16, deny: yes}\n"
                      "  local: [10.0.0.0/8, 192.168.0.0/16]\n"
                      "  tcp-only: yes\n"));
    const struct rsipd_server *s = &config.server;
    assert_true(s->given && !config.client.given && s->tcp_only);
    assert_int_equal(s->range_count, 2);
    assert_true(s->ranges[0].shared && !s->ranges[0].whole);
    assert_int_equal(s->ranges[0].port_low, 20000);
    assert_int_equal(s->ranges[0].port_high, 59999);
    assert_true(s->ranges[1].whole && !s->ranges[1].shared);
    assert_int_equal(s->policy_count, 2);
    const struct rsip_policy *p = &s->policies[0].policy;
    assert_int_equal(p->methods, 1 << RSIP_METHOD_RSAP | 1 << RSIP_METHOD_IPSEC);
    assert_int_equal(p->tunnels, 1 << RSIP_TUNNEL_GRE);
    assert_int_equal(p->flow_local, RSIP_FLOW_MACRO);
    assert_int_equal(p->flow_remote, RSIP_FLOW_MICRO);
    assert_int_equal(p->quota.spis, 3);
    assert_int_equal(p->quota.ports, 256);
    assert_int_equal(p->lease_s, 100);
    assert_int_equal(p->rule_count, 2);
    assert_int_equal(p->rules[0].port_low, 25);
    assert_false(p->rules[0].allow);
    assert_true(p->rules[1].allow && p->rules[1].remote.addr.family == IP_NONE);
    assert_true(s->policies[1].policy.deny);
    assert_int_equal(s->local_count, 2);
    assert_int_equal(s->hold_s, 120);
}

/* RSIP-062 */
static void test_client(void **state)
{
    (void)state;
    assert_true(parse("client: {server: 10.0.0.1, method: rsipsec, ports: 0, spis: 4,\n"
                      "  first-spi: 0x5000,\n"
                      "  transport: tcp, routes: [198.51.100.0/24], remote: 198.51.100.7,\n"
                      "  remote-port: 80, first-timeout-ms: 200}\n"));
    const struct rsipd_client *c = &config.client;
    assert_int_equal(c->method, RSIP_METHOD_IPSEC);
    assert_int_equal(c->transport, RSIP_TCP);
    assert_int_equal(c->spis, 4);
    assert_int_equal(c->first_spi, 0x5000); /* RSIP-033 */
    assert_int_equal(c->route_count, 1);
    assert_int_equal(c->remote.port, 80);
    assert_int_equal(c->first_timeout_ms, 200);
    assert_true(parse("client: {server: 10.0.0.1, remote: www.example.net}"));
    assert_string_equal(c->remote_name, "www.example.net");
    assert_int_equal(c->remote.addr.family, IP_NONE);
    assert_true(parse("server: {inside: 10.0.0.1, outside: e, pool: [addresses: 192.0.2.1],\n"
                      "  hosts: [from: 10.0.0.0/8], dns: [192.0.2.53, 192.0.2.54]}\n"));
    assert_int_equal(config.server.dns_count, 2);
    assert_true(ip_addr_equal(&config.server.dns[1], &(struct ip_addr){.family = IP_V4, .octets = {192, 0, 2, 54}}));
    assert_true(parse("client: {server: 10.0.0.1}"));
    assert_int_equal(c->route_count, 1);
    assert_int_equal(c->routes[0].bits, 0);
    assert_int_equal(c->ports, 64);
    assert_true(c->set_port_range);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"user: x\n", "no 'server' or 'client'"},
        {"client: {server: 10.0.0.1}\nserver: {inside: 10.0.0.1, outside: e, pool: [addresses: "
         "192.0.2.1], hosts: [from: 10.0.0.0/8]}\n",
         "or both"},
        {"server: {inside: 10.0.0.1, outside: e, hosts: [from: 10.0.0.0/8],\n pool: [{addresses: "
         "192.0.2.1, use: own}]}\n",
         "rsip.yaml:2:9: of its own address the gateway can lease some ports only"},
        {"client: {server: 10.0.0.1, remote: a b}\n", "rsip.yaml:1:36: 'a b' is neither an IPv4 address"},
        {"client: {server: 10.0.0.1, first-spi: 255}\n", "'first-spi' is not an SPI"},
        {"client: {server: gw}\n", "rsip.yaml:1:18: 'gw' is not an IPv4 address"},
        {"client: {server: 10.0.0.1, ports: 256}\n", "from 0 to 255"},
        {"client: {server: 10.0.0.1, method: nat}\n", "nat"},
        {"client: {ports: 1}\n", "server"},
        {"server: {inside: 10.0.0.1, outside: e, pool: [addresses: 192.0.2.1/24], hosts: [from: "
         "10.0.0.0/8]}\n",
         "is not a prefix"},
        {"server: {inside: 10.0.0.1, outside: e, pool: [{addresses: 192.0.2.1, ports: 9-2}], "
         "hosts: "
         "[from: 10.0.0.0/8]}\n",
         "are not ports"},
        {"server: {inside: 10.0.0.1, outside: e, pool: [addresses: 192.0.2.1], hosts: [{from: "
         "10.0.0.0/8, lease: 100, lease-max: 50}]}\n",
         "longer than"},
        {"server: {inside: 10.0.0.1, outside: e, hosts: [from: 10.0.0.0/8]}\n", "pool"},
    };
    (void)state;
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        assert_false(parse(rows[i].text));
        if (strstr(error, rows[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", error, rows[i].says);
    }
}

static unsigned given;
static uint64_t serials[8];
static uint8_t firsts[8];

static void give(void *ctx, uint64_t serial, struct view bytes)
{
    (void)ctx;
    assert_true(given < 8 && bytes.len == 3);
    firsts[given] = bytes.ptr[0];
    serials[given++] = serial;
}

/* What was flushed is there after the process is gone, and what was forgotten is not. */
static void test_store(void **state)
{
    char directory[] = "/tmp/rsipd-XXXXXX", path[64], other[80];
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/leases.db", directory);
    for (unsigned life = 0; life < 2; life++) {
        struct lease_store *store = lease_store_open(path);
        assert_non_null(store);
        given = 0;
        lease_store_each(store, give, NULL);
        assert_int_equal(given, life == 0 ? 0 : 2);
        if (life == 1) {
            assert_int_equal(serials[1], 3);
            assert_int_equal(firsts[0], 'A');
        }
        lease_store_save(store, 1, view_of_text("aaa"));
        lease_store_save(store, 2, view_of_text("bbb"));
        lease_store_save(store, 3, view_of_text("ccc"));
        lease_store_save(store, 1, view_of_text("AAA"));
        lease_store_forget(store, 2);
        lease_store_flush(store);
        lease_store_close(store);
    }
    FILE *file = fopen(path, "w"); /* damaged: begun anew */
    assert_non_null(file);
    fputs("this is no database, and long enough to be looked at as if it were one", file);
    fclose(file);
    struct lease_store *store = lease_store_open(path);
    assert_non_null(store);
    given = 0;
    lease_store_each(store, give, NULL);
    assert_int_equal(given, 0);
    lease_store_close(store);
    static const char *const parts[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < CHECK_COUNT(parts); i++) {
        snprintf(other, sizeof(other), "%s%s", path, parts[i]);
        unlink(other);
    }
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server),
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
