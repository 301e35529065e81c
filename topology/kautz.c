/* Kautz digraphs K(degree, diameter): vertices are the words of `diameter` letters out of degree + 1 in which
 * no letter follows itself; a channel leads from s1 s2 ... sD to s2 ... sD t. */
#include "topology/topology_internal.h"

void pp_defaults_kautz(pp_fabric_options *o)
{
    if (o->degree == 0)
        o->degree = 3;
}

/* (degree + 1) x degree^(diameter - 1), or UINT64_MAX. */
static uint64_t words(const pp_fabric_options *o)
{
    const uint64_t rest = pp_power((uint64_t)o->degree, (uint64_t)o->diameter - 1);
    return rest == UINT64_MAX ? rest : rest * ((uint64_t)o->degree + 1);
}

static pp_status check(const pp_fabric_options *o)
{
    if (o->diameter == 0)
        return pp_size_missing(o, "degree=D,diameter=K");
    PP_TRY(pp_size_check(o, "degree", o->degree, 1, PP_FABRIC_MAX_RADIX));
    PP_TRY(pp_size_check(o, "diameter", o->diameter, 1, PP_FABRIC_MAX_LEVELS));
    return pp_size_total(o, words(o));
}

/* Letters are numbered; behind letter x the others keep their order, so that each takes one digit of base
 * `degree`: the index is s1 and these digits. */
void pp_kautz_word(const pp_fabric_shape *s, uint32_t vertex, uint32_t *word)
{
    for (uint32_t i = s->diameter; i-- > 1;) {
        word[i] = vertex % s->degree;
        vertex /= s->degree;
    }
    word[0] = vertex;
    for (uint32_t i = 1; i < s->diameter; i++)
        word[i] += word[i] >= word[i - 1];
}

uint32_t pp_kautz_vertex(const pp_fabric_shape *s, const uint32_t *word)
{
    uint32_t vertex = word[0];
    for (uint32_t i = 1; i < s->diameter; i++)
        vertex = vertex * s->degree + word[i] - (word[i] > word[i - 1]);
    return vertex;
}

static float distance(const pp_fabric_builder *b, uint32_t u, uint32_t v)
{
    const int32_t *p = b->vertices.data[u].coord, *q = b->vertices.data[v].coord;
    const int32_t dr = p[0] > q[0] ? p[0] - q[0] : q[0] - p[0], dc = p[1] > q[1] ? p[1] - q[1] : q[1] - p[1];
    return (float)(dr + dc);
}

/* PAPER: kautz1968. */
pp_status pp_build_kautz(pp_fabric_builder *b)
{
    PP_TRY(check(b->options));
    b->shape.degree = (uint32_t)b->options->degree;
    b->shape.diameter = (uint32_t)b->options->diameter;
    const pp_fabric_shape *s = &b->shape;
    const uint32_t n = (uint32_t)words(b->options);
    PP_TRY(pp_builder_square(b, PP_VERTEX_BOTH, n));
    uint32_t word[PP_FABRIC_MAX_LEVELS + 1];
    for (uint32_t v = 0; v < n; v++) {
        pp_kautz_word(s, v, word);
        for (word[s->diameter] = 0; word[s->diameter] <= s->degree; word[s->diameter]++)
            if (word[s->diameter] != word[s->diameter - 1]) {
                const uint32_t to = pp_kautz_vertex(s, word + 1);
                PP_TRY(pp_builder_channel(b, v, to, distance(b, v, to)));
            }
    }
    return PP_OK;
}

pp_status pp_fit_kautz(pp_fabric_options *o, uint32_t cores)
{
    if (o->diameter == 0)
        for (o->diameter = 1; o->diameter < PP_FABRIC_MAX_LEVELS && words(o) < cores;)
            o->diameter++;
    PP_TRY(check(o));
    return pp_size_holds(o, words(o), cores);
}
