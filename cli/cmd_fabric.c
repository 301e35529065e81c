/* fabric: describe, export and draw a fabric. */
#include "cli/commands.h"
#include "cli/fabric_hier.h"
#include "cli/session.h"
#include "topology/normalise.h"
#include "topology/routefn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pp_status build(pp_session *s, const char *text)
{
    PP_TRY(pp_fabric_parse(&s->fabric_options, s->arena, text));
    if (pp_fabric_is_hier(&s->fabric_options))
        return PP_OK;
    return pp_fabric_build(&s->fabric, &s->fabric_options);
}

/* What show prints. */
typedef struct figures {
    pp_fabric_metrics m;
    pp_fabric_budget budget;
    pp_routefn *fn;
    bool checked;          /* the dependency check was made */
    pp_route_state *cycle;
    uint32_t n_cycle;
} figures;

/* Packets of all pairs are enumerated: fabrics of up to this many cores by themselves. */
#define CHECK_MAX 512
#define CHECK_MAX_TWO_PHASE 64

/* One pitch is one millimetre, one wire one micrometre: pins need neither. */
static pp_status measure(figures *out, const pp_session *s)
{
    const pp_fabric *f = s->fabric;
    const char *name = pp_args_get(s->args, "routing");
    const bool one_class = pp_args_has(s->args, "one-class");
    PP_TRY(pp_fabric_measure(f, &out->m));
    PP_TRY(pp_fabric_budget_from(&out->budget, f, &out->m, s->fabric_options.clock_hz, 1.0, 1.0));
    /* A huge graph without rules of its own has no table; that matters when a routing was asked for. */
    const pp_status status = pp_routefn_new(&out->fn, f, name ? name : "auto");
    if (status != PP_OK)
        return name || status != PP_EUNSUPPORTED ? status : PP_OK;
    const uint32_t most = pp_routefn_about(out->fn)->two_phase ? CHECK_MAX_TWO_PHASE : CHECK_MAX;
    out->checked = f->n_cores <= most || name;
    return out->checked ? pp_routefn_check(out->fn, one_class, &out->cycle, &out->n_cycle) : PP_OK;
}

static void free_figures(figures *g)
{
    pp_routefn_free(g->fn);
    free(g->cycle);
}

static void add_state(pp_json *list, const pp_fabric *f, pp_route_state state)
{
    char from[64], to[64];
    pp_json *o = pp_json_add_object(list, NULL);
    pp_json_add_text(o, "from", pp_vertex_label(f, f->channel[state.channel].src, from, sizeof from));
    pp_json_add_text(o, "to", pp_vertex_label(f, f->channel[state.channel].dst, to, sizeof to));
    pp_json_add_i64(o, "vc_class", state.vc_class);
}

static pp_status print_json(const figures *g, const pp_fabric *f)
{
    const pp_fabric_metrics *m = &g->m;
    pp_json *json = pp_json_object();
    pp_json_add_text(json, "kind", f->kind);
    pp_json_add_text(json, "fabric", f->name);
    pp_json_add_i64(json, "cores", m->cores);
    pp_json_add_i64(json, "switches", f->n_vertices - (f->core_switch[0] == f->core_vertex[0] ? 0 : m->cores));
    pp_json_add_i64(json, "channels", m->channels);
    pp_json_add_i64(json, "ports", f->ports);
    pp_json_add_i64(json, "degree_min", m->degree_min);
    pp_json_add_i64(json, "degree_max", m->degree_max);
    pp_json_add_i64(json, "radix_max", m->radix_max);
    pp_json_add_f64(json, "pins_per_core", g->budget.pins_per_core);
    pp_json_add_i64(json, "diameter", m->diameter);
    pp_json_add_f64(json, "mean_distance", m->mean_distance);
    pp_json_add_i64(json, "unreachable_pairs", (int64_t)m->unreachable);
    pp_json_add_i64(json, "bisection_channels", m->bisection_channels);
    pp_json_add_bool(json, "bisection_exact", m->bisection_exact);
    pp_json_add_f64(json, "bisection_gbps", m->bisection_gbps);
    pp_json_add_bool(json, "sampled", m->sampled);
    pp_json_add_f64(json, "wire_pitches", m->wire_pitches);
    pp_json_add_f64(json, "longest_pitches", m->longest_pitches);
    if (g->fn) {
        const pp_routefn_info *info = pp_routefn_about(g->fn);
        pp_json_add_text(json, "routing", info->name);
        pp_json_add_i64(json, "vc_classes", info->classes);
        pp_json_add_bool(json, "routing_minimal", info->minimal);
        pp_json_add_bool(json, "routing_table_free", info->table_free);
    }
    if (g->checked) {
        pp_json_add_bool(json, "deadlock_free", g->n_cycle == 0);
        pp_json *cycle = pp_json_add_list(json, "cycle");
        for (uint32_t i = 0; i < g->n_cycle; i++)
            add_state(cycle, f, g->cycle[i]);
    }
    return pp_print_json(json);
}

#define CYCLE_LINE 5 /* channels of a cycle in a line */

static void print_cycle(const figures *g, const pp_fabric *f)
{
    char from[64], to[64];
    printf("                    cycle of %u:", g->n_cycle);
    for (uint32_t i = 0; i < g->n_cycle; i++) {
        const pp_channel *c = &f->channel[g->cycle[i].channel];
        if (i % CYCLE_LINE == 0)
            printf("\n                     ");
        printf(" %s->%s/%u", pp_vertex_label(f, c->src, from, sizeof from), pp_vertex_label(f, c->dst, to, sizeof to),
               g->cycle[i].vc_class);
    }
    printf("\n");
}

static void print_routing(const figures *g, const pp_session *s)
{
    if (!g->fn) {
        printf("routing             none computed: too many vertices for a table\n");
        return;
    }
    const pp_routefn_info *info = pp_routefn_about(g->fn);
    const bool one_class = pp_args_has(s->args, "one-class");
    printf("routing             %s: %s\n", info->name, info->text);
    printf("                    %s, %s, %u class%s of virtual channels%s\n", info->minimal ? "minimal" : "not minimal",
           info->table_free ? "computed" : "by table", info->classes, info->classes == 1 ? "" : "es",
           one_class ? " taken as one" : "");
    if (!g->checked)
        printf("deadlock            not checked (all pairs of more than %d cores): %s\n", CHECK_MAX, info->proof);
    else if (g->n_cycle == 0)
        printf("deadlock            free, all dependencies checked: %s\n", one_class ? "no cycle" : info->proof);
    else
        printf("deadlock            possible\n");
    if (g->n_cycle > 0)
        print_cycle(g, s->fabric);
}

static void print_text(const figures *g, const pp_session *s)
{
    const pp_fabric *f = s->fabric;
    const pp_fabric_metrics *m = &g->m;
    printf("fabric              %s\n", f->name);
    if (strcmp(f->kind, "5pp") == 0)
        printf("                    after the links published for the 64-core chip (legallo2023)\n");
    printf("cores               %u", m->cores);
    if (f->core_switch[0] != f->core_vertex[0])
        printf(" on %u switches", f->n_vertices - m->cores);
    printf(f->ports > 0 ? ", %u port%s each way\n" : ", a port for each link\n", f->ports, f->ports == 1 ? "" : "s");
    printf("channels            %u directed, total length %.0f core pitches, longest %g\n", m->channels,
           m->wire_pitches, m->longest_pitches);
    printf("degree              %u to %u, largest switch %u x %u, %.4g pins a core\n", m->degree_min, m->degree_max,
           m->radix_max, m->radix_max, g->budget.pins_per_core);
    printf("diameter            %u%s\nmean distance       %.4f\n", m->diameter, m->sampled ? " (sampled)" : "",
           m->mean_distance);
    if (m->unreachable > 0)
        printf("no way              between %llu ordered pairs of cores\n", (unsigned long long)m->unreachable);
    printf("bisection           %u channels, %.4g Gbit/s%s\n", m->bisection_channels, m->bisection_gbps,
           m->bisection_exact ? "" : " (best cut found)");
    if (m->channels > 0)
        printf("channel rate        %.4g Gbit/s\n", pp_channel_rate_gbps(&f->channel[0]));
    print_routing(g, s);
}

static pp_status show(pp_session *s)
{
    figures g = {0};
    if (pp_fabric_is_hier(&s->fabric_options))
        return pp_show_hier(s);
    pp_status status = measure(&g, s);
    if (status == PP_OK && pp_args_has(s->args, "json"))
        status = print_json(&g, s->fabric);
    else if (status == PP_OK)
        print_text(&g, s);
    free_figures(&g);
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

static pp_status export(const pp_session *s)
{
    const char *path = pp_args_get(s->args, "output");
    if (s->fabric == NULL)
        return pp_fail(PP_EUNSUPPORTED, "fabric export: of several levels, export each by itself");
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

static const pp_arg own_args[] = {
    {0, "routing", "ROUTING", "routing whose ways and deadlocks are looked at: auto, xy, yx, minimal, shortest, updown, nca, "
                        "dmodk, west_first, odd_even, adaptive, valiant, romm"},
    {0, "one-class", NULL, "check as if all virtual channels were of one class"},
    {0, NULL, NULL, NULL},
};

const pp_command pp_cmd_fabric = {
    .name = "fabric",
    .operands = "list | show FABRIC | export FABRIC -o FILE",
    .min_operands = 1,
    .max_operands = 2,
    .text = "list, describe, export and draw fabrics\n\n"
            "FABRIC is kind[:key=value,...], or several set apart by / (cores in clusters, clusters in chips, chips on a board).\n"
            "show prints cores, channels, switches, distances, bisection and wires, and whether a routing is free from\n"
            "deadlock: it follows all packets and looks for a cycle among the channels that wait for each other. export\n"
            "writes GraphML (which reads back: file:my.graphml), Graphviz or a drawing.",
    .examples = "  pentaprism fabric list\n  pentaprism fabric show 5pp:rows=8,cols=8\n"
                "  pentaprism fabric show 5pp:rows=16,cols=16,gateways=16/mesh:rows=4,cols=4,gateways=8/mesh:rows=5,cols=7\n"
                "  pentaprism fabric show torus:rows=8,cols=8 --routing xy --one-class\n"
                "  pentaprism fabric export 5pp:rows=4,cols=8 -o 5pp.svg\n",
    .args = own_args,
    .run = run,
};
