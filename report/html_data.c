/* All datasets of a report as JSON for the page's script. Columns stand one by one, in the shortest of these forms:
 *   [v, v, ...]             as they are
 *   {"z": text, "d": 0|1}   integers in letters; d 1: each as the difference from the one before
 *   {"c": v}                the same in every row
 *   {"s": first, "d": step} even steps
 *   {"r": list, "m": n}     runs: v, count, v, count ...; the list of n entries is one of the first two
 * and texts and numbers that come again as {"k": [values], "i": one of these}. Integers beyond 2^53 are strings, NaN is
 * null. */
#include "report/html_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROWS 400000 /* of a table in the page */
#define MAX_WORDS 1024  /* of a text column's list */

static bool same(const pp_content_column *c, size_t a, size_t b)
{
    switch (c->kind) {
    case PP_CELL_TEXT:
        return strcmp(pp_content_text(c, a), pp_content_text(c, b)) == 0;
    case PP_CELL_F64:
        return c->f64[a] == c->f64[b] || (isnan(c->f64[a]) && isnan(c->f64[b]));
    default:
        return c->u64[a] == c->u64[b];
    }
}

static void put_value(FILE *f, const pp_content_column *c, size_t row)
{
    char text[48];
    if (c->kind == PP_CELL_TEXT) {
        pp_html_json_text(f, pp_content_text(c, row));
        return;
    }
    pp_content_print(c, row, text, sizeof text);
    bool wide = c->kind != PP_CELL_F64 && fabs(pp_content_number(c, row)) >= 9007199254740992.0;
    if (c->kind == PP_CELL_F64 && isnan(c->f64[row]))
        fputs("null", f);
    else
        fprintf(f, wide || (c->kind == PP_CELL_F64 && isinf(c->f64[row])) ? "\"%s\"" : "%s", text);
}

static bool even_steps(const pp_content_column *c, size_t n, int64_t *step)
{
    if (c->kind == PP_CELL_F64 || c->kind == PP_CELL_TEXT || n < 2)
        return false;
    const int64_t most = INT64_C(1) << 52;
    if (c->i64[0] < -most || c->i64[0] > most || c->i64[1] < -most || c->i64[1] > most)
        return false;
    *step = c->i64[1] - c->i64[0];
    for (size_t i = 2; i < n; i++)
        if (c->i64[i] < -most || c->i64[i] > most || c->i64[i] - c->i64[i - 1] != *step)
            return false;
    return true;
}

static size_t count_runs(const pp_content_column *c, size_t n)
{
    size_t runs = n > 0 ? 1 : 0;
    for (size_t i = 1; i < n; i++)
        runs += !same(c, i, i - 1);
    return runs;
}

/* ---- integers in letters ---- */

#define Z_MOST (INT64_C(1) << 50)

/* Five bits a letter, the lowest first, 32 added while more follow; the sign is the lowest bit. */
static unsigned put_letters(FILE *f, int64_t v)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    uint64_t bits = v < 0 ? ((uint64_t)-v << 1) + 1 : (uint64_t)v << 1;
    unsigned n = 0;
    do {
        const unsigned five = (unsigned)(bits & 31);
        bits >>= 5;
        if (f != NULL)
            fputc(letters[five + (bits > 0 ? 32 : 0)], f);
        n++;
    } while (bits > 0);
    return n;
}

static size_t digits_of(int64_t v)
{
    size_t n = v < 0 ? 2 : 1;
    for (uint64_t u = v < 0 ? (uint64_t)-v : (uint64_t)v; u >= 10; u /= 10)
        n++;
    return n;
}

/* As the shortest of digits, letters and letters of differences. */
static void put_integers(FILE *f, const int64_t *v, size_t n)
{
    size_t plain = 1, letters = 16, steps = 16;
    for (size_t i = 0; i < n; i++) {
        plain += digits_of(v[i]) + 1;
        letters += put_letters(NULL, v[i]);
        steps += put_letters(NULL, v[i] - (i > 0 ? v[i - 1] : 0));
    }
    if (plain <= letters && plain <= steps) {
        fputc('[', f);
        for (size_t i = 0; i < n; i++)
            fprintf(f, i > 0 ? ",%" PRId64 : "%" PRId64, v[i]);
        fputc(']', f);
        return;
    }
    const bool by_steps = steps < letters;
    fputs("{\"z\":\"", f);
    for (size_t i = 0; i < n; i++)
        (void)put_letters(f, v[i] - (by_steps && i > 0 ? v[i - 1] : 0));
    fprintf(f, "\",\"d\":%d}", by_steps);
}

static bool are_small(const pp_content_column *c, size_t n)
{
    if (c->kind != PP_CELL_U64 && c->kind != PP_CELL_I64)
        return false;
    for (size_t i = 0; i < n; i++)
        if (fabs(pp_content_number(c, i)) > (double)Z_MOST)
            return false;
    return true;
}

/* ---- runs ---- */

static void put_run_list(FILE *f, const pp_content_column *c, size_t n)
{
    size_t start = 0;
    fputc('[', f);
    for (size_t i = 1; i <= n; i++) {
        if (i < n && same(c, i, start))
            continue;
        fputs(start > 0 ? "," : "", f);
        put_value(f, c, start);
        fprintf(f, ",%zu", i - start);
        start = i;
    }
    fputc(']', f);
}

static void put_runs(FILE *f, const pp_content_column *c, size_t n, size_t runs)
{
    int64_t *list = are_small(c, n) ? pp_alloc(2 * runs, sizeof *list) : NULL;
    size_t start = 0, k = 0;
    fputs("{\"r\":", f);
    for (size_t i = 1; list != NULL && i <= n; i++) {
        if (i < n && same(c, i, start))
            continue;
        list[k++] = c->i64[start];
        list[k++] = (int64_t)(i - start);
        start = i;
    }
    if (list != NULL)
        put_integers(f, list, k);
    else
        put_run_list(f, c, n);
    fprintf(f, ",\"m\":%zu}", 2 * runs);
    free(list);
}

static void put_plain(FILE *f, const pp_content_column *c, size_t n)
{
    int64_t step = 0;
    size_t runs = count_runs(c, n);
    if (n > 1 && runs == 1) {
        fputs("{\"c\":", f);
        put_value(f, c, 0);
        fputc('}', f);
    } else if (even_steps(c, n, &step)) {
        fprintf(f, "{\"s\":%" PRId64 ",\"d\":%" PRId64 "}", c->i64[0], step);
    } else if (4 * runs < n) {
        put_runs(f, c, n, runs);
    } else if (are_small(c, n)) {
        put_integers(f, c->i64, n);
    } else {
        fputc('[', f);
        for (size_t i = 0; i < n; i++) {
            fputs(i > 0 ? "," : "", f);
            put_value(f, c, i);
        }
        fputc(']', f);
    }
}

/* ---- values that come again ---- */

typedef struct ranked {
    double value;
    size_t row;
} ranked;

/* NaN last; equal values by row, so that the order is one. */
static int by_value(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    if (isnan(a->value) != isnan(b->value))
        return isnan(a->value) ? 1 : -1;
    if (!isnan(a->value) && a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

/* Numbers of the values, and the row of each value's first; the number of values. */
static size_t rank_values(const pp_content_column *c, size_t n, ranked *r, uint64_t *index, size_t *first)
{
    size_t n_values = 0;
    for (size_t i = 0; i < n; i++)
        r[i] = (ranked){c->f64[i], i};
    qsort(r, n, sizeof *r, by_value);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !same(c, r[i].row, r[i - 1].row) || signbit(r[i].value) != signbit(r[i - 1].value))
            first[n_values++] = r[i].row;
        index[r[i].row] = n_values - 1;
    }
    return n_values;
}

/* Numbers of a text column's words, and the rows where the words stand first; false: too many for a list. */
static bool list_words(const pp_content_column *c, size_t n, uint64_t *index, size_t *first, size_t *n_words)
{
    *n_words = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        if (i > 0 && same(c, i, i - 1))
            k = index[i - 1];
        else
            while (k < *n_words && !same(c, i, first[k]))
                k++;
        if (k == *n_words) {
            if (k == MAX_WORDS || k > n / 2)
                return false;
            first[(*n_words)++] = i;
        }
        index[i] = k;
    }
    return true;
}

static void put_words(FILE *f, const pp_content_column *c, uint64_t *index, size_t n, const size_t *first, size_t n_words)
{
    const pp_content_column numbers = {.kind = PP_CELL_U64, .size = 8, .u64 = index};
    fputs("{\"k\":[", f);
    for (size_t i = 0; i < n_words; i++) {
        fputs(i > 0 ? "," : "", f);
        put_value(f, c, first[i]);
    }
    fputs("],\"i\":", f);
    put_plain(f, &numbers, n);
    fputc('}', f);
}

/* Doubles that come again: a list of them and their numbers. False: nothing was written. */
static bool put_repeated(FILE *f, const pp_content_column *c, size_t n)
{
    const size_t runs = c->kind == PP_CELL_F64 && n > 64 ? count_runs(c, n) : 0;
    if (4 * runs <= n) /* no numbers, few of them, or runs, which are shorter */
        return false;
    ranked *r = pp_alloc(n, sizeof *r);
    uint64_t *index = pp_alloc(n, sizeof *index);
    size_t *first = pp_alloc(n, sizeof *first);
    const size_t n_values = r != NULL && index != NULL && first != NULL ? rank_values(c, n, r, index, first) : n;
    const bool shorter = 2 * n_values < n;
    if (shorter)
        put_words(f, c, index, n, first, n_values);
    free(r);
    free(index);
    free(first);
    return shorter;
}

static void put_column(FILE *f, const pp_content_column *c, size_t n)
{
    if (put_repeated(f, c, n))
        return;
    uint64_t *index = c->kind == PP_CELL_TEXT && n > 3 ? pp_alloc(n, sizeof *index) : NULL;
    size_t *first = index != NULL ? pp_alloc(MAX_WORDS, sizeof *first) : NULL, n_words = 0;
    if (first != NULL && list_words(c, n, index, first, &n_words) && n_words > 1)
        put_words(f, c, index, n, first, n_words);
    else
        put_plain(f, c, n);
    free(index);
    free(first);
}

static void put_table(FILE *f, const pp_content_set *set)
{
    size_t n = set->n_rows < MAX_ROWS ? set->n_rows : MAX_ROWS;
    fprintf(f, ",\"n\":%zu,\"rows\":%zu,\"cols\":[", n, set->n_rows);
    for (size_t i = 0; i < set->n_columns; i++) {
        const pp_content_column *c = &set->column[i];
        fputs(i > 0 ? ",\n{\"name\":" : "{\"name\":", f);
        pp_html_json_text(f, c->name);
        fputs(",\"units\":", f);
        pp_html_json_text(f, c->units);
        fputs(",\"text\":", f);
        pp_html_json_text(f, c->description);
        fputs(",\"d\":", f);
        put_column(f, c, n);
        fputc('}', f);
    }
    fputc(']', f);
}

void pp_html_data(FILE *f, const pp_content *c)
{
    fputs("{\"schema\":", f);
    pp_html_json_text(f, c->schema);
    fputs(",\"sets\":[\n", f);
    for (size_t i = 0; i < c->n_sets; i++) {
        const pp_content_set *set = &c->set[i];
        fputs("{\"path\":", f);
        pp_html_json_text(f, set->path);
        fputs(",\"text\":", f);
        pp_html_json_text(f, set->description);
        if (set->scalar) {
            fputs(",\"units\":", f);
            pp_html_json_text(f, set->column[0].units);
            fputs(",\"v\":", f);
            put_value(f, &set->column[0], 0);
        } else {
            put_table(f, set);
        }
        fputs(i + 1 < c->n_sets ? "},\n" : "}\n", f);
    }
    fputs("],\"skipped\":[", f);
    for (size_t i = 0; i < c->n_skipped; i++) {
        fputs(i > 0 ? "," : "", f);
        pp_html_json_text(f, c->skipped[i]);
    }
    fputs("]}", f);
}
