/* facts.h: what was true of a launch as a whole: machines, the binding of each rank, libraries and
 * clocks, as one JSON object. results/README.md says what its members mean. */
#ifndef TGB_FACTS_H
#define TGB_FACTS_H

#include "primitives/layout.h"

/* Calls: Local. Can the file be made? Errors: TG_BAD_INPUT names it. */
tg_status tgb_facts_check(const char *path);

/* Calls: Collective on MPI_COMM_WORLD, when all cells are measured: the clocks of all teams are
 * closed. Rank 0 writes the file, whole or not at all. timer_ns, read on rank 0: the cost of reading
 * the clock. Errors, on rank 0: TG_BAD_INPUT names the file. */
tg_status tgb_facts_write(const char *path, double timer_ns);

#endif
