/* ONNX Einsum of two tensors, by its definition. */
#include "workloads/onnx_internal.h"

#include <string.h>

bool pp_onnx_read_equation(pp_onnx_equation *e, const char *text)
{
    uint32_t part = 0, n = 0;
    *e = (pp_onnx_equation){{{0}}};
    for (; *text; text++) {
        if (*text == ' ')
            continue;
        if ((*text == ',' && part == 0) || (text[0] == '-' && text[1] == '>' && part == 1)) {
            text += *text == '-';
            part++;
            n = 0;
            continue;
        }
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z')) || n == PP_ONNX_DIMS ||
            strchr(e->part[part], *text))
            return false;
        e->part[part][n++] = *text;
    }
    return part == 2;
}

/* All letters, those of the result first: sizes, and steps in both operands. */
typedef struct letters {
    uint32_t n, n_out;
    uint64_t size[2 * PP_ONNX_DIMS], step[2][2 * PP_ONNX_DIMS];
    char name[2 * PP_ONNX_DIMS + 1];
} letters;

static bool add_operand(letters *l, uint32_t k, const char *part, const pp_onnx_tensor *t)
{
    uint64_t step = 1;
    if (strlen(part) != t->ndim)
        return false;
    for (uint32_t d = t->ndim; d-- > 0;) {
        const char *at = strchr(l->name, part[d]);
        if (!at) {
            l->name[l->n] = part[d];
            at = &l->name[l->n++];
        }
        const size_t i = (size_t)(at - l->name);
        if (l->size[i] != 0 && l->size[i] != t->dim[d])
            return false;
        l->size[i] = t->dim[d];
        l->step[k][i] = step;
        step *= t->dim[d];
    }
    return true;
}

/* Offset of index i over letters [first, end), the last the fastest. */
static uint64_t offset_of(const letters *l, uint32_t k, uint32_t first, uint32_t end, uint64_t i)
{
    uint64_t at = 0;
    for (uint32_t d = end; d-- > first;) {
        at += i % l->size[d] * l->step[k][d];
        i /= l->size[d];
    }
    return at;
}

static pp_status run_einsum(pp_onnx_call *c)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0), *y = pp_onnx_in(c, 1);
    pp_onnx_equation e;
    letters l = {0};
    void *data = NULL;
    if (!x || !y || c->node->n_in != 2 || !pp_onnx_read_equation(&e, pp_onnx_attr_s(c->node, "equation", "")))
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "only two tensors and equations such as abc,abd->acd");
    l.n = l.n_out = (uint32_t)strlen(e.part[2]);
    memcpy(l.name, e.part[2], l.n);
    if (!add_operand(&l, 0, e.part[0], x) || !add_operand(&l, 1, e.part[1], y))
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "its equation does not fit the shapes of its inputs");
    uint64_t n = 1, inner = 1;
    for (uint32_t i = 0; i < l.n; i++) {
        if (l.size[i] == 0)
            return pp_onnx_fail(c->path, c->node, PP_EINVAL, "its equation does not fit the shapes of its inputs");
        *(i < l.n_out ? &n : &inner) *= l.size[i];
    }
    PP_TRY(pp_onnx_result(c, 0, x->type, l.n_out, l.size, &data));
    for (uint64_t i = 0; i < n; i++) {
        double sum = 0;
        PP_TRY(pp_onnx_charge(c, inner));
        for (uint64_t k = 0; k < inner; k++)
            sum += pp_onnx_f64(x, offset_of(&l, 0, 0, l.n_out, i) + offset_of(&l, 0, l.n_out, l.n, k)) *
                   pp_onnx_f64(y, offset_of(&l, 1, 0, l.n_out, i) + offset_of(&l, 1, l.n_out, l.n, k));
        pp_onnx_store(data, x->type, i, sum);
    }
    return PP_OK;
}

const pp_onnx_row pp_onnx_ops_einsum_[] = {{"Einsum", run_einsum}, {NULL, NULL}};
