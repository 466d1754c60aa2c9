/*
 * The configuration parser: what each key does, and that every mistake is reported at its place
 * with its remedy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "daemon/config.h"

static struct cygnet_config config;
static char error[CONFIG_ERROR_MAX];

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

/* OE-039: one line is enough, and it means OE-permissive for everything. */
static void test_one_line(void **state)
{
    (void)state;
    assert_good("outside: eth0\n");
    assert_int_equal(config.outside.count, 1);
    assert_string_equal(config.outside.names[0], "eth0");
    assert_string_equal(config.key, "/etc/cygnet/private.pem");
    assert_string_equal(config.control, "/run/cygnet/control.sock");
    assert_string_equal(config.state, "/var/lib/cygnet");
    assert_int_equal(config.identity.kind, IDENTITY_NONE);
    assert_int_equal(config.dns.forwarder_count, 0);
    assert_false(config.dns.trust_anchor_given);
    assert_false(config.dns.require_dnssec);
    assert_true(config.dns.unsigned_only_to_self);
    assert_true(config.dns.ask_ipseckey);
    assert_int_equal(config.stub.listen_count, 0);
    assert_string_equal(config.users.keyd, "_cygnet");
    assert_string_equal(config.users.plane, "_cygnet-plane");
    assert_string_equal(config.users.resolver, "_cygnet-dns");
    assert_string_equal(config.users.keeper, "_cygnet-key");
    assert_int_equal(config.wait_s, 20);
    assert_int_equal(config.lifespans.first_s, 60);
    assert_int_equal(config.lifespans.normal_s, 1200);
    assert_int_equal(config.lifespans.low_s, 60);
    assert_int_equal(config.limits.half_open, LIMIT_HALF_OPEN);
    assert_false(config.limits.cookies);
    assert_false(config.legacy_algorithms);
    assert_false(config.icmp_on_deny);
    assert_int_equal(config.on_stop, CONFIG_STOP_OPEN);
    assert_false(config.refuse_clear);
    assert_false(config.leased_spis);
    assert_int_equal(config.classifier, CONFIG_CLASSIFIER_AUTO);
    assert_int_equal(config.nat, IKE_NAT_AUTO);
    assert_int_equal(config.fallback, OE_PERMISSIVE);
    assert_int_equal(config.class_count, 1);
    assert_int_equal(config.classes[0].kind, OE_PERMISSIVE);
    assert_int_equal(config.classes[0].source.addr.family, IP_NONE);
    assert_int_equal(config.classes[0].destination.addr.family, IP_NONE);
}

/* OE-007, OE-028, OE-042, OE-055, OE-061, OE-138, OE-194: what is left to the administrator. */
static void test_every_key(void **state)
{
    (void)state;
    assert_good(
        "outside: wan0\n"
        "key: /k.pem\n"
        "control: /c.sock\n"
        "state: /s\n"
        "identity: \"@GW.example.net\"\n"
        "dns:\n"
        "  forwarders: [192.0.2.53, '192.0.2.54:5353', '[2001:db8::1]:5300', '2001:db8::2']\n"
        "  trust-anchor: /a.key\n"
        "  require-dnssec: yes\n"
        "  unsigned-only-to-self: no\n"
        "  ask-ipseckey: off\n"
        "stub: {listen: [127.0.0.1, '[2001:db8::1]:5335']}\n"
        "users: {keyd: 101, plane: p, resolver: dns, keeper: keys}\n"
        "fallback: oe-paranoid\n"
        "wait: 30\n"
        "lifespans: {first: 1, normal: 2, low: 3}\n"
        "limits: {half-open: 4, instances: 6, lookups: 7, cookies: yes, puzzles: always,\n"
        "  puzzle-bits: 12}\n"
        "ticket-secret-file: /etc/cygnet/tickets\n"
        "legacy-algorithms: true\n"
        "classifier: routing\n"
        "nat-traversal: force\n"
        "return-routability: always\n"
        "icmp-on-deny: Yes\n"
        "on-stop: closed\n"
        "refuse-clear: yes\n"
        "leased-spis: yes\n");
    assert_string_equal(config.outside.names[0], "wan0");
    assert_string_equal(config.key, "/k.pem");
    assert_string_equal(config.control, "/c.sock");
    assert_string_equal(config.state, "/s");
    assert_int_equal(config.identity.kind, IDENTITY_FQDN);
    assert_string_equal(config.identity.fqdn, "gw.example.net");
    assert_int_equal(config.dns.forwarder_count, 4);

    static const char *const servers[] = {"192.0.2.53:53", "192.0.2.54:5353", "[2001:db8::1]:5300",
                                          "[2001:db8::2]:53"};
    for (size_t i = 0; i < 4; i++) {
        char ep[IP_ENDPOINT_TEXT_MAX];
        assert_string_equal(ip_endpoint_format(&config.dns.forwarders[i], ep), servers[i]);
    }
    assert_true(config.dns.trust_anchor_given);
    assert_string_equal(config.dns.trust_anchor, "/a.key");
    assert_true(config.dns.require_dnssec);
    assert_false(config.dns.unsigned_only_to_self);
    assert_false(config.dns.ask_ipseckey);
    char listen[IP_ENDPOINT_TEXT_MAX];
    assert_int_equal(config.stub.listen_count, 2);
    assert_string_equal(ip_endpoint_format(&config.stub.listen[0], listen), "127.0.0.1:53");
    assert_string_equal(ip_endpoint_format(&config.stub.listen[1], listen), "[2001:db8::1]:5335");
    assert_string_equal(config.users.keyd, "101");
    assert_string_equal(config.users.plane, "p");
    assert_string_equal(config.users.resolver, "dns");
    assert_string_equal(config.users.keeper, "keys");
    assert_int_equal(config.fallback, OE_PARANOID);
    assert_int_equal(config.wait_s, 30);
    assert_int_equal(config.lifespans.first_s, 1);
    assert_int_equal(config.lifespans.normal_s, 2);
    assert_int_equal(config.lifespans.low_s, 3);
    assert_int_equal(config.limits.half_open, 4);
    assert_true(config.limits.cookies);
    assert_int_equal(config.limits.puzzles, IKE_PUZZLES_ALWAYS);
    assert_int_equal(config.limits.puzzle_bits, 12);
    assert_string_equal(config.ticket_secret, "/etc/cygnet/tickets");
    assert_int_equal(config.limits.instances, 6);
    assert_int_equal(config.limits.lookups, 7);
    assert_true(config.legacy_algorithms);
    assert_int_equal(config.classifier, CONFIG_CLASSIFIER_ROUTING);
    assert_int_equal(config.nat, IKE_NAT_FORCE);
    assert_int_equal(config.address_check, ADDRESS_CHECK_ALWAYS);
    assert_true(config.icmp_on_deny);
    assert_int_equal(config.on_stop, CONFIG_STOP_CLOSED);
    assert_true(config.leased_spis);
    assert_true(config.refuse_clear);
}

static void assert_class(size_t i, enum oe_class_kind kind, const char *source,
                         const char *destination, const char *name)
{
    char text[IP_PREFIX_TEXT_MAX];
    const struct oe_class *class = &config.classes[i];
    assert_int_equal(class->kind, kind);
    assert_string_equal(ip_prefix_format(&class->source, text), source);
    assert_string_equal(ip_prefix_format(&class->destination, text), destination);
    assert_string_equal(class->name, name);
}

/* OE-034: the four classes, by their names. */
static void test_policy(void **state)
{
    (void)state;
    assert_good("outside: eth0\n"
                "policy:\n"
                "  - class: deny\n"
                "    destination: [192.0.2.0/24, '2001:db8::/32']\n"
                "    source: [198.51.100.1, '2001:db8:1::/48']\n"
                "    name: nobody\n"
                "  - {class: always-clear-text, destination: 203.0.113.0/24}\n"
                "  - {class: OE-paranoid, source: any, destination: 10.0.0.0/8}\n"
                "  - {class: oe-permissive}\n");
    assert_int_equal(config.class_count, 5);
    assert_class(0, OE_DENY, "198.51.100.1/32", "192.0.2.0/24", "nobody");
    assert_class(1, OE_DENY, "2001:db8:1::/48", "2001:db8::/32", "nobody");
    assert_class(2, OE_ALWAYS_CLEAR, "none/0", "203.0.113.0/24", "always-clear-text");
    assert_class(3, OE_PARANOID, "none/0", "10.0.0.0/8", "OE-paranoid");
    assert_class(4, OE_PERMISSIVE, "none/0", "none/0", "OE-permissive");

    assert_good("outside: eth0\npolicy: []\nfallback: deny\n");
    assert_int_equal(config.class_count, 0);
    assert_int_equal(config.fallback, OE_DENY);
}

/* ADR-044: in the operator's order */
static void test_outside_list(void **state)
{
    (void)state;
    assert_good("outside: [wan0, wwan0]\n");
    assert_int_equal(config.outside.count, 2);
    assert_string_equal(config.outside.names[0], "wan0");
    assert_string_equal(config.outside.names[1], "wwan0");
}

/* OE-007, OE-036, OE-037, OE-054, OE-061, OE-094, OE-168 */
static void test_policy_options(void **state)
{
    (void)state;
    assert_good("outside: eth0\n"
                "return-tunnel: last-heard\n"
                "policy-files: /etc/p\n"
                "policy:\n"
                "  - {class: OE-permissive, while-keying: pass, wait: 7, accept: authenticated}\n"
                "  - {class: OE-dnssec-fail, verdict: clear}\n"
                "  - {class: OE-dnssec-fail, destination: 10.0.0.0/8}\n"
                "  - {class: OE-respond-only, destination: 10.0.0.0/8, while-keying: hold}\n"
                "  - {class: OE-paranoid, destination: 10.1.0.0/16, accept: anonymous}\n");
    assert_int_equal(config.return_tunnel, OE_RETURN_LAST_HEARD);
    assert_string_equal(config.policy_files, "/etc/p");
    assert_true(config.policy_files_given);
    assert_int_equal(config.class_count, 5);
    const struct oe_class *class = config.classes;
    assert_true(class[0].pass_while_keying);
    assert_int_equal(class[0].wait_s, 7);
    assert_int_equal(class[0].accept, OE_ACCEPT_AUTHENTICATED);
    assert_int_equal(class[1].kind, OE_DNSSEC_FAIL);
    assert_true(class[1].fail_clear);
    assert_false(class[2].fail_clear); /* deny is the default */
    assert_int_equal(class[3].kind, OE_RESPOND_ONLY);
    assert_false(class[3].pass_while_keying);
    assert_int_equal(class[4].accept, OE_ACCEPT_ANONYMOUS);
    assert_int_equal(oe_classes_duplicate(config.classes, config.class_count), 5);
}

/* The wanted line, whole, so that place, text and remedy are all held. */
static const struct {
    const char *text, *error;
} mistakes[] = {
    {"", "c.yaml:1:1: the configuration is empty; write at least 'outside: eth0'"},
    {"# nothing\n", "c.yaml:1:1: the configuration is empty; write at least 'outside: eth0'"},
    {"key: /k\n", "c.yaml:1:1: 'outside' is missing; name the interface that faces the network, as "
                  "in 'outside: eth0'"},
    {"eth0\n", "c.yaml:1:1: expected keys with values; write 'key: value' lines"},
    {"outside: eth0\nkee: /k\n", "c.yaml:2:1: unknown key 'kee'; did you mean 'key'?"},
    {"outside: eth0\nlegacy_algorithms: yes\n",
     "c.yaml:2:1: unknown key 'legacy_algorithms'; did you mean 'legacy-algorithms'?"},
    {"outside: eth0\ndns:\n  forwarder: 192.0.2.1\n",
     "c.yaml:3:3: unknown key 'forwarder'; did you mean 'forwarders'?"},
    {"outside: eth0\nusers: {zebra: 1}\n",
     "c.yaml:2:9: unknown key 'zebra'; it may be one of: keyd, plane, resolver, keeper"},
    {"outside: eth0\noutside: eth1\n", "c.yaml:2:1: 'outside' is given twice; keep one of them"},
    {"outside: []\n", "c.yaml:1:10: 'outside' names no interface; write at least one"},
    {"outside: {a: b}\n", "c.yaml:1:10: 'outside' needs an interface; write 'outside: eth0' or a "
                          "list of names"},
    {"outside:\n", "c.yaml:1:9: 'outside' needs an interface; write 'outside: eth0' or a list of "
                   "names"},
    {"outside:\n  - eth0\n  - eth1\n  - eth0\n",
     "c.yaml:4:5: 'eth0' is there twice; name it once, where it is preferred"},
    {"outside: [a, b, c, d, e, f, g, h, i]\n",
     "c.yaml:1:35: more than 8 outside interfaces; leave some out"},
    {"outside: [eth0, [eth1]]\n",
     "c.yaml:1:17: 'outside' needs an interface; write 'outside: eth0' or a list of names"},
    {"outside: eth0/1\n", "c.yaml:1:10: 'eth0/1' can't be an interface; see 'ip link' for names"},
    {"outside: abcdefghijklmnop\n",
     "c.yaml:1:10: 'abcdefghijklmnop' is too long for an interface; use at most 15 characters"},
    {"outside: eth0\nkey: k.pem\n", "c.yaml:2:6: 'key' needs a whole path; begin it with '/'"},
    {"outside: eth0\nidentity: gw.example.net\n",
     "c.yaml:2:11: 'gw.example.net' is not an identity; write address, an IP address, or "
     "\"@gw.example.net\" in quotes"},
    {"outside: eth0\ndns: {forwarders: [192.0.2.300]}\n",
     "c.yaml:2:20: '192.0.2.300' is not a DNS server's address; write 192.0.2.53, "
     "192.0.2.53:5353 or [2001:db8::53]:5353"},
    {"outside: eth0\ndns: {forwarders: '192.0.2.3:0'}\n",
     "c.yaml:2:19: '192.0.2.3:0' is not a DNS server's address; write 192.0.2.53, "
     "192.0.2.53:5353 or [2001:db8::53]:5353"},
    {"outside: eth0\ndns: {forwarders: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4, 1.1.1.5, 1.1.1.6, "
     "1.1.1.7, 1.1.1.8,\n 1.1.1.9]}\n",
     "c.yaml:3:2: 'forwarders' has more than 8 servers; keep the nearest"},
    {"outside: eth0\ndns: {require-dnssec: perhaps}\n",
     "c.yaml:2:23: 'require-dnssec' is neither yes nor no; write 'yes' or 'no'"},
    {"outside: eth0\nwait: 0\n",
     "c.yaml:2:7: 'wait' is not a fitting number; use one from 1 to 3600"},
    {"outside: eth0\nwait: 20s\n",
     "c.yaml:2:7: 'wait' is not a fitting number; use one from 1 to 3600"},
    {"outside: eth0\nwait: 99999999999\n",
     "c.yaml:2:7: 'wait' is not a fitting number; use one from 1 to 3600"},
    {"outside: eth0\nlimits: {half-open: 10001}\n",
     "c.yaml:2:21: 'half-open' is not a fitting number; use one from 1 to 10000"},
    {"outside: eth0\nclassifier: epbf\n",
     "c.yaml:2:13: 'classifier' can't be 'epbf'; did you mean 'ebpf'?"},
    {"outside: eth0\nfallback: drop\n",
     "c.yaml:2:11: 'fallback' can't be 'drop'; it may be one of: deny, always-clear-text, "
     "always-clear, OE-permissive, OE-paranoid, OE-respond-only"},
    {"outside: eth0\npolicy: [{class: OE-permissive, verdict: clear}]\n",
     "c.yaml:2:10: 'verdict' goes with class OE-dnssec-fail only; remove it"},
    {"outside: eth0\npolicy: [{class: deny, accept: anonymous}]\n",
     "c.yaml:2:10: 'deny' makes no tunnels; 'accept', 'while-keying' and 'wait' go with "
     "OE-permissive, OE-paranoid and OE-respond-only"},
    {"outside: eth0\npolicy: [{class: OE-paranoid, while-keying: pass}]\n",
     "c.yaml:2:10: OE-paranoid lets nothing pass in clear; remove 'while-keying' or take "
     "OE-permissive"},
    {"outside: eth0\nreturn-tunnel: oldest\n",
     "c.yaml:2:16: 'return-tunnel' can't be 'oldest'; did you mean 'newest'?"},
    {"outside: eth0\npolicy-files: policies\n",
     "c.yaml:2:15: 'policy-files' needs a whole path; begin it with '/'"},
    {"outside: eth0\npolicy: {class: deny}\n",
     "c.yaml:2:9: 'policy' is a list; begin each entry with '- class:'"},
    {"outside: eth0\npolicy: [deny]\n",
     "c.yaml:2:10: a policy entry has keys; write '- class: OE-permissive'"},
    {"outside: eth0\npolicy:\n  - destination: 192.0.2.0/24\n",
     "c.yaml:3:5: 'class' is missing; say what to do, as in 'class: OE-paranoid'"},
    {"outside: eth0\npolicy:\n  - class: deny\n    destination: 192.0.2.1/24\n",
     "c.yaml:4:18: '192.0.2.1/24' is not a prefix; its length must fit and all bits behind it must "
     "be zero"},
    {"outside: eth0\npolicy:\n  - class: deny\n    destination: [example.net]\n",
     "c.yaml:4:19: 'example.net' is not a prefix; write one as 192.0.2.0/24, 2001:db8::/32 or any"},
    {"outside: eth0\npolicy:\n  - {class: deny, destination: []}\n",
     "c.yaml:3:32: 'destination' is an empty list; remove it or name a prefix"},
    {"outside: eth0\npolicy:\n  - {class: deny, source: 192.0.2.0/24, destination: '::/0'}\n",
     "c.yaml:3:5: source and destination are of different IP versions; no packet has such a pair, "
     "use one version for both"},
    {"outside: eth0\ndns: [\n", "c.yaml:3:1: not YAML: did not find expected node content; look at "
                                "the indentation and quotes here"},
    {"outside: eth0\n---\noutside: eth1\n",
     "c.yaml:3:1: a second document begins here; keep only one"},
    {"outside: eth0\nkey: /\xff\n",
     "c.yaml:2:7: not UTF-8 text: invalid leading UTF-8 octet; save the file as UTF-8"},
    {"outside: eth0\nstub: {listen: [127.0.0.1, 0.0.0.0]}\n",
     "c.yaml:2:28: '0.0.0.0' would answer everybody's questions; name 127.0.0.1 and the inside "
     "addresses"},
    {"outside: eth0\nstub: {listen: \"::\"}\n",
     "c.yaml:2:16: '::' would answer everybody's questions; name 127.0.0.1 and the inside addresses"},
    {"outside: eth0\nstub: {listen: localhost}\n",
     "c.yaml:2:16: 'localhost' is not an address to listen on; write 127.0.0.1 or an inside address, "
     "as in 192.0.2.1 or [2001:db8::1]:53"},
    {"? [a]\n: b\n", "c.yaml:1:3: a key must be a word; write 'key: value'"},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        assert_false(parse(mistakes[i].text));
        assert_string_equal(error, mistakes[i].error);
        assert_int_equal(config.class_count, 0);
    }
}

/* OE-005: a prefix in two classes is a mistake, also when one entry lists it twice. */
static void test_one_prefix_one_class(void **state)
{
    (void)state;
    assert_false(parse("outside: eth0\n"
                       "policy:\n"
                       "  - {class: deny, destination: 192.0.2.0/24, name: blocked}\n"
                       "  - class: OE-paranoid\n"
                       "    destination: [198.51.100.0/24, 192.0.2.0/24]\n"));
    assert_string_equal(error, "c.yaml:5:36: source any, destination 192.0.2.0/24 is already in "
                               "'blocked' (deny); keep it in one entry");
    assert_false(parse("outside: eth0\n"
                       "policy: [{class: deny, destination: [10.0.0.0/8, 10.0.0.0/8]}]\n"));
    assert_string_equal(error, "c.yaml:2:50: source any, destination 10.0.0.0/8 is already in "
                               "'deny' (deny); keep it in one entry");
    /* Another length or another source is another prefix. */
    assert_good("outside: eth0\n"
                "policy:\n"
                "  - {class: deny, destination: 10.0.0.0/8}\n"
                "  - {class: OE-paranoid, destination: 10.0.0.0/9}\n"
                "  - {class: OE-paranoid, destination: 10.0.0.0/8, source: 10.1.0.0/16}\n");
}

static void test_too_many_classes(void **state)
{
    (void)state;
    char *text = malloc(LIMIT_CLASSES * 64);
    size_t len = (size_t)sprintf(text, "outside: eth0\npolicy:\n");
    for (int i = 0; i < LIMIT_CLASSES; i++)
        len += (size_t)sprintf(text + len, "- {class: deny, destination: 10.0.%d.%d}\n", i / 256,
                               i % 256);
    assert_good(text);
    assert_int_equal(config.class_count, LIMIT_CLASSES);
    sprintf(text + len, "- class: deny\n");
    assert_false(parse(text));
    assert_string_equal(
        error, "c.yaml:1027:3: more than 1024 pairs of prefixes; write wider prefixes");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_line),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_outside_list),
        cmocka_unit_test(test_policy_options),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_one_prefix_one_class),
        cmocka_unit_test(test_too_many_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
