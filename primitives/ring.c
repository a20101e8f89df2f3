/* ring.c: the algorithms `ring` and `chain`, for long messages: each rank has two neighbours and
 * sends no byte more than it must.
 *
 * k ranks in a group, n bytes.
 *
 *     all_sum_reduce              sums go around, then copies  2 (k-1) rounds, 2 (k-1)/k n bytes a rank
 *     all_gather, reduce_scatter  one of these two             k-1 rounds, (k-1)/k n bytes a rank
 *     broadcast, sum_reduce       a chain from the root, in    k-2+S rounds, n bytes a rank
 *                                 S segments of at most 128 KiB
 *
 * Sources: Patarasuk and Yuan, "Bandwidth Optimal All-reduce Algorithms for Clusters of
 * Workstations", 2009; Chan et al., "Collective Communication: Theory, Practice, and Experience",
 * 2007. */
#include "primitives/patterns.h"
#include "primitives/stepped.h"

/* ---- the ring: block i begins at rank i and goes to the next ---- */

static int block_a_rank(int size, ptrdiff_t entries, ptrdiff_t segment)
{
    (void)entries, (void)segment;
    return size;
}

static void add_ring(const tg_member *m, tg_steps *steps)
{
    const int k = m->size, next = tg_member_rank(m, m->me + 1),
              last = tg_member_rank(m, m->me + k - 1);
    for (int round = 0; round < k - 1; round++)
        tg_add_step(steps, (tg_step){.send = {next, (m->me - round + k) % k, 1},
                                     .receive = {last, (m->me - round - 1 + k) % k, 1}});
}

static int rounds_of_ring(int size, int blocks)
{
    (void)blocks;
    return size - 1;
}

const tg_pattern tg_steps_ring = {block_a_rank, add_ring, add_ring, false, rounds_of_ring};

static tg_status plan_all_sum(const tg_problem *problem, tg_op *op)
{
    return tg_plan_stepped_all_sum(problem, op, &tg_steps_ring);
}

static tg_status weigh_all_sum(const tg_problem *problem, bool backwards, tg_weight *weight)
{
    return tg_weigh_stepped_all_sum(problem, backwards, &tg_steps_ring, weight);
}

static const tg_weights all_sum_weights = {"2 (k-1)", "2 (k-1)/k n", "Patarasuk and Yuan 2009",
                                           weigh_all_sum};

const tg_algorithm tg_ring_all_sum = {"ring", "sums around a ring, then copies; for long messages",
                                      plan_all_sum, &all_sum_weights};

static tg_status plan_all_gather(const tg_problem *problem, tg_op *op)
{
    return tg_plan_stepped_all_gather(problem, op, &tg_steps_ring);
}

static tg_status weigh_all_gather(const tg_problem *problem, bool backwards, tg_weight *weight)
{
    return tg_weigh_stepped_all_gather(problem, backwards, &tg_steps_ring, weight);
}

static const tg_weights all_gather_weights = {"k-1", "(k-1)/k n", "Chan et al. 2007",
                                              weigh_all_gather};

const tg_algorithm tg_ring_all_gather = {"ring",
                                         "blocks around a ring; p2p where a group's ranks differ",
                                         plan_all_gather, &all_gather_weights};

/* ---- the chain: while a rank receives a segment, it passes on the one before ---- */

static int segments(int size, ptrdiff_t entries, ptrdiff_t segment)
{
    (void)size;
    return entries > segment ? (int)((entries + segment - 1) / segment) : 1;
}

static void add_chain(const tg_member *m, tg_steps *steps)
{
    const int place = tg_member_place(m);
    const bool receives = place > 0, sends = place < m->size - 1;
    const int before = tg_member_rank(m, place + m->size - 1),
              behind = tg_member_rank(m, place + 1);
    const int count = receives || sends ? m->blocks + (receives && sends) : 0;
    for (int i = 0; i < count; i++) {
        const int sent = i - receives;
        tg_add_step(steps, (tg_step){.send = {behind, sent, sends && sent >= 0},
                                     .receive = {before, i, receives && i < m->blocks}});
    }
}

static int rounds_of_chain(int size, int blocks)
{
    return size > 1 ? size - 2 + blocks : 0;
}

const tg_pattern tg_steps_chain = {segments, add_chain, add_chain, false, rounds_of_chain};

static tg_status plan_broadcast(const tg_problem *problem, tg_op *op)
{
    return tg_plan_stepped_broadcast(problem, op, &tg_steps_chain);
}

static tg_status weigh_broadcast(const tg_problem *problem, bool backwards, tg_weight *weight)
{
    return tg_weigh_stepped_broadcast(problem, backwards, &tg_steps_chain, weight);
}

static const tg_weights broadcast_weights = {"k-2+S", "n", "Chan et al. 2007", weigh_broadcast};

const tg_algorithm tg_chain_broadcast = {"chain",
                                         "segments along a chain of ranks, for long messages",
                                         plan_broadcast, &broadcast_weights};
