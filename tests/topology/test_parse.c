#include "test_topology.h"

static void assert_name(const char *text, const char *name)
{
    pp_fabric *f = build(text);
    assert_string_equal(f->name, name);
    pp_fabric_free(f);
}

static void test_canonical_names(void **state)
{
    (void)state;
    assert_name("5pp:rows=8,cols=8", "5pp:rows=8,cols=8");
    assert_name("5pp:cols=3,rows=2", "5pp:rows=2,cols=3");
    assert_name("5pp:rows=2,cols=3,reach=2,row_direction=both,wrap=0", "5pp:rows=2,cols=3");
    assert_name("5pp:wrap=1,rows=2,cols=5,reach=3,row_direction=alternate",
                "5pp:rows=2,cols=5,reach=3,row_direction=alternate,wrap=1");
    assert_name("mesh:rows=4,cols=5", "mesh:rows=4,cols=5");
    assert_name("ring:cores=16", "ring:cores=16");
}

static void refuse(const char *text, pp_status status, const char *part)
{
    bench b = bench_new();
    const pp_fabric_options before = b.options;
    assert_failed_with(pp_fabric_parse(&b.options, b.arena, text), status, part);
    assert_int_equal(b.options.rows, before.rows);
    assert_ptr_equal(b.options.kind, before.kind);
    bench_free(&b);
}

static void test_bad_texts(void **state)
{
    (void)state;
    refuse("5pp:rows=0,cols=3", PP_ERANGE, "rows: expected an integer from 1 to 4194304, found 0");
    refuse("5pp:rows=-1", PP_ERANGE, "rows: expected an integer");
    refuse("5pp:rows=1e9", PP_ERANGE, "rows: expected an integer");
    refuse("5pp:rows=1000000000,cols=1", PP_ERANGE, "rows: expected an integer from 1 to 4194304");
    refuse("5pp:rows=99999999999999999999", PP_ERANGE, "rows: expected an integer");
    refuse("5pp:rows=", PP_ERANGE, "rows: expected an integer");
    refuse("5pp:rowz=3", PP_EINVAL, "did you mean rows?");
    refuse("5pp:rows=3,rows=4", PP_EINVAL, "rows is given twice");
    refuse("5pp:", PP_EINVAL, "expected key=value");
    refuse("5pp:rows", PP_EINVAL, "expected key=value, found \"rows\"");
    refuse("5pp:rows=2,,cols=2", PP_EINVAL, "expected key=value");
    refuse("5pp:row_direction=up", PP_EINVAL, "expected both, forward or alternate, found up");
    refuse("5pp:wrap=2", PP_EINVAL, "wrap: expected 0 or 1");
    refuse("5pp:reach=65", PP_ERANGE, "reach: expected an integer from 1 to 64");
    refuse("mesh:reach=2", PP_EINVAL, "unknown key reach");
    refuse("ring:rows=2", PP_EINVAL, "unknown key rows");
    refuse("msh:rows=2", PP_EINVAL, "did you mean mesh?");
    refuse("", PP_EINVAL, "unknown kind");
    refuse("file:", PP_EINVAL, "expected file:PATH");
    refuse("file", PP_EINVAL, "expected file:PATH");
}

/* A run file may give the whole string as fabric.kind. */
static void test_kind_as_whole_string(void **state)
{
    (void)state;
    bench b = bench_new();
    pp_fabric *f = NULL;
    b.options.kind = "mesh:rows=2,cols=3";
    assert_int_equal(pp_fabric_build(&f, &b.options), PP_OK);
    assert_string_equal(f->kind, "mesh");
    assert_string_equal(f->name, "mesh:rows=2,cols=3");
    pp_fabric_free(f);
    b.options.kind = "ring:cores=5";
    assert_int_equal(pp_fabric_fit(&b.options, 4), PP_OK);
    assert_string_equal(b.options.kind, "ring");
    assert_int_equal(b.options.cores, 5);
    bench_free(&b);
}

static void test_every_kind_is_listed(void **state)
{
    (void)state;
    const char *const expected[] = {"5pp",     "mesh",      "torus",   "ring",   "cmesh",   "flatfly", "hypercube",
                                    "htree",   "fattree",   "tree",    "k5prism", "dragonfly", "express", "mesh3d",
                                    "torus3d", "kautz",     "star",    "full",   "hex",     "tri",     "file"};
    const size_t n = sizeof expected / sizeof expected[0];
    for (size_t i = 0; i < n; i++) {
        const char *text = NULL;
        assert_string_equal(pp_fabric_kind(i, &text), expected[i]);
        assert_true(strlen(text) > 10);
    }
    assert_null(pp_fabric_kind(n, NULL));
}

static void fit(const char *kind, uint32_t cores, int64_t rows, int64_t cols, int64_t want_rows, int64_t want_cols)
{
    bench b = bench_new();
    b.options.kind = kind;
    b.options.rows = rows;
    b.options.cols = cols;
    assert_int_equal(pp_fabric_fit(&b.options, cores), PP_OK);
    assert_int_equal(b.options.rows, want_rows);
    assert_int_equal(b.options.cols, want_cols);
    bench_free(&b);
}

static void test_fit(void **state)
{
    (void)state;
    fit("5pp", 34, 0, 0, 1, 34);
    fit("5pp", 34, 5, 0, 5, 7);
    fit("5pp", 34, 0, 8, 5, 8);
    fit("5pp", 34, 8, 8, 8, 8);
    fit("mesh", 34, 0, 0, 5, 7);
    fit("mesh", 36, 0, 0, 6, 6);
    fit("mesh", 43, 0, 0, 6, 8);
    fit("mesh", 68, 4, 0, 4, 17);
    fit("torus", 1, 0, 0, 1, 1);
    bench b = bench_new();
    b.options.rows = 2;
    b.options.cols = 2;
    assert_failed_with(pp_fabric_fit(&b.options, 43), PP_EINFEASIBLE, "5pp:rows=2,cols=2 has 4 cores, 43 are needed");
    b.options.kind = "ring";
    b.options.cores = 3;
    assert_failed_with(pp_fabric_fit(&b.options, 4), PP_EINFEASIBLE, "ring:cores=3 has 3 cores, 4 are needed");
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest topology_parse[] = {
        cmocka_unit_test(test_canonical_names),     cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_kind_as_whole_string), cmocka_unit_test(test_every_kind_is_listed),
        cmocka_unit_test(test_fit),
    };
    return cmocka_run_group_tests(topology_parse, NULL, NULL);
}
