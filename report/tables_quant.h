/* HDF5 of `quantize compare`: one row a method. */
#ifndef PP_REPORT_TABLES_QUANT_H
#define PP_REPORT_TABLES_QUANT_H

#include "quant/lmq.h"

typedef struct pp_quant_row {
    char method[24];
    uint32_t wbits, abits, kvbits, seeds;
    double bits_per_byte, bits_per_byte_std, bits_per_byte_min, bits_per_byte_max, bits_per_byte_float;
    double perplexity, perplexity_std, perplexity_float;
    double kurtosis_before, kurtosis_after, invariance_error;
} pp_quant_row;

/* One matrix of a method, mean over its seeds. */
typedef struct pp_quant_layer {
    char method[24];
    pp_lmq_layer mean;
} pp_quant_layer;

/* /quantize/command, /quantize/model, /quantize/methods and, when there are layers, /quantize/layers. Whole or not at all. */
pp_status pp_quant_report_write(const char *path, const char *command, const char *model, const pp_quant_row *rows, size_t n,
                                const pp_quant_layer *layers, size_t n_layers, bool force);

#endif
