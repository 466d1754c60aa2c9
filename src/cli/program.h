/*
 * Another program, run to its end: its arguments go to it as they are, there is no shell. What it
 * wrote is kept; it reads nothing.
 */
#ifndef CYGNET_CLI_PROGRAM_H
#define CYGNET_CLI_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

enum { PROGRAM_ARGUMENTS_MAX = 640 };

struct program_result {
    char *output, *errors; /* end with a zero octet */
    size_t output_len, errors_len;
    int status; /* exit status; -1: a signal ended it */
};

/* Found in the PATH. `directory`: where it runs, NULL: here. False: it didn't run; said why on
 * standard error, with `remedy` if there is no such program. program_result_fini() in any case. */
bool program_run(const char *const *arguments, const char *directory, const char *remedy,
                 struct program_result *ret);
void program_result_fini(struct program_result *result);

#endif
