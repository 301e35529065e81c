/* The certificate of a mapping as a JSON file: docs/certificate.md is the format. */
#include "mapper/mapper.h"

#include <stdlib.h>
#include <string.h>

const char *pp_certificate_name(pp_certificate c)
{
    static const char *const name[] = {"embedding", "disjoint", "routed"};
    return name[c];
}

static const char *kind_name(uint8_t kind)
{
    static const char *const name[] = {"activation", "residual", "psum"};
    return name[kind];
}

static void add_pair(pp_json *parent, const char *key, uint32_t a, uint32_t b)
{
    pp_json *list = pp_json_add_list(parent, key);
    pp_json_add_i64(list, NULL, a);
    pp_json_add_i64(list, NULL, b);
}

static void add_header(pp_json *root, const char *model, const char *fabric_text, const pp_mapping *m,
                       const pp_qnetwork *q, const pp_arch *arch, const pp_fabric *fabric)
{
    pp_json_add_text(root, "format", "pentaprism-certificate/1");
    pp_json_add_text(root, "certificate", pp_certificate_name(m->certificate));
    pp_json *network = pp_json_add_object(root, "network");
    pp_json_add_text(network, "model", model ? model : q->net->name);
    pp_json_add_text(network, "weights_sha256", q->net->weights_sha256);
    pp_json *arrays = pp_json_add_object(root, "arrays");
    pp_json_add_i64(arrays, "rows", arch->rows);
    pp_json_add_i64(arrays, "cols", arch->cols);
    pp_json_add_i64(arrays, "weights", arch->rows * arch->cols);
    pp_json *f = pp_json_add_object(root, "fabric");
    pp_json_add_text(f, "name", fabric_text ? fabric_text : fabric->name);
    pp_json_add_text(f, "sha256", fabric->source_sha256);
    pp_json_add_i64(f, "cores", fabric->n_cores);
    pp_json_add_i64(f, "channels", fabric->n_network);
}

static void add_stages(pp_json *root, const pp_mapping *m, const pp_qnetwork *q, const pp_arch *arch)
{
    pp_json *list = pp_json_add_list(root, "stages");
    for (uint32_t s = 0; s < m->n_stages; s++) {
        const pp_stage *stage = &q->stages->stage[s];
        const pp_plan *plan = &m->plan[s];
        pp_json *o = pp_json_add_object(list, NULL);
        pp_json_add_text(o, "name", stage->name);
        add_pair(o, "patch", plan->patch.y, plan->patch.x);
        pp_json_add_i64(o, "pixels", (int64_t)plan->patch.y * plan->patch.x);
        pp_json_add_i64(o, "positions", plan->positions);
        pp_json_add_i64(o, "copies", plan->copies);
        pp_json_add_i64(o, "slices", stage->matrix == PP_NONE ? 0 : pp_arch_slices(arch, q->stage[s].wbits));
        pp_json_add_i64(o, "tiles", plan->n_tiles);
    }
}

static void add_tiles(pp_json *root, const pp_mapping *m, const pp_qnetwork *q, const pp_fabric *fabric)
{
    pp_json *list = pp_json_add_list(root, "tiles");
    for (uint32_t t = 0; t < m->n_tiles; t++) {
        const pp_tile *tile = &m->tile[t];
        char label[256];
        pp_json *o = pp_json_add_object(list, NULL);
        pp_json_add_text(o, "stage", q->stages->stage[tile->stage].name);
        pp_json_add_i64(o, "copy", tile->copy);
        pp_json_add_i64(o, "col", tile->col);
        pp_json_add_i64(o, "row", tile->row);
        add_pair(o, "in", tile->in_lo, tile->in_hi);
        add_pair(o, "out", tile->out_lo, tile->out_hi);
        add_pair(o, "array", tile->rows_used, tile->cols_used);
        pp_json_add_i64(o, "core", tile->core);
        pp_json_add_text(o, "at", pp_vertex_label(fabric, fabric->core_vertex[tile->core], label, sizeof label));
    }
}

/* Which of the channels from the same vertex to the same vertex `channel` is. */
static uint32_t parallel_index(const pp_fabric *fabric, uint32_t channel)
{
    const pp_channel *c = &fabric->channel[channel];
    uint32_t index = 0;
    for (uint32_t i = fabric->out_first[c->src]; fabric->out_channel[i] != channel; i++)
        index += fabric->channel[fabric->out_channel[i]].dst == c->dst;
    return index;
}

static bool has_parallel(const pp_fabric *fabric)
{
    for (uint32_t c = 0; c < fabric->n_network; c++)
        if (parallel_index(fabric, c))
            return true;
    return false;
}

static void add_flows(pp_json *root, const pp_mapping *m, const pp_fabric *fabric)
{
    bool parallel = has_parallel(fabric);
    pp_json *list = pp_json_add_list(root, "flows");
    for (uint32_t f = 0; f < m->n_flows; f++) {
        const pp_flow *flow = &m->flow[f];
        const uint32_t *hop = &m->hop[flow->first_hop];
        pp_json *o = pp_json_add_object(list, NULL);
        pp_json_add_text(o, "kind", kind_name(flow->kind));
        pp_json_add_i64(o, "from", flow->src);
        pp_json_add_i64(o, "to", flow->dst);
        pp_json_add_i64(o, "input", flow->input);
        pp_json_add_i64(o, "stream", flow->stream);
        add_pair(o, "channels", flow->ch_lo, flow->ch_hi);
        pp_json *way = pp_json_add_list(o, "way");
        pp_json_add_i64(way, NULL, fabric->core_switch[m->tile[flow->src].core]);
        for (uint32_t h = 0; h < flow->hops; h++)
            pp_json_add_i64(way, NULL, fabric->channel[hop[h]].dst);
        if (!parallel)
            continue;
        pp_json *which = pp_json_add_list(o, "parallel");
        for (uint32_t h = 0; h < flow->hops; h++)
            pp_json_add_i64(which, NULL, parallel_index(fabric, hop[h]));
    }
}

/* Nets on each channel that is used: they follow from the ways, so that a way cannot be altered alone. */
static void add_loads(pp_json *root, const pp_mapping *m, const pp_fabric *fabric)
{
    pp_json *list = pp_json_add_list(root, "loads");
    for (uint32_t c = 0; c < fabric->n_network; c++) {
        if (!m->channel_flows[c])
            continue;
        pp_json *load = pp_json_add_list(list, NULL);
        pp_json_add_i64(load, NULL, fabric->channel[c].src);
        pp_json_add_i64(load, NULL, fabric->channel[c].dst);
        pp_json_add_i64(load, NULL, m->channel_flows[c]);
    }
}

pp_status pp_certificate_write_as(const char *path, const char *model, const char *fabric_text, const pp_mapping *m,
                                  const pp_qnetwork *q, const pp_arch *arch, const pp_fabric *fabric, bool force)
{
    pp_json *root = pp_json_object();
    char *text = NULL, *line = NULL;
    add_header(root, model, fabric_text, m, q, arch, fabric);
    add_stages(root, m, q, arch);
    add_tiles(root, m, q, fabric);
    add_flows(root, m, fabric);
    add_loads(root, m, fabric);
    pp_status status = pp_json_print(&text, root, true);
    pp_json_free(root);
    if (status == PP_OK && !(line = pp_strf("%s\n", text)))
        status = PP_ENOMEM;
    if (status == PP_OK)
        status = pp_output_write(path, line, strlen(line), force);
    free(text);
    free(line);
    return status;
}

pp_status pp_certificate_write(const char *path, const pp_mapping *m, const pp_qnetwork *q, const pp_arch *arch,
                               const pp_fabric *fabric, bool force)
{
    return pp_certificate_write_as(path, NULL, NULL, m, q, arch, fabric, force);
}
