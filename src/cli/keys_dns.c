/*
 * cygnet keys dns: the records a gateway's administrator publishes, as lines of a zone file.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/keys.h"
#include "wire/dnsrec.h"

enum { CLIENTS_MAX = 1024, PRECEDENCE_DEFAULT = 10, RDATA_MAX = 4096, PRESENT_MAX = 8192 };

static const char usage[] =
    "usage: cygnet keys dns [--json] [--key FILE] --address GATEWAY [--client ADDRESS]...\n"
    "                       [--precedence N] [--name FQDN] [--ipseckey]\n"
    "       cygnet keys dns [--json] [--key FILE] --forward NAME\n"
    "\n"
    "Prints the DNS records that let others find this gateway, for a signed zone in BIND's syntax:\n"
    "a KEY record at the reverse name of the gateway, and at the reverse name of each client the TXT\n"
    "record that delegates to it. Without clients the gateway acts for itself.\n"
    "With --forward, the IPSECKEY record of a host whose owner controls only its name; give that\n"
    "host 'identity: \"@NAME\"'.\n"
    "\n"
    "  -k, --key FILE        the gateway's private key (default " CLI_DEFAULT_KEY ")\n"
    "  -a, --address ADDR    the gateway's outside address\n"
    "  -c, --client ADDR     an address it acts for; may be repeated\n"
    "  -p, --precedence N    0 to 65535, lower is preferred (default 10)\n"
    "  -n, --name FQDN       the gateway is known by this name: delegate to @FQDN, KEY at the name\n"
    "  -f, --forward NAME    the one record that goes to a host's own name\n"
    "  -i, --ipseckey        print IPSECKEY records for the clients too\n"
    "  -j, --json            a list of {name, type, rdata}\n"
    "  -h, --help            print this\n";

struct records {
    struct cli_options options;
    const char *key_path;
    struct ip_addr address;
    struct identity name; /* IDENTITY_NONE: known by its address */
    struct identity forward;
    struct ip_addr clients[CLIENTS_MAX];
    size_t client_count;
    uint16_t precedence;
    bool ipseckey;
    struct public_key key;
    json_t *list; /* with --json */
};

/* One record; `rdata` is presented as "TYPE data". */
static bool print_record(struct records *r, const char *owner, uint16_t type, struct view rdata)
{
    static char text[PRESENT_MAX];

    if (dnsrec_present(type, rdata, text, sizeof(text)) != ERR_OK)
        return false;
    if (!r->options.json) {
        printf("%s IN %s\n", owner, text);
        return true;
    }
    const char *data = strchr(text, ' ');
    if (data == NULL)
        return false;
    json_array_append_new(r->list,
                          json_pack("{s:s,s:s#,s:s}", "name", owner, "type", text,
                                    (int)(data - text), "rdata", data + 1));
    return true;
}

/* OE-135: KEY at the gateway's reverse name, or at its own name (OE-157). */
/* OE-126: the gateway's own, in its reverse map. */
static bool print_key(struct records *r)
{
    char owner[LIMIT_DNS_NAME + 1];
    uint8_t rdata[RDATA_MAX];
    size_t len;

    if (r->name.kind == IDENTITY_FQDN)
        snprintf(owner, sizeof(owner), "%.255s.", r->name.fqdn);
    else
        ip_addr_reverse(&r->address, owner);
    return dnsrec_key_build(&r->key, span_of(rdata, sizeof(rdata)), &len) == ERR_OK &&
           print_record(r, owner, DNS_TYPE_KEY, view_of(rdata, len));
}

/* OE-139, OE-140, OE-146: the delegation of one client. */
static bool print_delegation(struct records *r, const struct ip_addr *client)
{
    struct dnsrec_gateway gateway = {.precedence = r->precedence, .key = r->key};
    char owner[IP_REVERSE_TEXT_MAX];
    uint8_t rdata[RDATA_MAX];
    size_t len;

    ip_addr_reverse(client, owner);
    gateway.gateway = r->name.kind == IDENTITY_FQDN ? r->name : identity_of_addr(&r->address);
    if (dnsrec_txt_build(&gateway, span_of(rdata, sizeof(rdata)), &len) != ERR_OK ||
        !print_record(r, owner, DNS_TYPE_TXT, view_of(rdata, len)))
        return false;
    if (!r->ipseckey)
        return true;
    gateway.precedence = r->precedence > UINT8_MAX ? UINT8_MAX : r->precedence;
    return dnsrec_ipseckey_build(&gateway, span_of(rdata, sizeof(rdata)), &len) == ERR_OK &&
           print_record(r, owner, DNS_TYPE_IPSECKEY, view_of(rdata, len));
}

/* RFC 4025: no gateway but the host itself, which is all that a forward name may say. */
static bool print_forward(struct records *r)
{
    struct dnsrec_gateway self = {.precedence = PRECEDENCE_DEFAULT, .key = r->key};
    char owner[LIMIT_DNS_NAME + 1];
    uint8_t rdata[RDATA_MAX];
    size_t len;

    snprintf(owner, sizeof(owner), "%.255s.", r->forward.fqdn);
    return dnsrec_ipseckey_build(&self, span_of(rdata, sizeof(rdata)), &len) == ERR_OK &&
           print_record(r, owner, DNS_TYPE_IPSECKEY, view_of(rdata, len));
}

static bool print_reverse(struct records *r)
{
    if (r->client_count == 0)
        r->clients[r->client_count++] = r->address;
    bool ok = print_key(r);
    for (size_t i = 0; ok && i < r->client_count; i++)
        ok = print_delegation(r, &r->clients[i]);
    return ok;
}

static int print_all(struct records *r)
{
    if (!keys_read_public(r->key_path, &r->key))
        return CLI_FAILED;
    r->list = json_array();
    bool ok = r->forward.kind == IDENTITY_FQDN ? print_forward(r) : print_reverse(r);
    if (ok && r->options.json)
        cli_print_json(r->list, JSON_INDENT(2));
    json_decref(r->list);
    return ok ? CLI_OK : cli_fail("the key doesn't fit into these records; use a smaller one");
}

static bool parse_precedence(const char *text, uint16_t *ret)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value > UINT16_MAX)
        return false;
    *ret = (uint16_t)value;
    return true;
}

/* False: the argument is wrong. */
static bool take_option(struct records *r, int option, const char *argument)
{
    switch (option) {
    case 'k':
        r->key_path = argument;
        return true;
    case 'a':
        return ip_addr_parse(argument, &r->address);
    case 'c':
        return r->client_count < CLIENTS_MAX &&
               ip_addr_parse(argument, &r->clients[r->client_count++]);
    case 'p':
        return parse_precedence(argument, &r->precedence);
    case 'n':
        return identity_of_fqdn(view_of_text(argument), &r->name);
    case 'f':
        return identity_of_fqdn(view_of_text(argument), &r->forward);
    default:
        r->ipseckey = true;
        return true;
    }
}

static int run(struct records *r, int argc, char **argv)
{
    static const struct option long_options[] = {CLI_OPTIONS,
                                                 {"key", required_argument, NULL, 'k'},
                                                 {"address", required_argument, NULL, 'a'},
                                                 {"client", required_argument, NULL, 'c'},
                                                 {"precedence", required_argument, NULL, 'p'},
                                                 {"name", required_argument, NULL, 'n'},
                                                 {"forward", required_argument, NULL, 'f'},
                                                 {"ipseckey", no_argument, NULL, 'i'},
                                                 {0}};
    int option, status;

    while ((option = getopt_long(argc, argv, CLI_OPTION_LETTERS "k:a:c:p:n:f:i", long_options,
                                 NULL)) != -1) {
        enum cli_option common = cli_option(&r->options, option, usage, &status);
        if (common == CLI_OPTION_STOP)
            return status;
        if (common == CLI_OPTION_OTHER && !take_option(r, option, optarg))
            return cli_misused("keys dns", "'%s' doesn't fit -%c", optarg, option);
    }
    if (optind < argc)
        return cli_misused("keys dns", "unexpected '%s'", argv[optind]);
    if (r->address.family == IP_NONE && r->forward.kind == IDENTITY_NONE)
        return cli_misused("keys dns", "name the gateway's outside address with --address");
    return print_all(r);
}

int keys_dns(int argc, char **argv)
{
    struct records *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return cli_fail("out of memory");
    r->key_path = CLI_DEFAULT_KEY;
    r->precedence = PRECEDENCE_DEFAULT;
    int status = run(r, argc, argv);
    free(r);
    return status;
}
