/*
 * Runs a fuzzer over every file of the directories given, as an ordinary test: TAP on standard
 * output, one line a file, named before it runs so that a crash shows which one it was. Each input
 * is in a block of exactly its size, so that a sanitizer sees a read past its end.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_ROOM = 4096 };

static unsigned replayed;

static bool file_len(FILE *file, size_t *ret)
{
    long len = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    rewind(file);
    if (len < 0)
        return false;
    *ret = (size_t)len;
    return true;
}

static bool replay_file(const char *path)
{
    size_t len = 0;
    bool ok = false;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    uint8_t *data = file_len(file, &len) ? malloc(len ? len : 1) : NULL;
    if (data != NULL && fread(data, 1, len, file) == len)
        ok = LLVMFuzzerTestOneInput(data, len) == 0;
    free(data);
    fclose(file);
    return ok;
}

static bool replay_directory(const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);
    bool ok = count >= 0;
    for (int i = 0; i < count; i++) {
        char file[PATH_ROOM];
        snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.') {
            printf("# %s\n", names[i]->d_name);
            fflush(stdout);
            bool good = replay_file(file);
            printf("%s %u - %s\n", good ? "ok" : "not ok", ++replayed, names[i]->d_name);
            ok = ok && good;
        }
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return ok;
}

int main(int argc, char **argv)
{
    bool ok = argc > 1;
    for (int i = 1; i < argc; i++)
        ok = replay_directory(argv[i]) && ok;
    printf("1..%u\n", replayed);
    return ok && replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
