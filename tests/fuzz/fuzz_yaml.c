/* Run files: the YAML reader alone, then the whole configuration with the knob tables of all commands. */
#include "base/doc.h"
#include "base/knob.h"
#include "cli/session.h"
#include "tests/fuzz/fuzz.h"

size_t pp_fuzz_memory(size_t size)
{
    return ((size_t)2 << 20) + 400 * size; /* a node is some 100 bytes and can be one letter and a comma */
}

static uint64_t walk(const pp_node *node)
{
    uint64_t sum = node->line + node->key_line;
    for (const char *p = node->text; p && *p; p++)
        sum += (unsigned char)*p;
    for (size_t i = 0; i < node->n; i++)
        sum += walk(node->child[i]);
    for (size_t i = 0; node->kind == PP_DOC_MAP && i < node->n; i++)
        if (!pp_node_get(node, node->key[i]))
            __builtin_trap();
    return sum;
}

static void as_configuration(const uint8_t *data, size_t size)
{
    size_t n = 0;
    const pp_knob_table *tables = pp_all_knobs(&n);
    pp_config *config = NULL;
    if (pp_config_new(&config, tables, n))
        __builtin_trap();
    const pp_status status = pp_config_load(config, pp_fuzz_file(".yaml", data, size));
    if (status)
        pp_fuzz_refused(status);
    for (size_t i = 0; i < pp_config_count(config); i++)
        if (!pp_config_text(config, pp_config_knob(config, i)->section, pp_config_knob(config, i)->name))
            __builtin_trap();
    pp_config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pp_doc *doc = NULL;
    const pp_status status = pp_doc_parse_yaml(&doc, "input", (const char *)data, size);
    if (status)
        pp_fuzz_refused(status);
    else
        (void)walk(pp_doc_root(doc));
    pp_doc_free(doc);
    as_configuration(data, size);
    return 0;
}
