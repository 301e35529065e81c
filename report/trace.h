/* Traces: who was busy when. A collector watches a simulation (pp_trace_sink), keeps what its options ask
 * for within a bound, and writes it:
 *   F.json  Chrome trace events, for ui.perfetto.dev: a track a tile, a track a channel, queue depths
 *   F.csv   a row an event
 *   F.vcd   value changes for GTKWave, written by SystemC
 * docs/traces.md describes the three. What is left out is counted and stated in each file.
 *
 * Sampling: only inferences whose number is a multiple of `every` are kept; whenever `limit` is reached,
 * `every` doubles and what no longer fits goes, so that whole inferences stay. When one inference alone
 * has more events than `limit`, the first ones stay, and `cut_ps` says where the trace ends. */
#ifndef PP_REPORT_TRACE_H
#define PP_REPORT_TRACE_H

#include "report/lm_report.h"
#include "report/report.h"

typedef struct pp_trace pp_trace;

typedef struct pp_trace_options {
    uint64_t from_ps, to_ps; /* events that start in [from, to); to PP_TIME_NEVER: to the end */
    uint64_t limit;          /* most events kept, 1 to PP_TRACE_LIMIT_MAX; about 48 bytes of memory each */
    uint32_t every;          /* at least 1 */
    bool tokens;             /* of a language model: `inference` is the number of a token */
} pp_trace_options;
#define PP_TRACE_LIMIT_MAX UINT64_C(50000000)
/* Everything, up to 250,000 events. */
pp_trace_options pp_trace_defaults(void);

typedef struct pp_trace_stats {
    uint64_t events; /* seen */
    uint64_t kept;
    uint32_t every;  /* as it ended up */
    uint64_t cut_ps; /* no event from here on is complete; PP_TIME_NEVER: nothing was cut */
} pp_trace_stats;

/* PP_ERANGE for options out of range. Free with pp_trace_free (NULL allowed). */
pp_status pp_trace_new(pp_trace **out, const pp_trace_options *o);
void pp_trace_free(pp_trace *t);
/* For pp_simulate; the sink is the pp_trace. */
extern const pp_trace_ops pp_trace_sink;
/* For pp_token_setup.watch; the watcher is the pp_trace: object is the actor (net PP_NONE) or the server (net: the hop). */
void pp_trace_token(void *trace, const pp_token_busy *busy);

/* After the simulation: what it saw, ordered by start, firings before packets, object. PP_ENOMEM when
 * the collector ran out of memory meanwhile. O(n log n) at the first call. */
pp_status pp_trace_events(pp_trace *t, const pp_trace_event **event, size_t *n);
pp_trace_stats pp_trace_get_stats(const pp_trace *t);
/* One sentence: what the trace holds and what it does not. Caller frees; NULL: out of memory. */
char *pp_trace_statement(const pp_trace *t);

/* Whether the ending of `path` names a format; PP_EUSAGE with the endings when not. */
pp_status pp_trace_check_path(const char *path);
/* Writes the file that the ending asks for, atomically; in: net, stages, fabric and mapping of the
 * simulation. A .vcd needs the SystemC kernel: PP_EUNSUPPORTED while another one lives in the process. */
pp_status pp_trace_write(pp_trace *t, const char *path, const pp_report_input *in, bool force);
/* The same for a run of tokens (options.tokens): .json, a track an operator and a track a channel, grouped by block,
 * or .csv. PP_EUSAGE for other endings: signals of a .vcd have no room for several tokens that wait. */
pp_status pp_trace_check_tokens(const char *path);
pp_status pp_trace_write_tokens(pp_trace *t, const char *path, const pp_lm_run *run, bool force);

#endif
