/*
 * Soft and hard lifetimes of SAs, by octets, packets and seconds (RFC 4301 section 4.4.2.1). A soft
 * limit is told once; at a hard one the SA goes, and the flows that used it wait for another.
 */
#include <assert.h>

#include "plane/internal.h"

static mono_t end_of(const struct sad_entry *sa, const struct sa_lifetime *limit)
{
    if (limit->seconds == 0 || limit->seconds > INT64_MAX / 1000)
        return MONO_NEVER;
    return mono_add(sa->added, (int64_t)limit->seconds * 1000);
}

static bool is_reached(const struct plane *plane, const struct sad_entry *sa,
                       const struct sa_lifetime *limit)
{
    return (limit->octets != 0 && sa->counts.octets >= limit->octets) ||
           (limit->packets != 0 && sa->counts.packets >= limit->packets) ||
           mono_reached(plane->now, end_of(sa, limit));
}

void lifetime_start(struct plane *plane, struct sad_entry *sa)
{
    mono_t at = end_of(sa, &sa->params.hard);
    if (sa->esp == NULL)
        at = mono_add(sa->added, PLANE_LARVAL_MS);
    else if (!sa->soft_told)
        at = mono_min(at, end_of(sa, &sa->params.soft));
    sad_set_timer(&plane->sad, sa, at);
}

void lifetime_end(struct plane *plane, struct sad_entry *sa)
{
    struct spd_input gone = {.event = SPD_EV_SA_GONE};
    assert(plane->burst.sa != sa);
    while (!list_is_empty(&sa->users))
        spd_step(plane, LIST_OWNER(sa->users.next, struct spd_entry, by_sa), &gone);
    sad_remove(&plane->sad, sa);
}

void lifetime_expire(struct plane *plane, struct sad_entry *sa)
{
    plane_count(plane, PLANE_COUNT_expires_hard);
    notify_expire(plane, sa, true);
    lifetime_end(plane, sa);
}

/* False: the SA is gone. */
static bool check(struct plane *plane, struct sad_entry *sa)
{
    if (is_reached(plane, sa, &sa->params.hard)) {
        lifetime_expire(plane, sa);
        return false;
    }
    if (!sa->soft_told && is_reached(plane, sa, &sa->params.soft)) {
        sa->soft_told = true;
        plane_count(plane, PLANE_COUNT_expires_soft);
        notify_expire(plane, sa, false);
    }
    return true;
}

void lifetime_check(struct plane *plane, struct sad_entry *sa)
{
    (void)check(plane, sa);
}

void lifetime_timer(struct plane *plane, struct sad_entry *sa)
{
    if (sa->esp == NULL) {
        plane_count(plane, PLANE_COUNT_larvals_expired);
        lifetime_end(plane, sa);
        return;
    }
    if (check(plane, sa))
        lifetime_start(plane, sa);
}

size_t lifetime_allows(const struct sad_entry *sa, struct packet *const *packets, size_t count)
{
    const struct sa_lifetime *hard = &sa->params.hard;
    uint64_t octets = sa->counts.octets, sent = sa->counts.packets;
    size_t allowed = 0;

    if (hard->packets != 0 && sent + count > hard->packets)
        count = sent < hard->packets ? hard->packets - sent : 0;
    if (hard->octets == 0)
        return count;
    while (allowed < count && octets < hard->octets)
        octets += packets[allowed++]->len;
    return allowed;
}
