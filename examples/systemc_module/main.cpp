// pentaprism's events and a SystemC model in one simulation.
//
// A core finishes a result every 100 ns and hands it to a softmax unit, which is written in SystemC and
// takes 130 ns for each. The unit is the slower one, so the results wait in its fifo:
//   request i is made at 100 (i + 1) ns and answered at 100 + 130 (i + 1) ns.
// The program prints the answers and fails if one comes at another time, which makes it a test, too.
//
//   c++ -std=c++17 main.cpp $(pkg-config --cflags --libs pentaprism) -o softmax && ./softmax
#include "softmax_unit.hpp"

#include <cinttypes>
#include <cstdio>

namespace
{

constexpr uint32_t requests = 5;
constexpr uint64_t core_ps = 100000, softmax_ps = 130000;

enum handler { CORE, SOFTMAX, ANSWER, HANDLERS };

struct model {
    uint32_t answered, late;
};

pp_status core(void *, pp_kernel *k, uint32_t, uint64_t i)
{
    PP_TRY(pp_kernel_schedule(k, pp_kernel_now(k), PP_TARGET(SOFTMAX, 0), i)); // 0: the first module attached
    return i + 1 < requests ? pp_kernel_schedule(k, pp_kernel_now(k) + core_ps, PP_TARGET(CORE, 0), i + 1) : PP_OK;
}

pp_status answer(void *m, pp_kernel *k, uint32_t, uint64_t i)
{
    auto *const seen = static_cast<model *>(m);
    const uint64_t expected_ps = core_ps + softmax_ps * (i + 1);
    std::printf("request %" PRIu64 " answered at %" PRIu64 " ps\n", i, pp_kernel_now(k));
    seen->late += i != seen->answered || pp_kernel_now(k) != expected_ps;
    seen->answered++;
    return PP_OK;
}

pp_status simulate(pp_kernel *k)
{
    softmax_options options = {softmax_ps, PP_TARGET(ANSWER, 0)};
    pp_systemc_module unit = {"softmax", softmax_create, softmax_destroy, softmax_deliver, &options};
    PP_TRY(pp_kernel_attach(k, &unit));
    PP_TRY(pp_kernel_schedule(k, core_ps, PP_TARGET(CORE, 0), 0));
    PP_TRY(pp_kernel_run(k, 3 * core_ps)); // in two runs, because one may
    return pp_kernel_run(k, PP_TIME_NEVER);
}

} // namespace

int main()
{
    const pp_handler handlers[HANDLERS] = {core, pp_systemc_deliver, answer};
    model m = {0, 0};
    pp_kernel *k = nullptr;
    pp_status status = pp_kernel_new(&k, PP_KERNEL_SYSTEMC, &m, handlers, HANDLERS);
    if (status == PP_OK)
        status = simulate(k);
    if (status != PP_OK)
        std::fprintf(stderr, "systemc_module: %s\n", pp_error_text());
    pp_kernel_free(k);
    return status == PP_OK && m.answered == requests && m.late == 0 ? 0 : 1;
}
