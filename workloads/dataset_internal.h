/* Shared by the readers of image files. */
#ifndef PP_WORKLOADS_DATASET_INTERNAL_H
#define PP_WORKLOADS_DATASET_INTERNAL_H

#include "workloads/workloads.h"

/* Readers fill an empty data set from `path`; at most `limit` images (0: all). */
pp_status pp_cifar_read_(pp_dataset *data, const char *path, uint32_t limit);
pp_status pp_idx_read_(pp_dataset *data, const char *path, uint32_t limit);

/* A folder of images; size.h 0: as they are. */
pp_status pp_folder_read_(pp_dataset *data, const char *path, const pp_shape *size, uint32_t limit);

/* Sizes, name (base name of path) and arrays for n images; h, w, c are set already. */
pp_status pp_dataset_allocate_(pp_dataset *data, const char *path, uint32_t n);

#endif
