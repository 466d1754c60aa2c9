/*
 * The words of a model file. Texts are set anew (see model.h) into the arena; words point into the
 * file. A mistake ends the reading: the token is TOKEN_BAD from then on, and the error is filled
 * in.
 */
#ifndef CYGNET_MODEL_LEXER_H
#define CYGNET_MODEL_LEXER_H

#include "model/arena.h"
#include "model/model.h"

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_TEXT,
    TOKEN_OPEN,  /* { */
    TOKEN_CLOSE, /* } */
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_DOT,
    TOKEN_MINUS,
    TOKEN_ARROW, /* -> */
    TOKEN_BOTH,  /* <-> */
    TOKEN_BAD,
};

struct token {
    enum token_kind kind;
    struct model_place place;
    struct view word;
    const char *text;
};

struct lexer {
    const char *chars;
    size_t len, at;
    struct model_place place;
    struct arena *arena;
    struct model_error *error;
    struct token token; /* the one being looked at */
    bool failed;
};

void lexer_init(struct lexer *lexer, const char *chars, size_t len, struct arena *arena,
                struct model_error *error);
void lexer_next(struct lexer *lexer);

/* The first mistake is kept. Returns false. */
__attribute__((format(printf, 4, 5))) bool lexer_fail(struct lexer *lexer, struct model_place place,
                                                      const char *remedy, const char *format, ...);
/* Returns false, too. */
bool lexer_no_memory(struct lexer *lexer);

bool token_is(const struct token *token, const char *word);

#endif
