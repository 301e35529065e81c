/* What every worker shares: packed weights, and which buffer each stream lives in. */
#include "workloads/exec_internal.h"

#include <stdlib.h>
#include <string.h>

static size_t channel_stride(const pp_geometry *g)
{
    return (g->shape.c + PP_CHANNEL_STEP - 1) / PP_CHANNEL_STEP * PP_CHANNEL_STEP;
}

static size_t row_floats(const pp_geometry *g)
{
    return ((size_t)g->left + g->shape.w + g->right) * channel_stride(g);
}

size_t pp_geometry_floats_(const pp_geometry *g)
{
    return ((size_t)g->top + g->shape.h + g->bottom) * row_floats(g);
}

pp_view pp_geometry_view_(const pp_geometry *g, float *buffer)
{
    size_t row = row_floats(g), pixel = channel_stride(g);
    return (pp_view){.at = buffer + g->top * row + g->left * pixel, .row = row, .pixel = pixel, .shape = g->shape};
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Border behind the map that the last output needs (less than the padding when strides leave some). */
static uint32_t behind(uint32_t outputs, uint32_t stride, uint32_t kernel, uint32_t dilation, uint32_t pad,
                       uint32_t size)
{
    uint64_t end = (uint64_t)(outputs - 1) * stride + (uint64_t)(kernel - 1) * dilation + 1;
    return end > (uint64_t)size + pad ? (uint32_t)(end - size - pad) : 0;
}

static void widen_border(pp_geometry *g, const pp_conv_plan *conv, pp_shape fire)
{
    const pp_window *w = &conv->window;
    g->top = larger(g->top, w->top);
    g->left = larger(g->left, w->left);
    g->bottom = larger(g->bottom, behind(fire.h, w->sh, w->kh, w->dh, w->top, g->shape.h));
    g->right = larger(g->right, behind(fire.w, w->sw, w->kw, w->dw, w->left, g->shape.w));
}

/* Slots while the plan is made: busy ones hold a living stream. */
typedef struct slots {
    PP_VEC(pp_geometry) all;
    bool *busy; /* room for two a stage and the input */
} slots;

static uint32_t take_slot(slots *s, const pp_geometry *g)
{
    for (uint32_t i = 0; i < s->all.len; i++) {
        if (!s->busy[i] && memcmp(&s->all.data[i], g, sizeof *g) == 0) { /* all members are uint32_t */
            s->busy[i] = true;
            return i;
        }
    }
    if (!pp_push(&s->all, *g))
        return PP_NONE;
    s->busy[s->all.len - 1] = true;
    return (uint32_t)s->all.len - 1;
}

/* Gives every stream a slot for the time from its stage to the last stage that reads it. */
static pp_status assign_slots(pp_exec_plan *plan, slots *s, const pp_geometry *geometry, const uint32_t *last_use)
{
    const pp_stages *stages = plan->stages;
    plan->stream_slot[0] = take_slot(s, &geometry[0]);
    if (plan->stream_slot[0] == PP_NONE)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < stages->n; i++) {
        const pp_stage *stage = &stages->stage[i];
        pp_geometry fire = {.shape = stage->fire};
        plan->stage[i].fire_slot = stage->pool == PP_NONE ? PP_NONE : take_slot(s, &fire);
        plan->stream_slot[i + 1] = take_slot(s, &geometry[i + 1]);
        if (plan->stream_slot[i + 1] == PP_NONE || (stage->pool != PP_NONE && plan->stage[i].fire_slot == PP_NONE))
            return PP_ENOMEM;
        if (stage->pool != PP_NONE)
            s->busy[plan->stage[i].fire_slot] = false;
        for (uint32_t k = 0; k < stage->n_inputs; k++)
            if (last_use[stage->inputs[k].stream] == i)
                s->busy[plan->stream_slot[stage->inputs[k].stream]] = false;
    }
    plan->slots = s->all.data;
    plan->n_slots = (uint32_t)s->all.len;
    s->all.data = NULL;
    return PP_OK;
}

static pp_status plan_streams(pp_exec_plan *plan)
{
    const pp_stages *stages = plan->stages;
    slots s = {.busy = pp_calloc(2 * (size_t)stages->n + 1, sizeof *s.busy)};
    pp_geometry *geometry = pp_calloc((size_t)stages->n + 1, sizeof *geometry);
    uint32_t *last_use = pp_calloc((size_t)stages->n + 1, sizeof *last_use);
    pp_status status = PP_ENOMEM;
    if (!s.busy || !geometry || !last_use)
        goto done;
    for (uint32_t i = 0; i <= stages->n; i++) {
        pp_shape shape = pp_stream_shape(plan->net, stages, i);
        size_t elements = (size_t)shape.h * shape.w * shape.c;
        plan->largest = elements > plan->largest ? elements : plan->largest;
        geometry[i].shape = shape;
        last_use[i] = PP_NONE;
    }
    for (uint32_t i = 0; i < stages->n; i++) {
        const pp_stage *stage = &stages->stage[i];
        plan->most_inputs = larger(plan->most_inputs, stage->n_inputs);
        for (uint32_t k = 0; k < stage->n_inputs; k++)
            last_use[stage->inputs[k].stream] = i;
        if (stage->matrix != PP_NONE)
            widen_border(&geometry[stage->inputs[0].stream], &plan->stage[i].conv, stage->fire);
    }
    last_use[stages->output + 1] = PP_NONE;
    status = assign_slots(plan, &s, geometry, last_use);
done:
    free(s.all.data);
    free(s.busy);
    free(geometry);
    free(last_use);
    return status;
}

pp_status pp_exec_plan_make_(pp_exec_plan *plan, const pp_network *net, const pp_stages *stages, pp_cpu level)
{
    *plan = (pp_exec_plan){.net = net, .stages = stages};
    plan->stage = pp_calloc(stages->n, sizeof *plan->stage);
    plan->stream_slot = pp_calloc((size_t)stages->n + 1, sizeof *plan->stream_slot);
    if (!plan->stage || !plan->stream_slot)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < stages->n; i++) {
        const pp_stage *stage = &stages->stage[i];
        if (stage->matrix != PP_NONE)
            PP_TRY(pp_conv_plan_make_(&plan->stage[i].conv, &net->ops[stage->matrix], stage->in, level));
    }
    return plan_streams(plan);
}

void pp_exec_plan_free_(pp_exec_plan *plan)
{
    for (uint32_t i = 0; plan->stage && i < plan->stages->n; i++)
        pp_conv_plan_free_(&plan->stage[i].conv);
    free(plan->stage);
    free(plan->slots);
    free(plan->stream_slot);
}
