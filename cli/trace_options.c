/* --trace and its companions: from options to a collector, and to the files. */
#include "cli/commands.h"
#include "cli/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls `each` for every --trace FILE. */
typedef pp_status (*file_fn)(const pp_session *s, const char *path, const pp_lm_run *run);

static pp_status each_file(const pp_session *s, file_fn each, const pp_lm_run *run)
{
    for (size_t i = 0; i < s->args->n_options; i++)
        if (strcmp(s->args->option_name[i], "trace") == 0)
            PP_TRY(each(s, s->args->option_value[i], run));
    return PP_OK;
}

/* An option in microseconds as ps. */
static pp_status take_us(const pp_session *s, const char *name, uint64_t *ps)
{
    const char *text = pp_args_get(s->args, name);
    double us;
    if (text == NULL)
        return PP_OK;
    if (!pp_parse_f64(text, &us) || us < 0 || us > 1e12)
        return pp_fail(PP_EUSAGE, "%s: --%s: expected microseconds from 0 to 1e12, got '%s'", s->args->command->name, name,
                       text);
    *ps = (uint64_t)llround(us * 1e6);
    return PP_OK;
}

static pp_status take_options(const pp_session *s, pp_trace_options *o)
{
    int64_t limit, every;
    *o = pp_trace_defaults();
    PP_TRY(take_us(s, "trace-from", &o->from_ps));
    PP_TRY(take_us(s, "trace-to", &o->to_ps));
    PP_TRY(pp_args_i64(s->args, "trace-limit", (int64_t)o->limit, 1, (int64_t)PP_TRACE_LIMIT_MAX, &limit));
    PP_TRY(pp_args_i64(s->args, "trace-every", 1, 1, INT32_MAX, &every));
    o->limit = (uint64_t)limit;
    o->every = (uint32_t)every;
    if (o->from_ps >= o->to_ps)
        return pp_fail(PP_EUSAGE, "%s: --trace-from must lie before --trace-to", s->args->command->name);
    return PP_OK;
}

/* Whether a file may be written is asked before the work. */
static pp_status check_file(const pp_session *s, const char *path, const pp_lm_run *run)
{
    (void)run;
    PP_TRY(pp_trace_check_path(path));
    return pp_output_check(path, pp_args_has(s->args, "force"));
}

static pp_status need_trace(const pp_session *s)
{
    static const char *const others[] = {"trace-from", "trace-to", "trace-limit", "trace-every"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (pp_args_has(s->args, others[i]))
            return pp_fail(PP_EUSAGE, "%s: --%s needs --trace FILE", s->args->command->name, others[i]);
    return PP_OK;
}

static pp_status check_tokens(const pp_session *s, const char *path, const pp_lm_run *run)
{
    (void)s;
    (void)run;
    return pp_trace_check_tokens(path);
}

/* For the report, too. */
static pp_status see_all(pp_session *s)
{
    char *command = pp_strf("%s --set simulate.exact=true", s->command);
    if (command == NULL)
        return PP_ENOMEM;
    free(s->command);
    s->command = command;
    s->sim_options.exact = PP_EXACT_TRUE;
    return pp_config_set(s->config, "simulate.exact=true");
}

pp_status pp_session_trace(pp_session *s, bool tokens)
{
    pp_trace_options o;
    if (!pp_args_has(s->args, "trace"))
        return need_trace(s);
    PP_TRY(take_options(s, &o));
    o.tokens = tokens;
    if (tokens)
        PP_TRY(each_file(s, check_tokens, NULL));
    PP_TRY(each_file(s, check_file, NULL));
    if (!tokens)
        PP_TRY(see_all(s));
    return pp_trace_new(&s->trace, &o);
}

static pp_status write_file(const pp_session *s, const char *path, const pp_lm_run *run)
{
    if (run != NULL)
        return pp_trace_write_tokens(s->trace, path, run, pp_args_has(s->args, "force"));
    const pp_report_input in = pp_session_report(s);
    return pp_trace_write(s->trace, path, &in, pp_args_has(s->args, "force"));
}

static void note_limits(const pp_session *s, const char *statement)
{
    const pp_trace_stats stats = pp_trace_get_stats(s->trace);
    if (stats.kept < stats.events)
        pp_warn("trace: %s", statement);
}

pp_status pp_session_trace_write(const pp_session *s, const pp_lm_run *run)
{
    if (s->trace == NULL)
        return PP_OK;
    PP_TRY(each_file(s, write_file, run));
    char *statement = pp_trace_statement(s->trace);
    if (statement == NULL)
        return PP_ENOMEM;
    note_limits(s, statement);
    free(statement);
    return PP_OK;
}

void pp_session_trace_json(const pp_session *s, pp_json *object)
{
    char *statement = s->trace != NULL ? pp_trace_statement(s->trace) : NULL;
    if (statement == NULL)
        return;
    const pp_trace_stats stats = pp_trace_get_stats(s->trace);
    pp_json *o = pp_json_add_object(object, "trace");
    pp_json *files = pp_json_add_list(o, "files");
    for (size_t i = 0; i < s->args->n_options; i++)
        if (strcmp(s->args->option_name[i], "trace") == 0)
            pp_json_add_text(files, NULL, s->args->option_value[i]);
    pp_json_add_i64(o, "events", (int64_t)stats.events);
    pp_json_add_i64(o, "kept", (int64_t)stats.kept);
    pp_json_add_i64(o, "every", stats.every);
    pp_json_add_text(o, "statement", statement);
    free(statement);
}

void pp_session_trace_print(const pp_session *s)
{
    char *statement = s->trace != NULL ? pp_trace_statement(s->trace) : NULL;
    for (size_t i = 0; i < s->args->n_options && statement != NULL; i++)
        if (strcmp(s->args->option_name[i], "trace") == 0)
            printf("trace       %s: %s\n", s->args->option_value[i], statement);
    free(statement);
}
