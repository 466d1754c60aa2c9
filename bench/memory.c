/*
 * memory: what a tunnel and a clear flow take on the heap, of the keying daemon and of the plane.
 * Builds COUNT of a kind with the real objects, then sees how much the heap gives back when one
 * gateway's control object is freed, and then its plane, and subtracts what empty ones give back.
 * Answers that the DNS cache keeps are in it; the classifier's map, which the kernel keeps, is not.
 *
 * Prints a line for each kind and count: octets each of the initiator's and the responder's objects.
 */
#include "pair.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { SKIPPED = 77 };

/* What one gateway's objects hold. */
struct held {
    int64_t keyd, plane;
};

static int64_t heap_octets(void)
{
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}

static struct held weigh(struct sim_gateway *g)
{
    int64_t before = heap_octets();
    control_free(g->control);
    g->control = NULL;
    int64_t between = heap_octets();
    plane_free(g->plane);
    g->plane = NULL;
    return (struct held){.keyd = before - between, .plane = between - heap_octets()};
}

static bool weigh_both(enum pair_kind kind, uint32_t count, struct held ret[2])
{
    static struct pair pair;
    bool ok;

    pair_open(&pair);
    ok = count == 0 || pair_talk(&pair, kind, count);
    for (int i = 0; i < 2; i++)
        ret[i] = weigh(pair.world.gateways[i]);
    pair_close(&pair);
    return ok;
}

static bool measure(enum pair_kind kind, uint32_t count)
{
    struct held empty[2], full[2];

    if (!weigh_both(kind, 0, empty) || !weigh_both(kind, count, full))
        return false;
    printf("%s\t%lu", pair_kind_name(kind), (unsigned long)count);
    for (int i = 0; i < 2; i++)
        printf("\t%lld\t%lld", (long long)(full[i].keyd - empty[i].keyd) / count,
               (long long)(full[i].plane - empty[i].plane) / count);
    putchar('\n');
    fflush(stdout);
    return true;
}

static bool heap_is_counted(void)
{
    int64_t before = heap_octets();
    void *volatile probe = malloc(100000);
    bool counted = heap_octets() - before >= 100000;
    free(probe);
    return counted;
}

int main(int argc, char **argv)
{
    bool ok = true;

    if (argc < 2) {
        fprintf(stderr, "usage: memory COUNT...\n");
        return 2;
    }
    if (!heap_is_counted()) {
        fprintf(stderr, "memory: this allocator does not count (a sanitizer's?)\n");
        return SKIPPED;
    }
    printf("# kind, count, initiator keyd, plane, responder keyd, plane: octets each\n");
    for (int kind = 0; kind < PAIR_KINDS; kind++) {
        for (int i = 1; i < argc; i++) {
            unsigned long count = strtoul(argv[i], NULL, 10);
            if (count == 0 || count > LIMIT_INSTANCES) {
                fprintf(stderr, "memory: '%s' is not a count from 1 to %d\n", argv[i],
                        LIMIT_INSTANCES);
                return 2;
            }
            ok = measure((enum pair_kind)kind, (uint32_t)count) && ok;
        }
    }
    return ok ? 0 : 1;
}
