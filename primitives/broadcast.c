/* broadcast.c: copies of each part of x on k workers: y_c = x, c = 1 .. k.
 *
 * Adjoint: x = sum over c of y_c, since copies meet there. |B x|^2 = k |x|^2.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3, "broadcast". */
#include "primitives/group.h"
#include "primitives/patterns.h"
#include "primitives/rules.h"

static tg_status check(const tg_layout *x, const tg_layout *y)
{
    return tg_check_copies_of(x, y, "from", "to");
}

static const tg_algorithm mpi = {"mpi", "MPI_Bcast; adjoint MPI_Reduce", tg_plan_bcast, NULL};
static const tg_algorithm bound = {"persistent-collective",
                                   "MPI_Bcast_init; adjoint MPI_Reduce_init",
                                   TG_PLAN_PERSISTENT(tg_plan_bcast_init), NULL};
static const tg_algorithm *const algorithms[] = {&tg_engine_reference, TG_ROWS_MPI(mpi, bound),
                                                 TG_ROWS_COPIES};

extern const tg_primitive tg_broadcast;
const tg_primitive tg_broadcast = {
    .name = "broadcast",
    .summary = "copies of each part of x on several workers",
    .formula = "y_c = x for each copy c",
    .adjoint = "x = sum of y_c over the copies",
    .source = "arXiv 2006.03108, section 3",
    .two_layouts = true,
    .check = check,
    .auto_grid = tg_grid_copies,
    .traffic = tg_traffic_copy,
    .algorithms = algorithms,
    .lacking = TG_LACKING_PERSISTENT(bound),
};
