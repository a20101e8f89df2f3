/* halo.c: every worker gets the entries around its own that its windows need: y[needed] =
 * x[owned].
 *
 * The needed box may be wider on one side, narrower than the owned one, empty, or reach over
 * several neighbours; all are one rule (layout.h). Adjoint: the cotangents of the ghosts go back
 * and are added to the bulk.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3, "halo exchange", and appendix B. */
#include "primitives/exchange.h"
#include "primitives/rules.h"

static tg_status check(const tg_layout *x, const tg_layout *y)
{
    for (int a = 0; a < y->ndim; a++) {
        if (y->axis[a].window.kernel == 0)
            return tg_fail(TG_BAD_INPUT, "kernel: no window on axis %d; expected one on every axis",
                           a);
        if (x->axis[a].window.kernel != 0)
            return tg_fail(TG_BAD_INPUT,
                           "kernel: a window on axis %d of x; expected owned boxes there", a);
    }
    tg_status status = tg_check_same_tensor(x, y);
    if (status.code == TG_OK)
        status = tg_check_no_copies(x, "grid");
    return status.code == TG_OK ? tg_check_copies_of(x, y, "grid", "grid") : status;
}

static const tg_algorithm *const algorithms[] = {&tg_engine_reference, &tg_engine_alltoallw,
                                                 &tg_engine_p2p, NULL};

extern const tg_primitive tg_halo;
const tg_primitive tg_halo = {
    .name = "halo",
    .summary = "the entries around a worker's own that its windows need",
    .formula = "y[needed] = x[owned]",
    .adjoint = "x[owned] = sum of y[needed] over those who needed it",
    .source = "arXiv 2006.03108, section 3",
    .window = true,
    .check = check,
    .auto_grid = tg_grid_blocks,
    .traffic = tg_traffic_copy,
    .algorithms = algorithms,
};
