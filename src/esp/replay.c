#include "esp/replay.h"

uint64_t replay_recover(const struct replay_window *window, uint32_t low, bool esn)
{
    if (!esn)
        return low;
    uint32_t top_low = (uint32_t)window->top;
    uint64_t high = window->top >> 32;
    uint32_t bottom = top_low - (LIMIT_REPLAY_WINDOW - 1); /* modulo 2^32 */
    if (top_low >= LIMIT_REPLAY_WINDOW - 1) {
        /* Case A: the window lies within one subspace; what is below it belongs to the next. */
        if (low < bottom)
            high++;
    } else if (low >= bottom) {
        /* Case B: the window reaches back into the subspace before. */
        if (high == 0)
            return 0;
        high--;
    }
    return high > UINT32_MAX ? 0 : high << 32 | low;
}

bool replay_check(const struct replay_window *window, uint64_t sequence)
{
    if (sequence == 0)
        return false;
    if (sequence > window->top)
        return true;
    if (window->top - sequence >= LIMIT_REPLAY_WINDOW)
        return false;
    return (window->words[sequence / 64 % REPLAY_WORDS] >> sequence % 64 & 1) == 0;
}

static void replay_advance(struct replay_window *window, uint64_t sequence)
{
    uint64_t words = sequence / 64 - window->top / 64;
    if (words > REPLAY_WORDS)
        words = REPLAY_WORDS;
    for (uint64_t i = 0; i < words; i++)
        window->words[(sequence / 64 - i) % REPLAY_WORDS] = 0;
    window->top = sequence;
}

bool replay_mark(struct replay_window *window, uint64_t sequence)
{
    if (!replay_check(window, sequence))
        return false;
    if (sequence > window->top)
        replay_advance(window, sequence);
    window->words[sequence / 64 % REPLAY_WORDS] |= 1ull << sequence % 64;
    return true;
}
