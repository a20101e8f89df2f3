/* all_sum_reduce.c: the sum of the copies of each part, on every worker that holds one: y_c = sum
 * over d of x_d.
 *
 * It is B R, a sum-reduction and a broadcast of its result, and its own adjoint.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3, "all-sum-reduction". */
#include "primitives/exchange.h"
#include "primitives/group.h"
#include "primitives/rules.h"

static tg_status check(const tg_layout *x, const tg_layout *y)
{
    if (!tg_layout_equal(x, y))
        return tg_fail(TG_BAD_INPUT, "grid: x and y differ; expected one layout for both");
    return tg_success();
}

/* R to each part's first copy, then B from there. The engine has packed everything before it
 * writes, so that the second step may work on one buffer. */
static void run_reference(tg_op *op, tg_space to, const void *in, void *out)
{
    (void)to; /* its own adjoint */
    tg_exchange_run(op, TG_X, in, out);
    tg_exchange_run(op, TG_Y, out, out);
}

static tg_status plan_reference(const tg_problem *problem, tg_op *op)
{
    tg_status status = tg_exchange_reference(&problem->x, &problem->y, op);
    op->run = run_reference;
    op->messages *=
        2; /* as many on the way to the first copies; summed over the ranks that is right */
    return status;
}

/* Each entry of a part is added at least once by somebody, and reaches everybody: 2 (k - 1) entries
 * in all, and with the best algorithms 2 (k - 1) / k for each rank (Patarasuk and Yuan, 2009). */
static tg_status traffic(const tg_layout *x, const tg_layout *y, tg_traffic *result)
{
    (void)y;
    ptrdiff_t copies = 1, parts = 1, entries = tg_layout_max_held(x);
    for (int a = 0; a < x->ndim; a++) {
        copies *= x->axis[a].copied ? x->axis[a].parts : 1;
        parts *= x->axis[a].copied ? 1 : x->axis[a].parts;
    }
    result->moved = 2 * (copies - 1) * tg_layout_count(x);
    result->max_rank = (2 * (copies - 1) * entries + copies - 1) / copies;
    return tg_success();
}

static const tg_algorithm reference = {"reference", "packed messages to and from the first copy",
                                       plan_reference};
static const tg_algorithm mpi = {"mpi", "MPI_Allreduce", tg_plan_allreduce};
static const tg_algorithm *const algorithms[] = {&reference, &mpi, NULL};

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
};
