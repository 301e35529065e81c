/* Actions counted in closed form against an enumeration that does every inference step by step; then prices. */
#include "sim_fixture.h"

#include "sim/energy.h"

#include <math.h>

/* ---- the enumeration: one loop a thing that happens, nothing multiplied ---- */

typedef struct slow {
    const mapped *x;
    double count[PP_ACTION_COUNT];
    double cells, kv_bits;
} slow;

static const pp_stage *stage_of(const slow *s, uint32_t stage)
{
    return &s->x->f.stages->stage[stage];
}

static void slow_mvms(slow *s, const pp_tile *t)
{
    const pp_plan *plan = &s->x->m->plan[t->stage];
    uint32_t slices = pp_arch_slices(&s->x->arch, 4);
    for (uint32_t p = t->copy; p < plan->positions; p += plan->copies) {
        uint32_t reads = pp_arch_mvm(&s->x->arch, t->cols_used, 8, 4).reads;
        for (uint32_t r = 0; r < reads; r++) {
            for (uint32_t row = 0; row < t->rows_used; row++) {
                s->count[PP_ACTION_DAC]++;
                for (uint32_t col = 0; col < t->cols_used; col++)
                    s->count[PP_ACTION_ARRAY]++;
            }
            for (uint32_t col = 0; col < t->cols_used; col++) {
                s->count[PP_ACTION_ADC]++;
                s->count[PP_ACTION_SHIFT_ADD] += reads > 1 || slices > 1;
            }
            s->count[PP_ACTION_MVM] += (double)t->rows_used * t->cols_used / (double)(s->x->arch.rows * s->x->arch.cols);
        }
        for (uint32_t row = 0; row < t->rows_used; row++)
            s->count[PP_ACTION_BUFFER_READ] += 8;
        for (uint32_t col = 0; col < t->cols_used; col += slices)
            s->count[PP_ACTION_SCALE]++;
        for (int64_t row = 0; row < s->x->arch.rows; row++)
            for (int64_t col = 0; col + slices <= s->x->arch.cols; col += slices)
                s->cells++;
    }
}

/* Input pixels of a window over output pixel (y, x) that lie on the map. */
static uint32_t window_hits(const pp_op *op, uint32_t y, uint32_t x)
{
    uint32_t hits = 0;
    pp_window w = op->window;
    if (op->kind == PP_OP_GLOBAL_POOL)
        return op->in.h * op->in.w;
    for (uint32_t ky = 0; ky < w.kh; ky++)
        for (uint32_t kx = 0; kx < w.kw; kx++) {
            int64_t iy = (int64_t)y * w.sh + ky - w.top, ix = (int64_t)x * w.sw + kx - w.left;
            hits += iy >= 0 && ix >= 0 && iy < op->in.h && ix < op->in.w;
        }
    return hits;
}

static void slow_pool(slow *s, const pp_op *op)
{
    for (uint32_t y = 0; y < op->out.h; y++)
        for (uint32_t x = 0; x < op->out.w; x++)
            for (uint32_t c = 0; c < op->out.c; c++)
                for (uint32_t hit = 0; hit < window_hits(op, y, x); hit++)
                    s->count[PP_ACTION_POOL]++;
}

/* Every multiplication of a product of two maps; its right one is read for each firing, its left one once. */
static void slow_product(slow *s, uint32_t stage, const pp_op *op)
{
    const pp_stage *g = stage_of(s, stage);
    const pp_shape right = pp_stream_shape(s->x->f.net, s->x->f.stages, g->inputs[1].stream);
    for (uint32_t i = 0; i < g->fire.h * g->fire.w * g->fire.c; i++) {
        for (uint32_t k = 0; k < g->in.c / op->groups; k++) {
            s->count[PP_ACTION_SCALE]++;
            s->count[PP_ACTION_ADD]++;
        }
        s->count[PP_ACTION_ACTIVATION] += g->softmax != PP_NONE;
    }
    for (uint32_t i = 0; i < g->in.h * g->in.w * g->in.c; i++)
        s->count[PP_ACTION_BUFFER_READ] += 8;
    for (uint32_t p = 0; p < s->x->m->plan[stage].positions; p++)
        for (uint32_t i = 0; i < right.h * right.w * right.c; i++)
            s->kv_bits += 8;
}

/* Layer norm: shift and factor of each value. Local response norm: its square goes into the sum that slides over the channels
 * and out of it again, and a power of that times the value. */
static void slow_norm(slow *s, const pp_stage *g, bool local)
{
    for (uint32_t i = 0; i < g->in.h * g->in.w * g->in.c; i++) {
        s->count[PP_ACTION_BUFFER_READ] += 8;
        s->count[PP_ACTION_SCALE] += 2;
        s->count[PP_ACTION_ADD] += local ? 2 : 0;
        s->count[PP_ACTION_ACTIVATION] += local;
    }
}

static void slow_digital(slow *s, uint32_t stage)
{
    const pp_stage *g = stage_of(s, stage);
    const pp_op *ops = s->x->f.net->ops;
    for (uint32_t i = 0; i < g->fire.h * g->fire.w * g->fire.c; i++) {
        s->count[PP_ACTION_ADD] += g->matrix != PP_NONE; /* all of the fixtures' layers have a bias */
        s->count[PP_ACTION_ACTIVATION] += g->act != PP_ACT_NONE;
        for (uint32_t k = 0; k < g->n_inputs; k++)
            if (g->inputs[k].role == PP_ROLE_ADD) {
                s->count[PP_ACTION_RESIDUAL]++;
                s->count[PP_ACTION_BUFFER_READ] += 8;
            }
    }
    if (g->pool != PP_NONE)
        slow_pool(s, &ops[g->pool]);
    if (ops[g->first_op].kind == PP_OP_PRODUCT) {
        slow_product(s, stage, &ops[g->first_op]);
    } else if (ops[g->first_op].kind == PP_OP_NORM || ops[g->first_op].kind == PP_OP_RESPONSE_NORM) {
        slow_norm(s, g, ops[g->first_op].kind == PP_OP_RESPONSE_NORM);
    } else if (g->matrix == PP_NONE) { /* concatenation: each value of each input is read once */
        assert_int_equal(ops[g->first_op].kind, PP_OP_CONCAT);
        for (uint32_t i = 0; i < g->fire.h * g->fire.w * g->fire.c; i++)
            s->count[PP_ACTION_BUFFER_READ] += 8;
    }
    for (uint32_t i = 0; i < g->out.h * g->out.w * g->out.c; i++)
        s->count[PP_ACTION_REQUANTIZE]++;
}

/* Every value of every input arrives once at every tile that needs it. */
static void slow_arrivals(slow *s, const pp_tile *t)
{
    const pp_stage *g = stage_of(s, t->stage);
    for (uint32_t k = 0; k < g->n_inputs; k++) {
        pp_shape map = pp_stream_shape(s->x->f.net, s->x->f.stages, g->inputs[k].stream);
        uint32_t lo = 0, hi = map.c;
        if (g->inputs[k].role == PP_ROLE_MATRIX)
            lo = t->in_lo, hi = t->in_hi;
        else if (g->inputs[k].role == PP_ROLE_ADD)
            lo = t->out_lo, hi = t->head ? t->out_hi : t->out_lo;
        for (uint32_t i = 0; i < map.h * map.w; i++)
            for (uint32_t c = lo; c < hi; c++)
                s->count[PP_ACTION_BUFFER_WRITE] += 8;
    }
    /* Partial sums: every row tile but the head sends each column of each pixel of its copy's patches on, once. */
    const pp_plan *plan = &s->x->m->plan[t->stage];
    for (uint32_t p = t->copy; p < plan->positions && !t->head; p += plan->copies)
        for (uint32_t i = 0; i < pp_patch_pixels(g->fire, plan->patch, p) * (t->out_hi - t->out_lo); i++) {
            s->count[PP_ACTION_BUFFER_WRITE] += 16;
            s->count[PP_ACTION_BUFFER_READ] += 16;
            s->count[PP_ACTION_ADD]++;
        }
}

/* Channels as the simulation found them. */
static void slow_channels(slow *s, const pp_run_result *r)
{
    for (uint32_t c = 0; c < s->x->fabric->n_channels; c++) {
        const pp_channel *ch = &s->x->fabric->channel[c];
        double bits = (double)r->channel[c].bits / r->images;
        s->count[PP_ACTION_ROUTER] += ch->kind == PP_CHANNEL_NETWORK ? bits : 0;
        s->count[PP_ACTION_WIRE] += bits * (double)ch->length * s->x->arch.core_pitch_mm;
    }
}

static void enumerate(slow *s, const mapped *x, const pp_run_result *r)
{
    memset(s, 0, sizeof *s);
    s->x = x;
    for (uint32_t t = 0; t < x->m->n_tiles; t++) {
        if (stage_of(s, x->m->tile[t].stage)->matrix != PP_NONE)
            slow_mvms(s, &x->m->tile[t]);
        slow_arrivals(s, &x->m->tile[t]);
    }
    for (uint32_t g = 0; g < x->f.stages->n; g++)
        slow_digital(s, g);
    slow_channels(s, r);
    const pp_shape in = x->f.net->ops[0].out, out = stage_of(s, x->f.stages->output)->out;
    s->count[PP_ACTION_DRAM] = in.h * in.w * in.c * 8.0 + out.h * out.w * out.c * 16.0;
    s->count[PP_ACTION_STATIC_CORE] = x->fabric->n_cores * (double)r->interval_ps * 1e-3;
    s->count[PP_ACTION_STATIC_CHIP] = (double)r->interval_ps * 1e-3;
}

/* ---- comparison ---- */

static pp_cost flat_cost(void)
{
    pp_cost cost = {.preset = "test", .boundary = PP_BOUNDARY_CHIP_DRAM, .scope = PP_SCOPE_USED};
    for (int a = PP_ACTION_ARRAY; a < PP_ACTION_COUNT; a++)
        cost.energy[a] = (pp_figure){1 + a, "test", 2020, 7};
    return cost;
}

static void counts_are_those_of_the_enumeration(const mapped *x)
{
    const pp_cost cost = flat_cost();
    pp_sim_options o = sim_options(4, PP_SWITCH_VCT);
    pp_run_result *r = sim_run(x, &o);
    pp_energy *e, *still;
    slow s;
    must(pp_energy_new(&e, &cost, &x->f.q, &x->arch, x->fabric, x->m, r));
    must(pp_energy_new(&still, &cost, &x->f.q, &x->arch, x->fabric, x->m, NULL));
    enumerate(&s, x, r);
    double energy = 0;
    for (int a = 0; a < PP_ACTION_COUNT; a++) {
        if (fabs(e->total.count[a] - s.count[a]) > 1e-9 * s.count[a])
            print_error("%s: %.17g, enumerated %.17g\n", pp_action_name((pp_action)a), e->total.count[a], s.count[a]);
        assert_true(fabs(e->total.count[a] - s.count[a]) <= 1e-9 * s.count[a]);
        if (a != PP_ACTION_STATIC_CORE && a != PP_ACTION_STATIC_CHIP) /* by the bound, not by the run */
            assert_true(fabs(still->total.count[a] - s.count[a]) <= 1e-9 * s.count[a]);
        energy += s.count[a] * cost.energy[a].value;
        assert_false(e->unpriced[a]);
    }
    assert_true(e->total.kv_bits == s.kv_bits);
    energy += s.kv_bits * pp_arch_kv(&x->arch).fj_bit;
    assert_true(fabs(e->total.energy_fj - energy) <= 1e-9 * energy);
    assert_true(e->total.cells == s.cells);
    assert_true(e->total.macs == (double)pp_network_macs(x->f.net));
    double classes = 0, stages = 0;
    for (int k = 0; k < PP_CLASS_COUNT; k++)
        classes += e->total.class_fj[k];
    for (uint32_t g = 0; g <= e->n_stages; g++)
        stages += e->stage[g].energy_fj;
    assert_true(fabs(classes - energy) <= 1e-9 * energy && fabs(stages - energy) <= 1e-9 * energy);
    pp_energy_free(e);
    pp_energy_free(still);
    pp_run_result_free(r);
}

/* Stages a (with the pooling), local, b, layer, c, fc. */
static void norms(fixture *f, pp_shape input)
{
    static const pp_response response = {.size = 5, .alpha = 1, .beta = 0.75, .bias = 2};
    const pp_window pool = fixture_window(2, 2, 0);
    pp_builder *b;
    must(pp_builder_new(&b, "norms", input));
    uint32_t x = fixture_conv(b, "a", 0, 9, 3, 1, 1, true);
    must(pp_build_pool(b, "pool", PP_OP_MAX_POOL, x, &pool, &x));
    must(pp_build_response_norm(b, "local", x, &response, &x));
    x = fixture_conv(b, "b", x, 6, 3, 1, 1, false);
    must(pp_build_norm(b, "layer", x, 1e-5, NULL, NULL, &x));
    x = fixture_conv(b, "c", x, 7, 1, 1, 1, true);
    fixture_head(f, b, x, 5);
}

static void counting(void **state)
{
    (void)state;
    static const struct {
        void (*net)(fixture *f, pp_shape input);
        int64_t size, cell_bits, phases;
        const char *unroll, *copies;
    } row[] = {
        {fixture_residual, 64, 0, 1, "none", "1"},        /* whole layers */
        {fixture_residual, 27, 0, 2, "none", "1"},        /* row tiles, two phases */
        {fixture_residual, 40, 1, 1, "none", "2"},        /* slices, copies */
        {fixture_residual, 128, 0, 1, "8:1x3", "1"},      /* patches that do not divide the map */
        {fixture_residual, 64, 0, 1, "8:2x2", "1"},
        {fixture_inception, 64, 0, 1, "none", "1"},       /* concatenation, strides, groups, fused pooling */
        {fixture_inception, 27, 2, 1, "none", "3"},
        {fixture_inception, 96, 0, 4, "8:1x2", "1"},
        {norms, 64, 0, 1, "none", "1"},
        {norms, 64, 0, 1, "8:1x2", "2"},
        {fixture_attention, 64, 0, 1, "none", "1"},
        {fixture_attention, 64, 0, 1, "4:2x2", "1"}, /* rows that fire together read keys and values once */
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        mapped x = {.arch = fixture_arch(row[i].size)};
        x.arch.cell_bits = row[i].cell_bits;
        x.arch.phases = row[i].phases;
        x.arch.core_pitch_mm = 1.5;
        x.arch.clock_hz = 1e9;
        x.arch.attention_macs = 64;
        x.arch.attention_softmax_lanes = 4;
        row[i].net(&x.f, (pp_shape){8, 8, 3});
        pp_map_options options = fixture_options(row[i].unroll, row[i].copies);
        options.buffers = "unlimited";
        options.core_budget = 60;
        sim_map(&x, sim_fabric(i % 2 ? "mesh" : "5pp", 6, 10, 2), &options);
        counts_are_those_of_the_enumeration(&x);
        sim_unmap(&x);
    }
}

/* ---- totals ---- */

static void map_residual(mapped *x)
{
    *x = (mapped){.arch = fixture_arch(64)};
    fixture_residual(&x->f, (pp_shape){8, 8, 3});
    pp_map_options options = fixture_options("none", "1");
    sim_map(x, sim_fabric("5pp", 2, 4, 1), &options);
}

/* u: 27 x 4, a: 36 x 6, b: 54 x 4 on 64 pixels each, fc: 4 x 5 once: 193 MVMs at 1 pJ. */
static void lumped_by_hand(void **state)
{
    (void)state;
    mapped x;
    pp_energy *e;
    map_residual(&x);
    pp_cost cost = {.preset = "test", .boundary = PP_BOUNDARY_MVM, .scope = PP_SCOPE_WHOLE};
    cost.energy[PP_ACTION_MVM] = (pp_figure){1000, "test", 2020, 7};
    cost.energy[PP_ACTION_WIRE] = (pp_figure){1e9, "test", 2020, 7};
    must(pp_energy_new(&e, &cost, &x.f.q, &x.arch, x.fabric, x.m, NULL));
    const double macs = 64.0 * (27 * 4 + 36 * 6 + 54 * 4) + 20;
    assert_true(e->total.energy_fj == 193 * 1000.0);
    assert_true(e->stage[0].energy_fj == 64 * 1000.0 && e->stage[3].energy_fj == 1000.0);
    assert_true(e->total.macs == macs && e->total.cells == 193 * 4096.0);
    assert_true(fabs(e->utilisation - macs / (193 * 4096.0)) < 1e-15);
    assert_true(fabs(e->tops_per_w - 2 * macs / (193 * 1000e-15) * 1e-12) < 1e-9);
    assert_true(fabs(e->tops - 2 * macs / (double)x.m->bounds.interval_ps) < 1e-9);
    assert_true(fabs(e->tops / e->power_w - e->tops_per_w) < 1e-9);
    assert_false(e->has_area);
    for (int a = 0; a < PP_ACTION_COUNT; a++)
        assert_false(e->unpriced[a]); /* whatever lies outside the boundary is not missing */
    pp_energy_free(e);
    /* Only what is used: 108 + 216 + 216 cells of 4096 on 64 pixels, 20 once. */
    cost.scope = PP_SCOPE_USED;
    must(pp_energy_new(&e, &cost, &x.f.q, &x.arch, x.fabric, x.m, NULL));
    assert_true(fabs(e->total.energy_fj - 1000 * macs / 4096) < 1e-6);
    pp_energy_free(e);
    sim_unmap(&x);
}

static void what_nobody_prices_is_named(void **state)
{
    (void)state;
    mapped x;
    pp_energy *e;
    map_residual(&x);
    pp_cost cost = {.preset = "test", .boundary = PP_BOUNDARY_CHIP};
    cost.energy[PP_ACTION_MVM] = (pp_figure){1000, "test", 2020, 7};
    cost.energy[PP_ACTION_STATIC_CHIP] = (pp_figure){0, "run file", 0, 0}; /* turned off by somebody */
    cost.area[PP_COMPONENT_CORE] = (pp_figure){2e6, "test", 2020, 7};
    must(pp_energy_new(&e, &cost, &x.f.q, &x.arch, x.fabric, x.m, NULL));
    assert_true(e->unpriced[PP_ACTION_WIRE] && e->unpriced[PP_ACTION_BUFFER_READ] && e->unpriced[PP_ACTION_STATIC_CORE]);
    assert_false(e->unpriced[PP_ACTION_ADC] || e->unpriced[PP_ACTION_STATIC_CHIP] || e->unpriced[PP_ACTION_DRAM]);
    assert_true(e->has_area && fabs(e->area_mm2 - 16) < 1e-12);
    assert_true(fabs(e->tops_per_mm2 - e->tops / 16) < 1e-15);
    pp_energy_free(e);
    sim_unmap(&x);
}

static void memory_runs_out(void **state)
{
    (void)state;
    mapped x;
    map_residual(&x);
    const pp_cost cost = flat_cost();
    for (long n = 0; n < 2; n++) {
        pp_energy *e;
        pp_alloc_fail_after(n);
        assert_int_equal(pp_energy_new(&e, &cost, &x.f.q, &x.arch, x.fabric, x.m, NULL), PP_ENOMEM);
        pp_alloc_fail_after(-1);
        assert_null(e);
    }
    sim_unmap(&x);
}

int main(void)
{
    const struct CMUnitTest energy[] = {
        cmocka_unit_test(counting),
        cmocka_unit_test(lumped_by_hand),
        cmocka_unit_test(what_nobody_prices_is_named),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(energy, NULL, NULL);
}
