/* report/plot.h: figures. Curves with bands, scatter, grouped bars and heat maps, to .svg or .png.
 *
 * A pp_plot is a description; nothing is drawn before it is written. Texts and arrays are copied. The same
 * description gives the same bytes: no time, no random id. cairo (for PNG) is seen nowhere else. */
#ifndef PP_REPORT_PLOT_H
#define PP_REPORT_PLOT_H

#include "base/base.h"

typedef struct pp_plot pp_plot;

/* Empty figure of 760 x 480 pixels, linear axes fitted to the data. Labels state the unit ("latency, cycles").
 * Any text may be NULL. The caller frees with pp_plot_free. */
pp_status pp_plot_new(pp_plot **out, const char *title, const char *x_label, const char *y_label);
void pp_plot_free(pp_plot *plot); /* NULL allowed */

/* One line below the title, in small grey type: the command or the conditions. */
pp_status pp_plot_note(pp_plot *plot, const char *text);
/* Pixels, clamped to 200 .. 4000. Heat maps grow beyond by themselves when their cells need it. */
void pp_plot_size(pp_plot *plot, unsigned width, unsigned height);

typedef enum pp_plot_scale { PP_PLOT_LINEAR, PP_PLOT_LOG } pp_plot_scale;
/* Scale and limits of an axis; a limit that is NAN is fitted to the data. Points outside are clipped at the
 * frame; on a log scale values at or below 0 are left out. */
void pp_plot_x_axis(pp_plot *plot, pp_plot_scale scale, double low, double high);
void pp_plot_y_axis(pp_plot *plot, pp_plot_scale scale, double low, double high);
/* Named ticks in place of numbers ("1 h", "1 day"): n values with their texts. */
pp_status pp_plot_x_ticks(pp_plot *plot, const double *at, const char *const *text, size_t n);

typedef enum pp_plot_style {
    PP_PLOT_LINE = 1,    /* points joined; a NAN leaves a gap */
    PP_PLOT_MARKERS = 2, /* a mark at each point */
    PP_PLOT_DASHED = 4,  /* a dashed line: references, bounds */
    PP_PLOT_SAME = 8     /* colour of the series before it */
} pp_plot_style;
/* A series of n points; name NULL keeps it out of the legend. low and high [n], both or neither: a band (with
 * PP_PLOT_LINE) or error bars (markers alone). style: PP_PLOT_LINE ... or-ed. */
pp_status pp_plot_series(pp_plot *plot, const char *name, unsigned style, const double *x, const double *y,
                         const double *low, const double *high, size_t n);

/* Grouped bars in place of series: value[s x n_groups + g] of series s in group g, error NULL or the same shape
 * (half the bar's whisker). The x axis shows the groups' names, slanted when they are long. */
pp_status pp_plot_bars(pp_plot *plot, const char *const *group, size_t n_groups, const char *const *series,
                       size_t n_series, const double *value, const double *error);

/* A matrix in place of series: value[r x n_cols + c], NAN shown as an empty cell. Each cell prints its value with
 * `decimals` digits behind the point (as %.{decimals}g when negative: -3 gives three significant digits). */
pp_status pp_plot_heat(pp_plot *plot, const char *const *row, size_t n_rows, const char *const *col, size_t n_cols,
                       const double *value, int decimals, pp_plot_scale colour);

/* The ending decides: .svg or .png. Appears whole or not at all; an existing file is kept unless force. */
pp_status pp_plot_write(const pp_plot *plot, const char *path, bool force);
/* Whether pp_plot_write knows the ending; asked before the work that makes the figure. */
pp_status pp_plot_check_path(const char *path);
/* The SVG as a new NUL-terminated string (caller frees); size may be NULL. */
pp_status pp_plot_svg(const pp_plot *plot, char **out, size_t *size);

#endif
