/* memory.h: do cells fit into memory, all at once? Asked before their buffers are made. */
#ifndef TGB_MEMORY_H
#define TGB_MEMORY_H

#include "bench/cell.h"
#include "bench/team.h"

/* Calls: Local. The size behind --max-mem. Errors: TG_BAD_INPUT. */
tg_status tgb_memory_parse(const char *text, double *limit_bytes);

/* Calls: Local. Bytes that a rank needs for a cell: its parts of x and y, for layers the gradients
 * and weights too, and the copies that the check of the adjoint keeps. Not counted: what an
 * algorithm keeps for itself. rank < 0: those of the largest parts. */
double tgb_memory_wanted(const tgb_setup *setup, int rank);

/* Calls: Collective on the team. Is there room for these cells at the same time? more_bytes: what
 * each rank needs besides. Errors: TG_NO_MEMORY when a rank needs more than limit_bytes; without a
 * limit (0), when the ranks of all machines together need more than is free on them, or than the
 * control groups of their job leave free. Where the kernel does not say what is free, it is enough. */
tg_status tgb_memory_check(const tgb_team *team, const tgb_cell *cells, int count,
                           double more_bytes, double limit_bytes);

#endif
