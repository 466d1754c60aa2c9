/*
 * What src/control wants done, done: datagrams, messages to the other processes, keys for
 * Wireshark, and what is kept for the next keyd.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/keyd_private.h"
#include "daemon/keyd_udp.h"
#include "daemon/log.h"
#include "daemon/virtual_address.h"
#include "plane/io/ike_relay.h"

static void send_datagram(struct keyd *k, const struct control_effect *fx)
{
    if (!fx->natt) {
        int leased = keyd_leased_fd(&k->leased, fx->local.port);
        int fd = leased >= 0 ? leased : k->udp_fd[fx->remote.addr.family == IP_V6];
        if (fd >= 0)
            (void)keyd_udp_send(fd, &fx->local, own_interface(&k->own, &fx->local.addr),
                                &fx->remote, fx->bytes);
        return; /* what could not be sent is retransmitted like what was lost */
    }
    static uint8_t room[IKE_RELAY_MAX];
    size_t len;
    if (ike_relay_build(&fx->local, &fx->remote, fx->bytes, span_of(room, sizeof(room)), &len) ==
        ERR_OK)
        keyd_channel_send(&k->relay, view_of(room, len));
}

static void send_note(struct keyd *k, const struct control_effect *fx)
{
    uint8_t room[IKE_RELAY_HEADER];
    size_t len;
    if (ike_relay_build_note(fx->ok ? IKE_RELAY_KEEP : IKE_RELAY_CLOSE, &fx->local, &fx->remote,
                             span_of(room, sizeof(room)), &len) == ERR_OK)
        keyd_channel_send(&k->relay, view_of(room, len));
}

static void send_ipc(struct keyd_channel *to, const struct ipc_message *message)
{
    static uint8_t room[IPC_MESSAGE_MAX];
    size_t len = ipc_build(message, span_of(room, sizeof(room)));
    if (len != 0)
        keyd_channel_send(to, view_of(room, len));
}

static void ask_keeper(struct keyd *k, const struct ipc_message *message)
{
    static uint8_t room[IPC_MESSAGE_MAX];
    struct view octets = view_of(room, ipc_build(message, span_of(room, sizeof(room))));
    if (octets.len == 0)
        return;
    keyd_unsigned_add(&k->unanswered, message->serial, octets);
    keyd_channel_send(&k->keeper, octets);
}

/* It takes privilege: the parent does it. */
static void ask_address(const struct keyd *k, const struct control_effect *fx)
{
    struct child_message message = {.fd = -1, .ok = fx->ok};

    virtual_address_format(&fx->address, &fx->traffic.remote.net, message.text);
    if (!child_send(k->child->parent_fd, &message, CHILD_ADDRESS))
        log_line(EVENT_WARNING, "can't ask for the virtual address");
}

void keyd_perform(struct keyd *k, const struct control_effect *fx)
{
    static struct ipc_message ipc;

    memset(&ipc, 0, sizeof(ipc));
    ipc.serial = fx->serial;
    switch (fx->kind) {
    case CONTROL_FX_SEND:
        send_datagram(k, fx);
        break;
    case CONTROL_FX_STREAM:
        send_note(k, fx);
        break;
    case CONTROL_FX_QUERY:
        ipc.kind = IPC_QUERY;
        ipc.type = fx->type;
        memcpy(ipc.name, fx->name, sizeof(ipc.name));
        send_ipc(&k->resolver, &ipc);
        break;
    case CONTROL_FX_SIGN:
        ipc.kind = IPC_SIGN;
        ipc.key = (uint8_t)fx->own_key;
        ipc.scheme = fx->scheme;
        ipc.octets = fx->bytes;
        ask_keeper(k, &ipc);
        break;
    case CONTROL_FX_DECRYPT:
        ipc.kind = IPC_DECRYPT;
        ipc.key = (uint8_t)fx->own_key;
        ipc.octets = fx->bytes;
        ask_keeper(k, &ipc);
        break;
    case CONTROL_FX_WORK:
        keyd_work_perform(k, fx);
        break;
    case CONTROL_FX_PFKEY:
        keyd_channel_send(&k->plane, fx->bytes);
        break;
    case CONTROL_FX_KEYS:
        if (write(CHILD_FD_EXPORT + (int)fx->table, fx->bytes.ptr, fx->bytes.len) < 0)
            log_line(EVENT_WARNING, "can't export keys into %s", key_table_name(fx->table));
        break;
    case CONTROL_FX_ADDRESS:
        ask_address(k, fx);
        break;
    case CONTROL_FX_SAVE:
    case CONTROL_FX_FORGET:
    case CONTROL_FX_PEER:
        keyd_saved_perform(&k->saved, fx);
        break;
    }
}
