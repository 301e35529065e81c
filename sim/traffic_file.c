/* Permutations and traces from CSV files. */
#include "sim/traffic_internal.h"

#include <stdlib.h>
#include <string.h>

#define TRACE_MAX_BYTES (UINT64_C(1) << 30)

/* Integers of one line, separated by commas; false when there are not exactly n. */
static bool read_numbers(const char *line, uint64_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *end;
        while (*line == ' ')
            line++;
        if (*line < '0' || *line > '9')
            return false;
        out[i] = strtoull(line, &end, 10);
        while (*end == ' ' || *end == '\r')
            end++;
        if (*end != (i + 1 < n ? ',' : '\0'))
            return false;
        line = end + 1;
    }
    return true;
}

typedef pp_status (*line_fn)(void *context, const char *path, unsigned line, const uint64_t *numbers);

/* Calls fn for every line with numbers; comments (#) and a first line of names are skipped. */
static pp_status read_lines(const char *path, const char *columns, size_t n, line_fn fn, void *context)
{
    char *text = NULL;
    PP_TRY(pp_file_read_text(&text, NULL, path, TRACE_MAX_BYTES));
    pp_status status = PP_OK;
    unsigned number = 0;
    for (char *line = text; status == PP_OK && line && *line;) {
        uint64_t values[4] = {0};
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        number++;
        const bool names = number == 1 && (*line < '0' || *line > '9');
        if (*line != '\0' && *line != '\r' && *line != '#' && !names) {
            if (read_numbers(line, values, n))
                status = fn(context, path, number, values);
            else
                status = pp_fail_at(PP_EFORMAT, path, number, "expected %s, found '%.60s'", columns, line);
        }
        line = end ? end + 1 : NULL;
    }
    free(text);
    return status;
}

static pp_status add_pair(void *context, const char *path, unsigned line, const uint64_t *v)
{
    pp_pattern *p = context;
    for (int i = 0; i < 2; i++)
        if (v[i] >= p->n_cores)
            return pp_fail_at(PP_EINVAL, path, line, "core %llu: the fabric has %u cores", (unsigned long long)v[i],
                              p->n_cores);
    if (p->map[v[0]] != PP_NOC_TREE_NONE)
        return pp_fail_at(PP_EINVAL, path, line, "core %llu has a destination already", (unsigned long long)v[0]);
    p->map[v[0]] = (uint32_t)v[1];
    return PP_OK;
}

pp_status pp_pattern_read_map(pp_pattern *p, const char *path)
{
    p->kind = PP_PATTERN_MAP;
    p->map = pp_alloc(p->n_cores, sizeof *p->map);
    if (!p->map)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < p->n_cores; i++)
        p->map[i] = PP_NOC_TREE_NONE;
    return read_lines(path, "src,dst", 2, add_pair, p);
}

typedef struct pp_trace_line {
    uint32_t src;
    pp_trace_packet packet;
} pp_trace_line;

typedef struct pp_trace_reader {
    pp_pattern *p;
    PP_VEC(pp_trace_line) lines;
} pp_trace_reader;

static pp_status add_line(void *context, const char *path, unsigned line, const uint64_t *v)
{
    pp_trace_reader *r = context;
    for (int i = 1; i < 3; i++)
        if (v[i] >= r->p->n_cores)
            return pp_fail_at(PP_EINVAL, path, line, "core %llu: the fabric has %u cores", (unsigned long long)v[i],
                              r->p->n_cores);
    if (v[0] < r->p->trace_end)
        return pp_fail_at(PP_EINVAL, path, line, "time %llu: times must not decrease, the line before has %llu",
                          (unsigned long long)v[0], (unsigned long long)r->p->trace_end);
    if (v[0] > UINT64_MAX / 4)
        return pp_fail_at(PP_ERANGE, path, line, "time %llu is too large", (unsigned long long)v[0]);
    if (v[3] < 1 || v[3] > 1000000)
        return pp_fail_at(PP_ERANGE, path, line, "expected 1 to 1000000 flits, found %llu", (unsigned long long)v[3]);
    r->p->trace_end = v[0];
    r->p->first[v[1] + 1]++;
    return pp_push(&r->lines, (pp_trace_line){(uint32_t)v[1], {v[0], (uint32_t)v[2], (uint32_t)v[3]}}) ? PP_OK
                                                                                                       : PP_ENOMEM;
}

static pp_status sort_by_core(pp_pattern *p, const pp_trace_line *lines, size_t n)
{
    uint32_t *at = pp_alloc((size_t)p->n_cores + 1, sizeof *at);
    p->packet = pp_alloc(n, sizeof *p->packet);
    if (at && p->packet) {
        for (uint32_t c = 0; c < p->n_cores; c++)
            p->first[c + 1] += p->first[c];
        memcpy(at, p->first, ((size_t)p->n_cores + 1) * sizeof *at);
        for (size_t i = 0; i < n; i++)
            p->packet[at[lines[i].src]++] = lines[i].packet;
    }
    free(at);
    return at && p->packet ? PP_OK : PP_ENOMEM;
}

pp_status pp_pattern_read_trace(pp_pattern *p, const char *path)
{
    pp_trace_reader r = {.p = p};
    p->kind = PP_PATTERN_TRACE;
    p->first = pp_calloc((size_t)p->n_cores + 1, sizeof *p->first);
    pp_status status = p->first ? read_lines(path, "time,src,dst,flits", 4, add_line, &r) : PP_ENOMEM;
    if (status == PP_OK && r.lines.len == 0)
        status = pp_fail(PP_EFORMAT, "%s: the trace is empty", path);
    if (status == PP_OK)
        status = sort_by_core(p, r.lines.data, r.lines.len);
    free(r.lines.data);
    return status;
}
