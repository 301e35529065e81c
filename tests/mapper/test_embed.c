/* What embeds in what: exact search over small fabrics, and constructed embeddings of whole networks. */
#include "tests/mapper/fixture.h"

#include "tests/mapper/fabrics.h"
#include "tests/mapper/gaps.h"
#include "tests/mapper/guests.h"

static pp_fabric *fabric_of(const char *kind, int64_t rows, int64_t cols, const char *row_direction,
                            const char *routing)
{
    const pp_fabric_options options = {.kind = kind,
                                       .rows = rows,
                                       .cols = cols,
                                       .reach = 2,
                                       .row_direction = row_direction,
                                       .width_bits = 8,
                                       .clock_hz = 625e6,
                                       .lanes = 1,
                                       .header_bits = 24,
                                       .local_ports = "per_link",
                                       .routing = routing};
    pp_fabric *fabric = NULL;
    must(pp_fabric_build(&fabric, &options));
    return fabric;
}

/* Every edge of the guest is a channel, no two vertices on one core. */
static void assert_embeds(const pp_fabric *f, const pp_guest *g, const uint32_t *core)
{
    for (uint32_t v = 0; v < g->n; v++)
        for (uint32_t u = 0; u < v; u++)
            assert_int_not_equal(core[v], core[u]);
    for (uint32_t e = 0; e < g->edges; e++) {
        bool there = false;
        for (uint32_t c = 0; c < f->n_network; c++)
            there = there || (f->vertex[f->channel[c].src].core == core[g->from[e]] &&
                              f->vertex[f->channel[c].dst].core == core[g->to[e]]);
        assert_true(there);
    }
}

enum { HOSTS = 4 };

typedef struct row {
    const char *what;
    pp_guest guest;
    const char *answer; /* mesh, 5pp, 5pp with rows one way, K5 x P8: y, n; '.' is not asked here */
} row;

/* The table of docs/mapping.md sec. 7. */
static void test_table(void **state)
{
    static const uint32_t narrow[4] = {1, 2, 2, 1}, wide[4] = {1, 3, 3, 1};
    row rows[] = {
        {"chain of 8", guest_chain(8), "yyyy"},
        {"3 basic blocks", guest_residual(3, 2, 0), "nyyn"},
        {"1 basic block with a layer in the shortcut", guest_residual(1, 2, 1), "yyyy"},
        {"2 bottleneck blocks", guest_residual(2, 3, 0), "yyyy"},
        {"1 module (1,2,2,1)", guest_inception(1, narrow, 0), "nyny"},
        {"2 modules (1,2,2,1), joined and fanned out on different cores", guest_inception(2, narrow, 1), "nyn."},
        {"2 modules (1,3,3,1), the same", guest_inception(2, wide, 1), "ny.y"},
        {"2 modules (1,2,2,1), joined and fanned out on one core", guest_inception(2, narrow, 0), "nnnn"},
        {"1 block of row-split layers", guest_row_split(1), ".yn."},
        {"2 blocks of row-split layers", guest_row_split(2), ".n.."},
    };
    pp_fabric *host[HOSTS] = {fabric_of("mesh", 8, 8, "both", "auto"), fabric_of("5pp", 8, 8, "both", "auto"),
                              fabric_of("5pp", 8, 8, "forward", "auto"), fabric_of("k5prism", 5, 8, "both", "auto")};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t h = 0; h < HOSTS; h++) {
            const pp_guest *g = &rows[i].guest;
            bool found, exhausted;
            uint32_t core[64];
            if (rows[i].answer[h] == '.')
                continue;
            must(pp_graph_embed(host[h], g->n, g->from, g->to, g->edges, NULL, NULL, 0, &found, &exhausted, core));
            if (!exhausted || found != (rows[i].answer[h] == 'y'))
                fail_msg("%s on host %zu: found %d", rows[i].what, h, found);
            if (found)
                assert_embeds(host[h], g, core);
        }
    for (size_t h = 0; h < HOSTS; h++)
        pp_fabric_free(host[h]);
}

typedef struct member {
    const char *model;
    uint32_t tiles;
} member;

/* One layer a core on 5pp with free sizes: the constructed embedding, and all invariants of the mapping. */
static void test_networks_embed(void **state)
{
    static const member members[] = {{"resnet20", 22}, {"resnet50", 54}, {"densenet121", 237},
                                     {"googlenet:relays=5", 102}, {"inception-v3:relays=5", 136}};
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        fixture f;
        pp_network *net;
        pp_mapping *m = NULL;
        pp_fabric *fabric = NULL;
        const pp_arch arch = fixture_arch(65536);
        const pp_channel channel = fixture_channel(1);
        pp_map_options options = fixture_options("none", "1");
        pp_fabric_options o = {.kind = "5pp", .reach = 2, .row_direction = "both", .width_bits = 8, .clock_hz = 625e6,
                               .lanes = 1, .local_ports = "per_link", .routing = "auto"};
        must(pp_model_open(&net, members[i].model));
        fixture_quantize(&f, net);
        must(pp_map_plan(&m, &f.q, &arch, &channel, 0, &options));
        must(pp_map_fabric(&fabric, &o, m));
        must(pp_map_place(m, fabric, &options, 1, NULL));
        assert_int_equal(m->n_tiles, members[i].tiles);
        assert_int_equal(m->certificate, PP_CERT_EMBEDDING);
        assert_int_equal(m->single_channel_flows, m->n_flows);
        pp_mapping_free(m);
        pp_fabric_free(fabric);
        fixture_free(&f);
    }
}

/* Within 10 % of the best of all placements; bench/bench_place.c has twelve cases. */
static void test_near_the_optimum(void **state)
{
    const uint32_t branch[4] = {1, 1, 1, 1};
    pp_guest guests[] = {guest_residual(2, 2, 0), guest_row_split(1), guest_inception(1, branch, 0)};
    pp_fabric *fabrics[] = {fabric_of("mesh", 2, 3, "both", "xy"), fabric_of("5pp", 2, 3, "both", "xy")};
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        for (size_t g = 0; g < 3; g++) {
            pp_gap_problem p;
            uint64_t found = 0;
            must(gap_open(&p, guests[g], fabrics[f]));
            uint64_t optimum = gap_optimum(&p);
            must(gap_search(&p, 1, &found));
            assert_true(found >= optimum && 10 * found <= 11 * optimum);
        }
        pp_fabric_free(fabrics[f]);
    }
}

int main(void)
{
    const struct CMUnitTest mapper_embed[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_networks_embed),
        cmocka_unit_test(test_near_the_optimum),
    };
    return cmocka_run_group_tests(mapper_embed, NULL, NULL);
}
