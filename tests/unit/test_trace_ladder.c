/* From traces to ladders: Figure 6 out of what two gateways write down, each in its own words. */
#include "check.h"

#include <stdio.h>

#include "model/trace_ladder.h"

enum { RECORDS_MAX = 64 };

struct trace {
    struct event_record records[RECORDS_MAX];
    size_t count;
    mono_t now;
};

static struct ip_addr alice, bob, sg_a, sg_b, other;
static struct ip_pair flow;

static struct ip_addr addr(const char *text)
{
    struct ip_addr parsed;
    assert_true(ip_addr_parse(text, &parsed));
    return parsed;
}

static int make_addresses(void **state)
{
    (void)state;
    alice = addr("192.1.0.65");
    bob = addr("192.2.0.66");
    sg_a = addr("192.1.1.4");
    sg_b = addr("192.1.1.5");
    other = addr("192.1.1.9");
    flow = (struct ip_pair){alice, bob};
    return 0;
}

static struct event_record *add(struct trace *t, enum event_room room, const char *label,
                                const char *title)
{
    assert_true(t->count < RECORDS_MAX);
    struct event_record *r = &t->records[t->count++];
    *r = (struct event_record){.serial = t->count, .at = t->now, .room = room, .level = EVENT_INFO};
    snprintf(r->label, sizeof(r->label), "%s", label);
    snprintf(r->title, sizeof(r->title), "%s", title);
    return r;
}

static struct event_end party(enum event_party p)
{
    return (struct event_end){.party = p};
}

static struct event_end at_addr(struct ip_addr a)
{
    return (struct event_end){.party = EVENT_PARTY_ADDR, .addr = a};
}

static void dns(struct trace *t, const char *label, const char *title, bool answer, bool of_flow,
                uint64_t connection)
{
    struct event_record *r = add(t, EVENT_DISCOVER, label, title);
    r->line = EVENT_LINE_CLEAR;
    r->from = party(answer ? EVENT_PARTY_DNS : EVENT_PARTY_SELF);
    r->to = party(answer ? EVENT_PARTY_SELF : EVENT_PARTY_DNS);
    r->connection = connection;
    if (of_flow)
        r->flow = flow;
    if (answer)
        snprintf(r->detail, sizeof(r->detail), "secure");
}

/* A message of IKE as one of the two sees it. */
static void ike(struct trace *t, const char *label, const char *title, bool sent,
                struct ip_addr peer, enum event_line line, bool of_flow)
{
    struct event_record *r = add(t, EVENT_IKE, label, title);
    r->line = line;
    r->from = sent ? party(EVENT_PARTY_SELF) : at_addr(peer);
    r->to = sent ? at_addr(peer) : party(EVENT_PARTY_SELF);
    r->peer = peer;
    if (of_flow)
        r->flow = flow;
}

static void plane(struct trace *t, const char *label, const char *title, enum event_line line,
                  struct event_end from, struct event_end to)
{
    struct event_record *r = add(t, EVENT_PLANE, label, title);
    r->line = line;
    r->from = from;
    r->to = to;
    r->flow = flow;
}

static void note(struct trace *t, const char *title, bool of_flow, struct ip_addr peer,
                 uint64_t connection)
{
    struct event_record *r = add(t, EVENT_OE, "", title);
    r->peer = peer;
    r->connection = connection;
    if (of_flow)
        r->flow = flow;
}

/* What SG-A, the initiator, writes. `late` shifts its clock. */
static void trace_of_sg_a(struct trace *t, int64_t late)
{
    const struct event_end self = party(EVENT_PARTY_SELF), source = party(EVENT_PARTY_SOURCE);
    *t = (struct trace){.now = {1000 + late}};
    plane(t, "5", "first datagram, held", EVENT_LINE_CLEAR, source, self);
    dns(t, "5B", "TXT 66.0.2.192.in-addr.arpa.?", false, true, 1);
    t->now.ms += 2;
    dns(t, "5C", "TXT 66.0.2.192.in-addr.arpa.", true, true, 1);
    note(t, "Potential OE -> Pending OE", true, sg_b, 1);
    ike(t, "5D", "Main Mode 1: SA", true, sg_b, EVENT_LINE_CLEAR, true);
    t->now.ms += 1;
    ike(t, "5E1", "Main Mode 2: SA", false, sg_b, EVENT_LINE_CLEAR, true);
    ike(t, "5E2", "Main Mode 3: KE, Ni", true, sg_b, EVENT_LINE_CLEAR, true);
    t->now.ms += 2;
    ike(t, "5E3", "Main Mode 4: KE, Nr", false, sg_b, EVENT_LINE_CLEAR, true);
    ike(t, "5E4", "Main Mode 5: IDii, SIG_I", true, sg_b, EVENT_LINE_IKE, true);
    t->now.ms += 4;
    ike(t, "5E5", "Main Mode 6: IDir, SIG_R", false, sg_b, EVENT_LINE_IKE, true);
    ike(t, "5G1", "Quick Mode 1", true, sg_b, EVENT_LINE_IKE, true);
    t->now.ms += 3;
    ike(t, "5G2", "Quick Mode 2", false, sg_b, EVENT_LINE_IKE, true);
    ike(t, "5G3", "Quick Mode 3", true, sg_b, EVENT_LINE_IKE, true);
    note(t, "Pending OE -> Keyed OE", true, sg_b, 1);
    plane(t, "6", "held datagram sent through the tunnel", EVENT_LINE_ESP, self, at_addr(sg_b));
    t->now.ms += 1;
    plane(t, "10", "decrypted and delivered", EVENT_LINE_CLEAR, self, source);
    t->now.ms += 5;
    plane(t, "11", "next datagram", EVENT_LINE_CLEAR, source, self);
    plane(t, "12", "the tunnel is up: sent through it", EVENT_LINE_ESP, self, at_addr(sg_b));
}

/* And SG-B, the responder, which learns in Quick Mode which flow it is for. */
static void trace_of_sg_b(struct trace *t)
{
    const struct event_end self = party(EVENT_PARTY_SELF), dest = party(EVENT_PARTY_DEST);
    *t = (struct trace){.now = {900}};
    ike(t, "5D", "Main Mode 1: SA", false, other, EVENT_LINE_CLEAR, false); /* somebody else's */
    t->now.ms = 1002;
    ike(t, "5D", "Main Mode 1: SA", false, sg_a, EVENT_LINE_CLEAR, false);
    ike(t, "5E1", "Main Mode 2: SA", true, sg_a, EVENT_LINE_CLEAR, false);
    ike(t, "5E2", "Main Mode 3: KE, Ni", false, other, EVENT_LINE_CLEAR, false);
    t->now.ms = 1004;
    ike(t, "5E2", "Main Mode 3: KE, Ni", false, sg_a, EVENT_LINE_CLEAR, false);
    ike(t, "5E3", "Main Mode 4: KE, Nr", true, sg_a, EVENT_LINE_CLEAR, false);
    t->now.ms = 1006;
    ike(t, "5E4", "Main Mode 5: IDii, SIG_I", false, sg_a, EVENT_LINE_IKE, false);
    note(t, "Nonexistent -> Unauthenticated OE peer", false, sg_a, 70);
    dns(t, "5F1", "KEY 4.1.1.192.in-addr.arpa.?", false, false, 70);
    dns(t, "5F1", "KEY 9.1.1.192.in-addr.arpa.?", false, false, 71); /* for the other's phase 1 */
    t->now.ms = 1008;
    dns(t, "5F2", "KEY 4.1.1.192.in-addr.arpa.", true, false, 70);
    ike(t, "5E5", "Main Mode 6: IDir, SIG_R", true, sg_a, EVENT_LINE_IKE, false);
    ike(t, "5G1", "Quick Mode 1", false, sg_a, EVENT_LINE_IKE, true);
    dns(t, "", "IPSECKEY 65.0.1.192.in-addr.arpa.?", false, true, 72); /* no step: not drawn */
    dns(t, "5H1", "TXT 65.0.1.192.in-addr.arpa.?", false, true, 72);
    t->now.ms = 1011;
    dns(t, "5H2", "TXT 65.0.1.192.in-addr.arpa.", true, true, 72);
    ike(t, "5G2", "Quick Mode 2", true, sg_a, EVENT_LINE_IKE, true);
    t->now.ms = 1012;
    ike(t, "5G3", "Quick Mode 3", false, sg_a, EVENT_LINE_IKE, true);
    note(t, "Potential OE -> Keyed OE", true, sg_a, 72);
    plane(t, "7", "decrypted and delivered", EVENT_LINE_CLEAR, self, dest);
    plane(t, "8", "reply", EVENT_LINE_CLEAR, dest, self);
    plane(t, "9", "sent through the tunnel already there", EVENT_LINE_ESP, self, at_addr(sg_a));
    struct event_record *strange = add(t, EVENT_OE, "", "another flow's story");
    strange->flow = (struct ip_pair){alice, other};
}

static const char figure_6[] =
    "  Alice  192.1.0.65\n"
    "  SG-A   192.1.1.4\n"
    "  SG-B   192.1.1.5\n"
    "  Bob    192.2.0.66\n"
    "\n"
    "  Alice        SG-A          DNS         SG-B          Bob\n"
    "    |            |            |            |            |\n"
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
    "\n"
    "  (5)         +0 ms  first datagram, held\n"
    "  (5B)        +0 ms  TXT 66.0.2.192.in-addr.arpa.?\n"
    "  (5C)        +2 ms  TXT 66.0.2.192.in-addr.arpa.\n"
    "  (5D)        +2 ms  Main Mode 1: SA\n"
    "  (5E)     IKE phase 1\n"
    "    (5E1)     +2 ms  Main Mode 2: SA\n"
    "    (5E2)     +3 ms  Main Mode 3: KE, Ni\n"
    "    (5E3)     +4 ms  Main Mode 4: KE, Nr\n"
    "    (5E4)     +5 ms  Main Mode 5: IDii, SIG_I\n"
    "    (5E5)     +8 ms  Main Mode 6: IDir, SIG_R\n"
    "  (5F)     the responder looks up the initiator's key\n"
    "    (5F1)     +6 ms  KEY 4.1.1.192.in-addr.arpa.?\n"
    "    (5F2)     +8 ms  KEY 4.1.1.192.in-addr.arpa.\n"
    "  (5G)     IKE phase 2\n"
    "    (5G1)     +9 ms  Quick Mode 1\n"
    "    (5G2)    +11 ms  Quick Mode 2\n"
    "    (5G3)    +12 ms  Quick Mode 3\n"
    "  (5H)     the responder checks the initiator's authority for its host\n"
    "    (5H1)     +8 ms  TXT 65.0.1.192.in-addr.arpa.?\n"
    "    (5H2)    +11 ms  TXT 65.0.1.192.in-addr.arpa.\n"
    "  (6)        +12 ms  held datagram sent through the tunnel\n"
    "  (7)        +12 ms  decrypted and delivered\n"
    "  (8)        +12 ms  reply\n"
    "  (9)        +12 ms  sent through the tunnel already there\n"
    "  (10)       +13 ms  decrypted and delivered\n"
    "  (11)       +18 ms  next datagram\n"
    "  (12)       +18 ms  the tunnel is up: sent through it\n";

static void render(const struct trace_input *in, const char *want)
{
    struct drawing text = {0};
    assert_true(trace_ladder_render(in, TRACE_TEXT, &text));
    assert_string_equal(text.text, want);
    drawing_fini(&text);
}

static struct trace a, b;
static struct trace_source sources[2];
static struct trace_name names[4];

static struct trace_input both(bool swapped)
{
    sources[swapped] = (struct trace_source){.records = a.records, .count = a.count};
    sources[!swapped] = (struct trace_source){.records = b.records, .count = b.count};
    names[0] = (struct trace_name){alice, "Alice"};
    names[1] = (struct trace_name){sg_a, "SG-A"};
    names[2] = (struct trace_name){sg_b, "SG-B"};
    names[3] = (struct trace_name){bob, "Bob"};
    return (struct trace_input){
        .flow = flow, .sources = sources, .source_count = 2, .names = names, .name_count = 4};
}

static void two_gateways_make_figure_6(void **state)
{
    (void)state;
    trace_of_sg_a(&a, 0);
    trace_of_sg_b(&b);
    struct trace_input in = both(false);
    render(&in, figure_6);
}

/* Neither the order of the sources nor a clock that runs ahead or behind changes the order of rows.
 * The times in the list do change, so only the drawing is compared. */
static void order_survives_swapping_and_wrong_clocks(void **state)
{
    (void)state;
    static const int64_t late[] = {0, 1, -1, 3, -3, 1000000, -900};
    const char *list = strstr(figure_6, "\n\n  (5)");
    assert_non_null(list);
    for (size_t i = 0; i < 2 * CHECK_COUNT(late); i++) {
        struct drawing text = {0};
        trace_of_sg_a(&a, late[i / 2]);
        trace_of_sg_b(&b);
        struct trace_input in = both(i % 2);
        in.labels_only = true;
        assert_true(trace_ladder_render(&in, TRACE_TEXT, &text));
        assert_int_equal(text.len, (size_t)(list - figure_6) + 1);
        assert_memory_equal(text.text, figure_6, text.len);
        drawing_fini(&text);
    }
}

static void the_initiator_alone(void **state)
{
    (void)state;
    trace_of_sg_a(&a, 0);
    const struct trace_source source = {.addr = sg_a, .records = a.records, .count = 10};
    const struct trace_input in = {.title = "What SG-A saw",
                                   .flow = flow,
                                   .sources = &source,
                                   .source_count = 1,
                                   .notes = true,
                                   .details = true};
    render(&in, "What SG-A saw\n"
                "  source   192.1.0.65\n"
                "  gateway  192.1.1.4\n"
                "  peer     192.1.1.5\n"
                "  dest     192.2.0.66\n"
                "\n"
                "  source       gateway        DNS         peer         dest\n"
                "     |            |            |            |            |\n"
                "     |----(5)---->|            |            |            |\n"
                "     |            |---(5B)---->|            |            |\n"
                "     |            |<---(5C)----|            |            |\n"
                "    [Potential OE -> Pending OE]            |            |\n"
                "     |            |----------(5D)---------->|            |\n"
                "     |            |<---------(5E1)----------|            |\n"
                "     |            |---------(5E2)---------->|            |\n"
                "     |            |<---------(5E3)----------|            |\n"
                "     |            |#########(5E4)##########>|            |\n"
                "     |            |<#########(5E5)##########|            |\n"
                "\n"
                "  (5)         +0 ms  first datagram, held\n"
                "  (5B)        +0 ms  TXT 66.0.2.192.in-addr.arpa.?\n"
                "  (5C)        +2 ms  TXT 66.0.2.192.in-addr.arpa.: secure\n"
                "  (5D)        +2 ms  Main Mode 1: SA\n"
                "  (5E)     IKE phase 1\n"
                "    (5E1)     +3 ms  Main Mode 2: SA\n"
                "    (5E2)     +3 ms  Main Mode 3: KE, Ni\n"
                "    (5E3)     +5 ms  Main Mode 4: KE, Nr\n"
                "    (5E4)     +5 ms  Main Mode 5: IDii, SIG_I\n"
                "    (5E5)     +9 ms  Main Mode 6: IDir, SIG_R\n");
}

static void the_responder_alone(void **state)
{
    (void)state;
    trace_of_sg_b(&b);
    const struct trace_source source = {.records = b.records, .count = b.count};
    const struct trace_input in = {
        .flow = flow, .sources = &source, .source_count = 1, .labels_only = true};
    render(&in, "  source   192.1.0.65\n"
                "  gateway  192.1.1.4\n"
                "  dest     192.2.0.66\n"
                "\n"
                "  source       gateway        DNS         peer         dest\n"
                "     |            |            |            |            |\n"
                "     |            |----------(5D)---------->|            |\n"
                "     |            |<---------(5E1)----------|            |\n"
                "     |            |---------(5E2)---------->|            |\n"
                "     |            |<---------(5E3)----------|            |\n"
                "     |            |#########(5E4)##########>|            |\n"
                "     |            |            |<---(5F1)---|            |\n"
                "     |            |            |---(5F2)--->|            |\n"
                "     |            |<#########(5E5)##########|            |\n"
                "     |            |#########(5G1)##########>|            |\n"
                "     |            |            |<---(5H1)---|            |\n"
                "     |            |            |---(5H2)--->|            |\n"
                "     |            |<#########(5G2)##########|            |\n"
                "     |            |#########(5G3)##########>|            |\n"
                "     |            |            |            |----(7)---->|\n"
                "     |            |            |            |<----(8)----|\n"
                "     |            |<==========(9)===========|            |\n");
}

/* A further tunnel over a phase 1 that was there already: the old phase 1 is another story. */
static void an_old_phase_1_is_left_out(void **state)
{
    (void)state;
    trace_of_sg_b(&b);
    a = (struct trace){.now = {2000}};
    ike(&a, "5G1", "Quick Mode 1", true, sg_b, EVENT_LINE_IKE, true);
    ike(&a, "5G2", "Quick Mode 2", false, sg_b, EVENT_LINE_IKE, true);
    ike(&a, "5G3", "Quick Mode 3", true, sg_b, EVENT_LINE_IKE, true);
    struct trace_input in = both(false);
    in.labels_only = true;
    render(&in, "  Alice  192.1.0.65\n"
                "  SG-A   192.1.1.4\n"
                "  SG-B   192.1.1.5\n"
                "  Bob    192.2.0.66\n"
                "\n"
                "  Alice        SG-A          DNS         SG-B          Bob\n"
                "    |            |            |            |            |\n"
                "    |            |#########(5G1)##########>|            |\n"
                "    |            |            |<---(5H1)---|            |\n"
                "    |            |            |---(5H2)--->|            |\n"
                "    |            |<#########(5G2)##########|            |\n"
                "    |            |#########(5G3)##########>|            |\n"
                "    |            |            |            |----(7)---->|\n"
                "    |            |            |            |<----(8)----|\n"
                "    |            |<==========(9)===========|            |\n");
}

/* No gateway on the other side: no column for one. A warning is drawn even without notes. */
static void a_bogus_delegation(void **state)
{
    (void)state;
    a = (struct trace){.now = {50}};
    plane(&a, "5", "first datagram, held", EVENT_LINE_CLEAR, party(EVENT_PARTY_SOURCE),
          party(EVENT_PARTY_SELF));
    dns(&a, "5B", "TXT 66.0.2.192.in-addr.arpa.?", false, true, 1);
    a.now.ms += 20;
    dns(&a, "5C", "TXT 66.0.2.192.in-addr.arpa.", true, true, 1);
    snprintf(a.records[2].detail, sizeof(a.records[2].detail), "bogus: signature expired");
    note(&a, "Potential OE -> Deny", true, (struct ip_addr){0}, 1);
    a.records[3].level = EVENT_WARNING;
    note(&a, "a decision", true, (struct ip_addr){0}, 1);
    struct trace_input in = both(false);
    in.source_count = 1;
    in.details = true;
    render(&in, "  Alice  192.1.0.65\n"
                "  Bob    192.2.0.66\n"
                "\n"
                "  Alice       gateway        DNS          Bob\n"
                "    |            |            |            |\n"
                "    |----(5)---->|            |            |\n"
                "    |            |---(5B)---->|            |\n"
                "    |            |<---(5C)----|            |\n"
                "    | [Potential OE -> Deny]  |            |\n"
                "\n"
                "  (5)      +0 ms  first datagram, held\n"
                "  (5B)     +0 ms  TXT 66.0.2.192.in-addr.arpa.?\n"
                "  (5C)    +20 ms  TXT 66.0.2.192.in-addr.arpa.: bogus: signature expired\n");
}

/* What was sent twice and received once is drawn twice, as sent. */
static void a_message_sent_again(void **state)
{
    (void)state;
    a = (struct trace){.now = {1}};
    b = (struct trace){.now = {1}};
    for (int i = 0; i < 2; i++)
        ike(&a, "5G1", "Quick Mode 1", true, sg_b, EVENT_LINE_IKE, true);
    ike(&b, "5G1", "Quick Mode 1", false, sg_a, EVENT_LINE_IKE, true);
    ike(&b, "5G2", "Quick Mode 2", true, sg_a, EVENT_LINE_IKE, true);
    struct trace_input in = both(false);
    in.labels_only = true;
    render(&in, "  Alice  192.1.0.65\n"
                "  SG-A   192.1.1.4\n"
                "  SG-B   192.1.1.5\n"
                "  Bob    192.2.0.66\n"
                "\n"
                "  Alice        SG-A         SG-B          Bob\n"
                "    |            |            |            |\n"
                "    |            |###(5G1)###>|            |\n"
                "    |            |###(5G1)###>|            |\n"
                "    |            |<###(5G2)###|            |\n");
}

static void nothing_to_draw(void **state)
{
    (void)state;
    struct drawing text = {0};
    struct trace_source source = {0};
    struct trace_input in = {.flow = flow, .sources = &source, .source_count = 0};
    assert_false(trace_ladder_render(&in, TRACE_TEXT, &text));
    in.source_count = 3;
    assert_false(trace_ladder_render(&in, TRACE_TEXT, &text));
    in.source_count = 1;
    render(&in, "  source  192.1.0.65\n"
                "  dest    192.2.0.66\n"
                "\n"
                "  source       gateway       dest\n"
                "     |            |            |\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_gateways_make_figure_6),
        cmocka_unit_test(order_survives_swapping_and_wrong_clocks),
        cmocka_unit_test(the_initiator_alone),
        cmocka_unit_test(the_responder_alone),
        cmocka_unit_test(an_old_phase_1_is_left_out),
        cmocka_unit_test(a_bogus_delegation),
        cmocka_unit_test(a_message_sent_again),
        cmocka_unit_test(nothing_to_draw),
    };
    return cmocka_run_group_tests(tests, make_addresses, NULL);
}
