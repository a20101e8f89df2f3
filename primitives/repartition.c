/* repartition.c: every entry moves from its one owner in P to those who hold it in Q: y[held] =
 * x[owned].
 *
 * Without copies T* T = I and the norm is kept. If Q holds k copies, T* adds them and T* T = k I.
 * If P holds copies, the first one sends, T* comes back to it, and the other copies get 0.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3, "generalised all-to-all". */
#include "primitives/exchange.h"
#include "primitives/rules.h"

static const tg_algorithm *const algorithms[] = {
    &tg_engine_reference, TG_ROWS_MPI(tg_engine_alltoallw, tg_engine_alltoallw_init),
    &tg_engine_resharding, TG_ROWS_EXCHANGE};

extern const tg_primitive tg_repartition;
const tg_primitive tg_repartition = {
    .name = "repartition",
    .summary = "every entry moves from its owner in one grid to its holders in another",
    .formula = "y[held] = x[owned]",
    .adjoint = "x[owned] = sum of y[held] over the holders; other copies of x get 0",
    .source = "arXiv 2006.03108, section 3",
    .two_layouts = true,
    .check = tg_check_same_tensor,
    .auto_grid = tg_grid_turned,
    .traffic = tg_traffic_copy,
    .algorithms = algorithms,
    .lacking = TG_LACKING_PERSISTENT(tg_engine_alltoallw_init),
};
