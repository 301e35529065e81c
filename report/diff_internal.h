/* Differences of two reports: rows that belong together, and how differences are told. */
#ifndef PP_REPORT_DIFF_INTERNAL_H
#define PP_REPORT_DIFF_INTERNAL_H

#include "report/content.h"

#include <stdio.h>

/* Rows of two tables side by side; PP_DIFF_NONE where one has no such row. */
#define PP_DIFF_NONE SIZE_MAX
typedef struct pp_row_pair {
    size_t a, b;
} pp_row_pair;

typedef struct pp_row_match {
    unsigned keys;    /* columns that name a row, a bit each; 0: rows are joined by their number */
    size_t n;
    pp_row_pair *pair; /* in the order of A's rows, those of B alone behind */
} pp_row_match;
pp_status pp_diff_match(pp_row_match *m, const pp_content_set *a, const pp_content_set *b);
/* What names a row: "conv1", "r0c1, 3", "row 5". */
void pp_diff_row_name(const pp_content_set *set, unsigned keys, size_t row, char *buffer, size_t size);
/* What the number of a channel, core or tile stands for in this report: " (r0c0 -> r0c1)", " (conv1)"; "": nothing. */
void pp_diff_row_meaning(const pp_content *c, const pp_content_set *set, unsigned keys, size_t row, char *buffer, size_t size);

/* |a - b| over the larger; 0 equal; texts 0 or 1; INFINITY when only one is a number. */
double pp_diff_distance(const pp_content_column *a, size_t row_a, const pp_content_column *b, size_t row_b);
bool pp_diff_differs(const pp_content_column *a, size_t row_a, const pp_content_column *b, size_t row_b, pp_diff_limits limits);

/* The limits of a scalar (column NULL) or a column of a table. */
pp_diff_limits pp_diff_limits_of(const pp_diff_options *o, const char *path, const char *column);
/* PP_EUSAGE when one names nothing of either report. */
pp_status pp_diff_check_tolerances(const pp_diff_options *o, const pp_content *a, const pp_content *b);

#endif
