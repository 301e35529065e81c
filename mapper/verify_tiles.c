/* What tiles a network must have, from docs/certificate.md, and whether the certificate has them. */
#include "mapper/verify_internal.h"

#include <stdlib.h>
#include <string.h>

/* Share i of `parts` even shares of n begins here. */
static uint32_t share(uint32_t n, uint32_t i, uint32_t parts)
{
    return (uint32_t)((uint64_t)n * i / parts);
}

static uint32_t ceil_div(uint32_t a, uint32_t b)
{
    return a / b + (a % b != 0);
}

/* ---- rules ---- */

/* Different input lines that `outputs` neighbouring output lines read, by marking them: a line is
 * output x stride + tap x dilation. */
static bool lines_read(pp_verifier *v, uint32_t outputs, uint32_t taps, uint32_t stride, uint32_t dilation, uint32_t *n)
{
    size_t span = (size_t)(outputs - 1) * stride + (size_t)(taps - 1) * dilation + 1;
    bool *mark = pp_calloc(span, sizeof *mark);
    if (!mark)
        return pp_verify_no_memory(v);
    *n = 0;
    for (uint32_t o = 0; o < outputs; o++)
        for (uint32_t t = 0; t < taps; t++) {
            bool *line = &mark[(size_t)o * stride + (size_t)t * dilation];
            *n += !*line;
            *line = true;
        }
    free(mark);
    return true;
}

/* Array rows of one input channel and columns of one output channel. */
static bool measure(pp_verifier *v, const pp_stage *stage, pp_vstage *s)
{
    const pp_op *op = &v->net->ops[stage->matrix];
    uint32_t down = stage->in.h, across = stage->in.w;
    if (op->kind == PP_OP_CONV && (!lines_read(v, s->patch.y, op->window.kh, op->window.sh, op->window.dh, &down) ||
                                   !lines_read(v, s->patch.x, op->window.kw, op->window.sw, op->window.dw, &across)))
        return false;
    uint64_t widen = (uint64_t)s->patch.y * s->patch.x * s->slices, window = (uint64_t)down * across;
    if (widen > v->cols || window > v->rows || !widen)
        return pp_verify_note(v, "stage %s: one channel takes %llu rows and %llu columns, an array has %u and %u",
                              stage->name, (unsigned long long)window, (unsigned long long)widen, v->rows, v->cols);
    s->window = (uint32_t)window;
    s->widen = (uint32_t)widen;
    return true;
}

static uint32_t groups_of(const pp_verifier *v, const pp_stage *stage)
{
    const pp_op *op = &v->net->ops[stage->matrix];
    return op->kind == PP_OP_CONV ? op->groups : 1;
}

/* Row and column tiles of one copy. */
static bool cut(pp_verifier *v, const pp_stage *stage, pp_vstage *s)
{
    s->rows = s->cols = 1;
    if (stage->matrix == PP_NONE)
        return true;
    if (!measure(v, stage, s))
        return false;
    uint32_t groups = groups_of(v, stage), cin = stage->in.c / groups, cout = stage->fire.c / groups;
    uint32_t in_fit = v->rows / s->window, out_fit = v->cols / s->widen; /* channels an array holds */
    if (groups > 1 && in_fit >= cin && out_fit >= cout) {
        uint32_t fit = in_fit / cin < out_fit / cout ? in_fit / cin : out_fit / cout;
        s->whole_groups = true;
        s->cols = ceil_div(groups, fit);
        return true;
    }
    s->rows = ceil_div(cin, in_fit);
    s->cols = groups * ceil_div(cout, out_fit);
    return true;
}

static void expect_tile(const pp_verifier *v, pp_vtile *t)
{
    const pp_stage *stage = &v->stages->stage[t->stage];
    const pp_vstage *s = &v->stage[t->stage];
    if (stage->matrix == PP_NONE) {
        t->in[1] = stage->in.c;
        t->out[1] = stage->fire.c;
        return;
    }
    uint32_t groups = groups_of(v, stage), cin = stage->in.c / groups, cout = stage->fire.c / groups;
    for (uint32_t end = 0; end < 2; end++) {
        if (s->whole_groups) {
            uint32_t group = share(groups, t->col + end, s->cols);
            t->in[end] = group * cin;
            t->out[end] = group * cout;
        } else {
            uint32_t parts = s->cols / groups, group = t->col / parts;
            t->in[end] = group * cin + share(cin, t->row + end, s->rows);
            t->out[end] = group * cout + share(cout, t->col % parts + end, parts);
        }
    }
    t->array[0] = (t->in[1] - t->in[0]) * s->window;
    t->array[1] = (t->out[1] - t->out[0]) * s->widen;
}

/* ---- the stages' lines ---- */

static bool check_patch(pp_verifier *v, const pp_node *node, const pp_stage *stage, pp_vstage *s)
{
    uint32_t patch[2];
    if (!pp_verify_pair(v, node, "patch", patch))
        return false;
    if (patch[0] < 1 || patch[0] > stage->fire.h || patch[1] < 1 || patch[1] > stage->fire.w)
        return pp_verify_note(v, "line %u: stage %s: patch %ux%u does not fit the map of %ux%u", node->line,
                              stage->name, patch[0], patch[1], stage->fire.h, stage->fire.w);
    s->patch = (pp_patch){patch[0], patch[1]};
    uint64_t positions = (uint64_t)ceil_div(stage->fire.h, patch[0]) * ceil_div(stage->fire.w, patch[1]);
    return pp_verify_equal(v, node, "pixels", (uint64_t)patch[0] * patch[1]) &&
           pp_verify_equal(v, node, "positions", positions);
}

static bool check_copies(pp_verifier *v, const pp_node *node, const pp_stage *stage, pp_vstage *s)
{
    uint32_t positions;
    if (!pp_verify_u32(v, node, "copies", &s->copies) || !pp_verify_u32(v, node, "positions", &positions))
        return false;
    uint32_t most = stage->matrix == PP_NONE || stage->pool != PP_NONE ? 1 : positions;
    if (s->copies < 1 || s->copies > most)
        return pp_verify_note(v, "line %u: stage %s: %u copies, from 1 to %u can be", node->line, stage->name,
                              s->copies, most);
    return true;
}

static bool check_stage(pp_verifier *v, const pp_node *node, uint32_t i, uint64_t *tiles)
{
    static const char *const key[] = {"name", "patch", "pixels", "positions", "copies", "slices", "tiles"};
    const pp_stage *stage = &v->stages->stage[i];
    pp_vstage *s = &v->stage[i];
    if (!pp_verify_keys(v, node, "stage", key, 7) || !pp_verify_equal_text(v, node, "name", stage->name) ||
        !check_patch(v, node, stage, s) || !check_copies(v, node, stage, s) ||
        !pp_verify_u32(v, node, "slices", &s->slices))
        return false;
    if (stage->matrix == PP_NONE && !pp_verify_equal(v, node, "slices", 0))
        return false;
    if (!cut(v, stage, s))
        return false;
    s->first = (uint32_t)*tiles;
    *tiles += (uint64_t)s->copies * s->rows * s->cols;
    if (*tiles > INT32_MAX)
        return pp_verify_note(v, "line %u: more than %d tiles", node->line, INT32_MAX);
    return pp_verify_equal(v, node, "tiles", *tiles - s->first);
}

bool pp_verify_stages(pp_verifier *v)
{
    const pp_node *list = pp_verify_list(v, v->root, "stages");
    uint64_t tiles = 0;
    if (!list)
        return false;
    if (list->n != v->stages->n)
        return pp_verify_note(v, "%zu stages, network %s has %u", list->n, v->net->name, v->stages->n);
    v->stage = pp_calloc(v->stages->n, sizeof *v->stage);
    if (!v->stage)
        return pp_verify_no_memory(v);
    for (uint32_t s = 0; s < v->stages->n; s++)
        if (!check_stage(v, list->child[s], s, &tiles))
            return false;
    v->n_tiles = (uint32_t)tiles;
    return true;
}

/* ---- the tiles' lines ---- */

static bool check_range(pp_verifier *v, const pp_node *node, const char *key, const uint32_t expected[2])
{
    uint32_t found[2];
    if (!pp_verify_pair(v, node, key, found))
        return false;
    if (found[0] == expected[0] && found[1] == expected[1])
        return true;
    return pp_verify_note(v, "line %u: %s is %u, %u, the rules give %u, %u", node->line, key, found[0], found[1],
                          expected[0], expected[1]);
}

static bool check_core(pp_verifier *v, const pp_node *node, pp_vtile *t, bool *taken)
{
    char label[256];
    if (!pp_verify_u32(v, node, "core", &t->core))
        return false;
    if (t->core >= v->fabric->n_cores)
        return pp_verify_note(v, "line %u: core %u, fabric %s has %u", node->line, t->core, v->fabric->name,
                              v->fabric->n_cores);
    if (taken[t->core])
        return pp_verify_note(v, "line %u: core %u has a tile already", node->line, t->core);
    taken[t->core] = true;
    pp_vertex_label(v->fabric, v->fabric->core_vertex[t->core], label, sizeof label);
    return pp_verify_equal_text(v, node, "at", label);
}

static bool check_tile(pp_verifier *v, const pp_node *node, pp_vtile *t, bool *taken)
{
    static const char *const key[] = {"stage", "copy", "col", "row", "in", "out", "array", "core", "at"};
    if (!pp_verify_keys(v, node, "tile", key, 9))
        return false;
    expect_tile(v, t);
    bool ok = pp_verify_equal_text(v, node, "stage", v->stages->stage[t->stage].name);
    ok = pp_verify_equal(v, node, "copy", t->copy) && ok;
    ok = pp_verify_equal(v, node, "col", t->col) && ok;
    ok = pp_verify_equal(v, node, "row", t->row) && ok;
    ok = check_range(v, node, "in", t->in) && ok;
    ok = check_range(v, node, "out", t->out) && ok;
    ok = check_range(v, node, "array", t->array) && ok;
    return check_core(v, node, t, taken) && ok;
}

bool pp_verify_tiles(pp_verifier *v)
{
    const pp_node *list = pp_verify_list(v, v->root, "tiles");
    if (!list)
        return false;
    if (list->n != v->n_tiles)
        return pp_verify_note(v, "%zu tiles, the rules give %u", list->n, v->n_tiles);
    v->tile = pp_calloc(v->n_tiles, sizeof *v->tile);
    bool *taken = pp_calloc(v->fabric->n_cores, sizeof *taken);
    bool ok = (v->tile && taken) || pp_verify_no_memory(v);
    uint32_t n = 0;
    for (uint32_t s = 0; v->tile && taken && s < v->stages->n; s++)
        for (uint32_t copy = 0; copy < v->stage[s].copies; copy++)
            for (uint32_t col = 0; col < v->stage[s].cols; col++)
                for (uint32_t row = 0; row < v->stage[s].rows; row++, n++) {
                    v->tile[n] = (pp_vtile){.stage = s, .copy = copy, .col = col, .row = row};
                    ok = check_tile(v, list->child[n], &v->tile[n], taken) && ok;
                }
    free(taken);
    return ok;
}
