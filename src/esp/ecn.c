#include "esp/ecn.h"

#include "wire/ip.h"

enum { ECN_DROP = 4 };

/* RFC 6040 figure 4, by inner field, then outer field. */
static const uint8_t ecn_table[4][4] = {
    [IP_ECN_NOT_ECT] = {[IP_ECN_NOT_ECT] = IP_ECN_NOT_ECT,
                        [IP_ECN_ECT0] = IP_ECN_NOT_ECT,
                        [IP_ECN_ECT1] = IP_ECN_NOT_ECT,
                        [IP_ECN_CE] = ECN_DROP},
    [IP_ECN_ECT0] = {[IP_ECN_NOT_ECT] = IP_ECN_ECT0,
                     [IP_ECN_ECT0] = IP_ECN_ECT0,
                     [IP_ECN_ECT1] = IP_ECN_ECT1,
                     [IP_ECN_CE] = IP_ECN_CE},
    [IP_ECN_ECT1] = {[IP_ECN_NOT_ECT] = IP_ECN_ECT1,
                     [IP_ECN_ECT0] = IP_ECN_ECT1,
                     [IP_ECN_ECT1] = IP_ECN_ECT1,
                     [IP_ECN_CE] = IP_ECN_CE},
    [IP_ECN_CE] = {[IP_ECN_NOT_ECT] = IP_ECN_CE,
                   [IP_ECN_ECT0] = IP_ECN_CE,
                   [IP_ECN_ECT1] = IP_ECN_CE,
                   [IP_ECN_CE] = IP_ECN_CE},
};

bool ecn_combine(uint8_t inner_tos, uint8_t outer_tos, uint8_t *ret_ecn)
{
    uint8_t ecn = ecn_table[inner_tos & IP_ECN_MASK][outer_tos & IP_ECN_MASK];
    if (ecn == ECN_DROP)
        return false;
    *ret_ecn = ecn;
    return true;
}
