#include "cli/model_seen.h"

#include "cli/cli.h"

struct match_packet *seen_packet(struct seen *seen, uint64_t number)
{
    void *packets = seen->packets;
    if (seen->count > 0 && seen->packets[seen->count - 1].number == number)
        return &seen->packets[seen->count - 1];
    struct match_packet *packet = arena_push(&seen->arena, &packets, &seen->count, sizeof(*packet));
    if (packet == NULL) {
        cli_fail("out of memory");
        return NULL;
    }
    seen->packets = packets;
    *packet = (struct match_packet){.number = number, .key = ""};
    return packet;
}

void seen_fini(struct seen *seen)
{
    arena_free(&seen->arena);
    *seen = (struct seen){0};
}
