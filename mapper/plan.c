/* From the choice of patches and copies to plan and tiles. */
#include "mapper/mapper_internal.h"
#include "quant/rotate_stage.h"
#include "quant/scale_stage.h"

#include <stdlib.h>

bool pp_stage_may_copy(const pp_stage *stage)
{
    return stage->matrix != PP_NONE && stage->pool == PP_NONE;
}

/* Time that a core of one of `copies` copies spends on rotating what comes, a firing: each takes the whole map. */
static uint64_t rotate_ps(const pp_qnetwork *q, const pp_arch *arch, uint32_t stage, const pp_tiling *t, uint32_t copies)
{
    const pp_stage *s = &q->stages->stage[stage];
    const uint32_t slices = pp_arch_slices(arch, q->stage[stage].wbits), pixels = t->widen / slices;
    const uint64_t firings = ((uint64_t)s->fire.h * s->fire.w + pixels - 1) / pixels;
    const uint64_t positions = ((uint64_t)s->in.h * s->in.w * copies + firings - 1) / firings;
    uint64_t most = 0;
    const uint32_t parts = q->options.activation_scale == PP_QSCALE_TOKEN ? 1 : t->row_tiles; /* one scale: all channels everywhere */
    for (uint32_t row = 0; row < parts; row++) {
        const uint32_t lo = (uint32_t)((uint64_t)s->in.c * row / parts);
        const uint32_t hi = (uint32_t)((uint64_t)s->in.c * (row + 1) / parts);
        const uint64_t ops = pp_qrotate_adds(q->stage[stage].rotate, lo, hi) + (hi - lo);
        most = ops > most ? ops : most;
    }
    return positions * pp_arch_rotate_ps(arch, most);
}

/* Time that the head of one firing spends on rotating what leaves: additions, and the rescaling of each channel to the
 * common unit. */
static uint64_t rotate_out_ps(const pp_qnetwork *q, const pp_arch *arch, uint32_t stage, const pp_tiling *t)
{
    const pp_stage *s = &q->stages->stage[stage];
    const uint32_t slices = pp_arch_slices(arch, q->stage[stage].wbits), pixels = t->widen / slices;
    const uint64_t firings = ((uint64_t)s->fire.h * s->fire.w + pixels - 1) / pixels;
    const uint64_t positions = ((uint64_t)s->out.h * s->out.w + firings - 1) / firings;
    uint64_t most = 0;
    for (uint32_t col = 0; col < t->col_tiles; col++) {
        pp_tile tile = {0};
        pp_tiling_tile(&tile, t, s, col, 0);
        const uint64_t ops = pp_qrotate_adds(q->stage[stage].rotate_out, tile.out_lo, tile.out_hi) + (tile.out_hi - tile.out_lo);
        most = ops > most ? ops : most;
    }
    return positions * pp_arch_rotate_ps(arch, most);
}

/* What the digital unit does to one firing's inputs (or outputs) overlaps the MVM of the one before. */
static void add_digital(pp_mvm_time *mvm, uint64_t ps)
{
    mvm->interval_ps = ps > mvm->interval_ps ? ps : mvm->interval_ps;
    mvm->latency_ps += ps;
}

/* Time that a core spends on the codes of one firing: the search for the largest, a product for each row and column. */
static uint64_t rescale_ps(const pp_qnetwork *q, const pp_arch *arch, uint32_t stage, const pp_tiling *t)
{
    uint64_t most = 0;
    for (uint32_t col = 0; col < t->col_tiles; col++)
        for (uint32_t row = 0; row < t->row_tiles; row++) {
            pp_tile tile = {0};
            pp_tiling_tile(&tile, t, &q->stages->stage[stage], col, row);
            const pp_qrescale_work w = pp_qrescale_count(q, stage, tile.rows_used, tile.in_hi - tile.in_lo,
                                                         tile.cols_used / pp_arch_slices(arch, q->stage[stage].wbits));
            const uint64_t ops = w.compared + w.rescaled + w.scaled;
            most = ops > most ? ops : most;
        }
    return pp_arch_rotate_ps(arch, most);
}

static pp_mvm_time copy_mvm(const pp_qnetwork *q, const pp_arch *arch, uint32_t stage, const pp_tiling *t, uint32_t copies)
{
    const bool rotates = q->stage[stage].rotate != NULL;
    const pp_arch a = rotates ? pp_arch_rotated(arch) : *arch;
    pp_mvm_time mvm = pp_arch_mvm(&a, t->cols_max, pp_qstage_dac(q, stage).bits, q->stage[stage].wbits);
    if (pp_qrescales(q, stage))
        add_digital(&mvm, rescale_ps(q, arch, stage, t));
    if (pp_qrotates_here(q, stage))
        add_digital(&mvm, rotate_ps(q, arch, stage, t, copies));
    if (q->stage[stage].rotate_out != NULL)
        add_digital(&mvm, rotate_out_ps(q, arch, stage, t));
    return mvm;
}

/* Bits of the right factor of a product, of one head: a row of the map that holds it, or all of it. */
static uint64_t operand_bits(const pp_qnetwork *q, const pp_stage *s)
{
    const pp_op *op = &q->net->ops[s->first_op];
    const uint32_t stream = s->inputs[1].stream;
    const pp_shape b = pp_stream_shape(q->net, q->stages, stream);
    return (uint64_t)(op->whole ? b.h : 1) * b.w * (b.c / op->groups) * q->stream[stream].bits;
}

/* Time of a firing of a product of activations. */
static uint64_t product_ps(const pp_qnetwork *q, const pp_arch *arch, const pp_stage *s, uint32_t pixels)
{
    const pp_op *op = &q->net->ops[s->first_op];
    const uint64_t results = s->fire.c / op->groups;
    const pp_product_work work = {.macs = results * (s->in.c / op->groups),
                                  .scores = s->softmax == PP_NONE ? 0 : results,
                                  .bits = operand_bits(q, s),
                                  .queries = pixels};
    return pp_arch_product_ps(arch, &work);
}

static pp_status check_product(const pp_qnetwork *q, const pp_arch *arch, const pp_stage *s)
{
    const uint64_t bytes = (operand_bits(q, s) + 7) / 8, room = pp_arch_kv(arch).bytes;
    if (bytes > room)
        return pp_fail(PP_EINFEASIBLE,
                       "layer %s: one head of its second operand takes %llu bytes, an attention unit's memory holds %llu "
                       "(arch.attention_kv_bytes)", s->name, (unsigned long long)bytes, (unsigned long long)room);
    return PP_OK;
}

pp_mvm_time pp_stage_mvm(const pp_qnetwork *q, const pp_arch *arch, uint32_t stage, const pp_tiling *t)
{
    const pp_stage *s = &q->stages->stage[stage];
    uint64_t digital = (uint64_t)arch->digital_interval_ps;
    const pp_op *op = &q->net->ops[s->first_op];
    if (op->kind == PP_OP_TASK)
        digital = op->work.ps + (op->work.ops ? pp_arch_digital_ps(arch, op->work.ops) : 0);
    if (op->kind == PP_OP_PRODUCT) {
        const uint64_t product = product_ps(q, arch, s, t->widen);
        digital = product > digital ? product : digital;
    }
    if (s->matrix == PP_NONE)
        return (pp_mvm_time){.interval_ps = digital, .latency_ps = digital};
    return copy_mvm(q, arch, stage, t, 1);
}

pp_patch pp_stream_patch(const pp_mapping *m, uint32_t stream)
{
    return stream == 0 ? (pp_patch){1, 1} : m->plan[stream - 1].out_patch;
}

/* A chain adds on the way: every core sends and receives one stream of sums, however many row tiles
 * there are, where a tree receives two and a star all of them (hardware model sec. 4). */
static uint32_t resolve(int reduction, uint32_t row_tiles)
{
    return row_tiles == 1 || reduction == PP_REDUCE_AUTO ? PP_REDUCE_CHAIN : (uint32_t)reduction;
}

static pp_status plan_stage(pp_plan *plan, pp_tiling *tiling, const pp_qnetwork *q, const pp_arch *arch, uint32_t stage,
                            pp_choice choice, int reduction)
{
    const pp_stage *s = &q->stages->stage[stage];
    plan->name = s->name;
    plan->patch = pp_patch_clamp(choice.patch, s->fire);
    if (q->net->ops[s->first_op].kind == PP_OP_PRODUCT)
        PP_TRY(check_product(q, arch, s));
    PP_TRY(pp_tiling_find(tiling, q, arch, stage, plan->patch));
    plan->positions = pp_positions(s->fire, plan->patch);
    plan->copies = pp_stage_may_copy(s) ? choice.copies : 1;
    if (plan->copies > plan->positions)
        plan->copies = plan->positions;
    plan->row_tiles = tiling->row_tiles;
    plan->col_tiles = tiling->col_tiles;
    plan->out_patch = pp_stage_out_patch(q->stages, stage, plan->patch);
    plan->out_positions = pp_positions(s->out, plan->out_patch);
    plan->reduction = resolve(reduction, plan->row_tiles);
    plan->mvm = s->matrix == PP_NONE ? pp_stage_mvm(q, arch, stage, tiling) : copy_mvm(q, arch, stage, tiling, plan->copies);
    plan->busy_ps = plan->mvm.interval_ps * pp_copy_count(plan->positions, 0, plan->copies);
    return PP_OK;
}

static pp_status number_tiles(pp_mapping *m, const pp_qnetwork *q)
{
    uint64_t tiles = 0;
    for (uint32_t s = 0; s < m->n_stages; s++) {
        uint64_t n = (uint64_t)m->plan[s].copies * m->plan[s].row_tiles * m->plan[s].col_tiles;
        m->plan[s].first_tile = (uint32_t)tiles;
        m->plan[s].n_tiles = (uint32_t)n;
        tiles += n;
        if (tiles > INT32_MAX)
            return pp_fail(PP_EUNSUPPORTED, "%s takes more than %d crossbars", q->net->name, INT32_MAX);
    }
    m->n_tiles = (uint32_t)tiles;
    return PP_OK;
}

static void fill_tiles(pp_mapping *m, const pp_qnetwork *q, const pp_tiling *tiling)
{
    pp_tile *tile = m->tile;
    for (uint32_t s = 0; s < m->n_stages; s++)
        for (uint32_t copy = 0; copy < m->plan[s].copies; copy++)
            for (uint32_t col = 0; col < m->plan[s].col_tiles; col++)
                for (uint32_t row = 0; row < m->plan[s].row_tiles; row++, tile++) {
                    *tile = (pp_tile){.stage = s, .copy = copy, .core = PP_NONE};
                    pp_tiling_tile(tile, &tiling[s], &q->stages->stage[s], col, row);
                }
}

/* A rotation mixes what one core has. */
static pp_status check_rotations(const pp_mapping *m, const pp_qnetwork *q)
{
    for (uint32_t t = 0; t < m->n_tiles; t++) {
        const pp_tile *tile = &m->tile[t];
        const pp_qrotate *enters = q->stage[tile->stage].rotate, *leaves = q->stage[tile->stage].rotate_out;
        if (pp_qrotates_here(q, tile->stage) && !pp_qrotate_fits(enters, tile->in_lo, tile->in_hi))
            return pp_fail(PP_EINFEASIBLE,
                           "layer %s: a rotation block reaches beyond channels %u to %u of a row tile: expected "
                           "quant.rotation_block=array_rows with patches of one pixel, or larger arch.rows",
                           q->stages->stage[tile->stage].name, tile->in_lo, tile->in_hi - 1);
        if (leaves && !pp_qrotate_fits(leaves, tile->out_lo, tile->out_hi))
            return pp_fail(PP_EINFEASIBLE,
                           "layer %s: a rotation block of what it writes reaches beyond channels %u to %u of a column tile: "
                           "expected a smaller quant.rotation_block, patches of one pixel, or larger arch.cols",
                           q->stages->stage[tile->stage].name, tile->out_lo, tile->out_hi - 1);
    }
    return PP_OK;
}

static void note_largest(pp_mapping *m)
{
    for (uint32_t s = 0; s < m->n_stages; s++) {
        uint32_t pixels = m->plan[s].patch.y * m->plan[s].patch.x;
        m->unroll_max = pixels > m->unroll_max ? pixels : m->unroll_max;
        m->copies_max = m->plan[s].copies > m->copies_max ? m->plan[s].copies : m->copies_max;
    }
}

/* choice NULL: one pixel, one copy. */
static pp_status plan_and_tiles(pp_mapping **out, const pp_qnetwork *q, const pp_arch *arch, const pp_choice *choice,
                                int reduction)
{
    static const pp_choice plain = {{1, 1}, 1};
    pp_status status = PP_ENOMEM;
    uint32_t n = q->stages->n;
    *out = NULL;
    pp_mapping *m = pp_calloc(1, sizeof *m);
    pp_tiling *tiling = pp_calloc(n, sizeof *tiling);
    if (!m || !tiling)
        goto done;
    m->n_stages = n;
    m->plan = pp_calloc(n, sizeof *m->plan);
    if (!m->plan)
        goto done;
    for (uint32_t s = 0; s < n; s++)
        PP_GOTO(done, status, plan_stage(&m->plan[s], &tiling[s], q, arch, s, choice ? choice[s] : plain, reduction));
    PP_GOTO(done, status, number_tiles(m, q));
    m->tile = pp_calloc(m->n_tiles, sizeof *m->tile);
    status = m->tile ? PP_OK : PP_ENOMEM;
    if (status != PP_OK)
        goto done;
    fill_tiles(m, q, tiling);
    PP_GOTO(done, status, check_rotations(m, q));
    note_largest(m);
    *out = m;
    m = NULL;
done:
    free(tiling);
    pp_mapping_free(m);
    return status;
}

pp_status pp_mapping_build(pp_mapping **out, const pp_qnetwork *q, const pp_arch *arch, const pp_choice *choice,
                           int reduction)
{
    PP_TRY(plan_and_tiles(out, q, arch, choice, reduction));
    const pp_status status = pp_flows_build(*out, q);
    if (status != PP_OK) {
        pp_mapping_free(*out);
        *out = NULL;
    }
    return status;
}

pp_status pp_map_tiles(pp_mapping **out, const pp_qnetwork *q, const pp_arch *arch)
{
    return plan_and_tiles(out, q, arch, NULL, PP_REDUCE_CHAIN);
}

pp_status pp_map_plan(pp_mapping **out, const pp_qnetwork *q, const pp_arch *arch, const pp_channel *channel,
                      uint32_t header_bits, const pp_map_options *options)
{
    pp_unroll_spec spec;
    pp_status status;
    *out = NULL;
    PP_TRY(pp_buffers_check(options->buffers));
    PP_TRY(pp_unroll_parse(&spec, q, options));
    pp_choice *choice = pp_calloc(q->stages->n, sizeof *choice);
    if (!choice)
        return PP_ENOMEM;
    PP_GOTO(done, status, pp_unroll_search(choice, &spec, q, arch, channel, header_bits, options));
    status = pp_mapping_build(out, q, arch, choice, options->reduction);
done:
    free(choice);
    return status;
}
