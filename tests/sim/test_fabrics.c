/* Small networks on fabrics of every build: the mapping holds all its invariants (loads against a sum over all
 * packets), and the traffic that the simulation measures on each channel is the one computed beforehand, to the bit. */
#include "tests/sim/sim_fixture.h"

static const char *const kinds[] = {"5pp",   "mesh",      "torus",   "cmesh", "flatfly", "hypercube",
                                    "htree", "fattree",   "k5prism", "tree",  "dragonfly", "express"};

typedef void (*make)(fixture *f, pp_shape input);

static void on_every_fabric(make network, pp_shape input, int64_t size, const char *copies)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        mapped x;
        pp_sim_options options = sim_options(3, PP_SWITCH_VCT);
        pp_map_options how = fixture_options("none", copies);
        pp_fabric_options fabric = sim_fabric(kinds[k], 0, 0, 1);
        memset(&x, 0, sizeof x);
        network(&x.f, input);
        x.arch = fixture_arch(size);
        fabric.header_bits = 24;
        how.effort = 5;
        sim_map(&x, fabric, &how);
        pp_run_result *r = sim_run(&x, &options);
        sim_conserves(&x, r, false);
        pp_run_result_free(r);
        sim_unmap(&x);
    }
}

static void test_residual(void **state)
{
    (void)state;
    on_every_fabric(fixture_residual, (pp_shape){8, 8, 3}, 32, "1");
}

static void test_inception(void **state)
{
    (void)state;
    on_every_fabric(fixture_inception, (pp_shape){8, 8, 3}, 40, "1");
}

int main(void)
{
    const struct CMUnitTest sim_fabrics[] = {
        cmocka_unit_test(test_residual),
        cmocka_unit_test(test_inception),
    };
    return cmocka_run_group_tests(sim_fabrics, NULL, NULL);
}
