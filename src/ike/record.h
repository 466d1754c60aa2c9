/*
 * The encoding of records that outlive the engine (saved.c, v2/saved.c): big-endian, each beginning
 * with its version and kind. Reading never fails halfway: a bad value makes the cursor bad.
 */
#ifndef CYGNET_IKE_RECORD_H
#define CYGNET_IKE_RECORD_H

#include "base/builder.h"
#include "base/cursor.h"
#include "base/mono.h"
#include "wire/identity.h"

struct ike;

enum {
    RECORD_VERSION = 7,
    RECORD_SA = 1,
    RECORD_CHILD = 2,
    RECORD_V2_SA = 3,
    RECORD_V2_CHILD = 4,
    RECORD_V2_TICKET = 5,
};

/* Into the engine's work space; record_save() sends it off and wipes it. */
struct builder record_begin(struct ike *ike, uint8_t kind);
void record_save(struct ike *ike, const struct builder *b, uint64_t number);

void record_put_addr(struct builder *b, const struct ip_addr *addr);
void record_put_endpoint(struct builder *b, const struct ip_endpoint *end);
void record_put_identity(struct builder *b, const struct identity *id);

struct ip_addr record_get_addr(struct cursor *cur);
struct ip_endpoint record_get_endpoint(struct cursor *cur);
struct identity record_get_identity(struct cursor *cur);
mono_t record_get_time(struct cursor *cur);

#endif
