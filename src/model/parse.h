/*
 * The parts of the parser, one file a kind of thing. Every function reads from the current token on
 * and leaves behind what it read; false: a mistake, and the lexer's error says which.
 */
#ifndef CYGNET_MODEL_PARSE_H
#define CYGNET_MODEL_PARSE_H

#include "model/lexer.h"

struct parser {
    struct lexer lex;
    struct arena arena;
    struct model *model;
    size_t depth, steps; /* of the ladder being read */
};

/* What may be put into a list, and how often. */
struct parse_list {
    const char *what; /* "parties" */
    size_t item_size, limit;
};

/* Appends a copy of *item to the list of which `items` is the address. */
bool parse_add(struct parser *p, const struct parse_list *list, void *items, size_t *count,
               const void *item, struct model_place place);

bool parse_is(const struct parser *p, const char *word);
/* Goes on if the token is this one. */
bool parse_take(struct parser *p, enum token_kind kind);
bool parse_take_word(struct parser *p, const char *word);
/* Complains unless it is. */
bool parse_expect(struct parser *p, enum token_kind kind, const char *what);
bool parse_expect_word(struct parser *p, const char *word);

/* Complains. */
bool parse_unexpected(struct parser *p, const char *what);

/* An id to declare: no word of the language. */
bool parse_new_id(struct parser *p, const char **ret);
bool parse_name(struct parser *p, const char **ret);
bool parse_text(struct parser *p, const char **ret);
/* "text" and a text, if it is there and none was before. */
bool parse_text_clause(struct parser *p, const char **ret);
/* An id that was declared in a list of structs that begin with their id. `what` is "party". */
bool parse_reference(struct parser *p, const char *what, const void *items, size_t count,
                     size_t item_size, size_t *ret);
/* MODEL_NONE: not in the list. */
size_t parse_find(const void *items, size_t count, size_t item_size, const char *id);
bool parse_party(struct parser *p, size_t *ret);
bool parse_message(struct parser *p, size_t *ret);
/* Complains if the id that was read at `place` is taken. */
bool parse_unused(struct parser *p, const char *what, const void *items, size_t count,
                  size_t item_size, const char *id, struct model_place place);

/* Behind the keyword, which kind says. */
bool parse_diagram(struct parser *p, enum model_diagram_kind kind, struct model_diagram *ret);
bool parse_boxes(struct parser *p, struct model_boxes *ret);
bool parse_ladder(struct parser *p, struct model_ladder *ret);
bool parse_machine(struct parser *p, struct model_machine *ret);

#endif
