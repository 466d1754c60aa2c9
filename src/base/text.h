/*
 * Text for people, cut off where it does not fit: reasons, titles and details of event records. Not
 * for anything a machine reads back.
 */
#ifndef CYGNET_BASE_TEXT_H
#define CYGNET_BASE_TEXT_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Replaces what is in `text`, an array of `room` octets. */
__attribute__((format(printf, 3, 4))) static inline void text_set(char *text, size_t room,
                                                                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(text, room, format, args);
    va_end(args);
}

/* Appends to the text that is there. */
__attribute__((format(printf, 3, 4))) static inline void text_add(char *text, size_t room,
                                                                  const char *format, ...)
{
    va_list args;
    size_t len = strlen(text);
    va_start(args, format);
    vsnprintf(text + len, room - len, format, args);
    va_end(args);
}

#define TEXT_SET(array, ...) text_set((array), sizeof(array), __VA_ARGS__)
#define TEXT_ADD(array, ...) text_add((array), sizeof(array), __VA_ARGS__)

#endif
