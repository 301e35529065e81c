#include "nets.h"

#include <sys/stat.h>
#include <unistd.h>

static char *dir, *tensors, *json;

static int set_up(void **state)
{
    (void)state;
    dir = pp_strf("quant-file-%ld", (long)getpid());
    tensors = pp_path_join(dir, "model.safetensors");
    json = pp_path_join(dir, "quant.json");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(tensors);
    unlink(json);
    rmdir(dir);
    free(dir);
    free(tensors);
    free(json);
    return 0;
}

static char *slurp(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *data = malloc(1 << 20);
    *size = fread(data, 1, (1 << 20) - 1, f);
    data[*size] = 0;
    fclose(f);
    return data;
}

static void spill(const char *path, const char *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

static void round_trip(void **state)
{
    (void)state;
    for (int64_t wbits = 2; wbits <= 8; wbits += 1) {
        pp_quant_options o = default_options();
        o.wbits = wbits;
        fixture f = make_fixture(90 + (uint64_t)wbits, o);
        pp_qnetwork *back;
        char *a, *b;
        ok(pp_qnetwork_write(f.q, dir, true));
        ok(pp_qnetwork_read(&back, f.net, f.stages, dir));
        ok(pp_qnetwork_dump(&a, f.q));
        ok(pp_qnetwork_dump(&b, back));
        assert_string_equal(a, b);
        assert_int_equal(back->options.wbits, wbits);
        assert_string_equal(back->options.calib, "");
        assert_int_equal(back->calib_images, 16);
        pp_qnetwork_free(back);
        free(a);
        free(b);
        free_fixture(&f);
    }
}

static void existing_files_are_kept(void **state)
{
    (void)state;
    fixture f = make_fixture(100, default_options());
    ok(pp_qnetwork_write(f.q, dir, true));
    assert_int_equal(pp_qnetwork_write(f.q, dir, false), PP_EEXIST);
    ok(pp_qnetwork_write(f.q, dir, true));
    assert_int_equal(pp_qnetwork_write(f.q, "no/such/folder", false), PP_EIO);
    free_fixture(&f);
}

static void must_fail(const fixture *f, const char *folder)
{
    pp_qnetwork *q;
    pp_error_clear();
    assert_int_not_equal(pp_qnetwork_read(&q, f->net, f->stages, folder), PP_OK);
    assert_null(q);
    assert_true(strlen(pp_error_text()) > 10);
    assert_null(strchr(pp_error_text(), '\n'));
}

/* quant.json with `from` replaced once by `to`. */
static void damage(const fixture *f, const char *from, const char *to)
{
    size_t size;
    char *text = slurp(json, &size), *at = strstr(text, from);
    if (!at)
        fail_msg("no '%s' in quant.json", from);
    char *changed = pp_strf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    spill(json, changed, strlen(changed));
    must_fail(f, dir);
    spill(json, text, size);
    free(changed);
    free(text);
}

static void damaged_files(void **state)
{
    (void)state;
    fixture f = make_fixture(110, default_options());
    must_fail(&f, "no-such-folder");
    ok(pp_qnetwork_write(f.q, dir, true));
    damage(&f, "pentaprism-quant/1", "pentaprism-quant/2");
    damage(&f, "\"zoo-net\"", "\"other\"");
    damage(&f, "\"wbits\": 4", "\"wbits\": 9");
    damage(&f, "\"wbits\": 4", "\"wbits\": 5");
    damage(&f, "\"weights\": \"mse\"", "\"weights\": \"best\"");
    damage(&f, "\"scale\": ", "\"scale\": -");
    damage(&f, "\"bits\": 8", "\"bits\": 3");
    damage(&f, "\"out_shift\": ", "\"out_shift\": 9");
    damage(&f, "\"name\": \"a\"", "\"name\": \"b\"");
    damage(&f, "\"streams\": [", "\"streams\": 1, \"x\": [");
    damage(&f, "\"psum_bits\"", "\"psum_bit\"");
    damage(&f, "{", "");
    /* a tensor file that is not the one that quant.json speaks of, or cut short */
    size_t size;
    char *data = slurp(tensors, &size);
    data[size - 1] ^= 1;
    spill(tensors, data, size);
    must_fail(&f, dir);
    data[size - 1] ^= 1;
    spill(tensors, data, size / 2);
    must_fail(&f, dir);
    unlink(tensors);
    must_fail(&f, dir);
    spill(tensors, data, size);
    pp_qnetwork *q;
    ok(pp_qnetwork_read(&q, f.net, f.stages, dir));
    pp_qnetwork_free(q);
    free(data);
    free_fixture(&f);
}

/* The pair is consistent, the numbers are not: values are checked, not only hashes. */
static void wrong_values(void **state)
{
    (void)state;
    fixture f = make_fixture(120, default_options());
    f.q->stage[0].out_mult[0] = -1;
    ok(pp_qnetwork_write(f.q, dir, true));
    must_fail(&f, dir);
    f.q->stage[0].out_mult[0] = 1;
    f.q->stage[0].w_scale[1] = 0;
    ok(pp_qnetwork_write(f.q, dir, true));
    must_fail(&f, dir);
    f.q->stage[0].w_scale[1] = 1;
    f.q->stage[0].code[3] = -8; /* fits 4 bits, not the symmetric range */
    ok(pp_qnetwork_write(f.q, dir, true));
    must_fail(&f, dir);
    free_fixture(&f);
}

static void other_network(void **state)
{
    (void)state;
    fixture f = make_fixture(130, default_options());
    pp_network *net;
    pp_stages *stages;
    pp_qnetwork *q;
    ok(pp_qnetwork_write(f.q, dir, true));
    ok(pp_model_open(&net, "resnet32-cifar10"));
    ok(pp_stages_build(&stages, net));
    assert_int_equal(pp_qnetwork_read(&q, net, stages, dir), PP_EFORMAT);
    assert_non_null(strstr(pp_error_text(), "zoo-net"));
    pp_stages_free(stages);
    pp_network_free(net);
    free_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(existing_files_are_kept),
                                       cmocka_unit_test(damaged_files), cmocka_unit_test(wrong_values),
                                       cmocka_unit_test(other_network)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
