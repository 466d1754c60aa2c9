/*
 * What was seen on the wire, as the matcher takes it: from a capture, which tshark dissects, or
 * from what `cygnet trace --json` printed.
 */
#ifndef CYGNET_CLI_MODEL_SEEN_H
#define CYGNET_CLI_MODEL_SEEN_H

#include "model/arena.h"
#include "model/match.h"

enum { SEEN_OPTIONS_MAX = 32 };

struct seen {
    struct arena arena; /* of the strings */
    struct match_packet *packets;
    size_t count;
    const char *observers[2]; /* a trace: the gateways that wrote it */
    struct match_input input; /* all but the model, which the caller sets */
};

/* `options`: preferences for tshark, NULL behind the last. False: failed, and said so. seen_fini()
 * in any case. */
bool seen_capture(struct seen *seen, const struct model *model, const char *model_path,
                  const char *path, const char *const *options);
/* `text`: lines of JSON. */
bool seen_trace(struct seen *seen, const struct model *model, const char *path, const char *text);
void seen_fini(struct seen *seen);

/* The packet that frame or record `number` is, new if it isn't the newest. NULL: no memory. */
struct match_packet *seen_packet(struct seen *seen, uint64_t number);

#endif
