/* Choosing a back end. */
#include "sim/kernel_internal.h"

#include <stddef.h>

static pp_status check_handlers(const pp_handler *handler, uint32_t n_handlers)
{
    if (n_handlers > PP_HANDLER_MAX)
        return pp_fail(PP_EINVAL, "event kernel: %u handlers, expected at most %u", n_handlers, PP_HANDLER_MAX);
    for (uint32_t i = 0; i < n_handlers; i++)
        if (!handler[i])
            return pp_fail(PP_EINVAL, "event kernel: handler %u is missing", i);
    return PP_OK;
}

pp_status pp_kernel_new(pp_kernel **out, pp_kernel_kind kind, void *model, const pp_handler *handler,
                        uint32_t n_handlers)
{
    *out = NULL;
    PP_TRY(check_handlers(handler, n_handlers));
    switch (kind) {
    case PP_KERNEL_NATIVE:
        PP_TRY(pp_kernel_native_new(out));
        break;
    case PP_KERNEL_SYSTEMC:
        PP_TRY(pp_kernel_systemc_new(out));
        break;
    default:
        return pp_fail(PP_EINVAL, "event kernel: there is no kind %d", (int)kind);
    }
    (*out)->model = model;
    (*out)->handler = handler;
    (*out)->n_handlers = n_handlers;
    return PP_OK;
}

void pp_kernel_free(pp_kernel *k)
{
    if (k)
        k->ops->free(k);
}

pp_status pp_kernel_attach(pp_kernel *k, void *module)
{
    if (!k->ops->attach)
        return pp_fail(PP_EUNSUPPORTED, "the %s event kernel takes no modules", k->ops->name);
    return k->ops->attach(k, module);
}
