/* Drawings: what svg.c (the page), svg_layout.c (places) and svg_links.c (lines) share. */
#ifndef PP_TOPOLOGY_SVG_INTERNAL_H
#define PP_TOPOLOGY_SVG_INTERNAL_H

#include "topology/topology_internal.h"

typedef enum pp_link_class { PP_LINK_NEAR, PP_LINK_LONG, PP_LINK_WRAP, PP_LINK_CLASSES } pp_link_class;

typedef struct pp_point {
    double x, y;
} pp_point;

/* A link: one line of the drawing, a channel each way or one channel. */
typedef struct pp_link {
    uint32_t u, v;
    bool both;
    uint8_t kind; /* pp_link_class */
    int32_t lane; /* of a link along its row or column: beside the line, 0, 1, 2 ...; -1 straight */
    uint32_t lanes; /* of the widest channel of the pair: its line's width */
} pp_link;

typedef enum pp_layout_kind {
    PP_LAYOUT_GRID,  /* rows and columns; longer links run beside them */
    PP_LAYOUT_FREE,  /* straight lines between places */
    PP_LAYOUT_CIRCLE /* chords */
} pp_layout_kind;

typedef struct pp_drawing {
    const pp_fabric *f;
    pp_layout_kind layout;
    pp_point *at;        /* [n_vertices] pixels, middle */
    uint8_t *shown;      /* [n_vertices] */
    int32_t (*cell)[2];  /* [n_vertices] row and column of the grid layout; -1: not on it */
    uint32_t grid_rows, grid_cols;
    double core_half, switch_half; /* half sides, pixels */
    double lane_step;    /* pixels between lanes */
    double width, height; /* of the body */
    uint32_t hidden;     /* vertices left out */
    bool groups;         /* fat trees: a circle stands for all switches that share the cores below */
    bool first_only;     /* of the links, only those of the first vertex */
    const char *note;    /* what was left out, for the legend; or NULL */
    char note_text[200];
    PP_VEC(pp_link) links;
    uint32_t lines[PP_LINK_CLASSES];
    bool one_way, stubs, wide;
    pp_text text;
} pp_drawing;

/* Places of everything; needs the links (svg_links.c: lanes decide the gaps). */
pp_status pp_drawing_place(pp_drawing *d);
/* Pairs of vertices with channels, classified, with lanes on grids. */
pp_status pp_drawing_links(pp_drawing *d);
void pp_drawing_add_links(pp_drawing *d);
/* Layout kind and cells of the vertices (before links and places). */
pp_status pp_drawing_begin(pp_drawing *d);

/* Largest number of lanes beside the rows (across = false) or the columns. */
uint32_t pp_drawing_lanes(const pp_drawing *d, bool across);

#endif
