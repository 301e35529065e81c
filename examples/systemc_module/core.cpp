// A core of the pipeline replaced by a SystemC model of your own.
//
// ResNet-32 runs on 5PP as in examples/joshi2020-resnet32.yaml, but what one core needs for a result is up to an
// SC_MODULE: a thread behind a fifo, with the latency that it is given. The program runs the pipeline three times:
//   the built-in core; the module with the same latency; the module with 20 ns more.
// The first two must agree to the picosecond. In the third, results come later, and so does the first image.
//
//   c++ -std=c++17 core.cpp $(pkg-config --cflags --libs pentaprism) -o core && ./core
extern "C" {
#include "sim/sim.h"
}
#include "sim/kernel_systemc.h"

#define SC_INCLUDE_DYNAMIC_PROCESSES
#include <systemc>

#include <cinttypes>
#include <cstdio>

namespace
{

constexpr uint32_t replaced = 3; // tile

SC_MODULE(analog_core)
{
    sc_core::sc_fifo<uint64_t> due; // when the result of each firing is there, in ps

    SC_HAS_PROCESS(analog_core);
    analog_core(sc_core::sc_module_name name, pp_kernel * kernel, uint64_t latency_ps)
        : sc_core::sc_module(name), due("due", 64), kernel_(kernel), latency_ps_(latency_ps)
    {
        SC_THREAD(compute);
    }

    // The pipeline starts a firing; `reply` is where its result goes.
    bool fire(uint32_t reply)
    {
        reply_ = reply;
        return due.nb_write(pp_kernel_now(kernel_) + latency_ps_);
    }

  private:
    void compute()
    {
        for (;;) {
            uint64_t at_ps = 0;
            due.read(at_ps); // waits for a firing
            wait(sc_core::sc_time::from_value(at_ps - pp_kernel_now(kernel_)));
            if (pp_kernel_schedule(kernel_, pp_kernel_now(kernel_), reply_, 0) != PP_OK)
                SC_REPORT_ERROR("analog_core", pp_error_text());
        }
    }

    pp_kernel *kernel_;
    uint64_t latency_ps_;
    uint32_t reply_ = 0;
};

// ---- the C view of it ----

struct guest {
    uint64_t latency_ps;
    analog_core *core;
    pp_systemc_module module;
};

pp_status create(void **instance, pp_kernel *k, const char *name, void *user)
{
    auto *const g = static_cast<guest *>(user);
    *instance = g->core = new analog_core(name, k, g->latency_ps);
    return PP_OK;
}

void destroy(void *instance)
{
    delete static_cast<analog_core *>(instance);
}

pp_status attach(void *user, pp_kernel *k)
{
    auto *const g = static_cast<guest *>(user);
    g->module = {"analog_core", create, destroy, nullptr, g};
    return pp_kernel_attach(k, &g->module);
}

pp_status fire(void *user, pp_kernel *, uint32_t reply, uint32_t, uint32_t)
{
    if (!static_cast<guest *>(user)->core->fire(reply))
        return pp_fail(PP_ERANGE, "analog core: more than 64 firings wait");
    return PP_OK;
}

// ---- the pipeline ----

struct pipeline {
    pp_config *config;
    pp_arena *arena;
    pp_network *net;
    pp_stages *stages;
    pp_qnetwork *q;
    pp_fabric *fabric;
    pp_mapping *mapping;
    pp_arch arch;
    pp_sim_options options;
};

pp_status bind(pipeline *p, pp_quant_options *quant, pp_fabric_options *fabric, pp_map_options *map)
{
    const pp_knob_table tables[] = {pp_quant_knobs(), pp_arch_knobs(), pp_fabric_knobs(), pp_map_knobs(), pp_sim_knobs()};
    PP_TRY(pp_config_new(&p->config, tables, sizeof tables / sizeof *tables));
    for (const char *setting : {"arch.preset=5pp-2019", "fabric.lanes=4", "simulate.images=20", "simulate.kernel=systemc"})
        PP_TRY(pp_config_set(p->config, setting));
    PP_TRY(pp_config_bind(p->config, &tables[0], quant));
    PP_TRY(pp_config_bind(p->config, &tables[2], fabric));
    PP_TRY(pp_config_bind(p->config, &tables[3], map));
    PP_TRY(pp_config_bind(p->config, &tables[4], &p->options));
    return pp_arch_resolve(&p->arch, p->config);
}

pp_status build(pipeline *p)
{
    pp_quant_options quant = {}; // zeros first: some fields have no setting in their table
    pp_fabric_options fabric = {};
    pp_map_options map = {};
    PP_TRY(pp_arena_new(&p->arena));
    PP_TRY(bind(p, &quant, &fabric, &map));
    PP_TRY(pp_fabric_parse(&fabric, p->arena, "5pp"));
    PP_TRY(pp_model_open(&p->net, "resnet32-cifar10"));
    PP_TRY(pp_stages_build(&p->stages, p->net));
    PP_TRY(pp_quantize(&p->q, p->net, p->stages, &quant, nullptr, nullptr));
    return pp_map(&p->mapping, &p->fabric, p->q, &p->arch, &fabric, &map, 1, nullptr);
}

void release(pipeline *p)
{
    pp_mapping_free(p->mapping);
    pp_fabric_free(p->fabric);
    pp_qnetwork_free(p->q);
    pp_stages_free(p->stages);
    pp_network_free(p->net);
    pp_arena_free(p->arena);
    pp_config_free(p->config);
}

// Time of the first image and of the last; with a module of this latency, or 0: the built-in core.
pp_status simulate(const pipeline *p, uint64_t latency_ps, uint64_t *first_ps, uint64_t *last_ps)
{
    guest g = {latency_ps, nullptr, {}};
    const pp_core_guest described = {replaced, attach, fire, &g};
    pp_run_result *r = nullptr;
    PP_TRY(pp_simulate_guest(&r, p->q, &p->arch, p->fabric, p->mapping, &p->options, latency_ps ? &described : nullptr));
    *first_ps = r->done_ps[0];
    *last_ps = r->done_ps[r->images - 1];
    std::printf("%-28s first image %9.3f us, last %9.3f us\n",
                latency_ps ? "SystemC core" : "built-in core", static_cast<double>(*first_ps) * 1e-6,
                static_cast<double>(*last_ps) * 1e-6);
    pp_run_result_free(r);
    return PP_OK;
}

pp_status compare(const pipeline *p, bool *good)
{
    const uint64_t latency_ps = static_cast<uint64_t>(p->mapping->plan[p->mapping->tile[replaced].stage].mvm.latency_ps);
    uint64_t first[3], last[3];
    PP_TRY(simulate(p, 0, &first[0], &last[0]));
    PP_TRY(simulate(p, latency_ps, &first[1], &last[1]));
    PP_TRY(simulate(p, latency_ps + 20000, &first[2], &last[2]));
    *good = first[1] == first[0] && last[1] == last[0] && first[2] > first[0] && last[2] > last[0];
    return PP_OK;
}

} // namespace

int main()
{
    pipeline p = {};
    bool good = false;
    pp_status status = build(&p);
    if (status == PP_OK)
        status = compare(&p, &good);
    if (status != PP_OK)
        std::fprintf(stderr, "core: %s\n", pp_error_text());
    release(&p);
    return status == PP_OK && good ? 0 : 1;
}
