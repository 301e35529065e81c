/* The settings that belong to the run as a whole, and the list of all tables. */
#include "arch/cost.h"
#include "cli/session.h"
#include "sim/noise.h"
#include "workloads/lm_graph.h"

static const pp_knob workload_knobs[] = {
    {"workload", "model", PP_KNOB_TEXT, "", "resnet32-cifar10", 0, 0, NULL,
     "network: a built-in name (`pentaprism model list`) or a file: .safetensors with its card, .onnx, .tflite, .graphml; language models: a folder",
     offsetof(pp_workload_options, model)},
    {"workload", "models", PP_KNOB_TEXT, "", "", 0, 0, NULL,
     "infer: networks side by side, a list; empty: workload.model", offsetof(pp_workload_options, models)},
    {"workload", "data", PP_KNOB_TEXT, "", "auto", 0, 0, NULL,
     "labelled images for top-1: auto, a built-in name (cifar10-test-1000, fashion-mnist) or a path: CIFAR-10 or IDX files, a "
     "folder of images with a folder a class (FOLDER:size=HxW brings them to one size)",
     offsetof(pp_workload_options, data)},
    {"workload", "images", PP_KNOB_INT, "images", "1000", 0, 1000000, NULL,
     "images evaluated for top-1 (at most what the data holds); 0: timing alone",
     offsetof(pp_workload_options, images)},
    {"workload", "tokens", PP_KNOB_INT, "tokens", "4096", 2, 1000000000, NULL,
     "infer: tokens of the text that a language model is scored on (at most what it holds)", offsetof(pp_workload_options, tokens)},
    {"workload", "window", PP_KNOB_INT, "tokens", "512", 2, 1048576, NULL,
     "infer: the text is cut into windows of so many tokens, without overlap", offsetof(pp_workload_options, window)},
};

static const pp_knob run_knobs[] = {
    {"simulate", "seed", PP_KNOB_INT, "", "1", 0, 9007199254740991.0, NULL,
     "seed of everything random; --seed sets it", offsetof(pp_run_options, seed)},
};

pp_knob_table pp_workload_knobs(void)
{
    return (pp_knob_table){workload_knobs, sizeof workload_knobs / sizeof *workload_knobs};
}

pp_knob_table pp_run_knobs(void)
{
    return (pp_knob_table){run_knobs, sizeof run_knobs / sizeof *run_knobs};
}

const pp_knob_table *pp_all_knobs(size_t *n)
{
    static pp_knob_table all[14];
    all[0] = pp_workload_knobs();
    all[1] = pp_quant_knobs();
    all[2] = pp_arch_knobs();
    all[3] = pp_fabric_knobs();
    all[4] = pp_map_knobs();
    all[5] = pp_sim_knobs();
    all[6] = pp_run_knobs();
    all[7] = pp_cost_knobs();
    all[8] = pp_device_knobs();
    all[9] = pp_noise_knobs();
    all[10] = pp_lm_graph_knobs();
    all[11] = pp_lmq_knobs();
    all[12] = pp_token_knobs();
    all[13] = pp_lm_map_knobs();
    *n = sizeof all / sizeof *all;
    return all;
}
