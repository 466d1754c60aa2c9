/* Between render.c, which says what stands in a document, and those that write it. */
#ifndef CYGNET_MODEL_RENDER_PRIVATE_H
#define CYGNET_MODEL_RENDER_PRIVATE_H

#include "model/arena.h"
#include "model/render.h"

struct page_writer;

struct page {
    const struct model *model;
    const struct page_writer *to;
    struct drawing *out;
    struct arena arena;
    size_t chapter, section, figure; /* numbers of the newest */
};

/* Texts may be NULL: then there is nothing to write. */
struct page_writer {
    void (*begin)(struct page *p, const char *title);
    void (*heading)(struct page *p, size_t level, const char *number, const char *title);
    void (*prose)(struct page *p, const char *text);
    void (*figure)(struct page *p, const struct model_diagram *diagram);
    void (*list_begin)(struct page *p, const char *title);
    void (*list_item)(struct page *p, const char *term, const char *text);
    void (*list_more)(struct page *p, const char *text); /* of the item before */
    void (*list_end)(struct page *p);
    void (*end)(struct page *p);
};

extern const struct page_writer render_text_writer, render_html_writer;

#endif
