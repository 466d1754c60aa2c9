/* Ladders are compared as whole drawings. */
#include "check.h"

#include "model/ladder.h"

static void check_drawing(const struct ladder *ladder, const char *want)
{
    struct drawing text = {0};
    assert_true(ladder_render(ladder, &text));
    assert_int_equal(text.len, strlen(text.text));
    assert_string_equal(text.text, want);
    drawing_fini(&text);
    assert_null(text.text);
}

enum { ALICE, SG_A, DNS, SG_B, BOB };
static const struct ladder_party figure_6_parties[] = {
    {"Alice"}, {"SG-A"}, {"DNS"}, {"SG-B"}, {"Bob"},
};

/* Figure 6 of the OE draft, message by message. */
static const struct ladder_row figure_6_rows[] = {
    {ALICE, ALICE, '-', "1", "Human or application clicks with a name"},
    {ALICE, DNS, '-', "2", "Application initiates DNS mapping."},
    {DNS, ALICE, '-', "3", "resolver returns A record to application"},
    {ALICE, SG_A, '-', "5", "SG (host or SG) sees packet to target, buffers it."},
    {SG_A, DNS, '-', "5B", "SG asks the DNS for TXT record"},
    {DNS, SG_A, '-', "5C", "DNS returns TXT record(s)"},
    {SG_A, SG_B, '-', "5D", "Initial IKE Main Mode Packet goes out"},
    {SG_B, SG_A, '-', "5E1", "Message 2 of phase 1 exchange"},
    {SG_A, SG_B, '-', "5E2", "Message 3 of phase 1 exchange"},
    {SG_B, SG_A, '-', "5E3", "Message 4 of phase 1 exchange"},
    {SG_A, SG_B, '#', "5E4", "Message 5 of phase 1 exchange"},
    {SG_B, DNS, '-', "5F1", "Responder lookup of initiator key"},
    {DNS, SG_B, '-', "5F2", "DNS replies with public key of initiator"},
    {SG_B, SG_A, '#', "5E5", "Responder replies with ID and authentication"},
    {SG_A, SG_B, '#', "5G1", "Initiator proposes tunnel"},
    {SG_B, DNS, '-', "5H1", "Responder determines initiator's authority"},
    {DNS, SG_B, '-', "5H2", "DNS replies with TXT record"},
    {SG_B, SG_A, '#', "5G2", "Responder agrees to proposal"},
    {SG_A, SG_B, '#', "5G3", "Final acknowledgement from initiator"},
    {SG_A, SG_B, '=', "6", "buffered packet is sent by SG-A"},
    {SG_B, BOB, '-', "7", "packet is received by SG-B, and decrypted, sent to Bob"},
    {BOB, SG_B, '-', "8", "Bob replies, packet is seen by SG-B"},
    {SG_B, SG_A, '=', "9", "SG-B already has tunnel up with SG-A, uses it"},
    {SG_A, ALICE, '-', "10", "SG-A decrypts packet and give it to Alice"},
    {ALICE, SG_A, '-', "11", "Alice receives packet.  Sends new packet to Bob"},
    {SG_A, SG_B, '=', "12", "SG-A gets second packet, sees that tunnel is up, uses it"},
    {SG_B, BOB, '-', "", ""},
};

static const struct ladder_group figure_6_groups[] = {
    {"5E", "IKE ISAKMP phase 1 succeeds"},
    {"5F", "SG-B asks the DNS for TXT record to prove SG-A agent for Alice"},
    {"5G", "IKE phase 2 negotiation"},
    {"5H", "DNS looksup by responder (SG-B)"},
};

static struct ladder figure_6(void)
{
    return (struct ladder){
        .title = "Figure 6: Timing of Opportunistic Encryption transaction",
        .parties = figure_6_parties,
        .party_count = CHECK_COUNT(figure_6_parties),
        .rows = figure_6_rows,
        .row_count = CHECK_COUNT(figure_6_rows),
        .groups = figure_6_groups,
        .group_count = CHECK_COUNT(figure_6_groups),
    };
}

static void the_drafts_figure_6(void **state)
{
    (void)state;
    struct ladder ladder = figure_6();
    check_drawing(&ladder, "Figure 6: Timing of Opportunistic Encryption transaction\n"
                           "\n"
                           "  Alice        SG-A          DNS         SG-B          Bob\n"
                           "    |            |            |            |            |\n"
                           "   (1)           |            |            |            |\n"
                           "    |----------(2)----------->|            |            |\n"
                           "    |<----------(3)-----------|            |            |\n"
                           "    |----(5)---->|            |            |            |\n"
                           "    |            |---(5B)---->|            |            |\n"
                           "    |            |<---(5C)----|            |            |\n"
                           "    |            |----------(5D)---------->|            |\n"
                           "    |            |<---------(5E1)----------|            |\n"
                           "    |            |---------(5E2)---------->|            |\n"
                           "    |            |<---------(5E3)----------|            |\n"
                           "    |            |#########(5E4)##########>|            |\n"
                           "    |            |            |<---(5F1)---|            |\n"
                           "    |            |            |---(5F2)--->|            |\n"
                           "    |            |<#########(5E5)##########|            |\n"
                           "    |            |#########(5G1)##########>|            |\n"
                           "    |            |            |<---(5H1)---|            |\n"
                           "    |            |            |---(5H2)--->|            |\n"
                           "    |            |<#########(5G2)##########|            |\n"
                           "    |            |#########(5G3)##########>|            |\n"
                           "    |            |==========(6)===========>|            |\n"
                           "    |            |            |            |----(7)---->|\n"
                           "    |            |            |            |<----(8)----|\n"
                           "    |            |<==========(9)===========|            |\n"
                           "    |<---(10)----|            |            |            |\n"
                           "    |---(11)---->|            |            |            |\n"
                           "    |            |==========(12)==========>|            |\n"
                           "    |            |            |            |----------->|\n"
                           "\n"
                           "  (1)      Human or application clicks with a name\n"
                           "  (2)      Application initiates DNS mapping.\n"
                           "  (3)      resolver returns A record to application\n"
                           "  (5)      SG (host or SG) sees packet to target, buffers it.\n"
                           "  (5B)     SG asks the DNS for TXT record\n"
                           "  (5C)     DNS returns TXT record(s)\n"
                           "  (5D)     Initial IKE Main Mode Packet goes out\n"
                           "  (5E)     IKE ISAKMP phase 1 succeeds\n"
                           "    (5E1)  Message 2 of phase 1 exchange\n"
                           "    (5E2)  Message 3 of phase 1 exchange\n"
                           "    (5E3)  Message 4 of phase 1 exchange\n"
                           "    (5E4)  Message 5 of phase 1 exchange\n"
                           "    (5E5)  Responder replies with ID and authentication\n"
                           "  (5F)     SG-B asks the DNS for TXT record to prove SG-A agent for\n"
                           "           Alice\n"
                           "    (5F1)  Responder lookup of initiator key\n"
                           "    (5F2)  DNS replies with public key of initiator\n"
                           "  (5G)     IKE phase 2 negotiation\n"
                           "    (5G1)  Initiator proposes tunnel\n"
                           "    (5G2)  Responder agrees to proposal\n"
                           "    (5G3)  Final acknowledgement from initiator\n"
                           "  (5H)     DNS looksup by responder (SG-B)\n"
                           "    (5H1)  Responder determines initiator's authority\n"
                           "    (5H2)  DNS replies with TXT record\n"
                           "  (6)      buffered packet is sent by SG-A\n"
                           "  (7)      packet is received by SG-B, and decrypted, sent to Bob\n"
                           "  (8)      Bob replies, packet is seen by SG-B\n"
                           "  (9)      SG-B already has tunnel up with SG-A, uses it\n"
                           "  (10)     SG-A decrypts packet and give it to Alice\n"
                           "  (11)     Alice receives packet.  Sends new packet to Bob\n"
                           "  (12)     SG-A gets second packet, sees that tunnel is up, uses it\n");
    ladder.labels_only = true;
    ladder.title = NULL;
    ladder.row_count = 6;
    check_drawing(&ladder, "  Alice        SG-A          DNS         SG-B          Bob\n"
                           "    |            |            |            |            |\n"
                           "   (1)           |            |            |            |\n"
                           "    |----------(2)----------->|            |            |\n"
                           "    |<----------(3)-----------|            |            |\n"
                           "    |----(5)---->|            |            |            |\n"
                           "    |            |---(5B)---->|            |            |\n"
                           "    |            |<---(5C)----|            |            |\n");
}

static void notes_and_unlabelled_arrows(void **state)
{
    (void)state;
    static const struct ladder_party parties[] = {
        {"initiator", "192.0.2.1"}, {"responder", "2001:db8::2"}, {"DNS", NULL}};
    static const struct ladder_row rows[] = {
        {0, 0, '-', NULL, "Potential OE -> Pending OE"},
        {0, 1, '-', NULL, "Informational"},
        {1, 0, '#', "", "Informational, much too long for this one arrow"},
        {1, 1, '-', "A", "a labelled note is listed"},
        {2, 2, '-', NULL, "near the right edge a note moves left"},
        {2, 0, '=', "", ""},
    };
    const struct ladder ladder = {
        .parties = parties, .party_count = 3, .rows = rows, .row_count = CHECK_COUNT(rows)};
    check_drawing(&ladder, "  initiator  192.0.2.1\n"
                           "  responder  2001:db8::2\n"
                           "\n"
                           "  initiator                                     responder       DNS\n"
                           "      |                                             |            |\n"
                           "[Potential OE -> Pending OE]                        |            |\n"
                           "      |-------------- Informational --------------->|            |\n"
                           "      |  Informational, much too long for this one  |            |\n"
                           "      |                    arrow                    |            |\n"
                           "      |<############################################|            |\n"
                           "      |                                            (A)           |\n"
                           "      |                          [near the right edge a note moves left]\n"
                           "      |<=========================================================|\n"
                           "\n"
                           "  (A)  a labelled note is listed\n");
}

static void labels_are_listed_once_and_wrapped(void **state)
{
    (void)state;
    static const struct ladder_party parties[] = {{"A"}, {"B"}};
    static const struct ladder_row rows[] = {
        {0, 1, '-', "1", "a message that is sent again"},
        {0, 1, '-', "1", "a message that is sent again"},
        {0, 1, '-', "1", "the same label with another text"},
        {1, 0, '-', "2",
         "an explanation that is too long for one line and goes on below itself, where "
         "averyveryveryveryveryveryveryveryveryveryveryveryveryverylongword is cut"},
        {1, 0, '-', "3", "first line\nsecond line"},
    };
    const struct ladder ladder = {
        .parties = parties, .party_count = 2, .rows = rows, .row_count = CHECK_COUNT(rows)};
    check_drawing(&ladder,
                  "  A            B\n"
                  "  |            |\n"
                  "  |----(1)---->|\n"
                  "  |----(1)---->|\n"
                  "  |----(1)---->|\n"
                  "  |<----(2)----|\n"
                  "  |<----(3)----|\n"
                  "\n"
                  "  (1)  a message that is sent again\n"
                  "  (1)  the same label with another text\n"
                  "  (2)  an explanation that is too long for one line and goes on below\n"
                  "       itself, where\n"
                  "       averyveryveryveryveryveryveryveryveryveryveryveryveryverylongword\n"
                  "       is cut\n"
                  "  (3)  first line\n"
                  "       second line\n");
}

static void what_is_not_seven_bit_is_replaced(void **state)
{
    (void)state;
    static const struct ladder_party parties[] = {{"A\xc3\xa9"}, {"B\x1b[1m"}};
    static const struct ladder_row rows[] = {
        {0, 1, '-', "\x07", "bell\x07 and tab\t"},
        {0, 0, '-', NULL, "a\nb"},
    };
    const struct ladder ladder = {
        .parties = parties, .party_count = 2, .rows = rows, .row_count = CHECK_COUNT(rows)};
    check_drawing(&ladder, "  A?\?         B?[1m\n"
                           "   |            |\n"
                           "   |----(?)---->|\n"
                           "  [a            |\n"
                           "   b]           |\n"
                           "\n"
                           "  (?)  bell? and tab?\n");
}

static void one_party_and_no_rows(void **state)
{
    (void)state;
    static const struct ladder_party alone[] = {{"Alice"}};
    const struct ladder ladder = {.parties = alone, .party_count = 1};
    check_drawing(&ladder, "  Alice\n"
                           "    |\n");
}

static void out_of_range(void **state)
{
    (void)state;
    static const struct ladder_row rows[] = {{0, 2, '-', "1", ""}};
    struct ladder ladder = {
        .parties = figure_6_parties, .party_count = 2, .rows = rows, .row_count = 1};
    struct drawing text = {0};
    assert_false(ladder_render(&ladder, &text));
    ladder.party_count = 0;
    assert_false(ladder_render(&ladder, &text));
    ladder.party_count = LADDER_PARTIES_MAX + 1;
    assert_false(ladder_render(&ladder, &text));
    assert_null(text.text);
    ladder.party_count = 3;
    assert_true(ladder_render(&ladder, &text));
    drawing_fini(&text);
}

/* Whatever the names and labels are, no line is wider than promised, and every octet prints. */
static void random_ladders_keep_the_width(void **state)
{
    (void)state;
    uint64_t seed = 6;
    char words[64];
    memset(words, 'x', sizeof(words));
    words[63] = '\0';
    for (int round = 0; round < 2000; round++) {
        struct ladder_party parties[LADDER_PARTIES_MAX];
        struct ladder_row rows[20];
        size_t party_count = 1 + check_random(&seed) % LADDER_PARTIES_MAX;
        for (size_t i = 0; i < party_count; i++)
            parties[i] = (struct ladder_party){words + 63 - check_random(&seed) % 30, NULL};
        for (size_t i = 0; i < CHECK_COUNT(rows); i++)
            rows[i] = (struct ladder_row){
                check_random(&seed) % party_count, check_random(&seed) % party_count, '-',
                words + 63 - check_random(&seed) % 36, words + 63 - check_random(&seed) % 64};
        const struct ladder ladder = {.parties = parties,
                                      .party_count = party_count,
                                      .rows = rows,
                                      .row_count = CHECK_COUNT(rows)};
        struct drawing text = {0};
        assert_true(ladder_render(&ladder, &text));
        size_t lines = 0;
        for (const char *line = text.text; *line != '\0'; lines++) {
            size_t len = strcspn(line, "\n");
            assert_true(len <= LADDER_WIDTH);
            assert_true(len == 0 || line[len - 1] != ' ' || lines > 2 + CHECK_COUNT(rows));
            line += len + 1;
        }
        assert_true(lines >= 2 + CHECK_COUNT(rows));
        drawing_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_drafts_figure_6),
        cmocka_unit_test(notes_and_unlabelled_arrows),
        cmocka_unit_test(labels_are_listed_once_and_wrapped),
        cmocka_unit_test(what_is_not_seven_bit_is_replaced),
        cmocka_unit_test(one_party_and_no_rows),
        cmocka_unit_test(out_of_range),
        cmocka_unit_test(random_ladders_keep_the_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
