/* The verifier's own view of a certificate. It shares no code with the mapper: what a mapping must hold is
 * derived again, from docs/certificate.md, with the network, the stages and the fabric built from
 * their names. */
#ifndef PP_MAPPER_VERIFY_INTERNAL_H
#define PP_MAPPER_VERIFY_INTERNAL_H

#include "mapper/mapper.h"

/* A stage as laid out by the certificate's patches, copies and arrays. */
typedef struct pp_vstage {
    pp_patch patch;
    uint32_t copies, slices, rows, cols; /* rows, cols: tiles of one copy */
    uint32_t first;                      /* tile */
    uint32_t window, widen;              /* array rows of an input channel, columns of an output channel */
    bool whole_groups;                   /* column tiles share out whole groups */
} pp_vstage;

typedef struct pp_vtile {
    uint32_t stage, copy, col, row;
    uint32_t in[2], out[2], array[2];
    uint32_t core;
} pp_vtile;

typedef struct pp_verifier {
    const char *path;
    const pp_node *root;
    pp_network *net;
    pp_stages *stages;
    pp_fabric *fabric;
    uint32_t rows, cols;
    pp_vstage *stage; /* [stages->n] */
    uint32_t n_tiles;
    pp_vtile *tile; /* [n_tiles] */
    PP_VEC(char *) error;
    size_t unlisted;  /* errors beyond the ones that are kept */
    pp_status status; /* memory that ran out, which is no verdict */
} pp_verifier;

/* Notes a reason why the certificate does not hold; returns false. */
bool pp_verify_note(pp_verifier *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Memory ran out: the verdict is open; returns false. */
bool pp_verify_no_memory(pp_verifier *v);
/* `node` must be a map with exactly these keys. */
bool pp_verify_keys(pp_verifier *v, const pp_node *node, const char *what, const char *const *key, size_t n);
/* Typed children of a map; numbers from 0 to UINT32_MAX - 1. */
bool pp_verify_u32(pp_verifier *v, const pp_node *map, const char *key, uint32_t *out);
bool pp_verify_text(pp_verifier *v, const pp_node *map, const char *key, const char **out);
bool pp_verify_pair(pp_verifier *v, const pp_node *map, const char *key, uint32_t out[2]);
/* The child itself as a number. */
bool pp_verify_item(pp_verifier *v, const pp_node *node, const char *what, uint32_t *out);
/* A list; NULL and a note when it is not. */
const pp_node *pp_verify_list(pp_verifier *v, const pp_node *map, const char *key);
/* Notes when a number or text is not the one that the rules give. */
bool pp_verify_equal(pp_verifier *v, const pp_node *map, const char *key, uint64_t expected);
bool pp_verify_equal_text(pp_verifier *v, const pp_node *map, const char *key, const char *expected);

/* Stages and tiles against the tiling rules (verify_tiles.c); flows and ways (verify_flows.c). Each
 * returns whether what follows can be judged at all. */
bool pp_verify_stages(pp_verifier *v);
bool pp_verify_tiles(pp_verifier *v);
bool pp_verify_flows(pp_verifier *v);

#endif
