#include "daemon/event_json.h"

static const char *const room_names[] = {
    [EVENT_PLANE] = "plane", [EVENT_OE] = "oe",     [EVENT_DISCOVER] = "discover",
    [EVENT_IKE] = "ike",     [EVENT_KEYD] = "keyd", [EVENT_TUNNEL] = "tunnel",
    [EVENT_RSIP] = "rsip",
};
static const char *const level_names[] = {
    [EVENT_DEBUG] = "debug",
    [EVENT_INFO] = "info",
    [EVENT_WARNING] = "warning",
    [EVENT_ERROR] = "error",
};
static const char *const line_names[] = {
    [EVENT_LINE_NONE] = "none",
    [EVENT_LINE_CLEAR] = "clear",
    [EVENT_LINE_IKE] = "ike",
    [EVENT_LINE_ESP] = "esp",
};
static const char *const party_names[] = {
    [EVENT_PARTY_NONE] = "none",     [EVENT_PARTY_ADDR] = "address",
    [EVENT_PARTY_SELF] = "self",     [EVENT_PARTY_DNS] = "dns",
    [EVENT_PARTY_SOURCE] = "source", [EVENT_PARTY_DEST] = "destination",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *event_room_name(enum event_room room)
{
    return (size_t)room < COUNT(room_names) ? room_names[room] : "unknown";
}

const char *event_level_name(enum event_level level)
{
    return (size_t)level < COUNT(level_names) ? level_names[level] : "unknown";
}

static void set_addr(json_t *object, const char *key, const struct ip_addr *addr)
{
    char text[IP_ADDR_TEXT_MAX];
    if (addr->family != IP_NONE)
        json_object_set_new(object, key, json_string(ip_addr_format(addr, text)));
}

enum { TEXT_MAX = 256 };

/* What came from a peer or DNS may hold anything; only printable ASCII goes on. */
static void set_text(json_t *object, const char *key, const char *text, size_t room)
{
    char clean[TEXT_MAX];
    size_t len = strnlen(text, room);

    if (len == 0 || len > sizeof(clean))
        return;
    for (size_t i = 0; i < len; i++)
        clean[i] = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
    json_object_set_new(object, key, json_stringn(clean, len));
}

static void set_end(json_t *object, const char *key, const struct event_end *end)
{
    if (end->party == EVENT_PARTY_NONE || (size_t)end->party >= COUNT(party_names))
        return;
    json_t *member = json_object();
    json_object_set_new(member, "party", json_string(party_names[end->party]));
    set_addr(member, "address", &end->addr);
    json_object_set_new(object, key, member);
}

json_t *event_json_build(const struct event_record *record)
{
    json_t *object = json_object();

    json_object_set_new(object, "serial", json_integer((json_int_t)record->serial));
    json_object_set_new(object, "at_ms", json_integer(record->at.ms));
    json_object_set_new(object, "room", json_string(event_room_name(record->room)));
    json_object_set_new(object, "level", json_string(event_level_name(record->level)));
    if ((size_t)record->line < COUNT(line_names))
        json_object_set_new(object, "line", json_string(line_names[record->line]));
    set_end(object, "from", &record->from);
    set_end(object, "to", &record->to);
    if (record->flow.src.family != IP_NONE || record->flow.dst.family != IP_NONE) {
        json_t *flow = json_object();
        set_addr(flow, "source", &record->flow.src);
        set_addr(flow, "destination", &record->flow.dst);
        json_object_set_new(object, "flow", flow);
    }
    set_addr(object, "peer", &record->peer);
    if (record->connection != 0)
        json_object_set_new(object, "connection", json_integer((json_int_t)record->connection));
    set_text(object, "label", record->label, sizeof(record->label));
    set_text(object, "title", record->title, sizeof(record->title));
    set_text(object, "detail", record->detail, sizeof(record->detail));
    return object;
}

/* Reading: an absent member means zero, a wrong one spoils the record. */

static bool get_integer(const json_t *object, const char *key, int64_t *ret)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL)
        return true;
    *ret = json_integer_value(value);
    return json_is_integer(value);
}

static bool get_word(const json_t *object, const char *key, const char *const *words, size_t count,
                     int *ret)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);

    if (value == NULL)
        return true;
    for (size_t i = 0; text != NULL && i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret = (int)i;
            return true;
        }
    }
    return false;
}

static bool get_addr(const json_t *object, const char *key, struct ip_addr *ret)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    return value == NULL || (text != NULL && ip_addr_parse(text, ret));
}

static bool get_text(const json_t *object, const char *key, char *ret, size_t room)
{
    const json_t *value = json_object_get(object, key);
    size_t len = json_string_length(value);

    if (value == NULL)
        return true;
    if (!json_is_string(value) || len >= room)
        return false;
    memcpy(ret, json_string_value(value), len);
    return true;
}

static bool get_end(const json_t *object, const char *key, struct event_end *ret)
{
    const json_t *member = json_object_get(object, key);
    int party = EVENT_PARTY_NONE;

    if (member == NULL)
        return true;
    if (!json_is_object(member) ||
        !get_word(member, "party", party_names, COUNT(party_names), &party) ||
        !get_addr(member, "address", &ret->addr))
        return false;
    ret->party = (enum event_party)party;
    return true;
}

static bool get_flow(const json_t *object, struct ip_pair *ret)
{
    const json_t *member = json_object_get(object, "flow");
    return member == NULL ||
           (json_is_object(member) && get_addr(member, "source", &ret->src) &&
            get_addr(member, "destination", &ret->dst));
}

static bool get_words(const json_t *object, struct event_record *ret)
{
    int room = 0, level = EVENT_INFO, line = EVENT_LINE_NONE;

    if (!get_word(object, "room", room_names, COUNT(room_names), &room) ||
        !get_word(object, "level", level_names, COUNT(level_names), &level) ||
        !get_word(object, "line", line_names, COUNT(line_names), &line))
        return false;
    ret->room = (enum event_room)room;
    ret->level = (enum event_level)level;
    ret->line = (enum event_line)line;
    return true;
}

bool event_json_parse(const json_t *object, struct event_record *ret)
{
    struct event_record record = {0};
    int64_t serial = 0, connection = 0;

    if (!json_is_object(object) || json_object_get(object, "serial") == NULL ||
        !get_integer(object, "serial", &serial) ||
        !get_integer(object, "at_ms", &record.at.ms) ||
        !get_integer(object, "connection", &connection) || !get_words(object, &record) ||
        !get_end(object, "from", &record.from) || !get_end(object, "to", &record.to) ||
        !get_flow(object, &record.flow) || !get_addr(object, "peer", &record.peer) ||
        !get_text(object, "label", record.label, sizeof(record.label)) ||
        !get_text(object, "title", record.title, sizeof(record.title)) ||
        !get_text(object, "detail", record.detail, sizeof(record.detail)))
        return false;
    record.serial = (uint64_t)serial;
    record.connection = (uint64_t)connection;
    *ret = record;
    return true;
}
