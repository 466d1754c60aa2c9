/*
 * Why something at start failed, as one line for people: what was tried, on what, and the system's
 * reason. Functions that need privilege fill one in and return false; the caller prints it.
 */
#ifndef CYGNET_PLANE_IO_FAULT_H
#define CYGNET_PLANE_IO_FAULT_H

#include <stdbool.h>

struct io_fault {
    char text[256];
    int error; /* errno value; 0: none */
};

/* Always false, so that a function may end in it. `error` is an errno value; 0: none is added. */
__attribute__((format(printf, 3, 4))) bool io_fault_set(struct io_fault *fault, int error,
                                                        const char *format, ...);

#endif
