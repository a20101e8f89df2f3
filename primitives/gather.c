/* gather.c: the parts of a tensor from several workers on one: y[part] = x[part].
 *
 * It is the adjoint of scatter, and planned as that; its own adjoint is scatter.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3, "gather". */
#include "primitives/exchange.h"
#include "primitives/rules.h"
#include "primitives/vgroup.h"

static tg_status check(const tg_layout *x, const tg_layout *y)
{
    return tg_check_parts_of(y, x, "to", "from");
}

static const tg_algorithm mpi = {"mpi", "MPI_Gatherv; adjoint MPI_Scatterv", tg_plan_scatterv,
                                 NULL};
static const tg_algorithm bound = {"persistent-collective",
                                   "MPI_Gatherv_init; adjoint MPI_Scatterv_init",
                                   TG_PLAN_PERSISTENT(tg_plan_scatterv_init), NULL};
static const tg_algorithm *const algorithms[] = {&tg_engine_reference, TG_ROWS_MPI(mpi, bound),
                                                 TG_ROWS_ONE_TO_ALL};

extern const tg_primitive tg_gather;
const tg_primitive tg_gather = {
    .name = "gather",
    .summary = "the parts of a tensor from several workers on one",
    .formula = "y[part] = x[part]",
    .adjoint = "x[part] = y[part], scattered to the workers of x",
    .source = "arXiv 2006.03108, section 3",
    .two_layouts = true,
    .transposed = true,
    .check = check,
    .auto_grid = tg_grid_unparts,
    .traffic = tg_traffic_copy,
    .algorithms = algorithms,
    .lacking = TG_LACKING_PERSISTENT(bound),
};
