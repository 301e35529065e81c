/* Which rows of two tables belong together: those whose leading columns say the same, as few of these as name every
 * row of either table. Measured values name nothing. */
#include "report/diff_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEYS 8

static bool may_name(const pp_content_column *c)
{
    return c->kind != PP_CELL_F64 || strcmp(c->name, "time_s") == 0 || strcmp(c->name, "rate") == 0;
}

static int compare_cells(const pp_content_column *a, size_t i, const pp_content_column *b, size_t j)
{
    if (a->kind == PP_CELL_TEXT || b->kind == PP_CELL_TEXT)
        return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(pp_content_text(a, i), pp_content_text(b, j));
    double x = pp_content_number(a, i), y = pp_content_number(b, j);
    return (x > y) - (x < y);
}

/* By the columns whose bit is set in `keys`. */
static int compare_rows(const pp_content_set *a, size_t i, const pp_content_set *b, size_t j, unsigned keys)
{
    int order = 0;
    for (size_t k = 0; keys >> k != 0 && order == 0; k++)
        if ((keys >> k & 1U) != 0)
            order = compare_cells(&a->column[k], i, &b->column[k], j);
    return order;
}

/* Rows in the order of their names: merge sort, as qsort takes no context. */
static void sort_rows(const pp_content_set *set, unsigned keys, size_t *row, size_t *spare, size_t n)
{
    if (n < 2)
        return;
    size_t half = n / 2, i = 0, j = half;
    sort_rows(set, keys, row, spare, half);
    sort_rows(set, keys, row + half, spare, n - half);
    for (size_t k = 0; k < n; k++)
        spare[k] = j == n || (i < half && compare_rows(set, row[i], set, row[j], keys) <= 0) ? row[i++] : row[j++];
    memcpy(row, spare, n * sizeof *row);
}

static size_t *sorted(const pp_content_set *set, unsigned keys)
{
    size_t *row = pp_alloc(2 * set->n_rows + 1, sizeof *row);
    for (size_t i = 0; row != NULL && i < set->n_rows; i++)
        row[i] = i;
    if (row != NULL)
        sort_rows(set, keys, row, row + set->n_rows, set->n_rows);
    return row;
}

static bool unique(const pp_content_set *set, const size_t *row, unsigned keys)
{
    for (size_t i = 1; i < set->n_rows; i++)
        if (compare_rows(set, row[i - 1], set, row[i], keys) == 0)
            return false;
    return true;
}

static bool same_leading(const pp_content_set *a, const pp_content_set *b, size_t k)
{
    return k < a->n_columns && k < b->n_columns && strcmp(a->column[k].name, b->column[k].name) == 0 && may_name(&a->column[k]);
}

static void join_by_number(pp_row_match *m, const pp_content_set *a, const pp_content_set *b)
{
    size_t n = a->n_rows > b->n_rows ? a->n_rows : b->n_rows;
    for (size_t i = 0; i < n; i++)
        m->pair[m->n++] = (pp_row_pair){i < a->n_rows ? i : PP_DIFF_NONE, i < b->n_rows ? i : PP_DIFF_NONE};
}

/* partner[i] of row i of A; rows of B that found nobody go behind. */
static void join_by_name(pp_row_match *m, const pp_content_set *a, const size_t *ra, const pp_content_set *b, const size_t *rb,
                         size_t *partner)
{
    size_t i = 0, j = 0, alone = 0;
    m->n = a->n_rows;
    while (i < a->n_rows || j < b->n_rows) {
        int order = i == a->n_rows ? 1 : j == b->n_rows ? -1 : compare_rows(a, ra[i], b, rb[j], m->keys);
        if (order > 0)
            m->pair[m->n + alone++] = (pp_row_pair){PP_DIFF_NONE, rb[j]};
        else
            partner[ra[i]] = order == 0 ? rb[j] : PP_DIFF_NONE;
        i += order <= 0;
        j += order >= 0;
    }
    for (size_t k = 0; k < a->n_rows; k++)
        m->pair[k] = (pp_row_pair){k, partner[k]};
    m->n += alone;
}

/* Whether these columns name every row of both; then also joins the rows by them (with a partner list). */
static bool try_keys(pp_row_match *m, const pp_content_set *a, const pp_content_set *b, unsigned keys, size_t *partner, pp_status *status)
{
    size_t *ra = sorted(a, keys), *rb = sorted(b, keys);
    bool good = ra != NULL && rb != NULL;
    if (!good)
        *status = PP_ENOMEM;
    good = good && unique(a, ra, keys) && unique(b, rb, keys);
    if (good)
        m->keys = keys;
    if (good && partner != NULL)
        join_by_name(m, a, ra, b, rb, partner);
    free(ra);
    free(rb);
    return good;
}

/* Numbers that the name of a row can do without, such as the index in front of network and fabric, are no part of it. */
static void shorten_keys(pp_row_match *m, const pp_content_set *a, const pp_content_set *b, pp_status *status)
{
    for (size_t k = 0; m->keys >> k != 0 && *status == PP_OK; k++) {
        const unsigned without = m->keys & ~(1U << k);
        if (without != m->keys && without != 0 && a->column[k].kind != PP_CELL_TEXT)
            (void)try_keys(m, a, b, without, NULL, status);
    }
}

pp_status pp_diff_match(pp_row_match *m, const pp_content_set *a, const pp_content_set *b)
{
    *m = (pp_row_match){.pair = pp_alloc(a->n_rows + b->n_rows + 1, sizeof *m->pair)};
    size_t *partner = pp_alloc(a->n_rows + 1, sizeof *partner);
    pp_status status = m->pair != NULL && partner != NULL ? PP_OK : PP_ENOMEM;
    bool joined = false;
    for (size_t k = 0; status == PP_OK && !joined && k < MAX_KEYS && same_leading(a, b, k); k++)
        joined = try_keys(m, a, b, (2U << k) - 1U, partner, &status);
    if (status == PP_OK && !joined)
        join_by_number(m, a, b);
    if (joined)
        shorten_keys(m, a, b, &status);
    if (status != PP_OK) {
        free(m->pair);
        m->pair = NULL;
    }
    free(partner);
    return status;
}

void pp_diff_row_name(const pp_content_set *set, unsigned keys, size_t row, char *buffer, size_t size)
{
    size_t at = 0;
    if (keys == 0)
        snprintf(buffer, size, "row %zu", row);
    for (size_t k = 0; keys >> k != 0 && at + 1 < size; k++) {
        char cell[96];
        if ((keys >> k & 1U) == 0)
            continue;
        pp_content_print(&set->column[k], row, cell, sizeof cell);
        bool number = set->column[k].kind != PP_CELL_TEXT;
        int n = snprintf(buffer + at, size - at, "%s%s%s%s", at > 0 ? ", " : "", number ? set->column[k].name : "", number ? " " : "", cell);
        at += n > 0 ? (size_t)n : 0;
    }
}

/* ---- what a number stands for ---- */

static const pp_content_column *column_at(const pp_content *c, const char *path, const char *name)
{
    return pp_content_column_of(pp_content_find(c, path), name);
}

/* The text in `name` of the row whose `key` is `value` (key NULL: of that row); NULL: there is none. */
static const char *look_up(const pp_content *c, const char *path, const char *key, double value, const char *name)
{
    const pp_content_set *set = pp_content_find(c, path);
    const pp_content_column *text = column_at(c, path, name), *of = key != NULL ? column_at(c, path, key) : NULL;
    if (text == NULL || text->kind != PP_CELL_TEXT || (key != NULL && of == NULL) || !(value >= 0))
        return NULL;
    for (size_t i = key != NULL ? 0 : value < (double)set->n_rows ? (size_t)value : set->n_rows; i < set->n_rows; i++)
        if (of == NULL || pp_content_number(of, i) == value)
            return pp_content_text(text, i);
    return NULL;
}

static void name_channel(const pp_content *c, size_t row, char *buffer, size_t size)
{
    static const char path[] = "/fabric/channels";
    const pp_content_set *set = pp_content_find(c, path);
    const pp_content_column *src = column_at(c, path, "src"), *dst = column_at(c, path, "dst");
    if (src == NULL || dst == NULL || row >= set->n_rows)
        return;
    const char *from = look_up(c, "/fabric/cores", "vertex", pp_content_number(src, row), "label");
    const char *to = look_up(c, "/fabric/cores", "vertex", pp_content_number(dst, row), "label"), *kind = look_up(c, path, NULL, (double)row, "kind");
    if (from == NULL || to == NULL)
        return;
    if (kind != NULL && strcmp(kind, "network") != 0)
        snprintf(buffer, size, " (%.10s %.60s)", kind, from);
    else
        snprintf(buffer, size, " (%.60s -> %.60s)", from, to);
}

void pp_diff_row_meaning(const pp_content *c, const pp_content_set *set, unsigned keys, size_t row, char *buffer, size_t size)
{
    const size_t k = keys == 1U ? 0 : set->n_columns;
    buffer[0] = 0;
    if (k == set->n_columns || set->column[k].kind == PP_CELL_TEXT || strstr(set->path, "block_") != NULL || strstr(set->path, "level_") != NULL)
        return;
    const char *name = set->column[k].name, *text = NULL;
    const double value = pp_content_number(&set->column[k], row);
    if (strcmp(name, "channel") == 0 && value >= 0 && value < 4294967295.0)
        name_channel(c, (size_t)value, buffer, size);
    else if (strcmp(name, "core") == 0)
        text = look_up(c, "/fabric/cores", "core", value, "label");
    else if (strcmp(name, "tile") == 0) {
        const pp_content_set *tiles = pp_content_find(c, "/mapping/tiles");
        const pp_content_column *stage = pp_content_column_of(tiles, "stage");
        if (stage != NULL && value >= 0 && value < (double)tiles->n_rows)
            text = look_up(c, "/workload/stages", NULL, pp_content_number(stage, (size_t)value), "name");
    }
    if (text != NULL)
        snprintf(buffer, size, " (%.100s)", text);
}

double pp_diff_distance(const pp_content_column *a, size_t row_a, const pp_content_column *b, size_t row_b)
{
    if (a->kind == PP_CELL_TEXT || b->kind == PP_CELL_TEXT)
        return a->kind != b->kind ? INFINITY : strcmp(pp_content_text(a, row_a), pp_content_text(b, row_b)) == 0 ? 0 : 1;
    bool integers = a->kind == b->kind && a->kind != PP_CELL_F64;
    if (integers && a->u64[row_a] == b->u64[row_b])
        return 0;
    double x = pp_content_number(a, row_a), y = pp_content_number(b, row_b);
    if (isnan(x) || isnan(y))
        return isnan(x) && isnan(y) ? 0 : INFINITY;
    if (x == y) /* beyond 2^53 integers may differ where doubles do not */
        return integers ? 0x1p-53 : 0;
    double distance = fabs(x - y) / fmax(fabs(x), fabs(y));
    return isnan(distance) ? INFINITY : distance;
}

bool pp_diff_differs(const pp_content_column *a, size_t row_a, const pp_content_column *b, size_t row_b, pp_diff_limits limits)
{
    const double distance = pp_diff_distance(a, row_a, b, row_b);
    if (a->kind == PP_CELL_TEXT || b->kind == PP_CELL_TEXT) /* has no tolerance */
        return distance > 0;
    if (distance <= limits.relative)
        return false;
    return !(limits.absolute > 0 && fabs(pp_content_number(a, row_a) - pp_content_number(b, row_b)) <= limits.absolute);
}
