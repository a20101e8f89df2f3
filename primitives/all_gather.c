/* all_gather.c: every worker of a group gets all its parts: y_c[part] = x[part] for each copy c.
 *
 * Adjoint: the copies are added and dealt out: reduce_scatter.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3: a gather followed by a broadcast. */
#include "primitives/patterns.h"
#include "primitives/rules.h"
#include "primitives/vgroup.h"

static tg_status check(const tg_layout *x, const tg_layout *y)
{
    return tg_check_gathered(x, y, "from", "to");
}

static const tg_algorithm mpi = {"mpi", "MPI_Allgatherv; adjoint MPI_Reduce_scatter",
                                 tg_plan_allgatherv, NULL};
static const tg_algorithm bound = {"persistent-collective",
                                   "MPI_Allgatherv_init; adjoint MPI_Reduce_scatter_init",
                                   TG_PLAN_PERSISTENT(tg_plan_allgatherv_init), NULL};
static const tg_algorithm *const algorithms[] = {&tg_engine_reference, TG_ROWS_MPI(mpi, bound),
                                                 TG_ROWS_GATHERED};

extern const tg_primitive tg_all_gather;
const tg_primitive tg_all_gather = {
    .name = "all_gather",
    .summary = "every worker of a group gets all its parts",
    .formula = "y_c[part] = x[part] for each copy c",
    .adjoint = "x[part] = sum of y_c[part] over the copies",
    .source = "arXiv 2006.03108, section 3",
    .two_layouts = true,
    .check = check,
    .auto_grid = tg_grid_gathered,
    .traffic = tg_traffic_copy,
    .algorithms = algorithms,
    .lacking = TG_LACKING_PERSISTENT(bound),
};
