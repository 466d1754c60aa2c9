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
        bool ipseckey;
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
    records->at[records->count].ipseckey = q->type != DNS_TYPE_TXT;
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
    gateway->ipseckey = records->at[lead].ipseckey;
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

static const char *record_name(const struct question *q)
{
    return q->type == DNS_TYPE_KEY ? "KEY" : "IPSECKEY";
}

static void explain_keys(const char *id, enum err malformed, const struct question *q,
                         struct identity_keys *keys)
{
    switch (q->answer.status) {
    case DNS_FOUND:
    case DNS_ABSENT:
        keys->status = malformed != ERR_OK ? DISCOVERED_MALFORMED : DISCOVERED_ABSENT;
        if (malformed != ERR_OK)
            TEXT_SET(keys->why, "the %s record of %s is malformed: %s", record_name(q), id,
                     err_text(malformed));
        else
            TEXT_SET(keys->why, "no %s in DNS for %s (%s)", record_name(q), id,
                     keys->secure ? "secure denial" : "not signed");
        break;
    case DNS_BOGUS:
        keys->status = DISCOVERED_BOGUS;
        TEXT_SET(keys->why, "the %s of %s is bogus: %s", record_name(q), id, q->answer.why);
        break;
    case DNS_TIMEOUT:
        keys->status = DISCOVERED_TIMEOUT;
        TEXT_SET(keys->why, "DNS did not answer about the %s of %s: %s", record_name(q), id,
                 q->answer.why);
        break;
    }
}

/* Does a record at a name or a reverse name speak of its owner, not of another gateway? */
static bool is_about_owner(const struct dnsrec_gateway *gw, const struct identity *id)
{
    return gw->gateway.kind == IDENTITY_NONE || identity_equal(&gw->gateway, id);
}

/* The key in one record; ERR_UNKNOWN: none of this identity's. */
static enum err read_key(const struct identity *id, const struct question *q, size_t i,
                         struct public_key *ret)
{
    struct dnsrec_gateway gw;

    if (q->type == DNS_TYPE_KEY)
        return dnsrec_key_parse(q->answer.rdata[i], ret);
    enum err err = dnsrec_ipseckey_parse(q->answer.rdata[i], &gw);
    if (err == ERR_UNSUPPORTED)
        return ERR_UNKNOWN;
    if (err != ERR_OK)
        return err;
    if (!is_about_owner(&gw, id) || gw.key.alg == KEY_NONE)
        return ERR_UNKNOWN;
    *ret = gw.key;
    return ERR_OK;
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
        enum err err = read_key(id, q, i, &key);
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
    TEXT_SET(ret->why, "%u %s record%s of %s (%s)", ret->count, record_name(q),
             ret->count == 1 ? "" : "s", text, vouched(ret->secure));
}

static bool read_address(const struct question *q, size_t i, struct ip_addr *ret)
{
    *ret = ip_addr_from(q->answer.rdata[i]);
    return ret->family == (q->type == DNS_TYPE_A ? IP_V4 : IP_V6);
}

/* Room for another gateway like the one at `i`, right behind it. False: there is none. */
static bool gateway_split(struct delegation *d, size_t i)
{
    if (d->count == LIMIT_GATEWAYS)
        return false;
    memmove(&d->gateways[i + 1], &d->gateways[i], (d->count - i) * sizeof(d->gateways[0]));
    d->count++;
    return true;
}

size_t gather_contacts(struct question *const *q, size_t count, struct delegation *d, size_t i)
{
    for (size_t k = 0; k < count; k++) {
        struct ip_addr addr;
        if (q[k]->answer.status != DNS_FOUND)
            continue;
        d->secure = d->secure && q[k]->answer.secure;
        d->expires = mono_min(d->expires, q[k]->expires);
        for (size_t j = 0; j < q[k]->answer.count; j++) {
            if (!read_address(q[k], j, &addr))
                continue;
            if (d->gateways[i].contact.family != IP_NONE && gateway_split(d, i))
                i++;
            d->gateways[i].contact = addr;
        }
    }
    return i;
}

static bool has_address(const struct question *q, const struct ip_addr *address)
{
    struct ip_addr addr;
    for (size_t i = 0; i < q->answer.count; i++)
        if (read_address(q, i, &addr) && ip_addr_equal(&addr, address))
            return true;
    return false;
}

static bool is_secure_find(const struct question *q)
{
    return q->answer.status == DNS_FOUND && q->answer.secure;
}

/* Keys of the name for the address itself: no other gateway is ever taken from a forward name. */
static void add_named_keys(const struct identity *id, const struct ip_addr *address,
                           const struct question *key, struct discovered_gateway *gw)
{
    struct identity self = identity_of_addr(address);
    for (size_t i = 0; i < key->answer.count; i++) {
        struct dnsrec_gateway record;
        if (dnsrec_ipseckey_parse(key->answer.rdata[i], &record) != ERR_OK ||
            record.key.alg == KEY_NONE)
            continue;
        if (is_about_owner(&record, id) || is_about_owner(&record, &self))
            gather_add_key(gw->keys, &gw->key_count, &record.key);
    }
}

void gather_named(const struct identity *id, const struct ip_addr *address,
                  const struct question *key, const struct question *addresses,
                  struct delegation *d)
{
    char text[IP_ADDR_TEXT_MAX], name[IDENTITY_TEXT_MAX];

    if (d->count == LIMIT_GATEWAYS || !is_secure_find(key) || !is_secure_find(addresses) ||
        !has_address(addresses, address))
        return;
    struct discovered_gateway *gw = &d->gateways[d->count];
    *gw = (struct discovered_gateway){.id = *id, .ipseckey = true, .contact = *address};
    add_named_keys(id, address, key, gw);
    if (gw->key_count == 0)
        return;
    mono_t expires = mono_min(key->expires, addresses->expires);
    d->expires = d->count == 0 ? expires : mono_min(d->expires, expires);
    d->count++;
    d->status = DISCOVERED_FOUND;
    d->secure = d->by_name = true;
    TEXT_SET(d->why, "the name %s has the address %s and an IPSECKEY (secure)",
             identity_format(id, name) + 1, ip_addr_format(address, text));
}
