/* scatter.c: the parts of a tensor from one worker to several: y[part] = x[part].
 *
 * Adjoint: the parts come back: gather. Without copies the norm is kept.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3, "scatter". */
#include "primitives/exchange.h"
#include "primitives/rules.h"
#include "primitives/vgroup.h"

static tg_status check(const tg_layout *x, const tg_layout *y)
{
    return tg_check_parts_of(x, y, "from", "to");
}

static const tg_algorithm mpi = {"mpi", "MPI_Scatterv; adjoint MPI_Gatherv", tg_plan_scatterv,
                                 NULL};
static const tg_algorithm bound = {"persistent-collective",
                                   "MPI_Scatterv_init; adjoint MPI_Gatherv_init",
                                   TG_PLAN_PERSISTENT(tg_plan_scatterv_init), NULL};
static const tg_algorithm *const algorithms[] = {&tg_engine_reference, TG_ROWS_MPI(mpi, bound),
                                                 TG_ROWS_ONE_TO_ALL};

extern const tg_primitive tg_scatter;
const tg_primitive tg_scatter = {
    .name = "scatter",
    .summary = "the parts of a tensor from one worker to several",
    .formula = "y[part] = x[part]",
    .adjoint = "x[part] = y[part], gathered on the worker of x",
    .source = "arXiv 2006.03108, section 3",
    .two_layouts = true,
    .check = check,
    .auto_grid = tg_grid_parts,
    .traffic = tg_traffic_copy,
    .algorithms = algorithms,
    .lacking = TG_LACKING_PERSISTENT(bound),
};
