/* What quantize compare says of each layer: means over seeds, a row a matrix and method. */
#ifndef PP_CLI_QUANTIZE_LAYERS_H
#define PP_CLI_QUANTIZE_LAYERS_H

#include "report/tables_quant.h"

typedef struct pp_layer_table {
    pp_quant_layer *row; /* [methods][per_method] */
    size_t methods, per_method;
} pp_layer_table;

/* Adds the matrices of a quantized model, one seed of row->seeds in all, to those of method `index`. */
pp_status pp_layer_table_add(pp_layer_table *t, size_t index, const char *method, uint32_t seeds, const pp_lmq *q);
/* Kurtosis, max / rms and error of inputs, error of weights: a table each, a column a method. */
pp_status pp_layer_table_print(const pp_layer_table *t);
void pp_layer_table_json(const pp_layer_table *t, size_t index, pp_json *row);
/* Kurtosis of the inputs along the layers, before and after. */
pp_status pp_layer_table_plot(const pp_layer_table *t, const char *model, const char *path, bool force);

#endif
