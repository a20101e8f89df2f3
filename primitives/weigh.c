/* weigh.c: the weights of algorithms, counted rank by rank in the very lists that a plan makes:
 * partners of an exchange, steps of a schedule.
 *
 * Rounds and bytes of the busiest rank are the terms of Hockney's model (Parallel Computing 20,
 * 1994), as Thakur, Rabenseifner and Gropp use it for collectives (2005). */
#include "primitives/axes.h"
#include "primitives/count.h"
#include "primitives/exchange.h"
#include "primitives/gathered.h"
#include "primitives/holders.h"
#include "primitives/resharding.h"
#include "primitives/stepped.h"

#include <stdlib.h>

enum { NOT_KNOWN = -1, PHASES = TG_MAX_NDIM };

/* What one rank carries in a run, and in how many rounds each phase of it is done; a phase begins
 * when the one before is over. */
typedef struct {
    tg_carried carried;
    int groups;
    ptrdiff_t rounds[PHASES];
} rank_share;

/* `op` stands for one rank: only rank, dtype, in_place and view are set. */
typedef tg_status share_function(const tg_problem *problem, tg_op *op, bool backwards,
                                 const tg_pattern *pattern, rank_share *share);

/* ---- all ranks ---- */

/* The ranks of x, then those of y that are not in x: `next` is 0 at first; false behind the last. */
static bool next_rank(const tg_problem *problem, int *next, tg_op *op)
{
    const tg_layout *x = &problem->x, *y = &problem->y;
    const int of_x = tg_layout_size(x), all = of_x + tg_layout_size(y);
    int rank = -1;
    for (; *next < all && rank < 0; (*next)++) {
        rank = *next < of_x ? tg_layout_rank(x, *next) : tg_layout_rank(y, *next - of_x);
        if (*next >= of_x && tg_layout_place(x, rank) >= 0)
            rank = -1; /* it was there already */
    }
    if (rank >= 0)
        *op = (tg_op){.rank = rank,
                      .dtype = problem->dtype,
                      .in_place = problem->place == TG_IN_PLACE,
                      .view = {tg_view_of(problem, TG_X, rank), tg_view_of(problem, TG_Y, rank)}};
    return rank >= 0;
}

static ptrdiff_t larger(ptrdiff_t a, ptrdiff_t b)
{
    return a > b ? a : b;
}

static tg_status weigh_ranks(const tg_problem *problem, bool backwards, const tg_pattern *pattern,
                             share_function *share_of, tg_weight *weight)
{
    tg_status status = tg_success();
    const ptrdiff_t size = (ptrdiff_t)problem->dtype->size;
    bool chained = false; /* a rank's groups wait for each other */
    ptrdiff_t rounds[PHASES] = {0};
    tg_op op;
    *weight = (tg_weight){0, 0, 0};
    for (int next = 0; status.code == TG_OK && next_rank(problem, &next, &op);) {
        rank_share share = {.groups = 0};
        status = share_of(problem, &op, backwards, pattern, &share);
        const tg_carried *c = &share.carried;
        weight->messages = larger(weight->messages, larger(c->messages[0], c->messages[1]));
        weight->bytes = larger(weight->bytes, size * larger(c->entries[0], c->entries[1]));
        for (int i = 0; i < PHASES; i++)
            rounds[i] = larger(rounds[i], share.rounds[i]);
        chained = chained || share.groups > 1;
    }
    for (int i = 0; i < PHASES; i++)
        weight->rounds += rounds[i];
    if (weight->messages == 0)
        weight->rounds = 0;
    else if (chained)
        weight->rounds = NOT_KNOWN;
    return status;
}

/* ---- exchanges: a message to each partner, all at once ---- */

/* A rank sends one message at a time and receives one: as many rounds as the busiest rank has
 * partners are enough for all (Koenig 1916: so many colours for the edges of a bipartite graph). */
static tg_status share_of_phase(const tg_problem *problem, const tg_op *op, bool backwards,
                                int phase, rank_share *share)
{
    const tg_box owned = tg_layout_owned(&problem->x, op->rank),
                 held = tg_layout_held(&problem->y, op->rank);
    const ptrdiff_t most = tg_largest_count;
    tg_exchanged of[2]; /* by tg_space: what x gives, what y takes */
    tg_status status = tg_count_holders(&problem->y, &owned, op->rank, most, &of[TG_X]);
    if (status.code == TG_OK)
        status = tg_count_owners(&problem->x, &held, op->rank, most, &of[TG_Y]);
    for (tg_space space = TG_X; space <= TG_Y && status.code == TG_OK; space++) {
        const int way = (space == TG_X) == backwards; /* it sends (0), or receives */
        share->carried.messages[way] += of[space].messages;
        share->carried.entries[way] += of[space].entries;
        share->rounds[phase] = larger(share->rounds[phase], of[space].ranks);
    }
    return status;
}

static tg_status share_of_pieces(const tg_problem *problem, tg_op *op, bool backwards,
                                 const tg_pattern *pattern, rank_share *share)
{
    (void)pattern;
    return share_of_phase(problem, op, backwards, 0, share);
}

static tg_status weigh_pieces(const tg_problem *problem, bool backwards, tg_weight *weight)
{
    return weigh_ranks(problem, backwards, NULL, share_of_pieces, weight);
}

const tg_weights tg_weights_of_pieces = {"p", "its pieces, once for each partner",
                                         "Koenig 1916; Hockney 1994", weigh_pieces};

/* As many messages; a last partition is filled up. */
static tg_status share_of_partitioned(const tg_problem *problem, tg_op *op, bool backwards,
                                      const tg_pattern *pattern, rank_share *share)
{
    tg_status status = tg_success();
    tg_pieces e = {.own_all = false};
    (void)pattern;
    for (tg_space space = TG_X; space <= TG_Y && status.code == TG_OK; space++) {
        const int way = (space == TG_X) == backwards; /* it sends (0), or receives */
        const tg_side *side = &e.side[space];
        status = tg_pieces_partners(&e, problem, op, space);
        for (int i = 0; status.code == TG_OK && i < side->npartners; i++) {
            const tg_partitions cut =
                tg_partitions_of(side->partners[i].entries, tg_most_partitions(problem));
            share->carried.messages[way] += i != side->self;
            share->carried.entries[way] += i != side->self ? cut.count * cut.entries : 0;
        }
        share->rounds[0] = larger(share->rounds[0], share->carried.messages[way]);
    }
    tg_pieces_free(&e);
    return status;
}

static tg_status weigh_partitioned(const tg_problem *problem, bool backwards, tg_weight *weight)
{
    return weigh_ranks(problem, backwards, NULL, share_of_partitioned, weight);
}

const tg_weights tg_weights_of_partitioned = {
    "p", "its pieces, once for each partner, in partitions of one size",
    "Koenig 1916; Hockney 1994; MPI 4.0, chapter 4", weigh_partitioned};

/* A phase is a stage of axes.c. */
static tg_status share_of_axes(const tg_problem *problem, tg_op *op, bool backwards,
                               const tg_pattern *pattern, rank_share *share)
{
    tg_status status = tg_success();
    (void)pattern;
    for (int a = 0; a < problem->y.ndim && status.code == TG_OK; a++) {
        tg_axis_stage stage;
        if (!tg_has_axis_stage(problem, a))
            continue;
        status = tg_axis_stage_find(problem, op->rank, a, &stage);
        if (status.code == TG_OK)
            status = share_of_phase(&stage.problem, op, backwards, a, share);
        free(stage.runs);
    }
    return status;
}

tg_status tg_weigh_axes(const tg_problem *problem, bool backwards, tg_weight *weight)
{
    return tg_axes_fit(problem) ? weigh_ranks(problem, backwards, NULL, share_of_axes, weight)
                                : weigh_pieces(problem, backwards, weight);
}

static tg_status share_of_resharding(const tg_problem *problem, tg_op *op, bool backwards,
                                     const tg_pattern *pattern, rank_share *share)
{
    /* Backwards the same is received and sent, and the phases change places. */
    (void)backwards, (void)pattern;
    return tg_resharding_share(problem, op, &share->carried, share->rounds);
}

tg_status tg_weigh_resharding(const tg_problem *problem, bool backwards, tg_weight *weight)
{
    bool fits = true;
    tg_op op;
    for (int next = 0; fits && next_rank(problem, &next, &op);)
        fits = tg_resharding_fits_here(problem, op.rank);
    return fits ? weigh_ranks(problem, backwards, NULL, share_of_resharding, weight)
                : weigh_pieces(problem, backwards, weight);
}

/* ---- schedules in groups ---- */

/* A rank's share of one group; twice where sums go before copies. */
static tg_status add_group(tg_op *op, const tg_pattern *pattern, const tg_member *m,
                           ptrdiff_t entries, const ptrdiff_t *starts, const bool runs[2],
                           rank_share *share)
{
    tg_schedule s;
    const tg_status status = tg_schedule_steps(op, pattern, m, entries, starts, &s);
    for (int sum = 0; status.code == TG_OK && sum < 2; sum++) {
        if (!runs[sum])
            continue;
        tg_schedule_carried(&s, sum, &share->carried);
        share->rounds[0] += pattern->rounds(m->size, s.blocks);
    }
    share->groups++;
    tg_schedule_free(&s);
    return status;
}

static tg_status share_of_holders(const tg_problem *problem, tg_op *op, const tg_pattern *pattern,
                                  bool all_sum, const bool runs[2], rank_share *share)
{
    tg_holders found[2];
    int count = 0;
    tg_status status = tg_find_holders(problem, op, found, &count);
    for (int i = 0; i < count; i++) {
        const tg_holders *of = &found[i];
        const tg_member m = {
            .ranks = of->ranks, .size = of->size, .me = of->me, .root = all_sum ? 0 : of->root};
        if (status.code == TG_OK)
            status = add_group(op, pattern, &m, of->entries, NULL, runs, share);
        tg_holders_free(&found[i]);
    }
    return status;
}

static tg_status share_of_broadcast(const tg_problem *problem, tg_op *op, bool backwards,
                                    const tg_pattern *pattern, rank_share *share)
{
    const bool runs[2] = {!backwards, backwards};
    return share_of_holders(problem, op, pattern, false, runs, share);
}

tg_status tg_weigh_stepped_broadcast(const tg_problem *problem, bool backwards,
                                     const tg_pattern *pattern, tg_weight *weight)
{
    return weigh_ranks(problem, backwards, pattern, share_of_broadcast, weight);
}

static tg_status share_of_all_sum(const tg_problem *problem, tg_op *op, bool backwards,
                                  const tg_pattern *pattern, rank_share *share)
{
    const bool runs[2] = {true, pattern->sum != NULL}; /* its own adjoint */
    (void)backwards;
    return share_of_holders(problem, op, pattern, true, runs, share);
}

tg_status tg_weigh_stepped_all_sum(const tg_problem *problem, bool backwards,
                                   const tg_pattern *pattern, tg_weight *weight)
{
    return weigh_ranks(problem, backwards, pattern, share_of_all_sum, weight);
}

static tg_status share_of_gather(const tg_problem *problem, tg_op *op, bool backwards,
                                 const tg_pattern *pattern, rank_share *share)
{
    const bool runs[2] = {!backwards, backwards};
    tg_gathered g = {.me = 0};
    if (tg_layout_place(&problem->y, op->rank) < 0)
        return tg_success();
    tg_status status = tg_find_gathered_ranks(problem, op, &g);
    const tg_member m = {.ranks = g.ranks, .size = g.size, .me = g.me, .blocks = g.size};
    if (status.code == TG_OK)
        status = add_group(op, pattern, &m, g.starts[g.size], g.starts, runs, share);
    tg_gathered_free(&g);
    return status;
}

tg_status tg_weigh_stepped_all_gather(const tg_problem *problem, bool backwards,
                                      const tg_pattern *pattern, tg_weight *weight)
{
    tg_status status = tg_success();
    bool same = true;
    tg_op op;
    for (int next = 0; status.code == TG_OK && same && next_rank(problem, &next, &op);)
        status = tg_same_ranks_here(problem, &op, &same);
    if (status.code == TG_OK && !same) /* as its plan does */
        return weigh_pieces(problem, backwards, weight);
    return status.code == TG_OK ? weigh_ranks(problem, backwards, pattern, share_of_gather, weight)
                                : status;
}

/* ---- any problem ---- */

tg_status tg_weigh(const tg_problem *problem, bool adjoint, tg_weight *weight)
{
    const tg_weights *weights = problem->algorithm->weights;
    tg_problem planned = *problem;
    *weight = (tg_weight){NOT_KNOWN, NOT_KNOWN, NOT_KNOWN};
    if (!weights)
        return tg_success();
    if (problem->primitive->transposed) {
        planned.x = problem->y;
        planned.y = problem->x;
        planned.store_x = problem->store_y;
        planned.store_y = problem->store_x;
    }
    return weights->of(&planned, adjoint != problem->primitive->transposed, weight);
}
