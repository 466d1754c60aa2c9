/*
 * The private key's file, as it was when it was found usable: a copy in memory, so that what becomes of the
 * file later (half written, emptied) can't keep a keeper from starting again. The key is parsed in a process
 * of its own that ends at once; it is never in the caller's memory but as the octets that pass through.
 */
#ifndef CYGNET_DAEMON_KEY_FILE_H
#define CYGNET_DAEMON_KEY_FILE_H

#include "base/err.h"
#include "crypto/key.h"

enum { KEY_FILE_MAX = 64 * 1024 };

/* The copy's descriptor, to be closed; -1: `ret_why` says why not ("no such file", "not a private key"). With
 * errno EACCES this user may not read the file. */
int key_file_open(const char *path, const char **ret_why);
/* The key of such a copy, RSA; the descriptor is shared with keepers to come, so its offset stays where it is. */
MUST_USE enum err key_file_load(int fd, struct private_key **ret);

#endif
