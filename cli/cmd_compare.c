/* compare: networks x fabrics in one table. */
#include "cli/commands.h"
#include "cli/compare.h"
#include "report/plot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LIST 64

/* Lists given on the command line, cut in place. */
typedef struct lists {
    char *networks, *fabrics, *arrays; /* storage */
    const char *network[MAX_LIST], *fabric[MAX_LIST];
    int64_t array[MAX_LIST][2];
} lists;

static void lists_free(lists *l)
{
    free(l->networks);
    free(l->fabrics);
    free(l->arrays);
}

/* "a,b,c". A piece with '=' but no ':' before it belongs to the name before it: "mesh:rows=4,cols=4,torus". */
static bool continues(const char *piece)
{
    const size_t word = strcspn(piece, ":=,");
    return piece[word] == '=';
}

static pp_status split(const char *option, char *text, const char **out, size_t *n)
{
    *n = 0;
    for (char *at = text; at != NULL;) {
        char *end = strchr(at, ',');
        while (end != NULL && continues(end + 1))
            end = strchr(end + 1, ',');
        if (end != NULL)
            *end++ = 0;
        if (at[0] == 0)
            return pp_fail(PP_EUSAGE, "--%s: an empty name", option);
        if (*n == MAX_LIST)
            return pp_fail(PP_EUSAGE, "--%s: at most %d names", option, MAX_LIST);
        for (size_t i = 0; i < *n; i++)
            if (strcmp(out[i], at) == 0)
                return pp_fail(PP_EUSAGE, "--%s: '%.60s' stands there twice", option, at);
        out[(*n)++] = at;
        at = end;
    }
    return PP_OK;
}

static pp_status parse_array(const char *text, int64_t size[2])
{
    char left[16];
    const size_t n = strcspn(text, "x");
    if (n < sizeof left && text[n] == 'x') {
        memcpy(left, text, n);
        left[n] = 0;
        if (pp_parse_i64(left, &size[0]) && pp_parse_i64(text + n + 1, &size[1]) && size[0] >= 1 && size[1] >= 1 &&
            size[0] <= 65536 && size[1] <= 65536)
            return PP_OK;
    }
    return pp_fail(PP_EUSAGE, "--arrays: expected ROWSxCOLUMNS such as 256x256, found '%.40s'", text);
}

static pp_status parse_arrays(const pp_parsed *p, const pp_session *s, lists *l, size_t *n)
{
    const char *given = pp_args_get(p, "arrays"), *text[MAX_LIST];
    *n = 1;
    if (given == NULL) {
        l->array[0][0] = s->arch.rows;
        l->array[0][1] = s->arch.cols;
        return PP_OK;
    }
    l->arrays = pp_strdup(given);
    if (l->arrays == NULL)
        return PP_ENOMEM;
    PP_TRY(split("arrays", l->arrays, text, n));
    for (size_t i = 0; i < *n; i++)
        PP_TRY(parse_array(text[i], l->array[i]));
    return PP_OK;
}

static pp_status parse_names(const pp_parsed *p, const char *option, char **storage, const char **out, size_t *n)
{
    const char *given = pp_args_get(p, option);
    if (given == NULL)
        return pp_fail(PP_EUSAGE, "compare: --%s is missing", option);
    *storage = pp_strdup(given);
    return *storage != NULL ? split(option, *storage, out, n) : PP_ENOMEM;
}

static pp_status parse(const pp_parsed *p, pp_session *s, lists *l, pp_compare_options *o)
{
    const char *normalise = pp_args_get(p, "normalise");
    PP_TRY(parse_names(p, "networks", &l->networks, l->network, &o->n_networks));
    PP_TRY(parse_names(p, "fabrics", &l->fabrics, l->fabric, &o->n_fabrics));
    PP_TRY(parse_arrays(p, s, l, &o->n_arrays));
    PP_TRY(pp_normalise_parse(&o->normalise, normalise != NULL ? normalise : s->fabric_options.normalise));
    PP_TRY(pp_args_i64(p, "images", s->sim_options.images, 1, 1000000, &s->sim_options.images));
    o->network = l->network;
    o->fabric = l->fabric;
    o->array = (const int64_t(*)[2])l->array;
    o->wire_pitch_um = s->fabric_options.wire_pitch_um;
    o->certificates = pp_args_get(p, "certificates");
    o->force = pp_args_has(p, "force");
    return PP_OK;
}

static pp_status check_outputs(const pp_parsed *p)
{
    static const char *const names[] = {"output", "csv", "draw"};
    if (pp_args_has(p, "draw"))
        PP_TRY(pp_plot_check_path(pp_args_get(p, "draw")));
    for (size_t i = 0; i < 3; i++) {
        const char *path = pp_args_get(p, names[i]);
        if (path != NULL)
            PP_TRY(pp_output_check(path, pp_args_has(p, "force")));
    }
    return PP_OK;
}

static pp_status write_csv(const pp_comparison *c, const char *path, bool force)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    pp_status status = f != NULL ? pp_comparison_csv(c, f) : PP_ENOMEM;
    if (f != NULL && fclose(f) != 0 && status == PP_OK)
        status = PP_ENOMEM;
    if (status == PP_OK)
        status = pp_output_write(path, text, size, force);
    free(text);
    return status;
}

/* The settings that options have taken the place of, so that the report says what was run. */
static pp_status settle(const pp_parsed *p, const pp_session *s)
{
    static const char *const of[][2] = {{"networks", "workload.model"}, {"fabrics", "fabric.kind"}, {"images", "simulate.images"}, {"normalise", "fabric.normalise"}};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        const char *given = pp_args_get(p, of[i][0]);
        if (given == NULL)
            continue;
        char *bare = pp_without_folders(given), *assignment = bare != NULL ? pp_strf("%s=%s", of[i][1], bare) : NULL;
        free(bare);
        const pp_status status = assignment != NULL ? pp_config_set(s->config, assignment) : PP_ENOMEM;
        free(assignment);
        PP_TRY(status);
    }
    return PP_OK;
}

static pp_status write_outputs(const pp_parsed *p, const pp_session *s, const pp_comparison *c)
{
    const bool force = pp_args_has(p, "force");
    const char *report = pp_args_get(p, "output"), *csv = pp_args_get(p, "csv"), *picture = pp_args_get(p, "draw");
    if (report != NULL)
        PP_TRY(settle(p, s));
    if (report != NULL)
        PP_TRY(pp_comparison_write(report, c, s->config, force));
    if (csv != NULL)
        PP_TRY(write_csv(c, csv, force));
    return picture != NULL ? pp_comparison_draw(c, picture, force) : PP_OK;
}

static pp_status print(const pp_parsed *p, const pp_session *s, const pp_comparison *c)
{
    if (!pp_args_has(p, "json"))
        return pp_comparison_print(c, stdout);
    pp_json *json = pp_json_object();
    pp_comparison_json(c, json);
    pp_json_add_f64(json, "wall_s", pp_clock_s() - s->start_s);
    return pp_print_json(json);
}

static pp_status compare(pp_session *s, const pp_parsed *p)
{
    lists l = {0};
    pp_compare_options o = {0};
    pp_comparison c = {0};
    pp_status status;
    PP_GOTO(done, status, parse(p, s, &l, &o));
    PP_GOTO(done, status, check_outputs(p));
    PP_GOTO(done, status, pp_compare_run(&c, s, &o));
    PP_GOTO(done, status, write_outputs(p, s, &c));
    status = print(p, s, &c);
done:
    pp_comparison_free(&c);
    lists_free(&l);
    return status;
}

static int run(const pp_parsed *p)
{
    pp_session s;
    pp_status status = pp_session_open(&s, p, p->n_operands > 0 ? p->operand[0] : NULL);
    if (status == PP_OK)
        status = compare(&s, p);
    pp_session_close(&s);
    return pp_finish(status);
}

static const pp_arg args[] = {
    {0, "networks", "MODEL,...", "networks: built-in names or paths"},
    {0, "fabrics", "FABRIC,...", "fabrics: kind[:key=value,...]; sizes that are left free are fitted to each network"},
    {0, "arrays", "RxC,...", "array sizes, for instance 256x256,512x512; default: arch.rows x arch.cols"},
    {0, "images", "N", "inferences that are simulated; default simulate.images"},
    {0, "normalise", "channel|pins|wire|bisection|area", "what all fabrics have the same; default fabric.normalise"},
    {0, "csv", "F.csv", "write all rows as CSV"},
    {0, "draw", "F.svg", "write the heat map of required rates, .svg or .png"},
    {0, "certificates", "DIR", "write the certificate of each pair's best placement into this folder"},
    {0, NULL, NULL, NULL},
};

const pp_command pp_cmd_compare = {
    .name = "compare",
    .operands = "[FILE.yaml]",
    .min_operands = 0,
    .max_operands = 1,
    .text = "map and simulate networks on fabrics, side by side\n\n"
            "Each pair is planned once and placed with the same effort, under both port models (a port a link,\n"
            "one port a core), with the best placement found and a naive one. Required rates are those at the\n"
            "interval of the busiest core, which no fabric can better. With --normalise the channels of every\n"
            "fabric are widened or narrowed until it spends what the first of the list spends; the text says first\n"
            "whether the order of the fabrics depends on that choice. FILE.yaml gives the hardware and all else.",
    .examples = "  pentaprism compare --networks resnet32 --fabrics 5pp,mesh,torus --images 20\n"
                "  pentaprism compare --networks resnet18,resnet50 --fabrics 5pp,mesh:rows=40,cols=40 --normalise wire "
                "-o c.h5\n"
                "  pentaprism report show c.h5\n",
    .args = args,
    .run = run,
};
