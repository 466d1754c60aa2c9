/* Event records as JSON: what is read can be written, and reading that changes nothing any more. */
#include "fuzz.h"

#include <stdlib.h>

#include "daemon/event_json.h"

static char *write_record(const struct event_record *record)
{
    json_t *object = event_json_build(record);
    assert(object != NULL);
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    assert(text != NULL);
    json_decref(object);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct event_record record, again;
    json_t *object = json_loadb((const char *)data, len, 0, NULL);

    memset(&record, 0x55, sizeof(record));
    bool ok = event_json_parse(object, &record);
    json_decref(object);
    if (!ok) {
        for (size_t i = 0; i < sizeof(record); i++)
            assert(((const uint8_t *)&record)[i] == 0x55);
        return 0;
    }
    char *first = write_record(&record);
    object = json_loads(first, 0, NULL);
    assert(event_json_parse(object, &again));
    json_decref(object);
    assert(again.serial == record.serial && again.at.ms == record.at.ms);
    assert(ip_pair_equal(&again.flow, &record.flow) && ip_addr_equal(&again.peer, &record.peer));
    char *second = write_record(&again);
    assert(strcmp(first, second) == 0);
    free(first);
    free(second);
    return 0;
}
