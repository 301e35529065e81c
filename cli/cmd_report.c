/* report: read reports back: summary, tables, a page, differences. Files are read in a child process, because libhdf5
 * need not survive a damaged one (report/guard.h). */
#include "cli/commands.h"
#include "report/accuracy.h"
#include "report/compare.h"
#include "report/lm_report.h"
#include "report/content.h"
#include "report/plot.h"
#include "report/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/session.h"

#define TOLERANCES_MAX 64

/* What a verb reads and how it shows it. */
typedef struct job {
    const pp_parsed *p;
    const char *file[2];
    const char *table;
    pp_diff_options diff;
    pp_diff_tolerance tolerance[TOLERANCES_MAX];
    bool colour;
} job;

/* Prints and frees. */
static pp_status put_json(pp_json *json, FILE *out)
{
    char *text = NULL;
    pp_status status = pp_json_print(&text, json, true);
    if (status == PP_OK)
        fprintf(out, "%s\n", text);
    free(text);
    pp_json_free(json);
    return status;
}

/* ---- show ---- */

static pp_status show_comparison(const job *j, pp_comparison *c, FILE *out)
{
    pp_status status;
    if (pp_args_has(j->p, "json")) {
        pp_json *json = pp_json_object();
        pp_comparison_json(c, json);
        status = put_json(json, out);
    } else {
        status = pp_comparison_print(c, out);
    }
    pp_comparison_free(c);
    return status;
}

static pp_status show_lm(const job *j, const pp_lm_summary *s, const pp_report *r, FILE *out)
{
    pp_lm_tables tables;
    PP_TRY(pp_lm_tables_read(&tables, r));
    pp_status status;
    if (pp_args_has(j->p, "json")) {
        pp_json *json = pp_json_object();
        pp_lm_summary_json(s, json);
        pp_lm_tables_json(&tables, json);
        status = put_json(json, out);
    } else {
        status = pp_lm_report_print(s, &tables, out, j->colour);
    }
    pp_lm_tables_free(&tables);
    return status;
}

/* What `infer` found on devices, as it prints it; a report of anything else has none. */
static pp_status show_study(const job *j, pp_json *json, FILE *out)
{
    pp_content *c = NULL;
    pp_study study;
    PP_TRY(pp_content_read(&c, j->file[0]));
    pp_status status = pp_study_read_rows(&study, c);
    if (status == PP_OK && json != NULL)
        pp_study_rows_json(&study, json);
    else if (status == PP_OK) {
        fprintf(out, j->colour ? "\n\033[1mdevices\033[0m (%s)\n" : "\ndevices (%s)\n", study.device);
        status = pp_study_print_rows(&study, out);
    }
    pp_study_free(&study);
    pp_content_free(c);
    return status == PP_ENOTFOUND ? PP_OK : status;
}

static pp_status show_report(const job *j, const pp_report *r, FILE *out)
{
    pp_comparison c;
    const pp_status compared = pp_comparison_read(&c, r);
    if (compared != PP_ENOTFOUND)
        return compared == PP_OK ? show_comparison(j, &c, out) : compared;
    pp_lm_summary lm;
    const pp_status tokens = pp_lm_summary_read(&lm, r);
    if (tokens != PP_ENOTFOUND)
        return tokens == PP_OK ? show_lm(j, &lm, r, out) : tokens;
    pp_summary s;
    PP_TRY(pp_summary_read(&s, r));
    if (pp_args_has(j->p, "json")) {
        pp_json *json = pp_json_object();
        pp_summary_json(&s, json);
        const pp_status status = show_study(j, json, out);
        if (status == PP_OK)
            return put_json(json, out);
        pp_json_free(json);
        return status;
    }
    pp_summary_print(&s, out, j->colour);
    return show_study(j, NULL, out);
}

/* Files of other commands (traffic, quantize compare): as they stand. */
static pp_status show_other(const job *j, FILE *out)
{
    pp_content *c = NULL;
    PP_TRY(pp_content_read(&c, j->file[0]));
    pp_status status;
    if (pp_args_has(j->p, "json")) {
        pp_json *json = pp_json_object();
        pp_content_json(c, json);
        status = put_json(json, out);
    } else {
        status = pp_content_show(c, out);
    }
    pp_content_free(c);
    return status;
}

static pp_status show(void *context, void *out, uint64_t *answer)
{
    const job *j = context;
    pp_report *r = NULL;
    (void)answer;
    pp_status opened = pp_report_open(&r, j->file[0]);
    if (opened != PP_OK)
        return opened == PP_EFORMAT ? show_other(j, out) : opened;
    pp_status status = show_report(j, r, out);
    pp_report_close(r);
    return status;
}

/* ---- csv ---- */

static pp_status table_names(void)
{
    const char *text, *name;
    for (size_t i = 0; (name = pp_report_table_name(i, &text, NULL)) != NULL; i++)
        printf("%-15s %s\n", name, text);
    return PP_OK;
}

/* A table, or the list of those in the file. */
static pp_status csv(void *context, void *out, uint64_t *answer)
{
    const job *j = context;
    pp_content *c = NULL;
    (void)answer;
    PP_TRY(pp_content_read(&c, j->file[0]));
    pp_status status = j->table != NULL ? pp_content_csv(c, j->table, out) : pp_content_list(c, out);
    pp_content_free(c);
    return status;
}

/* ---- html ---- */

static pp_status html(void *context, void *out, uint64_t *answer)
{
    const job *j = context;
    pp_content *c = NULL;
    (void)answer;
    PP_TRY(pp_content_read(&c, j->file[0]));
    pp_status status = pp_report_html(c, out);
    pp_content_free(c);
    return status;
}

/* ---- plot ---- */

static pp_status plot(void *context, void *out, uint64_t *answer)
{
    const job *j = context;
    pp_content *c = NULL;
    const pp_content_plot o = {j->table, pp_args_get(j->p, "x"), pp_args_get(j->p, "y"), pp_args_get(j->p, "by")};
    (void)answer;
    PP_TRY(pp_content_read(&c, j->file[0]));
    pp_status status = pp_content_draw(c, &o, pp_args_get(j->p, "output"), pp_args_has(j->p, "force"));
    pp_content_free(c);
    if (status == PP_OK && !pp_args_has(j->p, "quiet") && !pp_args_has(j->p, "json"))
        fprintf(out, "figure: %s\n", pp_args_get(j->p, "output"));
    return status;
}

/* ---- diff ---- */

static pp_status diff_read(const job *j, const pp_content *a, const pp_content *b, FILE *out, uint64_t *differs)
{
    bool equal = false;
    if (!pp_args_has(j->p, "json")) {
        pp_status status = pp_report_diff(a, b, &j->diff, out, NULL, &equal);
        *differs = !equal;
        return status;
    }
    pp_json *json = pp_json_object();
    pp_status status = pp_report_diff(a, b, &j->diff, out, json, &equal);
    *differs = !equal;
    if (status == PP_OK)
        return put_json(json, out);
    pp_json_free(json);
    return status;
}

static pp_status diff(void *context, void *out, uint64_t *answer)
{
    const job *j = context;
    pp_content *a = NULL, *b = NULL;
    pp_status status = pp_content_read(&a, j->file[0]);
    if (status == PP_OK)
        status = pp_content_read(&b, j->file[1]);
    if (status == PP_OK)
        status = diff_read(j, a, b, out, answer);
    pp_content_free(a);
    pp_content_free(b);
    return status;
}

/* A number for all, NAME=NUMBER for some. */
static pp_status take_tolerance(job *j, const char *text, bool absolute)
{
    const char *equals = strchr(text, '=');
    double value;
    if (!pp_parse_f64(equals != NULL ? equals + 1 : text, &value) || value < 0 || equals == text)
        return pp_fail(PP_EUSAGE, "--%s: '%s' is no number of at least 0 (%s), nor NAME=NUMBER", absolute ? "absolute" : "tolerance", text,
                       absolute ? "in the units of the figure" : "0.01 lets 1 % pass");
    if (equals == NULL)
        *(absolute ? &j->diff.limits.absolute : &j->diff.limits.relative) = value;
    else if (j->diff.n_of == TOLERANCES_MAX)
        return pp_fail(PP_EUSAGE, "--tolerance, --absolute: at most %d names", TOLERANCES_MAX);
    else
        j->tolerance[j->diff.n_of++] = (pp_diff_tolerance){text, (size_t)(equals - text), absolute, value};
    return PP_OK;
}

static pp_status diff_options(job *j)
{
    j->diff = (pp_diff_options){.max_rows = 5, .of = j->tolerance};
    for (size_t i = 0; i < j->p->n_options; i++) {
        const bool absolute = strcmp(j->p->option_name[i], "absolute") == 0;
        if (absolute || strcmp(j->p->option_name[i], "tolerance") == 0)
            PP_TRY(take_tolerance(j, j->p->option_value[i], absolute));
    }
    int64_t rows = 5;
    PP_TRY(pp_args_i64(j->p, "rows", 5, 0, 1000000, &rows));
    j->diff.max_rows = (size_t)rows;
    return PP_OK;
}

/* ---- verbs ---- */

typedef struct verb {
    const char *name;
    size_t min_operands, max_operands, files; /* operands behind the verb; how many of them are files */
    pp_guarded_work work;
    const char *output; /* ending of the file that it writes without -o; NULL: stdout */
    bool draws;         /* writes its -o, a figure, itself */
} verb;

static const verb verbs[] = {
    {"show", 1, 1, 1, show, NULL, false},
    {"csv", 1, 2, 1, csv, NULL, false},
    {"html", 1, 1, 1, html, ".html", false},
    {"plot", 1, 2, 1, plot, NULL, true},
    {"diff", 2, 2, 2, diff, NULL, false},
};

/* The file to write: -o, or the report's name with another ending beside where the command runs; NULL: stdout. */
static pp_status output_name(const job *j, const verb *v, char **out)
{
    const char *given = pp_args_get(j->p, "output");
    *out = NULL;
    if (v->draws && given == NULL)
        return pp_fail(PP_EUSAGE, "report plot: expected -o FILE.svg or FILE.png");
    if (v->draws)
        return pp_plot_check_path(given);
    if (given == NULL && v->output == NULL)
        return PP_OK;
    if (given == NULL) {
        char *base = pp_path_base(j->file[0]);
        char *dot = base != NULL ? strrchr(base, '.') : NULL;
        if (dot != NULL && dot != base)
            *dot = 0;
        *out = base != NULL ? pp_strf("%s%s", base, v->output) : NULL;
        free(base);
    } else {
        *out = pp_strdup(given);
    }
    return *out != NULL ? PP_OK : PP_ENOMEM;
}

static pp_status guarded(job *j, const verb *v, FILE *out, uint64_t *answer)
{
    pp_guard_limits limits = pp_guard_for(j->file, 2);
    return pp_guard(j->file[0], &limits, v->work, j, out, answer);
}

/* Whole or not at all. */
static pp_status to_file(job *j, const verb *v, const char *path, uint64_t *answer)
{
    pp_output out;
    PP_TRY(pp_output_begin(&out, path, pp_args_has(j->p, "force")));
    FILE *f = fopen(out.temporary, "w");
    pp_status status = f != NULL ? guarded(j, v, f, answer) : pp_fail(PP_EIO, "%s: cannot be written", path);
    if (f != NULL && fclose(f) != 0 && status == PP_OK)
        status = pp_fail(PP_EIO, "%s: cannot be written (disk full?)", path);
    if (status == PP_OK)
        status = pp_output_commit(&out);
    pp_output_abort(&out);
    return status;
}

static pp_status told(const job *j, const verb *v, const char *path)
{
    if (v->output == NULL || pp_args_has(j->p, "quiet"))
        return PP_OK;
    if (!pp_args_has(j->p, "json"))
        return printf("page: %s\n", path) < 0 ? PP_EIO : PP_OK;
    pp_json *json = pp_json_object();
    pp_json_add_text(json, "page", path);
    return pp_print_json(json);
}

static pp_status run_verb(job *j, const verb *v, int *rc)
{
    char *path = NULL;
    uint64_t answer = 0;
    PP_TRY(diff_options(j));
    PP_TRY(output_name(j, v, &path));
    pp_status status = path != NULL ? to_file(j, v, path, &answer) : guarded(j, v, stdout, &answer);
    if (status == PP_OK && path != NULL)
        status = told(j, v, path);
    free(path);
    if (status == PP_OK && answer != 0 && pp_args_has(j->p, "exit-code"))
        *rc = 1;
    return status;
}

static pp_status run_on(const pp_parsed *p, int *rc)
{
    const char *word = p->operand[0];
    if (strcmp(word, "csv") == 0 && p->n_operands == 1)
        return table_names();
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const verb *v = &verbs[i];
        size_t n = p->n_operands - 1;
        if (strcmp(word, v->name) != 0 || n < v->min_operands || n > v->max_operands)
            continue;
        job j = {.p = p, .file = {p->operand[1], v->files > 1 ? p->operand[2] : NULL}, .colour = pp_term_colour()};
        j.table = n > v->files ? p->operand[2] : NULL;
        return run_verb(&j, v, rc);
    }
    return pp_fail(PP_EUSAGE, "report: expected `report show FILE.h5`, `report html FILE.h5`, `report csv FILE.h5 TABLE`, "
                              "`report plot FILE.h5 [TABLE]` or `report diff A.h5 B.h5` (`report csv` lists the tables)");
}

static int run(const pp_parsed *p)
{
    int rc = 0;
    pp_status status = run_on(p, &rc);
    return status != PP_OK ? pp_finish(status) : rc;
}

static const pp_arg args[] = {
    {0, "x", "COLUMN", "plot: column along the x axis (of a sweep: its first setting)"},
    {0, "y", "COLUMN", "plot: column of numbers that is drawn (of a sweep: its throughput)"},
    {0, "by", "COLUMN,...", "plot: a line for each value of these columns (of a sweep: its other settings)"},
    {0, "tolerance", "[NAME=]R", "diff: numbers whose relative difference is at most R are equal (default 0); NAME: a group, dataset or column alone (repeatable)"},
    {0, "absolute", "[NAME=]D", "diff: so are numbers that are at most D apart, in the units of the figure (default 0; repeatable)"},
    {0, "rows", "N", "diff: rows of a table that are named one by one (default 5)"},
    {0, "exit-code", NULL, "diff: exit status 1 when the reports differ; without it a difference is no failure"},
    {0},
};

const pp_command pp_cmd_report = {
    .name = "report",
    .operands = "show FILE.h5 | html FILE.h5 | csv FILE.h5 [TABLE] | plot FILE.h5 [TABLE] | diff A.h5 B.h5",
    .min_operands = 1,
    .max_operands = 3,
    .text = "show a report, make a page of it, print a table as CSV, or say what differs between two\n\n"
            "show prints the summary. html writes one page that needs nothing else, neither network nor server:\n"
            "figures, drawing of the fabric, pipeline, layers, bandwidth, accuracy, energy, settings, all data\n"
            "(docs/report-html.md); without -o it is FILE.html in the current folder. csv prints a table by name\n"
            "or path, and without TABLE lists those of the file. plot draws a column of a table against\n"
            "another as .svg or .png. diff says in words and units what changed.\n"
            "Reports are plain HDF5 (docs/report-format.md): h5dump, h5py, HDFView and MATLAB open them too.",
    .examples = "  pentaprism report show out.h5\n  pentaprism report html out.h5 -o out.html\n"
                "  pentaprism report csv out.h5 channels\n  pentaprism report plot sweep.h5 --x fabric.lanes --y latency_first_us -o latency.svg\n  pentaprism report diff a.h5 b.h5 --tolerance 0.01 --tolerance energy=0.05 --absolute busy_ps=1000\n",
    .args = args,
    .run = run,
};
