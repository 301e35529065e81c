/* The summary's keys and text from a struct filled by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/summary_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pp_summary sample(void)
{
    return (pp_summary){
        .network = "net", .fabric = "5pp:rows=1,cols=4", .certificate = "embedding", .placement = "linear",
        .kernel = "native", .switching = "vct", .preset = "none", .parameters = 12, .macs = 5000000, .wbits = 4, .abits = 8,
        .adc_bits = 8, .array_rows = 256, .array_cols = 128, .lanes = 2, .n_stages = 3, .n_tiles = 3, .cores_used = 3, .n_cores = 4,
        .unroll_max = 4, .copies_max = 1, .n_flows = 3, .single_channel_flows = 3, .max_hops = 1, .images = 10,
        .throughput_ips = 1234.5, .latency_first_us = 6.5, .bound_latency_us = 6.25,
        .initiation_interval_ps = UINT64_C(9007199254740993), .bound_initiation_interval_ps = 7, .events = 99,
        .channel_gbps = 10, .max_channel_utilisation = 0.5, .bound_by = "core of c1", .slowest_stage = "c1",
        .has_timing = true};
}

static pp_doc *as_json(const pp_summary *s)
{
    char *text = NULL;
    pp_doc *doc = NULL;
    pp_json *json = pp_json_object();
    pp_summary_json(s, json);
    assert_int_equal(pp_json_print(&text, json, true), PP_OK);
    pp_json_free(json);
    assert_int_equal(pp_doc_parse_json(&doc, "summary", text, strlen(text)), PP_OK);
    free(text);
    return doc;
}

static void assert_key(const pp_doc *doc, const char *key, const char *want)
{
    const pp_node *node = pp_node_get(pp_doc_root(doc), key);
    if (want == NULL) {
        assert_null(node);
        return;
    }
    assert_non_null(node);
    assert_string_equal(node->text, want);
}

static void keys_and_values(void **state)
{
    (void)state;
    pp_summary s = sample();
    pp_doc *doc = as_json(&s);
    assert_key(doc, "network", "net");
    assert_key(doc, "certificate", "embedding");
    assert_key(doc, "cores_used", "3");
    assert_key(doc, "throughput_ips", "1234.5");
    assert_key(doc, "initiation_interval_ps", "9007199254740993"); /* more than a double holds */
    assert_key(doc, "kernel", "native");
    assert_key(doc, "top1_float", NULL);
    pp_doc_free(doc);
}

static void parts_that_were_not_run_have_no_keys(void **state)
{
    (void)state;
    pp_summary s = sample();
    s.has_timing = false;
    s.has_float = s.has_quant = true;
    s.top1_float = 0.5;
    pp_doc *doc = as_json(&s);
    assert_key(doc, "throughput_ips", NULL);
    assert_key(doc, "kernel", NULL);
    assert_key(doc, "top1_float", "0.5");
    assert_key(doc, "top1_quant", "0");
    assert_key(doc, "top1_crossbar", NULL);
    pp_doc_free(doc);
}

/* Every figure has a place of its own, a unit or none, and a sentence. */
static void table_of_figures(void **state)
{
    (void)state;
    for (size_t i = 0; i < pp_summary_n_fields; i++) {
        const pp_summary_field *f = &pp_summary_fields[i];
        assert_true(f->column.description[0] != 0);
        assert_true(f->column.offset + f->column.size <= sizeof(pp_summary));
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(f->column.name, pp_summary_fields[k].column.name);
            assert_int_not_equal(f->column.offset, pp_summary_fields[k].column.offset);
        }
    }
}

static void text_for_people(void **state)
{
    (void)state;
    pp_summary s = sample();
    for (int colour = 0; colour < 2; colour++) {
        char text[4096];
        FILE *f = tmpfile();
        assert_non_null(f);
        pp_summary_print(&s, f, colour == 1);
        rewind(f);
        size_t n = fread(text, 1, sizeof text - 1, f);
        text[n] = 0;
        fclose(f);
        assert_non_null(strstr(text, "net"));
        assert_non_null(strstr(text, "5.0 M multiply-accumulates"));
        assert_non_null(strstr(text, "3 of 4 used, crossbars 256 x 128"));
        assert_non_null(strstr(text, "embedding: 3 of 3 flows"));
        assert_non_null(strstr(text, "after the links published for the 64-core chip"));
        assert_null(strstr(text, "top-1"));
        assert_int_equal(strchr(text, '\033') != NULL, colour);
    }
}

/* Small and slow networks: no figure that is not zero is printed as zero, and a pipeline that is not full says so. */
static void figures_of_any_size(void **state)
{
    (void)state;
    pp_summary s = sample();
    s.has_timing = s.has_energy = true;
    s.macs = 480;
    s.n_stages = 1;
    s.images = 4;
    s.throughput_ips = 0.4883;
    s.initiation_interval_ps = UINT64_C(2048000000000);
    s.latency_first_us = 2.608e6;
    s.bound_latency_us = 0.0005;
    s.energy_per_inference_pj = 179.483;
    s.max_channel_required_gbps = 1e-6;
    char text[4096];
    FILE *f = tmpfile();
    assert_non_null(f);
    pp_summary_print(&s, f, false);
    rewind(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    static const char *const wanted[] = {" 480 multiply-accumulates, 1 stage\n", " 0.4883 inferences/s", " 2.048 s ", " 2.608 s ", "bound 500.000 ps\n", " 179.483 pJ ",
                                         "busiest 1e-06,", "4 inferences were simulated, 8 would show it so"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_non_null(strstr(text, wanted[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_values),
        cmocka_unit_test(parts_that_were_not_run_have_no_keys),
        cmocka_unit_test(table_of_figures),
        cmocka_unit_test(text_for_people),
        cmocka_unit_test(figures_of_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
