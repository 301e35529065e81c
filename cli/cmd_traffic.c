/* traffic: open-loop studies of networks. */
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/traffic_output.h"
#include "sim/net_route.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FABRICS_MAX 32
#define RATES_MAX 512

/* What was asked for. */
typedef struct pp_ask {
    pp_session s;
    pp_noc_options network;
    pp_traffic_options traffic;
    const char *pattern, *routing;
    bool sweep, saturation;
    double rates[RATES_MAX];
    size_t n_rates;
} pp_ask;

static pp_status real(const pp_parsed *p, const char *name, double *out)
{
    const char *text = pp_args_get(p, name);
    if (text && !pp_parse_f64(text, out))
        return pp_fail(PP_EUSAGE, "traffic: --%s: expected a number, found '%.60s'", name, text);
    return PP_OK;
}

static pp_status whole(const pp_parsed *p, const char *name, int64_t min, int64_t max, uint32_t *out)
{
    int64_t v;
    PP_TRY(pp_args_i64(p, name, *out, min, max, &v));
    *out = (uint32_t)v;
    return PP_OK;
}

static pp_status choice(const pp_parsed *p, const char *name, const char *const *words, size_t n, unsigned *out)
{
    const char *text = pp_args_get(p, name);
    char list[128] = "";
    for (size_t i = 0; text && i < n; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = (unsigned)i;
            return PP_OK;
        }
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", words[i]);
    }
    return text ? pp_fail(PP_EUSAGE, "traffic: --%s: unknown word '%.40s'; expected %s%s", name, text, list,
                          pp_hint(text, list, (char[PP_HINT_MAX]){0}))
                : PP_OK;
}

static pp_status read_network(pp_ask *a)
{
    static const char *const switchings[] = {"ideal", "saf", "vct", "flit"};
    const pp_parsed *p = a->s.args;
    unsigned switching = PP_NOC_FLIT;
    pp_noc_defaults(&a->network);
    if (pp_args_has(p, "router"))
        PP_TRY(pp_noc_preset(&a->network, pp_args_get(p, "router")));
    PP_TRY(whole(p, "vcs", 0, UINT32_MAX, &a->network.vcs));
    PP_TRY(whole(p, "buffer", 0, UINT32_MAX, &a->network.buffer_flits));
    PP_TRY(choice(p, "switching", switchings, 4, &switching));
    a->network.switching = (pp_noc_switching)switching;
    a->network.threads = pp_pool_threads(a->s.pool);
    a->routing = pp_args_has(p, "routing") ? pp_args_get(p, "routing") : "auto";
    return PP_OK;
}

static pp_status read_cycles(const pp_parsed *p, const char *name, uint64_t *out)
{
    int64_t v = 0;
    if (!pp_args_has(p, name))
        return PP_OK;
    PP_TRY(pp_args_i64(p, name, 0, 0, INT64_C(1000000000000), &v));
    *out = (uint64_t)v;
    return PP_OK;
}

static pp_status read_traffic(pp_ask *a)
{
    static const char *const arrivals[] = {"bernoulli", "poisson", "onoff"};
    const pp_parsed *p = a->s.args;
    pp_traffic_options *t = &a->traffic;
    unsigned arrival = PP_ARRIVAL_BERNOULLI;
    pp_traffic_defaults(t);
    t->seed = (uint64_t)a->s.run_options.seed;
    t->booksim = pp_args_has(p, "router");
    t->seeds = t->booksim ? 4 : 1;
    a->pattern = pp_args_has(p, "pattern") ? pp_args_get(p, "pattern") : "uniform";
    PP_TRY(choice(p, "arrival", arrivals, 3, &arrival));
    t->arrival = (pp_arrival)arrival;
    if (pp_args_has(p, "packet-flits"))
        PP_TRY(pp_traffic_sizes(t, pp_args_get(p, "packet-flits")));
    PP_TRY(real(p, "rate", &t->rate));
    PP_TRY(real(p, "peak", &t->peak));
    PP_TRY(real(p, "burst", &t->burst));
    PP_TRY(real(p, "precision", &t->precision));
    PP_TRY(real(p, "latency-limit", &t->latency_limit));
    PP_TRY(whole(p, "reply-flits", 0, 1000000, &t->reply_flits));
    PP_TRY(whole(p, "seeds", 1, 10000, &t->seeds));
    PP_TRY(read_cycles(p, "period", &t->period));
    PP_TRY(read_cycles(p, "warmup", &t->warmup));
    PP_TRY(read_cycles(p, "cycles", &t->max_cycles));
    if (!(t->precision > 0) || !(t->latency_limit > 0))
        return pp_fail(PP_ERANGE, "traffic: --precision and --latency-limit must be above 0");
    return PP_OK;
}

/* "0.1,0.2" or "0.05:0.6:0.05" */
static pp_status read_rates(pp_ask *a, const char *text)
{
    char *end = NULL;
    const double first = strtod(text, &end);
    if (*end == ':') {
        const double last = strtod(end + 1, &end), step = *end == ':' ? strtod(end + 1, &end) : 0;
        if (*end != '\0' || !(step > 0) || (last - first) / step > RATES_MAX - 1)
            return pp_fail(PP_EUSAGE, "traffic: --rates %.60s: expected FIRST:LAST:STEP with at most %d rates", text, RATES_MAX);
        for (size_t i = 0; first + (double)i * step <= last * (1 + 1e-9); i++)
            a->rates[a->n_rates++] = first + (double)i * step;
        return PP_OK;
    }
    for (const char *at = text; a->n_rates < RATES_MAX; at = end + 1) {
        a->rates[a->n_rates] = strtod(at, &end);
        if (end == at || (*end != ',' && *end != '\0'))
            break;
        if (a->n_rates > 0 && a->rates[a->n_rates] <= a->rates[a->n_rates - 1])
            return pp_fail(PP_EUSAGE, "traffic: --rates %.60s: rates must rise", text);
        a->n_rates++;
        if (*end == '\0')
            return PP_OK;
    }
    return pp_fail(PP_EUSAGE, "traffic: --rates %.60s: expected rates as in 0.1,0.2 or 0.05:0.6:0.05", text);
}

/* Without --rates: shares of the saturation rate, dense where the curve bends. */
static void choose_rates(pp_ask *a, double saturation)
{
    static const double share[] = {0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.97, 1.05, 1.2};
    a->n_rates = 0;
    for (size_t i = 0; i < sizeof share / sizeof *share; i++)
        if (saturation * share[i] <= 1)
            a->rates[a->n_rates++] = saturation * share[i];
}

/* ---- the flows of a mapping as a traffic matrix ---- */

static pp_status flow_matrix(pp_pattern **out, const pp_fabric *f, const char *text, const pp_mapping *m)
{
    uint32_t *src = pp_alloc(2 * (size_t)m->n_flows, sizeof *src), *dst = src ? src + m->n_flows : NULL;
    double *weight = pp_alloc(m->n_flows, sizeof *weight);
    pp_status status = src && weight ? PP_OK : PP_ENOMEM;
    size_t n = 0;
    for (uint32_t i = 0; status == PP_OK && i < m->n_flows; i++) {
        src[n] = m->tile[m->flow[i].src].core;
        dst[n] = m->tile[m->flow[i].dst].core;
        weight[n] = (double)m->flow[i].bits;
        n += weight[n] > 0;
    }
    if (status == PP_OK)
        status = pp_pattern_matrix(out, f, text, src, dst, weight, n);
    free(src);
    free(weight);
    return status;
}

static pp_status flows_pattern(pp_pattern **out, const pp_fabric *f, const pp_parsed *args, const char *text)
{
    pp_session s;
    pp_status status = pp_session_open(&s, args, text + strlen("flows:"));
    if (status == PP_OK)
        status = pp_session_network(&s);
    if (status == PP_OK)
        status = pp_session_quantize(&s);
    if (status == PP_OK)
        status = pp_session_map(&s);
    if (status == PP_OK)
        status = flow_matrix(out, f, text, s.mapping);
    pp_session_close(&s);
    return status;
}

/* ---- one fabric ---- */

typedef struct pp_setup {
    pp_fabric *fabric;
    pp_noc_router *router;
    pp_pattern *pattern;
} pp_setup;

static pp_status set_up(pp_setup *u, pp_ask *a, const char *text)
{
    pp_fabric_options options = a->s.fabric_options;
    *u = (pp_setup){0};
    PP_TRY(pp_fabric_parse(&options, a->s.arena, text));
    PP_TRY(pp_fabric_build(&u->fabric, &options));
    PP_TRY(pp_noc_router_new(&u->router, u->fabric, a->routing));
    if (strncmp(a->pattern, "flows:", 6) == 0)
        return flows_pattern(&u->pattern, u->fabric, a->s.args, a->pattern);
    return pp_pattern_new(&u->pattern, u->fabric, a->pattern, a->traffic.seed);
}

static void tear_down(pp_setup *u)
{
    pp_pattern_free(u->pattern);
    pp_noc_router_free(u->router);
    pp_fabric_free(u->fabric);
}

static pp_status study(pp_ask *a, const pp_setup *u, pp_traffic_result *r)
{
    const pp_noc_routing routing = pp_noc_router_function(u->router);
    pp_progress progress;
    r->saturation = NAN;
    if (a->saturation || (a->sweep && !pp_args_has(a->s.args, "rates"))) {
        pp_progress_begin(&progress, "saturation", 9);
        const pp_status status = pp_traffic_saturation(&r->saturation, 0.01, u->fabric, &a->network, &routing, u->pattern,
                                                       &a->traffic, &progress);
        pp_progress_end(&progress);
        PP_TRY(status);
        if (!a->sweep)
            return PP_OK;
        if (!pp_args_has(a->s.args, "rates"))
            choose_rates(a, r->saturation);
    }
    r->n = a->sweep ? a->n_rates : 1;
    r->point = pp_calloc(r->n, sizeof *r->point);
    if (!r->point)
        return PP_ENOMEM;
    pp_progress_begin(&progress, "loads", r->n * a->traffic.seeds);
    const pp_status status = pp_traffic_sweep(r->point, a->sweep ? a->rates : &a->traffic.rate, r->n, u->fabric, &a->network,
                                              &routing, u->pattern, &a->traffic, a->s.pool, &progress);
    pp_progress_end(&progress);
    return status;
}

static pp_status one_fabric(pp_ask *a, const char *text, pp_traffic_result *r)
{
    pp_setup u;
    pp_status status = set_up(&u, a, text);
    if (status == PP_OK)
        status = study(a, &u, r);
    if (status == PP_OK) {
        r->fabric = pp_arena_strdup(a->s.arena, u.fabric->name);
        r->routing = pp_noc_router_name(u.router);
        status = r->fabric ? PP_OK : PP_ENOMEM;
    }
    tear_down(&u);
    return status;
}

/* ---- all ---- */

static pp_status read_all(pp_ask *a)
{
    const pp_parsed *p = a->s.args;
    PP_TRY(read_network(a));
    PP_TRY(read_traffic(a));
    a->sweep = pp_args_has(p, "sweep") || pp_args_has(p, "rates");
    a->saturation = pp_args_has(p, "saturation");
    if (pp_args_has(p, "rates"))
        PP_TRY(read_rates(a, pp_args_get(p, "rates")));
    return pp_args_has(p, "output") ? pp_traffic_check_path(pp_args_get(p, "output")) : PP_OK;
}

static pp_status show(const pp_ask *a, const pp_traffic_study *s)
{
    const char *path = pp_args_get(a->s.args, "output");
    if (path)
        PP_TRY(pp_traffic_write(s, path, pp_args_has(a->s.args, "force")));
    return pp_args_has(a->s.args, "json") ? pp_traffic_print_json(s) : pp_traffic_print(s);
}

static pp_status work(pp_ask *a)
{
    pp_traffic_result result[FABRICS_MAX] = {0};
    const pp_parsed *p = a->s.args;
    pp_status status = PP_OK;
    for (size_t i = 0; status == PP_OK && i < p->n_operands; i++)
        status = one_fabric(a, p->operand[i], &result[i]);
    const pp_traffic_study s = {.pattern = a->pattern, .command = a->s.command, .sweep = a->sweep, .n = p->n_operands,
                                .result = result, .network = &a->network, .traffic = &a->traffic};
    if (status == PP_OK)
        status = show(a, &s);
    for (size_t i = 0; i < FABRICS_MAX; i++)
        free(result[i].point);
    return status;
}

static int run(const pp_parsed *p)
{
    pp_ask a = {0};
    pp_status status = pp_session_open(&a.s, p, NULL);
    if (status == PP_OK)
        status = read_all(&a);
    if (status == PP_OK)
        status = work(&a);
    pp_session_close(&a.s);
    return pp_finish(status);
}

static const pp_arg args[] = {
    {0, "pattern", "PATTERN", "uniform transpose bitcomp bitrev shuffle tornado neighbor hotspot1 hotspot4 random-permutation "
                              "hotspot:CORES[@SHARE] permutation:FILE trace:FILE flows:RUN.yaml"},
    {0, "rate", "R", "offered load, flits a core and cycle, up to 1 (default 0.1)"},
    {0, "sweep", NULL, "a curve: --rates, or shares of the saturation rate"},
    {0, "rates", "LIST", "loads of the curve: 0.1,0.2 or FIRST:LAST:STEP"},
    {0, "saturation", NULL, "find the highest stable load by bisection"},
    {0, "packet-flits", "N", "flits a packet, or sizes with shares: 1:0.6,8:0.4 (default 1)"},
    {0, "arrival", "bernoulli|poisson|onoff", "when packets are created; onoff: --peak, --burst (default bernoulli)"},
    {0, "peak", "R", "on-off: load inside a burst (default 1)"},
    {0, "burst", "N", "on-off: mean cycles of a burst (default 50)"},
    {0, "reply-flits", "N", "destinations answer each packet with one of N flits; two message classes"},
    {0, "switching", "ideal|saf|vct|flit", "how packets move (default flit)"},
    {0, "vcs", "V", "virtual channels a port (default 4)"},
    {0, "buffer", "B", "flits a virtual channel holds (default 8)"},
    {0, "routing", "ROUTING", "routing function (default auto; docs/network.md)"},
    {0, "router", "PRESET", "booksim[:KEY=VALUE,...]: router pipeline and measuring conventions of BookSim2"},
    {0, "seeds", "N", "runs with different seeds, averaged (default 1; with --router booksim 4)"},
    {0, "precision", "P", "stop when the 95 % interval is this share of the latency (default 0.01)"},
    {0, "warmup", "N", "cycles left out at the start (default: detected)"},
    {0, "cycles", "N", "cycles measured at most (default: chosen by the load)"},
    {0, "period", "N", "cycles of a batch or sample period (default: chosen by the load)"},
    {0, "latency-limit", "N", "mean latency that counts as saturated, cycles (default 500)"},
    {0, NULL, NULL, NULL},
};

const pp_command pp_cmd_traffic = {
    .name = "traffic",
    .operands = "FABRIC...",
    .min_operands = 1,
    .max_operands = FABRICS_MAX,
    .text = "latency and throughput of networks under synthetic load\n\n"
            "Packets are offered at a rate and followed flit by flit through routers with virtual channels\n"
            "(or as whole packets: --switching vct, saf, ideal). Latency counts from a packet's creation to\n"
            "the ejection of its tail. Results go to stdout and, with -o, to a .csv, .h5, .svg or .png file;\n"
            "several fabrics share a figure.",
    .examples = "  pentaprism traffic mesh:rows=8,cols=8 --pattern uniform --rate 0.3\n"
                "  pentaprism traffic mesh:rows=8,cols=8 torus:rows=8,cols=8 --sweep -o curves.svg\n"
                "  pentaprism traffic ring:cores=16 --router booksim --rate 0.2 --json\n",
    .args = args,
    .run = run,
};
