/* onnx_run MODEL INPUT OUTPUT [first|last [last]]: float32 elements of INPUT, one image in the order of the model's own
 * input ([C][H][W], or [H][W][C] with `last`), through the network made of MODEL. OUTPUT: its results, float32, in the
 * order [C][H][W], or [H][W][C] with the second `last`. */
#include "workloads/onnx_internal.h"
#include "workloads/workloads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int report(void)
{
    fprintf(stderr, "onnx_run: %s\n", pp_error_text());
    return 1;
}

/* Element (h, w, c) of the network's input in the order of the file's: [C][H][W], or [H][W][C] when `last`. */
static size_t place(pp_shape s, bool last, size_t h, size_t w, size_t c)
{
    return last ? (h * s.w + w) * s.c + c : (c * s.h + h) * s.w + w;
}

static int run(const pp_network *net, bool last, bool last_out, const float *given, FILE *to)
{
    pp_shape s = net->ops[0].out, o = net->ops[net->output].out;
    float *in = malloc((size_t)s.h * s.w * s.c * sizeof *in), **results = NULL;
    if (!in)
        return 1;
    for (size_t h = 0, i = 0; h < s.h; h++)
        for (size_t w = 0; w < s.w; w++)
            for (size_t c = 0; c < s.c; c++)
                in[i++] = given[place(s, last, h, w, c)];
    if (pp_ref_run(net, in, &results) != PP_OK) {
        free(in);
        return report();
    }
    size_t pixels = (size_t)o.h * o.w;
    for (size_t i = 0; i < pixels * o.c; i++)
        fwrite(&results[net->output][last_out ? i : i % pixels * o.c + i / pixels], sizeof(float), 1, to);
    pp_ref_free(net, results);
    free(in);
    return 0;
}

int main(int argc, char **argv)
{
    pp_network *net = NULL;
    pp_file *in = NULL;
    if (argc < 4 || argc > 6) {
        fprintf(stderr, "usage: onnx_run MODEL INPUT OUTPUT [first|last [last]]\n");
        return 2;
    }
    if (pp_model_open(&net, argv[1]) != PP_OK || pp_file_map(&in, argv[2]) != PP_OK)
        return report();
    pp_shape s = net->ops[0].out;
    FILE *to = in->size == (size_t)s.h * s.w * s.c * sizeof(float) ? fopen(argv[3], "wb") : NULL;
    int rc = to ? run(net, argc > 4 && strcmp(argv[4], "last") == 0, argc > 5, (const float *)(const void *)in->data, to) : 1;
    if (!to)
        fprintf(stderr, "onnx_run: %s holds %zu bytes, the input is %ux%ux%u\n", argv[2], in->size, s.h, s.w, s.c);
    else if (fclose(to) != 0)
        rc = 1;
    if (rc == 0)
        printf("%s%s\n", net->name, net->note[0] ? " (logits)" : "");
    pp_file_unmap(in);
    pp_network_free(net);
    return rc;
}
