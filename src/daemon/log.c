#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *log_role;
static enum event_level log_lowest = EVENT_INFO;

void log_open(const char *role)
{
    log_role = role;
}

void log_threshold(enum event_level level)
{
    log_lowest = level;
}

/* One write for the whole line: several processes share the descriptor. */
void log_line(enum event_level level, const char *format, ...)
{
    static const int severity[] = {
        [EVENT_DEBUG] = 7, [EVENT_INFO] = 6, [EVENT_WARNING] = 4, [EVENT_ERROR] = 3};
    char line[1024];
    size_t len = 0;

    if (level < log_lowest)
        return;
    if (getenv("JOURNAL_STREAM") != NULL)
        len += (size_t)snprintf(line, sizeof(line), "<%d>", severity[level]);
    if (log_role != NULL)
        len += (size_t)snprintf(line + len, sizeof(line) - len, "cygnetd[%s]: ", log_role);
    else
        len += (size_t)snprintf(line + len, sizeof(line) - len, "cygnetd: ");

    va_list args;
    va_start(args, format);
    int more = vsnprintf(line + len, sizeof(line) - len, format, args);
    va_end(args);
    if (more > 0)
        len += (size_t)more;
    if (len > sizeof(line) - 1)
        len = sizeof(line) - 1;
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return;
}
