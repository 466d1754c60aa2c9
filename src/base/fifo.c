#include "base/fifo.h"

#include <stdlib.h>

void fifo_init(struct fifo *fifo, size_t slot_len)
{
    *fifo = (struct fifo){.slot_len = slot_len};
}

void fifo_fini(struct fifo *fifo)
{
    free(fifo->slots);
    fifo_init(fifo, fifo->slot_len);
}

static uint8_t *slot(const struct fifo *fifo, size_t i)
{
    return fifo->slots + (fifo->first + i) % fifo->room * fifo->slot_len;
}

static bool fifo_grow(struct fifo *fifo)
{
    size_t room = fifo->room ? 2 * fifo->room : 8;
    uint8_t *slots = malloc(room * fifo->slot_len);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < fifo->count; i++)
        memcpy(slots + i * fifo->slot_len, slot(fifo, i), fifo->slot_len);
    free(fifo->slots);
    fifo->slots = slots;
    fifo->room = room;
    fifo->first = 0;
    return true;
}

bool fifo_push(struct fifo *fifo, const void *element)
{
    if (fifo->count == fifo->room && !fifo_grow(fifo))
        return false;
    memcpy(slot(fifo, fifo->count++), element, fifo->slot_len);
    return true;
}

bool fifo_peek(const struct fifo *fifo, void *ret_element)
{
    if (fifo->count == 0)
        return false;
    memcpy(ret_element, slot(fifo, 0), fifo->slot_len);
    return true;
}

bool fifo_pop(struct fifo *fifo, void *ret_element)
{
    if (!fifo_peek(fifo, ret_element))
        return false;
    fifo->first = (fifo->first + 1) % fifo->room;
    fifo->count--;
    return true;
}
