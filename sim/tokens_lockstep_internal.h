/* Lockstep in the making: seen by sim/tokens_lockstep*.c alone. */
#ifndef PP_SIM_TOKENS_LOCKSTEP_INTERNAL_H
#define PP_SIM_TOKENS_LOCKSTEP_INTERNAL_H

#include "sim/tokens_internal.h"
#include "sim/tokens_lm_internal.h"

#define PP_LOCKSTEP_NEVER UINT64_MAX

/* How fine: less is finer, and takes longer to simulate. */
typedef struct pp_lockstep_grain {
    uint64_t spread_ps;       /* tiles of an operator that are done within so much are one group */
    uint64_t lump_ps;         /* packets of a group that ask for a channel within so much are one */
    uint32_t channels;        /* servers an instance, at most */
    bool apart;               /* tiles that add up a sum, and the additions, are not one group for that */
    bool settled;             /* held by less where one token alone waits for what is taken together */
} pp_lockstep_grain;

/* Tiles of an operator that work in lockstep; times of the token that is alone: the one that took their expert, or expert 0. */
typedef struct pp_lockstep_group {
    uint64_t start_ps;        /* its tiles have all started */
    uint64_t late_ps;         /* the last channel that something for it needs has been got */
    uint64_t ask_ps;          /* something of it asks for a channel for the first time */
    uint64_t done_ps;         /* the last tile is done */
    uint32_t stage;           /* in mapping.stage[] */
    uint32_t actor;           /* PP_NONE: of an instance that another window is for */
} pp_lockstep_group;

/* Group of a result's actor that the next window sends on; in the order of the actors. */
typedef struct pp_lockstep_result {
    uint32_t core, group;
} pp_lockstep_result;

/* Where what one expert sends an operator of every token is complete: an arrival from each expert that the token chose. */
typedef struct pp_lockstep_join {
    uint32_t expert, block, to, actor;
} pp_lockstep_join;

/* Whose hops are: those of one expert's tokens, or (expert PP_NONE) of all. */
typedef struct pp_lockstep_label {
    uint32_t expert, block;
} pp_lockstep_label;

/* A hop in the making: children are a list. */
typedef struct pp_lockstep_node {
    pp_token_hop hop;
    uint64_t got_ps;          /* a channel: when it was got, the token alone */
    uint32_t child, last, next;
} pp_lockstep_node;

typedef struct pp_lockstep_roots {
    uint32_t first, last;
} pp_lockstep_roots;

typedef struct pp_lockstep {
    const pp_lm_mapping *m;
    pp_lm_actors *x;
    const uint32_t *first_actor; /* [instances + 1] */
    pp_lockstep_grain grain;
    uint64_t window_cores;
    PP_VEC(pp_token_actor) actors;
    PP_VEC(pp_lm_actor) labels;
    PP_VEC(pp_lockstep_roots) roots; /* of each actor */
    PP_VEC(pp_lockstep_node) nodes;
    PP_VEC(pp_token_hop) hops;
    PP_VEC(uint64_t) hop_got; /* [hops] got_ps of their nodes */
    PP_VEC(pp_lm_channel_user) users; /* of the channels' servers, from first_channel on */
    PP_VEC(pp_lm_released) released;
    PP_VEC(pp_lockstep_group) groups;
    PP_VEC(pp_lockstep_result) results;
    PP_VEC(pp_lockstep_join) joins;
    uint32_t *channel_server; /* [channels] */
    uint32_t first_channel;   /* server */
    uint32_t sink;
    uint64_t alone_ps;        /* the token alone is through, in the tiles */
} pp_lockstep;

/* What one token did: alone, and with one expert in every block. */
typedef struct pp_lockstep_frame {
    uint64_t *ready_ps, *start_ps, *done_ps; /* [actors] of those that it passed */
    uint64_t *slack_ps;       /* [actors] its inputs may be late by as much */
    uint64_t *got_ps;         /* [hops] */
    uint64_t *turn;           /* [hops] order in which they took their servers, so that frames can be compared: which of the packets that
                                 all tokens have are before it (high word), and in the frame */
    int64_t *shift_ps;        /* [groups from first_group on] starts later here than in the group's own frame; NULL: frame 0 */
    uint32_t turns, turns_of_all; /* packets so far, and those that all tokens have */
} pp_lockstep_frame;

/* Some instances tile by tile, and what tokens did there. Of an expert's groups, and of what is sent to it, the times are
 * those of its frame, of all others those of frame 0: only times from a group's start on matter. */
typedef struct pp_lockstep_window {
    pp_lockstep *l;
    pp_lm_tile_net t;
    const pp_token_net *net;  /* of the tiles; [actors] and [hops] below are its */
    uint32_t first, n;        /* instances */
    uint32_t *group;          /* [actors] PP_NONE: source, sink, the instance before */
    uint32_t first_group;     /* in l->groups: of this window, or the one before that sends on here */
    pp_lockstep_frame *frame; /* [frames] */
    pp_lockstep_frame *at;    /* the one that is looked at */
    uint32_t frames;          /* one for each expert; 1 without */
    bool *of_expert;          /* [hops] not for all tokens */
    bool *hot;                /* [servers] channels that are servers of lockstep, too */
    bool *sends_hot;          /* [hops] such a channel is at it or below */
} pp_lockstep_window;

static inline uint64_t pp_lockstep_less(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* From one time to another; 0 when that was before. */
static inline uint64_t pp_lockstep_since(uint64_t time_ps, uint64_t from_ps)
{
    return time_ps > from_ps ? time_ps - from_ps : 0;
}

/* ---- tokens_lockstep_tiles.c ---- */

/* Expert of a group's operator; PP_NONE. */
uint32_t pp_lockstep_expert(const pp_lockstep *l, uint32_t group);
/* Looks at the frame of an expert; PP_NONE: frame 0. */
void pp_lockstep_look(pp_lockstep_window *w, uint32_t expert);
/* A time of the frame that is looked at in that of the group, seen from its start. */
uint64_t pp_lockstep_own_time(const pp_lockstep_window *w, uint32_t group, uint64_t time_ps);
/* Start of a group in the frame that is looked at. */
uint64_t pp_lockstep_start(const pp_lockstep_window *w, uint32_t group);
/* Builds the tiles of [first, first + n), sends one token through, finds the groups and when they start and are done. */
pp_status pp_lockstep_replay(pp_lockstep_window *w);
void pp_lockstep_window_free(pp_lockstep_window *w);
/* How late a packet for `actor`, there at arrival_ps, may be before anything that leaves the actor's group is late. */
uint64_t pp_lockstep_slack(pp_lockstep_window *w, uint32_t actor, uint64_t arrival_ps);
pp_status pp_lockstep_add_actor(pp_lockstep *l, pp_token_actor a, pp_lm_actor label, uint32_t *out);
/* Whether the instance was the last one of the window before; its result is sent in this one, all else was in that one. */
bool pp_lockstep_again(const pp_lockstep_window *w, uint32_t instance);
bool pp_lockstep_is_result(const pp_lockstep *l, uint32_t instance, uint32_t stage);
/* Whether what an actor of the tiles sends belongs to this window. */
bool pp_lockstep_sends(const pp_lockstep_window *w, uint32_t actor);
/* Whether a hop of the tiles ends in group g. */
bool pp_lockstep_ends_in(const pp_lockstep_window *w, uint32_t hop, uint32_t g);
uint32_t pp_lockstep_core(const pp_lockstep_window *w, uint32_t actor);
/* An actor that begins an operator's work on a tile; not an addition behind it. */
bool pp_lockstep_begins(const pp_lockstep_window *w, uint32_t actor);

/* ---- tokens_lockstep_channels.c ---- */

/* Fills in hot and sends_hot. */
pp_status pp_lockstep_choose_channels(pp_lockstep_window *w);

/* ---- tokens_lockstep_trees.c ---- */

/* A hop below parent (PP_NONE: the actor), behind its other children; PP_NONE: no memory. */
uint32_t pp_lockstep_add_node(pp_lockstep *l, uint32_t actor, uint32_t parent, pp_token_hop hop);
/* The node `delay` behind parent (PP_NONE: the actor): one for all that leave then. Behind a channel there is one even for no
 * delay, or what follows would be of the same chain and not wait for it. */
pp_status pp_lockstep_delay_node(pp_lockstep *l, uint32_t actor, uint32_t parent, uint64_t delay_ps, uint32_t *out);
/* An arrival at `to`, of the label's tokens; of several from the same node the last one counts. */
pp_status pp_lockstep_end_node(pp_lockstep *l, uint32_t actor, uint32_t parent, uint32_t to, uint64_t after_ps, pp_lockstep_label label);
/* The actor at which what comes for `to` from the label's expert is complete; made when it is first asked for. */
pp_status pp_lockstep_join_of(pp_lockstep *l, pp_lockstep_label label, uint32_t to, uint32_t *out);
/* Joins send on, and their targets wait for as many as a token takes experts. */
pp_status pp_lockstep_put_joins(pp_lockstep *l);

/* ---- tokens_lockstep_settle.c ---- */

/* Holds chains of l->x's net by less where one token alone waits, and did not in the tiles. */
pp_status pp_lockstep_settle(pp_lockstep *l);

/* ---- tokens_lockstep_runs.c ---- */

/* What the groups of a window send, put into their actors' trees; their starts are moved where that lets them send in time. */
pp_status pp_lockstep_put_groups(pp_lockstep_window *w);

#endif
