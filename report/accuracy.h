/* Studies of accuracy on analog crossbars: tables for people and figures. The HDF5 tables come with pp_report_write. */
#ifndef PP_REPORT_ACCURACY_H
#define PP_REPORT_ACCURACY_H

#include "sim/noise_study.h"

/* Aligned tables: accuracy of each model, time and compensation; signal-to-noise ratio of each layer; what each layer costs. */
pp_status pp_study_print(const pp_study *study, void *stdio_file);
/* Accuracy against time, a curve for each model and compensation with the band of its 95 % confidence interval.
 * .svg or .png; note: the line below the title (the command). */
pp_status pp_study_plot(const pp_study *study, const char *path, const char *note, bool force);
/* Signal-to-noise ratio of each layer's sums at each time, of the first model. PP_EINVAL without such figures. */
pp_status pp_study_plot_snr(const pp_study *study, const char *path, const char *note, bool force);

#endif
