/* What network builders are written in: one call an operator, a sticky status, names with a scope. */
#ifndef PP_WORKLOADS_MAKER_INTERNAL_H
#define PP_WORKLOADS_MAKER_INTERNAL_H

#include "workloads/network_internal.h"
#include "workloads/workloads.h"

/* What MODEL may choose behind its name: `NAME:input=HxWxC,classes=N`. h == 0: the network's own. */
typedef struct pp_model_options {
    pp_shape input;
    uint32_t classes; /* 0: the network's own */
    uint32_t relays;  /* neighbours that a stage has at most (relay.c); 0: any number */
} pp_model_options;

/* One built-in network; a family builds from its row. build NULL: card of the zoo, NAME.json there. */
typedef struct pp_model {
    const char *name, *summary;
    pp_status (*build)(pp_network **out, const struct pp_model *m, const char *name, const pp_model_options *o);
    pp_shape input;
    uint32_t classes;
    uint32_t arg[4]; /* depth, blocks of a stage, width ...: the family's */
} pp_model;

/* Tables of built-in networks, each ends in a row without a name. */
extern const pp_model pp_models_cnn_[];

/* After the first failure every call does nothing and gives operator 0. */
typedef struct pp_maker {
    pp_builder *b;
    pp_status status;
    char scope[64]; /* stands before the names of operators */
} pp_maker;

/* Row and options -> maker with its input (options win over the row). */
void pp_maker_begin_(pp_maker *mk, const char *name, const pp_model *m, const pp_model_options *o);
uint32_t pp_maker_classes_(const pp_model *m, const pp_model_options *o);
pp_status pp_maker_end_(pp_maker *mk, pp_network **out);

void pp_mk_scope_(pp_maker *mk, const char *format, ...) __attribute__((format(printf, 2, 3)));
pp_shape pp_mk_shape_(const pp_maker *mk, uint32_t op);

/* A convolution. k: square kernel (else kh, kw); s: stride, default 1; pad: PP_PAD_NONE (0), PP_PAD_HALF: k / 2 on
 * each side (PyTorch's usual), PP_PAD_TWO: 2, PP_PAD_SAME: output ceil(size / stride), more behind than before (TensorFlow).
 * bn: batch norm instead of a bias, folded; bias: bias. act: activation behind it, an operator "NAME.act". */
enum { PP_PAD_NONE, PP_PAD_HALF, PP_PAD_TWO, PP_PAD_SAME };
typedef struct pp_mk_conv {
    uint32_t out, k, kh, kw, s, groups;
    int pad;
    bool bn, bias;
    pp_act act;
} pp_mk_conv;
uint32_t pp_mk_conv_(pp_maker *mk, const char *name, uint32_t input, pp_mk_conv conv);

/* Pooling. ceil: the last window may begin inside and end outside of the padded map (PyTorch's ceil_mode). */
typedef struct pp_mk_pool {
    uint32_t k, s, pad;
    bool ceil, same, count_padding;
} pp_mk_pool;
uint32_t pp_mk_max_(pp_maker *mk, const char *name, uint32_t input, pp_mk_pool pool);
uint32_t pp_mk_avg_(pp_maker *mk, const char *name, uint32_t input, pp_mk_pool pool);
uint32_t pp_mk_global_(pp_maker *mk, const char *name, uint32_t input);
uint32_t pp_mk_linear_(pp_maker *mk, const char *name, uint32_t input, uint32_t features, bool bias, pp_act act);
uint32_t pp_mk_act_(pp_maker *mk, const char *name, uint32_t input, pp_act act); /* NONE: the input itself */
uint32_t pp_mk_scale_(pp_maker *mk, const char *name, uint32_t input);
uint32_t pp_mk_add_(pp_maker *mk, const char *name, uint32_t a, uint32_t b);
uint32_t pp_mk_mul_(pp_maker *mk, const char *name, uint32_t a, uint32_t b);
uint32_t pp_mk_concat_(pp_maker *mk, const char *name, uint32_t n, const uint32_t *inputs);
uint32_t pp_mk_shuffle_(pp_maker *mk, const char *name, uint32_t input, uint32_t groups);
uint32_t pp_mk_slice_(pp_maker *mk, const char *name, uint32_t input, pp_shape offset, pp_shape size);
uint32_t pp_mk_upsample_(pp_maker *mk, const char *name, uint32_t input, uint32_t factor);

/* Families. */
pp_status pp_net_resnet_cifar_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_resnet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_alexnet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_vgg_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_squeezenet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_densenet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_googlenet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_inception3_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_lenet5_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_resnet9_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_mobilenet1_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_mobilenet3_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_efficientnet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_shufflenet2_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_inception4_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_inception_resnet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_xception_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_unet_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_yolo_tiny_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);
pp_status pp_net_mobilenet2_(pp_network **out, const pp_model *m, const char *name, const pp_model_options *o);

#endif
