/* Replays a corpus without libFuzzer: every file of the folders named, then damaged copies of each: truncated, bits
 * flipped, bytes replaced, pieces doubled, spliced with another file. The damage is drawn from a counter, so that every
 * run does the same. Counts heap bytes where it can and holds them against the target's promise.
 *
 * usage: replay COPIES FOLDER...   damaged copies in all, the same number of each file and at least five */
#include "base/rng.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
#define PP_COUNTS 1
#include <malloc.h>
#else
#define PP_COUNTS 0
#endif

enum { MAX_INPUT = 1 << 20, MAX_FILES = 512 };

typedef struct input {
    char path[512];
    uint8_t *data;
    size_t size;
} input;

static input inputs[MAX_FILES];
static size_t n_inputs;
static uint8_t buffer[2 * MAX_INPUT];

/* ---- what the heap held at most ---- */

static size_t live, peak;

#if PP_COUNTS
/* Interposed on the C library's: also igraph, HDF5 and libyaml are counted. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);
extern void *__libc_memalign(size_t, size_t);

static void *counted(void *p)
{
    if (p) {
        live += malloc_usable_size(p);
        peak = live > peak ? live : peak;
    }
    return p;
}

static void uncounted(void *p)
{
    const size_t bytes = p ? malloc_usable_size(p) : 0;
    live -= bytes < live ? bytes : live;
}

void *malloc(size_t n)
{
    return counted(__libc_malloc(n));
}

void *calloc(size_t n, size_t size)
{
    return counted(__libc_calloc(n, size));
}

void *realloc(void *old, size_t n)
{
    const size_t before = old ? malloc_usable_size(old) : 0;
    void *p = __libc_realloc(old, n);
    if (p || n == 0)
        live -= before < live ? before : live;
    return counted(p);
}

void free(void *p)
{
    uncounted(p);
    __libc_free(p);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    return counted(__libc_memalign(alignment, n));
}

int posix_memalign(void **p, size_t alignment, size_t n)
{
    *p = counted(__libc_memalign(alignment, n));
    return *p ? 0 : ENOMEM;
}
#endif

/* ---- inputs ---- */

static void read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f || n_inputs == MAX_FILES) {
        perror(path);
        exit(1);
    }
    input *in = &inputs[n_inputs++];
    (void)snprintf(in->path, sizeof in->path, "%s", path);
    in->size = fread(buffer, 1, MAX_INPUT, f);
    (void)fclose(f);
    in->data = malloc(in->size + 1);
    if (!in->data)
        exit(1);
    memcpy(in->data, buffer, in->size);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const input *)a)->path, ((const input *)b)->path);
}

static void read_folder(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir) {
        perror(path);
        exit(1);
    }
    for (const struct dirent *e; (e = readdir(dir));) {
        char name[512];
        if (e->d_name[0] != '.' && snprintf(name, sizeof name, "%s/%s", path, e->d_name) < (int)sizeof name)
            read_file(name);
    }
    (void)closedir(dir);
}

/* ---- damage ---- */

static uint64_t draw(pp_rng *rng, uint64_t below)
{
    return below ? pp_rng_u64(rng) % below : 0;
}

static size_t truncated(pp_rng *rng, size_t n)
{
    return (size_t)draw(rng, n + 1);
}

static size_t flipped(pp_rng *rng, size_t n)
{
    for (uint64_t k = 1 + draw(rng, 8); n && k; k--)
        buffer[draw(rng, n)] ^= (uint8_t)(1u << draw(rng, 8));
    return n;
}

/* Bytes that mean something to parsers: signs, quotes, brackets, ends of ranges. */
static size_t replaced(pp_rng *rng, size_t n)
{
    static const char special[] = "\0\1\177\200\377-+.eE09\"'{}[]<>/\\:,;# \n\t&!|*%";
    for (uint64_t k = 1 + draw(rng, 4); n && k; k--)
        buffer[draw(rng, n)] = (uint8_t)special[draw(rng, sizeof special - 1)];
    return n;
}

static size_t doubled(pp_rng *rng, size_t n)
{
    const size_t at = (size_t)draw(rng, n + 1), rest = n - at, len = (size_t)draw(rng, (rest < 4096 ? rest : 4096) + 1);
    memmove(buffer + at + len, buffer + at, rest);
    return n + len;
}

static size_t cut(pp_rng *rng, size_t n)
{
    const size_t at = (size_t)draw(rng, n + 1), len = (size_t)draw(rng, n - at + 1);
    memmove(buffer + at, buffer + at + len, n - at - len);
    return n - len;
}

static size_t spliced(pp_rng *rng, size_t n)
{
    const input *other = &inputs[draw(rng, n_inputs)];
    const size_t at = (size_t)draw(rng, n + 1), from = (size_t)draw(rng, other->size + 1);
    const size_t room = sizeof buffer - at, len = other->size - from < room ? other->size - from : room;
    memcpy(buffer + at, other->data + from, len);
    return at + len;
}

/* A number, or four bytes, become extreme. */
static size_t extreme(pp_rng *rng, size_t n)
{
    static const char *const words[] = {"-1", "0", "1e308", "4294967296", "99999999999999999999", "nan", "null", "-0.0"};
    static const uint8_t ends[4][8] = {{255, 255, 255, 255, 255, 255, 255, 255}, {0}, {0, 0, 0, 128}, {255, 255, 255, 127}};
    const size_t at = (size_t)draw(rng, n + 1);
    const void *what = ends[draw(rng, 4)];
    size_t len = 8;
    if (draw(rng, 2)) {
        what = words[draw(rng, sizeof words / sizeof *words)];
        len = strlen(what);
    }
    if (at + len > n)
        return n;
    memcpy(buffer + at, what, len);
    return n;
}

static size_t damage(pp_rng *rng, const input *in)
{
    static size_t (*const ways[])(pp_rng *, size_t) = {truncated, flipped, replaced, doubled, cut, spliced, extreme};
    memcpy(buffer, in->data, in->size);
    size_t n = in->size;
    for (uint64_t k = 1 + draw(rng, 3); k; k--) {
        n = ways[draw(rng, sizeof ways / sizeof *ways)](rng, n);
        n = n < MAX_INPUT ? n : MAX_INPUT;
    }
    return n;
}

/* ---- running ---- */

static size_t worst_bytes, worst_size;
static const char *now_path;
static long now_round;

/* Copies the input to the end of its own block, so that reading past it is seen by a sanitizer. */
static void one(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        exit(1);
    memcpy(copy, data, size);
    const size_t before = live;
    peak = live;
    (void)LLVMFuzzerTestOneInput(copy, size);
    const size_t bytes = peak > before ? peak - before : 0;
    if (bytes > worst_bytes) {
        worst_bytes = bytes;
        worst_size = size;
    }
    if (PP_COUNTS && bytes > pp_fuzz_memory(size)) {
        (void)fprintf(stderr, "%s, round %ld: %zu bytes of heap for an input of %zu; at most %zu are promised\n", now_path,
                      now_round, bytes, size, pp_fuzz_memory(size));
        abort();
    }
    free(copy);
}

/* Says which input it was when a signal ends the run: sanitizers abort, traps are SIGILL. */
static void remember(const input *in, long round, const uint8_t *data, size_t size)
{
    now_path = in->path;
    now_round = round;
    const char *to = getenv("PP_FUZZ_LAST");
    FILE *f = to ? fopen(to, "wb") : NULL;
    if (f) {
        (void)fwrite(data, 1, size, f);
        (void)fclose(f);
    }
    one(data, size);
}

int main(int argc, char **argv)
{
    const long copies = argc > 2 ? strtol(argv[1], NULL, 10) : -1;
    if (copies < 0) {
        (void)fprintf(stderr, "usage: %s COPIES FOLDER...\n", argv[0]);
        return 2;
    }
    for (int i = 2; i < argc; i++)
        read_folder(argv[i]);
    qsort(inputs, n_inputs, sizeof *inputs, by_path);
    if (n_inputs == 0) {
        (void)fprintf(stderr, "no input\n");
        return 1;
    }
    const long each = copies / (long)n_inputs, rounds = each < 5 ? 5 : each;
    for (size_t i = 0; i < n_inputs; i++) {
        remember(&inputs[i], -1, inputs[i].data, inputs[i].size);
        for (long round = 0; round < rounds; round++) {
            pp_rng rng = pp_rng_make(i + 1, (uint64_t)round);
            const size_t size = damage(&rng, &inputs[i]);
            remember(&inputs[i], round, buffer, size);
        }
    }
    (void)printf("%zu files, %ld damaged copies of each", n_inputs, rounds);
    if (PP_COUNTS)
        (void)printf("; most heap: %zu bytes for an input of %zu", worst_bytes, worst_size);
    (void)printf("\n");
    for (size_t i = 0; i < n_inputs; i++)
        free(inputs[i].data);
    return 0;
}
