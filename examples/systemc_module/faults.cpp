// What happens when a user's SystemC module goes wrong: an error of pentaprism with a clear text, never
// an exception across the C interface, and the next kernel is as good as new. Run as a test.
#include "sim/kernel_systemc.h"

#define SC_INCLUDE_DYNAMIC_PROCESSES
#include <systemc>

#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace
{

enum fault {
    NONE,
    THROW_IN_CREATE,
    REFUSE_IN_CREATE,
    THROW_IN_DELIVER,
    WAIT_IN_DELIVER,
    REPORT_IN_PROCESS,
    SC_STOP,
    STOP
};

int destroyed; // modules taken down by the kernel
int fired;     // events of pentaprism that reached NOTE

enum handler { NOTE, MODULE, HANDLERS };

// Ticks every nanosecond from 0 on, each time with an event of pentaprism for that very instant, and
// does its fault at 5 ns. (A method, not a thread: SystemC 2.3.4 switches stacks in a way that
// AddressSanitizer cannot follow when an exception comes later.)
SC_MODULE(ticker)
{
    SC_HAS_PROCESS(ticker);
    ticker(sc_core::sc_module_name name, pp_kernel * kernel, fault what)
        : sc_core::sc_module(name), what_(what), kernel_(kernel), ticks_(0)
    {
        SC_METHOD(tick);
    }
    fault what_;

  private:
    void tick()
    {
        if (ticks_ == 5)
            act();
        if (pp_kernel_schedule(kernel_, pp_kernel_now(kernel_), PP_TARGET(NOTE, 0), ticks_++) != PP_OK)
            SC_REPORT_ERROR("ticker", pp_error_text());
        next_trigger(1, sc_core::SC_NS);
    }
    void act()
    {
        if (what_ == REPORT_IN_PROCESS)
            SC_REPORT_ERROR("ticker", "is tired");
        if (what_ == SC_STOP)
            sc_core::sc_stop();
        if (what_ == STOP)
            pp_kernel_stop(kernel_);
    }
    pp_kernel *kernel_;
    uint64_t ticks_;
};

pp_status create(void **instance, pp_kernel *k, const char *name, void *user)
{
    const fault what = *static_cast<const fault *>(user);
    if (what == THROW_IN_CREATE)
        throw std::runtime_error("cannot be built");
    if (what == REFUSE_IN_CREATE)
        return pp_fail(PP_EINVAL, "does not want to");
    *instance = new ticker(name, k, what);
    return PP_OK;
}

void destroy(void *instance)
{
    delete static_cast<ticker *>(instance);
    destroyed++;
}

pp_status deliver(void *instance, pp_kernel *, uint64_t)
{
    const fault what = static_cast<ticker *>(instance)->what_;
    if (what == THROW_IN_DELIVER)
        throw std::runtime_error("cannot take it");
    if (what == WAIT_IN_DELIVER)
        sc_core::wait(1, sc_core::SC_NS); // not allowed in a method
    return PP_OK;
}

pp_status note(void *, pp_kernel *, uint32_t, uint64_t)
{
    fired++;
    return PP_OK;
}

const pp_handler handlers[HANDLERS] = {note, pp_systemc_deliver};
int failures;

void check(bool holds, const char *what)
{
    if (!holds)
        std::printf("FAILED: %s (last error: %s)\n", what, pp_error_text());
    failures += !holds;
}

bool text_has(const char *part)
{
    return std::strstr(pp_error_text(), part) != nullptr;
}

// A kernel with one ticker; runs until 10 ns, with one event for the module at 4 ns.
struct trial {
    pp_kernel *k = nullptr;
    pp_status attached, ran = PP_OK;
    explicit trial(fault what)
    {
        destroyed = fired = 0;
        pp_systemc_module module = {"ticker", create, destroy, deliver, &what};
        check(pp_kernel_new(&k, PP_KERNEL_SYSTEMC, nullptr, handlers, HANDLERS) == PP_OK, "a kernel can be made");
        attached = pp_kernel_attach(k, &module);
        if (attached == PP_OK) {
            check(pp_kernel_schedule(k, 4000, PP_TARGET(MODULE, 0), 0) == PP_OK, "an event for the module");
            ran = pp_kernel_run(k, 10000);
        }
    }
    trial(const trial &) = delete;
    trial &operator=(const trial &) = delete;
    ~trial()
    {
        pp_kernel_free(k);
        check(destroyed == (attached == PP_OK), "a module that was built is taken down, once");
    }
};

void a_good_module_runs()
{
    trial t(NONE);
    check(t.ran == PP_OK && fired == 11, "ticks from 0 to 10 ns, both included");
    check(pp_kernel_now(t.k) == 10000, "the run ends at 10 ns");
    check(pp_kernel_run(t.k, 12500) == PP_OK && fired == 13, "the next run goes on");
    check(pp_kernel_schedule(t.k, 12499, PP_TARGET(NOTE, 0), 0) == PP_EINTERNAL, "12.499 ns is past");
}

void a_module_can_fail_to_be_built()
{
    {
        trial t(THROW_IN_CREATE);
        check(t.attached == PP_EINTERNAL && text_has("ticker: cannot be built"), "an exception when built");
    }
    trial t(REFUSE_IN_CREATE);
    check(t.attached == PP_EINVAL && text_has("does not want to"), "a status when built");
    check(pp_kernel_schedule(t.k, 1, PP_TARGET(MODULE, 0), 0) == PP_OK, "an event for no module");
    check(pp_kernel_run(t.k, 5) == PP_EINTERNAL && text_has("there is no SystemC module 0"), "is refused on arrival");
}

void a_module_can_fail_to_take_an_event()
{
    {
        trial t(THROW_IN_DELIVER);
        check(t.ran == PP_EINTERNAL && text_has("ticker: cannot take it"), "an exception when delivered");
        check(pp_kernel_now(t.k) == 4000, "the run ends there");
    }
    trial t(WAIT_IN_DELIVER);
    check(t.ran == PP_EINTERNAL && text_has("wait"), "a wait when delivered");
}

void a_process_can_report_an_error()
{
    trial t(REPORT_IN_PROCESS);
    check(t.ran == PP_EINTERNAL && text_has("is tired"), "SystemC's report is the text of the error");
    check(pp_kernel_run(t.k, 20000) == PP_EINVAL && text_has("cannot run again"), "there is no going on");
}

void a_module_can_stop_the_run()
{
    {
        trial t(STOP);
        check(t.ran == PP_OK && pp_kernel_now(t.k) == 5000 && fired == 5,
              "pp_kernel_stop ends the run at 5 ns, at once");
        check(pp_kernel_run(t.k, 10000) == PP_OK && fired == 11, "the next run goes on and loses nothing");
    }
    trial t(SC_STOP);
    check(t.ran == PP_OK && pp_kernel_now(t.k) == 5000, "sc_stop ends the run");
    check(pp_kernel_run(t.k, 10000) == PP_EINVAL && text_has("sc_stop"), "for good");
}

void modules_come_before_the_first_run()
{
    trial t(NONE);
    fault what = NONE;
    pp_systemc_module late = {"late", create, destroy, deliver, &what};
    check(pp_kernel_attach(t.k, &late) == PP_EINVAL && text_has("'late'"), "a late module is refused");
}

void the_native_kernel_has_no_modules()
{
    pp_kernel *k = nullptr;
    check(pp_kernel_new(&k, PP_KERNEL_NATIVE, nullptr, handlers, HANDLERS) == PP_OK, "a native kernel");
    check(pp_kernel_schedule(k, 1, PP_TARGET(MODULE, 3), 0) == PP_OK, "an event for a module of it");
    check(pp_kernel_run(k, 2) == PP_EINTERNAL && text_has("kernel is native"), "is refused on arrival");
    pp_kernel_free(k);
}

} // namespace

int main()
{
    a_good_module_runs();
    a_module_can_fail_to_be_built();
    a_module_can_fail_to_take_an_event();
    a_process_can_report_an_error();
    a_module_can_stop_the_run();
    modules_come_before_the_first_run();
    the_native_kernel_has_no_modules();
    a_good_module_runs();
    return failures == 0 ? 0 : 1;
}
