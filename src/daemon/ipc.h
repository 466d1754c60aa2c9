/*
 * The messages between keyd and its two helpers, the resolver and the keeper: one message is one
 * SOCK_SEQPACKET datagram. Codecs only, no IO. What is parsed points into the message. A reply
 * carries the serial of its request; a reply with an unknown serial is to be ignored.
 *
 *   keyd -> resolver  QUERY serial type name       keyd -> keeper  SIGN serial key scheme octets
 *                     CANCEL serial                keeper -> keyd  HELLO keys  (first, once)
 *   resolver -> keyd  ANSWER serial answer                         SIGNED serial ok signature
 *                     NAME ttl address name          keyd -> keeper  DECRYPT serial key octets
 *                                                  keeper -> keyd  DECRYPTED serial ok texts
 */
#ifndef CYGNET_DAEMON_IPC_H
#define CYGNET_DAEMON_IPC_H

#include "discover/discover.h"

enum {
    IPC_MESSAGE_MAX = 66000, /* any DNS answer fits */
    IPC_KEYS = 33,           /* private keys one keeper holds: the gateway's and those of connections */
};

enum ipc_kind {
    IPC_QUERY = 1,
    IPC_CANCEL = 2,
    IPC_ANSWER = 3,
    IPC_HELLO = 4,
    IPC_SIGN = 5,
    IPC_SIGNED = 6,
    IPC_NAME = 7,
    IPC_DECRYPT = 8,
    IPC_DECRYPTED = 9,
};

struct ipc_message {
    enum ipc_kind kind;
    uint64_t serial;           /* all but HELLO; NAME: 0 */
    uint16_t type;             /* QUERY: DNS_TYPE_... */
    char name[LIMIT_DNS_NAME]; /* QUERY: with the final dot; NAME: without */
    struct ip_addr address;    /* NAME: one of the name's; keyd believes none of it (discover.h) */
    uint32_t ttl_s;            /* NAME */
    struct dns_answer answer;  /* ANSWER */
    uint8_t key;               /* SIGN, DECRYPT: index into HELLO's keys */
    bool ok;                   /* SIGNED, DECRYPTED */
    uint8_t scheme;            /* SIGN: enum signature_scheme */
    struct view octets;        /* SIGN: what to sign; SIGNED: the signature; else crypto/encryption.h */
    uint8_t key_count;         /* HELLO */
    struct public_key keys[IPC_KEYS];
};

/* Returns the length written to room, or 0 if it doesn't fit (never in IPC_MESSAGE_MAX octets) or
 * the message breaks a limit. */
size_t ipc_build(const struct ipc_message *message, struct span room);
MUST_USE enum err ipc_parse(struct view bytes, struct ipc_message *ret);

#endif
