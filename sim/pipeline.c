/* pp_simulate: builds the model, lets the kernel run, and collects. */
#include "sim/execute_internal.h"
#include "sim/pipeline_internal.h"

#include <time.h>

static const pp_handler handlers[PP_SIM_EV_COUNT] = {
    [PP_SIM_EV_WAKE] = pp_sim_on_wake,       [PP_SIM_EV_RESULT] = pp_sim_on_result, [PP_SIM_EV_EMIT] = pp_sim_on_emit,
    [PP_SIM_EV_HEAD] = pp_sim_on_head,       [PP_SIM_EV_TAIL] = pp_sim_on_tail,     [PP_SIM_EV_FLOW] = pp_sim_on_flow,
    [PP_SIM_EV_CHANNEL] = pp_sim_on_channel, [PP_SIM_EV_CREDIT] = pp_sim_on_credit, [PP_SIM_EV_CYCLE] = pp_sim_on_cycle,
};

static pp_status check_arguments(const pp_sim *s, const pp_dataset *data)
{
    const pp_sim_options *o = s->options;
    if (o->images < 1 || o->images > INT32_MAX)
        return pp_fail(PP_ERANGE, "simulate.images is %lld, expected 1 to %d", (long long)o->images, INT32_MAX);
    if (o->execute < 0 || o->execute > o->images)
        return pp_fail(PP_ERANGE, "simulate.execute is %lld, expected 0 to the %lld images simulated",
                       (long long)o->execute, (long long)o->images);
    if (o->execute && (!s->q->has_values || !data))
        return pp_fail(PP_EINVAL, "simulate.execute needs a network with weights and a data set");
    if (o->execute && (uint64_t)o->execute > data->n)
        return pp_fail(PP_ERANGE, "simulate.execute is %lld, but the data set has %u images", (long long)o->execute,
                       data->n);
    if (s->guest && s->guest->tile >= s->m->n_tiles)
        return pp_fail(PP_EINVAL, "a core model for tile %u, but the mapping has %u", s->guest->tile, s->m->n_tiles);
    if (s->m->n_stages != s->q->stages->n)
        return pp_fail(PP_EINVAL, "the mapping has %u stages, the network %u", s->m->n_stages, s->q->stages->n);
    return PP_OK;
}

static pp_status run(pp_sim *s)
{
    pp_sim_feed_start(s);
    for (uint32_t i = 0; i < s->m->n_tiles; i++)
        if (!s->tile[i].missing)
            pp_sim_look(s, i);
    PP_TRY(pp_sim_settle(s));
    PP_TRY(pp_kernel_run(s->kernel, PP_TIME_NEVER));
    return s->images_done == s->images ? PP_OK : pp_sim_deadlock(s);
}

static double seconds(const struct timespec *from)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) + 1e-9 * (double)(now.tv_nsec - from->tv_nsec);
}

static pp_status simulate(pp_run_result **out, pp_sim *s, const pp_dataset *data)
{
    struct timespec begin;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    PP_TRY(check_arguments(s, data));
    s->images = (uint32_t)s->options->images;
    s->window[0] = s->images / 4;
    s->window[1] = s->images - 1 - s->images / 4;
    PP_TRY(pp_sim_build(s));
    if (s->options->execute)
        PP_TRY(pp_exec_new(&s->exec, s, data, (uint32_t)s->options->execute));
    if (s->options->switching == PP_SWITCH_FLIT)
        PP_TRY(pp_flits_new(s));
    /* What stands in routers is no part of the state that repeat.c compares. */
    if (s->options->exact != PP_EXACT_TRUE && !s->trace && !s->flits && !s->guest)
        PP_TRY(pp_sim_repeat_new(s));
    PP_TRY(pp_kernel_new(&s->kernel, (pp_kernel_kind)s->options->kernel, s, handlers, PP_SIM_EV_COUNT));
    if (s->guest && s->guest->attach)
        PP_TRY(s->guest->attach(s->guest->user, s->kernel));
    pp_progress_begin(&s->bar, "simulating", s->images);
    const pp_status status = run(s);
    pp_progress_end(&s->bar);
    PP_TRY(status);
    pp_sim_charge_all(s);
    pp_sim_repeat_apply(s);
    PP_TRY(pp_sim_result(out, s));
    (*out)->simulate_s = seconds(&begin);
    return PP_OK;
}

static pp_status simulate_and_free(pp_run_result **out, pp_sim *s, const pp_dataset *data)
{
    *out = NULL;
    pp_status status = simulate(out, s, data);
    pp_kernel_free(s->kernel);
    pp_exec_free(s->exec);
    pp_sim_repeat_free(s->repeat);
    pp_flits_free(s->flits);
    pp_sim_release(s);
    return status;
}

pp_status pp_simulate(pp_run_result **out, const pp_qnetwork *q, const pp_arch *arch, const pp_fabric *fabric,
                      const pp_mapping *m, const pp_sim_options *options, const pp_dataset *data,
                      const pp_trace_ops *trace, void *sink)
{
    pp_sim s = {.q = q, .arch = arch, .fabric = fabric, .m = m, .options = options, .trace = trace, .sink = sink};
    return simulate_and_free(out, &s, data);
}

pp_status pp_simulate_guest(pp_run_result **out, const pp_qnetwork *q, const pp_arch *arch, const pp_fabric *fabric,
                            const pp_mapping *m, const pp_sim_options *options, const pp_core_guest *guest)
{
    pp_sim s = {.q = q, .arch = arch, .fabric = fabric, .m = m, .options = options, .guest = guest};
    return simulate_and_free(out, &s, NULL);
}
