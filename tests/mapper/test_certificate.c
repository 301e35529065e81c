/* Certificates: what is written verifies, and nothing that is changed does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mapper/mapper.h"
#include "tests/mapper/fabrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CERT "test_certificate.json"
#define CARD "test_certificate_card.json"

/* ---- a mapping from a model's name ---- */

typedef struct pp_world {
    const char *model;
    pp_network *net;
    pp_stages *stages;
    pp_qnetwork q;
    pp_arch arch;
    pp_fabric *fabric;
    pp_mapping *m;
} pp_world;

/* 4-bit weights, 8-bit streams, one column a weight. */
static void open_world(pp_world *w, const char *model, int64_t rows, int64_t cols)
{
    memset(w, 0, sizeof *w);
    w->model = model;
    w->arch = (pp_arch){.rows = rows, .cols = cols, .mvm_ps = 100000, .phases = 1, .dac_bits = 8, .psum_bits = 16};
    assert_int_equal(pp_model_open(&w->net, model), PP_OK);
    assert_int_equal(pp_stages_build(&w->stages, w->net), PP_OK);
    w->q = (pp_qnetwork){.net = w->net, .stages = w->stages, .psum_bits = 16};
    w->q.stream = calloc(w->stages->n + 1u, sizeof *w->q.stream);
    w->q.stage = calloc(w->stages->n, sizeof *w->q.stage);
    assert_true(w->q.stream && w->q.stage);
    for (uint32_t s = 0; s <= w->stages->n; s++)
        w->q.stream[s].bits = 8;
    for (uint32_t s = 0; s < w->stages->n; s++)
        w->q.stage[s].wbits = 4;
}

static void map_world(pp_world *w, pp_fabric *fabric, const char *unroll, const char *copies, int reduction)
{
    const pp_map_options options = {.placement = "auto",
                                    .unroll = unroll,
                                    .copies = copies,
                                    .reduction = reduction,
                                    .buffers = "unlimited",
                                    .effort = 5};
    w->fabric = fabric;
    assert_int_equal(pp_map_plan(&w->m, &w->q, &w->arch, &fabric->channel[0], fabric->header_bits, &options), PP_OK);
    assert_int_equal(pp_map_place(w->m, fabric, &options, 1, NULL), PP_OK);
}

static void write_world(const pp_world *w)
{
    assert_int_equal(pp_certificate_write_as(CERT, w->model, NULL, w->m, &w->q, &w->arch, w->fabric, true), PP_OK);
}

static void close_world(pp_world *w)
{
    pp_mapping_free(w->m);
    pp_fabric_free(w->fabric);
    free(w->q.stream);
    free(w->q.stage);
    pp_stages_free(w->stages);
    pp_network_free(w->net);
    (void)remove(CERT);
}

/* ---- verdicts ---- */

/* 1 valid, 0 not (with reasons), -1 cannot be read. */
static int verdict(bool show)
{
    char **errors = NULL;
    size_t n = 0;
    bool valid = false;
    if (pp_certificate_verify(CERT, &valid, &errors, &n) != PP_OK)
        return -1;
    assert_true(valid == (n == 0));
    for (size_t i = 0; i < n; i++) {
        if (show)
            print_error("%s\n", errors[i]);
        assert_null(strchr(errors[i], '\n'));
        free(errors[i]);
    }
    free(errors);
    return valid;
}

static void put_text(const char *text, size_t size)
{
    FILE *file = fopen(CERT, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The certificate with `cut` bytes at `at` replaced by `with`. */
static int verdict_of_change(const char *text, size_t at, size_t cut, const char *with)
{
    size_t size = strlen(text), more = strlen(with);
    char *changed = malloc(size + more + 1);
    assert_non_null(changed);
    memcpy(changed, text, at);
    memcpy(changed + at, with, more);
    memcpy(changed + at + more, text + at + cut, size - at - cut);
    put_text(changed, size - cut + more);
    free(changed);
    return verdict(false);
}

static void read_text(char **text)
{
    *text = NULL;
    assert_int_equal(pp_file_read_text(text, NULL, CERT, 1u << 26), PP_OK);
}

/* Every number one higher and one lower, every digit turned as a stray bit would, every string altered.
 * `step`: every how many scalars. */
static void assert_all_changes_caught(size_t step)
{
    char *text, with[32];
    size_t scalars = 0;
    read_text(&text);
    for (size_t at = 0; text[at];) {
        size_t span = strspn(text + at, "0123456789");
        if (text[at] == '"') {
            span = strcspn(text + at + 1, "\"");
            if (scalars++ % step == 0) {
                (void)snprintf(with, sizeof with, "%c", span && text[at + 1] == 'x' ? 'y' : 'x');
                assert_int_not_equal(verdict_of_change(text, at + 1, span > 0, with), 1);
            }
            at += span + 2;
        } else if (span) {
            unsigned long value = strtoul(text + at, NULL, 10);
            if (scalars++ % step == 0) {
                (void)snprintf(with, sizeof with, "%lu", value + 1);
                if (verdict_of_change(text, at, span, with) == 1)
                    fail_msg("%lu made %s passes at byte %zu: %.80s", value, with, at, text + at);
                (void)snprintf(with, sizeof with, "%ld", (long)value - 1);
                if (verdict_of_change(text, at, span, with) == 1)
                    fail_msg("%lu made %s passes at byte %zu: %.80s", value, with, at, text + at);
                (void)snprintf(with, sizeof with, "%c", '0' + (text[at] - '0' + 1) % 10);
                if (verdict_of_change(text, at, 1, with) == 1)
                    fail_msg("digit %c made %s passes at byte %zu: %.80s", text[at], with, at, text + at);
            }
            at += span;
        } else {
            at++;
        }
    }
    assert_true(scalars > 100);
    put_text(text, strlen(text));
    assert_int_equal(verdict(true), 1);
    free(text);
}

/* ---- mappings of several kinds ---- */

static void test_embedding(void **state)
{
    pp_world w;
    (void)state;
    open_world(&w, "resnet20", 640, 640);
    map_world(&w, test_fabric("5pp", 1, 22, "per_link", "auto"), "none", "1", PP_REDUCE_AUTO);
    write_world(&w);
    assert_int_equal(verdict(true), 1);
    assert_all_changes_caught(5);
    close_world(&w);
}

static void test_row_split_with_copies(void **state)
{
    static const int reduction[] = {PP_REDUCE_STAR, PP_REDUCE_CHAIN, PP_REDUCE_TREE};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        pp_world w;
        open_world(&w, "resnet20", 128, 128);
        map_world(&w, test_fabric(i == 0 ? "mesh" : "torus", 13, 12, "2", "auto"), "32:1x2", "16:2", reduction[i]);
        write_world(&w);
        assert_int_equal(verdict(true), 1);
        assert_all_changes_caught(23);
        close_world(&w);
    }
}

/* Groups (whole ones side by side, and too large for an array), dilation, stride, concatenation, pooling, a
 * linear layer on a map. */
static void write_card(void)
{
    static const char card[] =
        "{\"name\":\"mixed\",\"input\":{\"shape\":[1,4,12,12]},\"layers\":["
        "{\"name\":\"stem\",\"type\":\"conv2d\",\"shape\":[12,4,3,3],\"padding\":1,\"input\":\"input\"},"
        "{\"name\":\"depth\",\"type\":\"conv2d\",\"shape\":[12,1,3,3],\"groups\":12,\"padding\":1,\"input\":\"stem\"},"
        "{\"name\":\"wide\",\"type\":\"conv2d\",\"shape\":[80,6,3,3],\"groups\":2,\"padding\":2,\"dilation\":2,"
        "\"input\":\"depth\"},"
        "{\"name\":\"half\",\"type\":\"conv2d\",\"shape\":[10,80,3,3],\"stride\":2,\"padding\":1,\"input\":\"wide\"},"
        "{\"name\":\"pool\",\"type\":\"max_pool2d\",\"kernel\":2,\"input\":\"wide\"},"
        "{\"name\":\"join\",\"type\":\"concat\",\"inputs\":[\"half\",\"pool\"]},"
        "{\"name\":\"mix\",\"type\":\"conv2d\",\"shape\":[10,90,1,1],\"input\":\"join\",\"add\":\"half\"},"
        "{\"name\":\"small\",\"type\":\"max_pool2d\",\"kernel\":2,\"input\":\"mix\"},"
        "{\"name\":\"flat\",\"type\":\"flatten\",\"input\":\"small\"},"
        "{\"name\":\"out\",\"type\":\"linear\",\"shape\":[7,90],\"input\":\"flat\"}]}";
    FILE *file = fopen(CARD, "wb");
    assert_non_null(file);
    assert_int_equal(fputs(card, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
}

static void test_mixed_layers(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        pp_world w;
        write_card();
        open_world(&w, CARD, 64, 48);
        map_world(&w, test_fabric("mesh", 14, 14, "per_link", "auto"), i ? "none" : "12:1x2,6:2x1", i ? "12:3" : "1",
                  PP_REDUCE_AUTO);
        write_world(&w);
        assert_int_equal(verdict(true), 1);
        assert_all_changes_caught(29);
        close_world(&w);
        assert_int_equal(remove(CARD), 0);
    }
}

/* Cores on switches of their own: ways begin and end at the switch, and may have no channel at all. */
static void test_switches(void **state)
{
    static const char *const kinds[] = {"cmesh", "flatfly", "htree", "fattree", "hypercube", "dragonfly"};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        pp_world w;
        pp_fabric_options o = {.kind = kinds[i], .width_bits = 8, .clock_hz = 625e6, .lanes = 1, .header_bits = 24,
                               .local_ports = "1", .routing = "auto"};
        pp_fabric *fabric = NULL;
        open_world(&w, "resnet20", 640, 640);
        assert_int_equal(pp_fabric_fit(&o, 22), PP_OK);
        assert_int_equal(pp_fabric_build(&fabric, &o), PP_OK);
        map_world(&w, fabric, "none", "1", PP_REDUCE_AUTO);
        write_world(&w);
        assert_int_equal(verdict(true), 1);
        assert_all_changes_caught(31);
        close_world(&w);
    }
}

/* Concatenations, relays, and the constructed embedding. */
static void test_relays(void **state)
{
    pp_world w;
    (void)state;
    open_world(&w, "googlenet:relays=5", 32768, 32768);
    map_world(&w, test_fabric("5pp", 3, 48, "per_link", "auto"), "none", "1", PP_REDUCE_AUTO);
    assert_int_equal(w.m->certificate, PP_CERT_EMBEDDING);
    write_world(&w);
    assert_int_equal(verdict(true), 1);
    assert_all_changes_caught(97);
    close_world(&w);
}

/* Two rows or columns of a torus: channels that share both ends are told apart by number. */
static void test_parallel_channels(void **state)
{
    pp_world w;
    (void)state;
    open_world(&w, "resnet20", 640, 640);
    map_world(&w, test_fabric("torus", 2, 12, "per_link", "auto"), "none", "1", PP_REDUCE_AUTO);
    write_world(&w);
    assert_int_equal(verdict(true), 1);
    close_world(&w);
}

static void test_fabric_from_file(void **state)
{
    pp_world w;
    pp_fabric *grid = test_fabric("5pp", 5, 5, "per_link", "auto");
    (void)state;
    assert_int_equal(pp_fabric_write_graphml(grid, "test_certificate.graphml", true), PP_OK);
    pp_fabric_free(grid);
    open_world(&w, "resnet20", 640, 640);
    map_world(&w, test_fabric("file:test_certificate.graphml", 0, 0, "per_link", "auto"), "none", "1", PP_REDUCE_AUTO);
    write_world(&w);
    assert_int_equal(verdict(true), 1);
    assert_all_changes_caught(37);
    grid = test_fabric("mesh", 5, 5, "per_link", "auto");
    assert_int_equal(pp_fabric_write_graphml(grid, "test_certificate.graphml", true), PP_OK);
    pp_fabric_free(grid);
    assert_int_equal(verdict(false), 0); /* the file is another one now */
    assert_int_equal(remove("test_certificate.graphml"), 0);
    assert_int_equal(verdict(false), 0);
    close_world(&w);
}

/* ---- lies that are whole ---- */

/* Mapping changed before it is written: the certificate is consistent in form, and wrong. */
static void test_wrong_mappings(void **state)
{
    pp_world w;
    (void)state;
    open_world(&w, "resnet20", 640, 640);
    map_world(&w, test_fabric("5pp", 4, 6, "per_link", "auto"), "none", "1", PP_REDUCE_AUTO);
    pp_mapping *m = w.m;

    m->n_flows--; /* an omitted flow */
    write_world(&w);
    assert_int_equal(verdict(false), 0);
    m->n_flows++;

    uint32_t core = m->tile[3].core; /* two tiles on one core */
    m->tile[3].core = m->tile[4].core;
    write_world(&w);
    assert_int_equal(verdict(false), 0);
    m->tile[3].core = core;

    for (int c = 0; c < 3; c++) { /* a certificate too strong or too weak */
        pp_certificate own = m->certificate;
        m->certificate = (pp_certificate)c;
        write_world(&w);
        assert_int_equal(verdict(false), c == (int)own);
        m->certificate = own;
    }

    pp_flow flow = m->flow[2]; /* one flow twice, another left out */
    m->flow[2] = m->flow[1];
    write_world(&w);
    assert_int_equal(verdict(false), 0);
    m->flow[2] = flow;

    m->flow[0].kind = PP_FLOW_RESIDUAL;
    write_world(&w);
    assert_int_equal(verdict(false), 0);
    m->flow[0].kind = PP_FLOW_ACTIVATION;

    write_world(&w);
    assert_int_equal(verdict(true), 1);
    close_world(&w);
}

/* Two ways of one stream that part and meet again are no tree: u -> a over one channel, u -> b over another
 * corner, and then through a. */
static void test_ways_that_meet(void **state)
{
    pp_world w;
    (void)state;
    open_world(&w, "resnet20", 640, 640);
    map_world(&w, test_fabric("5pp", 1, 22, "per_link", "auto"), "none", "1", PP_REDUCE_AUTO);
    pp_mapping *m = w.m;
    uint32_t hop[2] = {PP_NONE, PP_NONE}, changed = PP_NONE;
    /* A residual 0 -> 2 goes 0 -> 1 -> 2 instead: no second way, a tree, but a shared channel. */
    for (uint32_t f = 0; f < m->n_flows && changed == PP_NONE; f++)
        if (m->flow[f].src == 0 && m->flow[f].dst == 2)
            changed = f;
    assert_int_not_equal(changed, PP_NONE);
    for (uint32_t c = 0; c < w.fabric->n_network; c++)
        for (uint32_t h = 0; h < 2; h++)
            if (w.fabric->channel[c].src == h && w.fabric->channel[c].dst == h + 1)
                hop[h] = c;
    uint32_t *hops = realloc(m->hop, (m->n_hops + 2u) * sizeof *hops);
    assert_non_null(hops);
    m->hop = hops;
    m->hop[m->n_hops] = hop[0];
    m->hop[m->n_hops + 1] = hop[1];
    m->flow[changed].first_hop = m->n_hops;
    m->flow[changed].hops = 2;
    for (uint32_t c = 0; c < w.fabric->n_network; c++) {
        m->channel_flows[c] -= w.fabric->channel[c].src == 0 && w.fabric->channel[c].dst == 2;
        m->channel_flows[c] += c == hop[1];
    }
    write_world(&w);
    assert_int_equal(verdict(false), 0);
    m->certificate = PP_CERT_ROUTED;
    write_world(&w);
    assert_int_equal(verdict(true), 1);

    char *text; /* and now by 0 -> 2 -> 1 to tile 1: two ways into cores 1 and 2 */
    read_text(&text);
    char *way = strstr(text, "\"to\": 1,");
    way = way ? strstr(way, "\"way\"") : NULL;
    char *list = way ? strchr(way, '[') : NULL;
    assert_non_null(list);
    assert_int_equal(verdict_of_change(text, (size_t)(list - text), strcspn(list, "]"), "[0, 2, 1"), 0);
    free(text);
    close_world(&w);
}

static void test_unreadable(void **state)
{
    (void)state;
    (void)remove(CERT);
    assert_int_equal(verdict(false), -1);
    put_text("", 0);
    assert_int_equal(verdict(false), -1);
    put_text("[1, 2", 5);
    assert_int_equal(verdict(false), -1);
    put_text("{}", 2);
    assert_int_equal(verdict(false), 0);
    put_text("[]", 2);
    assert_int_equal(verdict(false), 0);
    put_text("3", 1);
    assert_int_equal(verdict(false), 0);
    assert_int_equal(remove(CERT), 0);
}

static void test_keys(void **state)
{
    pp_world w;
    (void)state;
    open_world(&w, "resnet20", 640, 640);
    map_world(&w, test_fabric("5pp", 1, 22, "per_link", "auto"), "none", "1", PP_REDUCE_AUTO);
    write_world(&w);
    char *text;
    read_text(&text);
    assert_int_equal(verdict_of_change(text, 1, 0, "\"seed\": 1,"), 0); /* nothing beside what is checked */
    char *core = strstr(text, "\"core\": ");
    assert_non_null(core);
    assert_int_equal(verdict_of_change(text, (size_t)(core - text), 0, "\"time\": 1, "), 0);
    assert_int_equal(verdict_of_change(text, (size_t)(core - text) + 8, 0, "\"a\", \"b\": "), 0);
    assert_int_equal(verdict_of_change(text, (size_t)(core - text) + 8, 1, "-1"), 0);
    assert_int_equal(verdict_of_change(text, (size_t)(core - text) + 8, 1, "99999999999"), 0);
    assert_int_equal(verdict_of_change(text, (size_t)(core - text) + 8, 1, "[]"), 0);
    free(text);
    close_world(&w);
}

static void test_existing_file_is_kept(void **state)
{
    pp_world w;
    (void)state;
    open_world(&w, "resnet20", 640, 640);
    map_world(&w, test_fabric("5pp", 1, 22, "per_link", "auto"), "none", "1", PP_REDUCE_AUTO);
    put_text("mine", 4);
    assert_int_not_equal(pp_certificate_write(CERT, w.m, &w.q, &w.arch, w.fabric, false), PP_OK);
    char *text;
    read_text(&text);
    assert_string_equal(text, "mine");
    free(text);
    assert_int_equal(pp_certificate_write(CERT, w.m, &w.q, &w.arch, w.fabric, true), PP_OK);
    assert_int_equal(verdict(true), 1); /* a built-in network goes by its own name */
    close_world(&w);
}

static void test_out_of_memory(void **state)
{
    pp_world w;
    bool valid = false;
    char **errors = NULL;
    size_t n_errors = 0;
    pp_status status = PP_ENOMEM;
    (void)state;
    open_world(&w, "resnet20", 640, 640);
    map_world(&w, test_fabric("5pp", 1, 22, "per_link", "auto"), "none", "1", PP_REDUCE_AUTO);
    write_world(&w);
    for (long n = 0; status != PP_OK; n += 1 + n / 8) {
        pp_alloc_fail_after(n);
        status = pp_certificate_verify(CERT, &valid, &errors, &n_errors);
        pp_alloc_fail_after(-1);
        assert_true(status == PP_OK || status == PP_ENOMEM);
    }
    assert_true(valid);
    free(errors);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest mapper_certificate[] = {
        cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_row_split_with_copies),
        cmocka_unit_test(test_mixed_layers),
        cmocka_unit_test(test_switches),
        cmocka_unit_test(test_relays),
        cmocka_unit_test(test_parallel_channels),
        cmocka_unit_test(test_fabric_from_file),
        cmocka_unit_test(test_wrong_mappings),
        cmocka_unit_test(test_ways_that_meet),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_existing_file_is_kept),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(mapper_certificate, NULL, NULL);
}
