#include "report/h5_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROWS (1 << 26) /* of a table that is read */

void pp_h5_quiet(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static pp_status failed(const char *path)
{
    return pp_fail(PP_EIO, "%s: the report cannot be written (disk full?)", path);
}

/* HDF5 stamps objects with the time unless told not to, and reports must not differ by it. */
static hid_t untimed(hid_t class_id)
{
    hid_t plist = H5Pcreate(class_id);
    if (plist >= 0)
        H5Pset_obj_track_times(plist, 0);
    return plist;
}

/* The file grows in memory and is written in one piece by pp_h5_close: HDF5 1.10 cannot give up a file
 * whose disk is full, and crashes when the program ends. */
pp_status pp_h5_create(hid_t *out, const char *path)
{
    hid_t plist = untimed(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
    *out = H5Pset_fapl_core(access, (size_t)1 << 20, false) >= 0 ? H5Fcreate(path, H5F_ACC_TRUNC, plist, access) : -1;
    H5Pclose(access);
    H5Pclose(plist);
    return *out >= 0 ? PP_OK : failed(path);
}

/* Bytes of an open file in a new buffer; NULL on failure. */
static void *file_image(hid_t file, size_t *size)
{
    ssize_t n = H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0 ? H5Fget_file_image(file, NULL, 0) : -1;
    void *image = n > 0 ? pp_alloc((size_t)n, 1) : NULL;
    *size = n > 0 ? (size_t)n : 0;
    if (image != NULL && H5Fget_file_image(file, image, *size) != n) {
        free(image);
        return NULL;
    }
    return image;
}

pp_status pp_h5_close(hid_t file, const char *path)
{
    size_t size = 0;
    void *image = file_image(file, &size);
    bool written = H5Fclose(file) >= 0 && image != NULL;
    FILE *f = written ? fopen(path, "wb") : NULL;
    written = f != NULL && fwrite(image, 1, size, f) == size;
    if (f != NULL && fclose(f) != 0)
        written = false;
    free(image);
    return written ? PP_OK : failed(path);
}

pp_status pp_h5_write(const char *path, bool force, pp_h5_fill fill, const void *what)
{
    pp_output out;
    hid_t file = H5I_INVALID_HID;
    pp_h5_quiet();
    PP_TRY(pp_output_begin(&out, path, force));
    pp_status status = pp_h5_create(&file, out.temporary);
    if (status == PP_OK) {
        status = fill(file, what);
        const pp_status closed = pp_h5_close(file, out.temporary);
        status = status != PP_OK ? status : closed;
    }
    if (status == PP_EIO)
        status = failed(path);
    if (status == PP_OK)
        status = pp_output_commit(&out);
    pp_output_abort(&out);
    return status;
}

static hid_t text_type(size_t size)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size > 0 ? size : 1);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

pp_status pp_h5_text_attribute(hid_t object, const char *name, const char *value)
{
    hid_t type = text_type(strlen(value)), space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t written = attribute >= 0 ? H5Awrite(attribute, type, value) : -1;
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return written >= 0 ? PP_OK : failed(name);
}

pp_status pp_h5_group(hid_t file, const char *name, const char *description)
{
    hid_t plist = untimed(H5P_GROUP_CREATE);
    hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, plist, H5P_DEFAULT);
    H5Pclose(plist);
    if (group < 0)
        return failed(name);
    pp_status status = pp_h5_text_attribute(group, "description", description);
    H5Gclose(group);
    return status;
}

/* Type of a column; in files little-endian whatever the machine. */
static hid_t column_type(const pp_h5_column *c, bool in_file)
{
    switch (c->kind) {
    case PP_H5_U32:
        return H5Tcopy(in_file ? H5T_STD_U32LE : H5T_NATIVE_UINT32);
    case PP_H5_I64:
        return H5Tcopy(in_file ? H5T_STD_I64LE : H5T_NATIVE_INT64);
    case PP_H5_U64:
        return H5Tcopy(in_file ? H5T_STD_U64LE : H5T_NATIVE_UINT64);
    case PP_H5_F64:
        return H5Tcopy(in_file ? H5T_IEEE_F64LE : H5T_NATIVE_DOUBLE);
    case PP_H5_BOOL:
        return H5Tcopy(in_file ? H5T_STD_U8LE : H5T_NATIVE_UCHAR);
    case PP_H5_TEXT:
    case PP_H5_STRING:
        return text_type(c->size);
    }
    return -1;
}

static pp_status make_dataset(hid_t file, const char *path, hid_t file_type, hid_t memory_type, hid_t space,
                              const void *data, const char *units, const char *description)
{
    hid_t plist = untimed(H5P_DATASET_CREATE);
    hid_t set = H5Dcreate2(file, path, file_type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    H5Pclose(plist);
    if (set < 0)
        return failed(path);
    pp_status status = PP_OK;
    if (data != NULL && H5Dwrite(set, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = failed(path);
    if (status == PP_OK)
        status = pp_h5_text_attribute(set, "units", units[0] != 0 ? units : "1");
    if (status == PP_OK)
        status = pp_h5_text_attribute(set, "description", description);
    H5Dclose(set);
    return status;
}

pp_status pp_h5_scalar(hid_t file, const char *path, const pp_h5_column *c, const void *row)
{
    if (c->kind == PP_H5_TEXT)
        return pp_h5_text(file, path, (const char *)row + c->offset, c->description);
    hid_t file_type = column_type(c, true), memory_type = column_type(c, false), space = H5Screate(H5S_SCALAR);
    pp_status status = make_dataset(file, path, file_type, memory_type, space, (const char *)row + c->offset, c->units,
                                    c->description);
    H5Sclose(space);
    H5Tclose(memory_type);
    H5Tclose(file_type);
    return status;
}

pp_status pp_h5_text(hid_t file, const char *path, const char *value, const char *description)
{
    hid_t type = text_type(strlen(value)), space = H5Screate(H5S_SCALAR);
    pp_status status = make_dataset(file, path, type, type, space, value, "", description);
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

/* Compound type of a row; packed in the file, so that padding never reaches it. */
static hid_t row_type(const pp_h5_column *columns, size_t n, size_t stride, bool in_file)
{
    hid_t type = H5Tcreate(H5T_COMPOUND, stride);
    for (size_t i = 0; i < n; i++) {
        hid_t column = column_type(&columns[i], in_file);
        if (columns[i].kind == PP_H5_TEXT || columns[i].kind == PP_H5_STRING)
            H5Tset_strpad(column, H5T_STR_NULLTERM); /* h5dump prints the text alone then */
        H5Tinsert(type, columns[i].name, columns[i].offset, column);
        H5Tclose(column);
    }
    if (in_file)
        H5Tpack(type);
    return type;
}

/* "busy_ps: ps; share: 1" for a table. */
static char *join_units(const pp_h5_column *columns, size_t n)
{
    char *text = pp_strdup("");
    for (size_t i = 0; i < n && text != NULL; i++) {
        const char *units = columns[i].units[0] != 0 ? columns[i].units : "1";
        char *longer = pp_strf("%s%s%s: %s", text, i > 0 ? "; " : "", columns[i].name, units);
        free(text);
        text = longer;
    }
    return text;
}

static char *join_description(const char *description, const pp_h5_column *columns, size_t n)
{
    char *text = pp_strdup(description);
    for (size_t i = 0; i < n && text != NULL; i++) {
        char *longer = pp_strf("%s\n%s: %s", text, columns[i].name, columns[i].description);
        free(text);
        text = longer;
    }
    return text;
}

static pp_status write_rows(hid_t file, const char *path, const char *description, const pp_h5_column *columns,
                            size_t n_columns, const void *rows, size_t stride, size_t n)
{
    char *units = join_units(columns, n_columns), *text = join_description(description, columns, n_columns);
    pp_status status = PP_ENOMEM;
    if (units != NULL && text != NULL) {
        hsize_t count = n;
        hid_t file_type = row_type(columns, n_columns, stride, true);
        hid_t memory_type = row_type(columns, n_columns, stride, false);
        hid_t space = H5Screate_simple(1, &count, NULL);
        status = make_dataset(file, path, file_type, memory_type, space, n > 0 ? rows : NULL, units, text);
        H5Sclose(space);
        H5Tclose(memory_type);
        H5Tclose(file_type);
    }
    free(units);
    free(text);
    return status;
}

/* ---- texts as wide as they need ---- */

static const char *string_at(const void *rows, size_t stride, size_t row, const pp_h5_column *c)
{
    const char *at = (const char *)rows + row * stride + c->offset, *text = NULL;
    if (c->kind == PP_H5_TEXT)
        return at;
    memcpy(&text, at, sizeof text);
    return text != NULL ? text : "";
}

static bool is_fitted(const pp_h5_column *c)
{
    return c->kind == PP_H5_STRING || (c->kind == PP_H5_TEXT && c->least > 0);
}

static size_t field_size(const pp_h5_column *c)
{
    static const size_t size[] = {[PP_H5_U32] = 4, [PP_H5_I64] = 8, [PP_H5_U64] = 8, [PP_H5_F64] = 8, [PP_H5_BOOL] = 1};
    return c->kind == PP_H5_TEXT || c->kind == PP_H5_STRING ? c->size : size[c->kind];
}

/* Columns of packed rows, each fitted one wide enough for all of its texts and a zero; returns the size of a row. */
static size_t pack_columns(pp_h5_column *out, const pp_h5_column *columns, size_t n_columns, const void *rows, size_t stride, size_t n)
{
    size_t at = 0;
    for (size_t c = 0; c < n_columns; c++) {
        out[c] = columns[c];
        out[c].size = columns[c].kind == PP_H5_TEXT && columns[c].least > 0 ? columns[c].least : columns[c].size;
        for (size_t i = 0; is_fitted(&columns[c]) && i < n; i++) {
            const size_t length = strlen(string_at(rows, stride, i, &columns[c]));
            out[c].size = length >= out[c].size ? length + 1 : out[c].size;
        }
        out[c].offset = at;
        at += field_size(&out[c]);
    }
    return at;
}

static void pack_row(char *to, const pp_h5_column *out, const void *rows, size_t stride, size_t row, const pp_h5_column *columns, size_t n_columns)
{
    for (size_t c = 0; c < n_columns; c++) {
        if (is_fitted(&columns[c])) {
            const char *text = string_at(rows, stride, row, &columns[c]);
            memcpy(to + out[c].offset, text, strlen(text));
        } else {
            memcpy(to + out[c].offset, (const char *)rows + row * stride + columns[c].offset, field_size(&columns[c]));
        }
    }
}

pp_status pp_h5_table(hid_t file, const char *path, const char *description, const pp_h5_column *columns,
                      size_t n_columns, const void *rows, size_t stride, size_t n)
{
    bool strings = false;
    for (size_t c = 0; c < n_columns; c++)
        strings = strings || is_fitted(&columns[c]);
    if (!strings)
        return write_rows(file, path, description, columns, n_columns, rows, stride, n);
    pp_h5_column *out = pp_alloc(n_columns, sizeof *out);
    if (out == NULL)
        return PP_ENOMEM;
    const size_t size = pack_columns(out, columns, n_columns, rows, stride, n);
    char *packed = pp_calloc(n > 0 ? n : 1, size);
    for (size_t i = 0; packed != NULL && i < n; i++)
        pack_row(packed + i * size, out, rows, stride, i, columns, n_columns);
    const pp_status status = packed != NULL ? write_rows(file, path, description, out, n_columns, packed, size, n) : PP_ENOMEM;
    free(packed);
    free(out);
    return status;
}

/* In a damaged file texts need not end, and any byte stands where a bool should. */
static void mend_field(char *field, const pp_h5_column *c)
{
    if (c->kind == PP_H5_TEXT)
        field[c->size - 1] = 0;
    else if (c->kind == PP_H5_BOOL)
        *field = *field != 0;
}

bool pp_h5_read_scalar(hid_t file, const char *path, const pp_h5_column *c, void *row)
{
    hid_t set = H5Dopen2(file, path, H5P_DEFAULT);
    if (set < 0)
        return false;
    hid_t type = column_type(c, false), space = H5Dget_space(set);
    char *field = (char *)row + c->offset;
    bool ok = H5Sget_simple_extent_npoints(space) == 1 && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, field) >= 0;
    if (ok)
        mend_field(field, c);
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(set);
    return ok;
}

static void mend_fields(char *rows, size_t n, size_t stride, const pp_h5_column *columns, size_t n_columns)
{
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < n_columns; c++)
            mend_field(rows + i * stride + columns[c].offset, &columns[c]);
}

bool pp_h5_read_table(hid_t file, const char *path, const pp_h5_column *columns, size_t n_columns, size_t stride,
                      void **rows, size_t *n)
{
    *rows = NULL;
    hid_t set = H5Dopen2(file, path, H5P_DEFAULT);
    if (set < 0)
        return false;
    hid_t type = row_type(columns, n_columns, stride, false), space = H5Dget_space(set), stored = H5Dget_type(set);
    hssize_t count = H5Tget_class(stored) == H5T_COMPOUND ? H5Sget_simple_extent_npoints(space) : -1;
    bool ok = count >= 0 && count <= MAX_ROWS;
    if (ok) {
        *rows = pp_calloc((size_t)count, stride);
        ok = *rows != NULL && (count == 0 || H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *rows) >= 0);
    }
    if (ok) {
        *n = (size_t)count;
        mend_fields(*rows, *n, stride, columns, n_columns);
    } else {
        free(*rows);
        *rows = NULL;
    }
    H5Tclose(stored);
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(set);
    return ok;
}
