/*
 * An RSIP server and its hosts in one process, in virtual time: messages are handed over at once or
 * lost, records are kept so that the server can be started again, and names are answered from a
 * table.
 */
#ifndef CYGNET_TESTS_EXCHANGE_RSIP_RIG_H
#define CYGNET_TESTS_EXCHANGE_RSIP_RIG_H

#include "../unit/check.h"

#include "rsip/client.h"

enum { RIG_HOSTS = 4, RIG_LOG = 256, RIG_RECORDS = 512, RIG_TICKETS = 16 };

struct rig_record {
    uint64_t serial;
    size_t len;
    uint8_t *bytes;
};

struct rig_host {
    struct rsip_client *client;
    struct ip_endpoint at;
    struct rsip_message binds[RIG_TICKETS]; /* by ticket, as granted */
    bool up[RIG_TICKETS];
    unsigned ups, downs, registered, unregistered, misuses;
    enum rsip_error refused[RIG_TICKETS], last_error;
    unsigned refusals, answers;
    struct rsip_message answer;
};

struct rig {
    struct rsip_server_config config;
    struct rsip_range ranges[4];
    struct rsip_policy policies[4];
    struct rsip_server *server;
    struct rig_host hosts[RIG_HOSTS];
    struct rig_record records[RIG_RECORDS];
    size_t record_count;
    uint64_t seed;
    mono_t now;
    /* said on the wire, in order; requests and responses */
    uint8_t log[RIG_LOG];
    struct rsip_message last; /* the last response that the server sent */
    struct ip_endpoint last_to;
    bool answered;
    size_t log_count;
    unsigned lose;         /* so many messages to come are lost */
    unsigned lose_percent; /* and of all others this share */
    bool deaf;             /* the server is not there */
    unsigned addresses_up, addresses_down;
    size_t sent_octets;
};

/* A pool of 149.112.240.156 (shared) and .17 (whole), hosts in 10.0.0.0/8, no remote policy. */
void rig_init(struct rig *rig);
/* After changes to config: makes the server. */
void rig_start(struct rig *rig);
void rig_fini(struct rig *rig);
/* The server dies and comes back with what was saved. */
void rig_restart(struct rig *rig, bool with_records);
struct rig_host *rig_client(struct rig *rig, unsigned i); /* 10.0.0.(2 + i), over UDP */
void rig_input(struct rig *rig, unsigned host, const struct rsip_client_event *event);
void rig_want(struct rig *rig, unsigned host, uint64_t ticket, const struct rsip_want *want);
void rig_run(struct rig *rig, int64_t ms);
/* A raw datagram to the server; rig->last is what it said, if rig->answered. */
void rig_raw(struct rig *rig, const struct ip_endpoint *from, struct view bytes);
void rig_raw_message(struct rig *rig, const struct ip_endpoint *from, const struct rsip_message *m);
enum rsip_error rig_error(const struct rig *rig); /* of the last response; RSIP_OK: it granted */

struct rsip_address rig_v4(const char *text);
struct rsip_address rig_any(void);
struct rsip_address rig_name(const char *text);
struct rsip_ports rig_ports_any(unsigned count);
struct rsip_ports rig_ports(unsigned count, uint16_t first);
struct ip_addr rig_ip(const char *text);
uint64_t rig_counter(const struct rig *rig, const char *name);

/* A datagram: protocol, addresses, and ports, SPI or ICMP type and identifier by protocol. */
struct rig_packet {
    const char *src, *dst;
    uint8_t proto;
    uint16_t src_port, dst_port;
    uint32_t spi;
    uint64_t cookie;
    uint8_t icmp_type;
    uint32_t icmp_id;
    struct view inside; /* what an ICMP error quotes */
    bool options;       /* IPv6: behind hop-by-hop, destination options and an only fragment */
};
struct view rig_build_packet(const struct rig_packet *p, uint8_t *room);
struct rsip_verdict rig_in(struct rig *rig, const struct rig_packet *p);
struct rsip_verdict rig_out(struct rig *rig, unsigned host, const struct rig_packet *p);

#endif
