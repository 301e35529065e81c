/* The HTML page: what its parts share. Everything from a report goes through pp_html_text or pp_html_json_text. */
#ifndef PP_REPORT_HTML_INTERNAL_H
#define PP_REPORT_HTML_INTERNAL_H

#include "report/content.h"
#include "workloads/network.h"

#include <stdio.h>

/* Escaped for elements and quoted attributes; bytes that are no UTF-8 become U+FFFD, control characters spaces. */
void pp_html_text(FILE *f, const char *text);
/* A JSON string with its quotes, safe inside a script element: no <, >, & stands in it. */
void pp_html_json_text(FILE *f, const char *text);

/* "12.3 us": four digits with a prefix. */
void pp_html_si(char *buffer, size_t size, double value, const char *unit);

/* All datasets as one JSON object (docs/report-html.md sec. Data). */
void pp_html_data(FILE *f, const pp_content *c);

/* Title of the page (breaks: with places to break the line), and its cards. */
void pp_html_title(FILE *f, const pp_content *c, bool breaks);
void pp_html_figures(FILE *f, const pp_content *c);

/* A drawing and its legend, and what the script needs to find things in it: squares (cores, or groups of them), switches,
 * frames around groups, channels. */
#define PP_HTML_PITCH 44.0
typedef struct pp_html_drawing {
    const char *id;          /* of its section; its elements begin with it */
    const char *heading, *cores_by, *idle, *what;
    char note[160];          /* below the heading; "" for none */
    uint32_t n_vertices, n_cores, n_channels, n_stages;
    double *x, *y;           /* [n_vertices] middles; pixels once scaled */
    double *w, *h;           /* of frames; 0: none */
    uint32_t *core_vertex;   /* [n_cores] */
    uint32_t *stage;         /* [n_cores] what the square holds (stage of its first tile), or PP_NONE */
    const char **stage_name; /* [n_stages] borrowed; NULL: unnamed */
    bool name_all, frames;   /* the legend names every colour; some vertex has a frame */
    uint32_t *src, *dst;     /* [n_channels] */
    double *load;            /* [n_channels] share of the rate; NAN: a port */
    double max_load, width, height;
    const char *load_what;   /* "measured utilisation" */
    size_t shown;            /* channels in the drawing */
    bool scripted;           /* too many to stand in the page: the script draws those of least_class and above */
    unsigned least_class;
} pp_html_drawing;
/* Arrays of its counts; every square holds nothing. */
pp_status pp_html_drawing_alloc(pp_html_drawing *d);
void pp_html_drawing_free(pp_html_drawing *d);
/* Places of pitches become pixels. */
void pp_html_drawing_scale(pp_html_drawing *d);
void pp_html_drawing_svg(FILE *f, pp_html_drawing *d);
void pp_html_drawing_json(FILE *f, const pp_html_drawing *d);

/* The fabric of a network; a language model's block, and its groups (name: "block" or "level"). PP_ENOTFOUND: the report
 * holds none. */
pp_status pp_html_drawing_fabric(pp_html_drawing *d, const pp_content *c);
pp_status pp_html_drawing_lm(pp_html_drawing *d, const pp_content *c, const char *name);

/* Files under report/html/, made arrays by the build. */
extern const unsigned char pp_html_style[], pp_html_script[];
extern const size_t pp_html_style_size, pp_html_script_size;

#endif
