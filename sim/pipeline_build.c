/* From a mapping to the model: tiles, flows, nets, edges, channels. */
#include "sim/pipeline_internal.h"

#include <stdlib.h>

/* FIFOs that hold all packets of the run are as good as unlimited ones. */
static uint32_t fifo_depth(const pp_sim *s)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < s->m->n_nets; i++)
        most = s->m->net[i].packets > most ? s->m->net[i].packets : most;
    return s->fabric->fifo_packets < most * s->images * s->m->n_nets ? s->fabric->fifo_packets : 0;
}

/* A bounded number: what a report shows of the pipeline's start. */
static uint32_t span_images(const pp_sim *s)
{
    const uint32_t most = 16, cells = 1 << 16;
    uint32_t fit = s->m->n_stages < cells ? cells / s->m->n_stages : 1;
    fit = fit < most ? fit : most;
    return s->images < fit ? s->images : fit;
}

static pp_status tables_new(pp_sim *s)
{
    const pp_mapping *m = s->m;
    s->fifo_packets = fifo_depth(s);
    size_t slots = (size_t)m->n_edges * s->fifo_packets;
    s->tile = pp_arena_get(s->arena, m->n_tiles, sizeof *s->tile);
    s->flow = pp_arena_get(s->arena, m->n_flows, sizeof *s->flow);
    s->net = pp_arena_get(s->arena, m->n_nets, sizeof *s->net);
    s->edge = pp_arena_get(s->arena, m->n_edges, sizeof *s->edge);
    s->channel = pp_arena_get(s->arena, s->fabric->n_channels, sizeof *s->channel);
    s->slot = pp_arena_get(s->arena, slots, sizeof *s->slot);
    s->in_flow = pp_arena_get(s->arena, m->n_flows, sizeof *s->in_flow);
    s->psum_flow = pp_arena_get(s->arena, m->n_flows, sizeof *s->psum_flow);
    s->room_flow = pp_arena_get(s->arena, m->n_flows, sizeof *s->room_flow);
    s->edge_list = pp_arena_get(s->arena, m->n_edges, sizeof *s->edge_list);
    s->work = pp_arena_get(s->arena, m->n_tiles, sizeof *s->work);
    s->image_left = pp_arena_get(s->arena, s->images, sizeof *s->image_left);
    s->done_ps = pp_arena_get(s->arena, (size_t)s->options->images, sizeof *s->done_ps);
    s->span_images = span_images(s);
    s->span = pp_arena_get(s->arena, (size_t)s->span_images * m->n_stages, sizeof *s->span);
    bool ok = s->tile && s->flow && s->net && s->edge && s->channel && s->slot && s->in_flow && s->psum_flow &&
              s->room_flow && s->edge_list && s->work && s->image_left && s->done_ps && s->span;
    for (uint32_t i = 0; i < 2; i++) {
        s->shot[i].tile_busy_ps = pp_arena_get(s->arena, m->n_tiles, sizeof(uint64_t));
        s->shot[i].channel_busy_ps = pp_arena_get(s->arena, s->fabric->n_channels, sizeof(uint64_t));
        ok = ok && s->shot[i].tile_busy_ps && s->shot[i].channel_busy_ps;
    }
    if (!ok)
        return PP_ENOMEM;
    return PP_OK;
}

/* ---- tiles ---- */

static pp_status build_tile(pp_sim *s, uint32_t index)
{
    const pp_tile *tile = &s->m->tile[index];
    const pp_plan *plan = &s->m->plan[tile->stage];
    pp_sim_tile *t = &s->tile[index];
    t->stage = tile->stage;
    t->copy = tile->copy;
    t->copies = plan->copies;
    t->firings = pp_sim_share(plan->positions, tile->copy, plan->copies);
    t->head = tile->head;
    t->output = tile->head && tile->stage == s->q->stages->output;
    t->interval_ps = plan->mvm.interval_ps;
    t->result_ps = plan->mvm.latency_ps;
    t->digital_ps = tile->head ? (uint64_t)s->arch->digital_ps : 0;
    t->wake_ps = PP_TIME_NEVER;
    t->first_net = s->m->net_of_tile_first[index];
    t->n_net = s->m->net_of_tile_first[index + 1] - t->first_net;
    if (t->firings == 0)
        return pp_fail(PP_EINVAL, "stage '%s': copy %u of %u has nothing to do", s->q->stages->stage[tile->stage].name,
                       tile->copy, plan->copies);
    return PP_OK;
}

/* Incoming flows by what they mean to the tile; a partial sum's window is its buffer. */
static void sort_incoming(pp_sim *s, uint32_t index, uint32_t *n_in, uint32_t *n_psum)
{
    pp_sim_tile *t = &s->tile[index];
    t->first_in = *n_in;
    t->first_psum = *n_psum;
    for (uint32_t i = s->m->flow_of_tile_first[index]; i < s->m->flow_of_tile_first[index + 1]; i++) {
        uint32_t flow = s->m->flow_of_tile[i];
        if (s->m->flow[flow].kind == PP_FLOW_PSUM) {
            s->psum_flow[(*n_psum)++] = flow;
            t->window = s->m->flow[flow].buffer > t->window ? s->m->flow[flow].buffer : t->window;
        } else {
            s->in_flow[(*n_in)++] = flow;
        }
    }
    t->n_in = *n_in - t->first_in;
    t->n_psum = *n_psum - t->first_psum;
    if (!t->n_psum) /* nothing to join: the digital unit follows the array at once */
        t->result_ps += t->digital_ps;
}

static void list_room(pp_sim *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->m->n_tiles; i++) {
        pp_sim_tile *t = &s->tile[i];
        t->first_room = n;
        for (uint32_t j = 0; j < t->n_net; j++) {
            const pp_net *net = &s->m->net[s->m->net_of_tile[t->first_net + j]];
            for (uint32_t k = 0; k < net->n_flows; k++)
                if (s->m->flow[s->m->net_flow[net->first_flow + k]].buffer)
                    s->room_flow[n++] = s->m->net_flow[net->first_flow + k];
        }
        t->n_room = n - t->first_room;
    }
}

static pp_status build_tiles(pp_sim *s)
{
    uint32_t n_in = 0, n_psum = 0, outputs = 0;
    for (uint32_t i = 0; i < s->m->n_tiles; i++) {
        PP_TRY(build_tile(s, i));
        sort_incoming(s, i, &n_in, &n_psum);
        outputs += s->tile[i].output;
    }
    list_room(s);
    for (uint32_t i = 0; i < s->images; i++)
        s->image_left[i] = outputs;
    for (size_t i = 0; i < (size_t)s->span_images * s->m->n_stages; i++)
        s->span[i].first_fire_ps = s->span[i].first_done_ps = PP_TIME_NEVER;
    return PP_OK;
}

/* ---- flows, nets, edges ---- */

/* Map and patches in which the packets of a net come. */
static void cut_of(const pp_sim *s, uint32_t src, uint8_t kind, pp_shape *map, pp_patch *patch)
{
    uint32_t stage = s->m->tile[src].stage;
    bool psum = kind == PP_FLOW_PSUM;
    *map = psum ? s->q->stages->stage[stage].fire : s->q->stages->stage[stage].out;
    *patch = psum ? s->m->plan[stage].patch : s->m->plan[stage].out_patch;
}

/* Pixels of a patch by kind: bit 0 at the right edge, bit 1 at the lower edge; 0 where there is none. */
static void patch_kinds(pp_shape map, pp_patch patch, uint32_t pixels[4])
{
    uint32_t y[2] = {patch.y < map.h ? patch.y : map.h, map.h % patch.y};
    uint32_t x[2] = {patch.x < map.w ? patch.x : map.w, map.w % patch.x};
    for (uint32_t kind = 0; kind < 4; kind++)
        pixels[kind] = y[kind >> 1] * x[kind & 1];
}

static pp_status kinds_of(pp_sim *s, pp_shape map, pp_patch patch, const uint8_t **out)
{
    *out = NULL;
    if (map.h % patch.y == 0 && map.w % patch.x == 0)
        return PP_OK;
    uint32_t n = pp_positions(map, patch), columns = (map.w + patch.x - 1) / patch.x;
    uint8_t *kind = pp_arena_get(s->arena, n, sizeof *kind);
    for (uint32_t p = 0; kind && p < n; p++)
        kind[p] = (uint8_t)((p % columns * patch.x + patch.x > map.w) | (p / columns * patch.y + patch.y > map.h) << 1);
    *out = kind;
    return kind ? PP_OK : PP_ENOMEM;
}

static void build_edge(pp_sim *s, uint32_t net, uint32_t index, const uint32_t pixels[4])
{
    const pp_net_edge *from = &s->m->edge[index];
    pp_sim_edge *e = &s->edge[index];
    e->channel = from->channel;
    e->net = net;
    e->parent = from->parent;
    e->first_end = from->first_end;
    e->n_end = from->n_end;
    e->packets = (uint32_t)s->m->net[net].packets;
    for (uint32_t kind = 0; kind < 4; kind++) {
        e->bits[kind] = pixels[kind] * from->bits_per_pixel + s->fabric->header_bits;
        e->serialise_ps[kind] = pp_channel_serialise_ps(&s->fabric->channel[e->channel], e->bits[kind]);
    }
}

/* Edges whose parent is `parent`, in order, appended to the list. */
static uint32_t list_children(pp_sim *s, const pp_net *net, uint32_t parent, uint32_t *n)
{
    uint32_t before = *n;
    for (uint32_t i = net->first_edge; i < net->first_edge + net->n_edges; i++)
        if (s->m->edge[i].parent == parent)
            s->edge_list[(*n)++] = i;
    return *n - before;
}

/* The private path of each flow that ends at `edge`: all channels back to the root. */
static void build_paths(pp_sim *s, uint32_t edge, const uint32_t pixels[4])
{
    for (uint32_t i = 0; i < s->edge[edge].n_end; i++) {
        uint32_t flow = s->m->edge_end[s->edge[edge].first_end + i];
        pp_sim_flow *f = &s->flow[flow];
        for (uint32_t e = edge; e != PP_NONE; e = s->edge[e].parent) {
            const pp_channel *c = &s->fabric->channel[s->edge[e].channel];
            f->path_ps += c->latency_ps;
            for (uint32_t kind = 0; kind < 4; kind++) {
                uint64_t bits = (uint64_t)pixels[kind] * s->m->flow[flow].bits_per_pixel + s->fabric->header_bits;
                uint64_t ps = pp_channel_serialise_ps(c, bits);
                f->path_serialise_ps[kind] = ps > f->path_serialise_ps[kind] ? ps : f->path_serialise_ps[kind];
            }
        }
    }
}

static void build_flow(pp_sim *s, uint32_t index, uint32_t net, uint32_t patch_pixels)
{
    const pp_flow *from = &s->m->flow[index];
    pp_sim_flow *f = &s->flow[index];
    f->src = from->src;
    f->dst = from->dst;
    f->net = net;
    f->positions = from->positions;
    f->capacity = from->buffer;
    f->psum = from->kind == PP_FLOW_PSUM;
    f->bytes = (patch_pixels * from->bits_per_pixel + 7) / 8;
}

static pp_status build_net(pp_sim *s, uint32_t index, uint32_t *listed)
{
    const pp_net *from = &s->m->net[index];
    pp_sim_net *net = &s->net[index];
    pp_shape map;
    pp_patch patch;
    uint32_t pixels[4], ends = 0;
    cut_of(s, from->src, from->kind, &map, &patch);
    patch_kinds(map, patch, pixels);
    net->src = from->src;
    net->copy = s->m->tile[from->src].copy;
    net->copies = s->m->plan[s->m->tile[from->src].stage].copies;
    pp_sim_ring_init(&net->ready, sizeof(uint64_t));
    PP_TRY(kinds_of(s, map, patch, &net->kind));
    for (uint32_t i = 0; i < from->n_flows; i++)
        build_flow(s, s->m->net_flow[from->first_flow + i], index, pixels[0]);
    net->first_root = *listed;
    net->n_root = list_children(s, from, PP_NONE, listed);
    for (uint32_t e = from->first_edge; e < from->first_edge + from->n_edges; e++) {
        build_edge(s, index, e, pixels);
        s->edge[e].first_child = *listed;
        s->edge[e].n_child = list_children(s, from, e, listed);
        build_paths(s, e, pixels);
        ends += s->edge[e].n_end;
    }
    if (ends != from->n_flows)
        return pp_fail(PP_EINVAL, "mapping: net %u has %u flows, but %u end on its channels", index, from->n_flows,
                       ends);
    return PP_OK;
}

static void build_channels(pp_sim *s)
{
    for (uint32_t i = 0; i < s->fabric->n_channels; i++) {
        s->channel[i].latency_ps = s->fabric->channel[i].latency_ps;
        s->channel[i].wake_ps = PP_TIME_NEVER;
        s->channel[i].credits = s->fifo_packets;
        s->channel[i].serving = PP_NONE;
        pp_sim_ring_init(&s->channel[i].queue, sizeof(pp_sim_waiting));
    }
}

static void build_feed(pp_sim *s)
{
    pp_shape in = s->q->net->ops[0].out;
    s->feed.pixels = in.h * in.w;
    if (s->fabric->n_channels)
        s->feed.pixel_ps = pp_channel_serialise_ps(&s->fabric->channel[0], (uint64_t)in.c * s->q->stream[0].bits);
}

pp_status pp_sim_build(pp_sim *s)
{
    uint32_t listed = 0;
    PP_TRY(pp_arena_new(&s->arena));
    PP_TRY(tables_new(s));
    build_channels(s);
    PP_TRY(build_tiles(s));
    for (uint32_t i = 0; i < s->m->n_nets; i++)
        PP_TRY(build_net(s, i, &listed));
    build_feed(s);
    return pp_sim_steps_build(s);
}

void pp_sim_release(pp_sim *s)
{
    for (uint32_t i = 0; s->net && i < s->m->n_nets; i++)
        free(s->net[i].ready.data);
    for (uint32_t i = 0; s->channel && i < s->fabric->n_channels; i++)
        free(s->channel[i].queue.data);
    pp_arena_free(s->arena);
}
