#include "test_workloads.h"

#include <math.h>

static float conv_weight[8 * 3 * 3 * 3], conv_bias[8], fc_weight[2 * 8];

/* "card.json" with the given layers beside "card.safetensors". */
static void write_card(const char *layers)
{
    char text[8192];
    int n = snprintf(text, sizeof text,
                     "{\"name\":\"t\",\"file\":\"card.safetensors\",\n"
                     "\"input\":{\"shape\":[1,3,8,8],\"mean\":[0.5,0.4,0.3],\"std\":[0.2,0.2,0.25]},\n"
                     "\"layers\":[\n%s\n]}",
                     layers);
    assert_true(n > 0 && (size_t)n < sizeof text);
    write_file("card.json", text, (size_t)n);
}

static void write_weights(void)
{
    static const char *const names[] = {"c.w", "c.b", "f.w", "i.w"};
    static const int32_t integers[16] = {0};
    pp_tensor t[] = {{.ndim = 4, .dim = {8, 3, 3, 3}, .data = conv_weight},
                     {.ndim = 1, .dim = {8}, .data = conv_bias},
                     {.ndim = 2, .dim = {2, 8}, .data = fc_weight},
                     {.dtype = PP_DTYPE_I32, .ndim = 2, .dim = {2, 8}, .data = integers}};
    assert_ok(pp_safetensors_write("card.safetensors", names, t, 4, NULL, 0, true));
}

#define CONV "{\"name\":\"c\",\"type\":\"conv2d\",\"weight\":\"c.w\",\"bias\":\"c.b\",\"shape\":[8,3,3,3],\"input\":\"input\""
#define POOL ",\n{\"name\":\"p\",\"type\":\"global_average_pool\",\"input\":\"c\"}"
#define FC ",\n{\"name\":\"f\",\"type\":\"linear\",\"weight\":\"f.w\",\"shape\":[2,8],\"input\":\"p\"}"

static void refused(const char *layers, const char *says)
{
    pp_network *net = NULL;
    write_card(layers);
    assert_fails(pp_network_from_card(&net, "card.json"), says);
    assert_null(net);
    assert_non_null(strstr(pp_error_text(), "card.json"));
}

static void a_small_card(void **state)
{
    (void)state;
    pp_network *net = NULL;
    write_card(CONV ",\"padding\":1,\"stride\":2,\"activation\":\"relu\"}" POOL FC);
    assert_ok(pp_network_from_card(&net, "card.json"));
    assert_int_equal(net->n_ops, 5);
    assert_true(net->has_weights);
    assert_true(net->mean[2] == 0.3f && net->std[2] == 0.25f);
    assert_string_equal(net->ops[2].name, "c.relu");
    assert_int_equal(net->ops[3].inputs[0], 2);
    assert_int_equal(net->ops[1].out.h, 4);
    assert_int_equal(net->ops[4].bias.ndim, 0);
    pp_network_free(net);
    assert_ok(pp_model_open(&net, "card.safetensors"));
    pp_network_free(net);
}

static void every_layer_type(void **state)
{
    (void)state;
    static const char layers[] =
        CONV ",\"padding\":[1,1,1,1],\"stride\":[1,1],\"dilation\":1,\"groups\":1,\"activation\":\"none\"},\n"
        "{\"name\":\"r\",\"type\":\"relu\",\"input\":\"c\"},\n"
        "{\"name\":\"m\",\"type\":\"max_pool2d\",\"input\":\"r\",\"kernel\":2},\n"
        "{\"name\":\"a\",\"type\":\"avg_pool2d\",\"input\":\"r\",\"kernel\":[3,3],\"stride\":2,\"padding\":1,"
        "\"count_padding\":false},\n"
        "{\"name\":\"s\",\"type\":\"add\",\"inputs\":[\"m\",\"a\"],\"activation\":\"relu6\"},\n"
        "{\"name\":\"k\",\"type\":\"concat\",\"inputs\":[\"s\",\"m\",\"s\"]},\n"
        "{\"name\":\"p\",\"type\":\"global_average_pool\",\"input\":\"k\"},\n"
        "{\"name\":\"p2\",\"type\":\"flatten\",\"input\":\"p\"}";
    pp_network *net = NULL;
    write_card(layers);
    assert_ok(pp_network_from_card(&net, "card.json"));
    assert_int_equal(net->n_ops, 10);
    assert_int_equal(net->ops[3].out.h, 4);
    assert_int_equal(net->ops[4].window.top, 1);
    assert_false(net->ops[4].window.count_padding);
    assert_int_equal(net->ops[6].act, PP_ACT_RELU6);
    assert_int_equal(net->ops[7].out.c, 24);
    assert_int_equal(net->ops[9].out.c, 24);
    pp_network_free(net);
}

static void layers_of_modern_networks(void **state)
{
    (void)state;
    static const char layers[] =
        CONV ",\"padding\":1,\"activation\":\"hard_swish\"},\n"
        "{\"name\":\"n\",\"type\":\"batch_norm\",\"input\":\"c\",\"weight\":\"c.b\",\"bias\":\"c.b\"},\n"
        "{\"name\":\"t\",\"type\":\"activation\",\"input\":\"n\",\"activation\":\"silu\"},\n"
        "{\"name\":\"g\",\"type\":\"global_average_pool\",\"input\":\"t\",\"activation\":\"sigmoid\"},\n"
        "{\"name\":\"m\",\"type\":\"multiply\",\"inputs\":[\"t\",\"g\"]},\n"
        "{\"name\":\"h\",\"type\":\"channel_shuffle\",\"input\":\"m\",\"groups\":4},\n"
        "{\"name\":\"s\",\"type\":\"slice\",\"input\":\"h\",\"offset\":[2,1,0],\"size\":[6,3,4]},\n"
        "{\"name\":\"u\",\"type\":\"upsample\",\"input\":\"s\",\"factor\":[2,3],\"activation\":\"leaky_relu\"},\n"
        "{\"name\":\"z\",\"type\":\"pixel_shuffle\",\"input\":\"u\",\"factor\":[1,3],\"activation\":\"relu\"}";
    pp_network *net = NULL;
    write_card(layers);
    assert_ok(pp_network_from_card(&net, "card.json"));
    assert_int_equal(net->n_ops, 14);
    assert_int_equal(net->ops[2].act, PP_ACT_HARD_SWISH);
    assert_int_equal(pp_op_parameters(&net->ops[3]), 16);
    assert_int_equal(net->ops[4].act, PP_ACT_SILU);
    assert_string_equal(net->ops[4].name, "t");
    assert_int_equal(net->ops[7].kind, PP_OP_MUL);
    assert_int_equal(net->ops[8].groups, 4);
    assert_true(net->ops[9].out.c == 6 && net->ops[9].out.h == 3 && net->ops[9].out.w == 4);
    assert_true(net->ops[10].out.h == 6 && net->ops[10].out.w == 12);
    assert_int_equal(net->ops[12].kind, PP_OP_PIXEL_SHUFFLE);
    assert_true(net->ops[12].out.h == 6 && net->ops[12].out.w == 36 && net->ops[12].out.c == 2);
    pp_network_free(net);
#define BEHIND(layer) CONV "},\n{\"name\":\"x\",\"input\":\"c\"," layer "}"
    refused(BEHIND("\"type\":\"activation\""), "activation");
    refused(BEHIND("\"type\":\"activation\",\"activation\":\"geglu\""), "known: none, relu");
    refused(BEHIND("\"type\":\"batch_norm\",\"weight\":\"c.b\""), "bias");
    refused(BEHIND("\"type\":\"batch_norm\",\"weight\":\"f.w\",\"bias\":\"c.b\""), "the layer needs [8]");
    refused(BEHIND("\"type\":\"channel_shuffle\",\"groups\":3"), "3 groups do not divide 8 channels");
    refused(BEHIND("\"type\":\"channel_shuffle\""), "groups");
    refused(BEHIND("\"type\":\"slice\",\"offset\":[0,0,0],\"size\":[9,1,1]"), "leaves its input");
    refused(BEHIND("\"type\":\"slice\",\"offset\":[0,0],\"size\":[8,1,1]"), "[c, y, x]");
    refused(BEHIND("\"type\":\"upsample\",\"factor\":0"), "factor");
    refused(BEHIND("\"type\":\"pixel_shuffle\",\"factor\":3"), "do not make 3x3 pixels");
    refused(BEHIND("\"type\":\"upsample\",\"factor\":1048576"), "at most");
    refused("{\"name\":\"x\",\"type\":\"multiply\",\"inputs\":[\"input\"]}", "at least 2");
    refused("{\"name\":\"x\",\"type\":\"multiply\",\"inputs\":[\"input\",\"input\",\"input\"]}", "takes 2");
    refused(CONV "},\n{\"name\":\"x\",\"type\":\"multiply\",\"inputs\":[\"c\",\"input\"]}", "expected its shape");
}

static void wrong_layers_are_named(void **state)
{
    (void)state;
    refused("{\"name\":\"x\",\"type\":\"lstm\",\"input\":\"input\"}", "layer 'x': type 'lstm' is not known; known: conv2d");
    refused("{\"name\":\"x\",\"type\":\"relu\",\"input\":\"nowhere\"}", "'nowhere', which is no layer");
    refused("{\"name\":\"x\",\"type\":\"relu\",\"input\":\"y\"},{\"name\":\"y\",\"type\":\"relu\",\"input\":\"x\"}", "cycle");
    refused("{\"name\":\"x\",\"type\":\"relu\",\"input\":\"x\"}", "cycle");
    refused("{\"name\":\"x\",\"type\":\"relu\"}", "input");
    refused("{\"type\":\"relu\",\"input\":\"input\"}", "name");
    refused("{\"name\":\"input\",\"type\":\"relu\",\"input\":\"input\"}", "twice");
    refused(CONV "},\n" CONV "}", "layer 'c' is defined twice");
    refused(CONV ",\"strides\":2}", "no field 'strides'");
    refused(CONV ",\"stride\":0}", "stride");
    refused(CONV ",\"padding\":-1}", "padding");
    refused(CONV ",\"groups\":3}", "groups");
    refused(CONV ",\"dilation\":9}", "does not fit");
    refused(CONV ",\"activation\":\"geglu\"}", "'geglu'");
    refused(CONV ",\"activation_after\":\"never\"}", "'never'");
    refused(CONV ",\"add\":\"input\"}", "shapes differ");
    refused("{\"name\":\"x\",\"type\":\"add\",\"inputs\":[\"input\"]}", "at least 2");
    refused("7", "name");
    refused(CONV "},\n{\"name\":\"d\",\"type\":\"relu\",\"input\":\"input\"}", "'c': nothing reads");
}

static void wrong_tensors_are_named(void **state)
{
    (void)state;
    refused("{\"name\":\"c\",\"type\":\"conv2d\",\"weight\":\"w\",\"shape\":[8,3,3,3],\"input\":\"input\"}", "'w'");
    refused("{\"name\":\"c\",\"type\":\"conv2d\",\"weight\":\"c.w\",\"shape\":[8,3,3,1],\"input\":\"input\"}",
            "tensor 'c.w' has shape [8,3,3,3]; the layer needs [8,3,3,1]");
    refused("{\"name\":\"c\",\"type\":\"conv2d\",\"weight\":\"c.w\",\"bias\":\"f.w\",\"shape\":[8,3,3,3],\"input\":\"input\"}",
            "'f.w'");
    refused("{\"name\":\"c\",\"type\":\"conv2d\",\"shape\":[8,3,3,3],\"input\":\"input\"}", "weight");
    refused(CONV "}" POOL ",{\"name\":\"f\",\"type\":\"linear\",\"weight\":\"i.w\",\"shape\":[2,8],\"input\":\"p\"}",
            "'i.w' is I32");
    conv_weight[41] = NAN;
    write_weights();
    refused(CONV "}" POOL FC, "tensor 'c.w': element 41 is NaN");
    conv_weight[41] = 0;
    conv_bias[3] = -INFINITY;
    write_weights();
    refused(CONV "}" POOL FC, "tensor 'c.b': element 3 is infinite");
    conv_bias[3] = 0;
    write_weights();
}

static void refused_text(const char *text, const char *says)
{
    pp_network *net = NULL;
    write_file("card.json", text, strlen(text));
    assert_fails(pp_network_from_card(&net, "card.json"), says);
    assert_null(net);
}

static void wrong_cards(void **state)
{
    (void)state;
    refused_text("[]", "map");
    refused_text("{\"name\":\"t\"", "card.json");
    refused_text("{\"name\":\"t\",\"layers\":[]}", "input");
    refused_text("{\"name\":\"t\",\"input\":{\"shape\":[1,3,8]},\"layers\":[]}", "[1, C, H, W]");
    refused_text("{\"name\":\"t\",\"input\":{\"shape\":[2,3,8,8]},\"layers\":[]}", "shape");
    refused_text("{\"name\":\"t\",\"input\":{\"shape\":[1,3,8,8],\"std\":[1,0,1]},\"layers\":[]}", "std");
    refused_text("{\"name\":\"t\",\"input\":{\"shape\":[1,3,8,8],\"mean\":[1]},\"layers\":[]}", "mean");
    refused_text("{\"name\":\"t\",\"input\":{\"shape\":[1,3,8,8]},\"layers\":[]}", "layers");
    refused_text("{\"name\":\"t\",\"file\":\"gone.safetensors\",\"input\":{\"shape\":[1,3,8,8]},"
                 "\"layers\":[{\"name\":\"r\",\"type\":\"relu\",\"input\":\"input\"}]}",
                 "gone.safetensors");
    pp_network *net = NULL;
    write_file("lonely.safetensors", "x", 1);
    remove("lonely.json");
    assert_fails(pp_model_open(&net, "lonely.safetensors"), "no model card");
}

static void shapes_without_weights(void **state)
{
    (void)state;
    static const char text[] = "{\"name\":\"t\",\"input\":{\"shape\":[1,3,8,8]},\"layers\":["
                               "{\"name\":\"c\",\"type\":\"conv2d\",\"shape\":[8,3,3,3],\"bias\":\"\",\"input\":\"input\"}]}";
    pp_network *net = NULL;
    write_file("shape.json", text, strlen(text));
    assert_ok(pp_model_open(&net, "shape.json"));
    assert_false(net->has_weights);
    assert_int_equal(pp_network_parameters(net), 224);
    pp_network_free(net);
}

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < 216; i++)
        conv_weight[i] = (float)i / 216;
    write_weights();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_card),           cmocka_unit_test(every_layer_type),
        cmocka_unit_test(layers_of_modern_networks),
        cmocka_unit_test(wrong_layers_are_named), cmocka_unit_test(wrong_tensors_are_named),
        cmocka_unit_test(wrong_cards),            cmocka_unit_test(shapes_without_weights),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
