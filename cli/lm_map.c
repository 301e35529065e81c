/* map of a language model: figures of the whole, a row for each operator and level. */
#include "cli/lm_map.h"
#include "report/lm_picture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The block that most instances are like: its operators are the table. */
static const pp_lm_template *usual_template(const pp_lm_mapping *m)
{
    const pp_lm_template *best = NULL;
    for (uint32_t t = 0; t < m->n_templates; t++) {
        const pp_lm_template *x = &m->template_[t];
        const bool block = m->graph->part[x->part].kind == PP_LM_PART_BLOCK;
        if (block && (best == NULL || x->instances >= best->instances))
            best = x;
    }
    return best;
}

static const pp_lm_attention *attention_of(const pp_lm_mapping *m)
{
    for (uint32_t p = 0; p < m->n_attention; p++)
        if (m->attention[p].units > 0)
            return &m->attention[p];
    return NULL;
}

static uint32_t exact_edges(const pp_lm_mapping *m)
{
    uint32_t n = 0;
    for (uint32_t e = 0; e < m->n_edges; e++)
        n += m->edge[e].exact;
    return n;
}

/* Tokens whose keys and values the units of a head can hold. */
static uint64_t kv_tokens(const pp_lm_attention *a)
{
    return a->kv_bytes * 8 / a->kv_bits_token * (a->split > 1 ? a->split : 1);
}

/* ---- JSON ---- */

static void stage_json(pp_json *list, const pp_lm_mapping *m, const pp_lm_stage *s)
{
    static const char *const reduction[] = {"star", "chain", "tree", "auto"};
    pp_json *o = pp_json_add_object(list, NULL);
    pp_json_add_text(o, "name", s->name);
    pp_json_add_text(o, "kind", pp_lm_op_kind_name((pp_lm_op_kind)s->kind));
    pp_json_add_i64(o, "row_tiles", s->row_tiles);
    pp_json_add_i64(o, "col_tiles", s->col_tiles);
    pp_json_add_i64(o, "copies", s->copies);
    pp_json_add_i64(o, "tiles", s->tiles);
    pp_json_add_i64(o, "units", s->units);
    pp_json_add_f64(o, "share", s->share);
    pp_json_add_i64(o, "macs", (int64_t)s->macs);
    pp_json_add_i64(o, "digital_ops", (int64_t)s->digital_ops);
    pp_json_add_text(o, "reduction", s->kind == PP_LM_OP_LINEAR ? reduction[s->reduction] : NULL);
    pp_json_add_i64(o, "interval_ps", (int64_t)s->interval_ps);
    pp_json_add_i64(o, "latency_ps", (int64_t)s->latency_ps);
    pp_json_add_i64(o, "bound_interval_ps", (int64_t)s->bound_interval_ps);
    pp_json_add_text(o, "binding", pp_lm_binding_name((pp_lm_binding)s->binding));
    pp_json_add_bool(o, "exact", s->psum_edge == PP_NONE || m->edge[s->psum_edge].exact);
}

static void level_json(pp_json *list, const pp_lm_mapping *m, uint32_t l)
{
    const pp_hier_level *v = &m->fabric->level[l];
    char label[96];
    pp_json *o = pp_json_add_object(list, NULL);
    pp_json_add_text(o, "name", v->name);
    pp_json_add_text(o, "fabric", v->unit->name);
    pp_json_add_i64(o, "groups", v->groups);
    pp_json_add_i64(o, "groups_used", m->groups_used[l]);
    pp_json_add_i64(o, "gateways", v->gateways);
    pp_json_add_i64(o, "channels_used", m->level[l].channels_used);
    pp_json_add_f64(o, "max_bits_token", m->level[l].max_bits);
    pp_json_add_f64(o, "mean_bits_token", m->level[l].mean_bits);
    pp_json_add_f64(o, "max_channel_ps", m->level[l].max_ps);
    pp_json_add_text(o, "max_channel", m->level[l].max_channel == PP_NONE
                                           ? NULL
                                           : pp_hier_channel_label(m->fabric, m->level[l].max_channel, label, sizeof label));
    pp_json_add_f64(o, "up_bits_token", m->level[l].up_bits);
}

static void attention_json(pp_json *json, const pp_lm_mapping *m)
{
    const pp_lm_attention *a = attention_of(m);
    if (a == NULL)
        return;
    const pp_lm_attention_time t = pp_lm_attention_work(a, m->bounds.attention_context, 1);
    pp_json *o = pp_json_add_object(json, "attention");
    pp_json_add_i64(o, "units", a->units);
    pp_json_add_i64(o, "split", a->split);
    pp_json_add_text(o, "memory", a->tier);
    pp_json_add_f64(o, "kv_gbps", a->kv_gbps);
    pp_json_add_i64(o, "kv_bytes", (int64_t)a->kv_bytes);
    pp_json_add_f64(o, "kv_fj_bit", a->kv_fj_bit);
    pp_json_add_f64(o, "kv_bytes_token", (double)m->graph->kv_bits_token / 8.0);
    pp_json_add_i64(o, "kv_tokens", (int64_t)kv_tokens(a));
    pp_json_add_i64(o, "context", (int64_t)m->bounds.attention_context);
    pp_json_add_i64(o, "compute_ps", (int64_t)t.compute_ps);
    pp_json_add_i64(o, "memory_ps", (int64_t)t.memory_ps);
}

static pp_status print_json(const pp_lm_mapping *m)
{
    pp_json *json = pp_json_object();
    pp_json_add_text(json, "network", m->graph->config.name);
    pp_json_add_text(json, "fabric", m->fabric->name);
    pp_json_add_i64(json, "tiles", (int64_t)m->tiles);
    pp_json_add_i64(json, "tiles_without_head", (int64_t)(m->tiles - m->tiles_head));
    pp_json_add_i64(json, "cores_used", m->cores_used);
    pp_json_add_i64(json, "cores", m->fabric->n_cores);
    pp_json_add_i64(json, "copies_max", m->copies_max);
    pp_json_add_text(json, "certificate", pp_certificate_name(m->certificate));
    pp_json_add_text(json, "placement", m->placement);
    pp_json_add_i64(json, "flows", (int64_t)m->flows);
    pp_json_add_i64(json, "single_channel_flows", (int64_t)m->single_channel_flows);
    pp_json_add_i64(json, "max_hops", m->max_hops);
    pp_json_add_i64(json, "blocks", m->graph->config.layers);
    pp_json_add_i64(json, "templates", m->n_templates);
    pp_json_add_i64(json, "edges", m->n_edges);
    pp_json_add_i64(json, "exact_edges", exact_edges(m));
    pp_json_add_i64(json, "bound_initiation_interval_ps", (int64_t)m->bounds.interval_ps);
    pp_json_add_f64(json, "bound_latency_us", (double)m->bounds.latency_ps * 1e-6);
    pp_json_add_f64(json, "lockstep_latency_us", (double)m->bounds.alone_ps * 1e-6);
    pp_json_add_i64(json, "bound_stage_ps", (int64_t)m->bounds.stage_ps);
    pp_json_add_i64(json, "bound_channel_ps", (int64_t)m->bounds.channel_ps);
    pp_json_add_i64(json, "bound_port_ps", (int64_t)m->bounds.port_ps);
    pp_json_add_i64(json, "bound_attention_ps", (int64_t)m->bounds.attention_ps);
    pp_json_add_f64(json, "cut_bits_token", m->cut_bits);
    pp_json_add_f64(json, "cut_bits_token_filled", m->cut_bits_filled);
    attention_json(json, m);
    const pp_lm_template *t = usual_template(m);
    pp_json *list = pp_json_add_list(json, "operators");
    for (uint32_t k = 0; k < t->n_stages; k++)
        stage_json(list, m, &m->stage[t->first_stage + k]);
    list = pp_json_add_list(json, "levels");
    for (uint32_t l = 0; l < m->fabric->n_levels; l++)
        level_json(list, m, l);
    return pp_print_json(json);
}

/* ---- text ---- */

static pp_status stage_row(pp_table *t, const pp_lm_mapping *m, const pp_lm_stage *s)
{
    char tiles[48] = "", cores[24] = "", ops[24], own[24], bound[24];
    if (s->tiles > 0 && s->copies > 1)
        snprintf(tiles, sizeof tiles, "%u x %u x %u", s->row_tiles, s->col_tiles, s->copies);
    else if (s->row_tiles > 0)
        snprintf(tiles, sizeof tiles, "%u x %u", s->row_tiles, s->col_tiles);
    if (s->cores > 0)
        snprintf(cores, sizeof cores, "%u", s->cores);
    else
        snprintf(cores, sizeof cores, "at %.16s", m->stage[s->at].name);
    uint64_t ps = s->interval_ps;
    if (s->kind == PP_LM_OP_ATTENTION)
        ps = m->bounds.attention_ps;
    snprintf(ops, sizeof ops, "%" PRIu64, s->digital_ops);
    snprintf(own, sizeof own, "%.3f", (double)ps * 1e-3);
    snprintf(bound, sizeof bound, "%.3f", (double)s->bound_interval_ps * 1e-3);
    const bool exact = s->psum_edge == PP_NONE || m->edge[s->psum_edge].exact;
    const char *cells[] = {s->name, tiles, cores, ops, own, bound, pp_lm_binding_name((pp_lm_binding)s->binding),
                           exact ? "exact" : "upper bound"};
    return pp_table_row(t, cells);
}

static pp_status stage_table(const pp_lm_mapping *m)
{
    const char *headers[] = {"operator", "row x col tiles", "cores", "digital ops", "own ns", "a token ns", "bound by", "sums"};
    const pp_lm_template *block = usual_template(m);
    pp_table *t = NULL;
    pp_status status = pp_table_new(&t, headers, 8);
    for (uint32_t k = 0; k < block->n_stages && status == PP_OK; k++)
        status = stage_row(t, m, &m->stage[block->first_stage + k]);
    if (status == PP_OK)
        pp_table_print(t, stdout);
    pp_table_free(t);
    return status;
}

static pp_status level_table(const pp_lm_mapping *m)
{
    const char *headers[] = {"level", "fabric", "groups", "used", "gateways", "busiest channel", "bits a token", "ns a token"};
    pp_table *t = NULL;
    pp_status status = pp_table_new(&t, headers, 8);
    for (uint32_t l = 0; l < m->fabric->n_levels && status == PP_OK; l++) {
        const pp_hier_level *v = &m->fabric->level[l];
        const pp_lm_level_load *load = &m->level[l];
        char groups[24], used[24], ways[24], label[96] = "-", bits[24], ns[24];
        snprintf(groups, sizeof groups, "%u", v->groups);
        snprintf(used, sizeof used, "%u", m->groups_used[l]);
        snprintf(ways, sizeof ways, "%u", v->gateways);
        snprintf(bits, sizeof bits, "%.0f", load->max_bits);
        snprintf(ns, sizeof ns, "%.3f", load->max_ps * 1e-3);
        if (load->max_channel != PP_NONE)
            pp_hier_channel_label(m->fabric, load->max_channel, label, sizeof label);
        const char *cells[] = {v->name, v->unit->name, groups, used, ways, label, bits, ns};
        status = pp_table_row(t, cells);
    }
    if (status == PP_OK)
        pp_table_print(t, stdout);
    pp_table_free(t);
    return status;
}

static void print_attention(const pp_lm_mapping *m)
{
    const pp_lm_attention *a = attention_of(m);
    if (a == NULL)
        return;
    const pp_lm_attention_time t = pp_lm_attention_work(a, m->bounds.attention_context, 1);
    printf("attention at %" PRIu64 " tokens: compute %.3f us, keys and values %.3f us (%s, %.4g Gbit/s a unit); %s "
           "%" PRIu64 " tokens, a token leaves %.4g bytes a block\n",
           m->bounds.attention_context, (double)t.compute_ps * 1e-6, (double)t.memory_ps * 1e-6, a->tier, a->kv_gbps,
           a->split > 1 ? "the units of a head hold" : "a unit holds", kv_tokens(a), (double)m->graph->kv_bits_token / 8.0);
}

static pp_status print_text(const pp_lm_mapping *m)
{
    PP_TRY(stage_table(m));
    printf("\n");
    PP_TRY(level_table(m));
    printf("\n%s on %s: %" PRIu64 " tiles (%" PRIu64 " without the head) and %u cores of %u, %u blocks of %u templates\n",
           m->graph->config.name, m->fabric->name, m->tiles, m->tiles - m->tiles_head, m->cores_used, m->fabric->n_cores,
           m->graph->config.layers, m->n_templates);
    printf("placement %s\n", m->placement);
    if (m->cut_bits_filled > 0.0)
        printf("boundaries: %.0f bits a token cross them, %.0f when groups are filled to the last core\n", m->cut_bits,
               m->cut_bits_filled);
    printf("certificate %s: %" PRIu64 " of %" PRIu64 " flows on one channel at most, at most %u channels a flow; %u of %u edges "
           "exact, the others upper bounds\n",
           pp_certificate_name(m->certificate), m->single_channel_flows, m->flows, m->max_hops, exact_edges(m), m->n_edges);
    print_attention(m);
    printf("bounds: a token each %.3f ns without attention (stages %.3f, channels %.3f, ports %.3f), one token at least %.3f us; in lockstep, alone, %.3f us\n",
           (double)m->bounds.interval_ps * 1e-3, (double)m->bounds.stage_ps * 1e-3, (double)m->bounds.channel_ps * 1e-3,
           (double)m->bounds.port_ps * 1e-3, (double)m->bounds.latency_ps * 1e-6, (double)m->bounds.alone_ps * 1e-6);
    return PP_OK;
}

pp_status pp_map_lm(pp_session *s, const pp_parsed *p)
{
    if (pp_args_get(p, "certificate") != NULL)
        return pp_fail(PP_EUNSUPPORTED, "map: certificates list every tile; language models have none");
    int64_t block = 0;
    const char *picture = pp_args_get(p, "picture");
    PP_TRY(pp_args_i64(p, "block", 1, 0, 65535, &block));
    PP_TRY(pp_session_lm_map(s));
    if (block == 1 && s->lm->graph->config.layers == 1 && pp_args_get(p, "block") == NULL)
        block = 0;
    if (picture != NULL)
        PP_TRY(pp_lm_picture_write(s->lm, (uint32_t)block, picture, pp_args_has(p, "force")));
    return pp_args_has(p, "json") ? print_json(s->lm) : print_text(s->lm);
}
