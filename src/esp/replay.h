/*
 * The anti-replay window of one inbound SA (RFC 4303 section 3.4.3): a ring of bit words that moves
 * whole words at a time (RFC 6479). Check first, verify the ICV, then mark; a packet may be marked
 * once. Works on 64-bit sequence numbers; replay_recover() finds the half that isn't sent.
 */
#ifndef CYGNET_ESP_REPLAY_H
#define CYGNET_ESP_REPLAY_H

#include "base/limits.h"
#include "base/view.h"

/* One word more than the window, because the newest is only partly used. */
enum { REPLAY_WORDS = LIMIT_REPLAY_WINDOW / 64 + 1 };

struct replay_window {
    uint64_t top; /* the highest sequence number marked; 0: none yet */
    uint64_t words[REPLAY_WORDS];
};

/*
 * The whole sequence number of a packet that carries its low half (RFC 4303 appendix A2.2). Zero if
 * it would lie before the first or behind the last one there is; without ESN, the low half itself.
 */
uint64_t replay_recover(const struct replay_window *window, uint32_t low, bool esn);
/* False: zero, too old, or seen before. */
bool replay_check(const struct replay_window *window, uint64_t sequence);
/* After the packet was found authentic. False: no longer acceptable; the window is as it was. */
MUST_USE bool replay_mark(struct replay_window *window, uint64_t sequence);

#endif
