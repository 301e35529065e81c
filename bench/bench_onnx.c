/* Import of a large ONNX file: time and anonymous memory.
 *
 * usage: pp_bench_onnx [MEGABYTES [FOLDER]]
 *
 * Writes a chain of convolutions of 1024 x 1024 weights, each with a batch norm and a ReLU, and a last matrix product,
 * MEGABYTES (100) in all, once with the weights inside and once in a file beside it. Prints how long
 * pp_network_from_onnx takes, against a plain read of the file and against its SHA-256 alone in the same process; how
 * much memory of the heap the network holds; and whether the import succeeds with RLIMIT_DATA at 0.2 times the file's
 * size plus one operator's weights above what the process has. */
#define _GNU_SOURCE
#include "workloads/onnx.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WIDTH = 1024, LAYER_BYTES = WIDTH * WIDTH * 4 };

typedef struct text {
    uint8_t *data;
    size_t len, cap;
} text;

static void put(text *t, const void *data, size_t n)
{
    while (t->len + n > t->cap) {
        t->cap = t->cap ? 2 * t->cap : 4096;
        t->data = realloc(t->data, t->cap);
        if (!t->data)
            exit(1);
    }
    memcpy(t->data + t->len, data, n);
    t->len += n;
}

static void put_varint(text *t, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        put(t, &(uint8_t){(uint8_t)(v | 0x80)}, 1);
    put(t, &(uint8_t){(uint8_t)v}, 1);
}

static void put_int(text *t, uint32_t field, uint64_t v)
{
    put_varint(t, field << 3);
    put_varint(t, v);
}

static void put_bytes(text *t, uint32_t field, const void *data, size_t n)
{
    put_varint(t, field << 3 | 2);
    put_varint(t, n);
    put(t, data, n);
}

static void put_text(text *t, uint32_t field, const char *s)
{
    put_bytes(t, field, s, strlen(s));
}

static void put_message(text *t, uint32_t field, text *m)
{
    put_bytes(t, field, m->data, m->len);
    free(m->data);
    *m = (text){0};
}

static void put_pair(text *t, const char *key, const char *value)
{
    text pair = {0};
    put_text(&pair, 1, key);
    put_text(&pair, 2, value);
    put_message(t, 13, &pair);
}

/* A tensor of floats; with `beside` its bytes go there. */
static void put_tensor(text *graph, const char *name, const uint64_t *dim, uint32_t ndim, const float *values,
                       FILE *beside)
{
    text t = {0};
    size_t n = 4;
    for (uint32_t i = 0; i < ndim; i++) {
        put_int(&t, 1, dim[i]);
        n *= dim[i];
    }
    put_int(&t, 2, 1);
    put_text(&t, 8, name);
    if (beside) {
        char number[32];
        put_pair(&t, "location", "bench.bin");
        snprintf(number, sizeof number, "%ld", ftell(beside));
        put_pair(&t, "offset", number);
        snprintf(number, sizeof number, "%zu", n);
        put_pair(&t, "length", number);
        put_int(&t, 14, 1);
        fwrite(values, 1, n, beside);
    } else {
        put_bytes(&t, 9, values, n);
    }
    put_message(graph, 5, &t);
}

static void put_node(text *graph, const char *op, const char *const *in, uint32_t n, const char *out)
{
    text node = {0};
    for (uint32_t i = 0; i < n; i++)
        put_text(&node, 1, in[i]);
    put_text(&node, 2, out);
    put_text(&node, 4, op);
    put_message(graph, 1, &node);
}

static void put_layer(text *graph, uint32_t i, const float *values, FILE *beside)
{
    static const char *const part[] = {"w", "s", "b", "m", "v"};
    char name[8][32];
    const uint64_t square[4] = {WIDTH, WIDTH, 1, 1}, line[1] = {WIDTH};
    for (uint32_t k = 0; k < 5; k++) {
        snprintf(name[k], sizeof name[k], "%s%u", part[k], i);
        put_tensor(graph, name[k], k ? line : square, k ? 1 : 4, k == 4 ? values + 1 : values, k ? NULL : beside);
    }
    snprintf(name[5], sizeof name[5], "x%u", i);
    snprintf(name[6], sizeof name[6], "c%u", i);
    snprintf(name[7], sizeof name[7], "n%u", i);
    put_node(graph, "Conv", (const char *const[]){name[5], name[0]}, 2, name[6]);
    put_node(graph, "BatchNormalization", (const char *const[]){name[6], name[1], name[2], name[3], name[4]}, 5,
             name[7]);
    snprintf(name[5], sizeof name[5], "x%u", i + 1);
    put_node(graph, "Relu", (const char *const[]){name[7]}, 1, name[5]);
}

static void put_info(text *graph, uint32_t field, const char *name)
{
    const uint64_t dim[4] = {1, WIDTH, 1, 1};
    text shape = {0}, tensor = {0}, type = {0}, info = {0};
    for (uint32_t i = 0; i < 4; i++) {
        text d = {0};
        put_int(&d, 1, dim[i]);
        put_message(&shape, 1, &d);
    }
    put_int(&tensor, 1, 1);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&info, 1, name);
    put_message(&info, 2, &type);
    put_message(graph, field, &info);
}

static void write_model(const char *path, uint32_t layers, FILE *beside)
{
    text graph = {0}, set = {0}, head = {0};
    char last[32];
    float *values = malloc(LAYER_BYTES);
    FILE *f = fopen(path, "wb");
    if (!f || !values)
        exit(1);
    for (size_t i = 0; i < LAYER_BYTES / 4; i++)
        values[i] = 0.001f * (float)(i % 997) + 0.01f;
    put_info(&graph, 11, "x0");
    for (uint32_t i = 0; i < layers; i++)
        put_layer(&graph, i, values, beside);
    snprintf(last, sizeof last, "x%u", layers);
    put_info(&graph, 12, last);
    put_int(&set, 2, 17);
    put_int(&head, 1, 8);
    put_message(&head, 8, &set);
    put_varint(&head, 7 << 3 | 2);
    put_varint(&head, graph.len);
    fwrite(head.data, 1, head.len, f);
    fwrite(graph.data, 1, graph.len, f);
    fclose(f);
    free(graph.data);
    free(head.data);
    free(values);
}

/* A line of /proc/self/status, in bytes. */
static double status_bytes(const char *key)
{
    char line[256];
    double value = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtod(line + strlen(key) + 1, NULL) * 1024;
    if (f)
        fclose(f);
    return value;
}

/* Bytes that the heap has given out. */
static double heap(void)
{
    struct mallinfo2 m = mallinfo2();
    return (double)m.uordblks + (double)m.hblkhd;
}

static double read_once(const char *path, bool hash)
{
    static uint8_t block[1 << 20];
    double start = pp_clock_s();
    FILE *f = fopen(path, "rb");
    pp_sha256 h;
    char hex[65];
    pp_sha256_begin(&h);
    for (size_t n; f && (n = fread(block, 1, sizeof block, f)) > 0;)
        if (hash)
            pp_sha256_add(&h, block, n);
    pp_sha256_end(&h, hex);
    if (f)
        fclose(f);
    return pp_clock_s() - start;
}

/* The import with no more anonymous memory than that. */
static bool within(const char *path, double bytes)
{
    pid_t child = fork();
    if (child == 0) {
        pp_network *net = NULL;
        rlim_t most = (rlim_t)(status_bytes("VmData:") + bytes);
        struct rlimit limit = {most, most};
        _exit(setrlimit(RLIMIT_DATA, &limit) != 0 || pp_network_from_onnx(&net, path) != PP_OK);
    }
    int how = 1;
    return child > 0 && waitpid(child, &how, 0) == child && how == 0;
}

static int measure(const char *name, const char *path, const char *data, double size)
{
    pp_network *net = NULL;
    double plain = read_once(data, false), hash = read_once(data, true), limit = 0.2 * size + LAYER_BYTES;
    bool fits = within(path, limit);
    double before = heap(), start = pp_clock_s();
    pp_status status = pp_network_from_onnx(&net, path);
    double took = pp_clock_s() - start, held = heap() - before;
    if (status != PP_OK) {
        printf("%s\n", pp_error_text());
        return 1;
    }
    printf("%-8s %.1f MB, %u operators: %.3f s (%.0f MB/s); plain read %.3f s, SHA-256 %.3f s: %.2f times both\n", name,
           size / 1e6, net->n_ops, took, size / 1e6 / took, plain, hash, took / (plain + hash));
    printf("         heap held: %.2f MB = %.4f of the file; anonymous limit of %.1f MB (0.2 x + one layer): %s\n",
           held / 1e6, held / size, limit / 1e6, fits ? "kept" : "EXCEEDED");
    pp_network_free(net);
    return !fits;
}

int main(int argc, char **argv)
{
    double megabytes = argc > 1 ? strtod(argv[1], NULL) : 100;
    uint32_t layers = megabytes > 8 ? (uint32_t)(megabytes * 1e6 / LAYER_BYTES + 0.5) : 2;
    double size = (double)layers * LAYER_BYTES;
    if (chdir(argc > 2 ? argv[2] : "/tmp") != 0)
        return 1;
    FILE *beside = fopen("bench.bin", "wb");
    if (!beside)
        return 1;
    write_model("bench-inside.onnx", layers, NULL);
    write_model("bench-beside.onnx", layers, beside);
    fclose(beside);
    int rc = measure("inside", "bench-inside.onnx", "bench-inside.onnx", size) |
             measure("beside", "bench-beside.onnx", "bench.bin", size);
    remove("bench-inside.onnx");
    remove("bench-beside.onnx");
    remove("bench.bin");
    return rc;
}
