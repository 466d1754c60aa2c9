/* Messages between keyd and its helpers: what parses can be built, to the same octets. */
#include "fuzz.h"

#include "daemon/ipc.h"

static uint8_t room[IPC_MESSAGE_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ipc_message message;

    if (len > IPC_MESSAGE_MAX || ipc_parse(view_of(data, len), &message) != ERR_OK)
        return 0;
    size_t built = ipc_build(&message, span_of(room, sizeof(room)));
    /* A reason may hold a zero in the middle; then what is built ends there. */
    if (built == len)
        assert(memcmp(room, data, len) == 0);
    else
        assert(message.kind == IPC_ANSWER && built < len);
    assert(ipc_build(&message, span_of(room, built - 1)) == 0);
    return 0;
}
