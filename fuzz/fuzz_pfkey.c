/* PF_KEY messages between keyd and plane. */
#include "fuzz.h"

#include "wire/pfkey.h"

/* What parses builds, and from then on nothing changes: unknown extensions are gone, order is
 * fixed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct pfkey_message message, again;
    static uint8_t first[LIMIT_PFKEY_MESSAGE], second[LIMIT_PFKEY_MESSAGE];
    size_t first_len, second_len;

    assert(pfkey_type_name(len > 1 ? data[1] : 0) != NULL);
    if (pfkey_parse(view_of(data, len), &message) != ERR_OK)
        return 0;
    assert(pfkey_build(&message, span_of(first, sizeof(first)), &first_len) == ERR_OK);
    assert(pfkey_parse(view_of(first, first_len), &again) == ERR_OK);
    assert(again.type == message.type && again.error == message.error && again.seq == message.seq &&
           again.pid == message.pid && again.has == message.has);
    assert(pfkey_build(&again, span_of(second, sizeof(second)), &second_len) == ERR_OK);
    assert(view_equal(view_of(first, first_len), view_of(second, second_len)));
    return 0;
}
