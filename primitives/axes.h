/* axes.h: the stages of algorithm `axes`, for its plan and for its weights. Private to the room. */
#ifndef TG_AXES_H
#define TG_AXES_H

#include "primitives/primitives.h"

/* The exchange along one axis, as one rank sees it: a halo with one window among the ranks that differ
 * from it on this axis only, in place in its work buffer. */
typedef struct {
    tg_problem problem; /* its layouts borrow the cuts of the whole problem's, and `runs` */
    tg_run *runs;
} tg_axis_stage;

/* Calls: Local, all.
 *   tg_axes_fit         do x and y have one grid, so that the exchange can go axis by axis?
 *   tg_has_axis_stage   can anything be exchanged along this axis?
 *   tg_axis_stage_find  of a rank of the grid. Errors: TG_NO_MEMORY; free(stage->runs) frees it */
bool tg_axes_fit(const tg_problem *problem);
bool tg_has_axis_stage(const tg_problem *problem, int axis);
tg_status tg_axis_stage_find(const tg_problem *problem, int rank, int axis, tg_axis_stage *stage);

#endif
