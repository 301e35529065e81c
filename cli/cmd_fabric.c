/* fabric: describe, export and draw a fabric. */
#include "cli/commands.h"
#include "cli/session.h"

#include <stdio.h>
#include <string.h>

static pp_status build(pp_session *s, const char *text)
{
    PP_TRY(pp_fabric_parse(&s->fabric_options, s->arena, text));
    return pp_fabric_build(&s->fabric, &s->fabric_options);
}

static pp_status show(pp_session *s)
{
    pp_fabric_metrics m;
    PP_TRY(pp_fabric_measure(s->fabric, &m));
    if (pp_args_has(s->args, "json")) {
        pp_json *json = pp_json_object();
        pp_json_add_text(json, "kind", s->fabric->kind);
        pp_json_add_text(json, "fabric", s->fabric->name);
        pp_json_add_i64(json, "cores", m.cores);
        pp_json_add_i64(json, "channels", m.channels);
        pp_json_add_i64(json, "degree_min", m.degree_min);
        pp_json_add_i64(json, "degree_max", m.degree_max);
        pp_json_add_i64(json, "diameter", m.diameter);
        pp_json_add_f64(json, "mean_distance", m.mean_distance);
        pp_json_add_i64(json, "bisection_channels", m.bisection_channels);
        pp_json_add_bool(json, "bisection_exact", m.bisection_exact);
        pp_json_add_bool(json, "sampled", m.sampled);
        pp_json_add_f64(json, "wire_pitches", m.wire_pitches);
        return pp_print_json(json);
    }
    printf("fabric              %s\n", s->fabric->name);
    if (strcmp(s->fabric->kind, "5pp") == 0)
        printf("                    after the links published for the 64-core chip (legallo2023)\n");
    printf("cores               %u\nchannels            %u directed, total length %.0f core pitches\n", m.cores,
           m.channels, m.wire_pitches);
    printf("degree              %u to %u\n", m.degree_min, m.degree_max);
    printf("diameter            %u%s\nmean distance       %.4f\n", m.diameter, m.sampled ? " (sampled)" : "",
           m.mean_distance);
    printf("bisection           %u channels%s\n", m.bisection_channels, m.bisection_exact ? "" : " (best cut found)");
    printf("channel rate        %.4g Gbit/s\n", pp_channel_rate_gbps(&s->fabric->channel[0]));
    return PP_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

static pp_status export(const pp_session *s)
{
    const char *path = pp_args_get(s->args, "output");
    bool force = pp_args_has(s->args, "force");
    if (path == NULL)
        return pp_fail(PP_EUSAGE, "fabric export: expected -o FILE.graphml, FILE.dot or FILE.svg");
    if (ends_with(path, ".graphml"))
        return pp_fabric_write_graphml(s->fabric, path, force);
    if (ends_with(path, ".dot"))
        return pp_fabric_write_dot(s->fabric, path, force);
    if (ends_with(path, ".svg"))
        return pp_fabric_write_svg(s->fabric, path, force);
    return pp_fail(PP_EUSAGE, "fabric export: %s: expected a name that ends in .graphml, .dot or .svg", path);
}

static pp_status kinds(void)
{
    const char *headers[] = {"fabric", "what it is"};
    pp_table *t = NULL;
    pp_status status = pp_table_new(&t, headers, 2);
    const char *name, *text;
    for (size_t i = 0; status == PP_OK && (name = pp_fabric_kind(i, &text)) != NULL; i++) {
        const char *cells[] = {name, text};
        status = pp_table_row(t, cells);
    }
    if (status == PP_OK)
        pp_table_print(t, stdout);
    pp_table_free(t);
    return status;
}

static int run(const pp_parsed *p)
{
    const char *verb = p->operand[0];
    if (strcmp(verb, "list") == 0 && p->n_operands == 1)
        return pp_finish(kinds());
    bool is_show = strcmp(verb, "show") == 0, is_export = strcmp(verb, "export") == 0;
    if (p->n_operands != 2 || (!is_show && !is_export))
        return pp_finish(pp_fail(PP_EUSAGE, "fabric: expected `fabric list`, `fabric show FABRIC` or `fabric export FABRIC -o FILE`"));
    pp_session s;
    pp_status status = pp_session_open(&s, p, NULL);
    if (status == PP_OK)
        status = build(&s, p->operand[1]);
    if (status == PP_OK)
        status = is_show ? show(&s) : export(&s);
    pp_session_close(&s);
    return pp_finish(status);
}

const pp_command pp_cmd_fabric = {
    .name = "fabric",
    .operands = "list | show FABRIC | export FABRIC -o FILE",
    .min_operands = 1,
    .max_operands = 2,
    .text = "list, describe, export and draw fabrics\n\n"
            "FABRIC is kind[:key=value,...]. show prints cores, channels, degree, diameter, distances and\n"
            "bisection; export writes GraphML (which reads back: file:my.graphml), Graphviz or a drawing.",
    .examples = "  pentaprism fabric list\n  pentaprism fabric show 5pp:rows=8,cols=8\n"
                "  pentaprism fabric export 5pp:rows=4,cols=8 -o 5pp.svg\n",
    .run = run,
};
