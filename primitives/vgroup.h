/* vgroup.h: primitives that are one vector collective of the MPI library in each group. Private
 * to the room. */
#ifndef TG_VGROUP_H
#define TG_VGROUP_H

#include "primitives/op.h"

/* Calls: Collective on op->comm; statuses are agreed by all ranks.
 *   tg_plan_scatterv    x on one worker: MPI_Scatterv, adjoint MPI_Gatherv
 *   tg_plan_allgatherv  the parts of x in a group become one part of y on each of its ranks:
 *                       MPI_Allgatherv, adjoint MPI_Reduce_scatter; MPI_Alltoallw where the ranks
 *                       of x and y in a group differ, which those calls cannot say
 *   ..._init            the same as persistent requests, with TG_HAVE_PERSISTENT_COLLECTIVES */
tg_status tg_plan_scatterv(const tg_problem *problem, tg_op *op);
tg_status tg_plan_allgatherv(const tg_problem *problem, tg_op *op);
tg_status tg_plan_scatterv_init(const tg_problem *problem, tg_op *op);
tg_status tg_plan_allgatherv_init(const tg_problem *problem, tg_op *op);

#endif
