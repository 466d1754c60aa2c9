/*
 * handshake: tunnels a second, both gateways in one process on one core, and how many there would
 * be if only the public-key operations cost anything. Both are measured in turns, so that they
 * meet the same machine.
 *
 * Prints lines of a name and a number: full (phase 1 and phase 2), quick (phase 2 alone, under a
 * phase 1 that is there), each a second; what the operations of each alone allow; microseconds of
 * each operation.
 */
#include "pair.h"

#include "crypto/dh.h"
#include "crypto/key.h"

#include <stdio.h>
#include <stdlib.h>

/* All of phase 2 alone, and the first one, go under one phase 1. */
enum { ROUNDS = 5, TIMES_MAX = PAIR_KNOWN_EACH - ROUNDS };

/* Seconds spent, and how often. */
struct spent {
    double seconds;
    uint32_t times;
};

struct operations {
    struct spent sign, verify, generate, agree;
};

static double each(const struct spent *spent)
{
    return spent->seconds / spent->times;
}

/* The group of the IKE SA that was negotiated; PFS in phase 2 uses the same. 0: none is there. */
static uint16_t negotiated_group(const struct sim_gateway *g, struct ike_sa_info *ret)
{
    if (!ike_sa_info(control_ike(g->control), 0, ret))
        return 0;
    for (uint16_t group = 1; group < 32; group++) {
        const char *name = dh_group_name(group);
        if (name != NULL && strstr(ret->suite, name) != NULL)
            return group;
    }
    return 0;
}

static bool sign_and_verify(const struct sim_gateway *g, struct operations *ops, uint32_t times)
{
    uint8_t hash[32] = {1}, signature[LIMIT_KEY_OCTETS];
    struct view hash_view = view_of(hash, sizeof(hash));
    struct view made = view_of(signature, private_key_signature_len(g->key));
    bool ok = true;

    double begun = pair_seconds();
    for (uint32_t i = 0; i < times; i++)
        ok = private_key_sign_ike1(g->key, hash_view, signature) == ERR_OK && ok;
    double signed_at = pair_seconds();
    for (uint32_t i = 0; i < times; i++)
        ok = public_key_verify_ike1(&g->public_key, hash_view, made) == ERR_OK && ok;
    ops->sign.seconds += signed_at - begun;
    ops->verify.seconds += pair_seconds() - signed_at;
    ops->sign.times += times;
    ops->verify.times += times;
    return ok;
}

static bool exchange(struct world *w, uint16_t group, struct operations *ops, uint32_t times)
{
    struct rng rng = world_rng(w);
    uint8_t secret[DH_MAX];
    struct dh *ours, *peer;
    bool ok = true;

    if (dh_new(group, &rng, &peer) != ERR_OK)
        return false;
    for (uint32_t i = 0; i < times && ok; i++) {
        double begun = pair_seconds();
        if (dh_new(group, &rng, &ours) != ERR_OK)
            break;
        double made = pair_seconds();
        ok = dh_shared(ours, dh_public(peer), secret) == ERR_OK;
        ops->agree.seconds += pair_seconds() - made;
        ops->generate.seconds += made - begun;
        ops->agree.times++;
        ops->generate.times++;
        dh_free(ours);
    }
    dh_free(peer);
    return ok && ops->agree.times != 0;
}

static bool talk_timed(struct pair *pair, enum pair_kind kind, struct spent *spent, uint32_t times)
{
    double begun = pair_seconds();
    bool ok = pair_talk(pair, kind, times);

    spent->seconds += pair_seconds() - begun;
    spent->times += times;
    return ok;
}

static void print(const struct ike_sa_info *sa, const struct sim_gateway *g,
                  const struct operations *ops, const struct spent *full, const struct spent *quick)
{
    char key[PUBLIC_KEY_TEXT_MAX];
    double dh = each(&ops->generate) + each(&ops->agree);
    double quick_bare = 2 * dh; /* PFS, both ends */
    double full_bare = 2 * (each(&ops->sign) + each(&ops->verify)) + 2 * dh + quick_bare;

    printf("suite\t%s\nkey\t%s\n", sa->suite, public_key_format(&g->public_key, key));
    printf("full\t%.1f\nquick\t%.1f\n", 1 / each(full), 1 / each(quick));
    printf("full_bare\t%.1f\nquick_bare\t%.1f\n", 1 / full_bare, 1 / quick_bare);
    printf("sign_us\t%.1f\nverify_us\t%.1f\n", 1e6 * each(&ops->sign), 1e6 * each(&ops->verify));
    printf("dh_new_us\t%.1f\ndh_shared_us\t%.1f\n", 1e6 * each(&ops->generate),
           1e6 * each(&ops->agree));
}

static bool run(struct pair *pair, uint32_t times)
{
    struct sim_gateway *g = pair->world.gateways[PAIR_INITIATOR];
    struct operations ops = {0};
    struct spent full = {0}, quick = {0};
    struct ike_sa_info sa;
    uint32_t part = (times + ROUNDS - 1) / ROUNDS;

    /* the phase 1 under which all others of this kind are made */
    if (!pair_talk(pair, PAIR_KNOWN, 1))
        return false;
    uint16_t group = negotiated_group(g, &sa);
    for (int i = 0; i < ROUNDS; i++)
        if (group == 0 || !talk_timed(pair, PAIR_STRANGER, &full, part) ||
            !sign_and_verify(g, &ops, part) || !exchange(&pair->world, group, &ops, part) ||
            !talk_timed(pair, PAIR_KNOWN, &quick, part))
            return false;
    print(&sa, g, &ops, &full, &quick);
    return true;
}

int main(int argc, char **argv)
{
    static struct pair pair;
    unsigned long times = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

    if (times == 0 || times > TIMES_MAX) {
        fprintf(stderr, "usage: handshake COUNT   (1 to %d)\n", TIMES_MAX);
        return 2;
    }
    pair_open(&pair);
    bool ok = run(&pair, (uint32_t)times);
    if (!ok)
        fprintf(stderr, "handshake: not every operation or tunnel succeeded\n");
    pair_close(&pair);
    return ok ? 0 : 1;
}
