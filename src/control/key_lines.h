/*
 * Keys as lines of Wireshark's tables, so that a capture of our own traffic can be read: for tests and
 * for finding faults. Whoever has a line can read what the SA carries.
 */
#ifndef CYGNET_CONTROL_KEY_LINES_H
#define CYGNET_CONTROL_KEY_LINES_H

#include "crypto/aead.h"
#include "wire/sa.h"

enum key_table { KEY_TABLE_IKEV1, KEY_TABLE_IKEV2, KEY_TABLE_ESP, KEY_TABLES };

enum { KEY_LINE_MAX = 768, KEY_SPI_LEN = 8 };

/* What protects the messages of an IKE SA; views of as many octets as the suite takes. */
struct key_line_ike {
    struct aead_suite suite;
    const uint8_t *spi_i, *spi_r;      /* KEY_SPI_LEN octets; version 1: the cookies */
    const uint8_t *ei, *er, *ai, *ar;  /* version 1: only ei */
};

/* The file's name, as Wireshark wants it. */
const char *key_table_name(enum key_table table);
/* A line of the table esp_sa, with its end. Returns its length. */
size_t key_line_esp(const struct sa_params *sa, char ret[KEY_LINE_MAX]);
size_t key_line_ikev1(const struct key_line_ike *keys, char ret[KEY_LINE_MAX]);
/* 0: a cipher that Wireshark can't read there. */
size_t key_line_ikev2(const struct key_line_ike *keys, char ret[KEY_LINE_MAX]);

#endif
