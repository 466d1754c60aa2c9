#include "daemon/stop_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "plane/io/routing.h"

#define TABLE "cygnet-stopped"

static bool forbids_clear(enum oe_class_kind kind)
{
    return kind == OE_DENY || kind == OE_PARANOID;
}

static int compare_prefix(const struct ip_prefix *a, const struct ip_prefix *b)
{
    int bits_a = a->addr.family == IP_NONE ? -1 : a->bits;
    int bits_b = b->addr.family == IP_NONE ? -1 : b->bits;
    return bits_b - bits_a;
}

/* As flows find their class (OE-005, OE-035): the longest destination first, then the longest
 * source. */
static int compare_class(const void *left, const void *right)
{
    const struct oe_class *a = *(const struct oe_class *const *)left;
    const struct oe_class *b = *(const struct oe_class *const *)right;
    int order = compare_prefix(&a->destination, &b->destination);
    return order != 0 ? order : compare_prefix(&a->source, &b->source);
}

static void put_prefix(FILE *out, const char *what, const struct ip_prefix *prefix)
{
    char text[IP_ADDR_TEXT_MAX];
    if (prefix->addr.family != IP_NONE)
        fprintf(out, "%s %s %s/%u ", prefix->addr.family == IP_V4 ? "ip" : "ip6", what,
                ip_addr_format(&prefix->addr, text), prefix->bits);
}

static void put_class(FILE *out, const struct oe_class *class)
{
    if (class->kind == OE_DNSSEC_FAIL)
        return; /* it decides about no flow by itself */
    fprintf(out, "    ");
    if (class->source.addr.family == IP_NONE && class->destination.addr.family == IP_NONE)
        fprintf(out, "meta protocol { ip, ip6 } ");
    put_prefix(out, "saddr", &class->source);
    put_prefix(out, "daddr", &class->destination);
    fprintf(out, "%s\n", forbids_clear(class->kind) ? "counter drop" : "accept");
}

/* OE-004: what belongs into a configured tunnel, of whatever port, goes nowhere else. */
static void put_connection(FILE *out, const struct traffic_pair *traffic)
{
    if (traffic->local.net.addr.family == IP_NONE && traffic->remote.net.addr.family == IP_NONE)
        return;
    fprintf(out, "    ");
    put_prefix(out, "saddr", &traffic->local.net);
    put_prefix(out, "daddr", &traffic->remote.net);
    if (traffic->local.protocol != 0)
        fprintf(out, "meta l4proto %u ", traffic->local.protocol);
    fprintf(out, "counter drop\n");
}

static void put_rules(FILE *out, const struct cygnet_config *config,
                      const struct oe_class *const *sorted)
{
    char names[OUTSIDE_MAX * (OUTSIDE_NAME_MAX + 4)] = "";
    size_t len = 0;

    for (size_t i = 0; i < config->outside.count; i++)
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s \"%s\"", i > 0 ? "," : "",
                                config->outside.names[i]);
    fprintf(out,
            "table inet " TABLE "\ndelete table inet " TABLE "\n"
            "table inet " TABLE " {\n"
            "  chain out {\n"
            "    type filter hook postrouting priority 300; policy accept;\n"
            "    oifname {%s } jump outside\n"
            "  }\n"
            "  chain outside {\n"
            "    fib daddr type { broadcast, multicast } accept\n"
            "    ip daddr { 224.0.0.0/4, 169.254.0.0/16, 255.255.255.255 } accept\n"
            "    ip6 daddr { ff00::/8, fe80::/10 } accept\n"
            "    icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit,"
            " nd-neighbor-advert, nd-redirect } ip6 hoplimit 255 accept\n",
            names);
    for (size_t i = 0; i < config->selector_count; i++)
        put_connection(out, &config->selectors[i].traffic);
    for (size_t i = 0; i < config->class_count; i++)
        put_class(out, sorted[i]);
    if (forbids_clear(config->fallback))
        fprintf(out, "    meta protocol { ip, ip6 } counter drop\n");
    fprintf(out, "  }\n}\n");
}

char *stop_rules_text(const struct cygnet_config *config)
{
    const struct oe_class **sorted = calloc(config->class_count + 1, sizeof(*sorted));
    char *text = NULL;
    size_t len;
    FILE *out = sorted != NULL ? open_memstream(&text, &len) : NULL;

    if (out == NULL) {
        free(sorted);
        return NULL;
    }
    for (size_t i = 0; i < config->class_count; i++)
        sorted[i] = &config->classes[i];
    qsort(sorted, config->class_count, sizeof(*sorted), compare_class);
    put_rules(out, config, sorted);
    free(sorted);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

bool stop_rules_install(const struct cygnet_config *config)
{
    struct io_fault fault = {.text = "out of memory"};
    char *text = stop_rules_text(config);
    bool ok = text != NULL && io_nft_load(text, strlen(text), &fault);

    free(text);
    if (!ok)
        log_line(EVENT_ERROR, "can't close the outside interfaces for the time of the stop: %s",
                 fault.text);
    return ok;
}

void stop_rules_remove(void)
{
    io_nft_delete_table("inet", TABLE);
}
