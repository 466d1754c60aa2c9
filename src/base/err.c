#include "base/err.h"

static const struct {
    enum err_class class;
    const char *name;
    const char *text;
} err_table[ERR_COUNT] = {
#define ERR_ROW(name, class, text) [ERR_##name] = {ERR_CLASS_##class, #name, text},
    ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

enum err_class err_class(enum err err)
{
    return (unsigned)err < ERR_COUNT ? err_table[err].class : ERR_CLASS_BUG;
}

const char *err_text(enum err err)
{
    return (unsigned)err < ERR_COUNT ? err_table[err].text : "unknown error";
}

const char *err_name(enum err err)
{
    return (unsigned)err < ERR_COUNT ? err_table[err].name : "UNKNOWN";
}
