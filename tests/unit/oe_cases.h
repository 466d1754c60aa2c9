/* The cases of test_oe.c, by the section of the OE draft they exercise. */
#ifndef CYGNET_TESTS_UNIT_OE_CASES_H
#define CYGNET_TESTS_UNIT_OE_CASES_H

#include "oe_rig.h"

extern const struct CMUnitTest oe_initiator_cases[], oe_responder_cases[], oe_aging_cases[],
    oe_policy_cases[], oe_reload_cases[], oe_multihoming_cases[], oe_gateway_cases[];
extern const size_t oe_initiator_case_count, oe_responder_case_count, oe_aging_case_count,
    oe_policy_case_count, oe_reload_case_count, oe_multihoming_case_count,
    oe_gateway_case_count;

#endif
