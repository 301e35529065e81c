/* The columns of a comparison: one table for HDF5, CSV and JSON. */
#ifndef PP_REPORT_COMPARE_INTERNAL_H
#define PP_REPORT_COMPARE_INTERNAL_H

#include "report/compare.h"
#include "report/h5_internal.h"

extern const pp_h5_column pp_compare_columns[];
extern const size_t pp_compare_n_columns;

/* Main rows that share network and array size with row `first`, from it on: how many (their indices stand VARIANT
 * rows apart, so walk with pp_compare_next_main). */
uint32_t pp_compare_next_main(const pp_comparison *c, uint32_t row); /* first main row at or behind `row`, or n_rows */
bool pp_compare_same_network(const pp_compare_row *a, const pp_compare_row *b);

#endif
