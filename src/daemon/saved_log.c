#include "daemon/saved_log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/secret.h"

enum {
    LOG_MAGIC = 0x43594731, /* "CYG1" */
    LOG_PAGE = 4096,
    LOG_FIRST = LOG_PAGE, /* where the first record of a new file lies */
    LOG_SLACK = 1 << 20,  /* of dead octets, before it is worth while to move the rest */
    KIND_LIVE = 0x4c495645,
    KIND_DEAD = 0x44454144,
};

/* At the file's beginning. */
struct log_head {
    uint32_t magic, tries;
    uint64_t start;
    uint64_t check;
};

/* In front of each record, on a multiple of its own size, so that it never crosses a page. */
struct record_head {
    uint32_t kind, len;
    uint64_t number;
    uint64_t body_check, head_check;
};

struct entry {
    struct map_node by_number;
    uint64_t number;
    uint64_t at;
    uint32_t len;
};

struct saved_log {
    int fd;
    bool is_new, gave_up;
    uint32_t tries;
    uint64_t start, end; /* of the records */
    uint64_t live;       /* octets of it that are of use */
    struct map entries;
};

/* Tells a torn record from a whole one; whoever can write here could forge anything (FNV-1a). */
static uint64_t check_of(struct view bytes)
{
    uint64_t sum = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes.len; i++)
        sum = (sum ^ bytes.ptr[i]) * 0x100000001b3u;
    return sum;
}

static uint64_t head_check(const struct record_head *head)
{
    return check_of(view_of(head, offsetof(struct record_head, head_check)));
}

static uint64_t room_of(uint32_t len)
{
    uint64_t unit = sizeof(struct record_head);
    return unit + (len + unit - 1) / unit * unit;
}

static bool write_at(const struct saved_log *log, const void *ptr, size_t len, uint64_t at)
{
    return pwrite(log->fd, ptr, len, (off_t)at) == (ssize_t)len;
}

static bool read_at(const struct saved_log *log, void *ptr, size_t len, uint64_t at)
{
    return pread(log->fd, ptr, len, (off_t)at) == (ssize_t)len;
}

static bool write_log_head(const struct saved_log *log)
{
    struct log_head head = {.magic = LOG_MAGIC, .tries = log->tries, .start = log->start};
    head.check = check_of(view_of(&head, offsetof(struct log_head, check)));
    return write_at(log, &head, sizeof(head), 0);
}

static void forget_all(struct saved_log *log)
{
    struct map_node *node;
    while ((node = map_first(&log->entries)) != NULL) {
        map_remove(&log->entries, node);
        free(MAP_OWNER(node, struct entry, by_number));
    }
    log->live = 0;
}

/* Nothing old may come back. */
static void empty(struct saved_log *log)
{
    forget_all(log);
    log->start = log->end = LOG_FIRST;
    if (ftruncate(log->fd, 0) == 0)
        (void)write_log_head(log);
}

static struct entry *find(const struct saved_log *log, uint64_t number)
{
    struct map_node *node = map_find(&log->entries, &number);
    return node != NULL ? MAP_OWNER(node, struct entry, by_number) : NULL;
}

/* The record's place is marked dead first; then its keys are wiped. */
static void bury(struct saved_log *log, uint64_t at, uint32_t len, uint64_t number)
{
    static const uint8_t zero[LOG_PAGE];
    struct record_head head = {.kind = KIND_DEAD, .len = len, .number = number};

    head.head_check = head_check(&head);
    (void)write_at(log, &head, sizeof(head), at);
    for (uint32_t done = 0; done < len; done += LOG_PAGE) {
        uint32_t part = len - done < LOG_PAGE ? len - done : LOG_PAGE;
        (void)write_at(log, zero, part, at + sizeof(head) + done);
    }
}

static bool append(struct saved_log *log, uint64_t number, struct view bytes, uint64_t *ret_at)
{
    uint64_t room = room_of((uint32_t)bytes.len), at = log->end;
    struct record_head head = {.kind = KIND_LIVE,
                               .len = (uint32_t)bytes.len,
                               .number = number,
                               .body_check = check_of(bytes)};
    if (bytes.len > SAVED_LOG_RECORD_MAX || log->end + room - log->start > SAVED_LOG_MAX)
        return false;
    head.head_check = head_check(&head);
    /* The body first: without a head it isn't there. */
    if (!write_at(log, bytes.ptr, bytes.len, at + sizeof(head)) ||
        ftruncate(log->fd, (off_t)(at + room)) != 0 || !write_at(log, &head, sizeof(head), at))
        return false;
    log->end = at + room;
    *ret_at = at;
    return true;
}

/* The newest of a number counts; one before it is wiped. */
static bool enter(struct saved_log *log, uint64_t number, uint64_t at, uint32_t len)
{
    struct entry *entry = find(log, number);
    if (entry != NULL) {
        bury(log, entry->at, entry->len, number);
        log->live -= room_of(entry->len);
    } else {
        entry = calloc(1, sizeof(*entry));
        if (entry == NULL)
            return false;
        entry->number = number;
        if (!map_insert(&log->entries, &entry->by_number)) {
            free(entry);
            return false;
        }
    }
    entry->at = at;
    entry->len = len;
    log->live += room_of(len);
    return true;
}

/* Once most of the file is dead, the rest moves behind it; the head then says where to. */
static bool move(struct saved_log *log)
{
    uint8_t *room = malloc(SAVED_LOG_RECORD_MAX);
    uint64_t old = log->start, start = (log->end + LOG_PAGE - 1) / LOG_PAGE * LOG_PAGE;
    bool ok = room != NULL;

    log->start = log->end = start;
    for (struct map_node *node = map_first(&log->entries); ok && node != NULL;
         node = map_next(&log->entries, node)) {
        struct entry *entry = MAP_OWNER(node, struct entry, by_number);
        ok = read_at(log, room, entry->len, entry->at + sizeof(struct record_head)) &&
             append(log, entry->number, view_of(room, entry->len), &entry->at);
    }
    if (room != NULL)
        secret_wipe(room, SAVED_LOG_RECORD_MAX);
    free(room);
    if (!ok || !write_log_head(log))
        return false;
    (void)fallocate(log->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)old,
                    (off_t)(start - old));
    return true;
}

static bool tidy(struct saved_log *log)
{
    uint64_t used = log->end - log->start;
    return used < LOG_SLACK || used < 4 * log->live || move(log);
}

bool saved_log_put(struct saved_log *log, uint64_t number, struct view bytes)
{
    uint64_t at;
    if (append(log, number, bytes, &at) && enter(log, number, at, (uint32_t)bytes.len) && tidy(log))
        return true;
    empty(log);
    return false;
}

void saved_log_drop(struct saved_log *log, uint64_t number)
{
    struct entry *entry = find(log, number);
    if (entry == NULL)
        return;
    bury(log, entry->at, entry->len, number);
    log->live -= room_of(entry->len);
    map_remove(&log->entries, &entry->by_number);
    free(entry);
}

/* Up to the first place where no whole record lies. */
static bool load(struct saved_log *log)
{
    uint8_t *room = malloc(SAVED_LOG_RECORD_MAX);
    struct record_head head;
    bool ok = room != NULL;

    while (ok && read_at(log, &head, sizeof(head), log->end) &&
           head.head_check == head_check(&head) && head.len <= SAVED_LOG_RECORD_MAX &&
           log->end + room_of(head.len) - log->start <= SAVED_LOG_MAX) {
        if (head.kind == KIND_LIVE) {
            if (!read_at(log, room, head.len, log->end + sizeof(head)) ||
                check_of(view_of(room, head.len)) != head.body_check)
                break;
            ok = enter(log, head.number, log->end, head.len);
        }
        log->end += room_of(head.len);
    }
    if (room != NULL)
        secret_wipe(room, SAVED_LOG_RECORD_MAX);
    free(room);
    return ok && ftruncate(log->fd, (off_t)log->end) == 0;
}

static enum err start(struct saved_log *log)
{
    struct log_head head;
    struct stat st;

    if (fstat(log->fd, &st) != 0)
        return ERR_STATE;
    log->is_new = st.st_size == 0;
    log->start = log->end = LOG_FIRST;
    if (read_at(log, &head, sizeof(head), 0) && head.magic == LOG_MAGIC &&
        head.check == check_of(view_of(&head, offsetof(struct log_head, check))) &&
        head.start >= LOG_FIRST && head.start % LOG_PAGE == 0 && head.start <= INT64_MAX / 2) {
        log->start = log->end = head.start;
        log->tries = head.tries;
        if (log->tries < SAVED_LOG_TRIES && !load(log))
            return ERR_MEMORY;
    }
    log->gave_up = log->tries >= SAVED_LOG_TRIES;
    log->tries = log->gave_up ? 1 : log->tries + 1;
    if (map_first(&log->entries) == NULL)
        empty(log);
    return write_log_head(log) ? ERR_OK : ERR_STATE;
}

enum err saved_log_open(int fd, const struct rng *rng, struct saved_log **ret)
{
    struct saved_log *log = calloc(1, sizeof(*log));
    if (log == NULL)
        return ERR_MEMORY;
    log->fd = fd;
    map_init(&log->entries, MAP_KEY_OFFSET(struct entry, by_number, number), sizeof(uint64_t), rng);
    enum err err = start(log);
    if (err != ERR_OK) {
        forget_all(log);
        map_fini(&log->entries);
        free(log);
        return err;
    }
    *ret = log;
    return ERR_OK;
}

void saved_log_close(struct saved_log *log)
{
    if (log == NULL)
        return;
    forget_all(log);
    map_fini(&log->entries);
    close(log->fd);
    free(log);
}

bool saved_log_is_new(const struct saved_log *log)
{
    return log->is_new;
}

bool saved_log_gave_up(const struct saved_log *log)
{
    return log->gave_up;
}

void saved_log_settled(struct saved_log *log)
{
    log->tries = 0;
    (void)write_log_head(log);
}

size_t saved_log_count(const struct saved_log *log)
{
    return log->entries.count;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

bool saved_log_walk(struct saved_log *log,
                    void (*give)(void *ctx, uint64_t number, struct view bytes), void *ctx)
{
    uint64_t *numbers = calloc(log->entries.count + 1, sizeof(*numbers));
    uint8_t *room = malloc(SAVED_LOG_RECORD_MAX);
    size_t count = 0;
    bool ok = numbers != NULL && room != NULL;

    for (struct map_node *node = map_first(&log->entries); ok && node != NULL;
         node = map_next(&log->entries, node))
        numbers[count++] = MAP_OWNER(node, struct entry, by_number)->number;
    if (ok)
        qsort(numbers, count, sizeof(*numbers), by_number);
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = find(log, numbers[i]);
        if (entry != NULL &&
            read_at(log, room, entry->len, entry->at + sizeof(struct record_head)))
            give(ctx, numbers[i], view_of(room, entry->len));
    }
    if (room != NULL)
        secret_wipe(room, SAVED_LOG_RECORD_MAX);
    free(room);
    free(numbers);
    return ok;
}
