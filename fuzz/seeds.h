/*
 * The hand-made part of the corpora: good messages from the real builders, and hostile ones. One
 * function a parser, which hands each seed to the sink under a name that says what it is.
 */
#ifndef CYGNET_FUZZ_SEEDS_H
#define CYGNET_FUZZ_SEEDS_H

#include "base/view.h"

struct seed_sink {
    void (*put)(void *ctx, const char *name, struct view bytes);
    void *ctx;
};

void seeds_addrmgmt(const struct seed_sink *sink);
void seeds_control(const struct seed_sink *sink);
void seeds_dnsrec(const struct seed_sink *sink);
void seeds_ah(const struct seed_sink *sink);
void seeds_esp(const struct seed_sink *sink);
void seeds_ike(const struct seed_sink *sink);
void seeds_ike_peers(const struct seed_sink *sink);
void seeds_ike2(const struct seed_sink *sink);
void seeds_ike_relay(const struct seed_sink *sink);
void seeds_ike_stream(const struct seed_sink *sink);
void seeds_ip(const struct seed_sink *sink);
void seeds_isakmp(const struct seed_sink *sink);
void seeds_l2tp(const struct seed_sink *sink);
void seeds_pfkey(const struct seed_sink *sink);
void seeds_rsip(const struct seed_sink *sink);
void seeds_rsip_l2tp(const struct seed_sink *sink);
void seeds_saved(const struct seed_sink *sink);

static inline void seed_put(const struct seed_sink *sink, const char *name, struct view bytes)
{
    sink->put(sink->ctx, name, bytes);
}

#endif
