/*
 * The keeper: holds the gateway's private keys and signs and decrypts with them on request. keeper_answer() is what
 * it does with one message, without IO; keeper_process_main() is the process around it, which has
 * no network, no files and few system calls. A request that breaks a rule gets a SIGNED or
 * DECRYPTED with ok false, so that keyd never waits for nothing; octets that are no request get no answer.
 */
#ifndef CYGNET_DAEMON_KEEPER_H
#define CYGNET_DAEMON_KEEPER_H

#include "daemon/child.h"
#include "daemon/ipc.h"

/* Version 1 of IKE has hashes signed, MD5 to SHA-512; version 2 octets of its messages. */
enum { KEEPER_HASH_MIN = 16, KEEPER_HASH_MAX = 64, KEEPER_OCTETS_MAX = 60000 };

struct keeper {
    struct private_key *keys[IPC_KEYS];
    uint8_t key_count;
};

/* The message that names the public keys. Returns its length. */
size_t keeper_hello(const struct keeper *keeper, struct span room);
/* Answers one message. Returns the answer's length, 0 for no answer. */
size_t keeper_answer(const struct keeper *keeper, struct view request, struct span room);
/* Wipes the keys. */
void keeper_fini(struct keeper *keeper);

int keeper_process_main(const struct cygnet_config *config, const struct child *child);

#endif
