/* Shared by card.c (the file) and card_layers.c (its list of layers). */
#ifndef PP_WORKLOADS_CARD_INTERNAL_H
#define PP_WORKLOADS_CARD_INTERNAL_H

#include "workloads/network_internal.h"
#include "workloads/workloads.h"

typedef struct pp_card {
    const char *path;
    pp_builder *b;
    const pp_safetensors *weights; /* NULL: shape only */
    const char **layer_name;       /* [n_layers], owned by the document */
    uint32_t *layer_op;            /* [n_layers] operator that holds the layer's result */
    size_t n_layers, n_built;
    const pp_node *layers;
} pp_card;

/* input.mean or input.std: a number a channel into out, each above `above`; out stays when there are none. */
pp_status pp_card_scale_(const pp_node *input, const char *key, uint32_t channels, double above, float out[4]);
/* Adds the next layer of the card (index card->n_built) to its builder. */
pp_status pp_card_layer_(pp_card *card);

#endif
