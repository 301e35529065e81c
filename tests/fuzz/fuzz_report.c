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

static pp_status all(const char *path, FILE *out)
{
    pp_content *content = NULL;
    show(path, out);
    pp_status status = pp_content_read(&content, path);
    status = status ? status : pp_content_list(content, out);
    status = status ? status : pp_report_html(content, out);
    const pp_diff_options options = {.max_rows = 3};
    bool equal;
    status = status ? status : pp_report_diff(content, content, &options, out, NULL, &equal);
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
