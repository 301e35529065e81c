/* The reader against protobuf-c with Debian's onnx.proto: every model of libonnx-testdata, part by part. */
#include "onnx_files.h"

#include "onnx.pb-c.h"

#include <dirent.h>
#include <sys/stat.h>

static unsigned models, nodes, tensors, attributes;

static const char *text(const char *s)
{
    return s ? s : "";
}

static void same_bytes(const char *ours, const ProtobufCBinaryData *theirs)
{
    assert_int_equal(strlen(ours), theirs->len);
    assert_memory_equal(ours, theirs->data, theirs->len);
}

static void same_elements(const pp_onnx_tensor *t, const Onnx__TensorProto *p)
{
    size_t size = pp_onnx_type_size(t->type);
    if (!t->data)
        return;
    if (p->has_raw_data) {
        assert_int_equal(pp_onnx_count(t) * size, p->raw_data.len);
        if (p->raw_data.len)
            assert_memory_equal(t->data, p->raw_data.data, p->raw_data.len);
        return;
    }
    assert_int_equal(pp_onnx_count(t),
                     p->n_float_data + p->n_int32_data + p->n_int64_data + p->n_double_data + p->n_uint64_data);
    for (size_t i = 0; i < p->n_float_data; i++)
        assert_memory_equal((const uint8_t *)t->data + i * 4, &p->float_data[i], 4);
    for (size_t i = 0; i < p->n_double_data; i++)
        assert_memory_equal((const uint8_t *)t->data + i * 8, &p->double_data[i], 8);
    for (size_t i = 0; i < p->n_int32_data; i++)
        assert_memory_equal((const uint8_t *)t->data + i * size, &p->int32_data[i], size);
    for (size_t i = 0; i < p->n_int64_data; i++)
        assert_memory_equal((const uint8_t *)t->data + i * 8, &p->int64_data[i], 8);
    for (size_t i = 0; i < p->n_uint64_data; i++)
        assert_memory_equal((const uint8_t *)t->data + i * size, &p->uint64_data[i], size);
}

static void same_tensor(const pp_onnx_tensor *t, const Onnx__TensorProto *p)
{
    tensors++;
    assert_string_equal(t->name, text(p->name));
    assert_int_equal(t->type, p->data_type);
    assert_int_equal(t->ndim, p->n_dims);
    for (size_t i = 0; i < p->n_dims; i++)
        assert_int_equal(t->dim[i], p->dims[i]);
    if (p->n_string_data == 0)
        same_elements(t, p);
}

static void same_attribute(const pp_onnx_attr *a, const Onnx__AttributeProto *p)
{
    attributes++;
    assert_string_equal(a->name, text(p->name));
    if (p->has_f)
        assert_memory_equal(&a->f, &p->f, sizeof a->f);
    if (p->has_i)
        assert_int_equal(a->i, p->i);
    if (p->has_s && !memchr(p->s.data, '\n', p->s.len))
        same_bytes(a->s, &p->s);
    if (p->t)
        same_tensor(a->t, p->t);
    assert_int_equal(a->n, p->n_floats + p->n_ints);
    for (size_t i = 0; i < p->n_ints; i++)
        assert_int_equal(a->ints[i], p->ints[i]);
    for (size_t i = 0; i < p->n_floats; i++)
        assert_memory_equal(&a->floats[i], &p->floats[i], sizeof(float));
}

static const char *value_name(const pp_onnx *m, uint32_t v)
{
    return v == PP_NONE ? "" : m->value[v].name;
}

static void same_node(const pp_onnx *m, const pp_onnx_node *n, const Onnx__NodeProto *p)
{
    nodes++;
    assert_string_equal(n->op, text(p->op_type));
    assert_string_equal(n->domain, strcmp(text(p->domain), "ai.onnx") == 0 ? "" : text(p->domain));
    if (*text(p->name))
        assert_string_equal(n->name, p->name);
    assert_int_equal(n->n_in, p->n_input);
    assert_int_equal(n->n_out, p->n_output);
    assert_int_equal(n->n_attrs, p->n_attribute);
    for (size_t i = 0; i < p->n_input; i++)
        assert_string_equal(value_name(m, n->in[i]), p->input[i]);
    for (size_t i = 0; i < p->n_output; i++)
        assert_string_equal(value_name(m, n->out[i]), p->output[i]);
    for (size_t i = 0; i < p->n_attribute; i++)
        same_attribute(&n->attr[i], p->attribute[i]);
}

static void same_info(const pp_onnx *m, const pp_onnx_info *info, const Onnx__ValueInfoProto *p)
{
    const Onnx__TypeProto__Tensor *t = p->type ? p->type->tensor_type : NULL;
    assert_string_equal(value_name(m, info->value), text(p->name));
    if (!t || p->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return;
    assert_int_equal(info->type, t->elem_type);
    assert_int_equal(info->has_shape, t->shape != NULL);
    for (size_t i = 0; t->shape && i < t->shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i];
        bool given = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        assert_int_equal(info->dim[i], given ? d->dim_value : -1);
    }
}

static bool is_constant(const Onnx__GraphProto *g, const char *name)
{
    for (size_t i = 0; i < g->n_initializer; i++)
        if (strcmp(text(g->initializer[i]->name), name) == 0)
            return true;
    return false;
}

static void same_graph(const pp_onnx *m, const Onnx__GraphProto *g)
{
    uint32_t inputs = 0;
    assert_int_equal(m->n_nodes, g->n_node);
    for (size_t i = 0; i < g->n_node; i++)
        same_node(m, &m->node[i], g->node[i]);
    for (size_t i = 0; i < g->n_initializer; i++)
        for (uint32_t v = 0; v < m->n_values; v++)
            if (strcmp(m->value[v].name, text(g->initializer[i]->name)) == 0)
                same_tensor(m->value[v].init, g->initializer[i]);
    for (size_t i = 0; i < g->n_input; i++)
        if (!is_constant(g, text(g->input[i]->name)))
            same_info(m, &m->input[inputs++], g->input[i]);
    assert_int_equal(m->n_inputs, inputs);
    assert_int_equal(m->n_outputs, g->n_output);
    for (size_t i = 0; i < g->n_output; i++)
        same_info(m, &m->output[i], g->output[i]);
}

static void same_model(const char *path)
{
    pp_onnx *m = NULL;
    pp_file *file = NULL;
    struct stat info;
    if (stat(path, &info) != 0)
        return;
    assert_ok(pp_file_map(&file, path));
    Onnx__ModelProto *p = onnx__model_proto__unpack(NULL, file->size, file->data);
    assert_non_null(p);
    if (pp_onnx_open(&m, path) == PP_OK) {
        models++;
        same_graph(m, p->graph);
        for (size_t i = 0; i < p->n_opset_import; i++)
            if (*text(p->opset_import[i]->domain) == '\0')
                assert_int_equal(pp_onnx_opset(m), p->opset_import[i]->version);
        assert_int_equal(m->n_metadata, p->n_metadata_props);
        for (size_t i = 0; i < p->n_metadata_props; i++)
            assert_string_equal(m->metadata[i][0], text(p->metadata_props[i]->key));
    } else {
        assert_non_null(strstr(pp_error_text(), "names no version"));
    }
    pp_onnx_close(m);
    onnx__model_proto__free_unpacked(p, NULL);
    pp_file_unmap(file);
}

static void group(const char *name)
{
    char *folder = pp_path_join(PP_ONNX_TESTDATA, name);
    struct dirent **names = NULL;
    int n = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char *path = pp_strf("%s/%s/model.onnx", folder, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            same_model(path);
        free(path);
        free(names[i]);
    }
    free(names);
    free(folder);
}

static void readers_agree(void **state)
{
    (void)state;
    struct stat info;
    if (stat(PP_ONNX_TESTDATA, &info) != 0) {
        print_message("skipped: Debian's libonnx-testdata is not installed\n");
        skip();
    }
    group("node");
    group("simple");
    group("pytorch-converted");
    group("pytorch-operator");
    same_model(PP_TEST_SHARED_DIR "/models/resnet32-cifar10.onnx");
    print_message("%u models, %u nodes, %u attributes, %u tensors\n", models, nodes, attributes, tensors);
    assert_true(models > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(readers_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
