/* halo.c: every worker gets the entries around its own that its windows need: y[needed] =
 * x[owned].
 *
 * The needed box may be wider on one side, narrower than the owned one, empty, or reach over
 * several neighbours; all are one rule (window.c). Adjoint: the cotangents of the ghosts go back
 * and are added to the bulk.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3, "halo exchange", and appendix B. */
#include "primitives/exchange.h"
#include "primitives/rules.h"

static tg_status check(const tg_layout *x, const tg_layout *y)
{
    return tg_check_windows(x, y, &tg_window_convolution);
}

static const tg_algorithm *const algorithms[] = {&tg_engine_reference, &tg_engine_alltoallw,
                                                 TG_AND_PARTITIONED(&tg_engine_axes),
                                                 TG_ROWS_EXCHANGE};

extern const tg_primitive tg_halo;
const tg_primitive tg_halo = {
    .name = "halo",
    .summary = "the entries around a worker's own that its windows need",
    .formula = "y[needed] = x[owned]",
    .adjoint = "x[owned] = sum of y[needed] over those who needed it",
    .source = "arXiv 2006.03108, section 3",
    .window = &tg_window_convolution,
    .check = check,
    .auto_grid = tg_grid_blocks,
    .traffic = tg_traffic_copy,
    .algorithms = algorithms,
    .lacking = TG_LACKING_PARTITIONED,
};
