/* All datasets of a report as JSON for the page's script. Columns stand one by one, in the shortest of four forms:
 *   [v, v, ...]             as they are
 *   {"c": v}                the same in every row
 *   {"s": first, "d": step} even steps
 *   {"r": [v, n, v, n ...]} runs
 * and texts as {"k": [texts], "i": one of these}. Integers beyond 2^53 are strings, NaN is null. */
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

static void put_runs(FILE *f, const pp_content_column *c, size_t n)
{
    size_t start = 0;
    fputs("{\"r\":[", f);
    for (size_t i = 1; i <= n; i++) {
        if (i < n && same(c, i, start))
            continue;
        fputs(start > 0 ? "," : "", f);
        put_value(f, c, start);
        fprintf(f, ",%zu", i - start);
        start = i;
    }
    fputs("]}", f);
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
    } else if (2 * runs < n) {
        put_runs(f, c, n);
    } else {
        fputc('[', f);
        for (size_t i = 0; i < n; i++) {
            fputs(i > 0 ? "," : "", f);
            put_value(f, c, i);
        }
        fputc(']', f);
    }
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

static void put_column(FILE *f, const pp_content_column *c, size_t n)
{
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
