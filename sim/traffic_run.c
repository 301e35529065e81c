/* One load: warm-up, measuring, draining; intervals by batch means or over seeds.
 * PAPER: booksim2013 (measuring conventions), white1997 (MSER), law2014 sec. 9.5 (batch means). */
#include "sim/traffic_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BINS 768u /* exact below 32, then 32 an octave */

/* Figures of the packets created in one period; `ejected`: flits delivered in it. */
typedef struct pp_batch {
    uint64_t packets, latency, network, routers, ejected, created, min, max;
    uint32_t bin[BINS];
} pp_batch;

typedef PP_VEC(pp_batch) pp_batches;

/* What one partition measures. Periods are looked up for every packet, mostly the same ones: no division then. */
typedef struct pp_tally {
    _Alignas(64) pp_batches batches;
    uint64_t requests_done; /* first packets (not replies) delivered, created before `end` */
    uint64_t index[2], start[2]; /* period found last: of a delivery, of a creation */
} pp_tally;

typedef struct pp_run {
    const pp_traffic_options *o;
    const pp_fabric *fabric;
    pp_noc *noc;
    pp_sources sources;
    uint64_t period, warmup, end; /* end: packets created from here on do not count; UINT64_MAX while open */
    pp_tally *part;               /* [threads] */
    uint64_t *created;            /* [cores] created before `end` */
    unsigned n_parts;
    _Atomic bool failed;
    bool unstable;
} pp_run;

static uint32_t bin_of(uint64_t latency)
{
    if (latency < 32)
        return (uint32_t)latency;
    const uint32_t e = 63 - (uint32_t)__builtin_clzll(latency);
    const uint64_t bin = (uint64_t)(e - 4) * 32 + (latency >> (e - 5)) - 32;
    return bin < BINS ? (uint32_t)bin : BINS - 1;
}

/* Middle of a bin. */
static double bin_value(uint32_t bin)
{
    if (bin < 32)
        return bin;
    const uint32_t e = bin / 32 + 4, k = bin % 32 + 32;
    return ldexp(k + 0.5, (int)e - 5) - (e == 5 ? 0.5 : 0);
}

/* ---- what the engine calls ---- */

static bool add_batches(pp_batches *b, uint64_t k)
{
    while (b->len <= k) {
        pp_batch *room = b->len < b->cap ? b->data : pp_vec_grow_(b->data, b->len, &b->cap, sizeof *b->data);
        if (!room)
            return false;
        b->data = room;
        memset(&b->data[b->len], 0, sizeof *b->data);
        b->data[b->len++].min = UINT64_MAX;
    }
    return true;
}

/* Of a delivery's (which 0) or a creation's time; NULL when memory ran out. */
static pp_batch *batch_at(pp_run *r, unsigned part, unsigned which, uint64_t time)
{
    pp_tally *t = &r->part[part];
    if (time - t->start[which] >= r->period || t->batches.len == 0) {
        t->index[which] = time / r->period;
        t->start[which] = t->index[which] * r->period;
        if (!add_batches(&t->batches, t->index[which])) {
            r->failed = true;
            return NULL;
        }
    }
    return &t->batches.data[t->index[which]];
}

static bool source(void *context, uint32_t core, pp_noc_packet *p)
{
    pp_run *r = context;
    if (!pp_sources_next(&r->sources, core, p))
        return false;
    r->created[core] += p->time < r->end;
    return true;
}

static void answer(pp_run *r, const pp_noc_delivery *d)
{
    const pp_noc_packet p = {.time = d->time + 1, .tag = 1, .src = d->dst, .dst = d->src, .tree = PP_NOC_TREE_NONE,
                             .flits = r->o->reply_flits, .message_class = 1};
    if (pp_noc_reply(r->noc, &p) != PP_OK)
        r->failed = true;
}

static void sink(void *context, uint32_t part, const pp_noc_delivery *d)
{
    pp_run *r = context;
    pp_batch *at = batch_at(r, part, 0, d->time);
    if (at)
        at->ejected += d->flits;
    if (d->tag == 0)
        r->part[part].requests_done += d->created < r->end;
    if (d->tag == 0 && r->o->reply_flits > 0)
        answer(r, d);
    pp_batch *b = d->created < r->end ? batch_at(r, part, 1, d->created) : NULL;
    if (!b)
        return;
    const uint64_t latency = d->time - d->created;
    b->packets++;
    b->latency += latency;
    b->network += d->time - d->entered;
    b->routers += d->routers;
    b->min = latency < b->min ? latency : b->min;
    b->max = latency > b->max ? latency : b->max;
    b->bin[bin_of(latency)]++;
}

/* ---- sums ---- */

/* Periods [lo, hi) of all partitions. */
static void sum_batches(const pp_run *r, uint64_t lo, uint64_t hi, pp_batch *out)
{
    memset(out, 0, sizeof *out);
    out->min = UINT64_MAX;
    for (unsigned i = 0; i < r->n_parts; i++)
        for (uint64_t k = lo; k < hi && k < r->part[i].batches.len; k++) {
            const pp_batch *b = &r->part[i].batches.data[k];
            out->packets += b->packets;
            out->latency += b->latency;
            out->network += b->network;
            out->routers += b->routers;
            out->ejected += b->ejected;
            out->min = b->min < out->min ? b->min : out->min;
            out->max = b->max > out->max ? b->max : out->max;
            for (uint32_t j = 0; j < BINS; j++)
                out->bin[j] += b->bin[j];
        }
}

static void sum_latency(const pp_run *r, uint64_t lo, uint64_t hi, double *latency, double *packets)
{
    *latency = *packets = 0;
    for (unsigned i = 0; i < r->n_parts; i++)
        for (uint64_t k = lo; k < hi && k < r->part[i].batches.len; k++) {
            *latency += (double)r->part[i].batches.data[k].latency;
            *packets += (double)r->part[i].batches.data[k].packets;
        }
}

/* Mean latency with the ages of the packets that still wait at their sources: a core whose oldest waiting
 * packet is `age` old has about age x p packets of half that age. */
static double latency_with_waiting(const pp_run *r, uint64_t from)
{
    const uint64_t now = pp_noc_now(r->noc);
    double sum, count;
    sum_latency(r, from / r->period, UINT64_MAX, &sum, &count);
    for (uint32_t c = 0; c < r->fabric->n_cores; c++) {
        const pp_generator *g = &r->sources.of_core[c];
        if (g->at >= now)
            continue;
        const double age = (double)(now - g->at), waiting = 1 + age * g->p;
        sum += waiting * age / 2;
        count += waiting;
    }
    return count > 0 ? sum / count : 0;
}

static double ejected_rate(const pp_run *r, uint64_t lo, uint64_t hi)
{
    uint64_t flits = 0;
    for (unsigned i = 0; i < r->n_parts; i++)
        for (uint64_t k = lo; k < hi && k < r->part[i].batches.len; k++)
            flits += r->part[i].batches.data[k].ejected;
    return (double)flits / ((double)(hi - lo) * (double)r->period * r->fabric->n_cores);
}

static pp_status run_to(pp_run *r, uint64_t time)
{
    PP_TRY(pp_noc_run(r->noc, time, false));
    return r->failed ? PP_ENOMEM : PP_OK;
}

/* Packets created from `end` on do not count any more. */
static void close_window(pp_run *r, uint64_t end)
{
    r->end = end;
    for (uint32_t c = 0; c < r->fabric->n_cores; c++)
        if (r->sources.of_core[c].at != UINT64_MAX && r->sources.of_core[c].at >= end)
            r->created[c]--;
}

static bool drained(const pp_run *r)
{
    uint64_t created = 0, done = 0;
    for (uint32_t c = 0; c < r->fabric->n_cores; c++) {
        if (r->sources.of_core[c].at < r->end)
            return false;
        created += r->created[c];
    }
    for (unsigned i = 0; i < r->n_parts; i++)
        done += r->part[i].requests_done;
    return created == done;
}

/* The sources go on while the measured packets drain. */
static pp_status drain(pp_run *r)
{
    for (uint64_t t = r->end; !drained(r);) {
        t += 200;
        PP_TRY(run_to(r, t));
        if (latency_with_waiting(r, r->warmup) > r->o->latency_limit) {
            r->unstable = true;
            return PP_OK;
        }
        if (pp_noc_next(r->noc) == PP_NOC_NEVER)
            return PP_OK;
    }
    return PP_OK;
}

/* ---- conventions of the reference curves ---- */

static bool near_enough(double now, double before)
{
    return before > 0 && fabs(now - before) / now < 0.05;
}

/* Sample periods: latency and throughput since the warm-up change by less than 5 % from one to the next three times
 * in a row, or ten are over. PAPER: booksim2013 */
static pp_status measure_booksim(pp_run *r)
{
    const uint64_t first = (r->warmup + r->period - 1) / r->period;
    const uint64_t most = r->o->max_cycles > 0 ? first + (r->o->max_cycles + r->period - 1) / r->period : 10;
    double latency = 0, accepted = 0;
    uint64_t k = 0;
    for (int calm = 0; calm < 3 && k < most;) {
        PP_TRY(run_to(r, ++k * r->period));
        const double aged = latency_with_waiting(r, k > first ? r->warmup : 0);
        r->unstable |= aged > r->o->latency_limit;
        double sum, count;
        const uint64_t from = k > first ? first : 0; /* the first period counts against the warm-up */
        sum_latency(r, from, k, &sum, &count);
        const double l = count > 0 ? sum / count : 0, a = ejected_rate(r, from, k);
        const bool same = (r->unstable || near_enough(l, latency)) && near_enough(a, accepted);
        calm = k > first && same ? calm + 1 : 0;
        latency = l;
        accepted = a;
    }
    r->warmup = first * r->period;
    close_window(r, k * r->period);
    return r->unstable ? PP_OK : drain(r);
}

/* ---- warm-up by MSER, intervals by batch means ---- */

static double batch_mean(const pp_run *r, uint64_t k, bool *any)
{
    double sum, count;
    sum_latency(r, k, k + 1, &sum, &count);
    *any = count > 0;
    return count > 0 ? sum / count : 0;
}

/* Periods to leave out at the start: MSER, the cut that minimises the squared standard error of the rest,
 * among the first half. PAPER: white1997 */
static uint64_t mser(const pp_run *r, uint64_t n)
{
    double sum = 0, squares = 0, best = INFINITY;
    uint64_t count = 0, cut = 0;
    for (uint64_t k = n; k-- > 0;) {
        bool any;
        const double x = batch_mean(r, k, &any);
        if (any) {
            sum += x;
            squares += x * x;
            count++;
        }
        if (k > n / 2 || count < 2)
            continue;
        const double c = (double)count, error = (squares - sum * sum / c) / (c * c);
        if (error <= best) {
            best = error;
            cut = k;
        }
    }
    return cut;
}

/* Student's t, 97.5 %. */
static double t_quantile(double df)
{
    const double z = 1.959963985;
    if (df < 2)
        return 12.706;
    if (df < 3)
        return 4.303;
    return z + (z * z * z + z) / (4 * df) + (5 * pow(z, 5) + 16 * z * z * z + 3 * z) / (96 * df * df) +
           (3 * pow(z, 7) + 19 * pow(z, 5) + 17 * z * z * z - 15 * z) / (384 * df * df * df);
}

/* Half width of the 95 % interval from up to 20 groups of periods. */
static double batch_interval(const pp_run *r, uint64_t lo, uint64_t hi, uint32_t *groups)
{
    const uint64_t n = hi - lo, size = (n + 19) / 20;
    double sum = 0, squares = 0;
    uint32_t count = 0;
    for (uint64_t k = lo; size > 0 && k + size <= hi; k += size) {
        double latency, packets;
        sum_latency(r, k, k + size, &latency, &packets);
        if (packets == 0)
            continue;
        const double x = latency / packets;
        sum += x;
        squares += x * x;
        count++;
    }
    *groups = count;
    if (count < 2)
        return NAN;
    const double variance = fmax(0, (squares - sum * sum / count) / (count - 1));
    return t_quantile(count - 1) * sqrt(variance / count);
}

static pp_status measure_auto(pp_run *r)
{
    const bool fixed = r->warmup != UINT64_MAX;
    const uint64_t most = r->o->max_cycles > 0 ? (r->o->max_cycles + r->period - 1) / r->period + (fixed ? r->warmup / r->period : 0)
                                               : 240;
    uint64_t k = 0, cut = 0;
    while (k < most) {
        PP_TRY(run_to(r, ++k * r->period));
        if (r->sources.pattern->kind == PP_PATTERN_TRACE && pp_noc_next(r->noc) == PP_NOC_NEVER)
            break;
        r->unstable |= latency_with_waiting(r, k / 2 * r->period) > r->o->latency_limit;
        if (r->unstable && k >= 24)
            break;
        if (k < 24 || k % 4 != 0 || r->unstable)
            continue;
        double sum, count;
        uint32_t groups;
        cut = fixed ? (r->warmup + r->period - 1) / r->period : mser(r, k);
        sum_latency(r, cut, k, &sum, &count);
        const double half = batch_interval(r, cut, k, &groups);
        if (groups >= 12 && half <= r->o->precision * sum / count)
            break;
    }
    close_window(r, k * r->period);
    r->warmup = r->unstable ? k / 2 * r->period : fixed ? (r->warmup + r->period - 1) / r->period * r->period : 0;
    if (!r->unstable)
        PP_TRY(drain(r));
    if (!r->unstable && !fixed && r->sources.pattern->kind != PP_PATTERN_TRACE)
        r->warmup = mser(r, k) * r->period;
    return PP_OK;
}

/* ---- a run ---- */

static uint64_t choose_period(const pp_traffic_options *o, const pp_sources *s)
{
    if (o->period > 0)
        return o->period;
    if (s->pattern->kind == PP_PATTERN_TRACE)
        return s->pattern->trace_end / 64 + 1;
    const double packets = o->rate / s->mean_flits * s->n_cores, per = o->booksim ? 640 : 160;
    const double cycles = ceil(per / packets), least = o->booksim ? 2000 : 250;
    return (uint64_t)fmin(1e12, fmax(least, cycles));
}

static double quantile(const pp_batch *b, double q)
{
    double at = 0;
    for (uint32_t i = 0; i < BINS; i++) {
        at += b->bin[i];
        if (b->packets > 0 && at >= q * (double)b->packets)
            return bin_value(i);
    }
    return 0;
}

static void busiest(const pp_run *r, pp_traffic_point *out)
{
    for (uint32_t c = 0; c < r->fabric->n_network; c++) {
        pp_noc_channel_stats s;
        if (pp_noc_get_channel(r->noc, c, &s) == PP_OK && pp_noc_now(r->noc) > 0)
            out->max_channel_load = fmax(out->max_channel_load, (double)s.flits / (double)pp_noc_now(r->noc));
    }
}

static void fill_point(const pp_run *r, pp_traffic_point *out)
{
    pp_batch sum;
    pp_noc_stats stats;
    const uint64_t lo = r->warmup / r->period, hi = r->end / r->period;
    sum_batches(r, lo, hi, &sum);
    pp_noc_get_stats(r->noc, &stats);
    const double packets = sum.packets > 0 ? (double)sum.packets : NAN;
    *out = (pp_traffic_point){.rate = r->o->rate, .packet_latency = (double)sum.latency / packets,
                              .network_latency = (double)sum.network / packets,
                              .routers = (double)sum.routers / packets, .p50 = quantile(&sum, 0.5),
                              .p95 = quantile(&sum, 0.95), .p99 = quantile(&sum, 0.99), .packets = sum.packets,
                              .latency_min = sum.packets > 0 ? (double)sum.min : NAN, .latency_max = (double)sum.max,
                              .cycles = pp_noc_now(r->noc), .flit_hops = stats.flit_hops, .saturated = r->unstable,
                              .warmup_cycles = r->warmup};
    out->accepted = hi > lo ? ejected_rate(r, lo, hi) : 0;
    out->ci95 = batch_interval(r, lo, hi, &out->batches);
    busiest(r, out);
}

static void close_run(pp_run *r)
{
    pp_noc_free(r->noc);
    pp_sources_free(&r->sources);
    for (unsigned i = 0; r->part && i < r->n_parts; i++)
        free(r->part[i].batches.data);
    free(r->part);
    free(r->created);
}

static pp_status check_sizes(const pp_noc_options *network, const pp_traffic_options *o)
{
    uint32_t most = o->reply_flits;
    for (uint32_t i = 0; i < o->n_sizes; i++)
        most = o->flits[i] > most ? o->flits[i] : most;
    if ((network->switching == PP_NOC_VCT || network->switching == PP_NOC_SAF) && most > network->buffer_flits)
        return pp_fail(PP_EINVAL, "%s: buffers of %u flits cannot hold a packet of %u",
                       network->switching == PP_NOC_VCT ? "virtual cut-through" : "store and forward",
                       network->buffer_flits, most);
    return PP_OK;
}

static pp_status open_run(pp_run *r, const pp_noc_options *network, const pp_noc_routing *routing,
                          const pp_pattern *pattern, uint64_t seed)
{
    pp_noc_options o = *network;
    o.seed = seed;
    if (r->o->reply_flits > 0)
        o.message_classes = 2;
    r->n_parts = o.threads;
    PP_TRY(check_sizes(network, r->o));
    PP_TRY(pp_sources_new(&r->sources, r->fabric, pattern, r->o, seed));
    r->period = choose_period(r->o, &r->sources);
    r->warmup = r->o->warmup == UINT64_MAX && r->o->booksim ? 3 * r->period : r->o->warmup;
    r->end = UINT64_MAX;
    r->part = pp_alloc_aligned(r->n_parts, sizeof *r->part);
    r->created = pp_calloc(r->fabric->n_cores, sizeof *r->created);
    if (!r->part || !r->created)
        return PP_ENOMEM;
    PP_TRY(pp_noc_new(&r->noc, r->fabric, &o, routing));
    pp_noc_open_loop(r->noc, source, sink, r);
    return PP_OK;
}

pp_status pp_traffic_once(pp_traffic_point *out, const pp_fabric *fabric, const pp_noc_options *network,
                          const pp_noc_routing *routing, const pp_pattern *pattern, const pp_traffic_options *options,
                          uint64_t seed)
{
    pp_run r = {.o = options, .fabric = fabric};
    const double start = pp_clock_s();
    pp_status status = open_run(&r, network, routing, pattern, seed);
    if (status == PP_OK)
        status = options->booksim ? measure_booksim(&r) : measure_auto(&r);
    if (status == PP_OK) {
        fill_point(&r, out);
        out->wall_s = pp_clock_s() - start;
    }
    close_run(&r);
    return status;
}

/* ---- over seeds ---- */

void pp_traffic_mean(pp_traffic_point *out, const pp_traffic_point *run, uint32_t n)
{
    double squares = 0;
    uint32_t bad = 0;
    *out = (pp_traffic_point){.rate = run[0].rate, .latency_min = run[0].latency_min,
                              .warmup_cycles = run[0].warmup_cycles, .batches = run[0].batches, .ci95 = run[0].ci95};
    for (uint32_t i = 0; i < n; i++) {
        out->packet_latency += run[i].packet_latency / n;
        out->network_latency += run[i].network_latency / n;
        out->accepted += run[i].accepted / n;
        out->routers += run[i].routers / n;
        out->p50 += run[i].p50 / n;
        out->p95 += run[i].p95 / n;
        out->p99 += run[i].p99 / n;
        out->latency_min = fmin(out->latency_min, run[i].latency_min);
        out->latency_max = fmax(out->latency_max, run[i].latency_max);
        out->max_channel_load += run[i].max_channel_load / n;
        out->packets += run[i].packets;
        out->cycles += run[i].cycles;
        out->flit_hops += run[i].flit_hops;
        out->wall_s += run[i].wall_s;
        bad += run[i].saturated;
    }
    out->saturated = 2 * bad > n;
    for (uint32_t i = 0; i < n; i++)
        squares += (run[i].packet_latency - out->packet_latency) * (run[i].packet_latency - out->packet_latency);
    if (n > 1) {
        out->ci95 = t_quantile(n - 1) * sqrt(squares / (n - 1) / n);
        out->batches = n;
    }
}
