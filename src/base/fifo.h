/*
 * A growing queue of equal-sized elements, copied in and out: what engines keep their effects in.
 * The queue owns its array, not what its elements point to.
 */
#ifndef CYGNET_BASE_FIFO_H
#define CYGNET_BASE_FIFO_H

#include "base/view.h"

struct fifo {
    uint8_t *slots;
    size_t slot_len;
    size_t room;
    size_t first;
    size_t count;
};

void fifo_init(struct fifo *fifo, size_t slot_len);
void fifo_fini(struct fifo *fifo);
/* False: out of memory. */
MUST_USE bool fifo_push(struct fifo *fifo, const void *element);
/* False: empty. */
bool fifo_peek(const struct fifo *fifo, void *ret_element);
bool fifo_pop(struct fifo *fifo, void *ret_element);

#endif
