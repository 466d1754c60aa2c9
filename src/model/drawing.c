#include "model/drawing.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void drawing_fini(struct drawing *drawing)
{
    free(drawing->text);
    *drawing = (struct drawing){0};
}

static bool reserve(struct drawing *out, size_t len)
{
    size_t need = out->len + len + 1, room = out->room ? out->room : 1024;
    while (room < need)
        room *= 2;
    char *text = !out->bad && room != out->room ? realloc(out->text, room) : out->text;
    if (out->bad || text == NULL) {
        out->bad = true;
        return false;
    }
    out->text = text;
    out->room = room;
    return true;
}

void drawing_add(struct drawing *out, const char *chars, size_t len)
{
    if (!reserve(out, len))
        return;
    for (size_t i = 0; i < len; i++)
        out->text[out->len++] = chars[i] >= ' ' && chars[i] <= '~' ? chars[i] : '?';
    out->text[out->len] = '\0';
}

void drawing_fill(struct drawing *out, size_t blanks)
{
    while (blanks-- > 0)
        drawing_add(out, " ", 1);
}

void drawing_end_line(struct drawing *out)
{
    drawing_add(out, " ", 1);
    if (!out->bad)
        out->text[out->len - 1] = '\n';
}

void drawing_line(struct drawing *out, const char *text)
{
    drawing_add(out, text, strlen(text));
    drawing_end_line(out);
}

size_t drawing_break(const char *text, size_t room, size_t *ret_skip)
{
    size_t len = strcspn(text, "\n");
    *ret_skip = len + (text[len] == '\n');
    if (len <= room)
        return len;
    size_t cut = room;
    while (cut > 0 && text[cut] != ' ')
        cut--;
    if (cut == 0)
        cut = room;
    *ret_skip = cut + (text[cut] == ' ');
    return cut;
}

size_t drawing_lines(const char *text, size_t room, size_t *ret_longest)
{
    size_t lines = 0, longest = 0;
    while (*text != '\0') {
        size_t skip, len = drawing_break(text, room, &skip);
        longest = len > longest ? len : longest;
        text += skip;
        lines++;
    }
    *ret_longest = longest;
    return lines;
}

void drawing_wrapped(struct drawing *out, const char *text, size_t indent)
{
    bool first = true;
    do {
        size_t skip, len = drawing_break(text, DRAWING_WIDTH - indent, &skip);
        if (!first)
            drawing_fill(out, indent);
        drawing_add(out, text, len);
        drawing_end_line(out);
        text += skip;
        first = false;
    } while (*text != '\0');
}

void drawing_prose(struct drawing *out, const char *text, size_t indent)
{
    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, "\n");
        for (size_t at = 0; at < len;) {
            size_t skip, line = drawing_break(text + at, DRAWING_WIDTH - indent, &skip);
            drawing_fill(out, indent);
            drawing_add(out, text + at, line);
            drawing_end_line(out);
            at += skip;
        }
        text += len + (text[len] == '\n');
        if (*text != '\0')
            drawing_end_line(out);
    }
}

void drawing_markup(struct drawing *out, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len >= 0 && reserve(out, (size_t)len)) {
        vsnprintf(out->text + out->len, (size_t)len + 1, format, again);
        out->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
}

void drawing_escaped(struct drawing *out, const char *chars, size_t len)
{
    static const struct {
        char sign;
        const char *name;
    } names[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};

    for (size_t i = 0; i < len; i++) {
        const char *name = NULL;
        for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
            if (chars[i] == names[n].sign)
                name = names[n].name;
        if (name != NULL)
            drawing_add(out, name, strlen(name));
        else
            drawing_add(out, chars + i, 1);
    }
}
