/* A line's words, and what they may mean. */
#include "scenario.h"

#include <ctype.h>
#include <stdlib.h>

bool words_split(struct scenario *s, char *line, struct words *ret)
{
    *ret = (struct words){.count = 0};
    for (char *p = line; *p != '\0';) {
        if (isspace((unsigned char)*p)) {
            p++;
            continue;
        }
        if (*p == '#')
            break;
        if (ret->count == WORDS_MAX)
            return scenario_fail(s, "more than %d words", WORDS_MAX);
        bool quoted = *p == '"';
        ret->at[ret->count++] = quoted ? ++p : p;
        while (*p != '\0' && (quoted ? *p != '"' : !isspace((unsigned char)*p)))
            p++;
        if (*p == '\0' && quoted)
            return scenario_fail(s, "a quote is not closed");
        if (*p != '\0')
            *p++ = '\0';
    }
    return true;
}

const char *words_peek(const struct words *w)
{
    return w->next < w->count ? w->at[w->next] : NULL;
}

bool words_accept(struct words *w, const char *word)
{
    const char *next = words_peek(w);
    if (next == NULL || strcmp(next, word) != 0)
        return false;
    w->next++;
    return true;
}

bool words_text(struct scenario *s, struct words *w, const char *what, const char **ret)
{
    if (words_peek(w) == NULL) {
        scenario_fail(s, "%s is missing", what);
        return false;
    }
    *ret = w->at[w->next++];
    return true;
}

bool words_end(struct scenario *s, const struct words *w)
{
    return words_peek(w) == NULL || scenario_fail(s, "'%s' is too much", words_peek(w));
}

bool words_number(struct scenario *s, struct words *w, uint64_t *ret)
{
    const char *text;
    char *end;

    if (!words_text(s, w, "a number", &text))
        return false;
    *ret = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0')
        return scenario_fail(s, "'%s' is not a number", text);
    return true;
}

static int64_t unit_us(const char *unit)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(unit, units[i].name) == 0)
            return units[i].us;
    return 0;
}

/* "1.25s" is read digit by digit, so that it is exact. */
bool words_time(struct scenario *s, struct words *w, int64_t *ret_us)
{
    const char *text, *p;
    int64_t whole = 0, part = 0, scale = 1;

    if (!words_text(s, w, "a time", &text))
        return false;
    for (p = text; isdigit((unsigned char)*p) && whole < 1000000; p++)
        whole = 10 * whole + (*p - '0');
    bool digits = p != text;
    if (*p == '.')
        for (p++; isdigit((unsigned char)*p) && scale < 1000000; p++, scale *= 10)
            part = 10 * part + (*p - '0');
    int64_t us = unit_us(p);
    if (!digits || us == 0)
        return scenario_fail(s, "'%s' is not a time such as 0.5s, 20ms, 3m or 1h", text);
    *ret_us = whole * us + part * us / scale;
    return true;
}

bool words_addr(struct scenario *s, struct words *w, struct ip_addr *ret)
{
    const char *text;
    if (!words_text(s, w, "an address", &text))
        return false;
    return ip_addr_parse(text, ret) || scenario_fail(s, "'%s' is not an address", text);
}

bool words_prefix(struct scenario *s, struct words *w, struct ip_prefix *ret)
{
    const char *text;
    if (!words_text(s, w, "a prefix", &text))
        return false;
    return ip_prefix_parse(text, ret) || scenario_fail(s, "'%s' is not a prefix", text);
}

struct scenario_gateway *find_gateway(struct scenario *s, const char *name)
{
    for (size_t i = 0; i < s->world.gateway_count; i++)
        if (strcmp(s->gateways[i].name, name) == 0)
            return &s->gateways[i];
    return NULL;
}

struct scenario_host *find_host(struct scenario *s, const char *name)
{
    for (size_t i = 0; i < s->host_count; i++)
        if (strcmp(s->hosts[i].name, name) == 0)
            return &s->hosts[i];
    return NULL;
}

bool words_gateway(struct scenario *s, struct words *w, struct scenario_gateway **ret)
{
    const char *name;
    if (!words_text(s, w, "a gateway", &name))
        return false;
    *ret = find_gateway(s, name);
    return *ret != NULL || scenario_fail(s, "no gateway '%s'", name);
}

bool words_host(struct scenario *s, struct words *w, struct scenario_host **ret)
{
    const char *name;
    if (!words_text(s, w, "a host", &name))
        return false;
    *ret = find_host(s, name);
    return *ret != NULL || scenario_fail(s, "no host '%s'", name);
}

bool words_flow(struct scenario *s, struct words *w, struct ip_pair *ret)
{
    struct scenario_host *src, *dst;
    if (!words_host(s, w, &src) || !words_host(s, w, &dst))
        return false;
    *ret = (struct ip_pair){.src = src->host->addr, .dst = dst->host->addr};
    return true;
}

bool words_choice(struct scenario *s, struct words *w, const char *what, const char *const *list,
                  size_t *ret)
{
    const char *text;
    if (!words_text(s, w, what, &text))
        return false;
    for (*ret = 0; list[*ret] != NULL; (*ret)++)
        if (strcmp(list[*ret], text) == 0)
            return true;
    return scenario_fail(s, "'%s' is not %s", text, what);
}
