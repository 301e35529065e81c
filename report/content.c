/* Reading whatever a report holds. */
#include "report/content.h"
#include "report/h5_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SETS 4096
#define MAX_COLUMNS 512
#define MAX_TEXT (1 << 20) /* of one field */

typedef struct reader {
    hid_t file;
    const char *path;
    pp_content *c;
    uint64_t bytes;
    PP_VEC(pp_content_set) sets;
    PP_VEC(char *) skipped;
    pp_status status;
} reader;

/* ---- one dataset ---- */

static void free_set(pp_content_set *set)
{
    for (size_t i = 0; i < set->n_columns; i++) {
        free(set->column[i].name);
        free(set->column[i].units);
        free(set->column[i].description);
        free(set->column[i].data);
    }
    free(set->column);
    free(set->path);
    free(set->description);
}

/* Text attribute in a new string; "" when it is not there or no fixed text. */
static char *text_attribute(hid_t object, const char *name)
{
    char *text = NULL;
    hid_t attribute = H5Aexists(object, name) > 0 ? H5Aopen(object, name, H5P_DEFAULT) : -1;
    if (attribute < 0)
        return pp_strdup("");
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    size_t size = H5Tget_size(type);
    if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) <= 0 && size <= MAX_TEXT &&
        H5Sget_simple_extent_npoints(space) == 1) {
        text = pp_calloc(size + 1, 1);
        if (text != NULL && H5Aread(attribute, type, text) < 0)
            text[0] = 0;
    }
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return text != NULL ? text : pp_strdup("");
}

/* Kind of a column and its bytes in memory; false: not one of ours. */
static bool classify(hid_t type, pp_content_column *to)
{
    size_t size = H5Tget_size(type);
    switch (H5Tget_class(type)) {
    case H5T_STRING:
        to->kind = PP_CELL_TEXT;
        to->size = size + 1;
        return H5Tis_variable_str(type) <= 0 && size > 0 && size <= MAX_TEXT;
    case H5T_INTEGER:
        to->kind = H5Tget_sign(type) == H5T_SGN_2 ? PP_CELL_I64 : PP_CELL_U64;
        to->size = 8;
        return size <= 8;
    case H5T_FLOAT:
        to->kind = PP_CELL_F64;
        to->size = 8;
        return size <= 8;
    default:
        return false;
    }
}

/* Texts keep the character set and padding of the file: HDF5 converts neither. */
static hid_t memory_type(hid_t set, const pp_content_set *to, const pp_content_column *column)
{
    if (column->kind == PP_CELL_TEXT) {
        hid_t stored = H5Dget_type(set), type = to->scalar ? H5Tcopy(stored) : H5Tget_member_type(stored, (unsigned)(column - to->column));
        H5Tset_size(type, column->size);
        H5Tclose(stored);
        return type;
    }
    return H5Tcopy(column->kind == PP_CELL_F64 ? H5T_NATIVE_DOUBLE : column->kind == PP_CELL_I64 ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64);
}

/* HDF5 takes and clears buffers of a MiB for every read, most of the time of small tables; a few rows do as well. */
static hid_t small_buffers(hid_t set, size_t size)
{
    hid_t stored = H5Dget_type(set), transfer = H5Pcreate(H5P_DATASET_XFER);
    const size_t row = H5Tget_size(stored) > size ? H5Tget_size(stored) : size;
    H5Pset_buffer(transfer, row > 1 << 16 ? row : 1 << 16, NULL, NULL);
    H5Tclose(stored);
    return transfer;
}

/* Values of one column; HDF5 takes the member of that name out of the rows. */
static bool read_column(reader *r, hid_t set, const pp_content_set *to, pp_content_column *column)
{
    r->bytes += (uint64_t)to->n_rows * column->size;
    if (r->bytes > PP_CONTENT_MAX_BYTES)
        return false;
    column->data = pp_calloc(to->n_rows + 1, column->size);
    if (column->data == NULL) {
        r->status = PP_ENOMEM;
        return false;
    }
    hid_t value = memory_type(set, to, column), type = value;
    if (!to->scalar) {
        type = H5Tcreate(H5T_COMPOUND, column->size);
        H5Tinsert(type, column->name, 0, value);
    }
    const hid_t transfer = small_buffers(set, column->size);
    bool ok = to->n_rows == 0 || H5Dread(set, type, H5S_ALL, H5S_ALL, transfer, column->data) >= 0;
    H5Pclose(transfer);
    if (type != value)
        H5Tclose(type);
    H5Tclose(value);
    for (size_t i = 0; ok && column->kind == PP_CELL_TEXT && i < to->n_rows; i++)
        column->text[i * column->size + column->size - 1] = 0;
    return ok;
}

/* What stands behind "NAME: " in a list of the kind "a: x; b: y" or in lines; a new string, or `fallback` copied. */
static char *entry_of(const char *list, const char *name, char separator, const char *fallback)
{
    size_t length = strlen(name);
    for (const char *at = list; at != NULL && *at != 0;) {
        while (*at == ' ')
            at++;
        const char *end = strchr(at, separator);
        size_t n = end != NULL ? (size_t)(end - at) : strlen(at);
        if (n > length + 2 && strncmp(at, name, length) == 0 && at[length] == ':')
            return pp_strf("%.*s", (int)(n - length - 2), at + length + 2);
        at = end != NULL ? end + 1 : NULL;
    }
    return pp_strdup(fallback);
}

static bool shape_columns(reader *r, hid_t stored, pp_content_set *to)
{
    bool compound = H5Tget_class(stored) == H5T_COMPOUND;
    int n = compound ? H5Tget_nmembers(stored) : 1;
    if (n < 1 || n > MAX_COLUMNS)
        return false;
    to->column = pp_calloc((size_t)n, sizeof *to->column);
    if (to->column == NULL) {
        r->status = PP_ENOMEM;
        return false;
    }
    to->n_columns = (size_t)n;
    bool ok = true;
    for (int i = 0; ok && i < n; i++) {
        hid_t type = compound ? H5Tget_member_type(stored, (unsigned)i) : H5Tcopy(stored);
        ok = type >= 0 && classify(type, &to->column[i]);
        char *name = compound ? H5Tget_member_name(stored, (unsigned)i) : NULL;
        const char *last = strrchr(to->path, '/');
        to->column[i].name = pp_strdup(name != NULL ? name : last != NULL ? last + 1 : to->path);
        H5free_memory(name);
        if (type >= 0)
            H5Tclose(type);
        if (to->column[i].name == NULL)
            r->status = PP_ENOMEM;
        ok = ok && r->status == PP_OK;
    }
    return ok;
}

static void describe(reader *r, hid_t set, pp_content_set *to)
{
    char *units = text_attribute(set, "units"), *text = text_attribute(set, "description");
    bool ok = units != NULL && text != NULL;
    for (size_t i = 0; ok && i < to->n_columns; i++) {
        pp_content_column *column = &to->column[i];
        column->units = to->scalar ? pp_strdup(units) : entry_of(units, column->name, ';', "1");
        column->description = to->scalar ? pp_strdup("") : entry_of(text, column->name, '\n', "");
        ok = column->units != NULL && column->description != NULL;
    }
    if (ok) {
        size_t first = strcspn(text, "\n");
        to->description = pp_strf("%.*s", (int)first, text);
    }
    if (!ok || to->description == NULL)
        r->status = PP_ENOMEM;
    free(units);
    free(text);
}

/* False: not a scalar or a table of ours. r->status tells of failures. */
static bool read_set(reader *r, hid_t set, pp_content_set *to)
{
    hid_t space = H5Dget_space(set), stored = H5Dget_type(set);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    int rank = H5Sget_simple_extent_ndims(space);
    to->scalar = H5Tget_class(stored) != H5T_COMPOUND;
    bool ok = n >= 0 && n <= (hssize_t)1 << 32 && rank >= 0 && rank <= 1 && (!to->scalar || n == 1);
    to->n_rows = ok ? (size_t)n : 0;
    ok = ok && shape_columns(r, stored, to);
    H5Tclose(stored);
    H5Sclose(space);
    if (!ok)
        return false;
    describe(r, set, to);
    for (size_t i = 0; r->status == PP_OK && i < to->n_columns; i++)
        if (!read_column(r, set, to, &to->column[i])) {
            if (r->status == PP_OK)
                r->status = pp_fail(PP_EFORMAT, "%s: %s is damaged, or larger than %" PRIu64 " MiB of values in all", r->path, to->path,
                                    PP_CONTENT_MAX_BYTES >> 20);
        }
    return r->status == PP_OK;
}

/* ---- the file ---- */

static herr_t visit(hid_t file, const char *name, const H5O_info_t *info, void *user)
{
    reader *r = user;
    if (info->type != H5O_TYPE_DATASET)
        return 0;
    pp_content_set set = {.path = pp_strf("/%s", name)};
    if (set.path == NULL || r->sets.len + r->skipped.len >= MAX_SETS) {
        r->status = set.path == NULL ? PP_ENOMEM : pp_fail(PP_EFORMAT, "%s: more than %d datasets", r->path, MAX_SETS);
        free(set.path);
        return -1;
    }
    hid_t id = H5Dopen2(file, name, H5P_DEFAULT);
    bool ours = id >= 0 && read_set(r, id, &set);
    if (id < 0)
        r->status = pp_fail(PP_EFORMAT, "%s: %s is damaged", r->path, set.path);
    else
        H5Dclose(id);
    if (ours && pp_push(&r->sets, set))
        return 0;
    if (!ours && r->status == PP_OK) {
        char *path = pp_strdup(set.path);
        if (path != NULL && pp_push(&r->skipped, path)) {
            free_set(&set);
            return 0;
        }
        free(path);
    }
    r->status = r->status == PP_OK ? PP_ENOMEM : r->status;
    free_set(&set);
    return -1;
}

static pp_status read_all(reader *r)
{
    r->c->schema = text_attribute(r->file, "schema");
    r->c->path = pp_strdup(r->path);
    if (r->c->schema == NULL || r->c->path == NULL)
        return PP_ENOMEM;
    bool ours = strncmp(r->c->schema, "pentaprism-", 11) == 0 || H5Lexists(r->file, "quantize", H5P_DEFAULT) > 0;
    if (!ours)
        return pp_fail(PP_EFORMAT, "%s: not a report of this program: expected the schema pentaprism-report/1 (traffic/1, quantize/1)", r->path);
    herr_t done = H5Ovisit(r->file, H5_INDEX_NAME, H5_ITER_INC, visit, r);
    if (r->status == PP_OK && done < 0)
        return pp_fail(PP_EFORMAT, "%s: damaged: its groups cannot be listed", r->path);
    return r->status;
}

pp_status pp_content_read(pp_content **out, const char *path)
{
    *out = NULL;
    pp_h5_quiet();
    if (!pp_file_exists(path))
        return pp_fail(PP_ENOTFOUND, "%s: No such file or directory%s", path, pp_near_file(path, (char[PP_NEAR_FILE_MAX]){0}));
    hid_t file = H5Fis_hdf5(path) > 0 ? H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT) : -1;
    if (file < 0)
        return pp_fail(PP_EFORMAT, "%s: not an HDF5 file, or damaged", path);
    reader r = {.file = file, .path = path, .c = pp_calloc(1, sizeof(pp_content))};
    pp_status status = r.c != NULL ? read_all(&r) : PP_ENOMEM;
    H5Fclose(file);
    if (r.c == NULL)
        return status;
    r.c->set = r.sets.data;
    r.c->n_sets = r.sets.len;
    r.c->skipped = r.skipped.data;
    r.c->n_skipped = r.skipped.len;
    if (status == PP_OK)
        *out = r.c;
    else
        pp_content_free(r.c);
    return status;
}

void pp_content_free(pp_content *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->n_sets; i++)
        free_set(&c->set[i]);
    for (size_t i = 0; i < c->n_skipped; i++)
        free(c->skipped[i]);
    free(c->set);
    free(c->skipped);
    free(c->path);
    free(c->schema);
    free(c);
}

/* ---- cells ---- */

const pp_content_set *pp_content_find(const pp_content *c, const char *path)
{
    for (size_t i = 0; i < c->n_sets; i++)
        if (strcmp(c->set[i].path, path) == 0)
            return &c->set[i];
    return NULL;
}

const pp_content_column *pp_content_column_of(const pp_content_set *set, const char *name)
{
    for (size_t i = 0; set != NULL && i < set->n_columns; i++)
        if (strcmp(set->column[i].name, name) == 0)
            return &set->column[i];
    return NULL;
}

const char *pp_content_text(const pp_content_column *column, size_t row)
{
    return column->kind == PP_CELL_TEXT ? column->text + row * column->size : "";
}

double pp_content_number(const pp_content_column *column, size_t row)
{
    switch (column->kind) {
    case PP_CELL_U64:
        return (double)column->u64[row];
    case PP_CELL_I64:
        return (double)column->i64[row];
    case PP_CELL_F64:
        return column->f64[row];
    default:
        return NAN;
    }
}

static void print_f64(double v, char *buffer, size_t size)
{
    if (!isfinite(v)) {
        snprintf(buffer, size, "%s", isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    for (int digits = 6; digits <= 17; digits += digits < 15 ? 9 : 1) {
        snprintf(buffer, size, "%.*g", digits, v);
        if (strtod(buffer, NULL) == v)
            return;
    }
}

void pp_content_print(const pp_content_column *column, size_t row, char *buffer, size_t size)
{
    if (column->kind == PP_CELL_TEXT)
        snprintf(buffer, size, "%s", pp_content_text(column, row));
    else if (column->kind == PP_CELL_F64)
        print_f64(column->f64[row], buffer, size);
    else if (column->kind == PP_CELL_I64)
        snprintf(buffer, size, "%" PRId64, column->i64[row]);
    else
        snprintf(buffer, size, "%" PRIu64, column->u64[row]);
}
