/* A thin layer over HDF5: groups, scalars and compound tables, always with `units` and `description`,
 * never with a time stamp. */
#ifndef PP_REPORT_H5_INTERNAL_H
#define PP_REPORT_H5_INTERNAL_H

#include "base/base.h"

#include <hdf5.h>

/* TEXT is an array of chars in the row. STRING is a const char *, in tables that are written alone: its field is as wide
 * as the longest of the column (pp_h5_table), so that no text is ever cut. */
typedef enum pp_h5_kind { PP_H5_U32, PP_H5_I64, PP_H5_U64, PP_H5_F64, PP_H5_BOOL, PP_H5_TEXT, PP_H5_STRING } pp_h5_kind;

/* One column of a table, or one scalar: where it stands in the row's struct. */
typedef struct pp_h5_column {
    const char *name;
    pp_h5_kind kind;
    size_t offset, size; /* size: of a text field (char array) */
    const char *units, *description;
    size_t least;        /* of a TEXT in a table: the file's field is as wide as the longest, at least this; 0: size */
} pp_h5_column;

#define PP_H5_COLUMN(type, field, kind_, units_, description_) \
    {.name = #field, .kind = kind_, .offset = offsetof(type, field), .size = sizeof((type *)0)->field, .units = units_, \
     .description = description_}
/* A TEXT whose field in a file's tables has `least_` bytes, or more where a text is longer. */
#define PP_H5_TEXT_COLUMN(type, field, least_, description_) \
    {.name = #field, .kind = PP_H5_TEXT, .offset = offsetof(type, field), .size = sizeof((type *)0)->field, .units = "", \
     .description = description_, .least = least_}
/* A STRING; its field has at least `least` bytes. */
#define PP_H5_STRING_COLUMN(type, field, least_, description_) \
    {.name = #field, .kind = PP_H5_STRING, .offset = offsetof(type, field), .size = least_, .units = "", .description = description_}

/* Silences HDF5's own messages; once before any call. */
void pp_h5_quiet(void);

/* A new file in memory with time tracking off; `path` is for messages. */
pp_status pp_h5_create(hid_t *out, const char *path);
/* Writes it to `path` (truncates) and closes it; on failure it is closed, too. */
pp_status pp_h5_close(hid_t file, const char *path);
/* Puts what a file holds into it. */
typedef pp_status (*pp_h5_fill)(hid_t file, const void *what);
/* A file at `path` as `fill` fills it, whole or not at all; an existing one only with force (pp_output_begin). */
pp_status pp_h5_write(const char *path, bool force, pp_h5_fill fill, const void *what);
pp_status pp_h5_group(hid_t file, const char *name, const char *description);
pp_status pp_h5_text_attribute(hid_t object, const char *name, const char *value);
/* Scalar dataset from a struct field. */
pp_status pp_h5_scalar(hid_t file, const char *path, const pp_h5_column *column, const void *row);
/* Scalar text of any length. */
pp_status pp_h5_text(hid_t file, const char *path, const char *value, const char *description);
/* Table of n rows (structs of `stride` bytes); n == 0 is an empty table. */
pp_status pp_h5_table(hid_t file, const char *path, const char *description, const pp_h5_column *columns,
                      size_t n_columns, const void *rows, size_t stride, size_t n);
/* Reads a scalar into the field; false when the dataset is not there. */
bool pp_h5_read_scalar(hid_t file, const char *path, const pp_h5_column *column, void *row);

/* Reads a table into new rows of `stride` bytes (caller frees); columns that the file lacks stay 0. False when it is
 * not there or damaged. */
bool pp_h5_read_table(hid_t file, const char *path, const pp_h5_column *columns, size_t n_columns, size_t stride,
                      void **rows, size_t *n);

#endif
