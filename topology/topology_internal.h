/* What the files of topology/ share with each other only. */
#ifndef PP_TOPOLOGY_TOPOLOGY_INTERNAL_H
#define PP_TOPOLOGY_TOPOLOGY_INTERNAL_H

#include "topology/topology.h"

/* Against slips like rows=1000000000: a fabric of this size takes about 2 GB. */
#define PP_FABRIC_MAX_CORES 4194304
#define PP_FABRIC_MAX_CHANNELS (UINT32_C(1) << 26)
#define PP_FABRIC_MAX_PORTS 64
#define PP_FABRIC_MAX_REACH 64

/* Said on every page and drawing of the kind. */
#define PP_5PP_CAPTION                                                                  \
    "5PP after the links published for the 64-core chip (legallo2023); the formal "     \
    "definition of dazzi2019 was not at hand"

/* Shape of a grid, as in pp_fabric. */
typedef struct pp_grid {
    uint32_t rows, cols, reach;
    pp_row_direction row_direction;
    bool wrap;
} pp_grid;

/* A fabric in the making: generators and the GraphML reader add vertices and network channels, then
 * pp_builder_end adds ports and indices. */
typedef struct pp_fabric_builder {
    const pp_fabric_options *options;
    double lane_gbps; /* of options: rate_gbps, or width x clock */
    pp_grid grid;     /* rows = 0: not a grid */
    int64_t ports;    /* what "auto" means: 0 per_link */
    PP_VEC(pp_vertex) vertices;
    PP_VEC(pp_channel) channels;
    char *names;
    char sha256[65];
} pp_fabric_builder;

/* Appends a vertex; cores are numbered in this order. */
pp_status pp_builder_vertex(pp_fabric_builder *b, pp_vertex_kind kind, const int32_t coord[3], float x, float y);
/* Appends a network channel of `length` pitches with lanes, rate and latency of the options. */
pp_status pp_builder_channel(pp_fabric_builder *b, uint32_t src, uint32_t dst, float length);

/* One kind of fabric. A new kind is a new row of the table in kinds.c. */
typedef struct pp_fabric_kind_row {
    const char *name;
    const char *text;    /* one sentence */
    const char *keys;    /* of its FABRIC string, in canonical order: "rows,cols,reach" */
    int64_t ports;       /* what local_ports: auto means; 0 = per_link */
    const char *routing; /* what routing: auto means */
    const char *caption; /* stands below drawings; or NULL */
    pp_status (*build)(pp_fabric_builder *b);
    pp_status (*fit)(pp_fabric_options *options, uint32_t cores); /* NULL: the size is not free */
    /* Bisection width in links (a channel each way), where it is known; NULL: never. */
    bool (*bisection)(const pp_fabric *fabric, uint32_t *links);
} pp_fabric_kind_row;

/* Row of a kind's name; fails with the nearest name. */
pp_status pp_kind_find(const pp_fabric_kind_row **out, const char *name);
const pp_fabric_kind_row *pp_kind_row(size_t i); /* NULL past the end */

/* Options whose `kind` may be a whole FABRIC string -> options whose kind is a name. The file's path
 * then points into the text; nothing is allocated. */
pp_status pp_fabric_expand(pp_fabric_options *options);
/* Canonical FABRIC string of the options; new string. */
char *pp_fabric_name(const pp_fabric_kind_row *row, const pp_fabric_options *options);

/* Generators (grid.c) and their size rules. */
pp_status pp_build_5pp(pp_fabric_builder *b);
pp_status pp_build_mesh(pp_fabric_builder *b);
pp_status pp_build_torus(pp_fabric_builder *b);
pp_status pp_build_ring(pp_fabric_builder *b);
pp_status pp_fit_5pp(pp_fabric_options *options, uint32_t cores);
pp_status pp_fit_grid(pp_fabric_options *options, uint32_t cores);
pp_status pp_fit_ring(pp_fabric_options *options, uint32_t cores);
bool pp_bisection_5pp(const pp_fabric *fabric, uint32_t *links);
bool pp_bisection_mesh(const pp_fabric *fabric, uint32_t *links);
bool pp_bisection_torus(const pp_fabric *fabric, uint32_t *links);
pp_status pp_row_direction_parse(pp_row_direction *out, const char *text);
const char *pp_row_direction_name(pp_row_direction d);

/* One step of a grid line of n positions from `from` towards `to` (different): longest step first, the
 * short way round on rings, ties upwards. `sign`: 0 both ways, +1 or -1 one way only. False when there
 * is no way. */
bool pp_line_step(uint32_t n, uint32_t reach, bool wrap, int sign, uint32_t from, uint32_t to, uint32_t *next);
/* Way of a row's channels: 0, +1, -1. */
int pp_row_sign(pp_row_direction d, uint32_t row);

/* GraphML reader (graphml_read.c). */
pp_status pp_build_file(pp_fabric_builder *b);

/* Distances along (reverse = false: from `start`) or against the channels (to `start`). Ways lead
 * through switches only, not through pure cores. queue: scratch [n_vertices]. `until`: stop once its
 * distance is known, or PP_NO_VERTEX. */
void pp_bfs(const pp_fabric *fabric, uint32_t start, bool reverse, uint32_t until, uint32_t *distance,
            uint32_t *queue);

/* Best of the candidate cuts, in channels both ways (bisect.c). */
pp_status pp_fabric_bisect(const pp_fabric *fabric, uint32_t *channels, bool *exact);

/* Text that grows; an allocation failure is remembered and reported at the end. Zero-initialised. */
typedef struct pp_text {
    char *data;
    size_t len, cap;
    bool failed;
} pp_text;
void pp_text_add(pp_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `word` with &, <, >, " and ' as XML references. */
void pp_text_add_xml(pp_text *t, const char *word);
/* Writes the file and releases the text. */
pp_status pp_text_write(pp_text *t, const char *path, bool force);

/* igraph works on global state and is not thread-safe in Debian's build: every use stands between
 * these two. Enter also silences its handlers. */
void pp_igraph_enter(void);
void pp_igraph_leave(void);
/* igraph's own words about the last error, "" when it gave none; between the two. */
const char *pp_igraph_reason(void);
/* "WHAT: igraph's reason" of the error code that a call gave; between the two as well. */
pp_status pp_igraph_fail(pp_status status, int code, const char *what);

#endif
