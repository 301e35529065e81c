/* Users' own SystemC models beside pentaprism's events. C and C++ may include this file.
 *
 * A module is added with pp_kernel_attach(k, &module) before the first run of a PP_KERNEL_SYSTEMC
 * kernel. The two sides share one time and talk both ways:
 *   SystemC -> pentaprism: any SystemC process may call pp_kernel_schedule, pp_kernel_now and
 *     pp_kernel_stop on the kernel it was created with.
 *   pentaprism -> SystemC: the model has pp_systemc_deliver in its handler table; an event for that
 *     handler and index i is given to `deliver` of the i-th attached module, which typically stores the
 *     payload and notifies an sc_event.
 * Events of pentaprism run within one SystemC method, all of one instant in schedule order; whether
 * SystemC's own processes of that instant run before or after is SystemC's choice (its order is fixed,
 * but not first in, first out). examples/systemc_module/ is a whole model. */
#ifndef PP_SIM_KERNEL_SYSTEMC_H
#define PP_SIM_KERNEL_SYSTEMC_H

#include "sim/kernel.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Exceptions (also SystemC's own error reports) thrown by these three become PP_EINTERNAL with their
 * text; they never cross the C interface. */
typedef struct pp_systemc_module {
    /* Instance name, borrowed until the kernel is freed; give it to the SC_MODULE. */
    const char *name;
    /* REQUIRED: builds the SC_MODULEs, with elaboration open; *instance is owned by the module's author. */
    pp_status (*create)(void **instance, pp_kernel *k, const char *name, void *user);
    /* REQUIRED: takes them down. Called by pp_kernel_free for each attached module, last one first. */
    void (*destroy)(void *instance);
    /* OPTIONAL: an event of pentaprism has arrived. It runs in a SystemC method: it may notify events
     * and write channels, it may not wait. */
    pp_status (*deliver)(void *instance, pp_kernel *k, uint64_t payload);
    void *user; /* handed to create */
} pp_systemc_module;

/* A pp_handler: index = number of the attached module, in the order of attaching from 0. PP_EINTERNAL
 * when there is none, it takes no events, or the kernel is not the SystemC one. `model` is not used. */
pp_status pp_systemc_deliver(void *model, pp_kernel *k, uint32_t index, uint64_t payload);

/* A value that SystemC writes down whenever it has changed at the end of an instant. */
typedef struct pp_systemc_signal {
    const char *name;      /* "scope.scope.name": letters, digits and _ */
    const uint64_t *value; /* borrowed until the kernel is freed */
    unsigned bits;         /* 1 to 64 */
} pp_systemc_signal;

/* Lets SystemC trace signal[n] into STEM.vcd, from the start of the first run, which has not begun yet. The file is
 * complete once the kernel is freed; SystemC reports no failed write, so its reader must look for the end. Its header
 * carries the date of today. PP_EUNSUPPORTED when the kernel is not the SystemC one, PP_EINVAL for a kernel that has
 * run or traces already, PP_EIO when the file cannot be opened. */
pp_status pp_systemc_trace(pp_kernel *k, const char *stem, const pp_systemc_signal *signal, size_t n);

#ifdef __cplusplus
}
#endif
#endif
