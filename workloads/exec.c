/* The fast float executor: images over workers, stages in order. */
#include "workloads/exec_internal.h"

#include <stdlib.h>
#include <string.h>

/* What one worker owns. */
typedef struct scratch {
    float **slot;     /* [n_slots] buffers, see exec_internal.h */
    float *compact;   /* [largest stream] without borders, for taps and the input */
    pp_view *inputs;  /* [most_inputs] */
} scratch;

struct pp_float_exec {
    pp_exec_plan plan;
    scratch *workers;
    unsigned n_workers;
};

typedef struct batch {
    pp_float_exec *exec;
    const pp_dataset *data;
    uint32_t first;
    float *logits;
    pp_stream_tap tap;
    void *payload;
} batch;

static void scratch_free(scratch *s, uint32_t n_slots)
{
    for (uint32_t i = 0; s->slot && i < n_slots; i++)
        free(s->slot[i]);
    free(s->slot);
    free(s->compact);
    free(s->inputs);
}

static pp_status scratch_make(scratch *s, const pp_exec_plan *plan)
{
    s->slot = pp_calloc(plan->n_slots, sizeof *s->slot);
    s->compact = pp_alloc_aligned(plan->largest, sizeof *s->compact);
    s->inputs = pp_calloc(plan->most_inputs, sizeof *s->inputs);
    if (!s->slot || !s->compact || !s->inputs)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < plan->n_slots; i++) {
        s->slot[i] = pp_alloc_aligned(pp_geometry_floats_(&plan->slots[i]), sizeof **s->slot);
        if (!s->slot[i])
            return PP_ENOMEM;
    }
    return PP_OK;
}

/* Makes scratch for `n` workers; kept until the executor is freed. */
static pp_status want_workers(pp_float_exec *exec, unsigned n)
{
    if (n <= exec->n_workers)
        return PP_OK;
    scratch *grown = pp_realloc(exec->workers, n, sizeof *grown);
    if (!grown)
        return PP_ENOMEM;
    exec->workers = grown;
    for (; exec->n_workers < n; exec->n_workers++) {
        scratch *s = &exec->workers[exec->n_workers];
        *s = (scratch){0};
        pp_status status = scratch_make(s, &exec->plan);
        if (status != PP_OK) {
            scratch_free(s, exec->plan.n_slots);
            return status;
        }
    }
    return PP_OK;
}

pp_status pp_float_exec_new(pp_float_exec **out, const pp_network *net, const pp_stages *stages)
{
    *out = NULL;
    if (!net->has_weights)
        return pp_fail(PP_EINVAL, "network '%s' has no weights to run with", net->name);
    pp_float_exec *exec = pp_calloc(1, sizeof *exec);
    if (!exec)
        return PP_ENOMEM;
    pp_status status = pp_exec_plan_make_(&exec->plan, net, stages, pp_cpu_level());
    if (status == PP_OK)
        status = want_workers(exec, 1);
    if (status == PP_OK)
        *out = exec;
    else
        pp_float_exec_free(exec);
    return status;
}

void pp_float_exec_free(pp_float_exec *exec)
{
    if (!exec)
        return;
    for (unsigned i = 0; i < exec->n_workers; i++)
        scratch_free(&exec->workers[i], exec->plan.n_slots);
    free(exec->workers);
    pp_exec_plan_free_(&exec->plan);
    free(exec);
}

static pp_view slot_view(const pp_exec_plan *plan, const scratch *s, uint32_t slot)
{
    return pp_geometry_view_(&plan->slots[slot], s->slot[slot]);
}

static pp_view stream_view(const pp_exec_plan *plan, const scratch *s, uint32_t stream)
{
    return slot_view(plan, s, plan->stream_slot[stream]);
}

static void spread(pp_view to, const float *from)
{
    for (size_t y = 0; y < to.shape.h; y++)
        for (size_t x = 0; x < to.shape.w; x++, from += to.shape.c)
            memcpy(to.at + y * to.row + x * to.pixel, from, to.shape.c * sizeof *from);
}

static void gather(float *to, pp_view from)
{
    for (size_t y = 0; y < from.shape.h; y++)
        for (size_t x = 0; x < from.shape.w; x++, to += from.shape.c)
            memcpy(to, from.at + y * from.row + x * from.pixel, from.shape.c * sizeof *to);
}

/* Kernels clamp; whatever else an activation does comes behind. */
static void run_matrix(const pp_conv_plan *conv, const pp_stage *stage, const pp_view *inputs, pp_view fire)
{
    bool clamp = pp_act_is_clamp(stage->act);
    const pp_view *add = stage->add == PP_NONE ? NULL : &inputs[1];
    pp_conv_run_(conv, inputs[0], fire, add, clamp ? stage->act : PP_ACT_NONE);
    if (!clamp)
        pp_act_run_(stage->act, fire, fire);
}

static void run_digital(const pp_network *net, const pp_stage *stage, const pp_view *inputs, pp_view fire)
{
    pp_data_run_(&net->ops[stage->first_op], inputs, fire);
    if (stage->offset != PP_NONE && stage->offset != stage->first_op)
        pp_data_run_(&net->ops[stage->offset], &fire, fire);
    if (stage->softmax != PP_NONE)
        pp_data_run_(&net->ops[stage->softmax], &fire, fire);
    if (stage->scale != PP_NONE && stage->scale != stage->first_op)
        pp_data_run_(&net->ops[stage->scale], &fire, fire);
    if (stage->act != PP_ACT_NONE && net->ops[stage->first_op].kind != PP_OP_ACT)
        pp_act_run_(stage->act, fire, fire);
}

static void run_stage(const pp_exec_plan *plan, scratch *s, uint32_t index)
{
    const pp_stage *stage = &plan->stages->stage[index];
    const pp_stage_plan *own = &plan->stage[index];
    pp_view out = stream_view(plan, s, index + 1);
    for (uint32_t k = 0; k < stage->n_inputs; k++)
        s->inputs[k] = stream_view(plan, s, stage->inputs[k].stream);
    pp_view fire = own->fire_slot == PP_NONE ? out : slot_view(plan, s, own->fire_slot);
    if (stage->matrix == PP_NONE)
        run_digital(plan->net, stage, s->inputs, fire);
    else
        run_matrix(&own->conv, stage, s->inputs, fire);
    if (stage->pool != PP_NONE)
        pp_data_run_(&plan->net->ops[stage->pool], &fire, out);
}

static pp_status run_image(void *payload, size_t index, unsigned worker)
{
    const batch *b = payload;
    const pp_exec_plan *plan = &b->exec->plan;
    scratch *s = &b->exec->workers[worker];
    uint32_t image = b->first + (uint32_t)index;
    pp_dataset_normalise(b->data, plan->net, image, s->compact);
    if (b->tap)
        PP_TRY(b->tap(b->payload, 0, image, s->compact));
    spread(stream_view(plan, s, 0), s->compact);
    for (uint32_t i = 0; i < plan->stages->n; i++) {
        run_stage(plan, s, i);
        if (b->tap) {
            gather(s->compact, stream_view(plan, s, i + 1));
            PP_TRY(b->tap(b->payload, i + 1, image, s->compact));
        }
    }
    pp_view result = stream_view(plan, s, plan->stages->output + 1);
    gather(b->logits + index * result.shape.h * result.shape.w * result.shape.c, result);
    return PP_OK;
}

pp_status pp_float_exec_run(pp_float_exec *exec, pp_pool *pool, const pp_dataset *data, uint32_t first, uint32_t n,
                            float *logits, pp_stream_tap tap, void *payload)
{
    pp_shape in = exec->plan.net->ops[0].out;
    if (data->h != in.h || data->w != in.w || data->c != in.c || in.c > 4)
        return pp_fail(PP_EINVAL, "data '%s': images of %ux%ux%u, network '%s' takes %ux%ux%u", data->name, data->h,
                       data->w, data->c, exec->plan.net->name, in.h, in.w, in.c);
    if (first > data->n || n > data->n - first)
        return pp_fail(PP_ERANGE, "data '%s': %u images from image %u on, it has %u", data->name, n, first, data->n);
    PP_TRY(want_workers(exec, pp_pool_threads(pool)));
    batch b = {exec, data, first, logits, tap, payload};
    return pp_pool_run(pool, n, run_image, &b);
}
