/* From settings to a device model. */
#include "sim/device.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pp_status find_kind(const pp_device_kind **out, const char *name)
{
    const char *names[32];
    size_t n = 0;
    for (const pp_device_kind *k; n < 32 && (k = pp_device_kind_at(n)) != NULL; n++) {
        names[n] = k->name;
        if (strcmp(k->name, name) == 0) {
            *out = k;
            return PP_OK;
        }
    }
    char all[256] = "";
    for (size_t i = 0; i < n; i++) {
        const size_t used = strlen(all);
        (void)snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", names[i]);
    }
    const char *near = pp_nearest(name, names, n);
    return pp_fail(PP_EINVAL, near != NULL ? "device.model: expected %s, found '%.40s'; did you mean %s?" : "device.model: expected %s, found '%.40s'", all,
                   name, near);
}

static pp_status read_poly(pp_poly *out, const char *text, const char *what)
{
    double *c = NULL;
    size_t n = 0;
    *out = (pp_poly){0};
    if (text == NULL || text[0] == 0)
        return PP_OK;
    PP_TRY(pp_number_list(&c, &n, text, what));
    pp_status status = n <= PP_DEVICE_POLY ? PP_OK
                                           : pp_fail(PP_ERANGE, "%s: %zu coefficients, at most %d", what, n, PP_DEVICE_POLY);
    for (size_t i = 0; i < n && status == PP_OK; i++)
        out->c[out->n++] = c[i];
    free(c);
    return status;
}

typedef struct sampled {
    const char *what;
    double (*value)(const pp_device *d, double g);
} sampled;

/* Standard deviations must not be negative anywhere in [0, 1]. */
static pp_status check_signs(const pp_device *d)
{
    const sampled all[] = {{"program_poly", d->kind->sigma}, {"nu_std_poly", d->kind->nu_std}, {"read_poly", d->kind->read}};
    for (size_t k = 0; k < 3; k++) {
        for (int i = 0; i <= 1000 && all[k].value != NULL; i++) {
            const double g = i / 1000.0, v = all[k].value(d, g);
            if (!(v >= 0) || !isfinite(v))
                return pp_fail(PP_EINVAL, "device.%s: standard deviation %g at g = %g; expected at least 0 on [0, 1]",
                               all[k].what, v, g);
        }
    }
    return PP_OK;
}

pp_status pp_device_resolve(pp_device *out, const pp_device_options *o)
{
    pp_device d = {0};
    PP_TRY(find_kind(&d.kind, o->model));
    d.g_max_us = o->g_max_us > 0 ? o->g_max_us : d.kind->g_max_us;
    d.t0_s = o->t0_s > 0 ? o->t0_s : d.kind->t0_s;
    d.t_read_s = o->t_read_s > 0 ? o->t_read_s : d.kind->t_read_s;
    d.sigma = o->sigma;
    d.read_sigma = o->read_sigma;
    d.verify_reads = o->verify_reads > 1 ? (unsigned)o->verify_reads : 1;
    d.verify_window = o->verify_window;
    d.from_programming = o->time_origin == 1;
    PP_TRY(read_poly(&d.program, o->program_poly, "device.program_poly"));
    PP_TRY(read_poly(&d.nu_mean, o->nu_mean_poly, "device.nu_mean_poly"));
    PP_TRY(read_poly(&d.nu_std, o->nu_std_poly, "device.nu_std_poly"));
    PP_TRY(read_poly(&d.read, o->read_poly, "device.read_poly"));
    if (strcmp(d.kind->name, "custom") == 0 && d.program.n + d.nu_mean.n + d.nu_std.n + d.read.n == 0)
        return pp_fail(PP_EINVAL, "device.model: custom needs device.program_poly, nu_mean_poly, nu_std_poly or read_poly");
    PP_TRY(check_signs(&d));
    d.stuck_low = o->stuck_low + (1 - o->yield);
    d.stuck_high = o->stuck_high;
    if (d.stuck_low + d.stuck_high > 1)
        return pp_fail(PP_EINVAL, "device.stuck_low + stuck_high + (1 - yield) is %g; expected at most 1",
                       d.stuck_low + d.stuck_high);
    *out = d;
    return PP_OK;
}

pp_status pp_device_time(const pp_device *d, double time_s, double *since)
{
    const double t = d->from_programming ? time_s : time_s + d->t0_s;
    if (!isfinite(time_s) || t < d->t0_s)
        return pp_fail(PP_ERANGE, "device.times_s: %g s lies before the first read of %s (t0 = %g s after programming%s)", time_s,
                       d->kind->name, d->t0_s, d->from_programming ? "" : ", where time 0 is");
    *since = t;
    return PP_OK;
}

bool pp_device_is_ideal(const pp_device *d)
{
    const pp_device_kind *k = d->kind;
    return k->sigma == NULL && k->nu_mean == NULL && k->nu_std == NULL && k->read == NULL && d->stuck_low == 0 &&
           d->stuck_high == 0;
}
