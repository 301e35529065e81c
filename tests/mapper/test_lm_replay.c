/* Packets of one edge on an idle fabric: by hand, and against a search for the next request among all that wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mapper/lm_internal.h"

#include <stdlib.h>

enum { CHANNELS = 12, WAYS = 60 };

/* Two packets meet on channel 1, a sum waits for both. */
static void meeting_by_hand(void **state)
{
    (void)state;
    const pp_lm_way way[] = {{.channel = 0, .parent = PP_NONE, .packet = 0, .latency_ps = 5, .ser_ps = 100},
                             {.channel = 1, .parent = 0, .packet = 0, .latency_ps = 5, .ser_ps = 100},
                             {.channel = 2, .parent = PP_NONE, .packet = 1, .latency_ps = 5, .ser_ps = 50},
                             {.channel = 1, .parent = 2, .packet = 1, .latency_ps = 5, .ser_ps = 50},
                             {.channel = 3, .parent = PP_NONE, .packet = 2, .latency_ps = 5, .ser_ps = 20}};
    pp_lm_arrival arrival[] = {{.packet = 0, .way = 1}, {.packet = 1, .way = 3}, {.packet = 2, .way = 4}};
    pp_lm_packet packet[] = {{.src_node = PP_NONE, .dst_node = 0, .add_ps = 7}, {.src_node = PP_NONE, .dst_node = 0, .add_ps = 7},
                             {.src_node = 0, .dst_node = PP_NONE}};
    const pp_lm_packets p = {.way = way, .arrival = arrival, .packet = packet, .n_ways = 5, .n_arrivals = 3, .n_packets = 3, .n_nodes = 1};
    uint32_t scratch[CHANNELS] = {0};
    assert_int_equal(pp_lm_replay(&p, scratch), PP_OK);
    assert_int_equal(arrival[0].time_ps, 5 + 5 + 100);        /* first at channel 1, at 5 */
    assert_int_equal(arrival[1].time_ps, 5 + 100 + 5 + 50);   /* waits for 100 */
    assert_int_equal(packet[1].end_ps, 160 + 7);
    assert_int_equal(arrival[2].time_ps, 167 + 5 + 20);
    for (int c = 0; c < CHANNELS; c++)
        assert_int_equal(scratch[c], 0);
}

/* The obvious way: of all requests that wait, the earliest, then the first made, is served. */
static void slow_replay(uint64_t *end_ps, const pp_lm_way *way, uint32_t n)
{
    uint64_t at[WAYS], slow[WAYS], made[WAYS], free_ps[CHANNELS] = {0}, turn = 0;
    bool waits[WAYS], done[WAYS] = {false};
    for (uint32_t i = 0; i < n; i++) {
        waits[i] = way[i].parent == PP_NONE;
        at[i] = 0;
        made[i] = waits[i] ? turn++ : 0;
        slow[i] = way[i].parent == PP_NONE || way[i].ser_ps > slow[way[i].parent] ? way[i].ser_ps : slow[way[i].parent];
    }
    for (uint32_t k = 0; k < n; k++) {
        uint32_t best = PP_NONE;
        for (uint32_t i = 0; i < n; i++)
            if (waits[i] && !done[i] && (best == PP_NONE || at[i] < at[best] || (at[i] == at[best] && made[i] < made[best])))
                best = i;
        done[best] = true;
        uint64_t *f = &free_ps[way[best].channel];
        const uint64_t start = at[best] > *f ? at[best] : *f;
        *f = start + way[best].ser_ps;
        end_ps[best] = start + way[best].latency_ps + slow[best];
        for (uint32_t i = 0; i < n; i++)
            if (way[i].parent == best) {
                waits[i] = true;
                at[i] = start + way[best].latency_ps;
                made[i] = turn++;
            }
    }
}

/* Latencies and serialisations of a random tree of packets; odd times, so that hardly any two are equal. */
static void random_packets(void **state)
{
    (void)state;
    uint32_t seed = 1, scratch[CHANNELS] = {0};
    for (int round = 0; round < 300; round++) {
        pp_lm_way way[WAYS];
        pp_lm_arrival arrival[WAYS];
        pp_lm_packet packet[WAYS];
        uint64_t expected[WAYS];
        uint32_t packets = 0;
        for (uint32_t i = 0; i < WAYS; i++) {
            seed = seed * 1664525u + 1013904223u;
            const bool root = i == 0 || (seed >> 8) % 4 == 0;
            const uint32_t parent = root ? PP_NONE : (seed >> 12) % i;
            way[i] = (pp_lm_way){.channel = (seed >> 20) % CHANNELS, .parent = parent, .packet = root ? packets : way[parent].packet,
                                 .latency_ps = 1 + (seed >> 3) % 100003, .ser_ps = 1 + (seed >> 5) % 500009};
            arrival[i] = (pp_lm_arrival){.packet = way[i].packet, .way = i};
            if (root)
                packet[packets++] = (pp_lm_packet){.src_node = PP_NONE, .dst_node = PP_NONE};
        }
        const pp_lm_packets p = {.way = way, .arrival = arrival, .packet = packet, .n_ways = WAYS, .n_arrivals = WAYS, .n_packets = packets};
        assert_int_equal(pp_lm_replay(&p, scratch), PP_OK);
        slow_replay(expected, way, WAYS);
        for (uint32_t i = 0; i < WAYS; i++)
            assert_int_equal(arrival[i].time_ps, expected[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(meeting_by_hand), cmocka_unit_test(random_packets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
