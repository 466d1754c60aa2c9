/*
 * Keys as lines of Wireshark's tables, so that a capture of our own traffic can be read: for tests and
 * for finding faults. Whoever has a line can read what the SA carries.
 */
#ifndef CYGNET_CONTROL_KEY_LINES_H
#define CYGNET_CONTROL_KEY_LINES_H

#include "base/view.h"
#include "ike/ike.h"
#include "wire/sa.h"

enum key_table { KEY_TABLE_IKEV1, KEY_TABLE_IKEV2, KEY_TABLE_ESP, KEY_TABLES };

enum { KEY_LINE_MAX = 768 };

/* The file's name, as Wireshark wants it. */
const char *key_table_name(enum key_table table);
/* A line of the table esp_sa, with its end. Returns its length; 0: Wireshark doesn't know the suite, or there
 * is nothing to decrypt (AH). */
size_t key_line_esp(const struct sa_params *sa, char ret[KEY_LINE_MAX]);
/* The same of ikev1_decryption_table or ikev2_decryption_table, by the version; 0: a cipher that
 * Wireshark has no name for. */
size_t key_line_ike(const struct ike_exported *keys, char ret[KEY_LINE_MAX]);

#endif
