/* Several loads and seeds at once; saturation by bisection. */
#include "sim/traffic_internal.h"

#include <stdlib.h>

typedef struct pp_sweep {
    const double *rates;
    const pp_fabric *fabric;
    const pp_noc_options *network;
    const pp_noc_routing *routing;
    const pp_pattern *pattern;
    const pp_traffic_options *o;
    pp_traffic_point *run; /* [rates][seeds] */
    pp_progress *progress;
} pp_sweep;

/* High loads take longest and come first. */
static pp_status one_run(void *payload, size_t index, unsigned worker)
{
    pp_sweep *s = payload;
    (void)worker;
    pp_traffic_options o = *s->o;
    const size_t seeds = o.seeds;
    o.rate = s->rates[index / seeds];
    const pp_status status = pp_traffic_once(&s->run[index], s->fabric, s->network, s->routing, s->pattern, &o,
                                             o.seed + index % seeds);
    if (s->progress)
        pp_progress_step(s->progress, 1);
    return status;
}

pp_status pp_traffic_sweep(pp_traffic_point *out, const double *rates, size_t n, const pp_fabric *fabric,
                           const pp_noc_options *network, const pp_noc_routing *routing, const pp_pattern *pattern,
                           const pp_traffic_options *options, pp_pool *pool, pp_progress *progress)
{
    pp_noc_options one = *network;
    if (n * options->seeds > 1)
        one.threads = 1; /* runs side by side; a lone run may use partitions */
    pp_sweep s = {.rates = rates, .fabric = fabric, .network = &one, .routing = routing, .pattern = pattern,
                  .o = options, .progress = progress, .run = pp_calloc(n * options->seeds, sizeof *s.run)};
    if (!s.run)
        return PP_ENOMEM;
    const pp_status status = pp_pool_run(one.threads > 1 ? NULL : pool, n * options->seeds, one_run, &s);
    for (size_t i = 0; status == PP_OK && i < n; i++)
        pp_traffic_mean(&out[i], &s.run[i * options->seeds], options->seeds);
    free(s.run);
    return status;
}

pp_status pp_traffic_run(pp_traffic_point *out, const pp_fabric *fabric, const pp_noc_options *network,
                         const pp_noc_routing *routing, const pp_pattern *pattern, const pp_traffic_options *options,
                         pp_pool *pool)
{
    return pp_traffic_sweep(out, &options->rate, 1, fabric, network, routing, pattern, options, pool, NULL);
}

pp_status pp_traffic_saturation(double *rate, double resolution, const pp_fabric *fabric,
                                const pp_noc_options *network, const pp_noc_routing *routing,
                                const pp_pattern *pattern, const pp_traffic_options *options, pp_progress *progress)
{
    double lo = 0, hi = 1;
    pp_traffic_options o = *options;
    pp_traffic_point p;
    o.precision = o.precision > 0.05 ? o.precision : 0.05; /* stable or not is all that is asked */
    for (int i = 0; i < 40 && hi - lo > resolution * hi; i++) {
        o.rate = i == 0 ? 1 : (lo + hi) / 2;
        PP_TRY(pp_traffic_once(&p, fabric, network, routing, pattern, &o, o.seed));
        if (progress)
            pp_progress_step(progress, 1);
        if (!p.saturated && i == 0) {
            lo = 1;
            break;
        }
        if (p.saturated)
            hi = o.rate;
        else
            lo = o.rate;
    }
    *rate = lo;
    return PP_OK;
}
