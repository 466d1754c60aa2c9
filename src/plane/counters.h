/*
 * Every drop and every event of the plane has a name here and nowhere else. What is counted under
 * drop_ went no further. A datagram handed in ends in one of out_clear, out_encrypted, in_ and
 * drop_, unless it is held, or cut into fragments of which each does.
 */
#ifndef CYGNET_PLANE_COUNTERS_H
#define CYGNET_PLANE_COUNTERS_H

#define PLANE_COUNTERS(X)                                                                          \
    X(out_clear)              /* put on their ordinary way */                                      \
    X(out_encrypted)          /* sent as ESP or AH */                                              \
    X(out_fragmented)         /* cut in two or more before encryption */                           \
    X(in_opportunistic)       /* delivered to oe0 */                                               \
    X(in_configured)          /* delivered to vpn0 */                                              \
    X(in_authentic)           /* ESP and AH that was the peer's, whatever became of it */             \
    X(drop_out_malformed)     /* not an IP datagram */                                             \
    X(drop_denied)            /* verdict deny */                                                   \
    X(drop_hold_replaced)     /* was "last" when a newer one came (OE-022) */                      \
    X(drop_hold_full)         /* no memory, or the cap on held octets is too low for it (OE-023) */\
    X(drop_hold_evicted)      /* held longest when the cap was reached (OE-023, OE-194) */         \
    X(drop_hold_discarded)    /* held when the flow was denied or forgotten (OE-027) */            \
    X(drop_spd_no_memory)     /* no new SPD entry could be made */                                 \
    X(drop_too_big)           /* may not be fragmented; its source is told */                      \
    X(drop_no_buffer)         /* no memory for a fragment */                                       \
    X(drop_not_encrypted)     /* encapsulation failed */                                           \
    X(drop_in_short)          /* no ESP or AH header */                                            \
    X(drop_unknown_spi)       /* no such SA */                                                     \
    X(drop_larval)            /* the SA has no keys yet */                                         \
    X(drop_replay)                                                                                 \
    X(drop_not_authentic)                                                                          \
    X(drop_in_malformed)                                                                           \
    X(drop_dummy)             /* next header 59: traffic flow confidentiality */                   \
    X(drop_narrowed)          /* configured, but not what the peer agreed to */                    \
    X(drop_selector)          /* inner addresses are not the SA's (OE-190) */                      \
    X(trace_held)             /* flows that began with a held datagram */                          \
    X(acquires)                                                                                    \
    X(hold_gave_up)           /* holds that no answer ended (OE-023) */                            \
    X(spd_evicted)            /* the longest unused, when the SPD was full */                      \
    X(expires_soft)                                                                                \
    X(expires_hard)                                                                                \
    X(larvals_expired)        /* SPIs handed out that were never used */                           \
    X(unknown_spi_reports)                                                                         \
    X(silence_reports)        /* flows whose datagrams go out while nothing comes back */              \
    X(new_mapping_reports)    /* authentic ESP from another address or port */                     \
    X(address_updates_asked)  /* IKE is asked to move an SA: its source is gone, or somebody wishes it */ \
    X(icmp_too_big)                                                                                \
    X(icmp_prohibited)                                                                             \
    X(icmp_suppressed)        /* rate limited, or not allowed about that datagram */               \
    X(control_malformed)                                                                           \
    X(control_refused)                                                                             \
    X(control_lost)           /* messages to keyd that could not be built */                       \
    X(no_transition)          /* an event the state table has no row for */

enum plane_counter {
#define PLANE_COUNTER_ENUM(name) PLANE_COUNT_##name,
    PLANE_COUNTERS(PLANE_COUNTER_ENUM)
#undef PLANE_COUNTER_ENUM
        PLANE_COUNTER_COUNT
};

#endif
