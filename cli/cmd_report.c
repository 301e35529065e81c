/* report: read a report back. */
#include "cli/commands.h"
#include "report/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/session.h"

static pp_status show_comparison(const pp_parsed *p, pp_comparison *c)
{
    pp_status status;
    if (pp_args_has(p, "json")) {
        pp_json *json = pp_json_object();
        pp_comparison_json(c, json);
        status = pp_print_json(json);
    } else {
        status = pp_comparison_print(c, stdout);
    }
    pp_comparison_free(c);
    return status;
}

static pp_status show(const pp_parsed *p, const pp_report *r)
{
    pp_comparison c;
    if (pp_comparison_read(&c, r) == PP_OK)
        return show_comparison(p, &c);
    pp_summary s;
    PP_TRY(pp_summary_read(&s, r));
    if (pp_args_has(p, "json")) {
        pp_json *json = pp_json_object();
        pp_summary_json(&s, json);
        return pp_print_json(json);
    }
    pp_summary_print(&s, stdout, isatty(1) && getenv("NO_COLOR") == NULL);
    return PP_OK;
}

static pp_status table_names(void)
{
    const char *text, *name;
    for (size_t i = 0; (name = pp_report_table_name(i, &text)) != NULL; i++)
        printf("%-12s %s\n", name, text);
    return PP_OK;
}

/* CSV to stdout, or whole or not at all to -o FILE. */
static pp_status csv(const pp_parsed *p, const pp_report *r, const char *table)
{
    const char *path = pp_args_get(p, "output");
    if (path == NULL)
        return pp_report_csv(r, table, stdout);
    pp_output out;
    PP_TRY(pp_output_begin(&out, path, pp_args_has(p, "force")));
    FILE *f = fopen(out.temporary, "w");
    pp_status status = f != NULL ? pp_report_csv(r, table, f) : pp_fail(PP_EIO, "%s: cannot be written", path);
    if (f != NULL && fclose(f) != 0 && status == PP_OK)
        status = pp_fail(PP_EIO, "%s: cannot be written (disk full?)", path);
    if (status == PP_OK)
        status = pp_output_commit(&out);
    pp_output_abort(&out);
    return status;
}

static pp_status run_on(const pp_parsed *p)
{
    const char *verb = p->operand[0];
    bool is_show = strcmp(verb, "show") == 0, is_csv = strcmp(verb, "csv") == 0;
    if (is_csv && p->n_operands == 1)
        return table_names();
    if (!(is_show && p->n_operands == 2) && !(is_csv && p->n_operands == 3))
        return pp_fail(PP_EUSAGE, "report: expected `report show FILE.h5` or `report csv FILE.h5 TABLE` "
                                  "(`report csv` lists the tables)");
    pp_report *r = NULL;
    PP_TRY(pp_report_open(&r, p->operand[1]));
    pp_status status = is_show ? show(p, r) : csv(p, r, p->operand[2]);
    pp_report_close(r);
    return status;
}

static int run(const pp_parsed *p)
{
    return pp_finish(run_on(p));
}

const pp_command pp_cmd_report = {
    .name = "report",
    .operands = "show FILE.h5 | csv FILE.h5 TABLE",
    .min_operands = 1,
    .max_operands = 3,
    .text = "print the summary of a report, or one of its tables as CSV\n\n"
            "Reports are plain HDF5 (docs/report-format.md): h5dump, h5py, HDFView and MATLAB open them too.",
    .examples = "  pentaprism report show out.h5\n  pentaprism report csv out.h5 channels\n",
    .run = run,
};
