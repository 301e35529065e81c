/* map: tiles on cores, flows on channels, bounds; certificates and their verification. */
#include "cli/commands.h"
#include "cli/lm_map.h"
#include "cli/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pp_status verify(const pp_parsed *p, const char *path)
{
    bool valid;
    char **errors = NULL;
    size_t n = 0;
    PP_TRY(pp_certificate_verify(path, &valid, &errors, &n));
    pp_status status = PP_OK;
    if (pp_args_has(p, "json")) {
        pp_json *json = pp_json_object();
        pp_json_add_bool(json, "valid", valid);
        pp_json *list = pp_json_add_list(json, "errors");
        for (size_t i = 0; i < n; i++)
            pp_json_add_text(list, NULL, errors[i]);
        status = pp_print_json(json);
    } else {
        printf("%s: %s\n", path, valid ? "valid" : "NOT valid");
        for (size_t i = 0; i < n; i++)
            printf("  %s\n", errors[i]);
    }
    if (status == PP_OK && !valid)
        status = pp_fail(PP_EINVAL, "%s: not valid: %s", path, n > 0 ? errors[0] : "no reason given");
    for (size_t i = 0; i < n; i++)
        free(errors[i]);
    free(errors);
    return status;
}

static pp_status print_json(const pp_session *s)
{
    const pp_mapping *m = s->mapping;
    pp_json *json = pp_json_object();
    pp_json_add_text(json, "network", s->net->name);
    pp_json_add_text(json, "fabric", s->fabric->name);
    pp_json_add_i64(json, "tiles", m->n_tiles);
    pp_json_add_i64(json, "cores_used", m->cores_used);
    pp_json_add_i64(json, "unroll_max", m->unroll_max);
    pp_json_add_i64(json, "copies_max", m->copies_max);
    pp_json_add_text(json, "certificate", pp_certificate_name(m->certificate));
    pp_json_add_text(json, "placement", m->placement);
    pp_json_add_i64(json, "flows", m->n_flows);
    pp_json_add_i64(json, "single_channel_flows", m->single_channel_flows);
    pp_json_add_i64(json, "max_hops", m->max_hops);
    pp_json_add_i64(json, "bound_initiation_interval_ps", (int64_t)m->bounds.interval_ps);
    pp_json_add_f64(json, "bound_latency_us", (double)m->bounds.latency_ps * 1e-6);
    pp_json_add_f64(json, "max_channel_required_gbps", m->bounds.max_channel_gbps);
    pp_json_add_f64(json, "mean_channel_required_gbps", m->bounds.mean_channel_gbps);
    pp_json_add_f64(json, "max_port_required_gbps", m->bounds.max_port_gbps);
    pp_traffic t;
    pp_status status = pp_mapping_traffic(&t, m, s->fabric);
    pp_json_add_i64(json, "channels_used", t.channels_used);
    pp_json_add_f64(json, "p50_channel_required_gbps", t.p50_gbps);
    pp_json_add_f64(json, "p95_channel_required_gbps", t.p95_gbps);
    pp_json_add_f64(json, "p99_channel_required_gbps", t.p99_gbps);
    pp_json_add_f64(json, "mean_hops", t.mean_hops);
    pp_json_add_f64(json, "wire_gbit_mm", t.wire_bit_pitches * s->arch.core_pitch_mm * 1e-9);
    if (status == PP_OK)
        return pp_print_json(json);
    pp_json_free(json);
    return status;
}

static pp_status stage_row(const pp_session *s, pp_table *t, uint32_t i)
{
    const pp_plan *plan = &s->mapping->plan[i];
    const pp_stage *stage = &s->stages->stage[i];
    uint32_t rows = 0, cols = 0;
    uint64_t useful = 0;
    for (uint32_t k = 0; k < plan->n_tiles; k++) {
        const pp_tile *tile = &s->mapping->tile[plan->first_tile + k];
        rows = tile->rows_used > rows ? tile->rows_used : rows;
        cols = tile->cols_used > cols ? tile->cols_used : cols;
        useful += tile->cells_useful;
    }
    char map[32], patch[24], copies[16], tiles[24], array[32], share[16], busy[24], where[32];
    snprintf(map, sizeof map, "%ux%ux%u", stage->fire.h, stage->fire.w, stage->fire.c);
    snprintf(patch, sizeof patch, "%ux%u", plan->patch.y, plan->patch.x);
    snprintf(copies, sizeof copies, "%u", plan->copies);
    snprintf(tiles, sizeof tiles, "%u", plan->n_tiles);
    snprintf(array, sizeof array, stage->matrix == PP_NONE ? "digital" : "%ux%u", rows, cols);
    double cells = (double)plan->n_tiles * (double)s->arch.rows * (double)s->arch.cols;
    snprintf(share, sizeof share, "%.1f", 100.0 * (double)useful / cells);
    snprintf(busy, sizeof busy, "%.3f", (double)plan->busy_ps * 1e-6);
    uint32_t core = s->mapping->tile[plan->first_tile].core;
    pp_vertex_label(s->fabric, s->fabric->core_vertex[core], where, sizeof where);
    const char *cells_text[] = {stage->name, map, patch, copies, tiles, array, share, busy, where};
    return pp_table_row(t, cells_text);
}

static pp_status print_text(const pp_session *s)
{
    const char *headers[] = {"layer", "output map", "patch", "copies", "tiles", "rows x cols", "useful %", "busy us", "first core"};
    pp_table *t = NULL;
    pp_status status = pp_table_new(&t, headers, 9);
    for (uint32_t i = 0; i < s->stages->n && status == PP_OK; i++)
        status = stage_row(s, t, i);
    if (status == PP_OK)
        pp_table_print(t, stdout);
    pp_table_free(t);
    const pp_mapping *m = s->mapping;
    printf("\n%s on %s: %u tile%s on %u of %u cores, placement %s\n", s->net->name, s->fabric->name, m->n_tiles, m->n_tiles == 1 ? "" : "s",
           m->cores_used, s->fabric->n_cores, m->placement);
    printf("certificate %s: %u of %u flows on one channel, at most %u channels a flow\n",
           pp_certificate_name(m->certificate), m->single_channel_flows, m->n_flows, m->max_hops);
    pp_traffic traffic;
    if (status == PP_OK)
        status = pp_mapping_traffic(&traffic, m, s->fabric);
    if (status == PP_OK)
        printf("traffic: %u of %u channels carry any; required Gbit/s median %.3f, 95 %% %.3f, 99 %% %.3f; %.2f channels a "
               "flow\n",
               traffic.channels_used, s->fabric->n_network, traffic.p50_gbps, traffic.p95_gbps, traffic.p99_gbps,
               traffic.mean_hops);
    const double needs = m->bounds.max_channel_gbps;
    printf("bounds: initiation interval %.3f us, latency %.3f us; ", (double)m->bounds.interval_ps * 1e-6, (double)m->bounds.latency_ps * 1e-6);
    printf(needs > 0 && needs < 0.01 ? "busiest channel needs %.3g Gbit/s, mean %.3g\n" : "busiest channel needs %.3f Gbit/s, mean %.3f\n", needs, m->bounds.mean_channel_gbps);
    return status;
}

/* One layer a core: arrays so large that no layer is cut, no unrolling and no copies, and relays where a layer has
 * more neighbours than a core of 5pp. */
static pp_status layer_a_core(pp_session *s)
{
    s->arch.rows = s->arch.cols = 65536;
    s->map_options.unroll = "none";
    s->map_options.copies = "1";
    bool shapes = false;
    const char *name, *summary, *model = s->workload.model;
    bool weights;
    for (size_t i = 0; (name = pp_model_name(i, &summary, &weights)) != NULL; i++)
        shapes = shapes || (strcspn(model, ":") == strlen(name) && strncmp(name, model, strlen(name)) == 0 && !weights);
    if (!shapes || strstr(model, "relays=") != NULL)
        return PP_OK;
    char *text = pp_strf("%s%crelays=5", model, strchr(model, ':') != NULL ? ',' : ':');
    s->workload.model = text != NULL ? pp_arena_strdup(s->arena, text) : NULL;
    free(text);
    return s->workload.model != NULL ? PP_OK : PP_ENOMEM;
}

/* --network and --fabric are short for the two settings. */
static pp_status shortcuts(pp_session *s, const pp_parsed *p)
{
    const char *network = pp_args_get(p, "network"), *fabric = pp_args_get(p, "fabric");
    if (network != NULL)
        s->workload.model = network;
    if (fabric != NULL) {
        s->fabric_options.level_list = NULL;
        PP_TRY(pp_fabric_parse(&s->fabric_options, s->arena, fabric));
    }
    return pp_args_has(p, "layer-a-core") ? layer_a_core(s) : PP_OK;
}

static bool is_built_in(const char *model)
{
    const char *name, *summary;
    bool has_weights;
    for (size_t i = 0; (name = pp_model_name(i, &summary, &has_weights)) != NULL; i++) {
        if (strlen(name) == strcspn(model, ":") && strncmp(name, model, strlen(name)) == 0)
            return true;
    }
    return false;
}

/* A network or fabric that came from a file stands in the certificate by its path: the verifier reads
 * the file again. */
static pp_status write_certificate(const pp_session *s, const char *path, bool force)
{
    const char *model = is_built_in(s->workload.model) ? NULL : s->workload.model;
    bool own_fabric = strcmp(s->fabric->kind, "file") == 0;
    char *fabric = own_fabric ? pp_strf("file:%s", s->fabric_options.file) : NULL;
    if (own_fabric && fabric == NULL)
        return PP_ENOMEM;
    pp_status status = pp_certificate_write_as(path, model, fabric, s->mapping, s->q, &s->arch, s->fabric, force);
    free(fabric);
    return status;
}

static pp_status map(pp_session *s, const pp_parsed *p)
{
    PP_TRY(shortcuts(s, p));
    if (pp_lm_is_known(s->workload.model))
        return pp_map_lm(s, p);
    PP_TRY(pp_session_network(s));
    /* Tiles and flows need shapes and widths only. */
    PP_TRY(pp_quantize(&s->q, s->net, s->stages, &s->quant, NULL, s->pool));
    PP_TRY(pp_session_map(s));
    const char *certificate = pp_args_get(p, "certificate");
    if (certificate == NULL)
        certificate = pp_args_get(p, "output");
    if (certificate != NULL)
        PP_TRY(write_certificate(s, certificate, pp_args_has(p, "force")));
    return pp_args_has(p, "json") ? print_json(s) : print_text(s);
}

static int run(const pp_parsed *p)
{
    const char *check = pp_args_get(p, "verify");
    if (check != NULL)
        return pp_finish(p->n_operands == 0 ? verify(p, check)
                                            : pp_fail(PP_EUSAGE, "map: --verify takes no run file"));
    if (p->n_operands == 0 && pp_args_get(p, "network") == NULL)
        return pp_finish(pp_fail(PP_EUSAGE, "map: expected FILE.yaml, or --network MODEL, or --verify CERTIFICATE"));
    pp_session s;
    pp_status status = pp_session_open(&s, p, p->n_operands > 0 ? p->operand[0] : NULL);
    if (status == PP_OK)
        status = map(&s, p);
    pp_session_close(&s);
    return pp_finish(status);
}

static const pp_arg args[] = {
    {0, "network", "MODEL", "network, instead of a run file's"},
    {0, "fabric", "FABRIC", "kind[:key=value,...], for instance 5pp:rows=8,cols=8 or mesh; free sizes are fitted"},
    {0, "layer-a-core", NULL,
     "one layer a core: arrays of 65,536 x 65,536, no unrolling, relays where a layer has many neighbours"},
    {0, "picture", "F.svg", "language models: draw a block on the fabric with the load of its channels (.svg or .png)"},
    {0, "block", "N", "block that --picture draws (1)"},
    {0, "certificate", "C.json", "write the mapping as a certificate that anybody can check"},
    {0, "verify", "C.json", "check a certificate: rebuilds the required flows and looks at every line"},
    {0, NULL, NULL, NULL},
};

const pp_command pp_cmd_map = {
    .name = "map",
    .operands = "[FILE.yaml]",
    .min_operands = 0,
    .max_operands = 1,
    .text = "map a network onto a fabric and print bounds, or verify a certificate\n\n"
            "Prints tiles, patches and cores of each layer, the certificate (embedding: every flow on one\n"
            "channel; disjoint: no channel carries two flows; routed) and what bounds the pipeline. Of a language\n"
            "model: tiles of every operator and what bounds it, and the busiest channel of every level of the\n"
            "fabric, whose levels are set apart by / (cores in clusters, clusters in chips, chips on a board).",
    .examples = "  pentaprism map examples/resnet32-5pp.yaml\n"
                "  pentaprism map --network resnet32-cifar10 --fabric 5pp --certificate c.json\n"
                "  pentaprism map --network densenet121 --fabric 5pp --layer-a-core --certificate d.json\n"
                "  pentaprism map --network llama3-8b --fabric mesh:rows=16,cols=16,gateways=8/mesh:rows=4,cols=4,gateways=4/mesh "
                "--set fabric.channel=llm --picture block.svg\n"
                "  pentaprism map --verify c.json\n",
    .args = args,
    .run = run,
};
