#include "ike/half_open.h"

#include "crypto/hash.h"
#include "ike/engine.h"
#include "ike/v1/v1.h"

void half_open_init(struct half_open_table *table, const struct rng *rng)
{
    map_init(&table->records, MAP_KEY_OFFSET(struct half_open, by_initiator, key),
             sizeof(struct half_open_key), rng);
    TAILQ_INIT(&table->by_age);
    rng_fill(rng, table->secret, sizeof(table->secret));
}

static void free_record(struct half_open_table *table, struct half_open *record)
{
    map_remove(&table->records, &record->by_initiator);
    TAILQ_REMOVE(&table->by_age, record, by_age);
    blob_wipe(&record->offer);
    blob_wipe(&record->reply);
    free(record);
}

void half_open_fini(struct half_open_table *table)
{
    while (!TAILQ_EMPTY(&table->by_age))
        free_record(table, TAILQ_FIRST(&table->by_age));
    map_fini(&table->records);
    secret_wipe(table->secret, sizeof(table->secret));
}

static struct half_open_key key_of(const struct ip_endpoint *remote, const uint8_t *cookie_i)
{
    struct half_open_key key = {.family = remote->addr.family, .port = remote->port};
    memcpy(key.octets, remote->addr.octets, sizeof(key.octets));
    memcpy(key.cookie_i, cookie_i, sizeof(key.cookie_i));
    return key;
}

static enum err cookie_at(const struct ike *ike, uint64_t slice, const struct ip_endpoint *local,
                          const struct ip_endpoint *remote, const uint8_t *cookie_i, uint8_t *ret)
{
    uint8_t text[64], digest[HASH_MAX];
    struct builder b = builder_on(span_of(text, sizeof(text)));
    builder_u64(&b, slice);
    builder_view(&b, ip_addr_view(&remote->addr));
    builder_u16(&b, remote->port);
    builder_view(&b, ip_addr_view(&local->addr));
    builder_u16(&b, local->port);
    builder_bytes(&b, cookie_i, ISAKMP_COOKIE_LEN);
    struct view part = builder_written(&b);
    enum err err =
        hmac_digest(HASH_SHA2_256, view_of(ike->half_open.secret, sizeof(ike->half_open.secret)),
                    &part, 1, digest);
    if (err == ERR_OK)
        memcpy(ret, digest, ISAKMP_COOKIE_LEN);
    return err;
}

static uint64_t slice_now(const struct ike *ike)
{
    return (uint64_t)ike->now.ms / COOKIE_SLICE_MS;
}

enum err half_open_cookie_make(const struct ike *ike, const struct ip_endpoint *local,
                               const struct ip_endpoint *remote, const uint8_t *cookie_i,
                               uint8_t *ret)
{
    return cookie_at(ike, slice_now(ike), local, remote, cookie_i, ret);
}

bool half_open_cookie_valid(const struct ike *ike, const struct ip_endpoint *local,
                            const struct ip_endpoint *remote, const uint8_t *cookies)
{
    uint8_t good[ISAKMP_COOKIE_LEN];
    for (uint64_t back = 0; back < 2; back++) {
        if (cookie_at(ike, slice_now(ike) - back, local, remote, cookies, good) != ERR_OK)
            return false;
        if (secret_equal(view_of(good, sizeof(good)),
                         view_of(cookies + ISAKMP_COOKIE_LEN, ISAKMP_COOKIE_LEN)))
            return true;
    }
    return false;
}

struct half_open *half_open_find(const struct half_open_table *table,
                                 const struct ip_endpoint *remote, const uint8_t *cookie_i)
{
    struct half_open_key key = key_of(remote, cookie_i);
    struct map_node *node = map_find(&table->records, &key);
    return node ? MAP_OWNER(node, struct half_open, by_initiator) : NULL;
}

bool half_open_same_offer(const struct half_open *record, struct view message1)
{
    uint8_t digest[HASH_MAX];
    return hash_digest(HASH_SHA2_256, &message1, 1, digest) == ERR_OK &&
           memcmp(digest, record->digest, sizeof(record->digest)) == 0;
}

static void set_timer(struct ike *ike)
{
    struct half_open *oldest = TAILQ_FIRST(&ike->half_open.by_age);
    ike_timer_set(ike, &ike->half_open_timer, oldest ? oldest->until : MONO_NEVER);
}

void half_open_expire(struct ike *ike)
{
    struct half_open *oldest;
    while ((oldest = TAILQ_FIRST(&ike->half_open.by_age)) != NULL &&
           mono_reached(ike->now, oldest->until))
        free_record(&ike->half_open, oldest);
    set_timer(ike);
}

enum err half_open_add(struct ike *ike, const struct ike_sa *sa)
{
    struct half_open_table *table = &ike->half_open;
    while (table->records.count >= ike->config.half_open) {
        ike_count(ike, IKE_COUNT_HALF_OPEN_EVICTED);
        free_record(table, TAILQ_FIRST(&table->by_age));
    }
    struct half_open *record = calloc(1, sizeof(*record));
    if (record == NULL)
        return ERR_MEMORY;
    record->key = key_of(&sa->remote, sa->cookies);
    memcpy(record->cookies, sa->cookies, sizeof(record->cookies));
    memcpy(record->digest, sa->main.seen, sizeof(record->digest));
    record->choice = (struct phase1_choice){.suite = sa->suite, .auth = sa->auth, .seconds = sa->lifetime.seconds};
    record->nat = sa->nat.agreed;
    record->dpd = sa->dpd;
    record->number = sa->number;
    record->until = mono_add(ike->now, HALF_OPEN_MS);
    if (!blob_set(&record->offer, blob_view(&sa->handshake->offer)) ||
        !blob_set(&record->reply, blob_view(&sa->main.out.bytes)) ||
        !map_insert(&table->records, &record->by_initiator)) {
        blob_wipe(&record->offer);
        blob_wipe(&record->reply);
        free(record);
        return ERR_MEMORY;
    }
    TAILQ_INSERT_TAIL(&table->by_age, record, by_age);
    set_timer(ike);
    return ERR_OK;
}

enum err half_open_revive(const struct half_open *record, struct ike_sa *sa)
{
    sa->number = record->number;
    sa->nat.agreed = record->nat;
    sa->dpd = record->dpd;
    sa->suite = record->choice.suite;
    sa->auth = record->choice.auth;
    sa->lifetime.seconds = record->choice.seconds;
    return blob_set(&sa->handshake->offer, blob_view(&record->offer)) ? ERR_OK : ERR_MEMORY;
}

void half_open_remove(struct ike *ike, struct half_open *record)
{
    free_record(&ike->half_open, record);
    set_timer(ike);
}
