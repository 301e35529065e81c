/* Shared by the files of the analog engine (sim/crossbar_analog*.c). */
#ifndef PP_SIM_CROSSBAR_ANALOG_INTERNAL_H
#define PP_SIM_CROSSBAR_ANALOG_INTERNAL_H

#include "sim/crossbar_analog.h"

enum {
    PP_AGROUP = 8,    /* firings that go through an array together */
    PP_ALANES = 16,   /* columns of a packed vector */
    PP_APLANES = 32,  /* most input slices: 16 bits, two signs */
    PP_ABINS_OCTAVE = 32,
    PP_ABINS = 48 * PP_ABINS_OCTAVE /* of |acc|: 2^-16 .. 2^32 */
};

/* One slice of the input: value of code byte b on the rows is lut[b], and the digital weight of what it gives. */
typedef struct pp_aplane {
    float lut[256];
    float weight;
    bool identity; /* lut[b] = b - zero */
    float zero;
} pp_aplane;

/* Columns that are converted together: one slice of the weights, both sides subtracted in the array or one side alone. */
typedef struct pp_ablock {
    uint32_t slice;
    int side;      /* 0: plus minus minus; 1: plus alone; 2: minus alone */
    float weight;  /* digital weight: +- 2^(bits of the slices below) */
} pp_ablock;

/* One crossbar. Packed matrices are [block][vector][rows][PP_ALANES]; columns are [pixel of the patch][channel]. */
typedef struct pp_aarray {
    uint32_t stage, tile, copy;
    uint32_t rows, cols, vectors, padded; /* padded = vectors x PP_ALANES */
    uint32_t in_lo, in_hi, out_lo, out_hi;
    uint32_t n_runs;
    uint32_t *run;       /* [n_runs] offset of a run of in_hi - in_lo values from the patch's origin in the map */
    float *w, *s2;       /* s2 NULL: no fresh noise of devices */
    float *ideal;        /* the exact w */
    float *scale;        /* [cols] code units of a device at g_max */
    float *inverse, *offset, *gain, *extra, *full_scale, *plain_gain; /* [blocks][padded]; extra: variance beside the devices'; plain_gain: of exact arrays */
    float *first_scale;  /* [blocks][padded] full_scale of the exact devices; NULL: they are in use */
    float *factor;       /* [padded] drift factor */
    float *digital;      /* [padded] what the digital unit takes off for each unit of input; NULL: nothing */
    float *known;        /* [planes][known][rows] inputs of the compensation */
    float *known_m;      /* [known][padded] their scales; NULL: codes are not made anew */
    double *reference, *now; /* [cols] mean |psum| of the known inputs at t0, and at the present time */
    uint32_t *count;     /* [worker][blocks x padded][PP_ABINS], calibration only */
    bool stale;          /* became ideal or noisy since it was programmed */
    uint32_t firings;    /* of its copy, an image */
} pp_aarray;

typedef struct pp_astage {
    bool matrix, is_linear;
    pp_window window;
    pp_patch patch;
    uint32_t grid_h, grid_w; /* patches */
    uint32_t first_array, n_arrays, copies;
    uint32_t n_planes;
    pp_aplane *plane;
    uint32_t map_h, map_w;   /* padded input map */
    uint32_t n_lines_y, n_lines_x, *line_y, *line_x; /* input lines that a patch reads */
    float dac_step;          /* of the DAC, code units; 1: as the stream */
    float *a, *b;            /* [cout] batch-norm update; NULL: none */
    double clipped;
    float full_input;        /* largest value on a row */
    bool rescales;           /* codes are made anew for each firing (quant/scale_stage.h) */
    uint32_t row_tiles, groups, cin_g, cout_g;
    int zero;                /* byte of code 0 */
} pp_astage;

/* Streams of one image. */
typedef struct pp_aslot {
    uint8_t **stream;
} pp_aslot;

typedef struct pp_ascratch {
    pp_aslot slot;
    float *map;              /* [planes][largest padded map]; codes made anew: [largest padded map] of the stream's codes */
    uint8_t *m, *largest;    /* [row tiles][fire.h][fire.w][groups], and [in.h][in.w][groups]; NULL without */
    float *m_columns;        /* [PP_AGROUP][padded] m of each sum of a read; NULL without */
    float *panel, *square;   /* [PP_AGROUP][rows] */
    float *acc, *var, *z, *sum_f; /* [PP_AGROUP][padded] */
    int32_t *psum;
    int32_t *sum;
    void *finish;
    float *image;
    int16_t *input;
    uint8_t *rotated;        /* one stage's rotated input */
    int32_t *turn;           /* [2 channels] */
    const uint8_t **in;
    double *logits;
    float *plus, *minus, *s2; /* programming: [rows][cols] */
} pp_ascratch;

/* Parameters of the converter of one read. */
typedef struct pp_aconvert {
    const float *inverse, *offset, *gain, *extra;
    const float *m;  /* [PP_AGROUP][padded] scales of the codes; NULL: 1 */
    float code_max, psum_low, psum_high, plane; /* code_max 0: ideal, adds acc x gain x plane to sum_f */
    uint32_t padded;
} pp_aconvert;

typedef struct pp_akernel {
    /* out[PP_AGROUP][16 vectors] = x[PP_AGROUP][rows] times packed w: sums in ascending k, each step one fma. */
    void (*product)(float *out, const float *x, const float *w, uint32_t rows, uint32_t vectors);
    /* acc += sqrt(var + extra) z, var NULL: extra alone. */
    void (*add_noise)(float *acc, const float *var, const float *extra, const float *z, uint32_t padded);
    void (*convert)(const pp_aconvert *c, const float *acc, int32_t *psum, float *sum_f);
    pp_normal_source normals;
} pp_akernel;
pp_akernel pp_akernel_choose(void);

struct pp_analog {
    const pp_qnetwork *q;
    const pp_arch *arch;
    const pp_mapping *m;
    const pp_device *device;
    const pp_noise_options *noise;
    const pp_dataset *calib;
    uint32_t n_calib;
    pp_akernel kernel;
    pp_astage *stage;
    uint32_t n_arrays;
    pp_aarray *array;
    uint32_t *array_of_tile; /* PP_NONE without a matrix */
    uint32_t n_blocks;
    pp_ablock *block;
    uint32_t cell_levels;    /* 2^cell_bits - 1; 0: analog */
    uint32_t known;          /* inputs of the compensation, a multiple of PP_AGROUP */
    float code_max, psum_max;
    bool fresh, fresh_devices; /* any noise of reads; of devices */
    bool ideal_devices;
    uint64_t seed;
    double t;
    bool seeded;             /* reference taken */
    uint32_t ideal_stage;
    bool only_stale;         /* programming and measuring leave the other arrays alone */
    bool exact;              /* calibration: exact weights, no noise, ideal converters */
    bool counting;           /* histograms of acc */
    bool again;              /* ranges are chosen once more: known inputs and warnings stay */
    float choosing_for;      /* then: largest code of the converters */
    pp_ascratch *scratch;
    uint32_t n_scratch;
    size_t map_floats;       /* of one plane */
    PP_VEC(char *) warning;
};

/* ---- build ---- */
/* Arrays with exact weights, no ranges yet; `exact` is set. calib NULL: inputs come otherwise. */
pp_status pp_analog_begin_(pp_analog **out, const pp_qnetwork *q, const pp_arch *arch, const pp_mapping *m,
                           const pp_device *device, const pp_noise_options *noise, uint32_t n_calib, pp_pool *pool);
pp_status pp_analog_build_(pp_analog *x);
pp_status pp_analog_scratch_(pp_analog *x, unsigned workers);
pp_status pp_aslot_new_(const pp_analog *x, pp_aslot *slot);
void pp_aslot_free_(const pp_analog *x, pp_aslot *slot);
/* Weight of (row, column) of an array in code units; *exists false: a cell that no weight needs. */
double pp_analog_weight_(const pp_analog *x, const pp_aarray *a, uint32_t row, uint32_t col, bool *exists);
static inline size_t pp_apacked(const pp_aarray *a, uint32_t block, uint32_t row, uint32_t col)
{
    return (((size_t)block * a->vectors + col / PP_ALANES) * a->rows + row) * PP_ALANES + col % PP_ALANES;
}

/* Tables of a stage's input slices; again when its DAC's step is known. */
void pp_analog_planes_(pp_analog *x, uint32_t stage);

/* ---- program ---- */
/* Ideal weights into a->ideal and the scales; once. */
pp_status pp_analog_targets_(pp_analog *x);
pp_status pp_analog_set_weights_(pp_analog *x, uint64_t seed, double t, pp_pool *pool);

/* ---- run ---- */
/* Converted sums of one group of firings of array a: panels come from the known inputs (known >= 0: first of them) or from
 * the worker's map. psum[PP_AGROUP][padded]. */
typedef struct pp_aread {
    uint32_t image, group;
    int64_t known;
} pp_aread;
void pp_analog_read_(const pp_analog *x, const pp_aarray *a, pp_ascratch *w, const pp_aread *r, unsigned worker);
/* The same of one firing and column in plain loops; in: codes of the stage's whole input. */
int64_t pp_analog_partial_sum_(const pp_analog *x, const pp_aarray *a, const int16_t *in, uint32_t image, uint32_t firing,
                               uint32_t c);
/* Inputs of a stage as values on rows (codes that are made anew: as they come, and m of all firings) into the worker's map. */
void pp_analog_map_(const pp_analog *x, uint32_t stage, const uint8_t *codes, pp_ascratch *w);
/* Sums of a matrix stage into w->sum (saturated, batch-norm update applied). */
void pp_analog_sums_(const pp_analog *x, uint32_t stage, pp_ascratch *w, const uint8_t *in, uint32_t image, unsigned worker);
/* The rest of a matrix stage: w->sum -> stream, or the whole of another stage. */
void pp_analog_finish_(const pp_analog *x, uint32_t stage, pp_ascratch *w, const pp_aslot *slot, double *logits);
void pp_analog_input_(const pp_analog *x, pp_ascratch *w, const pp_dataset *data, uint32_t image, const pp_aslot *slot);
void pp_analog_stage_(const pp_analog *x, uint32_t stage, pp_ascratch *w, const pp_aslot *slot, uint32_t image,
                      unsigned worker, double *logits);

/* ---- calibrate ---- */
pp_status pp_analog_calibrate_(pp_analog *x, pp_pool *pool);
/* Converter ranges of the arrays [lo, hi) from the reads that pass(payload, 0 .. items - 1, worker) makes. */
pp_status pp_analog_ranges_(pp_analog *x, uint32_t lo, uint32_t hi, pp_status (*pass)(void *, size_t, unsigned), void *payload,
                            size_t items, pp_pool *pool);
void pp_analog_counted_(const pp_analog *x, const pp_aarray *a, uint32_t block, const float *acc, uint32_t firings, unsigned worker);
void pp_analog_known_(const pp_analog *x, const pp_aarray *a, uint32_t plane, const pp_ascratch *w, uint32_t image, uint32_t group);
/* Between these, reads see the devices as they are through ideal converters, for ranges chosen once more. */
typedef struct pp_analog_again {
    float code_max;
    bool fresh;
} pp_analog_again;
pp_status pp_analog_again_begin_(pp_analog *x, pp_analog_again *saved);
void pp_analog_again_end_(pp_analog *x, const pp_analog_again *saved);
/* Ranges of the exact devices again. */
void pp_analog_first_ranges_(pp_analog *x);
/* Gains and variances from ranges, factors and programmed noise. */
void pp_analog_gains_(pp_analog *x);

static inline uint32_t pp_analog_key_(uint64_t v)
{
    v *= UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(v >> 32);
}
/* Key and counter of the numbers of one read (plane, block) of a group. */
void pp_analog_counter_(const pp_analog *x, const pp_aarray *a, const pp_aread *r, uint32_t read, uint32_t key[2],
                        uint32_t counter[4]);

#endif
