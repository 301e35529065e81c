/* What the tests of ONNX files share: tensors of .pb files, and their comparison. */
#ifndef PP_TEST_ONNX_FILES_H
#define PP_TEST_ONNX_FILES_H

#include "test_workloads.h"
#include "workloads/onnx_internal.h"

#include <math.h>

#define PP_ONNX_TESTDATA "/usr/lib/python3/dist-packages/onnx/backend/test/data"

/* A TensorProto that is a whole file. */
typedef struct pb_tensor {
    pp_onnx holder; /* its arena and its map */
    pp_onnx_tensor t;
} pb_tensor;

static inline void pb_close(pb_tensor *p)
{
    pp_file_unmap(p->holder.file);
    pp_arena_free(p->holder.arena);
    *p = (pb_tensor){0};
}

/* PP_EUNSUPPORTED when it is no tensor that the reader reads (a text, a sequence). */
static inline pp_status pb_open(pb_tensor *p, const char *path)
{
    *p = (pb_tensor){.holder.path = path};
    PP_TRY(pp_arena_new(&p->holder.arena));
    PP_TRY(pp_file_map(&p->holder.file, path));
    const pp_file *f = p->holder.file;
    pp_wire w = {.file = path, .base = f->data, .at = f->data, .end = f->data + f->size};
    PP_TRY(pp_onnx_read_tensor_(&p->holder, w, &p->t));
    return p->t.data ? PP_OK : pp_fail(PP_EUNSUPPORTED, "%s is no tensor of numbers", path);
}

static inline pp_onnx_array array_of(const pp_onnx_tensor *t)
{
    pp_onnx_array a = {.type = (int)t->type, .ndim = t->ndim, .data = t->data};
    memcpy(a.dim, t->dim, sizeof a.dim);
    return a;
}

static inline bool close_to(double a, double b, double absolute, double relative)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b))
        return !(a < b) && !(a > b);
    return fabs(a - b) <= absolute + relative * fabs(b);
}

#endif
