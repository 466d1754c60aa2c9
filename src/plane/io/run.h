/*
 * Runs a program of the system, for the privileged parent.
 */
#ifndef CYGNET_PLANE_IO_RUN_H
#define CYGNET_PLANE_IO_RUN_H

#include "base/view.h"

/* argv ends with NULL. `input`: its standard input, and then what it says is seen; -1: none, and then
 * it isn't. Returns its exit status, or a negative errno. */
int io_run(const char *const *argv, int input);

#endif
