/* What people ask of keyd over the control socket: one request, one answer in JSON. */
#include "daemon/event_json.h"
#include "daemon/keyd_private.h"

static bool addr_argument(const json_t *request, const char *name, struct ip_addr *ret)
{
    const char *text = json_string_value(json_object_get(request, name));
    return text != NULL && ip_addr_parse(text, ret);
}

static json_t *answer_why(struct keyd *k, const json_t *request)
{
    struct ip_pair flow = {0};

    if (!addr_argument(request, "destination", &flow.dst) ||
        (json_object_get(request, "source") != NULL &&
         !addr_argument(request, "source", &flow.src)))
        return json_pack("{s:s}", "error", "why needs an IP address as destination (and source)");
    return keyd_why_json(&k->status, keyd_now(), &flow);
}

static json_t *answer_trace(struct keyd *k, const json_t *request)
{
    uint64_t after = (uint64_t)json_integer_value(json_object_get(request, "after"));
    json_t *list = json_array();
    const struct event_record *record;

    while ((record = history_next(&k->history, after)) != NULL) {
        json_array_append_new(list, event_json_build(record));
        after = record->serial;
    }
    return json_pack("{s:o}", "records", list);
}

static json_t *answer_status(struct keyd *k, const json_t *request)
{
    const json_t *rows = json_object_get(request, "rows");
    json_int_t most = json_integer_value(rows);
    return keyd_status_json(&k->status, keyd_now(),
                            rows == NULL || most < 0 ? SIZE_MAX : (size_t)most);
}

/* {"cmd": "name", "name": N, "addresses": [...], "ttl_s": S}, from a resolver's hook. */
static json_t *answer_name(struct keyd *k, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    json_int_t ttl_s = json_integer_value(json_object_get(request, "ttl_s"));
    const json_t *item;
    json_int_t taken = 0;
    size_t i;

    if (name == NULL || ttl_s < 0 || ttl_s > UINT32_MAX)
        return json_pack("{s:s}", "error", "name needs a name, addresses and their time to live");
    json_array_foreach(json_object_get(request, "addresses"), i, item)
    {
        struct ip_addr address;
        if (json_is_string(item) && ip_addr_parse(json_string_value(item), &address))
            taken += keyd_take_name(k, name, &address, (uint32_t)ttl_s) == ERR_OK;
    }
    return json_pack("{s:I}", "taken", taken);
}

/* The parent does it. Its result is in the status once that counts more than `reloads`. */
static json_t *answer_reload(const struct keyd *k)
{
    struct child_message message = {.fd = -1};
    if (!child_send(k->child->parent_fd, &message, CHILD_RELOAD))
        return json_pack("{s:s}", "error", "the parent process can't be reached");
    return json_pack("{s:I}", "reloads", (json_int_t)k->status.reloads);
}

/* {"cmd": "up", "name": N}, or "down" */
static json_t *answer_command(struct keyd *k, const json_t *request, bool up)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    size_t tunnels = name != NULL ? control_command(k->control, keyd_now(), name, up) : 0;

    keyd_drain(k);
    if (tunnels == 0)
        return json_pack("{s:s}", "error", "no connection of that name is configured");
    return json_pack("{s:I}", "tunnels", (json_int_t)tunnels);
}

/* {"cmd": "move", "name": N, "local": ADDRESS, "remote": ADDRESS}, one of the two at least */
static json_t *answer_move(struct keyd *k, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    struct ip_pair ends = {0};
    bool local = addr_argument(request, "local", &ends.src);
    bool remote = addr_argument(request, "remote", &ends.dst);

    if (name == NULL || (!local && !remote) || (local && remote && ends.src.family != ends.dst.family))
        return json_pack("{s:s}", "error",
                         "move needs a name, and an address for our end, the peer's, or both of one family");
    size_t tunnels = control_move(k->control, keyd_now(), name, &ends);
    keyd_drain(k);
    if (tunnels == 0)
        return json_pack("{s:s}", "error", "no tunnel of that name is up");
    return json_pack("{s:I}", "tunnels", (json_int_t)tunnels);
}

json_t *keyd_answer(void *ctx, const char *cmd, const json_t *request)
{
    struct keyd *k = ctx;

    if (strcmp(cmd, "status") == 0)
        return answer_status(k, request);
    if (strcmp(cmd, "why") == 0)
        return answer_why(k, request);
    if (strcmp(cmd, "trace") == 0)
        return answer_trace(k, request);
    if (strcmp(cmd, "name") == 0)
        return answer_name(k, request);
    if (strcmp(cmd, "up") == 0 || strcmp(cmd, "down") == 0)
        return answer_command(k, request, cmd[0] == 'u');
    if (strcmp(cmd, "move") == 0)
        return answer_move(k, request);
    if (strcmp(cmd, "reload") == 0)
        return answer_reload(k);
    return json_pack("{s:s}", "error", "unknown command");
}
