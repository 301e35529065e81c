/* Built-in networks with random weights at small inputs: the fast executor, stage by stage, against the
 * reference, operator by operator. */
#include "test_workloads.h"

#include <math.h>

static const char *const models[] = {
    "lenet5", "densenet121:input=32x32x3,classes=3", "squeezenet:input=33x33x3,classes=3",
    "googlenet:input=32x32x3,classes=3", "mobilenet-v1:input=32x32x3,classes=3",
    "mobilenet-v2:input=32x32x3,classes=3", "mobilenet-v3-small:input=32x32x3,classes=3",
    "mobilenet-v3-large:input=32x32x3,classes=3", "efficientnet-b0:input=32x32x3,classes=3",
    "shufflenet-v2:input=35x33x3,classes=3", "yolo-tiny:input=32x32x3,classes=3",
};

/* Random values for a tensor that the network has by shape only. */
static float *fill(pp_tensor *t, pp_rng *rng, double spread, double centre)
{
    uint64_t n = pp_tensor_count(t);
    float *a = malloc(n * sizeof *a);
    assert_non_null(a);
    for (uint64_t i = 0; i < n; i++)
        a[i] = (float)(centre + (pp_rng_uniform(rng) - 0.5) * spread);
    t->data = a;
    return a;
}

/* Spreads that keep signals of deep networks in range. */
static void give_weights(pp_network *net, pp_rng *rng)
{
    for (uint32_t i = 0; i < net->n_ops; i++) {
        pp_op *op = &net->ops[i];
        bool scale = op->kind == PP_OP_SCALE;
        if (op->weight.ndim) {
            double fan = (double)pp_tensor_count(&op->weight) / op->out.c;
            (void)fill(&op->weight, rng, scale ? 0.5 : sqrt(20 / fan), scale ? 0.8 : 0);
        }
        if (op->bias.ndim)
            (void)fill(&op->bias, rng, 0.4, 0);
    }
    net->has_weights = true;
}

static void take_weights(pp_network *net)
{
    for (uint32_t i = 0; i < net->n_ops; i++) {
        free((void *)(uintptr_t)net->ops[i].weight.data);
        free((void *)(uintptr_t)net->ops[i].bias.data);
    }
}

typedef struct compare {
    const pp_network *net;
    const pp_stages *stages;
    float **want;
    uint32_t streams;
    double top; /* largest result of the last stream */
} compare;

static pp_status compare_stream(void *payload, uint32_t stream, uint32_t image, const float *data)
{
    compare *c = payload;
    uint32_t op = stream == 0 ? 0 : c->stages->stage[stream - 1].result;
    pp_shape s = pp_stream_shape(c->net, c->stages, stream);
    size_t n = (size_t)s.h * s.w * s.c;
    assert_int_equal(image, 0);
    c->streams++;
    c->top = 0;
    for (size_t i = 0; i < n; i++)
        c->top = fmax(c->top, fabs((double)c->want[op][i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)c->want[op][i] - (double)data[i]) <= 1e-3 * c->top))
            fail_msg("%s, %s[%zu]: %g, reference %g", c->net->name, c->net->ops[op].name, i, (double)data[i],
                     (double)c->want[op][i]);
    return PP_OK;
}

static void check_model(const char *name)
{
    pp_network *net = NULL;
    pp_stages *stages = NULL;
    pp_float_exec *exec = NULL;
    pp_rng rng = pp_rng_make(11, 5);
    assert_ok(pp_model_open(&net, name));
    assert_ok(pp_stages_build(&stages, net));
    give_weights(net, &rng);
    assert_ok(pp_network_check(net));
    pp_shape in = net->ops[0].out, out = net->ops[net->output].out;
    size_t n = (size_t)in.h * in.w * in.c;
    pp_dataset data = {.name = (char *)"random", .n = 1, .h = in.h, .w = in.w, .c = in.c, .classes = out.c};
    uint16_t label = 0;
    float *image = malloc(n * sizeof *image), *logits = malloc((size_t)out.h * out.w * out.c * sizeof *logits);
    data.pixels = malloc(n);
    data.labels = &label;
    assert_true(image && logits && data.pixels);
    for (size_t i = 0; i < n; i++)
        data.pixels[i] = (uint8_t)pp_rng_below(&rng, 256);
    pp_dataset_normalise(&data, net, 0, image);
    compare c = {.net = net, .stages = stages};
    assert_ok(pp_ref_run(net, image, &c.want));
    assert_ok(pp_float_exec_new(&exec, net, stages));
    assert_ok(pp_float_exec_run(exec, NULL, &data, 0, 1, logits, compare_stream, &c));
    assert_int_equal(c.streams, stages->n + 1);
    assert_true(c.top > 1e-3 && c.top < 1e6); /* the signal has neither died nor run away */
    pp_float_exec_free(exec);
    pp_ref_free(net, c.want);
    free(image);
    free(logits);
    free(data.pixels);
    take_weights(net);
    pp_stages_free(stages);
    pp_network_free(net);
}

static void fast_equals_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        check_model(models[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_equals_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
