#include "daemon/keeper.h"

#include "base/secret.h"
#include "crypto/encryption.h"

size_t keeper_hello(const struct keeper *keeper, struct span room)
{
    struct ipc_message hello = {.kind = IPC_HELLO, .key_count = keeper->key_count};
    for (size_t i = 0; i < keeper->key_count; i++)
        private_key_public(keeper->keys[i], &hello.keys[i]);
    return ipc_build(&hello, room);
}

static bool sign(const struct keeper *keeper, const struct ipc_message *request,
                 uint8_t signature[SIGNATURE_MAX], size_t *ret_len)
{
    bool hashed =
        request->scheme == SIGNATURE_IKE1_RSA || request->scheme == SIGNATURE_IKE1_ECDSA;
    size_t most = hashed ? KEEPER_HASH_MAX : KEEPER_OCTETS_MAX;

    if (request->key >= keeper->key_count || request->scheme >= SIGNATURE_SCHEME_COUNT ||
        request->octets.len < KEEPER_HASH_MIN || request->octets.len > most)
        return false;
    return private_key_sign(keeper->keys[request->key],
                            (enum signature_scheme)request->scheme, request->octets, signature,
                            ret_len) == ERR_OK;
}

/* IKE-014. What a wrong cipher text decrypts to looks like any other. */
static size_t answer_decrypt(const struct keeper *keeper, const struct ipc_message *request,
                             struct span room)
{
    uint8_t texts[ENCRYPTION_TEXTS * (2 + ENCRYPTION_MAX)];
    struct builder b = builder_on(span_of(texts, sizeof(texts)));
    struct ipc_message answer = {.kind = IPC_DECRYPTED, .serial = request->serial};

    answer.ok = request->key < keeper->key_count &&
                private_key_decrypt_each(keeper->keys[request->key], request->octets, &b) == ERR_OK;
    if (answer.ok)
        answer.octets = builder_written(&b);
    size_t len = ipc_build(&answer, room);
    secret_wipe(texts, sizeof(texts));
    return len;
}

size_t keeper_answer(const struct keeper *keeper, struct view request, struct span room)
{
    uint8_t signature[SIGNATURE_MAX];
    struct ipc_message message;
    size_t len = 0;

    if (ipc_parse(request, &message) != ERR_OK)
        return 0;
    if (message.kind == IPC_DECRYPT)
        return answer_decrypt(keeper, &message, room);
    if (message.kind != IPC_SIGN)
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
