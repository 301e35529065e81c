/* HDF5 reports: everything that `report` does with one file. In ctest in a child process, as the command does it: what
 * crashes in libhdf5 must come out as one line. Under libFuzzer in this process, where a finding counts when a frame of
 * ours is at fault. */
#include "report/compare.h"
#include "report/content.h"
#include "report/guard.h"
#include "report/lm_report.h"
#include "report/report.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

size_t pp_fuzz_memory(size_t size)
{
    return ((size_t)8 << 20) + 64 * size; /* of the parent; the child has limits of its own */
}

static void show_lm(const pp_report *report, const pp_lm_summary *summary, FILE *out)
{
    pp_lm_tables tables;
    if (pp_lm_tables_read(&tables, report) == PP_OK) {
        (void)pp_lm_report_print(summary, &tables, out, false);
        pp_lm_tables_free(&tables);
    }
}

/* Summaries are of runs alone; what is in a file can be listed and drawn whatever wrote it. */
static void show(const char *path, FILE *out)
{
    pp_report *report = NULL;
    pp_comparison comparison;
    pp_lm_summary lm;
    pp_summary summary;
    if (pp_report_open(&report, path) == PP_OK) {
        if (pp_comparison_read(&comparison, report) == PP_OK) {
            (void)pp_comparison_print(&comparison, out);
            pp_comparison_free(&comparison);
        } else if (pp_lm_summary_read(&lm, report) == PP_OK)
            show_lm(report, &lm, out);
        else if (pp_summary_read(&summary, report) == PP_OK)
            pp_summary_print(&summary, out, false);
    }
    pp_report_close(report);
}

/* Another report: every second row of a column has other bits, every third table lacks its last row. */
static void alter(pp_content *c)
{
    for (size_t i = 0; i < c->n_sets; i++) {
        pp_content_set *set = &c->set[i];
        for (size_t k = 0; k < set->n_columns; k++)
            for (size_t row = k & 1; row < set->n_rows; row += 2) {
                pp_content_column *column = &set->column[k];
                if (column->kind != PP_CELL_TEXT)
                    column->u64[row] ^= UINT64_C(1) << (7 * row & 63);
                else if (column->size > 1)
                    column->text[row * column->size] ^= 1;
            }
        set->n_rows -= i % 3 == 2 && !set->scalar && set->n_rows > 0;
    }
}

static pp_status differences(const pp_content *a, const char *path, FILE *out)
{
    const pp_diff_tolerance near = {.name = "timing", .name_length = 6, .absolute = true, .value = 1000};
    const pp_diff_options plain = {.max_rows = 3}, wide = {.limits = {.relative = 0.01}, .of = &near, .n_of = 1, .max_rows = 1};
    pp_content *b = NULL;
    bool equal;
    pp_status status = pp_report_diff(a, a, &plain, out, NULL, &equal);
    status = status ? status : pp_content_read(&b, path);
    if (!status)
        alter(b);
    status = status ? status : pp_report_diff(a, b, &plain, out, NULL, &equal);
    (void)(status ? status : pp_report_diff(b, a, &wide, out, NULL, &equal)); /* has it a timing? */
    pp_json *json = status ? NULL : pp_json_object();
    if (json)
        status = pp_report_diff(b, a, &plain, NULL, json, &equal);
    pp_json_free(json);
    pp_content_free(b);
    return status;
}

static pp_status data(const pp_content *c, FILE *out)
{
    pp_status status = pp_content_list(c, out);
    status = status ? status : pp_content_show(c, out);
    for (size_t i = 0; i < c->n_sets && !status; i++)
        status = pp_content_csv(c, c->set[i].path, out);
    pp_json *json = status ? NULL : pp_json_object();
    char *text = NULL;
    if (json)
        pp_content_json(c, json);
    status = json ? pp_json_print(&text, json, true) : status;
    free(text);
    pp_json_free(json);
    return status;
}

static const char *drawing; /* made by the parent, who removes it */

/* A figure of the first table that has two columns; which can be drawn is the function's business. */
static void figure(const pp_content *c)
{
    for (size_t i = 0; i < c->n_sets; i++)
        if (!c->set[i].scalar && c->set[i].n_columns > 1) {
            const pp_content_plot o = {.table = c->set[i].path, .x = c->set[i].column[0].name, .y = c->set[i].column[1].name};
            (void)pp_content_draw(c, &o, drawing, true);
            return;
        }
}

static pp_status all(const char *path, FILE *out)
{
    pp_content *content = NULL;
    show(path, out);
    pp_status status = pp_content_read(&content, path);
    status = status ? status : data(content, out);
    status = status ? status : pp_report_html(content, out);
    status = status ? status : differences(content, path, out);
    if (!status)
        figure(content);
    pp_content_free(content);
    return status;
}

static pp_status work(void *context, void *stdio_file, uint64_t *answer)
{
    *answer = 1;
    return all(context, stdio_file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = pp_fuzz_file(".h5", data, size);
    drawing = pp_fuzz_file(".svg", data, 0);
    FILE *nowhere = fopen("/dev/null", "w");
    if (!nowhere)
        __builtin_trap();
#ifdef PP_FUZZ_DIRECT
    const pp_status status = all(path, nowhere);
    (void)work;
#else
    const pp_guard_limits limits = pp_guard_for(&path, 1);
    char copy[128];
    (void)snprintf(copy, sizeof copy, "%s", path);
    const pp_status status = pp_guard(path, &limits, work, copy, nowhere, NULL);
#endif
    (void)fclose(nowhere);
    if (status)
        pp_fuzz_refused(status);
    return 0;
}
