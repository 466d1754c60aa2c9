#include "daemon/keyd_summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Can this follow an address without being part of it? */
static bool ends_address(char c)
{
    return c == '\0' || strchr("0123456789abcdef", c) == NULL;
}

/* A full stop or a colon may end a phrase, unless the address goes on behind it. */
static bool address_ends_at(const char *text)
{
    if (*text == '.' || *text == ':')
        return ends_address(text[1]) && text[1] != ':';
    return ends_address(*text);
}

static void hide_address(char *reason, const struct ip_addr *addr)
{
    char text[IP_ADDR_TEXT_MAX];
    size_t len = strlen(ip_addr_format(addr, text));
    char *at = reason;

    while ((at = strstr(at, text)) != NULL) {
        if (address_ends_at(at + len)) {
            *at = '*';
            memmove(at + 1, at + len, strlen(at + len) + 1);
        }
        at++;
    }
}

void summary_add(json_t *counts, const struct oe_instance_info *info)
{
    char reason[LIMIT_REASON], key[LIMIT_REASON + 16];

    TEXT_SET(reason, "%s", info->reason);
    hide_address(reason, &info->flow.dst);
    hide_address(reason, &info->flow.src);
    TEXT_SET(key, "%s %s", oe_verdict_name(info->verdict), reason);
    json_t *count = json_object_get(counts, key);
    if (count == NULL && json_object_size(counts) >= SUMMARY_REASONS) {
        TEXT_SET(key, "%s for another reason", oe_verdict_name(info->verdict));
        count = json_object_get(counts, key);
    }
    if (count == NULL)
        json_object_set_new(counts, key, json_integer(1));
    else
        json_integer_set(count, json_integer_value(count) + 1);
}

static int larger_first(const void *a, const void *b)
{
    json_int_t left = json_integer_value(json_object_get(*(json_t *const *)a, "count"));
    json_int_t right = json_integer_value(json_object_get(*(json_t *const *)b, "count"));
    return (left < right) - (left > right);
}

json_t *summary_json(const json_t *counts)
{
    json_t *lines[SUMMARY_REASONS + 4], *list = json_array(), *value;
    size_t count = 0;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)counts, key, value)
    {
        int verdict = (int)strcspn(key, " ");
        if (count < sizeof(lines) / sizeof(lines[0]))
            lines[count++] = json_pack("{s:s%,s:s,s:i}", "verdict", key, (size_t)verdict, "reason",
                                       key + verdict + 1, "count", (int)json_integer_value(value));
    }
    qsort(lines, count, sizeof(lines[0]), larger_first);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, lines[i]);
    return list;
}
