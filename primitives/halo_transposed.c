/* halo_transposed.c: every worker gets the inputs that its outputs of a transposed convolution
 * receive: y[needed] = x[owned].
 *
 * Output o receives input i when o = s i - p + d j, 0 <= j < k, so that outputs [y0, y1) need
 * inputs from ceil((y0 + p - d (k - 1)) / s) to floor((y1 - 1 + p) / s). Adjoint: as of halo.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3, "halo exchange"; the arithmetic is that
 * of Dumoulin and Visin, arXiv 1603.07285, chapter 4. */
#include "primitives/exchange.h"
#include "primitives/rules.h"

static tg_status check(const tg_layout *x, const tg_layout *y)
{
    return tg_check_windows(x, y, &tg_window_transposed);
}

static const tg_algorithm *const algorithms[] = {&tg_engine_reference, &tg_engine_alltoallw,
                                                 &tg_engine_axes, TG_ROWS_EXCHANGE};

extern const tg_primitive tg_halo_transposed;
const tg_primitive tg_halo_transposed = {
    .name = "halo_transposed",
    .summary = "the entries around a worker's own that its transposed convolution needs",
    .formula = "y[needed] = x[owned]",
    .adjoint = "x[owned] = sum of y[needed] over those who needed it",
    .source = "arXiv 2006.03108, section 3; arXiv 1603.07285",
    .window = &tg_window_transposed,
    .check = check,
    .auto_grid = tg_grid_blocks,
    .traffic = tg_traffic_copy,
    .algorithms = algorithms,
};
