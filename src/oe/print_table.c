/* Prints the state x event table as docs/oe-table.md has it. */
#include <stdio.h>
#include <string.h>

#include "oe/oe.h"

int main(void)
{
    struct oe_table_row row;
    const char *from = "";

    puts("# The state machine of opportunistic connections\n\n"
         "Printed by `oe-table` from the table that the engine runs (src/oe/table.c); the numbers "
         "in\n"
         "brackets are sections of draft-richardson-ipsec-opportunistic-06. The first row whose\n"
         "condition holds is taken; an event without a row is dropped and counted.");
    for (size_t i = 0; oe_table_row(i, &row); i++) {
        if (strcmp(row.from, from) != 0) {
            printf(
                "\n## %s\n\n| role | event | if | do | then | why |\n|---|---|---|---|---|---|\n",
                row.from);
            from = row.from;
        }
        printf("| %s | %s | %s | %s | %s | %s |\n", row.role, row.event, row.guard, row.action,
               row.to, row.story);
    }
    return 0;
}
