/* scatter_allgather.c: the algorithm `scatter_allgather`, for long messages: few rounds and few
 * bytes, where the vector can be cut.
 *
 * k ranks in a group, n bytes, L = ceil(log2 k); the vector is cut into k blocks.
 *
 *     broadcast       the root scatters the blocks by halving, then all gather them by doubling:
 *                     2 L rounds, at most 2 (k-1)/k n bytes a rank. What a rank has from the
 *                     scatter it does not receive again
 *     sum_reduce      the adjoint of both, in the opposite sequence: sums are scattered by halving,
 *                     then gathered at the root: 2 L rounds, at most 2 (k-1)/k n bytes a rank
 *     all_sum_reduce  sums by halving, then copies by doubling: 2 L rounds, 2 (k-1)/k n bytes a rank
 *
 * Bruck's doubling takes any k, so that no rank has to be folded away.
 * Sources: Thakur, Rabenseifner and Gropp, "Optimization of Collective Communication Operations in
 * MPICH", 2005; Rabenseifner, "Optimization of Collective Reduction Operations", 2004. */
#include "primitives/patterns.h"
#include "primitives/stepped.h"

static int block_a_rank(int size, ptrdiff_t entries, ptrdiff_t segment)
{
    (void)entries, (void)segment;
    return size;
}

/* A rank receives the blocks of its tree and passes on those of its children's. */
static void add_scatter(const tg_member *m, tg_steps *steps)
{
    const int place = tg_member_place(m);
    const tg_leg none = {.count = 0};
    if (place > 0)
        tg_add_step(steps, (tg_step){.send = none,
                                     .receive = {tg_member_rank(m, place - (place & -place)), place,
                                                 tg_tree_size(m, place)}});
    for (int distance = tg_tree_first(m, place); distance > 0; distance /= 2) {
        const int child = place + distance;
        if (child < m->size)
            tg_add_step(steps,
                        (tg_step){.send = {tg_member_rank(m, child), child, tg_tree_size(m, child)},
                                  .receive = none});
    }
}

static void add_broadcast(const tg_member *m, tg_steps *steps)
{
    add_scatter(m, steps);
    tg_add_doubling(m, true, steps);
}

/* Nothing is skipped: each rank adds its share of the terms, the root no more than the others. */
static void add_reduction(const tg_member *m, tg_steps *steps)
{
    add_scatter(m, steps);
    tg_add_doubling(m, false, steps);
}

static int rounds_of_both(int size, int blocks)
{
    return 2 * tg_rounds_of_tree(size, blocks);
}

const tg_pattern tg_steps_halving = {block_a_rank, add_broadcast, add_reduction, false,
                                     rounds_of_both};

static tg_status plan_broadcast(const tg_problem *problem, tg_op *op)
{
    return tg_plan_stepped_broadcast(problem, op, &tg_steps_halving);
}

static tg_status weigh_broadcast(const tg_problem *problem, bool backwards, tg_weight *weight)
{
    return tg_weigh_stepped_broadcast(problem, backwards, &tg_steps_halving, weight);
}

static const tg_weights broadcast_weights = {
    "2 L", "2 (k-1)/k n at most", "Thakur, Rabenseifner and Gropp 2005", weigh_broadcast};

const tg_algorithm tg_scatter_allgather_broadcast = {
    "scatter_allgather", "scatter by halving, then all gather; for long messages", plan_broadcast,
    &broadcast_weights};

static void add_doubling(const tg_member *m, tg_steps *steps)
{
    tg_add_doubling(m, false, steps);
}

const tg_pattern tg_steps_half_and_double = {block_a_rank, add_doubling, add_doubling, false,
                                             tg_rounds_of_tree};

static tg_status plan_all_sum(const tg_problem *problem, tg_op *op)
{
    return tg_plan_stepped_all_sum(problem, op, &tg_steps_half_and_double);
}

static tg_status weigh_all_sum(const tg_problem *problem, bool backwards, tg_weight *weight)
{
    return tg_weigh_stepped_all_sum(problem, backwards, &tg_steps_half_and_double, weight);
}

static const tg_weights all_sum_weights = {"2 L", "2 (k-1)/k n", "Rabenseifner 2004",
                                           weigh_all_sum};

const tg_algorithm tg_scatter_allgather_all_sum = {"scatter_allgather",
                                                   "sums by halving, then all gather by doubling",
                                                   plan_all_sum, &all_sum_weights};
