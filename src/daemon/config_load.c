#include "daemon/config_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/policy_file.h"

/* One octet more than is allowed, so that too long a text is seen to be that. */
struct text {
    char *octets; /* CONFIG_TEXT_MAX + 1 of them */
    size_t len;
};

/* Appends what is in the file, as far as there is room. */
static bool append_file(struct text *text, int fd)
{
    size_t room = CONFIG_TEXT_MAX + 1;
    while (text->len < room) {
        ssize_t got = read(fd, text->octets + text->len, room - text->len);
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
        text->len += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool read_file(struct text *text, const char *path, char *ret_error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    bool ok = fd >= 0 && append_file(text, fd);

    if (!ok)
        snprintf(ret_error, CONFIG_ERROR_MAX, "can't read %s: %s%s", path, strerror(errno),
                 errno == ENOENT ? "; write one, 'outside: eth0' is enough" : "");
    if (fd >= 0)
        close(fd);
    return ok;
}

static void append(struct text *text, const char *octets, size_t len)
{
    size_t room = CONFIG_TEXT_MAX + 1 - text->len;
    if (len > room)
        len = room;
    memcpy(text->octets + text->len, octets, len);
    text->len += len;
}

/* A file that isn't there is no policy. */
static bool add_policy_file(struct text *text, const char *dir, const char *name, char *ret_error)
{
    char path[CONFIG_PATH_MAX + POLICY_FILE_NAME_MAX];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    append(text, "", 1);
    append(text, path, strlen(path) + 1);
    return read_file(text, path, ret_error);
}

static bool add_policy_files(struct text *text, const struct cygnet_config *config, char *ret_error)
{
    const char *name;
    struct stat st;

    if (stat(config->policy_files, &st) != 0 || !S_ISDIR(st.st_mode)) {
        snprintf(ret_error, CONFIG_ERROR_MAX, "no directory %s; make it, or correct 'policy-files'",
                 config->policy_files);
        return !config->policy_files_given;
    }
    for (size_t i = 0; (name = policy_file_name(i)) != NULL; i++)
        if (!add_policy_file(text, config->policy_files, name, ret_error))
            return false;
    return true;
}

static bool load(struct text *text, const char *path, struct cygnet_config *config, char *ret_error)
{
    if (!read_file(text, path, ret_error))
        return false;
    size_t own = text->len;
    if (memchr(text->octets, 0, own) != NULL) {
        snprintf(ret_error, CONFIG_ERROR_MAX, "%s:1:1: holds a zero octet; is it the right file?",
                 path);
        return false;
    }
    if (!config_parse(view_of(text->octets, own), path, config, ret_error) ||
        !add_policy_files(text, config, ret_error))
        return false;
    return text->len == own ||
           config_parse(view_of(text->octets, text->len), path, config, ret_error);
}

char *config_load(const char *path, struct cygnet_config *ret, size_t *ret_len, char *ret_error)
{
    struct text text = {.octets = malloc(CONFIG_TEXT_MAX + 1)};
    struct cygnet_config *config = malloc(sizeof(*config));

    if (text.octets == NULL || config == NULL)
        snprintf(ret_error, CONFIG_ERROR_MAX, "%s:1:1: out of memory", path);
    else if (load(&text, path, config, ret_error)) {
        *ret = *config;
        *ret_len = text.len;
        free(config);
        return text.octets;
    }
    free(text.octets);
    free(config);
    return NULL;
}
