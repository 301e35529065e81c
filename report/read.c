/* Reading reports: the summary's figures, and tables as CSV. */
#include "report/read_internal.h"
#include "report/summary_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool schema_fits(hid_t file)
{
    char text[32] = "";
    hid_t attribute = H5Aopen(file, "schema", H5P_DEFAULT);
    if (attribute < 0)
        return false;
    hid_t type = H5Aget_type(attribute);
    bool ok = H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) <= 0 && H5Tget_size(type) < sizeof text &&
              H5Aread(attribute, type, text) >= 0 && strcmp(text, PP_REPORT_SCHEMA) == 0;
    H5Tclose(type);
    H5Aclose(attribute);
    return ok;
}

pp_status pp_report_open(pp_report **out, const char *path)
{
    *out = NULL;
    pp_h5_quiet();
    if (!pp_file_exists(path))
        return pp_fail(PP_ENOTFOUND, "%s: no such file", path);
    hid_t file = H5Fis_hdf5(path) > 0 ? H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT) : -1;
    if (file < 0)
        return pp_fail(PP_EFORMAT, "%s: not an HDF5 file, or damaged", path);
    if (!schema_fits(file)) {
        H5Fclose(file);
        return pp_fail(PP_EFORMAT, "%s: not a report of this program: expected the schema %s", path, PP_REPORT_SCHEMA);
    }
    pp_report *r = pp_calloc(1, sizeof *r);
    char *copy = pp_strdup(path);
    if (r == NULL || copy == NULL) {
        free(r);
        free(copy);
        H5Fclose(file);
        return PP_ENOMEM;
    }
    r->file = file;
    r->path = copy;
    *out = r;
    return PP_OK;
}

void pp_report_close(pp_report *r)
{
    if (r == NULL)
        return;
    H5Fclose(r->file);
    free(r->path);
    free(r);
}

static bool is_required(const pp_summary_field *f)
{
    return f->part == PP_PART_ALWAYS;
}

pp_status pp_summary_read(pp_summary *out, const pp_report *r)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < pp_summary_n_fields; i++) {
        const pp_summary_field *f = &pp_summary_fields[i];
        char path[96];
        snprintf(path, sizeof path, "%s/%s", f->group, f->column.name);
        bool there = pp_h5_read_scalar(r->file, path, &f->column, out);
        if (!there && is_required(f))
            return pp_fail(PP_EFORMAT, "%s: %s is missing or damaged", r->path, path);
        out->has_timing |= there && f->part == PP_PART_TIMING;
        out->has_energy |= there && f->part == PP_PART_ENERGY;
        out->has_area |= there && f->part == PP_PART_AREA;
        out->has_float |= there && f->part == PP_PART_FLOAT;
        out->has_quant |= there && f->part == PP_PART_QUANT;
        out->has_crossbar |= there && f->part == PP_PART_CROSSBAR;
    }
    return PP_OK;
}

/* ---- tables ---- */

static const char *const tables[][3] = {
    {"congestion", "/timing/congestion", "which stages make which channels wait"},
    {"compare", "/compare/rows", "networks on fabrics"},
    {"config", "/run/config", "every setting"},
    {"operators", "/workload/operators", "operators of the network"},
    {"layers", "/workload/stages", "stages: matrix operators with their digital tail"},
    {"quant", "/quant/stages", "quantization error of each stage"},
    {"streams", "/quant/streams", "number format of each stream"},
    {"fabric", "/fabric/cores", "cores of the fabric"},
    {"links", "/fabric/channels", "channels and ports of the fabric"},
    {"plan", "/mapping/plan", "patches, copies and tiles of each stage"},
    {"tiles", "/mapping/tiles", "crossbars and their cores"},
    {"flows", "/mapping/flows", "flows between tiles"},
    {"hops", "/mapping/hops", "ways of the flows"},
    {"bandwidth", "/bandwidth/channels", "required rate of each channel"},
    {"inferences", "/timing/inferences", "when each inference was done"},
    {"stages", "/timing/stages", "busy and waiting times of each stage"},
    {"cores", "/timing/cores", "use of each core"},
    {"channels", "/timing/channels", "use of each channel"},
    {"buffers", "/timing/flows", "fill of each flow's buffer, delivery times"},
    {"energy", "/energy/stages", "energy of each stage"},
    {"actions", "/energy/actions", "actions of an inference and their price"},
    {"area", "/energy/area", "components of the chip and their area"},
    {"adc", "/accuracy/adc", "converters of each tile"},
    {"accuracy", "/accuracy/rows", "accuracy of each model, time and compensation"},
    {"draws", "/accuracy/draws", "accuracy of each draw of the devices"},
    {"snr", "/accuracy/snr", "signal to noise of each layer"},
    {"leave_one_ideal", "/accuracy/leave_one_ideal", "accuracy with one layer on ideal devices"},
    {"models", "/accuracy/models", "crossbars, devices and reads of each model"},
};
#define N_TABLES (sizeof tables / sizeof *tables)

const char *pp_report_table_name(size_t i, const char **text)
{
    if (i >= N_TABLES)
        return NULL;
    *text = tables[i][2];
    return tables[i][0];
}

static const char *table_path(const char *name)
{
    for (size_t i = 0; i < N_TABLES; i++) {
        if (strcmp(tables[i][0], name) == 0)
            return tables[i][1];
    }
    return NULL;
}

static void print_text(const char *text, size_t size, FILE *f)
{
    size_t n = strnlen(text, size);
    bool quote = memchr(text, ',', n) != NULL || memchr(text, '"', n) != NULL || memchr(text, '\n', n) != NULL;
    if (quote)
        fputc('"', f);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"')
            fputc('"', f);
        fputc(text[i], f);
    }
    if (quote)
        fputc('"', f);
}

static void print_number(const char *value, hid_t type, FILE *f)
{
    size_t size = H5Tget_size(type);
    if (H5Tget_class(type) == H5T_FLOAT) {
        double v;
        memcpy(&v, value, sizeof v);
        fprintf(f, isfinite(v) ? "%.17g" : "%g", v);
    } else if (H5Tget_sign(type) == H5T_SGN_2) {
        int64_t v;
        memcpy(&v, value, sizeof v);
        fprintf(f, "%" PRId64, v);
    } else {
        uint64_t v = 0;
        memcpy(&v, value, size < sizeof v ? size : sizeof v);
        fprintf(f, "%" PRIu64, v);
    }
}

/* The columns of a table as HDF5 describes them, in the machine's own number formats. */
typedef struct table_shape {
    hid_t type; /* native compound */
    unsigned n;
    size_t stride;
} table_shape;

static void print_header(const table_shape *t, FILE *f)
{
    for (unsigned c = 0; c < t->n; c++) {
        char *name = H5Tget_member_name(t->type, c);
        fprintf(f, "%s%s", c > 0 ? "," : "", name != NULL ? name : "");
        H5free_memory(name);
    }
    fputc('\n', f);
}

static void print_row(const table_shape *t, const char *row, FILE *f)
{
    for (unsigned c = 0; c < t->n; c++) {
        hid_t type = H5Tget_member_type(t->type, c);
        const char *value = row + H5Tget_member_offset(t->type, c);
        if (c > 0)
            fputc(',', f);
        if (H5Tget_class(type) == H5T_STRING)
            print_text(value, H5Tget_size(type), f);
        else
            print_number(value, type, f);
        H5Tclose(type);
    }
    fputc('\n', f);
}

/* Only what this program writes: numbers of at most 8 bytes and fixed text. */
static bool columns_fit(const table_shape *t)
{
    for (unsigned c = 0; c < t->n; c++) {
        hid_t type = H5Tget_member_type(t->type, c);
        H5T_class_t kind = H5Tget_class(type);
        size_t size = H5Tget_size(type);
        bool ok = (kind == H5T_STRING && H5Tis_variable_str(type) <= 0) || (kind == H5T_INTEGER && size <= 8) ||
                  (kind == H5T_FLOAT && size == 8);
        if (kind == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_2 && size != 8)
            ok = false;
        H5Tclose(type);
        if (!ok)
            return false;
    }
    return true;
}

static pp_status print_table(const pp_report *r, const char *path, hid_t set, FILE *f)
{
    hid_t file_type = H5Dget_type(set), space = H5Dget_space(set);
    pp_status status = pp_fail(PP_EFORMAT, "%s: %s is damaged", r->path, path);
    char *rows = NULL;
    table_shape t = {.type = H5Tget_native_type(file_type, H5T_DIR_ASCEND)};
    hssize_t n = H5Sget_simple_extent_npoints(space);
    if (t.type < 0 || H5Tget_class(t.type) != H5T_COMPOUND || n < 0 || n > (1 << 26))
        goto done;
    t.n = (unsigned)H5Tget_nmembers(t.type);
    t.stride = H5Tget_size(t.type);
    if (!columns_fit(&t))
        goto done;
    rows = pp_calloc((size_t)n, t.stride);
    if (rows == NULL || (n > 0 && H5Dread(set, t.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows) < 0))
        goto done;
    print_header(&t, f);
    for (hssize_t i = 0; i < n; i++)
        print_row(&t, rows + (size_t)i * t.stride, f);
    status = ferror(f) ? pp_fail(PP_EIO, "the table cannot be written") : PP_OK;
done:
    free(rows);
    if (t.type >= 0)
        H5Tclose(t.type);
    H5Sclose(space);
    H5Tclose(file_type);
    return status;
}

pp_status pp_report_csv(const pp_report *r, const char *table, void *stdio_file)
{
    const char *path = table_path(table);
    if (path == NULL)
        return pp_fail(PP_ENOTFOUND, "report: no table '%s' (`pentaprism report csv` lists them)", table);
    hid_t set = H5Dopen2(r->file, path, H5P_DEFAULT);
    if (set < 0)
        return pp_fail(PP_ENOTFOUND, "%s: %s is not in this report", r->path, path);
    pp_status status = print_table(r, path, set, stdio_file);
    H5Dclose(set);
    return status;
}

void pp_hdf5_version(char buffer[32])
{
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(buffer, 32, "%u.%u.%u", major, minor, release);
}
