/* resharding.h: what algorithm `resharding` carries, for its weights. Private to the room. */
#ifndef TG_RESHARDING_H
#define TG_RESHARDING_H

#include "primitives/schedule.h"

/* The two phases of a run. */
enum { TG_CROSSING, TG_SPREADING };

/* Calls: Local.
 *   tg_resharding_fits_here  does y hold copies, and is this rank in one of the layouts only?
 *   tg_resharding_share      what one rank sends [0] and receives [1] in F, and in how many rounds of
 *                            each phase; op: only rank and dtype are asked. Errors: TG_NO_MEMORY */
bool tg_resharding_fits_here(const tg_problem *problem, int rank);
tg_status tg_resharding_share(const tg_problem *problem, const tg_op *op, tg_carried *carried,
                              ptrdiff_t rounds[2]);

#endif
