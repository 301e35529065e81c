/* Reading reports: the summary's figures, names of tables. */
#include "report/read_internal.h"
#include "report/summary_internal.h"

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
        return pp_fail(PP_ENOTFOUND, "%s: No such file or directory%s", path, pp_near_file(path, (char[PP_NEAR_FILE_MAX]){0}));
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
    {"orders", "/compare/orders", "fabrics from lightest to heaviest load"},
    {"curves", "/traffic/curves", "latency-load curves"},
    {"points", "/traffic/points", "loads of these curves"},
    {"methods", "/quantize/methods", "methods of quantization"},
    {"matrices", "/quantize/layers", "quantized matrices"},
    {"sweep", "/sweep/rows", "runs of a sweep"},
    {"grid", "/sweep/settings", "settings of a sweep's grid"},
    {"config", "/run/config", "every setting"},
    {"operators", "/workload/operators", "operators of the network"},
    {"layers", "/workload/stages", "stages: matrix operators with their digital tail"},
    {"quant", "/quant/stages", "quantization error of each stage"},
    {"streams", "/quant/streams", "number format of each stream"},
    {"fabric", "/fabric/cores", "cores of the fabric"},
    {"vertices", "/fabric/vertices", "cores and switches as they are drawn"},
    {"links", "/fabric/channels", "channels and ports of the fabric"},
    {"plan", "/mapping/plan", "patches, copies and tiles of each stage"},
    {"tiles", "/mapping/tiles", "crossbars and their cores"},
    {"flows", "/mapping/flows", "flows between tiles"},
    {"hops", "/mapping/hops", "ways of the flows"},
    {"bandwidth", "/bandwidth/channels", "required rate of each channel"},
    {"inferences", "/timing/inferences", "when each inference was done"},
    {"spans", "/timing/spans", "when each stage worked on each of the first inferences"},
    {"stages", "/timing/stages", "busy and waiting times of each stage"},
    {"cores", "/timing/cores", "use of each core"},
    {"channels", "/timing/channels", "use of each channel"},
    {"buffers", "/timing/flows", "fill of each flow's buffer, delivery times"},
    {"lm_operators", "/timing/operators", "language models: use, waiting and binding resource of each operator"},
    {"lm_sequences", "/timing/sequences", "language models: when each sequence got its tokens"},
    {"lm_progress", "/timing/progress", "language models: the run in slices of equal time"},
    {"lm_contexts", "/timing/contexts", "language models: bounds by context"},
    {"lm_pipeline", "/timing/pipeline", "language models: some tokens in the operators of one block"},
    {"lm_block", "/fabric/block_vertices", "language models: cores of one block, as they are drawn"},
    {"lm_block_links", "/fabric/block_channels", "language models: channels of that drawing and their load"},
    {"lm_block_flows", "/mapping/block_flows", "language models: what the block's operators send"},
    {"lm_block_hops", "/mapping/block_hops", "language models: which channels these flows load"},
    {"lm_groups", "/fabric/level_vertices", "language models: groups of all levels, as they are drawn"},
    {"lm_group_links", "/fabric/level_channels", "language models: channels between groups and their load"},
    {"lm_group_flows", "/mapping/level_flows", "language models: what blocks send"},
    {"lm_group_hops", "/mapping/level_hops", "language models: which channels blocks load"},
    {"lm_levels", "/bandwidth/levels", "language models: channels of each level of the fabric"},
    {"energy", "/energy/stages", "energy of each stage"},
    {"actions", "/energy/actions", "actions of an inference and their price"},
    {"area", "/energy/area", "components of the chip and their area"},
    {"adc", "/accuracy/adc", "converters of each tile"},
    {"accuracy", "/accuracy/rows", "accuracy of each model, time and compensation"},
    {"draws", "/accuracy/draws", "accuracy of each draw of the devices"},
    {"snr", "/accuracy/snr", "signal to noise of each layer"},
    {"converters", "/accuracy/converters", "clipped conversions of each layer"},
    {"leave_one_ideal", "/accuracy/leave_one_ideal", "accuracy with one layer on ideal devices"},
    {"models", "/accuracy/models", "crossbars, devices and reads of each model"},
};
#define N_TABLES (sizeof tables / sizeof *tables)

const char *pp_report_table_name(size_t i, const char **text, const char **path)
{
    if (i >= N_TABLES)
        return NULL;
    if (text != NULL)
        *text = tables[i][2];
    if (path != NULL)
        *path = tables[i][1];
    return tables[i][0];
}

void pp_hdf5_version(char buffer[32])
{
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(buffer, 32, "%u.%u.%u", major, minor, release);
}
