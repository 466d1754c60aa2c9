#include "base/secret.h"

bool secret_equal(struct view a, struct view b)
{
    if (a.len != b.len)
        return false;
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < a.len; i++)
        difference |= a.ptr[i] ^ b.ptr[i];
    return difference == 0;
}
