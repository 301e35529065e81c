/* Shared by file.c, file_write.c and file_read.c. */
#ifndef PP_QUANT_FILE_INTERNAL_H
#define PP_QUANT_FILE_INTERNAL_H

#include "quant/quant_internal.h"

#define PP_QUANT_FORMAT "pentaprism-quant/1"
#define PP_QUANT_TENSORS "model.safetensors"
#define PP_QUANT_JSON "quant.json"

/* A tensor of the file. data points at the array in memory: int8 codes (not packed), double scales and
 * int64 for the rest; dtype and dim are those of the file. */
enum { PP_QENTRIES = 8 };
typedef struct pp_qentry {
    char name[48];
    pp_tensor tensor;
} pp_qentry;
/* Tensors of a stage in file order; how many. */
size_t pp_qstage_entries(const pp_qnetwork *q, uint32_t stage, pp_qentry list[PP_QENTRIES]);

/* Two 4-bit codes a byte, the first in the low half; every row starts with a new byte. */
void pp_pack_codes(const int8_t *code, uint32_t rows, uint32_t columns, uint8_t *bytes);
void pp_unpack_codes(const uint8_t *bytes, uint32_t rows, uint32_t columns, int8_t *code);

/* Entry "options" of quant.json; texts are the document's. */
pp_status pp_qoptions_read(const pp_node *root, pp_quant_options *o);
/* SHA-256 of a file's content. */
pp_status pp_qfile_hash(const char *path, char hex[65]);

#endif
