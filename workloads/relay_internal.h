/* Relays behind stages with many neighbours (relay.c). */
#ifndef PP_WORKLOADS_RELAY_INTERNAL_H
#define PP_WORKLOADS_RELAY_INTERNAL_H

#include "workloads/network_internal.h"

/* Changes the network so that no stage has more than `limit` (at least 3) sources and readers together. */
pp_status pp_network_relay_(pp_network *net, uint32_t limit);
/* The most sources and readers that a stage has; 0: memory ran out. */
uint32_t pp_network_neighbours_(const pp_network *net);
pp_status pp_network_rename_(pp_network *net, const char *name);

#endif
