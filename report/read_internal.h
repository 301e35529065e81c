/* An open report. */
#ifndef PP_REPORT_READ_INTERNAL_H
#define PP_REPORT_READ_INTERNAL_H

#include "report/h5_internal.h"
#include "report/report.h"

struct pp_report {
    hid_t file;
    char *path;
};

#endif
