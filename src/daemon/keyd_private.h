/*
 * What the files of keyd's process share: its state, and how something is told to src/control.
 * keyd.c has the loop, keyd_effects.c what control wants done, keyd_outside.c the news of the
 * outside interfaces, keyd_commands.c what people ask for over the control socket.
 */
#ifndef CYGNET_DAEMON_KEYD_PRIVATE_H
#define CYGNET_DAEMON_KEYD_PRIVATE_H

#include "daemon/control_socket.h"
#include "daemon/ipc.h"
#include "daemon/keyd_channel.h"
#include "daemon/keyd_leased.h"
#include "daemon/keyd_profiles.h"
#include "daemon/keyd_saved.h"
#include "daemon/keyd_status.h"
#include "daemon/keyd_unsigned.h"
#include "daemon/keyd_work.h"
#include "daemon/log_gate.h"
#include "daemon/own_address.h"

struct keyd {
    struct cygnet_config *config;
    const struct child *child;
    struct event_base *base;
    struct event *timer, *parent, *addresses, *routes, *udp[2], *terminate, *leave, *poll;
    int udp_fd[2]; /* IPv4, IPv6 */
    int addresses_fd;
    struct keyd_channel plane, relay, keeper, resolver;
    struct control *control;
    struct keyd_saved saved;
    struct control_socket *socket;
    struct history history;
    struct keyd_counters plane_counters;
    struct log_gate gate;
    struct keyd_status status;
    struct materials materials;
    struct profiles profiles;
    bool reload_untold;
    bool waits_for_keys; /* a new configuration has begun with other private keys */
    struct event *no_keys;
    struct keyd_unsigned unanswered;
    struct keyd_work work;
    struct public_key keys[IPC_KEYS]; /* of the keeper */
    size_t key_count;
    struct own own;
    struct keyd_leased leased;
    bool stopping, confined;
};

/* keyd.c */
mono_t keyd_now(void);
/* Performs every effect that control has ready, and sets the timer. */
void keyd_drain(struct keyd *k);
/* Gives control the event, and performs what comes of it. */
void keyd_tell(struct keyd *k, const struct control_event *event);
/* Control gets what follows from the configuration, the keys and our own addresses now. */
void keyd_reconfigure(struct keyd *k);
/* A resolver looked the name up. */
enum err keyd_take_name(struct keyd *k, const char *text, const struct ip_addr *address,
                        uint32_t ttl_s);

/* keyd_effects.c */
void keyd_perform(struct keyd *k, const struct control_effect *fx);

/* keyd_outside.c: false without a watch; changes go unnoticed then. */
bool keyd_outside_watch(struct keyd *k);

/* keyd_commands.c: ctx is the struct keyd; as control_socket_new() wants it. */
json_t *keyd_answer(void *ctx, const char *cmd, const json_t *request);

#endif
