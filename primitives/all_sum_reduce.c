/* all_sum_reduce.c: the sum of the copies of each part, on every worker that holds one: y_c = sum
 * over d of x_d.
 *
 * It is B R, a sum-reduction and a broadcast of its result, and its own adjoint.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3, "all-sum-reduction". */
#include "primitives/auto.h"
#include "primitives/exchange.h"
#include "primitives/group.h"
#include "primitives/node_sum.h"
#include "primitives/patterns.h"
#include "primitives/rules.h"

#include <stdlib.h>

static tg_status check(const tg_layout *x, const tg_layout *y)
{
    if (!tg_layout_equal(x, y))
        return tg_fail(TG_BAD_INPUT, "grid: x and y differ; expected one layout for both");
    return tg_success();
}

/* R and B on one buffer, the one that the result is made in: with stores that differ its own
 * pieces, and the input is copied into it first. */
typedef struct {
    tg_pieces pieces[2]; /* by the side that is made; equal stores: the first is for both */
    tg_blocks whole[2];  /* stores that differ: this rank's part, as a pair */
    bool same_store;
} both_ways;

static void release(tg_op *op)
{
    both_ways *b = op->state;
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        tg_pieces_free(&b->pieces[space]);
        free(b->whole[space].block);
    }
    free(b);
}

/* R to each part's first copy, then B from there. The engine has packed everything before it
 * writes, so that each step may work on one buffer. */
static void run_reference(tg_op *op, tg_space to, const void *in, void *out)
{
    both_ways *b = op->state;
    tg_pieces *e = &b->pieces[b->same_store ? TG_X : to];
    if (!b->same_store)
        tg_blocks_copy(&b->whole[to == TG_Y ? TG_X : TG_Y], in, &b->whole[to], out);
    tg_exchange_run(op, e, TG_X, b->same_store ? in : out, out);
    tg_exchange_run(op, e, TG_Y, out, out);
}

static tg_status plan_both_ways(const tg_problem *problem, tg_op *op)
{
    const bool pack[2] = {true, true};
    both_ways *b = tg_keep(op, (ptrdiff_t)sizeof *b);
    tg_status status = tg_check_memory(b, (ptrdiff_t)sizeof *b);
    if (!b)
        return status;
    op->state = b;
    op->release = release;
    op->run = run_reference;
    b->same_store = tg_store_equal(&problem->store_x, &problem->store_y);
    for (tg_space space = TG_X; space <= TG_Y && status.code == TG_OK; space++) {
        tg_problem on_one_buffer = *problem;
        on_one_buffer.store_x = on_one_buffer.store_y =
            space == TG_X ? problem->store_x : problem->store_y;
        if (space == TG_X || !b->same_store)
            status = tg_pieces_plan(&b->pieces[space], &on_one_buffer, op, pack);
    }
    if (status.code == TG_OK && !b->same_store)
        status = tg_keep_pair(op, &op->view[TG_X], &op->view[TG_X].box, &op->view[TG_Y],
                              &op->view[TG_Y].box, &b->whole[TG_X], &b->whole[TG_Y]);
    /* as many on the way to the first copies; over all ranks that is right */
    tg_set_messages(op, 2 * op->messages[TG_Y]);
    return status;
}

static tg_status plan_reference(const tg_problem *problem, tg_op *op)
{
    return tg_agree(op->comm, plan_both_ways(problem, op));
}

/* Each entry of a part is added at least once by somebody, and reaches everybody: 2 (k - 1) entries
 * in all, and with the best algorithms 2 (k - 1) / k for each rank (Patarasuk and Yuan, 2009). */
static tg_status traffic(const tg_layout *x, const tg_layout *y, tg_traffic *result)
{
    (void)y;
    ptrdiff_t copies = 1, entries = tg_layout_max_held(x);
    for (int a = 0; a < x->ndim; a++)
        copies *= x->axis[a].copied ? x->axis[a].parts : 1;
    result->moved = 2 * (copies - 1) * tg_layout_count(x);
    result->max_rank = (2 * (copies - 1) * entries + copies - 1) / copies;
    return tg_success();
}

static const tg_algorithm reference = {"reference", "packed messages to and from the first copy",
                                       plan_reference, NULL};
static const tg_algorithm mpi = {"mpi", "MPI_Allreduce", tg_plan_allreduce, NULL};
static const tg_algorithm bound = {"persistent-collective", "MPI_Allreduce_init",
                                   TG_PLAN_PERSISTENT(tg_plan_allreduce_init), NULL};
#ifdef TG_HAVE_NODE
static const tg_algorithm node = {
    "node", "shared memory inside a node, MPI_Allreduce between nodes", tg_plan_node_sum, NULL};
static const tg_algorithm cma = {
    "cma", "as node, long runs read from the sender's memory where the system permits it",
    tg_plan_cma_sum, NULL};
#endif
static const tg_algorithm *const algorithms[] = {&reference,
                                                 TG_ROWS_MPI(mpi, bound),
                                                 &tg_tree_all_sum,
                                                 &tg_ring_all_sum,
                                                 &tg_scatter_allgather_all_sum,
#ifdef TG_HAVE_NODE
                                                 &node,
                                                 &cma,
#endif
                                                 &tg_engine_auto,
                                                 NULL};

/* P copies of the whole tensor. */
static void auto_grid(const ptrdiff_t *extent, int ndim, int P, bool to, char *text, size_t size)
{
    (void)to;
    tg_grid_copies(extent, ndim, P, true, text, size);
}

extern const tg_primitive tg_all_sum_reduce;
const tg_primitive tg_all_sum_reduce = {
    .name = "all_sum_reduce",
    .summary = "the sum of the copies of each part, on every worker that holds one",
    .formula = "y_c = sum of x_d over the copies d",
    .adjoint = "the same",
    .source = "arXiv 2006.03108, section 3",
    .sums = true,
    .check = check,
    .auto_grid = auto_grid,
    .traffic = traffic,
    .algorithms = algorithms,
    .lacking = TG_LACKING_PERSISTENT(bound),
};
