/* CIFAR-10 binary: records of a label byte and the red, green and blue planes, 1,024 bytes each. */
#include "workloads/dataset_internal.h"

#include <string.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, RECORD = 1 + 3 * PLANE, CLASSES = 10 };

static pp_status read_record(pp_dataset *data, uint32_t i, const uint8_t *record, const char *path)
{
    if (record[0] >= CLASSES)
        return pp_fail_at(PP_EFORMAT, path, 0, "image %u has label %u; CIFAR-10 has labels 0 to 9", i, record[0]);
    data->labels[i] = record[0];
    uint8_t *pixels = data->pixels + (size_t)i * 3 * PLANE;
    for (size_t c = 0; c < 3; c++)
        for (size_t p = 0; p < PLANE; p++)
            pixels[p * 3 + c] = record[1 + c * PLANE + p];
    return PP_OK;
}

static pp_status read_records(pp_dataset *data, const pp_file *file, const char *path, uint32_t limit)
{
    if (file->size == 0 || file->size % RECORD != 0)
        return pp_fail_at(PP_EFORMAT, path, 0, "%zu bytes are not a number of CIFAR-10 records of %d bytes", file->size,
                          RECORD);
    size_t n = file->size / RECORD;
    if (n > 10000000)
        return pp_fail_at(PP_ERANGE, path, 0, "%zu images; at most 10,000,000", n);
    data->h = data->w = SIDE;
    data->c = 3;
    data->classes = CLASSES;
    PP_TRY(pp_dataset_allocate_(data, path, limit && limit < n ? limit : (uint32_t)n));
    for (uint32_t i = 0; i < data->n; i++)
        PP_TRY(read_record(data, i, file->data + (size_t)i * RECORD, path));
    pp_sha256 h;
    pp_sha256_begin(&h);
    pp_sha256_add(&h, file->data, file->size);
    pp_sha256_end(&h, data->sha256);
    return PP_OK;
}

pp_status pp_cifar_read_(pp_dataset *data, const char *path, uint32_t limit)
{
    pp_file *file = NULL;
    PP_TRY(pp_file_map(&file, path));
    pp_status status = read_records(data, file, path, limit);
    pp_file_unmap(file);
    return status;
}
