/*
 * The classifier from outside: loading and attaching it, which takes privilege, and its map of
 * verdicts and its counters, which take only their descriptors. The map is a cache: the SPD is the
 * authority, fills it and empties it. The programs stay attached when every process is gone, and
 * then what they don't know goes nowhere: it fails closed until io_classifier_detach().
 */
#ifndef CYGNET_PLANE_IO_CLASSIFIER_H
#define CYGNET_PLANE_IO_CLASSIFIER_H

#include "base/addr.h"
#include "base/err.h"
#include "plane/io/classifier_abi.h"
#include "plane/io/fault.h"

struct io_classifier_fds {
    int verdicts, counters, nets;
};

struct io_classifier;

/* `put_back` is the put-back device's index; the programs are attached there and nowhere else yet. */
MUST_USE bool io_classifier_load(const struct classifier_settings *settings, uint32_t put_back,
                                 struct io_classifier **ret, struct io_classifier_fds *ret_fds,
                                 struct io_fault *fault);
/* To an outside interface; replaces what an earlier run left attached. If there is but one, it may have
 * come back with another index. */
MUST_USE bool io_classifier_attach(struct io_classifier *classifier, uint32_t ifindex,
                                   struct io_fault *fault);
/* What is attached stays. */
void io_classifier_free(struct io_classifier *classifier);
/* The outside interface works as if Cygnet had never been. */
void io_classifier_detach(uint32_t ifindex);

/* NONE takes the pair out. ERR_LIMIT: the map is full, or the kernel refused. */
MUST_USE enum err io_verdict_set(int verdicts, const struct ip_pair *flow,
                                 enum classifier_verdict verdict);
/* How long ago a datagram of the pair was last classified; -1: never, or the pair isn't there. */
int64_t io_verdict_idle_ms(int verdicts, const struct ip_pair *flow, int64_t now_ms);
/* Takes every pair out. False: this process isn't allowed to change the map. */
MUST_USE bool io_verdicts_clear(int verdicts);
/* Whether datagrams to that net, of pairs without a verdict, go into vpn0. ERR_LIMIT as above. */
MUST_USE enum err io_net_set(int nets, const struct ip_prefix *net, bool is);
MUST_USE bool io_nets_clear(int nets);

/* The sum over all processors; 0 where it can't be read. */
uint64_t io_classifier_counter(int counters, enum classifier_counter which);
const char *io_classifier_counter_name(enum classifier_counter which);

#endif
