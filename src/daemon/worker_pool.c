#include "daemon/worker_pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    STACK = 1024 * 1024,
    NICENESS = 5, /* the loop's messages before our numbers */
};

struct job {
    STAILQ_ENTRY(job) next;
    uint64_t serial;
    struct ike_work *work;
};
STAILQ_HEAD(jobs, job);

struct worker_pool {
    struct rng rng;
    int fd; /* an eventfd: how many are in `done` at least since it was last read */
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t more;
    struct jobs urgent, others, done;
    bool ending;
    struct worker_pool_info info;
    pthread_t threads[WORKER_THREADS_MAX];
};

static struct job *first_of(struct jobs *jobs)
{
    struct job *job = STAILQ_FIRST(jobs);
    if (job != NULL)
        STAILQ_REMOVE_HEAD(jobs, next);
    return job;
}

/* With the lock held; NULL: the pool ends. */
static struct job *next_job(struct worker_pool *pool)
{
    struct job *job = NULL;
    while (!pool->ending && (job = first_of(&pool->urgent)) == NULL &&
           (job = first_of(&pool->others)) == NULL)
        pthread_cond_wait(&pool->more, &pool->lock);
    return job;
}

static void tell_loop(const struct worker_pool *pool)
{
    const uint64_t one = 1;
    if (write(pool->fd, &one, sizeof(one)) != sizeof(one))
        abort(); /* only a counter that is full: 2^64 pieces of work */
}

static void *work_on(void *arg)
{
    struct worker_pool *pool = arg;
    struct job *job;

    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
    pthread_mutex_lock(&pool->lock);
    while ((job = next_job(pool)) != NULL) {
        pool->info.waiting--;
        pthread_mutex_unlock(&pool->lock);
        ike_work_run(job->work, &pool->rng);
        pthread_mutex_lock(&pool->lock);
        pool->info.done++;
        STAILQ_INSERT_TAIL(&pool->done, job, next);
        tell_loop(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static unsigned processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

/* Signals are the loop's. */
static bool start_threads(struct worker_pool *pool, unsigned count)
{
    pthread_attr_t attr;
    sigset_t all, before;

    if (pthread_attr_init(&attr) != 0)
        return false;
    (void)pthread_attr_setstacksize(&attr, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->info.threads < count &&
           pthread_create(&pool->threads[pool->info.threads], &attr, work_on, pool) == 0)
        pool->info.threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return pool->info.threads != 0;
}

struct worker_pool *worker_pool_new(unsigned threads, const struct rng *rng)
{
    struct worker_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return NULL;
    pool->rng = *rng;
    STAILQ_INIT(&pool->urgent);
    STAILQ_INIT(&pool->others);
    STAILQ_INIT(&pool->done);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->more, NULL);
    if (threads == 0)
        threads = processors();
    if (threads > WORKER_THREADS_MAX)
        threads = WORKER_THREADS_MAX;
    pool->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (pool->fd >= 0 && start_threads(pool, threads))
        return pool;
    worker_pool_free(pool);
    return NULL;
}

static void free_jobs(struct jobs *jobs)
{
    struct job *job;
    while ((job = first_of(jobs)) != NULL) {
        ike_work_free(job->work);
        free(job);
    }
}

void worker_pool_free(struct worker_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->more);
    unsigned threads = pool->info.threads;
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(pool->threads[i], NULL);
    free_jobs(&pool->urgent);
    free_jobs(&pool->others);
    free_jobs(&pool->done);
    pthread_cond_destroy(&pool->more);
    pthread_mutex_destroy(&pool->lock);
    if (pool->fd >= 0)
        close(pool->fd);
    free(pool);
}

bool worker_pool_add(struct worker_pool *pool, uint64_t serial, struct ike_work *work)
{
    struct job *job = malloc(sizeof(*job));
    if (job == NULL)
        return false;
    *job = (struct job){.serial = serial, .work = work};
    pthread_mutex_lock(&pool->lock);
    bool room = pool->info.waiting < WORKER_QUEUE_MAX;
    if (room) {
        if (ike_work_urgent(work))
            STAILQ_INSERT_TAIL(&pool->urgent, job, next);
        else
            STAILQ_INSERT_TAIL(&pool->others, job, next);
        if (++pool->info.waiting > pool->info.most_waiting)
            pool->info.most_waiting = pool->info.waiting;
        pthread_cond_signal(&pool->more);
    }
    pthread_mutex_unlock(&pool->lock);
    if (!room)
        free(job);
    return room;
}

int worker_pool_fd(const struct worker_pool *pool)
{
    return pool->fd;
}

/* The counter goes down with the list, so that what is left keeps the descriptor readable. */
bool worker_pool_take(struct worker_pool *pool, uint64_t *ret_serial, struct ike_work **ret_work)
{
    uint64_t count;

    pthread_mutex_lock(&pool->lock);
    struct job *job = first_of(&pool->done);
    if (STAILQ_EMPTY(&pool->done) && read(pool->fd, &count, sizeof(count)) < 0)
        count = 0; /* it was at zero already */
    pthread_mutex_unlock(&pool->lock);
    if (job == NULL)
        return false;
    *ret_serial = job->serial;
    *ret_work = job->work;
    free(job);
    return true;
}

struct worker_pool_info worker_pool_info(struct worker_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct worker_pool_info info = pool->info;
    pthread_mutex_unlock(&pool->lock);
    return info;
}
