/* sum_reduce.c: the sum of k copies of each part on one worker: y = sum over c of x_c.
 *
 * It is the adjoint of broadcast, and planned as that; its own adjoint is broadcast: x_c = y.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3, "sum-reduction". */
#include "primitives/group.h"
#include "primitives/patterns.h"
#include "primitives/rules.h"

static tg_status check(const tg_layout *x, const tg_layout *y)
{
    return tg_check_copies_of(y, x, "to", "from");
}

static const tg_algorithm mpi = {"mpi", "MPI_Reduce; adjoint MPI_Bcast", tg_plan_bcast, NULL};
static const tg_algorithm bound = {"persistent-collective",
                                   "MPI_Reduce_init; adjoint MPI_Bcast_init",
                                   TG_PLAN_PERSISTENT(tg_plan_bcast_init), NULL};
static const tg_algorithm *const algorithms[] = {&tg_engine_reference, TG_ROWS_MPI(mpi, bound),
                                                 TG_ROWS_COPIES};

extern const tg_primitive tg_sum_reduce;
const tg_primitive tg_sum_reduce = {
    .name = "sum_reduce",
    .summary = "the sum of the copies of each part on one worker",
    .formula = "y = sum of x_c over the copies",
    .adjoint = "x_c = y for each copy c",
    .source = "arXiv 2006.03108, section 3",
    .two_layouts = true,
    .transposed = true,
    .sums = true,
    .check = check,
    .auto_grid = tg_grid_uncopies,
    .traffic = tg_traffic_sum,
    .algorithms = algorithms,
    .lacking = TG_LACKING_PERSISTENT(bound),
};
