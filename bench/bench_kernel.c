/* Events per second of both kernels and of a plain binary heap, in one run.
 *
 * Hold model: N events are pending; each fired event schedules one new event after a random delay. All
 * contenders get the same delays, so they must end at the same time with the same sum, which is checked.
 * Repeats are interleaved (a burst of other work hits all alike); figures are medians of CPU time.
 *
 * usage: pp_bench_kernel [EVENTS [REPEATS]] */
#include "base/base.h"
#include "sim/kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_REPEATS 31

/* ---- the work: the same for all ---- */

typedef struct hold {
    uint64_t random, delay_mask; /* delays from 1 to delay_mask + 1 ps */
    uint64_t left, pending;      /* firings to go; those that still schedule */
    uint64_t sum, end_ps;
} hold;

static inline uint64_t delay_ps(hold *h)
{
    h->random = h->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return 1 + (h->random >> 33 & h->delay_mask);
}

static inline void account(hold *h, uint64_t now_ps, uint32_t index, uint64_t payload)
{
    h->sum = h->sum * 31 + now_ps + index + payload;
    h->end_ps = now_ps;
    h->left--;
}

/* ---- the plain heap: (time, sequence number) order, callback by table ---- */

typedef struct heap_event {
    uint64_t time_ps, seq, payload;
    uint32_t target;
} heap_event;

typedef struct heap {
    heap_event *data;
    size_t len, cap;
    uint64_t seq, now_ps;
    void *model;
} heap;
typedef pp_status (*heap_handler)(void *model, heap *q, uint32_t index, uint64_t payload);

static inline bool earlier(const heap_event *a, const heap_event *b)
{
    return a->time_ps < b->time_ps || (a->time_ps == b->time_ps && a->seq < b->seq);
}

static pp_status heap_push(heap *q, uint64_t time_ps, uint32_t target, uint64_t payload)
{
    const heap_event e = {time_ps, q->seq++, payload, target};
    if (!pp_push(q, e))
        return PP_ENOMEM;
    size_t at = q->len - 1;
    for (; at > 0 && earlier(&e, &q->data[(at - 1) / 2]); at = (at - 1) / 2)
        q->data[at] = q->data[(at - 1) / 2];
    q->data[at] = e;
    return PP_OK;
}

static heap_event heap_pop(heap *q)
{
    const heap_event first = q->data[0], last = q->data[--q->len];
    size_t at = 0;
    for (size_t child = 1; child < q->len; child = 2 * at + 1) {
        if (child + 1 < q->len && earlier(&q->data[child + 1], &q->data[child]))
            child++;
        if (!earlier(&q->data[child], &last))
            break;
        q->data[at] = q->data[child];
        at = child;
    }
    q->data[at] = last;
    return first;
}

static pp_status heap_hold(void *model, heap *q, uint32_t index, uint64_t payload)
{
    hold *const h = model;
    account(h, q->now_ps, index, payload);
    return heap_push(q, q->now_ps + delay_ps(h), PP_TARGET(0, index), payload + 1);
}

static pp_status heap_run(hold *h)
{
    static const heap_handler handler[] = {heap_hold};
    heap q = {.model = h};
    pp_status status = PP_OK;
    for (uint32_t i = 0; i < h->pending && status == PP_OK; i++)
        status = heap_push(&q, delay_ps(h), PP_TARGET(0, i), i);
    while (status == PP_OK && h->left > 0) {
        const heap_event e = heap_pop(&q);
        q.now_ps = e.time_ps;
        status = handler[PP_TARGET_HANDLER(e.target)](q.model, &q, PP_TARGET_INDEX(e.target), e.payload);
    }
    free(q.data);
    return status;
}

/* ---- our kernels ---- */

static pp_status kernel_hold(void *model, pp_kernel *k, uint32_t index, uint64_t payload)
{
    hold *const h = model;
    const uint64_t now_ps = pp_kernel_now(k);
    account(h, now_ps, index, payload);
    if (h->left == 0)
        pp_kernel_stop(k);
    return pp_kernel_schedule(k, now_ps + delay_ps(h), PP_TARGET(0, index), payload + 1);
}

static pp_status kernel_run(hold *h, pp_kernel_kind kind)
{
    static const pp_handler handler[] = {kernel_hold};
    pp_kernel *k = NULL;
    pp_status status = PP_OK;
    PP_GOTO(done, status, pp_kernel_new(&k, kind, h, handler, 1));
    for (uint32_t i = 0; i < h->pending; i++)
        PP_GOTO(done, status, pp_kernel_schedule(k, delay_ps(h), PP_TARGET(0, i), i));
    status = pp_kernel_run(k, PP_TIME_NEVER);
done:
    pp_kernel_free(k);
    return status;
}

static pp_status native_run(hold *h)
{
    return kernel_run(h, PP_KERNEL_NATIVE);
}

static pp_status systemc_run(hold *h)
{
    return kernel_run(h, PP_KERNEL_SYSTEMC);
}

/* ---- measuring ---- */

enum { HEAP, NATIVE, SYSTEMC, CONTENDERS };
static const struct {
    const char *name;
    pp_status (*run)(hold *h);
} contender[CONTENDERS] = {
    [HEAP] = {"heap", heap_run}, [NATIVE] = {"native", native_run}, [SYSTEMC] = {"systemc", systemc_run}};

static double cpu_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2];
}

typedef struct setting {
    uint64_t pending, delay_mask, events;
    size_t repeats;
} setting;

static hold fresh(const setting *s)
{
    return (hold){.random = 1, .delay_mask = s->delay_mask, .left = s->events, .pending = s->pending};
}

/* One row: ns per event of each contender. */
static pp_status measure(const setting *s, double ns[CONTENDERS])
{
    double taken[CONTENDERS][MAX_REPEATS];
    for (size_t r = 0; r < s->repeats; r++) {
        hold expected = {0};
        for (int c = 0; c < CONTENDERS; c++) {
            hold h = fresh(s);
            const double start = cpu_s();
            PP_TRY(contender[c].run(&h));
            taken[c][r] = (cpu_s() - start) * 1e9 / (double)s->events;
            if (c == HEAP)
                expected = h;
            else if (h.sum != expected.sum || h.end_ps != expected.end_ps)
                return pp_fail(PP_EINTERNAL, "%s fired other events than the heap", contender[c].name);
        }
    }
    for (int c = 0; c < CONTENDERS; c++)
        ns[c] = median(taken[c], s->repeats);
    return PP_OK;
}

static pp_status table(uint64_t delay_mask, uint64_t events, size_t repeats)
{
    static const uint64_t pending[] = {1, 64, 1024, 16384};
    printf("delays 1 to %" PRIu64 " ps, %" PRIu64 " events, median of %zu repeats; ns/event (M events/s)\n",
           delay_mask + 1, events, repeats);
    printf("%9s  %16s  %16s  %16s  %12s\n", "pending", "heap", "native", "systemc", "native/heap");
    for (size_t i = 0; i < sizeof pending / sizeof *pending; i++) {
        const setting s = {pending[i], delay_mask, events, repeats};
        double ns[CONTENDERS];
        PP_TRY(measure(&s, ns));
        printf("%9" PRIu64, pending[i]);
        for (int c = 0; c < CONTENDERS; c++)
            printf("  %7.1f (%6.1f)", ns[c], 1e3 / ns[c]);
        printf("  %11.2fx\n", ns[HEAP] / ns[NATIVE]); /* rate over rate: above 1, native is faster */
    }
    return PP_OK;
}

int main(int argc, char **argv)
{
    const unsigned long long events = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
    const unsigned long long repeats = argc > 2 ? strtoull(argv[2], NULL, 10) : 5;
    if (events == 0 || repeats == 0 || repeats > MAX_REPEATS) {
        fprintf(stderr, "usage: %s [EVENTS [REPEATS]], repeats up to %d\n", argv[0], MAX_REPEATS);
        return 2;
    }
    printf("event kernels, hold model; SystemC %s; native/heap: ratio of the rates\n", pp_systemc_version());
    /* delays of a few digits, and delays of the order of a matrix-vector product */
    static const uint64_t delay_mask[] = {(1 << 10) - 1, (1 << 17) - 1};
    for (size_t i = 0; i < sizeof delay_mask / sizeof *delay_mask; i++) {
        if (table(delay_mask[i], events, repeats) != PP_OK) {
            fprintf(stderr, "pp_bench_kernel: %s\n", pp_error_text());
            return 1;
        }
    }
    return 0;
}
