/* stepped.h: primitives whose groups of ranks move their vectors by a schedule of our own. Private
 * to the room. */
#ifndef TG_STEPPED_H
#define TG_STEPPED_H

#include "primitives/schedule.h"

/* Calls: Collective on op->comm; statuses are agreed by all ranks.
 *   tg_plan_stepped_broadcast   from the owner of a part to its copies; adjoint: sums at the owner
 *   tg_plan_stepped_all_sum     x and y are one layout with copies: sums, then copies
 *   tg_plan_stepped_all_gather  the parts of x in a group become one part of y on each of its
 *                               ranks; adjoint: sums. tg_engine_p2p where the ranks of x and y in
 *                               a group differ */
tg_status tg_plan_stepped_broadcast(const tg_problem *problem, tg_op *op,
                                    const tg_pattern *pattern);
tg_status tg_plan_stepped_all_sum(const tg_problem *problem, tg_op *op, const tg_pattern *pattern);
tg_status tg_plan_stepped_all_gather(const tg_problem *problem, tg_op *op,
                                     const tg_pattern *pattern);

/* Calls: Local. What their runs carry: F, or backwards F*. Errors: as a tg_weights's `of`. */
tg_status tg_weigh_stepped_broadcast(const tg_problem *problem, bool backwards,
                                     const tg_pattern *pattern, tg_weight *weight);
tg_status tg_weigh_stepped_all_sum(const tg_problem *problem, bool backwards,
                                   const tg_pattern *pattern, tg_weight *weight);
tg_status tg_weigh_stepped_all_gather(const tg_problem *problem, bool backwards,
                                      const tg_pattern *pattern, tg_weight *weight);

#endif
