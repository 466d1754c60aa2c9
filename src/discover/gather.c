#include "discover/gather.h"

#include "base/text.h"

#include <stdlib.h>

static const char *vouched(bool secure)
{
    return secure ? "secure" : "not signed";
}

/* The records of one answer that are ours and well formed. */
struct records {
    size_t count;
    size_t unsigned_elsewhere; /* left out by insecure_only_to_self */
    enum err malformed;        /* ERR_OK: none was */
    struct {
        struct dnsrec_gateway gw;
        uint32_t order;
    } at[LIMIT_DNS_RECORDS];
};

/* OE-055; an @FQDN can't be compared with an address, so it counts as elsewhere (OE-056). */
static bool points_to_self(const struct gather_rules *rules, const struct dnsrec_gateway *gw)
{
    return gw->gateway.kind == IDENTITY_ADDR && ip_addr_equal(&gw->gateway.addr, &rules->address);
}

static void read_record(const struct gather_rules *rules, const struct question *q, size_t i,
                        struct records *records)
{
    struct dnsrec_gateway gw;
    struct view rdata = q->answer.rdata[i];
    enum err err =
        q->type == DNS_TYPE_TXT ? dnsrec_txt_parse(rdata, &gw) : dnsrec_ipseckey_parse(rdata, &gw);
    /* OE-141: other people's records are no concern of ours, nor are kinds we don't know. */
    if (err == ERR_UNKNOWN || err == ERR_UNSUPPORTED)
        return;
    if (err != ERR_OK) {
        records->malformed = err;
        return;
    }
    if (gw.gateway.kind == IDENTITY_NONE)
        gw.gateway = identity_of_addr(&rules->address);
    if (!q->answer.secure && rules->insecure_only_to_self && !points_to_self(rules, &gw)) {
        records->unsigned_elsewhere++;
        return;
    }
    records->at[records->count].gw = gw;
    records->at[records->count++].order = rules->order[i];
}

/* Which gateway of those so far a record belongs to; `count` if it is a new one. */
static size_t group_find(const struct records *records, const size_t *groups, size_t count,
                         size_t record)
{
    size_t i = 0;
    while (i < count &&
           !identity_equal(&records->at[groups[i]].gw.gateway, &records->at[record].gw.gateway))
        i++;
    return i;
}

/* Lower precedence is stronger (OE-143); among equals chance decides (OE-152). */
static bool record_before(const struct records *records, size_t a, size_t b)
{
    const struct dnsrec_gateway *x = &records->at[a].gw, *y = &records->at[b].gw;
    if (x->precedence != y->precedence)
        return x->precedence < y->precedence;
    return records->at[a].order < records->at[b].order;
}

/* One record for each gateway, its strongest, in the order they are to be tried. */
static size_t group_records(const struct records *records, size_t *ret_groups)
{
    size_t count = 0;
    for (size_t i = 0; i < records->count; i++) {
        size_t at = group_find(records, ret_groups, count, i);
        if (at == count)
            ret_groups[count++] = i;
        else if (record_before(records, i, ret_groups[at]))
            ret_groups[at] = i;
        else
            continue;
        for (; at > 0 && record_before(records, i, ret_groups[at - 1]); at--) {
            ret_groups[at] = ret_groups[at - 1];
            ret_groups[at - 1] = i;
        }
    }
    return count < LIMIT_GATEWAYS ? count : LIMIT_GATEWAYS;
}

void gather_add_key(struct public_key *keys, uint8_t *count, const struct public_key *key)
{
    for (size_t i = 0; i < *count; i++)
        if (public_key_equal(&keys[i], key))
            return;
    if (*count < LIMIT_GATEWAY_KEYS)
        keys[(*count)++] = *key;
}

/* OE-153, OE-156: all keys published for one gateway belong together. */
static void fill_gateway(const struct records *records, size_t lead,
                         struct discovered_gateway *gateway, bool *ret_wants_key)
{
    gateway->precedence = records->at[lead].gw.precedence;
    gateway->id = records->at[lead].gw.gateway;
    for (size_t i = 0; i < records->count; i++) {
        const struct dnsrec_gateway *gw = &records->at[i].gw;
        if (!identity_equal(&gw->gateway, &gateway->id))
            continue;
        if (gw->key.alg == KEY_NONE)
            *ret_wants_key = true;
        else
            gather_add_key(gateway->keys, &gateway->key_count, &gw->key);
    }
}

static void explain_none(const struct records *records, const char *address, struct delegation *d)
{
    d->status = DISCOVERED_ABSENT;
    if (records->unsigned_elsewhere != 0)
        TEXT_SET(d->why, "the delegation of %s is not signed and may only name %s itself", address,
                 address);
    else
        TEXT_SET(d->why, "no delegation in DNS for %s (%s)", address,
                 d->secure ? "secure denial" : "not signed");
}

static void sort_out(const struct gather_rules *rules, const struct question *q,
                     struct records *records, struct gathered *ret)
{
    struct delegation *d = &ret->delegation;
    char address[IP_ADDR_TEXT_MAX];
    size_t groups[LIMIT_DNS_RECORDS];

    ip_addr_format(&rules->address, address);
    for (size_t i = 0; i < q->answer.count; i++)
        read_record(rules, q, i, records);
    /*
     * OE-051. One malformed record of ours spoils the answer even among good ones: whoever wrote it
     * meant to say something about who may act for the address, and we can't know what.
     */
    if (records->malformed != ERR_OK) {
        d->status = DISCOVERED_MALFORMED;
        TEXT_SET(d->why, "a delegation record of %s is malformed: %s", address,
                 err_text(records->malformed));
        return;
    }
    if (records->count == 0) {
        explain_none(records, address, d);
        return;
    }
    d->status = DISCOVERED_FOUND;
    d->count = (uint8_t)group_records(records, groups);
    for (size_t i = 0; i < d->count; i++)
        fill_gateway(records, groups[i], &d->gateways[i], &ret->wants_key[i]);
    TEXT_SET(d->why, "delegation of %s to %u gateway%s (%s)", address, d->count,
             d->count == 1 ? "" : "s", vouched(d->secure));
}

enum err gather_delegation(const struct gather_rules *rules, const struct question *q,
                           struct gathered *ret)
{
    char address[IP_ADDR_TEXT_MAX];
    struct delegation *d = &ret->delegation;
    struct records *records = calloc(1, sizeof(*records));

    if (records == NULL)
        return ERR_MEMORY;
    memset(ret, 0, sizeof(*ret));
    ip_addr_format(&rules->address, address);
    d->secure = q->answer.secure;
    d->expires = q->expires;
    switch (q->answer.status) {
    case DNS_FOUND:
        sort_out(rules, q, records, ret);
        break;
    case DNS_ABSENT:
        explain_none(records, address, d);
        break;
    case DNS_BOGUS:
        d->status = DISCOVERED_BOGUS;
        TEXT_SET(d->why, "the delegation of %s is bogus: %s", address, q->answer.why);
        break;
    case DNS_TIMEOUT:
        d->status = DISCOVERED_TIMEOUT;
        TEXT_SET(d->why, "DNS did not answer about %s: %s", address, q->answer.why);
        break;
    }
    free(records);
    return ERR_OK;
}

static void explain_keys(const char *id, enum err malformed, const struct question *q,
                         struct identity_keys *keys)
{
    switch (q->answer.status) {
    case DNS_FOUND:
    case DNS_ABSENT:
        keys->status = malformed != ERR_OK ? DISCOVERED_MALFORMED : DISCOVERED_ABSENT;
        if (malformed != ERR_OK)
            TEXT_SET(keys->why, "the KEY record of %s is malformed: %s", id, err_text(malformed));
        else
            TEXT_SET(keys->why, "no KEY in DNS for %s (%s)", id,
                     keys->secure ? "secure denial" : "not signed");
        break;
    case DNS_BOGUS:
        keys->status = DISCOVERED_BOGUS;
        TEXT_SET(keys->why, "the KEY of %s is bogus: %s", id, q->answer.why);
        break;
    case DNS_TIMEOUT:
        keys->status = DISCOVERED_TIMEOUT;
        TEXT_SET(keys->why, "DNS did not answer about the KEY of %s: %s", id, q->answer.why);
        break;
    }
}

/*
 * A malformed KEY beside a good one is only left out, unlike in a delegation: the signature decides
 * which key was meant (OE-137).
 */
void gather_keys(const struct identity *id, const struct question *q, struct identity_keys *ret)
{
    char text[IDENTITY_TEXT_MAX];
    enum err malformed = ERR_OK;

    memset(ret, 0, sizeof(*ret));
    ret->secure = q->answer.secure;
    ret->expires = q->expires;
    identity_format(id, text);
    for (size_t i = 0; i < q->answer.count; i++) {
        struct public_key key;
        enum err err = dnsrec_key_parse(q->answer.rdata[i], &key);
        if (err == ERR_OK)
            gather_add_key(ret->keys, &ret->count, &key);
        else if (err != ERR_UNKNOWN)
            malformed = err;
    }
    if (ret->count == 0) {
        explain_keys(text, malformed, q, ret);
        return;
    }
    ret->status = DISCOVERED_FOUND;
    TEXT_SET(ret->why, "%u KEY record%s of %s (%s)", ret->count, ret->count == 1 ? "" : "s", text,
             vouched(ret->secure));
}
