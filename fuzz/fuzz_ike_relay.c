/* IKE datagrams between keyd and plane: what parses can be built, to the same octets. */
#include "fuzz.h"

#include "plane/io/ike_relay.h"

static uint8_t room[IKE_RELAY_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ip_endpoint local, remote, local_again, remote_again;
    struct view datagram, again;
    size_t built;

    if (ike_relay_parse(view_of(data, len), &local, &remote, &datagram) != ERR_OK)
        return 0;
    assert(datagram.ptr >= data && datagram.len == len - IKE_RELAY_HEADER);
    if (ike_relay_kind_of(view_of(data, len)) != IKE_RELAY_DATAGRAM) {
        assert(ike_relay_build_note(ike_relay_kind_of(view_of(data, len)), &local, &remote,
                                    span_of(room, sizeof(room)), &built) == ERR_OK);
        assert(built == len && datagram.len == 0 && remote.stream != 0);
        return 0;
    }
    if (ike_relay_build(&local, &remote, datagram, span_of(room, sizeof(room)), &built) != ERR_OK) {
        assert(datagram.len > LIMIT_IKE_DATAGRAM);
        return 0;
    }
    assert(built == len);
    assert(ike_relay_parse(view_of(room, built), &local_again, &remote_again, &again) == ERR_OK);
    assert(ip_endpoint_equal(&local, &local_again) && ip_endpoint_equal(&remote, &remote_again));
    assert(view_equal(datagram, again));
    return 0;
}
