/* Prints the state x event table as docs/oe-table.md has it: drawn for either role, then as rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oe/oe.h"

enum {
    COLUMNS_MAX = 8,
    PITCH = 6, /* from one column to the next */
    CENTRE = 3,
    LANES = COLUMNS_MAX * PITCH + 1,
    WIDTH = 72,
    LABEL_AT = LANES + 2,
    LABEL = WIDTH - LABEL_AT,
    LABELS_MAX = 512,
};

struct column {
    enum oe_state state;
    const char *head[2]; /* its name, in two lines of five */
};

struct drawing {
    const char *title, *story;
    const char *role, *other; /* whose rows are drawn; other: "both" or none */
    size_t count;
    struct column columns[COLUMNS_MAX];
};

static const struct drawing drawings[] = {
    {
        "The initiator, drawn",
        "Also what befalls a tunnel once it is there, whoever began it.",
        "initiator",
        "both",
        8,
        {
            {OE_ST_NONEXISTENT, {"Non-", "exist"}},
            {OE_ST_POTENTIAL, {"Poten", "tial"}},
            {OE_ST_PENDING, {"Pen-", "ding"}},
            {OE_ST_CLEAR, {"Clear", "-text"}},
            {OE_ST_DENY, {"Deny", ""}},
            {OE_ST_KEYED, {"Keyed", ""}},
            {OE_ST_EXPIRING, {"Expi-", "ring"}},
            {OE_ST_EXPIRED, {"Expi-", "red"}},
        },
    },
    {
        "The responder, drawn",
        "From Keyed and Expired on it is the same as above.",
        "responder",
        "",
        7,
        {
            {OE_ST_NONEXISTENT, {"Non-", "exist"}},
            {OE_ST_UNAUTHENTICATED_PEER, {"Unau-", "thent"}},
            {OE_ST_AUTHENTICATED_PEER, {"Au-", "thent"}},
            {OE_ST_POTENTIAL, {"Poten", "tial"}},
            {OE_ST_PENDING, {"Pen-", "ding"}},
            {OE_ST_KEYED, {"Keyed", ""}},
            {OE_ST_EXPIRED, {"Expi-", "red"}},
        },
    },
};

static bool belongs(const struct drawing *d, const struct oe_table_row *row)
{
    return strcmp(row->role, d->role) == 0 || strcmp(row->role, d->other) == 0;
}

/* A state without a column is a mistake in the lists above. */
static size_t column_of(const struct drawing *d, const char *state)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(oe_state_name(d->columns[i].state), state) == 0)
            return i;
    fprintf(stderr, "oe-table: %s: no column for %s\n", d->title, state);
    exit(1);
}

static void draw_border(const struct drawing *d, bool lower)
{
    for (size_t i = 0; i < d->count; i++)
        fputs(lower ? "+--+--" : "+-----", stdout);
    puts("+");
}

static void draw_heads(const struct drawing *d)
{
    draw_border(d, false);
    for (size_t line = 0; line < 2; line++) {
        for (size_t i = 0; i < d->count; i++)
            printf("|%-5.5s", d->columns[i].head[line]);
        puts("|");
    }
    draw_border(d, true);
}

static void draw_lanes(const struct drawing *d, char *ret)
{
    memset(ret, ' ', LANES);
    for (size_t i = 0; i < d->count; i++)
        ret[CENTRE + i * PITCH] = '|';
    ret[LANES] = '\0';
}

/* "|     o---->|     |"; a state that stays is a loop, "|     @     |". */
static void draw_arrow(const struct drawing *d, size_t from, size_t to, char *ret)
{
    size_t a = CENTRE + from * PITCH, b = CENTRE + to * PITCH;
    draw_lanes(d, ret);
    ret[a] = from == to ? '@' : 'o';
    for (size_t i = a + 1; i < b; i++)
        ret[i] = '-';
    for (size_t i = b + 1; i < a; i++)
        ret[i] = '-';
    if (a < b)
        ret[b - 1] = '>';
    if (b < a)
        ret[b + 1] = '<';
}

/* The events of all rows between the two states, each once; false: an earlier row had them. */
static bool collect_events(const struct drawing *d, size_t first, char *ret)
{
    struct oe_table_row row, other;
    oe_table_row(first, &row);
    ret[0] = '\0';
    for (size_t i = 0; oe_table_row(i, &other); i++) {
        char entry[64];
        if (!belongs(d, &other) || strcmp(other.from, row.from) != 0 ||
            strcmp(other.to, row.to) != 0)
            continue;
        if (i < first)
            return false;
        snprintf(entry, sizeof(entry), "%s ", other.event);
        if (strstr(ret, entry) == NULL && strlen(ret) + strlen(entry) < LABELS_MAX)
            strcat(ret, entry);
    }
    return true;
}

/* The arrow with as many events as fit beside it, and lines below for the rest. */
static void draw_transition(const struct drawing *d, char *arrow, char *events)
{
    char lanes[LANES + 1], label[LABEL + 1] = "";
    draw_lanes(d, lanes);
    for (char *event = strtok(events, " "); event != NULL; event = strtok(NULL, " ")) {
        if (label[0] != '\0' && strlen(label) + 2 + strlen(event) > LABEL) {
            printf("%s  %s\n", arrow, label);
            memcpy(arrow, lanes, sizeof(lanes));
            label[0] = '\0';
        }
        snprintf(label + strlen(label), sizeof(label) - strlen(label), "%s%s",
                 label[0] != '\0' ? ", " : "", event);
    }
    printf("%s  %s\n", arrow, label);
}

static void draw(const struct drawing *d)
{
    struct oe_table_row row;
    char arrow[LANES + 1], events[LABELS_MAX];

    printf("\n## %s\n\n%s\n\n```\n", d->title, d->story);
    draw_heads(d);
    for (size_t i = 0; oe_table_row(i, &row); i++) {
        if (!belongs(d, &row) || !collect_events(d, i, events))
            continue;
        draw_arrow(d, column_of(d, row.from), column_of(d, row.to), arrow);
        draw_transition(d, arrow, events);
    }
    draw_border(d, true);
    puts("```");
}

static void print_rows(void)
{
    struct oe_table_row row;
    const char *from = "";
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
}

int main(void)
{
    puts("# The state machines of opportunistic connections\n\n"
         "Printed by `oe-table` from the table that the engine runs (src/oe/table.c); the numbers "
         "in\n"
         "brackets are sections of draft-richardson-ipsec-opportunistic-06. The first row whose\n"
         "condition holds is taken; an event without a row is dropped and counted.\n\n"
         "In the drawings an arrow leads from one state to another, and beside it are the events\n"
         "that may take it; `@` is a state that stays. The conditions are in the rows below.");
    for (size_t i = 0; i < sizeof(drawings) / sizeof(drawings[0]); i++)
        draw(&drawings[i]);
    print_rows();
    return 0;
}
