/*
 * `cygnet model VERB`: a function a verb, and what they share. Reads files, which src/model never
 * does.
 */
#ifndef CYGNET_CLI_MODEL_H
#define CYGNET_CLI_MODEL_H

#include "model/model.h"

int cli_model_check(int argc, char **argv);
int cli_model_match(int argc, char **argv);
int cli_model_render(int argc, char **argv);

/* The model in a file; "-" is standard input. NULL: there is none, and it said why:
 * "FILE:LINE:COLUMN: what; remedy". */
struct model *cli_model_load(const char *path);

/* Has Spin look for deadlocks and unspecified receptions; prints what it found, a mistake as a
 * ladder. False: there is one, or it could not be told. */
bool cli_model_verify(const char *path, const struct model *model, bool json);

#endif
