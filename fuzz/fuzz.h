/*
 * The one door every fuzzer offers, to libFuzzer or to replay.c. A fuzzer asserts what its parser
 * promises, beyond not crashing: what is parsed can be built, and parses to the same again.
 */
#ifndef CYGNET_FUZZ_FUZZ_H
#define CYGNET_FUZZ_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
