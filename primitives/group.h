/* group.h: primitives that are one collective of the MPI library in each group of ranks. Private
 * to the room. */
#ifndef TG_GROUP_H
#define TG_GROUP_H

#include "primitives/op.h"

/* Calls: Collective on op->comm; statuses are agreed by all ranks. A group is the owner of a part
 * of x with the ranks that hold copies of it in y.
 *   tg_plan_bcast      y = MPI_Bcast of x, x = MPI_Reduce of y
 *   tg_plan_allreduce  x and y are one layout with copies: MPI_Allreduce both ways
 *   ..._init           the same as persistent requests, with TG_HAVE_PERSISTENT_COLLECTIVES
 *                      (persistent_group.c) */
tg_status tg_plan_bcast(const tg_problem *problem, tg_op *op);
tg_status tg_plan_allreduce(const tg_problem *problem, tg_op *op);
tg_status tg_plan_bcast_init(const tg_problem *problem, tg_op *op);
tg_status tg_plan_allreduce_init(const tg_problem *problem, tg_op *op);

#endif
