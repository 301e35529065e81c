#include "topology/topology_internal.h"

#define ROW(field, kind, unit_, def_, lo, hi, text_)                                              \
    {.section = "fabric", .name = #field, .type = kind, .unit = unit_, .def = def_, .min = lo,    \
     .max = hi, .text = text_, .offset = offsetof(pp_fabric_options, field)}
#define INT(field, unit_, def_, lo, hi, text_) ROW(field, PP_KNOB_INT, unit_, def_, lo, hi, text_)
#define REAL(field, unit_, def_, lo, hi, text_) ROW(field, PP_KNOB_REAL, unit_, def_, lo, hi, text_)
#define TEXT(field, def_, text_) ROW(field, PP_KNOB_TEXT, "", def_, 0, 0, text_)
#define BOOL(field, def_, text_) ROW(field, PP_KNOB_BOOL, "", def_, 0, 1, text_)

/* 8 bit x 625 MHz = 5 Gbit/s is the channel of joshi2020's estimate. Header, wire, router and credit
 * times are 0 there; FIFOs do not throttle. */
static const pp_knob knobs[] = {
    TEXT(kind, "5pp", "kind of fabric (`pentaprism fabric list` names all), or a whole FABRIC string such as 5pp:rows=8,cols=8"),
    TEXT(file, "", "GraphML file; alone it makes the kind file"),
    INT(rows, "cores", "0", 0, PP_FABRIC_MAX_CORES, "rows of a grid of cores or routers; 0: as many as the mapping needs"),
    INT(cols, "cores", "0", 0, PP_FABRIC_MAX_CORES, "columns of a grid of cores or routers; 0: as many as the mapping needs"),
    INT(cores, "cores", "0", 0, PP_FABRIC_MAX_CORES, "cores of a ring, hypercube, star or full fabric; 0: as many as the mapping needs"),
    INT(planes, "planes", "0", 0, PP_FABRIC_MAX_CORES, "planes of a 3D mesh or torus; 0: as many as the mapping needs"),
    INT(nodes, "cores", "0", 0, PP_FABRIC_MAX_RADIX, "cores a router; 0: 4 on cmesh and flatfly, as the mapping needs on dragonfly"),
    INT(arity, "links", "0", 0, PP_FABRIC_MAX_RADIX, "down links of a switch of tree and fattree; 0: 4"),
    {.section = "fabric", .name = "levels", .type = PP_KNOB_LIST, .unit = "levels", .def = "",
     .text = "levels of switches of tree, fattree and htree (empty: as many as the mapping needs); or a list of fabrics, inner to outer: cores in clusters, clusters in chips, chips on a board",
     .offset = offsetof(pp_fabric_options, level_list)},
    INT(taper, "", "0", 0, PP_FABRIC_MAX_RADIX, "tree, htree: factor of lanes from level to level towards the root; 0: 1"),
    INT(interval, "hops", "0", 0, PP_FABRIC_MAX_REACH, "express: hops that an express channel spans; 0: 4"),
    INT(express, "", "0", 0, 1, "cmesh: 1 adds express channels along the edges"),
    INT(routers, "routers", "0", 0, PP_FABRIC_MAX_RADIX, "dragonfly: routers a group; 0: twice the nodes"),
    INT(global, "links", "0", 0, PP_FABRIC_MAX_RADIX, "dragonfly: global links a router; 0: as the nodes"),
    INT(groups, "groups", "0", 0, PP_FABRIC_MAX_CORES, "dragonfly: groups; 0: as many as the mapping needs"),
    INT(degree, "links", "0", 0, PP_FABRIC_MAX_RADIX, "kautz: channels that leave a core; 0: 3"),
    INT(diameter, "hops", "0", 0, PP_FABRIC_MAX_LEVELS, "kautz: diameter; 0: as the mapping needs"),
    INT(reach, "cores", "2", 1, PP_FABRIC_MAX_REACH, "5pp: farthest column that a channel reaches along its row"),
    TEXT(row_direction, "both", "5pp: channels along rows go both ways, forward, or alternate from row to row"),
    BOOL(wrap, "false", "5pp: rows and columns close to rings"),
    {.section = "fabric", .name = "channel", .type = PP_KNOB_CHOICE, .unit = "", .def = "custom", .choices = "custom|5g|llm",
     .text = "channels in one word: 5g is 8 bit x 625 MHz = 5 Gbit/s, llm is 64 bit x 625 MHz = 40 Gbit/s; custom: width_bits and clock_hz as they stand",
     .offset = offsetof(pp_fabric_options, channel)},
    INT(width_bits, "bit", "8", 1, 65536, "bits that a lane moves in one clock cycle of the channel"),
    REAL(clock_hz, "Hz", "625000000", 1.0, 1e12, "clock of the channels"),
    REAL(rate_gbps, "Gbit/s", "0", 0.0, 1e6, "rate of a lane, in place of width x clock; 0: width x clock"),
    INT(lanes, "lanes", "1", 1, 4096, "lanes of a channel; the bits of a packet are striped over them"),
    INT(header_bits, "bit", "0", 0, 65536, "bits that each packet carries besides its payload"),
    INT(wire_ps, "ps", "0", 0, 1000000000, "latency of a pitch of wire"),
    INT(router_ps, "ps", "0", 0, 1000000000, "latency of a hop through a switch"),
    INT(fifo_packets, "packets", "0", 0, 1000000000, "packets that the FIFO behind a network channel holds; 0: unlimited"),
    INT(credit_ps, "ps", "0", 0, 1000000000, "time until the sender knows that a FIFO place is free again"),
    TEXT(local_ports, "auto", "ports between a core and its switch: per_link, a number, or auto (per_link on 5pp, k5prism and files, 1 on router fabrics)"),
    INT(local_lanes, "lanes", "0", 0, 4096, "lanes of a port; 0: as the channels"),
    TEXT(normalise, "channel", "compare: what all fabrics have the same: channel, pins, wire, bisection, area"),
    REAL(wire_pitch_um, "um", "0.2", 1e-4, 1e3, "pitch of the wires of channels and switches, for areas (an assumption; compare's area needs it)"),
    TEXT(routing, "auto", "how packets find their way: auto, xy, yx, shortest, native (the kind's own), balanced (by load)"),
};

const char *pp_channel_preset_value(pp_channel_preset preset, size_t i, const char **value)
{
    static const char *const values[][2][2] = {
        [PP_CHANNEL_5G] = {{"width_bits", "8"}, {"clock_hz", "625000000"}},
        [PP_CHANNEL_LLM] = {{"width_bits", "64"}, {"clock_hz", "625000000"}},
    };
    if (preset == PP_CHANNEL_CUSTOM || i >= 2)
        return NULL;
    *value = values[preset][i][1];
    return values[preset][i][0];
}

pp_knob_table pp_fabric_knobs(void)
{
    return (pp_knob_table){.knobs = knobs, .n = sizeof knobs / sizeof knobs[0]};
}
