/* tree.c: the algorithms `tree`, for short messages: the fewest rounds.
 *
 * k ranks in a group, n bytes, L = ceil(log2 k).
 *
 *     broadcast, sum_reduce       binomial tree           L rounds, at most L n bytes a rank,
 *                                                         of sums n
 *     all_sum_reduce              recursive doubling      L rounds, L n bytes a rank; a round more
 *                                                         when k is no power of 2: the ranks above
 *                                                         it give their terms before, and get the
 *                                                         sum behind
 *     all_gather, reduce_scatter  Bruck's doubling        L rounds, (k-1)/k n bytes a rank
 *
 * Sources: Thakur, Rabenseifner and Gropp, "Optimization of Collective Communication Operations in
 * MPICH", 2005; Bruck et al., "Efficient Algorithms for All-to-All Communications", 1997. */
#include "primitives/patterns.h"
#include "primitives/stepped.h"

static int one_block(int size, ptrdiff_t entries, ptrdiff_t segment)
{
    (void)size, (void)entries, (void)segment;
    return 1;
}

/* ---- broadcast: a rank receives once, then feeds ever smaller trees ---- */

int tg_tree_size(const tg_member *m, int place)
{
    const int lowest = place & -place, left = m->size - place;
    return place == 0 || lowest > left ? left : lowest;
}

/* Half the distance to the next tree of this size, or to the end: of the first child. */
int tg_tree_first(const tg_member *m, int place)
{
    int distance = place & -place;
    if (place == 0)
        for (distance = 1; distance < m->size;)
            distance *= 2;
    return distance / 2;
}

static void add_binomial(const tg_member *m, tg_steps *steps)
{
    const int place = tg_member_place(m);
    const tg_leg none = {.count = 0};
    if (place > 0)
        tg_add_step(steps,
                    (tg_step){.send = none,
                              .receive = {tg_member_rank(m, place - (place & -place)), 0, 1}});
    for (int distance = tg_tree_first(m, place); distance > 0; distance /= 2)
        if (place + distance < m->size)
            tg_add_step(steps, (tg_step){.send = {tg_member_rank(m, place + distance), 0, 1},
                                         .receive = none});
}

int tg_rounds_of_tree(int size, int blocks)
{
    int rounds = 0;
    (void)blocks;
    for (int reached = 1; reached < size; reached *= 2)
        rounds++;
    return rounds;
}

const tg_pattern tg_steps_binomial = {one_block, add_binomial, add_binomial, false,
                                      tg_rounds_of_tree};

static tg_status plan_broadcast(const tg_problem *problem, tg_op *op)
{
    return tg_plan_stepped_broadcast(problem, op, &tg_steps_binomial);
}

static tg_status weigh_broadcast(const tg_problem *problem, bool backwards, tg_weight *weight)
{
    return tg_weigh_stepped_broadcast(problem, backwards, &tg_steps_binomial, weight);
}

static const tg_weights broadcast_weights = {"L", "L n", "Thakur, Rabenseifner and Gropp 2005",
                                             weigh_broadcast};

const tg_algorithm tg_tree_broadcast = {"tree", "binomial tree of messages, for short ones",
                                        plan_broadcast, &broadcast_weights};

/* ---- all_sum_reduce: at each round pairs exchange all they have ---- */

static void add_pairs(const tg_member *m, tg_steps *steps)
{
    int power = 1;
    while (2 * power <= m->size)
        power *= 2;
    const int me = m->me, extra = m->size - power;
    const tg_leg none = {.count = 0};
    const bool folded = me >= power, folds = me < extra;
    const tg_leg other = {m->ranks[folded ? me - power : folds ? me + power : me], 0, 1};
    if (folded)
        tg_add_step(steps, (tg_step){.send = other, .receive = none, .gives = true});
    if (folds)
        tg_add_step(steps, (tg_step){.send = none, .receive = other});
    for (int distance = 1; !folded && distance < power; distance *= 2) {
        const tg_leg pair = {m->ranks[me ^ distance], 0, 1};
        tg_add_step(steps, (tg_step){.send = pair, .receive = pair});
    }
    if (folded)
        tg_add_step(steps, (tg_step){.send = none, .receive = other});
    if (folds)
        tg_add_step(steps, (tg_step){.send = other, .receive = none});
}

static int rounds_of_pairs(int size, int blocks)
{
    return tg_rounds_of_tree(size, blocks) + ((size & (size - 1)) != 0);
}

const tg_pattern tg_steps_pairs = {one_block, add_pairs, NULL, true, rounds_of_pairs};

static tg_status plan_all_sum(const tg_problem *problem, tg_op *op)
{
    return tg_plan_stepped_all_sum(problem, op, &tg_steps_pairs);
}

static tg_status weigh_all_sum(const tg_problem *problem, bool backwards, tg_weight *weight)
{
    return tg_weigh_stepped_all_sum(problem, backwards, &tg_steps_pairs, weight);
}

static const tg_weights all_sum_weights = {"L, and 1 more when k is no power of 2", "L n",
                                           "Thakur, Rabenseifner and Gropp 2005", weigh_all_sum};

const tg_algorithm tg_tree_all_sum = {"tree", "recursive doubling, for short messages",
                                      plan_all_sum, &all_sum_weights};

/* ---- all_gather: what a rank has doubles at each round ---- */

void tg_add_doubling(const tg_member *m, bool skip, tg_steps *steps)
{
    const int place = tg_member_place(m), k = m->size;
    for (int distance = 1; distance < k; distance *= 2) {
        const int end = distance + (distance < k - distance ? distance : k - distance);
        const int back = (place - distance + k) % k;
        int theirs = skip ? tg_tree_size(m, back) : 0, mine = skip ? tg_tree_size(m, place) : 0;
        theirs = theirs < distance ? distance : theirs < end ? theirs : end;
        mine = mine < distance ? distance : mine < end ? mine : end;
        tg_add_step(steps,
                    (tg_step){.send = {tg_member_rank(m, back), (back + theirs) % k, end - theirs},
                              .receive = {tg_member_rank(m, place + distance), (place + mine) % k,
                                          end - mine}});
    }
}

static void add_doubling(const tg_member *m, tg_steps *steps)
{
    tg_add_doubling(m, false, steps);
}

const tg_pattern tg_steps_doubling = {NULL, add_doubling, add_doubling, false, tg_rounds_of_tree};

static tg_status plan_all_gather(const tg_problem *problem, tg_op *op)
{
    return tg_plan_stepped_all_gather(problem, op, &tg_steps_doubling);
}

static tg_status weigh_all_gather(const tg_problem *problem, bool backwards, tg_weight *weight)
{
    return tg_weigh_stepped_all_gather(problem, backwards, &tg_steps_doubling, weight);
}

static const tg_weights all_gather_weights = {"L", "(k-1)/k n", "Bruck et al. 1997",
                                              weigh_all_gather};

const tg_algorithm tg_tree_all_gather = {
    "tree", "doubling in log2 k rounds; p2p where a group's ranks differ", plan_all_gather,
    &all_gather_weights};
