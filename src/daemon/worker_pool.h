/*
 * A few threads that make public-key operations (ike/work.h) while the event loop goes on. What is
 * done waits in the pool until the loop, woken through a descriptor, takes it. Work for peers that
 * are known goes before that for strangers; the threads run at a lower priority than the loop. A
 * thread touches the work it has in hand and nothing else of the daemon.
 *
 * The queue is bounded; what finds no room stays its owner's. All calls are the loop's.
 */
#ifndef CYGNET_DAEMON_WORKER_POOL_H
#define CYGNET_DAEMON_WORKER_POOL_H

#include "base/rng.h"
#include "ike/work.h"

enum { WORKER_THREADS_MAX = 16, WORKER_QUEUE_MAX = 1024 };

struct worker_pool;

/* `threads` of 0: as many as the machine has processors for us. `rng` is used by several threads at a
 * time. NULL: no memory, descriptor or thread is to be had. */
struct worker_pool *worker_pool_new(unsigned threads, const struct rng *rng);
/* Waits for what is being worked on, and frees whatever was not taken. */
void worker_pool_free(struct worker_pool *pool);
/* False: the queue is full, and the work still the caller's. */
MUST_USE bool worker_pool_add(struct worker_pool *pool, uint64_t serial, struct ike_work *work);
/* Readable while something is done. */
int worker_pool_fd(const struct worker_pool *pool);
/* False: nothing is done (any more). Else the work is the caller's. */
MUST_USE bool worker_pool_take(struct worker_pool *pool, uint64_t *ret_serial,
                               struct ike_work **ret_work);

struct worker_pool_info {
    unsigned threads;
    unsigned waiting, most_waiting; /* pieces of work in the queue, now and at most so far */
    uint64_t done;
};
struct worker_pool_info worker_pool_info(struct worker_pool *pool);

#endif
