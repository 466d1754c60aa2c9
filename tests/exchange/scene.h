/*
 * An exchange stopped just before one of its messages arrives, and a picture of what the receiver keeps,
 * to be compared with a later one. Scenes are numbered by the messages that pass; which row of the tables
 * waits for the message is found out from the receiver's state.
 */
#ifndef CYGNET_TESTS_SCENE_H
#define CYGNET_TESTS_SCENE_H

#include "forge.h"
#include "site.h"

enum { SCENE_LOG = 32, FACE_OCTETS = 1 << 16, FACE_PARTS = 256 };

struct course {
    const char *name;
    enum ike_method method; /* NOTHING: strangers with raw keys, as for opportunistic encryption */
    bool aggressive;
    bool informational; /* goes on until A deletes its tunnel; else until the tunnel is up */
};
extern const struct course courses[];
extern const size_t course_count;

struct scene {
    const struct course *course;
    struct site *site;
    struct pair *pair;
    unsigned at, seen;
    struct pair_datagram caught;
    struct pair_datagram before[SCENE_LOG]; /* those that arrived */
    const struct v1_row *row;               /* NULL: an informational message */
    enum v1_message_kind kind;
    unsigned receiver;
};

/* False: the course has no `at`th message. */
bool scene_open(struct scene *scene, const struct course *course, unsigned at);
/* The course up to the `nth` question of that kind to that side, which is left open: see pair_side.held.
 * False: there is none. */
bool scene_ask(struct scene *scene, const struct course *course, unsigned side,
               enum ike_effect_kind kind, unsigned nth);
void scene_close(struct scene *scene);
enum err scene_give(struct scene *scene, const struct pair_datagram *datagram);
/* The message that was caught works still, and so does the rest. */
void scene_finish(struct scene *scene);
/* The receiver is past authentication. */
bool scene_is_established(const struct scene *scene);
/* Its phase 1 SA; NULL: there is none yet. */
const struct ike_sa *scene_sa(const struct scene *scene);

/* What the engine keeps that a message could have changed, part by part. */
struct face {
    size_t len, count;
    struct {
        const char *name;
        size_t end;
    } parts[FACE_PARTS];
    uint8_t octets[FACE_OCTETS];
    uint64_t counters[IKE_COUNTER_COUNT];
    unsigned sent;
};
void face_take(struct face *face, const struct scene *scene);
/* Fails with the first part that differs. */
void face_same(const struct face *before, const struct face *after, const struct scene *scene);
/* The one counter that went up, by one. */
const char *face_counted(const struct face *before, const struct face *after,
                         const struct scene *scene);

#endif
