#include "plane/io/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool io_fault_set(struct io_fault *fault, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(fault->text, sizeof(fault->text), format, args);
    va_end(args);
    fault->error = error;
    if (error != 0 && len >= 0 && (size_t)len < sizeof(fault->text))
        snprintf(fault->text + len, sizeof(fault->text) - (size_t)len, ": %s", strerror(error));
    return false;
}
