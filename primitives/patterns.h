/* patterns.h: algorithms of our own in groups of ranks, and steps that they share. Private to the
 * room. */
#ifndef TG_PATTERNS_H
#define TG_PATTERNS_H

#include "primitives/exchange.h"
#include "primitives/schedule.h"

/* Of broadcast and sum_reduce; of all_sum_reduce; of all_gather and reduce_scatter. What they do
 * and cost is told in tree.c, ring.c and scatter_allgather.c. */
extern const tg_algorithm tg_tree_broadcast, tg_chain_broadcast, tg_scatter_allgather_broadcast;
extern const tg_algorithm tg_tree_all_sum, tg_ring_all_sum, tg_scatter_allgather_all_sum;
extern const tg_algorithm tg_tree_all_gather, tg_ring_all_gather;

/* For the lists of broadcast and sum_reduce, and of all_gather and reduce_scatter. */
#define TG_ROWS_COPIES                                                                             \
    &tg_engine_p2p, TG_ROW_PERSISTENT &tg_tree_broadcast, &tg_chain_broadcast,                     \
        &tg_scatter_allgather_broadcast, TG_ROWS_NODE &tg_engine_auto, NULL
#define TG_ROWS_GATHERED                                                                           \
    &tg_engine_p2p, TG_ROW_PERSISTENT &tg_tree_all_gather, &tg_ring_all_gather,                    \
        TG_ROWS_NODE &tg_engine_auto, NULL

/* Their steps. */
extern const tg_pattern tg_steps_binomial, tg_steps_chain, tg_steps_halving; /* of broadcast */
extern const tg_pattern tg_steps_pairs,
    tg_steps_half_and_double;                             /* of all_sum_reduce, as tg_steps_ring */
extern const tg_pattern tg_steps_doubling, tg_steps_ring; /* of all_gather */

/* Calls: Local. The binomial tree whose root is place 0.
 *   tree_size   places of the tree below a place, with it: they follow each other
 *   tree_first  distance to its farthest child, half of that to the next, down to 1; places that
 *               are not there are left out */
int tg_tree_size(const tg_member *m, int place);
int tg_tree_first(const tg_member *m, int place);

/* Calls: Local. ceil(log2 size): a tree reaches twice as many ranks in each round. */
int tg_rounds_of_tree(int size, int blocks);

/* Calls: Local. All have all blocks in the end, when place i has block i at first: Bruck's
 * doubling. skip: it has the blocks of all places of its tree already; they are not sent to it. */
void tg_add_doubling(const tg_member *m, bool skip, tg_steps *steps);

#endif
