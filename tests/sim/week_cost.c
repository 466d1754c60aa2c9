/*
 * Processor time, and how much of it is public-key work: the linker puts these functions between
 * the engines and the crypto room (--wrap).
 */
#include "week.h"

#include "crypto/dh.h"

#include <malloc.h>
#include <stdlib.h>
#include <time.h>

static struct cost spent;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct cost cost_now(void)
{
    struct cost cost = spent;
    cost.seconds = seconds();
    return cost;
}

size_t cost_heap(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

size_t cost_engines(const struct world *w)
{
    size_t heap = cost_heap();
    return heap > w->own_octets ? heap - w->own_octets : 0;
}

static enum err account(double began, enum err result)
{
    spent.public_key_seconds += seconds() - began;
    spent.public_key_operations++;
    return result;
}

enum err __real_dh_new(uint16_t group, const struct rng *rng, struct dh **ret);
enum err __wrap_dh_new(uint16_t group, const struct rng *rng, struct dh **ret);
enum err __wrap_dh_new(uint16_t group, const struct rng *rng, struct dh **ret)
{
    double began = seconds();
    return account(began, __real_dh_new(group, rng, ret));
}

enum err __real_dh_shared(const struct dh *dh, struct view peer_public, uint8_t *ret_secret);
enum err __wrap_dh_shared(const struct dh *dh, struct view peer_public, uint8_t *ret_secret);
enum err __wrap_dh_shared(const struct dh *dh, struct view peer_public, uint8_t *ret_secret)
{
    double began = seconds();
    return account(began, __real_dh_shared(dh, peer_public, ret_secret));
}

enum err __real_public_key_verify_ike1(const struct public_key *key, struct view hash,
                                       struct view signature);
enum err __wrap_public_key_verify_ike1(const struct public_key *key, struct view hash,
                                       struct view signature);
enum err __wrap_public_key_verify_ike1(const struct public_key *key, struct view hash,
                                       struct view signature)
{
    double began = seconds();
    return account(began, __real_public_key_verify_ike1(key, hash, signature));
}

enum err __real_private_key_sign_ike1(const struct private_key *key, struct view hash,
                                      uint8_t *ret);
enum err __wrap_private_key_sign_ike1(const struct private_key *key, struct view hash,
                                      uint8_t *ret);
enum err __wrap_private_key_sign_ike1(const struct private_key *key, struct view hash, uint8_t *ret)
{
    double began = seconds();
    return account(began, __real_private_key_sign_ike1(key, hash, ret));
}
