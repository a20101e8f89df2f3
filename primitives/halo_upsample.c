/* halo_upsample.c: every worker gets the inputs that its outputs of an up-sampling read:
 * y[needed] = x[owned].
 *
 * The scale factor is the stride s. kernel 1, nearest: output o reads input floor(o / s). kernel 2,
 * linear with half-pixel centres: floor((o + 1/2) / s - 1/2) and the next. Adjoint: as of halo.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3, "halo exchange". */
#include "primitives/exchange.h"
#include "primitives/rules.h"

static tg_status check(const tg_layout *x, const tg_layout *y)
{
    return tg_check_windows(x, y, &tg_window_upsample);
}

static const tg_algorithm *const algorithms[] = {&tg_engine_reference, &tg_engine_alltoallw,
                                                 &tg_engine_axes, TG_ROWS_EXCHANGE};

extern const tg_primitive tg_halo_upsample;
const tg_primitive tg_halo_upsample = {
    .name = "halo_upsample",
    .summary = "the entries around a worker's own that its up-sampling needs",
    .formula = "y[needed] = x[owned]",
    .adjoint = "x[owned] = sum of y[needed] over those who needed it",
    .source = "arXiv 2006.03108, section 3",
    .window = &tg_window_upsample,
    .check = check,
    .auto_grid = tg_grid_blocks,
    .traffic = tg_traffic_copy,
    .algorithms = algorithms,
};
