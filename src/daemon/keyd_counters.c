#include "daemon/keyd_counters.h"

#include <string.h>

enum {
    ASKER = 1,       /* the `pid` of the question: no instance of control, which are random */
    TYPE_OFFSET = 1, /* sadb_msg_type (RFC 2367 section 2.3) */
};

struct view keyd_counters_request(struct span room)
{
    struct pfkey_message message = {.type = PFKEY_X_COUNTERS, .pid = ASKER};
    size_t len;
    if (pfkey_build(&message, room, &len) != ERR_OK)
        return view_of(NULL, 0);
    return view_of(room.ptr, len);
}

static void set(struct keyd_counters *counters, const char *name, uint64_t value)
{
    size_t i = 0;
    while (i < counters->count && strcmp(counters->of[i].name, name) != 0)
        i++;
    if (i == KEYD_COUNTERS_MAX)
        return;
    if (i == counters->count)
        memcpy(counters->of[counters->count++].name, name, sizeof(counters->of[i].name));
    counters->of[i].value = value;
}

bool keyd_counters_take(struct keyd_counters *counters, struct view message)
{
    struct pfkey_message answer;

    if (message.len <= TYPE_OFFSET || message.ptr[TYPE_OFFSET] != PFKEY_X_COUNTERS)
        return false;
    if (pfkey_parse(message, &answer) == ERR_OK && (answer.has & PFKEY_HAS_COUNTER) != 0) {
        answer.counter_name[sizeof(answer.counter_name) - 1] = '\0';
        set(counters, answer.counter_name, answer.counter);
    }
    return true;
}
