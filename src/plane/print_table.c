/* Prints the state x event table as docs/plane-table.md has it. */
#include <stdio.h>

#include "plane/state.h"

int main(void)
{
    puts("# The datagram state machine\n\n"
         "Printed by `plane-table` from the table that the plane runs (src/plane/state.c). The SPD\n"
         "holds one entry for each pair of source and destination address; the sections are those "
         "of\n"
         "draft-richardson-ipsec-opportunistic-06. An event without a row is counted and changes\n"
         "nothing.");
    static const char *const sections[SPD_STATE_COUNT] = {
        [SPD_NONEXISTENT] = "3.1.1", [SPD_HOLD] = "3.1.2",    [SPD_PASS] = "3.1.3",
        [SPD_DENY] = "3.1.4",        [SPD_ENCRYPT] = "3.1.5",
    };
    for (unsigned s = 0; s < SPD_STATE_COUNT; s++) {
        printf("\n## %s (%s)\n\n| event | do | then |\n|---|---|---|\n", spd_state_name(s),
               sections[s]);
        for (unsigned e = 0; e < SPD_EVENT_COUNT; e++)
            if (spd_row_story(s, e) != NULL)
                printf("| %s | %s | %s |\n", spd_event_name(e), spd_row_story(s, e),
                       spd_state_name(spd_next_state(s, e)));
    }
    return 0;
}
