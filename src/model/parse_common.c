#include "model/parse.h"

#include <stdio.h>

static const char *const words[] = {
    "across",    "arrow",    "association", "boxes", "carries", "case",    "choice",  "component",
    "continues", "features", "filter",      "final", "initial", "label",   "ladder",  "line",
    "local",     "machine",  "message",     "model", "note",    "nothing", "of",      "on",
    "optional",  "overview", "parties",     "party", "phase",   "problem", "receive", "repeat",
    "row",       "section",  "send",        "state", "text",    "timer",   "trust",   "under",
};

bool parse_add(struct parser *p, const struct parse_list *list, void *items, size_t *count,
               const void *item, struct model_place place)
{
    if (*count == list->limit)
        return lexer_fail(&p->lex, place, "leave out detail: a model is an overview",
                          "more than %zu %s", list->limit, list->what);
    void *room = arena_push(&p->arena, items, count, list->item_size);
    if (room == NULL)
        return lexer_no_memory(&p->lex);
    memcpy(room, item, list->item_size);
    return true;
}

bool parse_is(const struct parser *p, const char *word)
{
    return token_is(&p->lex.token, word);
}

bool parse_take(struct parser *p, enum token_kind kind)
{
    if (p->lex.token.kind != kind)
        return false;
    lexer_next(&p->lex);
    return true;
}

bool parse_take_word(struct parser *p, const char *word)
{
    if (!parse_is(p, word))
        return false;
    lexer_next(&p->lex);
    return true;
}

bool parse_unexpected(struct parser *p, const char *what)
{
    const struct token *token = &p->lex.token;
    const char *remedy = "docs/models/language.md has the grammar";
    switch (token->kind) {
    case TOKEN_END:
        return lexer_fail(&p->lex, token->place, "is a '}' missing?",
                          "the file ends where %s is expected", what);
    case TOKEN_WORD:
        return lexer_fail(&p->lex, token->place, remedy, "'%.*s' where %s is expected",
                          (int)token->word.len, (const char *)token->word.ptr, what);
    case TOKEN_TEXT:
        return lexer_fail(&p->lex, token->place, remedy, "a text where %s is expected", what);
    default:
        return lexer_fail(&p->lex, token->place, remedy, "%s is expected here", what);
    }
}

bool parse_expect(struct parser *p, enum token_kind kind, const char *what)
{
    return parse_take(p, kind) || parse_unexpected(p, what);
}

bool parse_expect_word(struct parser *p, const char *word)
{
    char what[MODEL_ID_MAX + 4];
    snprintf(what, sizeof(what), "'%s'", word);
    return parse_take_word(p, word) || parse_unexpected(p, what);
}

static bool copy_word(struct parser *p, const char **ret)
{
    char *copy = arena_alloc(&p->arena, p->lex.token.word.len + 1);
    if (copy == NULL)
        return lexer_no_memory(&p->lex);
    memcpy(copy, p->lex.token.word.ptr, p->lex.token.word.len);
    *ret = copy;
    return true;
}

bool parse_new_id(struct parser *p, const char **ret)
{
    if (p->lex.token.kind != TOKEN_WORD)
        return parse_unexpected(p, "an id");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (parse_is(p, words[i]))
            return lexer_fail(&p->lex, p->lex.token.place, "choose another id",
                              "'%s' is a word of the language", words[i]);
    if (!copy_word(p, ret))
        return false;
    lexer_next(&p->lex);
    return true;
}

bool parse_text(struct parser *p, const char **ret)
{
    const struct token token = p->lex.token;
    if (!parse_expect(p, TOKEN_TEXT, "a text in double quotes"))
        return false;
    if (token.text[0] == '\0')
        return lexer_fail(&p->lex, token.place, "write something, or leave it out",
                          "an empty text");
    *ret = token.text;
    return true;
}

bool parse_name(struct parser *p, const char **ret)
{
    struct model_place place = p->lex.token.place;
    if (!parse_text(p, ret))
        return false;
    if (strlen(*ret) > MODEL_NAME_MAX)
        return lexer_fail(&p->lex, place, "shorten it, and say the rest in a text",
                          "a name of more than %d characters", MODEL_NAME_MAX);
    if (strchr(*ret, '\n') != NULL)
        return lexer_fail(&p->lex, place, "take out the empty line", "a name of two paragraphs");
    return true;
}

bool parse_text_clause(struct parser *p, const char **ret)
{
    struct model_place place = p->lex.token.place;
    if (!parse_take_word(p, "text"))
        return true;
    if (*ret != NULL)
        return lexer_fail(&p->lex, place, "an empty line in a text begins a paragraph",
                          "a second text for the same thing");
    return parse_text(p, ret);
}

static const char *id_at(const void *items, size_t index, size_t item_size)
{
    const char *id;
    memcpy(&id, (const unsigned char *)items + index * item_size, sizeof(id));
    return id;
}

size_t parse_find(const void *items, size_t count, size_t item_size, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(id_at(items, i, item_size), id) == 0)
            return i;
    return MODEL_NONE;
}

bool parse_reference(struct parser *p, const char *what, const void *items, size_t count,
                     size_t item_size, size_t *ret)
{
    char article[MODEL_ID_MAX + 16];
    const struct token *token = &p->lex.token;
    snprintf(article, sizeof(article), "the id of a %s", what);
    if (token->kind != TOKEN_WORD)
        return parse_unexpected(p, article);
    for (size_t i = 0; i < count; i++)
        if (token_is(token, id_at(items, i, item_size))) {
            *ret = i;
            lexer_next(&p->lex);
            return true;
        }
    return lexer_fail(&p->lex, token->place, "declare it above, or correct its id",
                      "no %s is called '%.*s'", what, (int)token->word.len,
                      (const char *)token->word.ptr);
}

bool parse_unused(struct parser *p, const char *what, const void *items, size_t count,
                  size_t item_size, const char *id, struct model_place place)
{
    if (parse_find(items, count, item_size, id) == MODEL_NONE)
        return true;
    return lexer_fail(&p->lex, place, "choose another id", "a second %s '%s'", what, id);
}

bool parse_party(struct parser *p, size_t *ret)
{
    return parse_reference(p, "party", p->model->parties, p->model->party_count,
                           sizeof(*p->model->parties), ret);
}

bool parse_message(struct parser *p, size_t *ret)
{
    return parse_reference(p, "message", p->model->messages, p->model->message_count,
                           sizeof(*p->model->messages), ret);
}
