// The SystemC back end: pentaprism's events stay in the queue of the native kernel; SystemC owns the
// time. One SystemC method wakes at the time of the next event, fires all events of that instant in
// schedule order, and arms itself again. (SystemC's own queue would be slower, and it is not first in,
// first out for equal times.) Attached SC_MODULEs live in the same SystemC context.
//
// All of C++ ends here: no exception leaves a function of this file.
#define SC_INCLUDE_DYNAMIC_PROCESSES
#include "sim/kernel_systemc.h"

#include "base/mem.h"
#include "sim/kernel_internal.h"

#include <systemc>

#include <sysc/tracing/sc_tracing_ids.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

// libsystemc.so has a main() of its own and wants this symbol; it is never called.
extern "C" int sc_main(int, char **)
{
    return 1;
}

namespace
{

struct attached {
    pp_systemc_module description;
    void *instance;
};

// SystemC keeps its state in globals, so one kernel may live in a process at a time.
std::atomic<bool> one_lives{false};

struct systemc_kernel : pp_loop {
    systemc_kernel() : pp_loop()
    {
    }
    std::unique_ptr<sc_core::sc_simcontext> context;
    std::unique_ptr<sc_core::sc_event> wake;
    std::vector<attached> modules;
    sc_core::sc_trace_file *trace = nullptr; // closed, and with it freed, before the context
    uint64_t armed_ps = PP_TIME_NEVER; // when `wake` will come
    bool firing = false;
    bool elaborated = false;       // no module can be added any more
    bool broken = false;           // SystemC has reported an error: its state cannot be trusted
    pp_status fire_status = PP_OK; // what the handlers said in the current run
};

systemc_kernel *from_face(pp_kernel *k)
{
    return static_cast<systemc_kernel *>(reinterpret_cast<pp_loop *>(k));
}
const systemc_kernel *from_face(const pp_kernel *k)
{
    return static_cast<const systemc_kernel *>(reinterpret_cast<const pp_loop *>(k));
}

// Runs `body`, which returns a pp_status; an exception becomes a status.
template <typename Body> pp_status guarded(const char *where, Body body) noexcept
{
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return pp_fail(PP_ENOMEM, "%s: out of memory", where);
    } catch (const std::exception &e) {
        return pp_fail(PP_EINTERNAL, "%s: %s", where, e.what());
    } catch (...) {
        return pp_fail(PP_EINTERNAL, "%s: unknown exception", where);
    }
}

uint64_t systemc_now(const pp_kernel *face)
{
    return from_face(face)->context->time_stamp().value();
}

// An sc_event holds one notification and keeps the earlier one: no cancelling is needed.
void arm(systemc_kernel *k, uint64_t time_ps)
{
    if (time_ps >= k->armed_ps)
        return;
    k->armed_ps = time_ps;
    k->wake->notify(sc_core::sc_time::from_value(time_ps - systemc_now(&k->face)));
}

// Body of the SystemC method.
void on_wake(systemc_kernel *k)
{
    k->armed_ps = PP_TIME_NEVER;
    if (k->stopped || k->fire_status != PP_OK)
        return; // this instant goes on in the next run
    k->firing = true;
    k->fire_status = pp_loop_fire(k, systemc_now(&k->face));
    k->firing = false;
    if (k->stopped || k->fire_status != PP_OK)
        sc_core::sc_pause();
    else
        arm(k, pp_queue_next(&k->queue));
}

pp_status systemc_schedule(pp_kernel *face, uint64_t time_ps, uint32_t target, uint64_t payload)
{
    systemc_kernel *const k = from_face(face);
    if (k->firing)
        return pp_loop_schedule(face, time_ps, target, payload);
    k->now_ps = systemc_now(face); // SystemC's own processes have moved the time
    PP_TRY(pp_loop_schedule(face, time_ps, target, payload));
    if (!k->running)
        return PP_OK; // armed when the run starts
    return guarded("SystemC", [&] {
        arm(k, time_ps);
        return PP_OK;
    });
}

// sc_start leaves the processes of the last instant for the next call, and with a duration of 0 it runs
// a single delta cycle: this finishes the instant.
void finish_instant(const systemc_kernel *k)
{
    while (!k->stopped && k->fire_status == PP_OK && !sc_core::sc_end_of_simulation_invoked() &&
           sc_core::sc_pending_activity_at_current_time())
        sc_core::sc_start(sc_core::SC_ZERO_TIME);
}

void advance(systemc_kernel *k, uint64_t until_ps)
{
    const uint64_t now_ps = systemc_now(&k->face);
    arm(k, pp_queue_next(&k->queue));
    k->elaborated = true;
    if (until_ps == PP_TIME_NEVER) {
        sc_core::sc_start();
        return;
    }
    if (until_ps > now_ps)
        sc_core::sc_start(sc_core::sc_time::from_value(until_ps - now_ps), sc_core::SC_RUN_TO_TIME);
    else
        sc_core::sc_start(sc_core::SC_ZERO_TIME);
    finish_instant(k);
}

pp_status systemc_run(pp_kernel *face, uint64_t until_ps)
{
    systemc_kernel *const k = from_face(face);
    PP_TRY(pp_loop_begin(k));
    if (k->broken || sc_core::sc_end_of_simulation_invoked()) {
        pp_loop_end(k);
        return pp_fail(PP_EINVAL, "SystemC has ended (by an error or sc_stop) and cannot run again");
    }
    k->fire_status = PP_OK;
    pp_status status = PP_OK;
    if (until_ps >= systemc_now(face)) {
        status = guarded("SystemC", [&] {
            advance(k, until_ps);
            return PP_OK;
        });
        k->broken = status != PP_OK;
    }
    k->firing = false; // an exception may have cut a handler off
    pp_loop_end(k);
    return status != PP_OK ? status : k->fire_status;
}

void systemc_stop(pp_kernel *face)
{
    pp_loop_stop(face);
    if (from_face(face)->running)
        sc_core::sc_pause();
}

pp_status attach_module(systemc_kernel *k, const pp_systemc_module *module)
{
    k->modules.reserve(k->modules.size() + 1); // so that nothing can fail once the module is there
    void *instance = nullptr;
    PP_TRY(module->create(&instance, &k->face, module->name, module->user));
    k->modules.push_back({*module, instance});
    return PP_OK;
}

pp_status systemc_attach(pp_kernel *face, void *module)
{
    systemc_kernel *const k = from_face(face);
    const auto *const description = static_cast<const pp_systemc_module *>(module);
    if (k->elaborated)
        return pp_fail(PP_EINVAL, "SystemC module '%s': the first run has begun, modules must be attached before it",
                       description->name);
    return guarded(description->name, [&] { return attach_module(k, description); });
}

// Modules go before the context they are registered in, and the context before the globals that point
// to it. Threads are not killed: 2.3.4 crashes on kill() after a pause.
void tear_down(systemc_kernel *k)
{
    while (!k->modules.empty()) {
        const attached last = k->modules.back();
        k->modules.pop_back();
        last.description.destroy(last.instance);
    }
    if (k->trace)
        sc_core::sc_close_vcd_trace_file(k->trace);
    if (k->wake)
        k->wake->cancel();
    k->wake.reset();
    // Cancelled notifications stay in the queue of SystemC, whose destructor forgets them; asking for the
    // next time frees them.
    sc_core::sc_time unused;
    (void)k->context->next_time(unused);
    k->context.reset();
    sc_core::sc_curr_simcontext = nullptr;
    sc_core::sc_default_global_context = nullptr;
}

void systemc_free(pp_kernel *face)
{
    systemc_kernel *const k = from_face(face);
    (void)guarded("SystemC", [&] {
        tear_down(k);
        return PP_OK;
    });
    pp_loop_free(k);
    delete k;
    one_lives = false;
}

const pp_kernel_ops systemc_ops = {
    "systemc", systemc_schedule, systemc_now, systemc_run, systemc_stop, pp_loop_stats, systemc_free, systemc_attach,
};

// A fresh context for each kernel: SystemC cannot elaborate twice in one.
pp_status set_up(systemc_kernel *k)
{
    k->context = std::make_unique<sc_core::sc_simcontext>();
    sc_core::sc_curr_simcontext = k->context.get();
    sc_core::sc_default_global_context = k->context.get();
    const sc_core::sc_time fixes_resolution(1, sc_core::SC_PS); // a module cannot change it any more
    if (fixes_resolution.value() != 1)
        return pp_fail(PP_EUNSUPPORTED, "SystemC's time resolution is not 1 ps");
    // Running a model that has nothing left to do is no reason to print a warning.
    sc_core::sc_report_handler::set_actions(sc_core::SC_ID_NO_SC_START_ACTIVITY_, sc_core::SC_DO_NOTHING);
    // stdout is the program's own.
    sc_core::sc_report_handler::set_actions(sc_core::SC_ID_TRACING_TIMESCALE_UNIT_, sc_core::SC_DO_NOTHING);
    k->wake = std::make_unique<sc_core::sc_event>("pentaprism_wake");
    sc_core::sc_spawn_options options;
    options.spawn_method();
    options.dont_initialize();
    options.set_sensitivity(k->wake.get());
    sc_core::sc_spawn([k] { on_wake(k); }, "pentaprism_events", &options);
    return PP_OK;
}

} // namespace

extern "C" pp_status pp_kernel_systemc_new(pp_kernel **out)
{
    if (one_lives.exchange(true))
        return pp_fail(PP_EUNSUPPORTED, "a SystemC kernel lives in this process already, and SystemC allows only one");
    auto *const k = new (std::nothrow) systemc_kernel;
    if (!k) {
        one_lives = false;
        return pp_fail(PP_ENOMEM, "out of memory (SystemC kernel)");
    }
    pp_loop_init(k, &systemc_ops);
    const pp_status status = guarded("SystemC", [&] { return set_up(k); });
    if (status != PP_OK) {
        systemc_free(&k->face);
        return status;
    }
    *out = &k->face;
    return PP_OK;
}

extern "C" pp_status pp_systemc_deliver(void *, pp_kernel *face, uint32_t index, uint64_t payload)
{
    if (face->ops != &systemc_ops)
        return pp_fail(PP_EINTERNAL, "an event for SystemC module %u, but the kernel is %s", index, face->ops->name);
    const systemc_kernel *const k = from_face(face);
    if (index >= k->modules.size() || !k->modules[index].description.deliver)
        return pp_fail(PP_EINTERNAL, "there is no SystemC module %u that takes events", index);
    const attached &to = k->modules[index];
    return guarded(to.description.name, [&] { return to.description.deliver(to.instance, face, payload); });
}

// SystemC opens the file in the first run, and crashes when it cannot.
static pp_status check_vcd(const char *stem)
{
    const std::string path = std::string(stem) + ".vcd";
    std::FILE *const f = std::fopen(path.c_str(), "w");
    if (!f)
        return pp_fail(PP_EIO, "%s: %s", path.c_str(), std::strerror(errno));
    std::fclose(f);
    return PP_OK;
}

extern "C" pp_status pp_systemc_trace(pp_kernel *face, const char *stem, const pp_systemc_signal *signal, size_t n)
{
    if (face->ops != &systemc_ops)
        return pp_fail(PP_EUNSUPPORTED, "the %s event kernel writes no VCD", face->ops->name);
    systemc_kernel *const k = from_face(face);
    if (k->trace || k->elaborated)
        return pp_fail(PP_EINVAL, "%s.vcd: a VCD trace starts before the first run, once", stem);
    return guarded("SystemC's VCD trace", [&] {
        PP_TRY(check_vcd(stem));
        k->trace = sc_core::sc_create_vcd_trace_file(stem);
        k->trace->set_time_unit(1, sc_core::SC_PS);
        for (size_t i = 0; i < n; i++)
            sc_core::sc_trace(k->trace, *signal[i].value, signal[i].name, static_cast<int>(signal[i].bits));
        return PP_OK;
    });
}

#define TEXT_OF(x) #x
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

extern "C" const char *pp_systemc_version(void)
{
    // The library refuses to link with other headers than its own, so theirs is its version.
    return VERSION_TEXT(SC_VERSION_MAJOR, SC_VERSION_MINOR, SC_VERSION_PATCH);
}
