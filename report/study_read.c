/* The rows of a study of accuracy, read back from a report. */
#include "report/accuracy.h"
#include "report/tables_internal.h"

#include <math.h>
#include <string.h>

/* A number of a column that may be missing. */
static double number(const pp_content_set *set, const char *name, size_t row)
{
    const pp_content_column *c = pp_content_column_of(set, name);
    return c != NULL ? pp_content_number(c, row) : NAN;
}

static void text(char *out, size_t size, const pp_content_set *set, const char *name, size_t row)
{
    const pp_content_column *c = pp_content_column_of(set, name);
    pp_put_text(out, size, c != NULL && c->kind == PP_CELL_TEXT ? pp_content_text(c, row) : "");
}

pp_status pp_study_read_rows(pp_study *study, const pp_content *c)
{
    const pp_content_set *set = pp_content_find(c, "/accuracy/rows"), *device = pp_content_find(c, "/accuracy/device");
    *study = (pp_study){.bits_per_byte = pp_content_find(c, "/accuracy/top1_float") == NULL};
    if (set == NULL || set->scalar || set->n_rows == 0)
        return pp_fail(PP_ENOTFOUND, "%s: no study of accuracy", c->path);
    if (device != NULL && device->scalar && device->column[0].kind == PP_CELL_TEXT)
        pp_put_text(study->device, sizeof study->device, pp_content_text(&device->column[0], 0));
    for (size_t i = 0; i < set->n_rows; i++) {
        pp_study_row r = {.time_s = number(set, "time_s", i), .mean = number(set, "mean", i), .std = number(set, "std", i),
                          .ci95 = number(set, "ci95", i), .images_std = number(set, "images_std", i)};
        text(r.model, sizeof r.model, set, "model", i);
        text(r.compensation, sizeof r.compensation, set, "compensation", i);
        if (!pp_push(&study->rows, r))
            return PP_ENOMEM;
    }
    return PP_OK;
}

void pp_study_rows_json(const pp_study *study, pp_json *object)
{
    const bool bits = study->bits_per_byte;
    pp_json *rows = pp_json_add_list(object, "rows");
    for (size_t i = 0; i < study->rows.len; i++) {
        const pp_study_row *r = &study->rows.data[i];
        pp_json *row = pp_json_add_object(rows, NULL);
        pp_json_add_text(row, "model", r->model);
        pp_json_add_f64(row, "time_s", r->time_s);
        pp_json_add_text(row, "compensation", r->compensation);
        pp_json_add_f64(row, bits ? "bits_per_byte_mean" : "top1_mean", r->mean);
        pp_json_add_f64(row, bits ? "bits_per_byte_std" : "top1_std", r->std);
        pp_json_add_f64(row, bits ? "bits_per_byte_ci95" : "top1_ci95", r->ci95);
        if (!bits)
            pp_json_add_f64(row, "images_std", r->images_std);
    }
}
