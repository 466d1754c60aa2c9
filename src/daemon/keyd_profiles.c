#include "daemon/keyd_profiles.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/secret.h"

enum { CERTIFICATES_MAX = 32 };

struct profile_block {
    struct profile_block *next;
    size_t len;
    uint8_t octets[];
};

struct maker {
    const struct cygnet_config *config;
    const struct materials *materials;
    const struct public_key *own_keys;
    size_t own_key_count;
    struct profiles made;
    char *error;
};

static bool fail(const struct maker *m, const char *path, const char *what)
{
    snprintf(m->error, CONFIG_ERROR_MAX, "%s: %s", path, what);
    return false;
}

/* Zeroed; belongs to the profiles. */
static void *block(struct maker *m, size_t len)
{
    struct profile_block *b = calloc(1, sizeof(*b) + len);
    if (b == NULL) {
        fail(m, "connections", "out of memory");
        return NULL;
    }
    b->len = len;
    b->next = m->made.blocks;
    m->made.blocks = b;
    return b->octets;
}

static bool keep(struct maker *m, struct view octets, struct view *ret)
{
    uint8_t *copy = block(m, octets.len + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, octets.ptr, octets.len);
    *ret = view_of(copy, octets.len);
    return true;
}

void profiles_free(struct profiles *profiles)
{
    while (profiles->blocks != NULL) {
        struct profile_block *b = profiles->blocks;
        profiles->blocks = b->next;
        secret_wipe(b->octets, b->len);
        free(b);
    }
    *profiles = (struct profiles){0};
}

/* Files */

/* The next "-----BEGIN label-----" part, decoded into a block. False: no more, or no good. */
static bool next_pem(struct maker *m, struct view *rest, const char *label, struct view *ret)
{
    char begin[64], end[64];
    int begin_len = snprintf(begin, sizeof(begin), "-----BEGIN %s-----", label);
    int end_len = snprintf(end, sizeof(end), "-----END %s-----", label);
    const uint8_t *from, *to;
    size_t len;

    from = rest->len != 0 ? memmem(rest->ptr, rest->len, begin, (size_t)begin_len) : NULL;
    if (from == NULL)
        return false;
    from += begin_len;
    to = memmem(from, rest->len - (size_t)(from - rest->ptr), end, (size_t)end_len);
    if (to == NULL)
        return false;
    size_t text_len = (size_t)(to - from);
    uint8_t *octets = block(m, text_len);
    if (octets == NULL ||
        !base64_decode(view_of(from, text_len), span_of(octets, text_len), &len))
        return false;
    *ret = view_of(octets, len);
    size_t past = (size_t)(to - rest->ptr) + (size_t)end_len;
    *rest = view_of(rest->ptr + past, rest->len - past);
    return true;
}

/* Everything of that kind in the files, in order; a file without PEM is one in DER. */
static bool read_ders(struct maker *m, const struct config_files *files, const char *label,
                      const struct view **ret, size_t *ret_count)
{
    struct view *list = block(m, CERTIFICATES_MAX * sizeof(*list));
    size_t count = 0;

    if (list == NULL)
        return false;
    for (size_t i = 0; i < files->count; i++) {
        const char *path = config_text(m->config, files->at[i]);
        struct view rest = materials_find(m->materials, path);
        size_t before = count;
        while (count < CERTIFICATES_MAX && next_pem(m, &rest, label, &list[count]))
            count++;
        if (count == before && rest.len != 0 && rest.ptr[0] == 0x30 && count < CERTIFICATES_MAX &&
            keep(m, rest, &list[count]))
            count++;
        if (count == before)
            return fail(m, path, "holds nothing of what is wanted, in PEM or DER; is it the right "
                                 "file?");
    }
    *ret = list;
    *ret_count = count;
    return true;
}

static bool key_from_text(struct view text, struct public_key *ret)
{
    uint8_t octets[LIMIT_KEY_OCTETS];
    size_t len;
    return base64_decode(text, span_of(octets, sizeof(octets)), &len) &&
           public_key_from_rfc3110(view_of(octets, len), ret) == ERR_OK;
}

static bool read_public_key(struct maker *m, const char *path_or_key, struct public_key *ret)
{
    struct view text = view_of_text(path_or_key), der;

    if (path_or_key[0] == '/') {
        text = materials_find(m->materials, path_or_key);
        if (next_pem(m, &text, "PUBLIC KEY", &der))
            return public_key_from_spki(der, ret) == ERR_OK ||
                   fail(m, path_or_key, "holds a public key of a kind that IKE has no use for");
    }
    return key_from_text(text, ret) ||
           fail(m, path_or_key, "holds no public key, in PEM or as 'cygnet keys show' prints it");
}

static bool read_public_keys(struct maker *m, const struct config_files *files,
                             struct ike_profile *profile)
{
    struct public_key *keys = block(m, (files->count + 1u) * sizeof(*keys));
    if (keys == NULL)
        return false;
    for (size_t i = 0; i < files->count; i++)
        if (!read_public_key(m, config_text(m->config, files->at[i]), &keys[i]))
            return false;
    profile->peer_keys = keys;
    profile->peer_key_count = files->count;
    return true;
}

/* All of it but the line's end. */
static bool read_secret_file(struct maker *m, const char *path, struct view *ret)
{
    struct view text = materials_find(m->materials, path);
    while (text.len != 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
        text.len--;
    return text.len != 0 ? keep(m, text, ret) : fail(m, path, "holds no secret");
}

static bool read_secret(struct maker *m, config_string at, struct view *ret)
{
    return at == 0 || read_secret_file(m, config_text(m->config, at), ret);
}

/* Profiles */

static struct ip_addr nth_of(const struct ip_prefix *net, bool last)
{
    struct ip_addr addr = net->addr;
    size_t len = ip_addr_len(&addr);
    for (unsigned bit = net->bits; last && bit < 8 * len; bit++)
        addr.octets[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    addr.octets[len - 1] ^= 1; /* neither the net's own address nor its broadcast address */
    return addr;
}

/* ADR-015: what is bound to its addresses. */
static bool list_staying(struct maker *m, const struct config_connection *c, struct ike_profile *p)
{
    const struct tunnel_selector *selectors = &m->config->selectors[c->first_selector];
    struct traffic_pair *stays = block(m, (c->selector_count + 1) * sizeof(*stays));
    if (stays == NULL)
        return false;
    for (uint32_t i = 0; i < c->selector_count; i++)
        if (selectors[i].stays)
            stays[p->stay_count++] = selectors[i].traffic;
    p->stays = stays;
    return true;
}

static bool make_profile(struct maker *m, const struct config_connection *c,
                         struct ike_profile *p)
{
    uint32_t key = config_key_number(m->config, c);

    memcpy(p->name, c->name, sizeof(p->name));
    p->version = c->version;
    p->aggressive = c->aggressive;
    p->ah = c->ah;
    p->legacy = m->config->legacy_algorithms;
    p->local = c->local.address.addr;
    p->remote = c->remote.address;
    p->remote_port = c->remote.port;
    p->own_id = c->local.id;
    p->peer_id = c->remote.id;
    p->own_method = c->local.auth;
    p->peer_method = c->remote.auth;
    p->own_key = key;
    p->own_public = key < m->own_key_count ? &m->own_keys[key] : NULL;
    p->crl_required = c->remote.crl_required;
    p->ppk_required = c->ppk_required;
    memcpy(p->additional, c->additional, sizeof(p->additional));
    p->pfs_group = (uint16_t)c->pfs_group;
    p->fragmentation_off = c->fragmentation_off;
    /* A leased address doesn't move, and its gateway knows our IKE by where it leaves from (RFC 3104). */
    p->mobike_off = c->mobike_off || m->config->leased_spis || c->remote.port != 0;
    p->addrmgmt = c->addrmgmt && !m->config->leased_spis && c->remote.port == 0;
    p->any_address_id = c->any_address_id;
    p->policy_stays = c->policy_stays; /* ADR-040 */
    /* IKE goes through the lease's port 500. */
    p->tcp = m->config->leased_spis ? IKE_TCP_NEVER : (uint8_t)c->tcp;
    p->tcp_port = (uint16_t)c->remote.tcp_port;
    p->childless = c->childless;
    p->resumption = c->resumption;
    p->padding = c->rsa_padding;
    p->dpd_s = c->dpd_s;
    p->ike_lifetime_s = c->ike_lifetime_s;
    p->child_lifetime_s = c->child_lifetime_s;
    p->want_address = c->want_address;
    if (c->ppk_id != 0)
        p->ppk_id = view_of_text(config_text(m->config, c->ppk_id));
    if (c->pool.addr.family != IP_NONE) {
        p->pool_first = nth_of(&c->pool, false);
        p->pool_last = nth_of(&c->pool, true);
    }
    return list_staying(m, c, p) && read_secret(m, c->secret, &p->psk) && read_secret(m, c->ppk, &p->ppk) &&
           read_public_keys(m, &c->remote.keys, p) &&
           read_ders(m, &c->local.chain, "CERTIFICATE", &p->own_chain, &p->own_chain_count) &&
           read_ders(m, &c->remote.ca, "CERTIFICATE", &p->anchors, &p->anchor_count) &&
           read_ders(m, &c->remote.crl, "X509 CRL", &p->crls, &p->crl_count);
}

/* FNV-1a: tells one edition of a connection from another, and names from each other. */
static uint64_t hash(uint64_t seed, const void *octets, size_t len)
{
    const uint8_t *at = octets;
    for (size_t i = 0; i < len; i++)
        seed = (seed ^ at[i]) * UINT64_C(1099511628211);
    return seed;
}

static const uint64_t hash_seed = UINT64_C(14695981039346656037);

static uint64_t hash_text(const struct maker *m, uint64_t seed, config_string at)
{
    const char *text = config_text(m->config, at);
    struct view file = text[0] == '/' ? materials_find(m->materials, text) : view_of(NULL, 0);
    seed = hash(seed, text, strlen(text) + 1);
    return hash(seed, file.ptr, file.len);
}

static uint64_t hash_files(const struct maker *m, uint64_t seed, const struct config_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        seed = hash_text(m, seed, files->at[i]);
    return hash(seed, &files->count, sizeof(files->count));
}

static uint64_t hash_end(const struct maker *m, uint64_t seed, const struct config_end *end)
{
    seed = hash(seed, &end->address, sizeof(end->address));
    seed = hash(seed, &end->port, sizeof(end->port));
    seed = hash(seed, &end->id, sizeof(end->id));
    seed = hash(seed, &end->auth, sizeof(end->auth));
    seed = hash(seed, &end->crl_required, sizeof(end->crl_required));
    seed = hash_files(m, seed, &end->keys);
    seed = hash_files(m, seed, &end->chain);
    seed = hash_files(m, seed, &end->ca);
    return hash_files(m, seed, &end->crl);
}

static uint64_t hash_selector(uint64_t seed, const struct tunnel_selector *s)
{
    char local[TRAFFIC_TEXT_MAX], remote[TRAFFIC_TEXT_MAX];
    traffic_format(&s->traffic.local, local);
    traffic_format(&s->traffic.remote, remote);
    seed = hash(seed, s->name, sizeof(s->name));
    seed = hash(seed, &s->start, sizeof(s->start));
    seed = hash(seed, &s->stays, sizeof(s->stays));
    seed = hash(seed, local, strlen(local) + 1);
    return hash(seed, remote, strlen(remote) + 1);
}

static uint64_t edition(const struct maker *m, const struct config_connection *c)
{
    const uint32_t numbers[] = {(uint32_t)c->version, c->aggressive,     c->want_address,
                                c->fragmentation_off, c->ppk_required,   c->ike_lifetime_s,
                                c->child_lifetime_s,  c->dpd_s,          c->pfs_group,
                                m->config->legacy_algorithms, c->ah, c->childless, c->mobike_off,
                                c->addrmgmt, c->policy_stays, c->any_address_id,
                                (uint32_t)c->rsa_padding, c->resumption,

                                (uint32_t)c->tcp, c->remote.tcp_port};
    uint64_t seed = hash(hash_seed, c->name, sizeof(c->name));
    seed = hash(seed, numbers, sizeof(numbers));
    seed = hash(seed, &c->pool, sizeof(c->pool));
    seed = hash(seed, c->additional, sizeof(c->additional));
    seed = hash_end(m, hash_end(m, seed, &c->local), &c->remote);
    seed = hash_text(m, hash_text(m, hash_text(m, seed, c->secret), c->ppk), c->ppk_id);
    for (uint32_t i = 0; i < c->selector_count; i++)
        seed = hash_selector(seed, &m->config->selectors[c->first_selector + i]);
    return seed;
}

/* The same after a reload, wherever the connection stands in the list; another one if it has changed,
 * so that an IKE SA of the connection as it was gets nothing any more. */
static uint32_t number_of(const struct maker *m, uint64_t edition_of)
{
    uint32_t number = (uint32_t)(edition_of ^ edition_of >> 32);
    for (size_t i = 0; i < m->made.count; i++) {
        if (number != 0 && m->made.profiles[i].number != number)
            continue;
        number++;
        i = SIZE_MAX; /* from the beginning */
    }
    return number != 0 ? number : 1;
}

static bool make_all(struct maker *m)
{
    const struct cygnet_config *config = m->config;

    m->made.profiles = block(m, (config->connection_count + 1) * sizeof(*m->made.profiles));
    m->made.connections = block(m, (config->connection_count + 1) * sizeof(*m->made.connections));
    struct tunnel_selector *selectors =
        block(m, (config->selector_count + 1) * sizeof(*selectors));
    if (m->made.profiles == NULL || m->made.connections == NULL || selectors == NULL)
        return false;
    if (config->crash_secret[0] != '\0' &&
        !read_secret_file(m, config->crash_secret, &m->made.crash_secret))
        return false;
    if (config->ticket_secret[0] != '\0' &&
        !read_secret_file(m, config->ticket_secret, &m->made.ticket_secret))
        return false;
    memcpy(selectors, config->selectors, config->selector_count * sizeof(*selectors));
    for (size_t i = 0; i < config->connection_count; i++) {
        const struct config_connection *c = &config->connections[i];
        struct ike_profile *profile = &m->made.profiles[i];
        if (!make_profile(m, c, profile))
            return false;
        uint64_t is = edition(m, c);
        profile->number = number_of(m, is);
        m->made.connections[i] = (struct tunnel_connection){
            .profile = profile,
            .selectors = selectors + c->first_selector,
            .selector_count = c->selector_count,
            .edition = is,
        };
        m->made.count++;
    }
    return true;
}

bool profiles_make(const struct cygnet_config *config, const struct materials *materials,
                   const struct public_key *own_keys, size_t own_key_count, struct profiles *ret,
                   char *error)
{
    struct maker m = {.config = config,
                      .materials = materials,
                      .own_keys = own_keys,
                      .own_key_count = own_key_count,
                      .error = error};
    if (!make_all(&m)) {
        profiles_free(&m.made);
        return false;
    }
    *ret = m.made;
    return true;
}
