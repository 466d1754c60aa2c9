/* make_corpus DIRECTORY: writes each parser's seeds into DIRECTORY/PARSER/. */
#include "seeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct corpus {
    char directory[512];
    unsigned written;
};

static void put(void *ctx, const char *name, struct view bytes)
{
    struct corpus *corpus = ctx;
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s", corpus->directory, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes.ptr, 1, bytes.len, file) != bytes.len || fclose(file) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    corpus->written++;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*seeds)(const struct seed_sink *sink);
    } parsers[] = {
        {"addrmgmt", seeds_addrmgmt},
        {"control", seeds_control},
        {"dnsrec", seeds_dnsrec},
        {"ah", seeds_ah},
        {"esp", seeds_esp},
        {"ike", seeds_ike},
        {"ike_peers", seeds_ike_peers},
        {"ike2", seeds_ike2},
        {"ike_relay", seeds_ike_relay},
        {"ike_stream", seeds_ike_stream},
        {"ip", seeds_ip},
        {"isakmp", seeds_isakmp},
        {"l2tp", seeds_l2tp},
        {"pfkey", seeds_pfkey},
        {"rsip", seeds_rsip},
        {"rsip_l2tp", seeds_rsip_l2tp},
        {"saved", seeds_saved},
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
        struct corpus corpus = {0};
        const struct seed_sink sink = {.put = put, .ctx = &corpus};
        snprintf(corpus.directory, sizeof(corpus.directory), "%s/%s", argv[1], parsers[i].name);
        mkdir(corpus.directory, 0777);
        parsers[i].seeds(&sink);
        printf("%s: %u seeds\n", corpus.directory, corpus.written);
    }
    return EXIT_SUCCESS;
}
