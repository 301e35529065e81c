/* Stable text of a mapping, for diffs. */
#include "mapper/mapper_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct pp_text {
    PP_VEC(char) out;
    pp_status status;
} pp_text;

static void line(pp_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Longest line: a flow; names are cut. */
static void line(pp_text *t, const char *format, ...)
{
    char buffer[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof buffer ? (size_t)n : sizeof buffer - 1;
    for (size_t i = 0; i < len && t->status == PP_OK; i++)
        t->status = pp_push(&t->out, buffer[i]) ? PP_OK : PP_ENOMEM;
}

static const char *kind_name(uint8_t kind)
{
    static const char *const names[] = {"activation", "residual", "psum"};
    return names[kind];
}

static void dump_plan(pp_text *t, const pp_mapping *m)
{
    for (uint32_t s = 0; s < m->n_stages; s++) {
        const pp_plan *p = &m->plan[s];
        line(t, "stage %u patch %ux%u copies %u rows %u cols %u positions %u out %ux%u x %u busy_ps %" PRIu64 "\n", s,
             p->patch.y, p->patch.x, p->copies, p->row_tiles, p->col_tiles, p->positions, p->out_patch.y,
             p->out_patch.x, p->out_positions, p->busy_ps);
    }
}

static void dump_tiles(pp_text *t, const pp_mapping *m, const pp_fabric *fabric)
{
    for (uint32_t i = 0; i < m->n_tiles; i++) {
        const pp_tile *tile = &m->tile[i];
        char where[64] = "-";
        if (fabric && tile->core != PP_NONE)
            pp_vertex_label(fabric, fabric->core_vertex[tile->core], where, sizeof where);
        line(t, "tile %u stage %u copy %u col %u row %u in %u..%u out %u..%u rows %u cols %u core %s\n", i, tile->stage,
             tile->copy, tile->col, tile->row, tile->in_lo, tile->in_hi, tile->out_lo, tile->out_hi, tile->rows_used,
             tile->cols_used, where);
    }
}

static void dump_flows(pp_text *t, const pp_mapping *m)
{
    for (uint32_t i = 0; i < m->n_flows; i++) {
        const pp_flow *f = &m->flow[i];
        line(t, "flow %u %s tile %u -> %u stream %u channels %u..%u packets %u bits %" PRIu64 " buffer %u of %u hops",
             i, kind_name(f->kind), f->src, f->dst, f->stream, f->ch_lo, f->ch_hi, f->positions, f->bits, f->buffer_min,
             f->buffer);
        for (uint32_t h = 0; h < f->hops; h++)
            line(t, " %u", m->hop[f->first_hop + h]);
        line(t, "\n");
    }
}

pp_status pp_mapping_dump(char **out, const pp_mapping *m, const pp_fabric *fabric)
{
    pp_text t = {.status = PP_OK};
    const pp_bounds *b = &m->bounds;
    *out = NULL;
    line(&t, "mapping %u stages %u tiles %u flows %u nets placement %s\n", m->n_stages, m->n_tiles, m->n_flows,
         m->n_nets, m->placement ? m->placement : "-");
    dump_plan(&t, m);
    dump_tiles(&t, m, fabric);
    dump_flows(&t, m);
    for (uint32_t e = 0; e < m->n_edges; e++)
        line(&t, "edge %u channel %u bits %" PRIu64 "\n", e, m->edge[e].channel, m->edge[e].bits);
    line(&t,
         "bounds interval_ps %" PRIu64 " core %" PRIu64 " channel %" PRIu64 " port %" PRIu64 " input %" PRIu64
         " latency_ps %" PRIu64 "\n",
         b->interval_ps, b->core_ps, b->channel_ps, b->port_ps, b->input_ps, b->latency_ps);
    if (t.status == PP_OK && !pp_push(&t.out, 0))
        t.status = PP_ENOMEM;
    if (t.status != PP_OK) {
        free(t.out.data);
        return t.status;
    }
    *out = t.out.data;
    return PP_OK;
}
