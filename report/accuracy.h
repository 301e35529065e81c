/* Studies of accuracy on analog crossbars: tables for people and figures. The HDF5 tables come with pp_report_write. */
#ifndef PP_REPORT_ACCURACY_H
#define PP_REPORT_ACCURACY_H

#include "report/content.h"
#include "sim/noise_study.h"

/* Aligned tables: accuracy of each model, time and compensation; signal-to-noise ratio of each layer; what each layer costs. */
pp_status pp_study_print(const pp_study *study, void *stdio_file);
/* The first of them alone. */
pp_status pp_study_print_rows(const pp_study *study, void *stdio_file);
/* The rows as `infer --json` has them, under "rows". */
void pp_study_rows_json(const pp_study *study, pp_json *object);
/* Rows, device and unit of the study that a report holds; the rest stays empty. PP_ENOTFOUND when it holds none; free with
 * pp_study_free, after an error, too. */
pp_status pp_study_read_rows(pp_study *study, const pp_content *c);
/* Accuracy against time, a curve for each model and compensation with the band of its 95 % confidence interval.
 * .svg or .png; note: the line below the title (the command). */
pp_status pp_study_plot(const pp_study *study, const char *path, const char *note, bool force);
/* Signal-to-noise ratio of each layer's sums at each time, of the first model. PP_EINVAL without such figures. */
pp_status pp_study_plot_snr(const pp_study *study, const char *path, const char *note, bool force);

#endif
