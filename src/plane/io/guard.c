#include "plane/io/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "plane/io/routing.h"

#define TABLE "cygnet-links"

static void put_attached(FILE *out, const struct outside *outside, const uint32_t *attached)
{
    bool any = false;

    for (size_t i = 0; i < outside->count; i++) {
        if (attached[i] == 0)
            continue;
        fprintf(out, "%s%u", any ? ", " : "    meta oif { ", attached[i]);
        any = true;
    }
    if (any)
        fprintf(out, " } return\n");
}

static void put_rules(FILE *out, const struct outside *outside, const uint32_t *attached,
                      uint32_t mark)
{
    fprintf(out,
            "table inet " TABLE "\ndelete table inet " TABLE "\n"
            "table inet " TABLE " {\n"
            "  chain outside {\n"
            "    meta mark 0x%x return\n",
            mark);
    put_attached(out, outside, attached);
    fprintf(out, "    ip daddr { 224.0.0.0/4, 169.254.0.0/16, 255.255.255.255 } return\n"
                 "    ip6 daddr { ff00::/8, fe80::/10 } return\n"
                 "    counter drop\n"
                 "  }\n"
                 "  chain out {\n"
                 "    type filter hook postrouting priority 300; policy accept;\n"
                 "    oifname {");
    for (size_t i = 0; i < outside->count; i++)
        fprintf(out, "%s \"%s\"", i > 0 ? "," : "", outside->names[i]);
    fprintf(out, " } jump outside\n  }\n}\n");
}

bool io_guard_set(const struct outside *outside, const uint32_t *attached, uint32_t mark,
                  struct io_fault *fault)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        return io_fault_set(fault, errno, "rules for nft");
    put_rules(out, outside, attached, mark);
    bool ok = fclose(out) == 0 ? io_nft_load(text, len, fault)
                               : io_fault_set(fault, errno, "rules for nft");
    free(text);
    return ok;
}

void io_guard_remove(void)
{
    io_nft_delete_table("inet", TABLE);
}
