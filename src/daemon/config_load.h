/*
 * Reads the configuration and the policy files that it names into one text, and parses it. The text
 * is what the children get, so that they need no file. Nothing is written to the log.
 */
#ifndef CYGNET_DAEMON_CONFIG_LOAD_H
#define CYGNET_DAEMON_CONFIG_LOAD_H

#include "daemon/config.h"

/* To be freed. NULL: ret_error, CONFIG_ERROR_MAX octets, says what is wrong and what to do; `ret` is
 * untouched. */
char *config_load(const char *path, struct cygnet_config *ret, size_t *ret_len, char *ret_error);

#endif
