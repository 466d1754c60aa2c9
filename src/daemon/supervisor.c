#include "daemon/supervisor.h"

void supervisor_init(struct supervisor *s, mono_t now)
{
    *s = (struct supervisor){0};
    for (size_t i = 0; i < CHILD_ROLE_COUNT; i++)
        s->roles[i].due = now;
}

void supervisor_started(struct supervisor *s, enum child_role role, pid_t pid, mono_t now)
{
    s->roles[role].pid = pid;
    s->roles[role].started = now;
    s->roles[role].due = MONO_NEVER;
}

static int64_t next_delay(int64_t delay_ms)
{
    if (delay_ms == 0)
        return SUPERVISOR_DELAY_FIRST_MS;
    return 2 * delay_ms < SUPERVISOR_DELAY_MAX_MS ? 2 * delay_ms : SUPERVISOR_DELAY_MAX_MS;
}

/* delay_ms is what the next start waits for; a steady life puts it back to nothing. */
static void schedule(struct supervised *role, mono_t now)
{
    if (mono_since(now, role->started) >= SUPERVISOR_STEADY_MS)
        role->delay_ms = 0;
    role->pid = 0;
    role->restarts++;
    role->due = mono_add(now, role->delay_ms);
    role->delay_ms = next_delay(role->delay_ms);
}

bool supervisor_died(struct supervisor *s, pid_t pid, mono_t now, enum child_role *ret_role)
{
    for (unsigned i = 0; i < CHILD_ROLE_COUNT; i++) {
        if (s->roles[i].pid != pid)
            continue;
        schedule(&s->roles[i], now);
        *ret_role = (enum child_role)i;
        return true;
    }
    return false;
}

void supervisor_failed(struct supervisor *s, enum child_role role, mono_t now)
{
    s->roles[role].started = now;
    schedule(&s->roles[role], now);
}

bool supervisor_due(const struct supervisor *s, mono_t now, enum child_role *ret_role)
{
    for (unsigned i = 0; i < CHILD_ROLE_COUNT; i++) {
        if (s->roles[i].pid == 0 && mono_reached(now, s->roles[i].due)) {
            *ret_role = (enum child_role)i;
            return true;
        }
    }
    return false;
}

mono_t supervisor_next_deadline(const struct supervisor *s)
{
    mono_t next = MONO_NEVER;
    for (size_t i = 0; i < CHILD_ROLE_COUNT; i++)
        if (s->roles[i].pid == 0)
            next = mono_min(next, s->roles[i].due);
    return next;
}

size_t supervisor_running(const struct supervisor *s)
{
    size_t count = 0;
    for (size_t i = 0; i < CHILD_ROLE_COUNT; i++)
        count += s->roles[i].pid != 0;
    return count;
}
