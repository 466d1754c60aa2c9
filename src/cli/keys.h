/*
 * What the `cygnet keys` subcommands share.
 */
#ifndef CYGNET_CLI_KEYS_H
#define CYGNET_CLI_KEYS_H

#include "crypto/key.h"

/* The public half of the private key in a PEM file. False: failed, and said so. */
bool keys_read_public(const char *path, struct public_key *ret);

int keys_dns(int argc, char **argv);

#endif
