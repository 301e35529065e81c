/* The cases of Debian's libonnx-testdata: the evaluator on every one of them, the network where a graph makes one. */
#include "onnx_files.h"

#include <dirent.h>
#include <sys/stat.h>

/* Operators that some case is refused for (for one of their modes, or altogether). A case may be refused for no other,
 * and each must still be refused by some case. */
static const char *const refused_ops[] = {"Acos",
                                          "Acosh",
                                          "Add",
                                          "Asin",
                                          "Asinh",
                                          "Atan",
                                          "Atanh",
                                          "BatchNormalization",
                                          "Bernoulli",
                                          "BitShift",
                                          "BlackmanWindow",
                                          "Compress",
                                          "ConvInteger",
                                          "Cosh",
                                          "CumSum",
                                          "DFT",
                                          "Det",
                                          "Dropout",
                                          "DynamicQuantizeLinear",
                                          "Einsum",
                                          "EyeLike",
                                          "GRU",
                                          "GatherElements",
                                          "GatherND",
                                          "Gradient",
                                          "GridSample",
                                          "HammingWindow",
                                          "HannWindow",
                                          "Hardmax",
                                          "If",
                                          "IsInf",
                                          "LSTM",
                                          "Loop",
                                          "MatMulInteger",
                                          "MaxPool",
                                          "MaxUnpool",
                                          "MeanVarianceNormalization",
                                          "MelWeightMatrix",
                                          "Mod",
                                          "NegativeLogLikelihoodLoss",
                                          "NonMaxSuppression",
                                          "NonZero",
                                          "OneHot",
                                          "PRelu",
                                          "QLinearConv",
                                          "QLinearMatMul",
                                          "RNN",
                                          "RandomUniformLike",
                                          "ReduceLogSumExp",
                                          "Resize",
                                          "ReverseSequence",
                                          "RoiAlign",
                                          "STFT",
                                          "Scan",
                                          "Scatter",
                                          "ScatterElements",
                                          "ScatterND",
                                          "SequenceConstruct",
                                          "SequenceEmpty",
                                          "Shrink",
                                          "Sinh",
                                          "SoftmaxCrossEntropyLoss",
                                          "SplitToSequence",
                                          "Tan",
                                          "TfIdfVectorizer",
                                          "TopK",
                                          "Trilu",
                                          "Unique",
                                          NULL};

typedef struct tally {
    unsigned ran, passed, refused, skipped, networks;
    bool seen[256];
} tally;

static char *in_folder(const char *folder, const char *name)
{
    char *path = pp_path_join(folder, name);
    assert_non_null(path);
    return path;
}

static bool same(const pp_onnx_array *have, const pp_onnx_tensor *want, char *why, size_t size)
{
    pp_onnx_tensor got = {.type = (pp_onnx_type)have->type, .ndim = have->ndim, .data = have->data};
    memcpy(got.dim, have->dim, sizeof got.dim);
    char a[128], b[128];
    pp_onnx_shape_text(a, sizeof a, &got);
    pp_onnx_shape_text(b, sizeof b, want);
    if (got.type != want->type || strcmp(a, b) != 0) {
        snprintf(why, size, "%s %s instead of %s %s", pp_onnx_type_name(got.type), a, pp_onnx_type_name(want->type), b);
        return false;
    }
    bool coarse = want->type == PP_ONNX_FLOAT16 || want->type == PP_ONNX_BFLOAT16;
    for (uint64_t i = 0; i < pp_onnx_count(want); i++) {
        double x = pp_onnx_f64(&got, i), y = pp_onnx_f64(want, i);
        if (!close_to(x, y, coarse ? 1e-3 : 1e-6, coarse ? 1e-2 : 1e-3)) {
            snprintf(why, size, "element %llu is %.9g instead of %.9g", (unsigned long long)i, x, y);
            return false;
        }
    }
    return true;
}

/* Opens FOLDER/test_data_set_0/KIND_I.pb for all I there are. */
static pp_status open_set(const char *folder, const char *kind, pb_tensor *list, uint32_t *n)
{
    pp_status status = PP_OK;
    for (*n = 0; *n < 16 && status == PP_OK; ++*n) {
        char *path = pp_strf("%s/test_data_set_0/%s_%u.pb", folder, kind, *n);
        struct stat info;
        if (stat(path, &info) != 0 || info.st_size == 0) {
            free(path);
            break;
        }
        status = pb_open(&list[*n], path);
        list[*n].holder.path = "";
        free(path);
    }
    return status;
}

static void note_refusal(tally *t, const char *name)
{
    const char *says = pp_error_text(), *begin = strstr(says, "' (");
    for (size_t i = 0; refused_ops[i]; i++) {
        size_t n = strlen(refused_ops[i]);
        if (begin && strncmp(begin + 3, refused_ops[i], n) == 0 && begin[3 + n] == ')') {
            t->seen[i] = true;
            t->refused++;
            return;
        }
    }
    fail_msg("%s is refused: %s", name, says);
}

/* bfloat16 that the package stores as UINT16 while its models say BFLOAT16. */
static bool is_odd(const char *name)
{
    return strncmp(name, "test_cast", 9) == 0 && strstr(name, "BFLOAT16");
}

/* Element of a tensor [N,...] for image `n` and element (h, w, c) of a network's result. */
static double wanted(const pp_onnx_tensor *t, uint64_t n, pp_shape s, uint32_t h, uint32_t w, uint32_t c)
{
    uint64_t per_image = pp_onnx_count(t) / t->dim[0];
    return pp_onnx_f64(t, n * per_image + ((uint64_t)c * s.h + h) * s.w + w);
}

/* The network of the case gives what the package says, image by image. */
static void run_network(tally *t, const char *path, const char *name, const pp_onnx_tensor *in,
                        const pp_onnx_tensor *out)
{
    pp_network *net = NULL;
    if (in->type != PP_ONNX_FLOAT || in->ndim < 2 || out->ndim < 2 || in->dim[0] != out->dim[0] ||
        pp_network_from_onnx(&net, path) != PP_OK)
        return;
    pp_shape s = net->ops[0].out, o = net->ops[net->output].out;
    if (net->note[0] != '\0' || !net->has_weights) {
        pp_network_free(net);
        return;
    }
    t->networks++;
    size_t count = (size_t)s.h * s.w * s.c;
    float *image = malloc(count * sizeof *image);
    assert_non_null(image);
    assert_int_equal(pp_onnx_count(in), in->dim[0] * count);
    assert_int_equal(pp_onnx_count(out), out->dim[0] * o.h * o.w * o.c);
    for (uint64_t n = 0; n < in->dim[0]; n++) {
        float **results = NULL;
        for (size_t i = 0; i < count; i++) /* [C][H][W] to [H][W][C] */
            image[i] =
                (float)wanted(in, n, s, (uint32_t)(i / s.c / s.w), (uint32_t)(i / s.c % s.w), (uint32_t)(i % s.c));
        assert_ok(pp_ref_run(net, image, &results));
        for (uint32_t h = 0, i = 0; h < o.h; h++)
            for (uint32_t w = 0; w < o.w; w++)
                for (uint32_t c = 0; c < o.c; c++, i++) {
                    double have = (double)results[net->output][i], want = wanted(out, n, o, h, w, c);
                    if (!close_to(have, want, 1e-5, 1e-4))
                        fail_msg("network of %s: image %d, (%u,%u,%u) is %g, expected %g", name, (int)n, h, w, c, have,
                                 want);
                }
        pp_ref_free(net, results);
    }
    free(image);
    pp_network_free(net);
}

static void run_case(tally *t, const char *folder, const char *name)
{
    char *path = in_folder(folder, "model.onnx"), why[512];
    pb_tensor in[16] = {0}, out[16] = {0};
    pp_onnx_array arrays[16];
    uint32_t n_in = 0, n_out = 0;
    pp_onnx *m = NULL;
    pp_onnx_run *run = NULL;
    pp_status opened = pp_onnx_open(&m, path);
    if (opened != PP_OK) {
        assert_non_null(strstr(pp_error_text(), "names no version of the standard operators")); /* training operators */
        t->skipped++;
    } else if (is_odd(name) || open_set(folder, "input", in, &n_in) != PP_OK ||
               open_set(folder, "output", out, &n_out) != PP_OK) {
        t->skipped++; /* texts, sequences */
    } else {
        for (uint32_t i = 0; i < n_in; i++)
            arrays[i] = array_of(&in[i].t);
        t->ran++;
        if (pp_onnx_run_new(&run, m, arrays, n_in, UINT64_C(1) << 30) != PP_OK) {
            note_refusal(t, name);
        } else {
            bool good = true;
            for (uint32_t i = 0; i < n_out && good; i++) {
                pp_onnx_array have;
                assert_true(pp_onnx_run_output(run, i, &have));
                good = same(&have, &out[i].t, why, sizeof why);
            }
            t->passed++;
            if (good && n_in == 1 && n_out == 1)
                run_network(t, path, name, &in[0].t, &out[0].t);
            if (!good)
                fail_msg("%s: %s", name, why);
        }
    }
    pp_onnx_run_free(run);
    pp_onnx_close(m);
    for (uint32_t i = 0; i < 16; i++) {
        pb_close(&in[i]);
        pb_close(&out[i]);
    }
    free(path);
}

static void run_group(const char *group, tally *t)
{
    char *folder = in_folder(PP_ONNX_TESTDATA, group);
    struct dirent **names = NULL;
    int n = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char *one = in_folder(folder, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            run_case(t, one, names[i]->d_name);
        free(one);
        free(names[i]);
    }
    free(names);
    free(folder);
    print_message("%s: %u ran, %u passed, %u refused, %u without numbers; %u as networks\n", group, t->ran, t->passed,
                  t->refused, t->skipped, t->networks);
}

static void cases_of_the_package(void **state)
{
    (void)state;
    static const char *const groups[] = {"node", "simple", "pytorch-converted", "pytorch-operator"};
    struct stat info;
    if (stat(PP_ONNX_TESTDATA, &info) != 0) {
        print_message("skipped: Debian's libonnx-testdata is not installed\n");
        skip();
    }
    bool seen[sizeof refused_ops / sizeof *refused_ops] = {0};
    for (size_t g = 0; g < 4; g++) {
        tally t = {0};
        run_group(groups[g], &t);
        assert_int_equal(t.passed + t.refused, t.ran);
        for (size_t i = 0; refused_ops[i]; i++)
            seen[i] |= t.seen[i];
    }
    for (size_t i = 0; refused_ops[i]; i++)
        if (!seen[i])
            fail_msg("%s is no longer refused: take it from the list", refused_ops[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cases_of_the_package)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
