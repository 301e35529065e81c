/* The sequences of a scenario: all at once, a Poisson process, or a trace. */
#include "sim/tokens.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TRACE_BYTES (UINT64_C(64) << 20)
#define LATEST_S 1e6 /* times in picoseconds stay far below 2^63 */

typedef PP_VEC(pp_token_sequence) sequences;

/* PAPER: none; a Poisson process has exponential gaps, drawn by inversion. */
static pp_status generate(sequences *list, const pp_token_options *o, uint64_t seed)
{
    pp_rng rng = pp_rng_make(seed, UINT64_C(0x746f6b656e73)); /* an object of its own */
    double time_s = 0;
    for (int64_t i = 0; i < o->sequences; i++) {
        if (o->arrivals == PP_ARRIVE_POISSON)
            time_s += -log(1 - pp_rng_uniform(&rng)) / o->arrival_rate;
        if (time_s > LATEST_S)
            return pp_fail(PP_ERANGE, "workload.arrival_rate: sequence %lld would arrive after %g s; expected at most %g s",
                           (long long)i, time_s, LATEST_S);
        const uint32_t decode = o->scenario == PP_SCENARIO_PREFILL ? 0 : (uint32_t)o->decode_tokens;
        const pp_token_sequence q = {(uint64_t)llround(time_s * 1e12), (uint32_t)o->prompt_tokens, decode};
        if (!pp_push(list, q))
            return PP_ENOMEM;
    }
    return PP_OK;
}

/* ---- traces ---- */

static bool number(char **at, double *out, double low, double high, bool whole)
{
    char *end;
    while (**at == ' ' || **at == '\t')
        (*at)++;
    if (strchr("0123456789.", **at) == NULL || **at == 0)
        return false;
    errno = 0;
    *out = strtod(*at, &end);
    const bool ok = errno == 0 && end != *at && *out >= low && *out <= high && (!whole || *out == floor(*out));
    *at = end;
    while (**at == ' ' || **at == '\t' || **at == '\r')
        (*at)++;
    return ok;
}

static bool comma(char **at)
{
    return **at == ',' && (*at)++;
}

static pp_status trace_line(sequences *list, const pp_token_options *o, unsigned line, char *text)
{
    double time_s, prompt, decode;
    char *at = text;
    if (!(number(&at, &time_s, 0, LATEST_S, false) && comma(&at) && number(&at, &prompt, 1, 1048576, true) &&
          comma(&at) && number(&at, &decode, 0, 1048576, true) && *at == 0))
        return pp_fail_at(PP_EFORMAT, o->trace, line,
                          "expected arrival in seconds, prompt tokens (at least 1), decoded tokens: three numbers with commas");
    pp_token_sequence q = {(uint64_t)llround(time_s * 1e12), (uint32_t)prompt, (uint32_t)decode};
    if (o->scenario == PP_SCENARIO_PREFILL)
        q.decode = 0;
    if (list->len > 0 && q.arrival_ps < list->data[list->len - 1].arrival_ps)
        return pp_fail_at(PP_EFORMAT, o->trace, line, "arrives before the sequence of the line in front of it");
    return pp_push(list, q) ? PP_OK : PP_ENOMEM;
}

static pp_status read_trace(sequences *list, const pp_token_options *o)
{
    char *text = NULL;
    if (o->trace[0] == 0)
        return pp_fail(PP_EINVAL, "workload.arrivals: trace needs workload.trace: FILE.csv");
    PP_TRY(pp_file_read_text(&text, NULL, o->trace, MAX_TRACE_BYTES));
    pp_status status = PP_OK;
    unsigned line = 1;
    for (char *at = text; at != NULL && status == PP_OK; line++) {
        char *end = strchr(at, '\n');
        if (end != NULL)
            *end = 0;
        const bool heading = line == 1 && strncmp(at, "arrival_s", 9) == 0;
        if (!heading && at[strspn(at, " \t\r")] != 0 && at[0] != '#')
            status = trace_line(list, o, line, at);
        at = end != NULL ? end + 1 : NULL;
    }
    if (status == PP_OK && list->len == 0)
        status = pp_fail(PP_EFORMAT, "%s: no sequence in it", o->trace);
    free(text);
    return status;
}

pp_status pp_token_sequences(pp_token_sequence **out, uint32_t *n, const pp_token_options *options, uint64_t seed)
{
    sequences list = {0};
    *out = NULL;
    *n = 0;
    pp_status status = options->arrivals == PP_ARRIVE_TRACE ? read_trace(&list, options) : generate(&list, options, seed);
    if (status != PP_OK) {
        free(list.data);
        return status;
    }
    *out = list.data;
    *n = (uint32_t)list.len;
    return PP_OK;
}
