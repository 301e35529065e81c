/* What the files of topology/ share with each other only. */
#ifndef PP_TOPOLOGY_TOPOLOGY_INTERNAL_H
#define PP_TOPOLOGY_TOPOLOGY_INTERNAL_H

#include "topology/hier.h"

/* Against slips like rows=1000000000: a fabric of this size takes about 2 GB. */
#define PP_FABRIC_MAX_CORES 4194304
#define PP_FABRIC_MAX_CHANNELS (UINT32_C(1) << 26)
#define PP_FABRIC_MAX_PORTS 64
#define PP_FABRIC_MAX_REACH 64
#define PP_FABRIC_MAX_RADIX 4096 /* cores a router, arity, degree */
#define PP_FABRIC_MAX_LEVELS 22

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

/* Where a core vertex hangs. */
typedef struct pp_home {
    uint32_t core, at; /* vertices */
    float length;      /* of a port, pitches */
} pp_home;

/* A fabric in the making: generators and the GraphML reader add vertices and network channels, then
 * pp_builder_end adds ports and indices. */
typedef struct pp_fabric_builder {
    const pp_fabric_options *options;
    double lane_gbps; /* of options: rate_gbps, or width x clock */
    pp_grid grid;     /* rows = 0: not a line grid */
    pp_fabric_shape shape;
    uint32_t core_rows, core_cols;
    int64_t ports;    /* what "auto" means: 0 per_link */
    PP_VEC(pp_vertex) vertices;
    PP_VEC(pp_channel) channels;
    PP_VEC(pp_home) homes; /* of cores on switches of their own; empty on direct fabrics */
    char *names;
    char sha256[65];
} pp_fabric_builder;

/* Appends a vertex; cores are numbered in this order. */
pp_status pp_builder_vertex(pp_fabric_builder *b, pp_vertex_kind kind, const int32_t coord[3], float x, float y);
/* Appends a network channel of `length` pitches with lanes, rate and latency of the options. */
pp_status pp_builder_channel(pp_fabric_builder *b, uint32_t src, uint32_t dst, float length);

/* A channel each way. */
pp_status pp_builder_link(pp_fabric_builder *b, uint32_t u, uint32_t v, float length);
/* The core vertex reaches the network through ports at the switch `at`. */
pp_status pp_builder_attach(pp_fabric_builder *b, uint32_t core, uint32_t at, float length);
/* Core (BOTH, or CORE) at a place of the chip, drawn there. */
pp_status pp_builder_core(pp_fabric_builder *b, pp_vertex_kind kind, uint32_t row, uint32_t col);
/* Cores 0 .. n-1 row by row on a near-square chip (drawn there). */
pp_status pp_builder_square(pp_fabric_builder *b, pp_vertex_kind kind, uint32_t n);

/* One kind of fabric. A new kind is a new row of the table in kinds.c. */
typedef struct pp_fabric_kind_row {
    const char *name;
    const char *text;    /* one sentence */
    const char *keys;    /* of its FABRIC string, in canonical order: "rows,cols,reach" */
    int64_t ports;       /* what local_ports: auto means; 0 = per_link */
    const char *routing; /* what routing: auto means */
    const char *caption; /* stands below drawings; or NULL */
    void (*defaults)(pp_fabric_options *options); /* fills what is 0 and is not free; or NULL */
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
/* Sets the size or shape `key` of a kind; *known false: the kind has none of that name. */
pp_status pp_fabric_set_shape(pp_fabric_options *options, const pp_fabric_kind_row *row, const char *key,
                              const char *value, bool *known);
/* Whether a FABRIC string names several levels. */
bool pp_hier_text(const char *text);
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

/* Sizes (sizes.c). Near-square root: the largest r with r x r <= n. */
uint32_t pp_root(uint64_t n);
/* base^exponent, or UINT64_MAX beyond PP_FABRIC_MAX_CORES. */
uint64_t pp_power(uint64_t base, uint64_t exponent);
/* A size out of its range: one line with the key's name. */
pp_status pp_size_check(const pp_fabric_options *o, const char *key, int64_t value, int64_t min, int64_t max);
/* "no size given; expected KIND:FORM". */
pp_status pp_size_missing(const pp_fabric_options *o, const char *form);
/* The fabric would have `total` cores: refused beyond the limit. */
pp_status pp_size_total(const pp_fabric_options *o, uint64_t total);
/* The sizes hold `have` cores; refused when `need` is more. */
pp_status pp_size_holds(const pp_fabric_options *o, uint64_t have, uint64_t need);
int64_t pp_divide_up(int64_t a, int64_t b);

/* The other kinds: cube.c, clique.c, router.c (cmesh, flatfly), trees.c, lattice.c, dragonfly.c, kautz.c. */
#define PP_KIND(name)                                     \
    pp_status pp_build_##name(pp_fabric_builder *b);        \
    pp_status pp_fit_##name(pp_fabric_options *o, uint32_t cores)
PP_KIND(mesh3d);
PP_KIND(torus3d);
PP_KIND(hypercube);
PP_KIND(k5prism);
PP_KIND(full);
PP_KIND(star);
PP_KIND(cmesh);
PP_KIND(flatfly);
PP_KIND(tree);
PP_KIND(fattree);
PP_KIND(htree);
PP_KIND(express);
PP_KIND(hex);
PP_KIND(tri);
PP_KIND(dragonfly);
PP_KIND(kautz);
void pp_defaults_router(pp_fabric_options *o);
void pp_defaults_k5prism(pp_fabric_options *o);
void pp_defaults_tree(pp_fabric_options *o);
void pp_defaults_htree(pp_fabric_options *o);
void pp_defaults_express(pp_fabric_options *o);
void pp_defaults_dragonfly(pp_fabric_options *o);
void pp_defaults_kautz(pp_fabric_options *o);
/* Global links between two groups, and the router (of all) that has the `copy`-th one of `group` to group `to`. */
uint32_t pp_dragonfly_links(const pp_fabric_shape *s);
uint32_t pp_dragonfly_router(const pp_fabric_shape *s, uint32_t group, uint32_t to, uint32_t copy);
/* Word of a Kautz vertex, diameter letters; and back. */
void pp_kautz_word(const pp_fabric_shape *s, uint32_t vertex, uint32_t *word);
uint32_t pp_kautz_vertex(const pp_fabric_shape *s, const uint32_t *word);
bool pp_bisection_cube(const pp_fabric *fabric, uint32_t *links);
bool pp_bisection_hypercube(const pp_fabric *fabric, uint32_t *links);
bool pp_bisection_k5prism(const pp_fabric *fabric, uint32_t *links);
bool pp_bisection_full(const pp_fabric *fabric, uint32_t *links);
bool pp_bisection_star(const pp_fabric *fabric, uint32_t *links);
bool pp_bisection_cmesh(const pp_fabric *fabric, uint32_t *links);
bool pp_bisection_flatfly(const pp_fabric *fabric, uint32_t *links);
bool pp_bisection_tree(const pp_fabric *fabric, uint32_t *links);
bool pp_bisection_fattree(const pp_fabric *fabric, uint32_t *links);
bool pp_bisection_mesh(const pp_fabric *fabric, uint32_t *links);
bool pp_bisection_torus(const pp_fabric *fabric, uint32_t *links);
pp_status pp_row_direction_parse(pp_row_direction *out, const char *text);
const char *pp_row_direction_name(pp_row_direction d);

/* Way of a row's channels: 0, +1, -1. */
int pp_row_sign(pp_row_direction d, uint32_t row);

/* GraphML reader (graphml_read.c). */
pp_status pp_build_file(pp_fabric_builder *b);

/* The vertex where ways from and to this one begin and end: the switch of a core, else the vertex itself. */
uint32_t pp_switch_of(const pp_fabric *fabric, uint32_t vertex);
/* Distances along (reverse = false: from `start`) or against the channels (to `start`). Ways lead
 * through switches only, not through pure cores. queue: scratch [n_vertices]. `until`: stop once its
 * distance is known, or PP_NO_VERTEX. */
void pp_bfs(const pp_fabric *fabric, uint32_t start, bool reverse, uint32_t until, uint32_t *distance,
            uint32_t *queue);

/* Best cut, in channels both ways and their rate (bisect.c). */
pp_status pp_fabric_bisect(const pp_fabric *fabric, uint32_t *channels, bool *exact, double *gbps);
/* Lower bounds (cut_bound.c). The least cut of a small direct fabric; false when it is not small. */
bool pp_cut_by_trying(const pp_fabric *fabric, uint32_t *channels);
/* If every core sends to every other one over shortest ways, a channel carries at most L packets; so at least
 * pairs across / L channels lie in any cut into halves. cores: [n_vertices] on the vertex's switch. 0 when the fabric
 * is large, or pairs have no way. */
pp_status pp_cut_by_load(const pp_fabric *fabric, const uint32_t *cores, uint32_t *channels);

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
