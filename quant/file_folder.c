/* A folder that quantize wrote, as a MODEL: what it was made from, and how. */
#include "quant/file_internal.h"

#include <stdlib.h>
#include <string.h>

bool pp_qnetwork_is_folder(const char *path)
{
    char *json = pp_path_join(path, PP_QUANT_JSON), *tensors = pp_path_join(path, PP_QUANT_TENSORS);
    const bool is = json && tensors && pp_file_exists(json) && pp_file_exists(tensors);
    free(json);
    free(tensors);
    return is;
}

static pp_status read_folder(pp_qfolder *f, const char *json)
{
    const pp_node *model;
    pp_doc *doc = NULL;
    PP_TRY(pp_doc_read_json(&doc, json));
    f->owner = doc;
    PP_TRY(pp_qoptions_read(pp_doc_root(doc), &f->options));
    model = pp_node_get(pp_doc_root(doc), "model"); /* not written by the first versions: networks of the zoo then */
    if (!model)
        PP_TRY(pp_node_need(pp_doc_root(doc), "network", &model));
    return pp_node_text(model, "model", &f->model);
}

pp_status pp_qfolder_open(pp_qfolder **out, const char *dir)
{
    *out = NULL;
    pp_qfolder *f = pp_calloc(1, sizeof *f);
    char *json = pp_path_join(dir, PP_QUANT_JSON);
    pp_status status = f && json ? read_folder(f, json) : PP_ENOMEM;
    free(json);
    if (status == PP_OK && !(f->dir = pp_strdup(dir)))
        status = PP_ENOMEM;
    if (status == PP_OK)
        *out = f;
    else
        pp_qfolder_free(f);
    return status;
}

void pp_qfolder_free(pp_qfolder *f)
{
    if (!f)
        return;
    pp_doc_free(f->owner);
    free(f->dir);
    free(f);
}
