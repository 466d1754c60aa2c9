#include "daemon/keeper.h"

#include "base/secret.h"

size_t keeper_hello(const struct keeper *keeper, struct span room)
{
    struct ipc_message hello = {.kind = IPC_HELLO, .key_count = keeper->key_count};
    for (size_t i = 0; i < keeper->key_count; i++)
        private_key_public(keeper->keys[i], &hello.keys[i]);
    return ipc_build(&hello, room);
}

static bool sign(const struct keeper *keeper, const struct ipc_message *request,
                 uint8_t signature[KEEPER_SIGNATURE_MAX], size_t *ret_len)
{
    if (request->key >= keeper->key_count || request->octets.len < KEEPER_HASH_MIN ||
        request->octets.len > KEEPER_HASH_MAX)
        return false;
    const struct private_key *key = keeper->keys[request->key];
    size_t len = private_key_signature_len(key);
    if (len > KEEPER_SIGNATURE_MAX ||
        private_key_sign_ike1(key, request->octets, signature) != ERR_OK)
        return false;
    *ret_len = len;
    return true;
}

size_t keeper_answer(const struct keeper *keeper, struct view request, struct span room)
{
    uint8_t signature[KEEPER_SIGNATURE_MAX];
    struct ipc_message message;
    size_t len = 0;

    if (ipc_parse(request, &message) != ERR_OK || message.kind != IPC_SIGN)
        return 0;
    struct ipc_message answer = {.kind = IPC_SIGNED, .serial = message.serial};
    answer.ok = sign(keeper, &message, signature, &len);
    answer.octets = view_of(signature, len);
    return ipc_build(&answer, room);
}

void keeper_fini(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->key_count; i++)
        private_key_free(keeper->keys[i]);
    secret_wipe(keeper, sizeof(*keeper));
}
