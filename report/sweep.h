/* report/sweep.h: the runs of a sweep as one table: HDF5 (schema pentaprism-sweep/1) and CSV. */
#ifndef PP_REPORT_SWEEP_H
#define PP_REPORT_SWEEP_H

#include "base/base.h"

/* Texts as the runs printed them. Numbers become numbers in HDF5: a column whose every value is one. */
typedef struct pp_sweep_column {
    const char *name, *units;  /* "fabric.lanes", "throughput_ips"; units NULL: those of the report's figure of that name */
    const char *text;          /* what it is; NULL: as the report says */
    uint32_t n_values;         /* of a setting of the grid: how many different ones; 0: a figure */
    const char **value;        /* [n_rows]; NULL: the run has none */
} pp_sweep_column;

typedef struct pp_sweep_table {
    const char *command;       /* that makes it again */
    const char *model;
    size_t n_columns, n_rows, n_failed; /* rows of runs that failed */
    pp_sweep_column *column;   /* settings first */
} pp_sweep_table;

pp_status pp_sweep_write(const char *path, const pp_sweep_table *t, bool force);
pp_status pp_sweep_csv(const char *path, const pp_sweep_table *t, bool force);

#endif
