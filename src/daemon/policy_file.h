/*
 * The policy files that FreeS/WAN and its heirs have: a file for each class, named after it, with one
 * prefix a line and comments from `#` on. Errors are one line for people, `FILE:LINE: what is wrong;
 * remedy`. No IO.
 */
#ifndef CYGNET_DAEMON_POLICY_FILE_H
#define CYGNET_DAEMON_POLICY_FILE_H

#include "daemon/config.h"

enum { POLICY_FILE_NAME_MAX = 24 };

/* "clear", "private" and so on; `i` from 0 up. NULL: no more. */
const char *policy_file_name(size_t i);
/* Adds the lines to config's classes. The last part of `path` says which class. False: ret_error,
 * CONFIG_ERROR_MAX octets, holds one line for people. */
MUST_USE bool policy_file_parse(struct view text, const char *path, struct cygnet_config *config,
                                char *ret_error);

#endif
