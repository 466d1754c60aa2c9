/*
 * Reads a YAML document into plain structs by a table of fields, over libyaml's document tree.
 * Every mistake is reported once, with the place libyaml saw it at: `FILE:LINE:COLUMN: what is
 * wrong; remedy`. Nothing is allocated but libyaml's own tree. No IO.
 */
#ifndef CYGNET_DAEMON_YAML_READER_H
#define CYGNET_DAEMON_YAML_READER_H

#include <yaml.h>

#include "base/view.h"

struct yaml_reader {
    const char *name; /* stands for FILE */
    yaml_document_t *document;
    char *error;      /* where the first mistake is described */
    size_t error_room;
};

struct yaml_choice {
    const char *name; /* compared without case */
    int value;
};

struct yaml_field;
/* Reads `node` into the struct at `base`. False: failed, and said so. */
typedef bool yaml_read_fn(struct yaml_reader *r, const yaml_node_t *node,
                          const struct yaml_field *field, void *base);

struct yaml_field {
    const char *name;
    yaml_read_fn *read;
    size_t offset;       /* of the member in the struct */
    size_t room;         /* yaml_read_text(): octets there, with the final zero */
    uint32_t least, most;/* yaml_read_number() */
    const struct yaml_choice *choices;    /* yaml_read_choice(), ends with a NULL name */
    const struct yaml_field *fields;      /* yaml_read_map(), ends with a NULL name */
    const char *remedy;  /* the field is required, and this is how to give it */
};

/* The one document in `text`, to be freed with yaml_document_delete(). False: failed. */
bool yaml_reader_load(struct yaml_reader *r, struct view text, yaml_document_t *ret);
/* Notes a mistake at `node` ("what; remedy") and returns false. */
__attribute__((format(printf, 3, 4))) bool yaml_reader_fail(struct yaml_reader *r,
                                                            const yaml_node_t *node,
                                                            const char *format, ...);
/* The value of a scalar, or NULL for a list or a map. */
const char *yaml_reader_scalar(const yaml_node_t *node);
/* The nearest of `count` names to a mistyped one; NULL: none is near. */
const char *yaml_reader_nearest(const char *typed, const char *const *names, size_t count);

/* All of a map's keys must be in the table and none may come twice. */
bool yaml_reader_fields(struct yaml_reader *r, const yaml_node_t *node,
                        const struct yaml_field *fields, void *base);

yaml_read_fn yaml_read_map;    /* field->fields, at the member */
yaml_read_fn yaml_read_text;   /* char[room] */
yaml_read_fn yaml_read_path;   /* char[room], absolute */
yaml_read_fn yaml_read_bool;   /* bool */
yaml_read_fn yaml_read_number; /* uint32_t from least to most */
yaml_read_fn yaml_read_choice; /* an enum */

#endif
