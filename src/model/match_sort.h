/* Packets into exchanges. The matcher's own. */
#ifndef CYGNET_MODEL_MATCH_SORT_H
#define CYGNET_MODEL_MATCH_SORT_H

#include "model/match.h"

/* Fills in exchanges with their packets and hosts, by their first packet. False: out of memory;
 * what there is in the report is whole. */
MUST_USE bool match_sort(struct match_report *report);

#endif
