// A user's own SystemC model of one unit: it takes requests, needs some time for each, one at a time,
// and answers. How it does so inside is SystemC's business: a thread, a fifo, an event.
#ifndef SOFTMAX_UNIT_HPP
#define SOFTMAX_UNIT_HPP

#include "sim/kernel_systemc.h"

#define SC_INCLUDE_DYNAMIC_PROCESSES
#include <systemc>

// What the simulator tells the unit when it is built.
struct softmax_options {
    uint64_t latency_ps;   // for one request
    uint32_t reply_target; // where the answers go, as events of pentaprism
};

SC_MODULE(softmax_unit)
{
    sc_core::sc_fifo<uint64_t> requests;

    SC_HAS_PROCESS(softmax_unit);
    softmax_unit(sc_core::sc_module_name name, pp_kernel * kernel, const softmax_options &options)
        : sc_core::sc_module(name), requests("requests", 8), kernel_(kernel), options_(options)
    {
        SC_THREAD(serve);
    }

  private:
    void serve()
    {
        for (;;) {
            uint64_t request = 0;
            requests.read(request); // waits for one
            wait(sc_core::sc_time::from_value(options_.latency_ps));
            if (pp_kernel_schedule(kernel_, pp_kernel_now(kernel_), options_.reply_target, request) != PP_OK)
                SC_REPORT_ERROR("softmax_unit", pp_error_text());
        }
    }

    pp_kernel *kernel_;
    softmax_options options_;
};

// The C view of it, for pp_kernel_attach.
inline pp_status softmax_create(void **instance, pp_kernel *k, const char *name, void *user)
{
    *instance = new softmax_unit(name, k, *static_cast<const softmax_options *>(user));
    return PP_OK;
}

inline void softmax_destroy(void *instance)
{
    delete static_cast<softmax_unit *>(instance);
}

inline pp_status softmax_deliver(void *instance, pp_kernel *, uint64_t payload)
{
    if (!static_cast<softmax_unit *>(instance)->requests.nb_write(payload))
        return pp_fail(PP_ERANGE, "softmax unit: more than 8 requests wait");
    return PP_OK;
}

#endif
