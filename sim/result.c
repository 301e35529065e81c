/* What a run leaves behind: counters gathered into a result that owns its arrays. */
#include "sim/execute_internal.h"
#include "sim/pipeline_internal.h"

#include <stdlib.h>
#include <string.h>

void pp_run_result_free(pp_run_result *r)
{
    if (!r)
        return;
    free(r->done_ps);
    free(r->stage);
    free(r->span);
    free(r->core);
    free(r->channel);
    free(r->flow);
    free(r->edge);
    free(r->logits);
    free(r);
}

/* Busy time up to now: what is booked beyond now lies without gaps before free_ps. */
static uint64_t busy_so_far(uint64_t busy_ps, uint64_t free_ps, uint64_t now_ps)
{
    return free_ps > now_ps ? busy_ps - (free_ps - now_ps) : busy_ps;
}

void pp_sim_snapshot_take(const pp_sim *s, pp_sim_snapshot *shot)
{
    /* A private path (ideal switching) has no channel that is booked ahead. */
    bool booked = s->options->switching != PP_SWITCH_IDEAL && !s->flits;
    for (uint32_t i = 0; i < s->m->n_tiles; i++)
        shot->tile_busy_ps[i] = busy_so_far(s->tile[i].busy_ps, s->tile[i].free_ps, s->now_ps);
    for (uint32_t i = 0; i < s->fabric->n_channels; i++)
        shot->channel_busy_ps[i] =
            s->flits ? pp_flits_busy_ps(s, i)
                     : busy_so_far(s->channel[i].busy_ps, booked ? s->channel[i].free_ps : 0, s->now_ps);
}

/* One inference alone: all of its time. */
static uint64_t window_ps(const pp_run_result *r, const pp_sim *s)
{
    return r->images > 1 ? r->done_ps[s->window[1]] - r->done_ps[s->window[0]] : r->done_ps[0];
}

static double share(uint64_t from, uint64_t to, uint64_t window_ps)
{
    return window_ps ? (double)(to - from) / (double)window_ps : 0;
}

static void fill_cores(pp_run_result *r, const pp_sim *s, uint64_t window_ps)
{
    for (uint32_t i = 0; i < r->n_tiles; i++) {
        const pp_sim_tile *t = &s->tile[i];
        r->core[i] = (pp_core_result){.tile = i,
                                      .core = s->m->tile[i].core,
                                      .firings = t->fired,
                                      .busy_ps = t->busy_ps,
                                      .memory_high_bytes = t->high_bytes};
        r->core[i].utilisation = share(s->shot[0].tile_busy_ps[i], s->shot[1].tile_busy_ps[i], window_ps);
    }
}

static void fill_stages(pp_run_result *r, const pp_sim *s)
{
    for (uint32_t i = 0; i < r->n_stages; i++) {
        const pp_plan *plan = &s->m->plan[i];
        pp_stage_result *stage = &r->stage[i];
        uint32_t busiest = plan->first_tile;
        for (uint32_t t = plan->first_tile; t < plan->first_tile + plan->n_tiles; t++) {
            stage->firings += s->tile[t].head && s->m->tile[t].col == 0 ? s->tile[t].fired : 0;
            busiest = s->tile[t].busy_ps > s->tile[busiest].busy_ps ? t : busiest;
        }
        stage->first_fire_ps = s->span[i].first_fire_ps;
        stage->first_done_ps = s->span[i].first_done_ps;
        stage->last_done_ps = s->span[i].last_done_ps;
        stage->utilisation = r->core[busiest].utilisation;
        stage->busy_ps = s->tile[busiest].busy_ps;
        stage->wait_input_ps = s->tile[busiest].wait_input_ps;
        stage->wait_room_ps = s->tile[busiest].wait_room_ps;
    }
}

static void fill_channels(pp_run_result *r, const pp_sim *s, uint64_t window_ps)
{
    for (uint32_t i = 0; i < r->n_channels; i++) {
        const pp_sim_channel *c = &s->channel[i];
        pp_channel_result *to = &r->channel[i];
        *to = (pp_channel_result){c->packets, c->bits, c->busy_ps, 0, c->wait_ps, c->queue_high, c->blocked_ps, 0, 0};
        to->utilisation = share(s->shot[0].channel_busy_ps[i], s->shot[1].channel_busy_ps[i], window_ps);
        if (to->utilisation > r->max_channel_utilisation)
            r->max_channel_utilisation = to->utilisation;
    }
}

static void fill_flows(pp_run_result *r, const pp_sim *s)
{
    for (uint32_t i = 0; i < r->n_flows; i++) {
        const pp_sim_flow *f = &s->flow[i];
        r->flow[i] = (pp_flow_result){f->arrived, f->high, f->latency_sum_ps, f->latency_max_ps};
    }
}

static void fill_edges(pp_run_result *r, const pp_sim *s)
{
    for (uint32_t i = 0; i < r->n_edges; i++)
        r->edge[i] = (pp_edge_result){s->edge[i].waited_ps, s->edge[i].caused_ps};
}

static pp_status result_new(pp_run_result **out, const pp_sim *s)
{
    pp_run_result *r = *out = pp_calloc(1, sizeof *r);
    if (!r)
        return PP_ENOMEM;
    r->images = (uint32_t)s->options->images;
    r->n_stages = s->m->n_stages;
    r->span_images = s->span_images;
    r->n_tiles = s->m->n_tiles;
    r->n_channels = s->fabric->n_channels;
    r->n_flows = s->m->n_flows;
    r->n_edges = s->m->n_edges;
    r->done_ps = pp_calloc(r->images, sizeof *r->done_ps);
    r->stage = pp_calloc(r->n_stages, sizeof *r->stage);
    r->span = pp_calloc((size_t)r->span_images * r->n_stages, sizeof *r->span);
    r->core = pp_calloc(r->n_tiles, sizeof *r->core);
    r->channel = pp_calloc(r->n_channels, sizeof *r->channel);
    r->flow = pp_calloc(r->n_flows, sizeof *r->flow);
    r->edge = pp_calloc(r->n_edges, sizeof *r->edge);
    return r->done_ps && r->stage && r->span && r->core && r->channel && r->flow && r->edge ? PP_OK : PP_ENOMEM;
}

static pp_status fill_logits(pp_run_result *r, const pp_sim *s)
{
    if (!s->exec)
        return PP_OK;
    const double *logits = pp_exec_logits(s->exec, &r->executed, &r->classes);
    size_t n = (size_t)r->executed * r->classes;
    r->logits = pp_alloc(n, sizeof *r->logits);
    if (!r->logits)
        return PP_ENOMEM;
    memcpy(r->logits, logits, n * sizeof *logits);
    return PP_OK;
}

/* Busy time an inference of the busiest core or channel: what no pipeline can go below. */
static uint64_t busiest_ps(const pp_run_result *r, const pp_sim *s)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < r->n_tiles; i++)
        most = r->core[i].busy_ps > most ? r->core[i].busy_ps : most;
    for (uint32_t i = 0; i < r->n_channels && s->options->switching != PP_SWITCH_IDEAL; i++)
        most = r->channel[i].busy_ps > most ? r->channel[i].busy_ps : most;
    return (most + r->images - 1) / r->images;
}

/* The steady window leaves out the first quarter (filling) and the last (draining: without followers
 * that share their channels the last inferences come sooner). A finite window can still come out short
 * where inferences overtake each other's packets; no interval is below the busiest resource's. */
static void fill_times(pp_run_result *r, const pp_sim *s)
{
    pp_kernel_stats stats;
    s->kernel->ops->stats(s->kernel, &stats);
    r->latency_first_ps = r->done_ps[0];
    r->end_ps = r->done_ps[r->images - 1];
    r->extrapolated_share = (double)s->jumped / (double)r->images;
    uint64_t n = r->images > 1 ? s->window[1] - s->window[0] : 1, slope = (window_ps(r, s) + n / 2) / n;
    uint64_t least = busiest_ps(r, s);
    r->interval_ps = slope > least ? slope : least;
    r->throughput_ips = r->interval_ps ? 1e12 / (double)r->interval_ps : 0;
    r->events = stats.fired;
    r->trace_hash = stats.trace_hash;
}

static pp_status fill(pp_run_result **out, const pp_sim *s)
{
    PP_TRY(result_new(out, s));
    pp_run_result *r = *out;
    memcpy(r->done_ps, s->done_ps, r->images * sizeof *r->done_ps);
    memcpy(r->span, s->span, (size_t)r->span_images * r->n_stages * sizeof *r->span);
    uint64_t window = window_ps(r, s);
    fill_cores(r, s, window);
    fill_stages(r, s);
    fill_channels(r, s, window);
    fill_flows(r, s);
    fill_edges(r, s);
    if (s->flits)
        PP_TRY(pp_flits_result(r, s));
    fill_times(r, s);
    return fill_logits(r, s);
}

pp_status pp_sim_result(pp_run_result **out, const pp_sim *s)
{
    pp_status status = fill(out, s);
    if (status != PP_OK) {
        pp_run_result_free(*out);
        *out = NULL;
    }
    return status;
}
