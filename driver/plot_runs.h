/* plot_runs.h: the points of a run, and those of several runs, to stand in one figure. */
#ifndef TGD_PLOT_RUNS_H
#define TGD_PLOT_RUNS_H

#include "driver/plot_points.h"
#include "driver/select.h"
#include "driver/sides.h"

/* Calls: Local. The points of RUN/cells.csv, as far as the rows are selected, with the phases of RUN/phases.csv. They
 * refer to texts of the table. Errors: TG_BAD_INPUT names the file or the word; both can then be freed. */
tg_status tgd_run_points(const char *run, const tgd_selection *selection, tgd_table *table,
                         tgd_points *points);

/* Calls: Local. The same of several runs: each point has the name of its run: its machine, where the machines differ,
 * else "run A", "run B" and so on; what differs between the runs is a text for the caption. They refer to texts of the
 * sides. */
tg_status tgd_runs_points(const tgd_words *runs, const tgd_selection *selection, tgd_sides *sides,
                          tgd_points *points);

#endif
