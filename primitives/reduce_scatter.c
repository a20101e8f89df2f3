/* reduce_scatter.c: the copies in a group are added and the sum is dealt out: y[part] = sum of
 * x_c[part] over the copies.
 *
 * It is the adjoint of all_gather, and planned as that; its own adjoint is all_gather.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3: a sum-reduction followed by a scatter. */
#include "primitives/patterns.h"
#include "primitives/rules.h"
#include "primitives/vgroup.h"

static tg_status check(const tg_layout *x, const tg_layout *y)
{
    return tg_check_gathered(y, x, "to", "from");
}

static const tg_algorithm mpi = {"mpi", "MPI_Reduce_scatter; adjoint MPI_Allgatherv",
                                 tg_plan_allgatherv, NULL};
static const tg_algorithm bound = {"persistent-collective",
                                   "MPI_Reduce_scatter_init; adjoint MPI_Allgatherv_init",
                                   TG_PLAN_PERSISTENT(tg_plan_allgatherv_init), NULL};
static const tg_algorithm *const algorithms[] = {&tg_engine_reference, TG_ROWS_MPI(mpi, bound),
                                                 TG_ROWS_GATHERED};

extern const tg_primitive tg_reduce_scatter;
const tg_primitive tg_reduce_scatter = {
    .name = "reduce_scatter",
    .summary = "the copies in a group are added and the sum is dealt out",
    .formula = "y[part] = sum of x_c[part] over the copies",
    .adjoint = "x_c[part] = y[part] for each copy c",
    .source = "arXiv 2006.03108, section 3",
    .two_layouts = true,
    .transposed = true,
    .sums = true,
    .check = check,
    .auto_grid = tg_grid_reduced,
    .traffic = tg_traffic_sum,
    .algorithms = algorithms,
    .lacking = TG_LACKING_PERSISTENT(bound),
};
