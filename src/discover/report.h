/*
 * What discover says about its questions in the trace: the query as an arrow from this gateway to
 * DNS, the answer as an arrow back, with the steps of the draft's Figure 6.
 */
#ifndef CYGNET_DISCOVER_REPORT_H
#define CYGNET_DISCOVER_REPORT_H

#include "discover/question.h"

void report_query(const struct event_sink *trace, mono_t now, const struct question *q);
void report_answer(const struct event_sink *trace, mono_t now, const struct question *q);
/* An answer that was there already: no message, a line of its own. */
void report_cached(const struct event_sink *trace, mono_t now, const struct question *q,
                   const struct discover_event *ask);

#endif
