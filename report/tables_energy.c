/* Tables of /energy: what was counted, what it costs and who says so, stage by stage. */
#include "report/tables_internal.h"

#include <stdlib.h>

typedef struct action_row {
    const char *action, *unit, *class, *boundary, *source;
    uint8_t included;
    double count, figure_fj, energy_pj;
    int64_t year, node_nm;
} action_row;

static const pp_h5_column action_columns[] = {
    PP_H5_STRING_COLUMN(action_row, action, 24, "action"),
    PP_H5_STRING_COLUMN(action_row, unit, 16, "what one of it is"),
    PP_H5_STRING_COLUMN(action_row, class, 16, "class in the breakdown"),
    PP_H5_STRING_COLUMN(action_row, boundary, 16, "smallest boundary that holds it"),
    PP_H5_STRING_COLUMN(action_row, source, 96, "who gives the figure; empty: nobody, not priced"),
    PP_H5_COLUMN(action_row, included, PP_H5_BOOL, "", "inside the boundary of the totals"),
    PP_H5_COLUMN(action_row, count, PP_H5_F64, "", "actions an inference"),
    PP_H5_COLUMN(action_row, figure_fj, PP_H5_F64, "fJ", "energy of one; static power: fJ/ns = uW"),
    PP_H5_COLUMN(action_row, energy_pj, PP_H5_F64, "pJ", "energy an inference; 0 when not included"),
    PP_H5_COLUMN(action_row, year, PP_H5_I64, "", "year of the source; 0: none"),
    PP_H5_COLUMN(action_row, node_nm, PP_H5_I64, "nm", "technology node of the figure; 0: not known"),
};

static pp_status write_actions(hid_t file, const pp_energy *e)
{
    action_row rows[PP_ACTION_COUNT] = {0};
    for (int a = 0; a < PP_ACTION_COUNT; a++) {
        const pp_figure *f = &e->cost->energy[a];
        action_row *r = &rows[a];
        r->action = pp_action_name((pp_action)a);
        r->unit = pp_action_unit((pp_action)a);
        r->class = pp_energy_class_name(pp_action_class((pp_action)a));
        r->boundary = pp_boundary_name(pp_action_boundary((pp_action)a));
        r->source = f->source != NULL ? f->source : "";
        r->included = (int)pp_action_boundary((pp_action)a) <= e->cost->boundary;
        r->count = e->total.count[a];
        r->figure_fj = f->value;
        r->energy_pj = r->included ? 1e-3 * r->count * f->value : 0;
        r->year = f->year;
        r->node_nm = f->node_nm;
    }
    return pp_h5_table(file, "/energy/actions", "actions of an inference and their price", action_columns,
                       sizeof action_columns / sizeof *action_columns, rows, sizeof *rows, PP_ACTION_COUNT);
}

typedef struct area_row {
    const char *component, *source;
    uint64_t count;
    double figure_um2, area_mm2;
    int64_t year, node_nm;
} area_row;

static const pp_h5_column area_columns[] = {
    PP_H5_STRING_COLUMN(area_row, component, 16, "component"),
    PP_H5_STRING_COLUMN(area_row, source, 96, "who gives the figure; empty: nobody, not priced"),
    PP_H5_COLUMN(area_row, count, PP_H5_U64, "", "how many the fabric's cores have"),
    PP_H5_COLUMN(area_row, figure_um2, PP_H5_F64, "um2", "area of one"),
    PP_H5_COLUMN(area_row, area_mm2, PP_H5_F64, "mm2", "area of all"),
    PP_H5_COLUMN(area_row, year, PP_H5_I64, "", "year of the source; 0: none"),
    PP_H5_COLUMN(area_row, node_nm, PP_H5_I64, "nm", "technology node of the figure; 0: not known"),
};

static pp_status write_area(hid_t file, const pp_report_input *in)
{
    area_row rows[PP_COMPONENT_COUNT] = {0};
    for (int c = 0; c < PP_COMPONENT_COUNT; c++) {
        const pp_figure *f = &in->energy->cost->area[c];
        area_row *r = &rows[c];
        r->component = pp_component_name((pp_component)c);
        r->source = f->source != NULL ? f->source : "";
        r->count = pp_component_count((pp_component)c, in->arch, in->fabric->n_cores);
        r->figure_um2 = f->value;
        r->area_mm2 = 1e-6 * (double)r->count * f->value;
        r->year = f->year;
        r->node_nm = f->node_nm;
    }
    return pp_h5_table(file, "/energy/area", "components of the chip and their area", area_columns,
                       sizeof area_columns / sizeof *area_columns, rows, sizeof *rows, PP_COMPONENT_COUNT);
}

typedef struct stage_row {
    const char *stage;
    double energy_pj, class_pj[PP_CLASS_COUNT], macs, utilisation;
} stage_row;

#define CLASS_COLUMN(name_, class_, text_)                                                                             \
    {.name = name_, .kind = PP_H5_F64, .offset = offsetof(stage_row, class_pj) + PP_CLASS_##class_ * sizeof(double), \
     .size = sizeof(double), .units = "pJ", .description = text_}

static const pp_h5_column stage_columns[] = {
    PP_H5_STRING_COLUMN(stage_row, stage, 64, "stage; the last row is what belongs to none"),
    PP_H5_COLUMN(stage_row, energy_pj, PP_H5_F64, "pJ", "energy an inference inside the boundary"),
    CLASS_COLUMN("mvm_pj", MVM, "of it, analog MVMs with their converters"),
    CLASS_COLUMN("digital_pj", DIGITAL, "of it, digital operations"),
    CLASS_COLUMN("buffer_pj", BUFFER, "of it, reads and writes of core memory"),
    CLASS_COLUMN("router_pj", ROUTER, "of it, switching of what the stage sends"),
    CLASS_COLUMN("wire_pj", WIRE, "of it, wires under what the stage sends"),
    CLASS_COLUMN("static_pj", STATIC, "of it, static power over the interval"),
    CLASS_COLUMN("dram_pj", DRAM, "of it, bits across the chip's edge"),
    PP_H5_COLUMN(stage_row, macs, PP_H5_F64, "", "useful multiply-accumulates an inference"),
    PP_H5_COLUMN(stage_row, utilisation, PP_H5_F64, "", "useful share of the whole arrays that its MVMs ran over"),
};

static pp_status write_stages(hid_t file, const pp_report_input *in)
{
    const pp_energy *e = in->energy;
    stage_row *rows = pp_calloc((size_t)e->n_stages + 1, sizeof *rows);
    if (rows == NULL)
        return PP_ENOMEM;
    for (uint32_t s = 0; s <= e->n_stages; s++) {
        const pp_energy_row *from = &e->stage[s];
        rows[s].stage = s < e->n_stages ? in->stages->stage[s].name : "(chip)";
        rows[s].energy_pj = 1e-3 * from->energy_fj;
        for (int k = 0; k < PP_CLASS_COUNT; k++)
            rows[s].class_pj[k] = 1e-3 * from->class_fj[k];
        rows[s].macs = from->macs;
        rows[s].utilisation = from->cells > 0 ? from->macs / from->cells : 0;
    }
    pp_status status = pp_h5_table(file, "/energy/stages", "energy of each stage", stage_columns,
                                   sizeof stage_columns / sizeof *stage_columns, rows, sizeof *rows, (size_t)e->n_stages + 1);
    free(rows);
    return status;
}

pp_status pp_write_energy_tables(hid_t file, const pp_report_input *in)
{
    PP_TRY(write_actions(file, in->energy));
    PP_TRY(write_area(file, in));
    return write_stages(file, in);
}
