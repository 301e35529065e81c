/* Writing a report: groups, summary figures, tables; whole or not at all. */
#include "report/summary_internal.h"
#include "report/tables_internal.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const groups[][2] = {
    {"/run", "what was asked for: settings, seed, command"},
    {"/workload", "the network"},
    {"/quant", "number formats and their errors"},
    {"/arch", "the hardware of a core"},
    {"/fabric", "cores and channels"},
    {"/mapping", "tiles on cores, flows on channels, bounds"},
    {"/bandwidth", "static analysis: what channels must carry"},
    {"/timing", "what the simulation measured"},
    {"/energy", "actions of an inference, priced"},
    {"/accuracy", "what the network gets right"},
    {"/compare", "comparison of fabrics; empty for a single run"},
};

pp_status pp_write_groups(hid_t file)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        PP_TRY(pp_h5_group(file, groups[i][0], groups[i][1]));
    return PP_OK;
}

static pp_status write_summary(hid_t file, const pp_summary *s)
{
    for (size_t i = 0; i < pp_summary_n_fields; i++) {
        const pp_summary_field *f = &pp_summary_fields[i];
        char path[96];
        snprintf(path, sizeof path, "%s/%s", f->group, f->column.name);
        if (pp_summary_has(s, f->part))
            PP_TRY(pp_h5_scalar(file, path, &f->column, s));
    }
    return PP_OK;
}

typedef struct seed_row {
    uint64_t seed;
} seed_row;
static const pp_h5_column seed_column = PP_H5_COLUMN(seed_row, seed, PP_H5_U64, "", "seed of everything random");

static pp_status write_arch(hid_t file, const pp_arch *arch)
{
    char *text = NULL;
    PP_TRY(pp_arch_dump(&text, arch));
    pp_status status = pp_h5_text(file, "/arch/description", text, "every field of the hardware description");
    free(text);
    return status;
}

static pp_status write_run(hid_t file, const pp_report_input *in)
{
    seed_row seed = {in->seed};
    PP_TRY(pp_h5_text(file, "/run/command", in->command, "command that makes this report again"));
    PP_TRY(pp_h5_scalar(file, "/run/seed", &seed_column, &seed));
    return pp_write_config_table(file, in);
}

static pp_status write_all(hid_t file, const void *what)
{
    const pp_report_input *in = what;
    pp_summary summary;
    PP_TRY(pp_summary_fill(&summary, in));
    PP_TRY(pp_h5_text_attribute(file, "schema", PP_REPORT_SCHEMA));
    PP_TRY(pp_write_groups(file));
    PP_TRY(write_summary(file, &summary));
    PP_TRY(write_run(file, in));
    PP_TRY(write_arch(file, in->arch));
    if (in->lm == NULL) {
        PP_TRY(pp_write_workload_tables(file, in));
        PP_TRY(pp_write_quant_tables(file, in));
    }
    if (in->fabric != NULL)
        PP_TRY(pp_write_fabric_tables(file, in));
    if (in->mapping != NULL)
        PP_TRY(pp_write_mapping_tables(file, in));
    if (in->run != NULL)
        PP_TRY(pp_write_timing_tables(file, in));
    if (in->energy != NULL)
        PP_TRY(pp_write_energy_tables(file, in));
    if (in->study != NULL)
        PP_TRY(pp_write_study_tables(file, in->study));
    return in->accuracy != NULL ? pp_write_accuracy_tables(file, in) : PP_OK;
}

pp_status pp_report_write(const char *path, const pp_report_input *in, bool force)
{
    return pp_h5_write(path, force, write_all, in);
}
