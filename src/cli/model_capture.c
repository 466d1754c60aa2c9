/*
 * A capture, dissected by tshark. One run evaluates all display filters: a small Lua script puts a
 * listener behind each of them, and prints a line for each packet that comes through.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/model_seen.h"
#include "cli/program.h"

/* Arguments: the key field or "", then the filters. What ICMP quotes of a packet is no packet. */
static const char script[] =
    "local arguments = {...}\n"
    "local key\n"
    "local function fail(what, index, why)\n"
    "  io.stderr:write(string.format('model: %s %d %s\\n', what, index, (tostring(why):gsub('\\n', "
    "' '))))\n"
    "  os.exit(3)\n"
    "end\n"
    "if arguments[1] ~= '' then\n"
    "  local good, field = pcall(Field.new, arguments[1])\n"
    "  if not good then fail('key', 0, field) end\n"
    "  key = field\n"
    "end\n"
    "local function listen(index, filter)\n"
    "  local good, listener = pcall(Listener.new, 'frame', '(' .. filter .. ') && !icmp && "
    "!icmpv6')\n"
    "  if not good then fail('filter', index, listener) end\n"
    "  function listener.packet(info)\n"
    "    local value = key and key()\n"
    "    print(string.format('%d\\t%d\\t%.6f\\t%s\\t%d\\t%s\\t%d\\t%s', index, info.number, "
    "info.abs_ts,\n"
    "      tostring(info.src), info.src_port, tostring(info.dst), info.dst_port,\n"
    "      value and tostring(value.value) or ''))\n"
    "  end\n"
    "end\n"
    "for i = 2, #arguments do listen(i - 2, arguments[i]) end\n";

enum { PIECES = 8 };

/* tshark's arguments, and what they are made of. */
struct command {
    const char *arguments[PROGRAM_ARGUMENTS_MAX + 1];
    size_t count;
    size_t messages[MODEL_MESSAGES_MAX]; /* by number of the filter */
    size_t filter_count;
};

static void add(struct command *c, const char *argument)
{
    c->arguments[c->count++] = argument;
}

/* "-X" takes it as "lua_script1:...". */
static bool add_for_script(struct command *c, struct seen *seen, const char *text)
{
    size_t room = strlen(text) + sizeof("lua_script1:");
    char *argument = arena_alloc(&seen->arena, room);
    if (argument == NULL)
        return false;
    snprintf(argument, room, "lua_script1:%s", text);
    add(c, "-X");
    add(c, argument);
    return true;
}

static bool build_command(struct command *c, struct seen *seen, const struct model *model,
                          const char *path, const char *script_path, const char *const *options)
{
    add(c, "tshark");
    add(c, "-n");
    add(c, "-q");
    add(c, "-r");
    add(c, path);
    add(c, "-X");
    add(c, script_path);
    for (; *options != NULL; options++) {
        add(c, "-o");
        add(c, *options);
    }
    if (!add_for_script(c, seen, model->key != NULL ? model->key : ""))
        return false;
    for (size_t i = 0; i < model->message_count; i++) {
        if (model->messages[i].filter == NULL)
            continue;
        c->messages[c->filter_count++] = i;
        match_set_add(&seen->input.visible, i);
        if (!add_for_script(c, seen, model->messages[i].filter))
            return false;
    }
    return true;
}

static const char *keep(struct seen *seen, const char *text)
{
    size_t len = strlen(text) + 1;
    char *kept = arena_alloc(&seen->arena, len);
    return kept != NULL ? memcpy(kept, text, len) : "";
}

/* One line of the script's. */
static bool take_line(struct seen *seen, const struct command *c, char *line)
{
    char *pieces[PIECES], *rest = line;
    size_t count = 0;
    while (count < PIECES && rest != NULL)
        pieces[count++] = strsep(&rest, "\t");
    if (count < PIECES)
        return true; /* something else that tshark says */
    size_t filter = strtoul(pieces[0], NULL, 10);
    uint64_t number = strtoull(pieces[1], NULL, 10);
    if (filter >= c->filter_count)
        return true;
    bool first = seen->count == 0 || seen->packets[seen->count - 1].number != number;
    struct match_packet *packet = seen_packet(seen, number);
    if (packet == NULL)
        return false;
    match_set_add(&packet->messages, c->messages[filter]);
    if (!first)
        return true;
    packet->at_us = (int64_t)(strtod(pieces[2], NULL) * 1e6);
    packet->from =
        (struct match_end){keep(seen, pieces[3]), (unsigned)strtoul(pieces[4], NULL, 10)};
    packet->to = (struct match_end){keep(seen, pieces[5]), (unsigned)strtoul(pieces[6], NULL, 10)};
    packet->key = keep(seen, pieces[7]);
    return true;
}

/* The last line that tshark wrote to its standard error is the reason. */
static const char *last_words(char *errors)
{
    size_t len = strlen(errors);
    while (len > 0 && errors[len - 1] == '\n')
        errors[--len] = '\0';
    char *line = strrchr(errors, '\n');
    return line != NULL ? line + 1 : errors;
}

/* What is wrong with a filter is said at its message in the model. */
static void explain(const struct model *model, const char *model_path, const struct command *c,
                    const char *path, struct program_result *result)
{
    const char *at = strstr(result->errors, "model: ");
    char what[8] = "";
    unsigned index = 0;
    int used = 0;

    if (at == NULL || sscanf(at, "model: %7s %u %n", what, &index, &used) < 2 || used == 0) {
        cli_fail("%s: %s", path, last_words(result->errors));
        return;
    }
    const char *why = at + used;
    int len = (int)strcspn(why, "\n");
    if (strcmp(what, "key") == 0) {
        cli_fail("%s: key \"%s\": %.*s", model_path, model->key, len, why);
        return;
    }
    if (index >= c->filter_count)
        return;
    const struct model_message *m = &model->messages[c->messages[index]];
    fprintf(stderr, "%s:%u:%u: the filter of message '%s': %.*s\n", model_path, m->place.line,
            m->place.column, m->id, len, why);
}

static bool take_lines(struct seen *seen, const struct command *c, char *text)
{
    char *line;
    while ((line = strsep(&text, "\n")) != NULL)
        if (!take_line(seen, c, line))
            return false;
    return true;
}

/* "lua_script:/tmp/..." in ret, whose file the caller removes; its name stands behind the colon. */
static bool write_script(char *ret, size_t room)
{
    const char *directory = getenv("TMPDIR");
    snprintf(ret, room, "lua_script:%s/cygnet-XXXXXX", directory != NULL ? directory : "/tmp");
    char *name = strchr(ret, ':') + 1;
    int fd = mkstemp(name);
    bool ok = fd >= 0 && write(fd, script, sizeof(script) - 1) == (ssize_t)(sizeof(script) - 1);
    if (!ok)
        cli_fail("%s: %s", name, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (!ok && fd >= 0)
        unlink(name);
    return ok;
}

static bool dissect(struct seen *seen, const struct model *model, const char *model_path,
                    const char *path, const struct command *c)
{
    struct program_result result;
    bool ok =
        program_run(c->arguments, NULL, "it comes with Wireshark (Debian package tshark)", &result);
    if (ok && result.status != 0) {
        explain(model, model_path, c, path, &result);
        ok = false;
    }
    ok = ok && take_lines(seen, c, result.output);
    program_result_fini(&result);
    return ok;
}

bool seen_capture(struct seen *seen, const struct model *model, const char *model_path,
                  const char *path, const char *const *options)
{
    char script_path[512];
    struct command *c = calloc(1, sizeof(*c));
    bool ok = c != NULL && write_script(script_path, sizeof(script_path));

    seen->input.two_sides = true;
    if (ok) {
        ok = build_command(c, seen, model, path, script_path, options);
        if (ok && c->filter_count == 0) {
            cli_fail("%s: no message has a filter; give one to each that a capture shows",
                     model_path);
            ok = false;
        }
        ok = ok && dissect(seen, model, model_path, path, c);
        unlink(strchr(script_path, ':') + 1);
    }
    free(c);
    seen->input.packets = seen->packets;
    seen->input.packet_count = seen->count;
    return ok;
}
