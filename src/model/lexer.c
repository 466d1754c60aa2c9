#include "model/lexer.h"

#include "base/text.h"

bool lexer_fail(struct lexer *lexer, struct model_place place, const char *remedy,
                const char *format, ...)
{
    va_list args;
    if (lexer->failed)
        return false;
    lexer->failed = true;
    lexer->token.kind = TOKEN_BAD;
    *lexer->error = (struct model_error){.place = place};
    va_start(args, format);
    vsnprintf(lexer->error->what, sizeof(lexer->error->what), format, args);
    va_end(args);
    TEXT_SET(lexer->error->remedy, "%s", remedy);
    return false;
}

bool lexer_no_memory(struct lexer *lexer)
{
    return lexer_fail(lexer, (struct model_place){0}, "", "out of memory");
}

static char here(const struct lexer *lexer)
{
    return lexer->at < lexer->len ? lexer->chars[lexer->at] : '\0';
}

static void step(struct lexer *lexer)
{
    if (here(lexer) == '\n') {
        lexer->place.line++;
        lexer->place.column = 0;
    }
    lexer->place.column++;
    lexer->at++;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

static void skip_blanks(struct lexer *lexer)
{
    while (lexer->at < lexer->len && (is_blank(here(lexer)) || here(lexer) == '#')) {
        bool comment = here(lexer) == '#';
        while (comment && lexer->at < lexer->len && here(lexer) != '\n')
            step(lexer);
        if (lexer->at < lexer->len)
            step(lexer);
    }
}

static void read_word(struct lexer *lexer)
{
    size_t start = lexer->at;
    while (is_word(here(lexer)))
        step(lexer);
    lexer->token.kind = TOKEN_WORD;
    lexer->token.word = (struct view){(const uint8_t *)lexer->chars + start, lexer->at - start};
    if (lexer->token.word.len > MODEL_ID_MAX)
        lexer_fail(lexer, lexer->token.place, "an id has up to 32 letters, digits and '_'",
                   "this word is too long");
}

/* What is written of a text so far. */
struct setting {
    char *out;
    size_t len;
    unsigned line_ends; /* in the blanks just passed */
    bool blanks;
};

static void set_char(struct setting *set, char c)
{
    if (set->blanks && set->len > 0)
        set->out[set->len++] = set->line_ends > 1 ? '\n' : ' ';
    set->blanks = false;
    set->line_ends = 0;
    set->out[set->len++] = c;
}

static bool set_one(struct lexer *lexer, struct setting *set)
{
    char c = here(lexer);
    if (is_blank(c)) {
        set->blanks = true;
        set->line_ends += c == '\n';
        step(lexer);
        return true;
    }
    if (c < ' ' || c > '~')
        return lexer_fail(lexer, lexer->place, "write it in plain letters, digits and signs",
                          "a text holds 7-bit characters only");
    if (c == '\\') {
        step(lexer);
        c = here(lexer);
        if (c != '"' && c != '\\')
            return lexer_fail(lexer, lexer->place, "write \\\\ for a backslash",
                              "a backslash stands before '\"' or another backslash only");
    }
    set_char(set, c);
    step(lexer);
    return true;
}

static size_t text_room(const struct lexer *lexer)
{
    size_t at = lexer->at;
    while (at < lexer->len && lexer->chars[at] != '"')
        at += lexer->chars[at] == '\\' ? 2 : 1;
    return at - lexer->at + 2;
}

static void read_text(struct lexer *lexer)
{
    struct setting set = {0};
    step(lexer);
    set.out = arena_alloc(lexer->arena, text_room(lexer));
    if (set.out == NULL) {
        lexer_no_memory(lexer);
        return;
    }
    while (lexer->at < lexer->len && here(lexer) != '"')
        if (!set_one(lexer, &set))
            return;
    if (lexer->at >= lexer->len) {
        lexer_fail(lexer, lexer->token.place, "end it with '\"'", "this text has no end");
        return;
    }
    step(lexer);
    set.out[set.len] = '\0';
    lexer->token.kind = TOKEN_TEXT;
    lexer->token.text = set.out;
}

static void read_sign(struct lexer *lexer)
{
    static const struct {
        const char *sign;
        enum token_kind kind;
    } signs[] = {{"<->", TOKEN_BOTH}, {"->", TOKEN_ARROW}, {"-", TOKEN_MINUS}, {"{", TOKEN_OPEN},
                 {"}", TOKEN_CLOSE},  {",", TOKEN_COMMA},  {":", TOKEN_COLON}, {".", TOKEN_DOT}};

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        size_t len = strlen(signs[i].sign);
        if (lexer->len - lexer->at < len ||
            memcmp(lexer->chars + lexer->at, signs[i].sign, len) != 0)
            continue;
        lexer->token.kind = signs[i].kind;
        while (len-- > 0)
            step(lexer);
        return;
    }
    char c = here(lexer);
    if (c > ' ' && c <= '~')
        lexer_fail(lexer, lexer->place, "docs/models/language.md has the grammar",
                   "'%c' means nothing here", c);
    else
        lexer_fail(lexer, lexer->place, "a model is a file of 7-bit characters",
                   "octet 0x%02x means nothing here", (unsigned char)c);
}

void lexer_next(struct lexer *lexer)
{
    if (lexer->failed)
        return;
    skip_blanks(lexer);
    lexer->token = (struct token){.place = lexer->place};
    if (lexer->at >= lexer->len)
        lexer->token.kind = TOKEN_END;
    else if (here(lexer) == '"')
        read_text(lexer);
    else if (is_letter(here(lexer)))
        read_word(lexer);
    else
        read_sign(lexer);
}

void lexer_init(struct lexer *lexer, const char *chars, size_t len, struct arena *arena,
                struct model_error *error)
{
    *lexer =
        (struct lexer){.chars = chars, .len = len, .place = {1, 1}, .arena = arena, .error = error};
    *error = (struct model_error){0};
    lexer_next(lexer);
}

bool token_is(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && token->word.len == strlen(word) &&
           memcmp(token->word.ptr, word, token->word.len) == 0;
}
