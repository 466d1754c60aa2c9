/* The stub resolver's messages: what a client sent, answered with what a server may have said. The
 * first two octets say how long the query is and whether it came over TCP; the rest is the query
 * and the answer. */
#include <stdlib.h>

#include "daemon/stub_message.h"
#include "fuzz.h"

static void check_reply(struct view reply, const struct stub_query *query)
{
    if (reply.ptr == NULL)
        return;
    assert(reply.len >= 12 && reply.len <= query->room);
    assert((reply.ptr[2] & 0x80) != 0); /* a response */
    free((void *)(uintptr_t)reply.ptr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stub_query query;
    enum stub_rcode rcode;

    if (size < 2)
        return 0;
    size_t len = data[0] < size - 2 ? data[0] : size - 2;
    bool stream = data[1] & 1;
    enum err err = stub_query_parse(view_of(data + 2, len), stream, &query, &rcode);
    if (err != ERR_OK && err != ERR_UNSUPPORTED)
        return 0;
    if (err == ERR_OK)
        check_reply(stub_reply_answer(&query, view_of(data + 2 + len, size - 2 - len), data[1] & 2),
                    &query);
    check_reply(stub_reply_code(&query, err == ERR_OK ? STUB_SERVFAIL : rcode), &query);
    stub_query_fini(&query);
    return 0;
}
