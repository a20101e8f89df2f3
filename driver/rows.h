/* rows.h: the tables of a run folder that was left in the middle: whole rows only, and nothing of a
 * cell that has no row. */
#ifndef TGD_ROWS_H
#define TGD_ROWS_H

#include "driver/plan.h"

/* Calls: Local. Drop from cells.csv an unfinished last line, rows of no cell of the plan and, where
 * drop_killed, rows with status killed, and what has been done of cells that take turns where not all
 * of them have a row; then drop from samples.csv, counters.csv, overlap.csv and phases.csv
 * what belongs to a cell without a row. A table is replaced whole (a new file takes its place) or
 * left as it is. done[number] says whether a cell has a row (room for plan->count + 1); *dropped is
 * the number of lines dropped. A tgbench that is just being ended is waited for, some seconds.
 * Errors: TG_BAD_INPUT names the file. */
tg_status tgd_rows_repair(const char *folder, const tgd_plan *plan, bool drop_killed, bool *done,
                          long *dropped);

/* Calls: Local. Append to cells.csv the row of a cell that was being measured when its launch died:
 * what is known before measuring, and status killed. Without a cells.csv nothing is written.
 * Errors: TG_BAD_INPUT names the file. */
tg_status tgd_rows_add_killed(const char *folder, const tgd_bench *bench, const tgd_cell *cell);

#endif
