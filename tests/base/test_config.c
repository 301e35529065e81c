#include "test_base.h"

#include "knobs.h"

#include <unistd.h>

#define RUN "test_run.yaml"

static pp_config *config;

static int begin(void **state)
{
    (void)state;
    return pp_config_new(&config, tables, 2) == PP_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    pp_config_free(config);
    config = NULL;
    (void)unlink(RUN);
    return 0;
}

static pp_status load(const char *text)
{
    put_text(RUN, text);
    return pp_config_load(config, RUN);
}

static void check_refused(const char *text, const char *message)
{
    assert_failed(load(text), PP_EFORMAT, message);
}

static void check_set_refused(const char *assignment, pp_status status, const char *message)
{
    assert_failed(pp_config_set(config, assignment), status, message);
}

static void defaults_fill_the_options(void **state)
{
    (void)state;
    arch_options arch;
    workload_options workload;
    assert_int_equal(pp_config_bind(config, &tables[0], &arch), PP_OK);
    assert_int_equal(pp_config_bind(config, &tables[1], &workload), PP_OK);
    assert_int_equal(arch.rows, 256);
    assert_int_equal(arch.seed, 0);
    assert_true(arch.drift == 0.05);
    assert_true(arch.differential);
    assert_string_equal(arch.name, "");
    assert_int_equal(arch.kernel, 0);
    assert_string_equal(workload.model, "lenet5");
    assert_int_equal(workload.images, -1);
    assert_int_equal(pp_config_count(config), 8);
    assert_ptr_equal(pp_config_knob(config, 6), &workload_knobs[0]);
    assert_false(pp_config_is_set(config, "arch", "rows"));
    assert_string_equal(pp_config_place(config, "arch", "rows"), "default");
}

static void a_run_file_sets_values(void **state)
{
    (void)state;
    assert_int_equal(load("arch:\n  rows: 128\n  drift: 5e-1\n  differential: false\n  name: 5pp\n"
                          "  kernel: systemc\n  seed: 9223372036854775807\nworkload:\n  # images: 3\n"),
                     PP_OK);
    arch_options arch;
    assert_int_equal(pp_config_bind(config, &tables[0], &arch), PP_OK);
    assert_int_equal(arch.rows, 128);
    assert_true(arch.seed == INT64_MAX);
    assert_true(arch.drift == 0.5);
    assert_false(arch.differential);
    assert_string_equal(arch.name, "5pp");
    assert_int_equal(arch.kernel, 1);
    assert_true(pp_config_is_set(config, "arch", "rows"));
    assert_false(pp_config_is_set(config, "workload", "images"));
    assert_string_equal(pp_config_place(config, "arch", "drift"), RUN ":3");
}

static void texts_are_canonical(void **state)
{
    (void)state;
    assert_int_equal(load("arch: {rows: +0128, drift: 1.0e-1, differential: false, kernel: \"auto\"}\n"), PP_OK);
    assert_string_equal(pp_config_text(config, "arch", "rows"), "128");
    assert_string_equal(pp_config_text(config, "arch", "drift"), "0.1");
    assert_string_equal(pp_config_text(config, "arch", "differential"), "false");
    assert_string_equal(pp_config_text(config, "arch", "kernel"), "auto");
    assert_string_equal(pp_config_text(config, "workload", "model"), "lenet5");
    assert_null(pp_config_text(config, "workload", "rows"));
    assert_null(pp_config_text(config, "none", "rows"));
}

static void set_wins_over_the_file_in_any_order(void **state)
{
    (void)state;
    assert_int_equal(pp_config_set(config, "arch.rows=10"), PP_OK);
    assert_int_equal(load("arch:\n  rows: 20\n  name: file\n"), PP_OK);
    assert_string_equal(pp_config_text(config, "arch", "rows"), "10");
    assert_string_equal(pp_config_place(config, "arch", "rows"), "--set arch.rows");
    assert_int_equal(pp_config_set(config, "arch.rows=30"), PP_OK);
    assert_string_equal(pp_config_text(config, "arch", "rows"), "30");
    assert_int_equal(pp_config_set(config, "arch.name=a=b.c"), PP_OK);
    assert_string_equal(pp_config_text(config, "arch", "name"), "a=b.c");
    assert_int_equal(pp_config_set(config, "arch.name="), PP_OK);
    assert_string_equal(pp_config_text(config, "arch", "name"), "");
    assert_failed(load("arch:\n  rows: 0\n"), PP_ERANGE,
                  RUN ":2: arch.rows: expected an integer from 1 to 65536, found 0");
}

static void unknown_names_are_answered_with_near_ones(void **state)
{
    (void)state;
    check_refused("arch:\n  rowz: 3\n", RUN ":2: arch.rowz: unknown key; did you mean arch.rows?");
    check_refused("arch:\n  rows: 3\n  temperature: 3\n", RUN ":3: arch.temperature: unknown key");
    check_refused("workload:\n  rows: 3\n", RUN ":2: workload.rows: unknown key; did you mean arch.rows?");
    check_refused("\narhc:\n  rows: 3\n", RUN ":2: arhc: unknown section; did you mean arch?");
    check_refused("thermal: {}\n", RUN ":1: thermal: unknown section; expected one of arch workload");
    check_set_refused("arch.rowz=3", PP_EFORMAT, "--set arch.rowz=3: unknown key; did you mean arch.rows?");
    check_set_refused("arhc.rows=3", PP_EFORMAT, "--set arhc.rows=3: unknown section; did you mean arch?");
}

static void wrong_values_name_the_place_and_the_range(void **state)
{
    (void)state;
    assert_failed(load("arch:\n  rows: -1\n"), PP_ERANGE,
                  RUN ":2: arch.rows: expected an integer from 1 to 65536, found -1");
    check_refused("arch:\n\n  rows: many\n", RUN ":3: arch.rows: expected an integer from 1 to 65536, found many");
    check_refused("arch: {rows: \"12\"}", RUN ":1: arch.rows: expected an integer from 1 to 65536, found \"12\"");
    check_refused("arch: {rows: 1.5}", RUN ":1: arch.rows: expected an integer from 1 to 65536, found 1.5");
    check_refused("arch:\n  rows:\n", RUN ":2: arch.rows: expected an integer from 1 to 65536, found nothing");
    check_refused("arch:\n  rows:\n    - 1\n", RUN ":2: arch.rows: expected an integer from 1 to 65536, found a list");
    check_refused("arch: {seed: x}", RUN ":1: arch.seed: expected an integer of at least 0, found x");
    check_refused("workload: {images: x}", RUN ":1: workload.images: expected an integer of at most 100, found x");
    check_refused("arch: {drift: nan}", RUN ":1: arch.drift: expected a number from 0 to 0.5, found nan");
    check_refused("arch: {differential: yes}", RUN ":1: arch.differential: expected true or false, found yes");
    check_refused("arch: {kernel: sysc}", RUN ":1: arch.kernel: expected native, systemc or auto, found sysc");
    check_refused("arch: {name: {a: b}}", RUN ":1: arch.name: expected a text, found a map");
    assert_string_equal(pp_config_text(config, "arch", "rows"), "256");
}

static void wrong_assignments_are_refused(void **state)
{
    (void)state;
    check_set_refused("arch.rows=-1", PP_ERANGE, "--set arch.rows=-1: expected an integer from 1 to 65536");
    check_set_refused("arch.rows=", PP_EFORMAT, "--set arch.rows=: expected an integer from 1 to 65536");
    check_set_refused("arch.drift=0.51", PP_ERANGE, "--set arch.drift=0.51: expected a number from 0 to 0.5");
    check_set_refused("arch.kernel=x", PP_EFORMAT, "--set arch.kernel=x: expected native, systemc or auto");
    check_set_refused("arch.rows", PP_EUSAGE, "--set arch.rows: expected section.key=value");
    check_set_refused("rows=3.5", PP_EUSAGE, "--set rows=3.5: expected section.key=value");
    check_set_refused(".rows=3", PP_EUSAGE, "--set .rows=3: expected section.key=value");
    check_set_refused("arch.=3", PP_EUSAGE, "--set arch.=3: expected section.key=value");
    check_set_refused("", PP_EUSAGE, "--set : expected section.key=value");
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    check_refused("arch: {}\n\nworkload: 3\n", RUN ":3: workload: expected a map of settings, found a number");
    check_refused("workload:\n  - a\n", RUN ":1: workload: expected a map of settings, found a list");
    check_refused("- a\n", RUN ":1: expected a map of sections, found a list");
    check_refused("", RUN ":1: expected a YAML document, found nothing");
    check_refused("arch:\n  rows: 1\n  rows: 2\n", RUN ":3: rows: given twice (first on line 2)");
    check_refused("arch:\n  rows: 1\narch:\n  seed: 2\n", RUN ":3: arch: given twice (first on line 1)");
    (void)unlink(RUN);
    assert_failed(pp_config_load(config, "nowhere/" RUN), PP_ENOTFOUND, "nowhere/" RUN ": No such file or directory");
}

static void broken_tables_are_found(void **state)
{
    (void)state;
    const pp_knob bad[] = {
        {"a", "b", PP_KNOB_INT, "", "300", 0, 255, NULL, "", 0},
        {"a", "c", PP_KNOB_INT, "", "3", 0, 255, NULL, "", 0},
        {"a", "c", PP_KNOB_INT, "", "3", 0, 255, NULL, "", 8},
    };
    pp_config *other = NULL;
    assert_failed(pp_config_new(&other, &(pp_knob_table){bad, 1}, 1), PP_ERANGE,
                  "default of a.b: expected an integer from 0 to 255, found 300");
    assert_failed(pp_config_new(&other, &(pp_knob_table){bad + 1, 2}, 1), PP_EINTERNAL, "knob a.c is defined twice");
    assert_null(other);
    int64_t options[2];
    assert_failed(pp_config_bind(config, &(pp_knob_table){bad, 1}, options), PP_EINTERNAL,
                  "knob a.b is not one of this configuration");
}

typedef struct list_options {
    const pp_node *levels;
} list_options;

static const pp_knob list_knobs[] = {
    {"fabric", "levels", PP_KNOB_LIST, "", "", 0, 0, NULL, "Levels.", offsetof(list_options, levels)},
};

static void lists_keep_their_lines(void **state)
{
    (void)state;
    const pp_knob_table table = {list_knobs, 1};
    pp_config *c = NULL;
    list_options o;
    assert_int_equal(pp_config_new(&c, &table, 1), PP_OK);
    assert_int_equal(pp_config_bind(c, &table, &o), PP_OK);
    assert_null(o.levels);
    put_text(RUN, "fabric:\n  levels:\n    - {kind: mesh, rows: 4, clock_hz: 1e9}\n    - kind: \"5pp\"\n      wrap: true\n");
    assert_int_equal(pp_config_load(c, RUN), PP_OK);
    assert_int_equal(pp_config_bind(c, &table, &o), PP_OK);
    assert_int_equal(o.levels->kind, PP_DOC_LIST);
    assert_int_equal(o.levels->n, 2);
    assert_int_equal(o.levels->child[1]->line, 4);
    assert_int_equal(pp_node_get(o.levels->child[1], "wrap")->line, 5);
    assert_string_equal(pp_config_text(c, "fabric", "levels"),
                        "[{\"kind\":\"mesh\",\"rows\":4,\"clock_hz\":1000000000},{\"kind\":\"5pp\",\"wrap\":true}]");
    assert_int_equal(pp_config_set(c, "fabric.levels=[{kind: ring}]"), PP_OK);
    assert_int_equal(pp_config_bind(c, &table, &o), PP_OK);
    assert_int_equal(o.levels->n, 1);
    assert_string_equal(o.levels->file, "--set fabric.levels");
    assert_int_equal(pp_config_set(c, "fabric.levels=3"), PP_OK);
    assert_string_equal(pp_config_text(c, "fabric", "levels"), "3");
    assert_failed(pp_config_set(c, "fabric.levels={kind: ring}"), PP_EFORMAT,
                  "--set fabric.levels={kind: ring}: expected a list, found a map");
    assert_int_equal(pp_config_set(c, "fabric.levels=[{kind: ring]"), PP_EFORMAT);
    pp_config_free(c);
}

int main(void)
{
#define CONFIG_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(defaults_fill_the_options),
        CONFIG_TEST(a_run_file_sets_values),
        CONFIG_TEST(texts_are_canonical),
        CONFIG_TEST(set_wins_over_the_file_in_any_order),
        CONFIG_TEST(unknown_names_are_answered_with_near_ones),
        CONFIG_TEST(wrong_values_name_the_place_and_the_range),
        CONFIG_TEST(wrong_assignments_are_refused),
        CONFIG_TEST(wrong_shapes_are_refused),
        CONFIG_TEST(broken_tables_are_found),
        CONFIG_TEST(lists_keep_their_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
