/* The configuration: the same text always gives the same result, and a mistake leaves the struct
 * alone and is one line that begins with its place. */
#include "fuzz.h"

#include <ctype.h>

#include "daemon/config.h"

static struct cygnet_config first, second;
static char error[CONFIG_ERROR_MAX], again[CONFIG_ERROR_MAX];

static bool has_files; /* policy files follow the YAML text */

static void check_error(void)
{
    const char *at = error;
    size_t len = strnlen(error, sizeof(error));

    assert(len > 0 && len < sizeof(error));
    if (has_files)
        return; /* a policy file's mistake begins with that file's path */
    assert(strncmp(at, "f:", 2) == 0);
    at += 2;
    for (int number = 0; number < 2; number++) {
        assert(isdigit((unsigned char)*at) && *at != '0');
        while (isdigit((unsigned char)*at))
            at++;
        assert(*at++ == ':');
    }
}

static void check_config(void)
{
    assert(first.outside.count != 0 && first.outside.names[0][0] != '\0');
    assert(first.key[0] == '/' && first.control[0] == '/' && first.state[0] == '/');
    assert(first.dns.forwarder_count <= CONFIG_FORWARDERS);
    assert(first.class_count <= LIMIT_CLASSES);
    for (size_t i = 0; i < first.class_count; i++)
        assert(first.classes[i].kind < OE_CLASS_KIND_COUNT);
    assert(first.wait_s >= 1 && first.lifespans.low_s >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    memset(&first, 0x55, sizeof(first));
    memset(&second, 0x55, sizeof(second));
    has_files = len != 0 && memchr(data, 0, len) != NULL;
    bool ok = config_parse(view_of(data, len), "f", &first, error);
    assert(config_parse(view_of(data, len), "f", &second, again) == ok);
    assert(memcmp(&first, &second, sizeof(first)) == 0);
    if (ok) {
        check_config();
        return 0;
    }
    for (size_t i = 0; i < sizeof(first); i++)
        assert(((const uint8_t *)&first)[i] == 0x55);
    check_error();
    assert(strcmp(error, again) == 0);
    return 0;
}
